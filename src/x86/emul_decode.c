// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction decoder: fetches bytes as far as they are needed, finds the table entry, the
 * operands and the offset of the memory operand. Changes nothing but the private part of
 * struct shvm_emul and the instruction buffer.
 */
#include "emul_internal.h"

#define REX_B	BIT_ULL(0)
#define REX_X	BIT_ULL(1)
#define REX_R	BIT_ULL(2)
#define REX_W	BIT_ULL(3)

#define PAGE_BYTES	4096u

/*
 * Fetch up to the end of the page: the next one may not be there, and is touched only if the
 * instruction reaches into it.
 */
static enum shvm_emul_result decode_fetch(struct shvm_emul *e)
{
	u64 ip = e->regs.rip + e->insn_len;
	u64 la = ip;
	unsigned int len;
	enum shvm_emul_result r;

	len = PAGE_BYTES;
	if (e->mode == EMUL_MODE64) {
		if (!emul_canonical(e, la))
			return emul_gp(e);
	} else {
		if (ip > e->seg[EMUL_CS].limit)
			return emul_gp(e);
		len = min_t(u64, len, (u64)e->seg[EMUL_CS].limit - ip + 1);
		la = (u32)(e->seg[EMUL_CS].base + ip);
	}
	len = min_t(u64, len, PAGE_BYTES - la % PAGE_BYTES);
	len = min_t(u64, len, SHVM_EMUL_INSN_MAX - e->insn_len);
	r = e->ops->fetch(e, la, e->insn + e->insn_len, len);
	if (r == EMUL_OK)
		e->insn_len += len;
	return r;
}

static enum shvm_emul_result decode_byte(struct shvm_emul *e, u8 *byte)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;

	if (d->len >= SHVM_EMUL_INSN_MAX)
		return emul_gp(e);
	if (d->len >= e->insn_len) {
		r = decode_fetch(e);
		if (r != EMUL_OK)
			return r;
	}
	*byte = e->insn[d->len++];
	return EMUL_OK;
}

/* Little-endian number of @size bytes, 1 to 8, sign-extended. */
static enum shvm_emul_result decode_number(struct shvm_emul *e, unsigned int size, u64 *val)
{
	enum shvm_emul_result r;
	unsigned int i;
	u64 n = 0;
	u8 byte;

	for (i = 0; i < size; i++) {
		r = decode_byte(e, &byte);
		if (r != EMUL_OK)
			return r;
		n |= (u64)byte << (8 * i);
	}
	*val = emul_sext(n, size);
	return EMUL_OK;
}

/* ES, CS, SS and DS overrides do not exist in 64-bit mode: neither do they undo FS or GS. */
static void decode_override(struct shvm_emul *e, u8 seg)
{
	if (e->mode != EMUL_MODE64 || seg >= EMUL_FS)
		e->d.seg_override = seg;
}

static bool decode_one_prefix(struct shvm_emul *e, u8 byte)
{
	struct emul_insn *d = &e->d;

	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		decode_override(e, (byte >> 3) & 3);
		return true;
	case 0x64:
	case 0x65:
		decode_override(e, byte & 7);
		return true;
	case 0x66:
		d->opsize_prefix = true;
		return true;
	case 0x67:
		d->adsize_prefix = true;
		return true;
	case 0xf0:
		d->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		d->rep = byte;
		return true;
	}
	return false;
}

/* REX counts only if the opcode follows it at once. Leaves the first opcode byte in @byte. */
static enum shvm_emul_result decode_prefixes(struct shvm_emul *e, u8 *byte)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;

	for (;;) {
		r = decode_byte(e, byte);
		if (r != EMUL_OK)
			return r;
		if (e->mode == EMUL_MODE64 && (*byte & 0xf0) == 0x40)
			d->rex = *byte;
		else if (decode_one_prefix(e, *byte))
			d->rex = 0;
		else
			return EMUL_OK;
	}
}

static void decode_sizes(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	bool def16 = e->mode == EMUL_MODE16;

	d->opsize = def16 != d->opsize_prefix ? 2 : 4;
	d->adsize = def16 != d->adsize_prefix ? 2 : 4;
	if (e->mode == EMUL_MODE64) {
		d->adsize = d->adsize_prefix ? 4 : 8;
		if (d->rex & REX_W)
			d->opsize = 8;
		else if (d->op->flags & INSN_D64 && !d->opsize_prefix)
			d->opsize = 8;
	}
	if (d->op->flags & INSN_BYTE)
		d->opsize = 1;
	if (d->op->flags & INSN_MAX32)
		d->opsize = min_t(u8, d->opsize, 4);
	if (d->op->flags & INSN_MIN32)
		d->opsize = max_t(u8, d->opsize, 4);
}

