// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts, NMIs and exceptions reach the guest once each, in order and at the right place, also
 * if nothing that their delivery needs is in the shadow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "inject.h"

#define LOAD_ROUNDS	60
#define LOAD_NMI	1	/* what a round's SYNC asks for */
#define LOAD_IRQ	2

static GUEST_DATA u64 user_stack_top;
static GUEST_DATA u64 no_page;		/* an address that nothing is mapped at */

FIXTURE(inject)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_VARIANT(inject)
{
	bool zap;
};

FIXTURE_VARIANT_ADD(inject, plain)
{
	.zap = false,
};

FIXTURE_VARIANT_ADD(inject, zapped)
{
	.zap = true,
};

FIXTURE_SETUP(inject)
{
	u64 stack;
	int i;

	self->vm = vm_create();
	if (test_is_shvm())
		vm_ioctl(self->vm, SHVM_CREATE_PIC_PIT, 0);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	stack = vm_alloc_pages(self->vm, 1);
	guest_map(self->vm, stack, stack, PTE_P | PTE_W | PTE_U);
	*vm_sym(self->vm, user_stack_top) = stack + PAGE_SIZE;
	*vm_sym(self->vm, no_page) = HOLE_BASE + 0x123456;
	for (i = 0; i < 256; i++)
		handle(self->vm, i, log_event);
	zap_on_exit(self->vm, variant->zap);
}

FIXTURE_TEARDOWN(inject)
{
	zap_on_exit(self->vm, false);
	vm_free(self->vm);
}

static void enter(struct test_vcpu *vcpu, void (*fn)(void))
{
	vcpu_set_entry(vcpu, fn, 0, 0);
}

static void set_line(struct test_vm *vm, u32 irq, u32 level)
{
	struct shvm_irq_level line = { .irq = irq, .level = level };

	vm_ioctl(vm, SHVM_IRQ_LINE, &line);
}

static void pulse(struct test_vm *vm, u32 irq)
{
	set_line(vm, irq, 1);
	set_line(vm, irq, 0);
}

/* ---- the 8259 pair and the 8254, as a guest programs them ---- */

GUEST_INLINE void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* Vectors 0x20 to 0x2f; mask: bit n keeps IRQ n back. */
GUEST_CODE static void pic_setup(u32 mask)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, 0x20);
	outb(0xa1, 0x28);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, mask);
	outb(0xa1, mask >> 8);
}

