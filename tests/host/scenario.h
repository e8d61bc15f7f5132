/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stories of the controlled scheduler share: their guest, and what threads do in them.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include "sched.h"
#include "sdm.h"

/* Guest frames of slot 0. One address space and its twin; T becomes a table late. */
#define ROOT_A		1
#define L3		2
#define L2		3
#define L1		4
#define ROOT_B		5
#define T		6
#define DATA		16
#define NR_DATA		8
#define SLOT0_PAGES	96
#define LARGE_SLOT	2	/* where a scenario wants it: a block of the host, that is huge */
#define LARGE		0x400
#define LARGE_PAGE	BLOCK
#define LARGE_BLOCK	1
#define LT		(LARGE + 5)	/* a frame in it that becomes a table */
#define LT2		(LARGE + 6)
#define MOVING		1	/* slot 1 */
#define MOVING_BASE	0x200
#define MOVING_PAGE	256

#define RIGHTS		(E_P | E_W | E_U | E_A | E_D)
#define VIA_L1(i)	((u64)(i) << 12)
#define VIA_T(i)	(1ULL << 21 | (u64)(i) << 12)
#define VA_MOVING	VIA_L1(3)
#define VA_OF_T		VIA_L1(4)
#define VA_OF_L1	VIA_L1(5)
#define VA_READONLY	VIA_L1(6)
#define VIA_LARGE(i)	(2ULL << 21 | (u64)(i) << 12)
#define VIA_LT(i)	(3ULL << 21 | (u64)(i) << 12)
#define VIA_LT2(i)	(4ULL << 21 | (u64)(i) << 12)
#define LARGE_ENTRY	((u64)LARGE << 12 | E_PS | RIGHTS)
#define ENTRY(table, i)	((u64)(table) << 12 | (i) * 8)

#define vcpu_of(i)	(&machine->vcpu[i])

void poke_entry(u64 at, u64 value);	/* before threads run */
/* May end in anything if the tables change meanwhile, but not in nothing. */
struct outcome access_data(struct vcpu *v, u64 addr, enum kind kind, u64 value);
void load(struct vcpu *v, u64 addr);
void load_part(struct vcpu *v, u64 addr);	/* of a large page, one small one */
void store(struct vcpu *v, u64 addr, u64 value);
/* The guest stores to a table through its mapping of it. */
void edit_by_guest(struct vcpu *v, u64 addr, u64 table, int i, u64 value);
void edit_by_kernel(struct vcpu *v, u64 addr, u64 table, int i, u64 value);
/* The emulator stores to a table. */
void edit(struct vcpu *v, u64 table, int i, u64 value);
/* A vCPU whose thread has nothing to do stays in the guest until somebody wants it out. */
void linger(struct vcpu *v);

#endif
