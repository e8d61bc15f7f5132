// SPDX-License-Identifier: GPL-2.0-only
/*
 * The random test with the bytes of a file as its random numbers: a fuzzer that is guided by
 * coverage looks for files, and those that have found something are kept in corpus/.
 *
 * Byte 0 is the configuration, bytes 1 and 2 are the seed of the guest's first tables; what
 * happens then is up to the rest, two bytes for each decision.
 */
#include "machine.h"

#define HEADER		3
#define MAX_SIZE	(1 << 16)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct {
	const u8 *next, *end;
	u64 rest;		/* state of what is not in the input */
	struct random_options options;
} input;

static const char *file = "the input";

/* Not on stdout, where the steps of a run go and which may be closed. */
void fail_repeat(void)
{
	fprintf(stderr, "# repeat: mmu-replay --verbose %s\n", file);
}

/* Registers are loaded when the tables are there. */
static bool is_running(void)
{
	return machine && machine->vcpu[0].cr3;
}

static u64 input_word(void)
{
	u64 v;

	if (!is_running())
		return rnd_mix(&input.rest);
	if (input.end - input.next < 2) {
		/* The step under way is the last; it may draw until it likes what it gets. */
		input.options.steps = 0;
		return rnd_mix(&input.rest);
	}
	v = input.next[0] | input.next[1] << 8;
	input.next += 2;
	return v * 0x0001000100010001ULL;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size < HEADER)
		return 0;
	input.next = data + HEADER;
	input.end = data + size;
	input.rest = data[1] | data[2] << 8;
	input.options = (struct random_options){
		.steps = ~0ULL >> 1, .audit = 64, .config = data[0] % NR_CONFIGS,
	};
	rnd_source = input_word;
	random_run(&input.options);
	return 0;
}

#ifdef FUZZ_REPLAY
static int replay(const char *name)
{
	static u8 data[MAX_SIZE];
	FILE *f = fopen(name, "rb");
	size_t size;

	if (!f) {
		perror(name);
		return 1;
	}
	file = name;
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	return LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
	int i = 1, failed = 0;

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		printf("usage: %s [--verbose] FILE...\n"
		       "Repeats what the fuzzer did with each file.\n"
		       "Status: 0 if all passed, 1 for a file that cannot be read; a failure aborts.\n",
		       argv[0]);
		return argc < 2;
	}
	if (!strcmp(argv[1], "--verbose"))
		i++;
	else if (!freopen("/dev/null", "w", stdout))
		return 1;
	for (; i < argc; i++)
		failed |= replay(argv[i]);
	fprintf(stderr, "# %d inputs\n", argc - 1);
	return failed;
}
#endif
