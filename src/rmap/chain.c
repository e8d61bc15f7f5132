// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains: a set of SPTE pointers behind one word, inline while there is only one.
 * Owns the blocks. Takes no lock: the word's owner serialises. Never allocates while adding.
 */
#include <linux/slab.h>

#include "../poison.h"
#include "rmap.h"

static struct kmem_cache *chain_cache;

int shvm_chain_module_init(void)
{
	chain_cache = kmem_cache_create("shvm_chain", sizeof(struct shvm_chain), 64,
					SLAB_ACCOUNT, NULL);
	return chain_cache ? 0 : -ENOMEM;
}

void shvm_chain_module_exit(void)
{
	kmem_cache_destroy(chain_cache);
}

struct shvm_chain *shvm_chain_alloc(struct shvm_striped *blocks)
{
	struct shvm_chain *chain = kmem_cache_zalloc(chain_cache, GFP_KERNEL_ACCOUNT);

	if (chain)
		shvm_striped_add(blocks, 1);
	return chain;
}

static void chain_release(void *chain)
{
	kmem_cache_free(chain_cache, chain);
}

void shvm_chain_free(struct shvm_chain *chain, struct shvm_striped *blocks)
{
	if (!chain)
		return;
	shvm_striped_add(blocks, -1);
	shvm_poison_free(chain, sizeof(*chain), SHVM_POISON, chain_release);
}

/* The lock bit of a head is set by its holder and must survive every change. */
static void word_set(unsigned long *word, unsigned long val)
{
	WRITE_ONCE(*word, val | (READ_ONCE(*word) & SHVM_WORD_LOCK));
}

void shvm_chain_add(unsigned long *word, u64 *sptep, struct shvm_chain **spare)
{
	unsigned long old = READ_ONCE(*word);
	struct shvm_chain *first = shvm_word_chain(old), *block;
	u64 *single = shvm_word_single(old);

	if (!first && !single) {
		word_set(word, (unsigned long)sptep);
		return;
	}
	if (first && first->nr < SHVM_CHAIN_BLOCK) {
		first->entry[first->nr++] = sptep;
		first->total++;
		return;
	}
	block = *spare;
	*spare = NULL;
	block->next = first;
	block->nr = 0;
	block->total = first ? first->total : 1;
	if (!first)
		block->entry[block->nr++] = single;
	block->entry[block->nr++] = sptep;
	block->total++;
	word_set(word, (unsigned long)block | SHVM_WORD_CHAIN);
}

static u64 **chain_find(struct shvm_chain *block, u64 *sptep)
{
	u32 i;

	for (; block; block = block->next)
		for (i = 0; i < block->nr; i++)
			if (block->entry[i] == sptep)
				return &block->entry[i];
	return NULL;
}

bool shvm_chain_del(unsigned long *word, u64 *sptep, struct shvm_striped *blocks)
{
	unsigned long old = READ_ONCE(*word);	/* others try to lock it meanwhile */
	struct shvm_chain *first = shvm_word_chain(old), *next;
	u64 **slot;

	if (!first) {
		if (shvm_word_single(old) != sptep)
			return false;
		word_set(word, 0);
		return true;
	}
	slot = chain_find(first, sptep);
	if (!slot)
		return false;
	*slot = first->entry[--first->nr];
	first->total--;
	if (first->nr)
		return true;
	next = first->next;
	if (next)
		next->total = first->total;
	word_set(word, next ? (unsigned long)next | SHVM_WORD_CHAIN : 0);
	shvm_chain_free(first, blocks);
	return true;
}

u32 shvm_chain_count(unsigned long word)
{
	const struct shvm_chain *first = shvm_word_chain(word);

	return first ? first->total : !!shvm_word_single(word);
}

u64 *shvm_chain_first(unsigned long word)
{
	const struct shvm_chain *first = shvm_word_chain(word);

	return first ? first->entry[first->nr - 1] : shvm_word_single(word);
}
