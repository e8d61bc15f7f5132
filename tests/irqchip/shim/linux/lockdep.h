/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_LOCKDEP_H
#define SHIM_LINUX_LOCKDEP_H

#include <assert.h>

#define lockdep_assert_held(lock) assert((lock)->held)

#endif /* SHIM_LINUX_LOCKDEP_H */
