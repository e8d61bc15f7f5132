// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the Intel SDM (volume 3, chapter 4) says about an access, from the guest's registers and
 * memory alone: no caching, no sharing, nothing from src/mmu. Reads the mirror.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "machine.h"

struct level {
	u64 entry, at;
	bool frozen;		/* in memory that cannot be written */
};

/* Bytes 7..0 of guest-physical memory; all ones where nothing is. False: the host has nothing. */
static bool entry_read(u64 at, struct level *l)
{
	long page = page_of(at >> 12);
	enum vma vma;

	l->at = at;
	l->entry = ~0ULL;
	l->frozen = true;
	if (page < 0)
		return true;
	vma = machine->host[page].vma;
	l->frozen = vma != VMA_RW || slot_of(at >> 12)->readonly;
	memcpy(&l->entry, &machine->mirror[page][at & 0xfff], 8);
	return vma != VMA_NONE;
}

/* SDM table 4-15 and following, 4-level paging. */
static u64 reserved_bits(const struct shvm_paging *p, u64 entry, int level)
{
	u64 bits = 0;
	int i;

	for (i = p->maxphyaddr; i < 52; i++)
		bits |= 1ULL << i;
	if (!(p->efer & EFER_NX))
		bits |= 1ULL << 63;
	if (level == 4 || (level == 3 && !p->gbpages))
		bits |= 1ULL << 7;
	if (level == 3 && p->gbpages && (entry & 0x80))
		bits |= 0x3fffe000ULL;
	if (level == 2 && (entry & 0x80))
		bits |= 0x001fe000ULL;
	return bits;
}

static void o_fault(struct oracle *o, const struct shvm_paging *p, const struct access *a, u32 why)
{
	o->kind = O_FAULT;
	o->error = why;
	if (a->kind == WRITE)
		o->error |= 2;
	if (a->user)
		o->error |= 4;
	if (a->kind == FETCH && ((p->efer & EFER_NX) || (p->cr4 & X86_CR4_SMEP)))
		o->error |= 16;
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

	for (level = 4; level >= leaf; level--) {
		u64 bits = 0x20 | (level == leaf && write ? 0x40 : 0);

		if (l[level].frozen || (l[level].entry & bits) == bits)
			continue;
		o->mark[o->nr_marks].gpa = l[level].at;
		o->mark[o->nr_marks++].bits = bits;
	}
}

void oracle_walk(const struct vcpu *v, const struct access *a, struct oracle *o)
{
	const struct shvm_paging *p = &v->paging;
	bool w = true, u = true, x = true;
	struct level l[5];
	u64 at, size;
	int level;

	memset(o, 0, sizeof(*o));
	if (!(p->cr0 & X86_CR0_PG)) {
		o->gfn = (a->addr & 0xffffffff) >> 12;
		return;
	}
	at = v->cr3 & 0x000ffffffffff000ULL;
	if (page_of(at >> 12) < 0) {
		o->kind = O_NOROOT;
		return;
	}
	for (level = 4; ; level--) {
		u64 e;

		at += (a->addr >> (3 + 9 * level) & 511) * 8;
		o->entry[o->nr_entries++] = at;
		if (!entry_read(at, &l[level])) {
			o->kind = O_HOST;
			return;
		}
		e = l[level].entry;
		if (!(e & 1))
			return o_fault(o, p, a, 0);
		if (e & reserved_bits(p, e, level))
			return o_fault(o, p, a, 1 | 8);
		w &= e >> 1 & 1;
		u &= e >> 2 & 1;
		x &= !(e >> 63);
		at = e & 0x000ffffffffff000ULL;
		if (level == 1 || (level < 4 && (e & 0x80)))
			break;
	}
	if (!allowed(p, a, w, u, x))
		return o_fault(o, p, a, 1);
	size = 1ULL << (3 + 9 * level);
	o->gfn = ((at & ~(size - 1)) | (a->addr & (size - 1))) >> 12;
	add_marks(o, l, level, a->kind == WRITE);
}

void oracle_commit(const struct oracle *o)
{
	int i;

	for (i = 0; i < o->nr_marks; i++) {
		u64 gpa = o->mark[i].gpa;

		machine->mirror[page_of(gpa >> 12)][gpa & 0xfff] |= o->mark[i].bits;
	}
}
