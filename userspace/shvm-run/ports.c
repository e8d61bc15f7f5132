// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O port map and the devices of a few lines. Wider accesses are split into bytes, as on the
 * ISA bus. A port that is not in the table reads as all ones and ignores writes; among those are
 * PCI configuration (the guest finds no PCI) and the POST code port.
 */
#include "../lib/diag.h"
#include "machine.h"

#define I8042_DATA 0x60
#define I8042_COMMAND 0x64
#define I8042_PULSE_RESET 0xfe

#define PM1_SCI_EN 0x01 /* low byte of the control register */
#define PM1_SLP_EN 0x20 /* high byte */
#define PM1_SLP_TYP_SHIFT 2
#define PM1_SLP_TYP_MASK 7

/* No keyboard: both buffers are always empty. */
static u8 i8042_in(struct machine *m, u16 port)
{
	(void)m;
	(void)port;
	return 0;
}

static void i8042_out(struct machine *m, u16 port, u8 value)
{
	if (port == I8042_COMMAND && value == I8042_PULSE_RESET)
		machine_reset(m);
}

/* Status bits never rise: no timer, no buttons. The SCI is therefore never raised. */
static u8 pm1_in(struct machine *m, u16 port)
{
	switch (port - PORT_PM1_EVENT) {
	case 2:
	case 3:
		return m->pm1.enable[port & 1];
	case 4:
		return m->pm1.control[0] | PM1_SCI_EN;
	case 5:
		return m->pm1.control[1];
	default:
		return 0;
	}
}

static void pm1_out(struct machine *m, u16 port, u8 value)
{
	switch (port - PORT_PM1_EVENT) {
	case 2:
	case 3:
		m->pm1.enable[port & 1] = value;
		break;
	case 4:
		m->pm1.control[0] = value;
		break;
	case 5:
		m->pm1.control[1] = value & ~PM1_SLP_EN;
		if ((value & PM1_SLP_EN) &&
		    (value >> PM1_SLP_TYP_SHIFT & PM1_SLP_TYP_MASK) == PM1_SLP_TYP_S5) {
			stage("the guest has powered itself off");
			machine_end(m, STATUS_OK);
		}
		break;
	}
}

static void debug_exit_out(struct machine *m, u16 port, u8 value)
{
	int status = STATUS_DEBUG_BASE + value;

	(void)port;
	if (!value)
		status = STATUS_OK;
	else if (status > STATUS_DEBUG_MAX)
		status = STATUS_DEBUG_MAX;
	machine_end(m, status);
}

static const struct port_range {
	u16 first, last;
	u8 (*in)(struct machine *m, u16 port);
	void (*out)(struct machine *m, u16 port, u8 value);
} port_map[] = {
	{ 0x3f8, 0x3ff, uart_in, uart_out }, /* first: nearly all accesses */
	{ I8042_DATA, I8042_DATA, i8042_in, i8042_out },
	{ I8042_COMMAND, I8042_COMMAND, i8042_in, i8042_out },
	{ 0x70, 0x71, rtc_in, rtc_out },
	{ PORT_DEBUG_EXIT, PORT_DEBUG_EXIT, NULL, debug_exit_out },
	{ PORT_MARK, PORT_MARK, NULL, mark_out },
	{ PORT_PM1_EVENT, PORT_PM1_CONTROL + 1, pm1_in, pm1_out },
};

static const struct port_range *port_find(u16 port)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(port_map); i++)
		if (port >= port_map[i].first && port <= port_map[i].last)
			return &port_map[i];
	return NULL;
}

void port_access(struct machine *m, u16 port, bool out, u8 *data, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++) {
		u16 p = port + i;
		const struct port_range *r = port_find(p);

		if (out && r && r->out)
			r->out(m, p, data[i]);
		else if (!out)
			data[i] = r && r->in ? r->in(m, p) : 0xff;
	}
}
