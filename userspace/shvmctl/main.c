// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl: shows and steers the VMs of the module shvm. Reads the command line; each command is in
 * a file of its own.
 */
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shvmctl.h"

#ifndef SHVMCTL_VERSION
#define SHVMCTL_VERSION "unknown"
#endif

#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 86400.0

enum {
	OPT_HELP = 256,
	OPT_VERSION,
	OPT_JSON,
	OPT_INTERVAL,
	OPT_COUNT,
	OPT_VCPU,
	OPT_PAGES,
	OPT_PNG,
	OPT_HOT,
	OPT_WARM,
	OPT_FINE,
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "vcpu", required_argument, NULL, OPT_VCPU },
	{ "pages", required_argument, NULL, OPT_PAGES },
	{ "png", required_argument, NULL, OPT_PNG },
	{ "hot", required_argument, NULL, OPT_HOT },
	{ "warm", required_argument, NULL, OPT_WARM },
	{ "fine", no_argument, NULL, OPT_FINE },
	{ NULL, 0, NULL, 0 },
};

/* Which of TAKES_* an option needs; those that are not here are for all commands. */
static const unsigned int option_takes[] = {
	[OPT_INTERVAL - OPT_HELP] = TAKES_INTERVAL,
	[OPT_COUNT - OPT_HELP] = TAKES_COUNT,
	[OPT_VCPU - OPT_HELP] = TAKES_VCPU,
	[OPT_PAGES - OPT_HELP] = TAKES_PAGES,
	[OPT_PNG - OPT_HELP] = TAKES_HEAT,
	[OPT_HOT - OPT_HELP] = TAKES_HEAT,
	[OPT_WARM - OPT_HELP] = TAKES_HEAT,
	[OPT_FINE - OPT_HELP] = TAKES_HEAT,
};

static const struct command commands[] = {
	{ "list", "", "all VMs",
	  "All VMs of this network namespace. Of other users' VMs only the id is shown.\n",
	  0, cmd_list },
	{ "show", "VM", "one VM and its vCPUs",
	  "What VM is, how much shadow memory it has, and what its vCPUs do.\n",
	  TAKES_VM, cmd_show },
	{ "stat", "VM [--vcpu N] [--interval S] [--count N]", "counters of a VM",
	  "The counters of VM, from its creation on; what is 0 is left out, but not in JSON.\n"
	  "  --vcpu N         of this vCPU alone\n"
	  "  --interval S     every S seconds, what was added per second\n"
	  "  --count N        end after N times\n",
	  TAKES_VM | TAKES_VCPU | TAKES_INTERVAL | TAKES_COUNT, cmd_stat },
	{ "top", "[--interval S] [--count N]", "screen of all VMs, their exits and faults",
	  "VMs by exits per second; below them the exit reasons of the selected one.\n"
	  "Keys: up, down (or k, j) select; space updates; q ends.\n"
	  "  --interval S     seconds between updates (1)\n"
	  "  --count N        end after N updates\n"
	  "With --json: no screen, but a line for each update.\n",
	  TAKES_INTERVAL | TAKES_COUNT, cmd_top },
	{ "monitor", "[--count N]", "what happens to VMs, as it happens",
	  "A line for each event: VMs and vCPUs come and go, break, run short of shadow memory.\n"
	  "  --count N        end after N events\n"
	  "With --json: an object on each line.\n",
	  TAKES_COUNT, cmd_monitor },
	{ "reclaim", "VM [--pages N]", "take shadow pages from a VM",
	  "Takes the least recently used shadow pages from VM; those that it needs come back.\n"
	  "  --pages N        so many pages of 4 KiB (all that can go)\n",
	  TAKES_VM | TAKES_PAGES, cmd_reclaim },
	{ "budget", "VM [N]", "how many shadow pages a VM may have",
	  "Shows the budget of VM, or sets it to N pages of 4 KiB: 64 or more, or 0, the default.\n",
	  TAKES_VM | TAKES_NUMBER, cmd_budget },
	{ "heatmap", "VM [--hot S] [--warm S] [--fine] [--png FILE] [--interval S] [--count N]",
	  "which memory of a VM is in use",
	  "Shows which memory of VM is hot, warm, cold, swapped, and whether what is used fits.\n"
	  "Watches for a while first: that a page was used is known when a look finds it so.\n"
	  "  --hot S          hot: used in the last S seconds (2)\n"
	  "  --warm S         warm: used in the last S seconds (10)\n"
	  "  --fine           tear large pages, to see which part of them is used\n"
	  "  --png FILE       draw all looks: memory from bottom to top, time from left to right\n"
	  "  --interval S     seconds between looks (1)\n"
	  "  --count N        looks (as many as --warm takes; with --png 60)\n"
	  "Needs the right to trace the process of VM: its user, or root.\n",
	  TAKES_VM | TAKES_HEAT | TAKES_INTERVAL | TAKES_COUNT, cmd_heatmap },
	{ "doctor", "", "can this computer run VMs of shvm?",
	  "Looks at CPU, kernel, module and permissions, and says what to do.\n"
	  "Status 0: VMs can run; 1: they cannot.\n",
	  0, cmd_doctor },
};

static const char status_text[] =
	"Status: 0 done; 1 failed; 2 wrong command line; 3 the module is not loaded;\n"
	"4 no permission; 5 no such VM or vCPU, or it has ended.\n";

