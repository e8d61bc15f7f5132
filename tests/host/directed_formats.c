// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about the paging formats of a guest: two-level, PAE, 4-level, none, and changes between
 * them. Every access is also checked against the oracle.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "story.h"

#define RESERVED	(PF_P | PF_RSVD)

static u64 at_pae(u64 i3, u64 i2, u64 i1)
{
	return i3 << 30 | i2 << 21 | i1 << 12;
}

static void expect_fault(struct vcpu *v, enum kind what, u64 addr, u32 error)
{
	struct outcome out = act(v, what, false, addr);

	CHECK(out.kind == FAULT && out.error == error, "%llx: outcome %d error %x, want %x", addr,
	      out.kind, out.error, error);
}

/*
 * A and D of a two-level guest's entry are address bits 37 and 38 where the other half of eight
 * bytes is the entry: the CPU's own marks are stores, too.
 */
static void marks_in_other_format(void)
{
	const u64 page = 0x100003ULL << 12 | ALL | A | D;
	struct vcpu *v;
	u32 i;

	story_begin(2);
	v = machine->vcpu;
	CHECK(!slot_add(3, 0x100000, 1024, 2048, false), "slot");
	poke_32(PD32, 5, L1 << 12 | ALL);
	poke_32(PD32, 6, L2 << 12 | ALL);
	poke_32(PD32, 7, PD << 12 | ALL);
	for (i = 0; i < 4; i++) {
		story_format(v, i & 1 ? O_PAE : O_64);
		story_format(v + 1, O_32);
		/* The upper half has no W. */
		set_bit_of(v + 1, i & 2 ? X86_CR0_WP : 0, 0, 0);
		store(v, L1, 9, page);
		store(v, L2, 9, (0x100000ULL << 12 | PS | ALL | A | D));
		store(v, PD, 9, (0x100000ULL << 12 | PS | ALL | A | D));
		expect(v, WRITE, true, at(0, 0, 0, 9), DONE);
		expect(v, WRITE, true, at(0, 0, 9, 9), DONE);
		act(v + 1, i & 2 ? WRITE : READ, false, at_32(5, 19));
		act(v + 1, i & 2 ? WRITE : READ, false, at_32(i & 1 ? 7 : 6, 19));
		CHECK(entry_of(L1, 9) & 1ULL << 37, "no A in the upper half");
		CHECK(!vcpu_load_cr3(v, v->cr3), "load");
		expect_fault(v, READ, at(0, 0, 0, 9), RESERVED);
		expect_fault(v, READ, at(0, 0, 9, 9), RESERVED);
		check_all();
	}
	story_end();
}

/* A store by a vCPU in long mode, to which 62:52 mean nothing, into a table of a PAE guest. */
static void prefetch_in_other_format(void)
{
	struct vcpu *v;

	story_begin(2);
	v = machine->vcpu;
	story_format(v + 1, O_PAE);
	expect(v + 1, READ, false, at_pae(0, 0, 7), DONE);
	store(v, L1, 7, (DATA + 7) << 12 | ALL | A | D | 1ULL << 55);
	vcpu_invlpg(v + 1, at_pae(0, 0, 7));
	expect_fault(v + 1, READ, at_pae(0, 0, 7), RESERVED);
	expect(v, READ, false, at(0, 0, 0, 7), DONE);
	story_end();
}

/* A PAE load through registers: what is in memory, present or not, is what the guest gets. */
static void pdpte_subsets(void)
{
	struct vcpu *v;
	u32 n, mask, i;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_PAE);
	for (n = 0; n < 64; n++) {
		mask = n < 16 ? n : n * 7 % 16;
		for (i = 0; i < 4; i++)
			poke(PDPT, i, (PD + i) << 12 | (mask >> i & 1));
		CHECK(!vcpu_load_cr3(v, PDPT << 12), "load of subset %x", mask);
		for (i = 0; i < 4; i++)
			expect(v, n & 1 ? WRITE : READ, n & 2, at_pae(i, 0, i + n % 4),
			       mask >> i & 1 ? DONE : FAULT);
		check_all();
	}
	story_end();
}

