// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that wait for injection: exceptions that a handler raises, interrupts and NMIs that come
 * from outside, and what an exit broke off. Owns vcpu->events together with the VT-x back end,
 * which moves events to the hardware and, after an exit, back. Caller holds vcpu->mutex and has the
 * VMCS loaded.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "x86.h"
#include "../irqchip/irqchip.h"
#include "../vm.h"
#include "../vmx/vmx.h"

#define NR_EXCEPTIONS		32

/* Interruptibility state, SDM 24.4.2. */
#define BLOCKED_BY_STI		BIT(0)
#define BLOCKED_BY_MOV_SS	BIT(1)
#define BLOCKED_BY_NMI		BIT(3)

/* Vectors that push an error code in protected mode, and those that are faults (SDM table 6-1). */
#define WITH_ERROR_CODE	(BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | \
			 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) | BIT(X86_TRAP_AC))
#define FAULTS		(BIT(X86_TRAP_DE) | BIT(X86_TRAP_BR) | BIT(X86_TRAP_UD) | \
			 BIT(X86_TRAP_NM) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | \
			 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) | \
			 BIT(X86_TRAP_MF) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_XF))
#define CONTRIBUTORY	(BIT(X86_TRAP_DE) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | \
			 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP))

static bool vector_in(u8 vector, u32 set)
{
	return vector < NR_EXCEPTIONS && (set & BIT(vector));
}

enum merge_result {
	MERGE_SECOND,		/* handle the second, the first comes again by itself */
	MERGE_DOUBLE_FAULT,
	MERGE_SHUTDOWN,
};

/* A second exception while the first is delivered: SDM table 6-5. */
static enum merge_result exception_merge(u8 first, u8 second)
{
	bool contributory = vector_in(second, CONTRIBUTORY);

	if (first == X86_TRAP_DF)
		return contributory || second == X86_TRAP_PF ? MERGE_SHUTDOWN : MERGE_SECOND;
	if (vector_in(first, CONTRIBUTORY))
		return contributory ? MERGE_DOUBLE_FAULT : MERGE_SECOND;
	if (first == X86_TRAP_PF)
		return contributory || second == X86_TRAP_PF ? MERGE_DOUBLE_FAULT : MERGE_SECOND;
	return MERGE_SECOND;
}

static void exception_raise(struct shvm_vcpu *vcpu, u8 vector, bool has_error, u32 error_code)
{
	struct shvm_exception *ex = &vcpu->events.exception;
	enum merge_result merged = MERGE_SECOND;

	if (ex->pending || ex->injected)
		merged = exception_merge(ex->vector, vector);
	if (merged == MERGE_SHUTDOWN) {
		vcpu->events.triple_fault = true;
		return;
	}
	if (merged == MERGE_DOUBLE_FAULT) {
		vector = X86_TRAP_DF;
		has_error = true;
		error_code = 0;
	}
	/* The image that a fault pushes has RF set, so that its IRET passes a breakpoint there. */
	if (vector_in(vector, FAULTS))
		shvm_vmx_set_rflags(vcpu, shvm_vmx_rflags(vcpu) | X86_EFLAGS_RF);

	*ex = (struct shvm_exception){
		.pending = true,
		.vector = vector,
		.has_error = has_error && (vcpu->cr0 & X86_CR0_PE),
		.error_code = error_code,
	};
}

/**
 * shvm_event_exception - raise an exception without error code
 * @vcpu: the vCPU; RIP is that which the handler must see
 * @vector: 0-31
 */
void shvm_event_exception(struct shvm_vcpu *vcpu, u8 vector)
{
	exception_raise(vcpu, vector, false, 0);
}

/**
 * shvm_event_exception_error - raise an exception with error code
 * @vcpu: the vCPU; RIP is that of the instruction at fault
 * @vector: one that has an error code, other than #PF
 * @error_code: 0, or selector and EXT
 */
void shvm_event_exception_error(struct shvm_vcpu *vcpu, u8 vector, u32 error_code)
{
	exception_raise(vcpu, vector, true, error_code);
}

/**
 * shvm_event_page_fault - raise #PF
 * @vcpu: the vCPU
 * @addr: goes to CR2, also if the fault ends as #DF
 * @error_code: as the guest must see it
 */
void shvm_event_page_fault(struct shvm_vcpu *vcpu, gva_t addr, u32 error_code)
{
	vcpu->cr2 = addr.v;
	exception_raise(vcpu, X86_TRAP_PF, true, error_code);
}

