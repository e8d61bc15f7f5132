// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test of the instruction emulator in user space.
 */
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

#include "emul_test.h"

u64 opt_seed = 1;
u64 opt_count = 400000;

static void usage(FILE *f)
{
	fputs("Usage: emul-test [--seed N] [--count N]\n"
	      "\n"
	      "Compares the instruction emulator with this CPU on random instructions, feeds it\n"
	      "random bytes, and checks system instructions against the SDM. Output is TAP.\n"
	      "\n"
	      "  --seed N    random numbers start from N (default 1; 0: from the clock)\n"
	      "  --count N   instructions to generate for the comparison (default 400000)\n"
	      "  --help      this text\n", f);
}

static u64 parse_number(const char *name, const char *arg)
{
	char *end;
	u64 n = strtoull(arg, &end, 0);

	if (*arg && !*end)
		return n;
	fprintf(stderr, "emul-test: --%s: \"%s\" is not a number\n", name, arg);
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			opt_seed = parse_number("seed", optarg);
			break;
		case 'c':
			opt_count = parse_number("count", optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "emul-test: \"%s\" is not an option, try --help\n", argv[optind]);
		exit(2);
	}
	if (!opt_seed)
		opt_seed = time(NULL);
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	if (!native_init()) {
		perror("emul-test: cannot prepare memory or signals for native execution");
		return 1;
	}
	printf("# seed %llu, %llu instructions\n", opt_seed, opt_count);
	tap_plan_add("64-bit code against this CPU", test_diff_64);
	tap_plan_add("32-bit code against this CPU", test_diff_32);
	tap_plan_add("32-bit segment types and limits against this CPU", test_diff_segments);
	tap_plan_add("16-bit code against this CPU", test_diff_16);
	tap_plan_add("random bytes", test_fuzz);
	add_directed_tests();
	add_system_tests();
	return tap_run();
}
