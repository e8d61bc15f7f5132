/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for many threads: objects of one size, a shelf of them for each thread.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <linux/slab.h>

#define SHELF_SIZE	2048	/* more than a round of a storm takes */
#define STOCK_CHUNK	(4UL << 20)

struct shelf {
	void *object[SHELF_SIZE];
	u32 nr;
} __attribute__((aligned(CACHE_LINE)));

struct stock {
	struct shelf shelf[MAX_THREADS];
	/* lock */
	spinlock_t lock;
	size_t size;			/* constant; a divisor of STOCK_CHUNK leaves no rest */
	u8 *next;
	size_t left;
	void **object;
	size_t nr, room;
};

void *memory_reserve(size_t size);	/* zeroes; takes memory when it is used */
void *stock_get(struct stock *s);
void stock_put(struct stock *s, void *object);

#endif
