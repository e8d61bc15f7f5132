/* SPDX-License-Identifier: GPL-2.0-only */
/* User-space stand-in for one thread: a lock that knows whether it is held. */
#ifndef SHIM_LINUX_SPINLOCK_H
#define SHIM_LINUX_SPINLOCK_H

#include <assert.h>

#define __acquires(lock)
#define __releases(lock)

#define raw_spinlock_t struct shim_lock

struct shim_lock {
	int held;
};

extern int shim_locks_held;

static inline void raw_spin_lock_init(raw_spinlock_t *lock)
{
	lock->held = 0;
}

static inline unsigned long shim_lock(raw_spinlock_t *lock)
{
	assert(!lock->held);
	lock->held = 1;
	return ++shim_locks_held;
}

static inline void raw_spin_unlock_irqrestore(raw_spinlock_t *lock, unsigned long flags)
{
	assert(lock->held && flags);
	lock->held = 0;
	shim_locks_held--;
}

#define raw_spin_lock_irqsave(lock, flags) ((flags) = shim_lock(lock))

#endif /* SHIM_LINUX_SPINLOCK_H */
