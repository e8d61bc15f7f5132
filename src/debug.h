/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tools of the debug build: the audit, zaps on demand, and points at which a test holds a thread.
 * In the release build all of it is nothing, and the ioctls do not exist.
 */
#ifndef SHVM_DEBUG_H
#define SHVM_DEBUG_H

#include "vm.h"

#ifdef SHVM_DEBUG
long shvm_debug_audit(struct shvm *vm);				/* SHVM_AUDIT */
long shvm_debug_ctl(struct shvm *vm, void __user *arg);		/* SHVM_DEBUG_CTL */
void shvm_debug_init(struct shvm *vm);

/**
 * shvm_pause_point - wait here if a test has armed the point
 * @vm: the VM
 * @point: SHVM_PAUSE_*
 * Sleeps; ends when the point is released or the thread is killed.
 */
void shvm_pause_point(struct shvm *vm, unsigned int point);
#else
static inline long shvm_debug_audit(struct shvm *vm) { return -ENOTTY; }
static inline long shvm_debug_ctl(struct shvm *vm, void __user *arg) { return -ENOTTY; }
static inline void shvm_debug_init(struct shvm *vm) { }
static inline void shvm_pause_point(struct shvm *vm, unsigned int point) { }
#endif

#endif
