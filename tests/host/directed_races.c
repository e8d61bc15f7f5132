// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races as stories: the code under test is stopped at a point where it holds nothing that the
 * other side needs, something else happens, and it goes on. The points are calls into the machine,
 * which the linker leads through here (--wrap). docs/bug-classes.md has the classes.
 */
#include "story.h"

enum point {
	NOWHERE,
	AFTER_READ,	/* an entry of a guest table was read by a walk, which is in SRCU */
	AT_MARK,	/* A and D of an entry are about to be set */
	AT_LOOKUP,	/* the host frame of a page is about to be found */
	AFTER_LOOKUP,
	AT_FLUSH,	/* a flush that was promised, nothing is locked */
	AFTER_FLUSH,
	AT_STORE,	/* an emulated store, before memory changes */
	AFTER_STORE,	/* memory has changed, the shadow does not follow yet */
	LOCK_BROKEN,	/* the MMU lock was given back after writing */
};

static struct {
	enum point at;
	u32 skip;		/* passes of the point before it is the right one */
	bool again;		/* at every pass */
	void (*meanwhile)(void);
	u32 stops;
} stop;

static void *run_meanwhile(void *unused)
{
	stop.meanwhile();
	return NULL;
}

/* A thread of its own, as locks belong to threads. */
static void run_other(void)
{
	pthread_t other;

	CHECK(!pthread_create(&other, NULL, run_meanwhile, NULL), "thread");
	pthread_join(other, NULL);
}

static void pass(enum point here)
{
	if (stop.at != here)
		return;
	if (stop.skip) {
		stop.skip--;
		return;
	}
	stop.at = NOWHERE;
	stop.stops++;
	if (verify_now())
		verify_disturb(run_other);
	else
		run_other();
	if (stop.again)
		stop.at = here;
}

static void stop_at(enum point where, u32 skip, void (*meanwhile)(void))
{
	stop = (typeof(stop)){ .at = where, .skip = skip, .meanwhile = meanwhile };
}

int __real_shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len);
int __real_shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len);
int __real_shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len);
int __real_shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out);
void __real_shvm_arch_flush(struct shvm_mmu *mmu);
void __real_write_unlock(rwlock_t *l);
int __wrap_shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len);
int __wrap_shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len);
int __wrap_shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len);
int __wrap_shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out);
void __wrap_shvm_arch_flush(struct shvm_mmu *mmu);
void __wrap_write_unlock(rwlock_t *l);

int __wrap_shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len)
{
	int ret = __real_shvm_arch_read_user_atomic(at, buf, len);

	if (shim_held == 1)	/* SRCU alone */
		pass(AFTER_READ);
	return ret;
}

int __wrap_shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len)
{
	if (!shim_held)
		pass(AT_MARK);
	return __real_shvm_arch_cmpxchg_user_atomic(at, old, new, len);
}

int __wrap_shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len)
{
	int ret;

	pass(AT_STORE);
	ret = __real_shvm_arch_write_user_atomic(at, buf, len);
	pass(AFTER_STORE);
	return ret;
}

int __wrap_shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out)
{
	int ret;

	pass(AT_LOOKUP);
	ret = __real_shvm_arch_host_frame(at, write, out);
	pass(AFTER_LOOKUP);
	return ret;
}

void __wrap_shvm_arch_flush(struct shvm_mmu *mmu)
{
	if (shim_held) {
		__real_shvm_arch_flush(mmu);
		return;
	}
	pass(AT_FLUSH);
	__real_shvm_arch_flush(mmu);
	pass(AFTER_FLUSH);
}

void __wrap_write_unlock(rwlock_t *l)
{
	__real_write_unlock(l);
	if (stop.at == LOCK_BROKEN && l == &machine->mmu.lock)
		pass(LOCK_BROKEN);
}

#define EMULATED	64	/* operation.rnd: trapped stores are emulated, with an own walk */

/* ---- a fault is stopped, and what it has found out is not so any more ---- */

#define NEAR	(BIG + 50)	/* a table in the slot that comes and goes */

#define FRESH	60		/* a page that is written, and then a table */

/* A page, a piece of a large page, a table that is stored to, a page below a new table. */
static const struct target {
	u64 i2, i1, frame;
} targets[] = { { 0, 3, DATA + 3 }, { 1, 3, BIG + 3 }, { 0, 30, NEAR }, { 5, 3, DATA + 3 } };

