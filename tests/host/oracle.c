// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the Intel SDM (volume 3, chapter 4) says about an access, from the guest's registers and
 * memory alone: no caching, no sharing, nothing from src/mmu. Reads the mirror.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "machine.h"
#include "sdm.h"

struct level {
	u64 entry, at;
	bool frozen;		/* in memory that cannot be written */
};

/* The tables that a CPU reads for an access, top first: 2 of PAE, for its PDPTEs are registers. */
static const struct {
	int levels, index_bits, bytes;
} format_tables[] = {
	[O_32] = { 2, 10, 4 },
	[O_PAE] = { 2, 9, 8 },
	[O_64] = { 4, 9, 8 },
};

enum oracle_format oracle_format(const struct shvm_paging *p)
{
	if (!(p->cr0 & X86_CR0_PG))
		return O_OFF;
	if (p->efer & EFER_LMA)
		return O_64;
	return p->cr4 & X86_CR4_PAE ? O_PAE : O_32;
}

struct shvm_paging oracle_paging(enum oracle_format format)
{
	struct shvm_paging p = {
		.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP, .cr4 = X86_CR4_PAE,
		.efer = EFER_NX, .maxphyaddr = 36, .gbpages = true, .pse36 = true,
	};

	if (format == O_OFF)
		p.cr0 &= ~X86_CR0_PG;
	if (format == O_32)
		p.cr4 = X86_CR4_PSE;
	if (format == O_64)
		p.efer |= EFER_LMA | EFER_LME;
	return p;
}

u64 oracle_linear(const struct shvm_paging *p, u64 addr)
{
	return oracle_format(p) == O_64 ? addr : addr & 0xffffffff;
}

/* An entry in guest-physical memory; all ones where nothing is. False: the host has nothing. */
static bool entry_read(u64 at, int bytes, struct level *l)
{
	long page = page_of(at >> 12);
	enum vma vma;

	l->at = at;
	l->entry = bytes == 4 ? 0xffffffff : ~0ULL;
	l->frozen = true;
	if (page < 0)
		return true;
	vma = machine->host[page].vma;
	l->frozen = vma != VMA_RW || slot_of(at >> 12)->readonly;
	l->entry = 0;
	memcpy(&l->entry, &machine->mirror[page][at & 0xfff], bytes);
	return vma != VMA_NONE;
}

/* 4.4.1, table 4-8. */
enum oracle_kind oracle_pdptes(const struct shvm_paging *p, u64 cr3, u64 pdpte[4])
{
	u64 at = cr3 & 0xffffffe0, rsvd = 0x1e6 | ~((1ULL << p->maxphyaddr) - 1);
	struct level l;
	int i;

	for (i = 0; i < 4; i++) {
		if (!entry_read(at + 8 * i, 8, &l))
			return O_HOST;
		pdpte[i] = l.entry;
	}
	for (i = 0; i < 4; i++)
		if ((pdpte[i] & E_P) && (pdpte[i] & rsvd))
			return O_FAULT;
	return O_OK;
}

/* 4.3, tables 4-4 to 4-6. */
static u64 reserved_32(const struct shvm_paging *p, u64 entry, int level)
{
	int high = p->maxphyaddr < 40 ? p->maxphyaddr : 40, i;
	u64 bits = 0;

	if (level == 1 || !(p->cr4 & X86_CR4_PSE) || !(entry & E_PS))
		return 0;
	/* Bit 13 is address bit 32, and so on, up to bit 39. */
	for (i = 13; i <= 21; i++)
		if (!p->pse36 || i + 19 >= high)
			bits |= 1ULL << i;
	return bits;
}

/* 4.4.2, tables 4-9 to 4-11; 4.5.4, tables 4-15 to 4-20. */
static u64 reserved_bits(const struct shvm_paging *p, enum oracle_format format, u64 entry,
			 int level)
{
	u64 bits = 0;
	int i;

	if (format == O_32)
		return reserved_32(p, entry, level);
	for (i = p->maxphyaddr; i < (format == O_PAE ? 63 : 52); i++)
		bits |= 1ULL << i;
	if (!(p->efer & EFER_NX))
		bits |= E_NX;
	if (level >= 4 || (level == 3 && !p->gbpages))
		bits |= E_PS;
	if (level == 3 && p->gbpages && (entry & E_PS))
		bits |= 0x3fffe000ULL;
	if (level == 2 && (entry & E_PS))
		bits |= 0x001fe000ULL;
	return bits;
}

static bool is_leaf(const struct shvm_paging *p, enum oracle_format format, u64 entry, int level)
{
	if (level == 1)
		return true;
	if (!(entry & E_PS) || level >= 4)
		return false;
	return format != O_32 || (p->cr4 & X86_CR4_PSE);
}

