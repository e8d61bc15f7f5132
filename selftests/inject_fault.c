// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deliveries that fail or meet obstacles: a second exception while the first is delivered (SDM
 * table 6-5), gates that are not there, stacks that nothing is mapped at, that are devices or page
 * tables; and single-stepping over what blocks or exits.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "inject.h"
#include "region.h"

/* The error code that names a gate; ext: the event came from outside. */
#define IDT_ERROR(vector, ext)	((vector) * 8 + 2 + (ext))

#define GATE_0	0x100	/* where 0 is no gate */

FIXTURE(fault)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
};

FIXTURE_VARIANT(fault)
{
	bool zap;
};

FIXTURE_VARIANT_ADD(fault, plain)
{
	.zap = false,
};

FIXTURE_VARIANT_ADD(fault, zapped)
{
	.zap = true,
};

FIXTURE_SETUP(fault)
{
	int i;

	self->vm = vm_create();
	region_make(self->vm);
	vm_map_hole(self->vm, 4);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	for (i = 0; i < 256; i++)
		handle(self->vm, i, log_event);
	zap_on_exit(self->vm, variant->zap);
}

FIXTURE_TEARDOWN(fault)
{
	zap_on_exit(self->vm, false);
	vm_free(self->vm);
}

static u8 *idt_gate(struct test_vcpu *vcpu, int vector)
{
	struct shvm_sregs sregs;

	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &sregs);
	return (u8 *)vm_hva(vcpu->vm, sregs.idt.base) + vector * 16;
}

static void gate_set_present(struct test_vcpu *vcpu, int vector, bool present)
{
	u8 *type = idt_gate(vcpu, vector) + 5;

	*type = present ? *type | 0x80 : *type & 0x7f;
}

/* ---- two exceptions make one or two ---- */

GUEST_ASM(raise_ud, "ud2");
GUEST_ASM(raise_de, "xor %ecx, %ecx; xor %edx, %edx; div %ecx");
GUEST_ASM(raise_gp, "mov $0x80000000, %ecx; shl $20, %rcx; shl $12, %rcx; mov (%rcx), %eax");
GUEST_ASM(raise_pf, "mov 0x70000000, %eax");
GUEST_ASM(raise_int, "int $0x90");
extern char raise_ud[], raise_de[], raise_gp[], raise_pf[], raise_int[];

static const struct {
	const char *name;
	const void *code;
	u32 absent[3];		/* gates that are not present */
	u8 vector;		/* what must come, 0: SHUTDOWN */
	u32 error;
} merges[] = {
	{ "#UD", raise_ud, { 6 }, 11, IDT_ERROR(6, 1) },
	{ "#DE", raise_de, { GATE_0 }, 8, 0 },
	{ "#GP", raise_gp, { 13 }, 8, 0 },
	{ "#PF", raise_pf, { 14 }, 8, 0 },
	{ "INT n", raise_int, { 0x90 }, 11, IDT_ERROR(0x90, 0) },
	{ "INT n, #NP", raise_int, { 0x90, 11 }, 8, 0 },
	{ "#UD, #NP", raise_ud, { 6, 11 }, 8, 0 },
	{ "#GP, #DF", raise_gp, { 13, 8 }, 0, 0 },
	{ "#PF, #DF", raise_pf, { 14, 8 }, 0, 0 },
	{ "#UD, #NP, #DF", raise_ud, { 6, 11, 8 }, 0, 0 },
};

TEST_F(fault, merge)
{
	int i, j, exit;

	for (i = 0; i < 256; i++)
		handle(self->vm, i, last_event);
	for (i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
		for (j = 0; j < 3; j++)
			if (merges[i].absent[j])
				gate_set_present(self->vcpu, merges[i].absent[j] & 0xff, false);
		vcpu_set_long_mode(self->vcpu);
		exit = vcpu_call(self->vcpu, merges[i].code, 0, 0);
		EXPECT_EQ(merges[i].vector ? EXIT_SYNC : SHVM_EXIT_SHUTDOWN, exit)
			TH_LOG("%s", merges[i].name);
		if (exit == EXIT_SYNC) {
			EXPECT_EQ(merges[i].vector, self->vcpu->uc[0])
				TH_LOG("%s", merges[i].name);
			EXPECT_EQ(merges[i].error, self->vcpu->uc[1])
				TH_LOG("%s", merges[i].name);
		}
		for (j = 0; j < 256; j++)
			gate_set_present(self->vcpu, j, true);
	}
}

