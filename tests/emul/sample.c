// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random instructions for the comparison: prefixes, operands, and registers such that the memory
 * operand is mostly where there is memory. Encodes on its own, without the emulator's tables.
 */
#include "forms.h"

#define CODE_OFFSET	0x400u		/* of the instruction; breakpoints all around */

struct build {
	struct sample *s;
	const struct form *f;
	u64 *gpr;
	bool is64;
	bool p66;
	bool p67;
	bool lock;
	u8 rep;
	u8 seg;			/* override prefix byte, 0 if none */
	u8 rex;
	u8 opcode;
	unsigned int opsize;
	unsigned int adsize;
	int rip_disp_at;	/* where a RIP-relative displacement has to be filled in */
	u64 target;		/* linear address of the memory operand */
	bool is_mem;
	u8 mod, reg, rm;
	u8 count;		/* shift */
};

unsigned int sample_forms(void)
{
	return nr_forms;
}

const char *sample_form_name(unsigned int form)
{
	return forms[form].name;
}

static void emit(struct build *b, u64 val, unsigned int bytes)
{
	while (bytes--) {
		b->s->insn[b->s->len++] = val;
		val >>= 8;
	}
}

/* Where the operand shall be: mostly in memory, often across its borders. */
static u64 pick_target(enum cpu_setup setup)
{
	unsigned int where = rnd_below(100);

	if (setup == SETUP_32_RO && rnd_percent(10))
		return SEG_BASE + SEG_RO_LIMIT - 8 + rnd_below(12);
	if (setup == SETUP_32_DOWN && rnd_percent(10))
		return SEG_BASE + SEG_DOWN_LIMIT - 8 + rnd_below(12);
	if (where < 75)
		return DATA_RW + 512 + rnd_below(DATA_RW_BYTES - 1024);
	if (where < 82)
		return DATA_RW + PAGE_BYTES - 16 + rnd_below(32);
	if (where < 88)
		return DATA_RW - 16 + rnd_below(32);
	if (where < 94)
		return DATA_HOLE - 16 + rnd_below(32);
	if (where < 97)
		return DATA_BASE + rnd_below(PAGE_BYTES);
	if (where < 98)
		return DATA_HOLE + rnd_below(PAGE_BYTES - 64);
	return rnd_percent(50) ? rnd() : BIT_ULL(47) - 8 + rnd_below(16);
}

static bool is_stack_base(u8 reg)
{
	return reg == EMUL_RSP || reg == EMUL_RBP;
}

static u64 segment_base(const struct build *b, bool stack_base)
{
	enum cpu_setup setup = b->s->setup;

	if (setup == SETUP_64)
		return b->seg == 0x65 ? GS_BASE : 0;
	if (setup == SETUP_32)
		return 0;
	if (b->seg == 0x2e)
		return setup == SETUP_16 ? CODE_BASE : 0;
	if (setup != SETUP_16 && (b->seg == 0x36 || (!b->seg && stack_base)))
		return 0;
	return SEG_BASE;
}

/* Registers above the address size are garbage that must not matter. */
static void set_address_reg(struct build *b, u8 reg, u64 val)
{
	if (b->adsize == 4)
		val = (u32)val | (b->is64 ? rnd() << 32 : 0);
	else if (b->adsize == 2)
		val = (u16)val | (u32)(rnd() << 16);
	b->gpr[reg] = val;
}

static void emit_disp(struct build *b, u64 disp)
{
	if (b->mod == 1)
		emit(b, disp, 1);
	else if (b->mod == 2)
		emit(b, disp, b->adsize == 2 ? 2 : 4);
}

static u64 pick_disp(const struct build *b)
{
	if (b->mod == 1)
		return (s64)(s8)rnd();
	if (b->mod == 2)
		return rnd_percent(50) ? (s64)(s16)rnd() : (s64)(s32)rnd();
	return 0;
}

