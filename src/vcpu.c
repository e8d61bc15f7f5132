// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a vCPU, its file descriptor and run page, its residency on a physical CPU, and how other
 * threads get its attention. vcpu->mutex is taken here, and nowhere else; every ioctl runs under
 * it, with the VMCS loaded, between shvm_pause_enter() and shvm_pause_leave().
 *
 * vCPU requests: nobody may run another guest instruction before it has seen them.
 *
 *	requester				vCPU thread, interrupts off
 *	set_bit(request)			mode = SHVM_IN_GUEST
 *	full barrier [A]			full barrier [B]
 *	mode == SHVM_IN_GUEST? IPI		requests != 0? mode = outside, do not enter
 *						VM entry ... VM exit, mode = outside
 *
 * A and B: either the requester sees IN_GUEST and sends the IPI, or the vCPU sees the request. An
 * IPI that comes between B and the entry is pending and ends the guest at once. test_and_clear_bit
 * in the vCPU is a full barrier: what the requester wrote before set_bit is seen after it.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/slab.h>
#include <trace/events/ipi.h>	/* smp_send_reschedule() traces since 6.4 */

#include "mmu/mmu.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx/vmx.h"
#include "x86/x86.h"

/* ---- attention ---- */

void shvm_vcpu_kick(struct shvm_vcpu *vcpu)
{
	int cpu, me = get_cpu();

	smp_mb();	/* A; the caller's store need not be atomic */
	if (READ_ONCE(vcpu->mode) == SHVM_IN_GUEST) {
		cpu = READ_ONCE(vcpu->cpu);
		/* On its own CPU we are an interrupt that has ended the guest already. */
		if (cpu >= 0 && cpu != me && cpu_online(cpu)) {
			atomic64_inc(&vcpu->vm->ipis);
			smp_send_reschedule(cpu);
		}
	}
	put_cpu();
}

void shvm_vcpu_request(struct shvm_vcpu *vcpu, enum shvm_request req)
{
	set_bit(req, &vcpu->requests);
	shvm_vcpu_kick(vcpu);
}

void shvm_vcpu_wake(struct shvm_vcpu *vcpu)
{
	rcuwait_wake_up(&vcpu->wait);
}

/* ---- residency ---- */

static void vcpu_sched_in(struct preempt_notifier *pn, int cpu)
{
	shvm_vmx_load(container_of(pn, struct shvm_vcpu, preempt_notifier), cpu);
}

static void vcpu_sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	shvm_vmx_unload(container_of(pn, struct shvm_vcpu, preempt_notifier));
}

static struct preempt_ops vcpu_preempt_ops = {
	.sched_in = vcpu_sched_in,
	.sched_out = vcpu_sched_out,
};

void shvm_vcpu_load(struct shvm_vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt_notifier);
	shvm_vmx_load(vcpu, cpu);
	put_cpu();
}

void shvm_vcpu_put(struct shvm_vcpu *vcpu)
{
	preempt_disable();
	shvm_vmx_unload(vcpu);
	preempt_notifier_unregister(&vcpu->preempt_notifier);
	preempt_enable();
}

/* ---- file descriptor ---- */

static long vcpu_fd_ioctl_locked(struct shvm_vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	long ret = shvm_pause_enter(vcpu->vm);

	if (ret)
		return ret;
	shvm_vcpu_load(vcpu);
	if (cmd == SHVM_RUN)
		ret = shvm_run_ioctl(vcpu);
	else
		ret = shvm_vcpu_ioctl(vcpu, cmd, arg);
	shvm_vcpu_put(vcpu);
	shvm_pause_leave(vcpu->vm);
	return ret;
}

static long vcpu_fd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct shvm_vcpu *vcpu = file->private_data;
	long ret;

	if (shvm_vm_is_foreign(vcpu->vm))
		return -EIO;
	if (cmd == SHVM_RUN && arg)
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	ret = vcpu_fd_ioctl_locked(vcpu, cmd, arg);
	mutex_unlock(&vcpu->mutex);
	return ret;
}

