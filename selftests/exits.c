// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every exit reason but IO and MMIO themselves (io.c), and what happens when an exit is pending and
 * something else comes in between.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define PORT		0x1234
#define MMIO		HOLE_BASE

FIXTURE(exits)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	struct shvm_run *run;
};

FIXTURE_SETUP(exits)
{
	self->vm = vm_create();
	vm_map_hole(self->vm, 4);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(exits)
{
	vm_free(self->vm);
}

static void enter(struct test_vcpu *vcpu, void (*fn)(void))
{
	vcpu_set_entry(vcpu, fn, 0, 0);
}

/* ---- HLT, interrupts ---- */

GUEST_CODE static void guest_halts(void)
{
	guest_hlt();
	GUEST_SYNC(1);
	guest_hlt();
	GUEST_DONE();
}

TEST_F(exits, hlt)
{
	struct shvm_regs regs;

	enter(self->vcpu, guest_halts);
	ASSERT_EQ(SHVM_EXIT_HLT, vcpu_run(self->vcpu));
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &regs);
	EXPECT_EQ(0xf4, *((u8 *)vm_hva(self->vm, regs.rip) - 1));
	EXPECT_EQ(0, self->run->if_flag);
	EXPECT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_EXIT_HLT, vcpu_run(self->vcpu));
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

GUEST_CODE static void guest_window(void)
{
	volatile u64 *count = &guest_cpu()->count[0x55];

	GUEST_SYNC(1);
	asm volatile("sti");
	while (!*count)
		asm volatile("pause");
	asm volatile("cli");
	GUEST_SYNC(2);
	GUEST_DONE();
}

TEST_F(exits, irq_window)
{
	struct shvm_interrupt irq = { .irq = 0x55 };

	enter(self->vcpu, guest_window);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0, self->run->if_flag);
	EXPECT_EQ(0, self->run->ready_for_interrupt_injection);
	self->run->request_interrupt_window = 1;
	ASSERT_EQ(SHVM_EXIT_IRQ_WINDOW_OPEN, vcpu_run(self->vcpu));
	EXPECT_EQ(1, self->run->if_flag);
	EXPECT_EQ(1, self->run->ready_for_interrupt_injection);
	EXPECT_EQ(0, self->vcpu->cpu->count[0x55]);
	self->run->request_interrupt_window = 0;
	vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(2, self->vcpu->uc[0]);
	EXPECT_EQ(1, self->vcpu->cpu->count[0x55]);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

TEST_F(exits, interrupt_waits_for_if)
{
	struct shvm_interrupt irq = { .irq = 0x55 };

	enter(self->vcpu, guest_window);
	vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
	if (!test_is_shvm()) {	/* KVM injects at once, against IF; user space must look first */
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		return;
	}
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0, self->vcpu->cpu->count[0x55]);
	EXPECT_EQ(-EEXIST, __vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq));
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(1, self->vcpu->cpu->count[0x55]);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

/* ---- signals ---- */

static void on_alarm(int sig)
{
	(void)sig;
}

TEST_F(exits, signal_interrupts_run)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value.tv_usec = 20000 };

	sigaction(SIGALRM, &action, NULL);
	enter(self->vcpu, guest_spin);
	setitimer(ITIMER_REAL, &soon, NULL);
	ASSERT_EQ(-EINTR, __vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_EXIT_INTR, self->run->exit_reason);
	EXPECT_LT(0, *vm_sym(self->vm, guest_spins));
}

TEST_F(exits, immediate_exit)
{
	struct shvm_regs before, after;

	enter(self->vcpu, guest_halts);
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &before);
	self->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, __vcpu_run(self->vcpu));
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &after);
	EXPECT_EQ(before.rip, after.rip);
	if (test_is_shvm())	/* KVM leaves the reason of the exit before */
		EXPECT_EQ(SHVM_EXIT_INTR, self->run->exit_reason);
	self->run->immediate_exit = 0;
	EXPECT_EQ(SHVM_EXIT_HLT, vcpu_run(self->vcpu));
}

