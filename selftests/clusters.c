// SPDX-License-Identifier: GPL-2.0-only
/*
 * MOV from CR3, some work on the register, MOV to CR3: shvm may do all of it in one exit. Each form
 * has to leave what the instructions leave one by one; nothing may be skipped that would have been
 * seen between them; and the instructions are the ones that are in memory now. How many exits it
 * took says whether it was done at once.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "huge.h"
#include "inject.h"
#include "region.h"

#define NR_TIMES	50
#define REASON_CR	28

#define MSR_GS_BASE	0xc0000101
#define RFLAGS_RF	(1ull << 16)
#define USER_HALF	PAGE_SIZE	/* two roots side by side, as Linux has them */
#define PTE_KERNEL	(PTE_P | PTE_W)	/* what is the user's is left alone */
#define LINUX_MASK	"0xffffffffffffe7ff"

/* Two roots: the first has PAGE(0) at REGION, the second PAGE(1). */
static GUEST_DATA struct {
	u64 root;
	u64 area;		/* GS base of the code that tests a bit */
	u64 entries;		/* those of REGION under the first */
} pair;

/* What a piece of code finds and leaves. */
static GUEST_DATA struct {
	u64 cr3, flags, rsp;
	struct left { u64 reg, rax, flags; } left;
} run;

FIXTURE(clusters)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

static u64 make_root(struct test_vm *vm, u64 at, u64 page)
{
	memcpy(vm_hva(vm, at), vm_hva(vm, vm->root), PAGE_SIZE);
	((u64 *)vm_hva(vm, at))[REGION_SLOT] = 0;
	*guest_pte(vm, at, REGION, 1) = page | PTE_KERNEL;
	return at;
}

FIXTURE_SETUP(clusters)
{
	struct test_vm *vm = vm_create();
	u64 at = vm_alloc_pages(vm, 3), area = vm_alloc_pages(vm, 1);

	self->vm = vm;
	region_make(vm);
	region_fill(vm);
	at = (at + USER_HALF) & ~USER_HALF;
	vm_sym(vm, pair)->root = make_root(vm, at, PAGE(0));
	vm_sym(vm, pair)->entries = guest_pte_gpa(vm, at, REGION, 1);
	make_root(vm, at + USER_HALF, PAGE(1));
	vm_sym(vm, pair)->area = area;
	self->vcpu = vcpu_create(vm, 0, NULL);
}

FIXTURE_TEARDOWN(clusters)
{
	vm_free(self->vm);
}

static bool clusters_are_on(void)
{
	FILE *f = fopen("/sys/module/shvm/parameters/exit_clusters", "r");
	bool on = f && fgetc(f) == 'Y' && test_is_shvm();

	if (f)
		fclose(f);
	return on;
}

static u64 cr_exits(struct test_vm *vm)
{
	return vm_stats(vm).exit_reason[REASON_CR];
}

/* Exits for pieces of code and for other accesses to CR3; a few more where something is new. */
static bool mostly_at_once(struct test_vm *vm, u64 before, u64 pieces, u64 others)
{
	return !clusters_are_on() || cr_exits(vm) - before <= pieces + others + 10;
}

/* ---- forms ---- */

/*
 * The instructions on a register between a MOV from CR3 and a MOV to CR3; and, name_plain, on one
 * that was loaded with the value of CR3. RAX, where a copy may go, is known before.
 */
