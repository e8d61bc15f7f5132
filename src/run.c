// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_RUN: between two entries of the guest it looks at everything that may keep it out, in the
 * order of run_once(). Runs with vcpu->mutex held and the VMCS loaded, inside the pause gate; may
 * sleep. The run page can be written by user space at any time: inputs are read once, here.
 */
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <asm/processor-flags.h>

#include "debug.h"
#include "mmu/mmu.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx/vmx.h"
#include "x86/x86.h"

#define BLOCKED_BY_STI_OR_MOV_SS	3u	/* SDM 3C table 25-3 */

static enum shvm_next run_error(struct shvm_vcpu *vcpu, int err)
{
	vcpu->run_error = err;
	return SHVM_NEXT_ERROR;
}

static enum shvm_next run_exit(struct shvm_vcpu *vcpu, u32 reason)
{
	vcpu->run->exit_reason = reason;
	return SHVM_NEXT_USER;
}

static enum shvm_next run_interrupted(struct shvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = SHVM_EXIT_INTR;
	return run_error(vcpu, -EINTR);
}

/*
 * The kernel has work for this thread that is done on its way to user space (task work, the limit
 * of its memory cgroup). It comes back by itself, as after a signal that nobody handles: whoever
 * looks for signals finds none and restarts the system call. If one came meanwhile, it is EINTR.
 */
static enum shvm_next run_pass_user_space(struct shvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = SHVM_EXIT_INTR;
	set_thread_flag(TIF_SIGPENDING);
	return run_error(vcpu, -ERESTARTNOHAND);
}

static bool run_has_irqchip(struct shvm_vcpu *vcpu)
{
	return smp_load_acquire(&vcpu->vm->irqchip);	/* pairs with irqchip_create() */
}

static bool run_if_flag(struct shvm_vcpu *vcpu)
{
	return shvm_vmx_rflags(vcpu) & X86_EFLAGS_IF;
}

/* Would SHVM_INTERRUPT be delivered at the next entry? */
static bool run_takes_interrupt(struct shvm_vcpu *vcpu)
{
	const struct shvm_events *ev = &vcpu->events;

	if (run_has_irqchip(vcpu) || ev->irq_queued || ev->irq_injected || ev->nmi_injected ||
	    ev->exception.pending || ev->exception.injected)
		return false;
	return run_if_flag(vcpu) &&
	       !(shvm_vmx_interruptibility(vcpu) & BLOCKED_BY_STI_OR_MOV_SS);
}

/* ---- what may keep us out of the guest ---- */

static enum shvm_next run_requests(struct shvm_vcpu *vcpu)
{
	if (likely(!READ_ONCE(vcpu->requests)))
		return SHVM_NEXT_ENTER;
	/* The events are looked at before every entry. */
	shvm_vcpu_test_clear_request(vcpu, SHVM_REQ_EVENT);
	if (shvm_vcpu_test_clear_request(vcpu, SHVM_REQ_RELOAD_ROOT))
		shvm_mmu_root_obsolete(&vcpu->mmu);
	if (shvm_vcpu_test_clear_request(vcpu, SHVM_REQ_PAUSE) &&
	    shvm_pause_stand_aside(vcpu->vm))
		return run_interrupted(vcpu);
	return SHVM_NEXT_ENTER;
}

static bool run_must_wake(struct shvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || shvm_vcpu_must_return() || shvm_event_is_due(vcpu);
}

/*
 * In HLT. Without an interrupt chip of ours, or with interrupts off, it is for user space to say
 * when that ends.
 */
static enum shvm_next run_halted(struct shvm_vcpu *vcpu)
{
	if (shvm_event_is_due(vcpu)) {
		vcpu->mp_state = SHVM_MP_STATE_RUNNABLE;
		return SHVM_NEXT_ENTER;
	}
	if (!run_has_irqchip(vcpu) || !run_if_flag(vcpu)) {
		vcpu->mp_state = SHVM_MP_STATE_RUNNABLE;
		return run_exit(vcpu, SHVM_EXIT_HLT);
	}
	vcpu->stats.halts++;
	rcuwait_wait_event(&vcpu->wait, run_must_wake(vcpu), TASK_INTERRUPTIBLE);
	return SHVM_NEXT_ENTER;		/* the loop finds out why */
}

static enum shvm_next run_mode_error(struct shvm_vcpu *vcpu, u64 mode, u64 detail)
{
	struct shvm_run *run = vcpu->run;

	run->internal.suberror = SHVM_INTERNAL_ERROR_MODE;
	run->internal.ndata = 2;
	run->internal.data[0] = mode;
	run->internal.data[1] = detail;
	return run_exit(vcpu, SHVM_EXIT_INTERNAL_ERROR);
}

/* States that hardware without unrestricted guest cannot run. */
static enum shvm_next run_check_mode(struct shvm_vcpu *vcpu)
{
	if (likely(shvm_vmx_state_is_enterable(vcpu)))
		return SHVM_NEXT_ENTER;
	if (!(vcpu->cr0 & X86_CR0_PE))
		return run_mode_error(vcpu, SHVM_MODE_REAL, 0);
	if (shvm_vmx_rflags(vcpu) & X86_EFLAGS_VM)
		return run_mode_error(vcpu, SHVM_MODE_VM86, 0);
	return run_mode_error(vcpu, SHVM_MODE_STATE, shvm_vmx_state_rule(vcpu));
}

