/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that knows what each word of its memory must be. Its memory is two slots, anonymous
 * memory and a memfd. Three pages of four are shared by all vCPUs and the VMM: each has words of
 * its own in them, which hold the number of the page, the owner, and how often the owner has
 * written them; one word counts the writes of all vCPUs. The fourth belongs to one vCPU: one value
 * all over, the same one in many pages, or given up for the VMM to discard, and then zero.
 *
 * Shared pages are mapped anew all the time, in several address spaces for each vCPU, all at the
 * same addresses; page tables move. Each space has two roots, for changes as those of a kernel with
 * page-table isolation.
 */
#ifndef SHVM_SELFTESTS_KEYED_H
#define SHVM_SELFTESTS_KEYED_H

#include "shvm_test.h"

#define KEYED_MAX_VCPUS		4
#define KEYED_ANON_PAGES	1024u
#define KEYED_FILE_PAGES	256u
#define KEYED_PAGES		(KEYED_ANON_PAGES + KEYED_FILE_PAGES)
#define KEYED_VMM		KEYED_MAX_VCPUS	/* the owner after the vCPUs */

struct keyed {
	struct test_vm *vm;
	int nr;
	struct test_vcpu *vcpu[KEYED_MAX_VCPUS];
	char *anon, *file;	/* aligned to 2 MiB */
	int memfd;
	u32 vmm_gens[KEYED_PAGES];
	/* For SHVM_RUN that fails with EFAULT: makes the memory usable again. */
	void (*mend)(void *data);
	void *mend_data;
	volatile u64 mended;
	volatile int stopped;	/* threads that have ended in this phase */
	volatile bool failed;
};

/* The same seed, the same random choices of each vCPU. */
void keyed_create(struct keyed *k, int nr_vcpus, u64 seed);
void keyed_free(struct keyed *k);

void keyed_start(struct keyed *k);
/* Stops each vCPU between two steps. False: one has ended before, with a message. */
bool keyed_stop(struct keyed *k);
/* All of memory, as the VMM sees it; vCPUs are stopped. Returns how many words are wrong. */
int keyed_verify(struct keyed *k);

u64 keyed_writes(struct keyed *k);	/* words that vCPUs have written and will look at */
u64 keyed_remaps(struct keyed *k);	/* page-table entries and tables changed */

void *keyed_hot_page(struct keyed *k, int id);	/* that the vCPU uses now */

/* The VMM's own accesses, while the guest runs. Returns how many words are wrong. */
int keyed_vmm_writes(struct keyed *k, u32 first, u32 nr);
/* Discards the pages that vCPUs have given up. Returns how many. */
int keyed_balloon(struct keyed *k);

#endif
