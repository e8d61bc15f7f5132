/* SPDX-License-Identifier: GPL-2.0-only */
/* Time stands still but for tests that move it, by tenths of a second. */
#ifndef SHIM_JIFFIES_H
#define SHIM_JIFFIES_H

#define HZ	320UL

extern unsigned int use_clock;

#define jiffies	((unsigned long)__atomic_load_n(&use_clock, __ATOMIC_RELAXED) * HZ / 10)

#endif
