/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which page each access of the load of bench/swap goes to, as a function of a seed: what the load
 * does, and what is computed from it afterwards; and what the load says about itself in memory.
 *
 * A step is "per_step" accesses to hot pages and one to the next cold page. Hot pages lie scattered
 * among the cold ones; those are scanned in the order of their addresses, over and over.
 */
#ifndef SHVM_BENCH_ACCESS_H
#define SHVM_BENCH_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_PAGE	4096UL
#define LOAD_MAGIC	0x64616f6c70617773ULL
#define LOAD_AT		0x100000000000UL	/* the load's pages */
#define NEIGHBOUR_AT	0x200000000000UL
#define LOAD_CLOCKS	8
#define LOAD_FRAMES	960	/* of what follows the first page of struct load_report */
#define PORT_MARK	0xf5	/* the launcher notes the time; see shvm-run --marks */

struct load_setup {
	uint64_t seed;
	uint32_t hot, cold;	/* pages */
	uint32_t per_step;	/* hot accesses for each cold one */
	uint32_t zipf;		/* 1: the n-th page 1/n as often as the first; 0: all the same */
};

struct load_clock {
	uint64_t before, after;	/* the load's TSC around a mark */
};

/*
 * One page, then the number of the frame (in the machine: the address) of each of the load's pages,
 * then the TSC at the begin of each step.
 */
struct load_report {
	uint64_t magic;
	struct load_setup setup;
	uint32_t steps, steps_max;
	uint32_t is_guest, pages;
	struct load_clock clock[LOAD_CLOCKS];
	uint32_t frame[LOAD_FRAMES];	/* in a guest, of this page and those that follow */
};

_Static_assert(sizeof(struct load_report) <= LOAD_PAGE, "the first page of a report");

struct accesses {
	struct load_setup setup;
	uint32_t *order;	/* the hot pages, most used first; then the cold ones */
	uint32_t *share;	/* of the first n hot pages, of 2^32 */
	uint64_t random;
	uint32_t next_cold;
};

void accesses_init(struct accesses *a, const struct load_setup *setup);
uint32_t accesses_hot(struct accesses *a);
uint32_t accesses_cold(struct accesses *a);
uint64_t random_next(uint64_t *state);

#endif