GUEST_CODE static void log_irq(struct guest_frame *frame)
{
	event_append(frame, 0);
	if (frame->vector >= 0x28)
		outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

/* IRQ 0 comes when it likes, so it is counted and not logged. */
GUEST_CODE static void timer_irq(struct guest_frame *frame)
{
	(void)frame;
	outb(0x20, 0x20);
}

GUEST_CODE static void timer_start(u32 divisor)
{
	outb(0x43, 0x34);
	outb(0x40, divisor);
	outb(0x40, divisor >> 8);
}

/* ---- everything at once ---- */

GUEST_USER_CODE static void user_load(u64 arg)
{
	(void)arg;
	asm volatile("int $0x80; int3" : : : "memory");
	GUEST_TRY("ud2", /* none */, "m"(*(char *)0x40180000));
}

/* What a round must have logged, in this order; NMI and IRQ are asked for by the SYNC. */
GUEST_CODE static void load_round(u64 round)
{
	extern char load_int[], load_int3[], load_ud[], load_pf[];
	u64 first = event_log.nr, n;

	asm volatile(".globl load_int\n\tint $0x81\nload_int:" : : : "memory");
	asm volatile(".globl load_int3\n\tint3\nload_int3:" : : : "memory");
	GUEST_TRY(".globl load_ud\nload_ud: ud2", /* none */, "r"(first));
	GUEST_TRY(".globl load_pf\nload_pf: movl $1, (%[p])", /* none */, [p] "r"(no_page));
	GUEST_ASSERT_EQ(first + 4, event_log.nr);
	n = first % MAX_EVENTS;
	GUEST_ASSERT_EQ(0x81, event_log.event[n].vector);
	GUEST_ASSERT_EQ(load_int, event_log.event[n].rip);
	n = (first + 1) % MAX_EVENTS;
	GUEST_ASSERT_EQ(3, event_log.event[n].vector);
	GUEST_ASSERT_EQ(load_int3, event_log.event[n].rip);
	n = (first + 2) % MAX_EVENTS;
	GUEST_ASSERT_EQ(6, event_log.event[n].vector);
	GUEST_ASSERT_EQ(load_ud, event_log.event[n].rip);
	n = (first + 3) % MAX_EVENTS;
	GUEST_ASSERT_EQ(14, event_log.event[n].vector);
	GUEST_ASSERT_EQ(2, event_log.event[n].error);
	GUEST_ASSERT_EQ(load_pf, event_log.event[n].rip);
	guest_call_user(user_load, 0, user_stack_top);
	GUEST_ASSERT_EQ(first + 7, event_log.nr);
	GUEST_SYNC(round);
	GUEST_SYNC(~0ull);	/* one more exit, so that what was asked for has come by now */
}

/* timer: the divisor of the 8254, 0 if there is no PIC. */
GUEST_CODE static void guest_load(u64 timer)
{
	u64 round, before;

	if (timer) {
		pic_setup(0xfffe & ~(1 << 5));
		timer_start(timer);
	}
	asm volatile("sti");
	for (round = 0; round < LOAD_ROUNDS; round++) {
		before = event_log.nr;
		load_round(round);
		GUEST_ASSERT_EQ(before + 7 + (round % 3 == LOAD_NMI) +
				(timer && round % 3 == LOAD_IRQ), event_log.nr);
	}
	asm volatile("cli");
	GUEST_DONE();
}

TEST_F(inject, load)
{
	bool pic = test_is_shvm();
	u64 rounds = 0;
	int exit;

	handle(self->vm, 0x20, timer_irq);
	handle(self->vm, 0x25, log_irq);
	/* 1 kHz; 20 Hz where the handler of each tick takes so many exits. */
	vcpu_set_entry(self->vcpu, guest_load,
		       !pic ? 0 : variant->zap && can_zap() ? 59659 : 1193, 0);
	while ((exit = vcpu_run(self->vcpu)) == EXIT_SYNC) {
		u64 round = self->vcpu->uc[0];

		if (round == ~0ull)
			continue;
		rounds++;
		if (round % 3 == LOAD_NMI)
			vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
		if (pic && round % 3 == LOAD_IRQ)
			pulse(self->vm, 5);
	}
	EXPECT_EQ(EXIT_DONE, exit);
	EXPECT_EQ(LOAD_ROUNDS, rounds);
	EXPECT_EQ(LOAD_ROUNDS, self->vcpu->cpu->count[0x81]);
	EXPECT_EQ(LOAD_ROUNDS, self->vcpu->cpu->count[0x80]);
	EXPECT_EQ(2 * LOAD_ROUNDS, self->vcpu->cpu->count[3]);
	EXPECT_EQ(LOAD_ROUNDS / 3, self->vcpu->cpu->count[2]);
	if (pic) {
		EXPECT_EQ(LOAD_ROUNDS / 3, self->vcpu->cpu->count[0x25]);
		EXPECT_LT(0, self->vcpu->cpu->count[0x20]);
	}
}

/* ---- SHVM_INTERRUPT ---- */

GUEST_CODE static void guest_interruptible(void)
{
	for (;;) {
		GUEST_SYNC(0);
		asm volatile("sti; nop; nop; cli");
	}
}

static struct test_vcpu *vcpu_without_pic(struct test_vm **vm, bool zap, void (*fn)(void))
{
	int i;

	*vm = vm_create();
	for (i = 0; i < 256; i++)
		handle(*vm, i, log_event);
	zap_on_exit(*vm, zap);
	return vcpu_create(*vm, 0, fn);
}

/* Every vector once, each put in when the window opens. */
TEST_F(inject, interrupt_windows)
{
	struct shvm_interrupt irq = { .irq = 0x20 };
	struct test_vm *vm;
	struct test_vcpu *vcpu = vcpu_without_pic(&vm, variant->zap, guest_interruptible);
	struct shvm_regs regs;
	int exit, i;

	vcpu->run->request_interrupt_window = 1;
	while (irq.irq < 0x100) {
		exit = vcpu_run(vcpu);
		if (exit == EXIT_SYNC)
			continue;
		ASSERT_EQ(SHVM_EXIT_IRQ_WINDOW_OPEN, exit);
		ASSERT_EQ(1, vcpu->run->ready_for_interrupt_injection);
		vcpu_ioctl(vcpu, SHVM_GET_REGS, &regs);
		vcpu_ioctl(vcpu, SHVM_INTERRUPT, &irq);
		irq.irq++;
	}
	vcpu->run->request_interrupt_window = 0;
	ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
	ASSERT_EQ(0xe0, vm_sym(vm, event_log)->nr);
	for (i = 0; i < 0xe0; i++)
		EXPECT_EQ(0x20 + i, vm_sym(vm, event_log)->event[i].vector);
	EXPECT_EQ(regs.rip, vm_sym(vm, event_log)->event[i - 1].rip);
	vm_free(vm);
}

/* ---- shadows of STI and MOV SS ---- */

/* A SYNC, then code that opens the window; the interrupt must come at the label "name_at". */
#define SHADOW_GUEST(name, code)					\
GUEST_ASM(name,								\
	  "mov $0x5e0, %edx; mov $1, %edi; mov %ss, %ebx; mov $0, %eax\n" \
	  "out %eax, %dx\n" code "\n"					\
	  "cli; mov $0x5e4, %edx; out %eax, %dx; hlt");			\
extern char name[], name##_at[]

#define AT(name)	".globl " #name "_at\n" #name "_at:\n"

SHADOW_GUEST(shadow_sti, "sti; nop\n" AT(shadow_sti) "nop");
SHADOW_GUEST(shadow_ss, "sti; mov %ebx, %ss; nop\n" AT(shadow_ss) "nop");
SHADOW_GUEST(shadow_cpuid, "sti; cpuid\n" AT(shadow_cpuid) "nop");
SHADOW_GUEST(shadow_ss_cpuid, "sti; mov %ebx, %ss; cpuid\n" AT(shadow_ss_cpuid) "nop");
SHADOW_GUEST(shadow_cr3, "mov %cr3, %rax; sti; mov %rax, %cr3\n" AT(shadow_cr3) "nop");
SHADOW_GUEST(shadow_cr3_read, "sti; mov %cr3, %rax\n" AT(shadow_cr3_read) "nop");
SHADOW_GUEST(shadow_pge, "mov %cr4, %rax; btc $7, %rax; sti; mov %rax, %cr4\n"
	     AT(shadow_pge) "nop");
SHADOW_GUEST(shadow_ts, "mov %cr0, %rax; bts $3, %rax; mov %rax, %cr0; sti; clts\n"
	     AT(shadow_ts) "nop");
SHADOW_GUEST(shadow_invlpg, "sti; invlpg 0x280000\n" AT(shadow_invlpg) "nop");
SHADOW_GUEST(shadow_ss_cr3, "mov %cr3, %rax; sti; mov %ebx, %ss; mov %rax, %cr3\n"
	     AT(shadow_ss_cr3) "nop");
SHADOW_GUEST(shadow_load, "sti; mov 0x280000, %eax\n" AT(shadow_load) "nop");
SHADOW_GUEST(shadow_popf, "pushf; orl $0x200, (%rsp); popf\n" AT(shadow_popf) "nop");
SHADOW_GUEST(shadow_hlt, "sti; hlt\n" AT(shadow_hlt) "nop");
SHADOW_GUEST(shadow_int3, "sti; int3\n" AT(shadow_int3) "nop");

static const struct {
	const char *name;
	const void *code, *at;
} shadows[] = {
#define SHADOW(name)	{ #name, name, name##_at }
	SHADOW(shadow_sti), SHADOW(shadow_ss), SHADOW(shadow_cpuid), SHADOW(shadow_ss_cpuid),
	SHADOW(shadow_cr3), SHADOW(shadow_cr3_read), SHADOW(shadow_pge), SHADOW(shadow_ts),
	SHADOW(shadow_invlpg), SHADOW(shadow_ss_cr3), SHADOW(shadow_load), SHADOW(shadow_popf),
	SHADOW(shadow_hlt), SHADOW(shadow_int3),
};

/*
 * The VM exit of an exception saves blocking by STI or MOV SS (SDM 28.3.4). Bochs 2.7 saves 0 there
 * (docs/testing.md), so that only exits of other kinds can be looked at.
 */
static bool cpu_forgets_shadows(void)
{
	const char *emulator = getenv("EMULATOR");

	return emulator && !strcmp(emulator, "bochs 2.7");
}

TEST_F(inject, interrupt_shadows)
{
	struct shvm_interrupt irq = { .irq = 0x77 };
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM injects at once, whatever the guest's IF");
	if (variant->zap && cpu_forgets_shadows())
		SKIP(return, "this emulator forgets blocking by STI and MOV SS at each fault");
	vcpu = vcpu_without_pic(&vm, variant->zap, NULL);
	for (i = 0; i < sizeof(shadows) / sizeof(shadows[0]); i++) {
		u64 nr = vm_sym(vm, event_log)->nr;
		struct event *last;

		if (shadows[i].code == shadow_load && cpu_forgets_shadows())
			continue;

		vcpu_set_entry(vcpu, shadows[i].code, 0, 0);
		ASSERT_EQ(EXIT_SYNC, vcpu_run(vcpu));
		vcpu_ioctl(vcpu, SHVM_INTERRUPT, &irq);
		EXPECT_EQ(EXIT_DONE, vcpu_run(vcpu)) TH_LOG("%s", shadows[i].name);
		last = &vm_sym(vm, event_log)->event[vm_sym(vm, event_log)->nr - 1];
		EXPECT_EQ(nr + 1 + (shadows[i].code == shadow_int3), vm_sym(vm, event_log)->nr)
			TH_LOG("%s", shadows[i].name);
		EXPECT_EQ(0x77, last->vector);
		EXPECT_EQ((u64)shadows[i].at, last->rip) TH_LOG("%s", shadows[i].name);
	}
	vm_free(vm);
}

/* ---- NMIs ---- */

static GUEST_DATA u64 nmi_depth;

/* Waits in the middle, for the host to send another one. */
GUEST_CODE static void nmi_waits(struct guest_frame *frame)
{
	event_append(frame, ++nmi_depth);
	GUEST_SYNC(100 + nmi_depth);
	nmi_depth--;
}

/* An exception in the handler: its IRET ends the blocking. */
GUEST_CODE static void nmi_faults(struct guest_frame *frame)
{
	event_append(frame, ++nmi_depth);
	if (event_log.nr == 1) {
		GUEST_SYNC(100);
		GUEST_ASSERT_EQ(1, event_log.nr);
		GUEST_TRY("ud2", /* none */, "r"(frame));
		GUEST_ASSERT_EQ(3, event_log.nr);
	}
	nmi_depth--;
}

/*
 * The SYNC on a stack of which the handler's registers are on one page and the CPU's frame is on
 * the next, so that IRET is the first to touch that page after an exit in the handler.
 */
GUEST_CODE static void guest_nmi(u64 stack)
{
	asm volatile("mov %%rsp, %%rbx\n\t"
		     "mov %[stack], %%rsp\n\t"
		     "out %%eax, %%dx\n\t"
		     "nop\n\t"
		     "mov %%rbx, %%rsp"
		     : : "d"(UCALL_SYNC), "a"(0), "D"(1), [stack] "r"(stack) : "rbx", "memory");
	GUEST_SYNC(2);
	GUEST_DONE();
}

TEST_F(inject, nmi_blocked_until_iret)
{
	u64 stack = vm_alloc_pages(self->vm, 2) + PAGE_SIZE + 0x30;
	struct shvm_vcpu_events events;
	struct event *event = vm_sym(self->vm, event_log)->event;
	int i;

	handle(self->vm, 2, nmi_waits);
	vcpu_set_entry(self->vcpu, guest_nmi, stack, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	ASSERT_EQ(1, self->vcpu->uc[0]);
	vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
		ASSERT_EQ(101, self->vcpu->uc[0]);
		vcpu_ioctl(self->vcpu, SHVM_GET_VCPU_EVENTS, &events);
		EXPECT_EQ(1, events.nmi.masked);
		EXPECT_EQ(0, events.nmi.pending | events.nmi.injected);
		if (i < 2)
			vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
	}
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(2, self->vcpu->uc[0]);
	vcpu_ioctl(self->vcpu, SHVM_GET_VCPU_EVENTS, &events);
	EXPECT_EQ(0, events.nmi.masked);
	ASSERT_EQ(3, vm_sym(self->vm, event_log)->nr);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(stack, event[i].rsp);
		EXPECT_EQ(event[0].rip, event[i].rip);
		EXPECT_EQ(1, event[i].error);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

TEST_F(inject, nmi_unblocked_by_an_inner_iret)
{
	u64 stack = vm_alloc_pages(self->vm, 2) + PAGE_SIZE + 0x30;
	struct event *event = vm_sym(self->vm, event_log)->event;

	handle(self->vm, 2, nmi_faults);
	vcpu_set_entry(self->vcpu, guest_nmi, stack, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	ASSERT_EQ(100, self->vcpu->uc[0]);
	vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(2, self->vcpu->uc[0]);
	EXPECT_EQ(6, event[1].vector);
	EXPECT_EQ(2, event[2].vector);
	EXPECT_EQ(2, event[2].error);	/* inside the first */
}

/* ---- the PIC ---- */

GUEST_CODE static void guest_pic(void)
{
	pic_setup(0xffff & ~(0xfe | 1 << 9 | 1 << 14));
	GUEST_SYNC(1);
	asm volatile("sti; nop; nop; cli");
	GUEST_SYNC2(2, event_log.nr);
	outb(0x21, 0x01 | 1 << 6);
	GUEST_SYNC(3);
	asm volatile("sti; nop; nop; cli");
	GUEST_SYNC2(4, event_log.nr);
	outb(0x21, 0x01);
	asm volatile("sti; nop; nop; cli");
	GUEST_DONE();
}

TEST_F(inject, pic_priorities_and_masks)
{
	static const u8 raised[] = { 5, 14, 3, 9, 1 };
	static const u8 order[] = { 0x21, 0x29, 0x2e, 0x23, 0x25 };
	struct event *event = vm_sym(self->vm, event_log)->event;
	int i;

	if (!test_is_shvm())
		SKIP(return, "the PIC is another one");
	for (i = 0x20; i < 0x30; i++)
		handle(self->vm, i, log_irq);
	enter(self->vcpu, guest_pic);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	for (i = 0; i < 5; i++)
		set_line(self->vm, raised[i], 1);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	ASSERT_EQ(5, self->vcpu->uc[1]);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(order[i], event[i].vector);
		set_line(self->vm, raised[i], 0);
	}
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	ASSERT_EQ(3, self->vcpu->uc[0]);
	set_line(self->vm, 6, 1);	/* masked: kept back */
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(5, self->vcpu->uc[1]);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(6, vm_sym(self->vm, event_log)->nr);
	EXPECT_EQ(0x26, event[5].vector);
}

GUEST_CODE static void guest_sleeps(void)
{
	u64 i;

	pic_setup(0xffff & ~(1 << 5));
	for (i = 1; i <= 20; i++) {
		GUEST_SYNC(i);
		asm volatile("sti; hlt; cli" : : : "memory");
		GUEST_ASSERT_EQ(i, event_log.nr);
	}
	GUEST_DONE();
}

/* A line that rises before the HLT, and the HLT does not sleep. */
TEST_F(inject, halt_sees_an_interrupt_that_waits)
{
	int exit;

	if (!test_is_shvm())
		SKIP(return, "the PIC is another one");
	handle(self->vm, 0x25, log_irq);
	enter(self->vcpu, guest_sleeps);
	while ((exit = vcpu_run(self->vcpu)) == EXIT_SYNC)
		pulse(self->vm, 5);
	EXPECT_EQ(EXIT_DONE, exit);
	EXPECT_EQ(20, self->vcpu->cpu->count[0x25]);
}

SHVM_TEST_MAIN