static enum emul_prefix decode_prefix_choice(const struct emul_insn *d)
{
	if (d->rep)
		return d->rep == 0xf3 ? PREFIX_F3 : PREFIX_F2;
	return d->opsize_prefix ? PREFIX_66 : PREFIX_NONE;
}

static const struct emul_opcode *decode_lookup(const struct emul_insn *d)
{
	if (d->two_byte) {
		const struct emul_opcode *op = &emul_table_0f[d->opcode];

		return op->prefix ? &op->prefix[decode_prefix_choice(d)] : op;
	}
	if (d->opcode < 0x40 && (d->opcode & 7) < 6) {
		u8 column = array_index_nospec(d->opcode & 7, 6);

		return d->opcode < 0x38 ? &emul_table_alu[column] : &emul_table_cmp[column];
	}
	return &emul_table_1b[d->opcode];
}

static u64 decode_base(struct shvm_emul *e, u8 reg)
{
	struct emul_insn *d = &e->d;

	if (reg == EMUL_RSP || reg == EMUL_RBP)
		d->seg = EMUL_SS;
	d->rsp_base = reg == EMUL_RSP;
	return e->regs.gpr[reg];
}

static enum shvm_emul_result decode_address16(struct shvm_emul *e, u8 rm)
{
	static const u8 base[8] = {
		EMUL_RBX, EMUL_RBX, EMUL_RBP, EMUL_RBP, EMUL_RSI, EMUL_RDI, EMUL_RBP, EMUL_RBX,
	};
	struct emul_insn *d = &e->d;

	if (d->mod == 0 && rm == 6)
		return decode_number(e, 2, &d->ea);
	d->ea = decode_base(e, base[rm]);
	if (rm < 4)
		d->ea += e->regs.gpr[rm & 1 ? EMUL_RDI : EMUL_RSI];
	return d->mod ? decode_number(e, d->mod, &d->disp) : EMUL_OK;
}

static enum shvm_emul_result decode_sib(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u8 sib, index, base;

	r = decode_byte(e, &sib);
	if (r != EMUL_OK)
		return r;
	index = ((sib >> 3) & 7) | (d->rex & REX_X ? 8 : 0);
	base = (sib & 7) | (d->rex & REX_B ? 8 : 0);
	if (index != EMUL_RSP)
		d->ea = e->regs.gpr[index] << (sib >> 6);
	if ((sib & 7) == EMUL_RBP && d->mod == 0)
		return decode_number(e, 4, &d->disp);
	d->ea += decode_base(e, base);
	return EMUL_OK;
}

static enum shvm_emul_result decode_address32(struct shvm_emul *e, u8 rm)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r = EMUL_OK;

	if (rm == 5 && d->mod == 0) {
		d->rip_relative = e->mode == EMUL_MODE64;
		return decode_number(e, 4, &d->disp);
	}
	if (rm == 4)
		r = decode_sib(e);
	else
		d->ea = decode_base(e, d->rm);
	if (r != EMUL_OK || d->mod == 0)
		return r;
	return decode_number(e, d->mod == 1 ? 1 : 4, &d->disp);
}

static enum shvm_emul_result decode_modrm(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;
	u8 modrm;

	r = decode_byte(e, &modrm);
	if (r != EMUL_OK)
		return r;
	d->mod = modrm >> 6;
	d->reg = ((modrm >> 3) & 7) | (d->rex & REX_R ? 8 : 0);
	d->rm = (modrm & 7) | (d->rex & REX_B ? 8 : 0);
	if (d->op->group)
		d->op = &d->op->group[d->reg & 7];
	return EMUL_OK;
}

static enum shvm_emul_result decode_address(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u8 rm = d->rm & 7;

	return d->adsize == 2 ? decode_address16(e, rm) : decode_address32(e, rm);
}

static enum shvm_emul_result decode_imm(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;

	switch (d->op->imm) {
	case IMM_8:
		return decode_number(e, 1, &d->imm);
	case IMM_16:
		return decode_number(e, 2, &d->imm);
	case IMM_Z:
		return decode_number(e, min_t(u8, d->opsize, 4), &d->imm);
	case IMM_V:
		return decode_number(e, d->opsize, &d->imm);
	default:
		return EMUL_OK;
	}
}

static struct emul_operand operand_reg(u8 reg)
{
	return (struct emul_operand){ .kind = OPND_REG, .reg = reg };
}

static struct emul_operand operand_rm(const struct emul_insn *d)
{
	if (d->mod == 3)
		return operand_reg(d->rm);
	return (struct emul_operand){ .kind = OPND_MEM };
}

