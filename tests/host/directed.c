// SPDX-License-Identifier: GPL-2.0-only
/*
 * Short stories, each for a class of bugs that shadow page tables have had. Every access is also
 * checked against the oracle; "behind" is a change of a guest table that nobody trapped.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "story.h"

/* 1.1: the direct page of a large entry must not serve a table of the same frame. */
static void child_direct_or_not(void)
{
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	check_behind = true;
	for (i = 0; i < 8; i++)
		poke(BIG, i, (DATA + 2 * i) << 12 | ALL | A | D);
	poke(L2, 1, BIG << 12 | PS | ALL);
	for (i = 0; i < 8; i++)
		touch(v, WRITE, at(0, 0, 1, i));
	poke(L2, 1, BIG << 12 | ALL | A);
	for (i = 0; i < 16; i++)
		touch(v, i & 1 ? READ : WRITE, at(0, 0, 1, i));
	poke(L2, 1, BIG << 12 | PS | ALL | A | D);
	for (i = 0; i < 16; i++)
		touch(v, i & 1 ? WRITE : READ, at(0, 0, 1, i));
	CHECK(!slot_delete(1), "slot");
	check_all();
	for (i = 0; i < 16; i++)
		touch(v, READ, at(0, 0, 1, i));
	story_end();
}

/* 2.1: a large entry gets another frame; old leaves must leave under the frame they came with. */
static void large_frame_changes(void)
{
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	check_behind = true;
	poke(L2, 1, BIG << 12 | PS | ALL);
	poke(L3, 1, 0 << 12 | PS | ALL);
	for (i = 0; i < 8; i++) {
		touch(v, WRITE, at(0, 0, 1, i));
		touch(v, WRITE, at(0, 1, 1, i));
	}
	poke(L2, 1, 0 << 12 | PS | ALL);
	poke(L3, 1, 0x40000ULL << 12 | PS | ALL);
	for (i = 6; i < 12; i++) {
		touch(v, WRITE, at(0, 0, 1, 64 + i));
		touch(v, WRITE, at(0, 1, 1, i));
	}
	poke(L2, 1, 2ULL * BIG << 12 | PS | ALL);
	for (i = 4; i < 16; i++)
		touch(v, WRITE, at(0, 0, 1, i));
	CHECK(!slot_delete(1), "slot");
	check_all();
	story_end();
}

/* 2.2: every change of a page entry between nothing, memory and MMIO, trapped and not. */
static void entry_transitions(void)
{
	static const u64 what[] = {
		0, DATA << 12 | ALL, (DATA + 9) << 12 | ALL, 0x700ULL << 12 | ALL,
	};
	struct vcpu *v;
	int from, to, behind, first;

	story_begin(1);
	v = machine->vcpu;
	for (behind = 0; behind < 2; behind++)
		for (from = 0; from < 4; from++)
			for (to = 0; to < 4; to++)
				for (first = READ; first <= WRITE; first++) {
					store(v, L1, 0, what[from]);
					check_behind = false;
					act(v, first, false, at(0, 0, 0, 0));
					check_all();
					check_behind = behind;
					if (behind)
						poke(L1, 0, what[to]);
					else
						store(v, L1, 0, what[to]);
					if (behind) {
						touch(v, READ, at(0, 0, 0, 0));
						touch(v, WRITE, at(0, 0, 0, 0));
						vcpu_invlpg(v, at(0, 0, 0, 0));
						touch(v, FETCH, at(0, 0, 0, 0));
					} else {
						act(v, READ, false, at(0, 0, 0, 0));
						act(v, WRITE, true, at(0, 0, 0, 0));
					}
				}
	story_end();
}

/* 4.1: one table reached by entries of different rights, whoever comes first. */
static void permission_diamond(void)
{
	static const u64 rights[] = { ALL, P | W, P | U, P, ALL | NX };
	unsigned int order, level, i;
	struct vcpu *v;

	for (order = 0; order < 20; order++) {
		story_begin(1);
		v = machine->vcpu;
		for (i = 0; i < 5; i++) {
			poke(ROOT, 10 + i, L3 << 12 | rights[i]);
			poke(L3, 10 + i, L2 << 12 | rights[i]);
			poke(L2, 10 + i, L1 << 12 | rights[i]);
			poke(L1, 10 + i, DATA << 12 | rights[i]);
			poke(L2, 20 + i, BIG << 12 | PS | rights[i]);
			poke(L3, 20 + i, PS | rights[i]);
		}
		for (level = 0; level < 6; level++)
			for (i = 0; i < 5; i++) {
				u64 n = 10 + (i * (1 + order / 5) + order) % 5;
				const u64 addr[] = {
					at(n, 0, 0, 0), at(0, n, 0, 0), at(0, 0, n, 0),
					at(0, 0, 0, n), at(0, 0, n + 10, 3), at(0, n + 10, 1, 3),
				};

				try_all(v, addr[level], order);
				if (order & 1)
					set_bit_of(v, X86_CR0_WP, 0, 0);
			}
		story_end();
	}
}