#define PIECE(name, reg, before, code, after)				\
	#name ": push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n" \
	"mov %rsp, run+16; mov $0x1234, %eax; pushq run+8; popfq\n"	\
	before "\n" code "\n" after "\n"				\
	"mov %" #reg ", run+24; mov %rax, run+32; mov run+16, %rsp; pushfq; popq run+40\n" \
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
#define FORM(name, reg, code)						\
GUEST_ASM(name, PIECE(name##_cr3, reg, "mov %cr3, %" #reg, code, "mov %" #reg ", %cr3") \
	  PIECE(name##_plain, reg, "mov run, %" #reg, code, ""));	\
extern char name##_cr3[], name##_plain[]

/* Linux without PCID; with it, the bit that it tests being at GS. */
#define LINUX_TO_USER							\
	"xchg %ax, %ax; mov %rdi, %rax; and $0x7ff, %rdi; bt %rdi, %gs:0x18; jnc 1f\n" \
	"btr %rdi, %gs:0x18; mov %rax, %rdi; jmp 2f\n"			\
	"1: mov %rax, %rdi; or $0x20, %rdi\n"				\
	"2: or $0x8, %rdi; or $0x1000, %rdi"

FORM(or_rdi, rdi, "or $0x1000, %rdi");
FORM(or_rax, rax, "or $0x1000, %rax");
FORM(or_rsp, rsp, "or $0x1000, %rsp");
FORM(or_rbx, rbx, "or $0x1000, %rbx");
FORM(or_r8, r8, "or $0x1000, %r8");
FORM(or_r15, r15, "or $0x1000, %r15");
FORM(and_rsp, rsp, "or $0x1000, %rsp; and $" LINUX_MASK ", %rsp");
FORM(and_rax, rax, "and $" LINUX_MASK ", %rax");
FORM(and_r12, r12, "or $0x1008, %r12; and $-16, %r12");
FORM(or_byte, rdx, "or $8, %rdx; .byte 0x48, 0x83, 0xca, 0x10");
FORM(bts_or, rdi, "bts $12, %rdi; or $0x18, %rdi");
FORM(bts_r9, r9, "bts $4, %r9; and $-8, %r9");
FORM(nothing, rax, "");
FORM(nops, rdi, ".byte 0x90, 0x66, 0x90, 0x0f, 0x1f, 0, 0x0f, 0x1f, 0x40, 0\n"
	".byte 0x0f, 0x1f, 0x44, 0, 0, 0x66, 0x0f, 0x1f, 0x44, 0, 0; or $0x1000, %rdi");
FORM(long_nops, rdi, ".byte 0x0f, 0x1f, 0x80, 0, 0, 0, 0, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n"
	".byte 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0; or $0x1000, %rdi");
FORM(jump, rdi, "jmp 1f; ud2; .skip 30, 0xcc; 1: or $0x1000, %rdi");
FORM(copy, rdi, "mov %rdi, %rax; or $0x1000, %rdi");
FORM(copy_back, rsi, "mov %rsi, %rax; and $0x7ff, %rsi; .byte 0x48, 0x8b, 0xf0; or $8, %rsi");
FORM(linux_to_user, rdi, LINUX_TO_USER);
/* They are done one by one. */
FORM(bts_alone, rdi, "bts $12, %rdi");
FORM(bts_again, rdi, "or $0x1000, %rdi; bts $12, %rdi");
FORM(add, rdi, "add $8, %rdi");
FORM(or_word, rdi, "or $0x1000, %edi");
FORM(or_other, rdi, "mov $0x1000, %eax; or %rax, %rdi");
FORM(or_of_copy, rdi, "mov %rdi, %rax; or $0x1000, %rdi; or $-1, %rax");
FORM(btr, rdi, "or $0x1008, %rdi; btr $3, %rdi; or $0x10, %rdi");
FORM(branch_of_bts, rdi, "bts $3, %rdi; jnc 1f; or $0x1000, %rdi; 1: or $0x10, %rdi");
FORM(branch_back, rdi, "jmp 2f; 1: or $0x1000, %rdi; jmp 3f; 2: jmp 1b; 3:");
FORM(two_bits, rdi, "bt %rdi, %gs:0x18; jc 1f; bt %rdi, %gs:0x20; jc 1f; or $0x1000, %rdi\n"
	"1: or $8, %rdi");

static const struct form {
	const char *name;
	const void *code, *plain;
	bool at_once;
} forms[] = {
#define AT_ONCE(name)		{ #name, name##_cr3, name##_plain, true }
#define ONE_BY_ONE(name)	{ #name, name##_cr3, name##_plain, false }
	AT_ONCE(or_rdi), AT_ONCE(or_rax), AT_ONCE(or_rsp), AT_ONCE(or_rbx), AT_ONCE(or_r8),
	AT_ONCE(or_r15), AT_ONCE(and_rsp), AT_ONCE(and_rax), AT_ONCE(and_r12), AT_ONCE(or_byte),
	AT_ONCE(bts_or), AT_ONCE(bts_r9), AT_ONCE(nothing), AT_ONCE(nops), AT_ONCE(long_nops),
	AT_ONCE(jump), AT_ONCE(copy), AT_ONCE(copy_back), AT_ONCE(linux_to_user),
	ONE_BY_ONE(bts_alone), ONE_BY_ONE(bts_again), ONE_BY_ONE(add), ONE_BY_ONE(or_word),
	ONE_BY_ONE(or_other), ONE_BY_ONE(or_of_copy), ONE_BY_ONE(btr), ONE_BY_ONE(branch_of_bts),
	ONE_BY_ONE(branch_back), ONE_BY_ONE(two_bits),
};

GUEST_INLINE void call_piece(u64 code)
{
	asm volatile("call *%0" : : "r"(code)
		     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

GUEST_CODE static u64 page_of(u64 cr3)
{
	return cr3 & USER_HALF ? PAGE(1) : PAGE(0);
}

/* From both roots, with all arithmetic flags set and clear. */
GUEST_CODE static void guest_form(u64 code, u64 plain)
{
	u64 i, gs = guest_rdmsr(MSR_GS_BASE);
	struct left want;

	guest_wrmsr(MSR_GS_BASE, pair.area);
	for (i = 0; i < NR_TIMES; i++) {
		run.cr3 = pair.root + (i & 1 ? USER_HALF : 0);
		run.flags = i & 2 ? 0x8d7 : 2;
		call_piece(plain);
		want = run.left;
		guest_write_cr3(run.cr3);
		call_piece(code);
		GUEST_ASSERT_EQ(want.reg, run.left.reg);
		GUEST_ASSERT_EQ(want.rax, run.left.rax);
		GUEST_ASSERT_EQ(want.flags, run.left.flags);
		GUEST_ASSERT_EQ(page_of(want.reg), guest_read64(REGION));
	}
	GUEST_ASSERT_EQ(want.reg, guest_read_cr3());
	guest_wrmsr(MSR_GS_BASE, gs);
	GUEST_DONE();
}

TEST_F(clusters, forms)
{
	u64 per_time, before;
	int i, round;

	for (i = 0; i < ARRAY_LEN(forms); i++) {
		const struct form *f = &forms[i];

		/* In the first round all is new. */
		for (round = 0; round < 2; round++) {
			before = cr_exits(self->vm);
			ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_form, (u64)f->code,
						       (u64)f->plain)) TH_LOG("%s", f->name);
		}
		per_time = f->at_once && clusters_are_on() ? 2 : 3;
		if (test_is_shvm())
			EXPECT_EQ(per_time * NR_TIMES + 1, cr_exits(self->vm) - before)
				TH_LOG("%s", f->name);
	}
}

/* ---- the bit that Linux tests ---- */

#define BIT_OFFSET	0x18

/* The bit is at the number that CR3 says, up to 2,047, and either way is right. */
GUEST_CODE static void guest_bits(void)
{
	u64 i, number, gs = guest_rdmsr(MSR_GS_BASE);
	volatile u64 *word;
	struct left want;

	guest_wrmsr(MSR_GS_BASE, pair.area);
	for (i = 0; i < 8 * NR_TIMES; i++) {
		number = i * 37 % 256;
		word = (volatile u64 *)(pair.area + BIT_OFFSET) + number / 64;
		run.cr3 = pair.root | number;
		run.flags = 2;
		*word = i & 4 ? 1ull << number % 64 : ~(1ull << number % 64);
		call_piece((u64)linux_to_user_plain);
		want = run.left;
		GUEST_ASSERT_EQ(i & 4 ? 0 : ~(1ull << number % 64), *word);
		*word = i & 4 ? 1ull << number % 64 : ~(1ull << number % 64);
		guest_write_cr3(run.cr3);
		call_piece((u64)linux_to_user_cr3);
		GUEST_ASSERT_EQ(i & 4 ? 0 : ~(1ull << number % 64), *word);
		*word = 0;
		GUEST_ASSERT_EQ(want.reg, run.left.reg);
		GUEST_ASSERT_EQ(want.rax, run.left.rax);
		GUEST_ASSERT_EQ(want.flags, run.left.flags);
		GUEST_ASSERT_EQ(want.reg, guest_read_cr3());
	}
	guest_wrmsr(MSR_GS_BASE, gs);
	GUEST_DONE();
}

TEST_F(clusters, bits)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_bits, 0, 0));
}

