// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about large shadow pages: the host maps blocks of the VMM's memory by one entry, or does
 * not any more, and frames in them become tables. The CPU tells in which size it found a
 * translation.
 */
#include <asm/processor-flags.h>

#include "story_large.h"

#define GIANT		0x80000ULL	/* frames of 1 GiB, in the story that has it */

/* ---- mapped, torn, put together ---- */

static void large_by_one_fault(void)
{
	enum oracle_format format;
	struct vcpu *v;
	u64 addr, i;

	for (format = O_OFF; format < O_NR_FORMATS; format++) {
		huge_begin(1);
		v = machine->vcpu;
		map_large();
		story_format(v, format);
		addr = large_addr(format);
		CHECK(use(v, WRITE, addr + 0x5000, 0).exits == 1, "format %d: exits", format);
		for (i = 0; i < BLOCK; i++) {
			expect_no_exit(v, READ, addr + (i << 12) + 8);
			expect_no_exit(v, WRITE, addr + (i << 12) + 16);
			expect_no_exit(v, FETCH, addr + (i << 12));
		}
		expect_level(v, WRITE, addr, 2);
		expect_level(v, WRITE, addr + BLOCK * 4096ULL, 2);
		CHECK(large_leaves() == 2, "%u large leaves", large_leaves());
		CHECK(shvm_striped_sum(&machine->mmu.leaves) == 2, "leaves");
		check_all();
		story_end();
	}
}

/* The first touch of memory that was never used: the host maps it huge without an invalidation. */
static void large_at_first_touch(void)
{
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	machine->thp = true;
	CHECK(!slot_add(LARGE_SLOT, LARGE, 2 * BLOCK, LARGE_PAGE, false), "slot");
	map_large();
	expect_level(v, READ, at(0, 0, 4, 9), 2);
	expect_level(v, WRITE, at(0, 0, 5, 9), 2);
	check_all();
	story_end();
}

static void large_with_table_inside(void)
{
	u64 nth, addr = large_addr(O_64);
	struct vcpu *v;

	for (nth = 0; nth < BLOCK; nth += 73) {
		huge_begin(2);
		v = machine->vcpu;
		map_large();
		expect_level(v, WRITE, addr, 2);
		expect_level(v + 1, WRITE, addr + 0x6000, 2);
		table_comes(v, nth);
		check_all();
		CHECK(!large_leaves(), "%u large leaves", large_leaves());
		expect_level(v + 1, WRITE, addr + ((nth ^ 1) << 12), 1);
		use_all(v + 1, addr);
		use_all(v, addr);
		/* A store to the table: emulated, and followed. */
		use(v + 1, WRITE, addr + (nth << 12) + 8 * 4, 0);
		act(v, READ, false, at(0, 0, 9, 4));
		expect_level(v, READ, addr + 0x200000, 2);
		check_all();
		table_goes(v, nth);
		CHECK(use(v, WRITE, addr + 0x7000, 0).exits == 1, "exits");
		expect_level(v, WRITE, addr + (nth << 12), 2);
		expect_level(v + 1, WRITE, addr, 2);
		CHECK(large_leaves() == 2, "%u large leaves", large_leaves());
		check_all();
		story_end();
	}
}

