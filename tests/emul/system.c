// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that user mode cannot try on the CPU: privilege, ports, control and debug
 * registers. Expectations are from the SDM, volume 2, instruction by instruction.
 */
#include <stdlib.h>

#include "model.h"

#define GPR(reg)	(*model_gpr(m, EMUL_##reg))

#define DONE	(-1)
#define REFUSED	(-2)

static int outcome_of(const struct model *m, enum shvm_emul_result r)
{
	if (r == EMUL_FAULT)
		return m->e.exc.vector;
	return r == EMUL_OK ? DONE : REFUSED;
}

/* Expected at CPL 0, at CPL 1 to 3 with IOPL 0, and at CPL 3 with IOPL 3. */
static const struct {
	const char *insn;
	int cpl0;
	int cpl123;
	int iopl3;
} privilege[] = {
	{ "f4", DONE, VEC_GP, VEC_GP },				/* hlt */
	{ "0f 06", DONE, VEC_GP, VEC_GP },			/* clts */
	{ "0f 01 f0", DONE, VEC_GP, VEC_GP },			/* lmsw ax */
	{ "0f 01 37", DONE, VEC_GP, VEC_GP },			/* lmsw [rdi] */
	{ "0f 01 3f", DONE, VEC_GP, VEC_GP },			/* invlpg */
	{ "0f 20 c0", DONE, VEC_GP, VEC_GP },			/* mov rax, cr0 */
	{ "0f 20 d8", DONE, VEC_GP, VEC_GP },
	{ "0f 22 d8", DONE, VEC_GP, VEC_GP },			/* mov cr3, rax */
	{ "44 0f 20 c0", DONE, VEC_GP, VEC_GP },		/* mov rax, cr8 */
	{ "44 0f 22 c0", DONE, VEC_GP, VEC_GP },
	{ "0f 20 c8", VEC_UD, VEC_UD, VEC_UD },			/* mov rax, cr1 */
	{ "0f 22 e8", VEC_UD, VEC_UD, VEC_UD },			/* mov cr5, rax */
	{ "0f 22 f0", VEC_UD, VEC_UD, VEC_UD },
	{ "0f 22 f8", VEC_UD, VEC_UD, VEC_UD },
	{ "44 0f 20 c8", VEC_UD, VEC_UD, VEC_UD },		/* mov rax, cr9 */
	{ "44 0f 22 f8", VEC_UD, VEC_UD, VEC_UD },		/* mov cr15, rax */
	{ "0f 21 c0", DONE, VEC_GP, VEC_GP },			/* mov rax, dr0 */
	{ "0f 21 f8", DONE, VEC_GP, VEC_GP },			/* mov rax, dr7 */
	{ "0f 23 f0", DONE, VEC_GP, VEC_GP },			/* mov dr6, rax */
	{ "0f 23 e0", DONE, VEC_GP, VEC_GP },			/* mov dr4, rax */
	{ "44 0f 21 c0", VEC_UD, VEC_UD, VEC_UD },		/* mov rax, dr8 */
	{ "0f 01 17", REFUSED, VEC_GP, VEC_GP },		/* lgdt */
	{ "0f 01 1f", REFUSED, VEC_GP, VEC_GP },		/* lidt */
	{ "0f 00 d0", REFUSED, VEC_GP, VEC_GP },		/* lldt ax */
	{ "0f 00 d8", REFUSED, VEC_GP, VEC_GP },		/* ltr ax */
	{ "0f 08", REFUSED, VEC_GP, VEC_GP },			/* invd */
	{ "0f 09", REFUSED, VEC_GP, VEC_GP },			/* wbinvd */
	{ "0f 30", REFUSED, VEC_GP, VEC_GP },			/* wrmsr */
	{ "0f 32", REFUSED, VEC_GP, VEC_GP },			/* rdmsr */
	{ "0f 35", REFUSED, VEC_GP, VEC_GP },			/* sysexit */
	{ "0f 01 e0", DONE, DONE, DONE },			/* smsw eax */
	{ "fa", DONE, VEC_GP, DONE },				/* cli */
	{ "fb", DONE, VEC_GP, DONE },				/* sti */
	{ "e4 60", DONE, VEC_GP, DONE },			/* in al, 0x60 */
	{ "e5 60", DONE, VEC_GP, DONE },
	{ "e6 60", DONE, VEC_GP, DONE },			/* out 0x60, al */
	{ "ec", DONE, VEC_GP, DONE },				/* in al, dx */
	{ "ef", DONE, VEC_GP, DONE },				/* out dx, eax */
	{ "6c", DONE, VEC_GP, DONE },				/* insb */
	{ "f3 6f", DONE, VEC_GP, DONE },			/* rep outsd */
	{ "e4 80", DONE, DONE, DONE },				/* the bitmap allows this */
	{ "e5 80", DONE, VEC_GP, DONE },			/* but not 0x80 to 0x83 */
	{ "f0 f4", VEC_UD, VEC_UD, VEC_UD },			/* lock hlt */
	{ "f0 0f 06", VEC_UD, VEC_UD, VEC_UD },
	{ "f0 0f 22 d8", VEC_UD, VEC_UD, VEC_UD },
	{ "f0 0f 01 3f", VEC_UD, VEC_UD, VEC_UD },
	{ "f0 ec", VEC_UD, VEC_UD, VEC_UD },
};

