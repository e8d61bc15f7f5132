// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channel 2 against an oracle that is built the other way round: a counter that is really clocked,
 * tick by tick, and does what the 82C54 data sheet says happens at a clock pulse. Random programs
 * with random gates, and counter, OUT and status are compared at random times.
 */
#include <stdio.h>

#include "machine.h"

struct model {
	unsigned int mode;
	bool bcd;
	bool gate;
	bool out;
	bool counting;		/* a count is in the counter and the mode lets it run */
	bool load;		/* transfer the register at the next clock */
	bool null;
	bool have_count;
	bool extra;		/* square wave: the odd tick */
	bool done;
	u32 reg;
	u32 ce;
};

static u32 model_modulus(const struct model *o)
{
	return o->bcd ? 10000 : 65536;
}

static void model_control(struct model *o, unsigned int mode, bool bcd)
{
	*o = (struct model){ .mode = mode, .bcd = bcd, .gate = o->gate, .null = true };
	o->out = mode != 0;
}

static void model_count(struct model *o, u32 count)
{
	bool first = !o->have_count;

	o->reg = count;
	o->null = true;
	o->have_count = true;
	switch (o->mode) {
	case 0:
		o->out = false;
		o->load = true;
		break;
	case 4:
		o->out = true;
		o->load = true;
		break;
	case 2:
	case 3:
		if (first || !o->gate)
			o->load = true;
		break;
	}
}

static void model_gate(struct model *o, bool gate)
{
	bool rise = gate && !o->gate;

	o->gate = gate;
	if (o->mode == 2 || o->mode == 3) {
		if (!gate)
			o->out = true;
		else if (rise && o->have_count)
			o->load = true;
	} else if ((o->mode == 1 || o->mode == 5) && rise && o->have_count) {
		o->load = true;
	}
}

static void model_load(struct model *o)
{
	o->ce = o->reg;
	o->load = false;
	o->null = false;
	o->counting = true;
	o->done = false;
	if (o->mode == 1)
		o->out = false;
	if (o->mode == 2 || o->mode == 3 || o->mode == 4 || o->mode == 5)
		o->out = true;
	if (o->mode == 3) {
		o->extra = o->reg & 1;
		o->ce = o->reg & ~1U;
	}
}

static u32 model_minus(const struct model *o, u32 val, u32 step)
{
	return (val + model_modulus(o) - step) % model_modulus(o);
}

static void model_clock_square(struct model *o)
{
	if (o->ce != 2 && o->ce != 0) {
		o->ce = model_minus(o, o->ce, 2);
		return;
	}
	if (o->ce == 2 && o->out && o->extra) {
		o->ce = 0;		/* an odd count stays high for one tick at 0 */
		return;
	}
	o->out = !o->out;
	o->null = false;
	o->extra = o->reg & 1;
	o->ce = o->reg & ~1U;
}

static void model_clock(struct model *o)
{
	if (o->load) {
		model_load(o);
		return;
	}
	if (!o->counting)
		return;
	if (!o->gate && o->mode != 1 && o->mode != 5)
		return;
	if (o->mode == 3) {
		model_clock_square(o);
		return;
	}
	if (o->mode == 2 && o->ce % model_modulus(o) == 1) {
		model_load(o);
		return;
	}
	o->ce = model_minus(o, o->ce, 1);
	if (o->mode == 2) {
		o->out = o->ce != 1;
	} else if (o->mode < 2) {
		o->out |= o->ce == 0;
	} else {
		o->out = o->ce != 0 || o->done;
		o->done |= o->ce == 0;
	}
}

static u16 model_read(const struct model *o)
{
	u32 v = o->ce % model_modulus(o);

	if (!o->bcd)
		return v;
	return v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

static u64 seed = 88172645463325252ULL;

static u32 random_below(u32 limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 16) % limit;
}

static u16 to_bcd(u32 v)
{
	return v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

/* Modes 2 and 3 do not allow a count of 1; mode 3 on the part is useless below 3, too. */
static u32 random_count(const struct model *o)
{
	u32 max = random_below(4) ? 40 : model_modulus(o) - 4;

	return 4 + random_below(max);
}

static void both_count(struct machine *m, struct model *o)
{
	u32 count = random_count(o);
	u16 raw = o->bcd ? to_bcd(count) : count;

	machine_out(m, 0x42, raw & 0xff);
	machine_out(m, 0x42, raw >> 8);
	model_count(o, count);
}

static void both_control(struct machine *m, struct model *o)
{
	unsigned int mode = random_below(6);
	bool bcd = random_below(2);

	machine_out(m, 0x43, 0xb0 | mode << 1 | bcd);
	model_control(o, mode, bcd);
	both_count(m, o);
}

static void both_gate(struct machine *m, struct model *o)
{
	bool gate = random_below(2);

	machine_out(m, 0x61, gate);
	model_gate(o, gate);
}

static void both_run(struct machine *m, struct model *o)
{
	u32 i, nr = 1 + random_below(random_below(8) ? 60 : 70000);

	machine_run_ticks(m, nr);
	for (i = 0; i < nr; i++)
		model_clock(o);
}

static bool both_equal(struct machine *m, const struct model *o)
{
	u16 count, want = model_read(o);
	u8 status;

	machine_out(m, 0x43, 0xc8);
	status = machine_in(m, 0x42);
	count = machine_in(m, 0x42);
	count |= machine_in(m, 0x42) << 8;
	if (!!(status & 0x80) != o->out || !!(machine_in(m, 0x61) & 0x20) != o->out ||
	    !!(status & 0x40) != o->null)
		goto differ;
	/* Before the first load the counter holds what the part does not define. */
	if (o->counting && count != want)
		goto differ;
	return true;
differ:
	printf("# tick %llu mode %u bcd %d gate %d: want out %d null %d 0x%x, got 0x%02x 0x%x\n",
	       m->ticks, o->mode, o->bcd, o->gate, o->out, o->null, want, status, count);
	return false;
}

bool pit_matches_model(void)
{
	struct model o = { 0 };
	struct machine m;
	bool ok = true;
	int i;

	machine_start(&m);
	both_control(&m, &o);
	for (i = 0; ok && i < 100000; i++) {
		switch (random_below(12)) {
		case 0:
			both_control(&m, &o);
			break;
		case 1:
			both_count(&m, &o);
			break;
		case 2:
		case 3:
			both_gate(&m, &o);
			break;
		}
		both_run(&m, &o);
		ok = both_equal(&m, &o);
	}
	machine_stop(&m);
	return ok;
}