/* Two tables in one group, and one frame as a table of two kinds: the last one counts. */
static void large_with_tables_inside(void)
{
	u64 addr = large_addr(O_64), i;
	struct vcpu *v;

	huge_begin(2);
	v = machine->vcpu;
	map_large();
	story_format(v + 1, O_PAE);
	expect_level(v, WRITE, addr, 2);
	expect_level(v + 1, WRITE, addr, 2);
	for (i = 0; i < 3; i++)
		store(v, LARGE + 20 + i, 3, (DATA + 3 + i) << 12 | ALL);
	store(v, L2, 10, (LARGE + 20) << 12 | ALL);
	store(v, L2, 11, (LARGE + 21) << 12 | ALL);
	store(v, PD, 11, (LARGE + 21) << 12 | ALL);
	expect(v, READ, false, at(0, 0, 10, 3), DONE);
	expect(v, READ, false, at(0, 0, 11, 3), DONE);
	expect(v + 1, READ, false, at(0, 0, 11, 3), DONE);
	store(v, L2, 10, 0);
	store(v, L2, 11, 0);
	shvm_mmu_unshadow(&machine->mmu, gfn(LARGE + 20));
	check_all();
	expect_level(v, READ, addr, 1);
	use_all(v, addr);
	use_all(v + 1, addr);
	store(v, PD, 11, 0);
	shvm_mmu_unshadow(&machine->mmu, gfn(LARGE + 21));
	expect_level(v, WRITE, addr, 2);
	expect_level(v + 1, WRITE, addr + 0x3000, 2);
	check_all();
	story_end();
}

/* A group that is torn again and again is left alone for a while, but not for ever. */
static void large_torn_often(void)
{
	u64 addr = large_addr(O_64), i, n;
	struct vcpu *v;

	huge_begin(1);
	v = machine->vcpu;
	map_large();
	poke(L1, 30, DATA << 12 | P | W);
	for (n = 0; n < 6; n++) {
		for (i = 0; i < 5000; i++) {
			vcpu_exit(v);
			if (use(v, WRITE, addr, 0).tlb->level == 2)
				break;
			/* Faults elsewhere that exit are what the time is counted in. */
			expect(v, READ, true, at(0, 0, 0, 30), FAULT);
			if (i % 64 == 63)
				shvm_mmu_unshadow(&machine->mmu, gfn(L2));
		}
		CHECK(i < 5000, "round %llu: in pieces for ever", n);
		CHECK(n > 1 || !i, "round %llu: in pieces for %llu faults", n, i);
		table_comes(v, 7 + n);
		use_all(v, addr);
		table_goes(v, 7 + n);
		check_all();
	}
	CHECK(i > 64, "no rest: %llu", i);
	/* Whole for a long time: as if it had never been torn. */
	shvm_mmu_zap_all(&machine->mmu);
	for (i = 0; i < 5000; i++)
		expect(v, READ, true, at(0, 0, 0, 30), FAULT);
	expect_level(v, WRITE, addr, 2);
	for (i = 0; i < 9000; i++)
		expect(v, READ, true, at(0, 0, 0, 30), FAULT);
	table_comes(v, 7);
	expect_level(v, WRITE, addr, 1);
	table_goes(v, 7);
	expect_level(v, WRITE, addr, 2);
	story_end();
}

/* The module's own audit sees what is wrong with a large leaf and its group. */
static void large_audit(void)
{
	struct shvm_slot *slot;
	struct shvm_large *large;
	struct shvm_sp *sp;
	u64 *spte, good;

	huge_begin(1);
	map_large();
	expect_level(machine->vcpu, WRITE, large_addr(O_64), 2);
	slot = shvm_slots_find(machine->mmu.slots, gfn(LARGE));
	large = slot_large(slot, gfn(LARGE), 2);
	spte = shvm_chain_first(large->head);
	sp = shvm_arch_table_owner(shvm_arch_table_hpa(spte));
	good = *spte;
	CHECK(sp->gfn.v == L2 && !shvm_mmu_audit(&machine->mmu), "audit");
	*spte = good & ~PS;
	CHECK(shvm_mmu_audit(&machine->mmu), "a large leaf without its bit");
	*spte = good ^ 1ULL << 21;
	CHECK(shvm_mmu_audit(&machine->mmu), "a large leaf of another host frame");
	*spte = good;
	sp->gfns[4] += BLOCK;
	CHECK(shvm_mmu_audit(&machine->mmu), "a large leaf of another guest frame");
	sp->gfns[4] -= BLOCK;
	large->tracked++;
	CHECK(shvm_mmu_audit(&machine->mmu), "a group without a table that counts one");
	large->tracked--;
	machine->huge[LARGE_BLOCK] = false;
	CHECK(shvm_mmu_audit(&machine->mmu), "a large leaf over small host pages");
	machine->huge[LARGE_BLOCK] = true;
	CHECK(!shvm_mmu_audit(&machine->mmu), "audit");
	story_end();
}

