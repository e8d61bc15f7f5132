// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two cascaded 8259A interrupt controllers as a PC chipset has them (Intel 8259A data sheet; the
 * edge/level registers at 0x4d0 are those of the PIIX).
 *
 * Owns struct pic. The chip's lock is held by the caller of every function. Nothing here
 * sleeps, kicks or knows about time.
 *
 * Deliberate differences from the part:
 *  - a rising edge stays requested when its line falls again, because VMMs pulse their lines;
 *  - ICW1.LTIM is ignored: the edge/level registers replace it, as in chipsets;
 *  - no INT output between ICW1 and the last ICW, nor before the first: there is no vector yet;
 *  - ICW4 cannot choose the MCS-80 vector format and the buffered modes, which a PC does not have.
 */
#include <linux/bitops.h>

#include "irqchip_internal.h"

#define ICW1_IC4		BIT(0)
#define ICW1_SINGLE		BIT(1)
#define ICW1			BIT(4)
#define ICW4_AUTO_EOI		BIT(1)
#define ICW4_SPECIAL_NESTED	BIT(4)

#define OCW2_LEVEL		0x07
#define OCW2_EOI		BIT(5)
#define OCW2_SPECIFIC		BIT(6)
#define OCW2_ROTATE		BIT(7)

#define OCW3			BIT(3)
#define OCW3_READ_ISR		BIT(0)
#define OCW3_READ		BIT(1)
#define OCW3_POLL		BIT(2)
#define OCW3_SPECIAL_MASK	BIT(5)
#define OCW3_SET_SPECIAL_MASK	BIT(6)

#define POLL_PENDING		BIT(7)
#define SPURIOUS_IRQ		7
#define NO_IRQ			(-1)

/* IRQ 0, 1, 2, 8 and 13 belong to devices of the board and are always edge-triggered. */
#define ELCR_MASTER		0xf8
#define ELCR_SLAVE		0xde

static u8 pic_irr(const struct pic *pic)
{
	return pic->edges | (pic->lines & pic->elcr);
}

/* 0 is the highest priority. */
static unsigned int pic_rank(const struct pic *pic, unsigned int irq)
{
	return (irq - pic->lowest - 1) & 7;
}

/* The member of @set with the highest priority. */
static int pic_highest(const struct pic *pic, u8 set)
{
	unsigned int shift = (pic->lowest + 1) & 7;

	if (!set)
		return NO_IRQ;
	return (__ffs(ror8(set, shift)) + shift) & 7;
}

/* In-service bits that hold back others, and that a non-specific EOI sees. */
static u8 pic_effective_isr(const struct pic *pic)
{
	return pic->special_mask ? pic->isr & ~pic->imr : pic->isr;
}

/* The request that the INT output stands for. */
static int pic_pending(const struct pic *pic)
{
	int irq = pic_highest(pic, pic_irr(pic) & ~pic->imr);
	int busy = pic_highest(pic, pic_effective_isr(pic));

	if (!pic->ready || irq == NO_IRQ)
		return NO_IRQ;
	if (busy == NO_IRQ || pic_rank(pic, irq) < pic_rank(pic, busy))
		return irq;
	/* Special fully nested: a slave in service may interrupt itself with something better. */
	if (irq == busy && pic->special_nested && (pic->slaves & BIT(irq)))
		return irq;
	return NO_IRQ;
}

/* The slave's INT falls at every acknowledge: what else it has to say is a new edge. */
static void pic_drop_cascade(struct shvm_irqchip *chip)
{
	struct pic *master = &chip->pics[PIC_MASTER];

	master->lines &= ~BIT(PIC_CASCADE_IRQ);
	master->edges &= ~BIT(PIC_CASCADE_IRQ);
}

/* INTA for one controller; @irq is pending. */
static void pic_accept(struct shvm_irqchip *chip, struct pic *pic, int irq)
{
	pic->edges &= ~BIT(irq);
	if (!pic->auto_eoi)
		pic->isr |= BIT(irq);
	else if (pic->rotate_on_auto_eoi)
		pic->lowest = irq;

	if (pic == &chip->pics[PIC_SLAVE])
		pic_drop_cascade(chip);
}

/* INTA as seen by one controller: the request, or 7 if it has gone. */
static int pic_inta(struct shvm_irqchip *chip, struct pic *pic)
{
	int irq = pic_pending(pic);

	if (irq == NO_IRQ)
		return SPURIOUS_IRQ;
	pic_accept(chip, pic, irq);
	return irq;
}

u8 shvm_pic_ack(struct shvm_irqchip *chip)
{
	struct pic *master = &chip->pics[PIC_MASTER];
	struct pic *slave = &chip->pics[PIC_SLAVE];
	bool cascaded = master->slaves & BIT(PIC_CASCADE_IRQ);
	int irq;

	lockdep_assert_held(&chip->lock);
	irq = pic_inta(chip, master);
	if (irq != PIC_CASCADE_IRQ || !cascaded)
		return master->vector_base + irq;
	return slave->vector_base + pic_inta(chip, slave);
}

/* Propagate the slave's INT and compute the master's: INTR. Needed after every change. */
bool shvm_pic_update(struct shvm_irqchip *chip)
{
	lockdep_assert_held(&chip->lock);
	shvm_pic_set_line(&chip->pics[PIC_MASTER], PIC_CASCADE_IRQ,
			  pic_pending(&chip->pics[PIC_SLAVE]) != NO_IRQ);
	return pic_pending(&chip->pics[PIC_MASTER]) != NO_IRQ;
}

