// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that the guest gets without an exit, and what may be wrong with them: the VMM, a device or
 * the host has made an entry present by a store that nobody sees. Then the guest faults for ever.
 * Looks at one address at a time; owns nothing. docs/mmu.md, "Faults without an exit".
 */
#include "shadow.h"

/* Does the hardware's walk end at a notrap entry? mmu->lock for reading. */
static bool notrap_find(const struct shvm_mmu_vcpu *mv, gva_t addr, struct shvm_lookup *l)
{
	return shvm_lookup_entry(mv, addr, l) && l->spte == SPTE_NOTRAP;
}

static bool notrap_exists(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	struct shvm_lookup l;
	bool found;

	shvm_lock_mmu_read(mv);
	found = notrap_find(mv, addr, &l);
	shvm_unlock_mmu_read(mv);
	return found;
}

/* A store may have made it right since the walk: then this costs an exit and nothing else. */
static void notrap_end(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	struct shvm_lookup l;
	u64 *sptep;

	shvm_lock_mmu_read(mv);
	if (notrap_find(mv, addr, &l)) {
		shvm_lock_sp(l.sp);
		sptep = &l.sp->spt[l.index];
		if (READ_ONCE(*sptep) == SPTE_NOTRAP) {
			WRITE_ONCE(*sptep, shvm_spte_trap);
			atomic64_inc(&mv->mmu->stats.pf_rescued);
		}
		shvm_unlock_sp(l.sp);
	}
	shvm_unlock_mmu_read(mv);
}

/* Whatever the access was: a fault with P = 0 is wrong if every entry on the way is present. */
static bool guest_has_entries(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	struct shvm_gpt_walk walk = { .addr = addr };
	enum gpt_walk_result ret = shvm_gpt_look(mv, &walk);

	return ret == GPT_WALK_OK || (ret == GPT_WALK_FAULT && (walk.error & PFEC_P));
}

void shvm_mmu_rescue(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	if (notrap_exists(mv, addr) && guest_has_entries(mv, addr))
		notrap_end(mv, addr);
}
