// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: its life, /dev/shvm, and the ioctls that need no VM. Takes no locks. Everything that
 * belongs to one VM is in vm.c and vm_ioctl.c.
 */
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mmu/mmu.h"
#include "recycle.h"
#include "vm.h"
#include "vms.h"
#include "vmx/vmx.h"
#include "x86/x86.h"

#ifndef CONFIG_PREEMPT_NOTIFIERS
#error "shvm needs preempt and user-return notifiers: a kernel built with CONFIG_KVM=m or y"
#endif
#ifndef CONFIG_MMU_NOTIFIER
#error "shvm needs a kernel built with CONFIG_MMU_NOTIFIER"
#endif
#ifndef CONFIG_NET
#error "shvm needs a kernel built with CONFIG_NET"
#endif

/* Capabilities that are more than yes or no; those not named here are absent. */
int shvm_check_extension(unsigned long cap)
{
	switch (cap) {
	case SHVM_CAP_HLT:
	case SHVM_CAP_MMU_SHADOW_CACHE_CONTROL:
	case SHVM_CAP_USER_MEMORY:
	case SHVM_CAP_SET_TSS_ADDR:
	case SHVM_CAP_EXT_CPUID:
	case SHVM_CAP_MP_STATE:
	case SHVM_CAP_SYNC_MMU:
	case SHVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case SHVM_CAP_USER_NMI:
	case SHVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case SHVM_CAP_SET_IDENTITY_MAP_ADDR:
	case SHVM_CAP_INTERNAL_ERROR_DATA:
	case SHVM_CAP_VCPU_EVENTS:
	case SHVM_CAP_INTR_SHADOW:
	case SHVM_CAP_DEBUGREGS:
	case SHVM_CAP_GET_TSC_KHZ:
	case SHVM_CAP_READONLY_MEM:
	case SHVM_CAP_CHECK_EXTENSION_VM:
	case SHVM_CAP_IMMEDIATE_EXIT:
	case SHVM_CAP_PIC_PIT:
	case SHVM_CAP_STATS:
	case SHVM_CAP_WORKING_SET:
		return 1;
	case SHVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), SHVM_MAX_VCPUS);
	case SHVM_CAP_MAX_VCPUS:
	case SHVM_CAP_MAX_VCPU_ID:
		return SHVM_MAX_VCPUS;
	case SHVM_CAP_NR_MEMSLOTS:
		return SHVM_MAX_SLOTS;
	case SHVM_CAP_DEBUG:
		return SHVM_IS_DEBUG;
	default:
		return 0;
	}
}

static long msr_index_list(struct shvm_msr_list __user *user)
{
	u32 room, nr = shvm_msr_list_len;

	if (get_user(room, &user->nmsrs) || put_user(nr, &user->nmsrs))
		return -EFAULT;
	if (room < nr)
		return -E2BIG;
	if (copy_to_user(user->indices, shvm_msr_list, array_size(nr, sizeof(shvm_msr_list[0]))))
		return -EFAULT;
	return 0;
}

static long supported_cpuid(struct shvm_cpuid2 __user *user)
{
	struct shvm_cpuid_entry2 *entries;
	struct shvm_cpuid2 head;
	long ret;
	int nr;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.padding)
		return -EINVAL;
	entries = kcalloc(SHVM_MAX_CPUID_ENTRIES, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	nr = shvm_cpuid_supported(entries, SHVM_MAX_CPUID_ENTRIES);
	if (nr < 0)
		ret = nr;
	else if (put_user((u32)nr, &user->nent))
		ret = -EFAULT;
	else if (head.nent < nr)
		ret = -E2BIG;
	else
		ret = copy_to_user(user->entries, entries, array_size(nr, sizeof(*entries))) ?
		      -EFAULT : 0;
	kfree(entries);
	return ret;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case SHVM_GET_API_VERSION:
		return arg ? -EINVAL : SHVM_API_VERSION;
	case SHVM_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : SHVM_VCPU_MMAP_PAGES * PAGE_SIZE;
	case SHVM_CREATE_VM:
		return shvm_vm_create_fd(arg);
	case SHVM_CHECK_EXTENSION:
		return shvm_check_extension(arg);
	case SHVM_GET_MSR_INDEX_LIST:
		return msr_index_list((void __user *)arg);
	case SHVM_GET_SUPPORTED_CPUID:
		return supported_cpuid((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice shvm_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shvm",
	.fops = &dev_fops,
	.mode = 0660,
};

static int __init shvm_init(void)
{
	int err;

	err = shvm_vms_module_init();
	if (err)
		return err;
	err = shvm_mmu_module_init();
	if (err)
		goto err_vms;
	err = shvm_recycle_module_init();
	if (err)
		goto err_mmu;
	err = shvm_vmx_module_init();
	if (err)
		goto err_recycle;
	err = shvm_netlink_module_init();
	if (err)
		goto err_vmx;
	err = misc_register(&shvm_dev);		/* last: from here on user space can call us */
	if (err)
		goto err_netlink;
	shvm_netlink_open();
	return 0;
err_netlink:
	shvm_netlink_module_exit();
err_vmx:
	shvm_vmx_module_exit();
err_recycle:
	shvm_recycle_module_exit();
err_mmu:
	shvm_mmu_module_exit();
err_vms:
	shvm_vms_module_exit();
	return err;
}

static void __exit shvm_exit(void)
{
	misc_deregister(&shvm_dev);
	shvm_netlink_module_exit();	/* waits for commands; the last of a VM may be in one */
	shvm_vmx_module_exit();
	shvm_recycle_module_exit();
	shvm_mmu_module_exit();
	shvm_vms_module_exit();
}

module_init(shvm_init);
module_exit(shvm_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Virtual machines on VT-x without EPT, by shadow page tables");
MODULE_VERSION("0.1");
