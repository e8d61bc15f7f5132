// SPDX-License-Identifier: GPL-2.0-only
/*
 * The opcode map: which instructions the emulator accepts, where their operands are, which
 * checks apply. This is the allow list. A hole, or an entry without a handler, is refused; an
 * entry without a handler is here for its privilege check alone.
 */
#include "emul_internal.h"

#define RMW	(INSN_W | INSN_LOCK)

/* 00-3f, by the low three bits: bits 5:3 choose the operation. */
const struct emul_opcode emul_table_alu[6] = {
	[0] = { .exec = emul_exec_alu, .form = FORM_E_G, .flags = RMW | INSN_BYTE },
	[1] = { .exec = emul_exec_alu, .form = FORM_E_G, .flags = RMW },
	[2] = { .exec = emul_exec_alu, .form = FORM_G_E, .flags = INSN_BYTE },
	[3] = { .exec = emul_exec_alu, .form = FORM_G_E },
	[4] = { .exec = emul_exec_alu, .form = FORM_A, .imm = IMM_8, .flags = INSN_BYTE },
	[5] = { .exec = emul_exec_alu, .form = FORM_A, .imm = IMM_Z },
};

/* 38-3f: as above, but the first operand is only read. */
const struct emul_opcode emul_table_cmp[6] = {
	[0] = { .exec = emul_exec_alu, .form = FORM_E_G, .flags = INSN_BYTE },
	[1] = { .exec = emul_exec_alu, .form = FORM_E_G },
	[2] = { .exec = emul_exec_alu, .form = FORM_G_E, .flags = INSN_BYTE },
	[3] = { .exec = emul_exec_alu, .form = FORM_G_E },
	[4] = { .exec = emul_exec_alu, .form = FORM_A, .imm = IMM_8, .flags = INSN_BYTE },
	[5] = { .exec = emul_exec_alu, .form = FORM_A, .imm = IMM_Z },
};

static const struct emul_opcode group1_80[8] = {
	[0 ... 6] = { .exec = emul_exec_alu, .form = FORM_E, .imm = IMM_8,
		      .flags = RMW | INSN_BYTE },
	[7] = { .exec = emul_exec_alu, .form = FORM_E, .imm = IMM_8, .flags = INSN_BYTE },
};

static const struct emul_opcode group1_81[8] = {
	[0 ... 6] = { .exec = emul_exec_alu, .form = FORM_E, .imm = IMM_Z, .flags = RMW },
	[7] = { .exec = emul_exec_alu, .form = FORM_E, .imm = IMM_Z },
};

static const struct emul_opcode group1_83[8] = {
	[0 ... 6] = { .exec = emul_exec_alu, .form = FORM_E, .imm = IMM_8, .flags = RMW },
	[7] = { .exec = emul_exec_alu, .form = FORM_E, .imm = IMM_8 },
};

static const struct emul_opcode group_8f[8] = {
	[0] = { .exec = emul_exec_pop, .form = FORM_E, .flags = INSN_W | INSN_D64 | INSN_POP },
};

/* /6 is an undocumented alias of /4. */
static const struct emul_opcode group2_c0[8] = {
	[0 ... 5] = { .exec = emul_exec_shift, .form = FORM_E, .imm = IMM_8,
		      .flags = INSN_W | INSN_BYTE },
	[7] = { .exec = emul_exec_shift, .form = FORM_E, .imm = IMM_8,
		.flags = INSN_W | INSN_BYTE },
};

static const struct emul_opcode group2_c1[8] = {
	[0 ... 5] = { .exec = emul_exec_shift, .form = FORM_E, .imm = IMM_8, .flags = INSN_W },
	[7] = { .exec = emul_exec_shift, .form = FORM_E, .imm = IMM_8, .flags = INSN_W },
};

static const struct emul_opcode group2_d0[8] = {
	[0 ... 5] = { .exec = emul_exec_shift, .form = FORM_E, .flags = INSN_W | INSN_BYTE },
	[7] = { .exec = emul_exec_shift, .form = FORM_E, .flags = INSN_W | INSN_BYTE },
};

