// SPDX-License-Identifier: GPL-2.0-only
/*
 * What to do about a VM exit that the entry loop (loop.c) has not finished. One handler per reason,
 * found by a const table; interrupts on, may sleep. CPUID has none: it never leaves the loop.
 * Exits that VT-x makes unconditional for VMX instructions become #UD: the guest has no VMX.
 */
#include <linux/nospec.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../x86/x86.h"
#include "exit_fields.h"
#include "vmx_internal.h"

typedef enum shvm_next (*exit_fn)(struct shvm_vcpu *vcpu);

static enum shvm_next user_exit(struct shvm_vcpu *vcpu, u32 reason)
{
	vcpu->run->exit_reason = reason;
	return SHVM_NEXT_USER;
}

/* The order of the words depends on the suberror: see its manual. */
enum shvm_next shvm_vmx_internal_error(struct shvm_vcpu *vcpu, u32 suberror)
{
	const struct shvm_vmx_exit *exit = &vcpu->vmx.exit;
	bool delivery = suberror == SHVM_INTERNAL_ERROR_DELIVERY_EV;
	struct shvm_run *run = vcpu->run;

	run->internal.suberror = suberror;
	run->internal.ndata = 4;
	run->internal.data[0] = delivery ? exit->idt_vectoring : exit->reason;
	run->internal.data[1] = delivery ? exit->reason : exit->qualification;
	run->internal.data[2] = delivery ? exit->qualification : exit->idt_vectoring;
	run->internal.data[3] = exit->intr_info;
	return user_exit(vcpu, SHVM_EXIT_INTERNAL_ERROR);
}

/* reason: the whole exit reason, or a VM-instruction error number with bit 31 clear. */
static enum shvm_next fail_entry(struct shvm_vcpu *vcpu, u64 reason)
{
	vcpu->run->fail_entry.hardware_entry_failure_reason = reason;
	vcpu->run->fail_entry.cpu = vcpu->cpu;
	shvm_nl_entry_failed(vcpu, reason);	/* may sleep, and wake up on another CPU */
	return user_exit(vcpu, SHVM_EXIT_FAIL_ENTRY);
}

static enum shvm_next raise_ud(struct shvm_vcpu *vcpu)
{
	shvm_event_exception(vcpu, X86_TRAP_UD);
	return SHVM_NEXT_ENTER;
}

static enum shvm_next raise_gp(struct shvm_vcpu *vcpu)
{
	shvm_event_exception_error(vcpu, X86_TRAP_GP, 0);
	return SHVM_NEXT_ENTER;
}

static enum shvm_next skip(struct shvm_vcpu *vcpu)
{
	shvm_vmx_skip_insn(vcpu);
	return SHVM_NEXT_ENTER;
}

/* Taken when interrupts were switched on after the exit. */
static enum shvm_next exit_interrupt(struct shvm_vcpu *vcpu)
{
	shvm_vmx_direct_tick(vcpu);
	return SHVM_NEXT_ENTER;
}

/* Windows are used at the next entry. */
static enum shvm_next exit_nothing(struct shvm_vcpu *vcpu)
{
	return SHVM_NEXT_ENTER;
}

static enum shvm_next exit_triple_fault(struct shvm_vcpu *vcpu)
{
	return user_exit(vcpu, SHVM_EXIT_SHUTDOWN);
}

/*
 * Whether the vCPU sleeps or user space hears of it is for the run loop to say. A single step over
 * HLT ends it at once.
 */
static enum shvm_next exit_hlt(struct shvm_vcpu *vcpu)
{
	if (!(shvm_vmx_rflags(vcpu) & X86_EFLAGS_TF))
		vcpu->mp_state = SHVM_MP_STATE_HALTED;
	return skip(vcpu);
}

static enum shvm_next exit_invlpg(struct shvm_vcpu *vcpu)
{
	shvm_mmu_invlpg(&vcpu->mmu, gva(vcpu->vmx.exit.qualification));
	return skip(vcpu);
}

/* There are no counters (CPUID leaf 0xa says so). */
static enum shvm_next exit_rdpmc(struct shvm_vcpu *vcpu)
{
	return raise_gp(vcpu);
}

/* MONITOR and MWAIT are not offered by CPUID. */
static enum shvm_next exit_undefined(struct shvm_vcpu *vcpu)
{
	return raise_ud(vcpu);
}

/* All guest memory is write-back and coherent: there is nothing to write back or invalidate. */
static enum shvm_next exit_cache(struct shvm_vcpu *vcpu)
{
	return skip(vcpu);
}

static enum shvm_next exit_io(struct shvm_vcpu *vcpu)
{
	u64 q = vcpu->vmx.exit.qualification;

	if (q & IO_STRING)
		return shvm_insn_emulate(vcpu);
	return shvm_insn_port_io(vcpu, IO_PORT(q), IO_SIZE(q), q & IO_IN);
}

static enum shvm_next exit_rdmsr(struct shvm_vcpu *vcpu)
{
	u64 val;

