// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories for classes of bugs that are no races: counts and limits, entries that change their
 * kind, tables that come to be ordinary memory. docs/bug-classes.md names them.
 */
#include <asm/processor-flags.h>

#include "story.h"

/* Former tables are memory as any other: no count of them is left and no store exits. */
static void tables_become_memory(void)
{
	static const u64 former[] = { 100, 101, 102 };
	struct vcpu *v;
	u64 before, i, n;

	story_begin(1);
	v = machine->vcpu;
	for (n = 0; n < 3; n++)
		poke(L1, 40 + n, former[n] << 12 | ALL);
	for (n = 0; n < 3; n++) {
		store(v, 101, 0, 100 << 12 | ALL);
		store(v, 102, 0, 101 << 12 | ALL);
		store(v, 100, 3, (DATA + 3) << 12 | ALL);
		store(v, ROOT, 9, 102 << 12 | ALL);
		store(v, L3, 9, 101 << 12 | ALL);
		expect(v, WRITE, false, at(9, 0, 0, 3), DONE);
		expect(v, READ, false, at(0, 9, 0, 3), DONE);
		store(v, ROOT, 9, 0);
		store(v, L3, 9, 0);
		if (n == 1)
			shvm_mmu_zap_all(&machine->mmu);
		if (n == 2)
			host_migrate(page_of(101));
		/* Some stores are emulated until it is clear that nobody uses the table. */
		for (i = 0; i < 48; i++)
			act(v, WRITE, false, at(0, 0, 0, 40 + i % 3) + 2048);
		before = v->exits;
		for (i = 0; i < 999; i++)
			act(v, WRITE, false, at(0, 0, 0, 40 + i % 3) + 8 * i % 4096);
		CHECK(v->exits == before, "%llu exits by stores to former tables",
		      v->exits - before);
		check_all();
	}
	story_end();
}

/* ---- counts and limits ---- */

static void check_parents(void)
{
	struct shvm_sp *sp;

	shvm_for_each_sp(&machine->mmu, sp)
		CHECK(shvm_chain_count(sp->parents) <= SHVM_CHAIN_MAX, "%u parents",
		      shvm_chain_count(sp->parents));
}

/* One table below more entries than it may have parents; at two levels. */
static void many_parents(void)
{
	struct vcpu *v;
	u64 i, t;

	story_begin(2);
	v = machine->vcpu;
	for (t = 0; t < 3; t++) {
		poke(L3, 10 + t, (100 + t) << 12 | ALL);
		poke(ROOT, 10 + t, (110 + t) << 12 | ALL);
		for (i = 0; i < 512; i++) {
			poke(100 + t, i, L1 << 12 | ALL);
			poke(110 + t, i, L2 << 12 | ALL);
		}
	}
	for (t = 0; t < 3; t++)
		for (i = 0; i < 512; i++) {
			act(&v[i & 1], i & 2 ? READ : WRITE, false, at(0, 10 + t, i, i % 8));
			act(&v[i & 1], READ, false, at(10 + t, i, 0, i % 8));
			check_parents();
		}
	check_all();
	store(v, L1, 2, (DATA + 20) << 12 | ALL);
	store(v, L2, 0, L1 << 12 | P | U);
	for (i = 0; i < 512; i += 37)
		for (t = 0; t < 3; t++) {
			act(v, WRITE, true, at(0, 10 + t, i, 2));
			act(v, WRITE, true, at(10 + t, i, 0, 2));
			act(v, READ, true, at(10 + t, i, 0, 2));
		}
	check_parents();
	story_end();
}

/* A cold fault whose every step wants memory: tables of all levels, a chain at each frame. */
static void fault_that_takes_most(void)
{
	struct vcpu *v;
	u64 i, n;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < 24; i++)
		poke(L1, 40 + i, (BIG + i) << 12 | ALL);
	poke(L3, 1, PS | ALL);
	poke(L3, 2, PS | ALL);
	poke(L2, 1, BIG << 12 | PS | ALL);
	poke(ROOT, 9, L3 << 12 | ALL);
	for (i = 5; i < 7; i++) {
		poke(L3, i, 100 << 12 | ALL);
		poke(100, i, 101 << 12 | ALL);
		poke(101, i, (BIG + i) << 12 | ALL);
	}
	for (n = 0; n < 6; n++) {
		shvm_mmu_zap_all(&machine->mmu);
		for (i = 0; i < 24; i++)
			act(v, READ, false, at(0, 0, 0, 40 + i));
		/* Each table on the second way is there and has another parent, so has the page. */
		act(v, READ, false, at(0, 6, 6, 6));
		act(v, READ, false, at(9, 5, 5, 5));
		if (n & 1)
			act(v, READ, false, at(0, 1, 1, 0));
		if (n == 2)
			set_bit_of(v, X86_CR0_WP, 0, 0);
		act(v, READ, false, at(0, 0, 1, 1 + n));
		act(v, WRITE, false, at(0, 2, 1, 8 + n));
		act(v, WRITE, false, at(0, 1, 1, 16 + n));
		check_all();
	}
	story_end();
}

