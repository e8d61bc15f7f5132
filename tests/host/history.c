// SPDX-License-Identifier: GPL-2.0-only
/*
 * What guest memory was, and since when each vCPU may no longer go by it: whether a translation
 * that the tables do not give any more is one that the vCPU's TLB could hold (SDM 4.10). Only page
 * tables may be out of date: what the module makes of the tables above them is exact.
 *
 * Time is the number of stores. One thread.
 */
#include <string.h>

#include <asm/processor-flags.h>

#include "machine.h"

#define NR_STORES	(1u << 15)
#define NR_PAGES	256
#define NR_PCIDS	4096

static struct {
	u64 page;
	u32 off;		/* of a quadword */
	u64 was, when;
} stores[NR_STORES];

static u64 now;			/* stores so far; the last one is at now % NR_STORES */

/* Translations of a PCID: none is older than floor; none was made after left until it is loaded. */
struct era {
	u64 cr3, floor, left;
};

static struct {
	struct era era[NR_PCIDS];
	u64 since;		/* the current one was loaded */
	struct {
		u64 page, when;
		u32 pcid;
	} gone[NR_PAGES];	/* single pages that were flushed */
	u32 nr_gone;
} vcpus[MAX_VCPUS];

void history_reset(void)
{
	memset(vcpus, 0, sizeof(vcpus));
	now = 0;
}

void history_store(u64 page, u32 off, u32 len)
{
	u32 word;

	if (machine->threads)
		return;
	for (word = off & ~7; word < off + len; word += 8) {
		now++;
		stores[now % NR_STORES].page = page;
		stores[now % NR_STORES].off = word;
		stores[now % NR_STORES].when = now;
		memcpy(&stores[now % NR_STORES].was, &machine->mirror[page][word], 8);
	}
}

static u32 pcid_of(const struct vcpu *v)
{
	return v->paging.cr4 & X86_CR4_PCIDE ? v->cr3 & (NR_PCIDS - 1) : 0;
}

void history_flush(const struct vcpu *v)
{
	int i;

	for (i = 0; i < NR_PCIDS; i++)
		vcpus[v->id].era[i].floor = now;
	vcpus[v->id].since = now;
}

void history_leave(const struct vcpu *v)
{
	vcpus[v->id].era[pcid_of(v)].left = now;
}

void history_load(const struct vcpu *v, bool noflush)
{
	struct era *e = &vcpus[v->id].era[pcid_of(v)];

	if (!noflush || e->cr3 != v->cr3)
		e->floor = now;
	e->cr3 = v->cr3;
	vcpus[v->id].since = now;
}

void history_flush_page(const struct vcpu *v, u64 addr)
{
	u32 i = vcpus[v->id].nr_gone++ % NR_PAGES;

	vcpus[v->id].gone[i].page = addr >> 12;
	vcpus[v->id].gone[i].when = now;
	vcpus[v->id].gone[i].pcid = pcid_of(v);
}

/* No translation of the page is older. */
static u64 floor_of(const struct vcpu *v, u64 addr)
{
	u64 floor = vcpus[v->id].era[pcid_of(v)].floor;
	int i;

	for (i = 0; i < NR_PAGES; i++)
		if (vcpus[v->id].gone[i].page == addr >> 12 &&
		    vcpus[v->id].gone[i].pcid == pcid_of(v) &&
		    vcpus[v->id].gone[i].when > floor)
			floor = vcpus[v->id].gone[i].when;
	return floor;
}

/* The time of the store before, to the same place; 0: none is known. */
static u64 store_before(u64 when)
{
	u64 i;

	for (i = when - 1; i && i + NR_STORES > now; i--)
		if (stores[i % NR_STORES].page == stores[when % NR_STORES].page &&
		    stores[i % NR_STORES].off == stores[when % NR_STORES].off)
			return i;
	return 0;
}

/* With the entry as it was: does it give what the hardware did? */
static bool entry_explains(const struct vcpu *v, const struct access *a, u64 entry, int bytes,
			   u64 was, struct outcome *out)
{
	u8 *at = &machine->mirror[page_of(entry >> 12)][entry & 0xfff], is[8];
	struct oracle o;
	bool yes;

	memcpy(is, at, bytes);
	memcpy(at, (u8 *)&was + (entry & 7), bytes);
	oracle_walk(v, a, &o);
	memcpy(at, is, bytes);
	yes = o.kind == O_OK && !o.nr_marks && page_of(o.gfn) >= 0 &&
	      out->hfn == FRAME_BASE + machine->host[page_of(o.gfn)].frame;
	if (yes)
		out->tlb->gfn = o.gfn - out->nth;
	return yes;
}

bool history_explains(const struct vcpu *v, const struct access *a, struct outcome *out)
{
	const struct era *e = &vcpus[v->id].era[pcid_of(v)];
	u64 floor = floor_of(v, a->addr), entry, i;
	struct oracle o;

	oracle_walk(v, a, &o);
	if (!o.levels || o.nr_entries != o.levels)
		return false;
	entry = o.entry[o.nr_entries - 1];
	if (page_of(entry >> 12) < 0)
		return false;
	for (i = now; i > floor && i + NR_STORES > now; i--) {
		if (stores[i % NR_STORES].page != (u64)page_of(entry >> 12) ||
		    stores[i % NR_STORES].off != (entry & 0xff8))
			continue;
		/*
		 * It was there from the store before until this one: was the PCID in use then, and
		 * after the last flush?
		 */
		if (i <= vcpus[v->id].since && (store_before(i) >= e->left || floor > e->left))
			continue;
		if (entry_explains(v, a, entry, o.bytes, stores[i % NR_STORES].was, out))
			return true;
	}
	return false;
}
