// SPDX-License-Identifier: GPL-2.0-only
/*
 * The real CPU as the reference: load a register state, execute one instruction, see how it ends.
 * A breakpoint enters a signal handler whose return loads the state of the test; the breakpoint
 * behind the instruction, or its fault, enters it again and saves what came out. Code selectors
 * travel the same way, data selectors are loaded beforehand: 64-bit code does not mind them.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "emul_test.h"

#define SEL_CODE64	0x33
#define SEL_CODE32	0x23
#define SEL_DATA	0x2b
#define SEL_LDT(n)	(((n) << 3) | 7)

enum ldt_slot { LDT_CODE16, LDT_DATA16, LDT_DATA_RO, LDT_DATA_DOWN, NR_LDT };

enum phase { PHASE_IDLE, PHASE_ENTER, PHASE_RUN };

static const u8 reg_of_gpr[EMUL_NR_GPR] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static enum phase phase;
static gregset_t host_regs;
static const struct shvm_emul_regs *run_in;
static struct outcome *run_out;
static u16 run_cs, run_ss;
static bool have_ldt;
static u8 signal_stack[1 << 16] __aligned(64);

static void load_state(greg_t *g)
{
	unsigned int i;

	for (i = 0; i < EMUL_NR_GPR; i++)
		g[reg_of_gpr[i]] = run_in->gpr[i];
	g[REG_RIP] = run_in->rip;
	g[REG_EFL] = run_in->rflags;
	g[REG_CSGSFS] = run_cs | (u64)run_ss << 48;
}

static void save_state(const greg_t *g)
{
	unsigned int i;

	for (i = 0; i < EMUL_NR_GPR; i++)
		run_out->regs.gpr[i] = g[reg_of_gpr[i]];
	run_out->regs.rip = g[REG_RIP];
	run_out->regs.rflags = g[REG_EFL];
	run_out->vector = g[REG_TRAPNO];
	run_out->error_code = g[REG_ERR];
	run_out->cr2 = g[REG_CR2];
	if (run_out->vector == 3)
		run_out->regs.rip--;
	/* A return to a 16-bit stack leaves what it likes above ESP. */
	if (run_cs != SEL_CODE64)
		run_out->regs.gpr[EMUL_RSP] = (u32)run_out->regs.gpr[EMUL_RSP];
}

/* The test may have left RFLAGS.AC set, which compiled code does not expect. */
__attribute__((no_sanitize("address", "undefined")))
static void on_signal(int sig, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	asm volatile("pushfq; andl $~0x40000, (%%rsp); popfq" : : : "memory", "cc");
	switch (phase) {
	case PHASE_ENTER:
		memcpy(host_regs, g, sizeof(host_regs));
		load_state(g);
		phase = PHASE_RUN;
		return;
	case PHASE_RUN:
		save_state(g);
		memcpy(g, host_regs, sizeof(host_regs));
		phase = PHASE_IDLE;
		return;
	default:
		signal(sig, SIG_DFL);
	}
}

static bool ldt_set(unsigned int slot, u32 base, u32 limit, bool is_32, unsigned int contents,
		    bool read_only)
{
	struct user_desc d = {
		.entry_number = slot, .base_addr = base, .limit = limit, .seg_32bit = is_32,
		.contents = contents, .read_exec_only = read_only,
	};

	return !syscall(SYS_modify_ldt, 1, &d, sizeof(d));
}

static void ldt_init(void)
{
	have_ldt = ldt_set(LDT_CODE16, CODE_BASE, 0xffff, false, MODIFY_LDT_CONTENTS_CODE, false) &&
		   ldt_set(LDT_DATA16, SEG_BASE, SEG_16_LIMIT, false, MODIFY_LDT_CONTENTS_DATA,
			   false) &&
		   ldt_set(LDT_DATA_RO, SEG_BASE, SEG_RO_LIMIT, true, MODIFY_LDT_CONTENTS_DATA,
			   true) &&
		   ldt_set(LDT_DATA_DOWN, SEG_BASE, SEG_DOWN_LIMIT, true,
			   MODIFY_LDT_CONTENTS_STACK, false);
}

static bool map_at(u64 addr, size_t len, int prot)
{
	void *p = mmap((void *)addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		       -1, 0);

	return p == (void *)addr;
}

