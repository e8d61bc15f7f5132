/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Barriers, locks and SRCU for measurements: the same atomic operations on the same words as in the
 * kernel on x86, so that cache lines move as they do there, and counters of this thread alone for
 * everything that had to wait. Included by the shim of tests/host instead of its own.
 */
#ifndef MEASURED_H
#define MEASURED_H

#define CACHE_LINE	64
#define MAX_THREADS	16
#define SPINS_BEFORE_YIELD	2000	/* the holder may not be running */

/* What a thread had to do because of others. */
struct measured {
	u64 retries;		/* lock takings that did not succeed at once */
	u64 spins;		/* rounds of waiting in them */
	u64 flushes;		/* flush rounds over all vCPUs */
	u64 ipis;		/* other vCPUs that such a round would interrupt */
};

extern __thread struct measured measured;
extern __thread int measured_cpu;	/* number of the thread, below MAX_THREADS */

#define raw_smp_processor_id()	measured_cpu
#define ____cacheline_aligned_in_smp	__attribute__((aligned(CACHE_LINE)))

/* pairs as src/mmu says */
#define smp_mb()		__asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc")
/* the same: loads are in order */
#define smp_rmb()		__asm__ volatile("" ::: "memory")
/* the same: an atomic operation is a full barrier */
#define smp_mb__before_atomic()	__asm__ volatile("" ::: "memory")
/* the same */
#define smp_mb__after_atomic()	__asm__ volatile("" ::: "memory")

static inline void measured_wait(u64 *spins)
{
	if (++*spins % SPINS_BEFORE_YIELD)
		__asm__ volatile("pause");
	else
		sched_yield();
}

/* --- spinlocks --- */
struct shim_spinlock {
	u32 held;
};

#define spinlock_t	struct shim_spinlock

static inline void spin_lock_init(spinlock_t *l)
{
	l->held = 0;
}

void spin_lock_slow(spinlock_t *l);
static inline void spin_lock(spinlock_t *l)
{
	u32 is_free = 0;

	if (!__atomic_compare_exchange_n(&l->held, &is_free, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		spin_lock_slow(l);
}

static inline bool spin_trylock(spinlock_t *l)
{
	u32 is_free = 0;

	return __atomic_compare_exchange_n(&l->held, &is_free, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void spin_unlock(spinlock_t *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

#define SINGLE_DEPTH_NESTING	1
#define spin_lock_nested(l, n)	spin_lock(l)
#define spin_lock_nest_lock(l, outer)	spin_lock(l)

/* --- bit locks --- */
void bit_spin_lock_slow(int bit, unsigned long *word);
static inline void bit_spin_lock(int bit, unsigned long *word)
{
	if (__atomic_fetch_or(word, 1UL << bit, __ATOMIC_ACQUIRE) & (1UL << bit))
		bit_spin_lock_slow(bit, word);
}

static inline void bit_spin_unlock(int bit, unsigned long *word)
{
	__atomic_fetch_and(word, ~(1UL << bit), __ATOMIC_RELEASE);
}

/* --- SRCU: counters of each CPU. Nothing here changes what it guards while readers run. --- */
struct srcu_struct {
	struct {
		unsigned long locked, unlocked;
	} __attribute__((aligned(CACHE_LINE))) cpu[MAX_THREADS];
};

int init_srcu_struct(struct srcu_struct *s);

static inline void cleanup_srcu_struct(struct srcu_struct *s)
{
}

static inline int srcu_read_lock(struct srcu_struct *s)
{
	s->cpu[measured_cpu].locked++;
	smp_mb();	/* as the kernel's */
	return 0;
}

static inline void srcu_read_unlock(struct srcu_struct *s, int idx)
{
	smp_mb();	/* as the kernel's */
	s->cpu[measured_cpu].unlocked++;
}

#endif
