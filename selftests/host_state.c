// SPDX-License-Identifier: GPL-2.0-only
/*
 * What belongs to the thread that calls SHVM_RUN is its own again afterwards, whatever the guest
 * did with its own: segments, their bases, the time stamp counter's lock, breakpoints. And a guest
 * whose exceptions raise themselves keeps no CPU of the host.
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>	/* also has a PAGE_SIZE */
#include <sys/wait.h>
#undef PAGE_SIZE

#include "kselftest_harness.h"
#include "shvm_test.h"

#define ROUNDS		20
#define LDT_SELECTOR(n)	((n) << 3 | 7)
#define MSR_KERNEL_GS	0xc0000102

FIXTURE(host_state)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(host_state)
{
	self->vm = vm_create();
	self->vcpu = vcpu_create(self->vm, 0, NULL);
}

FIXTURE_TEARDOWN(host_state)
{
	vm_free(self->vm);
}

/* Its own segments, bases, breakpoints; then an exit. */
GUEST_CODE static void guest_changes_all(void)
{
	u64 dr7 = 0x7ff, address = 0x12345000, zero = 0;
	u16 data = SEL_DATA;

	for (;;) {
		asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs" : : "r"(data));
		guest_wrmsr(MSR_KERNEL_GS, 0xffff9abc00000000);
		guest_wrmsr(0xc0000100, 0x1234567800);
		asm volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3"
			     : : "r"(address));
		asm volatile("mov %0, %%dr6; mov %1, %%dr7" : : "r"(zero), "r"(dr7));
		guest_write_cr4(guest_read_cr4() ^ (1 << 2));	/* TSD */
		GUEST_SYNC(0);
	}
}

/* ---- segments ---- */

static u64 words[2] = { 0x1111, 0x2222 };

static int ldt_set(unsigned int entry, void *base)
{
	struct user_desc desc = {
		.entry_number = entry, .base_addr = (u64)base, .limit = 0xfffff, .seg_32bit = 1,
		.limit_in_pages = 1,
	};

	return syscall(SYS_modify_ldt, 1, &desc, sizeof(desc));
}

static u64 gs_word(void)
{
	u64 value;

	asm volatile("mov %%gs:0, %0" : "=r"(value));
	return value;
}

#define SELECTOR(name)	({ u16 sel_; asm volatile("mov %%" #name ", %0" : "=r"(sel_)); sel_; })

TEST_F(host_state, segments_of_a_local_table)
{
	u16 first = LDT_SELECTOR(1), second = LDT_SELECTOR(2);
	int i;

	if (ldt_set(1, &words[0]) || ldt_set(2, &words[1]))
		SKIP(return, "the kernel has no local descriptor tables");
	vcpu_set_entry(self->vcpu, guest_changes_all, 0, 0);
	for (i = 0; i < ROUNDS; i++) {
		test_pin(pthread_self(), i / 4);
		asm volatile("mov %0, %%gs; mov %0, %%ds; mov %1, %%es"
			     : : "r"(i & 1 ? first : second), "r"(second));
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		ASSERT_EQ(i & 1 ? first : second, SELECTOR(gs));
		ASSERT_EQ(i & 1 ? first : second, SELECTOR(ds));
		ASSERT_EQ(second, SELECTOR(es));
		ASSERT_EQ(words[!(i & 1)], gs_word());
	}
	asm volatile("mov %0, %%gs; mov %0, %%ds; mov %0, %%es" : : "r"(0));
}

TEST_F(host_state, segment_bases)
{
	u64 base, i;

	vcpu_set_entry(self->vcpu, guest_changes_all, 0, 0);
	for (i = 0; i < ROUNDS; i++) {
		test_pin(pthread_self(), i / 4);
		ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_SET_GS, &words[i & 1]));
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		ASSERT_EQ(words[i & 1], gs_word());
		ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
		ASSERT_EQ((u64)&words[i & 1], base);
		ASSERT_EQ(0, SELECTOR(gs));
	}
}

/* ---- the time stamp counter ---- */

static sigjmp_buf segv_env;

static void on_segv(int sig)
{
	siglongjmp(segv_env, sig);
}

static bool tsc_is_locked(void)
{
	volatile bool locked = true;

	if (!sigsetjmp(segv_env, 1)) {
		asm volatile("rdtsc" : : : "eax", "edx");
		locked = false;
	}
	return locked;
}

/* CR4.TSD follows the thread. */
TEST_F(host_state, locked_time_stamp_counter)
{
	int i;

	signal(SIGSEGV, on_segv);
	vcpu_set_entry(self->vcpu, guest_changes_all, 0, 0);
	for (i = 0; i < ROUNDS; i++) {
		test_pin(pthread_self(), i / 4);
		ASSERT_EQ(0, prctl(PR_SET_TSC, i & 1 ? PR_TSC_SIGSEGV : PR_TSC_ENABLE));
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		ASSERT_EQ(i & 1, tsc_is_locked());
	}
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	signal(SIGSEGV, SIG_DFL);
}

/* ---- breakpoints ---- */

static volatile u64 watched;

static void debugged_child(void)
{
	struct test_vm *vm = vm_create();
	struct test_vcpu *vcpu = vcpu_create(vm, 0, guest_changes_all);
	int i;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (i = 0; i < ROUNDS; i++) {
		test_pin(pthread_self(), i / 4);
		if (vcpu_run(vcpu) != EXIT_SYNC)
			_exit(1);
		watched = i;
	}
	_exit(0);
}

static int poke_debugreg(pid_t pid, int reg, u64 value)
{
	return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[reg]), value);
}

/* A debugger's watchpoint in the thread that runs the guest, which has others in the registers. */
TEST_F(host_state, watchpoint_of_a_debugger)
{
	int status, traps = 0;
	pid_t pid = fork();

	if (!pid)
		debugged_child();
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, poke_debugreg(pid, 0, (u64)&watched));
	ASSERT_EQ(0, poke_debugreg(pid, 7, 1 | 1 << 16 | 2 << 18));	/* 8 bytes, writes */
	for (;;) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		if (!WIFSTOPPED(status))
			break;
		ASSERT_EQ(SIGTRAP, WSTOPSIG(status));
		traps++;
	}
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(ROUNDS, traps);
}

/* ---- an exception that raises itself ---- */

/* The stack of #DB is watched: delivering it is a reason for the next. */
GUEST_CODE static void guest_debug_loop(u64 frame)
{
	asm volatile("mov %0, %%dr0; mov %1, %%dr7" : : "r"(frame), "r"(0x90402ull));
	guest_write64(frame, 0);
	for (;;)
		GUEST_SYNC(guest_cpu()->count[1]);
}

TEST_F(host_state, debug_exceptions_without_end)
{
	struct shvm_sregs sregs;
	u64 stack;
	u8 *gate;
	int i;

	vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
	gate = (u8 *)vm_hva(self->vm, sregs.idt.base) + 16;
	gate[4] = 1;		/* the stack that the TSS has for #DF */
	memcpy(&stack, vm_hva(self->vm, sregs.tr.base + 36), 8);
	for (i = 0; i < 3; i++) {
		vcpu_set_entry(self->vcpu, guest_debug_loop, stack - 16, 0);
		vcpu_start(self->vcpu);
		usleep(10000);
		vcpu_kick(self->vcpu);
		EXPECT_EQ(SHVM_EXIT_INTR, vcpu_join(self->vcpu));
		self->vcpu->run->immediate_exit = 0;
	}
}

SHVM_TEST_MAIN
