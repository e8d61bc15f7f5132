/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For comparison: every fault takes one lock of the VM for itself alone, as in KVM's shadow MMU.
 * Included before each source; locks.h is then there already, and its users get these.
 */
#ifndef EXCLUSIVE_H
#define EXCLUSIVE_H

#include "mmu/locks.h"

static inline void exclusive_lock(struct shvm_mmu *mmu)
{
	spin_lock(&mmu->lock);
	shvm_rank_enter(SHVM_RANK_MMU);
}

static inline void exclusive_unlock(struct shvm_mmu *mmu)
{
	shvm_rank_leave(SHVM_RANK_MMU);
	spin_unlock(&mmu->lock);
}

#define shvm_lock_mmu_read(mv)		exclusive_lock((mv)->mmu)
#define shvm_unlock_mmu_read(mv)	exclusive_unlock((mv)->mmu)

#endif