TEST_F(fault, gate_beyond_the_limit)
{
	struct shvm_sregs sregs;

	handle(self->vm, 13, last_event);
	vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
	sregs.idt.limit = 0x90 * 16 - 1;
	vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs);
	ASSERT_EQ(EXIT_SYNC, vcpu_call(self->vcpu, raise_int, 0, 0));
	EXPECT_EQ(13, self->vcpu->uc[0]);
	EXPECT_EQ(IDT_ERROR(0x90, 0), self->vcpu->uc[1]);
}

/* ---- stacks ---- */

GUEST_CODE static void guest_ud_on(u64 rsp)
{
	asm volatile("mov %0, %%rsp; ud2" : : "r"(rsp) : "memory");
}

/* Nothing mapped: the #PF of delivering #UD cannot be delivered either, #DF has another stack. */
TEST_F(fault, no_stack)
{
	handle(self->vm, 8, last_event);
	ASSERT_EQ(EXIT_SYNC, vcpu_call(self->vcpu, guest_ud_on, 0x70000800, 0));
	EXPECT_EQ(8, self->vcpu->uc[0]);
	EXPECT_EQ(0, self->vcpu->uc[1]);
	EXPECT_EQ(0x700007f8, self->vcpu->uc[2]);	/* CR2: the first push */
	EXPECT_EQ(0, vm_sym(self->vm, event_log)->nr);
}

TEST_F(fault, no_stack_for_the_double_fault)
{
	struct shvm_sregs sregs;
	u64 none = 0x70001000;

	vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
	memcpy(vm_hva(self->vm, sregs.tr.base + 36), &none, 8);
	EXPECT_EQ(SHVM_EXIT_SHUTDOWN, vcpu_call(self->vcpu, guest_ud_on, 0x70000800, 0));
}

TEST_F(fault, no_idt)
{
	struct shvm_sregs sregs;

	vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
	sregs.idt.base = 0x70000000;
	vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs);
	EXPECT_EQ(SHVM_EXIT_SHUTDOWN, vcpu_call(self->vcpu, raise_ud, 0, 0));
}

/* An IDT or a stack in a device: the vCPU ends, with one of these two, and does so at once. */
TEST_F(fault, device_in_the_way)
{
	struct shvm_sregs sregs;
	int exit, i;

	if (!test_is_shvm())
		SKIP(return, "KVM's answer is another one");
	for (i = 0; i < 2; i++) {
		vcpu_set_long_mode(self->vcpu);
		vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &sregs);
		if (i)
			sregs.idt.base = HOLE_BASE;
		vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs);
		exit = vcpu_call(self->vcpu, guest_ud_on,
				 i ? vcpu_stack_top(self->vcpu) : HOLE_BASE + 0x800, 0);
		EXPECT_TRUE(exit == SHVM_EXIT_INTERNAL_ERROR || exit == SHVM_EXIT_SHUTDOWN)
			TH_LOG("exit %d", exit);
	}
}

/* On a page table that is in use. */
GUEST_CODE static void guest_stack_in_table(void)
{
	u64 i, value;

	*entry_of(region.pt, 0) = FRAME | PTE_TABLE;
	for (i = 0; i < 20; i++) {
		*entry_of(region.pd, 0) = region.pt | PTE_TABLE;
		guest_write_cr3(region.root);
		GUEST_ASSERT_EQ(0x1234, guest_read64(REGION));
		asm volatile("mov %%rsp, %%rbx; mov %[sp], %%rsp; int $0x80; mov %%rbx, %%rsp"
			     : : [sp] "r"(region.pt + 4096) : "rbx", "memory");
		GUEST_ASSERT_EQ(2 * i + 1, event_log.nr);
		GUEST_ASSERT_EQ(0x1234, guest_read64(REGION));
		GUEST_TRY("mov %[sp], %%rsp; ud2", /* none */, [sp] "r"(region.pt + 4096));
		GUEST_ASSERT_EQ(2 * i + 2, event_log.nr);
		GUEST_ASSERT_EQ(0x1234, guest_read64(REGION));
		GUEST_TRY("mov %[sp], %%rsp; cmpl $0, 0x70000000", /* none */,
			  [sp] "r"(region.pt + 4096));
		GUEST_ASSERT_EQ(14, guest_cpu()->ex.vector);
		event_log.nr--;
		/* The frame that is left there is no mapping of ours. */
		*entry_of(region.pt, 511) = FRAME | PTE_TABLE;
		guest_invlpg(REGION + 511 * 4096);
		guest_try_read64(REGION + 511 * 4096, &value);
		GUEST_ASSERT_EQ(0x1234, value);
	}
	GUEST_DONE();
}

