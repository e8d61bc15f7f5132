// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about faults that the guest gets without an exit: which ones, that stores end them, what
 * the VMM stores behind the module's back, and tables that die.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "story.h"

static u64 rescued(void)
{
	return atomic64_read(&machine->mmu.stats.pf_rescued);
}

/* A fault, with or without an exit; the oracle judges its error code. */
static void expect_way(struct vcpu *v, enum kind what, bool user, u64 addr, bool direct)
{
	struct outcome out = act(v, what, user, addr);

	CHECK(out.kind == FAULT, "%llx: outcome %d", addr, out.kind);
	CHECK(out.direct == direct && !out.exits == direct, "%llx: direct %d, exits %d", addr,
	      out.direct, out.exits);
}

/* All kinds of access. near: present, with the same tables above it; they are shadowed then. */
static void expect_all_direct(struct vcpu *v, u64 near, u64 addr, bool fetch_too)
{
	enum kind kind;
	int user;

	expect(v, READ, false, near, DONE);
	for (user = 0; user < 2; user++)
		for (kind = READ; kind <= FETCH; kind++)
			expect_way(v, kind, user, addr, kind != FETCH || fetch_too);
}

/* Not present at each level of each format; I/D is told with NX or SMEP only. */
static void direct_levels(void)
{
	const u64 addr_64[] = {
		at(200, 0, 0, 0), at(0, 200, 0, 0), at(0, 0, 200, 0), at(0, 0, 0, 200),
	};
	struct vcpu *v;
	int nx, i;

	story_begin(1);
	v = machine->vcpu;
	machine->poked = false;
	for (nx = 0; nx < 4; nx++) {
		story_format(v, O_64);
		if (!(nx & 1))
			set_bit_of(v, 0, 0, EFER_NX);
		if (nx & 2)
			set_bit_of(v, 0, X86_CR4_SMEP, 0);
		for (i = 0; i < 4; i++)
			expect_all_direct(v, at(0, 0, 0, 0), addr_64[i], nx);
		story_format(v, O_PAE);
		if (!(nx & 1))
			set_bit_of(v, 0, 0, EFER_NX);
		if (nx & 2)
			set_bit_of(v, 0, X86_CR4_SMEP, 0);
		expect_all_direct(v, at_pae(0, 0, 0), at_pae(0, 200, 0), nx);
		expect_all_direct(v, at_pae(3, 0, 0), at_pae(3, 0, 200), nx);
		story_format(v, O_32);
		if (nx & 2)
			set_bit_of(v, 0, X86_CR4_SMEP, 0);
		expect_all_direct(v, 0, 200ULL << 22, nx & 2);
		expect_all_direct(v, 0, 1023ULL << 22, nx & 2);
		expect_all_direct(v, 0, 200ULL << 12, nx & 2);
		check_all();
	}
	story_end();
}

/* Faults of other kinds exit: rights, reserved bits, entries that are present but not shadowed. */
static void direct_never(void)
{
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	machine->poked = false;
	act(v, READ, false, at(0, 0, 0, 0));
	store(v, L1, 10, DATA << 12 | P | A);
	store(v, L1, 11, DATA << 12 | ALL | 1ULL << 50);
	expect_way(v, WRITE, false, at(0, 0, 0, 10), false);
	expect_way(v, READ, true, at(0, 0, 0, 10), false);
	expect_way(v, READ, false, at(0, 0, 0, 11), false);
	/* Not present, but its reserved bits do not matter. */
	store(v, L1, 11, DATA << 12 | (ALL & ~P) | 1ULL << 50);
	expect_way(v, READ, false, at(0, 0, 0, 11), true);
	check_all();
	story_end();
}

