/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock order of the module, outermost first. While holding a lock, take only locks of a
 * higher rank; of equal rank only where the list says so.
 *
 *  1   vm->lock        mutex    VM configuration, vCPU array
 *  2   vcpu->mutex     mutex    one vCPU; held for the whole of RUN
 *  3   vm->slots_lock  mutex    memslot updates; synchronize_srcu() only under 1-3
 *      (mm locks: mmap_lock, i_mmap, anon_vma, page-table lock; notifier callbacks come in here)
 *  5   mmu->lock       spin     read: a vCPU's own (fault, map, trapped write).
 *                               write: it and those of all vCPUs (unlink and free), see mmu/locks.h
 *  5a  mmu->oos_lock spin    which pages are out of sync; syncs
 *  6   sp->lock        spin     entries of one shadow page; the parent's before the child's
 *  6a  bucket->lock, sps->lock   leaf spinlocks, never two at once
 *  7   rmap bit lock   spin     all SPTEs of one gfn, its tracked count and age
 *
 * SRCU (slot table) may be entered anywhere; it is not held in the guest, nor over anything that
 * can wait for another process (user memory that may fault). No IPI is waited for while 5a, 6 or 7
 * is held, so these may be waited for with interrupts off; mmu->lock is only tried then.
 *
 * Bit locks tell lockdep nothing, so 5-7 go through these wrappers, and the debug build
 * checks ranks per CPU (all of them disable preemption).
 */
#ifndef SHVM_RANK_H
#define SHVM_RANK_H

enum shvm_rank {
	SHVM_RANK_NONE,
	SHVM_RANK_MMU = 5,
	SHVM_RANK_OOS,
	SHVM_RANK_SP,
	SHVM_RANK_LEAF,
	SHVM_RANK_RMAP,
};

#ifdef SHVM_DEBUG
void shvm_rank_enter(enum shvm_rank rank);
void shvm_rank_leave(enum shvm_rank rank);
void shvm_rank_assert_below(enum shvm_rank rank);	/* nothing of this rank or higher is held */
#else
static inline void shvm_rank_enter(enum shvm_rank rank) { }
static inline void shvm_rank_leave(enum shvm_rank rank) { }
static inline void shvm_rank_assert_below(enum shvm_rank rank) { }
#endif

#endif
