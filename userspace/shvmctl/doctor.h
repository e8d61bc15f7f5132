/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What doctor finds. Each check adds one finding, whatever comes out.
 */
#ifndef SHVMCTL_DOCTOR_H
#define SHVMCTL_DOCTOR_H

#include "shvmctl.h"

enum verdict {
	VERDICT_OK,
	VERDICT_UNKNOWN,	/* could not be found out */
	VERDICT_WARNING,	/* VMs run, but */
	VERDICT_BAD,		/* VMs do not run */
};

struct finding {
	enum verdict how;
	const char *what;
	char text[160];
	const char *cure;	/* what to do; NULL: nothing */
};

#define MAX_FINDINGS 32

struct findings {
	struct finding list[MAX_FINDINGS];
	size_t nr;
};

__printf(5, 6) void found(struct findings *f, enum verdict how, const char *what,
			  const char *cure, const char *fmt, ...);

void doctor_cpu(struct findings *f);	/* doctor_cpu.c */
void doctor_kernel(struct findings *f);	/* doctor_kernel.c */
void doctor_module(struct findings *f);	/* doctor_module.c */

/* First line of a file without its end; false if it cannot be read. */
bool doctor_read_line(const char *file, char *line, size_t size);

#endif
