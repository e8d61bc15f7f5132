/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Into the guest and out again. Nothing else in the module runs with guest values in registers,
 * the guest has filled the predictors. Until SPEC_CTRL is written and the branch history is
 * cleared there is no call and no indirect branch; until the RSB is filled, no RET but those whose
 * call came after the VM exit, which predict by what it has pushed. So the shortest exits go
 * without the fill, in code that no probe can get into: what a kretprobe returns by has no call of
 * its own.
 * docs/security.md lists what is done here against which weakness.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>

/* Index into gpr[]: enum shvm_gpr, hardware numbering. */
#define RAX	(0 * 8)
#define RCX	(1 * 8)
#define RDX	(2 * 8)
#define RBX	(3 * 8)
#define RBP	(5 * 8)
#define RSI	(6 * 8)
#define RDI	(7 * 8)
#define R8	(8 * 8)
#define R9	(9 * 8)
#define R10	(10 * 8)
#define R11	(11 * 8)
#define R12	(12 * 8)
#define R13	(13 * 8)
#define R14	(14 * 8)
#define R15	(15 * 8)

#define VMCS_HOST_RSP	0x6c14

/* Above the stack pointer: what RBP is saved in, and the return address. */
#define FRAME	(6 * 8)

/* Kernels before the split have one selection of VERW for all purposes. */
#ifdef VM_CLEAR_CPU_BUFFERS
#define CLEAR_BUFFERS	VM_CLEAR_CPU_BUFFERS
#elif defined(CLEAR_CPU_BUFFERS)
#define CLEAR_BUFFERS	CLEAR_CPU_BUFFERS
#else
#define CLEAR_BUFFERS
#endif

/*
 * The host runs with IBRS set while in the kernel (legacy IBRS): such a CPU wants it written after
 * each rise in privilege, even if it is 1. The guest has no access to SPEC_CTRL and runs with the
 * host's value, so otherwise there is nothing to restore.
 */
.macro RESTORE_SPEC_CTRL
	ALTERNATIVE "jmp .Lspec_ctrl_done", "", X86_FEATURE_KERNEL_IBRS
	movl	$MSR_IA32_SPEC_CTRL, %ecx
	movl	PER_CPU_VAR(x86_spec_ctrl_current), %eax
	movl	PER_CPU_VAR(x86_spec_ctrl_current + 4), %edx
	wrmsr
	lfence
.Lspec_ctrl_done:
.endm

/*
 * Calls, so that the newest nr entries of the return stack buffer lead to INT3, whatever the guest
 * left there; LFENCE: they have retired before any RET. Straight on instead of the kernel's loop:
 * 34 instructions instead of 82.
 */
.macro RSB_CALLS nr
	.rept \nr
	ANNOTATE_INTRA_FUNCTION_CALL
	call	772f
	int3
772:
	.endr
	addq	$(8 * \nr), %rsp
	lfence
.endm

/*
 * The kernel says by a feature whether this CPU needs all entries, or one call, or neither. Two
 * alternatives, so that the short one is not followed by as many NOPs as the long one has bytes.
 */
.macro FILL_RSB
	ALTERNATIVE "jmp .Lrsb_is_filled\@", "RSB_CALLS 32", X86_FEATURE_RSB_VMEXIT
.Lrsb_is_filled\@:
	ALTERNATIVE "jmp .Lcall_has_retired\@", "RSB_CALLS 1", X86_FEATURE_RSB_VMEXIT_LITE
.Lcall_has_retired\@:
.endm

/*
 * No value of the guest's choice is left for speculation to use as an address. RBP: the frame of
 * this function, for unwinders that go by frame pointers. RDI is left to the user of the macro.
 */
.macro CLEAR_REGISTERS
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%ebx, %ebx
	xorl	%esi, %esi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	leaq	FRAME(%rsp), %rbp
.endm

	.section .noinstr.text, "ax"

