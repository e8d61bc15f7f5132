// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software page walk. One walker over a table of formats; no lock is held, the guest may
 * change its tables meanwhile, and whoever acts on a walk re-reads the entries under sp->lock.
 */
#include <asm/processor-flags.h>
#include <asm/msr-index.h>

#include "shadow.h"

const struct shvm_gpt shvm_gpt_formats[SHVM_NR_GPT_FORMATS] = {
	[SHVM_GPT_32] = {
		.levels = 2, .index_bits = 10, .entry_bytes = 4, .large = BIT(2), .pse = true,
		.root = GENMASK_ULL(31, 12), .frame = GENMASK_ULL(31, 12),
	},
	[SHVM_GPT_PAE] = {
		.levels = 2, .index_bits = 9, .entry_bytes = 8, .large = BIT(2), .has_nx = true,
		.pdptes = true, .root = GENMASK_ULL(31, 5), .frame = GENMASK_ULL(51, 12),
		.reserved = GENMASK_ULL(62, 52),
	},
	[SHVM_GPT_64] = {
		.levels = 4, .index_bits = 9, .entry_bytes = 8, .large = BIT(2) | BIT(3),
		.has_nx = true, .root = GENMASK_ULL(51, 12), .frame = GENMASK_ULL(51, 12),
	},
	[SHVM_GPT_57] = {
		.levels = 5, .index_bits = 9, .entry_bytes = 8, .large = BIT(2) | BIT(3),
		.has_nx = true, .root = GENMASK_ULL(51, 12), .frame = GENMASK_ULL(51, 12),
	},
};

enum shvm_gpt_format shvm_gpt_format(const struct shvm_paging *p)
{
	if (!(p->cr0 & X86_CR0_PG))
		return SHVM_GPT_NONE;
	if (p->efer & EFER_LMA)
		return p->cr4 & X86_CR4_LA57 ? SHVM_GPT_57 : SHVM_GPT_64;
	return p->cr4 & X86_CR4_PAE ? SHVM_GPT_PAE : SHVM_GPT_32;
}

static u64 beyond_maxphyaddr(const struct shvm_paging *p)
{
	return GENMASK_ULL(51, 0) & ~GENMASK_ULL(p->maxphyaddr - 1, 0);
}

/* A 4 MiB page: address bits 39:32 are in 20:13 if there are such, bit 21 never means anything. */
static u64 reserved_pse(const struct shvm_paging *p)
{
	u64 rsvd = GENMASK_ULL(21, 13);

	if (p->pse36)
		rsvd &= BIT_ULL(21) | beyond_maxphyaddr(p) >> (32 - 13);
	return rsvd;
}

/* Reserved bits of a present entry (SDM tables 4-4 to 4-6, 4-8 to 4-11 and 4-15 to 4-20). */
static u64 reserved_bits(const struct shvm_paging *p, const struct shvm_gpt *g, int level,
			 bool large)
{
	u64 rsvd = g->reserved | beyond_maxphyaddr(p);

	if (g->pse)
		return large ? reserved_pse(p) : 0;
	if (g->has_nx && !(p->efer & EFER_NX))
		rsvd |= GPTE_NX;
	if (level == 1)
		return rsvd;
	if (level >= 4 || (level == 3 && !p->gbpages))
		return rsvd | GPTE_PS;
	/* Below the frame of a large page everything but PAT (bit 12) is reserved. */
	if (large)
		rsvd |= GENMASK_ULL(gpt_shift(g, level) - 1, 13);
	return rsvd;
}

struct shvm_gpt_mode shvm_gpt_mode(const struct shvm_paging *p)
{
	const struct shvm_gpt *g = &shvm_gpt_formats[shvm_gpt_format(p)];
	struct shvm_gpt_mode mode = { .large = gpt_large(g, p->cr4 & X86_CR4_PSE) };
	int level;

	for (level = 1; level <= g->levels; level++) {
		mode.reserved[level][false] = reserved_bits(p, g, level, false);
		mode.reserved[level][true] = reserved_bits(p, g, level, true);
	}
	return mode;
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

bool shvm_mmu_fetch_is_told(u64 cr4, u64 efer)
{
	return ((cr4 & X86_CR4_PAE) && (efer & EFER_NX)) || (cr4 & X86_CR4_SMEP);
}

/* The error code of the guest's own fault. */
static u32 fault_error(const struct shvm_paging *p, u32 access, u32 why)
{
	u32 error = why | (access & (PFEC_W | PFEC_U));

	if ((access & SHVM_ACCESS_FETCH) && shvm_mmu_fetch_is_told(p->cr4, p->efer))
		error |= PFEC_I;
	return error;
}

/* Where a guest-physical address is in the VMM. */
struct gpt_place {
	hva_t at;
	bool absent;		/* no slot: the CPU would read all ones */
	bool writable;
};

/* SRCU is held. Inline: once for each level of a walk. */
static __always_inline enum gpt_walk_result place_find(const struct shvm_slots *slots, gpa_t at,
						       struct gpt_place *place)
{
	const struct shvm_slot *slot = shvm_slots_find(slots, gpa_to_gfn(at));

