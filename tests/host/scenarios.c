// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small stories for the controlled scheduler: two or three threads, each of a few steps, that meet
 * at one structure. After each run everything must be exact, and each vCPU must see what the
 * tables say.
 */
#include "sched.h"

/* Guest frames of slot 0. One address space and its twin; T becomes a table late. */
#define ROOT_A		1
#define L3		2
#define L2		3
#define L1		4
#define ROOT_B		5
#define T		6
#define CODE		8	/* frames of further roots, from here on */
#define DATA		16
#define NR_DATA		8
#define SLOT0_PAGES	96
#define MOVING		1	/* slot 1 */
#define MOVING_BASE	0x200
#define MOVING_PAGE	256

#define RIGHTS		0x67ULL	/* P W U A D */
#define VIA_L1(i)	((u64)(i) << 12)
#define VIA_T(i)	(1ULL << 21 | (u64)(i) << 12)
#define VA_MOVING	VIA_L1(3)
#define VA_OF_T		VIA_L1(4)
#define VA_OF_L1	VIA_L1(5)
#define VA_READONLY	VIA_L1(6)
#define ENTRY(table, i)	((u64)(table) << 12 | (i) * 8)

#define MAX_EDITS	16

/* What threads wrote to tables: whose store comes last is up to the schedule. */
struct edit {
	u64 at, value;
};

static struct {
	struct edit edit[MAX_EDITS];
	int nr_edits;
	bool aged;
} story;

#define vcpu_of(i)	(&machine->vcpu[i])

/* --- what threads do --- */

static void poke_entry(u64 at, u64 value)
{
	host_poke(page_of(at >> 12), at & 0xfff, &value, 8);
}

static u64 peek_entry(u64 at)
{
	u64 value;

	host_peek(page_of(at >> 12), at & 0xfff, &value, 8);
	return value;
}

static u64 gfn_behind(u64 hfn)
{
	u64 page, f;
	int i;

	for (page = 0; page < HVA_PAGES; page++)
		if (machine->host[page].frame >= 0 &&
		    FRAME_BASE + machine->host[page].frame == hfn)
			break;
	CHECK(page < HVA_PAGES, "an access ends on a frame that nobody has any more");
	for (i = 0; i < MAX_MSLOTS; i++) {
		f = machine->slot[i].base + page - machine->slot[i].first;
		if (slot_of(f) == &machine->slot[i])
			return f;
	}
	return ~0ULL;
}

/* No step of another thread lies between the access itself and this. */
static void done_by_hardware(struct operation *op, struct outcome *out)
{
	u64 f = gfn_behind(out->hfn), off = op->a.addr & 0xfff;
	u8 *mirror;

	if (out->tlb->valid)
		out->tlb->gfn = f;
	CHECK(f != ~0ULL, "an access ends in memory that is not the guest's");
	mirror = &machine->mirror[page_of(f)][off];
	if (op->a.kind != WRITE) {
		CHECK(!memcmp(mirror, op->data, op->len), "vCPU reads something else");
		return;
	}
	CHECK(host_can(f, true) && machine->host[page_of(f)].writable,
	      "a store ends in memory that the host has write-protected");
	memcpy(mirror, op->data, op->len);
}

static void edit_add(u64 at, u64 value)
{
	CHECK(story.nr_edits < MAX_EDITS, "too many edits");
	story.edit[story.nr_edits++] = (struct edit){ at, value };
}

/* May end in anything if the tables change meanwhile, but not in nothing. */
static struct outcome access_data(struct vcpu *v, u64 addr, enum kind kind, u64 value)
{
	struct operation op = { .len = 8 };
	struct outcome out;
	int tries;

	op.a.addr = addr | (64 + v->id) * 8;
	op.a.kind = kind;
	op.a.user = true;
	memcpy(op.data, &value, 8);
	for (tries = 0; tries < 20; tries++) {
		out = vcpu_access(v, &op);
		if (out.kind != STUCK)
			break;
		sched_yield();
	}
	CHECK(out.kind != STUCK && out.kind != NOMEM && out.kind != USER, "vCPU %d: outcome %d",
	      v->id, out.kind);
	if (out.kind == DONE && out.hardware)
		done_by_hardware(&op, &out);
	else if (out.kind == DONE && kind == WRITE)
		edit_add(out.gpa, value);
	return out;
}

