/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit qualifications of accesses to control and debug registers and to ports (SDM tables 28-3 to
 * 28-5), and the general registers that they name.
 */
#ifndef SHVM_VMX_EXIT_FIELDS_H
#define SHVM_VMX_EXIT_FIELDS_H

#include <linux/build_bug.h>

#include "../vcpu.h"
#include "vmx.h"

enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };

#define CR_NUMBER(q)	((q) & 0xf)
#define CR_AND_ACCESS(q) ((q) & 0x3f)
#define CR_ACCESS(q)	((enum cr_access)(((q) >> 4) & 3))
#define CR_GPR(q)	(((q) >> 8) & 0xf)
#define CR_LMSW_SOURCE(q) ((u16)((q) >> 16))

#define DR_NUMBER(q)	((q) & 7)
#define DR_IS_READ(q)	((q) & BIT(4))
#define DR_GPR(q)	(((q) >> 8) & 0xf)

/* CR_GPR() and DR_GPR() are masks: no speculation gets out of the array. */
static_assert(SHVM_NR_GPRS == 16);

/* The operand has 64 bits in 64-bit code, else 32. */
static inline u64 gpr_read(struct shvm_vcpu *vcpu, unsigned int gpr)
{
	u64 val = unlikely(gpr == SHVM_RSP) ? shvm_vmx_rsp(vcpu) : vcpu->gpr[gpr];

	if (val >> 32 && !shvm_vmx_is_64bit(vcpu))
		val = (u32)val;
	return val;
}

static inline void gpr_write(struct shvm_vcpu *vcpu, unsigned int gpr, u64 val)
{
	if (val >> 32 && !shvm_vmx_is_64bit(vcpu))
		val = (u32)val;
	if (unlikely(gpr == SHVM_RSP))
		shvm_vmx_set_rsp(vcpu, val);
	else
		vcpu->gpr[gpr] = val;
}

#define IO_SIZE(q)	(((q) & 7) + 1)
#define IO_IN		BIT(3)
#define IO_STRING	BIT(4)
#define IO_PORT(q)	((u16)((q) >> 16))

#endif
