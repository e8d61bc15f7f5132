// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCS regions and where they live. A VMCS that was loaded on a CPU stays active there until it is
 * cleared there: vcpu->cpu says where, and the vCPU hangs on that CPU's resident list. Both change
 * only on that CPU with interrupts off, so they need no lock. A region is freed only when no CPU
 * holds it: the CPU may write it back at any time before.
 */
#define pr_fmt(fmt) "shvm: " fmt

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <asm/nospec-branch.h>

#include "vmx_internal.h"

struct residency {
	struct list_head list;		/* of shvm_vmx_vcpu.resident */
	struct shvm_vmcs *current_vmcs;
};

static DEFINE_PER_CPU(struct residency, residency);

struct shvm_vmcs *shvm_vmcs_alloc(int node)
{
	struct page *page = alloc_pages_node(node, GFP_KERNEL_ACCOUNT | __GFP_ZERO, 0);
	struct shvm_vmcs *vmcs;

	if (!page)
		return NULL;
	vmcs = page_address(page);
	vmcs->revision = shvm_vmx_caps.revision;
	return vmcs;
}

void shvm_vmcs_free(struct shvm_vmcs *vmcs)
{
	free_page((unsigned long)vmcs);
}

void __init shvm_vmcs_init_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		INIT_LIST_HEAD(&per_cpu(residency, cpu).list);
}

/* On the CPU that holds it, interrupts off. */
static void vcpu_clear_here(struct shvm_vcpu *vcpu)
{
	struct residency *r = this_cpu_ptr(&residency);

	if (vmx_vmclear(__pa(vcpu->vmx.vmcs)))
		shvm_vmx_insn_failed("vmclear", __pa(vcpu->vmx.vmcs));
	if (r->current_vmcs == vcpu->vmx.vmcs)
		r->current_vmcs = NULL;
	list_del_init(&vcpu->vmx.resident);
	vcpu->vmx.launched = false;
	/* Whoever sees -1 may free the region or load it elsewhere; pairs with vcpu_evict(). */
	smp_store_release(&vcpu->cpu, -1);
}

static void vcpu_clear_ipi(void *arg)
{
	struct shvm_vcpu *vcpu = arg;

	/* The CPU going offline may have done it meanwhile. */
	if (vcpu->cpu == smp_processor_id())
		vcpu_clear_here(vcpu);
}

/* Afterwards no CPU holds the VMCS. Interrupts on. The vCPU is not running, so nothing loads it. */
static void vcpu_evict(struct shvm_vcpu *vcpu)
{
	int cpu = smp_load_acquire(&vcpu->cpu);	/* pairs with vcpu_clear_here() */

	if (cpu >= 0)
		smp_call_function_single(cpu, vcpu_clear_ipi, vcpu, 1);
}

void shvm_vmcs_clear_cpu(void)
{
	struct residency *r = this_cpu_ptr(&residency);
	struct shvm_vcpu *vcpu, *next;

	list_for_each_entry_safe(vcpu, next, &r->list, vmx.resident)
		vcpu_clear_here(vcpu);
}

static void vcpu_settle(struct shvm_vcpu *vcpu, int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	list_add(&vcpu->vmx.resident, &this_cpu_ptr(&residency)->list);
	WRITE_ONCE(vcpu->cpu, cpu);
	local_irq_restore(flags);
}

/**
 * shvm_vmx_load - make the vCPU's VMCS the current one of this CPU
 * @vcpu: vCPU whose mutex is held by the current thread
 * @cpu: this CPU
 *
 * Preemption off, interrupts on. On a CPU that is going offline VMX is off already: then nothing
 * is loaded, and the scheduler moves the thread away before it runs a line of its own.
 */
void shvm_vmx_load(struct shvm_vcpu *vcpu, int cpu)
{
	struct residency *r = this_cpu_ptr(&residency);
	struct shvm_vmcs *vmcs = vcpu->vmx.vmcs;
	bool moved = vcpu->cpu != cpu;

	if (moved)
		vcpu_evict(vcpu);
	if (!shvm_vmx_is_on())
		return;
	if (moved)
		vcpu_settle(vcpu, cpu);
	if (r->current_vmcs == vmcs)
		return;

	if (vmx_vmptrld(__pa(vmcs)))
		shvm_vmx_insn_failed("vmptrld", __pa(vmcs));
	r->current_vmcs = vmcs;
	/* What another guest taught the branch predictors must not steer this one. */
	indirect_branch_prediction_barrier();
	if (moved)
		shvm_vmx_host_set_cpu(cpu);
}

/**
 * shvm_vmx_unload - give the CPU back to the host; the VMCS may stay resident
 * @vcpu: vCPU loaded by shvm_vmx_load()
 *
 * Preemption off; interrupts may be off.
 */
void shvm_vmx_unload(struct shvm_vcpu *vcpu)
{
	shvm_vmx_host_restore(vcpu);
}

/**
 * shvm_vmx_vcpu_create - memory and a VMCS in the state after reset
 * @vcpu: new vCPU, not yet visible to anybody
 *
 * Return: 0 or -ENOMEM; also while the machine reboots, when VMX is off already.
 */
int shvm_vmx_vcpu_create(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_vcpu *vmx = &vcpu->vmx;
	int cpu;

	INIT_LIST_HEAD(&vmx->resident);
	vcpu->cpu = -1;
	vmx->vmcs = shvm_vmcs_alloc(numa_node_id());
	vmx->msr_bitmap = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs || !vmx->msr_bitmap)
		goto err_free;

	cpu = get_cpu();
	shvm_vmx_load(vcpu, cpu);
	if (vcpu->cpu != cpu) {
		put_cpu();
		goto err_free;
	}
	shvm_vmx_init_vmcs(vcpu);
	put_cpu();
	return 0;

err_free:
	free_page((unsigned long)vmx->msr_bitmap);
	vmx->msr_bitmap = NULL;
	if (!vmx->vmcs)
		return -ENOMEM;
	shvm_vmcs_free(vmx->vmcs);
	vmx->vmcs = NULL;
	return -ENOMEM;
}

/**
 * shvm_vmx_vcpu_destroy - undo shvm_vmx_vcpu_create(), also if that failed
 * @vcpu: vCPU that nobody runs; not loaded by shvm_vmx_load() any more
 */
void shvm_vmx_vcpu_destroy(struct shvm_vcpu *vcpu)
{
	if (!vcpu->vmx.vmcs)
		return;
	vcpu_evict(vcpu);
	shvm_vmcs_free(vcpu->vmx.vmcs);
	free_page((unsigned long)vcpu->vmx.msr_bitmap);
	vcpu->vmx.vmcs = NULL;
	vcpu->vmx.msr_bitmap = NULL;
}
