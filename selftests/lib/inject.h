/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that keeps a log of the events it gets, and the host's side of it. With a debug module
 * every exit can drop all shadow entries, so that the delivery of any event meets a stack, an IDT
 * and a TSS that are not mapped.
 */
#ifndef SHVM_SELFTESTS_INJECT_H
#define SHVM_SELFTESTS_INJECT_H

#include "shvm_test.h"

#define MAX_EVENTS	1024

static GUEST_DATA struct {
	u64 nr;
	struct event {
		u64 vector, error, rip, rsp;
	} event[MAX_EVENTS];
} event_log;

GUEST_INLINE void event_append(const struct guest_frame *frame, u64 error)
{
	u64 n = event_log.nr++ % MAX_EVENTS;

	event_log.event[n].vector = frame->vector;
	event_log.event[n].error = error;
	event_log.event[n].rip = frame->rip;
	event_log.event[n].rsp = frame->rsp;
}

/* Faults of a GUEST_TRY go on behind it, what is no fault returns to where it came. */
GUEST_CODE static void log_event(struct guest_frame *frame)
{
	event_append(frame, frame->error);
	if (frame->vector < 32 && (!frame->vector || frame->vector > 4) &&
	    frame->r10 == NO_EXCEPTION) {
		frame->rip = frame->r11;
		frame->rsp = frame->r9;
		frame->r10 = frame->vector;
		frame->r11 = frame->error;
		frame->r9 = guest_cpu()->ex.cr2;
	}
}

#define STEP_END	0x40000	/* AC in RFLAGS: the code is over */

/* For #DB: with DR6, until the code sets AC. */
GUEST_CODE static void log_step(struct guest_frame *frame)
{
	u64 dr6, zero = 0;

	asm volatile("mov %%dr6, %0; mov %1, %%dr6" : "=r"(dr6) : "r"(zero));
	event_append(frame, dr6);
	if (frame->rflags & STEP_END)
		frame->rflags &= ~(RFLAGS_TF | STEP_END);
}

/* Reports one event and ends. */
GUEST_CODE static void last_event(struct guest_frame *frame)
{
	guest_ucall(UCALL_SYNC, frame->vector, frame->error, guest_cpu()->ex.cr2);
	GUEST_DONE();
}

static inline void handle(struct test_vm *vm, int vector, guest_handler_fn fn)
{
	(*vm_sym(vm, guest_handlers))[vector] = fn;
}

/* Without the debug module the "zapped" variants are the plain ones once more. */
static inline bool can_zap(void)
{
	return test_is_shvm() && test_dev_cap(SHVM_CAP_DEBUG) > 0;
}

static inline void zap_on_exit(struct test_vm *vm, bool on)
{
	struct shvm_debug_ctl ctl = { .op = SHVM_DEBUG_ZAP_ON_EXIT, .arg = { on } };

	if (can_zap() && __vm_ioctl(vm, SHVM_DEBUG_CTL, &ctl))
		test_die("cannot switch SHVM_DEBUG_ZAP_ON_EXIT");
}

#endif
