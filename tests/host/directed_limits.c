// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories at the limits: chains of mappings and of parents, the least budget.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "story.h"

/* 10.5: a frame at more addresses than a chain holds; then a table, aged, moved, deleted. */
static void long_chain(void)
{
	struct vcpu *v;
	u64 i, t;

	story_begin(1);
	v = machine->vcpu;
	for (t = 0; t < 4; t++) {
		poke(L2, 10 + t, (100 + t) << 12 | ALL);
		for (i = 0; i < 512; i++)
			poke(100 + t, i, DATA << 12 | ALL);
	}
	for (t = 0; t < 4; t++)
		for (i = 0; i < 512; i++)
			act(v, i & 1 ? READ : WRITE, false, at(0, 0, 10 + t, i));
	check_all();
	host_age(0, 192, true);
	host_write_protect(page_of(DATA));
	act(v, WRITE, false, at(0, 0, 10, 0));
	for (i = 0; i < 512; i++)
		act(v, READ, false, at(0, 0, 11, i));
	poke(DATA, 0, 0);
	store(v, L2, 9, DATA << 12 | ALL);
	act(v, READ, false, at(0, 0, 9, 0));
	act(v, WRITE, false, at(0, 0, 10, 7));
	check_all();
	story_end();
}

/* Entries of chains that were passed, at most, to find the SPTEs that went one by one. */
static __thread u64 passed;

void __real_shvm_rmap_remove(struct shvm_tlb *tlb, unsigned long *head, struct shvm_age *age,
			     u64 *sptep);
void __wrap_shvm_rmap_remove(struct shvm_tlb *tlb, unsigned long *head, struct shvm_age *age,
			     u64 *sptep);

void __wrap_shvm_rmap_remove(struct shvm_tlb *tlb, unsigned long *head, struct shvm_age *age,
			     u64 *sptep)
{
	passed += shvm_chain_count(READ_ONCE(*head));
	__real_shvm_rmap_remove(tlb, head, age, sptep);
}

/*
 * 10.5: a slot goes while one of its frames, or one of another slot, is mapped n times. The work
 * grows as n does, not as its square.
 */
static void drop_slot_of_chain(u64 f, u64 n)
{
	u64 i, chain;

	story_begin(1);
	CHECK(!slot_add(3, 0x7fd, 30, 1100, false), "slot");
	for (i = 0; i < 1024; i++)
		poke(100 + i / 512, i % 512, f << 12 | ALL);
	poke(L2, 10, 100 << 12 | ALL);
	poke(L2, 11, 101 << 12 | ALL);
	for (i = 0; i < n; i++)
		expect(machine->vcpu, READ, false, at(0, 0, 10 + i / 512, i % 512), DONE);
	chain = shvm_chain_count(*slot_rmap_head(shvm_slots_find(machine->mmu.slots, gfn(f)),
						 gfn(f)));
	CHECK(chain >= n, "%llu mappings, not %llu", chain, n);
	passed = 0;
	CHECK(!slot_delete(3), "slot");
	CHECK(passed <= (chain + 64) * SHVM_CHAIN_LONG, "%llu mappings: %llu entries passed", chain,
	      passed);
	check_all();
	if (f == DATA)
		expect(machine->vcpu, WRITE, false, at(0, 0, 10, 0), DONE);
	story_end();
}

static void zap_of_long_chain(void)
{
	const u64 frames[] = { DATA, 0x7ff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		drop_slot_of_chain(frames[i], SHVM_CHAIN_LONG);
		drop_slot_of_chain(frames[i], SHVM_CHAIN_LONG + 1);
		drop_slot_of_chain(frames[i], SHVM_CHAIN_MAX);
	}
}

/* 10.1, 10.2: three vCPUs, many roots and tables, the least budget. */
static void least_budget(void)
{
	struct vcpu *v;
	u64 i, n;

	story_begin(3);
	v = machine->vcpu;
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 64), "64 pages");
	for (i = 0; i < 30; i++) {
		poke(100 + i, 0, (ROOT + 1) << 12 | ALL);
		poke(100 + i, 1, (100 + (i + 1) % 30) << 12 | ALL);
		poke(100 + i, 2, (100 + (i + 7) % 30) << 12 | ALL);
		poke(100 + i, 3, (DATA + i) << 12 | ALL);
	}
	for (n = 0; n < 3000; n++) {
		i = n * 7919 % 30;
		if (!(n % 5))
			vcpu_load_cr3(&v[n % 3], (100 + i) << 12);
		act(&v[n % 3], n & 1 ? READ : WRITE, false,
		    at(n % 4, n / 4 % 4, n / 16 % 4, n / 64 % 4));
		CHECK(shvm_sp_count(&machine->mmu) <= 64, "budget exceeded");
		if (!(n % 50))
			check_all();
	}
	set_bit_of(&v[0], X86_CR0_PG, 0, EFER_LMA);
	for (n = 0; n < 600; n++)
		act(&v[n % 3], WRITE, false,
		    n % 3 ? at(n % 4, 0, n / 4 % 4, 3) : (u64)(n % 192) << 12);
	story_end();
}