TEST_F(exits, kick_from_another_thread)
{
	int i;

	enter(self->vcpu, guest_spin);
	for (i = 0; i < 20; i++) {
		vcpu_start(self->vcpu);
		vcpu_kick(self->vcpu);
		ASSERT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu));
	}
}

/* ---- the end of a guest ---- */

GUEST_CODE static void guest_triple_fault(void)
{
	struct { u64 pad, limit, base; } no_idt = { 0, 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(no_idt.limit));
}

TEST_F(exits, shutdown_by_triple_fault)
{
	enter(self->vcpu, guest_triple_fault);
	EXPECT_EQ(SHVM_EXIT_SHUTDOWN, vcpu_run(self->vcpu));
}

TEST_F(exits, shutdown_then_new_state)
{
	enter(self->vcpu, guest_triple_fault);
	ASSERT_EQ(SHVM_EXIT_SHUTDOWN, vcpu_run(self->vcpu));
	vcpu_set_long_mode(self->vcpu);
	enter(self->vcpu, guest_halts);
	EXPECT_EQ(SHVM_EXIT_HLT, vcpu_run(self->vcpu));
}

/* FXSAVE to a device: no emulator does it. */
GUEST_CODE static void guest_not_emulated(void)
{
	GUEST_SYNC(0);
	asm volatile("fxsave64 (%0)" : : "r"(MMIO) : "memory");
	GUEST_DONE();
}

TEST_F(exits, internal_error_names_the_instruction)
{
	struct shvm_regs before, after;
	u8 *insn;

	enter(self->vcpu, guest_not_emulated);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	self->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, __vcpu_run(self->vcpu));
	self->run->immediate_exit = 0;
	ASSERT_EQ(SHVM_EXIT_INTERNAL_ERROR, vcpu_run(self->vcpu));
	ASSERT_EQ(SHVM_INTERNAL_ERROR_EMULATION, self->run->internal.suberror);
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &before);
	insn = vm_hva(self->vm, before.rip);
	EXPECT_EQ(0xae, insn[insn[0] == 0x48 ? 2 : 1]);
	if (test_is_shvm()) {
		ASSERT_EQ(SHVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES,
			  self->run->emulation_failure.flags);
		EXPECT_LE(3, self->run->emulation_failure.ndata);
		EXPECT_LE(3, self->run->emulation_failure.insn_size);
		EXPECT_EQ(0, memcmp(insn, self->run->emulation_failure.insn_bytes, 3));
		/* Nothing was done, so it happens again. */
		ASSERT_EQ(SHVM_EXIT_INTERNAL_ERROR, vcpu_run(self->vcpu));
		vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &after);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	}
}

/* ---- modes ---- */

GUEST_ASM(guest_paging_off,
	  ".code32\n"
	  "mov $0x5e0, %edx\n"
	  "mov $7, %edi\n"
	  "xor %esi, %esi\n"
	  "out %eax, %dx\n"			/* UCALL_SYNC(7) */
	  "mov 0x200000, %eax\n"
	  "incl 0x200004\n"
	  "mov %eax, %edi\n"
	  "mov $0x5e4, %edx\n"
	  "out %eax, %dx\n"			/* UCALL_DONE */
	  "hlt\n");
extern char guest_paging_off[];