/* The host makes small pages huge, and the reverse, under mappings of all formats. */
static void host_collapses_and_splits(void)
{
	enum oracle_format format;
	struct vcpu *v;
	u64 addr, n;

	for (format = O_OFF; format < O_NR_FORMATS; format++) {
		large_begin(2);
		v = machine->vcpu;
		map_large();
		story_format(v, format);
		story_format(v + 1, format);
		addr = large_addr(format);
		for (n = 0; n < 3; n++) {
			expect_level(v, WRITE, addr, 1);
			use_all(v + 1, addr);
			check_all();
			CHECK(host_collapse(LARGE_BLOCK), "collapse");
			expect_level(v, WRITE, addr + 0x9000, 2);
			use_all(v, addr);
			use_all(v + 1, addr);
			check_all();
			CHECK(host_migrate_block(LARGE_BLOCK), "migrate");
			use_all(v + 1, addr);
			expect_level(v, WRITE, addr, 2);
			CHECK(host_protect_block(LARGE_BLOCK), "protect");
			expect_level(v, READ, addr, 2);
			use_all(v, addr);
			CHECK(host_split(LARGE_BLOCK) || n == 1, "split");
			check_all();
		}
		story_end();
	}
}

/* ---- where a slot ends, and how it is aligned ---- */

static void slot_edges(void)
{
	/* Base, pages, page of the VMM's memory; which of six groups from LARGE on are large. */
	static const struct {
		u64 base, npages, first;
		u8 large;
	} slots[] = {
		{ LARGE + 1, 4 * BLOCK, 2 * BLOCK + 1, 0x0e },
		{ LARGE + BLOCK - 1, 2 * BLOCK + 2, 2 * BLOCK - 1, 0x06 },
		{ LARGE, 2 * BLOCK - 1, 2 * BLOCK, 0x01 },
		{ LARGE, 2 * BLOCK + 1, 2 * BLOCK, 0x03 },
		{ LARGE, BLOCK - 1, 2 * BLOCK, 0 },
		{ LARGE + 256, BLOCK, 2 * BLOCK + 256, 0 },
		{ LARGE + 256, BLOCK, 2 * BLOCK, 0 },
		{ LARGE, 2 * BLOCK, 2 * BLOCK + 1, 0 },
		{ LARGE, 2 * BLOCK, 2 * BLOCK + 256, 0 },
		{ LARGE + BLOCK, BLOCK, 2 * BLOCK, 0x02 },
	};
	u64 i, f, g, n, addr;
	struct vcpu *v;
	bool large;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		story_begin(2);
		v = machine->vcpu;
		for (n = 0; n < 6; n++)
			fill_block(1 + n, n * BLOCK);
		CHECK(!slot_add(LARGE_SLOT, slots[i].base, slots[i].npages, slots[i].first, false),
		      "slot");
		for (n = 1; n < NR_BLOCKS; n++)
			host_collapse(n);
		poke(L3, 1, PS | ALL);
		for (g = 0; g < 6; g++)
			poke(L2, 4 + g, (LARGE + g * BLOCK) << 12 | PS | ALL);
		for (n = 0; n < 2; n++) {
			for (g = 0; g < 6; g++)
				for (f = 0; f < BLOCK; f += f < 2 || f > BLOCK - 3 ? 1 : 51) {
					addr = n ? at(0, 1, LARGE / BLOCK + g, f) :
						   at(0, 0, 4 + g, f);
					large = slots[i].large >> g & 1;
					if (page_of(LARGE + g * BLOCK + f) < 0)
						expect(v, READ, false, addr, MMIO);
					else
						expect_level(v, f & 1 ? READ : WRITE, addr,
							     large ? 2 : 1);
					use(&v[1], READ, addr + 8, f << 7);
				}
			check_all();
			host_age(0, HVA_PAGES, n);
		}
		host_split(3);
		host_migrate(3 * BLOCK + 7);
		check_all();
		CHECK(!slot_delete(LARGE_SLOT), "slot");
		check_all();
		story_end();
	}
}

