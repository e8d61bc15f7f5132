// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a VM fd. Each copies its argument, checks all of it, then commits. Takes vm->lock
 * for configuration; memory slots have their own lock (memslot.c).
 */
#include <linux/compiler.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "debug.h"
#include "irqchip/irqchip.h"
#include "memslot.h"
#include "mmu/mmu.h"
#include "vcpu.h"
#include "vm.h"
#include "working_set.h"

#define TSS_PAGES	3ULL

/* Pairs with the release in irqchip_create(). */
static struct shvm_irqchip *vm_irqchip(struct shvm *vm)
{
	return smp_load_acquire(&vm->irqchip);	/* see above */
}

static long vm_create_vcpu(struct shvm *vm, unsigned long id)
{
	long ret;

	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	ret = shvm_vcpu_create_fd(vm, id);
	mutex_unlock(&vm->lock);
	return ret;
}

static long vm_set_memory(struct shvm *vm, void __user *arg)
{
	struct shvm_userspace_memory_region region;

	if (copy_from_user(&region, arg, sizeof(region)))
		return -EFAULT;
	return shvm_memslot_set(vm, &region);
}

static long vm_set_tss_addr(struct shvm *vm, unsigned long addr)
{
	if (!IS_ALIGNED(addr, SHVM_PAGE_SIZE) || addr > SZ_4G - TSS_PAGES * SHVM_PAGE_SIZE)
		return -EINVAL;
	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	vm->tss_addr = gpa(addr);
	mutex_unlock(&vm->lock);
	return 0;
}

static long vm_set_identity_map_addr(struct shvm *vm, void __user *arg)
{
	long ret = 0;
	u64 addr;

	if (copy_from_user(&addr, arg, sizeof(addr)))
		return -EFAULT;
	if (!IS_ALIGNED(addr, SHVM_PAGE_SIZE))
		return -EINVAL;
	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	if (vm->nr_vcpus)
		ret = -EINVAL;
	else
		vm->identity_map_addr = gpa(addr ?: SHVM_IDENTITY_MAP_DEFAULT);
	mutex_unlock(&vm->lock);
	return ret;
}

static long vm_set_mmu_pages(struct shvm *vm, unsigned long pages)
{
	long ret;

	if (pages > U32_MAX)
		return -EINVAL;
	if (mutex_lock_killable(&vm->slots_lock))
		return -EINTR;
	ret = shvm_mmu_set_budget(&vm->mmu, pages);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

/* INTR of the 8259 pair has risen; any context. It is wired to the vCPU with id 0. */
static void irqchip_kick(void *opaque)
{
	struct shvm *vm = opaque;
	int i, nr = shvm_vm_nr_vcpus(vm);

	for (i = 0; i < nr; i++) {
		if (vm->vcpus[i]->id)
			continue;
		shvm_vcpu_request(vm->vcpus[i], SHVM_REQ_EVENT);
		shvm_vcpu_wake(vm->vcpus[i]);
	}
}

static long irqchip_create(struct shvm *vm)
{
	struct shvm_irqchip *chip;

	if (vm->irqchip)
		return -EEXIST;
	if (vm->nr_vcpus)
		return -EINVAL;
	chip = shvm_irqchip_create(irqchip_kick, vm);
	if (!chip)
		return -ENOMEM;
	smp_store_release(&vm->irqchip, chip);	/* complete before SHVM_IRQ_LINE finds it */
	return 0;
}

static long vm_create_pic_pit(struct shvm *vm)
{
	long ret;

	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	ret = irqchip_create(vm);
	mutex_unlock(&vm->lock);
	return ret;
}

static long vm_irq_line(struct shvm *vm, void __user *arg)
{
	struct shvm_irqchip *chip = vm_irqchip(vm);
	struct shvm_irq_level line;

	if (copy_from_user(&line, arg, sizeof(line)))
		return -EFAULT;
	if (!chip)
		return -ENXIO;
	if (line.irq >= SHVM_IRQCHIP_LINES)
		return -EINVAL;
	shvm_irqchip_set_irq(chip, line.irq, line.level);
	return 0;
}

static long vm_get_stats(struct shvm *vm, void __user *arg)
{
	struct shvm_stats *stats = kzalloc(sizeof(*stats), GFP_KERNEL_ACCOUNT);
	long ret = 0;

	if (!stats)
		return -ENOMEM;
	shvm_stats_sum(vm, stats);
	if (copy_to_user(arg, stats, sizeof(*stats)))
		ret = -EFAULT;
	kfree(stats);
	return ret;
}

long shvm_vm_ioctl(struct shvm *vm, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case SHVM_CHECK_EXTENSION:
		return shvm_check_extension(arg);
	case SHVM_CREATE_VCPU:
		return vm_create_vcpu(vm, arg);
	case SHVM_SET_USER_MEMORY_REGION:
		return vm_set_memory(vm, argp);
	case SHVM_SET_TSS_ADDR:
		return vm_set_tss_addr(vm, arg);
	case SHVM_SET_IDENTITY_MAP_ADDR:
		return vm_set_identity_map_addr(vm, argp);
	case SHVM_SET_NR_MMU_PAGES:
		return vm_set_mmu_pages(vm, arg);
	case SHVM_GET_NR_MMU_PAGES:
		return min_t(u64, shvm_mmu_budget(&vm->mmu), INT_MAX);
	case SHVM_CREATE_PIC_PIT:
		return vm_create_pic_pit(vm);
	case SHVM_IRQ_LINE:
		return vm_irq_line(vm, argp);
	case SHVM_GET_STATS:
		return vm_get_stats(vm, argp);
	case SHVM_GET_WORKING_SET:
		return shvm_vm_get_working_set(vm, argp);
	case SHVM_AUDIT:
		return shvm_debug_audit(vm);
	case SHVM_DEBUG_CTL:
		return shvm_debug_ctl(vm, argp);
	default:
		return -ENOTTY;
	}
}
