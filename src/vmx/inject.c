// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events between vcpu->events and the hardware: SDM 27.6 (injection), 28.2.4 (events whose
 * delivery an exit broke) and 31.7.1 (what to do about them). With shadow paging such exits are
 * common: the guest's stack, IDT, GDT or TSS may have no shadow yet.
 *
 * One event fits into an entry. Order: exceptions; NMIs and interrupts that were under way before;
 * new NMIs; new interrupts. For what has to wait, a window exit is asked for. Runs with interrupts
 * off after the last check for requests: what is taken from the interrupt controller is delivered.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../irqchip/irqchip.h"
#include "vmx_internal.h"

static void event_write(struct shvm_vcpu *vcpu, enum shvm_intr_type type, u8 vector, u32 flags)
{
	u32 info = SHVM_INTR_VALID | type << SHVM_INTR_TYPE_SHIFT | vector | flags;

	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, info);
	vcpu->vmx.injected = info;
	vcpu->stats.injections++;
}

static enum shvm_intr_type exception_type(const struct shvm_exception *ex)
{
	if (!ex->soft)
		return SHVM_INTR_HW_EXCEPTION;
	return ex->vector == X86_TRAP_DB ? SHVM_INTR_PRIV_EXCEPTION : SHVM_INTR_SOFT_EXCEPTION;
}

/* Bits 31:16 of the error code must be 0 (SDM 27.2.1.3). */
static void exception_write(struct shvm_vcpu *vcpu)
{
	struct shvm_exception *ex = &vcpu->events.exception;

	if (ex->has_error)
		vmcs_write32(VM_ENTRY_EXCEPTION_ERROR_CODE, (u16)ex->error_code);
	if (ex->soft)
		vmcs_write32(VM_ENTRY_INSTRUCTION_LEN, ex->insn_len);
	event_write(vcpu, exception_type(ex), ex->vector, ex->has_error ? SHVM_INTR_HAS_ERROR : 0);
	ex->pending = false;
	ex->injected = true;
}

/*
 * The exception came up while something else was being delivered: INT n will be executed again, an
 * NMI and an acknowledged interrupt must not be lost and follow when they can.
 */
static void exception_overtakes(struct shvm_events *ev)
{
	if (ev->irq_soft)
		ev->irq_injected = false;
	if (ev->nmi_injected) {
		ev->nmi_injected = false;
		ev->nmi_pending = max_t(u8, ev->nmi_pending, 1);
	}
}

/*
 * STI blocking ends with the NMI; some CPUs refuse the entry otherwise (SDM 27.3.1.5). An NMI that
 * was under way is never blocked by MOV SS, but user space may say so.
 */
static void nmi_write(struct shvm_vcpu *vcpu, u32 blocked)
{
	const u32 ends = SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS;

	if (blocked & ends)
		shvm_vmx_set_interruptibility(vcpu, blocked & ~ends);
	event_write(vcpu, SHVM_INTR_NMI, X86_TRAP_NMI, 0);
	vcpu->events.nmi_injected = true;
}

static void irq_write(struct shvm_vcpu *vcpu)
{
	struct shvm_events *ev = &vcpu->events;

	if (ev->irq_soft)
		vmcs_write32(VM_ENTRY_INSTRUCTION_LEN, ev->insn_len);
	event_write(vcpu, ev->irq_soft ? SHVM_INTR_SOFT_INT : SHVM_INTR_EXTERNAL,
		    ev->irq_vector, 0);
}

static struct shvm_irqchip *irq_source(struct shvm_vcpu *vcpu)
{
	struct shvm_irqchip *chip;

	if (vcpu->id != 0)
		return NULL;
	chip = smp_load_acquire(&vcpu->vm->irqchip);	/* pairs with its creation */
	return chip && shvm_irqchip_has_irq(chip) ? chip : NULL;
}

static bool irq_waits(struct shvm_vcpu *vcpu)
{
	return vcpu->events.irq_injected || vcpu->events.irq_queued || irq_source(vcpu);
}

