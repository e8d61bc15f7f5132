// SPDX-License-Identifier: GPL-2.0-only
/*
 * The legacy interrupt hardware as one object: lifetime, lock, port map, INTR and its kick, and the
 * ticks of IRQ 0.
 *
 * Owns the chip's lock: every entry point is chip_lock(), a change, chip_unlock(). The latter is
 * the only place where INTR is computed and the only caller of kick().
 *
 * Ticks. A vCPU that was not running, or was slow, must not lose ticks: a guest counts them to tell
 * the time until it trusts its TSC. An expiry of channel 0 while the previous one still waits for
 * its EOI is therefore kept in a backlog, and the next tick is raised at that EOI.
 * The backlog is limited to one second's worth of ticks, so that a guest that was stopped for an
 * hour is not busy with the past; it is dropped when channel 0 gets a control word or the master an
 * ICW1. A tick that finds IRQ 0 masked and one tick already waiting behind the mask is lost, as on
 * the real machine: a guest that masks its timer for long does not want those ticks.
 */
#include <linux/compiler.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "irqchip_internal.h"

#define TICK_BIT	BIT(0)		/* IRQ 0 in the master */

static unsigned long chip_lock(struct shvm_irqchip *chip)
	__acquires(&chip->lock)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&chip->lock, flags);
	return flags;
}

/* A tick is on its way from its edge to its EOI. */
static bool chip_tick_in_flight(const struct shvm_irqchip *chip)
{
	const struct pic *master = &chip->pics[PIC_MASTER];

	return (master->edges | master->isr) & TICK_BIT;
}

static void chip_raise_tick(struct shvm_irqchip *chip)
{
	/* Not through the line, which user space may be holding up. */
	chip->pics[PIC_MASTER].edges |= TICK_BIT;
}

static void chip_unlock(struct shvm_irqchip *chip, unsigned long flags)
	__releases(&chip->lock)
{
	bool old = chip->intr;
	bool new;

	if (chip->backlog && !chip_tick_in_flight(chip)) {
		chip->backlog--;
		chip_raise_tick(chip);
	}
	new = shvm_pic_update(chip);
	WRITE_ONCE(chip->intr, new);	/* before the kick; read in has_irq() */
	raw_spin_unlock_irqrestore(&chip->lock, flags);

	if (new && !old)
		chip->kick(chip->opaque);
}

/* Channel 0 has ticked @ticks times; remember at most @limit beyond the one under way. */
void shvm_irqchip_add_ticks(struct shvm_irqchip *chip, u64 ticks, u32 limit)
{
	bool masked = chip->pics[PIC_MASTER].imr & TICK_BIT;

	lockdep_assert_held(&chip->lock);
	if (ticks && !chip_tick_in_flight(chip)) {
		chip_raise_tick(chip);
		ticks--;
	}
	if (!masked)
		chip->backlog = min_t(u64, chip->backlog + ticks, limit);
}

static enum hrtimer_restart chip_alarm(struct hrtimer *timer)
{
	struct shvm_irqchip *chip = container_of(timer, struct shvm_irqchip, alarm);
	unsigned long flags = chip_lock(chip);

	shvm_pit_expire(chip);
	chip_unlock(chip, flags);
	return HRTIMER_NORESTART;	/* restarted under the lock, if at all */
}

struct shvm_irqchip *shvm_irqchip_create(void (*kick)(void *opaque), void *opaque)
{
	struct shvm_irqchip *chip = kzalloc(sizeof(*chip), GFP_KERNEL_ACCOUNT);

	if (!chip)
		return NULL;
	raw_spin_lock_init(&chip->lock);
	hrtimer_init(&chip->alarm, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	chip->alarm.function = chip_alarm;
	chip->kick = kick;
	chip->opaque = opaque;
	shvm_pic_reset(chip);
	shvm_pit_reset(chip);
	return chip;
}

void shvm_irqchip_destroy(struct shvm_irqchip *chip)
{
	unsigned long flags;

	if (!chip)
		return;
	flags = chip_lock(chip);
	chip->dying = true;
	chip_unlock(chip, flags);
	hrtimer_cancel(&chip->alarm);	/* waits for the callback, which cannot restart it now */
	kfree(chip);
}

void shvm_irqchip_set_irq(struct shvm_irqchip *chip, unsigned int irq, bool level)
{
	unsigned long flags;

	if (WARN_ON_ONCE(irq >= SHVM_IRQCHIP_LINES) || irq == PIC_CASCADE_IRQ)
		return;
	flags = chip_lock(chip);
	shvm_pic_set_line(&chip->pics[irq < 8 ? PIC_MASTER : PIC_SLAVE], irq & 7, level);
	chip_unlock(chip, flags);
}

bool shvm_irqchip_has_irq(const struct shvm_irqchip *chip)
{
	return READ_ONCE(chip->intr);
}

int shvm_irqchip_ack(struct shvm_irqchip *chip)
{
	unsigned long flags = chip_lock(chip);
	u8 vector = shvm_pic_ack(chip);

	chip_unlock(chip, flags);
	return vector;
}

static bool chip_owns_port(u32 port)
{
	switch (port) {
	case 0x20 ... 0x21:
	case 0x40 ... 0x43:
	case 0x61:
	case 0xa0 ... 0xa1:
	case 0x4d0 ... 0x4d1:
		return true;
	}
	return false;
}

static void chip_write_port(struct shvm_irqchip *chip, u32 port, u8 val)
{
	switch (port) {
	case 0x20 ... 0x21:
		shvm_pic_write(chip, &chip->pics[PIC_MASTER], port & 1, val);
		break;
	case 0xa0 ... 0xa1:
		shvm_pic_write(chip, &chip->pics[PIC_SLAVE], port & 1, val);
		break;
	case 0x4d0 ... 0x4d1:
		shvm_pic_write_elcr(&chip->pics[port & 1], val);
		break;
	case 0x40 ... 0x43:
	case 0x61:
		shvm_pit_write(chip, port, val);
		break;
	}
}

static u8 chip_read_port(struct shvm_irqchip *chip, u32 port)
{
	switch (port) {
	case 0x20 ... 0x21:
		return shvm_pic_read(chip, &chip->pics[PIC_MASTER], port & 1);
	case 0xa0 ... 0xa1:
		return shvm_pic_read(chip, &chip->pics[PIC_SLAVE], port & 1);
	case 0x4d0 ... 0x4d1:
		return chip->pics[port & 1].elcr;
	case 0x40 ... 0x43:
	case 0x61:
		return shvm_pit_read(chip, port);
	}
	return 0xff;
}

bool shvm_irqchip_pio(struct shvm_irqchip *chip, u16 port, unsigned int size, bool write,
		      u32 *val)
{
	unsigned long flags;
	unsigned int i;
	u32 in = 0;

	if (!chip_owns_port(port))
		return false;

	flags = chip_lock(chip);
	for (i = 0; i < min(size, 4U); i++) {
		if (write)
			chip_write_port(chip, port + i, *val >> (8 * i));
		else
			in |= (u32)chip_read_port(chip, port + i) << (8 * i);
	}
	chip_unlock(chip, flags);

	if (!write)
		*val = in;
	return true;
}
