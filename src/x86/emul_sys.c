// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of ports, control and debug registers and other system instructions. Privilege is
 * checked from the table, except where a #UD comes first. The values of registers are checked by
 * the operations, which know the guest's CPU model.
 */
#include "emul_internal.h"

static u16 io_port(const struct shvm_emul *e)
{
	return e->d.op->imm != IMM_NONE ? e->d.imm & 0xff : e->regs.gpr[EMUL_RDX] & 0xffff;
}

enum shvm_emul_result emul_exec_in(struct shvm_emul *e)
{
	u16 port = io_port(e);
	enum shvm_emul_result r;
	u64 val = 0;

	r = emul_io_check(e, port, e->d.opsize);
	if (r != EMUL_OK)
		return r;
	r = e->ops->pio_in(e, port, e->d.opsize, 1, &val);
	if (r == EMUL_OK)
		emul_reg_write(e, EMUL_RAX, e->d.opsize, val);
	return r;
}

enum shvm_emul_result emul_exec_out(struct shvm_emul *e)
{
	u64 val = emul_reg_read(e, EMUL_RAX, e->d.opsize);
	u16 port = io_port(e);
	enum shvm_emul_result r;

	r = emul_io_check(e, port, e->d.opsize);
	return r == EMUL_OK ? e->ops->pio_out(e, port, e->d.opsize, 1, &val) : r;
}

/* Control and debug registers move whole, whatever the operand size. */
static u8 sysreg_size(const struct shvm_emul *e)
{
	return e->mode == EMUL_MODE64 ? 8 : 4;
}

static enum shvm_emul_result cr_check(struct shvm_emul *e)
{
	switch (e->d.reg) {
	case 0:
	case 2:
	case 3:
	case 4:
	case 8:
		return e->cpl ? emul_gp(e) : EMUL_OK;
	}
	return emul_ud(e);
}

enum shvm_emul_result emul_exec_mov_from_cr(struct shvm_emul *e)
{
	enum shvm_emul_result r = cr_check(e);
	u64 val;

	if (r != EMUL_OK)
		return r;
	r = e->ops->get_cr(e, e->d.reg, &val);
	if (r == EMUL_OK)
		emul_reg_write(e, e->d.rm, sysreg_size(e), val);
	return r;
}

enum shvm_emul_result emul_exec_mov_to_cr(struct shvm_emul *e)
{
	enum shvm_emul_result r = cr_check(e);

	if (r != EMUL_OK)
		return r;
	return e->ops->set_cr(e, e->d.reg, emul_reg_read(e, e->d.rm, sysreg_size(e)));
}

/* DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE is set. */
static enum shvm_emul_result dr_check(struct shvm_emul *e, unsigned int *nr)
{
	*nr = e->d.reg;
	if (*nr > 7)
		return emul_ud(e);
	if (*nr == 4 || *nr == 5) {
		if (e->cr4 & CR4_DE_BIT)
			return emul_ud(e);
		*nr += 2;
	}
	return e->cpl ? emul_gp(e) : EMUL_OK;
}

enum shvm_emul_result emul_exec_mov_from_dr(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	unsigned int nr;
	u64 val;

	r = dr_check(e, &nr);
	if (r != EMUL_OK)
		return r;
	r = e->ops->get_dr(e, nr, &val);
	if (r == EMUL_OK)
		emul_reg_write(e, e->d.rm, sysreg_size(e), val);
	return r;
}

enum shvm_emul_result emul_exec_mov_to_dr(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	unsigned int nr;

	r = dr_check(e, &nr);
	if (r != EMUL_OK)
		return r;
	return e->ops->set_dr(e, nr, emul_reg_read(e, e->d.rm, sysreg_size(e)));
}

static bool umip_forbids(const struct shvm_emul *e)
{
	return e->cpl && e->cr4 & CR4_UMIP_BIT;
}

enum shvm_emul_result emul_exec_smsw(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 cr0;

	if (umip_forbids(e))
		return emul_gp(e);
	r = e->ops->get_cr(e, 0, &cr0);
	return r == EMUL_OK ? emul_put(e, &e->d.dst, e->d.opsize, cr0) : r;
}

/* PE can be set but not cleared; MP, EM and TS are loaded. */
enum shvm_emul_result emul_exec_lmsw(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 cr0, msw;

	r = emul_get(e, &e->d.dst, 2, 0, &msw);
	if (r != EMUL_OK)
		return r;
	r = e->ops->get_cr(e, 0, &cr0);
	if (r != EMUL_OK)
		return r;
	return e->ops->set_cr(e, 0, (cr0 & ~0xeULL) | (msw & 0xf));
}

enum shvm_emul_result emul_exec_clts(struct shvm_emul *e)
{
	enum shvm_emul_result r;
	u64 cr0;

	r = e->ops->get_cr(e, 0, &cr0);
	return r == EMUL_OK ? e->ops->set_cr(e, 0, cr0 & ~CR0_TS_BIT) : r;
}

/* No segment check; a non-canonical address is legal and names nothing. */
enum shvm_emul_result emul_exec_invlpg(struct shvm_emul *e)
{
	u64 la = e->d.ea;

	if (e->mode != EMUL_MODE64)
		la = (u32)(la + e->seg[e->d.seg].base);
	else if (e->d.seg >= EMUL_FS)
		la += e->seg[e->d.seg].base;
	return emul_canonical(e, la) ? e->ops->invlpg(e, la) : EMUL_OK;
}

enum shvm_emul_result emul_exec_hlt(struct shvm_emul *e)
{
	return e->ops->halt(e);
}

/* With CR4.PVI and CPL 3 these change VIF instead, which is not modelled. */
static enum shvm_emul_result if_check(struct shvm_emul *e)
{
	if (e->cpl <= (e->regs.rflags & EFL_IOPL) >> 12)
		return EMUL_OK;
	if (e->cpl == 3 && e->cr4 & CR4_PVI_BIT)
		return EMUL_UNHANDLED;
	return emul_gp(e);
}

enum shvm_emul_result emul_exec_cli(struct shvm_emul *e)
{
	enum shvm_emul_result r = if_check(e);

	if (r == EMUL_OK)
		e->regs.rflags &= ~EFL_IF;
	return r;
}

enum shvm_emul_result emul_exec_sti(struct shvm_emul *e)
{
	enum shvm_emul_result r = if_check(e);

	if (r != EMUL_OK)
		return r;
	e->int_shadow = !(e->regs.rflags & EFL_IF);
	e->regs.rflags |= EFL_IF;
	return EMUL_OK;
}

/* sgdt, sidt, sldt, str: the values are not known here, what UMIP forbids is. */
enum shvm_emul_result emul_exec_store_table(struct shvm_emul *e)
{
	return umip_forbids(e) ? emul_gp(e) : EMUL_UNHANDLED;
}
