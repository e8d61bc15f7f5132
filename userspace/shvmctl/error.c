// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went wrong, why, and what to do: every failure of the kernel's answers becomes a message
 * and an exit status here.
 */
#include <string.h>
#include <unistd.h>

#include "shvmctl.h"

static bool module_is_there(void)
{
	return !access("/sys/module/shvm", F_OK);
}

static __noreturn void fail_no_module(void)
{
	if (!module_is_there())
		fail(CTL_NO_MODULE,
		     "insert it: modprobe shvm; \"shvmctl doctor\" finds out what is missing",
		     "the module shvm is not loaded");
	fail(CTL_NO_MODULE,
	     "unload it and insert one of this version: rmmod shvm; modprobe shvm",
	     "the module shvm that is loaded has no netlink family");
}

__noreturn void fail_not_owner(u64 vm)
{
	fail(CTL_NO_PERMISSION, "ask as the user who has started it, or as root",
	     "VM %llu belongs to another user", (unsigned long long)vm);
}

static __noreturn void fail_no_vm(const struct ctl *ctl, u64 vm)
{
	if (strstr(ctl->message, "vCPU"))
		fail(CTL_NO_VM, "\"shvmctl show\" lists the vCPUs", "VM %llu: no such vCPU",
		     (unsigned long long)vm);
	fail(CTL_NO_VM, "\"shvmctl list\" shows those of this network namespace",
	     "there is no VM %llu, or it has ended", (unsigned long long)vm);
}

__noreturn void ctl_fail(const struct ctl *ctl, int err, u64 vm)
{
	const char *why = ctl->message[0] ? ctl->message : strerror(-err);

	/* ENOENT is also what a family gives that has gone meanwhile. */
	if (err == CTL_NO_FAMILY || (err == -ENOENT && (!vm || !module_is_there())))
		fail_no_module();
	if (err == -ENOENT && vm)
		fail_no_vm(ctl, vm);
	if (err == -EPERM && vm)
		fail_not_owner(vm);
	if (err == -EPERM)
		fail(CTL_NO_PERMISSION, "ask as root", "the kernel refuses: %s", why);
	if (err == -EAGAIN)
		fail(CTL_FAILED, "ask again", "VMs come and go faster than they can be listed");
	if (err == -EINVAL)
		fail(CTL_FAILED, "is the module of the same version as shvmctl?",
		     "the kernel does not accept the request: %s", why);
	fail(CTL_FAILED, NULL, "no answer from the kernel: %s", why);
}

void ctl_open_or_fail(struct ctl *ctl)
{
	int err = ctl_open(ctl);

	if (err)
		ctl_fail(ctl, err, 0);
}
