// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that wait, and the MP state, through GET and SET; delivery as far as user space asks for
 * it by them.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "one_vcpu.h"

/* ---- events ---- */

GUEST_CODE static void guest_counts(void)
{
	struct guest_cpu *cpu = guest_cpu();

	GUEST_SYNC(1);
	asm volatile("sti; nop; cli");
	GUEST_SYNC2(cpu->ex.vector, cpu->nr_exceptions);
	GUEST_DONE();
}

TEST_F(one_vcpu, round_trip)
{
	struct shvm_vcpu_events in, out;

	memset(&in, 0x5a, sizeof(in));
	get(VCPU_EVENTS, &in);
	EXPECT_EQ(0, in.exception.injected | in.exception.pending | in.interrupt.injected |
		     in.nmi.injected | in.nmi.pending | in.nmi.masked | in.interrupt.shadow);
	EXPECT_EQ(SHVM_VCPUEVENT_VALID_NMI_PENDING | SHVM_VCPUEVENT_VALID_SHADOW,
		  in.flags & (SHVM_VCPUEVENT_VALID_NMI_PENDING | SHVM_VCPUEVENT_VALID_SHADOW));
	in.nmi.masked = 1;
	in.nmi.pending = 1;
	in.interrupt.injected = 1;
	in.interrupt.nr = 0x42;
	ASSERT_EQ(0, set(VCPU_EVENTS, &in));
	get(VCPU_EVENTS, &out);
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));
}

