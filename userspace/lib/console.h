/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's console on standard input and output: raw terminal, escape key, buffered output.
 */
#ifndef SHVM_USERSPACE_CONSOLE_H
#define SHVM_USERSPACE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util.h"

/* Called in the console's own thread. */
struct console_ops {
	size_t (*room)(void *ctx); /* how many bytes of input the guest takes now */
	void (*input)(void *ctx, const u8 *data, size_t len); /* at most room() bytes */
	void (*command)(void *ctx, char key); /* key after Ctrl-A: 'x' or 'r' */
	void (*timeout)(void *ctx);
};

/* What the guest has said; set by whole lines of output. */
enum console_said {
	CONSOLE_SAID_HALTED = BIT(0),
	CONSOLE_SAID_RESTART = BIT(1),
	CONSOLE_SAID_PANIC = BIT(2),
};

/* Takes the terminal (if standard input is one). @timeout_s: 0 or when to call ops->timeout. */
void console_start(const struct console_ops *ops, void *ctx, unsigned int timeout_s);

void console_put(u8 byte);
void console_flush(void);

/* Any thread: room() has grown. */
void console_input_wake(void);

unsigned int console_said(void);

/* Restores the terminal; also done at exit, on fatal signals and on crashes. */
void console_restore(void);

#endif
