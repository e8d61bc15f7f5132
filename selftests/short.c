// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits that the module finishes without leaving its entry loop: that they are finished there, do
 * what the instruction does, and are left to the slow way where they must be. Single steps over
 * them are in inject_fault.c, interrupt shadows in inject.c, all faults in mmu.c.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "inject.h"
#include "region.h"

#define NR_TIMES	300

#define REASON_EXCEPTION	0
#define REASON_INTERRUPT	1
#define REASON_HLT		12
#define REASON_IO		30

#define RFLAGS_RF	(1ull << 16)

static GUEST_DATA u64 other_root;	/* with PAGE(1) at REGION, the first one has PAGE(0) */
static GUEST_DATA u64 user_stack;

FIXTURE(short)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	struct shvm_stats before, after;
};

FIXTURE_SETUP(short)
{
	struct test_vm *vm = vm_create();
	u64 root, stack = vm_alloc_pages(vm, 1);

	self->vm = vm;
	guest_map(vm, stack, stack, PTE_TABLE);
	region_make(vm);
	region_fill(vm);
	root = guest_clone_root(vm, vm->root);
	((u64 *)vm_hva(vm, root))[REGION_SLOT] = 0;
	*guest_pte(vm, root, REGION, 1) = PAGE(1) | PTE_TABLE;
	*guest_pte(vm, vm->root, REGION, 1) = PAGE(0) | PTE_TABLE;
	*vm_sym(vm, other_root) = root;
	*vm_sym(vm, user_stack) = stack + PAGE_SIZE;
	self->vcpu = vcpu_create(vm, 0, NULL);
}

FIXTURE_TEARDOWN(short)
{
	vm_free(self->vm);
}

/* ---- they stay in the loop ---- */

GUEST_CODE static void loop_cr3_read(void)
{
	u64 i;

	for (i = 0; i < NR_TIMES; i++)
		GUEST_ASSERT_EQ(region.root, guest_read_cr3());
	GUEST_DONE();
}

GUEST_CODE static void loop_cr3_load(void)
{
	u64 i;

	for (i = 0; i < NR_TIMES; i += 2) {
		guest_write_cr3(other_root);
		GUEST_ASSERT_EQ(PAGE(1), guest_read64(REGION));
		guest_write_cr3(region.root);
		GUEST_ASSERT_EQ(PAGE(0), guest_read64(REGION));
	}
	GUEST_DONE();
}

GUEST_CODE static void loop_pge(void)
{
	u64 i, cr4 = guest_read_cr4();

	for (i = 0; i < NR_TIMES; i++) {
		cr4 ^= CR4_PGE;
		guest_write_cr4(cr4);
		GUEST_ASSERT_EQ(cr4, guest_read_cr4());
	}
	GUEST_DONE();
}

GUEST_CODE static void loop_ts(void)
{
	u64 i;

	for (i = 0; i < NR_TIMES; i += 2) {
		guest_write_cr0(guest_read_cr0() | CR0_TS);
		GUEST_ASSERT(guest_read_cr0() & CR0_TS);
		asm volatile("clts");
		GUEST_ASSERT(!(guest_read_cr0() & CR0_TS));
	}
	GUEST_DONE();
}

GUEST_CODE static void loop_invlpg(void)
{
	u64 i;

	for (i = 0; i < NR_TIMES; i++)
		guest_invlpg(REGION);
	GUEST_DONE();
}

GUEST_CODE static void loop_cpuid(void)
{
	u32 out[4];
	u64 i;

	for (i = 0; i < NR_TIMES; i++)
		guest_cpuid(0, 0, out);
	GUEST_DONE();
}

