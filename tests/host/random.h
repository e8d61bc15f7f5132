/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest of the random test: where its tables are, what is in them, and what it might do next.
 * All of it is drawn from one stream of random numbers.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include "machine.h"

/* Guest frames. Tables have a usual level, but any may be used as any, in any format. */
#define TABLES		16
#define NR_TABLE_FRAMES	48
#define DATA		64
#define RO_BASE		0x601
#define MOVING		3		/* slot that comes, goes and moves */

void rnd_start(u64 seed);
u64 rnd_word(void);
u64 rnd(u64 n);				/* below n */
bool chance(u64 percent);

u64 pick_index(int level);		/* of an entry, in a table of 8-byte entries */
u64 pick_index_32(void);
int usual_level(u64 frame);
u64 pick_table(int level);		/* frames */
u64 pick_page(void);
u64 pick_pdpt(void);			/* an address */
u64 pick_cr3(enum oracle_format format);
u64 pick_addr_64(void);

/* What an entry at this level could be; that of a two-level guest; a PDPTE. */
u64 make_entry(int level);
u32 make_entry_32(int level);
u64 make_pdpte(void);

/* The first contents of all tables. */
void make_tables(void);
/* Can the vCPU store to this guest-physical address by its map of all memory? At what address? */
bool linear_works(const struct vcpu *v, u64 at, u64 *addr);

#endif
