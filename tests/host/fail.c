// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a test ends that has failed, in every program of this folder.
 */
#include <stdarg.h>

#include "machine.h"

void fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "# FAILED: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	fail_repeat();
	verify_failed();
	fflush(stdout);
	abort();
}