static const struct emul_opcode group2_d1[8] = {
	[0 ... 5] = { .exec = emul_exec_shift, .form = FORM_E, .flags = INSN_W },
	[7] = { .exec = emul_exec_shift, .form = FORM_E, .flags = INSN_W },
};

static const struct emul_opcode group_c6[8] = {
	[0] = { .exec = emul_exec_mov, .form = FORM_E, .imm = IMM_8, .flags = INSN_W | INSN_BYTE },
};

static const struct emul_opcode group_c7[8] = {
	[0] = { .exec = emul_exec_mov, .form = FORM_E, .imm = IMM_Z, .flags = INSN_W },
};

static const struct emul_opcode group3_f6[8] = {
	[0] = { .exec = emul_exec_test, .form = FORM_E, .imm = IMM_8, .flags = INSN_BYTE },
	[2] = { .exec = emul_exec_not, .form = FORM_E, .flags = RMW | INSN_BYTE },
	[3] = { .exec = emul_exec_neg, .form = FORM_E, .flags = RMW | INSN_BYTE },
	[4 ... 5] = { .exec = emul_exec_mul, .form = FORM_E, .flags = INSN_BYTE },
	[6 ... 7] = { .exec = emul_exec_div, .form = FORM_E, .flags = INSN_BYTE },
};

static const struct emul_opcode group3_f7[8] = {
	[0] = { .exec = emul_exec_test, .form = FORM_E, .imm = IMM_Z },
	[2] = { .exec = emul_exec_not, .form = FORM_E, .flags = RMW },
	[3] = { .exec = emul_exec_neg, .form = FORM_E, .flags = RMW },
	[4 ... 5] = { .exec = emul_exec_mul, .form = FORM_E },
	[6 ... 7] = { .exec = emul_exec_div, .form = FORM_E },
};

static const struct emul_opcode group4_fe[8] = {
	[0] = { .exec = emul_exec_inc, .form = FORM_E, .flags = RMW | INSN_BYTE },
	[1] = { .exec = emul_exec_dec, .form = FORM_E, .flags = RMW | INSN_BYTE },
};

static const struct emul_opcode group5_ff[8] = {
	[0] = { .exec = emul_exec_inc, .form = FORM_E, .flags = RMW },
	[1] = { .exec = emul_exec_dec, .form = FORM_E, .flags = RMW },
	[2] = { .exec = emul_exec_call_abs, .form = FORM_E,
		.flags = INSN_D64 | INSN_PUSH | INSN_BRANCH },
	[4] = { .exec = emul_exec_jmp_abs, .form = FORM_E, .flags = INSN_D64 | INSN_BRANCH },
	[6] = { .exec = emul_exec_push, .form = FORM_E, .flags = INSN_D64 | INSN_PUSH },
};

