// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host state around the guest. Three scopes:
 *  - shvm_vmx_host_set_cpu: fields that belong to a CPU, when the VMCS settles there;
 *  - save/restore: what the host needs only when another thread or user space runs on this CPU
 *    (KERNEL_GS_BASE, user selectors, LDT, GDT limit, TSS limit), once per load;
 *  - enter/leave: what interrupt handlers and the kernel need at once (DR7, DEBUGCTL, XCR0), once
 *    per run of the entry loop, interrupts off.
 * What VM exit itself loads is in SDM 28.5.
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <asm/cpu_entry_area.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/mmu_context.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/tlbflush.h>

#include "vmx_internal.h"

void shvm_vmx_host_set_cpu(int cpu)
{
	unsigned long sysenter_esp;

	vmcs_write_natural(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_write_natural(HOST_GDTR_BASE, (unsigned long)get_cpu_gdt_ro(cpu));
	rdmsrl(MSR_IA32_SYSENTER_ESP, sysenter_esp);
	vmcs_write_natural(HOST_IA32_SYSENTER_ESP, sysenter_esp);
}

static u16 ldt_selector(void)
{
	u16 sel;

	asm("sldt %0" : "=r" (sel));
	return sel;
}

static void save_selectors(struct shvm_vmx_host *h)
{
	savesegment(fs, h->fs);
	savesegment(gs, h->gs);
	savesegment(ds, h->ds);
	savesegment(es, h->es);
	h->ldt = ldt_selector();
}

/* A selector load replaces the base, so selectors come first; the LDT before what lies in it. */
static void restore_selectors(const struct shvm_vmx_host *h)
{
	if (h->ldt)
		asm volatile("lldt %0" : : "r" (h->ldt));
	if (h->ds)
		loadsegment(ds, h->ds);
	if (h->es)
		loadsegment(es, h->es);
	if (h->fs) {
		loadsegment(fs, h->fs);
		wrmsrl(MSR_FS_BASE, h->fs_base);
	}
	if (h->gs)
		load_gs_index(h->gs);
}

/* Also called when nothing changed since the last time: then only the flag is looked at. */
void shvm_vmx_host_save(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_host *h = &vcpu->vmx.host;
	u64 fs_base, gs_base;

	shvm_uret_load(vcpu);
	if (vcpu->vmx.guest_msrs_loaded)
		return;

	save_selectors(h);
	rdmsrl(MSR_FS_BASE, fs_base);
	rdmsrl(MSR_GS_BASE, gs_base);
	if (h->fs_base != fs_base)
		vmcs_write_natural(HOST_FS_BASE, fs_base);
	if (h->gs_base != gs_base)
		vmcs_write_natural(HOST_GS_BASE, gs_base);
	h->fs_base = fs_base;
	h->gs_base = gs_base;

	h->xcr0 = boot_cpu_has(X86_FEATURE_OSXSAVE) ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : 0;

	rdmsrl(MSR_KERNEL_GS_BASE, h->kernel_gs_base);
	wrmsrl(MSR_KERNEL_GS_BASE, vcpu->vmx.kernel_gs_base);
	vcpu->vmx.guest_msrs_loaded = true;
}

void shvm_vmx_host_restore(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_host *h = &vcpu->vmx.host;

	if (!vcpu->vmx.guest_msrs_loaded)
		return;
	vcpu->vmx.guest_msrs_loaded = false;
	rdmsrl(MSR_KERNEL_GS_BASE, vcpu->vmx.kernel_gs_base);
	/* VM exit sets the limits of GDTR to 0xffff and of TR to 0x67 (no I/O bitmap). */
	load_fixmap_gdt(smp_processor_id());
	invalidate_tss_limit();
	restore_selectors(h);
	wrmsrl(MSR_KERNEL_GS_BASE, h->kernel_gs_base);
}

static void write_host_cr(struct shvm_vmx_host *h)
{
	u64 cr3 = __get_current_cr3_fast();
	u64 cr4 = cr4_read_shadow();

	if (h->cr3 != cr3) {
		vmcs_write_natural(HOST_CR3, cr3);
		h->cr3 = cr3;
	}
	if (h->cr4 != cr4) {
		vmcs_write_natural(HOST_CR4, cr4);
		h->cr4 = cr4;
	}
}

/*
 * DR7.RW etc. are in the VMCS; the addresses are needed only while a breakpoint is on. One of the
 * host's must not be on with an address that the guest has chosen.
 */
static void load_guest_breakpoints(struct shvm_vcpu *vcpu)
{
	if (hw_breakpoint_active())
		set_debugreg(0, 7);
	set_debugreg(vcpu->dr[0], 0);
	set_debugreg(vcpu->dr[1], 1);
	set_debugreg(vcpu->dr[2], 2);
	set_debugreg(vcpu->dr[3], 3);
}

#define DR7_ANY_ENABLE	0xff

/* Without CR4.OSXSAVE the guest has no instruction that uses XCR0. */
static bool xcr0_differs(const struct shvm_vcpu *vcpu)
{
	return (vcpu->cr4 & X86_CR4_OSXSAVE) && vcpu->fpu.xcr0 != vcpu->vmx.host.xcr0;
}

/*
 * VM exit clears DEBUGCTL. It can only hold something with last-branch or store tracing, with bus
 * lock detection, or while this thread is stepped by branches; without, it need not exist.
 */
static bool debugctl_may_be_set(void)
{
	return static_cpu_has(X86_FEATURE_ARCH_PERFMON) || static_cpu_has(X86_FEATURE_BTS) ||
	       static_cpu_has(X86_FEATURE_BUS_LOCK_DETECT) || test_thread_flag(TIF_BLOCKSTEP);
}

/*
 * PEBS writes records to linear addresses, which are the guest's after VM entry: perf says what its
 * counters have to be in a guest, and what in the host.
 */
static void perf_switch(bool to_guest)
{
	struct perf_guest_switch_msr *msrs;
	int i, nr = 0;

	if (!static_cpu_has(X86_FEATURE_ARCH_PERFMON))
		return;
	msrs = perf_guest_get_msrs(&nr, NULL);
	for (i = 0; msrs && i < nr; i++)
		if (msrs[i].host != msrs[i].guest)
			wrmsrl(msrs[i].msr, to_guest ? msrs[i].guest : msrs[i].host);
}

void shvm_vmx_host_enter(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_host *h = &vcpu->vmx.host;

	write_host_cr(h);
	perf_switch(true);
	h->debugctl = debugctl_may_be_set() ? get_debugctlmsr() : 0;
	if (unlikely(vcpu->dr7 & DR7_ANY_ENABLE))
		load_guest_breakpoints(vcpu);
	if (unlikely(xcr0_differs(vcpu)))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->fpu.xcr0);
}

void shvm_vmx_host_leave(struct shvm_vcpu *vcpu)
{
	struct shvm_vmx_host *h = &vcpu->vmx.host;

	if (unlikely(xcr0_differs(vcpu)))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, h->xcr0);
	if (unlikely(h->debugctl))
		update_debugctlmsr(h->debugctl);
	perf_switch(false);
	/* VM exit has disabled all breakpoints. */
	if (unlikely(hw_breakpoint_active()))
		hw_breakpoint_restore();
}
