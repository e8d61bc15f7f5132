/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside src/netlink.
 */
#ifndef SHVM_NETLINK_INTERNAL_H
#define SHVM_NETLINK_INTERNAL_H

#include <net/genetlink.h>
#include <net/sock.h>
#include <uapi/linux/shvm_netlink.h>

#include "../vcpu.h"
#include "../vm.h"

extern struct genl_family shvm_nl_family;

/* --- family.c: the VM of a request --- */

/**
 * shvm_nl_is_owner - may who asks know and do everything?
 * @request: message of the request, of a dump, too
 * @vm: the VM
 *
 * For the process that runs now and for the one that has opened the socket: a privileged program
 * that is made to write to, or read from, the socket of another one gives it nothing.
 */
bool shvm_nl_is_owner(const struct sk_buff *request, const struct shvm *vm);

/**
 * shvm_nl_find - the VM that a request is about
 * @net: network namespace of the request
 * @id: attribute with the VM's id
 * @extack: gets a message if there is none
 * Context: between shvm_vms_lock() and shvm_vms_unlock().
 * Return: the VM, or ERR_PTR(-ENOENT).
 */
struct shvm *shvm_nl_find(const struct net *net, const struct nlattr *id,
			  struct netlink_ext_ack *extack);

/* The same for who wants to sleep and change something: to be given back by shvm_vm_put(). */
struct shvm *shvm_nl_get_owned(const struct sk_buff *request, struct genl_info *info);

/* 0 or -EPERM, with a message. */
int shvm_nl_check_owner(const struct sk_buff *request, const struct shvm *vm,
			const struct nlattr *id, struct netlink_ext_ack *extack);

/**
 * shvm_nl_vcpu - a vCPU by its id
 * @vm: its VM
 * @id: attribute with the id
 * @extack: gets a message if there is none
 * Return: the vCPU, which lives as long as its VM, or ERR_PTR(-ENOENT).
 */
struct shvm_vcpu *shvm_nl_vcpu(const struct shvm *vm, const struct nlattr *id,
			       struct netlink_ext_ack *extack);

/* 0 or -EINVAL with a message: an attribute that the command needs is missing. */
int shvm_nl_require(struct genl_info *info, u32 type, const char *message);

/* --- commands --- */
int shvm_nl_vm_get(struct sk_buff *request, struct genl_info *info);	/* get.c */
int shvm_nl_vm_dump(struct sk_buff *skb, struct netlink_callback *cb);
int shvm_nl_vcpu_get(struct sk_buff *request, struct genl_info *info);
int shvm_nl_vcpu_dump(struct sk_buff *skb, struct netlink_callback *cb);
int shvm_nl_stats_get(struct sk_buff *request, struct genl_info *info);	/* stats.c */
int shvm_nl_vm_set(struct sk_buff *request, struct genl_info *info);	/* set.c */
int shvm_nl_vm_reclaim(struct sk_buff *request, struct genl_info *info);
int shvm_nl_peaks_reset(struct sk_buff *request, struct genl_info *info);
int shvm_nl_event_get(struct sk_buff *request, struct genl_info *info);	/* event.c */

#endif
