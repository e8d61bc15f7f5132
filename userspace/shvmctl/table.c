// SPDX-License-Identifier: GPL-2.0-only
/*
 * See table.h. Cells are kept until the end, as the widest one says how wide a column is.
 */
#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/diag.h"

#define GAP 2

struct table {
	const char *const *titles;
	size_t nr_columns;
	char **cells;
	size_t nr_cells;
};

static void *must(void *memory)
{
	if (!memory)
		die(NULL, "out of memory");
	return memory;
}

struct table *table_new(const char *const *titles, size_t nr)
{
	struct table *table = must(calloc(1, sizeof(*table)));

	table->titles = titles;
	table->nr_columns = nr;
	return table;
}

void table_cell(struct table *table, const char *fmt, ...)
{
	va_list ap;
	char *cell;

	va_start(ap, fmt);
	if (vasprintf(&cell, fmt, ap) < 0)
		cell = must(NULL);
	va_end(ap);
	table->cells = must(realloc(table->cells, (table->nr_cells + 1) * sizeof(*table->cells)));
	table->cells[table->nr_cells++] = cell;
}

static bool is_right(const struct table *table, size_t column)
{
	return table->titles[column][0] == '>';
}

static const char *title(const struct table *table, size_t column)
{
	return table->titles[column] + is_right(table, column);
}

static int column_width(const struct table *table, size_t column)
{
	size_t widest = strlen(title(table, column)), i;

	for (i = column; i < table->nr_cells; i += table->nr_columns)
		if (strlen(table->cells[i]) > widest)
			widest = strlen(table->cells[i]);
	return widest;
}

static unsigned int table_width(const struct table *table)
{
	unsigned int width = 0;
	size_t i;

	for (i = 0; i < table->nr_columns; i++)
		width += column_width(table, i) + GAP;
	return width - GAP;
}

static void print_cell(const struct table *table, size_t column, const char *text)
{
	bool last = column + 1 == table->nr_columns;
	int width = column_width(table, column);

	if (is_right(table, column))
		printf("%*s", width, text);
	else
		printf("%-*s", last ? 0 : width, text);
	fputs(last ? "\n" : "  ", stdout);
}

static void print_rows(const struct table *table)
{
	size_t i;

	for (i = 0; i < table->nr_columns; i++)
		print_cell(table, i, title(table, i));
	for (i = 0; i < table->nr_cells; i++)
		print_cell(table, i % table->nr_columns, table->cells[i]);
}

static void print_blocks(const struct table *table)
{
	size_t i;

	for (i = 0; i < table->nr_cells; i++) {
		if (i && !(i % table->nr_columns))
			putchar('\n');
		printf("%s %s\n", title(table, i % table->nr_columns), table->cells[i]);
	}
}

void table_print(struct table *table, unsigned int width)
{
	size_t i;

	if (width && table_width(table) > width)
		print_blocks(table);
	else
		print_rows(table);
	for (i = 0; i < table->nr_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}
