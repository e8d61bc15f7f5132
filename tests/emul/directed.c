// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directed tests of decoding, repetition, restarts and lost races: what a comparison with the CPU
 * in user mode cannot see.
 */
#include <stdlib.h>

#include "model.h"

#define GPR(reg)	(*model_gpr(m, EMUL_##reg))

/* One store is one operation, with the address and width the instruction says. */
static bool test_store_widths(void)
{
	static const struct {
		const char *insn;
		enum op_kind kind;
		s64 at;		/* relative to RDI */
		unsigned int len;
	} cases[] = {
		{ "88 07", OP_WRITE, 0, 1 },
		{ "66 89 07", OP_WRITE, 0, 2 },
		{ "89 07", OP_WRITE, 0, 4 },
		{ "48 89 07", OP_WRITE, 0, 8 },
		{ "89 47 04", OP_WRITE, 4, 4 },
		{ "48 89 47 fd", OP_WRITE, -3, 8 },
		{ "48 0f c3 07", OP_WRITE, 0, 8 },
		{ "48 c7 07 01 00 00 00", OP_WRITE, 0, 8 },
		{ "48 87 07", OP_CMPXCHG, 0, 8 },
		{ "87 07", OP_CMPXCHG, 0, 4 },
		{ "48 09 07", OP_WRITE, 0, 8 },
		{ "f0 48 09 07", OP_CMPXCHG, 0, 8 },
		{ "f0 0f ba 2f 05", OP_CMPXCHG, 0, 4 },
		{ "f0 48 0f b1 0f", OP_CMPXCHG, 0, 8 },
		{ "0f c7 0f", OP_WRITE, 0, 8 },
		{ "f0 0f c7 0f", OP_CMPXCHG, 0, 8 },
		{ "48 0f c7 0f", OP_WRITE, 0, 16 },
		{ "f0 48 0f c7 0f", OP_CMPXCHG, 0, 16 },
		{ "aa", OP_WRITE, 0, 1 },
		{ "48 ab", OP_WRITE, 0, 8 },
		{ "48 a5", OP_WRITE, 0, 8 },
		{ "8f 07", OP_WRITE, 0, 8 },
		{ "66 8f 07", OP_WRITE, 0, 2 },
		{ "0f 94 07", OP_WRITE, 0, 1 },
		{ "8c 1f", OP_WRITE, 0, 2 },
		{ "48 8c 1f", OP_WRITE, 0, 2 },
		{ "0f 01 27", OP_WRITE, 0, 2 },
		{ "0f 11 07", OP_WRITE, 0, 16 },
		{ "66 0f 11 47 01", OP_WRITE, 1, 16 },
		{ "f3 0f 11 07", OP_WRITE, 0, 4 },
		{ "f2 0f 11 07", OP_WRITE, 0, 8 },
		{ "66 f2 48 0f 11 07", OP_WRITE, 0, 8 },
		{ "0f 13 07", OP_WRITE, 0, 8 },
		{ "66 0f 17 47 04", OP_WRITE, 4, 8 },
		{ "0f 29 47 10", OP_WRITE, 16, 16 },
		{ "66 0f 2b 07", OP_WRITE, 0, 16 },
		{ "66 0f 7e 07", OP_WRITE, 0, 4 },
		{ "66 48 0f 7e 07", OP_WRITE, 0, 8 },
		{ "66 0f 7f 07", OP_WRITE, 0, 16 },
		{ "f3 0f 7f 47 08", OP_WRITE, 8, 16 },
		{ "66 0f d6 07", OP_WRITE, 0, 8 },
		{ "66 0f e7 07", OP_WRITE, 0, 16 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);
		const struct op_log *l;

		GPR(RDI) = MEM_BASE + PAGE_BYTES;
		GPR(RSI) = MEM_BASE;
		if (model_run(m, cases[i].insn) != EMUL_OK)
			tap_fail("%s: not done", cases[i].insn);
		l = model_last(m, cases[i].kind);
		if (!l || l->addr != MEM_BASE + PAGE_BYTES + cases[i].at || l->len != cases[i].len)
			tap_fail("%s: wrong store", cases[i].insn);
		if (m->count[OP_WRITE] + m->count[OP_CMPXCHG] != 1)
			tap_fail("%s: more than one store", cases[i].insn);
		free(m);
	}
	return true;
}

/* Which register, which half of it, and what of it is stored. */
static bool test_xmm_values(void)
{
	static const struct {
		const char *insn;
		u8 reg, first, len;
	} cases[] = {
		{ "0f 11 1f", 3, 0, 16 },
		{ "44 0f 11 1f", 11, 0, 16 },
		{ "f3 44 0f 11 07", 8, 0, 4 },
		{ "f2 0f 11 3f", 7, 0, 8 },
		{ "0f 13 17", 2, 0, 8 },
		{ "0f 17 17", 2, 8, 8 },
		{ "66 44 0f 17 3f", 15, 8, 8 },
		{ "66 44 0f 7e 37", 14, 0, 4 },
		{ "66 4c 0f 7e 37", 14, 0, 8 },
		{ "66 0f d6 0f", 1, 0, 8 },
		{ "66 44 0f e7 2f", 13, 0, 16 },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);
		u8 want[32] = { 0 };

		for (j = 0; j < sizeof(m->xmm); j++)
			m->xmm[j / 16][j % 16] = j + 1;
		memcpy(want, m->xmm[cases[i].reg] + cases[i].first, cases[i].len);
		GPR(RDI) = MEM_BASE;
		if (model_run(m, cases[i].insn) != EMUL_OK || memcmp(want, m->mem, sizeof(want)))
			tap_fail("%s: wrong value", cases[i].insn);
		free(m);
	}
	return true;
}