/* Stores by the guest, through its own maps or emulated, begin and end such faults at once. */
static void direct_follows_stores(void)
{
	struct vcpu *v;
	u64 e, i;

	story_begin(2);
	v = machine->vcpu;
	poke(L1, 8, L1 << 12 | ALL);
	machine->poked = false;
	act(v, READ, false, at(0, 0, 0, 0));
	for (i = 0; i < 40; i++) {
		e = DATA << 12 | (i & 1 ? ALL : ALL | A | D);
		expect_way(v + (i & 1), READ, true, at(0, 0, 0, 20), true);
		if (i & 2)
			store_at(v, at(0, 0, 0, 8) + 20 * 8, e, 8);
		else
			store(v, L1, 20, e);
		expect(v + (i & 1), i & 4 ? READ : WRITE, true, at(0, 0, 0, 20), DONE);
		/* Bytes at a time, the one with P first or last. */
		e = i & 8 ? 0 : ALL & ~P;
		store_bytes(v, L1 << 12 | 20 * 8, &e, 1);
		vcpu_invlpg(v + (i & 1), 0);
		vcpu_invlpg(v + !(i & 1), 0);
		/* Else the table goes out of sync, as one whose entries are replaced. */
		vcpu_load_cr3_fast(v, v->cr3, false);
	}
	check_all();
	CHECK(!rescued(), "%llu stale faults", rescued());
	story_end();
}

/* Store an entry that nobody traps; the guest's fault is mended by one tick, in every format. */
static void rescue_one(struct vcpu *v, u64 addr, u64 table, u32 index, u64 entry)
{
	u64 before = rescued();

	machine->poked = false;
	expect_way(v, READ, false, addr, true);
	shvm_mmu_rescue(&v->mv, gva(addr));
	CHECK(rescued() == before, "a tick changes what is right");
	if (oracle_format(&v->paging) == O_32)
		poke_32(table, index, entry);
	else
		poke(table, index, entry);
	expect(v, READ, false, addr, DONE);
	CHECK(rescued() == before + 1, "%llu rescued", rescued() - before);
}

static void rescue(void)
{
	struct vcpu *v;

	/* A table may have shadows of several formats: only that which faults is mended. */
	story_begin(1);
	check_behind = true;
	v = machine->vcpu;
	act(v, READ, false, at(0, 0, 0, 1));
	act(v, READ, false, at(0, 0, 0, 100));
	rescue_one(v, at(0, 0, 0, 100), L1, 100, DATA << 12 | ALL);
	rescue_one(v, at(0, 0, 100, 1), L2, 100, L1 << 12 | ALL);
	rescue_one(v, at(0, 100, 0, 1), L3, 100, L2 << 12 | ALL);
	rescue_one(v, at(100, 0, 0, 1), ROOT, 100, L3 << 12 | ALL);
	story_format(v, O_PAE);
	act(v, READ, false, at_pae(1, 0, 1));
	rescue_one(v, at_pae(1, 100, 1), PD + 1, 100, L1 << 12 | ALL);
	rescue_one(v, at_pae(1, 0, 101), L1, 101, DATA << 12 | ALL);
	story_format(v, O_32);
	act(v, READ, false, 1ULL << 12);
	rescue_one(v, 100ULL << 22 | 1ULL << 12, PD32, 100, PT32 << 12 | ALL);
	rescue_one(v, 100ULL << 12, PT32, 100, DATA << 12 | ALL);
	rescue_one(v, 101ULL << 22 | 1ULL << 21, PD32, 101, PS | ALL);
	/* A right that is missing is no fault with P = 0 either. */
	machine->poked = false;
	expect_way(v, WRITE, true, 102ULL << 12, true);
	poke_32(PT32, 102, DATA << 12 | P);
	expect_way(v, READ, true, 102ULL << 12, false);
	story_format(v, O_64);
	expect(v, READ, false, at(0, 0, 0, 1), DONE);
	machine->poked = false;
	expect_way(v, READ, false, at(0, 0, 0, 103), true);
	poke(L1, 103, DATA << 12 | ALL | 1ULL << 50);
	expect_way(v, READ, false, at(0, 0, 0, 103), false);
	story_end();
}

