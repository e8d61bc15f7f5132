/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the directed tests share: a small guest with a set of tables, and ways to change them and
 * to use them.
 */
#ifndef STORY_H
#define STORY_H

#include "machine.h"
#include "sdm.h"

#define P	E_P
#define W	E_W
#define U	E_U
#define A	E_A
#define D	E_D
#define PS	E_PS
#define NX	E_NX
#define ALL	(P | W | U)

#define RESERVED	(PF_P | PF_RSVD)	/* the error code where a reserved bit is set */

/* Tables of the story; data is from frame 64 on, and from 0x200 on a slot of 2M and a bit. */
enum { ROOT = 16, L3 = 17, L2 = 18, L1 = 19, OTHER = 20, DATA = 64, BIG = 0x200 };

/* For the stories of other formats: PDPTEs, 4 PAE directories, two-level directory and tables. */
enum { PDPT = 21, PD = 22, PD32 = 26, PT32 = 27, SPARE = 30 };

/* A 4-level guest; PD leads to L1 as L2 does, PD32 to PT32 with the same pages as L1. */
void story_begin(int nr_vcpus);
void story_end(void);
/* Into the format, with the tables of the story. */
void story_format(struct vcpu *v, enum oracle_format format);

static inline u64 at(u64 i4, u64 i3, u64 i2, u64 i1)
{
	u64 addr = i4 << 39 | i3 << 30 | i2 << 21 | i1 << 12;

	return i4 & 256 ? addr | 0xffff000000000000ULL : addr;
}

static inline u64 at_pae(u64 i3, u64 i2, u64 i1)
{
	return i3 << 30 | i2 << 21 | i1 << 12;
}

static inline u64 at_32(u64 i2, u64 i1)
{
	return i2 << 22 | i1 << 12;
}

/* A change by the host or a device, seen by nobody. */
void poke(u64 table, u32 index, u64 entry);
void poke_32(u64 table, u32 index, u32 entry);
/* A change by an instruction of the guest that was trapped and emulated. */
void store(struct vcpu *v, u64 table, u32 index, u64 entry);
void store_32(struct vcpu *v, u64 table, u32 index, u32 entry);
void store_bytes(struct vcpu *v, u64 at, const void *bytes, u32 len);
u64 entry_of(u64 table, u32 index);
u32 entry_32(u64 table, u32 index);

struct outcome act(struct vcpu *v, enum kind what, bool user, u64 addr);
void expect(struct vcpu *v, enum kind what, bool user, u64 addr, enum outcome_kind want);
void expect_fault(struct vcpu *v, enum kind what, u64 addr, u32 error);
/* A store by an instruction of the guest itself, as to its tables through a map of them. */
void store_at(struct vcpu *v, u64 addr, u64 value, u32 len);
/* Where tables were changed behind the module: any outcome but trouble. */
void touch(struct vcpu *v, enum kind what, u64 addr);
/* Every access by everybody through an address; the oracle judges. */
void try_all(struct vcpu *v, u64 addr, unsigned int order);
int set_bit_of(struct vcpu *v, u64 cr0, u64 cr4, u64 efer);

#endif
