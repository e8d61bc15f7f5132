/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of the kernel that src/mmu and src/rmap use, for user space. Every header of
 * shim/linux includes this one. Locks are real, so that threads can be vCPUs; memory comes from
 * malloc(), so that the sanitizers see its life. A build may bring barriers, locks and SRCU of its
 * own, in the header that SHIM_LOCKS names.
 */
#ifndef SHIM_H
#define SHIM_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- who waits for a lock, and who counts; the controlled scheduler has its own --- */
#ifdef SHIM_SCHED
#include "controlled.h"
#else
#define shim_wait(lock)		sched_yield()
#define shim_wake(lock)		((void)0)
#define shim_freed(obj, size)	((void)0)
#define shim_count(counter, n)	((void)__atomic_fetch_add(counter, n, __ATOMIC_RELAXED))
int shim_cpu(void);		/* each thread has one of its own */
void shim_move(int cpu);	/* but for those that are moved */
#endif

/* --- types, bits --- */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int32_t s32;
typedef long long s64;
#define gfp_t	unsigned int

#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX
#define U8_MAX		UINT8_MAX
#define BITS_PER_LONG	64

#ifndef EUCLEAN
#define EUCLEAN		117
#endif

#define __rcu
#define __acquires(x)
#define __releases(x)
#define __cond_acquires(x)
#define __must_hold(x)
#define __acquire(x)	((void)0)
#define __release(x)	((void)0)
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define noinline	__attribute__((__noinline__))
#define noinstr

#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK_ULL(h, l)	((~0ULL >> (63 - (h))) & (~0ULL << (l)))
#define static_assert		_Static_assert
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, field) \
	((type *)((char *)(p) - offsetof(type, field)))
#define ilog2(n)		(63 - __builtin_clzll(n))
#define __ffs64(n)		((unsigned int)__builtin_ctzll(n))
#define struct_size(p, member, n)	offsetof(__typeof__(*(p)), member[n])
#define min_t(type, a, b) ({						\
	type shim_a = (a), shim_b = (b);				\
	shim_a < shim_b ? shim_a : shim_b;				\
})
#define max_t(type, a, b) ({						\
	type shim_a = (a), shim_b = (b);				\
	shim_a > shim_b ? shim_a : shim_b;				\
})
#define min(a, b)		min_t(typeof((a) + (b)), a, b)
#define clamp(v, lo, hi)	clamp_t(typeof(v), v, lo, hi)
#define clamp_t(type, v, lo, hi) ({					\
	type shim_v = (v), shim_lo = (lo), shim_hi = (hi);		\
	shim_v < shim_lo ? shim_lo : shim_v > shim_hi ? shim_hi : shim_v;	\
})

/* --- warnings end the test --- */
void shim_warn(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define WARN_ONCE(cond, fmt, ...) ({					\
	bool shim_cond = !!(cond);					\
	if (shim_cond)							\
		shim_warn(__FILE__, __LINE__, fmt, ##__VA_ARGS__);	\
	shim_cond;							\
})
#define pr_err(fmt, ...)	printf("# " fmt, ##__VA_ARGS__)
#define lockdep_is_held(lock)	1
#define lockdep_assert_held(lock)	((void)(lock))

/* --- accesses; relaxed atomics, so that TSAN knows them from plain ones --- */
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
/* As src/mmu says what they pair with. */
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
/* The same. */
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#ifndef SHIM_LOCKS
/* Full barriers: orders for the CPU, though TSAN does not see it; pairs as src/mmu says. */
#define smp_mb()		__asm__ volatile("mfence" ::: "memory")
/* Loads are in order on x86; as src/mmu says. */
#define smp_rmb()		__asm__ volatile("" ::: "memory")
/* The same, as above. */
#define smp_mb__before_atomic()	__asm__ volatile("mfence" ::: "memory")
/* The same, as above. */
#define smp_mb__after_atomic()	__asm__ volatile("mfence" ::: "memory")
#endif
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define cmpxchg64(p, o, n) ({						\
	__typeof__(*(p)) shim_old = (o);				\
	__atomic_compare_exchange_n(p, &shim_old, n, false,		\
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);	\
	shim_old;							\
})
#define cmpxchg(p, o, n)	cmpxchg64(p, o, n)

struct shim_atomic {
	int v;
};

struct shim_atomic64 {
	s64 v;
};

#define atomic_t	struct shim_atomic
#define atomic64_t	struct shim_atomic64

#define ATOMIC_OPS(name, type, arg)					\
static inline arg name##_read(const type *a)				\
{ return __atomic_load_n(&a->v, __ATOMIC_RELAXED); }			\
static inline arg name##_read_acquire(const type *a)			\
{ return __atomic_load_n(&a->v, __ATOMIC_ACQUIRE); }			\
static inline void name##_set(type *a, arg v)				\
{ __atomic_store_n(&a->v, v, __ATOMIC_RELAXED); }			\
static inline void name##_add(arg n, type *a)				\
{ __atomic_fetch_add(&a->v, n, __ATOMIC_SEQ_CST); }			\
static inline void name##_sub(arg n, type *a)				\
{ __atomic_fetch_sub(&a->v, n, __ATOMIC_SEQ_CST); }			\
static inline void name##_inc(type *a) { name##_add(1, a); }		\
static inline void name##_dec(type *a) { name##_sub(1, a); }		\
static inline arg name##_inc_return(type *a)				\
{ return __atomic_add_fetch(&a->v, 1, __ATOMIC_SEQ_CST); }		\
static inline bool name##_try_cmpxchg(type *a, arg *old, arg n)		\
{ return __atomic_compare_exchange_n(&a->v, old, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); }

ATOMIC_OPS(atomic, atomic_t, int)
ATOMIC_OPS(atomic64, atomic64_t, s64)

#define test_and_clear_bit(nr, p) ({					\
	unsigned long shim_bit = 1UL << (nr);				\
	!!(__atomic_fetch_and(p, ~shim_bit, __ATOMIC_SEQ_CST) & shim_bit);	\
})

