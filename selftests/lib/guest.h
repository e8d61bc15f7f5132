/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What guest code in a test may use. Guest code lives in the test's source file, marked GUEST_CODE,
 * its variables marked GUEST_DATA; both are copied into every VM and run there in long mode at the
 * addresses they are linked at. It must not call or read anything that is not marked so: there is
 * no C library, no string constant and no host variable in the guest. Touching one anyway ends in
 * an EXIT_EXCEPTION that names the address.
 */
#ifndef SHVM_SELFTESTS_GUEST_H
#define SHVM_SELFTESTS_GUEST_H

#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define GUEST_CODE	__attribute__((section("guest_text"), noinline, used, noclone))
#define GUEST_DATA	__attribute__((section("guest_data"), used))
/* The same on pages that ring 3 may use (and ring 0 with SMEP or SMAP may not). */
#define GUEST_USER_CODE	__attribute__((section("guest_utext"), noinline, used, noclone))
#define GUEST_USER_DATA	__attribute__((section("guest_udata"), used))
#define GUEST_INLINE	static inline __attribute__((always_inline))

/* Code that the compiler cannot make: 32-bit, or exact bytes. Declare it extern char name[]. */
#define GUEST_ASM(name, text)						\
	asm(".pushsection guest_text, \"ax\"\n"				\
	    ".globl " #name "\n" #name ":\n" text "\n.code64\n"		\
	    ".popsection\n")

/* Reports to the host are port writes; the arguments are in rdi, rsi and rcx. */
#define UCALL_PORT		0x5e0
#define UCALL_SYNC		(UCALL_PORT + 0)
#define UCALL_DONE		(UCALL_PORT + 4)
#define UCALL_ASSERT		(UCALL_PORT + 8)
#define UCALL_EXCEPTION		(UCALL_PORT + 12)

#define NO_EXCEPTION		0x7e577e57ull	/* struct guest_fault.vector: nothing happened */

/* Selectors of the GDT that the library makes. */
#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_UCODE32	(0x20 | 3)
#define SEL_UDATA	(0x28 | 3)
#define SEL_UCODE64	(0x30 | 3)
#define SEL_TSS		0x40

/* One per vCPU, at GS base, for ring 0; the host reads it through struct test_vcpu.cpu. */
struct guest_cpu {
	struct guest_cpu *self;
	u64 user_return_rsp;	/* the kernel stack that guest_call_user() left; see exception.S */
	u64 id;
	u64 nr_exceptions;
	struct guest_exception {
		u64 vector, error, cr2, rip, cs, rflags, rsp;
	} ex;			/* the last one */
	u64 count[256];		/* events by vector */
};

/* What the exception stubs push, lowest address first. A handler may change it. */
struct guest_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

typedef void (*guest_handler_fn)(struct guest_frame *frame);

/* A handler that is called instead of the default; index: vector. */
extern guest_handler_fn guest_handlers[256];

/* ---- guest.c: what many tests run ---- */

void guest_done(void);		/* GUEST_DONE() without end */
extern volatile u64 guest_spins;
void guest_spin(void);		/* counts guest_spins, with interrupts on, without end */
void guest_read(u64 gva);	/* reports what is there by GUEST_SYNC, once */
void guest_write(u64 gva, u64 value);

/* Runs fn(arg), GUEST_USER_CODE, in ring 3 with IOPL 3; comes back when it returns. */
void guest_call_user(void (*fn)(u64 arg), u64 arg, u64 user_stack_top);

