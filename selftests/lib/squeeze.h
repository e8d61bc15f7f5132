/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that a host and a VMM do to the memory of a guest without losing its contents, at random: one
 * action at a time, by one thread.
 */
#ifndef SHVM_SELFTESTS_SQUEEZE_H
#define SHVM_SELFTESTS_SQUEEZE_H

#include "keyed.h"

enum squeeze_action {
	SQUEEZE_PAGE_OUT,
	SQUEEZE_COLD,
	SQUEEZE_PAGE_IN,
	SQUEEZE_RECLAIM,	/* of the memory cgroup */
	SQUEEZE_LIMIT,
	SQUEEZE_MERGE,
	SQUEEZE_UNMERGE,
	SQUEEZE_COLLAPSE,
	SQUEEZE_SPLIT,
	SQUEEZE_BALLOON,
	SQUEEZE_READ_ONLY,
	SQUEEZE_MOVE,
	SQUEEZE_FORK,
	SQUEEZE_COMPACT,
	SQUEEZE_VMM_WRITES,
	SQUEEZE_BUDGET,		/* of shadow pages */
	NR_SQUEEZE_ACTIONS
};

#define SQUEEZE_CGROUP	"/sys/fs/cgroup/shvm_squeeze"
#define MAX_AREAS	4

struct squeeze {
	struct keyed *k;
	struct {
		char *hva;
		size_t size;
		bool anon;
	} areas[MAX_AREAS];
	int nr_areas;
	u64 random;
	bool in_cgroup;
	u64 count[NR_SQUEEZE_ACTIONS];	/* that had an effect */
	int bad;			/* things found wrong, each with a message */
	pid_t child;
	pthread_mutex_t lock;		/* free: memory is usable, or can be made so */
	void *protected_at;		/* by SQUEEZE_READ_ONLY */
	size_t protected_size;
};

extern const char *const squeeze_names[NR_SQUEEZE_ACTIONS];

/* Call it before the guest is made: only memory that is touched later belongs to the cgroup. */
void squeeze_init(struct squeeze *s, u64 seed);
/* The guest must use the memory of k. Same seed, same actions. */
void squeeze_set_guest(struct squeeze *s, struct keyed *k);
enum squeeze_action squeeze_any(struct squeeze *s);
/* Ends what goes on in the background. */
void squeeze_calm(struct squeeze *s);
void squeeze_exit(struct squeeze *s);

#endif
