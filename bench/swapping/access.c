// SPDX-License-Identifier: GPL-2.0-only
/*
 * The accesses of the load, the same each time for the same seed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "access.h"

uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* A number below n, n far below 2^32. */
static uint32_t random_below(uint64_t *state, uint32_t n)
{
	return ((random_next(state) >> 32) * n) >> 32;
}

static void *array(uint32_t n)
{
	void *mem = calloc(n, sizeof(uint32_t));

	if (mem)
		return mem;
	fputs("no memory for the order of accesses\n", stderr);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void choose_hot(struct accesses *a, uint32_t pages)
{
	uint32_t i, j, swap;

	for (i = 0; i < pages; i++)
		a->order[i] = i;
	for (i = 0; i < a->setup.hot; i++) {
		j = i + random_below(&a->random, pages - i);
		swap = a->order[i];
		a->order[i] = a->order[j];
		a->order[j] = swap;
	}
	qsort(a->order + a->setup.hot, a->setup.cold, sizeof(*a->order), compare);
}

static void share_out(struct accesses *a)
{
	double sum = 0, part = 0;
	uint32_t i;

	for (i = 1; i <= a->setup.hot; i++)
		sum += 1.0 / i;
	for (i = 1; i <= a->setup.hot; i++) {
		part += 1.0 / i;
		a->share[i - 1] = part / sum * 4294967295.0;
	}
}

void accesses_init(struct accesses *a, const struct load_setup *setup)
{
	a->setup = *setup;
	a->random = setup->seed * 0x9e3779b97f4a7c15ULL + 1;
	a->next_cold = 0;
	a->order = array(setup->hot + setup->cold);
	a->share = array(setup->hot);
	choose_hot(a, setup->hot + setup->cold);
	share_out(a);
}

/* The first page whose share reaches x. */
static uint32_t rank_of(const struct accesses *a, uint32_t x)
{
	uint32_t low = 0, high = a->setup.hot - 1, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (a->share[middle] < x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t accesses_hot(struct accesses *a)
{
	uint64_t x = random_next(&a->random) >> 32;

	return a->order[a->setup.zipf ? rank_of(a, x) : (x * a->setup.hot) >> 32];
}

uint32_t accesses_cold(struct accesses *a)
{
	uint32_t page = a->order[a->setup.hot + a->next_cold];

	if (++a->next_cold == a->setup.cold)
		a->next_cold = 0;
	return page;
}
