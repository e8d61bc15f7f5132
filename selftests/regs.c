// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a vCPU through GET and SET: what goes in comes out, the guest sees it, and what
 * a CPU cannot have is refused and changes nothing.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "one_vcpu.h"

/* ---- general registers ---- */

TEST_F(one_vcpu, regs_round_trip)
{
	struct shvm_regs in = { 0 }, out;
	u64 *word = (u64 *)&in;
	u32 i;

	for (i = 0; i < sizeof(in) / 8; i++)
		word[i] = 0x0123456789abcdef * (i + 1);
	in.rip &= 0x7fffffffffff;
	in.rflags = 0x244ed7;	/* everything but IF, TF, RF, VM, VIP, VIF */
	ASSERT_EQ(0, set(REGS, &in));
	get(REGS, &out);
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));
	in.rflags = 0;
	ASSERT_EQ(0, set(REGS, &in));
	get(REGS, &out);
	EXPECT_EQ(RFLAGS_FIXED, out.rflags);
}

TEST_F(one_vcpu, reserved_rflags)
{
	static const int reserved[] = { 3, 5, 15, 22, 31, 32, 63 };
	struct shvm_regs good, bad, out;
	u32 i;

	if (!self->is_shvm)
		SKIP(return, "KVM takes them and fails to enter");
	get(REGS, &good);
	for (i = 0; i < ARRAY_LEN(reserved); i++) {
		bad = good;
		bad.rax = 0x5a5a;
		bad.rflags |= 1ull << reserved[i];
		EXPECT_EQ(-EINVAL, set(REGS, &bad));
	}
	get(REGS, &out);
	EXPECT_EQ(0, memcmp(&good, &out, sizeof(out)));
}

GUEST_ASM(guest_increment_all,
	  "inc %rax\n inc %rbx\n inc %rcx\n inc %rdx\n inc %rsi\n inc %rdi\n inc %rbp\n inc %rsp\n"
	  "inc %r8\n inc %r9\n inc %r10\n inc %r11\n inc %r12\n inc %r13\n inc %r14\n inc %r15\n"
	  "hlt\n");
extern char guest_increment_all[];

TEST_F(one_vcpu, guest_sees_all_regs)
{
	struct shvm_regs in, out;
	u64 *from = (u64 *)&in, *to = (u64 *)&out;
	int i;

	for (i = 0; i < 16; i++)
		from[i] = 0x0123456789abcdef * (i + 1);
	in.rip = (u64)guest_increment_all;
	in.rflags = RFLAGS_FIXED;
	ASSERT_EQ(0, set(REGS, &in));
	ASSERT_EQ(SHVM_EXIT_HLT, vcpu_run(self->vcpu));
	get(REGS, &out);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(from[i] + 1, to[i])
			TH_LOG("register %d", i);
	EXPECT_EQ(in.rip + 16 * 3 + 1, out.rip);
}

/* ---- segments and control registers ---- */

TEST_F(one_vcpu, sregs_round_trip)
{
	struct shvm_sregs in, out;

	get(SREGS, &in);
	in.fs.base = 0x00007fff12345678;
	in.gs.base = 0xffff888000001000;
	in.ds.selector = 0x77;
	in.ldt = (struct shvm_segment){
		.base = 0xffffc90000000000, .limit = 0x1f, .selector = 0x58, .type = 2,
		.present = 1,
	};
	in.gdt.base = 0xffffffff80001000;
	in.gdt.limit = 0x7f;
	in.idt.base = 0xfffffe0000000000;
	in.idt.limit = 0xfff;
	in.cr2 = 0xfedcba9876543210;
	in.cr8 = 9;
	ASSERT_EQ(0, set(SREGS, &in));
	get(SREGS, &out);
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));
}

TEST_F(one_vcpu, sregs_of_other_modes_round_trip)
{
	struct test_vcpu *vcpu = vcpu_create_bare(self->vm, 1);
	struct shvm_sregs in, out;

	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &in);
	EXPECT_EQ(0xf000, in.cs.selector);
	EXPECT_EQ(0xffff0000, in.cs.base);
	EXPECT_EQ(CR0_CD | CR0_NW | CR0_ET, in.cr0);
	EXPECT_EQ(0, in.cr4 | in.efer | in.cr3 | in.cr8);
	vcpu_ioctl(vcpu, SHVM_SET_SREGS, &in);
	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &out);
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));

	vcpu_init_area(vcpu);
	vcpu_set_protected_mode(vcpu);
	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &in);
	EXPECT_EQ(0, in.efer & EFER_LMA);
	vcpu_ioctl(vcpu, SHVM_SET_SREGS, &in);
	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &out);
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));
}