/* 1.2, 4.2, 4.3: the same tables under every mode, without a change of CR3. */
static void mode_flips(void)
{
	static const u64 rights[] = {
		ALL, P | W, P | U, P, ALL | NX, P | U | NX, ALL | 1ULL << 40,
	};
	unsigned int mode, i, round;
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < ARRAY_SIZE(rights); i++) {
		poke(L1, 20 + i, DATA << 12 | rights[i]);
		poke(L1, 30 + i, (DATA + 1 + i) << 12 | rights[i] | A | D);
		poke(L2, 20 + i, BIG << 12 | PS | rights[i]);
		poke(L3, 20 + i, PS | rights[i]);
	}
	for (round = 0; round < 3; round++)
		for (mode = 0; mode < 16; mode++) {
			/* A Gray code: one bit at a time. */
			switch (__builtin_ctz(mode + 1 + round)) {
			case 0:
				set_bit_of(v, X86_CR0_WP, 0, 0);
				break;
			case 1:
				set_bit_of(v, 0, X86_CR4_SMEP, 0);
				break;
			case 2:
				set_bit_of(v, 0, X86_CR4_SMAP, 0);
				break;
			default:
				set_bit_of(v, 0, 0, EFER_NX);
			}
			for (i = 0; i < ARRAY_SIZE(rights); i++) {
				try_all(v, at(0, 0, 0, 20 + i), mode + round);
				try_all(v, at(0, 0, 0, 30 + i), mode + round);
				try_all(v, at(0, 0, 20 + i, 5), mode + round);
				try_all(v, at(0, 20 + i, 1, 7), mode + round);
			}
			check_all();
		}
	story_end();
}

/* 4.2 with SMAP: a store with AC = 1 and WP = 0 must not open the page for AC = 0. */
static void smap_without_wp(void)
{
	struct operation op = {
		.a = { .addr = at(0, 0, 0, 9), .kind = WRITE, .ac = true }, .len = 8,
	};
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	poke(L1, 9, (DATA + 9) << 12 | P | U);
	set_bit_of(v, X86_CR0_WP, X86_CR4_SMAP, 0);
	CHECK(verified_access(v, &op, false).kind == DONE, "store with AC = 1");
	expect(v, READ, false, at(0, 0, 0, 9), FAULT);
	expect(v, READ, true, at(0, 0, 0, 9), DONE);
	expect(v, WRITE, true, at(0, 0, 0, 9), FAULT);
	story_end();
}

/* 4.4: a clean and a dirty large entry for one frame. */
static void large_clean_and_dirty(void)
{
	int wp;

	for (wp = 0; wp < 2; wp++) {
		struct vcpu *v;

		story_begin(1);
		v = machine->vcpu;
		if (!wp)
			set_bit_of(v, X86_CR0_WP, 0, 0);
		poke(L2, 1, BIG << 12 | PS | ALL);
		poke(L2, 2, BIG << 12 | PS | ALL | A | D);
		act(v, READ, false, at(0, 0, 1, 1));
		act(v, WRITE, false, at(0, 0, 2, 1));
		CHECK(!(entry_of(L2, 1) & D), "D without a store");
		act(v, READ, false, at(0, 0, 1, 1));
		CHECK(!(entry_of(L2, 1) & D), "D without a store");
		act(v, WRITE, false, at(0, 0, 1, 1));
		CHECK(entry_of(L2, 1) & D, "no D after a store");
		story_end();
	}
}

