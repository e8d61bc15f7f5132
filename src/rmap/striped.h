/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters that many CPUs change and few read. Each CPU adds in a cache line of its own (with more
 * than SHVM_STRIPES CPUs some share one), so that vCPUs do not wait for each other's lines.
 */
#ifndef SHVM_STRIPED_H
#define SHVM_STRIPED_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/smp.h>

/* The entry loop reads all of them, by a sum that the compiler unrolls. */
#ifndef SHVM_STRIPES
#define SHVM_STRIPES	4
#endif

struct shvm_striped {
	struct {
		atomic64_t n;
	} ____cacheline_aligned_in_smp stripe[SHVM_STRIPES];
};

/* The stripe of any CPU is right: preemption may be on. */
static inline void shvm_striped_add(struct shvm_striped *c, s64 n)
{
	atomic64_add(n, &c->stripe[(u32)raw_smp_processor_id() % SHVM_STRIPES].n);
}

/*
 * At least what was added before the call began, if everything ever added is positive, and at most
 * what was added before it ended.
 */
static inline s64 shvm_striped_sum(const struct shvm_striped *c)
{
	s64 sum = 0;
	int i;

#pragma GCC unroll 4
	for (i = 0; i < SHVM_STRIPES; i++)
		sum += atomic64_read_acquire(&c->stripe[i].n);
	return sum;
}

#endif