static u64 leaf_base(enum oracle_format format, u64 entry, int level)
{
	if (format == O_32 && level == 2)
		return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	return entry & E_ADDR;
}

/* 4.7. */
static void o_fault(struct oracle *o, const struct shvm_paging *p, const struct access *a, u32 why)
{
	bool nx = (p->cr4 & X86_CR4_PAE) && (p->efer & EFER_NX);

	o->kind = O_FAULT;
	o->error = why;
	if (a->kind == WRITE)
		o->error |= PF_W;
	if (a->user)
		o->error |= PF_U;
	if (a->kind == FETCH && (nx || (p->cr4 & X86_CR4_SMEP)))
		o->error |= PF_I;
}

/* SDM 4.6.1. */
static bool allowed(const struct shvm_paging *p, const struct access *a, bool w, bool u, bool x)
{
	if (a->user) {
		if (!u)
			return false;
		if (a->kind == WRITE)
			return w;
		return a->kind == READ || x;
	}
	if (a->kind == FETCH)
		return x && !(u && (p->cr4 & X86_CR4_SMEP));
	if (u && (p->cr4 & X86_CR4_SMAP) && !(a->ac && !a->implicit))
		return false;
	return a->kind == READ || w || !(p->cr0 & X86_CR0_WP);
}

static void add_marks(struct oracle *o, const struct level *l, int leaf, bool write)
{
	int level;

	for (level = o->levels; level >= leaf; level--) {
		u64 bits = E_A | (level == leaf && write ? E_D : 0);

		if (l[level].frozen || (l[level].entry & bits) == bits)
			continue;
		o->mark[o->nr_marks].gpa = l[level].at;
		o->mark[o->nr_marks++].bits = bits;
	}
}

/* Where the first table is. False: o says what comes of it. */
static bool first_table(const struct vcpu *v, const struct access *a, struct oracle *o, u64 *at)
{
	u64 pdpte = v->guest_pdpte[a->addr >> 30 & 3];

	if (o->format == O_PAE) {
		if (!(pdpte & E_P))
			o_fault(o, &v->paging, a, 0);
		*at = pdpte & E_ADDR;
		return pdpte & E_P;
	}
	*at = v->cr3 & (o->format == O_32 ? 0xfffff000 : E_ADDR);
	if (page_of(*at >> 12) < 0)
		o->kind = O_NOROOT;
	return o->kind != O_NOROOT;
}

void oracle_walk(const struct vcpu *v, const struct access *a, struct oracle *o)
{
	const struct shvm_paging *p = &v->paging;
	u64 addr = oracle_linear(p, a->addr), at, size;
	bool w = true, u = true, x = true;
	struct level l[6];
	int level, bits;

	memset(o, 0, sizeof(*o));
	o->format = oracle_format(p);
	if (o->format == O_OFF) {
		o->gfn = addr >> 12;
		return;
	}
	o->levels = format_tables[o->format].levels;
	if (o->format == O_64 && (p->cr4 & X86_CR4_LA57))
		o->levels = 5;
	o->bytes = format_tables[o->format].bytes;
	bits = format_tables[o->format].index_bits;
	if (!first_table(v, a, o, &at))
		return;
	for (level = o->levels; ; level--) {
		u64 e;

		at += (addr >> (12 + bits * (level - 1)) & ((1 << bits) - 1)) * o->bytes;
		o->entry[o->nr_entries++] = at;
		if (!entry_read(at, o->bytes, &l[level])) {
			o->kind = O_HOST;
			return;
		}
		e = l[level].entry;
		if (!(e & E_P))
			return o_fault(o, p, a, 0);
		if (e & reserved_bits(p, o->format, e, level))
			return o_fault(o, p, a, PF_P | PF_RSVD);
		w &= !!(e & E_W);
		u &= !!(e & E_U);
		x &= !(e & E_NX);
		if (is_leaf(p, o->format, e, level))
			break;
		at = e & E_ADDR;
	}
	if (!allowed(p, a, w, u, x))
		return o_fault(o, p, a, PF_P);
	size = 1ULL << (12 + bits * (level - 1));
	at = leaf_base(o->format, l[level].entry, level) & ~(size - 1);
	o->gfn = (at | (addr & (size - 1))) >> 12;
	add_marks(o, l, level, a->kind == WRITE);
}

void oracle_commit(const struct oracle *o)
{
	int i;

	for (i = 0; i < o->nr_marks; i++) {
		u64 gpa = o->mark[i].gpa;

		history_store(page_of(gpa >> 12), gpa & 0xfff, 1);
		machine->mirror[page_of(gpa >> 12)][gpa & 0xfff] |= o->mark[i].bits;
	}
}
