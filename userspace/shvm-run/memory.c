// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest RAM: one anonymous mapping that the host may swap, merge and back with huge pages.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/diag.h"
#include "machine.h"

#define MEMORY_ALIGN (2ULL << 20) /* so that the host can use huge pages */

void memory_create(struct machine *m, u64 size)
{
	struct guest_memory *mem = &m->mem;
	u8 *map;

	map = mmap(NULL, size + MEMORY_ALIGN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		die("give less with --mem, or raise ulimit -v",
		    "cannot map %llu MiB of guest memory: %s", (unsigned long long)size >> 20,
		    strerror(errno));
	map += -(uintptr_t)map & (MEMORY_ALIGN - 1);
	mem->host = map;
	mem->size = size;
	mem->low = size < GPA_HOLE ? size : GPA_HOLE;
	hv_memory_add(&m->hv, 0, map, mem->low);
	if (size > mem->low)
		hv_memory_add(&m->hv, GPA_4G, map + mem->low, size - mem->low);
}

void *memory_at(struct machine *m, u64 gpa, u64 len)
{
	struct guest_memory *mem = &m->mem;
	u64 base = 0, size = mem->low;

	if (gpa >= GPA_4G) {
		base = GPA_4G;
		size = mem->size - mem->low;
	}
	if (gpa - base >= size || len > size - (gpa - base))
		return NULL;
	return mem->host + (base ? mem->low : 0) + (gpa - base);
}
