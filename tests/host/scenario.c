// SPDX-License-Identifier: GPL-2.0-only
/*
 * One run of a story for the controlled scheduler. What is done by hardware or the emulator is
 * checked at once; after the run everything must be exact, and each vCPU must see what the tables
 * say.
 */
#include "scenario.h"

#define MAX_EDITS	16

/* What threads wrote to tables: whose store comes last is up to the schedule. */
struct edit {
	u64 at, value;
};

static struct edit edits[MAX_EDITS];
static int nr_edits;

/* --- what threads do --- */

void poke_entry(u64 at, u64 value)
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
		out->tlb->gfn = f - out->nth;
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
	CHECK(nr_edits < MAX_EDITS, "too many edits");
	edits[nr_edits++] = (struct edit){ at, value };
}

/* May end in anything if the tables change meanwhile, but not in nothing. */
static struct outcome access_rnd(struct vcpu *v, u64 addr, enum kind kind, u64 value, u64 rnd)
{
	struct operation op = { .len = 8, .rnd = rnd };
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

struct outcome access_data(struct vcpu *v, u64 addr, enum kind kind, u64 value)
{
	return access_rnd(v, addr, kind, value, 0);
}

/* Of a large translation the TLB keeps only what was used. */
void load_part(struct vcpu *v, u64 addr)
{
	access_rnd(v, addr, READ, 0, RND_PARTS);
}

void load(struct vcpu *v, u64 addr)
{
	access_data(v, addr, READ, 0);
}

void store(struct vcpu *v, u64 addr, u64 value)
{
	access_data(v, addr, WRITE, value);
}

static void edit_by(struct vcpu *v, bool user, u64 addr, u64 table, int i, u64 value)
{
	struct operation op = { .len = 8 };
	struct outcome out;

	op.a.addr = addr | i * 8;
	op.a.kind = WRITE;
	op.a.user = user;
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
		out.tlb->gfn = table - out.nth;
}

void edit_by_guest(struct vcpu *v, u64 addr, u64 table, int i, u64 value)
{
	edit_by(v, true, addr, table, i, value);
}

void edit_by_kernel(struct vcpu *v, u64 addr, u64 table, int i, u64 value)
{
	edit_by(v, false, addr, table, i, value);
}

void edit(struct vcpu *v, u64 table, int i, u64 value)
{
	enum shvm_mem_result ret;

	vcpu_exit(v);
	do {
		ret = shvm_mmu_write(&v->mv, gpa(ENTRY(table, i)), &value, 8);
	} while (ret == SHVM_MEM_RETRY && !sched_yield());
	CHECK(ret == SHVM_MEM_OK, "vCPU %d: edit: result %d", v->id, ret);
	edit_add(ENTRY(table, i), value);
}

void linger(struct vcpu *v)
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
	poke_entry(ENTRY(L1, 6), DATA << 12 | (RIGHTS & ~E_W));
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
	machine->poked = false;
	sched_ignore(NULL, 0);
	sched_ignore(&machine->mmu.stats, sizeof(machine->mmu.stats));
	sched_ignore(&machine->mmu.leaves, sizeof(machine->mmu.leaves));
	sched_ignore(&machine->mmu.clock, sizeof(machine->mmu.clock));
	sched_ignore(&machine->invalidations, sizeof(machine->invalidations));
	/* Who reads the slots matters to those only who wait for readers. */
	if (!sc->slots_change)
		sched_ignore(&machine->mmu.srcu, sizeof(machine->mmu.srcu));
}

/* Entries are what somebody stored last, but for A and D; then the mirror knows what is there. */
static void settle_mirror(void)
{
	static const u16 tables[] = { ROOT_A, L3, L2, L1, ROOT_B, T, LT, LT2 };
	u64 at, is, must;
	u32 i, j;
	bool ok;

	for (i = 0; i < ARRAY_SIZE(tables) && slot_of(tables[i]); i++)
		for (at = ENTRY(tables[i], 0); at < ENTRY(tables[i], 72); at += 8) {
			is = peek_entry(at);
			memcpy(&must, &machine->mirror[page_of(at >> 12)][at & 0xfff], 8);
			ok = !((is ^ must) & ~(E_A | E_D));
			for (j = 0; j < nr_edits; j++)
				if (edits[j].at == at)
					break;
			for (ok &= j == nr_edits; j < nr_edits && !ok; j++)
				ok = edits[j].at == at &&
				     !((is ^ edits[j].value) & ~(E_A | E_D));
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
		VIA_T(2), VIA_LARGE(0), VIA_LARGE(7), VIA_LARGE(511), VIA_LT(0), VIA_LT2(0),
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

	shvm_for_each_sp(&machine->mmu, a)
		shvm_for_each_sp(&machine->mmu, b)
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
	nr_edits = 0;
	make_machine(sc);
	if (sc->setup)
		sc->setup();
	machine->threads = true;
	machine->unseen = true;
	sched_run(s, sc->thread);
	machine->threads = false;
	if (sc->finish)
		sc->finish();
	check_run();
	machine_destroy();
}
