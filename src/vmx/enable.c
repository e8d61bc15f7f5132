// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX operation of the whole machine: on with the first VM, off with the last. Rides on a dynamic
 * CPU hotplug state that exists only while VMs exist: the hotplug core runs the callbacks on every
 * CPU, keeps them apart from CPUs that come and go, and undoes a partial success.
 * enable_lock guards the number of users; it is taken outside all locks of the module but
 * vm->lock. Per-CPU state is touched only on its CPU.
 */
#define pr_fmt(fmt) "shvm: " fmt

#include <linux/cpuhotplug.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/topology.h>
#include <asm/tlbflush.h>

#include "../compat/syscore.h"
#include "vmx_internal.h"

struct vmx_cpu {
	struct shvm_vmcs *region;	/* VMXON region */
	bool on;
};

static DEFINE_PER_CPU(struct vmx_cpu, vmx_cpu);
static DEFINE_MUTEX(enable_lock);
static int enable_users;		/* guarded by enable_lock */
static int enable_state;		/* hotplug state, valid while enable_users */
static bool vmx_going_down;		/* the machine reboots: failures are expected */

bool shvm_vmx_is_on(void)
{
	return this_cpu_read(vmx_cpu.on);
}

void shvm_vmx_insn_failed(const char *insn, unsigned long operand)
{
	if (READ_ONCE(vmx_going_down))
		return;
	WARN_ONCE(1, "shvm: %s of 0x%lx failed\n", insn, operand);
}

/* Preemption off, or pinned to this CPU. */
static int cpu_enable(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpu);
	unsigned long flags;
	int err = -EBUSY;

	local_irq_save(flags);
	if (cr4_read_shadow() & X86_CR4_VMXE)
		goto out;
	cr4_set_bits(X86_CR4_VMXE);
	if (vmx_on(__pa(c->region))) {
		cr4_clear_bits(X86_CR4_VMXE);
		goto out;
	}
	c->on = true;
	shvm_vpid_cpu_on();
	err = 0;
out:
	local_irq_restore(flags);
	return err;
}

static void cpu_disable(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpu);
	unsigned long flags;

	local_irq_save(flags);
	if (c->on) {
		shvm_vmcs_clear_cpu();
		shvm_uret_drop_cpu();
		c->on = false;
		if (vmx_off())
			shvm_vmx_insn_failed("vmxoff", 0);
		cr4_clear_bits(X86_CR4_VMXE);
	}
	local_irq_restore(flags);
}

static int vmx_cpu_online(unsigned int cpu)
{
	return cpu_enable();
}

static int vmx_cpu_offline(unsigned int cpu)
{
	cpu_disable();
	return 0;
}

/**
 * shvm_vmx_get - one more VM exists
 *
 * Return: 0; -EBUSY if another hypervisor owns VMX on some CPU; -ENOMEM.
 */
int shvm_vmx_get(void)
{
	int state, err = 0;

	mutex_lock(&enable_lock);
	if (!enable_users) {
		state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "shvm:online",
					  vmx_cpu_online, vmx_cpu_offline);
		if (state < 0) {
			err = state;
			goto out;
		}
		enable_state = state;
		shvm_vmx_direct_test();
	}
	enable_users++;
out:
	mutex_unlock(&enable_lock);
	if (err == -EBUSY)
		pr_err("VT-x is in use by another hypervisor: end its VMs or unload its module (kvm_intel, vboxdrv, vmmon), then try again\n");
	return err;
}

/**
 * shvm_vmx_put - a VM for which shvm_vmx_get() succeeded is gone; no VMCS of it is left
 */
void shvm_vmx_put(void)
{
	mutex_lock(&enable_lock);
	if (!--enable_users)
		cpuhp_remove_state(enable_state);
	mutex_unlock(&enable_lock);
}

static void vmx_disable_ipi(void *unused)
{
	cpu_disable();
}

static int vmx_reboot(struct notifier_block *nb, unsigned long event, void *unused)
{
	WRITE_ONCE(vmx_going_down, true);
	on_each_cpu(vmx_disable_ipi, NULL, 1);
	return NOTIFY_DONE;
}

static struct notifier_block vmx_reboot_notifier = {
	.notifier_call = vmx_reboot,
};

/* Only this CPU is online and interrupts are off: the others went through the hotplug state. */
static int vmx_suspend(void)
{
	if (enable_users)
		cpu_disable();
	return 0;
}

static void vmx_resume(void)
{
	if (enable_users && cpu_enable())
		pr_err("VT-x could not be switched on after suspend: VMs of shvm will not run\n");
}

SHVM_DEFINE_SYSCORE(vmx_syscore, vmx_suspend, vmx_resume);

static void regions_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		shvm_vmcs_free(per_cpu(vmx_cpu, cpu).region);
		per_cpu(vmx_cpu, cpu).region = NULL;
	}
}

static int __init regions_alloc(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct shvm_vmcs *region = shvm_vmcs_alloc(cpu_to_node(cpu));

		if (!region) {
			regions_free();
			return -ENOMEM;
		}
		per_cpu(vmx_cpu, cpu).region = region;
	}
	return 0;
}

int __init shvm_vmx_module_init(void)
{
	int err;

	err = shvm_vmx_caps_probe();
	if (err)
		return err;
	shvm_vmx_direct_probe();
	shvm_vmcs_init_cpus();
	shvm_uret_module_init();
	err = regions_alloc();
	if (err)
		return err;
	err = register_reboot_notifier(&vmx_reboot_notifier);
	if (err) {
		regions_free();
		return err;
	}
	shvm_syscore_register(&vmx_syscore);
	shvm_vmx_selftest();
	return 0;
}

/* No VM exists: VMX is off everywhere. Also called when a later step of module load fails. */
void shvm_vmx_module_exit(void)
{
	shvm_syscore_unregister(&vmx_syscore);
	unregister_reboot_notifier(&vmx_reboot_notifier);
	regions_free();
}
