/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's interface for those who can give memory back. Before Linux 6.7 the owner holds the
 * struct, and the shrinker has its id, which the list needs, from register_shrinker() on, when it
 * may be called; since then it is allocated, and called when all is ready.
 */
#ifndef SHVM_COMPAT_SHRINKER_H
#define SHVM_COMPAT_SHRINKER_H

#include <linux/list_lru.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/version.h>

typedef unsigned long (*shvm_shrinker_fn)(struct shrinker *shrinker, struct shrink_control *sc);

/* What can give memory, by node and memory cgroup. */
struct shvm_shrinker {
	struct list_lru lru;
#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	struct shrinker *shrinker;
#else
	struct shrinker shrinker;
	bool ready;		/* released when lru may be used */
#endif
};

#define SHVM_SHRINKER_FLAGS	(SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE)
/* A table that comes back costs as much as ten pages that are read from swap. */
#define SHVM_SHRINKER_SEEKS	(10 * DEFAULT_SEEKS)

#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE

static inline bool shvm_shrinker_is_ready(const struct shvm_shrinker *s)
{
	return true;
}

static inline struct shvm_shrinker *shvm_shrinker_of(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

static inline int shvm_shrinker_register(struct shvm_shrinker *s, const char *name,
					 shvm_shrinker_fn count, shvm_shrinker_fn scan)
{
	int err;

	s->shrinker = shrinker_alloc(SHVM_SHRINKER_FLAGS, "%s", name);
	if (!s->shrinker)
		return -ENOMEM;
	err = list_lru_init_memcg(&s->lru, s->shrinker);
	if (err) {
		shrinker_free(s->shrinker);
		return err;
	}
	s->shrinker->count_objects = count;
	s->shrinker->scan_objects = scan;
	s->shrinker->private_data = s;
	s->shrinker->seeks = SHVM_SHRINKER_SEEKS;
	shrinker_register(s->shrinker);
	return 0;
}

static inline void shvm_shrinker_unregister(struct shvm_shrinker *s)
{
	shrinker_free(s->shrinker);
	list_lru_destroy(&s->lru);
}

#else

static inline bool shvm_shrinker_is_ready(const struct shvm_shrinker *s)
{
	return smp_load_acquire(&s->ready);	/* the list is whole */
}

static inline struct shvm_shrinker *shvm_shrinker_of(struct shrinker *shrinker)
{
	return container_of(shrinker, struct shvm_shrinker, shrinker);
}

/* 0 or -ENOMEM. The functions may be called before it returns, when it is not ready. */
static inline int shvm_shrinker_register(struct shvm_shrinker *s, const char *name,
					 shvm_shrinker_fn count, shvm_shrinker_fn scan)
{
	int err;

	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = SHVM_SHRINKER_SEEKS;
	s->shrinker.flags = SHVM_SHRINKER_FLAGS;
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

static inline void shvm_shrinker_unregister(struct shvm_shrinker *s)
{
	unregister_shrinker(&s->shrinker);
	list_lru_destroy(&s->lru);
}

#endif

static inline void shvm_shrinker_add(struct shvm_shrinker *s, struct list_head *item)
{
#if KERNEL_VERSION(6, 8, 0) <= LINUX_VERSION_CODE
	list_lru_add_obj(&s->lru, item);
#else
	list_lru_add(&s->lru, item);
#endif
}

static inline void shvm_shrinker_del(struct shvm_shrinker *s, struct list_head *item)
{
#if KERNEL_VERSION(6, 8, 0) <= LINUX_VERSION_CODE
	list_lru_del_obj(&s->lru, item);
#else
	list_lru_del(&s->lru, item);
#endif
}

/* Pages that went back to the allocator: whoever reclaims knows of objects only. */
static inline void shvm_shrinker_freed(unsigned long pages)
{
#if KERNEL_VERSION(6, 4, 0) <= LINUX_VERSION_CODE
	mm_account_reclaimed_pages(pages);
#else
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#endif
}

#endif