/* With the bit set in one place and not in the other: what counts is where GS leads now. */
GUEST_INLINE void expect_bit_from(u64 root, bool set)
{
	guest_write_cr3(root);
	call_piece((u64)linux_to_user_cr3);
	GUEST_ASSERT_EQ(root | 0x1008 | (set ? 0 : 0x20), run.left.reg);
}

GUEST_INLINE void expect_bit(bool set)
{
	expect_bit_from(pair.root, set);
}

GUEST_CODE static void guest_bit_elsewhere(void)
{
	volatile u64 *entry = entry_of(pair.entries, 1);
	u64 i, other = REGION + PAGE_SIZE, gs = guest_rdmsr(MSR_GS_BASE);

	run.flags = 2;
	for (i = 0; i < NR_TIMES; i++) {
		guest_wrmsr(MSR_GS_BASE, pair.area);
		expect_bit(false);
		*entry = PAGE(2) | PTE_KERNEL;
		guest_invlpg(other);
		guest_write64(PAGE(2) + BIT_OFFSET, 1);
		guest_wrmsr(MSR_GS_BASE, other);
		expect_bit(true);
		expect_bit(false);
		guest_write64(PAGE(3) + BIT_OFFSET, 1);
		*entry = PAGE(3) | PTE_KERNEL;
		guest_invlpg(other);
		expect_bit(true);
		guest_wrmsr(MSR_GS_BASE, REGION);
		expect_bit(false);
		/* Only GS is another one. */
		guest_write64(PAGE(3) + BIT_OFFSET, 1);
		guest_wrmsr(MSR_GS_BASE, other);
		expect_bit(true);
		/* In the other address space it is another page. */
		guest_write64(PAGE(1) + BIT_OFFSET, 1);
		guest_wrmsr(MSR_GS_BASE, REGION);
		expect_bit(false);
		expect_bit_from(pair.root + USER_HALF, true);
	}
	guest_wrmsr(MSR_GS_BASE, gs);
	GUEST_DONE();
}

