/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points of the guest IDT and the way to ring 3 and back. Part of every guest. Offsets into
 * struct guest_cpu: 8 is user_return_rsp.
 */
	.section guest_text, "ax"

	.globl guest_idt_stubs
	.balign 16
guest_idt_stubs:			/* 16 bytes each */
	vector = 0
	.rept 256
	.balign 16
	.if vector != 8 && !(vector >= 10 && vector <= 14) && vector != 17 && vector != 21
	push $0				/* no error code */
	.endif
	push $vector
	jmp common
	vector = vector + 1
	.endr

	.balign 16
common:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	cmpq $user_exit + 1, 17 * 8(%rsp)
	jne 1f
	cmpq $3, 15 * 8(%rsp)		/* not an interrupt that came just there */
	je to_kernel
1:
	mov %rsp, %rdi
	mov %rsp, %rbp			/* the CPU has aligned the stack, but the pushes differ */
	and $-16, %rsp
	call guest_exception
	mov %rbp, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq

to_kernel:				/* ring 3 is done: return from guest_call_user() */
	mov %gs:8, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	popfq
	ret

/* void guest_call_user(void (*fn)(u64 arg), u64 arg, u64 user_stack_top) */
	.globl guest_call_user
guest_call_user:
	pushfq
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %gs:8
	sub $8, %rdx
	mov $user_exit, %rax
	mov %rax, (%rdx)		/* fn returns to there */
	pushq $0x2b			/* SEL_UDATA */
	push %rdx
	pushq $0x3002			/* IOPL 3 */
	pushq $0x33			/* SEL_UCODE64 */
	push %rdi
	mov %rsi, %rdi
	iretq

	.section guest_utext, "ax"
user_exit:
	int3				/* a trap: see the defects of emulators in docs/testing.md */

	.section .note.GNU-stack, "", @progbits
