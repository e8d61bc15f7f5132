/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table with aligned columns. On a terminal that is too narrow each row becomes a block of lines
 * "title value".
 */
#ifndef SHVMCTL_TABLE_H
#define SHVMCTL_TABLE_H

#include <stddef.h>

#include "../lib/util.h"

struct table;

/* titles: nr constant strings; those that begin with '>' are of columns aligned to the right. */
struct table *table_new(const char *const *titles, size_t nr);
/* The next cell, row by row. */
__printf(2, 3) void table_cell(struct table *table, const char *fmt, ...);
/* Prints to standard output, in so many columns (0: any number), and frees it. */
void table_print(struct table *table, unsigned int width);

#endif