/* SDM vol. 3, 2.5, and the exceptions of each instruction in vol. 2; earlier ones win. */
static bool test_xmm_faults(void)
{
	static const struct {
		const char *insn;
		u64 cr0, cr4, at;
		u8 vector;
	} cases[] = {
		{ "0f 11 07", CR0_EM_BIT, CR4_OSFXSR_BIT, 0, VEC_UD },
		{ "0f 11 07", 0, 0, 0, VEC_UD },
		{ "0f 11 07", CR0_EM_BIT | CR0_TS_BIT, CR4_OSFXSR_BIT, 0, VEC_UD },
		{ "0f 11 07", CR0_TS_BIT, 0, 0, VEC_UD },
		{ "0f 11 07", CR0_TS_BIT, CR4_OSFXSR_BIT, 0, VEC_NM },
		{ "f0 0f 11 07", CR0_TS_BIT, CR4_OSFXSR_BIT, 0, VEC_UD },
		{ "0f 13 c1", CR0_TS_BIT, CR4_OSFXSR_BIT, 0, VEC_UD },
		{ "66 0f d6 07", CR0_TS_BIT, CR4_OSFXSR_BIT, BIT_ULL(47), VEC_NM },
		{ "66 0f 7f 07", CR0_TS_BIT, CR4_OSFXSR_BIT, 4, VEC_NM },
		{ "0f 29 07", 0, CR4_OSFXSR_BIT, 8, VEC_GP },
		{ "0f 2b 07", 0, CR4_OSFXSR_BIT, 1, VEC_GP },
		{ "66 0f 7f 07", 0, CR4_OSFXSR_BIT, 4, VEC_GP },
		{ "66 0f e7 07", 0, CR4_OSFXSR_BIT, 15, VEC_GP },
		{ "36 66 0f 7f 45 00", 0, CR4_OSFXSR_BIT, 4, VEC_GP },
		{ "66 0f 7f 07", 0, CR4_OSFXSR_BIT, MEM_BYTES + 4, VEC_GP },
		{ "66 0f 7f 07", 0, CR4_OSFXSR_BIT, MEM_BYTES, VEC_PF },
		{ "0f 11 07", 0, CR4_OSFXSR_BIT, MEM_BYTES - 8, VEC_PF },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);

		m->e.cr0 |= cases[i].cr0;
		m->e.cr4 = cases[i].cr4;
		memset(m->xmm, 0x77, sizeof(m->xmm));
		GPR(RDI) = MEM_BASE + cases[i].at;
		GPR(RBP) = GPR(RDI);
		if (!model_fault(m, model_run(m, cases[i].insn), cases[i].vector))
			tap_fail("%s, case %u: not vector %u", cases[i].insn, i, cases[i].vector);
		CHECK(!m->count[OP_WRITE] || cases[i].vector == VEC_PF);
		CHECK(!memchr(m->mem, 0x77, sizeof(m->mem)));
		free(m);
	}
	return true;
}

/* An operand across a page edge whose second page faults: nothing is written. */
static bool test_page_split(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);
	u8 before[MEM_BYTES];

	memset(m->mem, 0x77, sizeof(m->mem));
	memcpy(before, m->mem, sizeof(before));
	GPR(RDI) = MEM_BASE + MEM_BYTES - 3;
	CHECK(model_fault(m, model_run(m, "48 89 07"), VEC_PF));
	CHECK(model_fault(m, model_run(m, "48 01 07"), VEC_PF));
	CHECK(model_last(m, OP_READ)->access == EMUL_ACC_RMW && m->e.exc.error_code == 2);
	GPR(RSP) = MEM_BASE + MEM_BYTES + 4;
	CHECK(model_fault(m, model_run(m, "50"), VEC_PF));
	CHECK(GPR(RSP) == MEM_BASE + MEM_BYTES + 4);
	CHECK(!memcmp(before, m->mem, sizeof(before)));
	GPR(RDI) = MEM_BASE + PAGE_BYTES - 3;
	CHECK(model_run(m, "48 89 07") == EMUL_OK && model_last(m, OP_WRITE)->len == 8);
	free(m);
	return true;
}