TEST_F(clusters, bit_elsewhere)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_bit_elsewhere, 0, 0));
	/* Of eight, four have the bit set. */
	EXPECT_TRUE(mostly_at_once(self->vm, 0, 12 * NR_TIMES, 8 * NR_TIMES));
}

/* ---- between the instructions ---- */

GUEST_ASM(stepped,
	  "pushfq; orl $0x100, (%rsp); popfq; nop\n"
	  "1: mov %cr3, %rdi\n2: mov %rdi, %rax\n3: or $0x8, %rdi\n4: mov %rdi, %cr3\n5: nop\n"
	  "pushfq; orl $0x40000, (%rsp); popfq; nop; ret\n"
	  ".balign 8; stepped_at: .quad 1b, 2b, 3b, 4b, 5b");
extern char stepped[], stepped_at[];

/* A breakpoint is not to be met again. */
GUEST_CODE static void log_debug(struct guest_frame *frame)
{
	log_step(frame);
	frame->rflags |= RFLAGS_RF;
}

GUEST_CODE static void guest_steps(void)
{
	guest_write_cr3(pair.root);
	call_piece((u64)stepped);
	GUEST_DONE();
}

TEST_F(clusters, single_steps)
{
	struct event *event = vm_sym(self->vm, event_log)->event;
	const u64 *at = (const u64 *)stepped_at;
	int i, round;

	handle(self->vm, 1, log_debug);
	for (round = 0; round < 3; round++) {
		vm_sym(self->vm, event_log)->nr = 0;
		ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_steps, 0, 0));
		for (i = 0; i < 5; i++) {
			EXPECT_EQ(at[i], event[i].rip) TH_LOG("step %d", i);
			EXPECT_EQ(0x4000, event[i].error & 0xe00f);	/* BS alone */
		}
	}
}

GUEST_ASM(watched,
	  "1: mov %cr3, %rdi\n2: mov %rdi, %rax\n3: or $0x8, %rdi\n4: mov %rdi, %cr3\n5: ret\n"
	  ".balign 8; watched_at: .quad 1b, 2b, 3b, 4b, 5b");
extern char watched[], watched_at[];

/* A breakpoint at one of the instructions, after the code has run without. */
GUEST_CODE static void guest_breakpoint(u64 at)
{
	u64 i, on = 0x403, off = 0x400;

	for (i = 0; i < 4; i++) {
		event_log.nr = 0;
		guest_write_cr3(pair.root);
		call_piece((u64)watched);
		GUEST_ASSERT_EQ(0, event_log.nr);
		guest_write_cr3(pair.root);
		asm volatile("mov %0, %%dr0; mov %1, %%dr7" : : "r"(at), "r"(on));
		call_piece((u64)watched);
		asm volatile("mov %0, %%dr7" : : "r"(off));
		GUEST_ASSERT_EQ(1, event_log.nr);
		GUEST_ASSERT_EQ(at, event_log.event[0].rip);
	}
	GUEST_DONE();
}

