/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The controlled scheduler: threads of which one runs at a time, and switches where a schedule
 * says so. A schedule is a list of decisions "at step N thread T goes on"; between them the
 * running thread goes on as long as it can. The same schedule gives the same run.
 */
#ifndef SCHED_H
#define SCHED_H

#include "machine.h"

#define MAX_THREADS	3
#define MAX_DECISIONS	24

struct decision {
	u32 step;
	u8 thread;
};

struct schedule {
	struct decision d[MAX_DECISIONS];
	u8 nr, preemptions;
};

/* A way to go on after a run: the same up to a step, where another thread goes on. */
struct branch {
	struct decision d;
	bool is_preemption;	/* the running thread could have gone on */
};

typedef void (*story_fn)(void);

struct scenario {
	const char *name, *what;
	int vcpus;		/* each has a thread, or is not in the guest when setup() ends */
	story_fn setup;
	story_fn thread[MAX_THREADS];
	story_fn finish;	/* when all have ended; may be NULL */
	bool slots_change;
};

extern const struct scenario scenarios[];
extern const int nr_scenarios;

/* --- sched.c --- */
void sched_start(void);		/* once */
void sched_run(const struct schedule *s, const story_fn thread[]);
u32 sched_steps(void);		/* of the last run */
/*
 * Where the last run could have gone another way that matters: two threads want the same memory
 * and one of them changes it. Only steps after the last decision. Returns how many.
 */
u32 sched_branches(struct branch *out, u32 max);
bool sched_others_ended(void);	/* but for those that ask the same */
void sched_describe(void);	/* the run that is under way, step by step of its switches */
void sched_ignore(const void *at, size_t size);	/* nobody's business; NULL: forget all of it */
int sched_self(void);

/* --- scenario.c --- */
void scenario_run(const struct scenario *sc, const struct schedule *s);

#endif
