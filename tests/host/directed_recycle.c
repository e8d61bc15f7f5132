// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about what is given up first when shadow pages are few.
 */
#include "story.h"

#define TABLES		100	/* frames for many tables */
#define NR_PROCESSES	20
#define NR_HOT		4
#define NR_LEAF		60
#define NR_HOT_LEAF	6

static bool is_shadowed(u64 table)
{
	struct shvm_sp *sp;

	hlist_for_each_entry_rcu(sp, shvm_sp_bucket(&machine->mmu, gfn(table)), hash)
		if (sp->gfn.v == table && !sp->role.direct)
			return true;
	return false;
}

static void budget(u64 pages)
{
	CHECK(!shvm_mmu_set_budget(&machine->mmu, pages), "budget");
	CHECK(shvm_mmu_budget(&machine->mmu) == pages, "it is another one");
}

static void run_process(struct vcpu *v, u64 i)
{
	vcpu_load_cr3(v, (TABLES + i) << 12);
	expect(v, i & 1 ? READ : WRITE, false, at(0, 0, 0, i % 8), DONE);
}

/* Processes that run often, and others in turn: how often one of the former has lost its root. */
static u64 roots_lost(void)
{
	u64 i, n, lost = 0;
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	budget(24);
	for (i = 0; i < NR_PROCESSES; i++) {
		poke(TABLES + i, 0, (TABLES + NR_PROCESSES + i) << 12 | ALL);
		poke(TABLES + NR_PROCESSES + i, 0, (u64)L2 << 12 | ALL);
	}
	for (n = 0; n < 300; n++) {
		i = n % 2 ? n / 2 % NR_HOT : NR_HOT + n / 2 % (NR_PROCESSES - NR_HOT);
		if (n > 4 * NR_HOT && n % 2)
			lost += !is_shadowed(TABLES + i);
		run_process(v, i);
		CHECK(shvm_sp_count(&machine->mmu) <= 24, "budget exceeded");
	}
	CHECK(atomic64_read(&machine->mmu.stats.reclaimed) > 100, "little was recycled");
	story_end();
	return lost;
}

static void least_recently_loaded(void)
{
	u64 lost = roots_lost();

	CHECK(!lost, "roots in frequent use went %llu times", lost);
	shvm_mmu_fifo = true;
	lost = roots_lost();
	shvm_mmu_fifo = false;
	CHECK(lost > 10, "first in, first out: they went only %llu times", lost);
}

/* One address space, whose root stays loaded: by A, which only the hardware sets. */
static void second_chance(void)
{
	struct vcpu *v;
	u64 i, n;

	story_begin(1);
	v = machine->vcpu;
	budget(32);
	for (i = 0; i < NR_LEAF; i++) {
		poke(L2, i, (TABLES + i) << 12 | ALL);
		poke(TABLES + i, 0, (DATA + i % 20) << 12 | ALL);
	}
	for (n = 0; n < 400; n++) {
		i = n % 2 ? n / 2 % NR_HOT_LEAF :
			    NR_HOT_LEAF + n / 2 % (NR_LEAF - NR_HOT_LEAF);
		/* The first time that A is looked at it tells nothing. */
		if (n > 100 && n % 2)
			CHECK(is_shadowed(TABLES + i), "a table in use went");
		CHECK(!n || (is_shadowed(L2) && is_shadowed(L3)), "a table above them went");
		expect(v, n & 2 ? READ : WRITE, false, at(0, 0, i, 0), DONE);
		/* The next use is seen by A alone. */
		vcpu_exit(v);
		CHECK(shvm_sp_count(&machine->mmu) <= 32, "budget exceeded");
	}
	story_end();
}

/* As many flushes as rounds; and what only roots in use hold cannot go. */
static void one_flush_for_many(void)
{
	s64 flushes, gone;
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < NR_LEAF; i++) {
		poke(L2, i, (TABLES + i) << 12 | ALL);
		poke(TABLES + i, 0, (DATA + i % 20) << 12 | ALL);
		expect(v, READ, false, at(0, 0, i, 0), DONE);
	}
	flushes = atomic64_read(&machine->mmu.stats.tlb_flushes);
	gone = shvm_sp_count(&machine->mmu);
	budget(1);
	flushes = atomic64_read(&machine->mmu.stats.tlb_flushes) - flushes;
	gone -= shvm_sp_count(&machine->mmu);
	CHECK(gone > NR_LEAF && flushes <= 3, "%lld flushes for %lld pages", flushes, gone);
	CHECK(is_shadowed(ROOT) && shvm_sp_count(&machine->mmu) == 1, "the root in use went");
	budget(5);
	expect(v, READ, false, at(0, 0, 1, 0), DONE);
	expect(v, READ, false, at(0, 0, 2, 0), DONE);
	story_end();
}