static void load(struct vcpu *v, u64 addr)
{
	access_data(v, addr, READ, 0);
}

static void store(struct vcpu *v, u64 addr, u64 value)
{
	access_data(v, addr, WRITE, value);
}

/* The guest stores to a table through its mapping of it. */
static void edit_by_guest(struct vcpu *v, u64 addr, u64 table, int i, u64 value)
{
	struct operation op = { .len = 8 };
	struct outcome out;

	op.a.addr = addr | i * 8;
	op.a.kind = WRITE;
	op.a.user = true;
	memcpy(op.data, &value, 8);
	do {
		out = vcpu_access(v, &op);
	} while (out.kind == STUCK && !sched_yield());
	CHECK(out.kind == DONE || out.kind == FAULT, "vCPU %d: store to a table: outcome %d",
	      v->id, out.kind);
	if (out.kind == FAULT)
		return;
	edit_add(ENTRY(table, i), value);
	if (out.hardware && out.tlb->valid)
		out.tlb->gfn = table;
}

/* The emulator stores to a table. */
static void edit(struct vcpu *v, u64 table, int i, u64 value)
{
	enum shvm_mem_result ret;

	vcpu_exit(v);
	do {
		ret = shvm_mmu_write(&v->mv, gpa(ENTRY(table, i)), &value, 8);
	} while (ret == SHVM_MEM_RETRY && !sched_yield());
	CHECK(ret == SHVM_MEM_OK, "vCPU %d: edit: result %d", v->id, ret);
	edit_add(ENTRY(table, i), value);
}

/* A vCPU whose thread has nothing to do stays in the guest until somebody wants it out. */
static void linger(struct vcpu *v)
{
	while (!sched_others_ended()) {
		if (v->in_guest && vcpu_must_exit(v))
			vcpu_exit(v);
		sched_yield();
	}
}

/* --- before and after --- */

static void make_tables(void)
{
	u64 i;

	poke_entry(ENTRY(ROOT_A, 0), L3 << 12 | RIGHTS);
	poke_entry(ENTRY(ROOT_B, 0), L3 << 12 | RIGHTS);
	poke_entry(ENTRY(L3, 0), L2 << 12 | RIGHTS);
	poke_entry(ENTRY(L2, 0), L1 << 12 | RIGHTS);
	poke_entry(ENTRY(L2, 1), T << 12 | RIGHTS);
	for (i = 0; i < 3; i++)
		poke_entry(ENTRY(L1, i), (DATA + i) << 12 | RIGHTS);
	poke_entry(ENTRY(L1, 3), MOVING_BASE << 12 | RIGHTS);
	poke_entry(ENTRY(L1, 4), T << 12 | RIGHTS);
	poke_entry(ENTRY(L1, 5), L1 << 12 | RIGHTS);
	poke_entry(ENTRY(L1, 6), DATA << 12 | (RIGHTS & ~2ULL));
	for (i = 0; i < 2; i++)
		poke_entry(ENTRY(T, i), (DATA + 3 + i) << 12 | RIGHTS);
	for (i = DATA; i < DATA + NR_DATA; i++)
		poke_entry(i << 12, i);
	poke_entry(MOVING_BASE << 12, 1);
}

static void make_machine(const struct scenario *sc)
{
	const struct shvm_paging p = oracle_paging(O_64);
	int i;

	CHECK(machine_create(sc->vcpus), "machine");
	machine->lockstep = true;
	CHECK(!slot_add(0, 0, SLOT0_PAGES, 0, false), "slot");
	CHECK(!slot_add(MOVING, MOVING_BASE, 4, MOVING_PAGE, false), "slot");
	make_tables();
	for (i = 0; i < machine->nr_vcpus; i++) {
		vcpu_set_paging(vcpu_of(i), &p);
		vcpu_load_cr3(vcpu_of(i), ROOT_A << 12);
	}
	sched_ignore(NULL, 0);
	sched_ignore(&machine->mmu.stats, sizeof(machine->mmu.stats));
	sched_ignore(&machine->mmu.clock, sizeof(machine->mmu.clock));
	sched_ignore(&machine->invalidations, sizeof(machine->invalidations));
	/* Who reads the slots matters to those only who wait for readers. */
	if (!sc->slots_change)
		sched_ignore(&machine->mmu.srcu, sizeof(machine->mmu.srcu));
}