void shvm_pic_set_line(struct pic *pic, unsigned int irq, bool level)
{
	u8 bit = BIT(irq & 7);

	if (!level) {
		pic->lines &= ~bit;
		return;
	}
	if (!(pic->lines & bit) && !(pic->elcr & bit))
		pic->edges |= bit;
	pic->lines |= bit;
}

/* ICW1 forgets everything but the input levels, the edge/level register and ICW2. */
static void pic_start_init(struct shvm_irqchip *chip, struct pic *pic, u8 icw1)
{
	pic->edges = 0;
	pic->imr = 0;
	pic->isr = 0;
	pic->lowest = 7;
	pic->slaves = 0;
	pic->auto_eoi = false;
	pic->rotate_on_auto_eoi = false;
	pic->special_mask = false;
	pic->special_nested = false;
	pic->read_isr = false;
	pic->poll = false;
	pic->ready = false;
	pic->need_icw3 = !(icw1 & ICW1_SINGLE);
	pic->need_icw4 = icw1 & ICW1_IC4;
	pic->step = PIC_STEP_ICW2;

	if (pic == &chip->pics[PIC_MASTER])
		chip->backlog = 0;
	else
		pic_drop_cascade(chip);
}

static void pic_next_step(struct pic *pic)
{
	pic->step++;
	if (pic->step == PIC_STEP_ICW3 && !pic->need_icw3)
		pic->step++;
	if (pic->step == PIC_STEP_ICW4 && !pic->need_icw4)
		pic->step++;
	pic->ready = pic->step == PIC_STEP_DONE;
}

/* ICW2, ICW3, ICW4, or OCW1 once those are complete. */
static void pic_write_odd(struct shvm_irqchip *chip, struct pic *pic, u8 val)
{
	switch (pic->step) {
	case PIC_STEP_ICW2:
		pic->vector_base = val & 0xf8;
		break;
	case PIC_STEP_ICW3:
		if (pic == &chip->pics[PIC_MASTER])
			pic->slaves = val;
		break;
	case PIC_STEP_ICW4:
		pic->auto_eoi = val & ICW4_AUTO_EOI;
		pic->special_nested = val & ICW4_SPECIAL_NESTED;
		break;
	case PIC_STEP_DONE:
		pic->imr = val;
		return;
	}
	pic_next_step(pic);
}

static void pic_eoi(struct pic *pic, u8 ocw2)
{
	int irq = ocw2 & OCW2_LEVEL;

	if (!(ocw2 & OCW2_SPECIFIC))
		irq = pic_highest(pic, pic_effective_isr(pic));
	if (irq == NO_IRQ)
		return;
	pic->isr &= ~BIT(irq);
	if (ocw2 & OCW2_ROTATE)
		pic->lowest = irq;
}

static void pic_write_ocw2(struct pic *pic, u8 val)
{
	if (val & OCW2_EOI) {
		pic_eoi(pic, val);
		return;
	}
	switch (val & (OCW2_ROTATE | OCW2_SPECIFIC)) {
	case OCW2_ROTATE | OCW2_SPECIFIC:
		pic->lowest = val & OCW2_LEVEL;
		break;
	case OCW2_ROTATE:
		pic->rotate_on_auto_eoi = true;
		break;
	case 0:
		pic->rotate_on_auto_eoi = false;
		break;
	}
}

static void pic_write_ocw3(struct pic *pic, u8 val)
{
	if (val & OCW3_SET_SPECIAL_MASK)
		pic->special_mask = val & OCW3_SPECIAL_MASK;
	if (val & OCW3_POLL)
		pic->poll = true;
	else if (val & OCW3_READ)
		pic->read_isr = val & OCW3_READ_ISR;
}

void shvm_pic_write(struct shvm_irqchip *chip, struct pic *pic, bool odd, u8 val)
{
	lockdep_assert_held(&chip->lock);
	if (odd)
		pic_write_odd(chip, pic, val);
	else if (val & ICW1)
		pic_start_init(chip, pic, val);
	else if (val & OCW3)
		pic_write_ocw3(pic, val);
	else
		pic_write_ocw2(pic, val);
}

static u8 pic_poll(struct shvm_irqchip *chip, struct pic *pic)
{
	int irq = pic_pending(pic);

	pic->poll = false;
	if (irq == NO_IRQ)
		return 0;
	pic_accept(chip, pic, irq);
	return POLL_PENDING | irq;
}

u8 shvm_pic_read(struct shvm_irqchip *chip, struct pic *pic, bool odd)
{
	lockdep_assert_held(&chip->lock);
	if (pic->poll)
		return pic_poll(chip, pic);
	if (odd)
		return pic->imr;
	return pic->read_isr ? pic->isr : pic_irr(pic);
}

void shvm_pic_write_elcr(struct pic *pic, u8 val)
{
	pic->elcr = val & pic->elcr_mask;
	pic->edges &= ~pic->elcr;	/* no stale edge if it is switched back */
}

void shvm_pic_reset(struct shvm_irqchip *chip)
{
	struct pic *pic;

	for (pic = chip->pics; pic < chip->pics + PIC_NR; pic++) {
		*pic = (struct pic){ .lowest = 7, .step = PIC_STEP_DONE };
		pic->elcr_mask = pic == &chip->pics[PIC_MASTER] ? ELCR_MASTER : ELCR_SLAVE;
	}
}