TEST_F(clusters, breakpoints)
{
	const u64 *at = (const u64 *)watched_at;
	int i;

	handle(self->vm, 1, log_debug);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_breakpoint, at[i], 0))
			TH_LOG("instruction %d", i);
}

GUEST_ASM(behind_sti,
	  "sti; mov %cr3, %rdi; 1: or $0x8, %rdi; mov %rdi, %cr3; cli; ret\n"
	  ".balign 8; behind_sti_at: .quad 1b");
extern char behind_sti[], behind_sti_at[];

GUEST_CODE static void guest_sti(void)
{
	guest_write_cr3(pair.root);
	GUEST_SYNC(1);
	call_piece((u64)behind_sti);
	GUEST_ASSERT_EQ(pair.root | 8, guest_read_cr3());
	GUEST_DONE();
}

/* STI keeps an interrupt off for one instruction, not for the cluster. */
TEST_F(clusters, interrupt_behind_sti)
{
	struct event *event = vm_sym(self->vm, event_log)->event;
	struct shvm_interrupt irq = { .irq = 0x66 };
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM injects at once, whatever the guest's IF");
	handle(self->vm, irq.irq, log_event);
	for (i = 0; i < 3; i++) {
		vm_sym(self->vm, event_log)->nr = 0;
		vcpu_set_entry(self->vcpu, guest_sti, 0, 0);
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
		ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
		EXPECT_EQ(1, vm_sym(self->vm, event_log)->nr);
		EXPECT_EQ(*(const u64 *)behind_sti_at, event[0].rip);
	}
}

/* ---- values that are refused ---- */

#define REFUSED(name, code)						\
GUEST_ASM(name, "mov %cr3, %rdi; " code "; or $0x8, %rdi\n"		\
	  #name "_load: mov %rdi, %cr3; ret");				\
extern char name[], name##_load[]

REFUSED(bit_63, "bts $63, %rdi");
REFUSED(bit_62, "bts $62, %rdi");

/* #GP is that of the load, and the register holds what was to be loaded. */
GUEST_INLINE void expect_gp(u64 code, u64 load, u64 bit)
{
	struct guest_fault fault;
	u64 rdi = 0;

	guest_write_cr3(pair.root);
	fault = GUEST_TRY("call *%[code]", GUEST_TRY_OUT("+&D"(rdi)), [code] "r"(code));
	GUEST_ASSERT_EQ(13, fault.vector);
	GUEST_ASSERT_EQ(0, fault.error);
	GUEST_ASSERT_EQ(load, guest_cpu()->ex.rip);
	GUEST_ASSERT_EQ(pair.root | 8 | bit, rdi);
	GUEST_ASSERT_EQ(pair.root, guest_read_cr3());
}

GUEST_CODE static void guest_refused(void)
{
	u64 i;

	for (i = 0; i < 4; i++) {
		expect_gp((u64)bit_63, (u64)bit_63_load, 1ull << 63);
		expect_gp((u64)bit_62, (u64)bit_62_load, 1ull << 62);
	}
	GUEST_DONE();
}

TEST_F(clusters, refused)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_refused, 0, 0));
}

/* With PCIDs bit 63 is a wish, which CR3 does not keep. */
GUEST_CODE static void guest_pcid(void)
{
	u64 i;

	guest_write_cr3(pair.root);
	guest_write_cr4(guest_read_cr4() | CR4_PCIDE);
	for (i = 0; i < NR_TIMES; i++) {
		guest_write_cr3(pair.root | (i & 7));
		call_piece((u64)bit_63);
		GUEST_ASSERT_EQ(pair.root | 8 | (i & 7), guest_read_cr3());
		expect_gp((u64)bit_62, (u64)bit_62_load, 1ull << 62);
	}
	guest_write_cr3(pair.root);
	guest_write_cr4(guest_read_cr4() & ~CR4_PCIDE);
	expect_gp((u64)bit_63, (u64)bit_63_load, 1ull << 63);
	GUEST_DONE();
}

TEST_F(clusters, pcid)
{
	if (!region_cpuid_has(1, 2, 17))
		SKIP(return, "no PCID for the guest");
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_pcid, 0, 0));
}

/* ---- the code that is there now ---- */