const struct emul_opcode emul_table_1b[256] = {
	/* In 64-bit mode these are REX prefixes. */
	[0x40 ... 0x47] = { .exec = emul_exec_inc, .form = FORM_R },
	[0x48 ... 0x4f] = { .exec = emul_exec_dec, .form = FORM_R },
	[0x50 ... 0x57] = { .exec = emul_exec_push, .form = FORM_R, .flags = INSN_D64 | INSN_PUSH },
	[0x58 ... 0x5f] = { .exec = emul_exec_pop, .form = FORM_R, .flags = INSN_D64 },
	[0x63] = { .exec = emul_exec_movsx, .form = FORM_G_E,
		   .flags = INSN_ONLY64 | INSN_NO66 | INSN_SRC32 },
	[0x68] = { .exec = emul_exec_push, .imm = IMM_Z, .flags = INSN_D64 | INSN_PUSH },
	[0x69] = { .exec = emul_exec_imul, .form = FORM_G_E, .imm = IMM_Z },
	[0x6a] = { .exec = emul_exec_push, .imm = IMM_8, .flags = INSN_D64 | INSN_PUSH },
	[0x6b] = { .exec = emul_exec_imul, .form = FORM_G_E, .imm = IMM_8 },
	[0x6c] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_STRDST | INSN_BYTE },
	[0x6d] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_STRDST | INSN_MAX32 },
	[0x6e] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_BYTE },
	[0x6f] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_MAX32 },
	[0x70 ... 0x7f] = { .exec = emul_exec_jcc, .imm = IMM_8, .flags = INSN_D64 | INSN_BRANCH },
	[0x80] = { .group = group1_80, .form = FORM_E },
	[0x81] = { .group = group1_81, .form = FORM_E },
	[0x83] = { .group = group1_83, .form = FORM_E },
	[0x84] = { .exec = emul_exec_test, .form = FORM_E_G, .flags = INSN_BYTE },
	[0x85] = { .exec = emul_exec_test, .form = FORM_E_G },
	[0x86] = { .exec = emul_exec_xchg, .form = FORM_E_G, .flags = RMW | INSN_BYTE },
	[0x87] = { .exec = emul_exec_xchg, .form = FORM_E_G, .flags = RMW },
	[0x88] = { .exec = emul_exec_mov, .form = FORM_E_G, .flags = INSN_W | INSN_BYTE },
	[0x89] = { .exec = emul_exec_mov, .form = FORM_E_G, .flags = INSN_W },
	[0x8a] = { .exec = emul_exec_mov, .form = FORM_G_E, .flags = INSN_BYTE },
	[0x8b] = { .exec = emul_exec_mov, .form = FORM_G_E },
	[0x8c] = { .exec = emul_exec_mov_from_seg, .form = FORM_E, .flags = INSN_W | INSN_MEM16 },
	[0x8d] = { .exec = emul_exec_lea, .form = FORM_G_E, .flags = INSN_MEM | INSN_NOACC },
	[0x8f] = { .group = group_8f, .form = FORM_E },
	[0x90] = { .exec = emul_exec_nop90, .form = FORM_R_A },
	[0x91 ... 0x97] = { .exec = emul_exec_xchg, .form = FORM_R_A },
	[0x98 ... 0x99] = { .exec = emul_exec_widen },
	[0x9c] = { .exec = emul_exec_pushf, .flags = INSN_D64 | INSN_PUSH },
	[0x9d] = { .exec = emul_exec_popf, .flags = INSN_D64 },
	[0xa0] = { .exec = emul_exec_mov, .form = FORM_A_O, .flags = INSN_BYTE },
	[0xa1] = { .exec = emul_exec_mov, .form = FORM_A_O },
	[0xa2] = { .exec = emul_exec_mov, .form = FORM_O_A, .flags = INSN_W | INSN_BYTE },
	[0xa3] = { .exec = emul_exec_mov, .form = FORM_O_A, .flags = INSN_W },
	[0xa4] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_STRDST | INSN_BYTE },
	[0xa5] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_STRDST },
	[0xa6] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_BYTE },
	[0xa7] = { .exec = emul_exec_string, .flags = INSN_STRING },
	[0xa8] = { .exec = emul_exec_test, .form = FORM_A, .imm = IMM_8, .flags = INSN_BYTE },
	[0xa9] = { .exec = emul_exec_test, .form = FORM_A, .imm = IMM_Z },
	[0xaa] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_STRDST | INSN_BYTE },
	[0xab] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_STRDST },
	[0xac] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_BYTE },
	[0xad] = { .exec = emul_exec_string, .flags = INSN_STRING },
	[0xae] = { .exec = emul_exec_string, .flags = INSN_STRING | INSN_BYTE },
	[0xaf] = { .exec = emul_exec_string, .flags = INSN_STRING },
	[0xb0 ... 0xb7] = { .exec = emul_exec_mov, .form = FORM_R, .imm = IMM_8,
			    .flags = INSN_BYTE },
	[0xb8 ... 0xbf] = { .exec = emul_exec_mov, .form = FORM_R, .imm = IMM_V },
	[0xc0] = { .group = group2_c0, .form = FORM_E },
	[0xc1] = { .group = group2_c1, .form = FORM_E },
	[0xc2] = { .exec = emul_exec_ret, .imm = IMM_16, .flags = INSN_D64 | INSN_BRANCH },
	[0xc3] = { .exec = emul_exec_ret, .flags = INSN_D64 | INSN_BRANCH },
	[0xc6] = { .group = group_c6, .form = FORM_E },
	[0xc7] = { .group = group_c7, .form = FORM_E },
	[0xd0] = { .group = group2_d0, .form = FORM_E },
	[0xd1] = { .group = group2_d1, .form = FORM_E },
	[0xd2] = { .group = group2_d0, .form = FORM_E },
	[0xd3] = { .group = group2_d1, .form = FORM_E },
	[0xe0 ... 0xe3] = { .exec = emul_exec_loop, .imm = IMM_8,
			    .flags = INSN_D64 | INSN_BRANCH | INSN_NOREP },
	[0xe4] = { .exec = emul_exec_in, .imm = IMM_8, .flags = INSN_BYTE },
	[0xe5] = { .exec = emul_exec_in, .imm = IMM_8, .flags = INSN_MAX32 },
	[0xe6] = { .exec = emul_exec_out, .imm = IMM_8, .flags = INSN_BYTE },
	[0xe7] = { .exec = emul_exec_out, .imm = IMM_8, .flags = INSN_MAX32 },
	[0xe8] = { .exec = emul_exec_call_rel, .imm = IMM_Z,
		   .flags = INSN_D64 | INSN_PUSH | INSN_BRANCH },
	[0xe9] = { .exec = emul_exec_jmp_rel, .imm = IMM_Z, .flags = INSN_D64 | INSN_BRANCH },
	[0xeb] = { .exec = emul_exec_jmp_rel, .imm = IMM_8, .flags = INSN_D64 | INSN_BRANCH },
	[0xec] = { .exec = emul_exec_in, .flags = INSN_BYTE },
	[0xed] = { .exec = emul_exec_in, .flags = INSN_MAX32 },
	[0xee] = { .exec = emul_exec_out, .flags = INSN_BYTE },
	[0xef] = { .exec = emul_exec_out, .flags = INSN_MAX32 },
	[0xf4] = { .exec = emul_exec_hlt, .flags = INSN_PRIV },
	[0xf5] = { .exec = emul_exec_flag },
	[0xf6] = { .group = group3_f6, .form = FORM_E },
	[0xf7] = { .group = group3_f7, .form = FORM_E },
	[0xf8 ... 0xf9] = { .exec = emul_exec_flag },
	[0xfa] = { .exec = emul_exec_cli },
	[0xfb] = { .exec = emul_exec_sti },
	[0xfc ... 0xfd] = { .exec = emul_exec_flag },
	[0xfe] = { .group = group4_fe, .form = FORM_E },
	[0xff] = { .group = group5_ff, .form = FORM_E },
};