/* The pages live as long as the vCPU, which a mapping keeps alive through the fd. */
static vm_fault_t vcpu_page_fault(struct vm_fault *vmf)
{
	struct shvm_vcpu *vcpu = vmf->vma->vm_file->private_data;
	void *page;

	if (vmf->pgoff == 0)
		page = vcpu->run;
	else if (vmf->pgoff == 1)
		page = vcpu->insn.pio_page;
	else
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page(page);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_page_fault,
};

static int vcpu_fd_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_fd_release(struct inode *inode, struct file *file)
{
	struct shvm_vcpu *vcpu = file->private_data;

	shvm_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_fd_ioctl,
	.mmap = vcpu_fd_mmap,
	.release = vcpu_fd_release,
	.llseek = noop_llseek,
};

/* ---- life ---- */

static int vcpu_alloc_pages(struct shvm_vcpu *vcpu)
{
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vcpu->insn.pio_page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vcpu->run && vcpu->insn.pio_page ? 0 : -ENOMEM;
}

static void vcpu_free_pages(struct shvm_vcpu *vcpu)
{
	free_page((unsigned long)vcpu->insn.pio_page);
	free_page((unsigned long)vcpu->run);
}

static struct shvm_vcpu *vcpu_create(struct shvm *vm, u32 id)
{
	struct shvm_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int err;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt_notifier, &vcpu_preempt_ops);
	err = vcpu_alloc_pages(vcpu);
	if (err)
		goto err_pages;
	err = shvm_fpu_create(vcpu);
	if (err)
		goto err_pages;
	err = shvm_mmu_vcpu_init(&vm->mmu, &vcpu->mmu);
	if (err)
		goto err_fpu;
	err = shvm_vmx_vcpu_create(vcpu);
	if (err)
		goto err_mmu;
	mutex_lock(&vcpu->mutex);
	shvm_vcpu_load(vcpu);
	shvm_sregs_reset(vcpu);
	shvm_vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
	return vcpu;
err_mmu:
	shvm_mmu_vcpu_destroy(&vcpu->mmu);
err_fpu:
	shvm_fpu_destroy(vcpu);
err_pages:
	vcpu_free_pages(vcpu);
	kfree(vcpu);
	return ERR_PTR(err);
}

void shvm_vcpu_destroy(struct shvm_vcpu *vcpu)
{
	shvm_vmx_vcpu_destroy(vcpu);
	shvm_mmu_vcpu_destroy(&vcpu->mmu);
	shvm_fpu_destroy(vcpu);
	shvm_cpuid_destroy(vcpu);
	vcpu_free_pages(vcpu);
	kfree(vcpu);
}

static int vcpu_check_id(const struct shvm *vm, unsigned long id)
{
	int i;

	if (id >= SHVM_MAX_VCPUS || vm->nr_vcpus == SHVM_MAX_VCPUS)
		return -EINVAL;
	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpus[i]->id == id)
			return -EEXIST;
	return 0;
}

int shvm_vcpu_create_fd(struct shvm *vm, unsigned long id)
{
	struct shvm_vcpu *vcpu;
	struct file *file;
	int fd, err;

	lockdep_assert_held(&vm->lock);
	err = vcpu_check_id(vm, id);
	if (err)
		return err;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	vcpu = vcpu_create(vm, id);
	if (IS_ERR(vcpu)) {
		err = PTR_ERR(vcpu);
		goto err_fd;
	}
	file = anon_inode_getfile("shvm-vcpu", &vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_vcpu;
	}
	refcount_inc(&vm->users);
	vm->vcpus[vm->nr_vcpus] = vcpu;
	/* Whoever sees the count sees the vCPU: pairs with shvm_vm_nr_vcpus(). */
	smp_store_release(&vm->nr_vcpus, vm->nr_vcpus + 1);
	shvm_vms_changed(vm);
	shvm_nl_vcpu_created(vcpu);
	fd_install(fd, file);	/* last: another thread may use or close it at once */
	return fd;
err_vcpu:
	shvm_vcpu_destroy(vcpu);
err_fd:
	put_unused_fd(fd);
	return err;
}