static void build_sib(struct build *b)
{
	u8 sib = rnd();
	u8 scale = sib >> 6;
	u8 index = ((sib >> 3) & 7) | (b->rex & 2 ? 8 : 0);
	u8 base = (sib & 7) | (b->rex & 1 ? 8 : 0);
	bool has_base = !((sib & 7) == 5 && b->mod == 0);
	u64 disp = has_base ? pick_disp(b) : (u64)(s64)(s32)rnd();
	u64 off = b->target - segment_base(b, has_base && is_stack_base(base)) - disp;

	emit(b, sib, 1);
	if (has_base && index == base && index != EMUL_RSP) {
		set_address_reg(b, base, off / (1 + (1 << scale)));
	} else if (has_base && index != EMUL_RSP) {
		set_address_reg(b, index, rnd_value());
		set_address_reg(b, base, off - (b->gpr[index] << scale));
	} else if (has_base) {
		set_address_reg(b, base, off);
	} else if (index != EMUL_RSP) {
		set_address_reg(b, index, off >> scale);
	} else {
		disp += off;
	}
	if (has_base)
		emit_disp(b, disp);
	else
		emit(b, disp, 4);
}

static void build_address32(struct build *b)
{
	u8 base = b->rm | (b->rex & 1 ? 8 : 0);
	u64 disp;

	if (b->rm == 4) {
		build_sib(b);
	} else if (b->rm == 5 && b->mod == 0) {
		if (b->is64)
			b->rip_disp_at = b->s->len;
		emit(b, b->target - segment_base(b, false), 4);
	} else {
		disp = pick_disp(b);
		set_address_reg(b, base, b->target - disp - segment_base(b, is_stack_base(base)));
		emit_disp(b, disp);
	}
}

static void build_address16(struct build *b)
{
	static const u8 base[8] = {
		EMUL_RBX, EMUL_RBX, EMUL_RBP, EMUL_RBP, EMUL_RSI, EMUL_RDI, EMUL_RBP, EMUL_RBX,
	};
	bool stack = b->rm == 2 || b->rm == 3 || b->rm == 6;
	u64 disp = pick_disp(b), off;

	if (b->mod == 0 && b->rm == 6) {
		emit(b, b->target - segment_base(b, false), 2);
		return;
	}
	off = b->target - segment_base(b, stack) - disp;
	if (b->rm < 4) {
		u8 index = b->rm & 1 ? EMUL_RDI : EMUL_RSI;

		set_address_reg(b, index, rnd());
		off -= b->gpr[index];
	}
	set_address_reg(b, base[b->rm], off);
	emit_disp(b, disp);
}

static void build_modrm(struct build *b)
{
	const struct form *f = b->f;

	b->mod = f->flags & F_MEM || rnd_percent(70) ? rnd_below(3) : 3;
	b->rm = rnd_below(8);
	b->reg = f->reg == REG_ANY ? rnd_below(8) : f->reg;
	emit(b, b->mod << 6 | b->reg << 3 | b->rm, 1);
	if (f->flags & F_REGFORM)
		return;
	b->is_mem = b->mod != 3;
	if (b->is_mem && b->adsize == 2)
		build_address16(b);
	else if (b->is_mem)
		build_address32(b);
}

/* Far enough not to run into the instruction itself. */
static u64 pick_distance(const struct build *b)
{
	u64 dist = 24 + rnd_below(b->f->imm == I_8 ? 100 : 0x700);

	if (rnd_percent(30))
		return -(24 + rnd_below(96));
	return dist;
}

static void build_imm(struct build *b)
{
	const struct form *f = b->f;
	u64 imm = f->flags & F_REL ? pick_distance(b) : rnd_value();
	unsigned int size = 0;

	if (f->imm == I_8) {
		size = 1;
		if (f->undef == U_SHIFT && rnd_percent(30))
			imm = 1;
	} else if (f->imm == I_16) {
		size = 2;
		imm = rnd_below(64);
	} else if (f->imm == I_Z) {
		size = b->opsize < 4 ? b->opsize : 4;
	} else if (f->imm == I_V) {
		size = b->opsize;
	} else if (f->imm == I_MOFFS) {
		size = b->adsize;
		imm = b->target - segment_base(b, false);
		b->is_mem = true;
	}
	b->count = imm;
	emit(b, imm, size);
}

static u8 pick_segment(const struct build *b)
{
	static const u8 legacy[] = { 0x26, 0x2e, 0x36, 0x3e };

	if (!rnd_percent(15))
		return 0;
	if (b->is64)
		return rnd_percent(70) ? 0x65 : 0;
	return legacy[rnd_below(4)];
}

