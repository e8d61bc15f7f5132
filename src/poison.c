// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug module only: the quarantine of freed memory, a ring in which the newest object replaces the
 * oldest. Shared by all VMs; owns its lock, inside which nothing else is taken.
 */
#include "poison.h"

#ifdef SHVM_DEBUG

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define QUARANTINE	1024	/* objects; tables of 4 KiB are the largest */

struct kept {
	u64 *obj;
	size_t size;
	u64 fill;
	void (*release)(void *obj);
};

static DEFINE_SPINLOCK(ring_lock);
static struct kept ring[QUARANTINE];
static unsigned int ring_next;

static bool is_damaged(const struct kept *k)
{
	size_t i;

	for (i = 0; i < k->size / sizeof(u64); i++)
		if (READ_ONCE(k->obj[i]) != k->fill)
			return true;
	return false;
}

static void kept_release(struct kept *k)
{
	if (!k->obj)
		return;
	WARN_ONCE(is_damaged(k), "shvm: freed memory was written to, for %ps\n", k->release);
	k->release(k->obj);
}

void shvm_poison_free(void *obj, size_t size, u64 fill, void (*release)(void *obj))
{
	struct kept new = { .obj = obj, .size = size, .fill = fill, .release = release }, old;

	memset64(obj, fill, size / sizeof(u64));
	spin_lock(&ring_lock);
	old = ring[ring_next];
	ring[ring_next] = new;
	ring_next = (ring_next + 1) % QUARANTINE;
	spin_unlock(&ring_lock);
	kept_release(&old);
}

unsigned int shvm_poison_check(void)
{
	unsigned int i, damaged = 0;

	spin_lock(&ring_lock);
	for (i = 0; i < QUARANTINE; i++)
		damaged += ring[i].obj && is_damaged(&ring[i]);
	spin_unlock(&ring_lock);
	return damaged;
}

void shvm_poison_drain(void)
{
	struct kept old;
	unsigned int i;

	for (i = 0; i < QUARANTINE; i++) {
		spin_lock(&ring_lock);
		old = ring[i];
		ring[i] = (struct kept){ };
		spin_unlock(&ring_lock);
		kept_release(&old);
	}
}

static void selftest_release(void *obj)
{
	kfree(obj);
}

/* At load, when the quarantine is empty. */
int shvm_poison_selftest(void)
{
	u64 *obj = kmalloc(64, GFP_KERNEL);
	bool found;

	if (!obj)
		return -ENOMEM;
	shvm_poison_free(obj, 64, SHVM_POISON, selftest_release);
	found = !shvm_poison_check();
	obj[7] ^= 1;
	found &= shvm_poison_check() == 1;
	obj[7] ^= 1;
	shvm_poison_drain();
	return found ? 0 : -EUCLEAN;
}

#endif
