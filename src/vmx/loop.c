// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entry loop: enters the guest and stays for short exits, with interrupts off, the guest's FPU
 * and MSRs loaded. A short exit tries mmu->lock and waits for no other whose holder may wait for us
 * (docs/locking.md), does not sleep or allocate and leaves the run page alone; what it cannot
 * finish so it leaves untouched for the handlers of exit.c. Every instruction here is paid twice by
 * each system call of a guest with page-table isolation;
 * docs/performance.md has the bill.
 *
 * Interrupts are off, so nothing on this CPU gets on while the guest keeps to short exits, but
 * whatever wants the CPU, or this thread, comes as an interrupt: the tick, the IPI that goes with
 * a request, a signal or a wake-up (need_resched). One that is pending ends the next entry before
 * the guest's first instruction, and that exit is not a short one. Nothing in the loop itself sets
 * such a flag.
 */
#include <linux/build_bug.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include <asm/trapnr.h>

#include "../compat/guest.h"
#include "../x86/x86.h"
#include "cluster.h"
#include "cr3.h"
#include "exit_fields.h"
#include "vmx_internal.h"

static __always_inline void root_load(struct shvm_vcpu *vcpu)
{
	u64 root = shvm_mmu_root(&vcpu->mmu).v;

	if (vcpu->vmx.root != root) {
		vcpu->vmx.root = root;
		vmcs_write_natural(GUEST_CR3, root);
	} else if (!static_branch_unlikely(&shvm_vpid_is_on) ||
		   !shvm_mmu_tag_is_stale(&vcpu->mmu)) {
		return;
	}
	if (static_branch_unlikely(&shvm_vpid_is_on))
		shvm_vpid_load(vcpu);
}

/* ---- what the exit reports: gone once another VMCS is current, so it is read at once ---- */

static __always_inline void exit_count(struct shvm_vcpu *vcpu, u32 reason)
{
	BUILD_BUG_ON_NOT_POWER_OF_2(SHVM_NR_EXIT_REASONS);
	vcpu->stats.exit_reason[reason % SHVM_NR_EXIT_REASONS]++;
}

/*
 * Exits by an instruction: they occur while it is executed, never while an event is delivered
 * (SDM 28.2.4), and nearly all of them end by stepping over it.
 */
#define INSN_EXITS	(BIT_ULL(EXIT_REASON_CPUID) | BIT_ULL(EXIT_REASON_HLT) |	\
			 BIT_ULL(EXIT_REASON_INVLPG) | BIT_ULL(EXIT_REASON_CR_ACCESS) |	\
			 BIT_ULL(EXIT_REASON_DR_ACCESS) |				\
			 BIT_ULL(EXIT_REASON_IO_INSTRUCTION) |				\
			 BIT_ULL(EXIT_REASON_MSR_READ) | BIT_ULL(EXIT_REASON_MSR_WRITE))

static __always_inline bool exit_is_insn(u32 reason)
{
	return reason < 64 && (INSN_EXITS & BIT_ULL(reason));
}

/* The guest has run, and what was injected at the entry has been delivered. */
static __always_inline void exit_begin_insn(struct shvm_vcpu *vcpu)
{
	vcpu->vmx.launched = true;
	if (unlikely(vcpu->vmx.injected))
		shvm_vmx_injected_forget(vcpu);
}

static void exit_read_insn(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_exit *exit = &vcpu->vmx.exit;

	exit->qualification = vmcs_read_natural(EXIT_QUALIFICATION);
	exit->insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	exit->intr_info = 0;
	exit->idt_vectoring = 0;
}

