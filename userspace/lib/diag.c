// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages on standard error. No colour, no state but the program's name and the clock.
 */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *diag_program = "?";
static bool diag_verbose;
static double diag_start;
static double diag_last_stage;

static double diag_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void diag_init(const char *program)
{
	diag_program = program;
	diag_start = diag_clock();
}

void diag_set_verbose(bool on)
{
	diag_verbose = on;
}

double diag_seconds(void)
{
	return diag_clock() - diag_start;
}

static void diag_print(const char *fmt, va_list ap)
{
	fprintf(stderr, "%s: ", diag_program);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

static __noreturn void diag_exit(int status, const char *cure, const char *cause, va_list ap)
{
	diag_print(cause, ap);
	if (cure)
		fprintf(stderr, "%s: %s\n", diag_program, cure);
	exit(status);
}

void fail(int status, const char *cure, const char *cause, ...)
{
	va_list ap;

	va_start(ap, cause);
	diag_exit(status, cure, cause, ap);
}

void die(const char *cure, const char *cause, ...)
{
	va_list ap;

	va_start(ap, cause);
	diag_exit(DIAG_EXIT_SETUP, cure, cause, ap);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_print(fmt, ap);
	va_end(ap);
}

void stage(const char *fmt, ...)
{
	double now = diag_seconds();
	va_list ap;

	if (!diag_verbose)
		return;
	fprintf(stderr, "%s: [%8.3f s, +%.3f s] ", diag_program, now, now - diag_last_stage);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	diag_last_stage = now;
}