TEST_F(fault, stack_in_a_page_table)
{
	*(u64 *)vm_hva(self->vm, FRAME) = 0x1234;
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_stack_in_table, 0, 0));
}

/* ---- single steps ---- */

/* RDI: an address for the code to use. The steps are where the labels 1 to 6 are. */
#define STEP_GUEST(name, code)						\
GUEST_ASM(name,								\
	  "mov %ss, %esi; mov %cr3, %r9\n"				\
	  "mov %cr4, %r8; btc $7, %r8; mov %cr0, %r10; bts $3, %r10\n"	\
	  "pushf; orl $0x100, (%rsp); popf\n"				\
	  code "\n"							\
	  "pushf; orl $0x40000, (%rsp); popf; nop\n"			\
	  "mov $0x5e4, %edx; out %eax, %dx; hlt\n"			\
	  ".balign 8\n" #name "_steps: .quad 1b, 2b, 3b, 4b\n");	\
extern char name[], name##_steps[]

STEP_GUEST(step_nop, "nop; 1: nop; 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_cpuid, "nop; 1: cpuid; 2: cpuid; 3: nop; 4: nop");
STEP_GUEST(step_ss, "nop; 1: mov %esi, %ss; nop; 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_ss_cpuid, "nop; 1: mov %esi, %ss; cpuid; 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_sti, "nop; 1: sti; 2: nop; 3: cli; 4: nop");
STEP_GUEST(step_sti_cpuid, "nop; 1: sti; 2: cpuid; 3: cli; 4: nop");
STEP_GUEST(step_cr3, "nop; 1: mov %r9, %cr3; 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_cr3_read, "nop; 1: mov %cr3, %rax; 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_pge, "nop; 1: mov %r8, %cr4; 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_ts, "nop; 1: mov %r10, %cr0; 2: clts; 3: nop; 4: nop");
STEP_GUEST(step_load, "nop; 1: mov (%rdi), %rax; 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_invlpg, "nop; 1: invlpg (%rdi); 2: nop; 3: nop; 4: nop");
STEP_GUEST(step_store, "nop; 1: mov %rax, (%rdi); 2: mov %rax, 8(%rdi); 3: nop; 4: nop");

static const struct {
	const char *name;
	const void *code, *steps;
} steps[] = {
#define STEP(name)	{ #name, name, name##_steps }
	STEP(step_nop), STEP(step_cpuid), STEP(step_ss), STEP(step_ss_cpuid), STEP(step_sti),
	STEP(step_sti_cpuid), STEP(step_cr3), STEP(step_cr3_read), STEP(step_pge), STEP(step_ts),
	STEP(step_load), STEP(step_invlpg), STEP(step_store),
};

GUEST_CODE static void guest_use_table(void)
{
	u64 value;

	guest_try_read64(REGION, &value);
	GUEST_DONE();
}

static void check_steps(struct __test_metadata *_metadata, struct test_vm *vm,
			struct test_vcpu *vcpu, u64 address)
{
	struct event *event = vm_sym(vm, event_log)->event;
	int i, j;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const u64 *at = steps[i].steps;

		vcpu_set_long_mode(vcpu);
		ASSERT_EQ(EXIT_DONE, vcpu_call(vcpu, guest_use_table, 0, 0));
		vm_sym(vm, event_log)->nr = 0;
		EXPECT_EQ(EXIT_DONE, vcpu_call(vcpu, steps[i].code, address, 0))
			TH_LOG("%s", steps[i].name);
		EXPECT_LT(4, vm_sym(vm, event_log)->nr) TH_LOG("%s", steps[i].name);
		for (j = 0; j < 4; j++) {
			EXPECT_EQ(1, event[j].vector);
			EXPECT_EQ(at[j], event[j].rip) TH_LOG("%s, step %d", steps[i].name, j);
			EXPECT_EQ(0x4000, event[j].error & 0xe00f);	/* BS alone */
		}
	}
}

TEST_F(fault, single_steps)
{
	u64 data = vm_alloc_pages(self->vm, 1);
	typeof(region) *r = vm_sym(self->vm, region);

	handle(self->vm, 1, log_step);
	check_steps(_metadata, self->vm, self->vcpu, data);
	/* The stores go to a page table in use. */
	*(u64 *)vm_hva(self->vm, r->pt) = FRAME | PTE_TABLE;
	check_steps(_metadata, self->vm, self->vcpu, r->pt + 512);
}

/* Whatever the VMM raises in answer to an instruction, the step over that comes first. */
STEP_GUEST(step_report, "mov $0x5e0, %edx; sti; nop; out %eax, %dx; 1: nop; 2: nop; 3: nop; 4:");

static bool is_step_to(const struct event *event, u64 rip)
{
	return event->vector == 1 && event->rip == rip && (event->error & 0xe00f) == 0x4000;
}

TEST_F(fault, step_before_an_interrupt)
{
	struct event *event = vm_sym(self->vm, event_log)->event;
	struct shvm_interrupt irq = { .irq = 0x77 };
	const u64 *at = (const u64 *)step_report_steps;
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM injects at once, whatever the guest's IF");
	handle(self->vm, 1, log_step);
	handle(self->vm, irq.irq, log_event);
	vcpu_set_entry(self->vcpu, step_report, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	i = vm_sym(self->vm, event_log)->nr;
	vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_TRUE(is_step_to(&event[i], at[0]));
	EXPECT_EQ(irq.irq, event[i + 1].vector);
	EXPECT_EQ(at[0], event[i + 1].rip);
	EXPECT_TRUE(is_step_to(&event[i + 2], at[1]));
}

/* An NMI does not wait for the handler of the step. */
TEST_F(fault, step_before_an_nmi)
{
	struct event *event = vm_sym(self->vm, event_log)->event;
	const u64 *at = (const u64 *)step_report_steps;
	int i;

	handle(self->vm, 1, log_step);
	handle(self->vm, 2, log_event);
	vcpu_set_entry(self->vcpu, step_report, 0, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	i = vm_sym(self->vm, event_log)->nr;
	vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(2, event[i].vector);
	EXPECT_NE(at[0], event[i].rip);
	EXPECT_TRUE(is_step_to(&event[i + 1], at[0]));
	EXPECT_TRUE(is_step_to(&event[i + 2], at[1]));
}

/* ---- hardware's own breakpoints at a place where events wait ---- */

GUEST_ASM(guest_breakpoint,
	  "lea 1f(%rip), %rax; mov %rax, %dr0; mov $0x401, %eax; mov %rax, %dr7\n"
	  "mov %ss, %esi; nop; mov %esi, %ss; nop\n"
	  "1: nop; nop\n"
	  "xor %eax, %eax; mov %rax, %dr7; mov $0x5e4, %edx; out %eax, %dx; hlt\n"
	  ".balign 8; guest_breakpoint_at: .quad 1b\n");
extern char guest_breakpoint[], guest_breakpoint_at[];

GUEST_CODE static void log_breakpoint(struct guest_frame *frame)
{
	u64 dr6;

	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	event_append(frame, dr6);
	frame->rflags |= 1ull << 16;	/* RF: not again */
}

TEST_F(fault, breakpoint)
{
	struct event *event = vm_sym(self->vm, event_log)->event;

	handle(self->vm, 1, log_breakpoint);
	EXPECT_EQ(EXIT_DONE, vcpu_call(self->vcpu, guest_breakpoint, 0, 0));
	ASSERT_EQ(1, vm_sym(self->vm, event_log)->nr);
	EXPECT_EQ(*(u64 *)guest_breakpoint_at, event[0].rip);
	EXPECT_EQ(1, event[0].error & 0xf);
}

SHVM_TEST_MAIN
