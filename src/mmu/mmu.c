// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of the shadow MMU: per VM and per vCPU. Owns nothing that runs.
 */
#include <linux/slab.h>

#include "../poison.h"
#include "shadow.h"

bool shvm_mmu_oos = true;
bool shvm_mmu_prefetch = true;
bool shvm_mmu_last_entry = true;
bool shvm_mmu_fifo;

static int hash_alloc(struct shvm_mmu *mmu)
{
	int i;

	mmu->hash = kvcalloc(1 << SHVM_HASH_BITS, sizeof(*mmu->hash), GFP_KERNEL_ACCOUNT);
	if (!mmu->hash)
		return -ENOMEM;
	for (i = 0; i < 1 << SHVM_HASH_BITS; i++)
		spin_lock_init(&mmu->hash[i].lock);
	return 0;
}

static void sps_init(struct shvm_mmu *mmu)
{
	int i;

	for (i = 0; i < SHVM_STRIPES; i++) {
		spin_lock_init(&mmu->sps[i].lock);
		INIT_LIST_HEAD(&mmu->sps[i].list);
	}
	mmu->hand = &mmu->sps[0].list;
}

/**
 * shvm_mmu_init - an empty shadow MMU without slots
 * @mmu: zeroed
 * Return: 0 or -ENOMEM.
 */
int shvm_mmu_init(struct shvm_mmu *mmu)
{
	struct shvm_slots *slots = shvm_slots_alloc(0);
	int err = -ENOMEM;

	if (!slots)
		return err;
	err = init_srcu_struct(&mmu->srcu);
	if (err)
		goto err_free_slots;
	err = hash_alloc(mmu);
	if (err)
		goto err_cleanup_srcu;
	rcu_assign_pointer(mmu->slots, slots);
	spin_lock_init(&mmu->lock);
	INIT_LIST_HEAD(&mmu->vcpus);
	spin_lock_init(&mmu->oos_lock);
	sps_init(mmu);
	shvm_mmu_slots_changed(mmu);
	return 0;

err_cleanup_srcu:
	cleanup_srcu_struct(&mmu->srcu);
err_free_slots:
	shvm_slots_free(slots);
	return err;
}

/**
 * shvm_mmu_destroy - free everything, slots included
 * @mmu: no vCPU is left, no notifier can call any more
 */
void shvm_mmu_destroy(struct shvm_mmu *mmu)
{
	struct shvm_slots *slots = rcu_dereference_protected(mmu->slots, true);
	int i;

	shvm_mmu_zap_all(mmu);
	shvm_oos_free(mmu);
	for (i = 0; i < slots->nr; i++)
		shvm_slot_free(slots->slot[i]);
	shvm_slots_free(slots);
	kvfree(mmu->hash);
	cleanup_srcu_struct(&mmu->srcu);
	shvm_poison_drain();
}

int shvm_mmu_vcpu_init(struct shvm_mmu *mmu, struct shvm_mmu_vcpu *mv)
{
	const struct shvm_paging reset = { .maxphyaddr = 36 };
	int i;

	mv->mmu = mmu;
	for (i = 0; i < SHVM_NR_PCIDS; i++)
		mv->pcids[i].cr3 = SHVM_NO_TABLE;
	mv->pcid = mv->pcids;
	for (i = 0; i < SHVM_NR_MMIO_PAGES; i++)
		mv->mmio_pages[i] = SHVM_NO_PAGE;
	mv->told_frame = SHVM_NO_PAGE;
	mv->host_asked = SHVM_NO_PAGE;
	mv->fixed_page = SHVM_NO_PAGE;
	mv->denied_page = SHVM_NO_PAGE;
	mv->root_role.word = U32_MAX;	/* no mode yet: set_paging() must take effect */
	shvm_mmu_set_paging(mv, &reset);
	shvm_locks_add_vcpu(mmu, mv);
	return 0;
}

void shvm_mmu_vcpu_destroy(struct shvm_mmu_vcpu *mv)
{
	shvm_locks_del_vcpu(mv->mmu, mv);
	shvm_cache_empty(mv);
	if (mv->pae_root)
		shvm_arch_table_free(mv->pae_root);
	if (mv->pae_trap)
		shvm_arch_table_free(mv->pae_trap);
	mv->pae_root = NULL;
	mv->pae_trap = NULL;
}

void shvm_mmu_count_memory(struct shvm_mmu *mmu, u64 *guest, u64 *rmap)
{
	const struct shvm_slots *slots;
	u32 i;
	int idx;

	*guest = 0;
	*rmap = 0;
	idx = srcu_read_lock(&mmu->srcu);
	slots = mmu_slots(mmu);
	for (i = 0; i < slots->nr; i++) {
		*guest += (u64)slots->slot[i]->npages << SHVM_PAGE_SHIFT;
		*rmap += shvm_slot_bytes(slots->slot[i]);
	}
	srcu_read_unlock(&mmu->srcu, idx);
}

bool shvm_mmu_try_begin(struct shvm_mmu_vcpu *mv, int *idx)
{
	*idx = srcu_read_lock(&mv->mmu->srcu);
	if (shvm_trylock_mmu_read(mv)) {
		/* For sparse: shvm_mmu_end() does. */
		__release(&mv->lock);
		__release(&mv->mmu->srcu);
		return true;
	}
	srcu_read_unlock(&mv->mmu->srcu, *idx);
	return false;
}

void shvm_mmu_end(struct shvm_mmu_vcpu *mv, int idx)
{
	/* For sparse, as above. */
	__acquire(&mv->lock);
	__acquire(&mv->mmu->srcu);
	shvm_unlock_mmu_read(mv);
	srcu_read_unlock(&mv->mmu->srcu, idx);
}
