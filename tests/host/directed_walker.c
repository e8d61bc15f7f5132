// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software walk alone, against the oracle: every combination of the bits that mean something,
 * at every level of every format, in every mode, for every kind of access. No shadow is made.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "story.h"

/* Bit 13 is reserved in large entries, 40 beyond MAXPHYADDR, 55 in PAE only. */
static const u64 bits[] = { P, W, U, PS, NX, 1ULL << 13, 1ULL << 40, 1ULL << 55 };

#define NR_ACCESSES	10

static struct access nth_access(u64 addr, int n)
{
	return (struct access){
		.addr = addr, .kind = n % 3, .user = n >= 3 && n < 6, .ac = n >= 6 && n < 9,
		.implicit = n == 9,
	};
}

static void walk_one(struct vcpu *v, const struct access *a)
{
	struct oracle o;
	u32 error = 0;
	gpa_t gpa;
	int ret;

	oracle_walk(v, a, &o);
	ret = shvm_mmu_translate(&v->mv, gva(a->addr), access_flags(a), &gpa, &error);
	CHECK(ret == (o.kind == O_FAULT), "%llx: result %d, oracle %d", a->addr, ret, o.kind);
	if (ret)
		CHECK(error == o.error, "%llx kind %d user %d: error %x, must be %x", a->addr,
		      a->kind, a->user, error, o.error);
	else
		CHECK(gpa.v >> 12 == o.gfn, "%llx: gpa %llx, must be %llx", a->addr, gpa.v,
		      o.gfn << 12);
}

static void walk_all(struct vcpu *v, u64 addr)
{
	struct access a;
	int n;

	for (n = 0; n < NR_ACCESSES; n++) {
		a = nth_access(addr, n);
		walk_one(v, &a);
	}
}

static u64 more_cr4;	/* in every mode */

static void set_mode(struct vcpu *v, enum oracle_format format, u32 mode)
{
	struct shvm_paging p = oracle_paging(format);

	p.cr4 |= more_cr4;
	p.cr0 ^= mode & 1 ? X86_CR0_WP : 0;
	p.cr4 |= mode & 2 ? X86_CR4_SMEP : 0;
	p.cr4 |= mode & 4 ? X86_CR4_SMAP : 0;
	p.efer ^= mode & 8 ? EFER_NX : 0;
	p.cr4 ^= mode & 16 ? X86_CR4_PSE : 0;
	p.gbpages = !(mode & 16);
	CHECK(!vcpu_set_registers(v, &p, v->cr3), "mode %x", mode);
}

/* The entry at table[0] takes every value; what comes below it, or is above, has these rights. */
static void vary(struct vcpu *v, enum oracle_format format, u64 table, u64 base)
{
	u32 combination, mode, i;
	u64 e;

	for (combination = 0; combination < 1u << ARRAY_SIZE(bits); combination++) {
		e = base | A | D;
		for (i = 0; i < ARRAY_SIZE(bits); i++)
			e |= combination >> i & 1 ? bits[i] : 0;
		if (format == O_32)
			poke_32(table, 0, e);
		else
			poke(table, 0, e);
		for (mode = 0; mode < 32; mode++) {
			set_mode(v, format, mode);
			walk_all(v, 0);
		}
	}
}

static void walker_formats(void)
{
	static const u64 rights[] = { ALL, P | W, P | U };
	u64 e;
	struct vcpu *v;
	u32 i;

	story_begin(1);
	v = machine->vcpu;
	for (i = 0; i < ARRAY_SIZE(rights); i++) {
		e = rights[i] | A | D;
		poke(L1, 0, DATA << 12 | e);
		poke_32(PT32, 0, DATA << 12 | e);
		poke(ROOT, 0, L3 << 12 | ALL | A);
		story_format(v, O_64);
		vary(v, O_64, ROOT, L3 << 12);
		poke(ROOT, 0, L3 << 12 | e);
		vary(v, O_64, L3, L2 << 12);
		poke(L3, 0, L2 << 12 | ALL | A);
		vary(v, O_64, L2, L1 << 12);
		poke(L2, 0, L1 << 12 | e);
		vary(v, O_64, L1, DATA << 12);
		story_format(v, O_PAE);
		poke(L1, 0, DATA << 12 | e);
		vary(v, O_PAE, PD, L1 << 12);
		poke(PD, 0, L1 << 12 | e);
		vary(v, O_PAE, L1, DATA << 12);
		story_format(v, O_32);
		vary(v, O_32, PD32, PT32 << 12);
		poke_32(PD32, 0, PT32 << 12 | e);
		vary(v, O_32, PT32, DATA << 12);
	}
	story_end();
}

#define TOP	OTHER

/* No guest is offered it, so only the walker is asked. */
static void walker_five_levels(void)
{
	struct vcpu *v;
	u64 i;

	story_begin(1);
	v = machine->vcpu;
	story_format(v, O_64);
	more_cr4 = X86_CR4_LA57;
	CHECK(!vcpu_load_cr3(v, TOP << 12), "CR3");
	poke(ROOT, 0, L3 << 12 | ALL | A);
	poke(L3, 0, L2 << 12 | ALL | A);
	poke(L2, 0, L1 << 12 | ALL | A);
	poke(L1, 0, DATA << 12 | ALL | A | D);
	vary(v, O_64, TOP, ROOT << 12);
	poke(TOP, 0, ROOT << 12 | ALL | A);
	vary(v, O_64, ROOT, L3 << 12);
	poke(ROOT, 0, L3 << 12 | ALL | A);
	poke(TOP, 511, ROOT << 12 | P | A);
	for (i = 0; i < 512; i += 7) {
		set_mode(v, O_64, i & 31);
		walk_all(v, i << 48);
		walk_all(v, 511ULL << 48 | i << 39 | 5);
	}
	more_cr4 = 0;
	story_end();
}

static const struct directed stories[] = {
	{ "walker-formats", walker_formats },
	{ "walker-five-levels", walker_five_levels },
};

const struct directed_set walker_tests = { stories, ARRAY_SIZE(stories) };
