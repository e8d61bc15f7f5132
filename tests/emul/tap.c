// SPDX-License-Identifier: GPL-2.0-only
/*
 * TAP output and random numbers.
 */
#include <stdarg.h>
#include <time.h>

#include "emul_test.h"

#define MAX_TESTS	96
#define MAX_EXPLAINED	8

static struct {
	const char *name;
	bool (*fn)(void);
} tests[MAX_TESTS];

static unsigned int nr_tests;
static unsigned int failures;
static u64 state;

void tap_plan_add(const char *name, bool (*fn)(void))
{
	if (nr_tests == MAX_TESTS) {
		printf("Bail out! more tests than the table holds\n");
		return;
	}
	tests[nr_tests].name = name;
	tests[nr_tests++].fn = fn;
}

static void print_comment(const char *fmt, va_list ap)
{
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
}

void tap_fail(const char *fmt, ...)
{
	va_list ap;

	if (failures++ >= MAX_EXPLAINED)
		return;
	va_start(ap, fmt);
	print_comment(fmt, ap);
	va_end(ap);
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_comment(fmt, ap);
	va_end(ap);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1000000000.0;
}

/* A test function returns false if this machine cannot run it: said aloud, as TAP has it. */
int tap_run(void)
{
	unsigned int i, bad = 0;

	printf("TAP version 13\n1..%u\n", nr_tests);
	for (i = 0; i < nr_tests; i++) {
		double start = now();
		bool ran;

		failures = 0;
		rnd_seed(opt_seed + i);
		ran = tests[i].fn();
		if (failures) {
			bad++;
			printf("# %u failures\n", failures);
		}
		printf("%sok %u - %s%s\n", failures ? "not " : "", i + 1, tests[i].name,
		       ran ? "" : " # SKIP not possible on this machine");
		if (now() - start >= 0.5)
			printf("# took %.1f s\n", now() - start);
		fflush(stdout);
	}
	return bad ? 1 : 0;
}

void rnd_seed(u64 seed)
{
	state = seed * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull;
	if (!state)
		state = 1;
}

/* xorshift64* */
u64 rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

u64 rnd_below(u64 n)
{
	return (rnd() >> 11) % n;
}

bool rnd_percent(unsigned int percent)
{
	return rnd_below(100) < percent;
}

u64 rnd_value(void)
{
	static const u64 edges[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, ~1ull,
	};

	switch (rnd_below(4)) {
	case 0:
		return edges[rnd_below(ARRAY_SIZE(edges))];
	case 1:
		return rnd() >> rnd_below(64);
	case 2:
		return -(rnd() >> (40 + rnd_below(24)));
	default:
		return rnd();
	}
}