#ifdef SHIM_LOCKS
#include SHIM_LOCKS
#else
#define raw_smp_processor_id()	shim_cpu()
#define ____cacheline_aligned_in_smp

/* --- locks; shim_held counts those of this thread, SRCU included --- */
extern __thread int shim_held;

struct shim_spinlock {
	bool held;
};

#define spinlock_t	struct shim_spinlock

static inline void spin_lock_init(spinlock_t *l)
{
	l->held = false;
}

static inline void spin_lock(spinlock_t *l)
{
	while (__atomic_test_and_set(&l->held, __ATOMIC_ACQUIRE))
		shim_wait(l);
	shim_held++;
}

static inline bool spin_trylock(spinlock_t *l)
{
	if (__atomic_test_and_set(&l->held, __ATOMIC_ACQUIRE))
		return false;
	shim_held++;
	return true;
}

static inline void spin_unlock(spinlock_t *l)
{
	shim_held--;
	__atomic_clear(&l->held, __ATOMIC_RELEASE);
	shim_wake(l);
}

#define SINGLE_DEPTH_NESTING	1
#define spin_lock_nested(l, n)	spin_lock(l)
#define spin_lock_nest_lock(l, outer)	spin_lock(l)

/* Waits by yielding, after a while fails: nothing in a test holds one for long. */
void bit_spin_lock(int bit, unsigned long *word);
static inline void bit_spin_unlock(int bit, unsigned long *word)
{
	shim_held--;
	__atomic_fetch_and(word, ~(1UL << bit), __ATOMIC_RELEASE);
	shim_wake(word);
}

/* --- SRCU --- */
struct srcu_struct {
	int idx;
	int readers[2];
	pthread_mutex_t sync;
};

int init_srcu_struct(struct srcu_struct *s);
void cleanup_srcu_struct(struct srcu_struct *s);
int srcu_read_lock(struct srcu_struct *s);
void srcu_read_unlock(struct srcu_struct *s, int idx);
void synchronize_srcu(struct srcu_struct *s);
#endif

#define preempt_disable()	((void)0)
#define preempt_enable()	((void)0)
#define cond_resched()		((void)0)
#define might_sleep()		((void)0)

/* One thread is one CPU. */
#define DEFINE_PER_CPU(type, name) \
	__thread __typeof__(type)name
#define this_cpu_read(x)	(x)
#define this_cpu_inc(x)		((x)++)
#define this_cpu_dec(x)		((x)--)

#define srcu_dereference(p, s)	((void)(s), __atomic_load_n(&(p), __ATOMIC_ACQUIRE))
#define rcu_dereference_protected(p, c)	((void)(c), (p))
#define rcu_assign_pointer(p, v)	__atomic_store_n(&(p), v, __ATOMIC_RELEASE)

