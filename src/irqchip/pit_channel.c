// SPDX-License-Identifier: GPL-2.0-only
/*
 * One counter of an 8254 (Intel 82C54 data sheet) as a function of time: nothing counts, the
 * counter's value, its OUT pin and its next edge are computed from the tick at which it was loaded.
 *
 * Owns struct pit_channel. The chip's lock is held by the caller of every function, and @now never
 * goes back between calls. Nothing here reads a clock or raises an interrupt.
 *
 * A count is loaded with the tick after the one in which it was written or triggered, so @start may
 * be one ahead of @now; elapsed time is signed for that reason.
 */
#include <linux/math64.h>

#include "irqchip_internal.h"

#define CONTROL_BCD		BIT(0)
#define CONTROL_ACCESS		0x30
#define ACCESS_LOW		0x10
#define ACCESS_HIGH		0x20
#define ACCESS_BOTH		0x30

#define STATUS_OUT		BIT(7)
#define STATUS_NULL_COUNT	BIT(6)

enum pit_mode {
	PIT_TERMINAL_COUNT,	/* OUT rises once, count ticks after the write */
	PIT_ONE_SHOT,		/* OUT low for count ticks after the gate rises */
	PIT_RATE,		/* OUT low for the last tick of each period */
	PIT_SQUARE,		/* OUT high for the first half of each period */
	PIT_SOFT_STROBE,	/* OUT low for one tick, count ticks after the write */
	PIT_HARD_STROBE,	/* OUT low for one tick, count ticks after the gate rises */
};

static enum pit_mode channel_mode(const struct pit_channel *ch)
{
	unsigned int mode = (ch->control >> 1) & 7;

	return mode > PIT_HARD_STROBE ? mode & 3 : mode;	/* 6 and 7 are 2 and 3 */
}

static bool channel_is_triggered(const struct pit_channel *ch)
{
	enum pit_mode mode = channel_mode(ch);

	return mode == PIT_ONE_SHOT || mode == PIT_HARD_STROBE;
}

bool shvm_pit_channel_is_periodic(const struct pit_channel *ch)
{
	enum pit_mode mode = channel_mode(ch);

	return mode == PIT_RATE || mode == PIT_SQUARE;
}

static u32 channel_modulus(const struct pit_channel *ch)
{
	return ch->control & CONTROL_BCD ? 10000 : 65536;
}

static s64 channel_elapsed(const struct pit_channel *ch, u64 now)
{
	return ch->running ? now - ch->start : ch->held;
}

/* Square wave: length of the high half. An odd count gives it the extra tick. */
static u32 square_high(u32 count)
{
	return (count + 1) / 2;
}

/* Ticks after @start at which OUT of a one-shot mode rises. */
static u64 channel_fire_after(const struct pit_channel *ch)
{
	enum pit_mode mode = channel_mode(ch);

	return (u64)ch->count + (mode == PIT_SOFT_STROBE || mode == PIT_HARD_STROBE);
}

static void channel_load(struct pit_channel *ch, u64 now)
{
	ch->count = ch->written;
	ch->start = now + 1;
	ch->held = 0;
	ch->running = ch->gate || channel_is_triggered(ch);
	ch->fired = false;
	ch->fresh = false;
	ch->switching = false;
}

/* The new count takes over at switch_at. Returns the edges up to there. */
static u64 channel_switch(struct pit_channel *ch)
{
	bool at_end = ch->switch_at == ch->start + ch->count;

	ch->count = ch->written;
	ch->start = at_end ? ch->switch_at : ch->switch_at - square_high(ch->count);
	ch->switching = false;
	ch->fresh = false;
	return at_end;
}

static u64 channel_sync_periodic(struct pit_channel *ch, u64 now)
{
	u64 edges = 0;
	u64 periods;

	if (ch->switching && now >= ch->switch_at)
		edges = channel_switch(ch);
	if (channel_elapsed(ch, now) < 0)
		return edges;
	periods = div64_u64(now - ch->start, ch->count);
	ch->start += periods * ch->count;
	return edges + periods;
}

/*
 * Bring the state up to @now: afterwards a periodic counter is less than a period behind. Needed
 * before everything else that takes @now. Returns how often OUT has risen by itself since the last
 * call.
 */
u64 shvm_pit_channel_sync(struct pit_channel *ch, u64 now)
{
	if (!ch->loaded || !ch->running)
		return 0;
	if (shvm_pit_channel_is_periodic(ch))
		return channel_sync_periodic(ch, now);
	if (ch->fired || channel_elapsed(ch, now) < (s64)channel_fire_after(ch))
		return 0;
	ch->fired = true;
	return 1;
}

/* Tick at which to call sync again, U64_MAX if OUT stays as it is. */
u64 shvm_pit_channel_next(const struct pit_channel *ch)
{
	if (!ch->loaded || !ch->running)
		return U64_MAX;
	if (shvm_pit_channel_is_periodic(ch))
		return ch->switching ? ch->switch_at : ch->start + ch->count;
	return ch->fired ? U64_MAX : ch->start + channel_fire_after(ch);
}

bool shvm_pit_channel_out(const struct pit_channel *ch, u64 now)
{
	s64 elapsed = channel_elapsed(ch, now);
	enum pit_mode mode = channel_mode(ch);

	if (!ch->loaded)
		return mode != PIT_TERMINAL_COUNT;
	switch (mode) {
	case PIT_TERMINAL_COUNT:
		return elapsed >= (s64)ch->count;
	case PIT_ONE_SHOT:
		return !ch->running || elapsed < 0 || elapsed >= (s64)ch->count;
	case PIT_RATE:
		return !ch->running || elapsed != (s64)ch->count - 1;
	case PIT_SQUARE:
		return !ch->running || elapsed < (s64)square_high(ch->count);
	default:
		return elapsed != (s64)ch->count;
	}
}