static u64 target_addr(const struct target *t)
{
	return at(0, 0, t->i2, t->i1);
}

static struct vcpu *second(void)
{
	return &machine->vcpu[1];
}

static u64 target_page;		/* of the VMM's memory */

static void page_drop(void)
{
	host_drop(target_page);
}

static void page_migrate(void)
{
	host_migrate(target_page);
}

static void page_swap(void)
{
	host_swap_out(target_page);
}

static void page_cow(void)
{
	host_write_protect(target_page);
}

static void page_readonly(void)
{
	host_set_vma(target_page, VMA_RO);
}

static void page_gone(void)
{
	host_set_vma(target_page, VMA_NONE);
}

static void table_moves(void)
{
	host_migrate(page_of(L1));
	host_swap_out(page_of(L2));
}

static void table_gone(void)
{
	host_drop(page_of(L1));
}

static void slot_goes(void)
{
	CHECK(!slot_delete(1), "slot");
}

static void slot_replaced(void)
{
	CHECK(!slot_delete(1), "slot");
	CHECK(!slot_add(1, BIG, 600, 1300, false), "slot");
}

static void slot_moves(void)
{
	CHECK(!slot_move(1, BIG + 1), "slot");
}

static void shadows_go(void)
{
	shvm_mmu_zap_all(&machine->mmu);
}

static void table_unshadowed(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
}

static void budget_shrinks(void)
{
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 64), "budget");
}

static void becomes_table(void)
{
	store(second(), L2, 6, (DATA + 3) << 12 | ALL);
	act(second(), READ, false, at(0, 0, 6, 0));
	store(second(), L2, 6, (BIG + 3) << 12 | ALL);
	act(second(), READ, false, at(0, 0, 6, 0));
}

/* What the second vCPU stores into the tables. */
static const struct {
	u64 table, index, entry;
} edits[] = {
	{ L1, 3, 0 }, { L1, 3, (DATA + 9) << 12 | ALL }, { L1, 3, (DATA + 3) << 12 | P | U },
	{ L1, 3, (DATA + 3) << 12 | P | W }, { L1, 3, (DATA + 3) << 12 | ALL | NX },
	{ L1, 3, (DATA + 3) << 12 | ALL | 0x600 }, { L1, 3, 0x700 << 12 | ALL },
	{ L1, 3, (DATA + 3) << 12 | ALL | 1ULL << 40 }, { L1, 3, L1 << 12 | ALL },
	{ L1, 30, (DATA + 9) << 12 | ALL }, { L1, 30, NEAR << 12 | P | U },
	{ L2, 1, 0 }, { L2, 1, PS | ALL }, { L2, 1, L1 << 12 | ALL }, { L2, 1, BIG << 12 | ALL },
	{ L2, 1, BIG << 12 | PS | P | U }, { L2, 1, BIG << 12 | PS | P | W | A },
	{ L2, 0, 0 }, { L2, 0, OTHER << 12 | ALL }, { L2, 0, L1 << 12 | P | U },
	{ L2, 0, BIG << 12 | PS | ALL }, { L2, 0, 0x700 << 12 | ALL },
	{ L3, 0, 0 }, { L3, 0, PS | ALL }, { L3, 0, L2 << 12 | P | W }, { L3, 0, L1 << 12 | ALL },
	{ ROOT, 0, 0 }, { ROOT, 0, L3 << 12 | P | U }, { ROOT, 0, ROOT << 12 | ALL },
};

static u32 edit;

static void table_edited(void)
{
	store(second(), edits[edit].table, edits[edit].index, edits[edit].entry);
}

static void (*const happenings[])(void) = {
	page_drop, page_migrate, page_swap, page_cow, page_readonly, page_gone, table_moves,
	table_gone, slot_goes, slot_replaced, slot_moves, shadows_go, table_unshadowed,
	budget_shrinks, becomes_table,
};