static void check_privilege(const char *insn, u8 cpl, u64 iopl, int want)
{
	struct model *m = model_new(EMUL_MODE64, cpl);
	int got;

	GPR(RDI) = MEM_BASE;
	GPR(RSI) = MEM_BASE;
	GPR(RCX) = 1;
	GPR(RDX) = 0x60;
	m->e.regs.rflags |= iopl << 12;
	got = outcome_of(m, model_run(m, insn));
	if (got != want)
		tap_fail("%s at CPL %u, IOPL %llu: %d, expected %d", insn, cpl, iopl, got, want);
	if ((got == VEC_GP && !m->e.exc.has_error) || (got == VEC_UD && m->e.exc.has_error))
		tap_fail("%s: error code", insn);
	free(m);
}

static bool test_privilege(void)
{
	unsigned int i, cpl;

	for (i = 0; i < ARRAY_SIZE(privilege); i++) {
		check_privilege(privilege[i].insn, 0, 0, privilege[i].cpl0);
		for (cpl = 1; cpl < 4; cpl++)
			check_privilege(privilege[i].insn, cpl, 0, privilege[i].cpl123);
		check_privilege(privilege[i].insn, 3, 3, privilege[i].iopl3);
	}
	return true;
}

static bool test_control_registers(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RBX) = 0x123456789abcdef0ull;
	CHECK(model_run(m, "0f 22 db") == EMUL_OK && m->cr[3] == GPR(RBX));
	CHECK(model_run(m, "66 41 0f 20 df") == EMUL_OK && GPR(R15) == GPR(RBX));
	/* The mod field is ignored: no displacement follows. */
	CHECK(model_run(m, "0f 20 58") == EMUL_OK && GPR(RAX) == GPR(RBX));
	CHECK(m->e.regs.rip == CODE_AT + 3);
	GPR(RBX) = 5;
	CHECK(model_run(m, "44 0f 22 c3") == EMUL_OK && m->cr[8] == 5);
	m->fail_kind = OP_SET_CR;
	m->fail_after = 0;
	m->fail_with = EMUL_FAULT;
	CHECK(model_run(m, "0f 22 c3") == EMUL_FAULT && m->e.regs.rip == CODE_AT);
	free(m);
	m = model_new(EMUL_MODE32, 0);
	m->cr[4] = 0xffffffff00000020ull;
	CHECK(model_run(m, "0f 20 e0") == EMUL_OK && GPR(RAX) == 0x20);
	free(m);
	return true;
}

static bool test_debug_registers(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RAX) = 0x400;
	CHECK(model_run(m, "0f 23 f8") == EMUL_OK && m->dr[7] == 0x400);
	CHECK(model_run(m, "0f 21 eb") == EMUL_OK && GPR(RBX) == 0x400);
	m->dr[6] = 0xffff0ff0;
	CHECK(model_run(m, "0f 21 e3") == EMUL_OK && GPR(RBX) == 0xffff0ff0);
	m->e.cr4 = CR4_DE_BIT;
	CHECK(model_fault(m, model_run(m, "0f 21 e3"), VEC_UD));
	CHECK(model_fault(m, model_run(m, "0f 23 eb"), VEC_UD));
	CHECK(model_run(m, "0f 21 f3") == EMUL_OK);
	free(m);
	return true;
}

