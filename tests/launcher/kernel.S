/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest "kernels" that a launcher can boot: a bzImage header and one program, chosen by
 * PROGRAM_name. Each ends through one of the launcher's ways out. The program "devices" looks at
 * the machine and gives the number of the first check that failed to the debug-exit port. The
 * 32-bit entry is the same for all: it looks at what the boot protocol promises of the CPU.
 */
#ifndef VERSION
#define VERSION 0x020f
#endif
#ifndef XLOADFLAGS
#define XLOADFLAGS 1			/* has a 64-bit entry */
#endif

#ifndef LOADFLAGS
#define LOADFLAGS 1			/* loaded high */
#endif

#ifndef INIT_SIZE
#define INIT_SIZE 0x1000000
#endif

#define DEBUG_EXIT 0xf4
#define PM1_CONTROL 0x604
#define UART 0x3f8

.macro	outb_imm port, value
	mov	$\port, %dx
	mov	$\value, %al
	out	%al, %dx
.endm

.macro	inb_port port
	mov	$\port, %dx
	in	%dx, %al
.endm

	.code64
	.globl _start
_start:
	.org	0x1f1
	.byte	1				/* setup_sects */
	.org	0x1f4
	.long	(image_end - image) / 16	/* syssize */
	.org	0x1fe
	.word	0xaa55
	.byte	0xeb, 0x6a			/* the header ends at 0x26c */
	.ascii	"HdrS"
	.word	VERSION
	.org	0x211
	.byte	LOADFLAGS
	.org	0x22c
	.long	0x7fffffff			/* initrd_addr_max */
	.org	0x236
	.word	XLOADFLAGS
	.long	255				/* cmdline_size */
	.org	0x258
	.quad	0x1000000			/* pref_address */
	.long	INIT_SIZE
	.org	0x400

image:						/* at 1 MiB in the guest */
	.code32
/* Fails with the number of the check, counted in ecx, unless the flags say "equal". */
.macro	expect32
	jne	fail32
	inc	%ecx
.endm

entry32:
	mov	%ebx, %edx
	or	%ebp, %edx
	or	%edi, %edx
	mov	$1, %ecx
	test	%edx, %edx
	expect32
	mov	$0x100000 + stack - image, %esp
	pushf
	pop	%eax
	and	$0x00020200, %eax		/* VM, IF */
	expect32
	mov	%cr0, %eax
	and	$0x80000001, %eax		/* PG, PE */
	cmp	$1, %eax
	expect32
	mov	%cr4, %eax
	test	$0x20, %eax			/* PAE */
	expect32
	mov	%cs, %eax
	cmp	$0x10, %ax
	expect32
	mov	%ds, %eax
	mov	%es, %edx
	mov	%ss, %ebx
	and	%edx, %eax
	and	%ebx, %eax
	or	%edx, %ebx
	cmp	$0x18, %ax
	expect32
	cmp	$0x18, %bx
	expect32
	cmpl	$0x53726448, 0x202(%esi)	/* boot_params */
	expect32
	/* The loaded GDT describes them: flat, 4 GiB. */
	sub	$8, %esp
	sgdt	(%esp)
	mov	2(%esp), %ebx
	cmpl	$0x0000ffff, 0x10(%ebx)
	expect32
	cmpl	$0x00cf9b00, 0x14(%ebx)
	expect32
	cmpl	$0x0000ffff, 0x18(%ebx)
	expect32
	cmpl	$0x00cf9300, 0x1c(%ebx)
	expect32
	/* Segments can be loaded anew, and the code is 32-bit: in 64-bit mode 0x40 is a prefix. */
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %ss
	ljmp	$0x10, $0x100000 + 1f - image
1:
	xor	%eax, %eax
	.byte	0x40				/* inc %eax */
	nop
	cmp	$1, %eax
	expect32
	mov	$0x100000 + hello32 - image, %esi
	mov	$UART, %dx
1:
	lodsb
	test	%al, %al
	jz	2f
	out	%al, %dx
	jmp	1b
2:
#if defined(PROGRAM_paging2)
	/* The first 4 MiB also at 0x80000000, by two-level paging. */
	movl	$0x83, 0x5000
	movl	$0x83, 0x5800
	mov	%cr4, %eax
	or	$0x10, %eax			/* PSE */
