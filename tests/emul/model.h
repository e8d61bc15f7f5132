/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small machine for the directed tests: some memory, ports, control registers, a log of what
 * the emulator asked for, and a way to make any operation end otherwise than well.
 */
#ifndef EMUL_MODEL_H
#define EMUL_MODEL_H

#include "emul_test.h"

#define MEM_BASE	0x10000ull
#define MEM_BYTES	(4 * PAGE_BYTES)
#define CODE_AT		0x5000ull	/* code has a page of its own */
#define LOG_MAX		64		/* the last ones */

enum op_kind {
	OP_FETCH, OP_READ, OP_WRITE, OP_CMPXCHG, OP_CHECK_WRITE, OP_PIO_IN, OP_PIO_OUT,
	OP_IO_ALLOWED, OP_GET_CR, OP_SET_CR, OP_GET_DR, OP_SET_DR, OP_INVLPG, OP_HALT, OP_COMMIT,
	OP_READ_XMM, OP_GET_SELECTOR,
	NR_OPS,
};

struct op_log {
	enum op_kind kind;
	u64 addr;		/* or port, or register number */
	u64 val;		/* register value, or the first bytes written */
	unsigned int len;	/* bytes in all */
	u64 access;
};

struct model {
	struct shvm_emul e;
	u8 mem[MEM_BYTES];
	u8 code[2 * PAGE_BYTES];
	u64 cr[9];
	u64 dr[8];
	u8 xmm[16][16];
	u16 selector[EMUL_NR_SEG];
	struct op_log log[LOG_MAX];
	unsigned int nr_log;
	unsigned int count[NR_OPS];

	/* The @fail_after-th operation of kind @fail_kind, counted from 0, returns @fail_with. */
	enum op_kind fail_kind;
	int fail_after;
	enum shvm_emul_result fail_with;
	bool lose_race;
	bool no_ports;		/* the bitmap forbids all of them */
	u64 code_end;		/* fetching from here on is a page fault, if not 0 */
};

struct model *model_new(enum shvm_emul_mode mode, u8 cpl);
void model_reset(struct model *m, enum shvm_emul_mode mode, u8 cpl);
void model_code(struct model *m, const char *hex);
enum shvm_emul_result model_run(struct model *m, const char *hex);
enum shvm_emul_result model_again(struct model *m);
const struct op_log *model_last(const struct model *m, enum op_kind kind);
bool model_fault(const struct model *m, enum shvm_emul_result r, u8 vector);

static inline u64 *model_gpr(struct model *m, enum shvm_emul_gpr reg)
{
	return &m->e.regs.gpr[reg];
}

#endif /* EMUL_MODEL_H */
