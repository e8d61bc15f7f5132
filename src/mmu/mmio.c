// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to what is no memory, by the shadow tables: the way down to the guest's entry is known,
 * and that entry alone is read again. Remembers no translation, so none can be out of date: not
 * when the guest flushes or takes a fault that nobody sees, not when a slot comes. docs/mmu.md,
 * "MMIO".
 */
#include "shadow.h"

/* May the access use the entry as it is? A store wants D. Fetches are left to the walk. */
static bool entry_serves(const struct shvm_mmu_vcpu *mv, const struct shvm_lookup *l, u64 gpte,
			 bool large, u32 error)
{
	const u64 used = GPTE_P | GPTE_A, stored = GPTE_W | GPTE_D;

	if ((gpte & used) != used || (error & PFEC_I) ||
	    (gpte & mv->gpt_mode.reserved[l->sp->role.level][large]))
		return false;
	/* As in the shadow's own entries: between user and supervisor SMAP has a say. */
	if (!(l->all & SPTE_U && gpte & GPTE_U) != !(error & PFEC_U))
		return false;
	return !(error & PFEC_W) || (l->all & SPTE_W && (gpte & stored) == stored);
}

/* Of a page that is mapped by the entry: where does addr lead? */
static gpa_t entry_gpa(const struct shvm_sp *sp, u64 gpte, bool large, gva_t addr)
{
	const struct shvm_gpt *g = &shvm_gpt_formats[sp->role.format];
	u64 within = addr.v & ((1ULL << gpt_shift(g, sp->role.level)) - 1);

	return gpa(gfn_to_gpa(gpte_frame(g, gpte, sp->role.level, large)).v + within);
}

bool shvm_mmio_lookup(struct shvm_mmu_vcpu *mv, struct shvm_pf *pf)
{
	u64 gpte, page = pf->addr.v >> SHVM_PAGE_SHIFT;
	struct shvm_lookup l;
	bool large;
	gpa_t at;

	/* Most faults are about memory. */
	if (*mmio_place(mv, page) != page)
		return false;
	/* Without CR0.WP rights are elsewhere, and a direct page has no entries of the guest's. */
	if (!shvm_lookup_entry(mv, pf->addr, &l) || l.spte != shvm_spte_trap ||
	    l.sp->role.direct || !l.sp->role.wp)
		return false;
	/* Without sp->lock: nothing becomes live by it, and a store under way is refused. */
	if (!shvm_entry_read_gpte(mv->mmu, l.sp, l.index, &gpte))
		return false;
	large = gpte_is_large(gpte, l.sp->role.level, mv->gpt_mode.large);
	if ((!large && l.sp->role.level > 1) || !entry_serves(mv, &l, gpte, large, pf->error))
		return false;
	at = entry_gpa(l.sp, gpte, large, pf->addr);
	if (shvm_slots_find(mmu_slots(mv->mmu), gpa_to_gfn(at)))
		return false;
	pf->gpa = at;
	pf->tracked = false;
	sp_stamp(mv, l.sp);
	return true;
}
