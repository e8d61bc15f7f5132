// SPDX-License-Identifier: GPL-2.0-only
/*
 * doctor: does the CPU have VT-x, does the firmware allow it, does somebody else use it?
 */
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define MSR_FEATURE_CONTROL 0x3a
#define LOCKED BIT(0)
#define VMXON_OUTSIDE_SMX BIT(2)

/* Only the first CPU's line is looked at. */
static bool cpu_flags(char *flags, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	bool there = false;

	while (f && !there && fgets(flags, size, f))
		there = !strncmp(flags, "flags", 5);
	if (f)
		fclose(f);
	return there;
}

static bool has_flag(const char *flags, const char *flag)
{
	size_t len = strlen(flag);
	const char *at = flags;

	while ((at = strstr(at, flag))) {
		if (at > flags && at[-1] == ' ' && (at[len] == ' ' || at[len] == '\n' || !at[len]))
			return true;
		at += len;
	}
	return false;
}

static bool check_vmx(struct findings *f)
{
	static char flags[8192];

	if (!cpu_flags(flags, sizeof(flags))) {
		found(f, VERDICT_BAD, "VT-x", "shvm is for Intel's CPUs", "this is no x86 CPU");
		return false;
	}
	if (has_flag(flags, "vmx")) {
		found(f, VERDICT_OK, "VT-x", NULL, "the CPU has it");
		return true;
	}
	if (has_flag(flags, "svm"))
		found(f, VERDICT_BAD, "VT-x", "use another computer, or an emulated one: make run",
		      "the CPU has AMD's SVM instead");
	else if (has_flag(flags, "hypervisor"))
		found(f, VERDICT_BAD, "VT-x",
		      "let the host pass VT-x on (nested VMs), or use an emulated one: make run",
		      "this is a virtual machine whose CPU has none");
	else
		found(f, VERDICT_BAD, "VT-x", "switch it on in the firmware, if it is there",
		      "the CPU has none, or the firmware hides it");
	return false;
}

/* 0, or -errno. */
static int read_msr(const char *device, u32 msr, u64 *value)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (pread(fd, value, sizeof(*value), msr) != sizeof(*value))
		err = -EIO;
	close(fd);
	return err;
}

/* The lowest of all CPUs: a bit that one of them lacks is lacking. */
static int feature_control(u64 *value)
{
	glob_t devices;
	int err = -ENOENT;
	size_t i;
	u64 one;

	*value = ~0ULL;
	if (glob("/dev/cpu/[0-9]*/msr", 0, NULL, &devices))
		return -ENOENT;
	for (i = 0; i < devices.gl_pathc; i++) {
		err = read_msr(devices.gl_pathv[i], MSR_FEATURE_CONTROL, &one);
		if (err)
			break;
		*value &= one;
	}
	globfree(&devices);
	return err;
}

static void check_firmware(struct findings *f)
{
	u64 value;
	int err = feature_control(&value);

	if (err)
		found(f, VERDICT_UNKNOWN, "firmware",
		      err == -ENOENT ? "to know more: modprobe msr, then ask again" :
				       "to know more: ask as root",
		      "cannot read whether it allows VT-x (FEATURE_CONTROL): %s", strerror(-err));
	else if (!(value & VMXON_OUTSIDE_SMX))
		found(f, VERDICT_BAD, "firmware", "switch VT-x on in the firmware's setup",
		      "it has VT-x switched off%s (FEATURE_CONTROL %#llx)",
		      value & LOCKED ? " and locked" : "", (unsigned long long)value);
	else if (!(value & LOCKED))
		found(f, VERDICT_BAD, "firmware",
		      "use a kernel that locks it at boot: CONFIG_IA32_FEAT_CTL",
		      "FEATURE_CONTROL %#llx is not locked", (unsigned long long)value);
	else
		found(f, VERDICT_OK, "firmware", NULL, "it allows VT-x");
}

static bool module_in_use(const char *module, long *users)
{
	char path[80], line[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	if (!doctor_read_line(path, line, sizeof(line)))
		return false;
	*users = atol(line);
	return true;
}

/* They take VT-x while they have a VM, or for as long as they are loaded. */
static void check_rivals(struct findings *f)
{
	static const char *const rivals[] = { "kvm_intel", "vboxdrv", "vmmon" };
	bool any = false;
	long users;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rivals); i++) {
		if (!module_in_use(rivals[i], &users))
			continue;
		any = true;
		if (users)
			found(f, VERDICT_BAD, "hypervisor",
			      "end its VMs, or unload it: VT-x has one owner at a time",
			      "%s is in use (%ld users) and may hold VT-x", rivals[i], users);
		else
			found(f, VERDICT_OK, "hypervisor", NULL, "%s is loaded, but has no VM",
			      rivals[i]);
	}
	if (!any)
		found(f, VERDICT_OK, "hypervisor", NULL, "no other one is loaded");
}

void doctor_cpu(struct findings *f)
{
	if (check_vmx(f))
		check_firmware(f);
	check_rivals(f);
}
