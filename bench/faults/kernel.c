// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts of the kernel that are more than a line: locks that have to wait, and memory, which
 * threads take from and give back to stocks of their own, as CPUs do with the kernel's slabs.
 */
#include <stdarg.h>
#include <sys/mman.h>

#include "memory.h"

__thread struct measured measured;
__thread int measured_cpu;

unsigned int use_clock;		/* jiffies: no time passes */

void shim_warn(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "WARNING at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}

/* --- locks that are not free --- */

void spin_lock_slow(spinlock_t *l)
{
	u32 is_free;

	measured.retries++;
	do {
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED))
			measured_wait(&measured.spins);
		is_free = 0;
	} while (!__atomic_compare_exchange_n(&l->held, &is_free, 1, false, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
}

void bit_spin_lock_slow(int bit, unsigned long *word)
{
	measured.retries++;
	do {
		while (__atomic_load_n(word, __ATOMIC_RELAXED) & (1UL << bit))
			measured_wait(&measured.spins);
	} while (__atomic_fetch_or(word, 1UL << bit, __ATOMIC_ACQUIRE) & (1UL << bit));
}

int init_srcu_struct(struct srcu_struct *s)
{
	memset(s, 0, sizeof(*s));
	return 0;
}

/* --- memory --- */

void *memory_reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("faults: mmap");
		exit(2);
	}
	return p;
}

static void stock_lock(struct stock *s)
{
	struct measured before = measured;

	spin_lock(&s->lock);
	measured = before;
}

static void stock_unlock(struct stock *s)
{
	spin_unlock(&s->lock);
}

static void *stock_new(struct stock *s)
{
	if (s->left < s->size) {
		s->left = STOCK_CHUNK;
		s->next = memory_reserve(STOCK_CHUNK);
	}
	s->left -= s->size;
	s->next += s->size;
	return s->next - s->size;
}

static void stock_refill(struct stock *s, struct shelf *shelf)
{
	stock_lock(s);
	while (shelf->nr < SHELF_SIZE / 2)
		shelf->object[shelf->nr++] = s->nr ? s->object[--s->nr] : stock_new(s);
	stock_unlock(s);
}

static void stock_return(struct stock *s, struct shelf *shelf)
{
	stock_lock(s);
	while (shelf->nr > SHELF_SIZE / 2) {
		if (s->nr == s->room) {
			s->room = s->room ? 2 * s->room : 1024;
			s->object = realloc(s->object, s->room * sizeof(*s->object));
			if (!s->object)
				abort();
		}
		s->object[s->nr++] = shelf->object[--shelf->nr];
	}
	stock_unlock(s);
}

void *stock_get(struct stock *s)
{
	struct shelf *shelf = &s->shelf[measured_cpu];

	if (!shelf->nr)
		stock_refill(s, shelf);
	return shelf->object[--shelf->nr];
}

void stock_put(struct stock *s, void *object)
{
	struct shelf *shelf = &s->shelf[measured_cpu];

	if (shelf->nr == SHELF_SIZE)
		stock_return(s, shelf);
	shelf->object[shelf->nr++] = object;
}

struct kmem_cache {
	struct stock stock;
	size_t size;
};

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
				     unsigned int flags, void (*ctor)(void *obj))
{
	struct kmem_cache *c = aligned_alloc(CACHE_LINE, sizeof(*c));

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->size = size;
	/* No two objects in one cache line: that of a thread would be another's, too. */
	c->stock.size = (size + CACHE_LINE - 1) & ~(CACHE_LINE - 1UL);
	return c;
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	free(c);
}

void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	return stock_get(&c->stock);
}

void *kmem_cache_zalloc(struct kmem_cache *c, gfp_t gfp)
{
	return memset(stock_get(&c->stock), 0, c->size);
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	stock_put(&c->stock, obj);
}

void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes = (n * size + CACHE_LINE - 1) & ~(CACHE_LINE - 1UL);
	void *p = aligned_alloc(CACHE_LINE, bytes ? bytes : CACHE_LINE);

	return p ? memset(p, 0, bytes) : NULL;
}

void kvfree(const void *p)
{
	free((void *)p);
}
