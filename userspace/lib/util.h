/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few types and macros that user space has under other names than the kernel, or not at all.
 */
#ifndef SHVM_USERSPACE_UTIL_H
#define SHVM_USERSPACE_UTIL_H

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))

#define __noreturn __attribute__((__noreturn__))
#define __printf(fmt, args) __attribute__((__format__(__printf__, fmt, args)))

#endif
