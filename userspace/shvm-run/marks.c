// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marks: a guest that is being measured writes a byte to PORT_MARK, and a line with the time and
 * the hypervisor's counters goes to a file. Without --marks the port does nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#include "../lib/diag.h"
#include "machine.h"

static void mark_print(struct machine *m, const char *what)
{
	unsigned long long tsc = __rdtsc();

	fprintf(m->marks, "mark %s tsc=%llu ms=%.0f", what, tsc, diag_seconds() * 1000);
	hv_stats_print(&m->hv, " ", m->marks);
	fputc('\n', m->marks);
}

void marks_open(struct machine *m, const char *path)
{
	m->marks = fopen(path, "we");
	if (!m->marks)
		die("give a file that can be written to --marks", "cannot open %s: %s", path,
		    strerror(errno));
	setlinebuf(m->marks);
}

void marks_start(struct machine *m)
{
	if (m->marks)
		mark_print(m, "start");
}

void mark_out(struct machine *m, u16 port, u8 value)
{
	char what[4];

	(void)port;
	if (!m->marks)
		return;
	snprintf(what, sizeof(what), "%u", value);
	mark_print(m, what);
}