static void decode_operands(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	u8 opreg = (d->opcode & 7) | (d->rex & REX_B ? 8 : 0);

	if (d->op->imm != IMM_NONE)
		d->src.kind = OPND_IMM;
	switch (d->op->form) {
	case FORM_R_A:
		d->src = operand_reg(EMUL_RAX);
		fallthrough;
	case FORM_R:
		d->dst = operand_reg(opreg);
		break;
	case FORM_A:
		d->dst = operand_reg(EMUL_RAX);
		break;
	case FORM_A_O:
		d->dst = operand_reg(EMUL_RAX);
		d->src.kind = OPND_MEM;
		break;
	case FORM_O_A:
		d->dst.kind = OPND_MEM;
		d->src = operand_reg(EMUL_RAX);
		break;
	case FORM_E:
		d->dst = operand_rm(d);
		break;
	case FORM_E_G:
		d->dst = operand_rm(d);
		d->src = operand_reg(d->reg);
		break;
	case FORM_G_E:
		d->dst = operand_reg(d->reg);
		d->src = operand_rm(d);
		break;
	}
}

static u8 decode_mem_size(const struct emul_insn *d)
{
	u32 flags = d->op->flags;

	if (flags & INSN_SRC8)
		return 1;
	if (flags & (INSN_SRC16 | INSN_MEM16))
		return 2;
	if (flags & (INSN_SRC32 | INSN_MEM32))
		return 4;
	if (flags & INSN_MEM64)
		return 8;
	if (flags & INSN_MEM128)
		return 16;
	if (flags & INSN_PAIR)
		return d->opsize == 8 ? 16 : 8;
	return d->opsize;
}

/* Bit offset in a register: signed, and it reaches beyond the operand. */
static u64 decode_bit_offset(const struct shvm_emul *e)
{
	const struct emul_insn *d = &e->d;
	u64 bit = emul_sext(e->regs.gpr[d->src.reg], d->opsize);
	u64 bytes = (u64)((s64)bit >> 3);

	return bytes & ~((u64)d->opsize - 1);
}

/* All bytes are there: what depends on the length, on both operands, or moves the address. */
static void decode_finish_address(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;

	d->ea += d->disp;
	if (d->rip_relative)
		d->ea += e->regs.rip + d->len;
	if (d->op->flags & INSN_BITREG && d->dst.kind == OPND_MEM)
		d->ea += decode_bit_offset(e);
	if (d->op->flags & INSN_POP && d->rsp_base)
		d->ea += d->opsize;
	d->ea &= emul_mask(d->adsize);
	if (d->seg_override < EMUL_NR_SEG)
		d->seg = d->seg_override;
	d->msize = decode_mem_size(d);
}

static enum shvm_emul_result decode_opcode(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;

	r = decode_prefixes(e, &d->opcode);
	if (r != EMUL_OK)
		return r;
	if (d->opcode == 0x0f) {
		d->two_byte = true;
		r = decode_byte(e, &d->opcode);
		if (r != EMUL_OK)
			return r;
	}
	d->op = decode_lookup(d);
	d->mod = 3;
	if (d->op->form >= FORM_MODRM) {
		r = decode_modrm(e);
		if (r != EMUL_OK)
			return r;
	}
	return d->op->exec || d->op->flags ? EMUL_OK : EMUL_UNHANDLED;
}

/* Decode the instruction at CS:rIP into e->d. Real and virtual-8086 mode are refused. */
enum shvm_emul_result emul_decode(struct shvm_emul *e)
{
	struct emul_insn *d = &e->d;
	enum shvm_emul_result r;

	memset(d, 0, sizeof(*d));
	d->seg = EMUL_DS;
	d->seg_override = EMUL_NR_SEG;
	if (!e->insn_cached)
		e->insn_len = 0;
	if (!(e->cr0 & CR0_PE_BIT) || e->regs.rflags & EFL_VM)
		return EMUL_UNHANDLED;
	r = decode_opcode(e);
	if (r != EMUL_OK)
		return r;
	decode_sizes(e);
	if (d->op->form == FORM_A_O || d->op->form == FORM_O_A)
		r = decode_number(e, d->adsize, &d->ea);
	else if (d->op->form >= FORM_MODRM && d->op->form != FORM_CRDR && d->mod != 3)
		r = decode_address(e);
	if (r != EMUL_OK)
		return r;
	r = decode_imm(e);
	if (r != EMUL_OK)
		return r;
	decode_operands(e);
	decode_finish_address(e);
	return EMUL_OK;
}
