/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watcher of bench/swap: the program under watch, its memory, and what became of it.
 */
#ifndef SHVM_BENCH_WATCH_H
#define SHVM_BENCH_WATCH_H

#include <stdio.h>
#include <sys/types.h>

#include "access.h"
#include "probe/events.h"

struct watched {
	pid_t pid;
	FILE *to, *from;	/* its standard input and output */
	int mem, pagemap;	/* of its /proc/PID */
	uint64_t at;		/* address of its report; of a guest, of its physical memory */
	struct load_report report;
	uint64_t *page;		/* address of each page of the load */
	uint64_t clock_offset;	/* from the load's TSC to the machine's */
};

void die(const char *what, const char *detail);
void *allocate(size_t n, size_t size);

/* watched.c */
void group_join(const char *group);
void watched_start(struct watched *w, const char *group, char **command);
uint64_t watched_ready(struct watched *w);
void watched_find(struct watched *w, uint64_t report);
void watched_say(struct watched *w, const char *line);
const char *watched_answer(struct watched *w, const char *start);
void watched_clock(struct watched *w, const char *marks);
uint64_t *watched_steps(struct watched *w);
uint32_t watched_resident(const struct watched *w, uint8_t *resident);
void watched_end(struct watched *w);

/* neighbour.c */
struct neighbour {
	volatile uint64_t accesses, ticks, longest;
};

struct neighbour *neighbour_start(const char *group, uint32_t pages);
void neighbour_pause(bool pause);
void neighbour_end(void);

/* ageing.c */
void ageing_report(struct watched *w, const char *marks);

/* evictions.c */
struct evictions {
	const struct watched *w;
	const uint64_t *step_time;	/* on the machine's clock */
	uint32_t first, steps;		/* steps that were measured, and all */
	const struct swap_event *event;
	uint32_t nr_events;
	uint8_t *resident;		/* of each page, when the measured steps began */
};

void evictions_report(struct evictions *e);

#endif