/* Entries are what somebody stored last, but for A and D; then the mirror knows what is there. */
static void settle_mirror(void)
{
	static const u8 tables[] = { ROOT_A, L3, L2, L1, ROOT_B, T };
	u64 at, is, must;
	u32 i, j;
	bool ok;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (at = ENTRY(tables[i], 0); at < ENTRY(tables[i], 72); at += 8) {
			is = peek_entry(at);
			memcpy(&must, &machine->mirror[page_of(at >> 12)][at & 0xfff], 8);
			ok = !((is ^ must) & ~0x60ULL);
			for (j = 0; j < story.nr_edits; j++)
				if (story.edit[j].at == at)
					break;
			for (ok &= j == story.nr_edits; j < story.nr_edits && !ok; j++)
				ok = story.edit[j].at == at &&
				     !((is ^ story.edit[j].value) & ~0x60ULL);
			CHECK(ok, "entry at %llx is %llx, which nobody stored (was %llx)", at, is,
			      must);
			memcpy(&machine->mirror[page_of(at >> 12)][at & 0xfff], &is, 8);
		}
}

/* In the end every vCPU sees what the tables say. */
static void see_all(void)
{
	static const u64 addr[] = {
		VIA_L1(0), VIA_L1(1), VA_MOVING, VA_OF_T, VA_READONLY, VIA_T(0), VIA_T(1),
		VIA_T(2)
	};
	struct operation op = { .len = 8, .a.user = true };
	u32 i, kind;
	int v;

	for (v = 0; v < machine->nr_vcpus; v++)
		for (i = 0; i < ARRAY_SIZE(addr); i++)
			for (kind = READ; kind <= WRITE; kind++) {
				if (!i)
					vcpu_exit(vcpu_of(v));
				op.a.addr = addr[i] | 0x700;
				op.a.kind = kind;
				verified_access(vcpu_of(v), &op, false);
			}
}

static void check_keys(void)
{
	const struct shvm_sp *a, *b;

	list_for_each_entry(a, &machine->mmu.sps, link)
		list_for_each_entry(b, &machine->mmu.sps, link)
			CHECK(a == b || a->gfn.v != b->gfn.v || a->role.word != b->role.word,
			      "gfn %llx has two shadows of role %x", a->gfn.v, a->role.word);
}

static void check_run(void)
{
	check_keys();
	check_all();
	settle_mirror();
	check_mirror();
	see_all();
	check_tlbs();
}

void scenario_run(const struct scenario *sc, const struct schedule *s)
{
	memset(&story, 0, sizeof(story));
	make_machine(sc);
	if (sc->setup)
		sc->setup();
	machine->threads = true;
	sched_run(s, sc->thread);
	machine->threads = false;
	if (sc->finish)
		sc->finish();
	check_run();
	machine_destroy();
}

/* --- stories --- */

static void v0_store_0(void)
{
	store(vcpu_of(0), VIA_L1(0), 0x11);
	store(vcpu_of(0), VIA_L1(0), 0x12);
	linger(vcpu_of(0));
}

static void v1_store_0(void)
{
	store(vcpu_of(1), VIA_L1(0), 0x21);
	load(vcpu_of(1), VIA_L1(0));
	linger(vcpu_of(1));
}

static void host_migrate_0(void)
{
	host_migrate(page_of(DATA));
}

static void host_migrate_twice(void)
{
	host_migrate(page_of(DATA));
	host_migrate(page_of(DATA));
}

static void host_migrate_1_and_0(void)
{
	host_migrate(page_of(DATA + 1));
	host_migrate(page_of(DATA));
}

static void host_protect_0(void)
{
	host_write_protect(page_of(DATA));
}

static void host_swap_0(void)
{
	host_swap_out(page_of(DATA));
}