/* The tables of the story as they were; stored, as some are in use. */
static void story_restore(void)
{
	struct vcpu *v = second();
	u64 i;

	shvm_mmu_zap_all(&machine->mmu);
	if (machine->slot[1].used)
		CHECK(!slot_delete(1), "slot");
	CHECK(!slot_add(1, BIG, 600, 256, false), "slot");
	for (i = 0; i < HVA_PAGES; i++)
		if (machine->host[i].vma != VMA_RW)
			host_set_vma(i, VMA_RW);
	CHECK(!shvm_mmu_set_budget(&machine->mmu, 1000), "budget");
	store(v, ROOT, 0, L3 << 12 | ALL);
	store(v, L3, 0, L2 << 12 | ALL);
	store(v, L2, 0, L1 << 12 | ALL);
	store(v, L2, 1, BIG << 12 | PS | ALL);
	store(v, L2, 5, FRESH << 12 | ALL);
	store(v, L2, 6, 0);
	store(v, L2, 7, NEAR << 12 | ALL);
	for (i = 0; i < 8; i++)
		store(v, L1, i, (DATA + i) << 12 | ALL);
	store(v, L1, 30, NEAR << 12 | ALL);
	store(v, L1, 31, FRESH << 12 | ALL);
	store(v, FRESH, 3, (DATA + 3) << 12 | ALL);
	store(v, NEAR, 0, (DATA + 11) << 12 | ALL);
	store(v, NEAR, 3, (DATA + 12) << 12 | ALL);
}

/* A change of slots waits for readers. */
static bool waits_for_srcu(void (*meanwhile)(void))
{
	return meanwhile == slot_goes || meanwhile == slot_replaced || meanwhile == slot_moves;
}

static enum outcome_kind outcome_by(const struct oracle *o, bool write)
{
	if (o->kind == O_FAULT)
		return FAULT;
	if (page_of(o->gfn) < 0 || (write && slot_of(o->gfn)->readonly))
		return MMIO;
	return host_can(o->gfn, write) ? DONE : USER;
}

/* What a walk has set in entries that are not in use any more, and the walk before them. */
static void forgive_marks(void)
{
	static const u64 tables[] = { ROOT, L3, L2, L1, OTHER, FRESH, BIG, NEAR };
	u64 is, *was;
	u32 t, i;

	for (t = 0; t < ARRAY_SIZE(tables); t++)
		for (i = 0; i < 64 && page_of(tables[t]) >= 0; i++) {
			was = (u64 *)&machine->mirror[page_of(tables[t])][i * 8];
			is = entry_of(tables[t], i);
			CHECK(!((is ^ *was) & ~(A | D)) && !(*was & ~is), "entry %llx, was %llx",
			      is, *was);
			*was = is;
		}
}

/*
 * The walk was under way, so A and D may be set in what was there before. The outcome must be that
 * of the tables, slots and pages as they are at the end; but the emulator may use a translation
 * until its instruction is over, as a CPU uses its TLB.
 */
static void access_loosely(struct vcpu *v, struct operation *op)
{
	struct oracle before, after;
	bool write = op->a.kind == WRITE;
	struct outcome out;
	u64 f;

	oracle_walk(v, &op->a, &before);
	out = vcpu_access(v, op);
	oracle_walk(v, &op->a, &after);
	CHECK(out.kind == outcome_by(&after, write) ||
	      (!out.hardware && out.kind == outcome_by(&before, write)), "outcome %d, must be %d",
	      out.kind, outcome_by(&after, write));
	if (out.kind == DONE) {
		f = out.hardware ? after.gfn : out.gpa >> 12;
		CHECK(f == after.gfn || f == before.gfn, "frame %llx", f);
		if (out.hardware)
			out.tlb->gfn = f;
		if (write)
			memcpy(&machine->mirror[page_of(f)][op->a.addr % 4096], op->data, op->len);
	}
	forgive_marks();
}

/* One stopped access. warm: the page was read before, so less is left to be done. */
static void meet(const struct target *t, enum point where, u32 skip, enum kind what, bool warm,
		 void (*meanwhile)(void))
{
	struct operation op = {
		.a = { .addr = target_addr(t) + 64, .kind = what, .user = true },
		.data = { 1, 2, 3, 4 }, .len = 8, .rnd = EMULATED,
	};
	struct vcpu *v = machine->vcpu;
	u32 i;

	story_restore();
	act(second(), READ, false, at(0, 0, 7, 0));
	act(second(), WRITE, false, at(0, 0, 0, 31) + 2048);
	if (warm) {
		act(v, READ, true, op.a.addr);
		act(second(), READ, true, op.a.addr);
		vcpu_exit(v);
	}
	target_page = page_of(t->frame);
	stop_at(where, skip, meanwhile);
	if (where == AFTER_READ || where == AT_MARK)
		access_loosely(v, &op);
	else
		verified_access(v, &op, false);
	stop.at = NOWHERE;
	check_all();
	for (i = 0; i < 4; i++)
		act(v + i % 2, i < 2 ? READ : WRITE, true, op.a.addr);
	check_all();
}

