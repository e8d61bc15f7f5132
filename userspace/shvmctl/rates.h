/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From two readings of the counters to what was added per second.
 */
#ifndef SHVMCTL_RATES_H
#define SHVMCTL_RATES_H

#include "shvmctl.h"

/* Numbers of struct ctl_stats that are levels are taken from the later one. */
struct rates {
	double value[SHVM_A_STATS_MAX + 1];
	bool there[SHVM_A_STATS_MAX + 1];
	double exit[CTL_EXIT_REASONS];
	double fault[CTL_FAULT_RESULTS];
	double exits;
	double faults;
};

void rates_of(struct rates *rates, const struct ctl_stats *before, const struct ctl_stats *after,
	      double seconds);

#endif