/* Not present, in ring 0. */
GUEST_CODE static void loop_absent(void)
{
	struct guest_fault fault;
	u64 i, value;

	for (i = 0; i < NR_TIMES; i++) {
		fault = guest_try_read64(REGION + PAGE_SIZE + i, &value);
		GUEST_ASSERT_EQ(14, fault.vector);
		GUEST_ASSERT_EQ(0, fault.error);
		GUEST_ASSERT_EQ(REGION + PAGE_SIZE + i, fault.cr2);
		GUEST_ASSERT(guest_cpu()->ex.rflags & RFLAGS_RF);
	}
	GUEST_DONE();
}

static GUEST_USER_DATA u64 user_faults;

/* Read-only, as a page is before it is copied. */
GUEST_USER_CODE static void user_writes(u64 at)
{
	struct guest_fault fault;
	u64 i;

	*(volatile u64 *)at;
	for (i = 0; i < NR_TIMES; i++) {
		fault = guest_try_write64(at + 8 * i, i);
		if (fault.vector == 14 && fault.error == (PF_P | PF_W | PF_U) &&
		    fault.cr2 == at + 8 * i)
			user_faults++;
	}
}

GUEST_CODE static void loop_read_only(void)
{
	volatile u64 *entry = entry_of(region.pt, 2);

	user_faults = 0;
	*entry = PAGE(2) | PTE_P | PTE_U;
	guest_invlpg(REGION + 2 * PAGE_SIZE);
	guest_call_user(user_writes, REGION + 2 * PAGE_SIZE, user_stack);
	GUEST_ASSERT_EQ(NR_TIMES, user_faults);
	GUEST_ASSERT_EQ(PAGE(2) | PTE_P | PTE_U | PTE_A, *entry);
	GUEST_ASSERT_EQ(PAGE(2), guest_read64(REGION + 2 * PAGE_SIZE));
	GUEST_DONE();
}

#define GREW(member)	(self->after.member - self->before.member)
#define LEFT		(GREW(exits) - GREW(exits_fast))

TEST_F(short, stay_in_the_loop)
{
	static const struct {
		const char *name;
		void (*code)(void);
	} loops[] = {
#define LOOP(name) { #name, loop_##name }
		LOOP(cr3_read), LOOP(cr3_load), LOOP(pge), LOOP(ts), LOOP(invlpg), LOOP(cpuid),
		LOOP(absent), LOOP(read_only),
	};
	int i;

	for (i = 0; i < ARRAY_LEN(loops); i++) {
		/* Once before, so that every root is known. */
		ASSERT_EQ(EXIT_DONE, vcpu_call(self->vcpu, loops[i].code, 0, 0))
			TH_LOG("%s", loops[i].name);
		self->before = vm_stats(self->vm);
		EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, loops[i].code, 0, 0))
			TH_LOG("%s", loops[i].name);
		self->after = vm_stats(self->vm);
		if (!test_is_shvm())
			continue;
		/* A fault on what is absent may do without an exit: direct_faults.c. */
		if (loops[i].code != loop_absent)
			EXPECT_LE(NR_TIMES, GREW(exits_fast)) TH_LOG("%s", loops[i].name);
		EXPECT_LE(LEFT, GREW(exit_reason[REASON_EXCEPTION]) +
			  GREW(exit_reason[REASON_INTERRUPT]) + GREW(exit_reason[REASON_IO]))
			TH_LOG("%s", loops[i].name);
	}
}

GUEST_CODE static void guest_halts_once(void)
{
	GUEST_SYNC(1);
	asm volatile("sti; hlt; cli" : : : "memory");
	GUEST_ASSERT_EQ(1, event_log.nr);
	GUEST_DONE();
}