/* sldt, str, lldt, ltr */
static const struct emul_opcode group6_00[8] = {
	[0 ... 1] = { .exec = emul_exec_store_table, .form = FORM_E,
		      .flags = INSN_W | INSN_MEM16 },
	[2 ... 3] = { .form = FORM_E, .flags = INSN_PRIV },
};

/* sgdt, sidt, lgdt, lidt, smsw, -, lmsw, invlpg */
static const struct emul_opcode group7_01[8] = {
	[0 ... 1] = { .exec = emul_exec_store_table, .form = FORM_E,
		      .flags = INSN_MEMREF | INSN_NOREP },
	[2 ... 3] = { .form = FORM_E, .flags = INSN_MEMREF | INSN_NOREP | INSN_PRIV },
	[4] = { .exec = emul_exec_smsw, .form = FORM_E,
		.flags = INSN_W | INSN_MEM16 | INSN_NOREP },
	[6] = { .exec = emul_exec_lmsw, .form = FORM_E,
		.flags = INSN_MEM16 | INSN_NOREP | INSN_PRIV },
	[7] = { .exec = emul_exec_invlpg, .form = FORM_E,
		.flags = INSN_MEMREF | INSN_NOACC | INSN_NOREP | INSN_PRIV },
};

static const struct emul_opcode group8_ba[8] = {
	[4] = { .exec = emul_exec_bt, .form = FORM_E, .imm = IMM_8 },
	[5 ... 7] = { .exec = emul_exec_bt, .form = FORM_E, .imm = IMM_8, .flags = RMW },
};