static void pick_prefixes(struct build *b)
{
	const struct form *f = b->f;
	bool branch = f->flags & (F_REL | F_TARGET | F_RET);

	b->p66 = rnd_percent(25) && !(f->flags & F_NO66) && !(b->is64 && branch);
	b->p67 = rnd_percent(15) && (b->s->setup != SETUP_32 || f->reg == REG_NONE);
	if (b->s->setup == SETUP_16)
		b->p66 = (b->p66 && !branch) || f->flags & F_OP32;
	b->lock = rnd_percent(f->flags & F_LOCK ? 15 : 2);
	if (f->flags & F_STRING)
		b->rep = rnd_percent(60) ? 0xf2 + rnd_below(2) : 0;
	else if (rnd_percent(4) && !(f->flags & F_NOREP))
		b->rep = 0xf2 + rnd_below(2);
	if (f->flags & F_P66)
		b->p66 = true;
	if (f->flags & (F_P66 | F_PF3 | F_PF2))
		b->rep = f->flags & F_PF3 ? 0xf3 : f->flags & F_PF2 ? 0xf2 : 0;
	b->seg = pick_segment(b);
	if (b->is64 && rnd_percent(60))
		b->rex = 0x40 | (rnd() & 0xf);
	if (b->opcode == 0x90 && b->rep)
		b->rex &= ~1;
}

static void set_sizes(struct build *b)
{
	bool def16 = b->s->setup == SETUP_16;

	b->opsize = def16 != b->p66 ? 2 : 4;
	b->adsize = def16 != b->p67 ? 2 : 4;
	if (b->is64) {
		b->adsize = b->p67 ? 4 : 8;
		if (b->rex & 8 || (b->f->flags & F_D64 && !b->p66))
			b->opsize = 8;
	}
	if (b->f->flags & F_BYTE)
		b->opsize = 1;
}

static void emit_prefixes(struct build *b)
{
	u8 list[8];
	unsigned int n = 0, i, j;

	if (b->p66)
		list[n++] = 0x66;
	if (b->p67)
		list[n++] = 0x67;
	if (b->lock)
		list[n++] = 0xf0;
	if (b->rep)
		list[n++] = b->rep;
	if (b->seg)
		list[n++] = b->seg;
	if (b->is64 && rnd_percent(5))
		list[n++] = 0x26 | rnd_below(4) << 3;	/* these do not exist any more */
	for (i = n; i > 1; i--) {
		u8 tmp = list[i - 1];

		j = rnd_below(i);
		list[i - 1] = list[j];
		list[j] = tmp;
	}
	if (b->is64 && n && rnd_percent(3))
		emit(b, 0x40 | (rnd() & 0xf), 1);	/* void: it does not precede the opcode */
	for (i = 0; i < n; i++)
		emit(b, list[i], 1);
	if (b->rex)
		emit(b, b->rex, 1);
}

/* Offset in its segment of a place where the stack pointer or an index shall be. */
static u64 data_offset(const struct build *b, bool stack)
{
	u64 base = 0;

	if (b->s->setup == SETUP_16 || (!stack && b->s->setup > SETUP_32))
		base = SEG_BASE;
	return pick_target(b->s->setup) - base;
}

static u64 branch_target(const struct build *b)
{
	u64 base = b->s->setup == SETUP_16 ? 0 : CODE_BASE;

	if (b->is64 && rnd_percent(10))
		return BIT_ULL(47) + rnd_below(1000);
	return base + 0x800 + rnd_below(0x700);
}

static void set_stack(struct build *b)
{
	u64 sp = data_offset(b, true);

	if (b->s->setup == SETUP_16)
		sp = (u16)sp | (u32)(rnd() << 16);
	else if (b->s->setup != SETUP_64)
		sp = (u32)sp;
	b->gpr[EMUL_RSP] = sp;
}

static void set_string(struct build *b)
{
	u64 count = rnd_percent(95) ? rnd_below(20) : rnd_below(3000);

	if (b->adsize == 4 && b->is64 && !count)
		count = 1;	/* CPUs differ on the upper half if there is nothing to do */
	set_address_reg(b, EMUL_RCX, count);
	set_address_reg(b, EMUL_RDI, data_offset(b, false));
	set_address_reg(b, EMUL_RSI, b->seg ? b->target - segment_base(b, false) :
		  data_offset(b, false));
	if (b->rep && b->opsize <= 2 && rnd_percent(50)) {
		/* runs of equal elements, for the conditional prefixes */
		b->gpr[EMUL_RSI] = b->gpr[EMUL_RDI];
		if (rnd_percent(50))
			b->gpr[EMUL_RSI] += b->opsize;
	}
}