/* Offsets up to +-2^63 bits reach +-2^60 bytes, in whole operands. */
static bool test_bit_offsets(void)
{
	static const struct {
		const char *insn;
		u64 bit;
		u64 distance;
	} cases[] = {
		{ "48 0f ab 0f", 63, 0 },
		{ "48 0f ab 0f", 64, 8 },
		{ "48 0f ab 0f", -1ull, -8ull },
		{ "48 0f ab 0f", -64ull, -8ull },
		{ "48 0f ab 0f", -65ull, -16ull },
		{ "48 0f ab 0f", 0x7fffffffffffffffull, 0x0ffffffffffffff8ull },
		{ "48 0f bb 0f", 0x8000000000000000ull, 0xf000000000000000ull },
		{ "48 0f b3 0f", 0x8000000000000001ull, 0xf000000000000000ull },
		{ "0f ab 0f", 0xffffffff7fffffffull, 0x0ffffffc },
		{ "0f ab 0f", 0x80000000, -0x10000000ull },
		{ "66 0f ab 0f", 0xfff8000, -0x1000ull },
		{ "66 0f ab 0f", 0x7fff, 0xffe },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);
		u64 at = MEM_BASE + PAGE_BYTES + cases[i].distance;
		enum shvm_emul_result r;

		GPR(RDI) = MEM_BASE + PAGE_BYTES;
		GPR(RCX) = cases[i].bit;
		r = model_run(m, cases[i].insn);
		if (!emul_canonical(&m->e, at)) {
			if (!model_fault(m, r, VEC_GP) || m->nr_log != 1)
				tap_fail("%s by %#llx: no #GP", cases[i].insn, cases[i].bit);
		} else if (!model_last(m, OP_READ) || model_last(m, OP_READ)->addr != at) {
			tap_fail("%s by %#llx: wrong address", cases[i].insn, cases[i].bit);
		}
		free(m);
	}
	return true;
}

/* SDM vol. 2, LOCK: the only opcodes it goes with, and only with a memory destination. */
static bool is_lockable(bool two_byte, u8 opcode, u8 reg)
{
	if (!two_byte) {
		if (opcode < 0x38)
			return (opcode & 7) < 2;
		if (opcode >= 0x80 && opcode <= 0x83)
			return reg != 7 && opcode != 0x82;
		if (opcode == 0x86 || opcode == 0x87)
			return true;
		if (opcode == 0xf6 || opcode == 0xf7)
			return reg == 2 || reg == 3;
		return (opcode == 0xfe || opcode == 0xff) && reg < 2;
	}
	switch (opcode) {
	case 0xab:
	case 0xb0:
	case 0xb1:
	case 0xb3:
	case 0xbb:
	case 0xc0:
	case 0xc1:
		return true;
	case 0xba:
		return reg >= 5;
	case 0xc7:
		return reg == 1;
	}
	return false;
}

static bool is_prefix(bool two_byte, u8 opcode, enum shvm_emul_mode mode)
{
	if (two_byte)
		return false;
	if (mode == EMUL_MODE64 && (opcode & 0xf0) == 0x40)
		return true;
	return opcode == 0x0f || opcode == 0x26 || opcode == 0x2e || opcode == 0x36 ||
	       opcode == 0x3e || (opcode >= 0x64 && opcode <= 0x67) || opcode == 0xf0 ||
	       opcode == 0xf2 || opcode == 0xf3;
}

static enum shvm_emul_result run_map_entry(struct model *m, const char *prefix, bool two_byte,
					   u8 opcode, u8 modrm)
{
	char hex[64];

	snprintf(hex, sizeof(hex), "%s %s %02x %02x 00 00 00 00 00 00 00 00", prefix,
		 two_byte ? "0f" : "", opcode, modrm);
	GPR(RDI) = MEM_BASE + 64;
	GPR(RSI) = MEM_BASE + 64;
	GPR(RCX) = 1;
	GPR(RSP) = MEM_BASE + PAGE_BYTES;
	return model_run(m, hex);
}

static void check_lock(struct model *m, enum shvm_emul_mode mode, bool two_byte, u8 opcode,
		       u8 modrm)
{
	bool memory = modrm < 0xc0;
	bool legal = memory && is_lockable(two_byte, opcode, (modrm >> 3) & 7);
	enum shvm_emul_result r;

	model_reset(m, mode, 0);
	r = run_map_entry(m, "f0", two_byte, opcode, modrm);
	if (legal && (r != EMUL_OK || m->count[OP_CMPXCHG] != 1))
		tap_fail("lock %02x /%02x: legal, but result %d", opcode, modrm, r);
	if (!legal && r != EMUL_UNHANDLED && !model_fault(m, r, VEC_UD))
		tap_fail("lock %02x /%02x: illegal, but result %d", opcode, modrm, r);
}

/* Modes 32 and 64, all of both opcode maps, all ModRM.reg, memory and register. */
static bool test_lock_map(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);
	unsigned int i, reg;

	for (i = 0; i < 1024; i++) {
		enum shvm_emul_mode mode = i & 512 ? EMUL_MODE64 : EMUL_MODE32;
		bool two_byte = i & 256;

		if (is_prefix(two_byte, i, mode))
			continue;
		for (reg = 0; reg < 8; reg++) {
			check_lock(m, mode, two_byte, i, 0x07 | reg << 3);
			check_lock(m, mode, two_byte, i, 0xc7 | reg << 3);
		}
	}
	free(m);
	return true;
}

