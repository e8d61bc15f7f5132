/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stories about large pages share.
 */
#ifndef STORY_LARGE_H
#define STORY_LARGE_H

#include "story.h"

#define LARGE		0x1000ULL	/* two groups of frames in a slot of their own */
#define LARGE_PAGE	(4 * BLOCK)	/* of the VMM's memory: two blocks */
#define LARGE_BLOCK	4
#define LARGE_SLOT	3

void fill_block(u64 block, u64 first);	/* every frame tells its own number, from first on */
void large_begin(int nr_vcpus);		/* small pages */
void huge_begin(int nr_vcpus);		/* blocks that the host maps by one entry */
void map_large(void);			/* by the guest, in all formats */
u64 large_addr(enum oracle_format format);	/* where it maps the first group */
struct outcome use(struct vcpu *v, enum kind what, u64 addr, u64 rnd);
void use_all(struct vcpu *v, u64 addr);	/* every page of a large one */
/* With an empty TLB: the size in which the CPU finds it. */
void expect_level(struct vcpu *v, enum kind what, u64 addr, int level);
void expect_no_exit(struct vcpu *v, enum kind what, u64 addr);
u32 large_leaves(void);
/* Frame nth of the first group becomes a table and is used as one; then it is none any more. */
void table_comes(struct vcpu *v, u64 nth);
void table_goes(struct vcpu *v, u64 nth);

#endif
