/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of src/vmx share with each other and with nobody else.
 */
#ifndef SHVM_VMX_INTERNAL_H
#define SHVM_VMX_INTERNAL_H

#include "../vm.h"
#include "vmcs.h"
#include "vmx.h"

/* --- caps.c --- */

/* Control values for this CPU; constant after shvm_vmx_caps_probe(). */
struct shvm_vmx_caps {
	u32 revision;
	u32 pin_ctl, cpu_ctl, secondary_ctl, exit_ctl, entry_ctl;	/* base values */
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;	/* must be 1, may be 1 */
};

extern struct shvm_vmx_caps shvm_vmx_caps;
int shvm_vmx_caps_probe(void);

/* --- enable.c --- */
bool shvm_vmx_is_on(void);		/* on this CPU; preemption off */
#ifdef SHVM_DEBUG
void shvm_vmx_selftest(void);
#else
static inline void shvm_vmx_selftest(void) { }
#endif

/* --- vmcs.c --- */
struct shvm_vmcs *shvm_vmcs_alloc(int node);
void shvm_vmcs_free(struct shvm_vmcs *vmcs);
void shvm_vmcs_clear_cpu(void);		/* VMCLEAR all that is resident here; IRQs off */
void shvm_vmcs_init_cpus(void);

/* --- direct.c: faults of the guest without an exit --- */
void shvm_vmx_direct_probe(void);		/* at load, before the first vCPU */
void shvm_vmx_direct_test(void);		/* VMX has been switched on for the first VM */
u32 shvm_vmx_pf_mask(const struct shvm_vcpu *vcpu);	/* of the #PF error code; 0: all exit */
void shvm_vmx_direct_tick(struct shvm_vcpu *vcpu);	/* after an exit by an interrupt */

/* --- run.c --- */
void shvm_vmx_enter(struct shvm_vcpu *vcpu);	/* enter and leave; vmx.exit says why */

/* --- init.c --- */
void shvm_vmx_init_vmcs(struct shvm_vcpu *vcpu);	/* controls, host constants, reset state */

/* --- host.c --- */
void shvm_vmx_host_set_cpu(int cpu);	/* per-CPU host fields of the current VMCS */
void shvm_vmx_host_save(struct shvm_vcpu *vcpu);	/* before running; preemption off */
void shvm_vmx_host_restore(struct shvm_vcpu *vcpu);	/* before others run; preemption off */
void shvm_vmx_host_enter(struct shvm_vcpu *vcpu);	/* IRQs off, before the entry loop */
void shvm_vmx_host_leave(struct shvm_vcpu *vcpu);	/* IRQs off, after it */

/* --- uret.c: MSRs that stay the guest's until the thread returns to user space --- */
void shvm_uret_load(struct shvm_vcpu *vcpu);		/* preemption off */
void shvm_uret_drop_cpu(void);				/* host values back; IRQs off */
void shvm_uret_module_init(void);

/* --- entry.S --- */
/*
 * Enters until an exit is not short (loop.c), IRQs off. 0: the guest ran and left, the exit is in
 * vmx->exit; SHVM_VMX_ENTRY_FAILED: VMLAUNCH/VMRESUME did, and the kernel still believes that the
 * guest runs; 2: not tried.
 */
#define SHVM_VMX_ENTRY_FAILED	1
int shvm_vmx_enter_asm(struct shvm_vcpu *vcpu, bool resume, unsigned long *host_rsp);
extern const char shvm_vmx_exit_point[];		/* HOST_RIP */

/* --- loop.c, called by entry.S only --- */
asmlinkage void shvm_vmx_first_entry(struct shvm_vcpu *vcpu);
asmlinkage bool shvm_vmx_exit_short(struct shvm_vcpu *vcpu);
asmlinkage bool shvm_vmx_exit_others(struct shvm_vcpu *vcpu);

/* --- vpid.c: interrupts off --- */
DECLARE_STATIC_KEY_FALSE(shvm_vpid_is_on);
bool shvm_vpid_probe(void);		/* at module load: can and shall VPIDs be used? */
void shvm_vpid_cpu_on(void);		/* VMX was switched on: others may have used all names */
/* The tag for the current root; before an entry, when it is not the one in use or that is stale. */
void shvm_vpid_load(struct shvm_vcpu *vcpu);
/* Before the entry loop: may another vCPU have got the name that is in the VMCS? */
bool shvm_vpid_is_void(const struct shvm_vcpu *vcpu);

