/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vendor-neutral CPU behaviour: control registers, events, CPUID, MSRs, FPU, emulator glue.
 * All functions: vcpu->mutex held, VMCS loaded, if not said otherwise.
 */
#ifndef SHVM_X86_H
#define SHVM_X86_H

#include "../vcpu.h"

/*
 * cr.c: check like the CPU, then commit to vcpu->, VMX and MMU. 0; or, with nothing changed, 1 =
 * raise #GP(0). CR0, CR3 and CR4 also -EFAULT, -EAGAIN: memory that the instruction reads.
 */
int shvm_cr0_write(struct shvm_vcpu *vcpu, u64 val);
int shvm_cr3_write(struct shvm_vcpu *vcpu, u64 val);
int shvm_cr4_write(struct shvm_vcpu *vcpu, u64 val);
/* Entry loop, interrupts off: true if it is done, CR0.TS or CR4.PGE being all that changes. */
bool shvm_cr0_try_write(struct shvm_vcpu *vcpu, u64 val);
bool shvm_cr4_try_write(struct shvm_vcpu *vcpu, u64 val);
int shvm_cr8_write(struct shvm_vcpu *vcpu, u64 val);
int shvm_efer_write(struct shvm_vcpu *vcpu, u64 val);
int shvm_dr_write(struct shvm_vcpu *vcpu, unsigned int dr, u64 val);
u64 shvm_dr_read(struct shvm_vcpu *vcpu, unsigned int dr);
/*
 * Before a MOV from or to a debug register, dr 0-7: true if it may go on. False: #UD (DR4, DR5 with
 * CR4.DE) or #DB (DR7.GD) was raised; RIP stays.
 */
bool shvm_dr_access(struct shvm_vcpu *vcpu, unsigned int dr);
/* Hands CR0, CR3, CR4, EFER, CPUID to src/mmu and drops every translation: after SET_SREGS. */
void shvm_cr_sync_mmu(struct shvm_vcpu *vcpu);

/* events.c */
void shvm_event_exception(struct shvm_vcpu *vcpu, u8 vector);
void shvm_event_exception_error(struct shvm_vcpu *vcpu, u8 vector, u32 error_code);
void shvm_event_page_fault(struct shvm_vcpu *vcpu, gva_t addr, u32 error_code);	/* sets CR2 */
bool shvm_event_is_due(struct shvm_vcpu *vcpu);	/* something would wake a halted vCPU */
void shvm_event_nmi(struct shvm_vcpu *vcpu);	/* one more NMI; those above the limit merge */
int shvm_event_interrupt(struct shvm_vcpu *vcpu, u8 vector);	/* 0, or -EEXIST: one waits */
int shvm_event_get(struct shvm_vcpu *vcpu, struct shvm_vcpu_events *out);
int shvm_event_set(struct shvm_vcpu *vcpu, const struct shvm_vcpu_events *in);

/* cpuid.c */
struct shvm_cpuid_result {
	u32 eax, ebx, ecx, edx;
};

struct shvm_cpuid_result shvm_cpuid_query(struct shvm_vcpu *vcpu, u32 function, u32 index);
/* What all vCPUs of a VM must agree on: SHVM_CPU_MODEL_*. */
u32 shvm_cpuid_model(const struct shvm_cpuid *c);
/* Copies entries. -EINVAL, -E2BIG, -ENOMEM: nothing has changed. */
int shvm_cpuid_set(struct shvm_vcpu *vcpu, const struct shvm_cpuid_entry2 *entries, u32 nent);
void shvm_cpuid_init(struct shvm_vcpu *vcpu);	/* no leaves yet */
void shvm_cpuid_destroy(struct shvm_vcpu *vcpu);
/* Fills at most max entries. Return: how many there are. No vCPU needed. */
int shvm_cpuid_supported(struct shvm_cpuid_entry2 *entries, u32 max);
u64 shvm_cpuid_host_cr4(void);	/* optional CR4 bits that this host can give; cpuid_host.c */

/* msr.c: 0, or 1 = #GP(0). from_user: SET_MSRS may set what WRMSR may not. */
void shvm_msr_reset(struct shvm_vcpu *vcpu);	/* at creation; TSC as that of vCPU 0 */
int shvm_msr_read(struct shvm_vcpu *vcpu, u32 index, u64 *val);
int shvm_msr_write(struct shvm_vcpu *vcpu, u32 index, u64 val, bool from_user);
extern const u32 shvm_msr_list[];
extern const unsigned int shvm_msr_list_len;

/* fpu.c */
int shvm_fpu_create(struct shvm_vcpu *vcpu);	/* 0 or -ENOMEM; state as after FNINIT */
void shvm_fpu_destroy(struct shvm_vcpu *vcpu);
void shvm_fpu_load(struct shvm_vcpu *vcpu);	/* guest FPU into the registers, from RUN */
void shvm_fpu_unload(struct shvm_vcpu *vcpu);
void shvm_fpu_restore(void);		/* IRQs off, right before the entry */
void shvm_fpu_read_xmm(unsigned int nr, u8 val[16]);	/* 0-15, of the guest, from RUN */
int shvm_fpu_get(struct shvm_vcpu *vcpu, struct shvm_fpu *out);
int shvm_fpu_set(struct shvm_vcpu *vcpu, const struct shvm_fpu *in);
int shvm_xcr0_write(struct shvm_vcpu *vcpu, u64 val);	/* XSETBV; 0 or 1 = #GP(0) */
u64 shvm_fpu_supported_xcr0(void);	/* 0 without XSAVE */

/* insn.c: run the emulator at the current RIP. */
enum shvm_next shvm_insn_emulate(struct shvm_vcpu *vcpu);
/* An instruction's access to addr, a shadowed table or no memory, brought us here. */
enum shvm_next shvm_insn_emulate_fault(struct shvm_vcpu *vcpu, const struct shvm_pf *pf);
/* insn_store.c: the same for most stores to tables, in the entry loop. False: nothing is done. */
bool shvm_insn_table_store(struct shvm_vcpu *vcpu, const struct shvm_pf *pf);
/* Port I/O exit of a non-string IN/OUT: no decoding needed (SDM 28.2.1 qualification). */
enum shvm_next shvm_insn_port_io(struct shvm_vcpu *vcpu, u16 port, u32 size, bool in);
bool shvm_insn_port_in_short(struct shvm_vcpu *vcpu, u16 port, u32 size);
/* At the start of RUN: take user space's answer and go on with the instruction. */
enum shvm_next shvm_insn_complete(struct shvm_vcpu *vcpu);
void shvm_insn_forget(struct shvm_vcpu *vcpu);	/* SET_REGS and friends: drop a pending answer */
/* SET_MSRS: the answer stays, but EFER may give page tables another meaning. */
void shvm_insn_forget_translation(struct shvm_vcpu *vcpu);

#endif