/* Two slots share a block, which goes on as if there were no border. */
static void block_of_two_slots(void)
{
	struct vcpu *v;
	u64 f;

	story_begin(1);
	v = machine->vcpu;
	fill_block(LARGE_BLOCK, LARGE);
	CHECK(host_collapse(LARGE_BLOCK), "collapse");
	CHECK(!slot_add(LARGE_SLOT, LARGE, 200, LARGE_PAGE, false), "slot");
	CHECK(!slot_add(4, LARGE + 200, 312, LARGE_PAGE + 200, false), "slot");
	poke(L2, 4, LARGE << 12 | PS | ALL);
	for (f = 190; f < 210; f++)
		expect_level(v, WRITE, at(0, 0, 4, f), 1);
	CHECK(!slot_delete(4) && !slot_delete(LARGE_SLOT), "slots");
	CHECK(!slot_add(LARGE_SLOT, LARGE, BLOCK, LARGE_PAGE, false), "slot");
	expect_level(v, WRITE, at(0, 0, 4, 200), 2);
	CHECK(!slot_move(LARGE_SLOT, LARGE + 1), "slot");
	expect(v, READ, false, at(0, 0, 4, 0), MMIO);
	expect_level(v, WRITE, at(0, 0, 4, 200), 1);
	story_end();
}

/* ---- rights ---- */

/* 4.4: one large frame behind a clean and a dirty entry, and behind entries of other rights. */
static void large_aliases(void)
{
	static const u64 rights[] = {
		ALL, ALL | D | A, P | W | D, P | U, ALL | NX | D, P | W, P | U | D | NX, P | D,
	};
	u32 i, order, n = ARRAY_SIZE(rights);
	struct vcpu *v;

	for (order = 0; order < 24; order++) {
		huge_begin(1);
		v = machine->vcpu;
		if (order & 1)
			set_bit_of(v, X86_CR0_WP, 0, 0);
		if (order & 2)
			set_bit_of(v, 0, X86_CR4_SMEP | X86_CR4_SMAP, 0);
		for (i = 0; i < n; i++) {
			poke(L2, 10 + i, LARGE << 12 | PS | rights[i]);
			poke(L3, 10 + i, PS | rights[i]);
		}
		for (i = 0; i < 2 * n; i++) {
			u64 nth = 10 + (i * (1 + order / 8 * 2) + order) % n;

			act(v, READ, false, at(0, 0, nth, 1));
			act(v, WRITE, order & 4, at(0, 0, 10 + (nth + order) % n, 1));
			try_all(v, at(0, 0, nth, 2), order);
			try_all(v, at(0, nth, LARGE / BLOCK, 2), order + i);
			if (i == n)
				set_bit_of(v, X86_CR0_WP, 0, 0);
		}
		check_all();
		story_end();
	}
}

