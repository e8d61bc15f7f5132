// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest code of the library: the C half of the exception handling, and what many tests run.
 */
#include "guest.h"

GUEST_DATA guest_handler_fn guest_handlers[256] = { 0 };

void guest_exception(struct guest_frame *frame);

/* Of the first 32 vectors these return to where they happened; the others are faults or aborts. */
GUEST_INLINE int vector_is_fault(u64 vector)
{
	return vector < 32 && (vector == 0 || vector > 4);
}

GUEST_INLINE void exception_record(struct guest_cpu *cpu, struct guest_frame *frame)
{
	cpu->nr_exceptions++;
	cpu->count[frame->vector]++;
	cpu->ex.vector = frame->vector;
	cpu->ex.error = frame->error;
	cpu->ex.cr2 = guest_read_cr2();
	cpu->ex.rip = frame->rip;
	cpu->ex.cs = frame->cs;
	cpu->ex.rflags = frame->rflags;
	cpu->ex.rsp = frame->rsp;
}

GUEST_CODE void guest_exception(struct guest_frame *frame)
{
	struct guest_cpu *cpu = guest_cpu();

	exception_record(cpu, frame);
	if (guest_handlers[frame->vector]) {
		guest_handlers[frame->vector](frame);
	} else if (vector_is_fault(frame->vector)) {
		if (frame->r10 != NO_EXCEPTION)
			guest_ucall(UCALL_EXCEPTION, frame->vector, frame->error, frame->rip);
		frame->rip = frame->r11;
		frame->rsp = frame->r9;
		frame->r10 = frame->vector;
		frame->r11 = frame->error;
		frame->r9 = cpu->ex.cr2;
	}
}

GUEST_CODE void guest_done(void)
{
	for (;;)
		GUEST_DONE();
}

GUEST_DATA volatile u64 guest_spins = 0;

/*
 * With interrupts on: in a guest that was entered with them off, the emulated CPU takes none for
 * the host either, against the SDM, and the machine would hang.
 */
GUEST_CODE void guest_spin(void)
{
	asm volatile("sti");
	for (;;)
		guest_spins++;
}

GUEST_CODE void guest_read(u64 gva)
{
	GUEST_SYNC(guest_read64(gva));
}

GUEST_CODE void guest_write(u64 gva, u64 value)
{
	guest_write64(gva, value);
	GUEST_SYNC(0);
}
