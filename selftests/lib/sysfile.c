// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of /proc, /sys and cgroups.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shvm_test.h"
#include "sysfile.h"

long sysfile_number(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long n = -1;

	while (f && n < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			n = atol(line + strlen(word));
	if (f)
		fclose(f);
	return n;
}

int sysfile_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

void sysfile_put_pages_on_lists(void)
{
	int fd = memfd_create("sysfile", MFD_CLOEXEC | MFD_ALLOW_SEALING), ends[2];
	off_t at = 0;

	if (fd < 0 || pipe(ends) || pwrite(fd, "", 1, 0) != 1 ||
	    splice(fd, &at, ends[1], NULL, 1, 0) != 1)
		test_die("cannot put a page into a pipe: %s", strerror(errno));
	if (!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) || errno != EBUSY)
		test_die("a file in use can be sealed");
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

bool sysfile_have_swap(void)
{
	return sysfile_number("/proc/meminfo", "SwapTotal:") > 0;
}

bool pageout_spares_used(void)
{
	const size_t size = sysconf(_SC_PAGESIZE);
	unsigned char resident = 0;
	char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	*(volatile char *)page = 1;
	madvise(page, size, MADV_PAGEOUT);
	mincore(page, size, &resident);
	munmap(page, size);
	return resident & 1;
}

bool cgroup_enter(const char *dir)
{
	char path[128];

	sysfile_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(dir, 0755) && errno != EEXIST)
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	if (sysfile_write(path, "0"))
		return false;
	snprintf(path, sizeof(path), "%s/memory.max", dir);
	return !access(path, W_OK);
}

void cgroup_leave(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	sysfile_write(path, "max");
	sysfile_write("/sys/fs/cgroup/cgroup.procs", "0");
	rmdir(dir);
}