/* The first store sets D, exactly then, and only of the entry that it went through. */
static void large_clean_and_dirty(void)
{
	struct vcpu *v;
	int wp;

	for (wp = 0; wp < 2; wp++) {
		huge_begin(1);
		v = machine->vcpu;
		if (!wp)
			set_bit_of(v, X86_CR0_WP, 0, 0);
		poke(L2, 4, LARGE << 12 | PS | ALL);
		poke(L2, 5, LARGE << 12 | PS | ALL | A | D);
		expect_level(v, READ, at(0, 0, 4, 1), 2);
		expect_level(v, WRITE, at(0, 0, 5, 1), 2);
		expect_level(v, READ, at(0, 0, 4, 1), 2);
		CHECK(!(entry_of(L2, 4) & D), "D without a store");
		expect_level(v, WRITE, at(0, 0, 4, 2), 2);
		CHECK(entry_of(L2, 4) & D, "no D");
		/* The guest clears it, and wants to see it again. */
		store(v, L2, 4, LARGE << 12 | PS | ALL | A);
		vcpu_invlpg(v, at(0, 0, 4, 0));
		expect_level(v, READ, at(0, 0, 4, 3), 2);
		CHECK(!(entry_of(L2, 4) & D), "D without a store");
		expect_level(v, WRITE, at(0, 0, 4, 3), 2);
		CHECK(entry_of(L2, 4) & D, "no D");
		check_all();
		story_end();
	}
}

/* Memory that the guest must not write, as a whole: the slot's doing, and the host's. */
static void large_readonly(void)
{
	struct vcpu *v;

	huge_begin(1);
	v = machine->vcpu;
	map_large();
	CHECK(host_protect_block(LARGE_BLOCK) && host_protect_block(LARGE_BLOCK + 1), "protect");
	expect_level(v, READ, at(0, 0, 4, 3), 2);
	expect_level(v, READ, at(0, 0, 5, 3), 2);
	/* Once the host makes all of it writable, once it copies a page. */
	expect_level(v, WRITE, at(0, 0, 4, 3), 2);
	expect_level(v, WRITE, at(0, 0, 5, 3), 1);
	CHECK(!slot_delete(LARGE_SLOT), "slot");
	CHECK(!slot_add(LARGE_SLOT, LARGE, BLOCK, LARGE_PAGE, true), "slot");
	expect_level(v, READ, at(0, 0, 4, 3), 2);
	expect(v, WRITE, false, at(0, 0, 4, 3), MMIO);
	expect_level(v, FETCH, at(0, 0, 4, 4), 2);
	check_all();
	story_end();
}

/* ---- ageing ---- */

static void expect_age(u64 first, u64 n, u32 young)
{
	u32 is = host_age(first, n, false);

	CHECK(!!is == !!young, "%u are young, must be %u", is, young);
	is = host_age(first, n, true);
	CHECK(is == young, "%u are young, must be %u", is, young);
	is = host_age(first, n, true);
	CHECK(!is, "%u are young again", is);
}

static void large_ages(void)
{
	u64 addr = large_addr(O_64);
	struct vcpu *v;

	huge_begin(1);
	v = machine->vcpu;
	map_large();
	host_age(0, HVA_PAGES, true);
	expect_level(v, WRITE, addr, 2);
	expect_age(LARGE_PAGE, BLOCK, 1);
	/* Through any page of it, of any page of it. */
	expect_level(v, READ, addr + 0x8000, 2);
	expect_age(LARGE_PAGE + 77, 1, 1);
	/* It may have been any page, so the others will be asked for, too. */
	expect_age(LARGE_PAGE, BLOCK, BLOCK - 1);
	expect_level(v, READ, addr + 0x8000, 2);
	expect_level(v, READ, addr + 0x208000, 2);
	expect_age(LARGE_PAGE + 500, 30, 2);
	expect_age(LARGE_PAGE, 500, 500);
	expect_age(LARGE_PAGE + 530, 2 * BLOCK - 530, 2 * BLOCK - 530);
	/* What is gone was used all the same. */
	expect_level(v, READ, addr + 0x8000, 2);
	CHECK(host_split(LARGE_BLOCK), "split");
	expect_age(LARGE_PAGE, BLOCK, 1);
	expect_level(v, READ, addr + 0x8000, 1);
	host_age(LARGE_PAGE, BLOCK, true);
	CHECK(host_collapse(LARGE_BLOCK), "collapse");
	expect_level(v, READ, addr + 0x8000, 2);
	host_age(LARGE_PAGE, BLOCK, true);
	expect_level(v, READ, addr + 0x8000, 2);
	shvm_mmu_zap_all(&machine->mmu);
	expect_age(LARGE_PAGE, BLOCK, 1);
	expect_level(v, READ, addr + 0x8000, 2);
	table_comes(v, 3);
	expect_age(LARGE_PAGE, BLOCK, 1);
	/* A store by the guest to the entry drops it. */
	table_goes(v, 3);
	expect_level(v, READ, addr, 2);
	store(v, L2, 4, 0);
	expect_age(LARGE_PAGE, BLOCK, 1);
	story_end();
}

