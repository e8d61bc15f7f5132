/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <stdlib.h>

#define GFP_KERNEL_ACCOUNT 0
#define kzalloc(size, gfp) ((void)(gfp), calloc(1, (size)))
#define kfree(p) free(p)

#endif /* SHIM_LINUX_SLAB_H */