TEST_F(one_vcpu, refused)
{
	struct shvm_vcpu_events good, bad, out;

	get(VCPU_EVENTS, &good);
#define EXPECT_EVENTS_REFUSED(statement)				\
	do {								\
		bad = good;						\
		statement;						\
		EXPECT_EQ(-EINVAL, set(VCPU_EVENTS, &bad))		\
			TH_LOG("%s", #statement);			\
	} while (0)
	EXPECT_EVENTS_REFUSED(bad.flags = 1u << 31);
	EXPECT_EVENTS_REFUSED((bad.exception.injected = 1, bad.exception.nr = 32));
	EXPECT_EVENTS_REFUSED((bad.exception.injected = 1, bad.exception.nr = 2));
	if (self->is_shvm) {
		EXPECT_EVENTS_REFUSED(bad.interrupt.shadow = 4);
		EXPECT_EVENTS_REFUSED(bad.smi.smm = 1);
		EXPECT_EVENTS_REFUSED(bad.smi.pending = 1);
		EXPECT_EVENTS_REFUSED(bad.smi.latched_init = 1);
		EXPECT_EVENTS_REFUSED(bad.triple_fault.pending = 1);
		EXPECT_EVENTS_REFUSED(bad.reserved[25] = 1);
		EXPECT_EVENTS_REFUSED(bad.exception_has_payload = 1);
		EXPECT_EVENTS_REFUSED(bad.exception_payload = 1);
		EXPECT_EVENTS_REFUSED(bad.nmi.pad = 1);
		EXPECT_EVENTS_REFUSED(bad.flags |= 2);
	}
	get(VCPU_EVENTS, &out);
	EXPECT_EQ(0, memcmp(&good, &out, sizeof(out)));
}

GUEST_CODE static void record_and_skip(struct guest_frame *frame)
{
	(void)frame;	/* the exception was set from outside: return to where it came */
}

TEST_F(one_vcpu, injected_exception_is_delivered)
{
	struct shvm_vcpu_events events;
	struct guest_cpu *cpu = self->vcpu->cpu;

	vm_sym(self->vm, guest_handlers)[0][13] = record_and_skip;
	vcpu_set_entry(self->vcpu, guest_counts, 0, 0);
	get(VCPU_EVENTS, &events);
	events.exception.injected = 1;
	events.exception.nr = 13;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0x1230;
	ASSERT_EQ(0, set(VCPU_EVENTS, &events));
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(1, cpu->count[13]);
	EXPECT_EQ(0x1230, cpu->ex.error);
	EXPECT_EQ((u64)guest_counts, cpu->ex.rip);
	get(VCPU_EVENTS, &events);
	EXPECT_EQ(0, events.exception.injected);
}

TEST_F(one_vcpu, set_regs_drops_an_exception)
{
	struct shvm_vcpu_events events;

	get(VCPU_EVENTS, &events);
	events.exception.injected = 1;
	events.exception.nr = 6;
	ASSERT_EQ(0, set(VCPU_EVENTS, &events));
	vcpu_set_entry(self->vcpu, guest_counts, 0, 0);
	get(VCPU_EVENTS, &events);
	if (self->is_shvm)
		EXPECT_EQ(0, events.exception.injected);
	EXPECT_EQ(0, events.exception.pending);
}

TEST_F(one_vcpu, nmi_masked_is_kept_back)
{
	struct shvm_vcpu_events events;
	struct guest_cpu *cpu = self->vcpu->cpu;

	vcpu_set_entry(self->vcpu, guest_counts, 0, 0);
	get(VCPU_EVENTS, &events);
	events.nmi.masked = 1;
	ASSERT_EQ(0, set(VCPU_EVENTS, &events));
	vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(0, cpu->count[2]);
	get(VCPU_EVENTS, &events);
	EXPECT_EQ(1, events.nmi.masked);
	EXPECT_EQ(1, events.nmi.pending);
	events.nmi.masked = 0;
	ASSERT_EQ(0, set(VCPU_EVENTS, &events));
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	EXPECT_EQ(1, cpu->count[2]);
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

TEST_F(one_vcpu, interrupt_bitmap_is_the_interrupt)
{
	struct shvm_interrupt irq = { .irq = 0x91 };
	struct shvm_vcpu_events events;
	struct shvm_sregs sregs;

	vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
	get(SREGS, &sregs);
	EXPECT_EQ(1ull << 0x11, sregs.interrupt_bitmap[2]);
	EXPECT_EQ(0, sregs.interrupt_bitmap[0] | sregs.interrupt_bitmap[1] |
		     sregs.interrupt_bitmap[3]);
	get(VCPU_EVENTS, &events);
	EXPECT_EQ(1, events.interrupt.injected);
	EXPECT_EQ(0x91, events.interrupt.nr);
	EXPECT_EQ(0, events.interrupt.soft);
	events.interrupt.injected = 0;
	ASSERT_EQ(0, set(VCPU_EVENTS, &events));
	get(SREGS, &sregs);
	EXPECT_EQ(0, sregs.interrupt_bitmap[2]);
}

/* ---- MP state ---- */

TEST_F(one_vcpu, mp_state)
{
	struct shvm_mp_state state = { .mp_state = 99 };
	u32 bad;

	get(MP_STATE, &state);
	EXPECT_EQ(SHVM_MP_STATE_RUNNABLE, state.mp_state);
	EXPECT_EQ(0, set(MP_STATE, &state));
	state.mp_state = ~0u;
	EXPECT_EQ(-EINVAL, set(MP_STATE, &state));
	if (!self->is_shvm)	/* depends on the irqchip there */
		return;
	for (bad = 1; bad < 16; bad++) {
		state.mp_state = bad;
		if (bad != SHVM_MP_STATE_HALTED)
			EXPECT_EQ(-EINVAL, set(MP_STATE, &state));
	}
	state.mp_state = SHVM_MP_STATE_HALTED;
	EXPECT_EQ(0, set(MP_STATE, &state));
	state.mp_state = 99;
	get(MP_STATE, &state);
	EXPECT_EQ(SHVM_MP_STATE_HALTED, state.mp_state);
	/* An NMI ends the halt. */
	vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
	ASSERT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
	EXPECT_EQ(1, self->vcpu->cpu->count[2]);
	get(MP_STATE, &state);
	EXPECT_EQ(SHVM_MP_STATE_RUNNABLE, state.mp_state);
}

SHVM_TEST_MAIN