static void all_touch(void)
{
	int i;

	for (i = 0; i < machine->nr_vcpus; i++) {
		load(vcpu_of(i), VIA_L1(1));
		store(vcpu_of(i), VIA_L1(0), 1 + i);
	}
}

/* T is data, vCPU 1 has a writable translation of it, and then vCPU 0 walks through it. */
static void touch_t_as_data(void)
{
	all_touch();
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 0, (DATA + 3) << 12 | RIGHTS);
}

static void v0_load_via_t(void)
{
	load(vcpu_of(0), VIA_T(0));
	store(vcpu_of(0), VIA_T(0), 0x31);
	linger(vcpu_of(0));
}

/* T is not mapped as data any more, but TLBs do not know. */
static void v2_unmap_t_as_data(void)
{
	edit(vcpu_of(2), L1, 4, 0);
	linger(vcpu_of(2));
}

static void v1_edit_t_by_guest(void)
{
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 0, (DATA + 5) << 12 | RIGHTS);
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 0, (DATA + 6) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

static void v1_edit_t(void)
{
	edit(vcpu_of(1), T, 0, (DATA + 5) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

/* An entry that was not present: a shadow that has missed this would not even trap. */
static void v1_add_to_t(void)
{
	edit(vcpu_of(1), T, 2, (DATA + 5) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

static void host_replace_t(void)
{
	u64 table[512] = { };
	u32 i;

	for (i = 0; i < 3; i++)
		table[i] = (DATA + 3 + i) << 12 | RIGHTS;
	host_replace(page_of(T), (u8 *)table);
}

static void v1_map_t_as_data(void)
{
	edit_by_guest(vcpu_of(1), VA_OF_T, T, 1, (DATA + 7) << 12 | RIGHTS);
	linger(vcpu_of(1));
}

static void v0_edit_0(void)
{
	edit(vcpu_of(0), L1, 0, (DATA + 5) << 12 | RIGHTS);
	load(vcpu_of(0), VIA_L1(0));
	linger(vcpu_of(0));
}

static void v1_edit_0(void)
{
	edit(vcpu_of(1), L1, 0, (DATA + 6) << 12 | RIGHTS);
	load(vcpu_of(1), VIA_L1(0));
	linger(vcpu_of(1));
}

static void v1_edit_0_readonly(void)
{
	edit(vcpu_of(1), L1, 0, DATA << 12 | (RIGHTS & ~2ULL));
	linger(vcpu_of(1));
}

static void v1_edit_0_clean(void)
{
	edit_by_guest(vcpu_of(1), VA_OF_L1, L1, 0, DATA << 12 | (RIGHTS & ~0x40ULL));
	linger(vcpu_of(1));
}

static void v0_load_0(void)
{
	load(vcpu_of(0), VIA_L1(0));
	linger(vcpu_of(0));
}

static void v0_load_2(void)
{
	load(vcpu_of(0), VIA_L1(2));
	linger(vcpu_of(0));
}

static void settle(void)
{
	shvm_mmu_settle(&machine->mmu);
}

/* In the guest, with an empty TLB. */
static void enter_only(void)
{
	load(vcpu_of(0), VIA_L1(2));
	vcpu_exit(vcpu_of(0));
	load(vcpu_of(0), VIA_L1(1));
}

static void v2_load_0(void)
{
	load(vcpu_of(2), VIA_L1(0));
	linger(vcpu_of(2));
}

static void v1_cut_l2(void)
{
	edit(vcpu_of(1), L2, 0, T << 12 | RIGHTS);
	linger(vcpu_of(1));
}

/* Both roots are at hand. */
static void know_both_roots(void)
{
	int i;

	all_touch();
	for (i = 0; i < machine->nr_vcpus; i++) {
		vcpu_load_cr3(vcpu_of(i), ROOT_B << 12);
		load(vcpu_of(i), VIA_L1(1));
		vcpu_load_cr3(vcpu_of(i), ROOT_A << 12);
		load(vcpu_of(i), VIA_L1(1));
	}
}

static void v0_switch(void)
{
	vcpu_load_cr3_fast(vcpu_of(0), ROOT_B << 12);
	load(vcpu_of(0), VIA_L1(0));
	vcpu_load_cr3_fast(vcpu_of(0), ROOT_A << 12);
	store(vcpu_of(0), VIA_L1(0), 0x13);
	linger(vcpu_of(0));
}

static void v0_switch_slowly(void)
{
	vcpu_load_cr3(vcpu_of(0), ROOT_B << 12);
	load(vcpu_of(0), VIA_L1(0));
	linger(vcpu_of(0));
}

static void v1_switch_slowly(void)
{
	vcpu_load_cr3(vcpu_of(1), ROOT_B << 12);
	load(vcpu_of(1), VIA_L1(0));
	linger(vcpu_of(1));
}

static void drop_root_b(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(ROOT_B));
}

static void drop_root_a(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(ROOT_A));
}

static void drop_t(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(T));
}

static void touch_via_t(void)
{
	all_touch();
	load(vcpu_of(0), VIA_T(0));
}

/* The next access of a vCPU is a fault, on a root that it knows. */
static void lose_leaves(void)
{
	all_touch();
	vcpu_exit(vcpu_of(0));
	if (machine->nr_vcpus > 1)
		vcpu_exit(vcpu_of(1));
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
}

static void drop_l1(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
}

static void drop_l2(void)
{
	shvm_mmu_unshadow(&machine->mmu, gfn(L2));
}

static void zap_all(void)
{
	shvm_mmu_zap_all(&machine->mmu);
}

/* As many roots as the budget allows: the next fault that makes a table has to take one. */
static void fill_budget(void)
{
	u64 f;

	CHECK(!shvm_mmu_set_budget(&machine->mmu, 64), "budget");
	know_both_roots();
	for (f = 24; atomic_read(&machine->mmu.nr_sps) <= 60; f++) {
		poke_entry(f << 12, L3 << 12 | RIGHTS);
		vcpu_load_cr3(vcpu_of(0), f << 12);
		CHECK(!shvm_mmu_prepare(&vcpu_of(0)->mv), "root");
	}
	vcpu_load_cr3(vcpu_of(0), ROOT_A << 12);
}

/* The right was taken by vCPU 1; the host still has to wait for the TLB of vCPU 0. */
static void v1_take_0(void)
{
	edit(vcpu_of(1), L1, 0, 0);
	linger(vcpu_of(1));
}

static void v0_use_0(void)
{
	load(vcpu_of(0), VIA_L1(0));
	access_data(vcpu_of(0), VIA_L1(0), WRITE, 0x41);
	linger(vcpu_of(0));
}

static void v0_use_moving(void)
{
	access_data(vcpu_of(0), VA_MOVING, WRITE, 0x51);
	access_data(vcpu_of(0), VA_MOVING, READ, 0);
	linger(vcpu_of(0));
}

static void moving_delete(void)
{
	CHECK(!slot_delete(MOVING), "slot");
}

static void moving_move(void)
{
	CHECK(!slot_move(MOVING, MOVING_BASE + 0x100), "slot");
}

static void touch_moving(void)
{
	all_touch();
	access_data(vcpu_of(0), VA_MOVING, WRITE, 1);
}

static void age_0(void)
{
	story.aged |= host_age(page_of(DATA), 1, true);
}

static void forget_age(void)
{
	all_touch();
	host_age(page_of(DATA), 1, true);
	vcpu_exit(vcpu_of(0));
	store(vcpu_of(0), VIA_L1(0), 0x61);
	vcpu_exit(vcpu_of(0));
}

static void age_is_known(void)
{
	age_0();
	CHECK(story.aged, "a page was used, and nobody was told");
}

static void host_migrate_l1(void)
{
	host_migrate(page_of(L1));
}

static void host_migrate_t(void)
{
	host_migrate(page_of(T));
}

const struct scenario scenarios[] = {
	{ "fault-invalidate", "two vCPUs fault on a page that the host moves", 2,
	  NULL, { v0_store_0, v1_store_0, host_migrate_0 } },
	{ "fault-move", "a vCPU faults on a page that the host moves", 1,
	  lose_leaves, { v0_load_0, host_migrate_0 } },
	{ "use-invalidate", "vCPUs use a page that the host moves twice", 1,
	  all_touch, { v0_store_0, host_migrate_twice } },
	{ "use-protect", "a vCPU stores to a page that the host write-protects, then swaps", 1,
	  all_touch, { v0_store_0, host_protect_0, host_swap_0 } },
	{ "new-table-tlb", "a page becomes a table while a TLB holds it writable", 2,
	  touch_t_as_data, { v0_load_via_t, v1_edit_t_by_guest } },
	{ "new-table-map", "a page becomes a table while another vCPU maps it writable", 2,
	  all_touch, { v0_load_via_t, v1_map_t_as_data } },
	{ "new-table-debt", "a page becomes a table, whose last mapping went away unflushed", 3,
	  touch_t_as_data, { v0_load_via_t, v1_edit_t_by_guest, v2_unmap_t_as_data } },
	{ "store-fill", "a store by the emulator to a page that becomes a table", 2,
	  all_touch, { v0_load_via_t, v1_edit_t } },
	{ "add-fill", "the emulator adds an entry to a page that becomes a table", 2,
	  all_touch, { v0_load_via_t, v1_add_to_t } },
	{ "replace-fill", "the VMM maps something else where a page becomes a table", 1,
	  all_touch, { v0_load_via_t, host_replace_t } },
	{ "store-store", "two vCPUs store to one entry of a table", 2,
	  all_touch, { v0_edit_0, v1_edit_0 } },
	{ "store-store-fault", "two vCPUs store to one entry, a third uses it", 3,
	  all_touch, { v0_edit_0, v1_edit_0, v2_load_0 } },
	{ "fault-edit", "a fault through an entry that loses its right to write", 2,
	  NULL, { v0_store_0, v1_edit_0_readonly } },
	{ "fault-cut", "a fault through a table that another one replaces", 2,
	  lose_leaves, { v0_store_0, v1_cut_l2 } },
	{ "fault-clean", "stores to a page whose D the guest clears", 2,
	  all_touch, { v0_store_0, v1_edit_0_clean } },
	{ "root-fast", "a root goes away while a vCPU loads it in the short path", 1,
	  know_both_roots, { v0_switch, drop_root_b } },
	{ "root-slow", "a root goes away while a vCPU loads it", 1,
	  know_both_roots, { v0_switch_slowly, drop_root_b, drop_root_a } },
	{ "root-debt", "a root goes away while somebody else flushes", 1,
	  enter_only, { v0_load_2, drop_root_a, settle } },
	{ "root-running", "the root that a vCPU runs on goes away", 2,
	  lose_leaves, { v0_store_0, drop_root_a, v1_store_0 } },
	{ "root-all", "all shadows go away under two vCPUs", 2,
	  lose_leaves, { v0_store_0, zap_all, v1_store_0 } },
	{ "reclaim", "a fault that needs room takes a root that another vCPU loads", 2,
	  fill_budget, { v0_load_via_t, v1_switch_slowly } },
	{ "table-dropped", "tables go away under a fault", 1,
	  lose_leaves, { v0_store_0, drop_l1, drop_l2 } },
	{ "flush-owed", "the host takes a page that a store has just unmapped", 2,
	  all_touch, { v0_use_0, v1_take_0, host_migrate_1_and_0 } },
	{ "flush-others", "the host takes a page while a table goes away", 1,
	  touch_via_t, { v0_use_0, host_migrate_0, drop_t } },
	{ "slot-delete", "a slot goes away under a fault", 1,
	  touch_moving, { v0_use_moving, moving_delete }, .slots_change = true },
	{ "slot-move", "a slot moves, and its page too", 1,
	  all_touch, { v0_use_moving, moving_move }, .slots_change = true },
	{ "age-zap", "ageing while all mappings go away", 1,
	  forget_age, { age_0, drop_l1, host_migrate_0 }, age_is_known },
	{ "table-moves", "the host moves a table that is being filled and stored to", 2,
	  all_touch, { v0_load_via_t, v1_edit_t, host_migrate_t } },
	{ "table-moves-live", "the host moves a table in use", 2,
	  all_touch, { v0_store_0, v1_edit_0, host_migrate_l1 } },
};

const int nr_scenarios = ARRAY_SIZE(scenarios);
