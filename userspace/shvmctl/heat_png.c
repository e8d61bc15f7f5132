// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks as a picture: guest memory from bottom to top, time from left to right, one colour for
 * each heat. Text is drawn with a font of 3 by 5 points, doubled.
 */
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "heat.h"

#define MARGIN_LEFT 90
#define MARGIN_TOP 30
#define MARGIN_BOTTOM 50
#define MARGIN_RIGHT 20
#define PLOT_WIDTH 640 /* at least; each look is a column of the same width */
#define SCALE 2
#define LETTER_STEP (4 * SCALE)
#define LETTER_HEIGHT (5 * SCALE)
#define TICKS 8

enum { WHITE = NR_HEATS, BLACK, NR_COLOURS };

static const png_color palette[NR_COLOURS] = {
	[HEAT_UNTOUCHED] = { 0xe8, 0xe8, 0xe8 },
	[HEAT_SWAPPED] = { 0xa0, 0x30, 0xc0 },
	[HEAT_COLD] = { 0x50, 0x80, 0xd8 },
	[HEAT_WARM] = { 0xf8, 0xb0, 0x30 },
	[HEAT_HOT] = { 0xd8, 0x20, 0x20 },
	[WHITE] = { 0xff, 0xff, 0xff },
	[BLACK] = { 0, 0, 0 },
};

struct canvas {
	size_t width;
	size_t height;
	png_byte *pixels;
};

/* Rows from top to bottom, three bits each, the left point first. */
struct glyph {
	char letter;
	unsigned short rows; /* five octal digits */
};

static const struct glyph glyphs[] = {
	{ '0', 075557 }, { '1', 026227 }, { '2', 071747 }, { '3', 071717 }, { '4', 055711 },
	{ '5', 074717 }, { '6', 074757 }, { '7', 071244 }, { '8', 075757 }, { '9', 075717 },
	{ 'A', 025755 }, { 'B', 065656 }, { 'C', 034443 }, { 'D', 065556 }, { 'E', 074647 },
	{ 'F', 074644 }, { 'G', 034553 }, { 'H', 055755 }, { 'I', 072227 }, { 'J', 011152 },
	{ 'K', 055655 }, { 'L', 044447 }, { 'M', 057755 }, { 'N', 065555 }, { 'O', 025552 },
	{ 'P', 065644 }, { 'Q', 025573 }, { 'R', 065655 }, { 'S', 034216 }, { 'T', 072222 },
	{ 'U', 055557 }, { 'V', 055552 }, { 'W', 055775 }, { 'X', 055255 }, { 'Y', 055222 },
	{ 'Z', 071247 }, { '.', 000002 }, { ',', 000024 }, { ':', 002020 }, { '<', 012421 },
};

static void fill(struct canvas *c, size_t x, size_t y, size_t width, size_t height, png_byte colour)
{
	size_t i, j;

	for (j = y; j < y + height && j < c->height; j++)
		for (i = x; i < x + width && i < c->width; i++)
			c->pixels[j * c->width + i] = colour;
}

static unsigned int glyph_rows(char letter)
{
	size_t i;

	if (letter >= 'a' && letter <= 'z')
		letter += 'A' - 'a';
	for (i = 0; i < ARRAY_SIZE(glyphs); i++)
		if (glyphs[i].letter == letter)
			return glyphs[i].rows;
	return 0;
}

static void draw_text(struct canvas *c, size_t x, size_t y, const char *text)
{
	unsigned int rows, point;

	for (; *text; text++, x += LETTER_STEP) {
		rows = glyph_rows(*text);
		for (point = 0; point < 15; point++)
			if (rows >> (14 - point) & 1)
				fill(c, x + point % 3 * SCALE, y + point / 3 * SCALE, SCALE, SCALE,
				     BLACK);
	}
}

static void draw_look(struct canvas *c, const struct heat_look *look, size_t x, size_t width)
{
	size_t y, bin;

	for (y = 0; y < HEAT_PNG_BINS; y++) {
		bin = y * look->nr_bins / HEAT_PNG_BINS;
		fill(c, x, MARGIN_TOP + HEAT_PNG_BINS - 1 - y, width, 1,
		     heat_of_bin(&look->bins[bin]));
	}
}

