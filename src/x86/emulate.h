/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interface of the x86 instruction emulator: decode and execute one guest instruction.
 *
 * The emulator owns nothing: CPU state comes in and goes out in struct shvm_emul, memory, ports
 * and control registers are reached through struct shvm_emul_ops. It takes no lock, allocates
 * nothing, keeps no global state and may be called wherever its operations may be called.
 *
 * It is exact for what it accepts and refuses the rest (EMUL_UNHANDLED). Not modelled, so always
 * refused: real and virtual-8086 mode, far transfers, loading of segment registers, x87, MMX, AVX,
 * and of SSE all but the stores of a register. Not done here, left to the caller: data breakpoints,
 * the RF image of a fault.
 */
#ifndef SHVM_X86_EMULATE_H
#define SHVM_X86_EMULATE_H

#include "emul_env.h"

#define SHVM_EMUL_INSN_MAX	15	/* longest legal instruction, SDM vol. 2, 2.3.11 */
#define SHVM_EMUL_REP_MAX	1024	/* iterations of a repeated string instruction per run */
#define SHVM_EMUL_IO_BYTES	1024	/* most bytes moved by one port operation */

/**
 * enum shvm_emul_result - outcome of a run, and of each operation
 * @EMUL_OK:		state is committed. If RIP did not move, a repeated string instruction has
 *			more to do: run again (after having looked at interrupts).
 * @EMUL_FAULT:		an exception is in shvm_emul.exc. Registers and memory are as before the
 *			instruction, or before the iteration that faulted.
 * @EMUL_UNHANDLED:	not on the allow list, nothing changed. insn[] has what was fetched.
 * @EMUL_USER:		an operation needs user space. Nothing of the current instruction or
 *			iteration is committed; run again when the answer is there, with
 *			operations that replay those that are finished.
 * @EMUL_RETRY:		enter the guest again: lost race, or the instruction is not the one that
 *			exited. Nothing of the current instruction or iteration is committed.
 */
enum shvm_emul_result {
	EMUL_OK,
	EMUL_FAULT,
	EMUL_UNHANDLED,
	EMUL_USER,
	EMUL_RETRY,
};

/* Register numbers are those of the instruction encoding. */
enum shvm_emul_gpr {
	EMUL_RAX, EMUL_RCX, EMUL_RDX, EMUL_RBX, EMUL_RSP, EMUL_RBP, EMUL_RSI, EMUL_RDI,
	EMUL_R8, EMUL_R9, EMUL_R10, EMUL_R11, EMUL_R12, EMUL_R13, EMUL_R14, EMUL_R15,
	EMUL_NR_GPR,
};

enum shvm_emul_segreg {
	EMUL_ES, EMUL_CS, EMUL_SS, EMUL_DS, EMUL_FS, EMUL_GS,
	EMUL_NR_SEG,
};

/* Code size: 16 and 32 are also compatibility mode, 64 is EFER.LMA with CS.L. */
enum shvm_emul_mode {
	EMUL_MODE16,
	EMUL_MODE32,
	EMUL_MODE64,
};

/* Flags of a memory read. */
#define EMUL_ACC_RMW	BIT_ULL(0)	/* a write to the same place follows: check as a write */

/* Access rights as in the VMCS (SDM vol. 3, 24.4.1); @limit is in bytes. */
struct shvm_emul_seg {
	u64 base;
	u32 limit;
	u32 ar;
};

struct shvm_emul_exc {
	u8 vector;
	bool has_error;
	u32 error_code;
	u64 cr2;		/* of a page fault */
};

struct shvm_emul_regs {
	u64 gpr[EMUL_NR_GPR];
	u64 rip;
	u64 rflags;
};

struct shvm_emul;

