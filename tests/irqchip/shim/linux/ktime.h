/* SPDX-License-Identifier: GPL-2.0-only */
/* User-space stand-in: a clock that the test sets. */
#ifndef SHIM_LINUX_KTIME_H
#define SHIM_LINUX_KTIME_H

#include <linux/types.h>

#define NSEC_PER_SEC 1000000000L

typedef s64 ktime_t;

extern u64 shim_now_ns;

static inline u64 ktime_get_ns(void)
{
	return shim_now_ns;
}

static inline ktime_t ns_to_ktime(u64 ns)
{
	return ns;
}

#endif /* SHIM_LINUX_KTIME_H */
