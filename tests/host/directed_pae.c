// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about guests with PAE paging: the PDPTE registers, the self-map, reserved bits. Every
 * access is also checked against the oracle.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "story.h"

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

static const struct directed stories[] = {
	{ "pdpte-subsets", pdpte_subsets },
	{ "pdpte-registers", pdpte_registers },
	{ "pdpte-reserved", pdpte_reserved },
	{ "pdpte-to-nothing", pdpte_to_nothing },
	{ "self-map-pae", self_map_pae },
	{ "address-bits-pae", address_bits_pae },
};

const struct directed_set pae_tests = { stories, ARRAY_SIZE(stories) };