/**
 * struct shvm_emul_ops - the world around the emulated CPU
 * @fetch:	  read code. Never crosses a page.
 * @read:	  read data at a linear address; @access is EMUL_ACC_*. May cross a page, as may
 *		  the next three.
 * @write:	  write data: all of it or, if the result is not EMUL_OK, nothing.
 * @compare_exchange: replace @old by @new as one atomic step, 1 to 16 bytes. Sets @done if
 *		  memory held @old. May refuse (EMUL_UNHANDLED) what it cannot do atomically.
 *		  Not named as the instruction, which some kernels have as a macro of three
 *		  arguments.
 * @check_write:  would @write fault? Used before something that cannot be done twice.
 * @pio_in:	  read @count times @size bytes from a port.
 * @pio_out:	  likewise, write.
 * @io_allowed:	  called if CPL > IOPL: look up the permission bitmap of the TSS. EMUL_OK or a
 *		  fault (#GP(0), or one of reading the TSS).
 * @get_cr:	  read control register 0, 2, 3, 4 or 8.
 * @set_cr:	  write one, with all checks of the value.
 * @get_dr:	  read debug register 0-3, 6 or 7.
 * @set_dr:	  write one, with all checks of the value and of DR7.GD.
 * @get_selector:  read the selector of a segment register.
 * @read_xmm:	  read XMM register 0-15.
 * @invlpg:	  drop the translation of a linear address.
 * @halt:	  wait for an interrupt, once the instruction is committed.
 * @commit:	  may be NULL. An iteration of a repeated string instruction is committed:
 *		  operations before this call will not be asked for again.
 *
 * An operation that returns EMUL_FAULT has called shvm_emul_fault() or shvm_emul_fault_pf().
 * The last operation of an instruction returning EMUL_OK commits the instruction.
 */
struct shvm_emul_ops {
	enum shvm_emul_result (*fetch)(struct shvm_emul *e, u64 linear, void *buf,
				       unsigned int len);
	enum shvm_emul_result (*read)(struct shvm_emul *e, u64 linear, void *buf, unsigned int len,
				      u64 access);
	enum shvm_emul_result (*write)(struct shvm_emul *e, u64 linear, const void *buf,
				       unsigned int len);
	enum shvm_emul_result (*compare_exchange)(struct shvm_emul *e, u64 linear, const void *old,
						  const void *new, unsigned int len, bool *done);
	enum shvm_emul_result (*check_write)(struct shvm_emul *e, u64 linear, unsigned int len);
	enum shvm_emul_result (*pio_in)(struct shvm_emul *e, u16 port, unsigned int size,
					unsigned int count, void *buf);
	enum shvm_emul_result (*pio_out)(struct shvm_emul *e, u16 port, unsigned int size,
					 unsigned int count, const void *buf);
	enum shvm_emul_result (*io_allowed)(struct shvm_emul *e, u16 port, unsigned int size);
	enum shvm_emul_result (*get_cr)(struct shvm_emul *e, unsigned int nr, u64 *val);
	enum shvm_emul_result (*set_cr)(struct shvm_emul *e, unsigned int nr, u64 val);
	enum shvm_emul_result (*get_dr)(struct shvm_emul *e, unsigned int nr, u64 *val);
	enum shvm_emul_result (*set_dr)(struct shvm_emul *e, unsigned int nr, u64 val);
	enum shvm_emul_result (*get_selector)(struct shvm_emul *e, unsigned int seg, u16 *val);
	enum shvm_emul_result (*read_xmm)(struct shvm_emul *e, unsigned int nr, u8 val[16]);
	enum shvm_emul_result (*invlpg)(struct shvm_emul *e, u64 linear);
	enum shvm_emul_result (*halt)(struct shvm_emul *e);
	void (*commit)(struct shvm_emul *e);
};

enum emul_operand_kind {
	OPND_NONE,
	OPND_REG,
	OPND_MEM,
	OPND_IMM,
};

struct emul_operand {
	u8 kind;	/* enum emul_operand_kind */
	u8 reg;
};

struct emul_opcode;

/* A decoded instruction; private to the emulator. */
struct emul_insn {
	const struct emul_opcode *op;
	u64 imm;
	u64 ea;			/* offset of the memory operand, cut to the address size */
	u64 disp;
	struct emul_operand dst;
	struct emul_operand src;
	u8 opcode;
	u8 len;			/* bytes decoded so far, in the end the length */
	u8 rex;			/* 0 if there is none */
	u8 rep;			/* 0xf2, 0xf3 or 0 */
	u8 seg;			/* of the memory operand */
	u8 opsize;		/* bytes: 1, 2, 4, 8 */
	u8 adsize;		/* bytes: 2, 4, 8 */
	u8 msize;		/* bytes moved by the memory operand */
	u8 mod;
	u8 reg;			/* with REX.R */
	u8 rm;			/* with REX.B */
	bool two_byte;
	bool lock;
	bool opsize_prefix;
	bool adsize_prefix;
	bool rip_relative;
	bool rsp_base;
	u8 seg_override;	/* EMUL_NR_SEG if there is none */
};

