// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about page tables out of sync: the guest stores to L1 by a map of it, in a burst, and
 * what it may and must see then. The oracle judges each access by what the tables were and since
 * when the vCPU may not go by that any more.
 */
#include <asm/processor-flags.h>

#include "story.h"

#define USED	(ALL | A | D)
#define MAP_OF_L1	at(0, 0, 1, 0)	/* by a table of its own: using it is no use of L1 */
#define PAGE_5	at(0, 0, 0, 5)

static void edit(struct vcpu *v, u32 index, u64 entry)
{
	store_at(v, MAP_OF_L1 + index * 8, entry, 8);
}

static void oos_begin(int nr_vcpus)
{
	story_begin(nr_vcpus);
	poke(L2, 1, OTHER << 12 | USED);
	poke(OTHER, 0, L1 << 12 | USED);
}

#define UNDER(pcid)	(ROOT << 12 | (pcid))	/* CR3: the same root each time */

/* The first vCPU uses PCIDs. */
static struct vcpu *oos_begin_pcids(int nr_vcpus)
{
	struct vcpu *v;

	oos_begin(nr_vcpus);
	v = machine->vcpu;
	CHECK(!set_bit_of(v, 0, X86_CR4_PCIDE, 0), "CR4.PCIDE");
	return v;
}

/* Page 5 is used, then L1 is let out of sync, then page 5 becomes another. */
static void change_page_5(struct vcpu *v, u64 from, u64 to)
{
	u32 i;

	edit(v, 5, from);
	vcpu_invlpg(v, PAGE_5);
	expect(v, READ, false, PAGE_5, DONE);
	for (i = 6; i < 10; i++)
		edit(v, i, (DATA + i) << 12 | USED);
	CHECK(atomic_read(&machine->mmu.nr_oos), "no table is out of sync");
	edit(v, 5, to);
}

#define FIRST	((DATA + 20) << 12)
#define SECOND	((DATA + 21) << 12)

static void oos_flushes(void)
{
	struct vcpu *v;
	int i;

	oos_begin(1);
	v = machine->vcpu;
	for (i = 0; i < 15; i++) {
		change_page_5(v, FIRST | USED, SECOND | USED);
		if (i % 5 == 0)
			vcpu_load_cr3(v, v->cr3);
		else if (i % 5 == 1)
			vcpu_load_cr3_fast(v, v->cr3, false);
		else if (i % 5 == 2)
			CHECK(!set_bit_of(v, 0, X86_CR4_PGE, 0), "CR4.PGE");
		else if (i % 5 == 3)
			vcpu_invlpg_fast(v, PAGE_5);
		else
			vcpu_invlpg(v, PAGE_5);
		expect(v, READ, false, PAGE_5, DONE);
		check_all();
	}
	story_end();
}

static void oos_fault_flushes(void)
{
	struct access a = { .addr = PAGE_5, .kind = WRITE };
	struct vcpu *v;

	oos_begin(1);
	v = machine->vcpu;
	change_page_5(v, FIRST | P | A | D, SECOND | P | A | D);
	expect_fault(v, WRITE, PAGE_5, PF_P | PF_W);
	expect(v, READ, false, PAGE_5, DONE);
	change_page_5(v, FIRST | USED, 0);
	verified_translation(v, &a);
	history_flush_page(v, PAGE_5);
	edit(v, 5, SECOND | USED);
	expect(v, READ, false, PAGE_5, DONE);
	/* User code: the entry loop sees such faults. */
	change_page_5(v, FIRST | P | U | A | D, SECOND | P | U | A | D);
	expect(v, WRITE, true, PAGE_5, FAULT);
	expect(v, READ, true, PAGE_5, DONE);
	/* The second one in a row takes another way. */
	edit(v, 5, FIRST | P | U | A | D);
	expect(v, WRITE, true, PAGE_5, FAULT);
	expect(v, READ, true, PAGE_5, DONE);
	story_end();
}

static void oos_new_address(void)
{
	struct vcpu *v;

	oos_begin(1);
	v = machine->vcpu;
	change_page_5(v, FIRST | USED, SECOND | USED);
	store(v, L2, 2, L1 << 12 | USED);
	history_flush_page(v, at(0, 0, 2, 5));
	/* The fault makes its own entry right; the other one is there already. */
	expect(v, READ, false, at(0, 0, 2, 9), DONE);
	expect(v, READ, false, at(0, 0, 2, 5), DONE);
	story_end();
}

