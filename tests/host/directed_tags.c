// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about TLB tags: an exit leaves the TLB as it is, and the module says what of it may be
 * used again.
 */
#include <asm/processor-flags.h>

#include "story.h"

static void tags_begin(int nr_vcpus)
{
	machine_tagged = true;
	story_begin(nr_vcpus);
}

static void tags_end(void)
{
	story_end();
	machine_tagged = false;
}

#define PAGE	at(0, 0, 0, 0)

/* After an exit: by the TLB alone? */
static bool served_by_tlb(struct vcpu *v)
{
	struct operation op = { .a = { .kind = READ, .addr = PAGE }, .len = 1 };
	struct outcome out;

	vcpu_exit(v);
	out = vcpu_access(v, &op);
	CHECK(out.kind == DONE, "no access");
	out.tlb->gfn = DATA;
	return out.from_tlb;
}

/* What an exit leaves, and for how long. */
static void tags_last(void)
{
	struct vcpu *v;

	tags_begin(2);
	v = machine->vcpu;
	act(v, READ, false, PAGE);
	CHECK(served_by_tlb(v), "an exit empties the TLB");
	/* Something that has nothing to do with it: what is new takes no right away, */
	act(&v[1], READ, false, at(0, 0, 0, 1));
	CHECK(served_by_tlb(v), "a fault of another vCPU empties the TLB");
	/* but this does. */
	store(&v[1], L1, 1, 0);
	CHECK(!served_by_tlb(v), "a tag is used again though a right was lost");
	CHECK(!set_bit_of(v, 0, X86_CR4_SMEP, 0), "CR4.SMEP");
	CHECK(!served_by_tlb(v), "a tag is used again with another CR4");
	tags_end();
}

/* A page in use is young again soon after the host has looked. */
static void tags_age(void)
{
	struct vcpu *v;
	long page;

	tags_begin(1);
	v = machine->vcpu;
	page = page_of(DATA);
	act(v, READ, false, PAGE);
	CHECK(served_by_tlb(v), "an exit empties the TLB");
	CHECK(host_age(page, 1, true), "used, but not young");
	CHECK(!host_age(page, 1, true), "young for ever");
	CHECK(!served_by_tlb(v), "a tag is used again after the host has looked");
	CHECK(host_age(page, 1, true), "used after the host has looked, but not young");
	tags_end();
}

static const struct directed stories[] = {
	{ "tags-last", tags_last },
	{ "tags-age", tags_age },
};

const struct directed_set tag_tests = { stories, ARRAY_SIZE(stories) };
