// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254 timer as wired in a PC, and the part of port 0x61 that belongs to it: channel 0 raises
 * IRQ 0, channel 1 only counts, channel 2 has its gate and its output in port 0x61.
 *
 * Time is CLOCK_MONOTONIC, cut into ticks of 1/1193182 s since the chip was made. The alarm is
 * only a wake-up call for channel 0: what is due is always computed from the time, so an alarm
 * that comes late, or once more after the channel was reprogrammed, does no harm. It is started
 * under the chip's lock only, and never again once the chip is dying.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/nospec.h>

#include "irqchip_internal.h"

#define PORT_PIT		0x40
#define PORT_SYSTEM_CONTROL	0x61

#define CONTROL_CHANNEL_SHIFT	6
#define CONTROL_READ_BACK	3	/* in place of a channel number */
#define CONTROL_ACCESS		0x30	/* 0 is the latch command */

#define READ_BACK_NO_COUNT	BIT(5)
#define READ_BACK_NO_STATUS	BIT(4)
#define READ_BACK_CHANNEL(i)	BIT((i) + 1)

#define PORT61_GATE2		BIT(0)
#define PORT61_WRITABLE		0x0f	/* gate, speaker, two parity enables without effect */
#define PORT61_REFRESH		BIT(4)
#define PORT61_OUT2		BIT(5)

#define REFRESH_TICKS		18	/* memory refresh every 15 us, what BIOSes program */

/*
 * A guest may ask for an interrupt every microsecond; the host does not follow. Periods shorter
 * than this (100.6 us) set off the alarm once per this many ticks, and all that is due by then is
 * one interrupt.
 */
#define PIT_MIN_PERIOD		120

/* The result is smaller than @ns, hence no overflow in 580 years of uptime. */
static u64 pit_ns_to_ticks(u64 ns)
{
	return mul_u64_u64_div_u64(ns, PIT_HZ, NSEC_PER_SEC);
}

/* The first nanosecond that belongs to tick @ticks. */
static u64 pit_ticks_to_ns(u64 ticks)
{
	u64 ns = mul_u64_u64_div_u64(ticks, NSEC_PER_SEC, PIT_HZ);

	return pit_ns_to_ticks(ns) < ticks ? ns + 1 : ns;
}

static u64 pit_now(const struct shvm_irqchip *chip)
{
	return pit_ns_to_ticks(ktime_get_ns() - chip->epoch_ns);
}

static bool pit_is_too_fast(const struct pit_channel *ch)
{
	return shvm_pit_channel_is_periodic(ch) && ch->count < PIT_MIN_PERIOD;
}

/* Bring all channels up to @now and hand over what channel 0 has ticked. */
static void pit_sync(struct shvm_irqchip *chip, u64 now)
{
	struct pit_channel *ch = &chip->channels[0];
	u64 ticks = shvm_pit_channel_sync(ch, now);

	if (pit_is_too_fast(ch))
		ticks = min_t(u64, ticks, 1);
	shvm_irqchip_add_ticks(chip, ticks, PIT_HZ / max_t(u32, ch->count, PIT_MIN_PERIOD));

	shvm_pit_channel_sync(&chip->channels[1], now);
	shvm_pit_channel_sync(&chip->channels[2], now);
}

static void pit_set_alarm(struct shvm_irqchip *chip, u64 now)
{
	const struct pit_channel *ch = &chip->channels[0];
	u64 next = shvm_pit_channel_next(ch);

	if (chip->dying)
		return;
	if (next == U64_MAX) {
		hrtimer_try_to_cancel(&chip->alarm);	/* if it runs: it will find nothing due */
		return;
	}
	if (pit_is_too_fast(ch))
		next = max(next, now + PIT_MIN_PERIOD);
	hrtimer_start(&chip->alarm, ns_to_ktime(chip->epoch_ns + pit_ticks_to_ns(next)),
		      HRTIMER_MODE_ABS);
}