static bool interrupt_waits(struct shvm_vcpu *vcpu)
{
	/* Pairs with the release when the chip is created. */
	struct shvm_irqchip *chip = smp_load_acquire(&vcpu->vm->irqchip);

	if (vcpu->events.irq_queued || vcpu->events.irq_injected)
		return true;
	return chip && vcpu->id == 0 && shvm_irqchip_has_irq(chip);
}

/**
 * shvm_event_is_due - is there a reason to end HLT?
 * @vcpu: the vCPU
 * Return: true if an event would be delivered now, or is halfway through.
 */
bool shvm_event_is_due(struct shvm_vcpu *vcpu)
{
	const struct shvm_events *ev = &vcpu->events;

	if (ev->exception.pending || ev->exception.injected || ev->nmi_injected ||
	    (ev->irq_injected && ev->irq_soft) || ev->triple_fault)
		return true;
	if (ev->nmi_pending && !(shvm_vmx_interruptibility(vcpu) & BLOCKED_BY_NMI))
		return true;
	return interrupt_waits(vcpu) && (shvm_vmx_rflags(vcpu) & X86_EFLAGS_IF);
}

/**
 * shvm_event_nmi - an NMI arrives
 * @vcpu: the vCPU
 *
 * The CPU remembers one NMI while it handles another; two may wait only if none is handled.
 */
void shvm_event_nmi(struct shvm_vcpu *vcpu)
{
	struct shvm_events *ev = &vcpu->events;
	bool busy = ev->nmi_injected || (shvm_vmx_interruptibility(vcpu) & BLOCKED_BY_NMI);

	if (ev->nmi_pending < (busy ? 1 : 2))
		ev->nmi_pending++;
}

/**
 * shvm_event_interrupt - user space queues an external interrupt
 * @vcpu: the vCPU
 * @vector: 0-255
 * Return: 0, or -EEXIST if one waits already.
 */
int shvm_event_interrupt(struct shvm_vcpu *vcpu, u8 vector)
{
	if (vcpu->events.irq_queued)
		return -EEXIST;
	vcpu->events.irq_queued = true;
	vcpu->events.irq_queued_vector = vector;
	return 0;
}

static u8 shadow_to_user(u32 interruptibility)
{
	u8 shadow = 0;

	if (interruptibility & BLOCKED_BY_STI)
		shadow |= SHVM_X86_SHADOW_INT_STI;
	if (interruptibility & BLOCKED_BY_MOV_SS)
		shadow |= SHVM_X86_SHADOW_INT_MOV_SS;
	return shadow;
}

/**
 * shvm_event_get - SHVM_GET_VCPU_EVENTS
 * @vcpu: the vCPU
 * @out: filled completely
 * Return: 0.
 *
 * Software interrupts and exceptions (INT n, INT3, INTO) whose delivery an exit broke are not
 * reported: RIP is still at the instruction, so that it will be executed again.
 */
int shvm_event_get(struct shvm_vcpu *vcpu, struct shvm_vcpu_events *out)
{
	const struct shvm_events *ev = &vcpu->events;
	const struct shvm_exception *ex = &ev->exception;
	u32 blocked = shvm_vmx_interruptibility(vcpu);

	memset(out, 0, sizeof(*out));
	out->flags = SHVM_VCPUEVENT_VALID_NMI_PENDING | SHVM_VCPUEVENT_VALID_SHADOW |
		     SHVM_VCPUEVENT_VALID_SMM;
	if ((ex->pending || ex->injected) && !ex->soft) {
		out->exception.injected = 1;
		out->exception.nr = ex->vector;
		out->exception.has_error_code = ex->has_error;
		out->exception.error_code = ex->has_error ? ex->error_code : 0;
	}
	if (ev->irq_injected && !ev->irq_soft) {
		out->interrupt.injected = 1;
		out->interrupt.nr = ev->irq_vector;
	} else if (ev->irq_queued) {
		out->interrupt.injected = 1;
		out->interrupt.nr = ev->irq_queued_vector;
	}
	out->interrupt.shadow = shadow_to_user(blocked);
	out->nmi.injected = ev->nmi_injected;
	out->nmi.pending = ev->nmi_pending;
	out->nmi.masked = !!(blocked & BLOCKED_BY_NMI);
	return 0;
}