/* The counting element as a number, before BCD. */
static u32 channel_value(const struct pit_channel *ch, u64 now)
{
	u32 modulus = channel_modulus(ch);
	s64 elapsed = channel_elapsed(ch, now);
	u32 high = square_high(ch->count);
	u32 gone;

	if (!ch->loaded || elapsed < 0)
		return ch->count % modulus;
	if (channel_mode(ch) == PIT_SQUARE) {
		/* Counts by two, from an even number, once per half. */
		gone = elapsed < high ? elapsed : elapsed - high;
		return ((ch->count & ~1U) - 2 * gone) % modulus;
	}
	gone = (u64)elapsed % modulus;
	return (ch->count + modulus - gone) % modulus;
}

static u16 channel_encode(const struct pit_channel *ch, u32 value)
{
	if (!(ch->control & CONTROL_BCD))
		return value;
	return value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
}

/* Digits above 9 count as what they weigh: any defined value will do. 0 is the largest count. */
static u32 channel_decode(const struct pit_channel *ch, u16 raw)
{
	u32 count = raw;

	if (ch->control & CONTROL_BCD)
		count = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 +
			(raw & 15);
	return count ?: channel_modulus(ch);
}

/* The guest has written a complete count. */
static void channel_set_count(struct pit_channel *ch, u64 now, u16 raw)
{
	bool first = !ch->loaded;
	u64 end = ch->start + ch->count;
	u64 half = ch->start + square_high(ch->count);

	ch->written = channel_decode(ch, raw);
	ch->loaded = true;
	ch->fresh = true;

	if (channel_is_triggered(ch))
		return;			/* the gate will load it */
	if (!shvm_pit_channel_is_periodic(ch) || first || !ch->running ||
	    channel_elapsed(ch, now) < 0) {
		channel_load(ch, now);
		return;
	}
	/* The period, or half of a square wave, under way is finished first. */
	ch->switching = true;
	ch->switch_at = channel_mode(ch) == PIT_SQUARE && now < half ? half : end;
}

void shvm_pit_channel_write(struct pit_channel *ch, u64 now, u8 val)
{
	switch (ch->control & CONTROL_ACCESS) {
	case ACCESS_LOW:
		channel_set_count(ch, now, val);
		return;
	case ACCESS_HIGH:
		channel_set_count(ch, now, val << 8);
		return;
	}
	if (ch->write_high) {
		ch->write_high = false;
		channel_set_count(ch, now, val << 8 | ch->low_byte);
		return;
	}
	ch->low_byte = val;
	ch->write_high = true;
	if (channel_mode(ch) == PIT_TERMINAL_COUNT)
		ch->loaded = false;	/* half a count stops it, OUT falls */
}

u8 shvm_pit_channel_read(struct pit_channel *ch, u64 now)
{
	u16 value = ch->latched ? ch->latch : channel_encode(ch, channel_value(ch, now));
	bool high = (ch->control & CONTROL_ACCESS) == ACCESS_HIGH;
	bool more = false;

	if (ch->status_latched) {
		ch->status_latched = false;
		return ch->status;
	}
	if ((ch->control & CONTROL_ACCESS) == ACCESS_BOTH) {
		high = ch->read_high;
		more = !high;
		ch->read_high = more;
	}
	if (!more)
		ch->latched = false;
	return high ? value >> 8 : value;
}

/* A second latch before the first has been read changes nothing. */
void shvm_pit_channel_latch_count(struct pit_channel *ch, u64 now)
{
	if (ch->latched)
		return;
	ch->latch = channel_encode(ch, channel_value(ch, now));
	ch->latched = true;
}

void shvm_pit_channel_latch_status(struct pit_channel *ch, u64 now)
{
	bool null_count = ch->fresh || (ch->running && channel_elapsed(ch, now) < 0);

	if (ch->status_latched)
		return;
	ch->status = ch->control;
	if (shvm_pit_channel_out(ch, now))
		ch->status |= STATUS_OUT;
	if (null_count)
		ch->status |= STATUS_NULL_COUNT;
	ch->status_latched = true;
}

void shvm_pit_channel_control(struct pit_channel *ch, u8 val)
{
	ch->control = val & (CONTROL_ACCESS | 0x0f);
	ch->held = 0;
	ch->loaded = false;
	ch->running = false;
	ch->fired = false;
	ch->fresh = true;
	ch->switching = false;
	ch->write_high = false;
	ch->read_high = false;
	ch->latched = false;
	ch->status_latched = false;
}

static void channel_pause(struct pit_channel *ch, u64 now)
{
	s64 elapsed = channel_elapsed(ch, now);

	ch->held = elapsed > 0 ? elapsed : 0;
	ch->running = false;
}

void shvm_pit_channel_set_gate(struct pit_channel *ch, u64 now, bool gate)
{
	if (ch->gate == gate)
		return;
	ch->gate = gate;
	if (!ch->loaded)
		return;
	if (channel_is_triggered(ch)) {
		if (gate)
			channel_load(ch, now);
	} else if (!gate) {
		channel_pause(ch, now);
	} else if (shvm_pit_channel_is_periodic(ch)) {
		channel_load(ch, now);
	} else {
		ch->start = now - ch->held;
		ch->running = true;
	}
}

/* Power-on: OUT high, no count, so nothing happens until the guest programs it. */
void shvm_pit_channel_reset(struct pit_channel *ch, bool gate)
{
	*ch = (struct pit_channel){ .gate = gate, .count = 65536, .written = 65536 };
	shvm_pit_channel_control(ch, ACCESS_BOTH | PIT_RATE << 1);
}
