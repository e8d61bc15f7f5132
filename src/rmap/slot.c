// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots as data: allocation and look-up. Publishing them is src/memslot.c's business.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "rmap.h"

struct shvm_slots *shvm_slots_alloc(u32 nr)
{
	struct shvm_slots *slots;

	slots = kzalloc(struct_size(slots, slot, nr), GFP_KERNEL_ACCOUNT);
	if (slots)
		slots->nr = nr;
	return slots;
}

void shvm_slots_free(struct shvm_slots *slots)
{
	kfree(slots);
}

/* A size that kvmalloc() refuses is an error of user space, not worth a warning. */
#define SLOT_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)

/* As many groups as fit, wherever the slot begins: see slot_large(). */
static bool slot_alloc_large(struct shvm_slot *slot, int level)
{
	u64 n = slot->npages / level_frames(level);
	struct shvm_large *large;

	if (!n || ((slot->base.v ^ slot->hva.v >> SHVM_PAGE_SHIFT) & (level_frames(level) - 1)))
		return true;
	large = kvcalloc(n, sizeof(*large), SLOT_GFP);
	slot->large[level - 2] = large;
	return large;
}

struct shvm_slot *shvm_slot_alloc(gfn_t base, unsigned long npages, hva_t at)
{
	struct shvm_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	bool ok;
	int level;

	if (!slot)
		return NULL;
	slot->base = base;
	slot->npages = npages;
	slot->hva = at;
	slot->rmap = kvcalloc(npages, sizeof(*slot->rmap), SLOT_GFP);
	slot->state = kvcalloc(npages, sizeof(*slot->state), SLOT_GFP);
	ok = slot->rmap && slot->state;
	for (level = 2; ok && level <= SHVM_LARGE_TOP; level++)
		ok = slot_alloc_large(slot, level);
	if (ok)
		return slot;
	shvm_slot_free(slot);
	return NULL;
}

void shvm_slot_free(struct shvm_slot *slot)
{
	int level;

	if (!slot)
		return;
	for (level = 2; level <= SHVM_LARGE_TOP; level++)
		kvfree(slot->large[level - 2]);
	kvfree(slot->rmap);
	kvfree(slot->state);
	kfree(slot);
}

u64 shvm_slot_bytes(const struct shvm_slot *slot)
{
	u64 bytes = slot->npages * (sizeof(*slot->rmap) + sizeof(*slot->state));
	int level;

	for (level = 2; level <= SHVM_LARGE_TOP; level++)
		if (slot->large[level - 2])
			bytes += slot->npages / level_frames(level) * sizeof(*slot->large[0]);
	return bytes;
}

struct shvm_slot *shvm_slots_find(const struct shvm_slots *slots, gfn_t f)
{
	u32 lo = 0, hi = slots->nr, mid;
	struct shvm_slot *slot;

	/* Invariant: slots below lo end at or before f, slots from hi on start after f. */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		slot = slots->slot[array_index_nospec(mid, slots->nr)];
		if (f.v < slot->base.v)
			hi = mid;
		else if (f.v - slot->base.v >= slot->npages)
			lo = mid + 1;
		else
			return slot;
	}
	return NULL;
}
