/* SPDX-License-Identifier: GPL-2.0-only */
/* get_unaligned() and put_unaligned(): Linux 6.12 moved the header. */
#ifndef SHVM_COMPAT_UNALIGNED_H
#define SHVM_COMPAT_UNALIGNED_H

#include <linux/version.h>

#if KERNEL_VERSION(6, 12, 0) <= LINUX_VERSION_CODE
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#endif