/* 5.2: A and D are set where the access says so, not before, and not by a faulting walk. */
static void accessed_and_dirty(void)
{
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	poke(L1, 1, (DATA + 1) << 12 | P);
	expect(v, WRITE, true, at(0, 0, 0, 1), FAULT);
	CHECK(!(entry_of(ROOT, 0) & A) && !(entry_of(L1, 1) & A), "A set by a faulting walk");
	expect(v, READ, false, at(0, 0, 0, 0), DONE);
	CHECK(entry_of(ROOT, 0) & entry_of(L3, 0) & entry_of(L2, 0) & entry_of(L1, 0) & A, "no A");
	CHECK(!((entry_of(L2, 0) | entry_of(L1, 0)) & D), "D set by a read");
	CHECK(!(entry_of(L1, 2) & A), "A of a neighbour");
	expect(v, WRITE, false, at(0, 0, 0, 0), DONE);
	CHECK(entry_of(L1, 0) & D, "no D");
	CHECK(!(entry_of(L2, 0) & D), "D in a table entry");
	story_end();
}

/* 5.2: tables in memory that cannot be written: no A, no D, no endless fault. */
static void tables_in_rom(void)
{
	static const u64 top[] = { 0, 1 };
	struct vcpu *v;
	u64 e;
	int i;

	story_begin(1);
	v = machine->vcpu;
	e = DATA << 12 | ALL;
	host_poke(1024, 0, &e, 8);
	e = BIG << 12 | PS | ALL;
	host_poke(1025, 0, &e, 8);
	poke(L2, 9, 0x601ULL << 12 | ALL);
	poke(L3, 9, 0x602ULL << 12 | ALL);
	for (i = 0; i < 4; i++) {
		expect(v, READ, false, at(0, 0, 9, 0), DONE);
		expect(v, READ, false, at(0, 9, 0, top[i & 1]), DONE);
		if (i == 2)
			set_bit_of(v, X86_CR0_WP, 0, 0);
		expect(v, WRITE, false, at(0, 0, 9, 0), DONE);
		expect(v, WRITE, false, at(0, 9, 0, top[i & 1]), DONE);
		check_all();
	}
	host_set_vma(page_of(L1), VMA_RO);
	expect(v, WRITE, false, at(0, 0, 0, 3), DONE);
	host_set_vma(page_of(L1), VMA_RW);
	story_end();
}

/* 5.3: the guest clears D or A, flushes, and must see it set again; on both vCPUs. */
static void clear_and_see_again(void)
{
	struct vcpu *v;
	int i, wp;

	story_begin(2);
	v = machine->vcpu;
	poke(L2, 1, BIG << 12 | PS | ALL);
	for (wp = 0; wp < 2; wp++) {
		for (i = 0; i < 4; i++) {
			act(&v[i & 1], WRITE, false, at(0, 0, 0, 0));
			act(&v[i & 1], WRITE, false, at(0, 0, 1, 1));
			store(v, L1, 0, entry_of(L1, 0) & ~D);
			store(v, L2, 1, entry_of(L2, 1) & ~D);
			vcpu_invlpg(&v[0], at(0, 0, 0, 0));
			vcpu_invlpg(&v[1], at(0, 0, 0, 0));
			act(&v[i >> 1], WRITE, false, at(0, 0, 0, 0));
			act(&v[i >> 1], WRITE, false, at(0, 0, 1, 1));
			CHECK(entry_of(L1, 0) & entry_of(L2, 1) & D, "D is lost");
			store(v, L1, 0, entry_of(L1, 0) & ~(A | D));
			store(v, L3, 0, entry_of(L3, 0) & ~A);
			vcpu_load_cr3(&v[0], ROOT << 12);
			vcpu_load_cr3(&v[1], ROOT << 12);
			act(&v[i & 1], READ, false, at(0, 0, 0, 0));
			CHECK(entry_of(L1, 0) & entry_of(L3, 0) & A, "A is lost");
			CHECK(!(entry_of(L1, 0) & D), "D by a read");
		}
		set_bit_of(&v[0], X86_CR0_WP, 0, 0);
		set_bit_of(&v[1], X86_CR0_WP, 0, 0);
	}
	story_end();
}

