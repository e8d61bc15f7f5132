// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running the guest. shvm_vmx_run() enters with interrupts off and stays in a short loop for exits
 * that need no lock, no FPU and no interrupts; every other exit is handed to its handler with
 * interrupts on. vcpu->mode and vcpu->requests: the protocol is drawn in vcpu.c.
 */
#include <linux/build_bug.h>
#include <linux/sched.h>
#include <asm/special_insns.h>
#include <asm/trapnr.h>

#include "../compat/guest.h"
#include "../compat/host_event.h"
#include "../x86/x86.h"
#include "vmx_internal.h"

static void root_load(struct shvm_vcpu *vcpu)
{
	u64 root = shvm_mmu_root(&vcpu->mmu).v;

	if (vcpu->vmx.root == root)
		return;
	vcpu->vmx.root = root;
	vmcs_write_natural(GUEST_CR3, root);
}

/*
 * No tracing, no RCU, no lockdep from here on until the kernel knows that the guest has left.
 * False: the entry failed before it loaded guest state.
 */
static noinstr bool guest_enter(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_vcpu *vmx = &vcpu->vmx;
	int failed;

	shvm_guest_state_enter();
	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);
	failed = shvm_vmx_enter_asm(vcpu->gpr, vmx->launched, &vmx->host_rsp);
	vcpu->cr2 = native_read_cr2();
	shvm_guest_state_exit();
	return !failed;
}

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

static __always_inline void exit_read_insn(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_exit *exit = &vcpu->vmx.exit;

	exit->intr_info = 0;
	exit->idt_vectoring = 0;
	vcpu->vmx.regs.rip = vmcs_read_natural(GUEST_RIP);
	vcpu->vmx.regs.rflags = vmcs_read_natural(GUEST_RFLAGS);
	vcpu->vmx.regs.valid = SHVM_VMX_REG_RIP | SHVM_VMX_REG_RFLAGS;
}

static void exit_read_event(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_exit *exit = &vcpu->vmx.exit;

	vcpu->vmx.regs.valid = 0;
	exit->idt_vectoring = vmcs_read32(IDT_VECTORING_INFO_FIELD);
	exit->intr_info = 0;
	if ((u16)exit->reason == EXIT_REASON_EXCEPTION_NMI) {
		exit->intr_info = vmcs_read32(VM_EXIT_INTR_INFO);
		exit->intr_error = vmcs_read32(VM_EXIT_INTR_ERROR_CODE);
	}
}

/*
 * The fields are gone once another VMCS is current, so they are read at once. False: the entry
 * failed while it loaded guest state.
 */
static __always_inline bool exit_read(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_exit *exit = &vcpu->vmx.exit;
	u32 reason = vmcs_read32(VM_EXIT_REASON);

	exit->reason = reason;
	exit_count(vcpu, reason);
	exit->qualification = vmcs_read_natural(EXIT_QUALIFICATION);
	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		vcpu->vmx.regs.valid = 0;
		exit->idt_vectoring = 0;
		return false;
	}
	vcpu->vmx.launched = true;
	exit->insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	if (exit_is_insn(reason)) {
		exit_read_insn(vcpu);
		if (unlikely(vcpu->vmx.injected))
			shvm_vmx_inject_done(vcpu);
	} else {
		exit_read_event(vcpu);
		shvm_vmx_inject_done(vcpu);
	}
	return true;
}

/*
 * Interrupts are off, so nothing on this CPU gets on while the guest keeps to short exits, but
 * whatever wants the CPU, or this thread, comes as an interrupt: the tick, the IPI that goes with
 * a request, a signal or a wake-up (need_resched). One that is pending ends the next entry before
 * the guest's first instruction, and that exit is not a short one. Nothing in the loop itself sets
 * such a flag. So only the requests are looked at, and that saves no more than an entry.
 */
