// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmu->lock for writing: all readers out, and no vCPU comes or goes. Owns mmu->vcpus, whose locks
 * are taken in the order of the list, below mmu->lock; a reader holds one and never waits for it
 * with another lock of this rank held.
 */
#include "locks.h"

void shvm_lock_mmu_write(struct shvm_mmu *mmu) __acquires(&mmu->lock)
{
	struct shvm_mmu_vcpu *mv;

	spin_lock(&mmu->lock);
	list_for_each_entry(mv, &mmu->vcpus, link) {
		spin_lock_nest_lock(&mv->lock, &mmu->lock);
		__release(&mv->lock);	/* sparse cannot follow a loop */
	}
	shvm_rank_enter(SHVM_RANK_MMU);
}

/* Those before end, which is not taken. */
static void unlock_vcpus(struct shvm_mmu *mmu, const struct shvm_mmu_vcpu *end)
{
	struct shvm_mmu_vcpu *mv;

	list_for_each_entry(mv, &mmu->vcpus, link) {
		if (mv == end)
			return;
		__acquire(&mv->lock);
		spin_unlock(&mv->lock);
	}
}

bool shvm_trylock_mmu_write(struct shvm_mmu *mmu)
{
	struct shvm_mmu_vcpu *mv;

	if (!spin_trylock(&mmu->lock))
		return false;
	list_for_each_entry(mv, &mmu->vcpus, link) {
		if (!spin_trylock(&mv->lock)) {
			unlock_vcpus(mmu, mv);
			spin_unlock(&mmu->lock);
			return false;
		}
		__release(&mv->lock);	/* as above */
	}
	shvm_rank_enter(SHVM_RANK_MMU);
	__release(&mmu->lock);
	return true;
}

void shvm_unlock_mmu_write(struct shvm_mmu *mmu) __releases(&mmu->lock)
{
	struct shvm_mmu_vcpu *mv;

	shvm_rank_leave(SHVM_RANK_MMU);
	list_for_each_entry(mv, &mmu->vcpus, link) {
		__acquire(&mv->lock);
		spin_unlock(&mv->lock);
	}
	spin_unlock(&mmu->lock);
}

void shvm_locks_add_vcpu(struct shvm_mmu *mmu, struct shvm_mmu_vcpu *mv)
{
	spin_lock_init(&mv->lock);
	spin_lock(&mmu->lock);
	list_add_tail(&mv->link, &mmu->vcpus);
	spin_unlock(&mmu->lock);
}

void shvm_locks_del_vcpu(struct shvm_mmu *mmu, struct shvm_mmu_vcpu *mv)
{
	spin_lock(&mmu->lock);
	list_del(&mv->link);
	spin_unlock(&mmu->lock);
}
