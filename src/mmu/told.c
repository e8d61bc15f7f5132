// SPDX-License-Identifier: GPL-2.0-only
/*
 * A use of which the host knows by itself: that for which it has brought the page into memory. Its
 * own entry for the page says so, and so would the SPTE: a host that looks at its entries alone at
 * one time and asks us at another would take one use for two. docs/mmu.md, "Age".
 */
#include "shadow.h"

/* True: A was set. */
static bool told_clear(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t f)
{
	struct shvm_age *age = &slot_gfn_state(slot, f)->age;
	unsigned long *head = slot_rmap_head(slot, f);
	bool was_used;

	if (!READ_ONCE(*head))
		return false;
	shvm_lock_rmap(head);
	was_used = shvm_rmap_clear_young(head);
	/* After that: what the host knows then are all uses that A stood for. */
	if (was_used && shvm_arch_host_is_young(mmu, slot_hva(slot, gfn_to_gpa(f))))
		shvm_age_see_told(age);
	else if (was_used)
		shvm_age_keep(age);
	shvm_unlock_rmap(head);
	return was_used;
}

void shvm_told_end(struct shvm_mmu_vcpu *mv, gfn_t next)
{
	struct shvm_mmu *mmu = mv->mmu;
	gfn_t f = gfn(mv->told_frame);
	struct shvm_slot *slot;
	int idx;

	if (f.v == SHVM_NO_PAGE || gfn_eq(f, next))
		return;
	mv->told_frame = SHVM_NO_PAGE;
	idx = srcu_read_lock(&mmu->srcu);
	if (shvm_gfn_look(mmu, f, false, &slot) == SHVM_MEM_OK && told_clear(mmu, slot, f))
		shvm_tlb_aged(&mmu->tlb);
	srcu_read_unlock(&mmu->srcu, idx);
}