static bool exception_is_legal(const struct shvm_vcpu_events *in)
{
	if (!in->exception.injected && !in->exception.pending)
		return true;
	if (in->exception.nr >= NR_EXCEPTIONS || in->exception.nr == X86_TRAP_NMI)
		return false;
	/* VM entry fails unless just those vectors have one, of 16 bits (SDM 26.2.1.3). */
	if (in->exception.has_error_code && in->exception.error_code >> 16)
		return false;
	return !in->exception.has_error_code || vector_in(in->exception.nr, WITH_ERROR_CODE);
}

static bool events_are_legal(const struct shvm_vcpu_events *in)
{
	const u32 flags = SHVM_VCPUEVENT_VALID_NMI_PENDING | SHVM_VCPUEVENT_VALID_SHADOW |
			  SHVM_VCPUEVENT_VALID_SMM;
	const u8 shadow = SHVM_X86_SHADOW_INT_MOV_SS | SHVM_X86_SHADOW_INT_STI;

	if ((in->flags & ~flags) || !exception_is_legal(in))
		return false;
	if (in->smi.smm || in->smi.pending || in->smi.smm_inside_nmi || in->smi.latched_init)
		return false;
	if (in->triple_fault.pending || in->exception_has_payload || in->exception_payload)
		return false;
	if (in->nmi.pad || memchr_inv(in->reserved, 0, sizeof(in->reserved)))
		return false;
	if ((in->flags & SHVM_VCPUEVENT_VALID_NMI_PENDING) && in->nmi.pending > 2)
		return false;
	/* STI and MOV SS block one instruction each: never both at once (SDM 26.3.1.5). */
	if (in->flags & SHVM_VCPUEVENT_VALID_SHADOW)
		return !(in->interrupt.shadow & ~shadow) && in->interrupt.shadow != shadow;
	return true;
}

static u32 shadow_from_user(u8 shadow)
{
	u32 blocked = 0;

	if (shadow & SHVM_X86_SHADOW_INT_STI)
		blocked |= BLOCKED_BY_STI;
	if (shadow & SHVM_X86_SHADOW_INT_MOV_SS)
		blocked |= BLOCKED_BY_MOV_SS;
	return blocked;
}

/**
 * shvm_event_set - SHVM_SET_VCPU_EVENTS
 * @vcpu: the vCPU
 * @in: kernel copy of what user space gave
 * Return: 0, or -EINVAL with nothing changed.
 */
int shvm_event_set(struct shvm_vcpu *vcpu, const struct shvm_vcpu_events *in)
{
	struct shvm_events *ev = &vcpu->events;
	u32 blocked = shvm_vmx_interruptibility(vcpu);

	if (!events_are_legal(in))
		return -EINVAL;

	/* One that RUN has not reported yet, as a signal came first, goes with its cause. */
	ev->triple_fault = false;
	/* Only protected mode can be entered: one that has an error code gets it, always. */
	ev->exception = (struct shvm_exception){
		.pending = in->exception.injected || in->exception.pending,
		.vector = in->exception.nr,
		.has_error = vector_in(in->exception.nr, WITH_ERROR_CODE),
		.error_code = in->exception.has_error_code ? in->exception.error_code : 0,
	};
	/* A queued one is shown here and by GET_SREGS: it must not become two. */
	if (!in->interrupt.injected || in->interrupt.nr == ev->irq_queued_vector)
		ev->irq_queued = false;
	ev->irq_injected = in->interrupt.injected;
	ev->irq_vector = in->interrupt.nr;
	ev->irq_soft = in->interrupt.injected && in->interrupt.soft;
	ev->insn_len = ev->irq_soft ? 2 : 0;	/* INT n without prefixes */
	ev->nmi_injected = in->nmi.injected;
	if (in->flags & SHVM_VCPUEVENT_VALID_NMI_PENDING)
		ev->nmi_pending = in->nmi.pending;

	if (in->flags & SHVM_VCPUEVENT_VALID_SHADOW) {
		blocked &= ~(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS);
		blocked |= shadow_from_user(in->interrupt.shadow);
	}
	/* An NMI that is still to be delivered is not blocked; its delivery blocks the next. */
	blocked &= ~BLOCKED_BY_NMI;
	if (in->nmi.masked && !in->nmi.injected)
		blocked |= BLOCKED_BY_NMI;
	shvm_vmx_set_interruptibility(vcpu, blocked);
	return 0;
}
