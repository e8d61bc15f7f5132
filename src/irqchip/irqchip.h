/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PC's legacy interrupt hardware as one object per VM: two 8259 interrupt controllers, one 8254
 * timer and port 0x61. Its INTR output feeds vCPU 0.
 *
 * Every function takes the chip's own raw spinlock, a leaf with interrupts off: they may be called
 * with any other lock held and from any context, except create and destroy, which sleep.
 */
#ifndef SHVM_IRQCHIP_H
#define SHVM_IRQCHIP_H

#include <linux/types.h>

struct shvm_irqchip;

#define SHVM_IRQCHIP_LINES	16	/* ISA interrupts 0-15 */

/**
 * shvm_irqchip_create() - make a chip in its power-on state
 * @kick: called each time INTR rises, so that vCPU 0 looks at shvm_irqchip_has_irq() again, be it
 *	  halted or in the guest. Called after the new state is visible and without the chip's
 *	  lock, in the context of whoever raised INTR: possibly a hard interrupt, possibly vCPU 0's
 *	  own thread, possibly with locks of the caller held. It must not sleep and must tolerate a
 *	  call for an INTR that has fallen again. A sleeper must order "about to sleep" before its
 *	  has_irq() check with a full barrier (set_current_state() does).
 * @opaque: handed to @kick
 *
 * Context: process, may sleep.
 * Return: the chip, or NULL if there is no memory.
 */
struct shvm_irqchip *shvm_irqchip_create(void (*kick)(void *opaque), void *opaque);

/**
 * shvm_irqchip_destroy() - stop the timer and free the chip
 * @chip: may be NULL
 *
 * The caller has made sure that no other function is running on @chip or will be called for it. On
 * return @kick is not running and will not be called again.
 *
 * Context: process, may sleep.
 */
void shvm_irqchip_destroy(struct shvm_irqchip *chip);

/**
 * shvm_irqchip_set_irq() - drive one of the 16 interrupt lines
 * @chip: the chip
 * @irq: 0-15, checked by the caller. 2 is the wire between the two controllers and is ignored.
 * @level: the line's new state. On an edge-triggered line a rise is remembered until it is
 *	   acknowledged, so raise + lower delivers one interrupt.
 */
void shvm_irqchip_set_irq(struct shvm_irqchip *chip, unsigned int irq, bool level);

/**
 * shvm_irqchip_has_irq() - state of the INTR output
 * @chip: the chip
 *
 * A plain read without a lock, for the entry loop. The answer may be outdated at once: a rise
 * that it misses is followed by a kick, a fall that it misses makes shvm_irqchip_ack() return the
 * spurious vector, as on the real machine.
 */
bool shvm_irqchip_has_irq(const struct shvm_irqchip *chip);

/**
 * shvm_irqchip_ack() - the CPU's interrupt acknowledge cycle
 * @chip: the chip
 *
 * Changes the controllers' state: call it only after has_irq() and only if the vCPU takes the
 * interrupt now (IF set, no shadow), and then deliver the vector for certain.
 *
 * Return: the vector, 0-255. With no request left it is that of IRQ 7 or 15 (spurious), without an
 *	   in-service bit.
 */
int shvm_irqchip_ack(struct shvm_irqchip *chip);

/**
 * shvm_irqchip_pio() - one port access of the guest
 * @chip: the chip
 * @port: I/O port of the first byte
 * @size: 1, 2 or 4; a wide access is as many byte accesses to consecutive ports, lowest first
 * @write: out or in
 * @val: value written, or where the value read goes (zero-extended; foreign ports read 0xff)
 *
 * Return: whether @port is one of 0x20, 0x21, 0x40-0x43, 0x61, 0xa0, 0xa1, 0x4d0, 0x4d1. If not,
 *	   nothing was done.
 */
bool shvm_irqchip_pio(struct shvm_irqchip *chip, u16 port, unsigned int size, bool write,
		      u32 *val);

#endif /* SHVM_IRQCHIP_H */