static void meet_everything(enum point where, u32 skip)
{
	const struct target *t;
	u32 i, n, stops = 0;

	story_begin(2);
	for (n = 0; n < 4 * ARRAY_SIZE(targets); n++) {
		t = &targets[n / 4];
		for (i = 0; i < ARRAY_SIZE(happenings); i++) {
			if (where == AFTER_READ && waits_for_srcu(happenings[i]))
				continue;
			meet(t, where, skip, n & 1 ? WRITE : READ, n & 2, happenings[i]);
			stops += stop.stops;
		}
		for (edit = 0; edit < ARRAY_SIZE(edits); edit++) {
			meet(t, where, skip, n & 1 ? WRITE : READ, n & 2, table_edited);
			stops += stop.stops;
		}
	}
	/* A point that is never passed proves nothing. */
	CHECK(stops > 20, "only %u stops", stops);
	story_end();
}

static void fault_after_read(void)
{
	u32 skip;

	for (skip = 0; skip < 4; skip++)
		meet_everything(AFTER_READ, skip);
}

/* The walk of the emulator, which comes after that of the fault. */
static void emulation_after_read(void)
{
	meet_everything(AFTER_READ, 7);
}

static void fault_at_mark(void)
{
	meet_everything(AT_MARK, 0);
}

static void fault_at_lookup(void)
{
	meet_everything(AT_LOOKUP, 0);
}

static void fault_after_lookup(void)
{
	meet_everything(AFTER_LOOKUP, 0);
}

static void fault_at_flush(void)
{
	meet_everything(AT_FLUSH, 0);
}

/* ---- invalidations and slots ---- */

static void expect_no_end(struct vcpu *v, enum kind what, u64 addr)
{
	struct operation op = { .a = { .addr = addr, .kind = what }, .len = 8 };
	struct outcome out = vcpu_access(v, &op);

	CHECK(out.kind == STUCK, "%llx: outcome %d in the middle of a change, by the TLB: %d", addr,
	      out.kind, out.from_tlb);
	vcpu_exit(v);
}

/* Between its two ends an invalidation keeps faults waiting, whatever slots do meanwhile. */
static void invalidation_and_slots(void)
{
	struct shvm_mmu *mmu;
	struct vcpu *v;
	int i;

	story_begin(2);
	v = machine->vcpu;
	mmu = &machine->mmu;
	for (i = 0; i < 8; i++)
		poke(L1, i, (DATA + i) << 12 | ALL | A | D);
	poke(L2, 1, BIG << 12 | PS | ALL | A | D);
	act(&v[1], READ, false, at(0, 0, 0, 0));
	for (i = 0; i < 4; i++) {
		shvm_mmu_invalidate_begin(mmu);
		expect_no_end(&v[0], WRITE, at(0, 0, 0, 1 + i));
		expect_no_end(&v[1], READ, at(0, 0, 1, i));
		if (i & 1)
			CHECK(!slot_delete(1), "slot");
		if (i == 2)
			shvm_mmu_invalidate_begin(mmu);
		if (i & 2)
			CHECK(!slot_add(3, 0x900, 128, 1300, false), "slot");
		expect_no_end(&v[0], READ, at(0, 0, 0, 1 + i));
		if (i == 2) {
			shvm_mmu_invalidate_end(mmu);
			expect_no_end(&v[0], WRITE, at(0, 0, 0, 1 + i));
		}
		shvm_mmu_invalidate_end(mmu);
		expect(&v[0], WRITE, false, at(0, 0, 0, 1 + i), DONE);
		expect(&v[1], WRITE, false, at(0, 0, 1, i), i & 1 ? MMIO : DONE);
		if (i & 1)
			CHECK(!slot_add(1, BIG, 600, 256, false), "slot");
		if (i & 2)
			CHECK(!slot_delete(3), "slot");
		check_all();
	}
	story_end();
}

