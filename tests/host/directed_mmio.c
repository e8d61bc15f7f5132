// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about accesses to what is no memory: the shadow tables say where they lead after the
 * first ones, and that must be where the guest's tables lead. The oracle judges each access.
 */
#include <asm/processor-flags.h>

#include "story.h"

#define USED	(ALL | A | D)
#define HOLE	0x5000ULL	/* frames without a slot */
#define BIG_HOLE	0x6000ULL	/* the same, aligned as large pages are */
#define PAGE_9	at(0, 0, 0, 9)

/* True: by the shadow tables. */
static bool is_known(struct vcpu *v, enum kind what, bool user, u64 addr)
{
	struct outcome out = act(v, what, user, addr);

	CHECK(out.kind == MMIO, "%llx: outcome %d, want MMIO", addr, out.kind);
	return out.known;
}

/* By the third access the way is there. */
static void learn(struct vcpu *v, enum kind what, bool user, u64 addr)
{
	is_known(v, what, user, addr);
	is_known(v, what, user, addr);
	CHECK(is_known(v, what, user, addr), "%llx is not known", addr);
}

static struct vcpu *mmio_begin(int nr_vcpus)
{
	story_begin(nr_vcpus);
	poke(L1, 9, HOLE << 12 | USED);
	poke(L1, 10, (HOLE + 10) << 12 | USED);
	return machine->vcpu;
}

/* A table that maps no memory at all has a shadow from the second access on. */
static void mmio_known(void)
{
	struct vcpu *v = mmio_begin(1);
	int i;

	poke(L2, 7, OTHER << 12 | USED);
	poke(L1, 11, OTHER << 12 | USED);
	expect(v, WRITE, true, at(0, 0, 0, 11), DONE);
	poke(OTHER, 3, (HOLE + 3) << 12 | USED);
	CHECK(!is_known(v, READ, true, at(0, 0, 7, 3)), "known at once");
	learn(v, READ, true, at(0, 0, 7, 3));
	CHECK(is_known(v, WRITE, true, at(0, 0, 7, 3)), "not for a store");
	for (i = 0; i < 8; i++) {
		store(v, OTHER, 16 + i, DATA << 12 | USED);
		CHECK(is_known(v, READ, true, at(0, 0, 7, 3)), "given up after %d stores", i);
	}
	poke(L2, 8, L1 << 12 | P | W | A);
	learn(v, WRITE, false, at(0, 0, 8, 10));
	check_all();
	story_end();
}

static void mmio_large(void)
{
	struct vcpu *v = mmio_begin(1);

	poke(L2, 7, BIG_HOLE << 12 | USED | PS);
	poke(L3, 7, 0x40000ULL << 12 | USED | PS);
	learn(v, READ, true, at(0, 0, 7, 0x123));
	learn(v, READ, true, at(0, 7, 0x45, 0x123));
	story_format(v, O_PAE);
	poke(PD, 7, BIG_HOLE << 12 | USED | PS);
	poke(PD, 0, L1 << 12 | USED);
	learn(v, READ, true, at_pae(0, 7, 0x123));
	learn(v, READ, true, at_pae(0, 0, 9));
	story_format(v, O_32);
	poke_32(PD32, 7, BIG_HOLE << 12 | USED | PS);
	poke_32(PT32, 0x209, HOLE << 12 | USED);
	learn(v, READ, true, at_32(7, 0x123));
	learn(v, READ, true, at_32(7, 0x323));
	learn(v, READ, true, at_32(0, 0x209));
	check_all();
	story_end();
}

/* A slot over the hole, and away again. */
static void mmio_slot_comes(void)
{
	struct vcpu *v = mmio_begin(1);
	int i;

	for (i = 0; i < 4; i++) {
		learn(v, READ, true, PAGE_9);
		CHECK(!slot_add(3, HOLE, 16, 1100, i & 1), "slot");
		CHECK(act(v, READ, true, PAGE_9).hardware, "the slot is not seen");
		expect(v, WRITE, true, PAGE_9, i & 1 ? MMIO : DONE);
		check_all();
		CHECK(!slot_delete(3), "slot");
	}
	learn(v, READ, true, PAGE_9);
	CHECK(!slot_move(1, HOLE), "slot");
	expect(v, READ, true, PAGE_9, DONE);
	story_end();
}

/* The page entry, its table and the address space change, by stores that are trapped and not. */
static void mmio_entry_changes(void)
{
	static const u64 what[] = {
		(HOLE + 1) << 12 | USED, DATA << 12 | USED, 0, HOLE << 12 | P | A,
		HOLE << 12 | P | U | A | D, HOLE << 12 | ALL, HOLE << 12 | USED | 1ULL << 45,
		HOLE << 12 | USED | NX,
	};
	struct vcpu *v = mmio_begin(2);
	unsigned int i, j;

	poke(L2, 1, OTHER << 12 | USED);
	poke(OTHER, 0, L1 << 12 | USED);	/* a map of L1 */
	for (i = 0; i < 4 * ARRAY_SIZE(what); i++) {
		store(v, L1, 9, HOLE << 12 | USED);
		learn(v, READ, true, PAGE_9);
		/* Two more stores and the table goes out of sync. */
		for (j = 0; i & 1 && j < 4; j++)
			store_at(v, at(0, 0, 1, 0) + (16 + j) * 8, what[j], 8);
		store_at(&v[i >> 1 & 1], at(0, 0, 1, 0) + 9 * 8, what[i / 4], 8);
		vcpu_invlpg(v, PAGE_9);
		vcpu_invlpg(&v[1], PAGE_9);
		try_all(v, PAGE_9, i);
		try_all(&v[1], PAGE_9, i);
		check_all();
	}
	store(v, L1, 9, HOLE << 12 | USED);
	learn(v, READ, true, PAGE_9);
	poke(SPARE, 9, (HOLE + 2) << 12 | USED);
	store(v, L2, 0, SPARE << 12 | USED);
	vcpu_load_cr3_fast(v, v->cr3, false);
	learn(v, READ, true, PAGE_9);
	story_end();
}

