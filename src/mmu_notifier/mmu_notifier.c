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

/* What to do with each frame of a range; true stops the walk. */
struct range_op {
	bool (*frame)(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t f);
	bool may_sleep;
};

static struct shvm *notifier_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct shvm, notifier.mn);
}

static bool slot_walk(struct shvm_mmu *mmu, struct shvm_slot *slot, u64 start, u64 end,
		      const struct range_op *op)
{
	u64 first = max_t(u64, start, slot->hva.v);
	u64 last = min_t(u64, end, slot->hva.v + ((u64)slot->npages << PAGE_SHIFT));
	u64 i;

	if (first >= last)
		return false;
	for (i = (first - slot->hva.v) >> PAGE_SHIFT;
	     i < (last - slot->hva.v + PAGE_SIZE - 1) >> PAGE_SHIFT; i++) {
		if (op->frame(mmu, slot, gfn_add(slot->base, i)))
			return true;
		if (op->may_sleep && !(i & 1023))
			cond_resched();
	}
	return false;
}

static bool range_walk(struct shvm_mmu *mmu, u64 start, u64 end, const struct range_op *op)
{
	const struct shvm_slots *slots;
	bool stop = false;
	int idx;
	u32 i;

	idx = srcu_read_lock(&mmu->srcu);
	slots = srcu_dereference(mmu->slots, &mmu->srcu);
	for (i = 0; i < slots->nr && !stop; i++)
		stop = slot_walk(mmu, slots->slot[i], start, end, op);
	srcu_read_unlock(&mmu->srcu, idx);
	return stop;
}

/* The host takes the frame away: no SPTE may map it, no shadow may rest on its contents. */
static bool frame_unmap(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t f)
{
	unsigned long *head = slot_rmap_head(slot, f);
	struct shvm_gfn_state *state = slot_gfn_state(slot, f);
	u32 gone;

	/*
	 * Skipped only if the whole word is 0, lock bit included: an installer that holds the lock
	 * may not have looked at inval.active yet, one that comes later will see it.
	 */
	if (READ_ONCE(*head)) {
		shvm_lock_rmap(head);
		gone = shvm_rmap_zap(&mmu->tlb, head, state);
		shvm_unlock_rmap(head);
		atomic64_sub(gone, &mmu->stats.rmap_entries);
	}
	if (READ_ONCE(state->tracked))
		shvm_mmu_unshadow(mmu, f);
	return false;
}

static int invalidate_range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	const struct range_op op = {
		.frame = frame_unmap,
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

static bool frame_age(struct shvm_slot *slot, gfn_t f, bool clear)
{
	unsigned long *head = slot_rmap_head(slot, f);
	struct shvm_gfn_state *state = slot_gfn_state(slot, f);
	bool young;

	if (!READ_ONCE(*head) && !READ_ONCE(state->age))
		return false;
	shvm_lock_rmap(head);
	young = shvm_rmap_age(head, state, clear);
	shvm_unlock_rmap(head);
	return young;
}

static bool frame_clear_young(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t f)
{
	if (frame_age(slot, f, true))
		atomic64_inc(&mmu->stats.aged_young);
	return false;
}

static bool frame_test_young(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t f)
{
	return frame_age(slot, f, false);
}

/*
 * Ageing flushes nothing: a stale TLB entry only delays the next marking until the next exit of
 * that vCPU, as the host accepts for its own page tables.
 */
static int clear_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start,
		       unsigned long end)
{
	static const struct range_op test = { .frame = frame_test_young };
	static const struct range_op clear = { .frame = frame_clear_young };
	struct shvm_mmu *mmu = &notifier_vm(mn)->mmu;
	bool young;

	atomic64_inc(&mmu->stats.age_calls);
	young = range_walk(mmu, start, end, &test);
	if (young)
		range_walk(mmu, start, end, &clear);
	return young;
}

static int test_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long address)
{
	static const struct range_op op = { .frame = frame_test_young };
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
