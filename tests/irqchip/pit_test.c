// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories about the 8254, IRQ 0 and port 0x61, and the tests of the bus. A count written in tick t
 * is loaded in tick t + 1; all expectations follow from that.
 */
#include <linux/hrtimer.h>

#include "machine.h"

#define CONTROL(channel, mode)	((channel) << 6 | 0x30 | (mode) << 1)	/* both bytes */
#define LATCH(channel)		OUT(0x43, (channel) << 6)
#define GATE2(on)		OUT(0x61, on)

const struct story pit_stories[] = {
	STORY("pit: quiet at power-on", true,
	      TICKS(10000000), INTR(0)),
	STORY("pit: mode 2 ticks at the exact tick", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 1000), TICKS(1000), INTR(0), TICKS(1), INTR(1),
	      ACK(0x20), OUT(0x20, 0x20), INTR(0), TICKS(999), INTR(0), TICKS(1), INTR(1)),
	STORY("pit: mode 3 ticks once per period", true,
	      OUT(0x43, CONTROL(0, 3)), COUNT(0x40, 1001), TICKS(1001), INTR(0), TICKS(1), INTR(1),
	      SERVE(0x20, 1), TICKS(1000), INTR(0), TICKS(1), SERVE(0x20, 1)),
	STORY("pit: mode 0 fires once, a new count fires again", true,
	      OUT(0x43, CONTROL(0, 0)), COUNT(0x40, 500), TICKS(500), INTR(0), TICKS(1),
	      SERVE(0x20, 1), TICKS(1000000), INTR(0), COUNT(0x40, 3), TICKS(3), INTR(0), TICKS(1),
	      SERVE(0x20, 1)),
	STORY("pit: mode 0, half a count stops it", true,
	      OUT(0x43, CONTROL(0, 0)), COUNT(0x40, 500), TICKS(400), OUT(0x40, 1), TICKS(1000),
	      INTR(0), OUT(0x40, 0), TICKS(1), INTR(0), TICKS(1), INTR(1)),
	STORY("pit: mode 4 strobes one tick later", true,
	      OUT(0x43, CONTROL(0, 4)), COUNT(0x40, 500), TICKS(501), INTR(0), TICKS(1),
	      SERVE(0x20, 1), TICKS(1000000), INTR(0)),
	STORY("pit: modes 1 and 5 wait for a gate that never rises", true,
	      OUT(0x43, CONTROL(0, 1)), COUNT(0x40, 5), TICKS(1000), INTR(0),
	      OUT(0x43, CONTROL(0, 5)), COUNT(0x40, 5), TICKS(1000), INTR(0)),
	STORY("pit: count 0 is 65536", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 0), TICKS(65536), INTR(0), TICKS(1), INTR(1)),
	STORY("pit: BCD count 0 is 10000", true,
	      OUT(0x43, CONTROL(0, 2) | 1), COUNT(0x40, 0), TICKS(1), READS(0x40, 0),
	      TICKS(1), READS(0x40, 0x9999), TICKS(9998), INTR(0), TICKS(1), INTR(1)),
	STORY("pit: BCD reads decimal", true,
	      OUT(0x43, CONTROL(0, 2) | 1), COUNT(0x40, 0x1234), TICKS(1 + 235),
	      READS(0x40, 0x0999), READ_STATUS(0, 0xb5)),
	STORY("pit: low byte only, high byte only", true,
	      OUT(0x43, 0x14), OUT(0x40, 200), TICKS(1 + 50), IN(0x40, 150), IN(0x40, 150),
	      OUT(0x43, 0x24), OUT(0x40, 2), TICKS(1 + 255), IN(0x40, 1), TICKS(1), IN(0x40, 1),
	      TICKS(1), IN(0x40, 0)),
	STORY("pit: mode 2 and 3 count values", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 300), TICKS(1), READS(0x40, 300), TICKS(299),
	      READS(0x40, 1), TICKS(1), READS(0x40, 300),
	      OUT(0x43, CONTROL(0, 3)), COUNT(0x40, 300), TICKS(1), READS(0x40, 300), TICKS(149),
	      READS(0x40, 2), TICKS(1), READS(0x40, 300), READ_STATUS(0, 0x36)),
	STORY("pit: latch holds, second latch is ignored", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 5000), TICKS(1 + 100), LATCH(0), TICKS(500),
	      LATCH(0), IN(0x40, 4900 & 255), TICKS(500), IN(0x40, 4900 >> 8),
	      READS(0x40, 3900)),
	STORY("pit: read-back of count and status, status first", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 5000), READ_STATUS(0, 0xf4), TICKS(1 + 100),
	      OUT(0x43, 0xc2), TICKS(500), IN(0x40, 0xb4), READS(0x40, 4900), READS(0x40, 4400)),
	STORY("pit: read-back latches only the channels named", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 5000), OUT(0x43, CONTROL(1, 2)),
	      COUNT(0x41, 7000), TICKS(1), OUT(0x43, 0xd4), TICKS(10), READS(0x40, 4990),
	      READS(0x41, 7000), READS(0x41, 6990)),
	STORY("pit: null count until the new count is in use", true,
	      OUT(0x43, CONTROL(0, 2)), READ_STATUS(0, 0xf4), COUNT(0x40, 100), TICKS(1),
	      READ_STATUS(0, 0xb4), COUNT(0x40, 400), TICKS(99), READ_STATUS(0, 0x74), TICKS(1),
	      READ_STATUS(0, 0xb4), READS(0x40, 400)),
	STORY("pit: new period after the one under way", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 1000), TICKS(1 + 400), COUNT(0x40, 3000),
	      TICKS(599), INTR(0), TICKS(1), SERVE(0x20, 1), TICKS(2999), INTR(0), TICKS(1),
	      SERVE(0x20, 1)),
	STORY("pit: control word that raises OUT is an edge", true,
	      OUT(0x43, CONTROL(0, 0)), COUNT(0x40, 500), TICKS(10), OUT(0x43, CONTROL(0, 2)),
	      SERVE(0x20, 1), OUT(0x43, CONTROL(0, 3)), INTR(0)),
	STORY("pit: reading port 0x43", true,
	      IN(0x43, 0xff)),
	STORY("port 0x61: channel 2 counts with its gate, OUT2 shows it", true,
	      GATE2(0), OUT(0x43, CONTROL(2, 0)), COUNT(0x42, 100), TICKS(540), IN(0x61, 0x00),
	      GATE2(1), TICKS(99), IN(0x61, 0x11), TICKS(1), IN(0x61, 0x31)),
	STORY("port 0x61: gate pauses mode 0", true,
	      GATE2(1), OUT(0x43, CONTROL(2, 0)), COUNT(0x42, 100), TICKS(1 + 30), GATE2(0),
	      TICKS(1000), READS(0x42, 70), GATE2(1), TICKS(69), READS(0x42, 1), TICKS(1),
	      READS(0x42, 0), TICKS(1), READS(0x42, 0xffff), INTR(0)),
	STORY("port 0x61: gate restarts mode 3", true,
	      GATE2(3), OUT(0x43, CONTROL(2, 3)), COUNT(0x42, 100), TICKS(36 + 31), GATE2(0),
	      IN(0x61, 0x30), TICKS(18 * 2), IN(0x61, 0x30), GATE2(1), TICKS(1), READS(0x42, 100)),
	STORY("port 0x61: refresh toggles every 18 ticks", true,
	      IN(0x61, 0x20), TICKS(17), IN(0x61, 0x20), TICKS(1), IN(0x61, 0x30), TICKS(18),
	      IN(0x61, 0x20)),
	STORY("port 0x61: writable bits read back", true,
	      OUT(0x61, 0xff), IN(0x61, 0x2f), OUT(0x61, 0x02), IN(0x61, 0x22)),
	STORY("ticks: none is lost while the CPU is away", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 11932), TICKS(1 + 11932 * 50), INTR(1),
	      SERVE(0x20, 50), INTR(0), TICKS(11931), INTR(0), TICKS(1), SERVE(0x20, 1)),
	STORY("ticks: the next comes at EOI, not before", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 11932), TICKS(1 + 11932 * 3), ACK(0x20),
	      INTR(0), IN(0x20, 0), UP(1), INTR(0), OUT(0x20, 0x20), ACK(0x20), OUT(0x20, 0x60),
	      ACK(0x20), OUT(0x20, 0x20), ACK(0x21)),
	STORY("ticks: backlog is one second", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 11932), TICKS(1193182 * 60),
	      SERVE(0x20, 1 + 99), INTR(0)),
	STORY("ticks: behind the mask only one waits", true,
	      OUT(0x21, 1), OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 11932), TICKS(1193182), INTR(0),
	      IN(0x20, 1), OUT(0x21, 0), SERVE(0x20, 1)),
	STORY("ticks: masked during the handler costs none", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 11932), TICKS(1 + 11932 * 3), ACK(0x20),
	      OUT(0x21, 1), OUT(0x20, 0x60), INTR(0), OUT(0x21, 0), ACK(0x20), OUT(0x21, 1),
	      OUT(0x20, 0x60), TICKS(100), OUT(0x21, 0), SERVE(0x20, 1)),
	STORY("ticks: a control word drops the backlog", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 11932), TICKS(1 + 11932 * 50),
	      OUT(0x43, CONTROL(0, 4)), SERVE(0x20, 1)),
	STORY("ticks: ICW1 drops the backlog", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 11932), TICKS(1 + 11932 * 50),
	      PIC_INIT(0x20, 0x20, 0x04, 0x01), INTR(0)),
	STORY("ticks: a tiny period is one tick per alarm", true,
	      OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 10), TICKS(1200), SERVE(0x20, 10)),
	STORY("ticks: a line held up by user space does not stop them", true,
	      UP(0), SERVE(0x20, 1), OUT(0x43, CONTROL(0, 2)), COUNT(0x40, 200), TICKS(201),
	      SERVE(0x20, 1), TICKS(200), SERVE(0x20, 1)),
};

