/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VT-x back end as the rest of the module sees it. The only folder with VMX instructions.
 * Functions take a vCPU whose mutex is held and whose VMCS is loaded (shvm_vmx_load) if not said
 * otherwise. SDM references: Intel SDM volume 3C.
 */
#ifndef SHVM_VMX_H
#define SHVM_VMX_H

#include "../vcpu.h"
#include "rules.h"

/* --- module and machine life (enable.c, caps.c) --- */
/* Probes the CPU; -EOPNOTSUPP with a log line that says what is missing. */
int shvm_vmx_module_init(void);
void shvm_vmx_module_exit(void);
/* For the first VM: VMXON on every CPU; -EBUSY, with a log line, if somebody owns VMX. */
int shvm_vmx_get(void);
void shvm_vmx_put(void);		/* last VM: VMXOFF */

/* --- vCPU life and residency (vmcs.c) --- */
int shvm_vmx_vcpu_create(struct shvm_vcpu *vcpu);	/* memory, VMCS with reset state */
void shvm_vmx_vcpu_destroy(struct shvm_vcpu *vcpu);	/* VMCLEARs where it is resident; frees */
/* Preemption off: the VMCS becomes current on cpu; host MSRs are back, the VMCS may stay there. */
void shvm_vmx_load(struct shvm_vcpu *vcpu, int cpu);
void shvm_vmx_unload(struct shvm_vcpu *vcpu);

/* --- running (run.c, exit.c, inject.c) --- */
/* Enter, stay in the loop of short exits, then the handler of the exit that ended it. */
enum shvm_next shvm_vmx_run(struct shvm_vcpu *vcpu);

/* --- registers (state.c) --- */
u64 shvm_vmx_rip(struct shvm_vcpu *vcpu);
u64 shvm_vmx_rsp(struct shvm_vcpu *vcpu);
u64 shvm_vmx_rflags(struct shvm_vcpu *vcpu);
void shvm_vmx_set_rip(struct shvm_vcpu *vcpu, u64 val);
void shvm_vmx_set_rsp(struct shvm_vcpu *vcpu, u64 val);
void shvm_vmx_set_rflags(struct shvm_vcpu *vcpu, u64 val);
void shvm_vmx_get_segment(struct shvm_vcpu *vcpu, enum shvm_seg seg, struct shvm_segment *out);
void shvm_vmx_set_segment(struct shvm_vcpu *vcpu, enum shvm_seg seg, const struct shvm_segment *in);
u64 shvm_vmx_segment_base(struct shvm_vcpu *vcpu, enum shvm_seg seg);
void shvm_vmx_get_dtable(struct shvm_vcpu *vcpu, bool idt, struct shvm_dtable *out);
void shvm_vmx_set_dtable(struct shvm_vcpu *vcpu, bool idt, const struct shvm_dtable *in);
unsigned int shvm_vmx_cpl(struct shvm_vcpu *vcpu);
bool shvm_vmx_is_64bit(struct shvm_vcpu *vcpu);		/* long mode and CS.L */
void shvm_vmx_update_cr0(struct shvm_vcpu *vcpu);	/* vcpu->cr0 -> VMCS value, mask, shadow */
void shvm_vmx_update_cr4(struct shvm_vcpu *vcpu);
void shvm_vmx_update_ts(struct shvm_vcpu *vcpu);	/* the same, if only CR0.TS has changed */
void shvm_vmx_update_pge(struct shvm_vcpu *vcpu);	/* if only CR4.PGE has */
void shvm_vmx_update_efer(struct shvm_vcpu *vcpu);	/* IA-32e control, user-return EFER (SCE) */
void shvm_vmx_update_dr7(struct shvm_vcpu *vcpu);
void shvm_vmx_update_exceptions(struct shvm_vcpu *vcpu);	/* bitmap, #PF mask, match */
u32 shvm_vmx_interruptibility(struct shvm_vcpu *vcpu);	/* SDM 25.4.2: STI 1, MOV SS 2, NMI 8 */
void shvm_vmx_set_interruptibility(struct shvm_vcpu *vcpu, u32 val);
/* Past the exiting instruction: ends STI and MOV SS blocking, TF makes a #DB pending. */
void shvm_vmx_skip_insn(struct shvm_vcpu *vcpu);
/* The same for an instruction that software finished: RIP becomes next_rip. */
void shvm_vmx_retire_insn(struct shvm_vcpu *vcpu, u64 next_rip);
void shvm_vmx_drop_step(struct shvm_vcpu *vcpu);	/* that #DB will not come: SET_REGS */
/* MSRs that VT-x holds: 0 and *val, or -ENOENT if not one of them. */
int shvm_vmx_get_msr(struct shvm_vcpu *vcpu, u32 index, u64 *val);
int shvm_vmx_set_msr(struct shvm_vcpu *vcpu, u32 index, u64 val);
void shvm_vmx_set_tsc_offset(struct shvm_vcpu *vcpu, u64 offset);
/* False: real mode, VM86, what else VT-x cannot hold: internal error MODE. */
bool shvm_vmx_state_is_enterable(struct shvm_vcpu *vcpu);
/* Not in real mode: which rule about segments and RIP makes it so. */
enum shvm_vmx_rule shvm_vmx_state_rule(struct shvm_vcpu *vcpu);
/* RIP was set from outside: it may not fit the mode. */
static inline void shvm_vmx_state_recheck(struct shvm_vcpu *vcpu)
{
	vcpu->vmx.enterable = false;
}

#endif
