// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: its commands, what they accept, and whom it lets do what. Commands
 * run in parallel, without a lock of the family. docs/netlink.md.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/user_namespace.h>

#include "netlink_internal.h"

static const struct nla_policy vm_policy[] = {
	[SHVM_A_VM_ID] = { .type = NLA_U64 },
};

static const struct nla_policy vm_set_policy[] = {
	[SHVM_A_VM_ID] = { .type = NLA_U64 },
	[SHVM_A_VM_SHADOW_BUDGET] = { .type = NLA_U32 },
};

static const struct nla_policy vm_reclaim_policy[] = {
	[SHVM_A_VM_ID] = { .type = NLA_U64 },
	[SHVM_A_VM_RECLAIM] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy vcpu_policy[] = {
	[SHVM_A_VCPU_VM_ID] = { .type = NLA_U64 },
	[SHVM_A_VCPU_ID] = { .type = NLA_U32 },
};

static const struct nla_policy stats_policy[] = {
	[SHVM_A_STATS_VM_ID] = { .type = NLA_U64 },
	[SHVM_A_STATS_VCPU_ID] = { .type = NLA_U32 },
};

static bool nl_is_open;

/* A module that fails to load goes, whoever holds it. */
static int nl_dump_start(struct netlink_callback *cb)
{
	return smp_load_acquire(&nl_is_open) ? 0 : -EAGAIN;	/* pairs with shvm_netlink_open() */
}

static const struct genl_ops nl_ops[] = {
	{
		.cmd = SHVM_CMD_VM_GET,
		.doit = shvm_nl_vm_get,
		.start = nl_dump_start,
		.dumpit = shvm_nl_vm_dump,
		.policy = vm_policy,
		.maxattr = ARRAY_SIZE(vm_policy) - 1,
	},
	{
		.cmd = SHVM_CMD_VCPU_GET,
		.doit = shvm_nl_vcpu_get,
		.start = nl_dump_start,
		.dumpit = shvm_nl_vcpu_dump,
		.policy = vcpu_policy,
		.maxattr = ARRAY_SIZE(vcpu_policy) - 1,
	},
	{
		.cmd = SHVM_CMD_STATS_GET,
		.doit = shvm_nl_stats_get,
		.policy = stats_policy,
		.maxattr = ARRAY_SIZE(stats_policy) - 1,
	},
	{
		.cmd = SHVM_CMD_VM_SET,
		.doit = shvm_nl_vm_set,
		.policy = vm_set_policy,
		.maxattr = ARRAY_SIZE(vm_set_policy) - 1,
	},
	{
		.cmd = SHVM_CMD_VM_RECLAIM,
		.doit = shvm_nl_vm_reclaim,
		.policy = vm_reclaim_policy,
		.maxattr = ARRAY_SIZE(vm_reclaim_policy) - 1,
	},
	{
		.cmd = SHVM_CMD_PEAKS_RESET,
		.doit = shvm_nl_peaks_reset,
		.policy = vm_policy,
		.maxattr = ARRAY_SIZE(vm_policy) - 1,
	},
	{
		.cmd = SHVM_CMD_EVENT_GET,
		.doit = shvm_nl_event_get,
	},
};

static const struct genl_multicast_group nl_groups[] = {
	{ .name = SHVM_MCGRP_EVENTS },
};

struct genl_family shvm_nl_family __ro_after_init = {
	.name = SHVM_FAMILY_NAME,
	.version = SHVM_FAMILY_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.ops = nl_ops,
	.n_ops = ARRAY_SIZE(nl_ops),
	.mcgrps = nl_groups,
	.n_mcgrps = ARRAY_SIZE(nl_groups),
	.module = THIS_MODULE,
};

int shvm_netlink_module_init(void)
{
	return genl_register_family(&shvm_nl_family);
}

void shvm_netlink_open(void)
{
	smp_store_release(&nl_is_open, true);	/* pairs with nl_dump_start() */
}

void shvm_netlink_module_exit(void)
{
	genl_unregister_family(&shvm_nl_family);
}

/* ---- who asks ---- */

bool shvm_nl_is_owner(const struct sk_buff *request, const struct shvm *vm)
{
	const struct file *opener = NETLINK_CB(request).sk->sk_socket->file;
	const struct shvm_owner *owner = &vm->owner;

	/*
	 * netlink_ns_capable() would leave the opener out where the request names its receiver. But
	 * parts of a dump are made by who reads the one before, and lie in the socket for anybody.
	 */
	if (!uid_eq(owner->uid, opener->f_cred->euid) &&
	    !file_ns_capable(opener, owner->user_ns, CAP_SYS_ADMIN))
		return false;
	return uid_eq(owner->uid, current_euid()) || ns_capable(owner->user_ns, CAP_SYS_ADMIN);
}

int shvm_nl_check_owner(const struct sk_buff *request, const struct shvm *vm,
			const struct nlattr *id, struct netlink_ext_ack *extack)
{
	if (shvm_nl_is_owner(request, vm))
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, id, "the VM with this id belongs to another user");
	return -EPERM;
}

/* ---- about what ---- */

int shvm_nl_require(struct genl_info *info, u32 type, const char *message)
{
	if (!GENL_REQ_ATTR_CHECK(info, type))
		return 0;
	if (info->extack)
		info->extack->_msg = message;
	return -EINVAL;
}

struct shvm *shvm_nl_find(const struct net *net, const struct nlattr *id,
			  struct netlink_ext_ack *extack)
{
	struct shvm *vm = shvm_vms_find(net, nla_get_u64(id));

	if (vm)
		return vm;
	NL_SET_ERR_MSG_ATTR(extack, id, "no VM in this network namespace has this id");
	return ERR_PTR(-ENOENT);
}

/* Whoever may not change it must not keep it either, so the owner is checked first. */
static struct shvm *nl_get_owned(const struct sk_buff *request, const struct net *net,
				 const struct nlattr *id, struct netlink_ext_ack *extack)
{
	struct shvm *vm = shvm_nl_find(net, id, extack);
	int err;

	if (IS_ERR(vm))
		return vm;
	err = shvm_nl_check_owner(request, vm, id, extack);
	if (err)
		return ERR_PTR(err);
	if (READ_ONCE(vm->broken)) {
		NL_SET_ERR_MSG_ATTR(extack, id, "the VM with this id is broken");
		return ERR_PTR(-EIO);
	}
	if (refcount_inc_not_zero(&vm->users))
		return vm;
	NL_SET_ERR_MSG_ATTR(extack, id, "the VM with this id goes away");
	return ERR_PTR(-ENOENT);
}

struct shvm *shvm_nl_get_owned(const struct sk_buff *request, struct genl_info *info)
{
	struct shvm *vm;
	int idx, err;

	err = shvm_nl_require(info, SHVM_A_VM_ID, "attribute id is missing");
	if (err)
		return ERR_PTR(err);
	idx = shvm_vms_lock();
	vm = nl_get_owned(request, genl_info_net(info), info->attrs[SHVM_A_VM_ID], info->extack);
	shvm_vms_unlock(idx);
	return vm;
}

struct shvm_vcpu *shvm_nl_vcpu(const struct shvm *vm, const struct nlattr *id,
			       struct netlink_ext_ack *extack)
{
	int i, nr = shvm_vm_nr_vcpus(vm);

	for (i = 0; i < nr; i++)
		if (vm->vcpus[i]->id == nla_get_u32(id))
			return vm->vcpus[i];
	NL_SET_ERR_MSG_ATTR(extack, id, "the VM has no vCPU with this id");
	return ERR_PTR(-ENOENT);
}
