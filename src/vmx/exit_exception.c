// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits by exceptions: #PF goes to the shadow MMU, #AC and #DB go back to the guest after a detour
 * (their delivery could otherwise loop in the CPU), machine checks and NMIs were the host's and
 * have been handled when interrupts were still off.
 */
#include <linux/cpufeature.h>
#include <asm/cpu.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../x86/x86.h"
#include "vmx_internal.h"

static enum shvm_next run_error(struct shvm_vcpu *vcpu, int err)
{
	vcpu->run_error = err;
	return SHVM_NEXT_ERROR;
}

/*
 * The fault came up while the CPU delivered an event, so there is no instruction to emulate. If the
 * handler's stack lies in a guest page table, that table is no longer shadowed and the delivery is
 * tried again; if it lies in MMIO, that is where it ends.
 */
static enum shvm_next fault_in_delivery(struct shvm_vcpu *vcpu, const struct shvm_pf *pf)
{
	if (pf->tracked) {
		/* If there is nothing left to drop, others were faster. */
		shvm_mmu_unshadow(&vcpu->vm->mmu, gpa_to_gfn(pf->gpa));
		return SHVM_NEXT_ENTER;
	}
	return shvm_vmx_internal_error(vcpu, SHVM_INTERNAL_ERROR_DELIVERY_EV);
}

/* What SMAP must know about the access beside the error code (SDM 4.6.1). */
static u32 smap_flags(struct shvm_vcpu *vcpu, u32 error)
{
	u32 flags = 0;

	if (!(vcpu->cr4 & X86_CR4_SMAP))
		return 0;
	if (shvm_vmx_rflags(vcpu) & X86_EFLAGS_AC)
		flags |= SHVM_ACCESS_AC;
	if (!(error & SHVM_ACCESS_USER) && shvm_vmx_cpl(vcpu) == 3)
		flags |= SHVM_ACCESS_IMPLICIT;
	return flags;
}

static enum shvm_next page_fault_emulate(struct shvm_vcpu *vcpu, const struct shvm_pf *pf)
{
	if (vcpu->vmx.exit.idt_vectoring & SHVM_INTR_VALID)
		return fault_in_delivery(vcpu, pf);
	return shvm_insn_emulate_fault(vcpu, pf);
}

/* With a tiny budget of shadow pages the tables of one instruction may drive each other out. */
static enum shvm_next page_fault_again(struct shvm_vcpu *vcpu)
{
	if (likely(!vcpu->mmu.starved))
		return SHVM_NEXT_ENTER;
	/* RCX: a repeated instruction gets on, too. */
	if (!shvm_mmu_starves(&vcpu->mmu, shvm_vmx_rip(vcpu) ^ rol64(vcpu->gpr[SHVM_RCX], 32)))
		return SHVM_NEXT_ENTER;
	return run_error(vcpu, -ENOMEM);
}

static enum shvm_next exit_page_fault(struct shvm_vcpu *vcpu)
{
	const struct shvm_vmx_exit *exit = &vcpu->vmx.exit;
	struct shvm_pf pf = {
		.addr = gva(exit->qualification),
		.error = exit->intr_error,
		.flags = smap_flags(vcpu, exit->intr_error),
		.gpa = exit->mmio,
	};
	enum shvm_pf_result result;

	if (exit->is_mmio) {
		vcpu->mmu.stats.pf_emulate++;
		return page_fault_emulate(vcpu, &pf);
	}
	result = shvm_mmu_fault(&vcpu->mmu, &pf);
	switch (result) {
	case SHVM_PF_FIXED:
	case SHVM_PF_RETRY:
		return page_fault_again(vcpu);
	case SHVM_PF_REFLECT:
		shvm_event_page_fault(vcpu, pf.addr, pf.guest_error);
		return SHVM_NEXT_ENTER;
	case SHVM_PF_EMULATE:
		return page_fault_emulate(vcpu, &pf);
	case SHVM_PF_USER:
		return run_error(vcpu, -EFAULT);
	case SHVM_PF_NOMEM:
		return run_error(vcpu, -ENOMEM);
	case SHVM_PF_UNKNOWN:
		break;
	}
	SHVM_BUG_ON(vcpu->vm, result >= SHVM_PF_UNKNOWN);
	return run_error(vcpu, -EIO);
}

#define INFO_IS_PF	(SHVM_INTR_VALID | X86_TRAP_PF | \
			 SHVM_INTR_HW_EXCEPTION << SHVM_INTR_TYPE_SHIFT)
