/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family, as the other folders see it. docs/netlink.md.
 */
#ifndef SHVM_NETLINK_H
#define SHVM_NETLINK_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct shvm;
struct shvm_vcpu;

/* What happens in places that cannot send anything is told by a worker, one for each VM. */
struct shvm_nl_vm {
	struct delayed_work work;
	/* Written by the worker alone, and when it has ended. */
	bool broken_told, low_told;
	unsigned long low_next;		/* jiffies: not told before */
};

int shvm_netlink_module_init(void);
/* Nothing can fail any more: dumps, which hold the module for as long as they like, may begin. */
void shvm_netlink_open(void);
/* When it returns, no command runs and none will. */
void shvm_netlink_module_exit(void);

/* Events; may sleep, for a moment. The VM is, or was, in the list of VMs. */
void shvm_nl_vm_init(struct shvm *vm);
void shvm_nl_vm_end(struct shvm *vm);		/* the last one; nobody pokes any more */
void shvm_nl_vm_created(struct shvm *vm);
void shvm_nl_vcpu_created(const struct shvm_vcpu *vcpu);
void shvm_nl_vcpu_destroyed(const struct shvm_vcpu *vcpu);
void shvm_nl_entry_failed(const struct shvm_vcpu *vcpu, u64 error);

/**
 * shvm_nl_poke - vm->broken or vm->mmu.low is another
 * @vm: any VM that is there
 * Context: any but NMI.
 */
void shvm_nl_poke(struct shvm *vm);

#endif
