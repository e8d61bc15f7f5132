// SPDX-License-Identifier: GPL-2.0-only
/*
 * A look as block characters, with what it means, and as JSON.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heat.h"

#define LABEL 11 /* columns of the address before a line of cells */

struct cell {
	const char *block;
	const char *plain;	/* where the terminal has no UTF-8 */
	const char *colour;
};

static const struct cell cells[NR_HEATS] = {
	[HEAT_UNTOUCHED] = { "·", ".", "\033[90m" },
	[HEAT_SWAPPED] = { "░", "s", "\033[35m" },
	[HEAT_COLD] = { "▒", "-", "\033[34m" },
	[HEAT_WARM] = { "▓", "+", "\033[33m" },
	[HEAT_HOT] = { "█", "#", "\033[31m" },
};

/* By the name of the locale: a static program may not find what belongs to it. */
static bool is_utf8(void)
{
	const char *locale = getenv("LC_ALL");

	if (!locale || !*locale)
		locale = getenv("LC_CTYPE");
	if (!locale || !*locale)
		locale = getenv("LANG");
	return locale && (strcasestr(locale, "utf-8") || strcasestr(locale, "utf8"));
}

static void print_cell(enum heat heat)
{
	const char *text = is_utf8() ? cells[heat].block : cells[heat].plain;

	if (isatty(STDOUT_FILENO))
		printf("%s%s\033[m", cells[heat].colour, text);
	else
		fputs(text, stdout);
}

/* Cells on a line: a power of two, so that addresses are round. */
static size_t cells_per_line(void)
{
	unsigned int width = output_width();
	size_t nr = 64;

	while (width && nr > 8 && nr + LABEL > width)
		nr /= 2;
	return nr;
}

static void print_map(const struct heat_vm *vm, const struct heat_look *look)
{
	size_t per_line = cells_per_line(), i;
	char size[SIZE_TEXT], piece[SIZE_TEXT];

	printf("VM %llu, %s; each character is %s\n", (unsigned long long)vm->id,
	       pages_text(size, vm->nr_pages), pages_text(piece, look->bin_pages));
	for (i = 0; i < look->nr_bins; i++) {
		if (!(i % per_line))
			printf("%*llx ", LABEL - 1,
			       (unsigned long long)heat_bin_gpa(vm, look, i));
		print_cell(heat_of_bin(&look->bins[i]));
		if (!((i + 1) % per_line) || i + 1 == look->nr_bins)
			putchar('\n');
	}
}

static void print_legend(const struct heat_limits *limits, const struct heat_look *look)
{
	char size[SIZE_TEXT];
	enum heat i;

	for (i = NR_HEATS; i-- > 0;) {
		print_cell(i);
		printf(" %-9s  %9s", heat_names[i], pages_text(size, look->total[i]));
		if (i == HEAT_HOT)
			printf("  used in the last %u s", limits->hot);
		else if (i == HEAT_WARM)
			printf("  used in the last %u s", limits->warm);
		putchar('\n');
	}
}

void heat_print_text(const struct heat_vm *vm, const struct heat_limits *limits,
		     const struct heat_look *look)
{
	char size[SIZE_TEXT];

	print_map(vm, look);
	print_legend(limits, look);
	if (look->swapped_in_use)
		printf("The working set does not fit: swapped out are %s ",
		       pages_text(size, look->swapped_in_use));
	else
		printf("The working set fits: swapped out is nothing ");
	printf("of what was used in the last %u s.\n", limits->warm);
}

/* [address, untouched, swapped, cold, warm, hot]: bytes. */
static struct json_object *bin_json(u64 gpa, const struct heat_bin *bin)
{
	struct json_object *list = json_object_new_array_ext(1 + NR_HEATS);
	enum heat i;

	json_object_array_add(list, json_object_new_uint64(gpa));
	for (i = 0; i < NR_HEATS; i++)
		json_object_array_add(list, json_object_new_uint64(bin->pages[i] * PAGE_BYTES));
	return list;
}

void heat_print_json(const struct heat_vm *vm, const struct heat_limits *limits,
		     const struct heat_look *look)
{
	struct json_object *o = json_object_new_object(), *bins = json_object_new_array();
	enum heat h;
	size_t i;

	json_add_u64(o, "vm", vm->id);
	json_add_u64(o, "memory", vm->nr_pages * PAGE_BYTES);
	json_add_u64(o, "hot_seconds", limits->hot);
	json_add_u64(o, "warm_seconds", limits->warm);
	for (h = 0; h < NR_HEATS; h++)
		json_add_u64(o, heat_names[h], look->total[h] * PAGE_BYTES);
	json_add_u64(o, "swapped_in_use", look->swapped_in_use * PAGE_BYTES);
	json_add_bool(o, "fits", !look->swapped_in_use);
	for (i = 0; i < look->nr_bins; i++)
		json_object_array_add(bins,
				      bin_json(heat_bin_gpa(vm, look, i), &look->bins[i]));
	json_object_object_add(o, "map", bins);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