GUEST_INLINE struct guest_cpu *guest_cpu(void)
{
	struct guest_cpu *cpu;

	asm volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

GUEST_INLINE void guest_ucall(u16 port, u64 a, u64 b, u64 c)
{
	asm volatile("outl %%eax, %%dx"
		     : : "d"(port), "a"(a), "D"(a), "S"(b), "c"(c) : "memory");
}

#define GUEST_SYNC(n)		guest_ucall(UCALL_SYNC, (u64)(n), 0, 0)
#define GUEST_SYNC2(n, v)	guest_ucall(UCALL_SYNC, (u64)(n), (u64)(v), 0)
#define GUEST_DONE()		guest_ucall(UCALL_DONE, 0, 0, 0)

#define GUEST_ASSERT(cond)						\
	do {								\
		if (!(cond))						\
			guest_ucall(UCALL_ASSERT, __LINE__, 0, 0);	\
	} while (0)

#define GUEST_ASSERT_EQ(want, got)					\
	do {								\
		u64 want_ = (u64)(want), got_ = (u64)(got);		\
		if (want_ != got_)					\
			guest_ucall(UCALL_ASSERT, __LINE__, want_, got_); \
	} while (0)

struct guest_fault {
	u64 vector;		/* or NO_EXCEPTION, and then the others mean nothing */
	u64 error, cr2;
};

/*
 * Runs one instruction that may fault, in any ring; result: a struct guest_fault. It uses no
 * memory: the handler finds the constant in r10, the address to go on at in r11 and the stack
 * pointer in r9, and returns the three members in them. outputs is empty or GUEST_TRY_OUT(..).
 */
#define GUEST_TRY(insn, outputs, ...)					\
({									\
	register u64 vector_ asm("r10") = NO_EXCEPTION;			\
	register u64 error_ asm("r11");					\
	register u64 cr2_ asm("r9");					\
									\
	asm volatile("lea 771f(%%rip), %%r11\n\t"			\
		     "mov %%rsp, %%r9\n\t"				\
		     insn "\n"						\
		     "771:"						\
		     : outputs "+r"(vector_), "=&r"(error_), "=&r"(cr2_) \
		     : __VA_ARGS__ : "memory", "cc");			\
	(struct guest_fault){ vector_, error_, cr2_ };			\
})
#define GUEST_TRY_OUT(...)	__VA_ARGS__,

GUEST_INLINE struct guest_fault guest_try_read64(u64 gva, u64 *value)
{
	u64 got = 0;
	struct guest_fault fault = GUEST_TRY("mov (%[p]), %[v]", GUEST_TRY_OUT([v] "+&r"(got)),
					     [p] "r"(gva));

	*value = got;
	return fault;
}

GUEST_INLINE struct guest_fault guest_try_write64(u64 gva, u64 value)
{
	return GUEST_TRY("mov %[v], (%[p])", /* none */, [p] "r"(gva), [v] "r"(value));
}

/* Calls the code at gva, which does no more than return. */
GUEST_INLINE struct guest_fault guest_try_call(u64 gva)
{
	return GUEST_TRY("call *%[p]", /* none */, [p] "r"(gva));
}

GUEST_INLINE u64 guest_read64(u64 gva)
{
	return *(volatile u64 *)gva;
}

GUEST_INLINE void guest_write64(u64 gva, u64 value)
{
	*(volatile u64 *)gva = value;
}

GUEST_INLINE void guest_invlpg(u64 gva)
{
	asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
}

GUEST_INLINE void guest_hlt(void)
{
	asm volatile("hlt" : : : "memory");
}

GUEST_INLINE void guest_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			     : "a"(leaf), "c"(subleaf));
}

GUEST_INLINE u64 guest_rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

GUEST_INLINE void guest_wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define GUEST_DEFINE_CR(n)						\
GUEST_INLINE u64 guest_read_cr##n(void)					\
{									\
	u64 value;							\
									\
	asm volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory");	\
	return value;							\
}									\
GUEST_INLINE void guest_write_cr##n(u64 value)				\
{									\
	asm volatile("mov %0, %%cr" #n : : "r"(value) : "memory");	\
}

GUEST_DEFINE_CR(0)
GUEST_DEFINE_CR(2)
GUEST_DEFINE_CR(3)
GUEST_DEFINE_CR(4)

#endif