/* An interrupt that waits when HLT is reached, behind STI. */
TEST_F(short, halt_with_an_interrupt)
{
	struct shvm_interrupt irq = { .irq = 0x66 };

	if (!test_is_shvm())
		SKIP(return, "KVM injects at once, whatever the guest's IF");
	handle(self->vm, 0x66, log_event);
	vcpu_set_entry(self->vcpu, guest_halts_once, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
	self->before = vm_stats(self->vm);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	self->after = vm_stats(self->vm);
	EXPECT_EQ(1, GREW(exit_reason[REASON_HLT]));
	EXPECT_LE(LEFT, GREW(exit_reason[REASON_EXCEPTION]) +
		  GREW(exit_reason[REASON_INTERRUPT]) + GREW(exit_reason[REASON_IO]));
}

/* ---- they do not keep others out ---- */

GUEST_CODE static void guest_short_for_ever(void)
{
	u32 out[4];

	asm volatile("sti");
	for (;;) {
		guest_cpuid(0, 0, out);
		guest_write_cr3(guest_read_cr3());
		guest_invlpg(REGION);
	}
}

TEST_F(short, kick)
{
	int i;

	vcpu_set_entry(self->vcpu, guest_short_for_ever, 0, 0);
	for (i = 0; i < 20; i++) {
		vcpu_start(self->vcpu);
		vcpu_kick(self->vcpu);
		ASSERT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu));
	}
}

/* A fault is delivered while an interrupt waits for IF; it must come when that is set. */
GUEST_CODE static void guest_fault_before_window(void)
{
	struct guest_fault fault;
	u64 value;

	GUEST_SYNC(1);
	fault = guest_try_read64(REGION + PAGE_SIZE, &value);
	GUEST_ASSERT_EQ(14, fault.vector);
	GUEST_ASSERT_EQ(0, event_log.nr);
	asm volatile("sti; nop; cli");
	GUEST_ASSERT_EQ(1, event_log.nr);
	GUEST_DONE();
}

