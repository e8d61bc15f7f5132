// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pair through which software comes to a guest frame. Between get and put its slot and state
 * stay, by SRCU: nothing in between may wait for another process. Get is where a use by software is
 * noted, and where a frame that is not there would be asked for. docs/mmu.md, "Age".
 */
#include "shadow.h"

enum shvm_mem_result shvm_gfn_look(struct shvm_mmu *mmu, gfn_t f, bool write,
				   struct shvm_slot **slot)
{
	struct shvm_slot *s = shvm_slots_find(mmu_slots(mmu), f);

	*slot = s;
	if (!s || (write && (s->flags & SHVM_SLOT_READONLY)))
		return SHVM_MEM_MMIO;
	return READ_ONCE(s->invalid) ? SHVM_MEM_RETRY : SHVM_MEM_OK;
}

enum shvm_mem_result shvm_gfn_get(struct shvm_mmu *mmu, gfn_t f, bool write,
				  struct shvm_gfn_ref *ref)
{
	enum shvm_mem_result ret;

	ref->mmu = mmu;
	ref->idx = srcu_read_lock(&mmu->srcu);
	ret = shvm_gfn_look(mmu, f, write, &ref->slot);
	if (ret == SHVM_MEM_OK) {
		shvm_age_see(&slot_gfn_state(ref->slot, f)->age);
		/* For sparse: shvm_gfn_put() does. */
		__release(&mmu->srcu);
		return ret;
	}
	srcu_read_unlock(&mmu->srcu, ref->idx);
	return ret;
}

void shvm_gfn_put(struct shvm_gfn_ref *ref)
{
	/* For sparse, as above. */
	__acquire(&ref->mmu->srcu);
	srcu_read_unlock(&ref->mmu->srcu, ref->idx);
}
