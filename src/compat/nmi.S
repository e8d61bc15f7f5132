/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's NMI entry point as a function. It expects what the CPU pushes when it delivers an
 * event, and comes back with IRET.
 */
#include <linux/linkage.h>
#include <linux/version.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define NMI_ENTRY	asm_exc_nmi_noist
#else
#define NMI_ENTRY	asm_exc_nmi_kvm_vmx
#endif

	.section .noinstr.text, "ax"

SYM_FUNC_START(shvm_host_nmi)
	pushq	%rbp
	movq	%rsp, %rbp
	andq	$-16, %rsp		/* as the CPU aligns the frame of an event */
	pushq	$__KERNEL_DS		/* SS */
	pushq	%rbp			/* RSP after the IRET */
	pushfq				/* RFLAGS: interrupts stay off */
	pushq	$__KERNEL_CS		/* CS; the call pushes RIP */
	call	NMI_ENTRY
	movq	%rbp, %rsp
	popq	%rbp
	RET
SYM_FUNC_END(shvm_host_nmi)