/* ---- limits ---- */

/* 10.5: more large mappings of a group than a chain holds; then these go, in every way. */
static void large_chain(void)
{
	struct vcpu *v;
	u64 i, t, round;

	huge_begin(1);
	v = machine->vcpu;
	for (t = 0; t < 3; t++) {
		poke(L3, 10 + t, (100 + t) << 12 | ALL);
		for (i = 0; i < BLOCK; i++)
			poke(100 + t, i, LARGE << 12 | PS | ALL);
	}
	for (round = 0; round < 4; round++) {
		for (t = 0; t < 3; t++)
			for (i = 0; i < BLOCK; i++)
				use(v, i & 1 ? READ : WRITE, at(0, 10 + t, i, i), 0);
		check_all();
		CHECK(large_leaves() <= SHVM_CHAIN_MAX && large_leaves() > BLOCK - 1,
		      "%u large leaves", large_leaves());
		if (round == 0)
			CHECK(host_migrate_block(LARGE_BLOCK), "migrate");
		if (round == 1)
			table_comes(v, 3);
		if (round == 1)
			table_goes(v, 3);
		if (round == 2)
			shvm_mmu_zap_all(&machine->mmu);
		CHECK(round == 3 || !large_leaves(), "round %llu: %u large leaves", round,
		      large_leaves());
		check_all();
	}
	story_end();
}

/* As many tables as the budget allows lead to large pages, in all formats side by side. */
static void large_budget(void)
{
	static const enum oracle_format formats[] = { O_64, O_PAE, O_32, O_OFF };
	struct vcpu *v;
	u64 i, n;

	huge_begin(4);
	v = machine->vcpu;
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 64), "budget");
	map_large();
	for (i = 0; i < 4; i++)
		story_format(&v[i], formats[i]);
	for (i = 0; i < 40; i++) {
		poke(100 + i, 0, LARGE << 12 | PS | ALL);
		poke(100 + i, 1, (140 + i) << 12 | ALL);
		poke(140 + i, 0, (DATA + i % 24) << 12 | ALL);
		poke(L3, 1 + i, (100 + i) << 12 | ALL);
		poke_32(PD32, 8 + i, LARGE << 12 | PS | ALL);
		poke(PD + i % 4, 8 + i, LARGE << 12 | PS | ALL);
	}
	for (n = 0; n < 4000; n++) {
		i = n / 4 * 7 % 40;
		use(&v[n % 4], n & 8 ? READ : WRITE,
		    n % 4 == 0 ? at(0, 1 + i, n / 4 % 2, 0) :
		    n % 4 == 1 ? i % 4 << 30 | (8 + i) << 21 :
		    n % 4 == 2 ? at_32(8 + i, n % 1024) : (LARGE + n % 1024) << 12, n << 7);
		CHECK(shvm_sp_count(&machine->mmu) <= shvm_mmu_budget(&machine->mmu),
		      "budget exceeded");
		if (n % 500 == 499)
			check_all();
	}
	CHECK(atomic64_read(&machine->mmu.stats.reclaimed), "nothing was reclaimed");
	story_end();
}

/* ---- 1 GiB ---- */

