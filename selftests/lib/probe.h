/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small guest that does what the host tells it, one command after another, with paging off and in
 * every paging format: accesses as supervisor and user, stores to control registers. Each command
 * ends with what came of it, a fault or a value, and may carry what the test wants that to be.
 *
 * It is 32-bit code, in long mode as well (compatibility mode), so one program sees all formats.
 * Code, descriptor tables, stack and commands are one block of memory that runs wherever it is
 * mapped, so each vCPU has its own.
 */
#ifndef SHVM_SELFTESTS_PROBE_H
#define SHVM_SELFTESTS_PROBE_H

/* Offsets in the block. */
#define PROBE_CODE	0x0000
#define PROBE_USER	0x1000		/* the page that ring 3 runs on */
#define PROBE_DATA	0x2000		/* first word: the next command */
#define PROBE_LIDT32	0x2010
#define PROBE_LIDT64	0x2020
#define PROBE_GDT	0x2100
#define PROBE_TSS	0x2200
#define PROBE_IDT32	0x2400
#define PROBE_IDT64	0x2600
#define PROBE_STACK	0x4000		/* end of it */
#define PROBE_LIST	0x4000
#define PROBE_SIZE	0x10000

#define PROBE_STUB	32		/* bytes of an operation's code */
#define PROBE_GATE	16		/* and of an entry point */

/* Operations; those up to PROBE_LAST_USER also from ring 3. */
#define PROBE_END	0
#define PROBE_READ	1
#define PROBE_WRITE	2
#define PROBE_FETCH	3		/* what lies there is INT3 */
#define PROBE_WRITE8	4		/* the names of these are bits */
#define PROBE_WRITE16	5
#define PROBE_LAST_USER	5
#define PROBE_WRITE64	6		/* LOCK CMPXCHG8B */
#define PROBE_WRITE64X	7		/* MOVQ of XMM0 */
#define PROBE_CR0	8
#define PROBE_CR3	9
#define PROBE_CR4	10
#define PROBE_EFER	11
#define PROBE_INVLPG	12
#define PROBE_LIDT	13
#define PROBE_GET_CRS	14		/* value: CR0, value_hi: CR3 */
#define PROBE_READ64	15
#define PROBE_COPY	16		/* REP MOVSD from lo, hi words; must not fault */

#define PROBE_AS_USER	0x100
#define PROBE_AC	0x200		/* with EFLAGS.AC */

#define CMD_OP		0
#define CMD_ADDR	4
#define CMD_LO		8
#define CMD_HI		12
#define CMD_VECTOR	16
#define CMD_ERROR	20
#define CMD_CR2		24
#define CMD_VALUE	28
#define CMD_VALUE_HI	32
#define CMD_EIP		36
#define CMD_SIZE	40

#ifndef __ASSEMBLER__

#include "format.h"

struct probe_cmd {
	u32 op, addr, lo, hi;
	u32 vector, error, cr2, value, value_hi, eip;
};

#define PROBE_MAX_CMDS	((PROBE_SIZE - PROBE_LIST) / sizeof(struct probe_cmd))

/* What a command should come to; text names it in reports. */
struct probe_want {
	bool fault, value;
	u32 vector, error, cr2;
	u64 what;
	const char *text;
	long id;
};

struct probe {
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	u64 gpa;		/* of the block */
	u32 base;		/* linear address that it runs at */
	struct probe_cmd *cmds;
	struct probe_want want[PROBE_MAX_CMDS];
	int nr;			/* commands of the list, the rest of which is empty */
	/* Where the guest is after the commands so far; see probe_add_enter(). */
	struct format_env env;
	u64 cr3;
	int reports;
	bool crashed;		/* and cannot go on */
	struct guest_cpu cpu;	/* of the library; unused */
};

/* A vCPU whose probe is about to run with paging off. */
struct probe *probe_create(struct test_vm *vm, int id);
/* Makes it run at another linear address, which must be mapped by then. */
void probe_place(struct probe *p, u32 base);
/* Maps the probe in these tables at its own address; paging_create() has mapped all RAM. */
void probe_map(struct probe *p, struct paging *paging);

/* Another command. Without a further word it must not fault. */
void probe_add(struct probe *p, u32 op, u32 addr, u64 value);
/* Wishes for the last one. */
void probe_want_value(struct probe *p, u64 value);
void probe_want_fault(struct probe *p, u32 vector, u32 error, u32 cr2);
void probe_name(struct probe *p, const char *text, long id);

/* Entry of a table, by a store of its size; reading it must give what is written. */
void probe_add_entry(struct probe *p, int format, u64 entry_gpa, u64 value);
void probe_add_entry_check(struct probe *p, int format, u64 entry_gpa, u64 value);
/* A read that finds value, or the fault that says that nothing is mapped there. */
void probe_add_read(struct probe *p, u32 gva, u32 value);
void probe_add_absent(struct probe *p, u32 gva);

/* Loads of control registers, remembered in p->env. */
void probe_add_cr0(struct probe *p, u64 cr0);
void probe_add_cr3(struct probe *p, u64 cr3);
void probe_add_cr4(struct probe *p, u64 cr4);
void probe_add_efer(struct probe *p, u64 efer);
/*
 * The way to other tables, or to paging off (NULL), by MOV: out of what the probe is in, and into
 * the other. Control bits that have nothing to do with the format stay.
 */
void probe_add_enter(struct probe *p, struct paging *paging);
/* The same by user space, with these control bits. */
void probe_set_state(struct probe *p, struct paging *paging, u64 cr0, u64 cr4, u64 efer);

/* Runs the list and empties it: how many commands came to something else than they should. */
int probe_run(struct probe *p);
/* Runs the list and returns the exit, without judging. */
int probe_run_raw(struct probe *p);

#endif
#endif