static void poke_stack(struct build *b, u64 val)
{
	b->s->poke_at = b->gpr[EMUL_RSP];
	if (b->s->setup == SETUP_16)
		b->s->poke_at = SEG_BASE + (u16)b->s->poke_at;
	b->s->poke_val = val;
}

static void set_divisor(struct build *b, u64 divisor)
{
	if (b->is_mem) {
		b->s->poke_at = b->target;
		b->s->poke_val = divisor;
	} else if (b->opsize > 1 || b->rex || b->rm < 4) {
		b->gpr[b->rm | (b->rex & 1 ? 8 : 0)] = b->is64 ? divisor : (u32)divisor;
	}
}

/* A quotient next to where it ceases to fit, or just a small upper half. */
static void set_dividend(struct build *b)
{
	unsigned int bits = b->opsize * 8;
	u64 mask = b->opsize == 8 ? ~0ull : BIT_ULL(bits) - 1;
	u64 divisor = rnd_value() >> rnd_below(bits);
	bool is_signed = b->f->reg == 7;
	__uint128_t edge = ((__uint128_t)1 << (bits - is_signed)) + rnd_below(3) - 1;
	__uint128_t n = edge * divisor;

	if (is_signed && rnd_percent(50))
		n = -n;
	n += rnd_below(5) - 2ull;
	if (rnd_percent(30))
		n = (__uint128_t)rnd_below(128) << (bits - 1);
	if (is_signed && rnd_percent(30))
		divisor = -divisor;
	set_divisor(b, divisor);
	if (b->opsize == 1) {
		b->gpr[EMUL_RAX] = (b->gpr[EMUL_RAX] & ~0xffffull) | ((u64)n & 0xffff);
		return;
	}
	b->gpr[EMUL_RAX] = (u64)n & mask;
	b->gpr[EMUL_RDX] = (u64)(n >> bits) & mask;
}

/* Operands that random values would seldom make interesting. */
static void set_operands(struct build *b)
{
	u32 flags = b->f->flags;
	u8 rm = b->rm | (b->rex & 1 ? 8 : 0);

	if (flags & F_BITREG && b->is_mem && rnd_percent(90)) {
		u8 reg = b->reg | (b->rex & 4 ? 8 : 0);
		u64 off = rnd_below(6000) - 3000;

		/* or else the address would move with it */
		if (b->gpr[reg] < DATA_BASE || b->gpr[reg] > DATA_END)
			b->gpr[reg] = b->is64 ? off : (u32)off;
	}
	if (flags & F_CL && rnd_percent(80)) {
		b->gpr[EMUL_RCX] &= ~0xffull;
		b->gpr[EMUL_RCX] |= rnd_below(rnd_percent(30) ? 2 : 70);
	}
	if (flags & F_TARGET && b->is_mem) {
		b->s->poke_at = b->target;
		b->s->poke_val = branch_target(b);
	} else if (flags & F_TARGET) {
		b->gpr[rm] = branch_target(b);
	}
	if (flags & F_RET)
		poke_stack(b, branch_target(b));
	if (flags & F_POPF)
		poke_stack(b, rnd() & (EFL_ARITH | EFL_DF | EFL_TF | EFL_AC | EFL_IF | EFL_IOPL));
	if (flags & F_CMPXCHG && b->is_mem && rnd_percent(50)) {
		b->s->poke_at = b->target;
		b->s->poke_val = b->gpr[EMUL_RAX];
		if (b->opsize < 8 && b->f->reg == 1)
			b->s->poke_val = (u32)b->gpr[EMUL_RAX] | b->gpr[EMUL_RDX] << 32;
		if (b->opsize == 8 && b->f->reg == 1)
			b->gpr[EMUL_RDX] = 0x5a5a5a5a5a5a5a5aull;
	}
	if (b->f->undef == U_DIV && rnd_percent(60))
		set_dividend(b);
}

