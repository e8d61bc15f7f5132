// SPDX-License-Identifier: GPL-2.0-only
/*
 * doctor: is the module there, loaded, and may this user use it?
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"

/* Does modprobe know it? */
static bool is_installed(void)
{
	char path[160], line[512];
	struct utsname name;
	bool there = false;
	FILE *f;

	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", name.release);
	f = fopen(path, "re");
	while (f && !there && fgets(line, sizeof(line), f))
		there = strstr(line, "/shvm.ko");
	if (f)
		fclose(f);
	return there;
}

static void check_not_loaded(struct findings *f)
{
	char line[160];

	if (doctor_read_line("/proc/sys/kernel/modules_disabled", line, sizeof(line)) &&
	    line[0] == '1') {
		found(f, VERDICT_BAD, "module", "restart the computer and load it before that",
		      "not loaded, and this kernel takes no more modules");
		return;
	}
	if (doctor_read_line("/sys/kernel/security/lockdown", line, sizeof(line)) &&
	    !strstr(line, "[none]"))
		found(f, VERDICT_WARNING, "module",
		      "sign the module with a key that is known here, or switch Secure Boot off",
		      "this kernel may take signed modules only: lockdown %.80s", line);
	if (is_installed())
		found(f, VERDICT_BAD, "module", "load it: modprobe shvm", "not loaded");
	else
		found(f, VERDICT_BAD, "module",
		      "build and load it: make; insmod build/release/shvm.ko",
		      "neither loaded nor installed for this kernel");
}

static void check_family(struct findings *f)
{
	struct ctl ctl;
	int err = ctl_open(&ctl);

	if (!err)
		found(f, VERDICT_OK, "netlink", NULL, "the module answers");
	else
		found(f, VERDICT_WARNING, "netlink",
		      "shvmctl needs it: load a module of its version",
		      "no family \"shvm\": %s",
		      err == CTL_NO_FAMILY ? "the kernel does not know it" : strerror(-err));
	ctl_close(&ctl);
}

static void check_device(struct findings *f)
{
	struct stat st;

	if (stat("/dev/shvm", &st)) {
		found(f, VERDICT_BAD, "/dev/shvm", "is udev running, is /dev a devtmpfs?",
		      "the module is loaded, but there is no such file: %s", strerror(errno));
		return;
	}
	if (!S_ISCHR(st.st_mode)) {
		found(f, VERDICT_BAD, "/dev/shvm", "remove it and load the module anew",
		      "is not a device");
		return;
	}
	if (access("/dev/shvm", R_OK | W_OK))
		found(f, VERDICT_BAD, "/dev/shvm",
		      "run VMs as root, or let a group in: udev KERNEL==\"shvm\", GROUP=\"kvm\"",
		      "may not be opened by user %u: %s", getuid(), strerror(errno));
	else
		found(f, VERDICT_OK, "/dev/shvm", NULL, "may be opened (mode %o, uid %u, gid %u)",
		      st.st_mode & 07777, st.st_uid, st.st_gid);
}

void doctor_module(struct findings *f)
{
	if (access("/sys/module/shvm", F_OK)) {
		check_not_loaded(f);
		return;
	}
	found(f, VERDICT_OK, "module", NULL, "loaded");
	check_family(f);
	check_device(f);
}
