/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim under the controlled scheduler: every atomic access is a point where another thread may
 * go on, every lock that is taken makes its thread wait for the scheduler, and nothing else lets
 * two threads run. Included by shim.h before anything uses what is redefined here.
 */
#ifndef SHIM_CONTROLLED_H
#define SHIM_CONTROLLED_H

/* Before an access to memory that threads share. */
void sched_point(const volatile void *at, bool is_store);
/* The lock is taken: until somebody gives it back. */
void sched_block(const volatile void *lock);
void sched_wake(const volatile void *lock);
void sched_freed(const void *obj, size_t size);
/* Nothing to do before somebody else has done something. */
int sched_spin(void);

/* Counters of each CPU are one: there are so many schedules already. */
#define SHVM_STRIPES		1
#define shim_cpu()		0

int sched_mutex_lock(pthread_mutex_t *l);
int sched_mutex_unlock(pthread_mutex_t *l);
int sched_rwlock_read(pthread_rwlock_t *l);
int sched_rwlock_write(pthread_rwlock_t *l);
int sched_rwlock_unlock(pthread_rwlock_t *l);

#define shim_wait(lock)		sched_block(lock)
#define shim_wake(lock)		sched_wake(lock)
#define shim_freed(obj, size)	sched_freed(obj, size)

/* Counters of the test itself: of no interest to anybody. */
static inline void shim_count(long *counter, long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

#ifndef SHIM_NO_POINTS
#define pthread_mutex_lock	sched_mutex_lock
#define pthread_mutex_unlock	sched_mutex_unlock
#define pthread_rwlock_rdlock	sched_rwlock_read
#define pthread_rwlock_wrlock	sched_rwlock_write
#define pthread_rwlock_unlock	sched_rwlock_unlock
#define sched_yield		sched_spin

#define SHIM_AT(p, is_store)	__auto_type shim_at = (p); sched_point(shim_at, is_store)

#define __atomic_load_n(p, order) \
	({ SHIM_AT(p, false); __atomic_load_n(shim_at, order); })
#define __atomic_store_n(p, v, order) \
	({ SHIM_AT(p, true); __atomic_store_n(shim_at, v, order); })
#define __atomic_exchange_n(p, v, order) \
	({ SHIM_AT(p, true); __atomic_exchange_n(shim_at, v, order); })
#define __atomic_compare_exchange_n(p, old, v, weak, order, fail_order) ({	\
	SHIM_AT(p, true);							\
	__atomic_compare_exchange_n(shim_at, old, v, weak, order, fail_order);	\
})
#define __atomic_fetch_add(p, v, order) \
	({ SHIM_AT(p, true); __atomic_fetch_add(shim_at, v, order); })
#define __atomic_fetch_sub(p, v, order) \
	({ SHIM_AT(p, true); __atomic_fetch_sub(shim_at, v, order); })
#define __atomic_add_fetch(p, v, order) \
	({ SHIM_AT(p, true); __atomic_add_fetch(shim_at, v, order); })
#define __atomic_fetch_or(p, v, order) \
	({ SHIM_AT(p, true); __atomic_fetch_or(shim_at, v, order); })
#define __atomic_fetch_and(p, v, order) \
	({ SHIM_AT(p, true); __atomic_fetch_and(shim_at, v, order); })
#define __atomic_test_and_set(p, order) \
	({ SHIM_AT(p, true); __atomic_test_and_set(shim_at, order); })
#endif

#endif
