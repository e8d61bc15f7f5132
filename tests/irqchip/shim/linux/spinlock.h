/* SPDX-License-Identifier: GPL-2.0-only */
/* User-space stand-in for one thread: a lock that knows whether it is held. */
#ifndef SHIM_LINUX_SPINLOCK_H
#define SHIM_LINUX_SPINLOCK_H

#include <assert.h>

#define __acquires(lock)
#define __releases(lock)

typedef struct { int held; } raw_spinlock_t;

#define raw_spin_lock_init(lock) ((lock)->held = 0)
#define raw_spin_lock_irqsave(lock, flags) \
	do { assert(!(lock)->held); (lock)->held = 1; shim_locks_held++; (flags) = 1; } while (0)
#define raw_spin_unlock_irqrestore(lock, flags) \
	do { assert((lock)->held && (flags)); (lock)->held = 0; shim_locks_held--; } while (0)

extern int shim_locks_held;

#endif /* SHIM_LINUX_SPINLOCK_H */