/**
 * struct shvm_emul - one emulated CPU, for one run
 *
 * @regs:	   in and out.
 * @seg:	   in. In 64-bit mode only the bases of FS and GS count.
 * @cr0:	   in: PE, EM, TS and AM.
 * @cr4:	   in: DE, PVI, OSFXSR, UMIP, LA57.
 * @mode:	   in.
 * @cpl:	   in.
 * @insn_cached:   in. Do not fetch, insn[] and insn_len are those of the run before: the answer
 *		   of user space must meet the instruction that asked. Cleared by the run.
 * @insn_decoded:  in. Nor decode: shvm_emul_decode(), or a run that ended by EMUL_USER, has just
 *		   done so, and registers are the same. Cleared by the run.
 * @must_write:	   in. Refuse with EMUL_RETRY, before any side effect, an instruction that does
 *		   not write to @must_write_gla: another CPU changed it after the exit.
 * @must_write_gla: in.
 * @ops:	   in.
 * @ctx:	   in. For the operations.
 * @exc:	   out, if the result is EMUL_FAULT.
 * @int_shadow:	   out. STI: interrupts are blocked for one more instruction.
 * @single_step:   out. RFLAGS.TF was set: a #DB trap with DR6.BS is due.
 * @insn_len:	   out. Bytes fetched, not the length of the instruction.
 * @insn:	   out.
 *
 * The rest is private. Too large for a kernel stack.
 */
struct shvm_emul {
	struct shvm_emul_regs regs;
	struct shvm_emul_seg seg[EMUL_NR_SEG];
	u64 cr0;
	u64 cr4;
	enum shvm_emul_mode mode;
	u8 cpl;
	bool insn_cached;
	bool insn_decoded;
	bool must_write;
	u64 must_write_gla;
	const struct shvm_emul_ops *ops;
	void *ctx;

	struct shvm_emul_exc exc;
	bool int_shadow;
	bool single_step;
	u8 insn_len;
	u8 insn[SHVM_EMUL_INSN_MAX];

	/* private: */
	struct emul_insn d;
	struct shvm_emul_regs old;	/* where to return to if the instruction does not finish */
	u8 io_buf[SHVM_EMUL_IO_BYTES];
};

/**
 * struct shvm_emul_info - what an instruction would do to memory
 * @len:	instruction length
 * @is_string:	movs, stos, lods, cmps, scas, ins, outs
 * @is_rep:	has a repeat prefix that counts
 * @writes:	writes memory at @linear (first iteration, if repeated)
 * @linear:	address of the write; if there is none, of the memory operand that is read
 * @size:	bytes, 0 if memory is not accessed
 */
struct shvm_emul_info {
	u8 len;
	bool is_string;
	bool is_rep;
	bool writes;
	u64 linear;
	u8 size;
};

/**
 * struct shvm_emul_store - a store of 64 bits to memory, or a locked AND of one byte
 * @linear: address, DS or SS
 * @value: what is stored, or the other operand of AND
 * @exchange: XCHG: what was there goes to @reg
 * @and: (LOCK) AND: shvm_emul_store_and() has the result
 * @reg: general register, not RSP
 * @len: of the instruction
 */
struct shvm_emul_store {
	u64 linear;
	u64 value;
	bool exchange;
	bool and;
	u8 reg;
	u8 len;
};

bool shvm_emul_decode_store(const u8 *insn, unsigned int avail, const u64 *gpr,
			    struct shvm_emul_store *st);
u64 shvm_emul_store_and(const struct shvm_emul_store *st, u64 old, u64 *rflags);
enum shvm_emul_result shvm_emul_run(struct shvm_emul *e);
enum shvm_emul_result shvm_emul_decode(struct shvm_emul *e, struct shvm_emul_info *info);
enum shvm_emul_result shvm_emul_fault(struct shvm_emul *e, u8 vector, bool has_error, u32 error);
enum shvm_emul_result shvm_emul_fault_pf(struct shvm_emul *e, u64 linear, u32 error);

#endif /* SHVM_X86_EMULATE_H */
