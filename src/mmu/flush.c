// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flushes and invalidations: the two counters that order SPTEs against TLBs and against the
 * host's page tables. docs/locking.md draws both as timelines.
 */
#include "shadow.h"

static void tlb_done_raise(struct shvm_tlb *tlb, u64 to)
{
	s64 old = atomic64_read(&tlb->done);

	while ((u64)old < to && !atomic64_try_cmpxchg(&tlb->done, &old, to))
		;
}

void shvm_mmu_settle(struct shvm_mmu *mmu)
{
	/* Acquire: pairs with the unlock of the head under which owed was raised. */
	u64 owed = shvm_tlb_owed(&mmu->tlb);

	if (shvm_tlb_is_settled(mmu, owed))
		return;
	shvm_rank_assert_below(SHVM_RANK_SP);
	shvm_arch_flush(mmu);
	atomic64_inc(&mmu->stats.tlb_flushes);
	tlb_done_raise(&mmu->tlb, owed);
}

bool shvm_mmu_try_settle(struct shvm_mmu_vcpu *mv)
{
	struct shvm_tlb *tlb = &mv->mmu->tlb;
	u64 owed = shvm_tlb_owed(tlb);	/* as above */

	if (shvm_tlb_is_settled(mv->mmu, owed))
		return true;
	if (!shvm_arch_flush_is_free(mv))
		return false;
	tlb_done_raise(tlb, owed);
	return true;
}

bool shvm_inval_begin_read(struct shvm_mmu *mmu, u64 *seq)
{
	/*
	 * Pairs with shvm_mmu_invalidate_end(): it raises seq before it lowers active, so whoever
	 * sees active = 0 after an invalidation also sees its seq, and the new host page table.
	 */
	if (atomic_read_acquire(&mmu->inval.active))
		return false;
	*seq = atomic64_read_acquire(&mmu->inval.seq);
	return true;
}

bool shvm_inval_is_stale(struct shvm_mmu *mmu, u64 seq)
{
	/*
	 * A lock that the invalidator also takes (of the head, or the vCPU's, which is part of
	 * mmu->lock for writing) is held and was taken with a full barrier (an atomic operation),
	 * as active was raised: either we see active, or the invalidator waits for us.
	 */
	smp_mb();
	return atomic_read_acquire(&mmu->inval.active) ||
	       (u64)atomic64_read(&mmu->inval.seq) != seq;
}

void shvm_mmu_invalidate_begin(struct shvm_mmu *mmu)
{
	atomic_inc(&mmu->inval.active);
	smp_mb__after_atomic();	/* pairs with shvm_inval_is_stale(): active before the heads */
}

void shvm_mmu_invalidate_end(struct shvm_mmu *mmu)
{
	atomic64_inc(&mmu->inval.seq);
	smp_mb__before_atomic();	/* seq before active, see shvm_inval_begin_read() */
	atomic_dec(&mmu->inval.active);
}