/* From CPL 3 nothing in either map reaches a port, a system register, INVLPG or HLT. */
static bool test_user_map(void)
{
	static const enum op_kind forbidden[] = {
		OP_PIO_IN, OP_PIO_OUT, OP_GET_CR, OP_SET_CR, OP_GET_DR, OP_SET_DR, OP_INVLPG,
		OP_HALT,
	};
	struct model *m = model_new(EMUL_MODE64, 3);
	unsigned int i, modrm, k;

	for (i = 0; i < 512 * 256; i++) {
		bool two_byte = i & 256;

		modrm = i >> 9;
		if (is_prefix(two_byte, i, EMUL_MODE64))
			continue;
		model_reset(m, EMUL_MODE64, 3);
		m->no_ports = true;
		m->e.cr4 = CR4_UMIP_BIT;
		run_map_entry(m, modrm & 1 ? "f3" : "48", two_byte, i, modrm);
		for (k = 0; k < ARRAY_SIZE(forbidden); k++)
			if (m->count[forbidden[k]])
				tap_fail("%02x /%02x from CPL 3 reaches operation %d", i & 255,
					 modrm, forbidden[k]);
	}
	free(m);
	return true;
}

/* The instruction was replaced after the exit: whatever it is now, it is not executed. */
static bool test_must_write(void)
{
	static const char * const others[] = {
		"f4", "0f 22 d8", "48 89 c3", "48 8b 07", "ec", "e4 60", "0f 01 3f", "48 89 47 40",
		"50", "f3 48 ab", "0f 06", "48 3b 07", "48 a7", "6c", "0f 1f 00", "90", "8d 07",
	};
	static const char * const same[] = {
		"48 89 07", "88 47 07", "48 01 07", "f0 0f ba 2f 00", "48 89 47 fc", "48 87 07",
		"48 0f c7 0f", "8f 07", "0f 11 47 f9", "66 0f d6 47 f9",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);
		struct shvm_emul_regs before;

		GPR(RDI) = MEM_BASE + 0x100;
		m->e.must_write = true;
		m->e.must_write_gla = MEM_BASE + 0x107;
		before = m->e.regs;
		if (model_run(m, others[i]) != EMUL_RETRY ||
		    memcmp(&before, &m->e.regs, sizeof(before)))
			tap_fail("%s does not write there, but it is executed", others[i]);
		CHECK(m->nr_log == 1 && m->log[0].kind == OP_FETCH);
		free(m);
	}
	for (i = 0; i < ARRAY_SIZE(same); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);

		GPR(RDI) = MEM_BASE + 0x100;
		m->e.must_write = true;
		m->e.must_write_gla = MEM_BASE + (i == 1 ? 0x107 : 0x100);
		if (model_run(m, same[i]) != EMUL_OK)
			tap_fail("%s writes there, but it is refused", same[i]);
		free(m);
	}
	return true;
}

static bool test_must_write_implicit(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	m->e.must_write = true;
	m->e.must_write_gla = MEM_BASE + PAGE_BYTES - 8;
	GPR(RSP) = MEM_BASE + PAGE_BYTES;
	CHECK(model_run(m, "50") == EMUL_OK);
	CHECK(model_run(m, "50") == EMUL_RETRY);
	GPR(RSP) = MEM_BASE + PAGE_BYTES;
	CHECK(model_run(m, "e8 00 00 00 00") == EMUL_OK);
	GPR(RDI) = MEM_BASE + PAGE_BYTES - 8;
	GPR(RCX) = 0;
	CHECK(model_run(m, "f3 48 ab") == EMUL_RETRY);
	GPR(RCX) = 4;
	CHECK(model_run(m, "f3 48 ab") == EMUL_OK && !GPR(RCX));
	/* A bit offset moves the address. */
	GPR(RDI) = MEM_BASE;
	GPR(RCX) = (PAGE_BYTES - 8) * 8;
	CHECK(model_run(m, "48 0f ab 0f") == EMUL_OK);
	GPR(RCX) = 0;
	CHECK(model_run(m, "48 0f ab 0f") == EMUL_RETRY);
	free(m);
	return true;
}

/* LOCK and XCHG that lose the race leave no trace; the guest is entered again. */
static bool test_lost_race(void)
{
	static const char * const insns[] = {
		"48 87 07", "f0 48 01 07", "f0 0f ba 2f 03", "f0 48 0f b1 0f", "f0 48 0f c1 0f",
		"f0 0f c7 0f", "f0 48 0f c7 0f", "f0 48 ff 07", "f0 48 f7 1f",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(insns); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);
		struct shvm_emul_regs before;

		m->lose_race = true;
		m->mem[0] = 0x55;
		GPR(RDI) = MEM_BASE;
		GPR(RCX) = 0x1234;
		before = m->e.regs;
		if (model_run(m, insns[i]) != EMUL_RETRY ||
		    memcmp(&before, &m->e.regs, sizeof(before)))
			tap_fail("%s: lost race is not a clean retry", insns[i]);
		CHECK(!m->count[OP_WRITE]);
		m->lose_race = false;
		CHECK(model_again(m) == EMUL_OK);
		free(m);
	}
	return true;
}

