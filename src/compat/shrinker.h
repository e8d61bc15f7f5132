/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's interface for those who can give memory back. Linux 6.1: the owner holds the struct,
 * a shrinker has its id from register_shrinker() on, and the list needs that.
 */
#ifndef SHVM_COMPAT_SHRINKER_H
#define SHVM_COMPAT_SHRINKER_H

#include <linux/list_lru.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>

/* What can give memory, by node and memory cgroup. */
struct shvm_shrinker {
	struct shrinker shrinker;
	struct list_lru lru;
	bool ready;		/* released when lru may be used */
};

static inline bool shvm_shrinker_is_ready(const struct shvm_shrinker *s)
{
	return smp_load_acquire(&s->ready);	/* the list is whole */
}

static inline struct shvm_shrinker *shvm_shrinker_of(struct shrinker *shrinker)
{
	return container_of(shrinker, struct shvm_shrinker, shrinker);
}

/* 0 or -ENOMEM. The functions may be called before it returns, when it is not ready. */
static inline int shvm_shrinker_register(struct shvm_shrinker *s, const char *name)
{
	int err;

	s->shrinker.seeks = DEFAULT_SEEKS;
	s->shrinker.flags = SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE;
	err = register_shrinker(&s->shrinker, "%s", name);
	if (err)
		return err;
	err = list_lru_init_memcg(&s->lru, &s->shrinker);
	if (err) {
		unregister_shrinker(&s->shrinker);
		return err;
	}
	smp_store_release(&s->ready, true);	/* pairs with shvm_shrinker_is_ready() */
	return 0;
}

/* Pages that went back to the allocator: whoever reclaims knows of objects only. */
static inline void shvm_shrinker_freed(unsigned long pages)
{
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
}

static inline void shvm_shrinker_unregister(struct shvm_shrinker *s)
{
	unregister_shrinker(&s->shrinker);
	list_lru_destroy(&s->lru);
}

#endif