/* Move the next new interrupt, if there is one, to where those under delivery are. */
static bool irq_take(struct shvm_vcpu *vcpu)
{
	struct shvm_events *ev = &vcpu->events;
	struct shvm_irqchip *chip;

	if (ev->irq_queued) {
		ev->irq_queued = false;
		ev->irq_vector = ev->irq_queued_vector;
	} else {
		chip = irq_source(vcpu);
		if (!chip)
			return false;
		ev->irq_vector = shvm_irqchip_ack(chip);
	}
	ev->irq_injected = true;
	ev->irq_soft = false;
	return true;
}

static bool irq_is_open(struct shvm_vcpu *vcpu, u32 blocked)
{
	return !(blocked & (SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS)) &&
	       (shvm_vmx_rflags(vcpu) & X86_EFLAGS_IF);
}

/*
 * What the last instruction has trapped comes before what is new (SDM 6.9), and an entry that
 * injects would drop it (SDM 27.7.3): the entry delivers that, and a window is asked for.
 */
static bool trap_comes_first(void)
{
	return vmcs_read_natural(GUEST_PENDING_DBG_EXCEPTIONS) &
	       (SHVM_PENDING_DBG_BS | SHVM_PENDING_DBG_ENABLED);
}

static void event_choose(struct shvm_vcpu *vcpu, u32 blocked)
{
	struct shvm_events *ev = &vcpu->events;

	if (ev->exception.pending || ev->exception.injected) {
		exception_overtakes(ev);
		exception_write(vcpu);
		return;
	}
	if (ev->nmi_injected) {
		nmi_write(vcpu, blocked);
		return;
	}
	if (ev->irq_injected && ev->irq_soft) {
		irq_write(vcpu);
		return;
	}
	if (ev->nmi_pending && !(blocked & (SHVM_BLOCK_NMI | SHVM_BLOCK_MOV_SS))) {
		if (trap_comes_first())
			return;
		ev->nmi_pending--;
		nmi_write(vcpu, blocked);
		return;
	}
	if (!irq_is_open(vcpu, blocked) || !irq_waits(vcpu) || trap_comes_first())
		return;
	if (ev->irq_injected || irq_take(vcpu))
		irq_write(vcpu);
}

static bool irq_is_under_way(const struct shvm_vcpu *vcpu)
{
	return vcpu->vmx.injected && (SHVM_INTR_TYPE(vcpu->vmx.injected) == SHVM_INTR_EXTERNAL ||
				      SHVM_INTR_TYPE(vcpu->vmx.injected) == SHVM_INTR_SOFT_INT);
}

static void windows_set(struct shvm_vcpu *vcpu)
{
	const struct shvm_events *ev = &vcpu->events;
	bool irq;

	if (irq_is_under_way(vcpu))
		irq = ev->irq_queued || irq_source(vcpu);
	else
		irq = irq_waits(vcpu);
	/* With a chip of ours user space has no say, and the window would never be used up. */
	irq |= vcpu->want_irq_window && !smp_load_acquire(&vcpu->vm->irqchip);
	shvm_vmx_cpu_ctl_set(vcpu, CPU_BASED_INTR_WINDOW_EXITING, irq);
	shvm_vmx_cpu_ctl_set(vcpu, CPU_BASED_NMI_WINDOW_EXITING, ev->nmi_pending);
}

/*
 * While STI or MOV SS blocks events, a pending single step and RFLAGS.TF must agree or the entry
 * fails (SDM 27.3.1.5; guest DEBUGCTL is 0). Whoever changed one of the three, it is put right
 * here.
 */
static void single_step_agree(struct shvm_vcpu *vcpu, u32 blocked)
{
	u64 pending, wanted;

	if (likely(!(blocked & (SHVM_BLOCK_STI | SHVM_BLOCK_MOV_SS))))
		return;
	pending = vmcs_read_natural(GUEST_PENDING_DBG_EXCEPTIONS);
	wanted = pending & ~(u64)SHVM_PENDING_DBG_BS;
	if (shvm_vmx_rflags(vcpu) & X86_EFLAGS_TF)
		wanted |= SHVM_PENDING_DBG_BS;
	if (wanted != pending)
		vmcs_write_natural(GUEST_PENDING_DBG_EXCEPTIONS, wanted);
}