/* --- inject.c --- */
void shvm_vmx_inject(struct shvm_vcpu *vcpu);		/* IRQs off, no way back before the entry */
void shvm_vmx_inject_done(struct shvm_vcpu *vcpu);	/* after an exit: take back what broke */
/* vmx->injected is not 0, and the exit says that the delivery is complete. */
void shvm_vmx_injected_forget(struct shvm_vcpu *vcpu);

/* --- exit.c --- */
enum shvm_next shvm_vmx_exit_handle(struct shvm_vcpu *vcpu);
enum shvm_next shvm_vmx_internal_error(struct shvm_vcpu *vcpu, u32 suberror);

/* --- cluster.c --- */
/* Entry loop: false: at rip there is none. True: c describes what is there now. */
bool shvm_vmx_cluster_find(struct shvm_vcpu *vcpu, struct shvm_cluster *c, u64 rip, u64 q);
/* The same for the memory that it tests a bit of: where is it now? */
bool shvm_vmx_cluster_find_data(struct shvm_vcpu *vcpu, struct shvm_cluster *c);

/* --- exit_exception.c, exit_cr.c --- */
enum shvm_next shvm_vmx_exit_exception(struct shvm_vcpu *vcpu);
enum shvm_next shvm_vmx_exit_cr(struct shvm_vcpu *vcpu);
enum shvm_next shvm_vmx_exit_dr(struct shvm_vcpu *vcpu);
bool shvm_vmx_exit_fault_short(struct shvm_vcpu *vcpu);	/* for loop.c; true: done */

/* --- state.c --- */
void shvm_vmx_regs_flush(struct shvm_vcpu *vcpu);	/* before an entry; forgets them */
u64 shvm_vmx_next_rip(struct shvm_vcpu *vcpu);		/* after the instruction that exited */
void shvm_vmx_cpu_ctl_set(struct shvm_vcpu *vcpu, u32 bits, bool on);

/* --- check.c: SDM 27.3 rules about guest state; true: the entry will be accepted --- */
#ifdef SHVM_DEBUG
bool shvm_vmx_check_entry(struct shvm_vcpu *vcpu);
#else
static inline bool shvm_vmx_check_entry(struct shvm_vcpu *vcpu) { return true; }
#endif

/* Beside the hardware's exit reasons: nothing is left to handle; the entry checker said no. */
#define SHVM_VMX_EXIT_DONE	0xfffe
#define SHVM_VMX_EXIT_REFUSED	0xfffd

/* SDM 25.4.2, table 25-3. */
#define SHVM_BLOCK_STI		BIT(0)
#define SHVM_BLOCK_MOV_SS	BIT(1)
#define SHVM_BLOCK_NMI		BIT(3)

/* SDM table 25-17 and 25.9.2: interruption information. */
#define SHVM_INTR_VALID		BIT(31)
#define SHVM_INTR_NMI_UNBLOCK	BIT(12)
#define SHVM_INTR_HAS_ERROR	BIT(11)
#define SHVM_INTR_TYPE_SHIFT	8
#define SHVM_INTR_VECTOR(i)	((i) & 0xff)
#define SHVM_INTR_TYPE(i)	(((i) >> SHVM_INTR_TYPE_SHIFT) & 7)

enum shvm_intr_type {
	SHVM_INTR_EXTERNAL = 0,
	SHVM_INTR_NMI = 2,
	SHVM_INTR_HW_EXCEPTION = 3,
	SHVM_INTR_SOFT_INT = 4,
	SHVM_INTR_PRIV_EXCEPTION = 5,
	SHVM_INTR_SOFT_EXCEPTION = 6,
};

#define SHVM_DR7_FIXED		0x400
#define SHVM_DR7_BREAKPOINTS	0xff		/* any of the four is enabled */

/* SDM 25.4.2: pending debug exceptions. */
#define SHVM_PENDING_DBG_ENABLED	BIT(12)	/* a breakpoint that DR7 enables */
#define SHVM_PENDING_DBG_BS		BIT(14)

#endif
