// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transparent huge pages of the process.
 */
#include <stdio.h>

#include "huge.h"
#include "shvm_test.h"

void *huge_area(size_t size)
{
	size_t i;
	char *p;

	p = mmap(NULL, size + HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0);
	if (p == MAP_FAILED)
		test_die("no memory");
	p = (char *)(((u64)p + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	if (madvise(p, size, MADV_HUGEPAGE))
		return NULL;
	for (i = 0; i < size; i += HUGE_SIZE)
		*(volatile char *)(p + i) = 0;
	return p;
}

bool huge_is(const void *area)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start = 0, end = 0;
	bool inside = false, huge = false;
	char line[256];
	long kb;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (u64)area && (u64)area < end;
		else if (inside && sscanf(line, "AnonHugePages: %ld", &kb) == 1)
			huge = kb >= (long)(HUGE_SIZE >> 10);
	}
	if (f)
		fclose(f);
	return huge;
}