TEST_F(exits, paging_off)
{
	*(u32 *)vm_hva(self->vm, HEAP_BASE) = 0xfeedface;
	vcpu_set_protected_mode(self->vcpu);
	vcpu_set_entry(self->vcpu, guest_paging_off, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(7, self->vcpu->uc[0]);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(0xfeedface, self->vcpu->uc[0]);
	EXPECT_EQ(1, ((u32 *)vm_hva(self->vm, HEAP_BASE))[1]);
}

TEST_F(exits, real_mode_is_refused)
{
	struct test_vcpu *vcpu = vcpu_create_bare(self->vm, 1);
	struct shvm_regs before, after;

	if (!test_is_shvm())
		SKIP(return, "KVM has real mode");
	vcpu_ioctl(vcpu, SHVM_GET_REGS, &before);
	ASSERT_EQ(SHVM_EXIT_INTERNAL_ERROR, vcpu_run(vcpu));
	EXPECT_EQ(SHVM_INTERNAL_ERROR_MODE, vcpu->run->internal.suberror);
	EXPECT_EQ(2, vcpu->run->internal.ndata);
	EXPECT_EQ(SHVM_MODE_REAL, vcpu->run->internal.data[0]);
	vcpu_ioctl(vcpu, SHVM_GET_REGS, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	/* Put into a mode that works, the same vCPU works. */
	vcpu_init_area(vcpu);
	vcpu_set_long_mode(vcpu);
	enter(vcpu, guest_halts);
	EXPECT_EQ(SHVM_EXIT_HLT, vcpu_run(vcpu));
}

/* VT-x holds neither, and says so only by a failed entry. Numbers: src/vmx/rules.h. */
TEST_F(exits, states_that_vtx_cannot_hold)
{
	struct shvm_regs good, bad, after;
	struct shvm_sregs sregs;

	if (!test_is_shvm())
		SKIP(return, "KVM has other answers");
	enter(self->vcpu, guest_halts);
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &good);
	bad = good;
	bad.rip = 1ull << 60;
	vcpu_ioctl(self->vcpu, SHVM_SET_REGS, &bad);
	ASSERT_EQ(SHVM_EXIT_INTERNAL_ERROR, vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_INTERNAL_ERROR_MODE, self->run->internal.suberror);
	EXPECT_EQ(SHVM_MODE_STATE, self->run->internal.data[0]);
	EXPECT_EQ(23, self->run->internal.data[1]);
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &after);
	EXPECT_EQ(0, memcmp(&bad, &after, sizeof(bad)));
	vcpu_ioctl(self->vcpu, SHVM_SET_REGS, &good);
	vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
	sregs.tr.selector |= 4;
	vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs);
	ASSERT_EQ(SHVM_EXIT_INTERNAL_ERROR, vcpu_run(self->vcpu));
	EXPECT_EQ(SHVM_MODE_STATE, self->run->internal.data[0]);
	EXPECT_EQ(17, self->run->internal.data[1]);
	sregs.tr.selector &= ~4;
	vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs);
	EXPECT_EQ(SHVM_EXIT_HLT, vcpu_run(self->vcpu));
}

/* ---- an access is pending, and then something else happens ---- */

GUEST_CODE static void guest_in_and_mmio(void)
{
	u64 value;

	asm volatile("inl %%dx, %%eax" : "=a"(value) : "d"(PORT));
	GUEST_SYNC(value);
	GUEST_SYNC(*(volatile u32 *)MMIO);
	GUEST_DONE();
}

GUEST_CODE static void guest_registers_kept(void)
{
	u64 rax = 0xaaaaaaaaaaaaaaaa, rbx = 0xbbbbbbbbbbbbbbbb;

	asm volatile("nop" : "+a"(rax), "+b"(rbx));
	guest_ucall(UCALL_SYNC, rax, rbx, 0);
	GUEST_DONE();
}

/* The completion is done by RUN with immediate_exit, and only once. */
TEST_F(exits, completion_without_entry)
{
	struct shvm_regs regs;
	u32 data = 0x12345678, other = 0x87654321;
	u64 rip;

	enter(self->vcpu, guest_in_and_mmio);
	ASSERT_EQ(SHVM_EXIT_IO, vcpu_run(self->vcpu));
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &regs);
	rip = regs.rip;
	vcpu_set_io_data(self->vcpu, &data, 4);
	self->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, __vcpu_run(self->vcpu));
	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &regs);
	EXPECT_EQ(data, regs.rax);
	EXPECT_LE(rip, regs.rip);
	/* Not a second time, whatever is in the page. */
	memcpy((char *)self->run + PAGE_SIZE, &other, 4);
	ASSERT_EQ(-EINTR, __vcpu_run(self->vcpu));
	self->run->immediate_exit = 0;
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(data, self->vcpu->uc[0]);
}

