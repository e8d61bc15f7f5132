// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a VM: from SHVM_CREATE_VM to the last of its file descriptors. Each fd (the VM's and one
 * per vCPU) holds one of vm->users; a vCPU lives as long as its VM. Nothing here runs guests.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "debug.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "recycle.h"
#include "vcpu.h"
#include "vm.h"
#include "vms.h"
#include "vmx/vmx.h"

static long vm_fd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct shvm *vm = file->private_data;

	/* The ages need nothing of the VMM's memory, so who looks after VMs may ask, too. */
	if (cmd == SHVM_GET_WORKING_SET ? shvm_vm_is_broken(vm) : shvm_vm_is_foreign(vm))
		return -EIO;
	return shvm_vm_ioctl(vm, cmd, arg);
}

static int vm_fd_release(struct inode *inode, struct file *file)
{
	shvm_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_fd_ioctl,
	.release = vm_fd_release,
	.show_fdinfo = shvm_vm_show_fdinfo,
	.llseek = noop_llseek,
};

static struct shvm *vm_create(void)
{
	struct shvm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	vm->mm = current->mm;
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	shvm_pause_init(vm);
	shvm_debug_init(vm);
	shvm_nl_vm_init(vm);
	vm->identity_map_addr = gpa(SHVM_IDENTITY_MAP_DEFAULT);

	err = shvm_mmu_init(&vm->mmu);
	if (err)
		goto err_free;
	err = shvm_notifier_register(vm);
	if (err)
		goto err_mmu;
	err = shvm_recycle_add(vm);
	if (err)
		goto err_notifier;
	mmgrab(vm->mm);
	shvm_vms_add(vm);
	shvm_nl_vm_created(vm);
	return vm;
err_notifier:
	shvm_notifier_unregister(vm);
err_mmu:
	shvm_mmu_destroy(&vm->mmu);
err_free:
	kfree(vm);
	return ERR_PTR(err);
}

/*
 * No fd is left, so no ioctl runs and none will come. What can still call in is silenced first
 * (host MM, recycler, timer of the interrupt chip), then the objects go, users before what they
 * use.
 */
static void vm_destroy(struct shvm *vm)
{
	int i;

	shvm_notifier_unregister(vm);
	shvm_mmu_zap_all(&vm->mmu);
	shvm_vms_del(vm);
	shvm_recycle_del(vm);
	shvm_irqchip_destroy(vm->irqchip);
	for (i = 0; i < vm->nr_vcpus; i++) {
		shvm_nl_vcpu_destroyed(vm->vcpus[i]);
		shvm_vcpu_destroy(vm->vcpus[i]);
	}
	vm->nr_vcpus = 0;	/* what the MMU does last must not look for them */
	shvm_mmu_destroy(&vm->mmu);
	mmdrop(vm->mm);
	shvm_nl_vm_end(vm);
	shvm_vms_release(vm);
	kfree(vm);
}

void shvm_vm_break(struct shvm *vm, const char *why)
{
	if (!cmpxchg(&vm->broken, NULL, why))
		shvm_nl_poke(vm);
}

void shvm_vm_put(struct shvm *vm)
{
	if (!refcount_dec_and_test(&vm->users))
		return;
	vm_destroy(vm);
	preempt_notifier_dec();
	shvm_vmx_put();
}

int shvm_vm_create_fd(unsigned long type)
{
	struct shvm *vm;
	int fd;

	if (type)
		return -EINVAL;
	fd = shvm_vmx_get();
	if (fd)
		return fd;
	preempt_notifier_inc();
	vm = vm_create();
	if (IS_ERR(vm)) {
		preempt_notifier_dec();
		shvm_vmx_put();
		return PTR_ERR(vm);
	}
	/* Last: another thread may use the fd at once. */
	fd = anon_inode_getfd("shvm-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		shvm_vm_put(vm);
	return fd;
}
