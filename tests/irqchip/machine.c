// SPDX-License-Identifier: GPL-2.0-only
/* The machine around the chip: time, ports, and the interpreter of stories. */
#include <assert.h>
#include <stdio.h>

#include <linux/hrtimer.h>
#include <linux/spinlock.h>

#include "machine.h"

static void machine_kick(void *opaque)
{
	struct machine *m = opaque;

	assert(!shim_locks_held);
	assert(shvm_irqchip_has_irq(m->chip));
	m->kicks++;
}

void machine_start(struct machine *m)
{
	*m = (struct machine){ 0 };
	shim_now_ns = 987654321987654321ULL;	/* 31 years: a sloppy product overflows */
	m->epoch_ns = shim_now_ns;
	m->chip = shvm_irqchip_create(machine_kick, m);
	assert(m->chip);
}

void machine_stop(struct machine *m)
{
	shvm_irqchip_destroy(m->chip);
	shim_advance(shim_now_ns + NSEC_PER_SEC);
}

void machine_run_ticks(struct machine *m, u64 nr)
{
	unsigned __int128 ns;

	m->ticks += nr;
	ns = ((unsigned __int128)m->ticks * NSEC_PER_SEC + 1193181) / 1193182;
	shim_advance(m->epoch_ns + ns);
}

void machine_out(struct machine *m, u16 port, u8 val)
{
	u32 v = val;

	assert(shvm_irqchip_pio(m->chip, port, 1, true, &v));
}

u8 machine_in(struct machine *m, u16 port)
{
	u32 v = 0xdeadbeef;

	assert(shvm_irqchip_pio(m->chip, port, 1, false, &v));
	assert(v < 0x100);
	return v;
}

static u32 machine_in16(struct machine *m, u16 port)
{
	u32 low = machine_in(m, port);

	return low | machine_in(m, port) << 8;
}

static void machine_out16(struct machine *m, u16 port, u16 val)
{
	machine_out(m, port, val & 0xff);
	machine_out(m, port, val >> 8);
}

static void machine_init_pic(struct machine *m, u16 port, u32 icws)
{
	machine_out(m, port, 0x11);
	machine_out(m, port + 1, icws & 0xff);
	machine_out(m, port + 1, icws >> 8 & 0xff);
	machine_out(m, port + 1, icws >> 16);
}

static u32 serve_all(struct machine *m, u32 want, u32 limit)
{
	u32 nr = 0;

	while (nr <= limit && shvm_irqchip_has_irq(m->chip)) {
		if (shvm_irqchip_ack(m->chip) != (int)want)
			return ~0U;
		machine_out(m, 0x20, 0x20);
		nr++;
	}
	return nr;
}

/* What a step observes, and what it should have. Actions observe what they want. */
static u32 step_run(struct machine *m, const struct step *step, u32 *want)
{
	u32 got;

	*want = step->a;
	switch (step->kind) {
	case STEP_OUT:
		machine_out(m, step->a, step->b);
		return *want;
	case STEP_IN:
		*want = step->b;
		return machine_in(m, step->a);
	case STEP_OUT16:
		machine_out16(m, step->a, step->b);
		return *want;
	case STEP_IN16:
		*want = step->b;
		return machine_in16(m, step->a);
	case STEP_STATUS:
		*want = step->b;
		machine_out(m, 0x43, 0xe0 | 2 << step->a);
		return machine_in(m, 0x40 + step->a);
	case STEP_PIC_INIT:
		machine_init_pic(m, step->a, step->b);
		return *want;
	case STEP_UP:
	case STEP_DOWN:
		shvm_irqchip_set_irq(m->chip, step->a, step->kind == STEP_UP);
		return *want;
	case STEP_ACK:
		return shvm_irqchip_ack(m->chip);
	case STEP_INTR:
		return shvm_irqchip_has_irq(m->chip);
	case STEP_TICKS:
		machine_run_ticks(m, step->a);
		return *want;
	case STEP_KICKS:
		got = m->kicks;
		m->kicks = 0;
		return got;
	case STEP_SERVE:
		*want = step->b;
		return serve_all(m, step->a, step->b);
	}
	abort();
}

bool story_run(const struct story *story)
{
	static const struct step init[] = {
		PIC_INIT(0x20, 0x20, 0x04, 0x01), PIC_INIT(0xa0, 0x28, 0x02, 0x01),
	};
	struct machine m;
	u32 want, got;
	size_t i;

	machine_start(&m);
	for (i = 0; story->ready && i < ARRAY_SIZE(init); i++)
		step_run(&m, &init[i], &want);
	for (i = 0; i < story->nr_steps; i++) {
		got = step_run(&m, &story->steps[i], &want);
		if (got == want)
			continue;
		printf("# %s, step %zu (near line %d): want 0x%x, got 0x%x\n", story->name, i,
		       story->steps[i].line, want, got);
		machine_stop(&m);
		return false;
	}
	machine_stop(&m);
	return true;
}
