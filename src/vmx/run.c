// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running the guest: what comes before the entry loop (loop.c) and after it. The exit that ended it
 * is handed to its handler with interrupts on. vcpu->mode and vcpu->requests: the protocol is drawn
 * in vcpu.c.
 */
#include <linux/sched.h>
#include <asm/trapnr.h>

#include "../compat/guest.h"
#include "../compat/host_event.h"
#include "../x86/x86.h"
#include "vmx_internal.h"

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

/* The entry loop: loop.c, called by entry.S. */
static noinstr void guest_run(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_vcpu *vmx = &vcpu->vmx;
	int failed;

	BUILD_BUG_ON(offsetof(struct shvm_vcpu, gpr));	/* entry.S */
	failed = shvm_vmx_enter_asm(vcpu, vmx->launched, &vmx->host_rsp);
	if (failed == SHVM_VMX_ENTRY_FAILED)
		shvm_guest_state_exit();
	if (unlikely(failed))
		vmx->failed = true;
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
		guest_run(vcpu);
	else
		vcpu->vmx.exit.reason = SHVM_VMX_EXIT_REFUSED;
	if (unlikely(vcpu->vmx.failed))
		vcpu->vmx.insn_error = vmcs_read32(VM_INSTRUCTION_ERROR);
	shvm_vmx_host_leave(vcpu);
	shvm_host_guest_ran();
	return true;
}

/*
 * Interrupts are on before and after. Those that ended the guest are taken where they are switched
 * on, still inside the guest's time slice, so that the tick is accounted to the guest.
 */
void shvm_vmx_enter(struct shvm_vcpu *vcpu)
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
	shvm_vmx_enter(vcpu);
	return shvm_vmx_exit_handle(vcpu);
}