/*
 * int shvm_vmx_enter_asm(struct shvm_vcpu *vcpu, bool resume, unsigned long *host_rsp)
 *
 * Enters, and again after each exit for which one of the two C functions says so. 1: an entry
 * failed; 2: it was not tried, as HOST_RSP cannot be written. The vCPU begins with gpr[]. Stack
 * while the guest runs: vcpu, then the callee-saved registers.
 */
SYM_FUNC_START(shvm_vmx_enter_asm)
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi

	/* HOST_RSP changes only when the thread comes by another call path. */
	cmpq	%rsp, (%rdx)
	je	.Lrsp_is_known
	movl	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	.Lfail_early
	movq	%rsp, (%rdx)
.Lrsp_is_known:

	leaq	FRAME(%rsp), %rbp
	movl	%esi, %ebx
	call	shvm_vmx_first_entry
	movq	(%rsp), %rdi
	/* CF = resume; it survives the loads and VERW, which changes ZF only. */
	btl	$0, %ebx
	jmp	.Lenter

/* HOST_RIP. All general registers but RSP hold the guest's values. */
SYM_INNER_LABEL(shvm_vmx_exit_point, SYM_L_GLOBAL)
	ENDBR
	pushq	%rdi
	movq	8(%rsp), %rdi
	popq	RDI(%rdi)
	movq	%rax, RAX(%rdi)
	movq	%rcx, RCX(%rdi)
	movq	%rdx, RDX(%rdi)
	movq	%rbx, RBX(%rdi)
	movq	%rbp, RBP(%rdi)
	movq	%rsi, RSI(%rdi)
	movq	%r8, R8(%rdi)
	movq	%r9, R9(%rdi)
	movq	%r10, R10(%rdi)
	movq	%r11, R11(%rdi)
	movq	%r12, R12(%rdi)
	movq	%r13, R13(%rdi)
	movq	%r14, R14(%rdi)
	movq	%r15, R15(%rdi)
	CLEAR_REGISTERS
	RESTORE_SPEC_CTRL
	CLEAR_BRANCH_HISTORY_VMEXIT

	movq	(%rsp), %rdi
	call	shvm_vmx_exit_short
	testb	%al, %al
	jz	.Lothers
.Lagain:
	movq	(%rsp), %rdi
	stc

.Lenter:
	movq	RAX(%rdi), %rax
	movq	RCX(%rdi), %rcx
	movq	RDX(%rdi), %rdx
	movq	RBX(%rdi), %rbx
	movq	RBP(%rdi), %rbp
	movq	RSI(%rdi), %rsi
	movq	R8(%rdi), %r8
	movq	R9(%rdi), %r9
	movq	R10(%rdi), %r10
	movq	R11(%rdi), %r11
	movq	R12(%rdi), %r12
	movq	R13(%rdi), %r13
	movq	R14(%rdi), %r14
	movq	R15(%rdi), %r15
	movq	RDI(%rdi), %rdi

	/* Last, so that no load of ours refills the buffers. */
	CLEAR_BUFFERS

	jc	.Lresume
.Llaunch:
	vmlaunch
	jmp	.Lfail
.Lresume:
	vmresume
	jbe	.Lfail			/* always, and the unwinder sees how we get further */
	jmp	shvm_vmx_exit_point
	_ASM_EXTABLE(.Llaunch, .Lfail)
	_ASM_EXTABLE(.Lresume, .Lfail)

.Lothers:
	FILL_RSB
	movq	(%rsp), %rdi
	call	shvm_vmx_exit_others
	testb	%al, %al
	jnz	.Lagain
	xorl	%eax, %eax
.Lout:
	addq	$8, %rsp		/* vcpu */
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	RET

	/* Nothing has run since the last exit, but the RSB may still be as the guest left it. */
.Lfail:
	CLEAR_REGISTERS
	xorl	%edi, %edi
	FILL_RSB
	movl	$1, %eax
	jmp	.Lout

.Lfail_early:
	movl	$2, %eax
	jmp	.Lout
SYM_FUNC_END(shvm_vmx_enter_asm)
