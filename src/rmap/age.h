/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of the use of a frame, or of a group of frames by its large SPTEs. One word: bit 0
 * (due) is a use that the host has not been told of, the rest says when a use was seen last. The
 * accessed bits of live SPTEs come on top of it. docs/mmu.md, "Age".
 *
 * Every change is atomic. Who takes an accessed bit away holds the rmap lock of the frame or group,
 * and notes it here before that is dropped; other changes need no lock.
 */
#ifndef SHVM_AGE_H
#define SHVM_AGE_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/types.h>

#define SHVM_AGE_DUE	1u

struct shvm_age {
	u32 word;
};

/* Jiffies in a step of the clock: some tenths of a second, and no division. */
#define SHVM_AGE_STEP	32

/* 31 bits; 0, which is "never", comes after eight years for one step. */
static inline u32 shvm_age_now(void)
{
	return (u32)(jiffies / SHVM_AGE_STEP) & ~0u >> 1;
}

static inline u32 age_word(const struct shvm_age *age)
{
	return READ_ONCE(age->word);
}

/* When a use was seen last; 0: never. */
static inline u32 shvm_age_time(const struct shvm_age *age)
{
	return age_word(age) >> 1;
}

static inline bool shvm_age_is_due(const struct shvm_age *age)
{
	return age_word(age) & SHVM_AGE_DUE;
}

/* An accessed bit was taken away, and not by the host: the host has to be told. */
static inline void shvm_age_keep(struct shvm_age *age)
{
	WRITE_ONCE(age->word, shvm_age_now() << 1 | SHVM_AGE_DUE);
}

/* Other bits in place of some: true if that was a change. */
static inline bool age_change(struct shvm_age *age, u32 clear, u32 set)
{
	u32 old = age_word(age), new, seen;

	for (;;) {
		new = (old & ~clear) | set;
		if (new == old)
			return false;
		seen = cmpxchg(&age->word, old, new);
		if (seen == old)
			return true;
		old = seen;
	}
}

/* A use was seen of which the host knows by itself. */
static inline void shvm_age_see(struct shvm_age *age)
{
	age_change(age, ~SHVM_AGE_DUE, shvm_age_now() << 1);
}

/* A use was seen, and the host is being told of this and all before, or knows by itself. */
static inline void shvm_age_see_told(struct shvm_age *age)
{
	age_change(age, ~0u, shvm_age_now() << 1);
}

/* The host has to be told of a use, whenever it was. */
static inline void shvm_age_owe(struct shvm_age *age)
{
	age_change(age, 0, SHVM_AGE_DUE);
}

/* The host is being told, if there is something to tell: true. */
static inline bool shvm_age_tell(struct shvm_age *age)
{
	return age_change(age, SHVM_AGE_DUE, 0);
}

/* Other memory will be there: what was used is no more. */
static inline void shvm_age_forget(struct shvm_age *age)
{
	age_change(age, ~0u, 0);
}

#endif
