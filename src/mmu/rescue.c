// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that the guest gets without an exit, and what may be wrong with them: the VMM, a device or
 * the host has made an entry present by a store that nobody sees. Then the guest faults for ever.
 * Looks at one address at a time; owns nothing. docs/mmu.md, "Faults without an exit".
 */
#include "shadow.h"

/* mmu->lock for reading: the table that the hardware reads first. */
static struct shvm_sp *first_table(const struct shvm_mmu_vcpu *mv, gva_t addr)
{
	if (mv->roots_gen != READ_ONCE(mv->mmu->root_gen))
		return NULL;
	if (!mv->root_role.pae_host)
		return mv->root;
	return mv->pae_sp[(addr.v >> 30) % SHVM_PAE_ROOTS];
}

/* The notrap entry at which the hardware's walk ends, or NULL. mmu->lock for reading. */
static u64 *notrap_find(const struct shvm_mmu_vcpu *mv, gva_t addr, struct shvm_sp **owner)
{
	struct shvm_sp *sp = first_table(mv, addr);
	u64 *sptep, spte;

	while (sp) {
		sptep = &sp->spt[(addr.v >> (SHVM_PAGE_SHIFT + 9 * (sp->role.level - 1))) %
				 SHVM_SPT_ENTRIES];
		spte = READ_ONCE(*sptep);
		*owner = sp;
		if (spte == SPTE_NOTRAP)
			return sptep;
		/* The child may be unlinked meanwhile, but is not freed. */
		sp = spte_is_table(spte) ? shvm_arch_table_owner(hpa(spte & SPTE_FRAME)) : NULL;
	}
	return NULL;
}

static bool notrap_exists(const struct shvm_mmu_vcpu *mv, gva_t addr)
{
	struct shvm_sp *sp;
	bool found;

	shvm_lock_mmu_read(mv->mmu);
	found = notrap_find(mv, addr, &sp);
	shvm_unlock_mmu_read(mv->mmu);
	return found;
}

/* A store may have made it right since the walk: then this costs an exit and nothing else. */
static void notrap_end(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	struct shvm_sp *sp;
	u64 *sptep;

	shvm_lock_mmu_read(mv->mmu);
	sptep = notrap_find(mv, addr, &sp);
	if (sptep) {
		shvm_lock_sp(sp);
		if (READ_ONCE(*sptep) == SPTE_NOTRAP) {
			WRITE_ONCE(*sptep, shvm_spte_trap);
			atomic64_inc(&mv->mmu->stats.pf_rescued);
		}
		shvm_unlock_sp(sp);
	}
	shvm_unlock_mmu_read(mv->mmu);
}

/* Whatever the access was: a fault with P = 0 is wrong if every entry on the way is present. */
static bool guest_has_entries(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	struct shvm_gpt_walk walk = { .addr = addr, .peek = true };
	enum gpt_walk_result ret = shvm_gpt_walk(mv, &walk);

	return ret == GPT_WALK_OK || (ret == GPT_WALK_FAULT && (walk.error & PFEC_P));
}

void shvm_mmu_rescue(struct shvm_mmu_vcpu *mv, gva_t addr)
{
	if (notrap_exists(mv, addr) && guest_has_entries(mv, addr))
		notrap_end(mv, addr);
}
