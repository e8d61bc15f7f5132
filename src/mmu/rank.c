// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lock ranks, checked at run time in the debug build. Every ranked lock disables preemption, so
 * the ranks held are a property of the CPU. Interrupt handlers take none of them.
 */
#include <linux/percpu.h>

#include "../rank.h"

#ifdef SHVM_DEBUG

static DEFINE_PER_CPU(u8 [SHVM_RANK_RMAP + 1], ranks_held);

static enum shvm_rank rank_highest(void)
{
	int rank;

	for (rank = SHVM_RANK_RMAP; rank > SHVM_RANK_NONE; rank--)
		if (this_cpu_read(ranks_held[rank]))
			return rank;
	return SHVM_RANK_NONE;
}

/* Equal ranks nest for shadow pages (parent, child) only. */
void shvm_rank_enter(enum shvm_rank rank)
{
	enum shvm_rank highest = rank_highest();

	WARN_ONCE(highest > rank || (highest == rank && rank != SHVM_RANK_SP),
		  "shvm: lock of rank %d taken while one of rank %d is held\n", rank, highest);
	this_cpu_inc(ranks_held[rank]);
}

void shvm_rank_leave(enum shvm_rank rank)
{
	this_cpu_dec(ranks_held[rank]);
}

void shvm_rank_assert_below(enum shvm_rank rank)
{
	enum shvm_rank highest;

	preempt_disable();
	highest = rank_highest();
	preempt_enable();
	WARN_ONCE(highest >= rank, "shvm: waiting while a lock of rank %d is held\n", highest);
}

#endif
