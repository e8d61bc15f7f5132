// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second, small decoder: the plain stores of 64-bit code to page tables. It knows the forms that
 * kernels use for single entries and leaves all others, and all that is unusual about these, to
 * the full one. A pure function.
 */
#include "emul_internal.h"

#define LOCK		0xf0
#define DS		0x3e
#define REX		0x40
#define REX_W		0x48	/* REX with W; any of the others may be set */
#define REX_R		4
#define REX_X		2
#define REX_B		1

/* REX (or LOCK), opcode, ModRM. */
#define MIN_BYTES	3

/* Bytes of the memory operand that follow ModRM, without a displacement of its own kind. */
static unsigned int disp_bytes(u8 mod)
{
	if (mod == 0)
		return 0;
	return mod == 1 ? 1 : 4;
}

static u64 number_at(const u8 *insn, unsigned int bytes)
{
	s32 n;

	if (bytes == 1)
		return (s8)*insn;
	memcpy(&n, insn, sizeof(n));
	return (s64)n;
}

/*
 * insn: REX or another prefix, opcode, ModRM. The address of [base + index * scale + disp];
 * 0 bytes: a form that is left to others.
 */
static unsigned int store_address(const u8 *insn, unsigned int avail, u8 rex, const u64 *gpr,
				  u64 *linear)
{
	u8 mod = insn[2] >> 6, base = insn[2] & 7;
	unsigned int len = MIN_BYTES, disp = disp_bytes(mod);
	u64 at = 0;

	if (mod == 3)
		return 0;
	if (base == EMUL_RSP) {		/* a SIB byte */
		u8 index;

		if (avail <= len)
			return 0;
		base = insn[len] & 7;
		index = ((insn[len] >> 3) & 7) | (rex & REX_X ? 8 : 0);
		if (index != EMUL_RSP)
			at = gpr[index] << (insn[len] >> 6);
		len++;
	}
	/* RSP is not among the registers here, and with mod 0, RBP means another form. */
	if ((base == EMUL_RBP && mod == 0) || (base == EMUL_RSP && !(rex & REX_B)) ||
	    avail < len + disp)
		return 0;
	at += gpr[base | (rex & REX_B ? 8 : 0)];
	if (disp)
		at += number_at(insn + len, disp);
	*linear = at;
	return len + disp;
}

/*
 * LOCK AND of a byte with an immediate: a kernel that clears one bit of an entry. On one CPU Linux
 * puts DS in the place of LOCK; it means nothing here, and to be atomic does no harm.
 */
static bool decode_and(const u8 *insn, unsigned int avail, const u64 *gpr,
		       struct shvm_emul_store *st)
{
	const u8 *op = insn;
	unsigned int len;
	u8 rex = 0;

	if (avail > 1 && (insn[1] & 0xf0) == REX) {
		rex = insn[1];
		op++;
	}
	avail -= op - insn;
	if (avail < MIN_BYTES || op[1] != 0x80 || ((op[2] >> 3) & 7) != 4)
		return false;
	len = store_address(op, avail, rex, gpr, &st->linear);
	if (!len || avail < len + 1)
		return false;
	st->and = true;
	st->exchange = false;
	st->value = op[len];
	st->reg = 0;
	st->len = op - insn + len + 1;
	return true;
}

/**
 * shvm_emul_store_and - what LOCK AND leaves behind
 * @st: with @and
 * @old: the quadword whose first byte it changes
 * @rflags: in and out
 *
 * Return: the quadword after it.
 */
u64 shvm_emul_store_and(const struct shvm_emul_store *st, u64 old, u64 *rflags)
{
	return (old & ~0xffULL) | emul_alu(ALU_AND, 1, old & 0xff, st->value, rflags);
}

/**
 * shvm_emul_decode_store - decode a store of 64 bits, or of one byte by LOCK AND
 * @insn: the instruction, 64-bit code
 * @avail: bytes of it that are there; more may follow
 * @gpr: general registers; that of RSP is not looked at
 * @st: filled in
 *
 * Return: false: not one of the few forms, or not all of it is there.
 */
bool shvm_emul_decode_store(const u8 *insn, unsigned int avail, const u64 *gpr,
			    struct shvm_emul_store *st)
{
	unsigned int len;
	u8 reg;

	if (avail && (insn[0] == LOCK || insn[0] == DS))
		return decode_and(insn, avail, gpr, st);
	if (avail < MIN_BYTES || (insn[0] & ~(REX_R | REX_X | REX_B)) != REX_W)
		return false;
	len = store_address(insn, avail, insn[0], gpr, &st->linear);
	if (!len)
		return false;
	reg = ((insn[2] >> 3) & 7) | (insn[0] & REX_R ? 8 : 0);
	st->exchange = false;
	st->and = false;
	switch (insn[1]) {
	case 0x87:	/* XCHG */
		st->exchange = true;
		fallthrough;
	case 0x89:	/* MOV */
		if (reg == EMUL_RSP)
			return false;
		st->value = gpr[reg];
		break;
	case 0xc7:	/* MOV, sign-extended immediate */
		if ((reg & 7) || avail < len + 4)
			return false;
		st->value = number_at(insn + len, 4);
		len += 4;
		break;
	default:
		return false;
	}
	st->reg = reg;
	st->len = len;
	return true;
}
