// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock and the timer behind the stand-in headers. One timer is enough: there is one chip at a
 * time.
 */
#include <assert.h>

#include <linux/hrtimer.h>
#include <linux/spinlock.h>

u64 shim_now_ns;
int shim_locks_held;
unsigned long shim_alarms;

static struct hrtimer *the_timer;

void hrtimer_init(struct hrtimer *timer, int clock, enum hrtimer_mode mode)
{
	assert(clock == CLOCK_MONOTONIC && mode == HRTIMER_MODE_ABS && !the_timer);
	*timer = (struct hrtimer){ 0 };
	the_timer = timer;
}

void hrtimer_start(struct hrtimer *timer, ktime_t expires, enum hrtimer_mode mode)
{
	assert(timer == the_timer && mode == HRTIMER_MODE_ABS && shim_locks_held == 1);
	timer->expires = expires;
	timer->armed = true;
}

int hrtimer_try_to_cancel(struct hrtimer *timer)
{
	bool was_armed = timer->armed;

	assert(timer == the_timer);
	timer->armed = false;
	return was_armed;
}

/*
 * As if the callback were just starting on another CPU: it must not bring the timer back. With the
 * lock held, waiting for it would never end.
 */
int hrtimer_cancel(struct hrtimer *timer)
{
	assert(!shim_locks_held);
	hrtimer_try_to_cancel(timer);
	timer->function(timer);
	assert(!timer->armed);
	the_timer = NULL;
	return 0;
}

void shim_advance(u64 to_ns)
{
	while (the_timer && the_timer->armed && (u64)the_timer->expires <= to_ns) {
		if ((u64)the_timer->expires > shim_now_ns)
			shim_now_ns = the_timer->expires;
		the_timer->armed = false;
		shim_alarms++;
		assert(the_timer->function(the_timer) == HRTIMER_NORESTART);
	}
	if (to_ns > shim_now_ns)
		shim_now_ns = to_ns;
}
