/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of the legacy interrupt hardware, private to this folder. All of it is guarded by the
 * chip's lock, except what is marked.
 */
#ifndef SHVM_IRQCHIP_INTERNAL_H
#define SHVM_IRQCHIP_INTERNAL_H

#include <linux/bits.h>
#include <linux/hrtimer.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "irqchip.h"

#define PIC_MASTER		0
#define PIC_SLAVE		1
#define PIC_NR			2
#define PIC_CASCADE_IRQ		2	/* the slave's INT is wired to this input of the master */

#define PIT_HZ			1193182U
#define PIT_CHANNELS		3

/* What the next write to the odd port means. Order matters: a chip goes through it downwards. */
enum pic_init_step { PIC_STEP_ICW2, PIC_STEP_ICW3, PIC_STEP_ICW4, PIC_STEP_DONE };

struct pic {
	u8 lines;		/* input levels */
	u8 edges;		/* edge requests not yet acknowledged; none of @elcr */
	u8 elcr;		/* inputs that are level-triggered */
	u8 elcr_mask;		/* those that can be; constant */
	u8 imr;
	u8 isr;
	u8 lowest;		/* input with the lowest priority; 7 unless rotated */
	u8 vector_base;		/* ICW2 */
	u8 slaves;		/* ICW3 of a master: inputs with a slave behind them */
	enum pic_init_step step;
	bool ready;		/* initialised; no INT output before */
	bool need_icw3;
	bool need_icw4;
	bool auto_eoi;
	bool rotate_on_auto_eoi;
	bool special_mask;
	bool special_nested;
	bool read_isr;
	bool poll;		/* the next read is an acknowledge */
};

struct pit_channel {
	u64 start;		/* tick at which @count was loaded; may be one tick ahead */
	u64 held;		/* ticks counted so far; valid while !running */
	u64 switch_at;		/* tick at which @written replaces @count; valid while @switching */
	u32 written;		/* last complete count from the guest, 1 to 65536 */
	u32 count;		/* the one being counted down */
	u16 latch;
	u8 status;
	u8 control;		/* bits 5-0 of the control word, as read back */
	u8 low_byte;		/* first half of a 16-bit write */
	bool gate;
	bool loaded;		/* a complete count was written since the control word */
	bool running;
	bool fired;		/* one-shot modes: the edge at the end has been reported */
	bool fresh;		/* @written has not reached the counter yet (status: NULL COUNT) */
	bool switching;
	bool write_high;	/* the next write is the high byte */
	bool read_high;
	bool latched;
	bool status_latched;
};

struct shvm_irqchip {
	/* Written under @lock, read without: see shvm_irqchip_has_irq(). */
	bool intr;

	raw_spinlock_t lock;
	struct pic pics[PIC_NR];
	struct pit_channel channels[PIT_CHANNELS];
	u32 backlog;		/* ticks of channel 0 that still have to become an interrupt */
	u8 port61;		/* bits 3-0 as written */
	bool dying;		/* the alarm must not be started any more */
	struct hrtimer alarm;	/* next edge of channel 0 */

	/* Constant after creation. */
	u64 epoch_ns;		/* when tick 0 was */
	void (*kick)(void *opaque);
	void *opaque;
};

/* 8259 */
void shvm_pic_reset(struct shvm_irqchip *chip);
void shvm_pic_set_line(struct pic *pic, unsigned int irq, bool level);
bool shvm_pic_update(struct shvm_irqchip *chip);
u8 shvm_pic_ack(struct shvm_irqchip *chip);
void shvm_pic_write(struct shvm_irqchip *chip, struct pic *pic, bool odd, u8 val);
u8 shvm_pic_read(struct shvm_irqchip *chip, struct pic *pic, bool odd);
void shvm_pic_write_elcr(struct pic *pic, u8 val);

/* 8254 and port 0x61 */
void shvm_pit_reset(struct shvm_irqchip *chip);
void shvm_pit_expire(struct shvm_irqchip *chip);
void shvm_pit_write(struct shvm_irqchip *chip, u16 port, u8 val);
u8 shvm_pit_read(struct shvm_irqchip *chip, u16 port);

/* 8254 channel: pure functions of its state and the present tick */
void shvm_pit_channel_reset(struct pit_channel *ch, bool gate);
u64 shvm_pit_channel_sync(struct pit_channel *ch, u64 now);
u64 shvm_pit_channel_next(const struct pit_channel *ch);
bool shvm_pit_channel_is_periodic(const struct pit_channel *ch);
bool shvm_pit_channel_out(const struct pit_channel *ch, u64 now);
void shvm_pit_channel_control(struct pit_channel *ch, u8 val);
void shvm_pit_channel_latch_count(struct pit_channel *ch, u64 now);
void shvm_pit_channel_latch_status(struct pit_channel *ch, u64 now);
void shvm_pit_channel_set_gate(struct pit_channel *ch, u64 now, bool gate);
void shvm_pit_channel_write(struct pit_channel *ch, u64 now, u8 val);
u8 shvm_pit_channel_read(struct pit_channel *ch, u64 now);

/* Ticks of channel 0 */
void shvm_irqchip_add_ticks(struct shvm_irqchip *chip, u64 ticks, u32 limit);

#endif /* SHVM_IRQCHIP_INTERNAL_H */
