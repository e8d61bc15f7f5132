/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of the user-space programs: errors that name cause and cure, stages with their times.
 */
#ifndef SHVM_USERSPACE_DIAG_H
#define SHVM_USERSPACE_DIAG_H

#include <stdbool.h>
#include <stdint.h>

#include "util.h"

#define DIAG_EXIT_SETUP 1 /* status of die(): nothing was run, or the host failed */

/* Name printed before each message; call first. Starts the clock of diag_seconds(). */
void diag_init(const char *program);
void diag_set_verbose(bool on);

/* Seconds since diag_init(). */
double diag_seconds(void);

/*
 * Prints "program: cause", then "program: cure" if there is one, and exits with the status.
 */
__noreturn __printf(3, 4) void fail(int status, const char *cure, const char *cause, ...);

/*
 * Prints "program: cause", then "program: cure" if there is one, and exits with DIAG_EXIT_SETUP.
 * The terminal is restored by an atexit handler of the console.
 */
__noreturn __printf(2, 3) void die(const char *cure, const char *cause, ...);

__printf(1, 2) void note(const char *fmt, ...);

/* With --verbose: one line per finished stage, with the time since the previous one. */
__printf(1, 2) void stage(const char *fmt, ...);

#endif