/* POP to memory forms its address with the stack pointer that it leaves behind. */
static bool test_pop_address(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RSP) = MEM_BASE;
	m->mem[0] = 0x99;
	CHECK(model_run(m, "8f 04 24") == EMUL_OK && model_last(m, OP_WRITE)->addr == MEM_BASE + 8);
	CHECK(GPR(RSP) == MEM_BASE + 8 && m->mem[8] == 0x99);
	CHECK(model_run(m, "66 8f 44 24 10") == EMUL_OK);
	CHECK(model_last(m, OP_WRITE)->addr == MEM_BASE + 0x1a && m->mem[0x1a] == 0x99);
	GPR(R12) = MEM_BASE + 0x40;
	CHECK(model_run(m, "41 8f 04 24") == EMUL_OK);
	CHECK(model_last(m, OP_WRITE)->addr == MEM_BASE + 0x40);
	CHECK(model_run(m, "5c") == EMUL_OK && GPR(RSP) == 0);
	GPR(RSP) = MEM_BASE + 0x100;
	CHECK(model_run(m, "54") == EMUL_OK && GPR(RSP) == MEM_BASE + 0xf8);
	CHECK(model_last(m, OP_WRITE)->val == MEM_BASE + 0x100);
	free(m);
	return true;
}

static bool test_rep_bound(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RDI) = MEM_BASE;
	GPR(RCX) = 2500;
	CHECK(model_run(m, "f3 aa") == EMUL_OK);
	CHECK(m->e.regs.rip == CODE_AT && GPR(RCX) == 2500 - SHVM_EMUL_REP_MAX);
	CHECK(GPR(RDI) == MEM_BASE + SHVM_EMUL_REP_MAX);
	CHECK(model_again(m) == EMUL_OK && m->e.regs.rip == CODE_AT);
	CHECK(model_again(m) == EMUL_OK && m->e.regs.rip == CODE_AT + 2);
	CHECK(!GPR(RCX) && GPR(RDI) == MEM_BASE + 2500);
	/* Exactly the bound: done in one. */
	GPR(RCX) = SHVM_EMUL_REP_MAX;
	GPR(RDI) = MEM_BASE;
	CHECK(model_run(m, "f3 aa") == EMUL_OK && m->e.regs.rip == CODE_AT + 2);
	/* Nothing to do. */
	GPR(RCX) = 0;
	CHECK(model_run(m, "f3 aa") == EMUL_OK && m->e.regs.rip == CODE_AT + 2);
	CHECK(m->nr_log == 1);
	free(m);
	return true;
}

/* The sixth iteration needs user space, or faults: five are done and stay done. */
static void check_rep_stop(enum op_kind kind, enum shvm_emul_result why)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	memset(m->mem, 0x11, 64);
	GPR(RSI) = MEM_BASE;
	GPR(RDI) = MEM_BASE + PAGE_BYTES;
	GPR(RCX) = 8;
	m->fail_kind = kind;
	m->fail_after = 5;
	m->fail_with = why;
	CHECK(model_run(m, "f3 48 a5") == why);
	CHECK(m->e.regs.rip == CODE_AT && GPR(RCX) == 3);
	CHECK(GPR(RSI) == MEM_BASE + 40 && GPR(RDI) == MEM_BASE + PAGE_BYTES + 40);
	CHECK(m->count[OP_COMMIT] == 5);
	CHECK(m->mem[PAGE_BYTES + 39] == 0x11 && !m->mem[PAGE_BYTES + 40]);
	m->fail_after = -1;
	m->e.insn_cached = true;
	CHECK(model_again(m) == EMUL_OK);
	CHECK(m->count[OP_WRITE] == 3 && !m->count[OP_FETCH]);
	CHECK(!GPR(RCX) && m->e.regs.rip == CODE_AT + 3 && m->mem[PAGE_BYTES + 63] == 0x11);
	free(m);
}

static bool test_rep_stop(void)
{
	check_rep_stop(OP_WRITE, EMUL_USER);
	check_rep_stop(OP_READ, EMUL_USER);
	check_rep_stop(OP_WRITE, EMUL_FAULT);
	check_rep_stop(OP_READ, EMUL_RETRY);
	return true;
}

/* TF traps after every iteration. */
static bool test_rep_single_step(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RDI) = MEM_BASE;
	GPR(RCX) = 2;
	m->e.regs.rflags |= EFL_TF;
	CHECK(model_run(m, "f3 aa") == EMUL_OK && m->e.single_step);
	CHECK(m->e.regs.rip == CODE_AT && GPR(RCX) == 1);
	CHECK(model_again(m) == EMUL_OK && m->e.single_step);
	CHECK(m->e.regs.rip == CODE_AT + 2 && GPR(RCX) == 0);
	m->e.regs.rflags &= ~EFL_TF;
	CHECK(model_run(m, "90") == EMUL_OK && !m->e.single_step);
	free(m);
	return true;
}

