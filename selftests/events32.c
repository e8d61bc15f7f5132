// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events in 32-bit guests: INT n, breakpoints, page faults, interrupts and NMIs through gates of 8
 * bytes, with and without a change of stack, also if nothing that the delivery needs is in the
 * shadow. What the CPU pushed is compared word by word.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "inject.h"
#include "probe.h"
#include "events32.h"

#define ROUNDS		6
#define FLAGS_COMPARED	0x3200		/* IF and IOPL */

FIXTURE(events32)
{
	struct test_vm *vm;
	struct probe *p;	/* its vCPU, descriptors and TSS; its code does not run */
	struct paging *paging;	/* NULL: off */
	u64 block;
};

FIXTURE_VARIANT(events32)
{
	int format;
	bool zap;
};

FIXTURE_VARIANT_ADD(events32, two_level) { .format = FORMAT_32 };
FIXTURE_VARIANT_ADD(events32, two_level_zapped) { .format = FORMAT_32, .zap = true };
FIXTURE_VARIANT_ADD(events32, pae) { .format = FORMAT_PAE };
FIXTURE_VARIANT_ADD(events32, pae_zapped) { .format = FORMAT_PAE, .zap = true };

#define SELF	FIXTURE_DATA(events32)

static void idt_make(SELF *self)
{
	u32 stub = self->block + (events32_stubs - events32_code);
	u16 *idt = vm_hva(self->vm, self->block + EVENTS_IDT);
	const u8 *v;

	for (v = events32_vectors; v < events32_vectors_end; v++, stub += EVENTS_STUB) {
		u16 gate[] = { stub, SEL_CODE32, 0xee00, stub >> 16 };

		memcpy(idt + *v * 4, gate, sizeof(gate));
	}
}

FIXTURE_SETUP(events32)
{
	self->vm = vm_create();
	self->p = probe_create(self->vm, 0);
	self->paging = paging_create(self->vm, variant->format);
	self->block = vm_alloc_pages(self->vm, EVENTS_SIZE / PAGE_SIZE);
	memcpy(vm_hva(self->vm, self->block), events32_code, events32_code_end - events32_code);
	idt_make(self);
	paging_map(self->paging, self->block + EVENTS_USER, self->block + EVENTS_USER, PTE_TABLE);
	paging_map(self->paging, self->block + EVENTS_USTACK - PAGE_SIZE,
		   self->block + EVENTS_USTACK - PAGE_SIZE, PTE_TABLE);
	zap_on_exit(self->vm, variant->zap);
}

FIXTURE_TEARDOWN(events32)
{
	zap_on_exit(self->vm, false);
	vm_free(self->vm);
}

/* The host wants these pages back for a moment, so no shadow has them any more. */
static void pages_forget(struct test_vm *vm, u64 gpa, u32 size)
{
	if (mprotect(vm_hva(vm, gpa), size, PROT_READ) ||
	    mprotect(vm_hva(vm, gpa), size, PROT_READ | PROT_WRITE))
		test_die("mprotect of guest memory");
}

static void enter(SELF *self)
{
	struct shvm_regs regs = {
		.rip = self->block, .rbp = self->block, .rsp = self->block + EVENTS_STACK,
		.rflags = RFLAGS_FIXED,
	};
	struct probe *p = self->p;
	struct shvm_sregs sregs;

	probe_set_state(p, self->paging, p->env.cr0, p->env.cr4, 0);
	vcpu_ioctl(p->vcpu, SHVM_GET_SREGS, &sregs);
	sregs.idt = (struct shvm_dtable){ .base = self->block + EVENTS_IDT, .limit = 0x7ff };
	vcpu_ioctl(p->vcpu, SHVM_SET_SREGS, &sregs);
	vcpu_ioctl(p->vcpu, SHVM_SET_REGS, &regs);
	*(u32 *)vm_hva(self->vm, self->block + EVENTS_LOG) = 0;
}

/* Runs to the end and gives the program the events that it asks for. */
static int run_events(struct test_vcpu *vcpu)
{
	struct shvm_interrupt irq = { .irq = EVENTS_IRQ_VECTOR };
	int exit;

	while ((exit = vcpu_run(vcpu)) == EXIT_SYNC) {
		if (vcpu->uc[0] == EVENTS_NMI)
			vcpu_ioctl(vcpu, SHVM_NMI, 0);
		else
			vcpu_ioctl(vcpu, SHVM_INTERRUPT, &irq);
	}
	return exit;
}

static struct event32 event_wanted(SELF *self, const struct event32_want *want)
{
	u32 ring0_sp = self->block + EVENTS_STACK;

	return (struct event32){
		.vector = want->vector, .error = want->error, .eip = self->block + want->eip,
		.cs = want->ring ? SEL_UCODE32 : SEL_CODE32, .eflags = want->flags,
		.esp = want->ring ? self->block + EVENTS_USTACK : ring0_sp,
		.ss = want->ring ? SEL_UDATA : SEL_DATA,
		.cr2 = want->vector == 14 ? EVENTS_ABSENT : 0,
		.handler_esp = want->ring ? self->p->base + PROBE_STACK - 20 : ring0_sp - 12,
	};
}

static struct event32 event_seen(const struct event32 *logged)
{
	struct event32 event = *logged;

	event.cs &= 0xffff;	/* what is pushed above them is undefined */
	event.ss &= 0xffff;
	event.eflags &= FLAGS_COMPARED;
	if (event.vector != 14)
		event.cr2 = 0;
	memset(event.unused, 0, sizeof(event.unused));
	return event;
}

static void event_print(const char *who, const struct event32 *e)
{
	fprintf(stderr, "# %s: vector %#x error %#x cr2 %#x eip %#x cs %#x eflags %#x ", who,
		e->vector, e->error, e->cr2, e->eip, e->cs, e->eflags);
	fprintf(stderr, "esp %#x ss %#x, handler's esp %#x\n", e->esp, e->ss, e->handler_esp);
}

static int log_check(SELF *self)
{
	const u32 *nr = vm_hva(self->vm, self->block + EVENTS_LOG);
	const struct event32 *log = vm_hva(self->vm, self->block + EVENTS_LOG);
	u32 i, count = events32_want_end - events32_want;
	int bad = *nr != count;

	if (bad)
		fprintf(stderr, "# %u events, wanted %u\n", *nr, count);
	for (i = 0; i < count && i < *nr; i++) {
		struct event32 want = event_wanted(self, &events32_want[i]);
		struct event32 seen = event_seen(&log[1 + i]);

		if (!memcmp(&want, &seen, sizeof(want)))
			continue;
		bad++;
		event_print("wanted", &want);
		event_print("got   ", &seen);
	}
	return bad;
}

TEST_F(events32, every_event_in_both_rings)
{
	int round;

	if (!test_is_shvm())
		SKIP(return, "KVM injects at once, whatever the guest's IF");
	for (round = 0; round < ROUNDS; round++) {
		enter(self);
		if (round & 1) {
			pages_forget(self->vm, self->block, EVENTS_SIZE);
			pages_forget(self->vm, self->p->gpa, PROBE_SIZE);
		}
		ASSERT_EQ(EXIT_DONE, run_events(self->p->vcpu)) TH_LOG("round %d", round);
		EXPECT_EQ(0, log_check(self)) TH_LOG("round %d", round);
	}
}

SHVM_TEST_MAIN