static const struct emul_opcode group9_c7[8] = {
	[1] = { .exec = emul_exec_cmpxchg_pair, .form = FORM_E,
		.flags = RMW | INSN_PAIR | INSN_MEM | INSN_NOREP },
};

/* One with the register form is a move between registers, one with INSN_MEM does not have it. */
#define STORE_XMM(bits)						\
	{ .exec = emul_exec_store_xmm, .form = FORM_E, .flags = INSN_W | (bits) }

/* movups, movupd, movss, movsd */
static const struct emul_opcode store_11[NR_PREFIX] = {
	[PREFIX_NONE] = STORE_XMM(INSN_MEMREF | INSN_MEM128),
	[PREFIX_66] = STORE_XMM(INSN_MEMREF | INSN_MEM128),
	[PREFIX_F3] = STORE_XMM(INSN_MEMREF | INSN_MEM32),
	[PREFIX_F2] = STORE_XMM(INSN_MEMREF | INSN_MEM64),
};

/* movlps, movlpd */
static const struct emul_opcode store_13[NR_PREFIX] = {
	[PREFIX_NONE ... PREFIX_66] = STORE_XMM(INSN_MEM | INSN_MEM64),
};

/* movhps, movhpd */
static const struct emul_opcode store_17[NR_PREFIX] = {
	[PREFIX_NONE ... PREFIX_66] = STORE_XMM(INSN_MEM | INSN_MEM64 | INSN_HIGH),
};

/* movaps, movapd */
static const struct emul_opcode store_29[NR_PREFIX] = {
	[PREFIX_NONE ... PREFIX_66] = STORE_XMM(INSN_MEMREF | INSN_MEM128 | INSN_ALIGNED),
};

/* movntps, movntpd */
static const struct emul_opcode store_2b[NR_PREFIX] = {
	[PREFIX_NONE ... PREFIX_66] = STORE_XMM(INSN_MEM | INSN_MEM128 | INSN_ALIGNED),
};

/* movd, movq; without a prefix from an MMX register, with F3 a load */
static const struct emul_opcode store_7e[NR_PREFIX] = {
	[PREFIX_66] = STORE_XMM(INSN_MEMREF | INSN_MIN32),
};

/* movdqa, movdqu; without a prefix from an MMX register */
static const struct emul_opcode store_7f[NR_PREFIX] = {
	[PREFIX_66] = STORE_XMM(INSN_MEMREF | INSN_MEM128 | INSN_ALIGNED),
	[PREFIX_F3] = STORE_XMM(INSN_MEMREF | INSN_MEM128),
};

/* movq */
static const struct emul_opcode store_d6[NR_PREFIX] = {
	[PREFIX_66] = STORE_XMM(INSN_MEMREF | INSN_MEM64),
};

/* movntdq; without a prefix from an MMX register */
static const struct emul_opcode store_e7[NR_PREFIX] = {
	[PREFIX_66] = STORE_XMM(INSN_MEM | INSN_MEM128 | INSN_ALIGNED),
};

