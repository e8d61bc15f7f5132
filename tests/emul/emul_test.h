/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the emulator test share: TAP output, random numbers, the native CPU, the
 * memory layout of the comparison.
 */
#ifndef EMUL_TEST_H
#define EMUL_TEST_H

#include <stdint.h>
#include <stdio.h>

#include "emul_internal.h"

#define PAGE_BYTES	4096u
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(a, b)	__attribute__((__format__(__printf__, a, b)))
#define __aligned(n)	__attribute__((__aligned__(n)))

/* TAP. tap_fail() may be called often: the first few are explained, all are counted. */
void tap_plan_add(const char *name, bool (*fn)(void));
int tap_run(void);
__printf(1, 2) void tap_fail(const char *fmt, ...);
__printf(1, 2) void tap_note(const char *fmt, ...);
#define CHECK(cond)						\
	do {							\
		if (!(cond))					\
			tap_fail("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/* Random numbers, reproducible from the seed. */
extern u64 opt_seed;
extern u64 opt_count;
void rnd_seed(u64 seed);
u64 rnd(void);
u64 rnd_below(u64 n);
bool rnd_percent(unsigned int percent);
u64 rnd_value(void);		/* biased to values where arithmetic goes wrong */

/*
 * The comparison runs below 4G, so that all address sizes reach it. Data: one read-only page, two
 * that can be written, one that is not there.
 */
#define CODE_BASE	0x10000000ull
#define CODE_BYTES	(2 * PAGE_BYTES)
#define DATA_BASE	0x10010000ull
#define DATA_RW		(DATA_BASE + PAGE_BYTES)
#define DATA_RW_BYTES	(2 * PAGE_BYTES)
#define DATA_HOLE	(DATA_RW + DATA_RW_BYTES)
#define DATA_END	(DATA_HOLE + PAGE_BYTES)

/* Which segments the code runs with. */
enum cpu_setup {
	SETUP_64,	/* flat; GS has a base */
	SETUP_32,	/* flat */
	SETUP_32_RO,	/* DS and ES: read-only, based, with a limit */
	SETUP_32_DOWN,	/* DS and ES: expand-down */
	SETUP_16,	/* 16-bit code, stack and data, based */
	NR_SETUP,
};

#define GS_BASE		0x345000ull
#define SEG_BASE	DATA_BASE		/* of the based data segments */
#define SEG_RO_LIMIT	0x1ffbu
#define SEG_DOWN_LIMIT	0x13fau
#define SEG_16_LIMIT	0xffffu

/* How an instruction ended: vector 3 is the breakpoint behind it. */
struct outcome {
	struct shvm_emul_regs regs;
	unsigned int vector;
	u32 error_code;
	u64 cr2;
};

bool native_init(void);
bool native_has(enum cpu_setup setup);
u64 native_rflags(void);
void native_run(enum cpu_setup setup, const struct shvm_emul_regs *in, const u8 xmm[16][16],
		struct outcome *out);
void setup_segments(struct shvm_emul *e, enum cpu_setup setup);
u16 setup_selector(enum cpu_setup setup, unsigned int seg);

/* An instruction for the comparison. */
struct sample {
	const char *name;
	enum cpu_setup setup;
	u8 insn[24];
	unsigned int len;
	struct shvm_emul_regs regs;
	u8 xmm[16][16];
	u64 undefined;		/* flags that are not compared */
	bool no_compare;	/* the result is undefined */
	bool any_fault;		/* CPUs differ on which of several faults comes first */
	u64 poke_at;		/* put poke_val into memory there, unless 0 */
	u64 poke_val;
};

unsigned int sample_forms(void);
const char *sample_form_name(unsigned int form);
bool sample_make(struct sample *s, unsigned int form, enum cpu_setup setup);

/* Suites. */
bool test_diff_64(void);
bool test_diff_32(void);
bool test_diff_segments(void);
bool test_diff_16(void);
bool test_fuzz(void);
void add_directed_tests(void);
void add_system_tests(void);

#endif /* EMUL_TEST_H */