#elif defined(PROGRAM_pae)
	/* The first 2 MiB also at 0x80000000, by PAE paging. */
	movl	$0x6001, 0x5000
	movl	$0x6001, 0x5010
	movl	$0x83, 0x6000
	mov	%cr4, %eax
	or	$0x20, %eax			/* PAE */
#endif
#if defined(PROGRAM_paging2) || defined(PROGRAM_pae)
	mov	%eax, %cr4
	mov	$0x5000, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	mov	$0x80100000 + 3f - image, %eax
	jmp	*%eax
#elif !defined(PROGRAM_spin)
	xor	%ecx, %ecx
	jmp	fail32
#endif
3:
	/* As in the 64-bit spin below. */
	sti
	jmp	.
fail32:
	mov	%ecx, %eax
	mov	$DEBUG_EXIT, %dx
	out	%al, %dx
	jmp	.
hello32:
	.asciz	"32-bit entry\n"
	.org	0x600

	.code64
.macro	print label
	lea	\label(%rip), %rsi
	call	print_string
.endm

/* Fails with the number of the check unless the flags say "equal". */
.macro	check number
	mov	$\number, %edi
	jne	fail
.endm

	mov	%rsi, %r15			/* boot_params */
	lea	stack(%rip), %rsp

#if defined(PROGRAM_poweroff)
	print	hello
	mov	$PM1_CONTROL, %dx
	mov	$(5 << 10 | 1 << 13), %ax
	out	%ax, %dx
#elif defined(PROGRAM_reset)
	outb_imm 0x64, 0xfe
#elif defined(PROGRAM_exit0)
	outb_imm DEBUG_EXIT, 0
#elif defined(PROGRAM_exit7)
	outb_imm DEBUG_EXIT, 7
#elif defined(PROGRAM_exit255)
	outb_imm DEBUG_EXIT, 255
#elif defined(PROGRAM_halt)
	cli
	hlt
#elif defined(PROGRAM_halted)
	print	system_halted
	cli
	hlt
#elif defined(PROGRAM_triple)
	lidt	no_idt(%rip)
	ud2
#elif defined(PROGRAM_triple_restart)
	print	machine_restart
	lidt	no_idt(%rip)
	ud2
#elif defined(PROGRAM_panic)
	print	kernel_panic
	outb_imm 0x64, 0xfe
#elif defined(PROGRAM_spin)
	print	prompt
	mov	$0x1234567890abcdef, %rbx
	/* None comes, but Bochs holds back the host's interrupts while a guest runs with IF=0. */
	sti
#elif defined(PROGRAM_echo)
	/* The first PIC at vector 20, all but IRQ 4 masked; the handler does all the work. */
	lea	irq4(%rip), %rax
	lea	idt + 0x24 * 16(%rip), %rbx
	mov	%ax, (%rbx)
	movw	$0x10, 2(%rbx)
	movw	$0x8e00, 4(%rbx)
	shr	$16, %rax
	mov	%ax, 6(%rbx)
	lea	idt(%rip), %rax
	mov	%rax, idt_pointer + 2(%rip)
	lidt	idt_pointer(%rip)
	outb_imm 0x20, 0x11
	outb_imm 0x21, 0x20
	outb_imm 0x21, 0x04
	outb_imm 0x21, 0x01
	outb_imm 0x21, 0xef
	outb_imm UART + 4, 0x08
	outb_imm UART + 2, 0x07
	outb_imm UART + 1, 0x01
1:
	sti
	hlt
	jmp	1b
irq4:
	inb_port UART + 5
	test	$1, %al
	jz	2f
	inb_port UART
	cmp	$'q', %al
	je	quit
	mov	$UART, %dx
	out	%al, %dx
	jmp	irq4
2:
	outb_imm 0x20, 0x20
	iretq
quit:
	outb_imm DEBUG_EXIT, 0
