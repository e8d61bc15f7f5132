/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For comparison: every fault takes mmu->lock for itself alone, as in KVM's shadow MMU. Included
 * before each source of src/mmu; what it includes itself is not touched.
 */
#ifndef EXCLUSIVE_H
#define EXCLUSIVE_H

#include "mmu/locks.h"

#define shvm_lock_mmu_read(mmu)		shvm_lock_mmu_write(mmu)
#define shvm_unlock_mmu_read(mmu)	shvm_unlock_mmu_write(mmu)

#endif