static void act_in(struct vcpu *v, enum kind what, u64 addr, u64 budget)
{
	struct operation op = { .a = { .addr = addr, .kind = what }, .len = 8 };
	struct outcome out;

	op.data[0] = addr >> 12;
	out = verified_access(v, &op, budget && budget < 64);
	/* Four roots of each of three, one of the fourth, and what a fault may need. */
	CHECK(out.kind != NOMEM || budget < 13 + SHVM_FAULT_SPS, "no memory with %llu", budget);
	CHECK(out.kind != STUCK, "stuck with %llu", budget);
}

/*
 * Every budget, with all formats side by side: from 64 on all of it works; below, it works or says
 * that it does not. Then there is room again.
 */
static void budget_sweep(void)
{
	static const enum oracle_format formats[] = { O_64, O_PAE, O_32, O_OFF };
	u64 budget, n, i;
	struct vcpu *v;

	story_begin(4);
	v = machine->vcpu;
	for (i = 0; i < 4; i++)
		story_format(&v[i], formats[i]);
	for (i = 0; i < 40; i++) {
		poke(100 + i, 0, (100 + (i + 7) % 40) << 12 | ALL);
		poke(100 + i, 1, (DATA + i % 24) << 12 | ALL);
		poke(L3, 1 + i, (100 + i) << 12 | ALL);
		poke(PD + i % 4, 1 + i, (100 + i) << 12 | ALL);
		poke_32(PD32, 1 + i, (100 + i) << 12 | ALL);
	}
	for (budget = 0; budget <= 80; budget++) {
		int err = shvm_mmu_set_budget(&machine->mmu, budget);

		CHECK(!err, "budget %llu: %d", budget, err);
		for (n = 0; n < 480; n++) {
			i = n / 4 % 40;
			act_in(&v[n % 4], n & 8 ? READ : WRITE,
			       n % 4 == 0 ? at(0, 1 + i, n % 2, i % 2) :
			       n % 4 == 1 ? at(0, i % 4, 1 + i, 1) & 0xffffffff :
			       n % 4 == 2 ? at_32(1 + i, 2) : (DATA + i) << 12, budget);
			/* A smaller budget does not take the roots that are loaded. */
			CHECK(shvm_sp_count(&machine->mmu) <=
			      max_t(u64, shvm_mmu_budget(&machine->mmu), 13), "budget exceeded");
		}
		check_all();
	}
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 1000), "budget");
	n = atomic64_read(&machine->mmu.stats.reclaimed);
	for (i = 0; i < 40; i++)
		act(v, WRITE, false, at(0, 1 + i, 0, 1));
	CHECK(atomic64_read(&machine->mmu.stats.reclaimed) == n, "reclaim without need");
	story_end();
}

/* ---- entries that change their kind ---- */

/* Table, large pages and nothing in turn, at two levels, used by two vCPUs. */
static void large_page_toggles(void)
{
	static const u64 kinds[][6] = {
		{ L1 << 12 | ALL, OTHER << 12 | ALL, BIG << 12 | PS | ALL, PS | P | W, 0,
		  BIG << 12 | ALL },
		{ L2 << 12 | ALL, OTHER << 12 | ALL, PS | ALL, 0x40000ULL << 12 | PS | ALL, 0,
		  L1 << 12 | ALL },
	};
	u32 level, from, to, i;
	struct vcpu *v;

	story_begin(2);
	v = machine->vcpu;
	for (i = 0; i < 8; i++) {
		poke(OTHER, i, (DATA + 10 + i) << 12 | ALL);
		poke(BIG, i, (DATA + 20 + i) << 12 | ALL);
	}
	for (level = 0; level < 2; level++)
		for (from = 0; from < 6; from++)
			for (to = 0; to < 6; to++) {
				u64 table = level ? L3 : L2, step = 1ULL << (21 + 9 * level);

				store(v, table, 1, kinds[level][from]);
				for (i = 0; i < 6; i++)
					act(&v[i & 1], i < 3 ? WRITE : READ, i & 2,
					    step + (i << 12));
				vcpu_exit(&v[0]);
				store(&v[0], table, 1, kinds[level][to]);
				/* The other one may have the old page until it flushes. */
				act(&v[1], READ, false, step);
				act(&v[0], WRITE, false, step + 0x1000);
				vcpu_invlpg(&v[1], step);
				for (i = 0; i < 8; i++)
					act(&v[i & 1], i < 4 ? READ : WRITE, i & 2,
					    step + (i << 12));
				check_all();
			}
	story_end();
}

