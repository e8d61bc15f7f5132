/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code of the probe. Copied, never run where it is linked, so it uses addresses relative to
 * EBP: the linear address of its block. ESI: the command. Neither is ever changed by an operation.
 */
#include "probe.h"

#define UCALL_DONE_PORT	0x5e4
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_UCODE32	0x23
#define SEL_UDATA	0x2b
#define FLAGS		2
#define FLAG_AC		0x40000
#define MSR_EFER	0xc0000080

	.section .rodata, "a"
	.balign 64
	.code32

	.globl probe_code
probe_code:
next:
	mov PROBE_DATA(%ebp), %esi
	mov CMD_OP(%esi), %eax
	mov CMD_ADDR(%esi), %ebx
	mov CMD_LO(%esi), %ecx
	mov CMD_HI(%esi), %edx
	movzbl %al, %edi
	imul $PROBE_STUB, %edi
	test $PROBE_AS_USER, %eax
	jnz 2f
	test $PROBE_AC, %eax
	jz 1f
	push $(FLAGS | FLAG_AC)
	popf
1:
	lea (operations - probe_code)(%ebp, %edi), %edi
	jmp *%edi
2:
	lea PROBE_USER(%ebp, %edi), %edi
	push $SEL_UDATA
	push %esp
	push $FLAGS
	push $SEL_UCODE32
	push %edi
	iret

done:
	mov %eax, CMD_VALUE(%esi)
	mov %edx, CMD_VALUE_HI(%esi)
	.globl probe_advance
probe_advance:
	push $FLAGS
	popf
	addl $CMD_SIZE, PROBE_DATA(%ebp)
	jmp next

/* An operation: its number counts them. */
.macro op text:vararg
	.balign PROBE_STUB
	\text
.endm

	.balign PROBE_STUB
operations:
	op mov $UCALL_DONE_PORT, %edx; out %eax, %dx; jmp next
	op mov (%ebx), %eax; jmp done
	op mov %ecx, (%ebx); jmp done
	op jmp *%ebx
	op mov %cl, (%ebx); jmp done
	op mov %cx, (%ebx); jmp done
	op mov %ebx, %edi; mov %ecx, %ebx; mov %edx, %ecx; mov (%edi), %eax; mov 4(%edi), %edx; \
	   lock cmpxchg8b (%edi); jmp done
	op movq CMD_LO(%esi), %xmm0; movq %xmm0, (%ebx); jmp done
	op mov %ecx, %cr0; jmp done
	op mov %ecx, %cr3; jmp done
	op mov %ecx, %cr4; jmp done
	op mov %ecx, %eax; mov $MSR_EFER, %ecx; wrmsr; jmp done
	op invlpg (%ebx); jmp done
	op lidtl (%ebx); jmp done
	op mov %cr0, %eax; mov %cr3, %edx; jmp done
	op mov (%ebx), %eax; mov 4(%ebx), %edx; jmp done
	op mov %ebx, %edi; push %esi; mov %ecx, %esi; mov %edx, %ecx; rep movsl; pop %esi; \
	   jmp done

	.balign PROBE_GATE
	.globl probe_gates32
probe_gates32:
	vector = 0
	.rept 32
	.balign PROBE_GATE
	.if vector != 8 && !(vector >= 10 && vector <= 14) && vector != 17 && vector != 21
	push $0
	.endif
	push $vector
	jmp fault32
	vector = vector + 1
	.endr

	.balign PROBE_GATE
fault32:
	mov %eax, CMD_VALUE(%esi)
	popl CMD_VECTOR(%esi)
	popl CMD_ERROR(%esi)
	popl CMD_EIP(%esi)
	mov %cr2, %eax
	mov %eax, CMD_CR2(%esi)
	lea PROBE_STACK(%ebp), %esp
	jmp probe_advance

	.code64
	.balign PROBE_GATE
	.globl probe_gates64
probe_gates64:
	vector = 0
	.rept 32
	.balign PROBE_GATE
	.if vector != 8 && !(vector >= 10 && vector <= 14) && vector != 17 && vector != 21
	push $0
	.endif
	push $vector
	jmp fault64
	vector = vector + 1
	.endr

	.balign PROBE_GATE
fault64:
	mov %ebp, %ebp			/* what compatibility mode leaves above is undefined */
	mov %esi, %esi
	mov %eax, CMD_VALUE(%rsi)
	pop %rax
	mov %eax, CMD_VECTOR(%rsi)
	pop %rax
	mov %eax, CMD_ERROR(%rsi)
	pop %rax
	mov %eax, CMD_EIP(%rsi)
	mov %cr2, %rax
	mov %eax, CMD_CR2(%rsi)
	lea PROBE_STACK(%rbp), %rsp
	mov %rsp, %rax
	push $SEL_DATA
	push %rax
	push $FLAGS
	push $SEL_CODE32
	lea (probe_advance - probe_code)(%rbp), %rax
	push %rax
	iretq
	.globl probe_code_end
probe_code_end:

/* The same operations for ring 3; they end with a trap of their own. */
	.code32
	.balign PROBE_STUB
	.globl probe_user
probe_user:
	op int3
	op mov (%ebx), %eax; int3
	op mov %ecx, (%ebx); int3
	op jmp *%ebx
	op mov %cl, (%ebx); int3
	op mov %cx, (%ebx); int3
	.globl probe_user_end
probe_user_end:

	.section .note.GNU-stack, "", @progbits
