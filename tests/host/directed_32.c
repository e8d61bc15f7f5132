// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about guests with two-level paging, whose tables are shadowed by two tables each and
 * whose directories by four. Every access is also checked against the oracle.
 */
#include <asm/processor-flags.h>

#include "story.h"

/* Two-level: the directory as its own page table, read and edited through that window. */
static void self_map_32(void)
{
	struct vcpu *v;
	u32 i, e;

	story_begin(2);
	v = machine->vcpu;
	story_format(v, O_32);
	story_format(v + 1, O_32);
	poke_32(PD32, 1023, PD32 << 12 | ALL);
	for (i = 0; i < 1024; i += i % 256 == 2 ? 252 : 1)
		poke_32(PD32, i, i == 1023 ? PD32 << 12 | ALL : PT32 << 12 | ALL);
	for (i = 0; i < 40; i++) {
		u32 pde = i * 13 % 4 * 256 + i % 2, pte = i * 7 % 8;

		act(v, READ, false, at_32(1023, 1023) + pde * 4);
		act(v, WRITE, false, at_32(pde, pte));
		e = (DATA + 10 + i % 4) << 12 | ALL | (i & 1 ? A | D : 0);
		store_at(v, at_32(1023, pde) + pte * 4, e, 4);
		vcpu_invlpg(v, at_32(pde, pte));
		vcpu_invlpg(v + 1, at_32(pde, pte));
		act(v + 1, READ, true, at_32(pde, pte));
		e = (i & 2 ? PD32 : PT32) << 12 | ALL;
		store_at(v + 1, at_32(1023, 1023) + pde * 4, e, 4);
		vcpu_load_cr3(v, PD32 << 12);
		vcpu_load_cr3(v + 1, PD32 << 12);
		act(v, READ, false, at_32(pde, 1022));
		act(v, READ, false, at_32(pde, 5));
		check_all();
	}
	story_end();
}

/* Both halves of a large page of 4 MiB, A and D in its entry; and PS without CR4.PSE. */
static void large_4m(void)
{
	struct vcpu *v;
	int i;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_32);
	for (i = 0; i < 6; i++) {
		store_32(v, PD32, 5, 0x400 << 12 | PS | ALL);
		expect(v, READ, true, at_32(5, 1), DONE);
		CHECK(entry_32(PD32, 5) == (0x400 << 12 | PS | ALL | A), "A of a large page");
		expect(v, WRITE, true, at_32(5, 0x57), DONE);
		CHECK(entry_32(PD32, 5) & D, "no D in a large page");
		expect(v, READ, true, at_32(5, 0x201), DONE);
		expect(v, WRITE, true, at_32(5, 0x201), MMIO);
		expect(v, READ, true, at_32(5, 0x100), MMIO);
		check_all();
		/* Now it is a page table, in frame 0x400. */
		poke_32(0x400, 1, (DATA + i) << 12 | ALL);
		poke_32(0x400, 0x201, (DATA + i + 1) << 12 | ALL);
		set_bit_of(v, 0, X86_CR4_PSE, 0);
		expect(v, WRITE, true, at_32(5, 1), DONE);
		expect(v, WRITE, true, at_32(5, 0x201), DONE);
		expect(v, READ, true, at_32(5, 2), FAULT);
		check_all();
		set_bit_of(v, 0, X86_CR4_PSE, 0);
		expect(v, READ, true, at_32(5, 2), DONE);
		expect(v, WRITE, true, at_32(5, 0x201), MMIO);
		store_32(v, PD32, 5, i & 1 ? 0 : PT32 << 12 | ALL);
		expect(v, READ, true, at_32(5, 2), i & 1 ? FAULT : DONE);
		expect(v, READ, true, at_32(5, 0x201), FAULT);
		check_all();
	}
	story_end();
}

/* The address bits of PSE-36 by MAXPHYADDR, and bits that are reserved, one at a time. */
static void pse36_bits(void)
{
	static const u8 widths[] = { 32, 33, 36, 39, 40, 46 };
	struct shvm_paging p;
	struct vcpu *v;
	u32 i, bit, pse36;

	for (pse36 = 0; pse36 < 2; pse36++)
		for (i = 0; i < ARRAY_SIZE(widths); i++) {
			story_begin(1);
			v = machine->vcpu;
			p = oracle_paging(O_32);
			p.maxphyaddr = widths[i];
			p.pse36 = pse36;
			CHECK(!vcpu_set_registers(v, &p, PD32 << 12), "registers");
			CHECK(!slot_add(3, 0x100000, 64, 1100, false), "slot");
			CHECK(!slot_add(4, 0x800200, 64, 1200, false), "slot");
			for (bit = 12; bit < 22; bit++) {
				store_32(v, PD32, 8, 1u << bit | PS | ALL);
				store_32(v, PD32, 9, 1u << bit | ALL);
				try_all(v, at_32(8, 3), bit);
				try_all(v, at_32(8, 0x203), bit);
				try_all(v, at_32(9, 3), bit);
				try_all(v, at_32(9, 0x203), bit);
				check_all();
				set_bit_of(v, 0, X86_CR4_PSE, 0);
				try_all(v, at_32(8, 3), bit);
				set_bit_of(v, 0, X86_CR4_PSE, 0);
				try_all(v, at_32(8, 5), bit);
			}
			story_end();
		}
}

