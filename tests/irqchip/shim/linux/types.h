/* SPDX-License-Identifier: GPL-2.0-only */
/* User-space stand-in: the kernel's integer types and the few helpers that every file sees. */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define U64_MAX ((u64)-1)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* A kernel warning is a failed test. */
#define WARN_ON_ONCE(condition) ((condition) ? abort(), true : false)

#endif /* SHIM_LINUX_TYPES_H */
