/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of shadow pages and chains on its way back to the kernel. In the debug module it is filled
 * with a pattern and kept for a while first: whoever writes to it after its end is found, and
 * whoever follows a pointer in it faults at once. In the release module it goes back at once.
 */
#ifndef SHVM_POISON_H
#define SHVM_POISON_H

#include <linux/types.h>

#define SHVM_POISON	0x6b6b6b6b6b6b6b6bULL	/* no canonical address, no count of anything */

#if defined(SHVM_DEBUG) && defined(__KERNEL__)
/**
 * shvm_poison_free - give memory back, later
 * @obj: at least 8-aligned; nobody may use it any more
 * @size: bytes, a multiple of 8
 * @fill: pattern, repeated
 * @release: gives it back in the end; must not sleep
 * Takes no lock but its own, which is the innermost.
 */
void shvm_poison_free(void *obj, size_t size, u64 fill, void (*release)(void *obj));
/* Looks at everything that is kept; returns the number of objects that somebody wrote to. */
unsigned int shvm_poison_check(void);
void shvm_poison_drain(void);		/* checks and gives back all that is kept */
int shvm_poison_selftest(void);		/* 0, or -EUCLEAN: a write would not be found */
#else
static inline void shvm_poison_free(void *obj, size_t size, u64 fill, void (*release)(void *obj))
{
	release(obj);
}

static inline unsigned int shvm_poison_check(void) { return 0; }
static inline void shvm_poison_drain(void) { }
static inline int shvm_poison_selftest(void) { return 0; }
#endif

#endif