/* Changes of memory and of bits that SDM 4.4.1 does not name leave the registers alone. */
static void pdpte_registers(void)
{
	static const struct {
		u64 cr0, cr4, efer;
		bool loads;
	} change[] = {
		{ .cr0 = X86_CR0_WP }, { .cr4 = X86_CR4_SMAP }, { .efer = EFER_NX },
		{ .cr0 = X86_CR0_CD, .loads = true }, { .cr0 = X86_CR0_NW, .loads = true },
		{ .cr4 = X86_CR4_PGE, .loads = true }, { .cr4 = X86_CR4_PSE, .loads = true },
		{ .cr4 = X86_CR4_SMEP, .loads = true },
	};
	struct vcpu *v;
	u32 i, n;

	story_begin(2);
	v = machine->vcpu;
	story_format(v, O_PAE);
	story_format(v + 1, O_PAE);
	poke(PD + 1, 0, L1 << 12 | P);
	for (n = 0; n < 2; n++)
		for (i = 0; i < ARRAY_SIZE(change); i++) {
			poke(PDPT, 0, PD << 12 | P);
			CHECK(!vcpu_load_cr3(v, PDPT << 12), "load");
			expect(v, WRITE, true, at_pae(0, 0, 0), DONE);
			if (n)
				poke(PDPT, 0, (PD + 1) << 12 | P);
			else
				store(v + 1, PDPT, 0, (PD + 1) << 12 | P);
			expect(v, WRITE, true, at_pae(0, 0, 1), DONE);
			CHECK(!set_bit_of(v, change[i].cr0, change[i].cr4, change[i].efer), "set");
			expect(v, READ, true, at_pae(0, 0, 2), change[i].loads ? FAULT : DONE);
			CHECK(!set_bit_of(v, X86_CR0_PG, 0, 0), "paging off");
			expect(v, WRITE, false, (DATA + 1) << 12, DONE);
			CHECK(!set_bit_of(v, X86_CR0_PG, 0, 0), "paging on");
			expect(v, READ, true, at_pae(0, 0, 3), FAULT);
			check_all();
		}
	story_end();
}

/* Which bits of a PDPTE refuse the load; a refused load leaves everything as it was. */
static void pdpte_reserved(void)
{
	struct vcpu *v;
	u64 good;
	int bit, i;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_PAE);
	poke(OTHER, 508, PD << 12 | P);
	for (bit = 1; bit < 64; bit++)
		for (i = 0; i < 4; i++) {
			bool rsvd = bit < 3 || (bit > 4 && bit < 9) || bit >= 36;

			if (bit >= 12 && bit < 36)
				continue;
			good = (PD + i) << 12 | P;
			poke(PDPT, i, good | 1ULL << bit);
			CHECK(vcpu_load_cr3(v, PDPT << 12) == rsvd, "bit %d of PDPTE %d", bit, i);
			expect(v, WRITE, false, at_pae(i, 0, bit % 8), DONE);
			CHECK(set_bit_of(v, 0, X86_CR4_PGE, 0) == rsvd, "bit %d", bit);
			expect(v, READ, false, at_pae(i, 0, bit % 8), DONE);
			poke(PDPT, i, (good | 1ULL << bit) & ~P);
			CHECK(!vcpu_load_cr3(v, PDPT << 12), "bit %d without P", bit);
			expect(v, READ, false, at_pae(i, 0, 0), FAULT);
			poke(PDPT, i, good);
			CHECK(!vcpu_load_cr3(v, PDPT << 12), "good PDPTEs");
			check_all();
		}
	/* The last 32 bytes of a page; low bits and high bits of CR3 are no address. */
	CHECK(!vcpu_load_cr3(v, 5ULL << 40 | OTHER << 12 | 0xfff), "load");
	expect(v, WRITE, false, at_pae(0, 0, 0), DONE);
	expect(v, WRITE, false, at_pae(1, 0, 0), FAULT);
	CHECK(vcpu_load_cr3(v, 0x700000) == 1, "PDPTEs where nothing is");
	host_set_vma(page_of(PDPT), VMA_NONE);
	CHECK(vcpu_load_cr3(v, PDPT << 12) == -EFAULT, "PDPTEs that the host cannot provide");
	host_set_vma(page_of(PDPT), VMA_RW);
	expect(v, WRITE, false, at_pae(0, 0, 1), DONE);
	story_end();
}

