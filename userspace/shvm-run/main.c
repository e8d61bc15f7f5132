// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvm-run: boots a Linux kernel in a virtual machine on /dev/shvm or /dev/kvm.
 * Reads the command line and puts the machine together in order.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/console.h"
#include "../lib/diag.h"
#include "machine.h"

#ifndef SHVM_RUN_VERSION
#define SHVM_RUN_VERSION "unknown"
#endif

#define MIB BIT_ULL(20)
#define MEM_DEFAULT (256 * MIB)
#define MEM_MIN (32 * MIB)
#define MEM_MAX BIT_ULL(40)
#define TIMEOUT_MAX 1000000000UL

struct options {
	struct linux_boot boot;
	const char *dev;
	u64 mem;
	unsigned int timeout_s;
	const char *shadow_pages;
	bool verbose;
	const char *marks;
	bool stats;
	bool hypervisor_leaves;
};

enum {
	OPT_HELP = 256,
	OPT_VERSION,
	OPT_STATS,
	OPT_MARKS,
	OPT_KVM_LEAVES,
	OPT_NO_KVM_LEAVES,
	OPT_TIMEOUT,
	OPT_SHADOW_PAGES,
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, 'k' },
	{ "initrd", required_argument, NULL, 'i' },
	{ "append", required_argument, NULL, 'a' },
	{ "mem", required_argument, NULL, 'm' },
	{ "dev", required_argument, NULL, 'd' },
	{ "shadow-pages", required_argument, NULL, OPT_SHADOW_PAGES },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "marks", required_argument, NULL, OPT_MARKS },
	{ "kvm-leaves", no_argument, NULL, OPT_KVM_LEAVES },
	{ "no-kvm-leaves", no_argument, NULL, OPT_NO_KVM_LEAVES },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help_text[] =
	"Usage: shvm-run --kernel bzImage [option]...\n"
	"Boots a Linux kernel in a virtual machine, its serial console on standard input and output.\n"
	"\n"
	"  -k, --kernel FILE    kernel image (bzImage, 64-bit or 32-bit), needed\n"
	"  -i, --initrd FILE    initramfs\n"
	"  -a, --append STRING  more kernel parameters, after \"console=ttyS0 nolapic noapic pci=off\"\n"
	"  -m, --mem SIZE       guest memory, with suffix K, M or G (default 256M)\n"
	"  -d, --dev FILE       hypervisor device (default /dev/shvm; /dev/kvm works too)\n"
	"      --shadow-pages N[,N...]  most pages of 4 KiB for shadow page tables (default: by --mem);\n"
	"                       the next N from each write of ff to port f5 on\n"
	"      --timeout N      end the guest after N seconds, with status 3\n"
	"      --stats          at the end, print times and the hypervisor's counters\n"
	"      --marks FILE     print the counters to FILE at each write to port f5\n"
	"      --kvm-leaves     show the guest the hypervisor's own CPUID leaves\n"
	"      --no-kvm-leaves  hide them (default)\n"
	"  -v, --verbose        say what is done and how long it took\n"
	"      --help, --version\n"
	"\n"
	"Keys on a terminal: Ctrl-A x ends the guest, Ctrl-A r prints its registers, Ctrl-A h helps.\n"
	"Status: 0 the guest powered off, rebooted or halted, or the user ended it; 1 it could not be\n"
	"started; 2 it crashed; 3 time limit; 65 to 123 debug-exit port.\n";

static void die_usage(const char *fmt, const char *arg)
{
	die("shvm-run --help lists the options", fmt, arg);
}

static void die_size(const char *text)
{
	die("give a number with K, M or G, such as 256M", "--mem %s is not a size", text);
}

static u64 parse_size(const char *text)
{
	unsigned long long value;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (end == text || text[0] < '0' || text[0] > '9')
		die_size(text);
	if (*end == 'K' || *end == 'k')
		shift = 10;
	else if (*end == 'M' || *end == 'm')
		shift = 20;
	else if (*end == 'G' || *end == 'g')
		shift = 30;
	if (*end && (!shift || end[1]))
		die_size(text);
	if (!shift)
		die("did you mean M? Give a suffix: K, M or G", "--mem %s has no unit", text);
	if (errno || value > MEM_MAX >> shift)
		die_usage("--mem %s is more than 1024G", text);
	value <<= shift;
	if (value < MEM_MIN)
		die("give at least 32M", "--mem %s is too little memory for any kernel", text);
	if (value & 0xfff)
		die("give a multiple of 4K", "--mem %s does not end at a page", text);
	return value;
}