static u64 undefined_shift(const struct build *b)
{
	u8 count = b->f->flags & F_CL ? b->gpr[EMUL_RCX] : b->f->imm == I_8 ? b->count : 1;
	u64 undef = 0;

	count &= b->opsize == 8 ? 63 : 31;
	if (!count)
		return 0;
	if (b->f->undef == U_SHIFTD || b->f->reg >= 4)
		undef |= EFL_AF;
	if (count != 1)
		undef |= EFL_OF;
	if (b->f->undef == U_SHIFT && b->f->reg >= 4 && b->f->reg <= 5 && count >= b->opsize * 8)
		undef |= EFL_CF;
	if (b->f->undef == U_SHIFTD && count > b->opsize * 8)
		b->s->no_compare = true;
	return undef;
}

static u64 undefined_flags(const struct build *b)
{
	u8 alu = b->opcode >> 3;

	switch (b->f->undef) {
	case U_ALU:
		return alu == ALU_OR || alu == ALU_AND || alu == ALU_XOR ? EFL_AF : 0;
	case U_LOGIC:
		return EFL_AF;
	case U_SHIFT:
	case U_SHIFTD:
		return undefined_shift(b);
	case U_MUL:
		return EFL_SF | EFL_ZF | EFL_AF | EFL_PF;
	case U_DIV:
		return EFL_ARITH;
	case U_BT:
		return EFL_OF | EFL_SF | EFL_AF | EFL_PF;
	}
	return 0;
}

static void build_opcode(struct build *b)
{
	u32 flags = b->f->flags;

	b->opcode = b->f->opcode;
	if (flags & F_OPREG)
		b->opcode |= rnd_below(8);
	if (flags & F_CC)
		b->opcode |= rnd_below(16);
	if (flags & F_ALU)
		b->opcode |= rnd_below(8) << 3;
}

static void build_registers(struct build *b)
{
	unsigned int i;

	for (i = 0; i < EMUL_NR_GPR; i++) {
		b->gpr[i] = rnd_value();
		if (!b->is64)
			b->gpr[i] = i < 8 ? (u32)b->gpr[i] : 0;
	}
	for (i = 0; b->f->flags & F_XMM && i < sizeof(b->s->xmm); i++)
		b->s->xmm[i / 16][i % 16] = rnd();
	b->s->regs.rip = CODE_OFFSET + (b->s->setup == SETUP_16 ? 0 : CODE_BASE);
	b->s->regs.rflags = native_rflags() | (rnd() & EFL_ARITH);
	if (rnd_percent(b->f->flags & F_STRING ? 40 : 5))
		b->s->regs.rflags |= EFL_DF;
	if (rnd_percent(5) && !(b->f->flags & F_NOAC))
		b->s->regs.rflags |= EFL_AC;
}

/* False: this form does not exist in this mode. */
bool sample_make(struct sample *s, unsigned int form, enum cpu_setup setup)
{
	struct build b = { .s = s, .f = &forms[form], .gpr = s->regs.gpr };

	memset(s, 0, sizeof(*s));
	b.is64 = setup == SETUP_64;
	if (!(b.f->modes & (b.is64 ? M64 : M32)))
		return false;
	s->name = b.f->name;
	s->any_fault = b.f->flags & F_ANY_FAULT;
	s->setup = setup;
	b.target = pick_target(setup);
	if (b.f->flags & F_ALIGN16 && rnd_percent(70))
		b.target &= ~15ull;
	b.rip_disp_at = -1;
	build_opcode(&b);
	build_registers(&b);
	pick_prefixes(&b);
	set_sizes(&b);
	if (b.f->flags & F_STACK)
		set_stack(&b);
	emit_prefixes(&b);
	if (b.f->two_byte)
		emit(&b, 0x0f, 1);
	emit(&b, b.opcode, 1);
	if (b.f->reg != REG_NONE)
		build_modrm(&b);
	build_imm(&b);
	if (b.rip_disp_at >= 0) {
		u32 disp = b.target - segment_base(&b, false) - (s->regs.rip + s->len);

		memcpy(s->insn + b.rip_disp_at, &disp, 4);
	}
	if (b.f->flags & F_STRING)
		set_string(&b);
	set_operands(&b);
	s->undefined = undefined_flags(&b);
	return s->len <= SHVM_EMUL_INSN_MAX;
}
