// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marks: a guest that is being measured writes a byte to PORT_MARK, and a line with the time and
 * the hypervisor's counters goes to a file. One byte stands for the next number of --shadow-pages.
 * Without --marks and --shadow-pages the port does nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "../lib/diag.h"
#include "machine.h"

#define MARK_SHADOW_PAGES 255

void shadow_pages_next(struct machine *m)
{
	unsigned long long pages;
	char *end;

	if (!m->shadow_pages)
		return;
	errno = 0;
	pages = strtoull(m->shadow_pages, &end, 10);
	if (end == m->shadow_pages || m->shadow_pages[0] == '-' || (*end && *end != ',') ||
	    !pages || errno || pages > UINT32_MAX)
		die("shvm-run --help lists the options",
		    "--shadow-pages %s is not a list of numbers of pages", m->shadow_pages);
	m->shadow_pages = *end ? end + 1 : NULL;
	hv_shadow_pages_set(&m->hv, pages);
}

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
	if (value == MARK_SHADOW_PAGES) {
		shadow_pages_next(m);
		return;
	}
	if (!m->marks)
		return;
	snprintf(what, sizeof(what), "%u", value);
	mark_print(m, what);
}