static unsigned int parse_seconds(const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (end == text || *end || text[0] == '-' || errno || !value || value > TIMEOUT_MAX)
		die_usage("--timeout %s is not a number of seconds", text);
	return value;
}

static void parse_option(struct options *o, int opt, char **argv)
{
	switch (opt) {
	case 'k':
		o->boot.kernel = optarg;
		break;
	case 'i':
		o->boot.initrd = optarg;
		break;
	case 'a':
		o->boot.append = optarg;
		break;
	case 'm':
		o->mem = parse_size(optarg);
		break;
	case 'd':
		o->dev = optarg;
		break;
	case 'v':
		o->verbose = true;
		break;
	case OPT_TIMEOUT:
		o->timeout_s = parse_seconds(optarg);
		break;
	case OPT_SHADOW_PAGES:
		o->shadow_pages = optarg;
		break;
	case OPT_STATS:
		o->stats = true;
		break;
	case OPT_MARKS:
		o->marks = optarg;
		break;
	case OPT_KVM_LEAVES:
	case OPT_NO_KVM_LEAVES:
		o->hypervisor_leaves = opt == OPT_KVM_LEAVES;
		break;
	case OPT_HELP:
		fputs(help_text, stdout);
		exit(0);
	case OPT_VERSION:
		puts("shvm-run " SHVM_RUN_VERSION);
		exit(0);
	case ':':
		die_usage("option %s needs a value", argv[optind - 1]);
		break;
	default:
		die_usage("unknown option %s", argv[optind - 1]);
	}
}

static struct options parse_options(int argc, char **argv)
{
	struct options o = { .dev = "/dev/shvm", .mem = MEM_DEFAULT };
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":k:i:a:m:d:v", long_options, NULL)) != -1)
		parse_option(&o, opt, argv);
	if (optind < argc)
		die_usage("unexpected argument %s", argv[optind]);
	if (!o.boot.kernel)
		die("give one with --kernel /boot/vmlinuz-...; --help lists the options",
		    "no kernel");
	return o;
}

static size_t on_room(void *ctx)
{
	return uart_room(ctx);
}

static void on_input(void *ctx, const u8 *data, size_t len)
{
	uart_receive(ctx, data, len);
}

static void on_command(void *ctx, char key)
{
	machine_ask(ctx, key == 'x' ? REQUEST_STOP : REQUEST_REGS);
}

static void on_timeout(void *ctx)
{
	machine_ask(ctx, REQUEST_TIMEOUT);
}

static const struct console_ops console_ops = {
	.room = on_room,
	.input = on_input,
	.command = on_command,
	.timeout = on_timeout,
};

static void machine_create(struct machine *m, const struct options *o)
{
	struct linux_entry entry;

	hv_open(&m->hv, o->dev);
	hv_vm_create(&m->hv);
	stage("VM created on %s, %s", o->dev,
	      m->hv.own_chip ? "shvm's PIC and PIT" : "KVM's irqchip and PIT");
	memory_create(m, o->mem);
	m->shadow_pages = o->shadow_pages;
	shadow_pages_next(m);
	entry = linux_load(m, &o->boot);
	acpi_build(m);
	hv_vcpu_create(&m->hv);
	cpu_set_cpuid(m, o->hypervisor_leaves);
	cpu_set_msrs(m);
	cpu_set_entry(m, &entry);
	uart_init(m);
	if (o->marks)
		marks_open(m, o->marks);
	stage("vCPU ready, %llu MiB of memory, entry at %#llx", (unsigned long long)(o->mem / MIB),
	      (unsigned long long)entry.rip);
}

int main(int argc, char **argv)
{
	static struct machine m;
	struct options o;

	diag_init("shvm-run");
	o = parse_options(argc, argv);
	diag_set_verbose(o.verbose);
	machine_create(&m, &o);
	m.vcpu_thread = pthread_self();
	console_start(&console_ops, &m, o.timeout_s);
	marks_start(&m);
	machine_run(&m);
	console_restore();
	stage("guest ended, status %d", m.status);
	if (o.stats)
		machine_print_stats(&m);
	return m.status;
}
