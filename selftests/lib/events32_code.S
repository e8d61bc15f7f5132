/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The program and, made beside it, the list of what should be in its log. EBP: the block. EDI:
 * where to go on after a page fault. Handlers leave these two alone, and nothing else.
 */
#include "events32.h"

#define UCALL_SYNC_PORT	0x5e0
#define UCALL_DONE_PORT	0x5e4
#define SEL_UCODE32	0x23
#define SEL_UDATA	0x2b
#define FLAG_IF		0x200
#define FLAGS_IOPL	0x3000		/* ring 3 may use ports, and STI */
#define FLAGS_USER	(FLAGS_IOPL | 2)

#define PF_W		2
#define PF_U		4

/* The next event of the log. */
.macro expect vector, error, at, ring, flags
	.pushsection .rodata.events32, "a"
	.long \vector, \error, \at - events32_code, \ring, \flags
	.popsection
.endm

/* An instruction, or the last of several, that is done when the event comes. */
.macro trap vector, ring, flags, text:vararg
	\text
9:
	expect \vector, 0, 9b, \ring, \flags
.endm

/* The event is due when this report is made. */
.macro report kind
	mov $\kind, %edi
	mov $UCALL_SYNC_PORT, %edx
	out %eax, %dx
.endm

.macro page_fault error, ring, flags, text:vararg
	lea (8f - events32_code)(%ebp), %edi
9:
	\text
8:
	expect 14, \error, 9b, \ring, \flags
.endm

/* iopl: what EFLAGS has besides IF. */
.macro all_events ring, user, iopl
	trap 0x80, \ring, \iopl, int $0x80
	trap 3, \ring, \iopl, int3
	page_fault \user, \ring, \iopl, mov EVENTS_ABSENT, %eax
	page_fault \user | PF_W, \ring, \iopl, mov %eax, EVENTS_ABSENT
	trap 2, \ring, \iopl, report EVENTS_NMI
	sti
	trap EVENTS_IRQ_VECTOR, \ring, \iopl | FLAG_IF, report EVENTS_IRQ
	trap 0x80, \ring, \iopl | FLAG_IF, int $0x80
	page_fault \user, \ring, \iopl | FLAG_IF, mov EVENTS_ABSENT, %eax
	cli
	report EVENTS_IRQ
	sti
	trap EVENTS_IRQ_VECTOR, \ring, \iopl | FLAG_IF, nop
	cli
.endm

	.section .rodata.events32, "a"
	.balign 4
	.globl events32_want
events32_want:

	.section .rodata, "a"
	.balign 4096
	.code32
	.globl events32_code
events32_code:
	all_events 0, 0, 0
	lea EVENTS_USTACK(%ebp), %eax
	lea EVENTS_USER(%ebp), %ebx
	push $SEL_UDATA
	push %eax
	push $FLAGS_USER
	push $SEL_UCODE32
	push %ebx
	iret

last:
	lea EVENTS_STACK(%ebp), %esp
	mov $UCALL_DONE_PORT, %edx
	out %eax, %dx
	ud2

/* One for each vector of the list; those without an error code push one. */
.macro stub vector
	.pushsection .rodata.vectors32, "a"
	.byte \vector
	.popsection
	.balign EVENTS_STUB
	.if \vector != 14
	push $0
	.endif
	push $\vector
	jmp log
.endm

	.section .rodata.vectors32, "a"
	.globl events32_vectors
events32_vectors:
	.section .rodata, "a"

	.balign EVENTS_STUB
	.globl events32_stubs
events32_stubs:
	stub 2
	stub 3
	stub 14
	stub 0x80
	stub EVENTS_LAST_VECTOR
	stub EVENTS_IRQ_VECTOR

	.balign EVENTS_STUB
log:
	mov EVENTS_LOG(%ebp), %esi
	incl EVENTS_LOG(%ebp)
	shl $EVENTS_SHIFT, %esi
	lea EVENTS_LOG + (1 << EVENTS_SHIFT)(%ebp, %esi), %esi
	pop %ebx
	mov %ebx, (%esi)
	popl 4(%esi)
	mov (%esp), %eax
	mov %eax, 8(%esi)
	mov 4(%esp), %ecx
	mov %ecx, 12(%esi)
	mov 8(%esp), %eax
	mov %eax, 16(%esi)
	lea 12(%esp), %eax
	mov %ss, %edx
	test $3, %ecx
	jz 1f
	mov 12(%esp), %eax
	mov 16(%esp), %edx
1:
	mov %eax, 20(%esi)
	mov %edx, 24(%esi)
	mov %cr2, %eax
	mov %eax, 28(%esi)
	mov %esp, 32(%esi)
	cmp $EVENTS_LAST_VECTOR, %ebx
	je last
	cmp $14, %ebx
	jne 2f
	mov %edi, (%esp)
2:
	iret

	.org events32_code + EVENTS_USER
	all_events 3, PF_U, FLAGS_IOPL
	trap EVENTS_LAST_VECTOR, 3, FLAGS_IOPL, int $EVENTS_LAST_VECTOR
	.globl events32_code_end
events32_code_end:

	.section .rodata.events32, "a"
	.globl events32_want_end
events32_want_end:
	.section .rodata.vectors32, "a"
	.globl events32_vectors_end
events32_vectors_end:

	.section .note.GNU-stack, "", @progbits