const size_t nr_pit_stories = ARRAY_SIZE(pit_stories);

static void machine_program(struct machine *m, u8 mode, u16 count)
{
	machine_out(m, 0x20, 0x11);
	machine_out(m, 0x21, 0x20);
	machine_out(m, 0x21, 0x04);
	machine_out(m, 0x21, 0x03);		/* automatic EOI */
	machine_out(m, 0x43, CONTROL(0, mode));
	machine_out(m, 0x40, count & 0xff);
	machine_out(m, 0x40, count >> 8);
}

/* 1 s with the shortest periods, and with reads that must not push the alarm away. */
bool pit_alarm_rate_is_bounded(void)
{
	unsigned long alarms, ticks = 0;
	struct machine m;
	bool ok = true;
	u16 count, i;

	for (count = 1; count < 200; count += 33) {
		machine_start(&m);
		machine_program(&m, 2, count);
		alarms = shim_alarms;
		for (ticks = 0, i = 0; i < 10000; i++) {
			machine_run_ticks(&m, 119);
			machine_in(&m, 0x40);
			if (shvm_irqchip_has_irq(m.chip)) {
				shvm_irqchip_ack(m.chip);
				ticks++;
			}
		}
		alarms = shim_alarms - alarms;
		ok &= alarms <= 1190000 / 120 + 1 && alarms >= 1190000 / 200 && ticks > 4900;
		machine_stop(&m);
	}
	return ok;
}

