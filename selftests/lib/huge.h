/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that the host maps by 2 MiB at a time.
 */
#ifndef SHVM_SELFTESTS_HUGE_H
#define SHVM_SELFTESTS_HUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#define HUGE_SIZE	0x200000ul

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* Aligned, filled with zeros by transparent huge pages; NULL: the kernel has none. */
void *huge_area(size_t size);
/* The mapping that holds the address has a huge page. */
bool huge_is(const void *area);

#endif