TEST_F(short, fault_while_an_interrupt_waits)
{
	struct shvm_interrupt irq = { .irq = 0x66 };

	if (!test_is_shvm())
		SKIP(return, "KVM injects at once, whatever the guest's IF");
	handle(self->vm, 0x66, log_event);
	vcpu_set_entry(self->vcpu, guest_fault_before_window, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

/* ---- operands ---- */

/* Through each register: load the other root, look at REGION, read CR3 back, load the first. */
#define CR3_BY(reg)							\
static GUEST_CODE void cr3_by_##reg(void)				\
{									\
	u64 seen, back;							\
									\
	asm volatile("mov %[other], %%" #reg "; mov %%" #reg ", %%cr3\n\t" \
		     "mov %[region], %%rax; mov (%%rax), %%rax\n\t"	\
		     "xor %%" #reg ", %%" #reg "; mov %%cr3, %%" #reg "\n\t" \
		     "xchg %%" #reg ", %%rcx\n\t"			\
		     "mov %[root], %%" #reg "; mov %%" #reg ", %%cr3" \
		     : "=&a"(seen), "=&c"(back)				\
		     : [other] "m"(other_root), [root] "m"(region.root), [region] "i"(REGION) \
		     : #reg, "memory");					\
	GUEST_ASSERT_EQ(PAGE(1), seen);					\
	GUEST_ASSERT_EQ(other_root, back);				\
	GUEST_ASSERT_EQ(PAGE(0), guest_read64(REGION));			\
	GUEST_DONE();							\
}

CR3_BY(rdx)
CR3_BY(rsi)
CR3_BY(rdi)
CR3_BY(r8)
CR3_BY(r9)
CR3_BY(r10)
CR3_BY(r11)
CR3_BY(r12)
CR3_BY(r13)
CR3_BY(r14)
CR3_BY(r15)

/* No stack meanwhile. */
GUEST_ASM(cr3_by_rsp,
	  "mov %rsp, %rbx\n"
	  "mov %rdi, %rsp; mov %rsp, %cr3; mov (%rdx), %rax\n"
	  "xor %esp, %esp; mov %cr3, %rsp; mov %rsp, %rdi\n"
	  "mov %rsi, %rsp; mov %rsp, %cr3\n"
	  "mov %rbx, %rsp; ret");
extern u64 cr3_by_rsp(u64 other, u64 root, u64 at);

static GUEST_CODE void cr3_by_rsp_call(void)
{
	u64 other = other_root, root = region.root, at = REGION, seen;

	asm volatile("call cr3_by_rsp"
		     : "=a"(seen), "+D"(other), "+S"(root), "+d"(at) : : "rbx", "memory");
	GUEST_ASSERT_EQ(PAGE(1), seen);
	GUEST_ASSERT_EQ(other_root, other);
	GUEST_ASSERT_EQ(PAGE(0), guest_read64(REGION));
	GUEST_DONE();
}

TEST_F(short, cr3_by_each_register)
{
	static void (*const code[])(void) = {
		cr3_by_rdx, cr3_by_rsi, cr3_by_rdi, cr3_by_r8, cr3_by_r9, cr3_by_r10, cr3_by_r11,
		cr3_by_r12, cr3_by_r13, cr3_by_r14, cr3_by_r15, cr3_by_rsp_call,
	};
	int i, round;

	/* In the first round a root is new, in the others all are known. */
	for (round = 0; round < 2; round++)
		for (i = 0; i < ARRAY_LEN(code); i++)
			EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, code[i], 0, 0))
				TH_LOG("%d", i);
}

/* In 32-bit code only the lower half of the register counts. */
GUEST_ASM(cr3_in_32bit_code,
	  "pushq $0x18; lea 1f(%rip), %rax; push %rax\n"
	  "movabs $0x8123456700000000, %rax; or %rax, %rdi; mov %rax, %rsi\n"
	  "lretq\n"
	  ".code32\n"
	  "1: mov %edi, %cr3; mov %cr3, %esi\n"
	  "ljmp $8, $2f\n"
	  ".code64\n"
	  "2: mov %esi, %eax; ret");
extern u64 cr3_in_32bit_code(u64 root);

static GUEST_CODE void guest_cr3_in_32bit_code(void)
{
	u64 i;

	for (i = 0; i < 3; i++) {
		u64 root = i & 1 ? region.root : other_root, got;

		asm volatile("call cr3_in_32bit_code"
			     : "=a"(got), "+D"(root) : : "rsi", "memory");
		GUEST_ASSERT_EQ(i & 1 ? region.root : other_root, got);
		GUEST_ASSERT_EQ(got, guest_read_cr3());
		GUEST_ASSERT_EQ(i & 1 ? PAGE(0) : PAGE(1), guest_read64(REGION));
	}
	GUEST_DONE();
}

TEST_F(short, cr3_in_32bit_code)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_cr3_in_32bit_code, 0, 0));
}

static GUEST_CODE void guest_bad_values(u64 phys_bits)
{
	struct guest_fault fault;
	u64 bit, cr3 = guest_read_cr3();

	for (bit = phys_bits; bit < 64; bit++) {
		fault = GUEST_TRY("mov %[v], %%cr3", /* none */, [v] "r"(cr3 | 1ull << bit));
		GUEST_ASSERT_EQ(13, fault.vector);
		GUEST_ASSERT_EQ(cr3, guest_read_cr3());
	}
	fault = GUEST_TRY("mov %[v], %%cr4", /* none */,
			  [v] "r"(guest_read_cr4() ^ (CR4_PGE | 1ull << 31)));
	GUEST_ASSERT_EQ(13, fault.vector);
	GUEST_DONE();
}

TEST_F(short, values_that_are_refused)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_bad_values, region_phys_bits(), 0));
}

/* TS is real: FPU instructions fault. */
static GUEST_CODE void guest_ts(void)
{
	struct guest_fault fault;
	u64 i;

	for (i = 0; i < 4; i++) {
		guest_write_cr0(guest_read_cr0() | CR0_TS);
		fault = GUEST_TRY("fnop", /* none */, "r"(i));
		GUEST_ASSERT_EQ(7, fault.vector);
		asm volatile("clts");
		fault = GUEST_TRY("fnop", /* none */, "r"(i));
		GUEST_ASSERT_EQ(NO_EXCEPTION, fault.vector);
	}
	GUEST_DONE();
}