/* LMSW sets PE but does not clear it; SMSW has three sizes in a register, one in memory. */
static bool test_machine_status(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	m->cr[0] = 0x80050033;
	GPR(RAX) = 0xfff0;
	CHECK(model_run(m, "0f 01 f0") == EMUL_OK && m->cr[0] == 0x80050031);
	GPR(RAX) = 0xe;
	CHECK(model_run(m, "0f 01 f0") == EMUL_OK && m->cr[0] == 0x8005003f);
	CHECK(model_run(m, "0f 06") == EMUL_OK && m->cr[0] == 0x80050037);
	GPR(RAX) = ~0ull;
	CHECK(model_run(m, "66 0f 01 e0") == EMUL_OK && GPR(RAX) == 0xffffffffffff0037ull);
	CHECK(model_run(m, "0f 01 e0") == EMUL_OK && GPR(RAX) == 0x80050037);
	GPR(RAX) = ~0ull;
	CHECK(model_run(m, "48 0f 01 e0") == EMUL_OK && GPR(RAX) == 0x80050037);
	GPR(RDI) = MEM_BASE;
	memset(m->mem, 0xee, 8);
	CHECK(model_run(m, "48 0f 01 27") == EMUL_OK);
	CHECK(m->mem[0] == 0x37 && !m->mem[1] && m->mem[2] == 0xee);
	m->e.cpl = 3;
	m->e.cr4 = CR4_UMIP_BIT;
	CHECK(model_fault(m, model_run(m, "0f 01 e0"), VEC_GP));
	CHECK(model_fault(m, model_run(m, "0f 01 07"), VEC_GP));
	CHECK(model_fault(m, model_run(m, "0f 00 c8"), VEC_GP));
	m->e.cr4 = 0;
	CHECK(model_run(m, "0f 01 07") == EMUL_UNHANDLED);
	free(m);
	return true;
}

static bool test_invlpg(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RDI) = 0xffff880000123456ull;
	CHECK(model_run(m, "0f 01 3f") == EMUL_OK);
	CHECK(model_last(m, OP_INVLPG)->addr == 0xffff880000123456ull);
	m->e.seg[EMUL_GS].base = 0x1000;
	CHECK(model_run(m, "65 0f 01 3f") == EMUL_OK);
	CHECK(model_last(m, OP_INVLPG)->addr == 0xffff880000124456ull);
	GPR(RDI) = 0x123456789abcdef0ull;
	CHECK(model_run(m, "0f 01 3f") == EMUL_OK && !m->count[OP_INVLPG]);
	CHECK(m->e.regs.rip == CODE_AT + 3 && !m->count[OP_READ]);
	free(m);
	m = model_new(EMUL_MODE32, 0);
	m->e.seg[EMUL_DS].base = 0xfffff000;
	GPR(RDI) = 0x3000;
	CHECK(model_run(m, "0f 01 3f") == EMUL_OK && model_last(m, OP_INVLPG)->addr == 0x2000);
	free(m);
	return true;
}

static bool test_ports(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	GPR(RAX) = 0x1122334455667788ull;
	GPR(RDX) = 0xabc03f8;
	CHECK(model_run(m, "ec") == EMUL_OK && GPR(RAX) == 0x1122334455667701ull);
	CHECK(model_last(m, OP_PIO_IN)->addr == 0x3f8 && model_last(m, OP_PIO_IN)->len == 1);
	CHECK(model_run(m, "66 ed") == EMUL_OK && GPR(RAX) == 0x1122334455660201ull);
	CHECK(model_run(m, "ed") == EMUL_OK && GPR(RAX) == 0x04030201);
	CHECK(model_run(m, "48 ed") == EMUL_OK && model_last(m, OP_PIO_IN)->len == 4);
	CHECK(model_run(m, "e7 f0") == EMUL_OK);
	CHECK(model_last(m, OP_PIO_OUT)->addr == 0xf0 && model_last(m, OP_PIO_OUT)->len == 4);
	CHECK(model_last(m, OP_PIO_OUT)->val == 0x04030201);
	m->fail_kind = OP_PIO_IN;
	m->fail_after = 0;
	m->fail_with = EMUL_USER;
	CHECK(model_run(m, "ec") == EMUL_USER && GPR(RAX) == 0x04030201);
	CHECK(m->e.regs.rip == CODE_AT);
	m->fail_kind = OP_PIO_OUT;
	CHECK(model_run(m, "ee") == EMUL_USER && m->e.regs.rip == CODE_AT);
	free(m);
	return true;
}

