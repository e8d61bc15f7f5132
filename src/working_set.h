/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The working set of a VM, for user space.
 */
#ifndef SHVM_WORKING_SET_H
#define SHVM_WORKING_SET_H

#include "vm.h"

/* arg: struct shvm_working_set. Takes no lock but those of rmap heads. 0 or -errno. */
long shvm_vm_get_working_set(struct shvm *vm, void __user *arg);

#endif
