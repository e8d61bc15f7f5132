/* SPDX-License-Identifier: GPL-2.0-only */
/* User-space stand-in: a single timer on the fake clock, run by shim_advance(). */
#ifndef SHIM_LINUX_HRTIMER_H
#define SHIM_LINUX_HRTIMER_H

#include <linux/ktime.h>
#include <linux/types.h>
#include <time.h>

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode { HRTIMER_MODE_ABS };

struct hrtimer {
	enum hrtimer_restart (*function)(struct hrtimer *timer);
	ktime_t expires;
	bool armed;
};

void hrtimer_init(struct hrtimer *timer, int clock, enum hrtimer_mode mode);
void hrtimer_start(struct hrtimer *timer, ktime_t expires, enum hrtimer_mode mode);
int hrtimer_try_to_cancel(struct hrtimer *timer);
int hrtimer_cancel(struct hrtimer *timer);

/* For tests: let time pass, running the timer whenever it is due; how often it ran so far. */
void shim_advance(u64 to_ns);
extern unsigned long shim_alarms;

#endif /* SHIM_LINUX_HRTIMER_H */