/* ---- two vCPUs store to one entry ---- */

static struct {
	u64 table, entry;
	u32 index, shift;	/* of the entry, and of addresses for its level */
} rival;

static void rival_stores(void)
{
	store(second(), rival.table, rival.index, rival.entry);
}

static void rival_faults(void)
{
	/* What a TLB holds may be used until the guest flushes it. */
	vcpu_exit(second());
	expect_no_end(second(), READ, (u64)rival.index << rival.shift);
}

/* What an entry of each level could be. */
static const struct {
	u64 table, entry[4];
} choices[] = {
	{ L1, { (DATA + 1) << 12 | ALL | A | D, (DATA + 2) << 12 | ALL | A | D,
		(DATA + 1) << 12 | P | U | A, 0 } },
	{ L2, { L1 << 12 | ALL | A, OTHER << 12 | ALL | A, BIG << 12 | PS | ALL | A | D, 0 } },
	{ L3, { L2 << 12 | ALL | A, OTHER << 12 | ALL | A, PS | ALL | A | D, 0 } },
	{ ROOT, { L3 << 12 | ALL | A, OTHER << 12 | ALL | A, L3 << 12 | P | U | A, 0 } },
};

static void stores_begin(void)
{
	u32 i;

	story_begin(2);
	for (i = 0; i < 8; i++) {
		poke(L1, i, (DATA + i) << 12 | ALL | A | D);
		poke(OTHER, i, (i ? DATA + 10 + i : OTHER) << 12 | ALL | A | D);
	}
	poke(L2, 0, L1 << 12 | ALL | A);
	poke(L3, 0, L2 << 12 | ALL | A);
	poke(ROOT, 0, L3 << 12 | ALL | A);
}

/*
 * The second store and all that belongs to it happens before or after the first reached memory. Who
 * is last in memory is right; who is last at the shadow must not matter.
 */
static void two_stores_to_one_entry(void)
{
	u32 level, n, index = 4;
	struct vcpu *v;

	stores_begin();
	v = machine->vcpu;
	for (level = 0; level < ARRAY_SIZE(choices); level++)
		for (n = 0; n < 32; n++) {
			bool after = n & 1;
			u64 table = choices[level].table, mine = choices[level].entry[n / 2 % 4];
			u64 addr = (u64)index << (12 + 9 * level);

			store(v, table, index, choices[level].entry[0]);
			act(&v[0], READ, false, addr);
			act(&v[1], READ, false, addr);
			rival = (typeof(rival)){ table, choices[level].entry[n / 8 % 4], index, 0 };
			stop_at(after ? AFTER_STORE : AT_STORE, 0, rival_stores);
			store(&v[0], table, index, mine);
			CHECK(stop.stops == 1, "no stop");
			if (after)
				memcpy(&machine->mirror[page_of(table)][index * 8], &rival.entry,
				       8);
			check_all();
			act(&v[n & 1], READ, false, addr);
			act(&v[!(n & 1)], WRITE, false, addr);
			check_all();
		}
	story_end();
}

static void rival_uses_neighbour(void)
{
	vcpu_exit(second());
	expect_no_end(second(), READ, 0);
}

/* While a store is under way nobody fills the entry, or the table, from what was there before. */
static void fault_during_a_store(void)
{
	u32 level, n, index = 4;
	struct vcpu *v;

	stores_begin();
	v = machine->vcpu;
	for (level = 0; level < ARRAY_SIZE(choices); level++)
		for (n = 0; n < 12; n++) {
			u64 table = choices[level].table, addr = (u64)index << (12 + 9 * level);

			store(v, table, index, choices[level].entry[0]);
			if (n & 1)
				act(&v[1], READ, false, addr);
			else
				shvm_mmu_zap_all(&machine->mmu);
			if (n >= 6) {
				store(v, table, index, 0);
				shvm_mmu_zap_all(&machine->mmu);
			}
			rival = (typeof(rival)){ table, 0, index, 12 + 9 * level };
			stop_at(AT_STORE, 0, n < 6 ? rival_faults : rival_uses_neighbour);
			store(&v[0], table, index, choices[level].entry[1 + n / 2 % 3]);
			CHECK(stop.stops == 1, "no stop");
			check_all();
			act(&v[1], READ, false, addr);
			act(&v[0], WRITE, false, addr);
			check_all();
		}
	story_end();
}

