// SPDX-License-Identifier: GPL-2.0-only
/*
 * 16550A on ports 3f8-3ff, IRQ 4. Transmits at once; takes input only while the guest has its
 * receive interrupt on, so that nothing typed or piped before the driver is ready gets lost.
 * uart->lock guards all state and orders the changes of the interrupt line.
 */
#include "../lib/console.h"
#include "../lib/diag.h"
#include "machine.h"

#define REG_DATA 0 /* RBR, THR; divisor low with DLAB */
#define REG_IER 1 /* divisor high with DLAB */
#define REG_IIR 2 /* read; written: FCR */
#define REG_LCR 3
#define REG_MCR 4
#define REG_LSR 5
#define REG_MSR 6
#define REG_SCR 7

#define IER_RX 0x01
#define IER_THR_EMPTY 0x02
#define IER_LINE 0x04
#define IER_MASK 0x0f
#define IIR_NONE 0x01
#define IIR_THR_EMPTY 0x02
#define IIR_RX 0x04
#define IIR_LINE 0x06
#define IIR_FIFO 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB 0x80
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f
#define LSR_DATA 0x01
#define LSR_OVERRUN 0x02
#define LSR_THR_EMPTY 0x20
#define LSR_IDLE 0x40
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80

void uart_init(struct machine *m)
{
	pthread_mutex_init(&m->uart.lock, NULL);
	m->uart.dll = 1;
}

static u8 uart_cause(const struct uart *u)
{
	if ((u->ier & IER_LINE) && u->overrun)
		return IIR_LINE;
	if ((u->ier & IER_RX) && u->rx_len)
		return IIR_RX;
	if ((u->ier & IER_THR_EMPTY) && u->thr_empty_pending)
		return IIR_THR_EMPTY;
	return IIR_NONE;
}

/*
 * OUT2 is the PC's gate between the UART and its interrupt line. A cause that joins one that the
 * guest has not handled yet needs no new edge: drivers read IIR until it says "none".
 */
static void uart_update_line(struct machine *m)
{
	struct uart *u = &m->uart;
	bool level = uart_cause(u) != IIR_NONE && (u->mcr & MCR_OUT2);

	if (level == u->line)
		return;
	u->line = level;
	hv_irq_set(&m->hv, IRQ_UART, level);
}

static void uart_rx_push(struct uart *u, u8 byte)
{
	if (u->rx_len == UART_RX_SIZE) {
		u->overrun = true;
		return;
	}
	u->rx[(u->rx_head + u->rx_len++) % UART_RX_SIZE] = byte;
}

/* Emptying the buffer is what the console waits for before it brings more. */
static u8 uart_rx_pop(struct uart *u)
{
	u8 byte;

	if (!u->rx_len)
		return 0;
	byte = u->rx[u->rx_head];
	u->rx_head = (u->rx_head + 1) % UART_RX_SIZE;
	if (!--u->rx_len)
		console_input_wake();
	return byte;
}

static u8 uart_lsr(struct uart *u)
{
	u8 lsr = LSR_THR_EMPTY | LSR_IDLE;

	if (u->rx_len)
		lsr |= LSR_DATA;
	if (u->overrun)
		lsr |= LSR_OVERRUN;
	u->overrun = false;
	return lsr;
}

static u8 uart_iir(struct uart *u)
{
	u8 cause = uart_cause(u);

	if (cause == IIR_THR_EMPTY)
		u->thr_empty_pending = false;
	return cause | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static u8 uart_msr(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
	       (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static u8 uart_read(struct uart *u, unsigned int reg)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? u->dll : uart_rx_pop(u);
	case REG_IER:
		return dlab ? u->dlm : u->ier;
	case REG_IIR:
		return uart_iir(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return uart_lsr(u);
	case REG_MSR:
		return uart_msr(u);
	default:
		return u->scr;
	}
}

static void uart_transmit(struct machine *m, u8 byte)
{
	struct uart *u = &m->uart;

	u->thr_empty_pending = true;
	if (u->mcr & MCR_LOOP) {
		uart_rx_push(u, byte);
		return;
	}
	if (!m->first_byte_s)
		m->first_byte_s = diag_seconds();
	console_put(byte);
}

static void uart_set_ier(struct uart *u, u8 value)
{
	u8 on = value & ~u->ier;

	u->ier = value & IER_MASK;
	if (on & IER_THR_EMPTY)
		u->thr_empty_pending = true;
	if (on & IER_RX)
		console_input_wake();
}

static void uart_write(struct machine *m, unsigned int reg, u8 value)
{
	struct uart *u = &m->uart;
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			u->dll = value;
		else
			uart_transmit(m, value);
		break;
	case REG_IER:
		if (dlab)
			u->dlm = value;
		else
			uart_set_ier(u, value);
		break;
	case REG_IIR:
		u->fcr = value;
		if (value & FCR_CLEAR_RX)
			u->rx_len = 0;
		break;
	case REG_LCR:
		u->lcr = value;
		break;
	case REG_MCR:
		u->mcr = value & MCR_MASK;
		break;
	case REG_SCR:
		u->scr = value;
		break;
	}
}

u8 uart_in(struct machine *m, u16 port)
{
	u8 value;

	pthread_mutex_lock(&m->uart.lock);
	value = uart_read(&m->uart, port & 7);
	uart_update_line(m);
	pthread_mutex_unlock(&m->uart.lock);
	return value;
}

void uart_out(struct machine *m, u16 port, u8 value)
{
	pthread_mutex_lock(&m->uart.lock);
	uart_write(m, port & 7, value);
	uart_update_line(m);
	pthread_mutex_unlock(&m->uart.lock);
}

size_t uart_room(struct machine *m)
{
	struct uart *u = &m->uart;
	size_t room = 0;

	pthread_mutex_lock(&u->lock);
	if ((u->ier & IER_RX) && !(u->mcr & MCR_LOOP))
		room = UART_RX_SIZE - u->rx_len;
	pthread_mutex_unlock(&u->lock);
	return room;
}

void uart_receive(struct machine *m, const u8 *data, size_t len)
{
	pthread_mutex_lock(&m->uart.lock);
	while (len--)
		uart_rx_push(&m->uart, *data++);
	uart_update_line(m);
	pthread_mutex_unlock(&m->uart.lock);
}
