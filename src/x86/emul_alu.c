// SPDX-License-Identifier: GPL-2.0-only
/*
 * Integer arithmetic and its flags. Pure: values in, values and flags out. Sizes are bytes,
 * 1 to 8. Flags that the architecture leaves undefined are left as they were, unless computing
 * them is what CPUs do.
 */
#include "emul_internal.h"

/* Odd parity of a nibble, one bit per value. */
#define PARITY_NIBBLES	0x6996u

static u64 flag_if(bool on, u64 flag)
{
	return on ? flag : 0;
}

static u64 flags_szp(u64 r, unsigned int size)
{
	u8 low = (r ^ (r >> 4)) & 0xf;

	return flag_if(!(r & emul_mask(size)), EFL_ZF) |
	       flag_if(r & emul_sign(size), EFL_SF) |
	       flag_if(!((PARITY_NIBBLES >> low) & 1), EFL_PF);
}

static void set_flags(u64 *rflags, u64 mask, u64 val)
{
	*rflags = (*rflags & ~mask) | val;
}

static u64 alu_add(unsigned int size, u64 a, u64 b, bool carry, u64 *rflags)
{
	u64 sign = emul_sign(size);
	u64 r = (a + b + carry) & emul_mask(size);
	u64 carries = (a & b) | ((a | b) & ~r);

	set_flags(rflags, EFL_ARITH, flags_szp(r, size) |
		  flag_if(carries & sign, EFL_CF) |
		  flag_if((a ^ b ^ r) & 0x10, EFL_AF) |
		  flag_if((a ^ r) & (b ^ r) & sign, EFL_OF));
	return r;
}

static u64 alu_sub(unsigned int size, u64 a, u64 b, bool borrow, u64 *rflags)
{
	u64 sign = emul_sign(size);
	u64 r = (a - b - borrow) & emul_mask(size);
	u64 borrows = (~a & b) | ((~a | b) & r);

	set_flags(rflags, EFL_ARITH, flags_szp(r, size) |
		  flag_if(borrows & sign, EFL_CF) |
		  flag_if((a ^ b ^ r) & 0x10, EFL_AF) |
		  flag_if((a ^ b) & (a ^ r) & sign, EFL_OF));
	return r;
}

static u64 alu_logic(unsigned int size, u64 r, u64 *rflags)
{
	set_flags(rflags, EFL_ARITH, flags_szp(r, size));
	return r;
}

/* @a and @b have no bits beyond @size. For ALU_CMP the result is of no use. */
u64 emul_alu(enum emul_alu op, unsigned int size, u64 a, u64 b, u64 *rflags)
{
	switch (op) {
	case ALU_ADD:
		return alu_add(size, a, b, false, rflags);
	case ALU_ADC:
		return alu_add(size, a, b, *rflags & EFL_CF, rflags);
	case ALU_SBB:
		return alu_sub(size, a, b, *rflags & EFL_CF, rflags);
	case ALU_OR:
		return alu_logic(size, a | b, rflags);
	case ALU_AND:
		return alu_logic(size, a & b, rflags);
	case ALU_XOR:
		return alu_logic(size, a ^ b, rflags);
	default:
		return alu_sub(size, a, b, false, rflags);
	}
}

static u64 rotate(bool right, unsigned int size, u64 a, u8 count, u64 *rflags)
{
	unsigned int bits = size * 8;
	unsigned int n = count % bits;
	bool top, carry;

	if (n && right)
		n = bits - n;
	if (n)
		a = ((a << n) | (a >> (bits - n))) & emul_mask(size);
	top = a & emul_sign(size);
	if (right) {
		carry = top;
		top = a & (emul_sign(size) >> 1);
	} else {
		carry = a & 1;
	}
	set_flags(rflags, EFL_CF | EFL_OF, flag_if(carry, EFL_CF) | flag_if(top ^ carry, EFL_OF));
	return a;
}

static u64 rotate_carry(bool right, unsigned int size, u64 a, u8 count, u64 *rflags)
{
	unsigned int n = count % (size * 8 + 1);
	u64 sign = emul_sign(size);
	bool carry = *rflags & EFL_CF;
	bool out, overflow;

	if (!n)
		return a;
	while (n--) {
		out = right ? a & 1 : !!(a & sign);
		if (right)
			a = (a >> 1) | (carry ? sign : 0);
		else
			a = ((a << 1) & emul_mask(size)) | carry;
		carry = out;
	}
	overflow = !!(a & sign) ^ (right ? !!(a & (sign >> 1)) : carry);
	set_flags(rflags, EFL_CF | EFL_OF, flag_if(carry, EFL_CF) | flag_if(overflow, EFL_OF));
	return a;
}

static u64 shift_left(unsigned int size, u64 a, u8 count, u64 *rflags)
{
	unsigned int bits = size * 8;
	bool carry = count <= bits && (a >> (bits - count)) & 1;
	u64 r = (a << count) & emul_mask(size);
	bool top = r & emul_sign(size);

	set_flags(rflags, EFL_ARITH & ~EFL_AF, flags_szp(r, size) | flag_if(carry, EFL_CF) |
		  flag_if(top ^ carry, EFL_OF));
	return r;
}

static u64 shift_right(bool arithmetic, unsigned int size, u64 a, u8 count, u64 *rflags)
{
	u64 wide = arithmetic ? emul_sext(a, size) : a;
	bool carry, overflow;
	u64 r;

	if (arithmetic) {
		carry = ((s64)wide >> (count - 1)) & 1;
		r = (u64)((s64)wide >> count) & emul_mask(size);
	} else {
		carry = (wide >> (count - 1)) & 1;
		r = wide >> count;
	}
	overflow = !arithmetic && a & emul_sign(size);
	set_flags(rflags, EFL_ARITH & ~EFL_AF, flags_szp(r, size) | flag_if(carry, EFL_CF) |
		  flag_if(overflow, EFL_OF));
	return r;
}