/* The guest's page of 1 GiB over blocks of 2 MiB, small pages, nothing, and all of these again. */
static void giant_over_blocks(void)
{
	u64 addr = at(0, 1, LARGE / BLOCK, 0), i;
	struct vcpu *v;

	huge_begin(2);
	v = machine->vcpu;
	poke(L3, 1, PS | ALL);
	poke(L3, 2, PS | P | U);
	for (i = 0; i < 3; i++) {
		expect_level(v, READ, addr, 2);
		CHECK(i || !(entry_of(L3, 1) & D), "D without a store");
		expect_level(v, WRITE, addr + 0x200000, 2);
		expect_level(v, WRITE, at(0, 1, 0, DATA), 1);
		expect(v, READ, false, at(0, 1, 0, 300), MMIO);
		expect_level(v, READ, at(0, 2, LARGE / BLOCK, 3), 2);
		expect(v, WRITE, false, at(0, 2, LARGE / BLOCK, 3), FAULT);
		use_all(v + 1, addr);
		check_all();
		if (i == 0)
			host_migrate(LARGE_PAGE + 3);
		expect_level(v, READ, addr, i == 0 ? 1 : 2);
		use_all(v + 1, addr);
		host_collapse(LARGE_BLOCK);
		table_comes(v, 9);
		expect_level(v, READ, addr, 1);
		expect_level(v, READ, addr + 0x200000, 2);
		use_all(v + 1, addr);
		table_goes(v, 9);
		if (i == 1)
			store(v, L3, 1, OTHER << 12 | ALL);
		act(v, READ, false, addr);
		if (i == 1)
			store(v, L3, 1, PS | ALL | D);
		check_all();
		if (i == 2)
			break;
		/* Enough faults for a group that was torn. */
		shvm_mmu_zap_all(&machine->mmu);
	}
	story_end();
}

/* A page of 1 GiB that the host has as one, and then as 512, and then not. */
static void giant_page(void)
{
	u64 addr = at(0, 2, 0, 0), i, f;
	struct vcpu *v;

	machine_has_giant = true;
	story_begin(2);
	v = machine->vcpu;
	CHECK(!slot_add(LARGE_SLOT, GIANT, GIANT_PAGES, GIANT_PAGE, false), "slot");
	host_map_giant(3);
	for (i = 0; i < 40; i++) {
		f = GIANT + i * 6661;
		host_poke(page_of(f), 8, &f, 8);
	}
	poke(L3, 2, GIANT << 12 | PS | ALL);
	poke(L2, 8, GIANT << 12 | PS | ALL);
	expect_level(v, READ, addr, 3);
	CHECK(use(&v[1], WRITE, addr + 8, 0).exits == 1, "exits");
	for (i = 0; i < 40; i++) {
		expect_no_exit(&v[1], READ, addr + (i * 6661 << 12) + 8);
		expect_no_exit(&v[1], WRITE, addr + (i * 6661 << 12) + 16);
	}
	CHECK(large_leaves() == 1, "%u large leaves", large_leaves());
	/* A page of 2 MiB in it. */
	expect_level(v, READ, at(0, 0, 8, 7), 2);
	check_all();
	CHECK(host_age(GIANT_PAGE, GIANT_PAGES, true) == 2, "age");
	CHECK(!host_age(GIANT_PAGE, GIANT_PAGES, true), "age");
	/* A table in it: all but its 2 MiB stay of that size. */
	store(v, GIANT + 6661, 3, (DATA + 3) << 12 | ALL);
	store(v, L2, 9, (GIANT + 6661) << 12 | ALL);
	expect(v, WRITE, false, at(0, 0, 9, 3), DONE);
	for (i = 0; i < 40; i++) {
		expect_level(v, i & 1 ? READ : WRITE, addr + (i * 6661 << 12) + 8,
			     i * 6661 / BLOCK == 13 ? 1 : 2);
		use(&v[1], i & 1 ? READ : WRITE, addr + (i * 6661 << 12) + 8, i << 7);
	}
	check_all();
	store(v, L2, 9, 0);
	shvm_mmu_unshadow(&machine->mmu, gfn(GIANT + 6661));
	expect_level(v, WRITE, addr + (6661 << 12), 3);
	host_map_giant(2);
	expect_level(v, WRITE, addr + (6661 << 12), 2);
	check_all();
	host_map_giant(3);
	expect_level(v, WRITE, addr + (6661 << 12), 3);
	/* The guest makes it a table, while the other vCPU has parts of it. */
	use(&v[1], READ, addr + 0x1000, RND_PARTS);
	store(v, L3, 2, L2 << 12 | ALL);
	use(&v[1], READ, addr + 0x2000, RND_PARTS);
	expect_level(v, READ, at(0, 2, 8, 7), 2);
	use(&v[1], READ, at(0, 2, 8, 8), 0);
	store(v, L3, 2, GIANT << 12 | PS | ALL);
	use(&v[1], READ, at(0, 2, 8, 9), RND_PARTS);
	use(v, READ, at(0, 2, 8, 9), 0);
	use(&v[1], READ, at(0, 2, 8, 10), 0);
	check_all();
	/* Paging off: the host's tables end at 2 MiB. */
	story_format(v, O_OFF);
	expect_level(v, WRITE, GIANT << 12, 2);
	/* Not all of it is the guest's. */
	CHECK(!slot_delete(LARGE_SLOT), "slot");
	CHECK(!slot_add(LARGE_SLOT, GIANT + BLOCK, GIANT_PAGES - BLOCK, GIANT_PAGE + BLOCK, false),
	      "slot");
	story_format(v, O_64);
	expect(v, READ, false, addr, MMIO);
	expect_level(v, WRITE, addr + (6661 << 12), 2);
	host_map_giant(0);
	expect(v, READ, false, addr + (6661 << 12), USER);
	story_end();
}