static enum outcome_kind starving_access(struct vcpu *v, u64 n)
{
	struct operation op = {
		.a = { .addr = at(0, n % 3, 0, n % 3), .kind = READ }, .len = 8,
	};

	return verified_access(v, &op, true).kind;
}

static void limit(u64 pages)
{
	pages_limit = pages;
}

/* Tables that take each other's place before the instruction is over: that ends. */
static void starve(void (*leave)(u64 pages))
{
	struct vcpu *v;
	u64 n;

	story_begin(1);
	v = machine->vcpu;
	leave(6);
	for (n = 0; n < 3; n++) {
		poke(L3, n, (TABLES + n) << 12 | ALL);
		poke(TABLES + n, 0, (u64)L1 << 12 | ALL);
	}
	for (n = 0; n < 1000; n++) {
		/* All of it is one instruction. */
		v->accesses = 0;
		if (starving_access(v, n) == NOMEM)
			break;
	}
	CHECK(n > 16 && n < 1000, "an instruction without end: %llu faults", n);
	/* Each of them gets on. */
	for (n = 0; n < 1000; n++)
		CHECK(starving_access(v, n) == DONE, "one that gets on was stopped");
	leave(20);
	for (n = 0; n < 1000; n++) {
		v->accesses = 0;
		CHECK(starving_access(v, n) == DONE, "stopped with enough memory");
	}
	story_end();
}

static void starving(void)
{
	starve(budget);
}

/* By the limit of all VMs, which leaves no more than that. */
static void starving_by_limit(void)
{
	starve(limit);
	limit(0);
}

/* ---- for the host, which does not wait ---- */

static u32 gave;

static void *give_all(void *unused)
{
	gave = shvm_mmu_give(&machine->mmu, 1000, false);
	return NULL;
}

/* In a thread of its own, as locks belong to threads. */
static u32 give_meanwhile(void)
{
	pthread_t other;

	CHECK(!pthread_create(&other, NULL, give_all, NULL), "thread");
	pthread_join(other, NULL);
	return gave;
}

static void give_without_waiting(void)
{
	struct vcpu *v;
	u32 pages;
	int i;

	story_begin(3);
	v = machine->vcpu;
	expect(v, WRITE, false, at(0, 0, 0, 0), DONE);
	pages = shvm_sp_count(&machine->mmu);
	CHECK(shvm_mmu_pages_of_all() == pages, "there is one VM");
	for (i = 0; i < 3; i++) {
		shvm_lock_mmu_read(&v[i].mv);
		CHECK(!give_meanwhile(), "vCPU %d has the lock", i);
		shvm_unlock_mmu_read(&v[i].mv);
		CHECK(shvm_trylock_mmu_write(&machine->mmu), "locks were kept");
		shvm_unlock_mmu_write(&machine->mmu);
	}
	shvm_lock_mmu_write(&machine->mmu);
	CHECK(!give_meanwhile(), "somebody has all locks");
	shvm_unlock_mmu_write(&machine->mmu);
	CHECK(give_meanwhile() == pages - 1, "%u of %u pages have gone", gave, pages);
	CHECK(shvm_sp_count(&machine->mmu) == 1 && is_shadowed(ROOT), "the root in use went");
	expect(v, READ, false, at(0, 0, 0, 0), DONE);
	story_end();
}

/*
 * More tables than a round looks at, so that the hand stops among them; then the one that it stops
 * at goes, for the guest has stored to it or because all do.
 */
static void hand_moves_on(void)
{
	struct shvm_sp *sp;
	u32 n, stops = 0;
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < 300; i++) {
		poke(L2, i, (BIG + i) << 12 | ALL);
		poke(BIG + i, 0, (DATA + i % 20) << 12 | ALL);
	}
	for (n = 0; n < 20; n++) {
		for (i = 0; i < 300; i++)
			expect(v, READ, false, at(0, 0, i, 0), DONE);
		CHECK(shvm_mmu_give(&machine->mmu, 1, true), "nothing has gone");
		if (machine->mmu.hand == &machine->mmu.sps[machine->mmu.hand_at].list)
			continue;
		stops++;
		sp = list_entry(machine->mmu.hand, struct shvm_sp, link);
		if (n % 4)
			shvm_mmu_unshadow(&machine->mmu, sp->gfn);
		else
			zap_all(false);
	}
	CHECK(stops > 10, "the hand was among the tables %u times only", stops);
	story_end();
}

static const struct directed stories[] = {
	{ "least-recently-loaded", least_recently_loaded },
	{ "second-chance", second_chance },
	{ "hand-moves-on", hand_moves_on },
	{ "one-flush-for-many", one_flush_for_many },
	{ "starving", starving },
	{ "starving-by-limit", starving_by_limit },
	{ "give-without-waiting", give_without_waiting },
};

const struct directed_set recycle_tests = { stories, ARRAY_SIZE(stories) };
