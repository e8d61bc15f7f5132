/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test is a story: a list of steps on a fresh chip, each either an action or an expectation.
 * Time is in ticks of the 8254 (1/1193182 s) since the chip was made.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <linux/types.h>

#include "irqchip.h"

enum step_kind {
	STEP_OUT, STEP_IN, STEP_OUT16, STEP_IN16, STEP_STATUS, STEP_PIC_INIT, STEP_UP, STEP_DOWN,
	STEP_ACK, STEP_INTR, STEP_TICKS, STEP_KICKS, STEP_SERVE,
};

struct step {
	enum step_kind kind;
	u32 a;
	u32 b;
	int line;
};

struct story {
	const char *name;
	const struct step *steps;
	size_t nr_steps;
	bool ready;		/* run the usual initialisation first: vectors 0x20 and 0x28 */
};

#define S(kind, a, b)		{ STEP_##kind, a, b, __LINE__ }
#define OUT(port, val)		S(OUT, port, val)
#define IN(port, want)		S(IN, port, want)
#define UP(irq)			S(UP, irq, 0)
#define DOWN(irq)		S(DOWN, irq, 0)
#define ACK(want)		S(ACK, want, 0)
#define INTR(want)		S(INTR, want, 0)
#define TICKS(n)		S(TICKS, n, 0)
#define KICKS(want)		S(KICKS, want, 0)	/* since the last KICKS */
/* Acknowledge and end vector @want as long as INTR is up: @nr times exactly. */
#define SERVE(want, nr)		S(SERVE, want, nr)
/* ICW1 with cascade and ICW4, then the other three. */
#define PIC_INIT(port, icw2, icw3, icw4) S(PIC_INIT, port, (icw2) | (icw3) << 8 | (icw4) << 16)
#define COUNT(port, val)	S(OUT16, port, val)	/* low byte, high byte, same port */
#define READS(port, want)	S(IN16, port, want)
#define READ_STATUS(channel, want) S(STATUS, channel, want)
#define STORY(title, needs_init, ...) {						\
	.name = title, .ready = needs_init,					\
	.steps = (const struct step[]){ __VA_ARGS__ },				\
	.nr_steps = ARRAY_SIZE(((const struct step[]){ __VA_ARGS__ })) }

struct machine {
	struct shvm_irqchip *chip;
	u64 epoch_ns;
	u64 ticks;
	unsigned int kicks;
};

void machine_start(struct machine *m);
void machine_stop(struct machine *m);
void machine_run_ticks(struct machine *m, u64 nr);
void machine_out(struct machine *m, u16 port, u8 val);
u8 machine_in(struct machine *m, u16 port);
bool story_run(const struct story *story);

/* Print a TAP line; the second form for tests that are code. */
void tap_result(bool ok, const char *name);

extern const struct story pic_stories[];
extern const size_t nr_pic_stories;
extern const struct story pit_stories[];
extern const size_t nr_pit_stories;

bool pit_alarm_rate_is_bounded(void);
bool pit_does_not_drift(void);
bool ports_are_exactly_ours(void);
bool wide_access_is_bytes(void);
bool pit_matches_model(void);

#endif /* MACHINE_H */