/* Two PCIDs in turn: what became live under one is compared before the other may use it. */
static void oos_pcids_in_turn(void)
{
	struct vcpu *v = oos_begin_pcids(1);
	u32 i;

	change_page_5(v, SECOND | USED, FIRST | USED);
	vcpu_load_cr3(v, UNDER(2));
	vcpu_load_cr3(v, UNDER(1));
	change_page_5(v, FIRST | USED, SECOND | USED);
	vcpu_load_cr3_fast(v, UNDER(2), true);
	for (i = 16; i < 64; i += 8) {
		edit(v, i, FIRST | USED);
		expect(v, READ, false, at(0, 0, 0, i), DONE);
		edit(v, i, SECOND | USED);
		vcpu_load_cr3_fast(v, UNDER(i & 8 ? 2 : 1), true);
		expect(v, READ, false, at(0, 0, 0, i), DONE);
		CHECK(atomic_read(&machine->mmu.nr_oos), "the table is in sync again");
	}
	check_all();
	story_end();
}

static void oos_pcids(void)
{
	struct vcpu *v = oos_begin_pcids(1);

	vcpu_load_cr3(v, UNDER(1));
	change_page_5(v, FIRST | USED, SECOND | USED);
	/* Never in use before: nothing is older than this load. */
	vcpu_load_cr3_fast(v, UNDER(2), true);
	vcpu_load_cr3_keep(v, UNDER(2));
	expect(v, READ, false, PAGE_5, DONE);
	/* What was used under 2 alone is nothing that 1 can show. */
	change_page_5(v, FIRST | USED, SECOND | USED);
	vcpu_load_cr3_fast(v, UNDER(1), true);
	expect(v, READ, false, PAGE_5, DONE);
	/* A full flush forgets both. */
	CHECK(!set_bit_of(v, 0, X86_CR4_PGE, 0), "CR4.PGE");
	change_page_5(v, FIRST | USED, SECOND | USED);
	vcpu_load_cr3_fast(v, UNDER(2), true);
	expect(v, READ, false, PAGE_5, DONE);
	story_end();
}

/* Page 5 is the first one under PCID 2; the table is out of sync, PCID 1 is in use. */
static void know_page_5_under_2(struct vcpu *v)
{
	vcpu_load_cr3(v, UNDER(2));
	change_page_5(v, FIRST | USED, FIRST | USED);
	/* The other vCPU keeps the table from being in sync after a flush. */
	expect(&v[1], READ, false, at(0, 0, 0, 3), DONE);
	vcpu_load_cr3_fast(v, UNDER(1), true);
}

/*
 * A PCID that is new to the vCPU, at the place of one that it knows: nothing is older than its
 * load, whatever those may keep that are known.
 */
static void oos_new_pcid(void)
{
	struct vcpu *v = oos_begin_pcids(2);

	know_page_5_under_2(v);
	vcpu_load_cr3_fast(v, UNDER(2), true);
	edit(v, 5, SECOND | USED);
	CHECK(atomic_read(&machine->mmu.nr_oos), "no table is out of sync");
	vcpu_load_cr3_fast(v, UNDER(1), true);
	vcpu_load_cr3_fast(v, UNDER(0x12), true);
	expect(v, READ, false, PAGE_5, DONE);
	story_end();
}

/* What was live before a full flush is not what a PCID may keep that comes back after it. */
static void oos_pcids_forgotten(void)
{
	struct vcpu *v = oos_begin_pcids(2);

	know_page_5_under_2(v);
	edit(v, 7, (DATA + 7) << 12 | USED);
	CHECK(!set_bit_of(v, 0, X86_CR4_PGE, 0), "CR4.PGE");
	CHECK(atomic_read(&machine->mmu.nr_oos), "no table is out of sync");
	edit(v, 6, (DATA + 6) << 12 | USED);
	edit(v, 5, SECOND | USED);
	vcpu_load_cr3_fast(v, UNDER(2), true);
	expect(v, READ, false, PAGE_5, DONE);
	story_end();
}

/* A table that is used after each flush, and not stored to, is trapped again. */
static void oos_ends(void)
{
	struct vcpu *v;
	int i;

	oos_begin(1);
	v = machine->vcpu;
	change_page_5(v, FIRST | USED, SECOND | USED);
	for (i = 0; i < 20 && atomic_read(&machine->mmu.nr_oos); i++) {
		vcpu_load_cr3(v, v->cr3);
		expect(v, READ, false, PAGE_5, DONE);
	}
	CHECK(!atomic_read(&machine->mmu.nr_oos), "after %d flushes it is still out of sync", i);
	edit(v, 5, FIRST | USED);
	check_all();
	story_end();
}

/*
 * One that is not used ends, too, if no load of CR3 is a flush: each is slower until then. Also if
 * nothing leads to it any more.
 */
static void ends_unused(bool orphan)
{
	struct vcpu *v = oos_begin_pcids(1);
	int i;

	vcpu_load_cr3(v, UNDER(2));
	vcpu_load_cr3(v, UNDER(1));
	/* Each of the two is left once with a table out of sync. */
	change_page_5(v, FIRST | USED, SECOND | USED);
	vcpu_load_cr3_fast(v, UNDER(2), true);
	change_page_5(v, FIRST | USED, SECOND | USED);
	if (orphan)
		store(v, L2, 0, 0);
	for (i = 1; i < 100 && atomic_read(&machine->mmu.nr_oos); i++)
		vcpu_load_cr3_fast(v, UNDER(i & 1 ? 1 : 2), true);
	CHECK(!atomic_read(&machine->mmu.nr_oos), "after %d loads it is still out of sync", i);
	if (orphan)
		store(v, L2, 0, L1 << 12 | USED);
	expect(v, READ, false, PAGE_5, DONE);
	edit(v, 5, FIRST | USED);
	check_all();
	story_end();
}