/* A pending IN, then a whole new state: nothing of the IN may reach it. */
TEST_F(exits, no_stale_io_completion)
{
	u32 data = 0x12345678;

	enter(self->vcpu, guest_in_and_mmio);
	ASSERT_EQ(SHVM_EXIT_IO, vcpu_run(self->vcpu));
	vcpu_set_io_data(self->vcpu, &data, 4);
	if (!test_is_shvm()) {	/* KVM completes into the new state; complete it first */
		self->run->immediate_exit = 1;
		ASSERT_EQ(-EINTR, __vcpu_run(self->vcpu));
		self->run->immediate_exit = 0;
	}
	enter(self->vcpu, guest_registers_kept);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0xaaaaaaaaaaaaaaaa, self->vcpu->uc[0]);
	EXPECT_EQ(0xbbbbbbbbbbbbbbbb, self->vcpu->uc[1]);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

TEST_F(exits, no_stale_mmio_completion)
{
	u32 data = 0x12345678;

	enter(self->vcpu, guest_in_and_mmio);
	ASSERT_EQ(SHVM_EXIT_IO, vcpu_run(self->vcpu));
	vcpu_set_io_data(self->vcpu, &data, 4);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(data, self->vcpu->uc[0]);
	ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
	memset(self->run->mmio.data, 0x99, 8);
	if (!test_is_shvm()) {
		self->run->immediate_exit = 1;
		ASSERT_EQ(-EINTR, __vcpu_run(self->vcpu));
		self->run->immediate_exit = 0;
	}
	vcpu_set_long_mode(self->vcpu);
	enter(self->vcpu, guest_registers_kept);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0xaaaaaaaaaaaaaaaa, self->vcpu->uc[0]);
	EXPECT_EQ(0xbbbbbbbbbbbbbbbb, self->vcpu->uc[1]);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

struct run_in_thread {
	struct test_vcpu *vcpu;
	int result;
};

static void *run_once(void *arg)
{
	struct run_in_thread *job = arg;

	job->result = vcpu_run(job->vcpu);
	return NULL;
}

/* The completion belongs to the vCPU, not to the thread. */
TEST_F(exits, completion_by_another_thread)
{
	struct run_in_thread job = { .vcpu = self->vcpu };
	pthread_t thread;
	u32 data = 0x12345678;

	enter(self->vcpu, guest_in_and_mmio);
	ASSERT_EQ(SHVM_EXIT_IO, vcpu_run(self->vcpu));
	vcpu_set_io_data(self->vcpu, &data, 4);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_once, &job));
	pthread_join(thread, NULL);
	ASSERT_EQ(EXIT_SYNC, job.result);
	EXPECT_EQ(data, self->vcpu->uc[0]);
}

/* What user space writes over the page while an exit is pending must not matter. */
TEST_F(exits, scribbled_run_page)
{
	struct shvm_regs regs;
	int i;

	for (i = 0; i < 64; i++) {
		enter(self->vcpu, guest_in_and_mmio);
		ASSERT_EQ(SHVM_EXIT_IO, vcpu_run(self->vcpu));
		memset(&self->run->io, i * 37, sizeof(self->run->padding));
		self->run->exit_reason = i;
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
		memset(&self->run->mmio, i * 37, sizeof(self->run->padding));
		self->run->exit_reason = i;
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		EXPECT_EQ((i * 37 & 0xff) * 0x01010101u, self->vcpu->uc[0]);
		ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
		vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &regs);
	}
}

SHVM_TEST_MAIN