/* Ports are batched up to a page edge, upwards only; the destination is checked first. */
static bool test_rep_ports(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RDX) = 0x1f0;
	GPR(RDI) = MEM_BASE + PAGE_BYTES - 64;
	GPR(RCX) = 48;
	CHECK(model_run(m, "f3 66 6d") == EMUL_OK && m->e.regs.rip == CODE_AT + 3);
	CHECK(m->count[OP_PIO_IN] == 2 && m->count[OP_CHECK_WRITE] == 2);
	CHECK(model_last(m, OP_PIO_IN)->len == 32 && model_last(m, OP_PIO_IN)->access == 2);
	CHECK(m->mem[PAGE_BYTES - 1] == 64 && m->mem[PAGE_BYTES] == 1);
	GPR(RCX) = 4;
	m->fail_kind = OP_CHECK_WRITE;
	m->fail_after = 0;
	m->fail_with = EMUL_FAULT;
	CHECK(model_run(m, "f3 6c") == EMUL_FAULT && !m->count[OP_PIO_IN] && GPR(RCX) == 4);
	m->fail_after = -1;
	GPR(RSI) = MEM_BASE + 100;
	m->e.regs.rflags |= EFL_DF;
	CHECK(model_run(m, "f3 6e") == EMUL_OK && m->count[OP_PIO_OUT] == 4);
	CHECK(GPR(RSI) == MEM_BASE + 96);
	m->e.regs.rflags &= ~EFL_DF;
	GPR(RSI) = MEM_BASE;
	GPR(RCX) = 3000;
	CHECK(model_run(m, "f3 6e") == EMUL_OK && m->count[OP_PIO_OUT] == 1);
	CHECK(model_last(m, OP_PIO_OUT)->len == SHVM_EMUL_IO_BYTES);
	CHECK(m->e.regs.rip == CODE_AT && GPR(RCX) == 3000 - SHVM_EMUL_IO_BYTES);
	free(m);
	return true;
}

/* A 16-bit index wraps within its segment, not into a batch. */
static bool test_rep_ports_wrap(void)
{
	struct model *m = model_new(EMUL_MODE16, 0);

	m->e.seg[EMUL_ES].base = MEM_BASE - 0xf800;	/* the end is amid a page */
	GPR(RDI) = 0xabcdfffc;
	GPR(RCX) = 8;
	m->fail_kind = OP_PIO_IN;
	m->fail_after = 4;
	m->fail_with = EMUL_USER;
	CHECK(model_run(m, "f3 6c") == EMUL_USER);
	CHECK(GPR(RDI) == 0xabcd0000 && GPR(RCX) == 4);
	free(m);
	return true;
}

