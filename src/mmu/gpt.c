// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software page walk. One walker over a table of formats; no lock is held, the guest may
 * change its tables meanwhile, and whoever acts on a walk re-reads the entries under sp->lock.
 */
#include <asm/processor-flags.h>
#include <asm/msr-index.h>

#include "arch.h"
#include "gpt.h"

const struct shvm_gpt shvm_gpt_formats[SHVM_NR_GPT_FORMATS] = {
	[SHVM_GPT_64] = {
		.levels = 4, .index_bits = 9, .entry_bytes = 8, .has_nx = true,
		.large = BIT(2) | BIT(3),
	},
};

enum shvm_gpt_format shvm_gpt_format(const struct shvm_paging *p)
{
	if (!(p->cr0 & X86_CR0_PG))
		return SHVM_GPT_NONE;
	if (p->efer & EFER_LMA)
		return SHVM_GPT_64;
	return p->cr4 & X86_CR4_PAE ? SHVM_GPT_PAE : SHVM_GPT_32;
}

u64 shvm_gpt_reserved(const struct shvm_paging *p, const struct shvm_gpt *g, u64 gpte, int level)
{
	u64 rsvd = GENMASK_ULL(51, 0) & ~GENMASK_ULL(p->maxphyaddr - 1, 0);

	if (g->has_nx && !(p->efer & EFER_NX))
		rsvd |= GPTE_NX;
	if (level == 1)
		return rsvd;
	if (level == 4 || (level == 3 && !p->gbpages))
		return rsvd | GPTE_PS;
	/* Below the frame of a large page everything but PAT (bit 12) is reserved. */
	if (gpte_is_large(g, gpte, level))
		rsvd |= GENMASK_ULL(gpt_shift(g, level) - 1, 13);
	return rsvd;
}

/* Is the access refused by the accumulated rights? SDM 4.6.1. */
static bool access_denied(const struct shvm_paging *p, u8 acc, u32 access)
{
	bool user = access & SHVM_ACCESS_USER;
	bool page_user = acc & GPT_ACC_U;
	bool excused = (access & SHVM_ACCESS_AC) && !(access & SHVM_ACCESS_IMPLICIT);

	if (user && !page_user)
		return true;
	if (access & SHVM_ACCESS_FETCH)
		return !(acc & GPT_ACC_X) || (!user && page_user && (p->cr4 & X86_CR4_SMEP));
	if (!user && page_user && (p->cr4 & X86_CR4_SMAP) && !excused)
		return true;
	if (!(access & SHVM_ACCESS_WRITE) || (acc & GPT_ACC_W))
		return false;
	return user || (p->cr0 & X86_CR0_WP);
}

/* The error code of the guest's own fault: I/D is reported only with NX or SMEP on (SDM 4.7). */
static u32 fault_error(const struct shvm_paging *p, u32 access, u32 why)
{
	u32 error = why | (access & (PFEC_W | PFEC_U));

	if ((access & SHVM_ACCESS_FETCH) &&
	    (((p->cr4 & X86_CR4_PAE) && (p->efer & EFER_NX)) || (p->cr4 & X86_CR4_SMEP)))
		error |= PFEC_I;
	return error;
}

/* Where a guest-physical address is in the VMM. */
struct gpt_place {
	hva_t at;
	bool writable;
};

static enum gpt_walk_result place_find(struct shvm_mmu *mmu, gpa_t at, struct gpt_place *place)
{
	enum gpt_walk_result ret = GPT_WALK_ABSENT;
	int idx = srcu_read_lock(&mmu->srcu);
	struct shvm_slot *slot = shvm_slots_find(srcu_dereference(mmu->slots, &mmu->srcu),
						 gpa_to_gfn(at));

	if (slot) {
		place->at = slot_hva(slot, at);
		place->writable = !(slot->flags & SHVM_SLOT_READONLY);
		ret = READ_ONCE(slot->invalid) ? GPT_WALK_RETRY : GPT_WALK_OK;
	}
	srcu_read_unlock(&mmu->srcu, idx);
	return ret;
}

/* Set A (and D) in one entry if it still is what was read. False: it changed, walk again. */
static bool gpte_mark(const struct gpt_place *place, u64 *gpte, u64 bits, u32 bytes)
{
	u64 new = *gpte | bits;
	int ret;

	if (new == *gpte || !place->writable)
		return true;
	ret = shvm_arch_cmpxchg_user_atomic(place->at, gpte, &new, bytes);
	if (ret == -EFAULT)	/* not resident or copy-on-write: the next round finds it there */
		return shvm_arch_fault_in(place->at, true) != 0;
	if (ret)
		return false;
	*gpte = new;
	return true;
}

