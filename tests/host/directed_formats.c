// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about guests that change between the paging formats, and vCPUs that use one table in
 * different formats. Every access is also checked against the oracle.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "story.h"

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
	{ "one-frame-two-roles", one_frame_two_roles },
	{ "rights-and-modes", rights_and_modes },
	{ "formats-with-one-cr3", formats_with_one_cr3 },
	{ "tables-of-ones", tables_of_ones },
	{ "former-root", former_root },
};

const struct directed_set format_tests = { stories, ARRAY_SIZE(stories) };
