/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points at which the code under test holds nothing that others need: what happens there is up to
 * the test.
 */
#ifndef STOP_H
#define STOP_H

#include "machine.h"

enum point {
	NOWHERE,
	AFTER_READ,	/* an entry of a guest table was read by a walk, which is in SRCU */
	AT_MARK,	/* A and D of an entry are about to be set */
	AT_LOOKUP,	/* the host frame of a page is about to be found */
	AFTER_LOOKUP,
	AT_FLUSH,	/* a flush that was promised, nothing is locked */
	AFTER_FLUSH,
	AT_STORE,	/* an emulated store, before memory changes */
	AFTER_STORE,	/* memory has changed, the shadow does not follow yet */
	LOCK_BROKEN,	/* the MMU lock was given back after writing */
};

/* At the next pass of the point after so many, runs a function in a thread of its own. */
void stop_at(enum point where, u32 skip, void (*meanwhile)(void));
void stop_at_every(enum point where, void (*meanwhile)(void));
u32 stop_count(void);		/* stops since stop_at() */
u32 stop_end(void);		/* no more of them; how many there were */

#endif
