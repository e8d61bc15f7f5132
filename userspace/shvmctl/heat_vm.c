// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gets hold of somebody else's VM: its file descriptor by pidfd_getfd(), the guest's memory by what
 * /proc/PID/fdinfo says of it. The kernel wants the rights of a debugger for both.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heat.h"

#define VM_LINK "anon_inode:shvm-vm"

static __noreturn void fail_ended(const struct heat_vm *vm)
{
	fail(CTL_NO_VM, "\"shvmctl list\" shows those that run", "VM %llu has ended",
	     (unsigned long long)vm->id);
}

static __noreturn void fail_process(const struct heat_vm *vm, const char *what, int err)
{
	if (err == ESRCH || err == ENOENT)
		fail_ended(vm);
	if (err == EPERM || err == EACCES)
		fail(CTL_NO_PERMISSION,
		     "ask as root; its user may, too, if /proc/sys/kernel/yama/ptrace_scope is 0",
		     "%s of process %u may not be looked at", what, vm->pid);
	fail(CTL_FAILED, NULL, "cannot get %s of process %u: %s", what, vm->pid, strerror(err));
}

static bool read_slot(struct heat_vm *vm, const char *line)
{
	u64 gpa, size, hva;

	if (sscanf(line, "shvm-slot: %" SCNx64 " %" SCNx64 " %" SCNx64, (uint64_t *)&gpa,
		   (uint64_t *)&size, (uint64_t *)&hva) != 3)
		return false;
	if (vm->nr_slots == HEAT_SLOTS)
		return false;
	vm->slots[vm->nr_slots++] = (struct heat_slot){
		.page = gpa / PAGE_BYTES, .nr = size / PAGE_BYTES, .hva = hva,
	};
	vm->nr_pages += size / PAGE_BYTES;
	return true;
}

/* Is fd this VM? Then its slots are noted. */
static bool read_fdinfo(struct heat_vm *vm, int fd)
{
	bool found = false;
	char line[160];
	uint64_t id;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%u/fdinfo/%d", vm->pid, fd);
	f = fopen(line, "re");
	if (!f)
		return false;
	vm->nr_slots = 0;
	vm->nr_pages = 0;
	while (fgets(line, sizeof(line), f))
		if (!read_slot(vm, line) && sscanf(line, "shvm-vm: %" SCNu64, &id) == 1)
			found = id == vm->id;
	fclose(f);
	return found;
}

static bool is_vm_link(int dir, const char *name)
{
	char link[64];
	ssize_t len = readlinkat(dir, name, link, sizeof(link));

	return len == (ssize_t)strlen(VM_LINK) && !memcmp(link, VM_LINK, len);
}

/* The number that the VM has in its process. */
static int find_fd(struct heat_vm *vm)
{
	struct dirent *entry;
	char path[48];
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/fd", vm->pid);
	dir = opendir(path);
	if (!dir)
		fail_process(vm, "the files", errno);
	while (fd < 0 && (entry = readdir(dir)))
		if (is_vm_link(dirfd(dir), entry->d_name) && read_fdinfo(vm, atoi(entry->d_name)))
			fd = atoi(entry->d_name);
	closedir(dir);
	if (fd < 0)
		fail(CTL_FAILED, "the process that made the VM must have it open",
		     "process %u does not have VM %llu among its files", vm->pid,
		     (unsigned long long)vm->id);
	return fd;
}

void heat_vm_open(struct heat_vm *vm, const struct ctl_vm *info)
{
	char path[48];

	*vm = (struct heat_vm){ .id = info->id, .pid = info->pid };
	if (!info->pid)
		fail(CTL_FAILED, "ask in the pid namespace where it runs",
		     "the process of VM %llu is not in this pid namespace",
		     (unsigned long long)info->id);
	vm->pidfd = syscall(SYS_pidfd_open, vm->pid, 0);
	if (vm->pidfd < 0)
		fail_process(vm, "the id", errno);
	vm->fd_there = find_fd(vm);
	vm->fd = syscall(SYS_pidfd_getfd, vm->pidfd, vm->fd_there, 0);
	if (vm->fd < 0)
		fail_process(vm, "the VM", errno);
	snprintf(path, sizeof(path), "/proc/%u/pagemap", vm->pid);
	vm->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (vm->pagemap < 0)
		fail_process(vm, "the page map", errno);
}

static int by_page(const void *a, const void *b)
{
	const struct heat_slot *x = a, *y = b;

	return x->page < y->page ? -1 : x->page > y->page;
}

void heat_vm_read_slots(struct heat_vm *vm)
{
	struct pollfd end = { .fd = vm->pidfd, .events = POLLIN };

	/* With the VM open here, nothing but this says that its process is gone. */
	if (poll(&end, 1, 0) > 0 || !read_fdinfo(vm, vm->fd_there))
		fail_ended(vm);
	qsort(vm->slots, vm->nr_slots, sizeof(vm->slots[0]), by_page);
	if (!vm->nr_pages)
		fail(CTL_FAILED, NULL, "VM %llu has no memory yet", (unsigned long long)vm->id);
}
