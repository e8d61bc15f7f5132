/* SPDX-License-Identifier: GPL-2.0-only */
/* User-space stand-in: stricter than the kernel's, the index must have been checked before. */
#ifndef SHIM_LINUX_NOSPEC_H
#define SHIM_LINUX_NOSPEC_H

#include <assert.h>

static inline unsigned long array_index_nospec(unsigned long index, unsigned long size)
{
	assert(index < size);
	return index;
}

#endif /* SHIM_LINUX_NOSPEC_H */
