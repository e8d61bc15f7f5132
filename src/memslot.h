/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest-physical map: which slot table a VM has. The table itself: rmap/slot.h.
 */
#ifndef SHVM_MEMSLOT_H
#define SHVM_MEMSLOT_H

#include "vm.h"

/**
 * shvm_memslot_set - SHVM_SET_USER_MEMORY_REGION
 * @vm: the VM of the current process
 * @region: as user space gave it
 * Takes vm->slots_lock. Return: 0, or -errno with nothing changed.
 */
int shvm_memslot_set(struct shvm *vm, const struct shvm_userspace_memory_region *region);

#endif
