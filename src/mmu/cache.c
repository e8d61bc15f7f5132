// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preallocated objects of one vCPU: filled while sleeping is allowed, used under locks.
 * Owns the slab of shadow page headers.
 */
#include <linux/slab.h>

#include "../poison.h"
#include "shadow.h"

static struct kmem_cache *sp_cache;
static struct kmem_cache *gfns_cache;

static void caches_destroy(void)
{
	kmem_cache_destroy(gfns_cache);
	kmem_cache_destroy(sp_cache);
	shvm_chain_module_exit();
}

int shvm_mmu_module_init(void)
{
	int err = shvm_chain_module_init();

	if (err)
		return err;
	sp_cache = kmem_cache_create("shvm_sp", sizeof(struct shvm_sp), 0, SLAB_ACCOUNT, NULL);
	gfns_cache = kmem_cache_create("shvm_gfns", SHVM_SPT_ENTRIES * sizeof(u32), 0,
				       SLAB_ACCOUNT, NULL);
	err = sp_cache && gfns_cache ? shvm_poison_selftest() : -ENOMEM;
	if (err)
		caches_destroy();
	return err;
}

void shvm_mmu_module_exit(void)
{
	caches_destroy();
}

static void table_release(void *spt)
{
	shvm_arch_table_free(spt);
}

static void gfns_release(void *gfns)
{
	kmem_cache_free(gfns_cache, gfns);
}

static void sp_release(void *sp)
{
	kmem_cache_free(sp_cache, sp);
}

/* A freed table leads the hardware nowhere, whatever it may still remember of it. */
#define POISON_SPTE	(SPTE_TRAP_BITS | SPTE_SOFT)

void shvm_sp_free(struct shvm_sp *sp)
{
	if (!sp)
		return;
	if (sp->spt) {
		shvm_arch_table_set_owner(sp->spt, NULL);
		shvm_poison_free(sp->spt, SHVM_PAGE_SIZE, POISON_SPTE, table_release);
	}
	if (sp->gfns)
		shvm_poison_free(sp->gfns, SHVM_SPT_ENTRIES * sizeof(u32), SHVM_POISON,
				 gfns_release);
	shvm_poison_free(sp, sizeof(*sp), SHVM_POISON, sp_release);
}

static struct shvm_sp *sp_alloc(void)
{
	struct shvm_sp *sp = kmem_cache_zalloc(sp_cache, GFP_KERNEL_ACCOUNT);

	if (!sp)
		return NULL;
	spin_lock_init(&sp->lock);
	sp->spt = shvm_arch_table_alloc(false);
	sp->gfns = kmem_cache_alloc(gfns_cache, GFP_KERNEL_ACCOUNT);
	if (sp->spt && sp->gfns) {
		shvm_arch_table_set_owner(sp->spt, sp);
		return sp;
	}
	shvm_sp_free(sp);
	return NULL;
}

int shvm_cache_fill(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu_cache *cache = &mv->cache;

	for (; cache->nr_sp < SHVM_FAULT_SPS; cache->nr_sp++) {
		cache->sp[cache->nr_sp] = sp_alloc();
		if (!cache->sp[cache->nr_sp])
			return -ENOMEM;
	}
	for (; cache->nr_chain < SHVM_FAULT_CHAINS; cache->nr_chain++) {
		cache->chain[cache->nr_chain] = shvm_chain_alloc(&mv->mmu->tlb.chain_blocks);
		if (!cache->chain[cache->nr_chain])
			return -ENOMEM;
	}
	if (!cache->table)
		cache->table = shvm_arch_table_alloc(false);
	return cache->table ? 0 : -ENOMEM;
}

void shvm_cache_empty(struct shvm_mmu_vcpu *mv)
{
	struct shvm_mmu_cache *cache = &mv->cache;

	while (cache->nr_sp)
		shvm_sp_free(cache->sp[--cache->nr_sp]);
	while (cache->nr_chain)
		shvm_chain_free(cache->chain[--cache->nr_chain], &mv->mmu->tlb.chain_blocks);
	if (cache->table)
		shvm_arch_table_free(cache->table);
	cache->table = NULL;
}

struct shvm_chain **shvm_cache_chain(struct shvm_mmu_cache *cache)
{
	return &cache->chain[cache->nr_chain - 1];
}

void shvm_cache_chain_put(struct shvm_mmu_cache *cache)
{
	if (!cache->chain[cache->nr_chain - 1])
		cache->nr_chain--;
}