	place->absent = !slot;
	place->writable = false;
	if (!slot)
		return GPT_WALK_OK;
	place->at = slot_hva(slot, at);
	place->writable = !(slot->flags & SHVM_SLOT_READONLY);
	return READ_ONCE(slot->invalid) ? GPT_WALK_RETRY : GPT_WALK_OK;
}

/* The host could not make a table readable or writable. */
static enum gpt_walk_result walk_host_failed(int err)
{
	if (err == -EINTR)
		return GPT_WALK_RETRY;
	return err == -ENOMEM ? GPT_WALK_NOMEM : GPT_WALK_HOST;
}

/*
 * Set A (and D) in one entry if it still is what was read. RETRY: it changed, walk again. OK also
 * if the table lies in memory that the VMM itself cannot write: like the guest's read-only memory.
 */
static enum gpt_walk_result gpte_mark(const struct gpt_place *place, u64 *gpte, u64 bits, u32 bytes)
{
	u64 new = *gpte | bits;
	int ret;

	if (new == *gpte || !place->writable)
		return GPT_WALK_OK;
	ret = shvm_arch_cmpxchg_user_atomic(place->at, gpte, &new, bytes);
	if (ret == -EFAULT) {	/* not resident or copy-on-write: the next round finds it there */
		ret = shvm_arch_fault_in(place->at, true);
		if (ret == -EFAULT)
			return GPT_WALK_OK;
		return ret ? walk_host_failed(ret) : GPT_WALK_RETRY;
	}
	if (ret)
		return GPT_WALK_RETRY;
	*gpte = new;
	return GPT_WALK_OK;
}

static int place_read(const struct gpt_place *place, u64 *val, u32 bytes)
{
	*val = 0;
	if (!place->absent)
		return shvm_arch_read_user_atomic(place->at, val, bytes);
	memset(val, 0xff, bytes);
	return 0;
}

/* False: the entry above, in a register, is not present. */
static bool root_table(const struct shvm_mmu_vcpu *mv, const struct shvm_gpt *g, gva_t addr,
		       gpa_t *table)
{
	u64 pdpte;

	if (!g->pdptes) {
		*table = gpa(mv->cr3 & g->root);
		return true;
	}
	pdpte = mv->pdpte[(addr.v >> 30) % SHVM_PAE_ROOTS];
	*table = gpa(pdpte & g->frame);
	return pdpte & GPTE_P;
}

/* Set A on the whole path, D in the leaf of a write. RETRY: the tables moved under us. */
static enum gpt_walk_result walk_mark(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *w,
				      const struct shvm_gpt *g, const struct gpt_place *place)
{
	enum gpt_walk_result ret;
	int level;

	for (level = g->levels; level >= w->leaf; level--) {
		u64 bits = GPTE_A, seen = w->gpte[level];

		if (level == w->leaf && (w->access & SHVM_ACCESS_WRITE))
			bits |= GPTE_D;
		ret = gpte_mark(&place[level], &w->gpte[level], bits, g->entry_bytes);
		if (ret != GPT_WALK_OK)
			return ret;
		if (w->gpte[level] != seen && g->entry_bytes == sizeof(u32))
			shvm_table_marked(mv, w->table[level], gpt_index(g, w->addr, level));
	}
	/* A table in read-only memory keeps D = 0, and the CPU lets the store through. */
	w->dirty = (w->gpte[w->leaf] & GPTE_D) || (w->access & SHVM_ACCESS_WRITE);
	return GPT_WALK_OK;
}

static gfn_t leaf_frame(const struct shvm_gpt_walk *w, const struct shvm_gpt *g)
{
	gfn_t base = gpte_frame(g, w->gpte[w->leaf], w->leaf, w->leaf > 1);
	u64 mask = (1ULL << gpt_shift(g, w->leaf)) - 1;

	return gfn_add(base, (w->addr.v & mask) >> SHVM_PAGE_SHIFT);
}

/* One pass from the root to the leaf, without marking. HOST: the table at w->leaf is not there. */
static enum gpt_walk_result walk_tables(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *w,
					const struct shvm_gpt *g, struct gpt_place *place)
{
	const struct shvm_slots *slots = mmu_slots(mv->mmu);
	const struct shvm_paging *p = &mv->paging;
	enum gpt_walk_result ret;
	u8 acc = GPT_ACC_ALL;
	gpa_t table;
	bool large;
	int level;

	w->absent = false;
	if (!root_table(mv, g, w->addr, &table)) {
		w->error = fault_error(p, w->access, 0);
		return GPT_WALK_FAULT;
	}
	for (level = g->levels; ; level--) {
		u64 gpte;
		gpa_t at = gpa(table.v + gpt_index(g, w->addr, level) * g->entry_bytes);

		w->table[level] = gpa_to_gfn(at);
		w->leaf = level;
		ret = place_find(slots, at, &place[level]);
		if (ret != GPT_WALK_OK)
			return ret;
		if (place_read(&place[level], &gpte, g->entry_bytes))
			return GPT_WALK_HOST;
		w->absent |= place[level].absent;
		w->gpte[level] = gpte;
		if (!(gpte & GPTE_P)) {
			w->error = fault_error(p, w->access, 0);
			return GPT_WALK_FAULT;
		}
		large = gpte_is_large(gpte, level, mv->gpt_mode.large);
		if (gpte & mv->gpt_mode.reserved[level][large]) {
			w->error = fault_error(p, w->access, PFEC_P | PFEC_RSVD);
			return GPT_WALK_FAULT;
		}
		acc &= gpte_access(gpte, p->efer & EFER_NX);
		w->acc[level] = acc;
		if (level == 1 || large)
			break;
		table = gpa(gpte & g->frame);
	}
	if (access_denied(p, acc, w->access)) {
		w->error = fault_error(p, w->access, PFEC_P);
		return GPT_WALK_FAULT;
	}
	w->frame = leaf_frame(w, g);
	return GPT_WALK_OK;
}

static enum gpt_walk_result walk_once(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *w,
				      const struct shvm_gpt *g, struct gpt_place *place)
{
	int idx = srcu_read_lock(&mv->mmu->srcu);
	enum gpt_walk_result ret = walk_tables(mv, w, g, place);

	srcu_read_unlock(&mv->mmu->srcu, idx);
	return ret;
}

/* Paging off: linear is physical, with the one right that never fails. */
static enum gpt_walk_result walk_none(struct shvm_gpt_walk *w)
{
	w->absent = false;
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
	int tries, err;
	u64 any;

