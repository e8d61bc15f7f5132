// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that change a VM: VM_SET, VM_RECLAIM and PEAKS_RESET. They hold one of its users, so it
 * may be here that the last one goes.
 */
#include "netlink_internal.h"

/*
 * Does not wait: whoever changes slots may allocate for as long as his cgroup likes, and all of
 * generic netlink would wait with us, once somebody registers a family.
 */
static int budget_set(struct shvm *vm, u32 pages, struct netlink_ext_ack *extack)
{
	int err;

	if (!mutex_trylock(&vm->slots_lock)) {
		NL_SET_ERR_MSG(extack, "the VM's slots or its budget are being changed: try again");
		return -EBUSY;
	}
	err = shvm_mmu_set_budget(&vm->mmu, pages);
	mutex_unlock(&vm->slots_lock);
	return err;
}

static int budget_of(struct genl_info *info, u32 *pages)
{
	const struct nlattr *attr;
	int err;

	err = shvm_nl_require(info, SHVM_A_VM_SHADOW_BUDGET, "attribute shadow-budget is missing");
	if (err)
		return err;
	attr = info->attrs[SHVM_A_VM_SHADOW_BUDGET];
	*pages = nla_get_u32(attr);
	if (!*pages || *pages >= SHVM_MIN_MMU_PAGES)
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, attr,
			    "shadow-budget is neither 0, the default, nor at least 64 pages");
	return -EINVAL;
}

int shvm_nl_vm_set(struct sk_buff *request, struct genl_info *info)
{
	struct shvm *vm;
	u32 pages;
	int err;

	err = budget_of(info, &pages);
	if (err)
		return err;
	vm = shvm_nl_get_owned(request, info);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	err = budget_set(vm, pages, info->extack);
	shvm_vm_put(vm);
	return err;
}

static int reclaim_reply(struct sk_buff *skb, struct genl_info *info, u64 id, u32 gone)
{
	void *hdr = genlmsg_put_reply(skb, info, &shvm_nl_family, 0, SHVM_CMD_VM_RECLAIM);

	if (!hdr || nla_put_u64_64bit(skb, SHVM_A_VM_ID, id, SHVM_A_VM_PAD) ||
	    nla_put_u32(skb, SHVM_A_VM_RECLAIM, gone)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

int shvm_nl_vm_reclaim(struct sk_buff *request, struct genl_info *info)
{
	struct sk_buff *skb;
	struct shvm *vm;
	u64 id, now, most;
	u32 gone;
	int err;

	err = shvm_nl_require(info, SHVM_A_VM_RECLAIM, "attribute reclaim is missing");
	if (err)
		return err;
	/* Before anything is taken, as a request that fails changes nothing. */
	skb = genlmsg_new(nla_total_size_64bit(sizeof(u64)) + nla_total_size(sizeof(u32)),
			  GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	vm = shvm_nl_get_owned(request, info);
	if (IS_ERR(vm)) {
		nlmsg_free(skb);
		return PTR_ERR(vm);
	}
	/* Not more than there are now: vCPUs that make them anew must not keep us here for ever. */
	shvm_mmu_count_pages(&vm->mmu, &now, &most);
	gone = shvm_mmu_give(&vm->mmu, min_t(u64, now, nla_get_u32(info->attrs[SHVM_A_VM_RECLAIM])),
			     true);
	id = vm->owner.id;
	shvm_vm_put(vm);
	return reclaim_reply(skb, info, id, gone);
}

int shvm_nl_peaks_reset(struct sk_buff *request, struct genl_info *info)
{
	struct shvm *vm = shvm_nl_get_owned(request, info);

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	shvm_mmu_reset_peaks(&vm->mmu);
	shvm_vm_put(vm);
	return 0;
}
