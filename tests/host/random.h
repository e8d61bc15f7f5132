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

/*
 * A slot that the host may map huge. It begins and ends within a block, so two of its four groups
 * of 2 MiB may be large pages; tables are in the first of these. And a read-only one. The
 * alignment of slot 1 forbids large pages, whatever the host does.
 */
#define BIG		0x1180
#define BIG_PAGES	(0x80 + 2 * BLOCK + 0x40)
#define BIG_PAGE	(3 * BLOCK + 0x180)
#define BIG_TABLES	0x1200
#define BIG_BLOCK	4		/* of the VMM's memory: with tables; then without */
#define BIG_RO		0x2000
#define BIG_RO_BLOCK	7

void guest_start(u64 seed, u64 percent_big);	/* of tables that are in BIG */
u64 rnd_word(void);
u64 rnd(u64 n);				/* below n */
bool chance(u64 percent);

u64 pick_index(int level);		/* of an entry, in a table of 8-byte entries */
u64 pick_index_32(void);
int usual_level(u64 frame);
u64 pick_table(int level);		/* frames */
u64 pick_page(void);
u64 pick_big(void);
u64 pick_large(void);
bool is_table(u64 frame);
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