/* The VMM puts another table above the entry: the guest's own walk does not end there any more. */
static void rescue_from_above(void)
{
	struct vcpu *v;

	story_begin(1);
	check_behind = true;
	v = machine->vcpu;
	poke(OTHER, 100, DATA << 12 | ALL);
	act(v, READ, false, at(0, 0, 0, 0));
	machine->poked = false;
	expect_way(v, READ, false, at(0, 0, 0, 100), true);
	poke(L2, 0, OTHER << 12 | ALL);
	expect(v, READ, false, at(0, 0, 0, 100), DONE);
	CHECK(rescued() == 1, "%llu rescued", rescued());
	story_end();
}

/* The guest's own fault by the last entry, and then the VMM replaces the table that it is in. */
static void denied_from_above(void)
{
	struct operation op = { .a = { .kind = WRITE, .user = true }, .len = 8 };
	struct vcpu *v;
	bool found = false;
	int i;

	story_begin(1);
	check_behind = true;
	v = machine->vcpu;
	poke(L1, 100, DATA << 12 | (ALL & ~W));
	poke(L1, 101, DATA << 12 | (ALL & ~W));
	poke(OTHER, 100, DATA << 12 | ALL);
	poke(OTHER, 101, DATA << 12 | (ALL & ~W));
	act(v, READ, true, at(0, 0, 0, 100));
	machine->poked = false;
	expect(v, WRITE, true, at(0, 0, 0, 100), FAULT);
	expect(v, WRITE, true, at(0, 0, 0, 101), FAULT);
	poke(L2, 0, OTHER << 12 | ALL);
	/* The handler of the one fault causes another one each time. */
	for (i = 0; i < 6 && !found; i++) {
		op.a.addr = at(0, 0, 0, 100 + i % 2);
		found = vcpu_access(v, &op).kind == DONE;
		vcpu_exit(v);
	}
	CHECK(found, "the new table is not found");
	story_end();
}

/* Tables that die lead nowhere: stores to them are plain, and CPUs may still have them cached. */
static void direct_dead_tables(void)
{
	struct vcpu *v;

	story_begin(2);
	v = machine->vcpu;
	check_dead = true;
	act(v, READ, false, at(0, 0, 0, 0));
	act(v + 1, READ, true, at(0, 0, 0, 1));
	shvm_mmu_unshadow(&machine->mmu, gfn(L1));
	act(v, READ, false, at(0, 0, 0, 2));
	host_migrate(page_of(L2));
	act(v, READ, false, at(0, 0, 0, 3));
	shvm_mmu_zap_all(&machine->mmu);
	act(v, READ, false, at(0, 0, 0, 4));
	story_end();
	check_dead = false;
}

/* What the host takes away is looked at again: contents that come back as zeros, or others. */
static void direct_host_changes(void)
{
	static u8 other[SHVM_PAGE_SIZE];
	u64 e = DATA << 12 | ALL;
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	memcpy(other + 50 * 8, &e, 8);
	machine->poked = false;
	act(v, READ, false, at(0, 0, 0, 0));
	expect_way(v, READ, false, at(0, 0, 0, 50), true);
	host_replace(page_of(L1), other);
	expect(v, READ, false, at(0, 0, 0, 50), DONE);
	expect_way(v, READ, false, at(0, 0, 0, 0), true);
	host_drop(page_of(L1));
	expect(v, READ, false, at(0, 0, 0, 50), FAULT);
	host_swap_out(page_of(L1));
	expect(v, READ, false, at(0, 0, 0, 50), FAULT);
	CHECK(!rescued(), "%llu stale faults", rescued());
	check_all();
	story_end();
}

static const struct directed stories[] = {
	{ "direct-levels", direct_levels },
	{ "direct-never", direct_never },
	{ "direct-follows-stores", direct_follows_stores },
	{ "direct-dead-tables", direct_dead_tables },
	{ "direct-host-changes", direct_host_changes },
	{ "rescue", rescue },
	{ "rescue-from-above", rescue_from_above },
	{ "denied-from-above", denied_from_above },
};

const struct directed_set direct_tests = { stories, ARRAY_SIZE(stories) };
