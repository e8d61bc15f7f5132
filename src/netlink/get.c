// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VMs and vCPUs there are, and what each of them is: commands VM_GET and VCPU_GET. A dump goes
 * on where its last message ended; the list of VMs is in the order of their ids.
 */
#include <linux/pid.h>
#include <asm/processor-flags.h>

#include "../compat/genl.h"
#include "netlink_internal.h"

/* Who made the VM, as the reader sees him; a number that may be somebody else's by now is not. */
static u32 owner_pid(const struct shvm_owner *owner)
{
	u32 nr = 0;

	rcu_read_lock();
	if (pid_task(owner->pid, PIDTYPE_TGID))
		nr = pid_vnr(owner->pid);
	rcu_read_unlock();
	return nr;
}

static int vm_fill_owner(struct sk_buff *skb, const struct shvm *vm)
{
	const struct shvm_owner *owner = &vm->owner;

	if (nla_put_u32(skb, SHVM_A_VM_PID, owner_pid(owner)) ||
	    nla_put_u32(skb, SHVM_A_VM_UID, from_kuid_munged(current_user_ns(), owner->uid)) ||
	    nla_put_u32(skb, SHVM_A_VM_VCPUS, shvm_vm_nr_vcpus(vm)))
		return -EMSGSIZE;
	return 0;
}

static int vm_fill_state(struct sk_buff *skb, const struct shvm *vm)
{
	const char *broken = READ_ONCE(vm->broken);

	if (READ_ONCE(vm->nl.low_told) && nla_put_flag(skb, SHVM_A_VM_SHADOW_LOW))
		return -EMSGSIZE;
	if (broken && nla_put_string(skb, SHVM_A_VM_BROKEN, broken))
		return -EMSGSIZE;
	return 0;
}

static int vm_fill_memory(struct sk_buff *skb, struct shvm *vm)
{
	u64 guest, rmap, now, most;

	shvm_mmu_count_memory(&vm->mmu, &guest, &rmap);
	shvm_mmu_count_pages(&vm->mmu, &now, &most);
	if (nla_put_u64_64bit(skb, SHVM_A_VM_MEMORY, guest, SHVM_A_VM_PAD) ||
	    nla_put_u32(skb, SHVM_A_VM_SHADOW_PAGES, now) ||
	    nla_put_u32(skb, SHVM_A_VM_SHADOW_PAGES_MAX, most) ||
	    nla_put_u32(skb, SHVM_A_VM_SHADOW_BUDGET, shvm_mmu_budget(&vm->mmu)))
		return -EMSGSIZE;
	return 0;
}

static int vm_fill(struct sk_buff *skb, struct shvm *vm, bool owner)
{
	if (nla_put_u64_64bit(skb, SHVM_A_VM_ID, vm->owner.id, SHVM_A_VM_PAD))
		return -EMSGSIZE;
	if (!owner)
		return 0;
	return vm_fill_owner(skb, vm) ?: vm_fill_memory(skb, vm) ?: vm_fill_state(skb, vm);
}

static u32 vcpu_state(const struct shvm_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->mode) == SHVM_IN_GUEST)
		return SHVM_VCPU_STATE_GUEST;
	if (READ_ONCE(vcpu->mp_state) == SHVM_MP_STATE_HALTED)
		return SHVM_VCPU_STATE_HALTED;
	return SHVM_VCPU_STATE_STOPPED;
}

/* Its thread may be about to change them. */
static u32 vcpu_mode(const struct shvm_vcpu *vcpu)
{
	u64 cr0 = READ_ONCE(vcpu->cr0);

	if (!(cr0 & X86_CR0_PE))
		return SHVM_GUEST_MODE_REAL;
	if (!(cr0 & X86_CR0_PG))
		return SHVM_GUEST_MODE_FLAT;
	if (READ_ONCE(vcpu->efer) & EFER_LMA)
		return SHVM_GUEST_MODE_PAGING_64;
	return READ_ONCE(vcpu->cr4) & X86_CR4_PAE ? SHVM_GUEST_MODE_PAGING_PAE :
						    SHVM_GUEST_MODE_PAGING_32;
}