#define CODE_BITS	5	/* where the constant of the OR is */

static const u8 or_code[] = {
	0x0f, 0x20, 0xd8,			/* mov %cr3, %rax */
	0x48, 0x0d, 0x08, 0x00, 0x00, 0x00,	/* or $8, %rax */
	0x0f, 0x22, 0xd8,			/* mov %rax, %cr3 */
	0xc3,
};

static void put_code(struct test_vm *vm, u64 gpa, u8 bits)
{
	u8 *at = vm_hva(vm, gpa);

	memcpy(at, or_code, sizeof(or_code));
	at[CODE_BITS] = bits;
}

GUEST_INLINE void expect_bits(u64 code, u64 bits)
{
	guest_write_cr3(pair.root);
	call_piece(code);
	GUEST_ASSERT_EQ(pair.root | bits, guest_read_cr3());
}

/* The guest writes the constant, an instruction, all of it. */
GUEST_CODE static void guest_patches(u64 code)
{
	volatile u8 *at = (volatile u8 *)code;
	u64 i;

	for (i = 0; i < NR_TIMES; i++) {
		at[CODE_BITS] = i & 0x18;
		expect_bits(code, i & 0x18);
		at[3] = 0x90;					/* nop; or $8, %eax */
		at[CODE_BITS] = 8;
		expect_bits(code, 8);
		at[3] = 0x48;
		at[9] = 0x0f;
		at[10] = 0x1f;					/* nop */
		at[11] = 0xc0;
		expect_bits(code, 0);
		at[10] = 0x22;
		at[11] = 0xd8;
		expect_bits(code, 8);
	}
	GUEST_DONE();
}

TEST_F(clusters, patched_by_the_guest)
{
	u64 code = vm_alloc_pages(self->vm, 1);

	put_code(self->vm, code, 8);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_patches, code, 0));
}

static GUEST_DATA u64 wanted_bits;

GUEST_CODE static void guest_runs_code(u64 code)
{
	u64 i;

	for (;;) {
		for (i = 0; i < 3; i++)
			expect_bits(code, wanted_bits);
		GUEST_SYNC(1);
	}
}

TEST_F(clusters, patched_by_the_vmm)
{
	u64 code = vm_alloc_pages(self->vm, 1);
	int i;

	vcpu_set_entry(self->vcpu, guest_runs_code, code, 0);
	for (i = 0; i < NR_TIMES; i++) {
		put_code(self->vm, code, i & 0x18);
		*vm_sym(self->vm, wanted_bits) = i & 0x18;
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	}
}

/* Other memory comes where the code was, whose page stays as it is at another place. */
static void replace_page(void *at)
{
	void *away = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mremap(at, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, away) != away ||
	    mmap(at, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) != at)
		test_die("cannot replace a page: %s", strerror(errno));
}

TEST_F(clusters, replaced_by_the_vmm)
{
	u64 code = vm_alloc_pages(self->vm, 1);
	int i;

	vcpu_set_entry(self->vcpu, guest_runs_code, code, 0);
	for (i = 0; i < NR_TIMES; i++) {
		replace_page(vm_hva(self->vm, code));
		put_code(self->vm, code, i & 0x18);
		*vm_sym(self->vm, wanted_bits) = i & 0x18;
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	}
	EXPECT_TRUE(mostly_at_once(self->vm, 0, 3 * NR_TIMES, 6 * NR_TIMES));
}

GUEST_CODE static void guest_remaps(void)
{
	volatile u64 *entry = entry_of(pair.entries, 1);
	u64 i, code = REGION + PAGE_SIZE;

	for (i = 0; i < NR_TIMES; i++) {
		*entry = (i & 1 ? PAGE(2) : PAGE(3)) | PTE_KERNEL;
		guest_invlpg(code);
		expect_bits(code, i & 1 ? 8 : 0x10);
		expect_bits(code, i & 1 ? 8 : 0x10);
	}
	GUEST_DONE();
}

TEST_F(clusters, remapped)
{
	put_code(self->vm, PAGE(2), 8);
	put_code(self->vm, PAGE(3), 0x10);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_remaps, 0, 0));
	EXPECT_TRUE(mostly_at_once(self->vm, 0, 2 * NR_TIMES, 4 * NR_TIMES));
}

