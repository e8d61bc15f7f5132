/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A 32-bit program that takes events of every kind in ring 0 and in ring 3 and logs what the CPU
 * pushed for them. It is copied into a block of guest memory that it runs in at any address.
 */
#ifndef SHVM_SELFTESTS_EVENTS32_H
#define SHVM_SELFTESTS_EVENTS32_H

/* Offsets in the block. */
#define EVENTS_CODE	0x0000		/* ring 0; the handlers too */
#define EVENTS_USER	0x1000		/* ring 3 */
#define EVENTS_USTACK	0x3000		/* end of it */
#define EVENTS_STACK	0x4000		/* end of that of ring 0 */
#define EVENTS_IDT	0x4000
#define EVENTS_LOG	0x5000		/* first word: entries that follow */
#define EVENTS_SIZE	0x6000

#define EVENTS_ABSENT	0xc0000124	/* nothing is mapped there */

/* What the program asks the host for, by a report with this value. */
#define EVENTS_NMI	1
#define EVENTS_IRQ	2

#define EVENTS_IRQ_VECTOR	0x90
#define EVENTS_LAST_VECTOR	0x81	/* from ring 3: back to ring 0 for good */

#define EVENTS_SHIFT	6		/* of the size of struct event32 */
#define EVENTS_STUB	16		/* bytes of an entry point */

#ifndef __ASSEMBLER__

#include "shvm_test.h"

struct event32 {
	u32 vector, error, eip, cs, eflags, esp, ss, cr2;
	u32 handler_esp;	/* where EIP was pushed */
	u32 unused[7];
};

/* What should come, in this order; eip is relative to the block. */
struct event32_want {
	u32 vector, error, eip, ring, flags;
};

extern char events32_code[], events32_code_end[], events32_stubs[];
extern const struct event32_want events32_want[], events32_want_end[];
extern const u8 events32_vectors[], events32_vectors_end[];

#endif
#endif