static void exit_read_event(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_exit *exit = &vcpu->vmx.exit;

	exit->qualification = vmcs_read_natural(EXIT_QUALIFICATION);
	exit->intr_info = 0;
	exit->idt_vectoring = 0;
	if (unlikely(exit->reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return;
	vcpu->vmx.launched = true;
	exit->insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	exit->idt_vectoring = vmcs_read32(IDT_VECTORING_INFO_FIELD);
	if ((u16)exit->reason == EXIT_REASON_EXCEPTION_NMI) {
		exit->intr_info = vmcs_read32(VM_EXIT_INTR_INFO);
		exit->intr_error = vmcs_read32(VM_EXIT_INTR_ERROR_CODE);
	}
	shvm_vmx_inject_done(vcpu);
}

/* ---- short exits: true: done, enter again; false: nothing has happened ---- */

/* What was read into the cache of registers is not known any more when the guest has run. */
static void regs_write(struct shvm_vcpu *vcpu)
{
	if (vcpu->vmx.regs.valid | vcpu->vmx.regs.dirty)
		shvm_vmx_regs_flush(vcpu);
}

/* As shvm_vmx_skip_insn(), without the cache of registers, which is empty. */
static __always_inline void insn_skip(struct shvm_vcpu *vcpu, u64 rip, bool is_64bit)
{
	const u32 ends = SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS;
	u32 blocked, len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	u64 rflags = vmcs_read_natural(GUEST_RFLAGS);

	if (unlikely((rflags & (X86_EFLAGS_RF | X86_EFLAGS_TF)) ||
		     (!is_64bit && (rip ^ (rip + len)) >> 32))) {
		vcpu->vmx.exit.insn_len = len;
		shvm_vmx_skip_insn(vcpu);
		return;
	}
	blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	if (unlikely(blocked & ends))
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, blocked & ~ends);
	vmcs_write_natural(GUEST_RIP, rip + len);
}

/* ---- MOV from and to CR3 in 64-bit code: nothing is read but what is needed ---- */

/* Linux uses RSP, too, as that is what its system call entry has free. */
static __always_inline bool cr3_access(struct shvm_vcpu *vcpu, u64 q)
{
	unsigned int gpr = CR_GPR(q);

	switch (CR_AND_ACCESS(q)) {
	case CR_READ << 4 | 3:
		if (gpr == SHVM_RSP)
			vmcs_write_natural(GUEST_RSP, vcpu->cr3);
		else
			vcpu->gpr[gpr] = vcpu->cr3;
		return true;
	case CR_WRITE << 4 | 3:
		return cr3_try_load(vcpu, gpr == SHVM_RSP ? vmcs_read_natural(GUEST_RSP) :
					  vcpu->gpr[gpr], CR3_SEARCH);
	default:
		return false;
	}
}

static bool exit_cr3(struct shvm_vcpu *vcpu)
{
	u64 q, rip = vmcs_read_natural(GUEST_RIP);

	/* Only 64-bit code is found above 4 GiB; of other code the operand would have 32 bits. */
	if (unlikely(!(rip >> 32) && !shvm_vmx_is_64bit(vcpu)))
		return false;
	q = vmcs_read_natural(EXIT_QUALIFICATION);
	if (CR_AND_ACCESS(q) == (CR_READ << 4 | 3) && cluster_run(vcpu, rip, q, CR3_SEARCH))
		return true;
	if (unlikely(!cr3_access(vcpu, q)))
		return false;
	insn_skip(vcpu, rip, true);
	return true;
}

/* ---- others ---- */

static void insn_end(struct shvm_vcpu *vcpu)
{
	insn_skip(vcpu, vmcs_read_natural(GUEST_RIP), false);
}

/* CR0.TS and CR4.PGE: the others change how the guest translates. */
static bool cr_access(struct shvm_vcpu *vcpu, u64 q)
{
	switch (CR_AND_ACCESS(q)) {
	case CR_WRITE << 4 | 0:
		return shvm_cr0_try_write(vcpu, gpr_read(vcpu, CR_GPR(q)));
	case CR_WRITE << 4 | 4:
		return shvm_cr4_try_write(vcpu, gpr_read(vcpu, CR_GPR(q)));
	case CR_CLTS << 4 | 0:
		return shvm_cr0_try_write(vcpu, vcpu->cr0 & ~(u64)X86_CR0_TS);
	default:
		return false;
	}
}

static bool exit_cr(struct shvm_vcpu *vcpu)
{
	if (!cr_access(vcpu, vcpu->vmx.exit.qualification))
		return false;
	insn_end(vcpu);
	return true;
}

static bool exit_cpuid(struct shvm_vcpu *vcpu)
{
	u64 *gpr = vcpu->gpr;
	struct shvm_cpuid_result r = shvm_cpuid_query(vcpu, gpr[SHVM_RAX], gpr[SHVM_RCX]);

	gpr[SHVM_RAX] = r.eax;
	gpr[SHVM_RBX] = r.ebx;
	gpr[SHVM_RCX] = r.ecx;
	gpr[SHVM_RDX] = r.edx;
	insn_end(vcpu);
	return true;
}

static bool exit_invlpg(struct shvm_vcpu *vcpu)
{
	if (unlikely(!shvm_mmu_try_invlpg(&vcpu->mmu, gva(vcpu->vmx.exit.qualification))))
		return false;
	insn_end(vcpu);
	return true;
}

/* What ends HLT is there already, so it is delivered behind it. */
static bool exit_hlt(struct shvm_vcpu *vcpu)
{
	if ((shvm_vmx_rflags(vcpu) & X86_EFLAGS_TF) || vcpu->want_irq_window ||
	    !shvm_event_is_due(vcpu))
		return false;
	insn_end(vcpu);
	shvm_vmx_inject(vcpu);
	return true;
}

static bool exit_io(struct shvm_vcpu *vcpu)
{
	u64 q = vcpu->vmx.exit.qualification;

	return (q & (IO_IN | IO_STRING)) == IO_IN &&
	       shvm_insn_port_in_short(vcpu, IO_PORT(q), IO_SIZE(q));
}

/* A window is used up by what follows it. */
static bool exit_window(struct shvm_vcpu *vcpu)
{
	if (vcpu->want_irq_window)
		return false;
	shvm_vmx_inject(vcpu);
	return true;
}

static bool exit_insn(struct shvm_vcpu *vcpu)
{
	switch (vcpu->vmx.exit.reason) {
	case EXIT_REASON_INVLPG:
		return exit_invlpg(vcpu);
	case EXIT_REASON_IO_INSTRUCTION:
		return exit_io(vcpu);
	case EXIT_REASON_CR_ACCESS:
		return exit_cr(vcpu);
	case EXIT_REASON_HLT:
		return exit_hlt(vcpu);
	default:
		return false;
	}
}

/* A failed entry has bit 31 set in the reason, which so is none of these. */
static bool exit_event(struct shvm_vcpu *vcpu)
{
	switch (vcpu->vmx.exit.reason) {
	case EXIT_REASON_EXCEPTION_NMI:
		return shvm_vmx_exit_fault_short(vcpu);
	case EXIT_REASON_INTERRUPT_WINDOW:
		return exit_window(vcpu);
	default:
		return false;
	}
}

static bool exit_by_reason(struct shvm_vcpu *vcpu, u32 reason)
{
	if (exit_is_insn(reason)) {
		exit_begin_insn(vcpu);
		if (reason == EXIT_REASON_CPUID)
			return exit_cpuid(vcpu);
		exit_read_insn(vcpu);
		return exit_insn(vcpu);
	}
	exit_read_event(vcpu);
	return exit_event(vcpu);
}

static bool exit_is_short(struct shvm_vcpu *vcpu)
{
	u32 reason = vmcs_read32(VM_EXIT_REASON);

	exit_count(vcpu, reason);
	if (reason == EXIT_REASON_CR_ACCESS) {
		exit_begin_insn(vcpu);
		if (exit_cr3(vcpu))
			return true;
	}
	vcpu->vmx.exit.reason = reason;
	return exit_by_reason(vcpu, reason);
}

/*
 * True: enter again. That requests end the loop only saves an entry: who makes one finds
 * mode == SHVM_IN_GUEST and sends an IPI.
 */
static bool exit_then_prepare(struct shvm_vcpu *vcpu)
{
	if (!exit_is_short(vcpu)) {
		vcpu->stats.exits_left++;
		return false;
	}
	if (READ_ONCE(vcpu->requests)) {
		vcpu->vmx.exit.reason = SHVM_VMX_EXIT_DONE;
		return false;
	}
	regs_write(vcpu);
	root_load(vcpu);
	return true;
}

/* No tracing, no RCU, no lockdep from here on until the kernel knows that the guest has left. */
static __always_inline void guest_begin(struct shvm_vcpu *vcpu)
{
	shvm_guest_state_enter();
	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);
}