/* @op as in ModRM.reg of the shift group; a count of zero leaves all flags. */
u64 emul_shift(u8 op, unsigned int size, u64 a, u8 count, u64 *rflags)
{
	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	switch (op) {
	case 0:
	case 1:
		return rotate(op, size, a, count, rflags);
	case 2:
	case 3:
		return rotate_carry(op & 1, size, a, count, rflags);
	case 4:
		return shift_left(size, a, count, rflags);
	default:
		return shift_right(op == 7, size, a, count, rflags);
	}
}

/* 16-bit operands with counts above 16 are undefined: here @a follows @b. */
static u64 shift_double16(bool right, u64 a, u64 b, u8 count, bool *carry)
{
	u64 wide = (a << 32) | (b << 16) | a;

	if (right) {
		*carry = (wide >> (count - 1)) & 1;
		return (wide >> count) & 0xffff;
	}
	*carry = (wide >> (48 - count)) & 1;
	return ((wide << count) >> 32) & 0xffff;
}

/* Shift @b into @a. */
u64 emul_shift_double(bool right, unsigned int size, u64 a, u64 b, u8 count, u64 *rflags)
{
	unsigned int bits = size * 8;
	bool carry;
	u64 r;

	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	if (size == 2) {
		r = shift_double16(right, a, b, count, &carry);
	} else if (right) {
		carry = (a >> (count - 1)) & 1;
		r = ((a >> count) | (b << (bits - count))) & emul_mask(size);
	} else {
		carry = (a >> (bits - count)) & 1;
		r = ((a << count) | (b >> (bits - count))) & emul_mask(size);
	}
	set_flags(rflags, EFL_ARITH & ~EFL_AF, flags_szp(r, size) | flag_if(carry, EFL_CF) |
		  flag_if((a ^ r) & emul_sign(size), EFL_OF));
	return r;
}

/* Double-width product; CF and OF say that the upper half is significant. */
void emul_mul(bool is_signed, unsigned int size, u64 a, u64 b, u64 *lo, u64 *hi, u64 *rflags)
{
	unsigned __int128 p;
	bool big;

	if (is_signed)
		p = (unsigned __int128)((__int128)(s64)emul_sext(a, size) *
					(s64)emul_sext(b, size));
	else
		p = (unsigned __int128)a * b;
	*lo = (u64)p & emul_mask(size);
	*hi = (u64)(p >> (size * 8)) & emul_mask(size);
	if (is_signed)
		big = *hi != (*lo & emul_sign(size) ? emul_mask(size) : 0);
	else
		big = *hi;
	set_flags(rflags, EFL_CF | EFL_OF, big ? EFL_CF | EFL_OF : 0);
}

/* The kernel has no 128-bit division. The quotient fits: the caller has seen @hi < @divisor. */
static u64 divide_wide(u64 hi, u64 lo, u64 divisor, u64 *rem)
{
	u64 quot;

	asm("divq %4" : "=a" (quot), "=d" (*rem) : "0" (lo), "1" (hi), "rm" (divisor) : "cc");
	return quot;
}

static bool divide_unsigned(unsigned int size, u64 *lo, u64 *hi, u64 divisor)
{
	u64 n;

	if (*hi >= divisor)
		return false;
	if (size == 8) {
		*lo = divide_wide(*hi, *lo, divisor, hi);
		return true;
	}
	n = (*hi << (size * 8)) | *lo;
	*lo = n / divisor;
	*hi = n % divisor;
	return true;
}

/* Negate the number of twice @size that @hi and @lo make up. */
static void negate_wide(unsigned int size, u64 *lo, u64 *hi)
{
	*lo = -*lo & emul_mask(size);
	*hi = (~*hi + !*lo) & emul_mask(size);
}

/*
 * Divide @hi:@lo, quotient to @lo, remainder to @hi. Both halves and @divisor have no bits beyond
 * @size. False: #DE, by zero or the quotient does not fit.
 */
bool emul_div(bool is_signed, unsigned int size, u64 *lo, u64 *hi, u64 divisor)
{
	u64 sign = emul_sign(size);
	bool neg_n, neg_q;

	if (!is_signed)
		return divide_unsigned(size, lo, hi, divisor);
	neg_n = *hi & sign;
	neg_q = neg_n != !!(divisor & sign);
	if (neg_n)
		negate_wide(size, lo, hi);
	if (divisor & sign)
		divisor = -divisor & emul_mask(size);
	if (!divide_unsigned(size, lo, hi, divisor) || *lo > sign - !neg_q)
		return false;
	if (neg_q)
		*lo = -*lo & emul_mask(size);
	if (neg_n)
		*hi = -*hi & emul_mask(size);
	return true;
}

/* Condition code of Jcc, SETcc, CMOVcc: SDM vol. 1, appendix B. */
bool emul_condition(u8 cc, u64 rflags)
{
	bool less = !(rflags & EFL_SF) != !(rflags & EFL_OF);
	bool r;

	switch ((cc >> 1) & 7) {
	case 0:
		r = rflags & EFL_OF;
		break;
	case 1:
		r = rflags & EFL_CF;
		break;
	case 2:
		r = rflags & EFL_ZF;
		break;
	case 3:
		r = rflags & (EFL_CF | EFL_ZF);
		break;
	case 4:
		r = rflags & EFL_SF;
		break;
	case 5:
		r = rflags & EFL_PF;
		break;
	case 6:
		r = less;
		break;
	default:
		r = less || rflags & EFL_ZF;
		break;
	}
	return r != (cc & 1);
}