/* The same for guests outside long mode, whose roots are four tables each. */
static void least_budget_pae(void)
{
	enum oracle_format format;
	struct vcpu *v;
	u64 i, n, cr3;

	story_begin(4);
	v = machine->vcpu;
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 64), "64 pages");
	for (i = 0; i < 32; i++) {
		poke(PDPT, 4 * i, (100 + i) << 12 | P);
		poke(PDPT, 4 * i + 1, (100 + (i + 5) % 32) << 12 | P);
		poke(PDPT, 4 * i + 3, (100 + (i + 9) % 32) << 12 | (i & 1));
		poke(100 + i, 0, L1 << 12 | ALL);
		poke(100 + i, 1, (100 + (i + 1) % 32) << 12 | ALL);
		poke(100 + i, 2, (100 + (i + 7) % 32) << 12 | ALL);
		poke(100 + i, 128, (DATA + i) << 12 | ALL);
	}
	for (n = 0; n < 4000; n++) {
		i = n * 7919 % 32;
		if (!(n % 6)) {
			struct shvm_paging p = oracle_paging(format = O_32 + n / 6 % 3);

			cr3 = format == O_PAE ? PDPT << 12 | i * 32 : (100 + i) << 12;
			CHECK(!vcpu_set_registers(&v[n % 4], &p, cr3), "registers");
		}
		act(&v[n % 4], n & 1 ? READ : WRITE, false,
		    (n % 4) << 30 | (n / 4 % 4) << 21 | (n / 16 % 4) << 12);
		CHECK(shvm_sp_count(&machine->mmu) <= 64, "budget exceeded");
		if (!(n % 50))
			check_all();
	}
	story_end();
}

/* More entries lead to a table than a chain may hold: it goes, and comes back by faults. */
static void crowded_table(void)
{
	struct vcpu *v;
	u64 i, t, round;

	story_begin(2);
	v = machine->vcpu;
	for (t = 0; t < 4; t++) {
		poke(L3, 10 + t, (100 + t) << 12 | ALL);
		for (i = 0; i < 512; i++)
			poke(100 + t, i, L1 << 12 | ALL);
	}
	for (round = 0; round < 2; round++) {
		for (t = 0; t < 4; t++)
			for (i = 0; i < 512; i++)
				expect(&v[round], i & 1 ? READ : WRITE, false,
				       at(0, 10 + t, i, i % 8), DONE);
		check_all();
	}
	store(v, L1, 3, (DATA + 20) << 12 | ALL);
	vcpu_invlpg(v, 0);
	expect(v, READ, false, at(0, 13, 511, 3), DONE);
	story_end();
}

/* The same for a two-level root that leads to itself from many entries, and from other roots. */
static void crowded_root(void)
{
	struct vcpu *v;
	u32 i, t;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_32);
	for (t = 0; t < 3; t++)
		for (i = 1; i < 1024; i++)
			poke_32(t ? 100 + t : PD32, i, PD32 << 12 | ALL);
	for (t = 0; t < 3; t++) {
		vcpu_load_cr3(v, (t ? 100 + t : PD32) << 12);
		for (i = 1; i < 1024; i++)
			expect(v, READ, false, at_32(i, i % 1024), DONE);
		check_all();
	}
	vcpu_load_cr3(v, PD32 << 12);
	expect(v, WRITE, false, at_32(0, 3), DONE);
	story_end();
}

static const struct directed stories[] = {
	{ "long-chain", long_chain },
	{ "zap-of-long-chain", zap_of_long_chain },
	{ "least-budget", least_budget },
	{ "least-budget-pae", least_budget_pae },
	{ "crowded-table", crowded_table },
	{ "crowded-root", crowded_root },
};

const struct directed_set limit_tests = { stories, ARRAY_SIZE(stories) };