static void enter_loop(struct shvm_vcpu *vcpu)
{
	do {
		if (unlikely(vcpu->vmx.regs.dirty))
			shvm_vmx_regs_flush(vcpu);
		root_load(vcpu);
		if (unlikely(!guest_enter(vcpu))) {
			vcpu->vmx.failed = true;
			vcpu->vmx.regs.valid = 0;
			vcpu->vmx.insn_error = vmcs_read32(VM_INSTRUCTION_ERROR);
			return;
		}
		if (unlikely(!exit_read(vcpu)) || !shvm_vmx_exit_short(vcpu)) {
			vcpu->stats.exits_left++;
			return;
		}
	} while (!READ_ONCE(vcpu->requests));
	vcpu->vmx.exit.reason = SHVM_VMX_EXIT_DONE;
}

/* NMIs and machine checks were meant for the host; interrupts still off. */
static void host_events(struct shvm_vcpu *vcpu)
{
	const struct shvm_vmx_exit *exit = &vcpu->vmx.exit;

	if (unlikely(vcpu->vmx.failed))
		return;
	if (unlikely((u16)exit->reason == EXIT_REASON_MCE_DURING_VMENTRY))
		shvm_host_machine_check();
	if ((u16)exit->reason != EXIT_REASON_EXCEPTION_NMI || !(exit->intr_info & SHVM_INTR_VALID))
		return;
	if (SHVM_INTR_TYPE(exit->intr_info) == SHVM_INTR_NMI)
		shvm_host_nmi();
	else if (unlikely(SHVM_INTR_VECTOR(exit->intr_info) == X86_TRAP_MC))
		shvm_host_machine_check();
}

/* The VMCS may be somewhere else only while its CPU goes offline or the machine reboots. */
static bool is_loaded_here(const struct shvm_vcpu *vcpu)
{
	return vcpu->cpu == smp_processor_id() && shvm_vmx_is_on();
}

/* Interrupts off. False: something came up, the guest was not entered. */
static bool try_enter(struct shvm_vcpu *vcpu)
{
	/* Full barrier: pairs with the one in shvm_vcpu_kick(). */
	smp_store_mb(vcpu->mode, SHVM_IN_GUEST);
	vcpu->vmx.exit.reason = SHVM_VMX_EXIT_DONE;
	vcpu->vmx.failed = false;
	if (shvm_vcpu_work_pending(vcpu) || unlikely(!is_loaded_here(vcpu)))
		return false;

	shvm_vmx_inject(vcpu);
	shvm_fpu_restore();
	shvm_vmx_host_enter(vcpu);
	shvm_guest_timing_enter();
	if (shvm_vmx_check_entry(vcpu))
		enter_loop(vcpu);
	else
		vcpu->vmx.exit.reason = SHVM_VMX_EXIT_REFUSED;
	shvm_vmx_host_leave(vcpu);
	shvm_host_guest_ran();
	return true;
}

/*
 * Interrupts that ended the guest are taken where they are switched on, still inside the guest's
 * time slice, so that the tick is accounted to the guest.
 */
static void enter_and_leave(struct shvm_vcpu *vcpu)
{
	bool entered;

	preempt_disable();
	shvm_vmx_host_save(vcpu);
	local_irq_disable();
	entered = try_enter(vcpu);
	/* Release: whoever sees it has our last use of the shadow tables behind it. */
	smp_store_release(&vcpu->mode, SHVM_OUTSIDE_GUEST);
	if (entered) {
		host_events(vcpu);
		local_irq_enable();
		/* STI takes effect one instruction later: CLI must not be that one. */
		asm volatile("nop");
		local_irq_disable();
		shvm_guest_timing_exit();
	}
	local_irq_enable();
	preempt_enable();
}

/**
 * shvm_vmx_run - enter the guest, come back with an exit, handle it
 * @vcpu: a root is loaded, the state is enterable, the guest's FPU is in the registers
 *
 * Interrupts on; may sleep. Return: what to do next; SHVM_NEXT_ENTER also if the guest was not
 * entered because something is to be looked at first.
 */
enum shvm_next shvm_vmx_run(struct shvm_vcpu *vcpu)
{
	enter_and_leave(vcpu);
	return shvm_vmx_exit_handle(vcpu);
}
