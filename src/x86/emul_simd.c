// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores of XMM registers: the vector instructions that a guest may use on its page tables. Loads
 * are never trapped there. MMX is left out, for its stores also change x87 state; so is AVX.
 */
#include "emul_internal.h"

/* SDM vol. 3, 13.1: what comes before the operand is looked at. */
static enum shvm_emul_result sse_check(struct shvm_emul *e)
{
	if (e->cr0 & CR0_EM_BIT || !(e->cr4 & CR4_OSFXSR_BIT))
		return emul_ud(e);
	if (e->cr0 & CR0_TS_BIT)
		return shvm_emul_fault(e, VEC_NM, false, 0);
	return EMUL_OK;
}

/* Alignment is checked before paging, and with #GP in any segment. */
enum shvm_emul_result emul_exec_store_xmm(struct shvm_emul *e)
{
	const struct emul_insn *d = &e->d;
	u32 flags = d->op->flags;
	enum shvm_emul_result r;
	u8 val[16];
	u64 la;

	r = sse_check(e);
	if (r != EMUL_OK)
		return r;
	r = emul_linear(e, d->seg, d->ea, d->msize, true, &la);
	if (r != EMUL_OK)
		return r;
	if (flags & INSN_ALIGNED && la & 15)
		return emul_gp(e);
	r = e->ops->read_xmm(e, d->reg, val);
	if (r != EMUL_OK)
		return r;
	return e->ops->write(e, la, flags & INSN_HIGH ? val + 8 : val, d->msize);
}