/* 100 Hz as Linux programs it, looked at in odd intervals: tick n is at 1 + n * count. */
bool pit_does_not_drift(void)
{
	u64 end = 1193182ULL * 1000;
	struct machine m;
	u64 ticks = 0;
	bool ok = true;

	machine_start(&m);
	machine_program(&m, 2, 11932);
	while (ok && m.ticks < end) {
		machine_run_ticks(&m, 7001);
		while (shvm_irqchip_has_irq(m.chip)) {
			shvm_irqchip_ack(m.chip);
			ticks++;
		}
		ok = ticks == (m.ticks - 1) / 11932;
	}
	machine_stop(&m);
	return ok;
}

static bool is_chip_port(unsigned int port)
{
	return port == 0x20 || port == 0x21 || (port >= 0x40 && port <= 0x43) || port == 0x61 ||
	       port == 0xa0 || port == 0xa1 || port == 0x4d0 || port == 0x4d1;
}

bool ports_are_exactly_ours(void)
{
	struct machine m;
	unsigned int port;
	bool ok = true;
	u32 val;

	machine_start(&m);
	for (port = 0; port < 0x10000; port++) {
		val = 0x12345678;
		ok &= shvm_irqchip_pio(m.chip, port, 1, false, &val) == is_chip_port(port);
		ok &= is_chip_port(port) || val == 0x12345678;
		val = 0;
		ok &= shvm_irqchip_pio(m.chip, port, 4, true, &val) == is_chip_port(port);
	}
	machine_stop(&m);
	return ok;
}

bool wide_access_is_bytes(void)
{
	struct machine m;
	bool ok = true;
	u32 val;

	machine_start(&m);
	val = 0xffff;
	ok &= shvm_irqchip_pio(m.chip, 0x4d0, 2, true, &val);
	val = 0;
	ok &= shvm_irqchip_pio(m.chip, 0x4d0, 4, false, &val) && val == 0xffffdef8;
	ok &= shvm_irqchip_pio(m.chip, 0x4d1, 2, false, &val) && val == 0xffde;
	ok &= !shvm_irqchip_pio(m.chip, 0x4cf, 2, false, &val);
	machine_stop(&m);
	return ok;
}