/* Two address spaces with a PCID each: what is known in one says nothing about the other. */
static void mmio_pcids(void)
{
	struct vcpu *v = mmio_begin(1);
	int i;

	CHECK(!set_bit_of(v, 0, X86_CR4_PCIDE, 0), "CR4.PCIDE");
	poke(SPARE, 0, (SPARE + 1) << 12 | USED);
	poke(SPARE + 1, 0, (SPARE + 2) << 12 | USED);
	poke(SPARE + 2, 0, (SPARE + 3) << 12 | USED);
	poke(SPARE + 3, 9, (HOLE + 7) << 12 | USED);
	vcpu_load_cr3(v, ROOT << 12 | 1);
	learn(v, READ, true, PAGE_9);
	for (i = 0; i < 6; i++) {
		vcpu_load_cr3_fast(v, i & 1 ? ROOT << 12 | 1 : SPARE << 12 | 2, i > 1);
		learn(v, READ, true, PAGE_9);
	}
	story_end();
}

/* The rights of all tables count, and what CR0 and CR4 make of them. */
static void mmio_rights(void)
{
	static const u64 rights[] = { ALL, P | W, P | U, P };
	struct vcpu *v = mmio_begin(1);
	unsigned int i;

	for (i = 0; i < 16; i++) {
		store(v, L2, 0, L1 << 12 | rights[i / 4] | A);
		store(v, L1, 9, HOLE << 12 | rights[i % 4] | A | D);
		vcpu_load_cr3(v, v->cr3);
		act(v, READ, false, at(0, 0, 0, 0));
		try_all(v, PAGE_9, i);
		try_all(v, PAGE_9, i + 1);
		CHECK(!set_bit_of(v, 0, X86_CR4_SMAP, 0), "SMAP");
		try_all(v, PAGE_9, i);
		CHECK(!set_bit_of(v, X86_CR0_WP, 0, 0), "WP");
		act(v, READ, false, at(0, 0, 0, 0));
		act(v, READ, true, at(0, 0, 0, 0));
		try_all(v, PAGE_9, i);
		CHECK(!set_bit_of(v, 0, X86_CR4_SMAP, 0), "SMAP");
		try_all(v, PAGE_9, i);
		CHECK(!set_bit_of(v, X86_CR0_WP, 0, 0), "WP");
	}
	story_end();
}

/* A and D, in the page entry and above, are cleared by the guest and set again by the next use. */
static void mmio_marks(void)
{
	struct vcpu *v = mmio_begin(1);
	int i;

	for (i = 0; i < 12; i++) {
		learn(v, WRITE, true, PAGE_9);
		if (i % 3 == 2)
			store(v, L2, 0, L1 << 12 | ALL);
		else
			store(v, L1, 9, HOLE << 12 | ALL | (i % 3 ? A : D));
		vcpu_invlpg(v, PAGE_9);
		is_known(v, i & 1 ? READ : WRITE, true, PAGE_9);
		is_known(v, WRITE, true, PAGE_9);
		check_all();
	}
	story_end();
}

/* Entries that only look as if they led to a device. */
static void mmio_no_page(void)
{
	struct vcpu *v = mmio_begin(1);
	u64 entry = HOLE << 12 | USED;
	int i;

	/* A large page that begins in memory and ends outside; its memory looks like a table. */
	poke(L2, 4, 0x400 << 12 | USED | PS);
	expect(v, READ, true, at(0, 0, 4, 0), DONE);
	store_at(v, at(0, 0, 4, 0) + 0x60 * 8, entry, 8);
	/* A table that is no memory. */
	poke(L2, 5, HOLE << 12 | USED);
	poke(L2, 6, L1 << 12 | USED);
	for (i = 0; i < 4; i++) {
		expect(v, READ, true, at(0, 0, 4, 0x60), MMIO);
		expect(v, READ, true, at(0, 0, 5, 0), FAULT);
		expect(v, FETCH, true, at(0, 0, 6, 9), MMIO);
	}
	check_all();
	story_end();
}

static const struct directed stories[] = {
	{ "mmio-known", mmio_known },
	{ "mmio-large", mmio_large },
	{ "mmio-slot-comes", mmio_slot_comes },
	{ "mmio-entry-changes", mmio_entry_changes },
	{ "mmio-pcids", mmio_pcids },
	{ "mmio-rights", mmio_rights },
	{ "mmio-marks", mmio_marks },
	{ "mmio-no-page", mmio_no_page },
};

const struct directed_set mmio_tests = { stories, ARRAY_SIZE(stories) };