/* --- memory; shim_alloc_countdown makes the Nth allocation fail --- */
#define GFP_KERNEL_ACCOUNT	0u
#define GFP_KERNEL		0u
#define GFP_ATOMIC		0u
#define __GFP_NOWARN		0u
#define SLAB_ACCOUNT		0u

extern long shim_alloc_countdown;	/* 0: off; set by single-threaded tests only */
extern long shim_alloc_live;		/* objects that are allocated now */
bool shim_alloc_may_fail(void);

struct kmem_cache;
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
				     unsigned int flags, void (*ctor)(void *obj));
void kmem_cache_destroy(struct kmem_cache *c);
void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp);
void *kmem_cache_zalloc(struct kmem_cache *c, gfp_t gfp);
void kmem_cache_free(struct kmem_cache *c, void *obj);
void *kvcalloc(size_t n, size_t size, gfp_t gfp);
void kvfree(const void *p);
#define kcalloc(n, size, gfp)	kvcalloc(n, size, gfp)
#define kzalloc(size, gfp)	kvcalloc(1, size, gfp)
#define kfree(p)		kvfree(p)

/* --- lists --- */
struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(l)	{ &(l), &(l) }
#define LIST_HEAD(l)		struct list_head l = LIST_HEAD_INIT(l)

static inline void INIT_LIST_HEAD(struct list_head *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list_head *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list_head *e, struct list_head *l)
{
	e->next = l;
	e->prev = l->prev;
	l->prev->next = e;
	l->prev = e;
}

static inline void list_del(struct list_head *e)
{
	e->next->prev = e->prev;
	e->prev->next = e->next;
	e->next = NULL;
	e->prev = NULL;
}

static inline void list_move_tail(struct list_head *e, struct list_head *l)
{
	list_del(e);
	list_add_tail(e, l);
}

#define list_entry(p, type, member)	container_of(p, type, member)
#define list_first_entry(l, type, member)	list_entry((l)->next, type, member)
#define list_first_entry_or_null(l, type, member) \
	(list_empty(l) ? NULL : list_first_entry(l, type, member))
#define list_for_each_entry(p, l, member)				\
	for (p = list_entry((l)->next, __typeof__(*p), member);		\
	     &p->member != (l);						\
	     p = list_entry(p->member.next, __typeof__(*p), member))
#define list_for_each_entry_safe(p, n, l, member)			\
	for (p = list_entry((l)->next, __typeof__(*p), member),		\
	     n = list_entry(p->member.next, __typeof__(*p), member);	\
	     &p->member != (l);						\
	     p = n, n = list_entry(n->member.next, __typeof__(*p), member))

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_add_head_rcu(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (n->next)
		n->next->pprev = &n->next;
	__atomic_store_n(&h->first, n, __ATOMIC_RELEASE);
}

static inline bool hlist_unhashed(const struct hlist_node *n)
{
	return !n->pprev;
}

static inline void hlist_del_init_rcu(struct hlist_node *n)
{
	__atomic_store_n(n->pprev, n->next, __ATOMIC_RELAXED);
	if (n->next)
		n->next->pprev = n->pprev;
	n->pprev = NULL;
}

#define hlist_entry_or_null(p, type, member) ({				\
	struct hlist_node *shim_node = (p);				\
	shim_node ? container_of(shim_node, type, member) : NULL;	\
})
#define hlist_for_each_entry_rcu(p, h, member, ...)			\
	for (p = hlist_entry_or_null(__atomic_load_n(&(h)->first, __ATOMIC_ACQUIRE), \
				     __typeof__(*p), member);		\
	     p;								\
	     p = hlist_entry_or_null(__atomic_load_n(&p->member.next, __ATOMIC_ACQUIRE), \
				     __typeof__(*p), member))
#define hlist_for_each_entry(p, h, member)	hlist_for_each_entry_rcu(p, h, member)
#define hlist_for_each_entry_safe(p, n, h, member)			\
	for (p = hlist_entry_or_null((h)->first, __typeof__(*p), member); \
	     p && ({ n = p->member.next; 1; });				\
	     p = hlist_entry_or_null(n, __typeof__(*p), member))

static inline u32 hash_64(u64 v, unsigned int bits)
{
	return (v * 0x9E3779B97F4A7C15ULL) >> (64 - bits);
}

static inline unsigned long array_index_nospec(unsigned long index, unsigned long size)
{
	return index < size ? index : 0;
}

#endif