static bool test_length(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	CHECK(model_run(m, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90") == EMUL_OK);
	CHECK(m->e.regs.rip == CODE_AT + 15);
	CHECK(model_fault(m, model_run(m, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"),
			  VEC_GP));
	CHECK(m->e.exc.has_error && !m->e.exc.error_code);
	CHECK(model_fault(m, model_run(m, "66 66 66 66 66 66 66 66 66 66 66 66 66 89 47 00"),
			  VEC_GP));
	free(m);
	return true;
}

/* The page behind the instruction is touched if, and only if, the instruction reaches into it. */
static bool test_fetch_pages(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	m->code_end = CODE_AT + PAGE_BYTES;
	m->e.regs.rip = CODE_AT + PAGE_BYTES - 2;
	model_code(m, "89 c3");
	CHECK(model_again(m) == EMUL_OK && m->count[OP_FETCH] == 1);
	CHECK(m->e.regs.rip == CODE_AT + PAGE_BYTES);
	m->e.regs.rip = CODE_AT + PAGE_BYTES - 2;
	model_code(m, "48 89 c3");
	CHECK(model_fault(m, model_again(m), VEC_PF));
	CHECK(m->e.exc.cr2 == m->code_end && m->e.exc.error_code == 0x14);
	m->code_end = 0;
	CHECK(model_again(m) == EMUL_OK && m->count[OP_FETCH] == 2);
	m->e.regs.rip = 0x0000800000000000ull;
	CHECK(model_fault(m, model_again(m), VEC_GP) && !m->count[OP_FETCH]);
	free(m);
	m = model_new(EMUL_MODE32, 0);
	m->e.seg[EMUL_CS].limit = CODE_AT + 1;
	CHECK(model_run(m, "89 c3") == EMUL_OK);
	CHECK(model_fault(m, model_run(m, "89 40 10"), VEC_GP));
	free(m);
	return true;
}

/* User space answers an MMIO read; the code has changed meanwhile. */
static bool test_cached_insn(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RDI) = MEM_BASE;
	m->fail_kind = OP_READ;
	m->fail_after = 0;
	m->fail_with = EMUL_USER;
	CHECK(model_run(m, "48 8b 07") == EMUL_USER);
	m->fail_after = -1;
	m->mem[0] = 0x42;
	model_code(m, "f4");
	m->e.insn_cached = true;
	CHECK(model_again(m) == EMUL_OK && GPR(RAX) == 0x42 && !m->count[OP_HALT]);
	CHECK(m->e.regs.rip == CODE_AT + 3);
	free(m);
	return true;
}

/* The same without decoding it again, also in the middle of a repeated one. */
static bool test_decoded_insn(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RSI) = MEM_BASE;
	GPR(RDI) = MEM_BASE + 64;
	GPR(RCX) = 4;
	m->mem[3] = 0x42;
	m->fail_kind = OP_READ;
	m->fail_after = 2;
	m->fail_with = EMUL_USER;
	CHECK(model_run(m, "f3 a4") == EMUL_USER && GPR(RCX) == 2);
	m->fail_after = -1;
	memset(m->e.insn, 0xf4, sizeof(m->e.insn));
	m->e.insn_decoded = true;
	CHECK(model_again(m) == EMUL_OK && m->mem[67] == 0x42 && !GPR(RCX));
	CHECK(m->e.regs.rip == CODE_AT + 2 && !m->count[OP_HALT]);
	free(m);
	return true;
}

static bool test_info(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);
	struct shvm_emul_info info;

	GPR(RDI) = MEM_BASE;
	GPR(RSI) = MEM_BASE + 8;
	GPR(RCX) = 5;
	model_code(m, "f3 48 ab");
	CHECK(shvm_emul_decode(&m->e, &info) == EMUL_OK);
	CHECK(info.len == 3 && info.is_string && info.is_rep && info.writes && info.size == 8 &&
	      info.linear == MEM_BASE);
	model_code(m, "8b 47 04");
	CHECK(shvm_emul_decode(&m->e, &info) == EMUL_OK);
	CHECK(info.len == 3 && !info.is_string && !info.writes && info.size == 4 &&
	      info.linear == MEM_BASE + 4);
	model_code(m, "ae");
	CHECK(shvm_emul_decode(&m->e, &info) == EMUL_OK);
	CHECK(!info.writes && info.linear == MEM_BASE && info.size == 1);
	model_code(m, "8d 47 04");
	CHECK(shvm_emul_decode(&m->e, &info) == EMUL_OK && !info.size && !info.writes);
	model_code(m, "0f ff");
	CHECK(shvm_emul_decode(&m->e, &info) == EMUL_UNHANDLED);
	CHECK(!m->count[OP_READ] && !m->count[OP_WRITE] && m->e.regs.rip == CODE_AT);
	free(m);
	return true;
}

/* What the emulator does not know it leaves alone, with the bytes at hand. */
static bool test_unhandled(void)
{
	static const char * const insns[] = {
		"0f a2", "0f 05", "c5 f8 77", "0f 28 07", "f3 0f b8 c0", "8e d8", "cf", "cc", "9b",
		"d9 07", "0f 01 f8", "62 f1 7c 48 11 07", "0f 01 17", "0f 30", "66 e8 00 00",
		"0f 11 c1", "66 0f 7f c1", "66 0f d6 c1", "66 0f 7e c1", "0f 10 07", "66 0f 6f 07",
		"0f 7e 07", "0f 7f 07", "0f e7 07", "f3 0f 7e 07", "f2 0f 7f 07", "f3 0f 29 07",
		"f3 0f 2b 07", "f2 0f 13 07", "f3 0f d6 c1", "c5 f8 11 07", "c5 fe 7f 07",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(insns); i++) {
		struct model *m = model_new(EMUL_MODE64, 0);
		struct shvm_emul_regs before = m->e.regs;

		if (model_run(m, insns[i]) != EMUL_UNHANDLED)
			tap_fail("%s is not refused", insns[i]);
		CHECK(!memcmp(&before, &m->e.regs, sizeof(before)));
		CHECK(m->e.insn_len == SHVM_EMUL_INSN_MAX &&
		      !memcmp(m->e.insn, m->code, SHVM_EMUL_INSN_MAX));
		free(m);
	}
	return true;
}

/* Modes that the emulator does not model. */
static bool test_modes(void)
{
	struct model *m = model_new(EMUL_MODE16, 0);

	m->e.cr0 = 0;
	CHECK(model_run(m, "90") == EMUL_UNHANDLED);
	m->e.cr0 = CR0_PE_BIT;
	CHECK(model_run(m, "90") == EMUL_OK);
	m->e.regs.rflags |= EFL_VM;
	CHECK(model_run(m, "90") == EMUL_UNHANDLED);
	free(m);
	return true;
}

