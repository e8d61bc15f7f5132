/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Telling the kernel that a CPU runs a guest: time accounting, RCU, lockdep. <linux/kvm_host.h> has
 * helpers for that, but its types collide with ours. All with interrupts off.
 */
#ifndef SHVM_COMPAT_GUEST_H
#define SHVM_COMPAT_GUEST_H

#include <linux/context_tracking.h>
#include <linux/ftrace.h>
#include <linux/instrumentation.h>
#include <linux/irqflags.h>
#include <linux/rcupdate.h>
#include <linux/version.h>
#include <linux/vtime.h>

static __always_inline void shvm_guest_timing_enter(void)
{
	vtime_account_guest_enter();
#if KERNEL_VERSION(6, 7, 0) > LINUX_VERSION_CODE
	rcu_virt_note_context_switch(smp_processor_id());
#else
	rcu_virt_note_context_switch();
#endif
}

static __always_inline void shvm_guest_timing_exit(void)
{
	vtime_account_guest_exit();
}

/* Does anybody want to know? Then the two below do something. */
static __always_inline bool shvm_guest_state_is_told(void)
{
	return IS_ENABLED(CONFIG_TRACE_IRQFLAGS) || context_tracking_enabled();
}

/* From noinstr code: until the exit, RCU may not be watching and nothing may be traced. */
static __always_inline void shvm_guest_state_enter(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	context_tracking_guest_enter();
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void shvm_guest_state_exit(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

#endif