/* A guest whose last fault is undone again and again would not get on: those exits are left out. */
static void run_zap_on_exit(struct shvm_vcpu *vcpu, u64 exceptions)
{
	if (READ_ONCE(vcpu->vm->debug.zap_on_exit) && vcpu->stats.exit_reason[0] == exceptions)
		shvm_mmu_zap_all(&vcpu->vm->mmu);
}

static enum shvm_next run_guest(struct shvm_vcpu *vcpu)
{
	u64 exceptions = vcpu->stats.exit_reason[0];
	enum shvm_next next;

	shvm_pause_point(vcpu->vm, SHVM_PAUSE_ENTER);
	next = shvm_vmx_run(vcpu);
	if (SHVM_IS_DEBUG)
		run_zap_on_exit(vcpu, exceptions);
	return next;
}

static enum shvm_next run_enter(struct shvm_vcpu *vcpu)
{
	int err = shvm_mmu_prepare(&vcpu->mmu);

	if (likely(!err))
		return run_guest(vcpu);
	/* Someone is changing what the root rests on: look at signals and requests, come back. */
	if (err == -EAGAIN)
		return SHVM_NEXT_ENTER;
	/* CR3 leads nowhere: the guest cannot even take a fault. */
	if (err == -EFAULT)
		return run_exit(vcpu, SHVM_EXIT_SHUTDOWN);
	return run_error(vcpu, err);
}

static enum shvm_next run_once(struct shvm_vcpu *vcpu)
{
	enum shvm_next next;

	WRITE_ONCE(vcpu->ran_at, jiffies);
	if (READ_ONCE(vcpu->vm->broken))
		return run_error(vcpu, -EIO);
	if (signal_pending(current))
		return run_interrupted(vcpu);
	if (shvm_vcpu_must_return())
		return run_pass_user_space(vcpu);
	cond_resched();
	next = run_requests(vcpu);
	if (next != SHVM_NEXT_ENTER)
		return next;
	if (vcpu->events.triple_fault) {
		vcpu->events.triple_fault = false;
		return run_exit(vcpu, SHVM_EXIT_SHUTDOWN);
	}
	if (vcpu->mp_state == SHVM_MP_STATE_HALTED)
		return run_halted(vcpu);
	if (vcpu->want_irq_window && run_takes_interrupt(vcpu))
		return run_exit(vcpu, SHVM_EXIT_IRQ_WINDOW_OPEN);
	next = run_check_mode(vcpu);
	if (next != SHVM_NEXT_ENTER)
		return next;
	return run_enter(vcpu);
}

/* ---- SHVM_RUN ---- */

/* All vCPUs of a VM share its shadow tables, so they must have the same kind of MMU. */
static int run_fix_cpu_model(struct shvm_vcpu *vcpu)
{
	u32 old, model = shvm_cpuid_model(&vcpu->cpuid);

	if (vcpu->has_run)
		return 0;
	old = cmpxchg(&vcpu->vm->cpu_model, 0, model);
	if (old && old != model)
		return -EINVAL;
	vcpu->has_run = true;
	return 0;
}

/* Checks the inputs in the run page; *immediate: do not enter the guest. */
static int run_read_inputs(struct shvm_vcpu *vcpu, bool *immediate)
{
	const struct shvm_run *run = vcpu->run;
	u64 cr8 = READ_ONCE(run->cr8);
	int err;

	if (cr8 > 15 || READ_ONCE(run->shvm_valid_regs) || READ_ONCE(run->shvm_dirty_regs))
		return -EINVAL;
	err = run_fix_cpu_model(vcpu);
	if (err)
		return err;
	vcpu->cr8 = cr8;
	vcpu->want_irq_window = READ_ONCE(run->request_interrupt_window);
	*immediate = READ_ONCE(run->immediate_exit);
	return 0;
}

static void run_write_outputs(struct shvm_vcpu *vcpu)
{
	struct shvm_run *run = vcpu->run;

	run->ready_for_interrupt_injection = run_takes_interrupt(vcpu);
	run->if_flag = run_if_flag(vcpu);
	run->flags = 0;
	run->cr8 = vcpu->cr8;
	run->apic_base = vcpu->apic_base;
	vcpu->stats.exits_user++;
}

static enum shvm_next run_loop(struct shvm_vcpu *vcpu, bool immediate)
{
	enum shvm_next next = shvm_insn_complete(vcpu);

	if (next == SHVM_NEXT_ENTER && immediate)
		return run_interrupted(vcpu);
	while (next == SHVM_NEXT_ENTER)
		next = run_once(vcpu);
	return next;
}

int shvm_run_ioctl(struct shvm_vcpu *vcpu)
{
	enum shvm_next next;
	bool immediate;
	int err;

	err = run_read_inputs(vcpu, &immediate);
	if (err)
		return err;
	vcpu->run->exit_reason = SHVM_EXIT_UNKNOWN;
	shvm_fpu_load(vcpu);
	next = run_loop(vcpu, immediate);
	shvm_fpu_unload(vcpu);
	run_write_outputs(vcpu);
	return next == SHVM_NEXT_ERROR ? vcpu->run_error : 0;
}
