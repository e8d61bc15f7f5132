// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMU notifier callbacks. They run under the host's mm locks: SRCU and ranks 5 and 7 only, no
 * allocation, and nothing sleeps where the range may not block.
 *
 * There is no change_pte callback: the kernel brackets every such change by range_start and
 * range_end, and after range_start no SPTE is left that could be changed.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "../mmu/locks.h"
#include "../vm.h"

/* What to do with frames of a range; returns how many of them were used. */
struct range_op {
	u32 (*frames)(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n);
	bool any;		/* one of them is enough */
	bool may_sleep;
};

#define RANGE_BATCH	1024	/* frames between two chances to sleep */

static struct shvm *notifier_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct shvm, notifier.mn);
}

static u32 slot_walk(struct shvm_mmu *mmu, struct shvm_slot *slot, u64 start, u64 end,
		     const struct range_op *op)
{
	u32 young = 0;
	u64 first = max_t(u64, start, slot->hva.v);
	u64 last = min_t(u64, end, slot->hva.v + ((u64)slot->npages << PAGE_SHIFT));
	u64 i, n;

	if (first >= last)
		return 0;
	i = (first - slot->hva.v) >> PAGE_SHIFT;
	last = (last - slot->hva.v + PAGE_SIZE - 1) >> PAGE_SHIFT;
	for (; i < last && !(op->any && young); i += n) {
		n = min_t(u64, last - i, RANGE_BATCH);
		young += op->frames(mmu, slot, gfn_add(slot->base, i), n);
		if (op->may_sleep)
			cond_resched();
	}
	return young;
}

static u32 range_walk(struct shvm_mmu *mmu, u64 start, u64 end, const struct range_op *op)
{
	const struct shvm_slots *slots;
	u32 i, young = 0;
	int idx;

	idx = srcu_read_lock(&mmu->srcu);
	slots = srcu_dereference(mmu->slots, &mmu->srcu);
	for (i = 0; i < slots->nr && !(op->any && young); i++)
		young += slot_walk(mmu, slots->slot[i], start, end, op);
	srcu_read_unlock(&mmu->srcu, idx);
	return young;
}

static u32 frames_unmap(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n)
{
	shvm_mmu_unmap(mmu, slot, first, n);
	return 0;
}

/* munmap() and mremap(): what will be there is not what the guest has used. */
static u32 frames_unmap_for_good(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n)
{
	shvm_mmu_unmap(mmu, slot, first, n);
	shvm_mmu_forget_age(slot, first, n);
	return 0;
}

static int invalidate_range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	const struct range_op op = {
		.frames = range->event == MMU_NOTIFY_UNMAP ? frames_unmap_for_good : frames_unmap,
		.may_sleep = mmu_notifier_range_blockable(range),
	};
	struct shvm_mmu *mmu = &notifier_vm(mn)->mmu;

	atomic64_inc(&mmu->stats.inv_calls);
	shvm_mmu_invalidate_begin(mmu);
	range_walk(mmu, range->start, range->end, &op);
	/* Also for rights that somebody else took and has not flushed yet. */
	shvm_mmu_settle(mmu);
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	shvm_mmu_invalidate_end(&notifier_vm(mn)->mmu);
}

static u32 frames_clear_young(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n)
{
	return shvm_mmu_age(mmu, slot, first, n, true);
}

static u32 frames_test_young(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n)
{
	return shvm_mmu_age(mmu, slot, first, n, false);
}

/*
 * Ageing flushes nothing: a stale TLB entry only delays the next marking until the next exit of
 * that vCPU, as the host accepts for its own page tables.
 */
static int clear_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start,
		       unsigned long end)
{
	static const struct range_op op = { .frames = frames_clear_young };
	struct shvm_mmu *mmu = &notifier_vm(mn)->mmu;
	u32 young;

	atomic64_inc(&mmu->stats.age_calls);
	young = range_walk(mmu, start, end, &op);
	if (young)
		atomic64_add(young, &mmu->stats.aged_young);
	return young;
}

static int test_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long address)
{
	static const struct range_op op = { .frames = frames_test_young, .any = true };
	struct shvm_mmu *mmu = &notifier_vm(mn)->mmu;

	atomic64_inc(&mmu->stats.age_calls);
	return range_walk(mmu, address, address + PAGE_SIZE, &op);
}

/* The VMM's address space goes away, with it the guest's memory. vCPUs cannot run any more. */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct shvm *vm = notifier_vm(mn);

	WRITE_ONCE(vm->notifier.mm_gone, true);
	shvm_mmu_zap_all(&vm->mmu);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
	.clear_flush_young = clear_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = release,
};

int shvm_notifier_register(struct shvm *vm)
{
	int err;

	vm->notifier.mn.ops = &notifier_ops;
	err = mmu_notifier_register(&vm->notifier.mn, current->mm);
	vm->notifier.registered = !err;
	return err;
}

void shvm_notifier_unregister(struct shvm *vm)
{
	if (vm->notifier.registered)
		mmu_notifier_unregister(&vm->notifier.mn, vm->mm);
	vm->notifier.registered = false;
}