static bool test_halt(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	CHECK(model_run(m, "f4") == EMUL_OK);
	CHECK(m->count[OP_HALT] == 1 && m->e.regs.rip == CODE_AT + 1);
	free(m);
	return true;
}

static bool test_interrupt_flag(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	CHECK(model_run(m, "fb") == EMUL_OK && m->e.int_shadow);
	CHECK(m->e.regs.rflags & EFL_IF);
	CHECK(model_run(m, "fb") == EMUL_OK && !m->e.int_shadow);
	CHECK(model_run(m, "fa") == EMUL_OK && !(m->e.regs.rflags & EFL_IF));
	CHECK(!m->e.int_shadow);
	m->e.cpl = 3;
	m->e.cr4 = CR4_PVI_BIT;
	CHECK(model_run(m, "fa") == EMUL_UNHANDLED);
	free(m);
	return true;
}

/* SDM vol. 2, POPF: what may change at which privilege. */
static bool test_popf(void)
{
	enum { COMMON = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT };
	static const struct {
		u8 cpl;
		u64 iopl;
		const char *insn;
		u64 changes;
	} cases[] = {
		{ 0, 0, "9d", COMMON | EFL_IF | EFL_IOPL | EFL_AC | EFL_ID },
		{ 0, 0, "66 9d", COMMON | EFL_IF | EFL_IOPL },
		{ 3, 3, "9d", COMMON | EFL_IF | EFL_AC | EFL_ID },
		{ 3, 0, "9d", COMMON | EFL_AC | EFL_ID },
		{ 1, 1, "9d", COMMON | EFL_IF | EFL_AC | EFL_ID },
		{ 2, 1, "9d", COMMON | EFL_AC | EFL_ID },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_new(EMUL_MODE64, cases[i].cpl);
		u64 before;

		m->e.regs.rflags |= cases[i].iopl << 12;
		before = m->e.regs.rflags;
		GPR(RSP) = MEM_BASE;
		memset(m->mem, 0xff, 8);
		if (cases[i].iopl)
			memset(m->mem, 0, 8);	/* IOPL must stay */
		if (model_run(m, cases[i].insn) != EMUL_OK)
			tap_fail("case %u: not done", i);
		if (!cases[i].iopl && m->e.regs.rflags != (before | cases[i].changes))
			tap_fail("case %u: %#llx", i, m->e.regs.rflags);
		if (cases[i].iopl && m->e.regs.rflags != before)
			tap_fail("case %u: %#llx", i, m->e.regs.rflags);
		free(m);
	}
	return true;
}

/* RF is cleared by an instruction that completes, kept by one that does not. */
static bool test_resume_flag(void)
{
	struct model *m = model_new(EMUL_MODE64, 0);

	m->e.regs.rflags |= EFL_RF;
	GPR(RDI) = 0;
	CHECK(model_fault(m, model_run(m, "88 07"), VEC_PF) && m->e.regs.rflags & EFL_RF);
	CHECK(model_run(m, "9c") == EMUL_OK && !(m->e.regs.rflags & EFL_RF));
	CHECK(!(model_last(m, OP_WRITE)->val & EFL_RF));
	free(m);
	return true;
}

/* #AC at CPL 3 with CR0.AM and RFLAGS.AC, and only then. */
static bool test_alignment(void)
{
	struct model *m = model_new(EMUL_MODE64, 3);

	GPR(RDI) = MEM_BASE + 2;
	m->e.cr0 |= CR0_AM_BIT;
	m->e.regs.rflags |= EFL_AC;
	CHECK(model_fault(m, model_run(m, "8b 07"), VEC_AC) && m->e.exc.has_error);
	CHECK(model_run(m, "66 8b 07") == EMUL_OK && model_run(m, "8a 47 01") == EMUL_OK);
	m->e.cpl = 0;
	CHECK(model_run(m, "8b 07") == EMUL_OK);
	m->e.cpl = 3;
	m->e.cr0 &= ~CR0_AM_BIT;
	CHECK(model_run(m, "8b 07") == EMUL_OK);
	m->e.cr0 |= CR0_AM_BIT;
	m->e.regs.rflags &= ~EFL_AC;
	CHECK(model_run(m, "8b 07") == EMUL_OK);
	free(m);
	return true;
}

