/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of rank 5 and 6. The order of all locks: src/rank.h.
 */
#ifndef SHVM_LOCKS_H
#define SHVM_LOCKS_H

#include "../rank.h"
#include "mmu_types.h"

static inline void shvm_lock_mmu_read(struct shvm_mmu *mmu) __acquires(&mmu->lock)
{
	read_lock(&mmu->lock);
	shvm_rank_enter(SHVM_RANK_MMU);
}

/* With interrupts off: whoever holds it for writing may wait for an interrupt of ours. */
static inline bool shvm_trylock_mmu_read(struct shvm_mmu *mmu) __cond_acquires(&mmu->lock)
{
	if (!read_trylock(&mmu->lock))
		return false;
	shvm_rank_enter(SHVM_RANK_MMU);
	return true;
}

static inline void shvm_unlock_mmu_read(struct shvm_mmu *mmu) __releases(&mmu->lock)
{
	shvm_rank_leave(SHVM_RANK_MMU);
	read_unlock(&mmu->lock);
}

static inline void shvm_lock_mmu_write(struct shvm_mmu *mmu) __acquires(&mmu->lock)
{
	write_lock(&mmu->lock);
	shvm_rank_enter(SHVM_RANK_MMU);
}

static inline void shvm_unlock_mmu_write(struct shvm_mmu *mmu) __releases(&mmu->lock)
{
	shvm_rank_leave(SHVM_RANK_MMU);
	write_unlock(&mmu->lock);
}

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
