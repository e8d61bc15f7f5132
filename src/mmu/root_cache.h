/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The roots and PCIDs that a vCPU knows: what a load of CR3 changes when nothing has to be looked
 * for. Inline, as each system call of a guest with page-table isolation does it twice in the entry
 * loop.
 */
#ifndef SHVM_ROOT_CACHE_H
#define SHVM_ROOT_CACHE_H

#include "mmu_types.h"

/* The remainders below are masks. */
static_assert(!(SHVM_NR_CACHED_ROOTS & (SHVM_NR_CACHED_ROOTS - 1)));
static_assert(SHVM_NR_PCIDS == 16);

/* A coarse stamp of use; other vCPUs' faults of late, and races, cost precision only. */
static __always_inline void sp_stamp(const struct shvm_mmu_vcpu *mv, struct shvm_sp *sp)
{
	WRITE_ONCE(sp->stamp, READ_ONCE(mv->mmu->clock) + mv->ticks);
}

static __always_inline u64 cr3_table(u64 cr3)
{
	return cr3 & GENMASK_ULL(51, SHVM_PAGE_SHIFT);
}

/* Both tables of a process with page-table isolation, which lie side by side, have a place. */
static __always_inline struct shvm_cached_root **root_hint(struct shvm_mmu_vcpu *mv, u64 cr3)
{
	return &mv->root_hint[(cr3 >> SHVM_PAGE_SHIFT) % SHVM_NR_CACHED_ROOTS];
}

static __always_inline void root_set(struct shvm_mmu_vcpu *mv, const struct shvm_cached_root *root)
{
	struct shvm_sp *sp = root->sp;

	sp_stamp(mv, sp);
	WRITE_ONCE(sp->writes, 0);	/* a sign of use; a racing store's count may be lost */
	mv->root_hpa = root->hpa;
	mv->root_is_loaded = true;
	WRITE_ONCE(mv->root, sp);
}

/* Linux tells the two PCIDs of an address space with page-table isolation apart by bit 11. */
static __always_inline struct shvm_pcid *pcid_place(struct shvm_mmu_vcpu *mv, u64 cr3)
{
	return &mv->pcids[(cr3 ^ cr3 >> 8) % SHVM_NR_PCIDS];
}

static __always_inline void pcid_switch(struct shvm_mmu_vcpu *mv, u64 cr3)
{
	mv->pcid->left = atomic64_read(&mv->mmu->oos_notes);
	mv->pcid = pcid_place(mv, cr3);
	mv->pcid->cr3 = cr3;
}

static __always_inline void root_switch(struct shvm_mmu_vcpu *mv, u64 cr3,
					const struct shvm_cached_root *root)
{
	pcid_switch(mv, cr3);
	mv->cr3 = cr3;
	root_set(mv, root);
	mv->stats.cr3_fast++;
}

/* True: the root is where it was found last, and loaded. */
static __always_inline bool root_try_hint(struct shvm_mmu_vcpu *mv, u64 cr3)
{
	struct shvm_cached_root *root = *root_hint(mv, cr3);

	if (unlikely(mv->root_role.pae_host || mv->roots_gen != READ_ONCE(mv->mmu->root_gen) ||
		     root->table != cr3_table(cr3)))
		return false;
	root_switch(mv, cr3, root);
	return true;
}

/*
 * The shortest way of shvm_mmu_try_load_cr3(), which see. Pairs with oos_take(): who sees a store
 * to a table out of sync sees that there is one.
 */
static __always_inline bool shvm_mmu_load_cr3_short(struct shvm_mmu_vcpu *mv, u64 cr3)
{
	return likely(!atomic_read(&mv->mmu->nr_oos)) && root_try_hint(mv, cr3);
}

#endif
