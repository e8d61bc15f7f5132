// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts of the shim that are more than a line. A warning of the code under test, a slab that
 * is destroyed with objects in it, a lock that nobody gives back: all end the program.
 */
#include <stdarg.h>

#include "shim.h"

#define SPIN_LIMIT	20000000L

long shim_alloc_countdown;
long shim_alloc_live;
__thread int shim_held;

struct kmem_cache {
	const char *name;
	size_t size, align;
	long live;
};

#ifndef SHIM_SCHED
static __thread int cpu = -1;

int shim_cpu(void)
{
	static int threads;

	if (cpu < 0)
		cpu = __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED);
	return cpu;
}

void shim_move(int to)
{
	cpu = to;
}
#endif

void shim_warn(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "WARNING at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}

void bit_spin_lock(int bit, unsigned long *word)
{
	long spins = 0;

	while (__atomic_fetch_or(word, 1UL << bit, __ATOMIC_ACQUIRE) & (1UL << bit)) {
		shim_wait(word);
		if (++spins == SPIN_LIMIT)
			shim_warn(__FILE__, __LINE__, "bit lock is never released\n");
	}
	shim_held++;
}

int init_srcu_struct(struct srcu_struct *s)
{
	if (!shim_alloc_may_fail())
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	return pthread_mutex_init(&s->sync, NULL) ? -ENOMEM : 0;
}

void cleanup_srcu_struct(struct srcu_struct *s)
{
	if (s->readers[0] || s->readers[1])
		shim_warn(__FILE__, __LINE__, "SRCU has readers when it goes away\n");
	pthread_mutex_destroy(&s->sync);
}

/* A reader counts in the current half; whoever waits turns the halves and drains the old one. */
int srcu_read_lock(struct srcu_struct *s)
{
	for (;;) {
		int idx = __atomic_load_n(&s->idx, __ATOMIC_SEQ_CST) & 1;

		__atomic_fetch_add(&s->readers[idx], 1, __ATOMIC_SEQ_CST);
		if ((__atomic_load_n(&s->idx, __ATOMIC_SEQ_CST) & 1) == idx) {
			shim_held++;
			return idx;
		}
		__atomic_fetch_sub(&s->readers[idx], 1, __ATOMIC_SEQ_CST);
	}
}

void srcu_read_unlock(struct srcu_struct *s, int idx)
{
	shim_held--;
	if (__atomic_fetch_sub(&s->readers[idx], 1, __ATOMIC_SEQ_CST) <= 0)
		shim_warn(__FILE__, __LINE__, "SRCU unlocked more often than locked\n");
}

void synchronize_srcu(struct srcu_struct *s)
{
	int old;

	pthread_mutex_lock(&s->sync);
	old = __atomic_fetch_add(&s->idx, 1, __ATOMIC_SEQ_CST) & 1;
	while (__atomic_load_n(&s->readers[old], __ATOMIC_SEQ_CST))
		sched_yield();
	pthread_mutex_unlock(&s->sync);
}

bool shim_alloc_may_fail(void)
{
	if (shim_alloc_countdown && !--shim_alloc_countdown)
		return false;
	return true;
}

static void *alloc(size_t size, size_t align)
{
	void *p;

	if (!shim_alloc_may_fail())
		return NULL;
	if (align < sizeof(void *))
		align = sizeof(void *);
	if (posix_memalign(&p, align, size ? size : 1))
		return NULL;
	shim_count(&shim_alloc_live, 1);
	return p;
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
				     unsigned int flags, void (*ctor)(void *obj))
{
	struct kmem_cache *c = alloc(sizeof(*c), 0);

	(void)flags;
	(void)ctor;
	if (c)
		*c = (struct kmem_cache){ .name = name, .size = size, .align = align };
	return c;
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	if (!c)
		return;
	if (c->live)
		shim_warn(__FILE__, __LINE__, "slab %s still has %ld objects\n", c->name, c->live);
	kvfree(c);
}

void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	void *p = alloc(c->size, c->align);

	(void)gfp;
	if (!p)
		return NULL;
	shim_count(&c->live, 1);
	memset(p, 0xa5, c->size);
	return p;
}

void *kmem_cache_zalloc(struct kmem_cache *c, gfp_t gfp)
{
	void *p = kmem_cache_alloc(c, gfp);

	return p ? memset(p, 0, c->size) : NULL;
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	shim_count(&c->live, -1);
	shim_freed(obj, c->size);
	kvfree(obj);
}

void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	void *p;

	(void)gfp;
	if (size && n > SIZE_MAX / size)
		return NULL;
	p = alloc(n * size, 0);
	return p ? memset(p, 0, n * size) : NULL;
}

void kvfree(const void *p)
{
	if (!p)
		return;
	shim_count(&shim_alloc_live, -1);
	free((void *)p);
}
