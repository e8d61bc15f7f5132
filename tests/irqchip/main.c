// SPDX-License-Identifier: GPL-2.0-only
/* Runs every test and reports in TAP. */
#include <stdio.h>

#include "machine.h"

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "bus: exactly the documented ports are ours", ports_are_exactly_ours },
	{ "bus: a wide access is byte accesses", wide_access_is_bytes },
	{ "pit: a tiny period does not storm the host", pit_alarm_rate_is_bounded },
	{ "pit: no drift over a thousand seconds", pit_does_not_drift },
	{ "pit: every mode equals a tick-by-tick model", pit_matches_model },
};

#define NR_TESTS ARRAY_SIZE(tests)

static unsigned int nr_run, nr_failed;

void tap_result(bool ok, const char *name)
{
	nr_failed += !ok;
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr_run, name);
	fflush(stdout);
}

int main(void)
{
	size_t i;

	printf("TAP version 13\n1..%zu\n", nr_pic_stories + nr_pit_stories + NR_TESTS);
	for (i = 0; i < nr_pic_stories; i++)
		tap_result(story_run(&pic_stories[i]), pic_stories[i].name);
	for (i = 0; i < nr_pit_stories; i++)
		tap_result(story_run(&pit_stories[i]), pit_stories[i].name);
	for (i = 0; i < NR_TESTS; i++)
		tap_result(tests[i].run(), tests[i].name);
	printf("# %u run, %u failed\n", nr_run, nr_failed);
	return nr_failed ? 1 : 0;
}