static const char help_text[] =
	"Usage: shvmctl COMMAND [operand] [option]...\n"
	"Shows and steers the VMs of the kernel module shvm.\n\n";

static const char help_command_text[] =
	"Usage: shvmctl %s%s%s [--json]\n"
	"%s  --json           for programs\n"
	"%s";

static __noreturn void help(void)
{
	size_t i;

	fputs(help_text, stdout);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	printf("\nAll take --json and --help; shvmctl --version. See shvmctl(8).\n%s", status_text);
	output_close();
	exit(CTL_OK);
}

static __noreturn void help_command(const struct command *command)
{
	printf(help_command_text, command->name, *command->usage ? " " : "", command->usage,
	       command->help, status_text);
	output_close();
	exit(CTL_OK);
}

static __noreturn __printf(2, 3) void usage(const struct command *command, const char *fmt, ...)
{
	char cure[80], cause[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cause, sizeof(cause), fmt, ap);
	va_end(ap);
	snprintf(cure, sizeof(cure), "see: shvmctl %s%s--help", command ? command->name : "",
		 command ? " " : "");
	fail(CTL_USAGE, cure, "%s", cause);
}

static u64 parse_number(const struct command *command, const char *what, const char *text, u64 max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end)
		usage(command, "%s \"%.40s\" is not a number", what, text);
	if (errno || value > max)
		usage(command, "%s %.40s is too large", what, text);
	return value;
}

static u32 parse_positive(const struct command *command, const char *what, const char *text)
{
	u32 value = parse_number(command, what, text, 0xffffffff);

	if (!value)
		usage(command, "%s must be 1 or more", what);
	return value;
}

static double parse_interval(const struct command *command, const char *text)
{
	double value;
	char *end;

	value = strtod(text, &end);
	if (end == text || *end || isnan(value))
		usage(command, "--interval \"%.40s\" is not a number of seconds", text);
	if (value < INTERVAL_MIN || value > INTERVAL_MAX)
		usage(command, "--interval %.40s is not between 0.1 and 86400 seconds", text);
	return value;
}

static void parse_heat(const struct command *command, struct args *args, int opt)
{
	switch (opt) {
	case OPT_PNG:
		args->png = optarg;
		break;
	case OPT_HOT:
		args->hot = parse_positive(command, "--hot", optarg);
		break;
	case OPT_WARM:
		args->warm = parse_positive(command, "--warm", optarg);
		break;
	case OPT_FINE:
		args->fine = true;
		break;
	}
}

static void parse_option(const struct command *command, struct args *args, int opt, char **argv)
{
	switch (opt) {
	case OPT_HELP:
		help_command(command);
	case OPT_JSON:
		args->json = true;
		break;
	case OPT_INTERVAL:
		args->interval = parse_interval(command, optarg);
		break;
	case OPT_COUNT:
		args->count = parse_positive(command, "--count", optarg);
		break;
	case OPT_VCPU:
		args->vcpu = parse_number(command, "--vcpu", optarg, 0xffffffff);
		args->has_vcpu = true;
		break;
	case OPT_PAGES:
		args->pages = parse_positive(command, "--pages", optarg);
		break;
	case ':':
		usage(command, "option %.60s needs a value", argv[optind - 1]);
	case '?':
	case OPT_VERSION:
		usage(command, "unknown option %.60s", argv[optind - 1]);
	default:
		parse_heat(command, args, opt);
	}
}

static bool option_is_for(const struct command *command, int opt)
{
	unsigned int takes;

	if (opt < OPT_HELP || (size_t)(opt - OPT_HELP) >= ARRAY_SIZE(option_takes))
		return true;
	takes = option_takes[opt - OPT_HELP];
	return !takes || command->takes & takes;
}

static void parse_operands(const struct command *command, struct args *args, int argc, char **argv)
{
	if (command->takes & TAKES_VM) {
		if (optind == argc)
			usage(command, "which VM? \"shvmctl list\" shows them");
		args->vm = parse_number(command, "VM", argv[optind++], ~0ULL);
	}
	if (command->takes & TAKES_NUMBER && optind < argc) {
		args->number = parse_number(command, "number of pages", argv[optind++], 0xffffffff);
		args->has_number = true;
	}
	if (optind < argc)
		usage(command, "unexpected argument \"%.60s\"", argv[optind]);
}

/* argv[0] is the command. */
static struct args parse(const struct command *command, int argc, char **argv)
{
	struct args args = { 0 };
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (!option_is_for(command, opt))
			usage(command, "%s has no option %.60s", command->name, argv[optind - 1]);
		parse_option(command, &args, opt, argv);
	}
	parse_operands(command, &args, argc, argv);
	return args;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	usage(NULL, "unknown command \"%.60s\"", name);
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct args args;
	int status;

	diag_init("shvmctl");
	if (argc < 2)
		usage(NULL, "which command?");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		help();
	if (!strcmp(argv[1], "--version")) {
		puts("shvmctl " SHVMCTL_VERSION);
		output_close();
		return CTL_OK;
	}
	command = find_command(argv[1]);
	args = parse(command, argc - 1, argv + 1);
	status = command->run(&args);
	output_close();
	return status;
}
