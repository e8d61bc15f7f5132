// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture of heatmap, drawn of looks that are made up, read back with libpng. TAP.
 * picture FILE: where to draw it.
 */
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/shvmctl/heat.h"

#define NR_LOOKS 4
#define BIN_PAGES 1024
#define NR_BINS 64

static int tests, failed;

static void check(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failed += !good;
}

/* The guest's memory from below: hot, warm, swapped, cold, untouched; hot moves up with time. */
static void make_looks(struct heat_look *looks)
{
	size_t i, bin;

	for (i = 0; i < NR_LOOKS; i++) {
		looks[i] = (struct heat_look){ .nr_bins = NR_BINS, .bin_pages = BIN_PAGES };
		looks[i].bins = calloc(NR_BINS, sizeof(*looks[i].bins));
		for (bin = 0; bin < NR_BINS; bin++) {
			enum heat heat = bin / (NR_BINS / 4);

			if (bin / (NR_BINS / 4) == i)
				heat = HEAT_HOT;
			looks[i].bins[bin].pages[heat] = BIN_PAGES;
			looks[i].total[heat] += BIN_PAGES;
		}
	}
}

static bool is_colour(const png_image *image, const png_byte *pixels, size_t x, size_t y, u32 rgb)
{
	const png_byte *p = pixels + (y * image->width + x) * 3;

	return (u32)(p[0] << 16 | p[1] << 8 | p[2]) == rgb;
}

/* Quarter of the memory from below, quarter of the time. */
static bool quarter_is(const png_image *image, const png_byte *pixels, int quarter, int look,
		       u32 rgb)
{
	size_t y = 30 + 512 - 64 - quarter * 128, x = 90 + 80 + look * 160;

	return is_colour(image, pixels, x, y, rgb);
}

static void check_file(const char *file)
{
	static const u32 colours[] = { 0xe8e8e8, 0xa030c0, 0x5080d8, 0xf8b030 };
	png_image image = { .version = PNG_IMAGE_VERSION };
	png_byte *pixels;
	int quarter, look, bad = 0;

	check(png_image_begin_read_from_file(&image, file), "it is a PNG");
	check(image.width == 90 + 640 + 20 && image.height == 30 + 512 + 50, "its size");
	image.format = PNG_FORMAT_RGB;
	pixels = malloc(PNG_IMAGE_SIZE(image));
	check(png_image_finish_read(&image, NULL, pixels, 0, NULL), "it can be read");
	for (quarter = 0; quarter < 4; quarter++)
		for (look = 0; look < NR_LOOKS; look++)
			bad += !quarter_is(&image, pixels, quarter, look,
					   quarter == look ? 0xd82020 : colours[quarter]);
	check(!bad, "each heat has its colour, where and when it was");
	free(pixels);
}

static void check_bins(void)
{
	check(heat_of_bin(&(struct heat_bin){ { 70, 0, 0, 0, 30 } }) == HEAT_HOT,
	      "a quarter that is hot shows");
	check(heat_of_bin(&(struct heat_bin){ { 0, 0, 80, 0, 20 } }) == HEAT_COLD,
	      "less does not");
	check(heat_of_bin(&(struct heat_bin){ { 0, 30, 70, 0, 0 } }) == HEAT_SWAPPED,
	      "a quarter that is swapped out shows");
	check(heat_of_bin(&(struct heat_bin){ { 0, 30, 40, 30, 0 } }) == HEAT_WARM,
	      "what is in use comes first");
	check(heat_of_bin(&(struct heat_bin){ { 60, 0, 40, 0, 0 } }) == HEAT_UNTOUCHED,
	      "else what most is");
}

int main(int argc, char **argv)
{
	struct heat_limits limits = { .hot = 2, .warm = 10 };
	struct heat_look looks[NR_LOOKS];
	struct heat_picture picture = {
		.vm = 3,
		.memory = (u64)NR_BINS * BIN_PAGES * PAGE_BYTES,
		.seconds = 3,
		.limits = &limits,
		.looks = looks,
		.nr_looks = NR_LOOKS,
	};

	if (argc != 2)
		return 2;
	puts("TAP version 13\n1..11");
	make_looks(looks);
	check(!heat_write_png(&picture, argv[1]), "it is written");
	check_file(argv[1]);
	check_bins();
	check(heat_write_png(&picture, "/nonexistent/file") == -ENOENT, "no such directory");
	return failed != 0;
}