/* The alarm went off. */
void shvm_pit_expire(struct shvm_irqchip *chip)
{
	u64 now = pit_now(chip);

	lockdep_assert_held(&chip->lock);
	pit_sync(chip, now);
	pit_set_alarm(chip, now);
}

static void pit_read_back(struct shvm_irqchip *chip, u64 now, u8 val)
{
	unsigned int i;

	for (i = 0; i < PIT_CHANNELS; i++) {
		if (!(val & READ_BACK_CHANNEL(i)))
			continue;
		if (!(val & READ_BACK_NO_COUNT))
			shvm_pit_channel_latch_count(&chip->channels[i], now);
		if (!(val & READ_BACK_NO_STATUS))
			shvm_pit_channel_latch_status(&chip->channels[i], now);
	}
}

/* A control word may raise OUT, which on channel 0 is an edge like any other. */
static void pit_program_channel(struct shvm_irqchip *chip, struct pit_channel *ch, u64 now, u8 val)
{
	bool out = shvm_pit_channel_out(ch, now);

	shvm_pit_channel_control(ch, val);
	if (ch != &chip->channels[0])
		return;
	chip->backlog = 0;		/* ticks of another period */
	if (!out && shvm_pit_channel_out(ch, now))
		shvm_irqchip_add_ticks(chip, 1, 1);
	pit_set_alarm(chip, now);
}

static struct pit_channel *pit_channel_at(struct shvm_irqchip *chip, unsigned int i)
{
	return &chip->channels[array_index_nospec(i, PIT_CHANNELS)];
}

static void pit_write_control(struct shvm_irqchip *chip, u64 now, u8 val)
{
	unsigned int i = val >> CONTROL_CHANNEL_SHIFT;

	if (i == CONTROL_READ_BACK)
		pit_read_back(chip, now, val);
	else if (!(val & CONTROL_ACCESS))
		shvm_pit_channel_latch_count(pit_channel_at(chip, i), now);
	else
		pit_program_channel(chip, pit_channel_at(chip, i), now, val);
}

static void pit_write_port61(struct shvm_irqchip *chip, u64 now, u8 val)
{
	chip->port61 = val & PORT61_WRITABLE;
	shvm_pit_channel_set_gate(&chip->channels[2], now, val & PORT61_GATE2);
}

static u8 pit_read_port61(struct shvm_irqchip *chip, u64 now)
{
	u8 val = chip->port61;

	if (now / REFRESH_TICKS & 1)
		val |= PORT61_REFRESH;
	if (shvm_pit_channel_out(&chip->channels[2], now))
		val |= PORT61_OUT2;
	return val;
}

void shvm_pit_write(struct shvm_irqchip *chip, u16 port, u8 val)
{
	unsigned int i = port - PORT_PIT;
	u64 now = pit_now(chip);

	lockdep_assert_held(&chip->lock);
	pit_sync(chip, now);
	if (port == PORT_SYSTEM_CONTROL) {
		pit_write_port61(chip, now, val);
	} else if (i >= PIT_CHANNELS) {
		pit_write_control(chip, now, val);
	} else {
		shvm_pit_channel_write(pit_channel_at(chip, i), now, val);
		if (!i)
			pit_set_alarm(chip, now);
	}
}

u8 shvm_pit_read(struct shvm_irqchip *chip, u16 port)
{
	unsigned int i = port - PORT_PIT;
	u64 now = pit_now(chip);

	lockdep_assert_held(&chip->lock);
	pit_sync(chip, now);
	if (port == PORT_SYSTEM_CONTROL)
		return pit_read_port61(chip, now);
	if (i >= PIT_CHANNELS)
		return 0xff;		/* the control word cannot be read */
	return shvm_pit_channel_read(pit_channel_at(chip, i), now);
}

void shvm_pit_reset(struct shvm_irqchip *chip)
{
	chip->epoch_ns = ktime_get_ns();
	chip->port61 = 0;
	shvm_pit_channel_reset(&chip->channels[0], true);
	shvm_pit_channel_reset(&chip->channels[1], true);
	shvm_pit_channel_reset(&chip->channels[2], false);
}