/* 1.6: the root as L3, L2, L1 and page of itself, edited through that map. */
static void recursive_map(void)
{
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	poke(ROOT, 511, ROOT << 12 | ALL);
	for (i = 0; i < 2; i++) {
		act(v, READ, false, at(511, 511, 511, 511));
		act(v, READ, false, at(511, 511, 511, 0));
		act(v, READ, false, at(511, 511, 0, 0));
		act(v, READ, false, at(511, 0, 0, 0));
		check_all();
	}
	for (i = 0; i < 40; i++) {
		act(v, WRITE, false, at(0, 0, 0, 2));
		store_at(v, at(511, 0, 0, 0) + 2 * 8, (DATA + 10 + i % 4) << 12 | ALL, 8);
		vcpu_invlpg(v, at(0, 0, 0, 2));
		act(v, READ, false, at(0, 0, 0, 2));
		store_at(v, at(511, 511, 511, 511) + 511 * 8,
			 ROOT << 12 | ALL | (i & 1 ? A | D : 0), 8);
		check_all();
	}
	story_end();
}

/* 7.4: stores of every width and offset over present entries of every level. */
static void store_widths(void)
{
	static const u64 tables[] = { L1, L2, L3, ROOT };
	static const u64 spare[] = { DATA + 20, 101, 102, 103 };
	struct operation op = { .a.kind = WRITE };
	u64 e[4], t, addr, n = 0;
	struct vcpu *v;
	u32 off, len;

	story_begin(2);
	v = machine->vcpu;
	/* The map of all memory that the stores go through. */
	poke(ROOT, 8, 10ULL << 12 | ALL);
	poke(10, 0, 11ULL << 12 | ALL);
	poke(11, 0, PS | ALL);
	poke(103, 0, L2 << 12 | ALL);
	poke(102, 0, L1 << 12 | ALL);
	poke(101, 0, DATA << 12 | ALL);
	for (t = 0; t < 4; t++)
		for (len = 1; len <= 16; len *= 2)
			for (off = 0; off <= 32 - len; off++) {
				e[0] = entry_of(tables[t], 0);
				e[1] = spare[t] << 12 | ALL;
				e[2] = n++ & 1 ? spare[t] << 12 | ALL | A | D : 0;
				e[3] = (spare[t] + 1) << 12 | P | U;
				op.len = len;
				memcpy(op.data, (u8 *)e + off, len);
				op.a.addr = at(8, 0, 0, 0) + (tables[t] << 12) + off;
				verified_access(&v[n & 1], &op, false);
				addr = (u64)(off / 8) << (12 + 9 * t);
				vcpu_invlpg(&v[1], addr);
				act(&v[n & 1], READ, false, addr);
				act(&v[1], WRITE, false, addr);
				check_all();
			}
	story_end();
}

/* 1.7: a single bit through the address of an entry at each level, and through CR3. */
static void address_bits(void)
{
	struct vcpu *v;
	int bit;

	story_begin(1);
	v = machine->vcpu;
	for (bit = 12; bit < 52; bit++) {
		store(v, L1, 1, 1ULL << bit | ALL);
		act(v, READ, false, at(0, 0, 0, 1));
		act(v, WRITE, true, at(0, 0, 0, 1));
		store(v, L2, 1, 1ULL << bit | ALL);
		act(v, READ, false, at(0, 0, 1, 0));
		store(v, L2, 2, 1ULL << bit | ALL | PS);
		act(v, READ, false, at(0, 0, 2, 0));
		store(v, L3, 1, 1ULL << bit | ALL);
		act(v, READ, false, at(0, 1, 0, 0));
		store(v, L3, 2, 1ULL << bit | ALL | PS);
		act(v, WRITE, false, at(0, 2, 0, 0));
		store(v, ROOT, 1, 1ULL << bit | ALL);
		act(v, FETCH, false, at(1, 0, 0, 0));
		check_all();
	}
	for (bit = 18; bit < 36; bit++) {
		vcpu_load_cr3(v, 1ULL << bit);
		expect(v, READ, false, at(0, 0, 0, 0),
		       slot_of(1ULL << (bit - 12)) ? FAULT : NOROOT);
	}
	story_end();
}

/* 2.6: large guest pages over both edges of slots and the holes between. */
static void large_over_edges(void)
{
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	CHECK(!slot_add(3, 0x801, 30, 1100, false), "slot");
	for (i = 0; i < 6; i++)
		poke(L2, 1 + i, i << 21 | PS | ALL);
	poke(L3, 1, PS | ALL);
	for (i = 0; i < 6 * 512; i += i & 511 && (i & 511) < 500 ? 7 : 1) {
		act(v, WRITE, false, at(0, 0, 1 + i / 512, i % 512));
		act(v, READ, false, at(0, 1, i / 512, i % 512));
	}
	check_all();
	CHECK(!slot_move(3, 0x7f0), "slot");
	check_all();
	for (i = 0; i < 64; i++)
		act(v, WRITE, false, at(0, 0, 4, (0x7e8 + i) % 512));
	CHECK(!slot_delete(3), "slot");
	for (i = 0; i < 64; i++)
		act(v, READ, false, at(0, 1, 3, (0x7e8 + i) % 512));
	story_end();
}