TEST_F(short, task_switched)
{
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_ts, 0, 0));
}

/* ---- CPUID ---- */

static GUEST_DATA struct {
	u32 nr;
	struct { u32 leaf, subleaf, want[4], got[4]; } query[64];
} cpuid;

static GUEST_CODE void guest_cpuid_all(void)
{
	u32 i;

	for (i = 0; i < cpuid.nr; i++)
		guest_cpuid(cpuid.query[i].leaf, cpuid.query[i].subleaf, cpuid.query[i].got);
	GUEST_DONE();
}

/* What the guest shall ask for, and the answer. */
static void query_add(struct test_vm *vm, const struct shvm_cpuid_entry2 *e)
{
	typeof(cpuid) *c = vm_sym(vm, cpuid);
	const u32 want[] = { e->eax, e->ebx, e->ecx, e->edx };

	c->query[c->nr].leaf = e->function;
	c->query[c->nr].subleaf = e->index;
	memcpy(c->query[c->nr++].want, want, sizeof(want));
}

#define LEAF_MODES	0x80000001

/* Leaves in no order, some of which have a common place in the index, and some without any. */
TEST_F(short, cpuid_leaves)
{
	static const struct { u32 leaf, subleaf, flags; } leaves[] = {
		{ 0x80000003, 0, 0 }, { 0x23, 0, 0 }, { 4, 2, 1 }, { 0x40000000, 0, 0 },
		{ 0, 0, 0 }, { 0x10, 0, 0 }, { 4, 0, 1 }, { 0x80000000, 0, 0 },
		{ LEAF_MODES, 0, 0 }, { 3, 0, 0 }, { 4, 1, 1 }, { 0x40000010, 0, 0 },
	};
	static const struct shvm_cpuid_entry2 absent[] = {
		{ .function = 5 }, { .function = 0x24 }, { .function = 0x80000023 },
		{ .function = 4, .index = 3 },
	};
	struct {
		struct shvm_cpuid2 head;
		struct shvm_cpuid_entry2 entries[ARRAY_LEN(leaves)];
	} set = { .head.nent = ARRAY_LEN(leaves) };
	struct test_vcpu *vcpu = vcpu_create(self->vm, 1, NULL);
	typeof(cpuid) *c = vm_sym(self->vm, cpuid);
	int i;

	for (i = 0; i < ARRAY_LEN(leaves); i++) {
		struct shvm_cpuid_entry2 *e = &set.entries[i];

		*e = (struct shvm_cpuid_entry2){
			.function = leaves[i].leaf, .index = leaves[i].subleaf,
			.flags = leaves[i].flags,
			.eax = i + 1, .ebx = 100 + i, .ecx = 200 + i, .edx = 300 + i,
		};
		if (!(leaves[i].leaf & 0xfffffff))
			e->eax = leaves[i].leaf + 0x30;
		if (leaves[i].leaf == LEAF_MODES)
			e->edx = 1 << 29 | 1 << 20 | 1 << 11;	/* LM, NX, SYSCALL */
		query_add(self->vm, e);
	}
	for (i = 0; i < ARRAY_LEN(absent); i++)
		query_add(self->vm, &absent[i]);
	ASSERT_EQ(0, __vcpu_ioctl(vcpu, SHVM_SET_CPUID2, &set));
	vcpu_set_long_mode(vcpu);
	EXPECT_EQ(EXIT_DONE, vcpu_call(vcpu, guest_cpuid_all, 0, 0));
	for (i = 0; i < c->nr; i++)
		EXPECT_EQ(0, memcmp(c->query[i].want, c->query[i].got, sizeof(c->query[i].want)))
			TH_LOG("leaf %#x, %d", c->query[i].leaf, c->query[i].subleaf);
}

SHVM_TEST_MAIN
