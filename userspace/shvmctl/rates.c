// SPDX-License-Identifier: GPL-2.0-only
/*
 * See rates.h.
 */
#include "rates.h"

static double rate(u64 before, u64 after, double seconds)
{
	return after > before && seconds > 0 ? (after - before) / seconds : 0;
}

void rates_of(struct rates *rates, const struct ctl_stats *before, const struct ctl_stats *after,
	      double seconds)
{
	size_t i;

	*rates = (struct rates){ 0 };
	for (i = 0; i < nr_stats_fields; i++) {
		int attr = stats_fields[i].attr;

		rates->there[attr] = after->there[attr];
		rates->value[attr] = stats_fields[i].is_level ?
					     after->value[attr] :
					     rate(before->value[attr], after->value[attr], seconds);
	}
	for (i = 0; i < CTL_EXIT_REASONS; i++) {
		rates->exit[i] = rate(before->exit[i], after->exit[i], seconds);
		rates->exits += rates->exit[i];
	}
	for (i = 0; i < CTL_FAULT_RESULTS; i++) {
		rates->fault[i] = rate(before->fault[i], after->fault[i], seconds);
		rates->faults += rates->fault[i];
	}
}