	if (format == SHVM_GPT_NONE)
		return walk_none(w);
	/* Another vCPU may win the race for A or D, the host may take a table: others' progress. */
	for (tries = 0; tries < 16; tries++) {
		ret = walk_once(mv, w, g, place);
		if (ret == GPT_WALK_HOST) {
			/* Here it may sleep; what is read may be old when the walk comes again. */
			err = shvm_arch_read_user(place[w->leaf].at, &any, g->entry_bytes);
			if (err)
				return walk_host_failed(err);
			continue;
		}
		if (ret != GPT_WALK_OK)
			return ret;
		ret = walk_mark(mv, w, g, place);
		if (ret != GPT_WALK_RETRY)
			return ret;
	}
	return GPT_WALK_RETRY;
}

enum gpt_walk_result shvm_gpt_look(struct shvm_mmu_vcpu *mv, struct shvm_gpt_walk *w)
{
	enum shvm_gpt_format format = shvm_gpt_format(&mv->paging);
	struct gpt_place place[GPT_TOP + 1];

	if (format == SHVM_GPT_NONE)
		return walk_none(w);
	return walk_once(mv, w, &shvm_gpt_formats[format], place);
}

bool shvm_gpt_entry_denies(const struct shvm_mmu_vcpu *mv, u64 gpte, u32 access, u32 *error)
{
	const struct shvm_paging *p = &mv->paging;

	if (!(gpte & GPTE_P)) {
		*error = fault_error(p, access, 0);
		return true;
	}
	/* A supervisor is kept out of pages of the user, too, and those need U in all tables. */
	if (!(access & SHVM_ACCESS_USER) || (gpte & mv->gpt_mode.reserved[1][false]))
		return false;
	*error = fault_error(p, access, PFEC_P);
	return access_denied(p, gpte_access(gpte, p->efer & EFER_NX), access);
}

/* Bits of a present PDPTE that must be 0: SDM table 4-8. */
static u64 pdpte_reserved(const struct shvm_paging *p)
{
	return GENMASK_ULL(63, 52) | beyond_maxphyaddr(p) | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1);
}

int shvm_mmu_read_pdptes(struct shvm_mmu_vcpu *mv, const struct shvm_paging *p, u64 cr3,
			 u64 pdpte[SHVM_PAE_ROOTS])
{
	gpa_t at = gpa(cr3 & shvm_gpt_formats[SHVM_GPT_PAE].root);
	enum gpt_walk_result ret;
	struct gpt_place place;
	int i, idx, err;

	idx = srcu_read_lock(&mv->mmu->srcu);
	ret = place_find(mmu_slots(mv->mmu), at, &place);
	srcu_read_unlock(&mv->mmu->srcu, idx);
	if (ret != GPT_WALK_OK)
		return -EAGAIN;
	if (place.absent)
		return 1;
	err = shvm_arch_read_user(place.at, pdpte, SHVM_PAE_ROOTS * sizeof(*pdpte));
	if (err)
		return err == -EINTR ? -EAGAIN : err;
	for (i = 0; i < SHVM_PAE_ROOTS; i++)
		if ((pdpte[i] & GPTE_P) && (pdpte[i] & pdpte_reserved(p)))
			return 1;
	return 0;
}