/* One address, and other code in each address space: the MOV to CR3 itself changes it. */
GUEST_CODE static void guest_two_spaces(void)
{
	u64 i;

	for (i = 0; i < NR_TIMES; i++) {
		guest_write_cr3(pair.root);
		call_piece(REGION + 64);
		GUEST_ASSERT_EQ(pair.root | 8, guest_read_cr3());
		guest_write_cr3(pair.root + USER_HALF);
		call_piece(REGION + 64);
		GUEST_ASSERT_EQ((pair.root + USER_HALF) | 0x10, guest_read_cr3());
	}
	GUEST_DONE();
}

TEST_F(clusters, two_address_spaces)
{
	put_code(self->vm, PAGE(0) + 64, 8);
	put_code(self->vm, PAGE(1) + 64, 0x10);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_two_spaces, 0, 0));
	EXPECT_TRUE(mostly_at_once(self->vm, 0, 2 * NR_TIMES, 4 * NR_TIMES));
}

/* Two pages of the guest that are not side by side in memory, which is one piece in the host. */
#define SIDE		0x10000000ul
#define SIDE_SLOT	5
#define SIDE_PAGE(n)	(SIDE + (n) * PAGE_SIZE)

GUEST_CODE static void guest_page_end(u64 code)
{
	u64 i;

	*entry_of(pair.entries, 1) = SIDE_PAGE(2) | PTE_KERNEL;
	*entry_of(pair.entries, 2) = SIDE_PAGE(5) | PTE_KERNEL;
	for (i = 0; i < 4; i++)
		expect_bits(code, 8);
	GUEST_DONE();
}

#define NR_NOPS		16

/* With NOPs behind the MOV from CR3. */
static void make_long_code(u8 *code, u8 bits)
{
	memcpy(code, or_code, 3);
	memset(code + 3, 0x90, NR_NOPS);
	memcpy(code + 3 + NR_NOPS, or_code + 3, sizeof(or_code) - 3);
	code[CODE_BITS + NR_NOPS] = bits;
}

TEST_F(clusters, page_end)
{
	u8 *area = huge_area(HUGE_SIZE), code[sizeof(or_code) + NR_NOPS];
	int n;

	if (!area)
		SKIP(return, "the kernel gives no transparent huge pages");
	ASSERT_EQ(0, __vm_set_slot(self->vm, SIDE_SLOT, 0, SIDE, HUGE_SIZE, area));
	for (n = 0; n <= 90; n++) {
		int here = n < sizeof(code) ? n : sizeof(code);

		make_long_code(code, 8);
		memcpy(area + 3 * PAGE_SIZE - n, code, here);
		memcpy(area + 5 * PAGE_SIZE, code + here, sizeof(code) - here);
		/* What comes next in memory would set another bit. */
		make_long_code(code, 0x10);
		memcpy(area + 3 * PAGE_SIZE, code + here, sizeof(code) - here);
		EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_page_end,
					       REGION + 2 * PAGE_SIZE - n, 0)) TH_LOG("%d", n);
	}
}

/* The same bytes are other instructions in 32-bit code: dec %eax; or $0x10, %eax; inc %eax. */
GUEST_ASM(in_both_modes,
	  "both: .byte 0x0f, 0x20, 0xd8, 0x48, 0x83, 0xc8, 0x10, 0x40, 0x0f, 0x22, 0xd8\n"
	  "jmp *%rbx\n"
	  "in_64bit: push %rbx; lea 1f(%rip), %rbx; jmp both; 1: pop %rbx; ret\n"
	  "in_32bit: push %rbx; pushq $0x18; lea both(%rip), %rax; push %rax\n"
	  "lea 2f(%rip), %rbx; lretq\n"
	  ".code32\n2: ljmp $8, $3f\n.code64\n3: pop %rbx; ret");
extern char in_64bit[], in_32bit[];

GUEST_CODE static void guest_both_modes(void)
{
	u64 i;

	for (i = 0; i < NR_TIMES; i++) {
		guest_write_cr3(pair.root + USER_HALF);
		call_piece((u64)in_64bit);
		GUEST_ASSERT_EQ((pair.root + USER_HALF) | 0x10, guest_read_cr3());
		guest_write_cr3(pair.root + USER_HALF);
		call_piece((u64)in_32bit);
		GUEST_ASSERT_EQ(((pair.root + USER_HALF - 1) | 0x10) + 1, guest_read_cr3());
	}
	GUEST_DONE();
}

TEST_F(clusters, in_32bit_code)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_both_modes, 0, 0));
}

SHVM_TEST_MAIN
