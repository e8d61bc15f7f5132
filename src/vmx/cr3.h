/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A load of CR3 as the entry loop does it, for the exit of the instruction and for clusters.
 */
#ifndef SHVM_VMX_CR3_H
#define SHVM_VMX_CR3_H

#include <asm/processor-flags.h>

#include "../mmu/root_cache.h"
#include "../vcpu.h"

#define CR3_NOFLUSH	BIT_ULL(63)

/* May it look for the root, or only where that was found last? */
enum cr3_effort { CR3_SHORT, CR3_SEARCH };

/* False: nothing happened; values that need #GP are left to the slow way. Interrupts off. */
static __always_inline bool cr3_try_load(struct shvm_vcpu *vcpu, u64 val, enum cr3_effort effort)
{
	bool noflush = val & CR3_NOFLUSH;

	val &= ~CR3_NOFLUSH;
	if (unlikely((noflush && !(vcpu->cr4 & X86_CR4_PCIDE)) ||
		     (val & vcpu->cpuid.cr3_reserved)))
		return false;
	if (!(effort == CR3_SHORT ? likely(shvm_mmu_load_cr3_short(&vcpu->mmu, val)) :
				    shvm_mmu_try_load_cr3(&vcpu->mmu, val, noflush)))
		return false;
	vcpu->cr3 = val;
	return true;
}

#endif
