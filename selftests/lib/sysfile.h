/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of /proc, /sys and cgroups: what tests read from the host's kernel, and tell it.
 */
#ifndef SHVM_SELFTESTS_SYSFILE_H
#define SHVM_SELFTESTS_SYSFILE_H

#include <stdbool.h>

/* The number after the word in the file, -1 if there is none. */
long sysfile_number(const char *path, const char *word);
/* 0 or -errno */
int sysfile_write(const char *path, const char *text);
bool sysfile_have_swap(void);
/* Does MADV_PAGEOUT ask what was used, and spare that? Not since Linux 6.9. Needs swap. */
bool pageout_spares_used(void);
/*
 * The host's ageing leaves out what is not on its lists of pages in use. New pages wait in a batch
 * of the CPU that asked for them. The batches of all CPUs are emptied before a file of memory is
 * sealed that somebody holds a page of, here a pipe; compaction does so, too, but leaves some
 * pages behind.
 */
void sysfile_put_pages_on_lists(void);

/* Moves this process into a memory cgroup of its own, and back. False: there is no such cgroup. */
bool cgroup_enter(const char *dir);
void cgroup_leave(const char *dir);

#endif
