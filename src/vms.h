/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All VMs of the host: the list, whom each belongs to, and what a network namespace counts.
 * docs/netlink.md, docs/recycling.md.
 */
#ifndef SHVM_VMS_H
#define SHVM_VMS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>
#include <net/net_namespace.h>

struct pid;
struct shvm;
struct user_namespace;

/* Who has made a VM, and its place in the list. Constant while it is there, but for link. */
struct shvm_owner {
	struct list_head link;		/* all VMs, oldest first; RCU, changed under vms_lock */
	u64 id;				/* in its network namespace; never used again */
	struct net *net;
	struct user_namespace *user_ns;
	struct pid *pid;
	kuid_t uid;
};

/* What a network namespace counts by itself, so that it learns nothing of others. */
struct shvm_net {
	u64 last_id;			/* vms_lock */
	u32 generation;			/* its VMs and vCPUs have changed so often; vms_lock */
	struct mutex events_lock;	/* events go out in the order of their numbers */
	u64 events;			/* events_lock, read without */
};

int shvm_vms_module_init(void);
void shvm_vms_module_exit(void);	/* no VM is left */

/**
 * shvm_vms_add - put a VM of the current process in the list
 * @vm: complete, but nobody can use it yet
 */
void shvm_vms_add(struct shvm *vm);

/**
 * shvm_vms_del - take a VM out of the list
 * @vm: nobody holds one of its users any more. Who looks at it may go on: shvm_vms_wait()
 */
void shvm_vms_del(struct shvm *vm);
void shvm_vms_release(struct shvm *vm);	/* what shvm_vms_add() has taken; nobody looks any more */
void shvm_vms_changed(struct shvm *vm);	/* a vCPU has come */

/*
 * A VM of the list stays as it is between lock and unlock. Nothing in between may sleep for long,
 * allocate, or take locks of ioctls, as shvm_vms_wait() waits for it.
 */
int shvm_vms_lock(void);
void shvm_vms_unlock(int idx);
bool shvm_vms_is_locked(void);
void shvm_vms_wait(void);

extern struct list_head shvm_vms;

#define shvm_for_each_vm(vm) \
	list_for_each_entry_srcu(vm, &shvm_vms, owner.link, shvm_vms_is_locked())

/**
 * shvm_vms_find - a VM by its id
 * @net: network namespace that the VM must be of
 * @id: any number
 * Context: between shvm_vms_lock() and shvm_vms_unlock().
 * Return: the VM or NULL.
 */
struct shvm *shvm_vms_find(const struct net *net, u64 id);

struct shvm_net *shvm_net(const struct net *net);

/*
 * Another number after each change of the list and of vCPUs, never 0. Read before them: if it is
 * still the same later on, what was seen in between was there at one moment.
 */
u32 shvm_vms_generation(const struct net *net);

#endif