TEST_F(one_vcpu, reset_state)
{
	struct test_vcpu *vcpu = vcpu_create_bare(self->vm, 1);
	struct shvm_regs regs;

	vcpu_ioctl(vcpu, SHVM_GET_REGS, &regs);
	EXPECT_EQ(0xfff0, regs.rip);
	EXPECT_EQ(RFLAGS_FIXED, regs.rflags);
	EXPECT_EQ(0, regs.rax | regs.rbx | regs.rcx | regs.rsi | regs.rdi | regs.rsp);
}

/* Changes a good state by one statement and expects EINVAL, and the good state afterwards. */
#define EXPECT_SREGS_REFUSED(statement)					\
	do {								\
		struct shvm_sregs good_, sregs, out_;			\
									\
		get(SREGS, &good_);					\
		sregs = good_;						\
		statement;						\
		sregs.cr2 = 0x5a5a;	/* must not get in */		\
		EXPECT_EQ(-EINVAL, set(SREGS, &sregs))			\
			TH_LOG("%s", #statement);			\
		get(SREGS, &out_);					\
		EXPECT_EQ(0, memcmp(&good_, &out_, sizeof(out_)))	\
			TH_LOG("%s left something", #statement);	\
	} while (0)

TEST_F(one_vcpu, impossible_control_registers)
{
	EXPECT_SREGS_REFUSED(sregs.cr0 &= ~CR0_PE);
	EXPECT_SREGS_REFUSED(sregs.cr0 |= 1ull << 32);
	EXPECT_SREGS_REFUSED(sregs.cr4 &= ~CR4_PAE);
	EXPECT_SREGS_REFUSED(sregs.cr4 |= 1ull << 63);
	EXPECT_SREGS_REFUSED(sregs.efer &= ~EFER_LMA);
	EXPECT_SREGS_REFUSED(sregs.efer &= ~(EFER_LMA | EFER_LME));
	EXPECT_SREGS_REFUSED(sregs.cr3 |= 1ull << 60);
	if (!self->is_shvm)
		return;		/* KVM is laxer from here on */
	EXPECT_SREGS_REFUSED(sregs.cs.db = 1);
	EXPECT_SREGS_REFUSED(sregs.cr0 |= CR0_NW);
	EXPECT_SREGS_REFUSED(sregs.cr0 |= 1ull << 6);
	EXPECT_SREGS_REFUSED(sregs.cr0 |= 1ull << 28);
	EXPECT_SREGS_REFUSED(sregs.cr0 &= ~CR0_PG);
	EXPECT_SREGS_REFUSED(sregs.cr4 |= 1ull << 15);
	EXPECT_SREGS_REFUSED(sregs.cr4 |= 1ull << 31);
	EXPECT_SREGS_REFUSED(sregs.cr8 = 16);
	EXPECT_SREGS_REFUSED(sregs.cr8 = ~0ull);
	EXPECT_SREGS_REFUSED(sregs.efer |= 1ull << 1);
	EXPECT_SREGS_REFUSED(sregs.efer |= 1ull << 63);
	EXPECT_SREGS_REFUSED(sregs.apic_base ^= 1ull << 12);
	EXPECT_SREGS_REFUSED(sregs.interrupt_bitmap[0] = 3ull << 40);
	EXPECT_SREGS_REFUSED(sregs.interrupt_bitmap[1] = sregs.interrupt_bitmap[2] = 1);
}

TEST_F(one_vcpu, long_mode_code_needs_long_mode)
{
	vcpu_set_protected_mode(self->vcpu);
	EXPECT_SREGS_REFUSED(sregs.efer |= EFER_LMA);
	EXPECT_SREGS_REFUSED(sregs.cs.l = 1);
	if (self->is_shvm)
		EXPECT_SREGS_REFUSED(sregs.cr4 |= CR4_PCIDE);
}

TEST_F(one_vcpu, impossible_segments)
{
	if (!self->is_shvm)
		SKIP(return, "KVM checks segments at entry");
	EXPECT_SREGS_REFUSED(sregs.fs.base = NON_CANONICAL);
	EXPECT_SREGS_REFUSED(sregs.gs.base = ~NON_CANONICAL);
	EXPECT_SREGS_REFUSED(sregs.tr.base = NON_CANONICAL);
	EXPECT_SREGS_REFUSED(sregs.ldt.base = NON_CANONICAL);
	EXPECT_SREGS_REFUSED(sregs.gdt.base = NON_CANONICAL);
	EXPECT_SREGS_REFUSED(sregs.idt.base = NON_CANONICAL);
	EXPECT_SREGS_REFUSED(sregs.ds.type = 16);
	EXPECT_SREGS_REFUSED(sregs.ss.dpl = 4);
	EXPECT_SREGS_REFUSED(sregs.es.present = 2);
	EXPECT_SREGS_REFUSED(sregs.cs.l = 3);
	EXPECT_SREGS_REFUSED(sregs.tr.s = 0xff);
	EXPECT_SREGS_REFUSED(sregs.fs.g = 2);
	EXPECT_SREGS_REFUSED(sregs.fs.db = 2);
	EXPECT_SREGS_REFUSED(sregs.fs.avl = 2);
	EXPECT_SREGS_REFUSED(sregs.ldt.unusable = 2);
	EXPECT_SREGS_REFUSED(sregs.gs.padding = 1);
	EXPECT_SREGS_REFUSED(sregs.gdt.padding[2] = 1);
	EXPECT_SREGS_REFUSED(sregs.idt.padding[0] = 1);
}

/* A CPU can be in these modes; shvm cannot, and says so when it is to run. */
TEST_F(one_vcpu, modes_that_do_not_run)
{
	struct shvm_sregs sregs, real;
	struct shvm_regs regs;

	if (!self->is_shvm)
		SKIP(return, "KVM runs them");
	vcpu_ioctl(vcpu_create_bare(self->vm, 1), SHVM_GET_SREGS, &real);
	get(SREGS, &sregs);
	real.apic_base = sregs.apic_base;	/* only vCPU 0 is the boot processor */
	ASSERT_EQ(0, set(SREGS, &real));
	ASSERT_EQ(SHVM_EXIT_INTERNAL_ERROR, vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_INTERNAL_ERROR_MODE, self->vcpu->run->internal.suberror);
	EXPECT_EQ(SHVM_MODE_REAL, self->vcpu->run->internal.data[0]);

	vcpu_set_protected_mode(self->vcpu);
	get(REGS, &regs);
	regs.rflags |= RFLAGS_VM;
	ASSERT_EQ(0, set(REGS, &regs));
	ASSERT_EQ(SHVM_EXIT_INTERNAL_ERROR, vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_INTERNAL_ERROR_MODE, self->vcpu->run->internal.suberror);
	EXPECT_EQ(SHVM_MODE_VM86, self->vcpu->run->internal.data[0]);

	vcpu_set_long_mode(self->vcpu);
	vcpu_set_entry(self->vcpu, guest_done, 0, 0);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

GUEST_CODE static void guest_control_registers(void)
{
	u64 cr8, fs;

	asm volatile("mov %%cr8, %0" : "=r"(cr8));
	asm volatile("mov %%fs:0, %0" : "=r"(fs));
	GUEST_ASSERT_EQ(5, cr8);
	GUEST_ASSERT_EQ(0xfeedface, fs);
	GUEST_ASSERT_EQ(0x123456789000, guest_read_cr2());
	guest_write_cr2(0xabcdef);
	asm volatile("mov %0, %%cr8" : : "r"(2ull));
	guest_write_cr4(guest_read_cr4() | CR4_PGE);
	guest_write_cr0(guest_read_cr0() & ~CR0_WP);
	GUEST_DONE();
}

TEST_F(one_vcpu, guest_sees_sregs_and_changes_them)
{
	u64 page = vm_alloc_pages(self->vm, 1);
	struct shvm_sregs sregs;

	*(u64 *)vm_hva(self->vm, page + 0x10) = 0xfeedface;
	get(SREGS, &sregs);
	sregs.fs.base = page + 0x10;
	sregs.cr2 = 0x123456789000;
	sregs.cr8 = 5;
	ASSERT_EQ(0, set(SREGS, &sregs));
	self->vcpu->run->cr8 = 5;
	vcpu_set_entry(self->vcpu, guest_control_registers, 0, 0);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	get(SREGS, &sregs);
	EXPECT_EQ(0xabcdef, sregs.cr2);
	EXPECT_EQ(2, sregs.cr8);
	EXPECT_EQ(2, self->vcpu->run->cr8);
	EXPECT_EQ(CR4_PGE, sregs.cr4 & CR4_PGE);
	EXPECT_EQ(0, sregs.cr0 & CR0_WP);
}

/* ---- FPU ---- */

static struct shvm_fpu some_fpu(void)
{
	struct shvm_fpu fpu = { .fcw = 0x027f, .fsw = 0x3800, .ftwx = 0x81, .mxcsr = 0x1fa0 };
	int i, j;

	for (i = 0; i < 8; i++)
		for (j = 0; j < 10; j++)
			fpu.fpr[i][j] = i * 16 + j;
	for (i = 0; i < 16; i++)
		for (j = 0; j < 16; j++)
			fpu.xmm[i][j] = i * 16 + j;
	fpu.last_opcode = 0x123;
	fpu.last_ip = 0x40000123;
	fpu.last_dp = 0x40000456;
	return fpu;
}

TEST_F(one_vcpu, fpu_round_trip)
{
	struct shvm_fpu in = some_fpu(), out;

	ASSERT_EQ(0, set(FPU, &in));
	memset(&out, 0x5a, sizeof(out));
	get(FPU, &out);
	if (!self->is_shvm)	/* KVM leaves it out */
		out.mxcsr = in.mxcsr;
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));
}

TEST_F(one_vcpu, fpu_refused)
{
	struct shvm_fpu good, bad, out;

	if (!self->is_shvm)
		SKIP(return, "KVM ignores these fields");
	get(FPU, &good);
	bad = some_fpu();
	bad.mxcsr = 1u << 31;
	EXPECT_EQ(-EINVAL, set(FPU, &bad));
	bad = some_fpu();
	bad.pad1 = 1;
	EXPECT_EQ(-EINVAL, set(FPU, &bad));
	bad = some_fpu();
	bad.pad2 = 1;
	EXPECT_EQ(-EINVAL, set(FPU, &bad));
	get(FPU, &out);
	EXPECT_EQ(0, memcmp(&good, &out, sizeof(out)));
}

static GUEST_USER_DATA u8 fpu_image[512] __attribute__((aligned(16)));
static GUEST_USER_DATA u64 user_stack[512];

/* In ring 3, because some back ends of KVM emulate ring 0 and with it the FPU. */
GUEST_USER_CODE static void user_fpu(u64 arg)
{
	asm volatile("fxsave64 %0" : "=m"(fpu_image));
	asm volatile("movdqa %xmm15, %xmm0");
	asm volatile("fninit; fld1");
}

GUEST_CODE static void guest_fpu(void)
{
	guest_call_user(user_fpu, 0, (u64)(user_stack + 512));
	GUEST_DONE();
}

TEST_F(one_vcpu, guest_sees_fpu_and_changes_it)
{
	static const u8 one[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f };
	struct shvm_fpu in = some_fpu(), out;
	u8 *image = *vm_sym(self->vm, fpu_image);

	ASSERT_EQ(0, set(FPU, &in));
	vcpu_set_entry(self->vcpu, guest_fpu, 0, 0);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	if (self->is_shvm) {	/* KVM's SET_FPU is not always enough on hosts with XSAVE */
		EXPECT_EQ(in.fcw, *(u16 *)image);
		EXPECT_EQ(in.fsw, *(u16 *)(image + 2));
		EXPECT_EQ(in.ftwx, image[4]);
		EXPECT_EQ(in.mxcsr, *(u32 *)(image + 24));
		EXPECT_EQ(0, memcmp(image + 32, in.fpr[0], 10));
		EXPECT_EQ(0, memcmp(image + 160, in.xmm, sizeof(in.xmm)));
	}
	get(FPU, &out);
	EXPECT_EQ(0, memcmp(out.xmm[0], image + 160 + 15 * 16, 16));
	EXPECT_EQ(0x037f, out.fcw);
	EXPECT_EQ(0x80, out.ftwx);
	EXPECT_EQ(0, memcmp(out.fpr[0], one, 10));
}

/* This process uses SSE itself between two runs: neither sees the other's registers. */
TEST_F(one_vcpu, fpu_is_not_shared_with_the_host)
{
	struct shvm_fpu in = some_fpu(), out;
	u8 mine[16], after[16];

	memset(mine, 0xee, sizeof(mine));
	ASSERT_EQ(0, set(FPU, &in));
	asm volatile("movdqu %0, %%xmm7" : : "m"(mine));
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	asm volatile("movdqu %%xmm7, %0" : "=m"(after));
	get(FPU, &out);
	if (self->is_shvm)	/* see above */
		EXPECT_EQ(0, memcmp(out.xmm[7], in.xmm[7], 16));
	EXPECT_NE(0, memcmp(after, in.xmm[7], 16));
}

#define XMM_STORES	10000
#define XMM_LOW		0x1122334455667788	/* entries that are not present */
#define XMM_HIGH	0x99aabbccddeeff00

/* Every store meets a table that is in use, so it is the host that reads the register. */
GUEST_CODE static void guest_xmm_stores(void)
{
	u64 *entries = (u64 *)(guest_read_cr3() & PTE_ADDR) + 200, i;

	asm volatile("movq %0, %%xmm12; movq %1, %%xmm1; punpcklqdq %%xmm1, %%xmm12"
		     : : "r"(XMM_LOW), "r"(XMM_HIGH));
	for (i = 0; i < XMM_STORES; i++) {
		asm volatile("movups %%xmm12, (%0)" : : "r"(entries) : "memory");
		GUEST_ASSERT_EQ(XMM_LOW, entries[0]);
		GUEST_ASSERT_EQ(XMM_HIGH, entries[1]);
		entries[0] = 0;
		entries[1] = 0;
	}
	GUEST_DONE();
}

static void *other_user_of_xmm12(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
		asm volatile("pcmpeqb %xmm12, %xmm12");
	return NULL;
}

/* Another thread of the same CPU takes turns with RUN: with preempt=full at any point of it. */
TEST_F(one_vcpu, xmm_stores_beside_another_thread)
{
	pthread_t thread;
	cpu_set_t cpu;
	bool stop = false;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpu), &cpu));
	ASSERT_EQ(0, pthread_create(&thread, NULL, other_user_of_xmm12, &stop));
	vcpu_set_entry(self->vcpu, guest_xmm_stores, 0, 0);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* ---- debug registers ---- */

