/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_BITOPS_H
#define SHIM_LINUX_BITOPS_H

#include <linux/bits.h>
#include <linux/types.h>

#define __ffs(word) ((unsigned long)__builtin_ctzl(word))

static inline u8 ror8(u8 word, unsigned int shift)
{
	return word >> (shift & 7) | word << (-shift & 7);
}

#endif /* SHIM_LINUX_BITOPS_H */