	if (shvm_msr_read(vcpu, vcpu->gpr[SHVM_RCX], &val))
		return raise_gp(vcpu);
	vcpu->gpr[SHVM_RAX] = (u32)val;
	vcpu->gpr[SHVM_RDX] = val >> 32;
	return skip(vcpu);
}

static u64 edx_eax(const struct shvm_vcpu *vcpu)
{
	return (u64)(u32)vcpu->gpr[SHVM_RDX] << 32 | (u32)vcpu->gpr[SHVM_RAX];
}

static enum shvm_next exit_wrmsr(struct shvm_vcpu *vcpu)
{
	if (shvm_msr_write(vcpu, vcpu->gpr[SHVM_RCX], edx_eax(vcpu), false))
		return raise_gp(vcpu);
	return skip(vcpu);
}

/* The exit comes before the checks of the privilege level and of ECX, after that of OSXSAVE. */
static enum shvm_next exit_xsetbv(struct shvm_vcpu *vcpu)
{
	if (!(vcpu->cr4 & X86_CR4_OSXSAVE))
		return raise_ud(vcpu);
	if (shvm_vmx_cpl(vcpu) || (u32)vcpu->gpr[SHVM_RCX] ||
	    shvm_xcr0_write(vcpu, edx_eax(vcpu)))
		return raise_gp(vcpu);
	return skip(vcpu);
}

/* Task switches need the whole 32-bit TSS machinery, which no 64-bit guest uses. */
static enum shvm_next exit_task_switch(struct shvm_vcpu *vcpu)
{
	struct shvm_run *run = vcpu->run;

	run->internal.suberror = SHVM_INTERNAL_ERROR_MODE;
	run->internal.ndata = 2;
	run->internal.data[0] = SHVM_MODE_TASK_SWITCH;
	run->internal.data[1] = vcpu->vmx.exit.qualification;
	return user_exit(vcpu, SHVM_EXIT_INTERNAL_ERROR);
}

static enum shvm_next exit_unknown(struct shvm_vcpu *vcpu)
{
	return shvm_vmx_internal_error(vcpu, SHVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
}

static const exit_fn exit_table[] = {
	[EXIT_REASON_EXCEPTION_NMI]	= shvm_vmx_exit_exception,
	[EXIT_REASON_EXTERNAL_INTERRUPT] = exit_interrupt,
	[EXIT_REASON_TRIPLE_FAULT]	= exit_triple_fault,
	[EXIT_REASON_INTERRUPT_WINDOW]	= exit_nothing,
	[EXIT_REASON_NMI_WINDOW]	= exit_nothing,
	[EXIT_REASON_TASK_SWITCH]	= exit_task_switch,
	[EXIT_REASON_HLT]		= exit_hlt,
	[EXIT_REASON_INVD]		= exit_cache,
	[EXIT_REASON_INVLPG]		= exit_invlpg,
	[EXIT_REASON_RDPMC]		= exit_rdpmc,
	[EXIT_REASON_VMCALL ... EXIT_REASON_VMON] = exit_undefined,
	[EXIT_REASON_CR_ACCESS]		= shvm_vmx_exit_cr,
	[EXIT_REASON_DR_ACCESS]		= shvm_vmx_exit_dr,
	[EXIT_REASON_IO_INSTRUCTION]	= exit_io,
	[EXIT_REASON_MSR_READ]		= exit_rdmsr,
	[EXIT_REASON_MSR_WRITE]		= exit_wrmsr,
	[EXIT_REASON_MWAIT_INSTRUCTION]	= exit_undefined,
	[EXIT_REASON_MONITOR_INSTRUCTION] = exit_undefined,
	[EXIT_REASON_INVEPT]		= exit_undefined,
	[EXIT_REASON_INVVPID]		= exit_undefined,
	[EXIT_REASON_WBINVD]		= exit_cache,
	[EXIT_REASON_XSETBV]		= exit_xsetbv,
};

enum shvm_next shvm_vmx_exit_handle(struct shvm_vcpu *vcpu)
{
	u32 reason = vcpu->vmx.exit.reason;
	exit_fn handler = NULL;

	if (unlikely(vcpu->vmx.failed))
		return fail_entry(vcpu, vcpu->vmx.insn_error);
	if (reason == SHVM_VMX_EXIT_DONE)
		return SHVM_NEXT_ENTER;
	/* What the debug module's checker refuses looks like the CPU's own refusal. */
	if (reason == SHVM_VMX_EXIT_REFUSED)
		reason = EXIT_REASON_INVALID_STATE | VMX_EXIT_REASONS_FAILED_VMENTRY;
	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return fail_entry(vcpu, reason);

	reason &= 0xffff;
	if (likely(reason < ARRAY_SIZE(exit_table)))
		handler = exit_table[array_index_nospec(reason, ARRAY_SIZE(exit_table))];
	if (!handler)
		handler = exit_unknown;
	return handler(vcpu);
}
