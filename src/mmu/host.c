// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host wants of guest frames: take them away, and see which were used. Called from the
 * MMU notifier, but for shvm_zap_leaves(): SRCU is held, ranks 5 and 7 are taken, nothing sleeps or
 * allocates.
 */
#include <linux/minmax.h>
#include <linux/sched.h>

#include "shadow.h"

#define HEADS_BATCH	1024	/* frames between two chances for others to run */

/* Where the uses and the SPTEs of a frame (level 1) or of a group of frames are. */
struct head_place {
	gfn_t f;			/* it, or one of the group */
	int level;
	unsigned long *head;
	struct shvm_age *age;
};

/* Frames of a slot that the host asks for, and what is known of them so far. */
struct host_range {
	struct shvm_mmu *mmu;
	struct shvm_slot *slot;
	gfn_t first, end;
	u32 young;
};

/* The frame after those of the group around f. */
static gfn_t level_next(gfn_t f, int level)
{
	return gfn_add(level_first(f, level), level_frames(level));
}

static bool range_has_all(const struct host_range *r, gfn_t f, int level)
{
	return level_first(f, level).v >= r->first.v && level_next(f, level).v <= r->end.v;
}

/*
 * From large to small: every head that stands for a frame of the range. True if fn has stopped it,
 * which is a constant, so that each walk has its own code.
 */
static __always_inline bool range_heads(struct host_range *r,
					bool (*fn)(struct host_range *r,
						   const struct head_place *at))
{
	struct head_place at;
	struct shvm_large *large;

	for (at.level = SHVM_LARGE_TOP; at.level > 1; at.level--) {
		for (at.f = r->first; at.f.v < r->end.v; at.f = level_next(at.f, at.level)) {
			large = slot_large(r->slot, at.f, at.level);
			if (!large)
				continue;
			at.head = &large->head;
			at.age = &large->age;
			if (fn(r, &at))
				return true;
		}
	}
	for (at.f = r->first; at.f.v < r->end.v; at.f = gfn_add(at.f, 1)) {
		at.head = slot_rmap_head(r->slot, at.f);
		at.age = &slot_gfn_state(r->slot, at.f)->age;
		if (fn(r, &at))
			return true;
	}
	return false;
}

static bool head_empty(struct host_range *r, const struct head_place *at)
{
	u32 gone;

	/*
	 * Skipped only if the whole word is 0, lock bit included: an installer that holds the lock
	 * may not have looked at inval.active yet, one that comes later will see it.
	 */
	if (READ_ONCE(*at->head)) {
		shvm_lock_rmap(at->head);
		gone = shvm_rmap_zap(&r->mmu->tlb, at->head, at->age);
		shvm_unlock_rmap(at->head);
		shvm_striped_add(&r->mmu->leaves, -(s64)gone);
	}
	return false;
}

static bool head_zap(struct host_range *r, const struct head_place *at)
{
	head_empty(r, at);
	if (at->level == 1 && READ_ONCE(slot_gfn_state(r->slot, at->f)->tracked))
		shvm_mmu_unshadow(r->mmu, at->f);
	return false;
}

void shvm_mmu_unmap(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n)
{
	struct host_range r = { mmu, slot, first, gfn_add(first, n) };

	range_heads(&r, head_zap);
}

void shvm_zap_leaves(struct shvm_mmu *mmu)
{
	const struct shvm_slots *slots;
	struct host_range r = { .mmu = mmu };
	int idx, i;
	gfn_t end;

	idx = srcu_read_lock(&mmu->srcu);
	slots = mmu_slots(mmu);
	for (i = 0; i < slots->nr; i++) {
		r.slot = slots->slot[i];
		end = gfn_add(r.slot->base, r.slot->npages);
		for (r.first = r.slot->base; r.first.v < end.v; r.first = r.end) {
			r.end = gfn(min(end.v, r.first.v + HEADS_BATCH));
			range_heads(&r, head_empty);
			cond_resched();
		}
	}
	srcu_read_unlock(&mmu->srcu, idx);
}

static bool head_forget(struct host_range *r, const struct head_place *at)
{
	/* Else a part of the group stays. */
	if (range_has_all(r, at->f, at->level))
		shvm_age_forget(at->age);
	return false;
}

void shvm_mmu_forget_age(struct shvm_slot *slot, gfn_t first, u64 n)
{
	struct host_range r = { NULL, slot, first, gfn_add(first, n) };

	range_heads(&r, head_forget);
}

static bool head_is_young(struct host_range *r, const struct head_place *at)
{
	bool young = shvm_age_is_due(at->age);

	if (young || !READ_ONCE(*at->head))
		return young;
	shvm_lock_rmap(at->head);
	/* Who has taken an accessed bit away before us has noted it. */
	young = shvm_rmap_is_young(at->head) || shvm_age_is_due(at->age);
	shvm_unlock_rmap(at->head);
	return young;
}

/*
 * A large page of the group around f was used, and the host does not ask for all of it: it may have
 * been any of the other frames, for which it will ask later. A piece that is partly asked for comes
 * next.
 */
static void group_owe_rest(const struct host_range *r, gfn_t f, int level)
{
	gfn_t g, last = level_next(f, level);
	u64 piece = level_frames(level - 1);

	for (g = level_first(f, level); g.v < last.v; g = gfn_add(g, piece)) {
		if (range_has_all(r, g, level - 1))
			continue;
		if (level == 2)
			shvm_age_owe(&slot_gfn_state(r->slot, g)->age);
		else
			shvm_age_owe(&slot_large(r->slot, g, level - 1)->age);
	}
}

/* The host is told of all uses until now. */
static bool head_tell(const struct head_place *at)
{
	bool young = false;

	if (READ_ONCE(*at->head)) {
		shvm_lock_rmap(at->head);
		young = shvm_rmap_clear_young(at->head);
		if (young)
			shvm_age_see_told(at->age);
		shvm_unlock_rmap(at->head);
	}
	return young || shvm_age_tell(at->age);
}

/* Inline as far as the group around a frame goes that has no large page. */
static __always_inline bool head_clear_young(struct host_range *r, const struct head_place *at)
{
	if (!READ_ONCE(*at->head) && !shvm_age_is_due(at->age))
		return false;
	if (!head_tell(at))
		return false;
	r->young++;
	if (!range_has_all(r, at->f, at->level))
		group_owe_rest(r, at->f, at->level);
	return false;
}

u32 shvm_mmu_age(struct shvm_mmu *mmu, struct shvm_slot *slot, gfn_t first, u64 n, bool clear)
{
	struct host_range r = { mmu, slot, first, gfn_add(first, n) };

	if (!clear)
		return range_heads(&r, head_is_young);
	range_heads(&r, head_clear_young);
	if (r.young)
		shvm_tlb_aged(&mmu->tlb);
	return r.young;
}