#define INFO_MASK	(SHVM_INTR_VALID | 7 << SHVM_INTR_TYPE_SHIFT | 0xff)

/*
 * What the shadow knows about the fault, in the entry loop. A fault while an event was delivered is
 * not that simple (it may become a double fault), nor is one behind STI or MOV SS, where the entry
 * wants to be prepared.
 */
bool shvm_vmx_exit_fault_short(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_exit *exit = &vcpu->vmx.exit;
	struct shvm_pf pf = { .addr = gva(exit->qualification), .error = exit->intr_error };

	exit->is_mmio = false;
	if ((exit->intr_info & INFO_MASK) != INFO_IS_PF ||
	    (exit->idt_vectoring & SHVM_INTR_VALID) ||
	    (shvm_vmx_interruptibility(vcpu) & (SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS)))
		return false;
	pf.flags = smap_flags(vcpu, pf.error);
	switch (shvm_mmu_try_fault(&vcpu->mmu, &pf)) {
	case SHVM_PF_FIXED:
		return true;
	case SHVM_PF_EMULATE:
		exit->is_mmio = !pf.tracked;
		exit->mmio = pf.gpa;
		if (exit->is_mmio || !shvm_insn_table_store(vcpu, &pf))
			return false;
		vcpu->mmu.stats.pf_emulate++;
		return true;
	case SHVM_PF_REFLECT:
		shvm_event_page_fault(vcpu, pf.addr, pf.guest_error);
		shvm_vmx_inject(vcpu);
		return true;
	default:
		return false;
	}
}

/* Exit qualification of #DB, same places as in DR6 (SDM table 28-1). */
#define DB_CAUSES	0x600fULL
#define DB_BREAKPOINTS	0xfULL
#define DR7_GD		BIT(13)

/* INT1 is a trap that the CPU reports at the instruction itself: the handler sees the next one. */
static enum shvm_next exit_debug(struct shvm_vcpu *vcpu)
{
	const struct shvm_vmx_exit *exit = &vcpu->vmx.exit;
	u32 blocked;

	if (SHVM_INTR_TYPE(exit->intr_info) == SHVM_INTR_PRIV_EXCEPTION) {
		blocked = shvm_vmx_interruptibility(vcpu);
		shvm_vmx_set_interruptibility(vcpu, blocked &
					      ~(SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS));
		shvm_vmx_set_rip(vcpu, shvm_vmx_next_rip(vcpu));
	}
	vcpu->dr6 = (vcpu->dr6 & ~DB_BREAKPOINTS) | (exit->qualification & DB_CAUSES);
	/* Entering the handler clears GD (SDM 18.2.4). */
	if (vcpu->dr7 & DR7_GD) {
		vcpu->dr7 &= ~(u64)DR7_GD;
		shvm_vmx_update_dr7(vcpu);
	}
	shvm_event_exception(vcpu, X86_TRAP_DB);
	return SHVM_NEXT_ENTER;
}

/* Otherwise the host's detection of split locks is what raised #AC. */
static bool alignment_check_is_guests(struct shvm_vcpu *vcpu)
{
	if (!boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT))
		return true;
	return shvm_vmx_cpl(vcpu) == 3 && (vcpu->cr0 & X86_CR0_AM) &&
	       (shvm_vmx_rflags(vcpu) & X86_EFLAGS_AC);
}

static enum shvm_next exit_alignment_check(struct shvm_vcpu *vcpu)
{
	if (!alignment_check_is_guests(vcpu) && handle_guest_split_lock(shvm_vmx_rip(vcpu)))
		return SHVM_NEXT_ENTER;
	shvm_event_exception_error(vcpu, X86_TRAP_AC, vcpu->vmx.exit.intr_error);
	return SHVM_NEXT_ENTER;
}

enum shvm_next shvm_vmx_exit_exception(struct shvm_vcpu *vcpu)
{
	u32 info = vcpu->vmx.exit.intr_info;

	if (SHVM_INTR_TYPE(info) == SHVM_INTR_NMI)
		return SHVM_NEXT_ENTER;
	switch (SHVM_INTR_VECTOR(info)) {
	case X86_TRAP_PF:
		return exit_page_fault(vcpu);
	case X86_TRAP_DB:
		return exit_debug(vcpu);
	case X86_TRAP_AC:
		return exit_alignment_check(vcpu);
	case X86_TRAP_MC:
		return SHVM_NEXT_ENTER;
	default:
		return shvm_vmx_internal_error(vcpu, SHVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	}
}
