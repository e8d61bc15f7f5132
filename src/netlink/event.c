// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events. Each has a number of its network namespace and goes out before the next one does: both
 * under events_lock. A number that cannot be sent, for want of memory or of room in a socket, is
 * used up, so the listener sees the gap.
 */
#include <linux/jiffies.h>

#include "netlink_internal.h"

#define LOW_PAUSE	HZ	/* between two events of shadow memory, so that it cannot flap */

/* What an event says beside its number and the VM. */
struct event {
	u8 cmd;
	const struct shvm_vcpu *vcpu;	/* NULL: none */
	const char *broken;		/* the same */
	bool has_error;
	u64 error;
};

#define BROKEN_MOST	128	/* of the condition's text */
#define EVENT_SIZE	(3 * nla_total_size_64bit(sizeof(u64)) + nla_total_size(sizeof(u32)) + \
			 nla_total_size(BROKEN_MOST))

static int event_fill(struct sk_buff *skb, const struct shvm *vm, const struct event *e, u64 seq)
{
	void *hdr = genlmsg_put(skb, 0, 0, &shvm_nl_family, 0, e->cmd);

	if (!hdr ||
	    nla_put_u64_64bit(skb, SHVM_A_EVENT_SEQ, seq, SHVM_A_EVENT_PAD) ||
	    nla_put_u64_64bit(skb, SHVM_A_EVENT_VM_ID, vm->owner.id, SHVM_A_EVENT_PAD))
		return -EMSGSIZE;
	if (e->vcpu && nla_put_u32(skb, SHVM_A_EVENT_VCPU_ID, e->vcpu->id))
		return -EMSGSIZE;
	if (e->has_error && nla_put_u64_64bit(skb, SHVM_A_EVENT_ENTRY_ERROR, e->error,
					      SHVM_A_EVENT_PAD))
		return -EMSGSIZE;
	if (e->broken && nla_put_string(skb, SHVM_A_EVENT_BROKEN, e->broken))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

static void event_multicast(const struct shvm *vm, const struct event *e, u64 seq)
{
	struct net *net = vm->owner.net;
	struct sk_buff *skb;

	if (!genl_has_listeners(&shvm_nl_family, net, 0))
		return;
	skb = genlmsg_new(EVENT_SIZE, GFP_KERNEL);
	if (!skb)
		return;
	if (event_fill(skb, vm, e, seq))
		nlmsg_free(skb);
	else
		genlmsg_multicast_netns(&shvm_nl_family, net, skb, 0, 0, GFP_KERNEL);
}

static void event_send(const struct shvm *vm, const struct event *e)
{
	struct shvm_net *sn = shvm_net(vm->owner.net);

	mutex_lock(&sn->events_lock);
	WRITE_ONCE(sn->events, sn->events + 1);
	/* Pairs with the locks of who joins, then asks for the number: sees it, or gets it. */
	smp_mb();
	event_multicast(vm, e, sn->events);
	mutex_unlock(&sn->events_lock);
}

void shvm_nl_vm_created(struct shvm *vm)
{
	event_send(vm, &(struct event){ .cmd = SHVM_CMD_VM_CREATED_NTF });
}

void shvm_nl_vcpu_created(const struct shvm_vcpu *vcpu)
{
	event_send(vcpu->vm, &(struct event){ .cmd = SHVM_CMD_VCPU_CREATED_NTF, .vcpu = vcpu });
}

void shvm_nl_vcpu_destroyed(const struct shvm_vcpu *vcpu)
{
	event_send(vcpu->vm, &(struct event){ .cmd = SHVM_CMD_VCPU_DESTROYED_NTF, .vcpu = vcpu });
}

void shvm_nl_entry_failed(const struct shvm_vcpu *vcpu, u64 error)
{
	const struct event e = {
		.cmd = SHVM_CMD_ENTRY_FAILED_NTF,
		.vcpu = vcpu,
		.has_error = true,
		.error = error,
	};

	event_send(vcpu->vm, &e);
}

/* ---- what is told by the worker ---- */

static void broken_tell(struct shvm *vm)
{
	struct event e = { .cmd = SHVM_CMD_VM_BROKEN_NTF, .broken = READ_ONCE(vm->broken) };

	if (!e.broken || vm->nl.broken_told)
		return;
	vm->nl.broken_told = true;
	event_send(vm, &e);
}

/* Returns for how long it has to wait. What changes back meanwhile is not told. */
static unsigned long low_tell(struct shvm *vm)
{
	struct shvm_nl_vm *nl = &vm->nl;
	bool low = READ_ONCE(vm->mmu.low);
	struct event e = { .cmd = low ? SHVM_CMD_SHADOW_LOW_NTF : SHVM_CMD_SHADOW_RECOVERED_NTF };
	unsigned long now = jiffies;

	if (low == nl->low_told)
		return 0;
	if (time_before(now, nl->low_next))
		return nl->low_next - now;
	WRITE_ONCE(nl->low_told, low);
	nl->low_next = now + LOW_PAUSE;
	event_send(vm, &e);
	return 0;
}

static void events_work(struct work_struct *work)
{
	struct shvm *vm = container_of(to_delayed_work(work), struct shvm, nl.work);
	unsigned long wait;

	broken_tell(vm);
	wait = low_tell(vm);
	/* Unless somebody wants it earlier. */
	if (wait)
		schedule_delayed_work(&vm->nl.work, wait);
}

void shvm_nl_poke(struct shvm *vm)
{
	mod_delayed_work(system_wq, &vm->nl.work, 0);
}

void shvm_nl_vm_init(struct shvm *vm)
{
	INIT_DELAYED_WORK(&vm->nl.work, events_work);
	vm->nl.low_next = jiffies;
}

void shvm_nl_vm_end(struct shvm *vm)
{
	cancel_delayed_work_sync(&vm->nl.work);
	broken_tell(vm);
	event_send(vm, &(struct event){ .cmd = SHVM_CMD_VM_DESTROYED_NTF });
}

int shvm_nl_event_get(struct sk_buff *request, struct genl_info *info)
{
	u64 seq = READ_ONCE(shvm_net(genl_info_net(info))->events);
	struct sk_buff *skb = genlmsg_new(nla_total_size_64bit(sizeof(u64)), GFP_KERNEL);
	void *hdr;

	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put_reply(skb, info, &shvm_nl_family, 0, SHVM_CMD_EVENT_GET);
	if (!hdr || nla_put_u64_64bit(skb, SHVM_A_EVENT_SEQ, seq, SHVM_A_EVENT_PAD)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}