/* A table that can be stored to through another slot: as by the host, unseen, but harmless. */
static void table_behind_an_alias(void)
{
	struct operation op = { .a = { .addr = at(0, 0, 0, 20) + 3 * 8, .kind = WRITE }, .len = 8 };
	struct vcpu *v;
	u64 e, i;

	story_begin(1);
	v = machine->vcpu;
	check_behind = true;
	CHECK(!slot_add(3, 0x900, 128, 0, false), "slot");
	poke(L1, 20, (0x900 + L1) << 12 | ALL);
	for (i = 0; i < 8; i++) {
		touch(v, READ, at(0, 0, 0, 3));
		e = (i & 1 ? DATA + 3 : 0x900 + DATA + 20 + i) << 12 | ALL;
		memcpy(op.data, &e, 8);
		CHECK(vcpu_access(v, &op).kind == DONE, "store");
		vcpu_exit(v);
		check_all();
		/* Faults, as D was not set: another frame than the one that is mapped there. */
		touch(v, WRITE, at(0, 0, 0, 3));
		if (i == 4)
			host_migrate(page_of(DATA + 3));
		if (i == 6)
			CHECK(!slot_delete(3), "slot");
		/* Known to the module again. */
		shvm_mmu_unshadow(&machine->mmu, gfn(L1));
		touch(v, READ, at(0, 0, 0, 3));
		CHECK(entry_of(L1, 3) == (e | A | D), "entry %llx", entry_of(L1, 3));
		store(v, L1, 3, e);
		if (i == 6)
			CHECK(!slot_add(3, 0x900, 128, 0, false), "slot");
	}
	story_end();
}

/* One address: a device in one address space, memory, nothing, or not for users in others. */
static void device_by_address_space(void)
{
	static const u64 entries[] = {
		0x700ULL << 12 | ALL, (DATA + 1) << 12 | ALL, 0, 0x700ULL << 12 | P | W,
		(DATA + 1) << 12 | P | U, 0x701ULL << 12 | P | U,
	};
	u64 round, i, n = ARRAY_SIZE(entries);
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < n; i++) {
		poke(100 + i, 0, (110 + i) << 12 | ALL);
		poke(110 + i, 0, (120 + i) << 12 | ALL);
		poke(120 + i, 0, (130 + i) << 12 | ALL);
		poke(130 + i, 5, entries[i]);
	}
	for (round = 0; round < 4 * n * n; round++) {
		vcpu_load_cr3(v, (100 + round % n) << 12);
		act(v, round & 1 ? WRITE : READ, false, at(0, 0, 0, 5));
		act(v, round & 1 ? READ : WRITE, true, at(0, 0, 0, 5));
		vcpu_load_cr3(v, (100 + round / n % n) << 12);
		act(v, READ, true, at(0, 0, 0, 5));
		act(v, WRITE, false, at(0, 0, 0, 5));
		if (round % n == 3)
			set_bit_of(v, X86_CR0_WP, 0, 0);
	}
	expect(v, READ, true, at(0, 0, 0, 6), FAULT);
	story_end();
}

static const struct directed stories[] = {
	{ "tables-become-memory", tables_become_memory },
	{ "many-parents", many_parents },
	{ "fault-that-takes-most", fault_that_takes_most },
	{ "budget-sweep", budget_sweep },
	{ "large-page-toggles", large_page_toggles },
	{ "table-behind-an-alias", table_behind_an_alias },
	{ "device-by-address-space", device_by_address_space },
};

const struct directed_set class_tests = { stories, ARRAY_SIZE(stories) };