GUEST_CODE static void guest_debugregs(void)
{
	u64 db0, db3;

	asm volatile("mov %%db0, %0" : "=r"(db0));
	asm volatile("mov %%db3, %0" : "=r"(db3));
	asm volatile("mov %0, %%db1" : : "r"(0x40001234ull));
	GUEST_SYNC2(db0, db3);
	GUEST_DONE();
}

TEST_F(one_vcpu, debugregs)
{
	struct shvm_debugregs in, out;

	get(DEBUGREGS, &in);
	EXPECT_EQ(0xffff0ff0, in.dr6);
	EXPECT_EQ(0x400, in.dr7);
	in.db[0] = 0x1000;
	in.db[1] = 0x2000;
	in.db[2] = 0xffff888000003000;
	in.db[3] = 0x4000;
	in.dr6 = 0xffff0ff1;
	ASSERT_EQ(0, set(DEBUGREGS, &in));
	get(DEBUGREGS, &out);
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));
	vcpu_set_entry(self->vcpu, guest_debugregs, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0x1000, self->vcpu->uc[0]);
	EXPECT_EQ(0x4000, self->vcpu->uc[1]);
	get(DEBUGREGS, &out);
	EXPECT_EQ(0x40001234, out.db[1]);
	EXPECT_EQ(in.db[2], out.db[2]);
}

TEST_F(one_vcpu, debugregs_refused)
{
	struct shvm_debugregs good, bad, out;

	get(DEBUGREGS, &good);
	bad = good;
	bad.dr6 |= 1ull << 32;
	EXPECT_EQ(-EINVAL, set(DEBUGREGS, &bad));
	bad = good;
	bad.dr7 |= 1ull << 63;
	EXPECT_EQ(-EINVAL, set(DEBUGREGS, &bad));
	bad = good;
	bad.flags = 1;
	EXPECT_EQ(-EINVAL, set(DEBUGREGS, &bad));
	if (self->is_shvm) {
		bad = good;
		bad.reserved[8] = 1;
		EXPECT_EQ(-EINVAL, set(DEBUGREGS, &bad));
	}
	get(DEBUGREGS, &out);
	EXPECT_EQ(0, memcmp(&good, &out, sizeof(out)));
}

SHVM_TEST_MAIN
