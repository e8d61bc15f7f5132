/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's way to our SPTEs: mmu_notifier callbacks that turn host virtual ranges into guest
 * frames and act on their reverse maps. Takes SRCU and ranks 5 and 7 only (locks.h).
 */
#ifndef SHVM_MMU_NOTIFIER_H
#define SHVM_MMU_NOTIFIER_H

#include <linux/mmu_notifier.h>

struct shvm;

struct shvm_notifier {
	struct mmu_notifier mn;
	bool registered;
	bool mm_gone;		/* release was called: guest memory is gone for good */
};

/**
 * shvm_notifier_register - start to hear of changes in the VMM's address space
 * @vm: its mm is current->mm, its MMU is initialised
 * Return: 0 or -errno. May sleep (takes mmap_lock).
 */
int shvm_notifier_register(struct shvm *vm);

/**
 * shvm_notifier_unregister - stop; when it returns, no callback is running or will run
 * @vm: registered or not
 */
void shvm_notifier_unregister(struct shvm *vm);

#endif