/* Memory behind a PDPTE that comes and goes while the register stays. */
static void pdpte_to_nothing(void)
{
	struct vcpu *v;
	u64 e, round;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_PAE);
	e = L1 << 12 | ALL;
	poke(PDPT, 1, 0x700ULL << 12 | P);
	poke(PDPT, 3, 0x701ULL << 12 | P);
	CHECK(!vcpu_load_cr3(v, PDPT << 12), "load");
	for (round = 0; round < 3; round++) {
		expect_fault(v, READ, at_pae(1, 0, 0), RESERVED);
		expect_fault(v, WRITE, at_pae(3, 5, 0), RESERVED | PF_W);
		expect(v, WRITE, false, at_pae(0, 0, 0), DONE);
		CHECK(!slot_add(3, 0x700, 8, 1100, false), "slot");
		host_poke(1100, 0, &e, 8);
		expect(v, WRITE, false, at_pae(1, 0, 1), DONE);
		expect(v, READ, false, at_pae(3, 5, 0), FAULT);
		check_all();
		CHECK(!slot_move(3, 0x701), "slot");
		expect_fault(v, WRITE, at_pae(1, 0, 1), RESERVED | PF_W);
		expect(v, WRITE, false, at_pae(3, 0, 1), DONE);
		check_all();
		CHECK(!slot_delete(3), "slot");
	}
	/* All four lead nowhere, or are absent: the vCPU runs, and faults. */
	for (e = 0; e < 4; e++)
		poke(PDPT, e, 0x700ULL << 12 | (e & 1));
	CHECK(!vcpu_load_cr3(v, PDPT << 12), "load");
	expect_fault(v, READ, at_pae(0, 0, 0), 0);
	expect_fault(v, READ, at_pae(1, 0, 0), RESERVED);
	CHECK(!slot_add(3, 0x700, 8, 1100, false), "slot");
	expect(v, WRITE, false, at_pae(1, 0, 1), DONE);
	story_end();
}

/* Through the self-map of the format, by the guest's own instructions. */
static void store_at(struct vcpu *v, u64 addr, u64 value, u32 len)
{
	struct operation op = { .a = { .addr = addr, .kind = WRITE }, .len = len };

	memcpy(op.data, &value, len);
	CHECK(verified_access(v, &op, false).kind == DONE, "store at %llx", addr);
}

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

/* PAE: the last four entries of the last directory lead to the four directories. */
static void self_map_pae(void)
{
	struct vcpu *v;
	u64 i, j, e, window = at_pae(3, 511, 508);

	story_begin(2);
	v = machine->vcpu;
	story_format(v, O_PAE);
	story_format(v + 1, O_PAE);
	for (i = 0; i < 4; i++)
		poke(PD + 3, 508 + i, (PD + i) << 12 | ALL);
	for (i = 0; i < 40; i++) {
		j = i % 4;
		act(v, READ, false, window + j * 4096);
		act(v, WRITE, false, at_pae(j, 0, i % 8));
		e = (DATA + 10 + i % 5) << 12 | ALL | (i & 1 ? A | D : 0);
		store_at(v + 1, at_pae(3, 508 + j, 0) + i % 8 * 8, e, 8);
		vcpu_invlpg(v, at_pae(j, 0, i % 8));
		act(v, READ, true, at_pae(j, 0, i % 8));
		e = (i & 2 ? PD + j : (u64)L1) << 12 | ALL;
		store_at(v, window + j * 4096, e, 8);
		vcpu_invlpg(v, 0);
		vcpu_invlpg(v + 1, 0);
		act(v + 1, READ, false, at_pae(j, 0, 0));
		act(v + 1, WRITE, false, at_pae(j, 0, 1));
		check_all();
		store(v, PD + j, 0, L1 << 12 | ALL);
		store(v, L1, 0, DATA << 12 | ALL);
	}
	story_end();
}