/* One random instruction near the forms of the small decoder. */
static void random_store(u8 insn[SHVM_EMUL_INSN_MAX])
{
	static const u8 opcodes[] = { 0x87, 0x89, 0xc7, 0x89, 0xc6, 0x8b };
	unsigned int i;

	for (i = 0; i < SHVM_EMUL_INSN_MAX; i++)
		insn[i] = rnd();
	if (rnd_below(20))
		insn[0] = 0x48 | (insn[0] & 7);
	insn[1] = opcodes[rnd_below(ARRAY_SIZE(opcodes))];
	/* Mostly addresses that are memory. */
	if (rnd_below(4))
		insn[2] &= 0x7f;
	if (rnd_below(3))
		return;
	/* LOCK AND and what is like it, with and without REX. */
	insn[0] = rnd_below(20) ? (rnd_below(2) ? 0xf0 : 0x3e) : 0xf2;
	i = rnd_below(2);
	insn[1] = 0x40 | (insn[1] & 0xf);
	insn[1 + i] = rnd_below(10) ? 0x80 : 0x81;
	insn[2 + i] = rnd() & (rnd_below(4) ? 0x47 : 0xc7);
	insn[2 + i] |= rnd_below(10) ? 0x20 : rnd() & 0x38;
}

/* The full decoder says the same, and what it runs ends the same. */
static bool store_agrees(struct model *m, const struct shvm_emul_store *st)
{
	struct shvm_emul_info info;
	u64 at = st->linear - MEM_BASE, old, now, wanted = st->value;
	u64 reg = m->e.regs.gpr[st->reg], rflags = m->e.regs.rflags;

	if (shvm_emul_decode(&m->e, &info) != EMUL_OK || info.len != st->len)
		return false;
	if (!emul_canonical(&m->e, st->linear) || !emul_canonical(&m->e, st->linear + 7))
		return true;	/* a fault is never there */
	if (!info.writes || info.linear != st->linear || info.size != (st->and ? 1 : 8))
		return false;
	if (at > MEM_BYTES - 8)
		return true;
	memcpy(&old, m->mem + at, sizeof(old));
	if (model_again(m) != EMUL_OK)
		return false;
	memcpy(&now, m->mem + at, sizeof(now));
	if (st->and)
		wanted = shvm_emul_store_and(st, old, &rflags);
	return now == wanted && m->e.regs.rflags == rflags &&
	       m->e.regs.gpr[st->reg] == (st->exchange ? old : reg);
}

/* The small decoder against the full one. */
static bool test_decode_store(void)
{
	unsigned int i, j, accepted = 0;
	struct shvm_emul_store st;

	for (i = 0; i < 20000; i++) {
		struct model *m = model_new(EMUL_MODE64, 0);
		u8 *insn = m->code;

		random_store(insn);
		for (j = 0; j < EMUL_NR_GPR; j++)
			m->e.regs.gpr[j] = rnd_below(10) ? MEM_BASE + rnd_below(PAGE_BYTES) : rnd();
		m->e.regs.rip = CODE_AT;
		for (j = 0; j < PAGE_BYTES; j++)
			m->mem[j] = rnd();
		if (shvm_emul_decode_store(insn, SHVM_EMUL_INSN_MAX, m->e.regs.gpr, &st)) {
			accepted++;
			CHECK(!shvm_emul_decode_store(insn, st.len - 1, m->e.regs.gpr, &st));
			CHECK(shvm_emul_decode_store(insn, st.len, m->e.regs.gpr, &st));
			if (!store_agrees(m, &st))
				tap_fail("%02x %02x %02x %02x: decoders differ", insn[0], insn[1],
					 insn[2], insn[3]);
		}
		free(m);
	}
	CHECK(accepted > 4000);
	return true;
}

void add_directed_tests(void)
{
	tap_plan_add("the small decoder of stores against the full one", test_decode_store);
	tap_plan_add("stores: address, width, one operation each", test_store_widths);
	tap_plan_add("XMM registers and their halves", test_xmm_values);
	tap_plan_add("faults of XMM stores and their order", test_xmm_faults);
	tap_plan_add("operands across pages are all or nothing", test_page_split);
	tap_plan_add("bit offsets up to 2^63", test_bit_offsets);
	tap_plan_add("LOCK over the whole opcode map", test_lock_map);
	tap_plan_add("CPL 3 over the whole opcode map", test_user_map);
	tap_plan_add("an instruction that does not write where it should", test_must_write);
	tap_plan_add("stack, string and bit stores where they should be", test_must_write_implicit);
	tap_plan_add("a lost race is a clean retry", test_lost_race);
	tap_plan_add("push and pop of and by rSP", test_pop_address);
	tap_plan_add("repetition is bounded", test_rep_bound);
	tap_plan_add("repetition stops and goes on", test_rep_stop);
	tap_plan_add("repetition and single step", test_rep_single_step);
	tap_plan_add("repeated port access", test_rep_ports);
	tap_plan_add("repeated port access does not wrap", test_rep_ports_wrap);
	tap_plan_add("instructions of 15 and of more bytes", test_length);
	tap_plan_add("instructions across pages and limits", test_fetch_pages);
	tap_plan_add("the instruction that asked user space", test_cached_insn);
	tap_plan_add("an instruction that is decoded is not decoded again", test_decoded_insn);
	tap_plan_add("what an instruction would do", test_info);
	tap_plan_add("unknown instructions are refused", test_unhandled);
	tap_plan_add("unknown modes are refused", test_modes);
}
