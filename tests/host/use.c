// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages of the VMM's memory the guest has used since the host, or somebody who wants the
 * working set, asked last: by what the hardware did, not by accessed bits. A page that was used for
 * sure must look so; one that cannot have been used must not. What a TLB served is no use that
 * anybody can see. Not where threads have been (machine->unseen).
 */
#include <string.h>

#include "host.h"

#define SURE		1	/* since the host asked */
#define MAYBE		2
#define SURE_SET	4	/* since somebody asked for the working set */
#define MAYBE_SET	8
#define HOST_KNOWS	16	/* its own entry says so: it has faulted the page in for a use */
#define ALL_SURE	(SURE | SURE_SET)
#define ALL_MAYBE	(MAYBE | MAYBE_SET)

#define MOST_ASKED	4096	/* of more pages than that not each one is asked for */

u32 use_clock = 1;

/* As the machine's memory they stay for all machines. */
static u8 *used;
static u32 *asked;		/* when the working set was asked for */
static u32 *hint;		/* by frame: which page it is, probably */

void use_reset(void)
{
	if (!used) {
		used = malloc(machine->nr_pages);
		asked = sparse_alloc(machine->nr_pages * sizeof(*asked));
		hint = sparse_alloc(GIANT_FRAME * sizeof(*hint));
	}
	memset(used, 0, machine->nr_pages);
}

static void page_add(u64 page, u8 flags)
{
	if (page < machine->nr_pages)
		used[page] |= flags;
}

/* Any page of a large one may have been it. */
static void group_add(u64 page, int level, u8 flags)
{
	u64 n = level_frames(level), first = page & ~(n - 1), i;

	for (i = first; i < first + n && i < machine->nr_pages; i++)
		used[i] |= flags;
}

static long page_of_frame(u64 hfn)
{
	u64 frame = hfn - FRAME_BASE, i;

	if (frame >= GIANT_FRAME)
		return GIANT_PAGE + (frame - GIANT_FRAME);
	if (machine->host[hint[frame]].frame == frame)
		return hint[frame];
	for (i = 0; i < HVA_PAGES; i++) {
		if (machine->host[i].frame == frame) {
			hint[frame] = i;
			return i;
		}
	}
	return -1;
}

void use_walked(u64 hfn, int level)
{
	long page;

	if (machine->unseen)
		return;
	page = page_of_frame(hfn);
	if (page < 0)
		return;
	page_add(page, ALL_SURE);
	group_add(page, level, ALL_MAYBE);
}

void use_tried(const struct oracle *o, bool large)
{
	long page;
	int i;

	if (machine->unseen)
		return;
	for (i = 0; i < o->nr_entries; i++)
		use_read(o->entry[i] >> 12);
	page = o->kind == O_OK ? page_of(o->gfn) : -1;
	if (page >= 0)
		group_add(page, !large ? 1 : page < GIANT_PAGE ? 2 : 3, ALL_MAYBE);
}

void use_by_software(u64 gfn)
{
	long page = machine->unseen ? -1 : page_of(gfn);

	if (page >= 0)
		page_add(page, SURE_SET | MAYBE_SET);
}

void use_read(u64 gfn)
{
	long page = machine->unseen ? -1 : page_of(gfn);

	if (page >= 0)
		page_add(page, MAYBE_SET);
}

void use_unknown(void)
{
	u64 i;

	if (machine->unseen)
		return;
	for (i = 0; i < machine->nr_pages; i++)
		used[i] |= ALL_MAYBE;
}

void use_forget(u64 first, u64 n)
{
	if (!machine->unseen)
		memset(used + first, 0, n);
}

/* --- the host asks --- */

void use_faulted_in(u64 page)
{
	if (!machine->unseen)
		used[page] |= HOST_KNOWS;
}

bool use_host_knows(u64 first, u64 n)
{
	u64 page;

	for (page = first; page < first + n; page++)
		if (used[page] & HOST_KNOWS)
			return true;
	return false;
}

void use_check(u64 first, u64 n)
{
	u64 page;
	u32 young;

	if (machine->unseen || n > MOST_ASKED)
		return;
	for (page = first; page < first + n; page++) {
		young = host_ask(page, 1, false);
		CHECK(young || !(used[page] & SURE), "page %llx was used, and is not young", page);
		CHECK(!young || (used[page] & MAYBE), "page %llx is young without a use", page);
	}
}

void use_told(u64 first, u64 n)
{
	u64 page;

	if (machine->unseen)
		return;
	for (page = first; page < first + n; page++)
		used[page] &= ~(SURE | MAYBE | HOST_KNOWS);
}

/* --- the working set --- */

static void check_answer(u64 f, u32 answer)
{
	u32 age = answer & SHVM_WS_AGE, seen = age == SHVM_WS_AGE_NEVER ? 0 : use_clock - age;
	long page = page_of(f);
	u8 flags;

	CHECK((page < 0) == (age == SHVM_WS_AGE_NO_MEMORY), "frame %llx: answer %x", f, answer);
	if (page < 0 || machine->unseen)
		return;
	flags = used[page];
	CHECK(!(flags & SURE_SET) || seen > asked[page],
	      "frame %llx was used since %u, the answer is %u", f, asked[page], seen);
	CHECK((flags & MAYBE_SET) || seen <= asked[page],
	      "frame %llx was not used since %u, the answer is %u", f, asked[page], seen);
	used[page] &= ~(SURE_SET | MAYBE_SET);
	asked[page] = use_clock;
}

void use_working_set(u64 first, u64 n, u32 tear, u32 *answers)
{
	u64 i;

	__atomic_fetch_add(&use_clock, 1, __ATOMIC_RELAXED);
	shvm_mmu_working_set(&machine->mmu, gfn(first), n, &tear, answers);
	for (i = 0; i < n; i++)
		check_answer(first + i, answers[i]);
	/* What is seen from now on has been seen later. */
	__atomic_fetch_add(&use_clock, 1, __ATOMIC_RELAXED);
}

u32 use_age(u64 f)
{
	u32 answer;

	use_working_set(f, 1, 0, &answer);
	return answer;
}
