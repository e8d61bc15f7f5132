// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that knows what each word of its memory must be, while the host does to that memory all
 * it can do, in an order that a seed decides: nothing is lost, nothing comes back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kselftest_harness.h"
#include "squeeze.h"
#include "sysfile.h"

#define NR_VCPUS	2
#define PHASE_ACTIONS	40		/* at least */
#define LONG_PHASE	1000000ul	/* writes */
#define VMSTAT		"/proc/vmstat"

static u64 seed = 1, writes = 1000000;

static struct squeeze squeeze;
static struct keyed keyed;

/* ---- phases ---- */

static const char *const shown[] = {
	"pswpin ", "pswpout ", "ksm_swpin_copy ", "thp_collapse_alloc ", "thp_split_pmd ",
	"thp_split_page ", "compact_success ", "pgmigrate_success ",
};

static long vmstat[ARRAY_LEN(shown)];

static void vmstat_sample(void)
{
	int i;

	for (i = 0; i < ARRAY_LEN(shown); i++)
		vmstat[i] = sysfile_number(VMSTAT, shown[i]);
}

static u64 milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void report(int phase, u64 actions, u64 began)
{
	struct shvm_stats stats = vm_stats(keyed.vm);
	int i;

	fprintf(stderr, "# seed %lu, phase %d, %lu ms: %lu actions; since the start %lu writes,",
		(long)seed, phase, (long)(milliseconds() - began), (long)actions,
		(long)keyed_writes(&keyed));
	fprintf(stderr, " %lu mappings changed, %lu EFAULT, %lu exits, %lu faults filled;",
		(long)keyed_remaps(&keyed), (long)keyed.mended, (long)stats.exits,
		(long)stats.pf_fixed);
	fprintf(stderr, " ksm %ld", sysfile_number("/sys/kernel/mm/ksm/pages_sharing", ""));
	for (i = 0; i < ARRAY_LEN(shown); i++)
		fprintf(stderr, " %s%ld", shown[i], sysfile_number(VMSTAT, shown[i]) - vmstat[i]);
	fputc('\n', stderr);
}

static void complain(int phase, enum squeeze_action last)
{
	fprintf(stderr, "# seed %lu, phase %d, last action: %s; again: --seed %lu --writes %lu\n",
		(long)seed, phase, squeeze_names[last], (long)seed, (long)writes);
}

/* Until the guest has written so much, or a vCPU has ended. */
static void wait_for_writes(u64 until)
{
	while (keyed_writes(&keyed) < until && !keyed.stopped)
		usleep(500);
}

/* Some phases leave the guest more time between two actions than others. */
static bool phase_run(int phase, u64 share)
{
	u64 actions = 0, start = keyed_writes(&keyed);
	u64 pause = share / PHASE_ACTIONS / (1 + phase % 3), began = milliseconds();
	enum squeeze_action last = 0;
	int wrong;

	keyed_start(&keyed);
	while ((keyed_writes(&keyed) < start + share || actions < PHASE_ACTIONS) &&
	       !keyed.stopped && !squeeze.bad) {
		last = squeeze_any(&squeeze);
		actions++;
		wait_for_writes(keyed_writes(&keyed) + pause);
	}
	squeeze_calm(&squeeze);
	wrong = !keyed_stop(&keyed);
	wrong += vm_audit(keyed.vm) != 0;
	wrong += keyed_verify(&keyed) + squeeze.bad;
	if (wrong)
		complain(phase, last);
	report(phase, actions, began);
	return !wrong;
}

FIXTURE(pressure)
{
	u64 phases;
};

FIXTURE_SETUP(pressure)
{
	self->phases = writes < 4 * LONG_PHASE ? 4 : writes / LONG_PHASE;
	squeeze_init(&squeeze, seed);
	keyed_create(&keyed, NR_VCPUS, seed);
	squeeze_set_guest(&squeeze, &keyed);
	vmstat_sample();
}

FIXTURE_TEARDOWN(pressure)
{
	keyed_free(&keyed);
	squeeze_exit(&squeeze);
}

TEST_F_TIMEOUT(pressure, contents_stay, 1200)
{
	bool right = true;
	int i;

	for (i = 0; right && i < self->phases; i++)
		right = phase_run(i, writes / self->phases);
	ASSERT_TRUE(right);
	for (i = 0; i < NR_SQUEEZE_ACTIONS; i++)
		fprintf(stderr, "# %s: %lu times\n", squeeze_names[i], (long)squeeze.count[i]);
	EXPECT_LE(writes, keyed_writes(&keyed));
	if (sysfile_have_swap())
		EXPECT_LT(self->phases * PHASE_ACTIONS,
			  sysfile_number(VMSTAT, "pswpin ") - vmstat[0]);
}

/* ---- options ---- */

static void usage(void)
{
	puts("  --seed N     of all random choices; default 1\n"
	     "  --writes N   words that the guest writes; default 1,000,000");
}

static u64 number(const char *option, const char *text)
{
	char *end;
	u64 n = strtoull(text ?: "", &end, 0);

	if (!text || !*text || *end)
		test_die("%s takes a number, not \"%s\"", option, text ?: "");
	return n;
}

/* Takes its own options out of the list; the others are those of all tests. */
static void own_options(int *argc, char **argv)
{
	int i, n = 1;

	for (i = 1; i < *argc; i++) {
		if (!strcmp(argv[i], "--seed"))
			seed = number(argv[i], argv[i + 1]), i++;
		else if (!strcmp(argv[i], "--writes"))
			writes = number(argv[i], argv[i + 1]), i++;
		else
			argv[n++] = argv[i];
		if (!strcmp(argv[i], "--help"))
			usage();
	}
	argv[n] = NULL;
	*argc = n;
}

SHVM_TEST_MAIN_WITH(own_options)
