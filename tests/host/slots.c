// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots come, go and move in the steps of src/memslot.c; and what the tests know of them
 * apart from the module's table.
 */
#include "machine.h"

void zap_all(bool long_chains)
{
	if (long_chains)
		WRITE_ONCE(machine->mmu.long_chains, true);
	shvm_mmu_zap_all(&machine->mmu);
}

static struct shvm_slots *slots_copy(struct shvm_slot *add, const struct shvm_slot *remove)
{
	struct shvm_slots *old = machine->mmu.slots;
	struct shvm_slots *new = shvm_slots_alloc(old->nr + !!add - !!remove);
	u32 i, n = 0;

	if (!new)
		return NULL;
	for (i = 0; i < old->nr; i++) {
		if (add && add->base.v < old->slot[i]->base.v) {
			new->slot[n++] = add;
			add = NULL;
		}
		if (old->slot[i] != remove)
			new->slot[n++] = old->slot[i];
	}
	if (add)
		new->slot[n++] = add;
	return new;
}

static int slots_replace(struct shvm_slot *old, struct shvm_slot *add)
{
	struct shvm_slots *new = slots_copy(add, old), *table = machine->mmu.slots;

	if (!new)
		return -ENOMEM;
	if (old) {
		shvm_mmu_invalidate_begin(&machine->mmu);
		WRITE_ONCE(old->invalid, true);
		synchronize_srcu(&machine->mmu.srcu);
		zap_all(machine->mmu.era & 1);
	}
	rcu_assign_pointer(machine->mmu.slots, new);
	synchronize_srcu(&machine->mmu.srcu);
	shvm_slots_free(table);
	if (old) {
		shvm_mmu_invalidate_end(&machine->mmu);
		shvm_slot_free(old);
	}
	shvm_mmu_slots_changed(&machine->mmu);
	return 0;
}

static struct shvm_slot *slot_by_id(int id)
{
	struct shvm_slots *slots = machine->mmu.slots;
	u32 i;

	for (i = 0; i < slots->nr; i++)
		if (slots->slot[i]->id == id)
			return slots->slot[i];
	return NULL;
}

static int slot_create(int id, struct shvm_slot *old, const struct mslot *s)
{
	hva_t at = hva(HVA_BASE + (s->first << SHVM_PAGE_SHIFT));
	struct shvm_slot *slot = shvm_slot_alloc(gfn(s->base), s->npages, at);
	int err;

	if (!slot)
		return -ENOMEM;
	slot->id = id;
	slot->flags = s->readonly ? SHVM_SLOT_READONLY : 0;
	err = slots_replace(old, slot);
	if (err) {
		shvm_slot_free(slot);
		return err;
	}
	machine->slot[id] = *s;
	use_forget(s->first, s->npages);
	return 0;
}

int slot_add(int id, u64 base, u64 npages, u64 first, bool readonly)
{
	const struct mslot s = { true, readonly, base, npages, first };
	int err;

	pthread_mutex_lock(&machine->slots_mutex);
	err = slot_create(id, NULL, &s);
	pthread_mutex_unlock(&machine->slots_mutex);
	return err;
}

int slot_delete(int id)
{
	int err;

	pthread_mutex_lock(&machine->slots_mutex);
	err = slots_replace(slot_by_id(id), NULL);
	if (!err) {
		machine->slot[id].used = false;
		use_forget(machine->slot[id].first, machine->slot[id].npages);
	}
	pthread_mutex_unlock(&machine->slots_mutex);
	return err;
}

int slot_move(int id, u64 base)
{
	struct mslot s = machine->slot[id];
	int err;

	s.base = base;
	pthread_mutex_lock(&machine->slots_mutex);
	err = slot_create(id, slot_by_id(id), &s);
	pthread_mutex_unlock(&machine->slots_mutex);
	return err;
}

const struct mslot *slot_of(u64 f)
{
	int i;

	for (i = 0; i < MAX_MSLOTS; i++) {
		const struct mslot *s = &machine->slot[i];

		if (s->used && f >= s->base && f - s->base < s->npages)
			return s;
	}
	return NULL;
}

long page_of(u64 f)
{
	const struct mslot *s = slot_of(f);

	return s ? (long)(s->first + f - s->base) : -1;
}