/* One frame as directory and page table of each format at once; a store is seen in all roles. */
static void one_frame_two_roles(void)
{
	struct vcpu *v;
	u32 i, j;

	story_begin(3);
	v = machine->vcpu;
	story_format(v, O_32);
	story_format(v + 1, O_PAE);
	story_format(v + 2, O_64);
	/* SPARE: directory of 32, PAE and 4-level, and the page table below all three. */
	for (i = 0; i < 4; i++)
		poke(PDPT, i, SPARE << 12 | P);
	poke(L3, 0, SPARE << 12 | ALL);
	vcpu_load_cr3(v, SPARE << 12);
	vcpu_load_cr3(v + 1, PDPT << 12);
	for (i = 0; i < 64; i++) {
		u64 frame = i & 1 ? SPARE : DATA + i % 16;
		u32 index = i % 3 + (i & 4 ? 256 : 0);

		store(v + i % 3, SPARE, index, frame << 12 | ALL | (i & 8 ? A : 0));
		if (i % 5 == 4)
			store_32(v + i % 3, SPARE, 2 * index + 1, (DATA + 30) << 12 | ALL);
		for (j = 0; j < 6; j++) {
			vcpu_exit(v + j % 3);
			act(v, j & 1 ? WRITE : READ, false, at_32(2 * (j % 3), 2 * index));
			act(v, READ, false, at_32(2 * index, 2 * (j % 3) + (j & 1)));
			act(v, READ, true, at_32(2 * index + 1, j));
			act(v + 1, READ, false, at_pae(j % 4, index, j % 3));
			act(v + 1, j & 1 ? READ : WRITE, true, at_pae(3 - j % 4, j % 3, index));
			act(v + 2, READ, true, at(0, 0, index, j % 3));
			act(v + 2, WRITE, false, at(0, 0, j % 3, index));
		}
		for (j = 0; j < 3; j++)
			vcpu_exit(v + j);
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

/* Every address bit of PAE entries, also those that 4-level paging ignores. */
static void address_bits_pae(void)
{
	struct vcpu *v;
	int bit, large;

	story_begin(2);
	v = machine->vcpu;
	story_format(v, O_PAE);
	for (bit = 12; bit < 64; bit++) {
		/* The same table for 4-level paging, in which 62:52 mean nothing. */
		store(v, L1, 1, 1ULL << bit | DATA << 12 | ALL);
		for (large = 0; large < 2; large++) {
			store(v, PD, 2, 1ULL << bit | ALL | (large ? PS : L1 << 12));
			try_all(v, at_pae(0, 0, 1), bit);
			try_all(v, at_pae(0, 2, 1), bit);
			try_all(v + 1, at(0, 0, 0, 1), bit);
			try_all(v, at_pae(0, 2, 1), bit);
			check_all();
		}
		if (bit % 4 == 3)
			set_bit_of(v, 0, 0, EFER_NX);
	}
	story_end();
}

/* Rights and the I/D bit of the error code in every format, under every mode. */
static void rights_and_modes(void)
{
	static const u64 rights[] = { ALL, P | W, P | U, P, ALL | NX, P | U | NX };
	static const u64 cr4[] = { 0, X86_CR4_SMEP, X86_CR4_SMAP, X86_CR4_SMEP | X86_CR4_SMAP };
	enum oracle_format format;
	u32 mode, i, round;
	struct vcpu *v;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < ARRAY_SIZE(rights); i++) {
		poke(L1, 20 + i, DATA << 12 | rights[i]);
		poke(PD, 20 + i, BIG << 12 | PS | rights[i]);
		poke(PD, 30 + i, L1 << 12 | rights[i]);
		poke(L2, 20 + i, BIG << 12 | PS | rights[i]);
		poke_32(PT32, 20 + i, DATA << 12 | (u32)rights[i]);
		poke_32(PD32, 20 + i, 0x400 << 12 | PS | (u32)rights[i]);
		poke_32(PD32, 30 + i, PT32 << 12 | (u32)rights[i]);
	}
	for (round = 0; round < 32; round++) {
		mode = round * 11 % 16;
		for (format = O_32; format <= O_64; format++) {
			story_format(v, format);
			set_bit_of(v, mode & 1 ? X86_CR0_WP : 0, cr4[mode >> 2],
				   mode & 2 ? EFER_NX : 0);
			for (i = 0; i < ARRAY_SIZE(rights); i++) {
				bool two = format == O_32;

				try_all(v, two ? at_32(0, 20 + i) : at_pae(0, 0, 20 + i), round);
				try_all(v, two ? at_32(20 + i, 5) : at_pae(0, 20 + i, 5), round);
				try_all(v, two ? at_32(30 + i, 5) : at_pae(0, 30 + i, 5), round);
				try_all(v, two ? at_32(30 + i, 21) : at_pae(0, 30 + i, 21), mode);
			}
			check_all();
		}
	}
	story_end();
}

/* One CR3 for all formats: a frame is PML4, PDPTEs and two-level directory, and so on below. */
static void formats_with_one_cr3(void)
{
	static const u64 addr[] = { 0, 0x1000, 0x200000, 0x400000, 0x40000000, 0xc0000000 };
	enum oracle_format format;
	struct shvm_paging p;
	struct vcpu *v;
	u32 n, i;

	story_begin(2);
	v = machine->vcpu;
	vcpu_load_cr3(v, OTHER << 12);
	vcpu_load_cr3(v + 1, OTHER << 12);
	for (i = 0; i < 4; i++) {
		poke(OTHER, i, SPARE << 12 | P);
		poke(SPARE, i, (SPARE + 1) << 12 | ALL);
		poke(SPARE + 1, i, (i & 1 ? SPARE + 2 : (u64)DATA + i) << 12 | ALL);
		poke(SPARE + 2, i, (DATA + i) << 12 | ALL);
	}
	for (n = 0; n < 96; n++) {
		format = (n * 5 + n / 4 + n / 16) % O_NR_FORMATS;
		p = oracle_paging(format);
		/* What a walk has marked is reserved in a PDPTE. */
		if (format == O_PAE) {
			for (i = 0; i < 4; i++)
				store(v, OTHER, i, entry_of(OTHER, i) & ~(A | D));
			CHECK(!vcpu_load_cr3(v + n % 2, OTHER << 12), "reload");
		}
		CHECK(!vcpu_set_paging(v + n % 2, &p), "format %d", format);
		for (i = 0; i < ARRAY_SIZE(addr); i++)
			try_all(v + n % 2, addr[i], n);
		if (n % 3 == 2)
			store(v, SPARE + 1, n % 4, (DATA + n % 32) << 12 | ALL);
		for (i = 0; i < ARRAY_SIZE(addr); i++)
			act(v + (n + 1) % 2, READ, false, addr[i]);
		check_all();
	}
	story_end();
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

/* Tables where nothing is read as all ones; with 52 address bits that is a page, or nearly one. */
static void tables_of_ones(void)
{
	static const u8 widths[] = { 36, 51, 52 };
	enum oracle_format format;
	struct shvm_paging p;
	struct vcpu *v;
	u32 i, nx;

	for (i = 0; i < ARRAY_SIZE(widths); i++) {
		story_begin(1);
		v = machine->vcpu;
		poke(L3, 7, 0x710ULL << 12 | ALL);
		poke(L2, 7, 0x710ULL << 12 | ALL);
		poke(PD, 7, 0x710ULL << 12 | ALL);
		poke(PD + 3, 7, 0x710ULL << 12 | P | W);
		poke_32(PD32, 7, 0x710 << 12 | ALL);
		for (nx = 0; nx < 2; nx++)
			for (format = O_32; format <= O_64; format++) {
				story_format(v, format);
				p = v->paging;
				p.maxphyaddr = widths[i];
				p.efer ^= nx ? EFER_NX : 0;
				CHECK(!vcpu_set_paging(v, &p), "width %d", widths[i]);
				try_all(v, format == O_32 ? at_32(7, 3) : at_pae(0, 7, 3), nx);
				try_all(v, format == O_32 ? at_32(7, 600) : at_pae(3, 7, 3), nx);
				if (format == O_64)
					try_all(v, at(0, 7, 0, 3), nx);
				check_all();
			}
		story_end();
	}
}

/* A frame that was a root once becomes plain memory when the guest stores to it as data. */
static void former_root(void)
{
	enum oracle_format format;
	struct vcpu *v;
	int n, i;

	for (format = O_32; format <= O_64; format++) {
		static const u64 root[] = { [O_32] = PD32, [O_PAE] = PD, [O_64] = ROOT };

		story_begin(2);
		v = machine->vcpu;
		story_format(v, format);
		expect(v, WRITE, false, 0, DONE);
		/* The other vCPU holds on to another address space. */
		story_format(v + 1, O_OFF);
		poke(SPARE, 0, L3 << 12 | ALL);
		poke_32(SPARE + 1, 0, PT32 << 12 | ALL);
		poke(SPARE + 2, 0, (SPARE + 3) << 12 | P);
		poke(SPARE + 3, 0, L1 << 12 | ALL);
		CHECK(!vcpu_load_cr3(v, (format == O_64 ? SPARE : format == O_32 ? SPARE + 1 :
					 SPARE + 2) << 12), "load");
		expect(v, READ, false, 0, DONE);
		for (n = i = 0; n < 100 && !i; n++) {
			struct outcome out = act(v + 1, WRITE, false,
						 root[format] << 12 | n % 512 * 8);

			i = out.hardware;
		}
		CHECK(n < 40, "format %d: stores to a former root are trapped for ever", format);
		check_all();
		story_end();
	}
}

static const struct directed stories[] = {
	{ "marks-in-other-format", marks_in_other_format },
	{ "prefetch-in-other-format", prefetch_in_other_format },
	{ "pdpte-subsets", pdpte_subsets },
	{ "pdpte-registers", pdpte_registers },
	{ "pdpte-reserved", pdpte_reserved },
	{ "pdpte-to-nothing", pdpte_to_nothing },
	{ "self-map-32", self_map_32 },
	{ "self-map-pae", self_map_pae },
	{ "one-frame-two-roles", one_frame_two_roles },
	{ "large-4m", large_4m },
	{ "pse36-bits", pse36_bits },
	{ "address-bits-pae", address_bits_pae },
	{ "rights-and-modes", rights_and_modes },
	{ "formats-with-one-cr3", formats_with_one_cr3 },
	{ "both-halves-follow", both_halves_follow },
	{ "quadrants", quadrants },
	{ "store-widths-32", store_widths_32 },
	{ "cr3-outside-long-mode", cr3_outside_long_mode },
	{ "tables-of-ones", tables_of_ones },
	{ "former-root", former_root },
};

const struct directed_set format_tests = { stories, ARRAY_SIZE(stories) };
