/* SPDX-License-Identifier: GPL-2.0-only */
/* User-space stand-in: stricter than the kernel's, the index must have been checked before. */
#ifndef SHIM_LINUX_NOSPEC_H
#define SHIM_LINUX_NOSPEC_H

#include <assert.h>

#define array_index_nospec(index, size) ({ assert((index) < (size)); (index); })

#endif /* SHIM_LINUX_NOSPEC_H */