/*
 * The shortest exit, by a cluster: what a guest with page-table isolation does twice in each system
 * call. False: nothing has happened, shvm_vmx_exit_others() is next.
 *
 * The RSB is as the guest left it, so nothing in here may be probed or traced, and the kernel is
 * not told that the guest has left, as that can be traced; where somebody has to be told, all
 * exits go the other way. No call is made after which more than vcpu is needed, so that no register
 * has to be saved.
 */
asmlinkage __visible noinstr bool shvm_vmx_exit_short(struct shvm_vcpu *vcpu)
{
	unsigned long reason, rip, q;

	vcpu->cr2 = native_read_cr2();
	if (shvm_guest_state_is_told() || vcpu->vmx.injected || READ_ONCE(vcpu->requests))
		return false;
	if (!vmcs_try_read(VM_EXIT_REASON, &reason) || reason != EXIT_REASON_CR_ACCESS ||
	    !vmcs_try_read(GUEST_RIP, &rip) || unlikely(!(rip >> 32)) ||
	    !vmcs_try_read(EXIT_QUALIFICATION, &q) ||
	    CR_AND_ACCESS(q) != (CR_READ << 4 | 3) || !cluster_run(vcpu, rip, q, CR3_SHORT))
		return false;
	vcpu->vmx.launched = true;
	exit_count(vcpu, EXIT_REASON_CR_ACCESS);
	root_load(vcpu);
	return true;
}

asmlinkage __visible noinstr bool shvm_vmx_exit_others(struct shvm_vcpu *vcpu)
{
	bool again;

	shvm_guest_state_exit();
	instrumentation_begin();
	again = exit_then_prepare(vcpu);
	instrumentation_end();
	if (again)
		guest_begin(vcpu);
	return again;
}

asmlinkage __visible noinstr void shvm_vmx_first_entry(struct shvm_vcpu *vcpu)
{
	instrumentation_begin();
	if (static_branch_unlikely(&shvm_vpid_is_on) && unlikely(shvm_vpid_is_void(vcpu)))
		shvm_vpid_load(vcpu);
	regs_write(vcpu);
	root_load(vcpu);
	instrumentation_end();
	guest_begin(vcpu);
}