/* 3.3: rights that somebody took without a flush; the next invalidation must not return early. */
static void flush_owed_by_others(void)
{
	struct shvm_mmu *mmu;
	struct shvm_slot *slot;
	unsigned long *head;
	struct vcpu *v;
	s64 gone;

	story_begin(2);
	v = machine->vcpu;
	mmu = &machine->mmu;
	expect(&v[1], WRITE, false, at(0, 0, 0, 0), DONE);
	slot = shvm_slots_find(mmu->slots, gfn(DATA));
	head = slot_rmap_head(slot, gfn(DATA));
	shvm_lock_rmap(head);
	gone = shvm_rmap_zap(&mmu->tlb, head, &slot_gfn_state(slot, gfn(DATA))->age);
	shvm_striped_add(&mmu->leaves, -gone);
	shvm_unlock_rmap(head);
	host_migrate(page_of(DATA));
	expect(&v[1], WRITE, false, at(0, 0, 0, 0), DONE);
	story_end();
}

/* 6.3, 6.8: write-protected without a flush, then a table: "not writable" is not "no entry". */
static void stale_writable_entry(void)
{
	struct shvm_mmu *mmu;
	unsigned long *head;
	struct vcpu *v;

	story_begin(2);
	v = machine->vcpu;
	mmu = &machine->mmu;
	store(&v[0], L2, 1, DATA << 12 | ALL);
	expect(&v[1], WRITE, false, at(0, 0, 0, 0), DONE);
	head = slot_rmap_head(shvm_slots_find(mmu->slots, gfn(DATA)), gfn(DATA));
	shvm_lock_rmap(head);
	shvm_rmap_write_protect(&mmu->tlb, head);
	*shvm_chain_first(*head) &= ~SPTE_GUESTW;
	shvm_unlock_rmap(head);
	act(&v[0], READ, false, at(0, 0, 1, 0));
	check_tlbs();
	act(&v[1], WRITE, false, at(0, 0, 0, 0));
	story_end();
}

/* 3.1, 3.3: counters near every boundary. */
static void counter_boundaries(void)
{
	static const u64 values[] = {
		(1ULL << 31) - 2, (1ULL << 32) - 2, (1ULL << 63) - 2, ~0ULL - 1000,
	};
	struct vcpu *v;
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		story_begin(2);
		v = machine->vcpu;
		atomic64_set(&machine->mmu.inval.seq, values[i]);
		if (i < 2) {
			atomic64_set(&machine->mmu.tlb.owed.stripe[0].n, values[i]);
			atomic64_set(&machine->mmu.tlb.done, values[i]);
		}
		for (n = 0; n < 6; n++) {
			expect(&v[n & 1], WRITE, false, at(0, 0, 0, n % 3), DONE);
			host_migrate(page_of(DATA + n % 3));
			store(&v[0], L1, n % 3, entry_of(L1, n % 3) & ~A);
			expect(&v[n & 1], WRITE, false, at(0, 0, 0, n % 3), DONE);
			check_all();
		}
		story_end();
	}
}

/* 1.4: two slots with the same memory behind them; a store through one is seen through both. */
static void aliased_slots(void)
{
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	CHECK(!slot_add(3, 0x900, 128, 64, false), "slot");
	poke(L1, 20, (DATA + 5) << 12 | ALL);
	poke(L1, 21, (0x900 + 5) << 12 | ALL);
	expect(v, WRITE, false, at(0, 0, 0, 20), DONE);
	expect(v, READ, false, at(0, 0, 0, 21), DONE);
	expect(v, WRITE, false, at(0, 0, 0, 21), DONE);
	expect(v, READ, false, at(0, 0, 0, 20), DONE);
	check_all();
	host_migrate(page_of(DATA + 5));
	expect(v, READ, false, at(0, 0, 0, 21), DONE);
	host_drop(page_of(DATA + 5));
	expect(v, READ, false, at(0, 0, 0, 20), DONE);
	check_all();
	story_end();
}