static void draw_memory_axis(struct canvas *c, const struct heat_picture *p)
{
	char size[SIZE_TEXT];
	size_t i, y;

	for (i = 0; i <= TICKS; i++) {
		y = MARGIN_TOP + HEAT_PNG_BINS - i * HEAT_PNG_BINS / TICKS;
		size_text(size, p->memory / TICKS * i);
		draw_text(c, MARGIN_LEFT - 8 - strlen(size) * LETTER_STEP, y - LETTER_HEIGHT / 2,
			  size);
		fill(c, MARGIN_LEFT - 5, y, 5, 1, BLACK);
	}
}

static void draw_time_axis(struct canvas *c, const struct heat_picture *p, size_t plot)
{
	char text[32];
	size_t i, x;

	for (i = 0; i <= 4; i++) {
		x = MARGIN_LEFT + plot * i / 4;
		snprintf(text, sizeof(text), "%.1f s", p->seconds * i / 4);
		fill(c, x, MARGIN_TOP + HEAT_PNG_BINS, 1, 5, BLACK);
		draw_text(c, x - strlen(text) * LETTER_STEP / 2, MARGIN_TOP + HEAT_PNG_BINS + 8,
			  text);
	}
}

/* Each heat with its colour and what it is in the last look. */
static void draw_legend(struct canvas *c, const struct heat_picture *p)
{
	const struct heat_look *last = &p->looks[p->nr_looks - 1];
	size_t x = MARGIN_LEFT, y = c->height - 20;
	char text[64], size[SIZE_TEXT];
	enum heat i;

	for (i = NR_HEATS; i-- > 0;) {
		pages_text(size, last->total[i]);
		snprintf(text, sizeof(text), "%s %s", heat_names[i], size);
		fill(c, x, y, LETTER_HEIGHT, LETTER_HEIGHT, i);
		draw_text(c, x + 16, y, text);
		x += 16 + (strlen(text) + 1) * LETTER_STEP;
	}
}

static void draw_title(struct canvas *c, const struct heat_picture *p)
{
	const struct heat_look *last = &p->looks[p->nr_looks - 1];
	char text[96];

	snprintf(text, sizeof(text), "VM %llu: working set of %u s %s", (unsigned long long)p->vm,
		 p->limits->warm, last->swapped_in_use ? "does not fit" : "fits");
	draw_text(c, MARGIN_LEFT, 10, text);
}

static void draw(struct canvas *c, const struct heat_picture *p, size_t column)
{
	size_t i;

	fill(c, 0, 0, c->width, c->height, WHITE);
	for (i = 0; i < p->nr_looks; i++)
		draw_look(c, &p->looks[i], MARGIN_LEFT + i * column, column);
	draw_memory_axis(c, p);
	draw_time_axis(c, p, p->nr_looks * column);
	draw_legend(c, p);
	draw_title(c, p);
}

/* libpng comes back here by longjmp() when something fails. */
static int write_canvas(const struct canvas *c, FILE *f)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	size_t y;

	if (!info || setjmp(png_jmpbuf(png))) {
		png_destroy_write_struct(&png, &info);
		return -EIO;
	}
	png_init_io(png, f);
	png_set_IHDR(png, info, c->width, c->height, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_set_PLTE(png, info, palette, NR_COLOURS);
	png_write_info(png, info);
	for (y = 0; y < c->height; y++)
		png_write_row(png, c->pixels + y * c->width);
	png_write_end(png, NULL);
	png_destroy_write_struct(&png, &info);
	return 0;
}

static int write_file(const struct canvas *c, const char *file)
{
	FILE *f = fopen(file, "we");
	int err;

	if (!f)
		return -errno;
	err = write_canvas(c, f);
	if (fclose(f) && !err)
		err = -errno;
	return err;
}

int heat_write_png(const struct heat_picture *p, const char *file)
{
	size_t column = (PLOT_WIDTH + p->nr_looks - 1) / p->nr_looks;
	struct canvas c = {
		.width = MARGIN_LEFT + p->nr_looks * column + MARGIN_RIGHT,
		.height = MARGIN_TOP + HEAT_PNG_BINS + MARGIN_BOTTOM,
	};
	int err;

	c.pixels = malloc(c.width * c.height);
	if (!c.pixels)
		return -ENOMEM;
	draw(&c, p, column);
	err = write_file(&c, file);
	free(c.pixels);
	return err;
}