/* A directory entry of a two-level guest is two of the host's: both follow a store. */
static void both_halves_follow(void)
{
	static const u32 what[] = {
		0, PT32 << 12 | ALL, (PT32 + 1) << 12 | ALL, 0x400 << 12 | PS | ALL, PS | ALL,
		PT32 << 12 | P | U,
	};
	u32 from, to, quadrant, first;
	struct vcpu *v;

	story_begin(2);
	v = machine->vcpu;
	story_format(v, O_32);
	story_format(v + 1, O_32);
	poke_32(PT32, 512, (DATA + 8) << 12 | ALL);
	poke_32(PT32 + 1, 0, (DATA + 9) << 12 | ALL);
	poke_32(PT32 + 1, 512, (DATA + 10) << 12 | ALL);
	for (quadrant = 0; quadrant < 4; quadrant++)
		for (from = 0; from < ARRAY_SIZE(what); from++)
			for (to = 0; to < ARRAY_SIZE(what); to++) {
				u32 pde = quadrant * 256 + 17;

				first = (from ^ to) & 1 ? 512 : 0;
				store_32(v, PD32, pde, what[from]);
				try_all(v, at_32(pde, first), to);
				try_all(v, at_32(pde, first ^ 512), from);
				check_all();
				store_32(v + 1, PD32, pde, what[to]);
				act(v, READ, false, at_32(pde, first ^ 512));
				act(v, WRITE, true, at_32(pde, first));
				act(v, WRITE, true, at_32(pde, first ^ 512));
				check_all();
			}
	story_end();
}

/* All quadrants of a directory and both halves of tables that several entries share. */
static void quadrants(void)
{
	struct vcpu *v;
	u32 i, n;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_32);
	for (i = 0; i < 1024; i++)
		poke_32(PT32, i, (DATA + i % 32) << 12 | ALL);
	for (i = 0; i < 1024; i++)
		if (i % 64 < 2 || i % 64 > 61)
			poke_32(PD32, i, (i % 3 ? PT32 : PT32 + 1) << 12 | ALL);
	for (i = 0; i < 1024; i += 5)
		poke_32(PT32 + 1, i, (DATA + 32 + i % 31) << 12 | ALL);
	for (n = 0; n < 1500; n++) {
		i = n * 37 % 64;
		act(v, n % 3 ? READ : WRITE, n & 4,
		    at_32(i / 4 * 64 + (i % 4 < 2 ? i % 4 : 60 + i % 4), n * 171 % 1024));
		if (n % 100 == 99)
			check_all();
	}
	story_end();
}

/* One store into 16 bytes of a table, and accesses through the four entries in them. */
static void widths_step(struct vcpu *v, u64 table, u32 first, u32 off, u32 len, u32 n)
{
	u32 frame = table == PT32 ? DATA + 20 : PT32, e[4], j;

	for (j = 0; j < 4; j++)
		e[j] = (frame + (n + j) % 3) << 12 | ALL | (n >> j & 4 ? A | D : 0);
	if (n % 5 == 0)
		e[n % 4] &= ~P;
	store_bytes(v + n % 2, table << 12 | (first * 4 + off), (u8 *)e + off, len);
	for (j = 0; j < 4; j++) {
		u64 addr = table == PT32 ? at_32(0, first + j) : at_32(first + j, n % 2 * 512);

		act(v, n & 1 ? READ : WRITE, false, addr);
		act(v + 1, n & 2 ? READ : WRITE, false, addr);
	}
	check_all();
}

/* Stores of every width and offset over neighbours, also where the host's tables change. */
static void store_widths_32(void)
{
	static const u32 first[] = { 0, 254, 510, 766, 1020 };
	u32 t, i, off, len, n = 0;
	struct vcpu *v;

	story_begin(2);
	v = machine->vcpu;
	story_format(v, O_32);
	story_format(v + 1, O_32);
	for (t = 0; t < 2; t++)
		for (i = 0; i < ARRAY_SIZE(first); i++)
			for (len = 1; len <= 16; len *= 2)
				for (off = 0; off <= 16 - len; off += len < 8 ? 1 : 4) {
					widths_step(v, t ? PT32 : PD32, first[i], off, len, n++);
					store_32(v, PD32, 0, PT32 << 12 | ALL);
				}
	story_end();
}

/* CR3 has 32 bits of address outside long mode, and a root where nothing is ends the vCPU. */
static void cr3_outside_long_mode(void)
{
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_32);
	CHECK(!vcpu_load_cr3(v, 3ULL << 32 | PD32 << 12 | 0x18), "load");
	expect(v, WRITE, false, at_32(0, 1), DONE);
	CHECK(!vcpu_load_cr3(v, 0x700000), "load");
	expect(v, READ, false, at_32(0, 0), NOROOT);
	CHECK(!slot_add(3, 0x700, 8, 1100, false), "slot");
	expect(v, READ, false, at_32(0, 0), FAULT);
	CHECK(!vcpu_load_cr3(v, PD32 << 12), "load");
	/* A page table where nothing is: all ones, and that is a page. */
	store_32(v, PD32, 3, 0x710 << 12 | ALL);
	expect(v, WRITE, true, at_32(3, 0), MMIO);
	CHECK(!slot_add(4, 0xffffe, 8, 1200, false), "slot");
	expect(v, WRITE, true, at_32(3, 5), DONE);
	expect(v, READ, false, at_32(3, 5), DONE);
	expect(v, READ, false, at_32(0, 0), DONE);
	story_end();
}

static const struct directed stories[] = {
	{ "self-map-32", self_map_32 },
	{ "large-4m", large_4m },
	{ "pse36-bits", pse36_bits },
	{ "both-halves-follow", both_halves_follow },
	{ "quadrants", quadrants },
	{ "store-widths-32", store_widths_32 },
	{ "cr3-outside-long-mode", cr3_outside_long_mode },
};

const struct directed_set two_level_tests = { stories, ARRAY_SIZE(stories) };