/* STI blocks only with RFLAGS.IF = 1, else the entry fails; user space may set one alone. */
static u32 blocking_agree(struct shvm_vcpu *vcpu)
{
	u32 blocked = shvm_vmx_interruptibility(vcpu);

	if (unlikely(blocked & SHVM_BLOCK_STI) && !(shvm_vmx_rflags(vcpu) & X86_EFLAGS_IF)) {
		blocked &= ~SHVM_BLOCK_STI;
		shvm_vmx_set_interruptibility(vcpu, blocked);
	}
	return blocked;
}

void shvm_vmx_inject(struct shvm_vcpu *vcpu)
{
	u32 blocked = blocking_agree(vcpu);

	/* A failed entry has left its event here; user space may have changed events since. */
	if (unlikely(vcpu->vmx.injected)) {
		vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
		vcpu->vmx.injected = 0;
	}
	event_choose(vcpu, blocked);
	windows_set(vcpu);
	single_step_agree(vcpu, blocked);
}

/* The entry was accepted: what was injected is delivered, unless the exit says otherwise. */
void shvm_vmx_injected_forget(struct shvm_vcpu *vcpu)
{
	struct shvm_events *ev = &vcpu->events;

	switch (SHVM_INTR_TYPE(vcpu->vmx.injected)) {
	case SHVM_INTR_EXTERNAL:
	case SHVM_INTR_SOFT_INT:
		ev->irq_injected = false;
		break;
	case SHVM_INTR_NMI:
		ev->nmi_injected = false;
		break;
	default:
		ev->exception.injected = false;
		break;
	}
	vcpu->vmx.injected = 0;
}

static void exception_requeue(struct shvm_vcpu *vcpu, u32 info, bool soft)
{
	bool has_error = info & SHVM_INTR_HAS_ERROR;

	vcpu->events.exception = (struct shvm_exception) {
		.injected = true,
		.vector = SHVM_INTR_VECTOR(info),
		.soft = soft,
		.insn_len = vcpu->vmx.exit.insn_len,
		.has_error = has_error,
		.error_code = has_error ? vmcs_read32(IDT_VECTORING_ERROR_CODE) : 0,
	};
}

static void event_requeue(struct shvm_vcpu *vcpu, u32 info)
{
	struct shvm_events *ev = &vcpu->events;

	vcpu->stats.reinjections++;
	switch (SHVM_INTR_TYPE(info)) {
	case SHVM_INTR_EXTERNAL:
	case SHVM_INTR_SOFT_INT:
		ev->irq_injected = true;
		ev->irq_vector = SHVM_INTR_VECTOR(info);
		ev->irq_soft = SHVM_INTR_TYPE(info) == SHVM_INTR_SOFT_INT;
		ev->insn_len = vcpu->vmx.exit.insn_len;
		break;
	case SHVM_INTR_NMI:
		ev->nmi_injected = true;
		/* Its delivery has begun to block NMIs, among them itself. */
		shvm_vmx_set_interruptibility(vcpu, shvm_vmx_interruptibility(vcpu) &
					      ~SHVM_BLOCK_NMI);
		break;
	case SHVM_INTR_HW_EXCEPTION:
		exception_requeue(vcpu, info, false);
		break;
	default:
		exception_requeue(vcpu, info, true);
		break;
	}
}

/* IRET ended NMI blocking and then faulted: it has not been executed (SDM 28.2.3). */
static bool iret_faulted(const struct shvm_vmx_exit *exit)
{
	return (u16)exit->reason == EXIT_REASON_EXCEPTION_NMI &&
	       (exit->intr_info & SHVM_INTR_VALID) && (exit->intr_info & SHVM_INTR_NMI_UNBLOCK) &&
	       SHVM_INTR_VECTOR(exit->intr_info) != X86_TRAP_DF;
}

void shvm_vmx_inject_done(struct shvm_vcpu *vcpu)
{
	const struct shvm_vmx_exit *exit = &vcpu->vmx.exit;

	if (vcpu->vmx.injected)
		shvm_vmx_injected_forget(vcpu);
	if (unlikely(exit->idt_vectoring & SHVM_INTR_VALID))
		event_requeue(vcpu, exit->idt_vectoring);
	else if (unlikely(iret_faulted(exit)))
		shvm_vmx_set_interruptibility(vcpu, shvm_vmx_interruptibility(vcpu) |
					      SHVM_BLOCK_NMI);
}