/* Fixed addresses, signal handlers, segments. False: this machine does not allow it. */
bool native_init(void)
{
	static const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	unsigned int i;

	if (!map_at(CODE_BASE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map_at(DATA_BASE, DATA_END - DATA_BASE, PROT_READ | PROT_WRITE))
		return false;
	memset((void *)CODE_BASE, 0xcc, CODE_BYTES);
	memset((void *)DATA_BASE, 0x5a, PAGE_BYTES);
	if (mprotect((void *)DATA_BASE, PAGE_BYTES, PROT_READ) ||
	    mprotect((void *)DATA_HOLE, PAGE_BYTES, PROT_NONE))
		return false;
	if (sigaltstack(&ss, NULL) || syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE))
		return false;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &sa, NULL))
			return false;
	ldt_init();
	return true;
}

bool native_has(enum cpu_setup setup)
{
	return setup <= SETUP_32 || have_ldt;
}

/* Flags that a test cannot change, as they are in this process. */
u64 native_rflags(void)
{
	u64 flags;

	asm volatile("pushfq; popq %0" : "=r" (flags));
	return flags & ~(EFL_ARITH | EFL_DF | EFL_AC | EFL_TF | EFL_RF);
}

static u16 data_selector(enum cpu_setup setup)
{
	switch (setup) {
	case SETUP_32_RO:
		return SEL_LDT(LDT_DATA_RO);
	case SETUP_32_DOWN:
		return SEL_LDT(LDT_DATA_DOWN);
	case SETUP_16:
		return SEL_LDT(LDT_DATA16);
	default:
		return SEL_DATA;
	}
}

static u16 code_selector(enum cpu_setup setup)
{
	if (setup == SETUP_64)
		return SEL_CODE64;
	return setup == SETUP_16 ? SEL_LDT(LDT_CODE16) : SEL_CODE32;
}

static u16 stack_selector(enum cpu_setup setup)
{
	return setup == SETUP_16 ? SEL_LDT(LDT_DATA16) : SEL_DATA;
}

/* The breakpoint's frame keeps the XMM registers for the test. */
void native_run(enum cpu_setup setup, const struct shvm_emul_regs *in, const u8 xmm[16][16],
		struct outcome *out)
{
	u16 data = data_selector(setup);

	run_in = in;
	run_out = out;
	run_cs = code_selector(setup);
	run_ss = stack_selector(setup);
	phase = PHASE_ENTER;
	asm volatile(".irp reg, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		     "movups \\reg * 16(%1), %%xmm\\reg\n"
		     ".endr\n"
		     "movw %0, %%ds; movw %0, %%es; int3"
		     : : "r" (data), "r" (xmm)
		     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
		       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
		       "xmm15");
}

u16 setup_selector(enum cpu_setup setup, unsigned int seg)
{
	switch (seg) {
	case EMUL_CS:
		return code_selector(setup);
	case EMUL_SS:
		return stack_selector(setup);
	case EMUL_DS:
	case EMUL_ES:
		return data_selector(setup);
	}
	return 0;
}

static const struct shvm_emul_seg null_segment = { .ar = SEG_AR_UNUSABLE };

/* The same segments for the emulator. */
void setup_segments(struct shvm_emul *e, enum cpu_setup setup)
{
	struct shvm_emul_seg code = { .limit = ~0u, .ar = 0xc0fb };
	struct shvm_emul_seg data = { .limit = ~0u, .ar = 0xc0f3 };
	struct shvm_emul_seg stack = data;

	switch (setup) {
	case SETUP_64:
		code.ar = 0xa0fb;
		break;
	case SETUP_32_RO:
		data = (struct shvm_emul_seg){ SEG_BASE, SEG_RO_LIMIT, 0x40f1 };
		break;
	case SETUP_32_DOWN:
		data = (struct shvm_emul_seg){ SEG_BASE, SEG_DOWN_LIMIT, 0x40f7 };
		break;
	case SETUP_16:
		code = (struct shvm_emul_seg){ CODE_BASE, 0xffff, 0x00fb };
		data = (struct shvm_emul_seg){ SEG_BASE, SEG_16_LIMIT, 0x00f3 };
		stack = data;
		break;
	default:
		break;
	}
	e->seg[EMUL_CS] = code;
	e->seg[EMUL_SS] = stack;
	e->seg[EMUL_DS] = data;
	e->seg[EMUL_ES] = data;
	e->seg[EMUL_FS] = null_segment;
	e->seg[EMUL_GS] = null_segment;
	if (setup == SETUP_64)
		e->seg[EMUL_GS].base = GS_BASE;
	e->mode = setup == SETUP_64 ? EMUL_MODE64 : setup == SETUP_16 ? EMUL_MODE16 : EMUL_MODE32;
}