/* Section 8 of the design: used, aged, used again; an entry that goes leaves its age behind. */
static void ageing(void)
{
	struct vcpu *v;
	u64 page;

	story_begin(1);
	v = machine->vcpu;
	page = page_of(DATA);
	CHECK(!host_age(page, 1, false), "young before any use");
	expect(v, READ, false, at(0, 0, 0, 0), DONE);
	CHECK(host_age(page, 1, false), "used, but not young");
	CHECK(host_age(page, 1, true), "a look forgot the age");
	CHECK(!host_age(page, 1, true), "young for ever");
	vcpu_exit(v);
	expect(v, WRITE, false, at(0, 0, 0, 0), DONE);
	shvm_mmu_zap_all(&machine->mmu);
	CHECK(host_age(page, 1, true), "a zap forgot the age");
	CHECK(!host_age(page, 1, true), "young for ever");
	expect(v, READ, false, at(0, 0, 0, 0), DONE);
	store(v, L1, 0, 0);
	CHECK(host_age(page, 1, true), "a store to the table forgot the age");
	store(v, L1, 0, DATA << 12 | ALL | A | D);
	CHECK(!host_age(page, 1, true), "young by a prefetch");
	expect(v, READ, false, at(0, 0, 0, 0), DONE);
	CHECK(host_age(page, 1, true), "used after a prefetch, but not young");
	story_end();
}

/* Prefetch by a store must obey the mode that the page belongs to, not the storing vCPU's. */
static void prefetch_in_other_mode(void)
{
	struct vcpu *v;

	story_begin(2);
	v = machine->vcpu;
	set_bit_of(&v[1], 0, 0, EFER_NX);
	/* Prefetch takes what is resident. */
	expect(&v[1], READ, false, at(0, 0, 0, 7), DONE);
	store(&v[0], L1, 7, (DATA + 7) << 12 | ALL | A | D | NX);
	vcpu_invlpg(&v[1], at(0, 0, 0, 7));
	expect(&v[1], READ, false, at(0, 0, 0, 7), FAULT);
	expect(&v[0], READ, false, at(0, 0, 0, 7), DONE);
	expect(&v[0], FETCH, false, at(0, 0, 0, 7), FAULT);
	story_end();
}

static void make_writable_again(void)
{
	machine->disturb = NULL;
	host_set_vma(page_of(OTHER), VMA_RW);
}

/* 5.2: a table becomes writable after a walk that could not set A there: the walk is void. */
static void table_becomes_writable(void)
{
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	poke(ROOT, 1, OTHER << 12 | ALL);
	poke(OTHER, 0, L2 << 12 | ALL);
	expect(v, READ, false, at(0, 0, 0, 0), DONE);
	host_swap_out(page_of(DATA));
	expect(v, READ, false, at(0, 0, 0, 0), DONE);
	host_set_vma(page_of(OTHER), VMA_RO);
	host_swap_out(page_of(DATA));	/* so that the host is asked for it, and others run */
	machine->disturb = make_writable_again;
	touch(v, READ, at(1, 0, 0, 0));
	CHECK(entry_of(OTHER, 0) & A, "no A after a use");
	check_behind = true;
	story_end();
}

static const struct directed stories[] = {
	{ "child-direct-or-not", child_direct_or_not },
	{ "large-frame-changes", large_frame_changes },
	{ "entry-transitions", entry_transitions },
	{ "permission-diamond", permission_diamond },
	{ "mode-flips", mode_flips },
	{ "smap-without-wp", smap_without_wp },
	{ "large-clean-and-dirty", large_clean_and_dirty },
	{ "accessed-and-dirty", accessed_and_dirty },
	{ "tables-in-rom", tables_in_rom },
	{ "table-becomes-writable", table_becomes_writable },
	{ "clear-and-see-again", clear_and_see_again },
	{ "recursive-map", recursive_map },
	{ "store-widths", store_widths },
	{ "address-bits", address_bits },
	{ "large-over-edges", large_over_edges },
	{ "flush-owed-by-others", flush_owed_by_others },
	{ "stale-writable-entry", stale_writable_entry },
	{ "counter-boundaries", counter_boundaries },
	{ "aliased-slots", aliased_slots },
	{ "ageing", ageing },
	{ "prefetch-in-other-mode", prefetch_in_other_mode },
};

const struct directed_set directed_tests = { stories, ARRAY_SIZE(stories) };
