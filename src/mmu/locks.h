/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of rank 5 and 6. The order of all locks: src/rank.h.
 */
#ifndef SHVM_LOCKS_H
#define SHVM_LOCKS_H

#include "../rank.h"
#include "mmu_types.h"

/*
 * The shadow MMU for reading: one vCPU's lock, so that no other one ever waits or fetches its cache
 * line. For writing: mmu->lock and all of these.
 */
static inline void shvm_lock_mmu_read(struct shvm_mmu_vcpu *mv) __acquires(&mv->lock)
{
	spin_lock(&mv->lock);
	shvm_rank_enter(SHVM_RANK_MMU);
}

/* With interrupts off: whoever holds it for writing may wait for an interrupt of ours. */
static inline bool shvm_trylock_mmu_read(struct shvm_mmu_vcpu *mv) __cond_acquires(&mv->lock)
{
	if (!spin_trylock(&mv->lock))
		return false;
	shvm_rank_enter(SHVM_RANK_MMU);
	return true;
}

static inline void shvm_unlock_mmu_read(struct shvm_mmu_vcpu *mv) __releases(&mv->lock)
{
	shvm_rank_leave(SHVM_RANK_MMU);
	spin_unlock(&mv->lock);
}

void shvm_lock_mmu_write(struct shvm_mmu *mmu) __acquires(&mmu->lock);
/* True: locked, though sparse is not told. */
bool shvm_trylock_mmu_write(struct shvm_mmu *mmu);
void shvm_unlock_mmu_write(struct shvm_mmu *mmu) __releases(&mmu->lock);

/* Nothing is locked. Before its first shvm_lock_mmu_read(), after its last one. */
void shvm_locks_add_vcpu(struct shvm_mmu *mmu, struct shvm_mmu_vcpu *mv);
void shvm_locks_del_vcpu(struct shvm_mmu *mmu, struct shvm_mmu_vcpu *mv);

static inline void shvm_lock_oos(struct shvm_mmu *mmu) __acquires(&mmu->oos_lock)
{
	spin_lock(&mmu->oos_lock);
	shvm_rank_enter(SHVM_RANK_OOS);
}

static inline void shvm_unlock_oos(struct shvm_mmu *mmu) __releases(&mmu->oos_lock)
{
	shvm_rank_leave(SHVM_RANK_OOS);
	spin_unlock(&mmu->oos_lock);
}

static inline void shvm_lock_sp(struct shvm_sp *sp) __acquires(&sp->lock)
{
	spin_lock(&sp->lock);
	shvm_rank_enter(SHVM_RANK_SP);
}

/* The child of a held parent: its level is lower, so the order is total. */
static inline void shvm_lock_sp_child(struct shvm_sp *sp) __acquires(&sp->lock)
{
	spin_lock_nested(&sp->lock, SINGLE_DEPTH_NESTING);
	shvm_rank_enter(SHVM_RANK_SP);
}

static inline void shvm_unlock_sp(struct shvm_sp *sp) __releases(&sp->lock)
{
	shvm_rank_leave(SHVM_RANK_SP);
	spin_unlock(&sp->lock);
}

static inline void shvm_lock_leaf(spinlock_t *lock) __acquires(lock)
{
	spin_lock(lock);
	shvm_rank_enter(SHVM_RANK_LEAF);
}

static inline void shvm_unlock_leaf(spinlock_t *lock) __releases(lock)
{
	shvm_rank_leave(SHVM_RANK_LEAF);
	spin_unlock(lock);
}

#endif
