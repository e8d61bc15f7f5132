// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device the tests run on, ioctl() with readable errors, and what tests ask of the host.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shvm_test.h"

#define MAX_CPUID	256

static const char *device_path;

static void usage(FILE *out, const char *name)
{
	fprintf(out,
		"usage: %s [--dev PATH] [--only NAME]\n\n"
		"Tests a hypervisor device that speaks the KVM interface; output is TAP.\n\n"
		"  --dev PATH   the device; default: $SHVM_DEV, else /dev/shvm\n"
		"  --only NAME  run only the tests whose names contain NAME\n"
		"  --help       this text\n", name);
}

const char *test_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dev", required_argument, NULL, 'd' },
		{ "only", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *only = NULL;
	int opt;

	device_path = getenv("SHVM_DEV") ?: "/dev/shvm";
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'd') {
			device_path = optarg;
		} else if (opt == 'o') {
			only = optarg;
		} else {
			usage(opt == 'h' ? stdout : stderr, argv[0]);
			exit(opt == 'h' ? 0 : 2);
		}
	}
	close(test_dev_open());
	return only;
}

const char *test_device(void)
{
	return device_path;
}

void test_die(const char *fmt, ...)
{
	va_list ap;

	fputs("# ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

int test_dev_open(void)
{
	int fd = open(device_path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		test_die("cannot open %s: %s; is the module loaded, are you root?", device_path,
			 strerror(errno));
	return fd;
}

int test_dev_cap(long cap)
{
	int fd = test_dev_open();
	int ret = test_ioctl(fd, SHVM_CHECK_EXTENSION, "SHVM_CHECK_EXTENSION", cap);

	close(fd);
	return ret;
}

bool test_is_shvm(void)
{
	return test_dev_cap(SHVM_CAP_STATS) > 0;
}

int __test_ioctl(int fd, unsigned long request, unsigned long arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

int test_ioctl(int fd, unsigned long request, const char *name, unsigned long arg)
{
	int ret = __test_ioctl(fd, request, arg);

	if (ret < 0)
		test_die("%s failed: %s", name, strerror(-ret));
	return ret;
}

struct shvm_cpuid2 *test_supported_cpuid(void)
{
	struct shvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) +
					   MAX_CPUID * sizeof(cpuid->entries[0]));
	int dev = test_dev_open();

	cpuid->nent = MAX_CPUID;
	test_ioctl(dev, SHVM_GET_SUPPORTED_CPUID, "SHVM_GET_SUPPORTED_CPUID", (u64)cpuid);
	close(dev);
	return cpuid;
}

long test_read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

void test_pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
}