static gpa_t root_table(const struct shvm_mmu_vcpu *mv)
{
	return gpa(mv->cr3 & GENMASK_ULL(51, SHVM_PAGE_SHIFT));
}

/* Set A on the whole path, D in the leaf of a write. False: the tables moved under us. */
static bool walk_mark(struct shvm_gpt_walk *w, const struct shvm_gpt *g,
		      const struct gpt_place *place)
{
	int level;

	for (level = g->levels; level >= w->leaf; level--) {
		u64 bits = GPTE_A;

		if (level == w->leaf && (w->access & SHVM_ACCESS_WRITE))
			bits |= GPTE_D;
		if (!gpte_mark(&place[level], &w->gpte[level], bits, g->entry_bytes))
			return false;
	}
	/* A table in read-only memory keeps D = 0, and the CPU lets the store through. */
	w->dirty = (w->gpte[w->leaf] & GPTE_D) || (w->access & SHVM_ACCESS_WRITE);
	return true;
}

static gfn_t leaf_frame(const struct shvm_gpt_walk *w, const struct shvm_gpt *g)
{
	u64 mask = (1ULL << gpt_shift(g, w->leaf)) - 1;
	u64 base = w->gpte[w->leaf] & GENMASK_ULL(51, SHVM_PAGE_SHIFT) & ~mask;

	return gfn((base | (w->addr.v & mask)) >> SHVM_PAGE_SHIFT);
}

/* One pass from the root to the leaf, without marking. */
static enum gpt_walk_result walk_once(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *w,
				      const struct shvm_gpt *g, struct gpt_place *place)
{
	const struct shvm_paging *p = &mv->paging;
	gpa_t table = root_table(mv);
	enum gpt_walk_result ret;
	u8 acc = GPT_ACC_ALL;
	int level;

	for (level = g->levels; ; level--) {
		u64 gpte = 0;
		gpa_t at = gpa(table.v + gpt_index(g, w->addr, level) * g->entry_bytes);

		w->table[level] = gpa_to_gfn(at);
		ret = place_find(mv->mmu, at, &place[level]);
		if (ret == GPT_WALK_ABSENT)	/* all ones: reserved bits are set */
			w->error = fault_error(p, w->access, PFEC_P | PFEC_RSVD);
		if (ret != GPT_WALK_OK)
			return ret;
		if (shvm_arch_read_user(place[level].at, &gpte, g->entry_bytes))
			return GPT_WALK_HOST;
		w->gpte[level] = gpte;
		w->leaf = level;
		if (!(gpte & GPTE_P)) {
			w->error = fault_error(p, w->access, 0);
			return GPT_WALK_FAULT;
		}
		if (gpte & shvm_gpt_reserved(p, g, gpte, level)) {
			w->error = fault_error(p, w->access, PFEC_P | PFEC_RSVD);
			return GPT_WALK_FAULT;
		}
		acc &= gpte_access(gpte, p->efer & EFER_NX);
		w->acc[level] = acc;
		if (level == 1 || gpte_is_large(g, gpte, level))
			break;
		table = gpa(gpte & GENMASK_ULL(51, SHVM_PAGE_SHIFT));
	}
	if (access_denied(p, acc, w->access)) {
		w->error = fault_error(p, w->access, PFEC_P);
		return GPT_WALK_FAULT;
	}
	w->frame = leaf_frame(w, g);
	return GPT_WALK_OK;
}

/* Paging off: linear is physical, with the one right that never fails. */
static enum gpt_walk_result walk_none(struct shvm_gpt_walk *w)
{
	w->leaf = 0;
	w->frame = gfn((w->addr.v & GENMASK_ULL(31, 0)) >> SHVM_PAGE_SHIFT);
	return GPT_WALK_OK;
}

enum gpt_walk_result shvm_gpt_walk(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *w)
{
	enum shvm_gpt_format format = shvm_gpt_format(&mv->paging);
	const struct shvm_gpt *g = &shvm_gpt_formats[format];
	struct gpt_place place[GPT_TOP + 1];
	enum gpt_walk_result ret;
	int tries;

	if (format == SHVM_GPT_NONE)
		return walk_none(w);
	if (!g->levels) {
		w->error = fault_error(&mv->paging, w->access, PFEC_P | PFEC_RSVD);
		return GPT_WALK_ABSENT;
	}
	/* Another vCPU may win the race for A or D; each loss is its progress. */
	for (tries = 0; tries < 16; tries++) {
		ret = walk_once(mv, w, g, place);
		if (ret != GPT_WALK_OK || walk_mark(w, g, place))
			return ret;
	}
	return GPT_WALK_RETRY;
}
