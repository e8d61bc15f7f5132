/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shadow pages of all VMs together: docs/recycling.md.
 */
#ifndef SHVM_RECYCLE_H
#define SHVM_RECYCLE_H

#include <linux/list.h>

struct shvm;

/* A VM as the recycler sees it; in an object of its own, which belongs to the VMM's cgroup. */
struct shvm_share {
	struct list_head lru;		/* of the shrinker */
	struct shvm *vm;
};

int shvm_recycle_module_init(void);
void shvm_recycle_module_exit(void);

/* From now on the host may take shadow pages of it. 0 or -ENOMEM. */
int shvm_recycle_add(struct shvm *vm);
/* After shvm_vms_del(). No shadow page is left. Waits until nobody looks at it any more. */
void shvm_recycle_del(struct shvm *vm);

/* Debug: is the count of all shadow pages the sum of those of the VMs? 0 or -EUCLEAN. */
int shvm_recycle_audit(void);

#endif
