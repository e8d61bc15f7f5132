/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the model of the host: frames, and the page tables that lead to them. Frames are numbers
 * from FRAME_BASE on.
 */
#ifndef HOST_H
#define HOST_H

#include "machine.h"

#define GIANT_FRAME	0x40000
#define GIANT_SIZE	((size_t)GIANT_PAGES * SHVM_PAGE_SIZE)

/* --- frames.c --- */
void frames_init(void);
void frames_check_free(void);		/* no machine is there, so none is in use */
void *sparse_alloc(size_t size);
void sparse_zero(void *at, size_t size);
int frame_new(const u8 *contents);	/* NULL: zeros */
void frame_put(int frame);
int group_get(void);			/* the first of BLOCK frames, or -1 */
u8 *frame_memory(int frame);
void frame_touch(int frame);
bool frame_is_zero(int frame);		/* nobody has touched it */
void giant_clear(void);

/* Guest memory, by relaxed atomic accesses. */
void mem_read(const u8 *from, void *to, u32 len);
void mem_write(u8 *to, const void *from, u32 len);
int mem_cmpxchg(u8 *at, const void *old, const void *new, u32 len);	/* 1: lost */

/* --- host_pages.c --- */
u64 page_at(hva_t at);
u8 *page_memory(u64 page, bool write);	/* mm_lock is held; NULL: it would fault */
int fault_in(u64 page, bool write);	/* 0 or -EFAULT */
void let_others_run(void);		/* if nothing is held and no invalidation is under way */

#endif