/* ---- all of it goes ---- */

static void large_goes(void)
{
	enum oracle_format format;
	struct vcpu *v;
	u32 n;

	for (format = O_OFF; format < O_NR_FORMATS; format++)
		for (n = 0; n < 5; n++) {
			huge_begin(2);
			v = machine->vcpu;
			map_large();
			story_format(v, format);
			story_format(v + 1, format);
			use(v, WRITE, large_addr(format), 0);
			use(v + 1, READ, large_addr(format) + 0x1000, RND_PARTS);
			CHECK(large_leaves(), "no large leaves");
			if (n == 0)
				shvm_mmu_zap_all(&machine->mmu);
			if (n == 1)
				host_drop_block(LARGE_BLOCK);
			if (n == 2)
				CHECK(!slot_delete(LARGE_SLOT), "slot");
			if (n == 3)
				CHECK(!slot_move(LARGE_SLOT, LARGE + BLOCK), "slot");
			if (n == 4)
				host_drop(LARGE_PAGE + 511);
			CHECK(!large_leaves(), "%u large leaves", large_leaves());
			check_tlbs();
			use(v, WRITE, large_addr(format), 0);
			use(v + 1, READ, large_addr(format) + 0x1000, 0);
			check_all();
			story_end();
		}
}

static const struct directed stories[] = {
	{ "large-by-one-fault", large_by_one_fault },
	{ "large-at-first-touch", large_at_first_touch },
	{ "large-with-table-inside", large_with_table_inside },
	{ "large-with-tables-inside", large_with_tables_inside },
	{ "large-torn-often", large_torn_often },
	{ "large-audit", large_audit },
	{ "host-collapses-and-splits", host_collapses_and_splits },
	{ "slot-edges", slot_edges },
	{ "block-of-two-slots", block_of_two_slots },
	{ "large-aliases", large_aliases },
	{ "large-clean-and-dirty", large_clean_and_dirty },
	{ "large-readonly", large_readonly },
	{ "large-ages", large_ages },
	{ "large-chain", large_chain },
	{ "large-budget", large_budget },
	{ "giant-over-blocks", giant_over_blocks },
	{ "giant-page", giant_page },
	{ "large-goes", large_goes },
};

const struct directed_set large_tests = { stories, ARRAY_SIZE(stories) };
