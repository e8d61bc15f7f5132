// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of all VMs. Owns ids and generations: both are counted for each network namespace, since
 * gaps in them would tell of the others. Ids have 64 bits and are used once; so the list is in
 * their order. Who looks at a VM of it holds vms_srcu.
 */
#include <linux/cred.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/srcu.h>
#include <linux/user_namespace.h>
#include <net/netns/generic.h>

#include "vm.h"
#include "vms.h"

DEFINE_STATIC_SRCU(vms_srcu);
static DEFINE_SPINLOCK(vms_lock);	/* to change the list and what is counted with it */
LIST_HEAD(shvm_vms);
static unsigned int net_id;

struct shvm_net *shvm_net(const struct net *net)
{
	return net_generic(net, net_id);
}

/* vms_lock, after the change: who saw a later change reads this generation. */
static void net_changed(struct shvm_net *sn)
{
	u32 next = sn->generation + 1;

	smp_wmb();	/* pairs with shvm_vms_generation() */
	WRITE_ONCE(sn->generation, next ?: 1);
}

u32 shvm_vms_generation(const struct net *net)
{
	u32 generation = READ_ONCE(shvm_net(net)->generation);

	smp_rmb();	/* before the list is looked at; pairs with net_changed() */
	return generation;
}

void shvm_vms_add(struct shvm *vm)
{
	struct shvm_owner *owner = &vm->owner;
	struct shvm_net *sn;

	owner->net = get_net(current->nsproxy->net_ns);
	owner->user_ns = get_user_ns(current_user_ns());
	owner->pid = get_pid(task_tgid(current));
	owner->uid = current_euid();
	sn = shvm_net(owner->net);
	spin_lock(&vms_lock);
	owner->id = ++sn->last_id;
	list_add_tail_rcu(&owner->link, &shvm_vms);
	net_changed(sn);
	spin_unlock(&vms_lock);
}

void shvm_vms_del(struct shvm *vm)
{
	spin_lock(&vms_lock);
	list_del_rcu(&vm->owner.link);
	net_changed(shvm_net(vm->owner.net));
	spin_unlock(&vms_lock);
}

void shvm_vms_release(struct shvm *vm)
{
	put_pid(vm->owner.pid);
	put_user_ns(vm->owner.user_ns);
	put_net(vm->owner.net);
}

void shvm_vms_changed(struct shvm *vm)
{
	spin_lock(&vms_lock);
	net_changed(shvm_net(vm->owner.net));
	spin_unlock(&vms_lock);
}

int shvm_vms_lock(void)
{
	int idx = srcu_read_lock(&vms_srcu);

	/* For sparse: shvm_vms_unlock() does. */
	__release(&vms_srcu);
	return idx;
}

void shvm_vms_unlock(int idx)
{
	/* For sparse, as above. */
	__acquire(&vms_srcu);
	srcu_read_unlock(&vms_srcu, idx);
}

bool shvm_vms_is_locked(void)
{
	return srcu_read_lock_held(&vms_srcu);
}

void shvm_vms_wait(void)
{
	synchronize_srcu(&vms_srcu);
}

struct shvm *shvm_vms_find(const struct net *net, u64 id)
{
	struct shvm *vm;

	shvm_for_each_vm(vm)
		if (vm->owner.id == id && net_eq(vm->owner.net, net))
			return vm;
	return NULL;
}

static int __net_init net_begin(struct net *net)
{
	struct shvm_net *sn = shvm_net(net);

	mutex_init(&sn->events_lock);
	sn->generation = 1;
	return 0;
}

static struct pernet_operations net_ops = {
	.init = net_begin,
	.id = &net_id,
	.size = sizeof(struct shvm_net),
};

int shvm_vms_module_init(void)
{
	return register_pernet_subsys(&net_ops);
}

void shvm_vms_module_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
