// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program under watch: talks to the load in it, and reads its memory from outside.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch.h"

#define GUEST_ALIGN	(2UL << 20)	/* of a guest's memory in the launcher */

static int open_proc(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("cannot open", path);
	return fd;
}

void group_join(const char *group)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die("cannot join", path);
	close(fd);
}

void watched_start(struct watched *w, const char *group, char **command)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("no pipes", "");
	w->pid = fork();
	if (!w->pid) {
		group_join(group);
		dup2(to[0], 0);
		dup2(from[1], 1);
		execv(command[0], command);
		die("cannot run", command[0]);
	}
	close(to[0]);
	close(from[1]);
	w->to = fdopen(to[1], "w");
	w->from = fdopen(from[0], "r");
	setlinebuf(w->to);
}

void watched_say(struct watched *w, const char *line)
{
	fprintf(w->to, "%s\n", line);
}

/* The rest of the next line that starts with "load" and this. A guest's kernel may say more. */
const char *watched_answer(struct watched *w, const char *start)
{
	static char line[256];
	char *at;

	while (fgets(line, sizeof(line), w->from)) {
		line[strcspn(line, "\r\n")] = 0;
		at = strstr(line, "load ");
		if (at && !strncmp(at + 5, start, strlen(start)))
			return at + 5 + strlen(start);
		if (at && !strncmp(at + 5, "corrupt", 7))
			die("wrong memory", at);
		fprintf(stderr, "# %s\n", line);
	}
	die("the program under watch ended before it said", start);
	return NULL;
}

uint64_t watched_ready(struct watched *w)
{
	return strtoull(watched_answer(w, "ready "), NULL, 16);
}

static bool has_report(struct watched *w, uint64_t at)
{
	return pread(w->mem, &w->report, sizeof(w->report), at) == sizeof(w->report) &&
	       w->report.magic == LOAD_MAGIC;
}

/* A guest's memory is a large mapping, which may have been joined to others. */
static bool find_guest(struct watched *w, uint64_t report)
{
	unsigned long start, end;
	char line[512], path[64];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", w->pid);
	maps = fopen(path, "re");
	if (!maps)
		die("cannot open", path);
	while (!found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx rw-p", &start, &end) != 2 || end - start < report)
			continue;
		start = (start + GUEST_ALIGN - 1) & -GUEST_ALIGN;
		for (; !found && start + report < end; start += GUEST_ALIGN) {
			found = has_report(w, start + report);
			w->at = start;
		}
	}
	fclose(maps);
	return found;
}

static uint64_t report_address(const struct watched *w, uint32_t page)
{
	return w->report.is_guest ? w->at + w->report.frame[page] * LOAD_PAGE :
				    w->at + page * LOAD_PAGE;
}

/* Part of what follows the first page of the report. */
static void report_read(const struct watched *w, void *to, size_t from, size_t len)
{
	size_t part;

	for (from += LOAD_PAGE; len; from += part, to = (char *)to + part, len -= part) {
		part = LOAD_PAGE - from % LOAD_PAGE;
		if (part > len)
			part = len;
		if (pread(w->mem, to, part, report_address(w, from / LOAD_PAGE) +
						    from % LOAD_PAGE) != (ssize_t)part)
			die("cannot read the memory of", "the program under watch");
	}
}

void watched_find(struct watched *w, uint64_t report)
{
	uint32_t i;

	w->mem = open_proc(w->pid, "mem");
	w->pagemap = open_proc(w->pid, "pagemap");
	w->at = report;
	if (!has_report(w, report) && !find_guest(w, report))
		die("no report in the memory of", "the program under watch");
	w->page = allocate(w->report.pages, sizeof(uint64_t));
	report_read(w, w->page, 0, w->report.pages * sizeof(uint64_t));
	for (i = 0; w->report.is_guest && i < w->report.pages; i++)
		w->page[i] = w->at + w->page[i] * LOAD_PAGE;
}

static void report_again(struct watched *w)
{
	if (!has_report(w, report_address(w, 0)))
		die("the report is gone from", "the program under watch");
}

/* The last marks of the file, the time that each was noted. */
static void marks_read(const char *path, uint64_t time[LOAD_CLOCKS])
{
	char line[4096], *at;
	FILE *marks = fopen(path, "re");

	if (!marks)
		die("cannot open", path);
	while (fgets(line, sizeof(line), marks)) {
		at = strstr(line, "tsc=");
		if (!at)
			continue;
		memmove(time, time + 1, (LOAD_CLOCKS - 1) * sizeof(*time));
		time[LOAD_CLOCKS - 1] = strtoull(at + 4, NULL, 10);
	}
	fclose(marks);
}

/* Of several, the one with the least between the load's look at its clock and the launcher's. */
void watched_clock(struct watched *w, const char *marks)
{
	uint64_t time[LOAD_CLOCKS] = { 0 }, offset;
	int i;

	w->clock_offset = 0;
	watched_say(w, "clock");
	watched_answer(w, "clock");
	report_again(w);
	if (!w->report.is_guest)
		return;
	marks_read(marks, time);
	for (i = 0; i < LOAD_CLOCKS; i++) {
		offset = time[i] - w->report.clock[i].before;
		if (!i || (int64_t)(offset - w->clock_offset) < 0)
			w->clock_offset = offset;
	}
}

/* When each step began, on the machine's clock; report.steps of them. */
uint64_t *watched_steps(struct watched *w)
{
	uint64_t *time;
	uint32_t i;

	report_again(w);
	time = allocate(w->report.steps, sizeof(*time));
	report_read(w, time, w->report.pages * sizeof(uint64_t),
		    w->report.steps * sizeof(uint64_t));
	for (i = 0; i < w->report.steps; i++)
		time[i] += w->clock_offset;
	return time;
}

/* The lowest and the highest address of the load's pages. */
static void page_range(const struct watched *w, uint64_t *low, uint64_t *high)
{
	uint32_t i;

	*low = *high = w->page[0];
	for (i = 1; i < w->report.pages; i++) {
		if (w->page[i] < *low)
			*low = w->page[i];
		if (w->page[i] > *high)
			*high = w->page[i];
	}
}

/*
 * How many pages of the load are in memory, and which. All at once: to read one entry of the page
 * map takes as long as to read 512.
 */
uint32_t watched_resident(const struct watched *w, uint8_t *resident)
{
	uint64_t low, high, *entry;
	uint32_t i, sum = 0;
	ssize_t size;

	page_range(w, &low, &high);
	size = ((high - low) / LOAD_PAGE + 1) * sizeof(*entry);
	entry = allocate(size, 1);
	if (pread(w->pagemap, entry, size, low / LOAD_PAGE * sizeof(*entry)) != size)
		die("cannot read the page map of", "the program under watch");
	for (i = 0; i < w->report.pages; i++) {
		bool here = entry[(w->page[i] - low) / LOAD_PAGE] >> 63;

		sum += here;
		if (resident)
			resident[i] = here;
	}
	free(entry);
	return sum;
}

void watched_end(struct watched *w)
{
	int status;

	watched_say(w, "quit");
	while (fgetc(w->from) != EOF)
		;
	if (waitpid(w->pid, &status, 0) != w->pid || status)
		die("failed:", "the program under watch");
}