static int vcpu_fill(struct sk_buff *skb, const struct shvm_vcpu *vcpu, bool owner)
{
	if (nla_put_u64_64bit(skb, SHVM_A_VCPU_VM_ID, vcpu->vm->owner.id, SHVM_A_VCPU_PAD) ||
	    nla_put_u32(skb, SHVM_A_VCPU_ID, vcpu->id))
		return -EMSGSIZE;
	if (!owner)
		return 0;
	if (nla_put_u32(skb, SHVM_A_VCPU_STATE, vcpu_state(vcpu)) ||
	    nla_put_u32(skb, SHVM_A_VCPU_MODE, vcpu_mode(vcpu)))
		return -EMSGSIZE;
	return 0;
}

/* ---- one ---- */

/* With the list of VMs locked; nothing is allocated. */
static int vm_reply(struct sk_buff *skb, struct sk_buff *request, struct genl_info *info)
{
	struct shvm *vm = shvm_nl_find(genl_info_net(info), info->attrs[SHVM_A_VM_ID],
				       info->extack);
	void *hdr;
	int err;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	hdr = genlmsg_put_reply(skb, info, &shvm_nl_family, 0, SHVM_CMD_VM_GET);
	err = hdr ? vm_fill(skb, vm, shvm_nl_is_owner(request, vm)) : -EMSGSIZE;
	if (!err)
		genlmsg_end(skb, hdr);
	return err;
}

static int vcpu_reply(struct sk_buff *skb, struct sk_buff *request, struct genl_info *info)
{
	struct shvm *vm = shvm_nl_find(genl_info_net(info), info->attrs[SHVM_A_VCPU_VM_ID],
				       info->extack);
	struct shvm_vcpu *vcpu;
	void *hdr;
	int err;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	vcpu = shvm_nl_vcpu(vm, info->attrs[SHVM_A_VCPU_ID], info->extack);
	if (IS_ERR(vcpu))
		return PTR_ERR(vcpu);
	hdr = genlmsg_put_reply(skb, info, &shvm_nl_family, 0, SHVM_CMD_VCPU_GET);
	err = hdr ? vcpu_fill(skb, vcpu, shvm_nl_is_owner(request, vm)) : -EMSGSIZE;
	if (!err)
		genlmsg_end(skb, hdr);
	return err;
}

static int reply(struct sk_buff *request, struct genl_info *info,
		 int (*fill)(struct sk_buff *, struct sk_buff *, struct genl_info *))
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	int idx, err;

	if (!skb)
		return -ENOMEM;
	idx = shvm_vms_lock();
	err = fill(skb, request, info);
	shvm_vms_unlock(idx);
	if (!err)
		return genlmsg_reply(skb, info);
	nlmsg_free(skb);
	return err;
}

int shvm_nl_vm_get(struct sk_buff *request, struct genl_info *info)
{
	int err = shvm_nl_require(info, SHVM_A_VM_ID, "attribute id is missing");

	return err ?: reply(request, info, vm_reply);
}

int shvm_nl_vcpu_get(struct sk_buff *request, struct genl_info *info)
{
	int err = shvm_nl_require(info, SHVM_A_VCPU_VM_ID, "attribute vm-id is missing") ?:
		  shvm_nl_require(info, SHVM_A_VCPU_ID, "attribute id is missing");

	return err ?: reply(request, info, vcpu_reply);
}

/* ---- all ---- */

/* Where a dump goes on. */
struct dump_at {
	u64 only;		/* VM whose vCPUs are wanted; 0: all */
	u64 vm;			/* the last VM that is done */
	u32 vcpus;		/* vCPUs of the next VM, vcpus_of, that are done */
	u64 vcpus_of;
	bool is_checked;	/* what the request says */
};

static struct dump_at *dump_at(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump_at) > sizeof(cb->ctx));
	return (struct dump_at *)cb->ctx;
}

static void *dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				&shvm_nl_family, NLM_F_MULTI, cmd);

	if (hdr)
		genl_dump_check_consistent(cb, hdr);
	return hdr;
}

static int dump_end(struct sk_buff *skb, void *hdr, int err)
{
	if (err)
		genlmsg_cancel(skb, hdr);
	else
		genlmsg_end(skb, hdr);
	return err;
}

static int vm_dump_one(struct sk_buff *skb, struct netlink_callback *cb, struct shvm *vm)
{
	void *hdr = dump_put(skb, cb, SHVM_CMD_VM_GET);

	if (!hdr)
		return -EMSGSIZE;
	return dump_end(skb, hdr, vm_fill(skb, vm, shvm_nl_is_owner(cb->skb, vm)));
}

static int vcpu_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			 const struct shvm_vcpu *vcpu, bool owner)
{
	void *hdr = dump_put(skb, cb, SHVM_CMD_VCPU_GET);

	return hdr ? dump_end(skb, hdr, vcpu_fill(skb, vcpu, owner)) : -EMSGSIZE;
}

static int vcpus_dump(struct sk_buff *skb, struct netlink_callback *cb, struct shvm *vm)
{
	bool owner = shvm_nl_is_owner(cb->skb, vm);
	struct dump_at *at = dump_at(cb);
	int err = 0, nr = shvm_vm_nr_vcpus(vm);

	if (at->only && at->only != vm->owner.id)
		return 0;
	if (at->vcpus_of != vm->owner.id)
		at->vcpus = 0;
	at->vcpus_of = vm->owner.id;
	while (at->vcpus < nr && !err) {
		err = vcpu_dump_one(skb, cb, vm->vcpus[at->vcpus], owner);
		at->vcpus += !err;
	}
	return err;
}

/*
 * As many VMs as fit, with the list locked. The generation is read before anything is: at the end
 * of the dump, or in its next part, another one says that what was told is of several moments.
 */
static int dump_vms(struct sk_buff *skb, struct netlink_callback *cb,
		    int (*one)(struct sk_buff *, struct netlink_callback *, struct shvm *))
{
	const struct net *net = sock_net(skb->sk);
	struct dump_at *at = dump_at(cb);
	struct shvm *vm;
	int err;

	cb->seq = shvm_vms_generation(net);
	shvm_for_each_vm(vm) {
		if (!net_eq(vm->owner.net, net) || vm->owner.id <= at->vm)
			continue;
		err = one(skb, cb, vm);
		if (err)
			return skb->len ?: err;
		at->vm = vm->owner.id;
	}
	return skb->len;
}

/*
 * What a dump accepts is asked at its first part, as only that and later ones have a message for
 * errors: it comes with the end of the dump.
 */
static int dump(struct sk_buff *skb, struct netlink_callback *cb,
		int (*check)(struct netlink_callback *, const struct net *),
		int (*one)(struct sk_buff *, struct netlink_callback *, struct shvm *))
{
	struct dump_at *at = dump_at(cb);
	int ret = 0, idx = shvm_vms_lock();

	if (!at->is_checked)
		ret = check(cb, sock_net(skb->sk));
	at->is_checked = true;
	if (!ret)
		ret = dump_vms(skb, cb, one);
	shvm_vms_unlock(idx);
	return ret;
}

static int vm_dump_check(struct netlink_callback *cb, const struct net *net)
{
	struct nlattr **attrs = shvm_genl_dump_attrs(cb);

	if (!attrs[SHVM_A_VM_ID])
		return 0;
	NL_SET_ERR_MSG_ATTR(cb->extack, attrs[SHVM_A_VM_ID],
			    "a dump of VMs is of all, and takes no id");
	return -EINVAL;
}

int shvm_nl_vm_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, vm_dump_check, vm_dump_one);
}

static int vcpu_dump_check(struct netlink_callback *cb, const struct net *net)
{
	struct nlattr **attrs = shvm_genl_dump_attrs(cb);

	if (attrs[SHVM_A_VCPU_ID]) {
		NL_SET_ERR_MSG_ATTR(cb->extack, attrs[SHVM_A_VCPU_ID],
				    "a dump of vCPUs takes a vm-id, but no id");
		return -EINVAL;
	}
	if (!attrs[SHVM_A_VCPU_VM_ID])
		return 0;
	dump_at(cb)->only = nla_get_u64(attrs[SHVM_A_VCPU_VM_ID]);
	return PTR_ERR_OR_ZERO(shvm_nl_find(net, attrs[SHVM_A_VCPU_VM_ID], cb->extack));
}

int shvm_nl_vcpu_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, vcpu_dump_check, vcpus_dump);
}