#elif defined(PROGRAM_devices)
	/* An empty bus: ports, PCI configuration, memory. */
	inb_port 0x2fd
	cmp	$0xff, %al
	check	1
	mov	$0xcfc, %dx
	in	%dx, %eax
	cmp	$-1, %eax
	check	2
	mov	$0xd0000000, %eax
	mov	(%rax), %rbx
	movq	$0, (%rax)
	cmp	$-1, %rbx
	check	3

	/* Clock: valid, and seconds in BCD. */
	outb_imm 0x70, 0x0d
	inb_port 0x71
	cmp	$0x80, %al
	check	4
	outb_imm 0x70, 0x00
	inb_port 0x71
	mov	%al, %bl
	and	$0x0f, %bl
	cmp	$0x0a, %bl
	sbb	%ecx, %ecx
	cmp	$0x5a, %al
	sbb	%ebx, %ebx
	and	%ecx, %ebx
	cmp	$-1, %ebx
	check	5

	/* UART: scratch, divisor latch, loopback of the modem lines and of data, 16550A. */
	outb_imm UART + 7, 0x5a
	inb_port UART + 7
	cmp	$0x5a, %al
	check	6
	outb_imm UART + 3, 0x83
	outb_imm UART, 0x34
	inb_port UART
	cmp	$0x34, %al
	check	7
	outb_imm UART + 3, 0x03
	outb_imm UART + 4, 0x1a
	inb_port UART + 6
	and	$0xf0, %al
	cmp	$0x90, %al
	check	8
	outb_imm UART, 0x77
	inb_port UART + 5
	cmp	$0x61, %al
	check	9
	inb_port UART
	cmp	$0x77, %al
	check	10
	outb_imm UART + 4, 0x00
	outb_imm UART + 2, 0x01
	inb_port UART + 2
	cmp	$0xc1, %al
	check	11
	/* The transmitter's interrupt: pending when it is enabled, gone once IIR was read. */
	outb_imm UART + 1, 0x02
	inb_port UART + 2
	cmp	$0xc2, %al
	check	12
	inb_port UART + 2
	cmp	$0xc1, %al
	check	13
	outb_imm UART + 1, 0x00

	/* Power management block and keyboard controller. */
	mov	$0x602, %dx
	mov	$0x0120, %ax
	out	%ax, %dx
	in	%dx, %ax
	cmp	$0x0120, %ax
	check	14
	inb_port PM1_CONTROL
	cmp	$1, %al
	check	15
	inb_port 0x64
	cmp	$0, %al
	check	16

	/* RSDP: signature and sum. */
	mov	$0xe0000, %esi
	mov	rsd_ptr(%rip), %rax
	cmp	%rax, (%rsi)
	check	17
	xor	%eax, %eax
	mov	$36, %ecx
1:
	add	(%rsi), %al
	inc	%rsi
	loop	1b
	cmp	$0, %al
	check	18

	/* What the loader promised: header copied, command line, memory map, initrd. */
	cmpl	$0x53726448, 0x202(%r15)
	check	19
	mov	0x228(%r15), %esi
	cmpl	$0x736e6f63, (%rsi)		/* "cons" */
	check	20
	cmpb	$5, 0x1e8(%r15)			/* e820_entries */
	check	21
	mov	0x218(%r15), %esi
	cmpl	$0x74736574, (%rsi)		/* "test" */
	check	22
	cmpl	$4, 0x21c(%r15)
	check	23

	/* CPUID: no LAPIC, no leaves of the hypervisor. */
	mov	$1, %eax
	cpuid
	test	$(1 << 9), %edx
	check	24
	mov	$0x40000000, %eax
	cpuid
	cmp	$0x4b4d564b, %ebx		/* "KVMK" */
	sete	%al
	cmp	$0, %al
	check	25
	outb_imm DEBUG_EXIT, 0
#elif defined(PROGRAM_paging2) || defined(PROGRAM_pae)
	/* What they do comes after the 32-bit entry. */
#else
#error "no program"
#endif

hang:
	jmp	hang

fail:
	mov	%edi, %eax
	mov	$DEBUG_EXIT, %dx
	out	%al, %dx
	jmp	hang

print_string:
	lodsb
	test	%al, %al
	jz	1f
	mov	$UART, %dx
	out	%al, %dx
	jmp	print_string
1:
	ret

hello:
	.asciz	"hello\n"
prompt:
	.asciz	"no newline"
system_halted:
	.asciz	"[    1.000000] reboot: System halted\r\n"
machine_restart:
	.asciz	"reboot: machine restart\r\n"
kernel_panic:
	.asciz	"Kernel panic - not syncing: test\r\n"
rsd_ptr:
	.ascii	"RSD PTR "
no_idt:
	.word	0
	.quad	0
	.balign	16
idt_pointer:
	.word	0xfff
	.quad	0
	.balign	16
idt:
	.fill	256 * 16, 1, 0
	.fill	512, 1, 0
	.balign	16
stack:
	.balign	16
image_end:
