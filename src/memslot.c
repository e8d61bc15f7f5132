// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_SET_USER_MEMORY_REGION: decides what the slot table contains, and replaces it.
 *
 * The table (mmu->slots) is immutable but for slot->invalid. Readers hold mmu->srcu; writers hold
 * vm->slots_lock and publish a new table. A slot goes in two steps, so that no shadow of it
 * outlives it:
 *
 *	slots_lock holder			fault
 *	invalidation begins [C]			srcu: slot found, not invalid
 *	the slot is marked			...map under mmu->lock
 *	synchronize_srcu [A]			srcu ends
 *	zap all, flush
 *	publish the table without it		srcu: slot is invalid: try again
 *	synchronize_srcu [B]			srcu: no slot: MMIO
 *	invalidation ends [C]
 *	free
 *
 * A: everything mapped by look-ups that missed the flag is there when the zap begins. B: nobody
 * holds the slot. The slot stays in the table until the zap is over because the notifier must
 * find the frames that are still mapped. C: a fault that took the host address from the old slot,
 * slept without SRCU, and finds another slot when it comes to map, is stale as if the host had
 * moved the page.
 *
 * A new slot needs no care of that kind: shadow entries for frames without a slot always fault.
 * Invalidations of the host are counted for the whole VM, not per slot, so a range that began
 * before a table was published ends correctly after it, and keeps faults on new slots waiting.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>

#include "debug.h"
#include "memslot.h"
#include "rmap/slot.h"

#define MEMSLOT_MAX_PAGES	((1ULL << 31) - 1)

static struct shvm_slots *memslots_get(struct shvm *vm)
{
	return rcu_dereference_protected(vm->mmu.slots, lockdep_is_held(&vm->slots_lock));
}

static struct shvm_slot *memslot_by_id(const struct shvm_slots *slots, u32 id)
{
	u32 i;

	for (i = 0; i < slots->nr; i++)
		if (slots->slot[i]->id == id)
			return slots->slot[i];
	return NULL;
}

/* Does the region meet a slot other than its own? */
static bool memslot_overlaps(const struct shvm_slots *slots,
			     const struct shvm_userspace_memory_region *region)
{
	u64 first = region->guest_phys_addr >> SHVM_PAGE_SHIFT;
	u64 end = first + (region->memory_size >> SHVM_PAGE_SHIFT);
	u32 i;

	for (i = 0; i < slots->nr; i++) {
		const struct shvm_slot *s = slots->slot[i];

		if (s->id != region->slot && first < s->base.v + s->npages && s->base.v < end)
			return true;
	}
	return false;
}

static u64 memslot_gpa_limit(void)
{
	return 1ULL << min_t(unsigned int, SHVM_GPA_BITS, boot_cpu_data.x86_phys_bits);
}

/* What can be said without looking at the other slots. */
static int memslot_check(const struct shvm_userspace_memory_region *r)
{
	u64 limit = memslot_gpa_limit();

	if (r->flags & ~SHVM_MEM_READONLY)
		return -EINVAL;
	if (r->slot >= SHVM_MAX_SLOTS)
		return -EINVAL;
	if (!IS_ALIGNED(r->memory_size | r->guest_phys_addr | r->userspace_addr, SHVM_PAGE_SIZE))
		return -EINVAL;
	if ((r->memory_size >> SHVM_PAGE_SHIFT) > MEMSLOT_MAX_PAGES)
		return -EINVAL;
	if (r->guest_phys_addr > limit || r->memory_size > limit - r->guest_phys_addr)
		return -EINVAL;
	if (r->userspace_addr + r->memory_size < r->userspace_addr)
		return -EINVAL;
	if (!access_ok((void __user *)(unsigned long)r->userspace_addr, r->memory_size))
		return -EINVAL;
	return 0;
}

static u32 memslot_flags(const struct shvm_userspace_memory_region *region)
{
	return region->flags & SHVM_MEM_READONLY ? SHVM_SLOT_READONLY : 0;
}

/* An existing slot may change its place, and nothing else. */
static int memslot_check_change(const struct shvm_slot *old,
				const struct shvm_userspace_memory_region *region)
{
	if (old->npages != region->memory_size >> SHVM_PAGE_SHIFT ||
	    old->hva.v != region->userspace_addr || old->flags != memslot_flags(region))
		return -EINVAL;
	return 0;
}

/* The table with @add put in and @remove left out; either may be NULL. */
static struct shvm_slots *memslots_copy(const struct shvm_slots *old, struct shvm_slot *add,
					const struct shvm_slot *remove)
{
	struct shvm_slots *new = shvm_slots_alloc(old->nr + (add ? 1 : 0) - (remove ? 1 : 0));
	u32 i, n = 0;

	if (!new)
		return NULL;
	for (i = 0; i < old->nr; i++) {
		struct shvm_slot *s = old->slot[i];

		if (s == remove)
			continue;
		if (add && add->base.v < s->base.v) {
			new->slot[n++] = add;
			add = NULL;
		}
		new->slot[n++] = s;
	}
	if (add)
		new->slot[n++] = add;
	new->nr = n;
	return new;
}

/* Returns when nobody uses the old table; frees it. */
static void memslots_publish(struct shvm *vm, struct shvm_slots *new)
{
	struct shvm_slots *old = memslots_get(vm);

	rcu_assign_pointer(vm->mmu.slots, new);
	synchronize_srcu(&vm->mmu.srcu);
	shvm_slots_free(old);
}

/* First step of a removal: no new shadow of the slot, then none at all. */
static void memslot_retire(struct shvm *vm, struct shvm_slot *slot)
{
	WRITE_ONCE(slot->invalid, true);
	synchronize_srcu(&vm->mmu.srcu);
	shvm_pause_point(vm, SHVM_PAUSE_SLOT_MARKED);
	shvm_mmu_zap_all(&vm->mmu);
	shvm_pause_point(vm, SHVM_PAUSE_SLOT_ZAPPED);
}

/* Allocates everything, so that the commit cannot fail. @add or @old may be NULL, not both. */
static int memslot_replace(struct shvm *vm, struct shvm_slot *old, struct shvm_slot *add)
{
	struct shvm_slots *new = memslots_copy(memslots_get(vm), add, old);

	if (!new)
		return -ENOMEM;
	if (old) {
		shvm_mmu_invalidate_begin(&vm->mmu);
		memslot_retire(vm, old);
	}
	memslots_publish(vm, new);
	if (old) {
		shvm_mmu_invalidate_end(&vm->mmu);
		shvm_slot_free(old);
	}
	shvm_mmu_slots_changed(&vm->mmu);
	return 0;
}

static int memslot_delete(struct shvm *vm, struct shvm_slot *old)
{
	return old ? memslot_replace(vm, old, NULL) : -EINVAL;
}

/* Creates the slot of @region, in the place of @old if there is one. */
static int memslot_create(struct shvm *vm, struct shvm_slot *old,
			  const struct shvm_userspace_memory_region *region)
{
	struct shvm_slot *slot;
	int ret;

	slot = shvm_slot_alloc(gpa_to_gfn(gpa(region->guest_phys_addr)),
			       region->memory_size >> SHVM_PAGE_SHIFT,
			       hva(region->userspace_addr));
	if (!slot)
		return -ENOMEM;
	slot->id = region->slot;
	slot->flags = memslot_flags(region);
	ret = memslot_replace(vm, old, slot);
	if (ret)
		shvm_slot_free(slot);
	return ret;
}

static int memslot_set_locked(struct shvm *vm, const struct shvm_userspace_memory_region *region)
{
	struct shvm_slots *slots = memslots_get(vm);
	struct shvm_slot *old = memslot_by_id(slots, region->slot);
	int ret;

	if (!region->memory_size)
		return memslot_delete(vm, old);
	if (old) {
		ret = memslot_check_change(old, region);
		if (ret || old->base.v == region->guest_phys_addr >> SHVM_PAGE_SHIFT)
			return ret;
	}
	if (memslot_overlaps(slots, region))
		return -EEXIST;
	return memslot_create(vm, old, region);
}

int shvm_memslot_set(struct shvm *vm, const struct shvm_userspace_memory_region *region)
{
	int ret = memslot_check(region);

	if (ret)
		return ret;
	if (mutex_lock_killable(&vm->slots_lock))
		return -EINTR;
	ret = memslot_set_locked(vm, region);
	mutex_unlock(&vm->slots_lock);
	return ret;
}