/* SDM vol. 3, 5.3: data segments that are not there, or not usable for this. */
static bool test_segments(void)
{
	static const struct {
		u32 ar;
		int read;
		int write;
	} cases[] = {
		{ 0xc093, DONE, DONE },			/* data, writable */
		{ 0xc091, DONE, VEC_GP },		/* data, read-only */
		{ 0xc09b, DONE, VEC_GP },		/* code, readable */
		{ 0xc099, VEC_GP, VEC_GP },		/* code, execute-only */
		{ 0xc013, VEC_GP, VEC_GP },		/* not present */
		{ 0x1c093, VEC_GP, VEC_GP },		/* unusable */
		{ 0xc083, VEC_GP, VEC_GP },		/* system */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_new(EMUL_MODE32, 0);

		GPR(RDI) = MEM_BASE;
		m->e.seg[EMUL_DS].ar = cases[i].ar;
		if (outcome_of(m, model_run(m, "8b 07")) != cases[i].read)
			tap_fail("read with access rights %#x", cases[i].ar);
		if (outcome_of(m, model_run(m, "89 07")) != cases[i].write)
			tap_fail("write with access rights %#x", cases[i].ar);
		if (cases[i].write == VEC_GP && (model_run(m, "01 07") != EMUL_FAULT ||
						 m->count[OP_READ]))
			tap_fail("update with access rights %#x", cases[i].ar);
		free(m);
	}
	return true;
}

static bool test_stack_faults(void)
{
	struct model *m = model_new(EMUL_MODE32, 0);

	m->e.seg[EMUL_SS].limit = 0xfff;
	GPR(RSP) = 0x2000;
	CHECK(model_fault(m, model_run(m, "50"), VEC_SS) && !m->e.exc.error_code);
	GPR(RBP) = 0x2000;
	CHECK(model_fault(m, model_run(m, "8b 45 00"), VEC_SS));
	CHECK(model_fault(m, model_run(m, "36 8b 07"), VEC_PF));
	free(m);
	m = model_new(EMUL_MODE64, 0);
	GPR(RSP) = 0x123456789abcdef0ull;
	CHECK(model_fault(m, model_run(m, "50"), VEC_SS));
	GPR(RBP) = GPR(RSP);
	CHECK(model_fault(m, model_run(m, "48 8b 45 00"), VEC_SS));
	GPR(RBX) = GPR(RSP);
	CHECK(model_fault(m, model_run(m, "48 8b 03"), VEC_GP));
	GPR(R13) = GPR(RSP);
	CHECK(model_fault(m, model_run(m, "49 8b 45 00"), VEC_GP));
	/* 57-bit addresses. */
	GPR(RBX) = 0x0080000000000000ull;
	m->e.cr4 = CR4_LA57_BIT;
	CHECK(model_fault(m, model_run(m, "48 8b 03"), VEC_PF));
	free(m);
	return true;
}

void add_system_tests(void)
{
	tap_plan_add("privilege, instruction by instruction", test_privilege);
	tap_plan_add("control registers", test_control_registers);
	tap_plan_add("debug registers", test_debug_registers);
	tap_plan_add("lmsw, smsw, clts and UMIP", test_machine_status);
	tap_plan_add("invlpg", test_invlpg);
	tap_plan_add("in and out", test_ports);
	tap_plan_add("hlt", test_halt);
	tap_plan_add("cli, sti and the interrupt shadow", test_interrupt_flag);
	tap_plan_add("popf", test_popf);
	tap_plan_add("the resume flag", test_resume_flag);
	tap_plan_add("alignment check", test_alignment);
	tap_plan_add("segment types", test_segments);
	tap_plan_add("stack and canonical faults", test_stack_faults);
}