const struct emul_opcode emul_table_0f[256] = {
	[0x00] = { .group = group6_00, .form = FORM_E },
	[0x01] = { .group = group7_01, .form = FORM_E },
	[0x06] = { .exec = emul_exec_clts, .flags = INSN_PRIV },
	[0x08 ... 0x09] = { .flags = INSN_PRIV | INSN_NOREP },	/* invd, wbinvd */
	[0x0d] = { .exec = emul_exec_nop, .form = FORM_E, .flags = INSN_MEMREF | INSN_NOACC },
	[0x11] = { .prefix = store_11 },
	[0x13] = { .prefix = store_13 },
	[0x17] = { .prefix = store_17 },
	[0x18] = { .exec = emul_exec_nop, .form = FORM_E, .flags = INSN_NOACC },
	[0x1f] = { .exec = emul_exec_nop, .form = FORM_E, .flags = INSN_NOACC },
	[0x20] = { .exec = emul_exec_mov_from_cr, .form = FORM_CRDR },
	[0x21] = { .exec = emul_exec_mov_from_dr, .form = FORM_CRDR },
	[0x22] = { .exec = emul_exec_mov_to_cr, .form = FORM_CRDR },
	[0x23] = { .exec = emul_exec_mov_to_dr, .form = FORM_CRDR },
	[0x29] = { .prefix = store_29 },
	[0x2b] = { .prefix = store_2b },
	[0x30] = { .flags = INSN_PRIV },	/* wrmsr */
	[0x32] = { .flags = INSN_PRIV },	/* rdmsr */
	[0x35] = { .flags = INSN_PRIV },	/* sysexit */
	[0x40 ... 0x4f] = { .exec = emul_exec_cmov, .form = FORM_G_E },
	[0x7e] = { .prefix = store_7e },
	[0x7f] = { .prefix = store_7f },
	[0x80 ... 0x8f] = { .exec = emul_exec_jcc, .imm = IMM_Z, .flags = INSN_D64 | INSN_BRANCH },
	[0x90 ... 0x9f] = { .exec = emul_exec_setcc, .form = FORM_E, .flags = INSN_W | INSN_BYTE },
	[0xa3] = { .exec = emul_exec_bt, .form = FORM_E_G, .flags = INSN_BITREG },
	[0xa4] = { .exec = emul_exec_shift_double, .form = FORM_E_G, .imm = IMM_8,
		   .flags = INSN_W },
	[0xa5] = { .exec = emul_exec_shift_double, .form = FORM_E_G, .flags = INSN_W },
	[0xab] = { .exec = emul_exec_bt, .form = FORM_E_G, .flags = RMW | INSN_BITREG },
	[0xac] = { .exec = emul_exec_shift_double, .form = FORM_E_G, .imm = IMM_8,
		   .flags = INSN_W },
	[0xad] = { .exec = emul_exec_shift_double, .form = FORM_E_G, .flags = INSN_W },
	[0xaf] = { .exec = emul_exec_imul, .form = FORM_G_E },
	[0xb0] = { .exec = emul_exec_cmpxchg, .form = FORM_E_G, .flags = RMW | INSN_BYTE },
	[0xb1] = { .exec = emul_exec_cmpxchg, .form = FORM_E_G, .flags = RMW },
	[0xb3] = { .exec = emul_exec_bt, .form = FORM_E_G, .flags = RMW | INSN_BITREG },
	[0xb6] = { .exec = emul_exec_movzx, .form = FORM_G_E, .flags = INSN_SRC8 },
	[0xb7] = { .exec = emul_exec_movzx, .form = FORM_G_E, .flags = INSN_SRC16 },
	[0xba] = { .group = group8_ba, .form = FORM_E },
	[0xbb] = { .exec = emul_exec_bt, .form = FORM_E_G, .flags = RMW | INSN_BITREG },
	[0xbe] = { .exec = emul_exec_movsx, .form = FORM_G_E, .flags = INSN_SRC8 },
	[0xbf] = { .exec = emul_exec_movsx, .form = FORM_G_E, .flags = INSN_SRC16 },
	[0xc0] = { .exec = emul_exec_xadd, .form = FORM_E_G, .flags = RMW | INSN_BYTE },
	[0xc1] = { .exec = emul_exec_xadd, .form = FORM_E_G, .flags = RMW },
	[0xc3] = { .exec = emul_exec_mov, .form = FORM_E_G,
		   .flags = INSN_W | INSN_MEM | INSN_NO66 | INSN_NOREP | INSN_MIN32 }, /* movnti */
	[0xc7] = { .group = group9_c7, .form = FORM_E },
	[0xc8 ... 0xcf] = { .exec = emul_exec_bswap, .form = FORM_R },
	[0xd6] = { .prefix = store_d6 },
	[0xe7] = { .prefix = store_e7 },
};