/* The host takes the page away while a store to it is under way: the store is not lost. */
static void store_meets_the_host(void)
{
	void (*const host[])(void) = { page_drop, page_migrate, page_swap, page_cow };
	u64 table = DATA + 7;
	struct vcpu *v;
	u32 n;

	story_begin(2);
	v = machine->vcpu;
	target_page = page_of(table);
	for (n = 0; n < 16; n++) {
		act(&v[1], WRITE, false, at(0, 0, 0, 7));
		/* Dropped after the store, the store is gone too, which store() does not know. */
		stop_at(n & 1 && n / 2 % 4 ? AFTER_STORE : AT_STORE, 0, host[n / 2 % 4]);
		store(&v[0], table, n % 8, n * 0x0123456789abcdefULL);
		CHECK(stop.stops == 1, "no stop");
		act(&v[1], READ, false, at(0, 0, 0, 7) + n % 8 * 8);
		check_all();
		check_mirror();
	}
	story_end();
}

/* ---- a page becomes a table ---- */

static struct outcome flush_outcome;

/* The second vCPU stores an entry through whatever it has for the page. */
static void write_new_table(void)
{
	struct operation op = {
		.a = { .addr = at(0, 0, 0, 5), .kind = WRITE }, .len = 8, .rnd = EMULATED,
	};
	u64 e = (DATA + 15) << 12 | ALL;

	memcpy(op.data, &e, 8);
	flush_outcome = verified_access(second(), &op, false);
}

/*
 * Publish, flush, use: a store through a stale TLB entry before the flush is seen when the table
 * is read, one after the flush is trapped.
 */
static void page_becomes_a_table(void)
{
	struct vcpu *v;
	int after;

	for (after = 0; after < 2; after++) {
		story_begin(2);
		v = machine->vcpu;
		poke(DATA + 5, 0, (DATA + 14) << 12 | ALL);
		poke(L2, 7, (DATA + 5) << 12 | ALL);
		expect(&v[1], WRITE, false, at(0, 0, 0, 5) + 64, DONE);
		stop_at(after ? AFTER_FLUSH : AT_FLUSH, 0, write_new_table);
		expect(&v[0], WRITE, false, at(0, 0, 7, 0), DONE);
		CHECK(stop.stops == 1, "no flush");
		CHECK(flush_outcome.kind == DONE && flush_outcome.hardware == !after,
		      "store %s the flush: outcome %d, by hardware %d", after ? "after" : "before",
		      flush_outcome.kind, flush_outcome.hardware);
		CHECK(entry_of(DATA + 5, 0) & D, "the new entry was not used");
		check_all();
		story_end();
	}
}

/* A guest that makes tables as fast as they are dropped. */
static void make_roots(void)
{
	u64 f;

	CHECK(stop.stops < 20, "the zap has no end");
	for (f = 60; f < 160; f++) {
		vcpu_load_cr3(second(), f << 12);
		act(second(), READ, false, at(1, 0, 0, 0));
	}
	vcpu_exit(second());
}

static void zap_has_an_end(void)
{
	story_begin(2);
	stop_at(LOCK_BROKEN, 0, make_roots);
	stop.again = true;
	make_roots();
	shvm_mmu_zap_all(&machine->mmu);
	stop.at = NOWHERE;
	CHECK(stop.stops > 1, "only %u stops", stop.stops);
	check_all();
	story_end();
}

static const struct directed stories[] = {
	{ "fault-after-read", fault_after_read },
	{ "emulation-after-read", emulation_after_read },
	{ "fault-at-mark", fault_at_mark },
	{ "fault-at-lookup", fault_at_lookup },
	{ "fault-after-lookup", fault_after_lookup },
	{ "fault-at-flush", fault_at_flush },
	{ "invalidation-and-slots", invalidation_and_slots },
	{ "two-stores-to-one-entry", two_stores_to_one_entry },
	{ "fault-during-a-store", fault_during_a_store },
	{ "store-meets-the-host", store_meets_the_host },
	{ "page-becomes-a-table", page_becomes_a_table },
	{ "zap-has-an-end", zap_has_an_end },
};

const struct directed_set race_tests = { stories, ARRAY_SIZE(stories) };
