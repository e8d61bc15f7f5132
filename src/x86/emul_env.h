/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the instruction emulator needs from its surroundings, in the kernel and in user space.
 * The emulator includes nothing else from outside, so that the very same code is compared
 * with the CPU by tests/emul.
 */
#ifndef SHVM_X86_EMUL_ENV_H
#define SHVM_X86_EMUL_ENV_H

#ifdef __KERNEL__

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/types.h>

#else

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#ifndef BIT_ULL
#define BIT_ULL(n) (1ULL << (n))
#endif
#ifndef fallthrough
#define fallthrough __attribute__((__fallthrough__))
#endif
#ifndef min_t
#define min_t(type, a, b) ({ type min_a = (a); type min_b = (b); min_a < min_b ? min_a : min_b; })
#endif
#ifndef max_t
#define max_t(type, a, b) ({ type max_a = (a); type max_b = (b); max_a > max_b ? max_a : max_b; })
#endif
#ifndef array_index_nospec
#define array_index_nospec(index, size) (index)
#endif

#endif /* __KERNEL__ */

#endif /* SHVM_X86_EMUL_ENV_H */