static void oos_ends_unused(void)
{
	ends_unused(false);
}

static void oos_ends_orphan(void)
{
	ends_unused(true);
}

/* As copy on write does: an entry is cleared, flushed, set and used. */
static void replace_page(struct vcpu *v, u32 index)
{
	edit(v, index, 0);
	vcpu_invlpg_fast(v, at(0, 0, 0, index));
	edit(v, index, (DATA + index + 1) << 12 | USED);
	expect(v, WRITE, false, at(0, 0, 0, index), DONE);
}

/* A table whose entries are replaced one by one goes out of sync, but not if CR3 is loaded, too. */
static void oos_replaced(void)
{
	struct vcpu *v;
	u64 trapped;
	u32 i;

	oos_begin(1);
	v = machine->vcpu;
	for (i = 0; i < 8; i++) {
		replace_page(v, i);
		vcpu_load_cr3_fast(v, v->cr3, false);
	}
	CHECK(!atomic_read(&machine->mmu.nr_oos), "CR3 is loaded each time");
	trapped = v->mv.stats.table_writes;
	for (i = 0; i < 8; i++)
		replace_page(v, i);
	CHECK(atomic_read(&machine->mmu.nr_oos), "no table is out of sync");
	trapped = v->mv.stats.table_writes - trapped;
	CHECK(trapped == 4, "%llu stores are trapped, not those of two pages", trapped);
	check_all();
	story_end();
}

/* L1 becomes a directory, too: every store to it must trap again. */
static void oos_other_role(void)
{
	struct vcpu *v;

	oos_begin(2);
	v = machine->vcpu;
	change_page_5(v, FIRST | USED, SECOND | USED);
	expect(&v[1], READ, false, at(0, 0, 0, 6), DONE);
	store(v, L3, 1, L1 << 12 | USED);
	act(v, READ, false, at(0, 1, 6, 0));
	check_all();
	edit(v, 6, (DATA + 30) << 12 | USED);
	check_all();
	act(&v[1], READ, false, at(0, 1, 6, 0));
	expect(v, READ, false, at(0, 0, 0, 6), DONE);
	check_all();
	story_end();
}

/* One vCPU stores and says so, the other flushes. */
static void oos_two_vcpus(void)
{
	struct vcpu *v;
	int i;

	oos_begin(2);
	v = machine->vcpu;
	for (i = 0; i < 8; i++) {
		change_page_5(v, FIRST | USED, SECOND | USED);
		expect(&v[1], READ, false, at(0, 0, 0, 3), DONE);
		vcpu_load_cr3_fast(&v[1], v[1].cr3, false);
		expect(&v[1], READ, false, PAGE_5, DONE);
		check_all();
	}
	story_end();
}

/* An entry that is compared and changed keeps its accessed bit, and gets none. */
static void oos_ages(void)
{
	u64 page = DATA + 20;
	struct vcpu *v;
	int used;

	for (used = 0; used < 2; used++) {
		oos_begin(1);
		v = machine->vcpu;
		change_page_5(v, FIRST | USED, FIRST | P | U | A | D);
		host_age(page, 1, true);
		if (used)
			expect(v, READ, false, PAGE_5, DONE);
		vcpu_load_cr3(v, v->cr3);
		CHECK(atomic64_read(&machine->mmu.stats.oos_changes), "nothing was compared");
		CHECK(host_age(page, 1, true) == used, "used: %d, and the host thinks otherwise",
		      used);
		CHECK(shvm_rmap_any(slot_rmap_head(machine->mmu.slots->slot[0], gfn(DATA + 20))),
		      "the entry has gone");
		story_end();
	}
}

static const struct directed stories[] = {
	{ "oos-flushes", oos_flushes },
	{ "oos-fault-flushes", oos_fault_flushes },
	{ "oos-new-address", oos_new_address },
	{ "oos-pcids", oos_pcids },
	{ "oos-pcids-in-turn", oos_pcids_in_turn },
	{ "oos-new-pcid", oos_new_pcid },
	{ "oos-pcids-forgotten", oos_pcids_forgotten },
	{ "oos-ends", oos_ends },
	{ "oos-ends-unused", oos_ends_unused },
	{ "oos-ends-orphan", oos_ends_orphan },
	{ "oos-replaced", oos_replaced },
	{ "oos-other-role", oos_other_role },
	{ "oos-two-vcpus", oos_two_vcpus },
	{ "oos-ages", oos_ages },
};

const struct directed_set oos_tests = { stories, ARRAY_SIZE(stories) };
