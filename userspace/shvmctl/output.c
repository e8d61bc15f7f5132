// SPDX-License-Identifier: GPL-2.0-only
/*
 * Standard output: sizes, JSON, and what is to be done when nobody reads it any more.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "shvmctl.h"

const char *size_text(char *buf, u64 bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	size_t unit = 0;

	/* 1023.5 would be printed as 1024. */
	while (value >= 1023.5 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	if (!unit || value >= 99.95 || value == (u64)value)
		snprintf(buf, SIZE_TEXT, "%.0f %s", value, units[unit]);
	else
		snprintf(buf, SIZE_TEXT, "%.1f %s", value, units[unit]);
	return buf;
}

const char *pages_text(char *buf, u64 pages)
{
	return size_text(buf, pages * PAGE_BYTES);
}

unsigned int output_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return 80;
	return size.ws_col;
}

void output_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
						    JSON_C_TO_STRING_SPACED |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void output_json_line(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	output_flush();
}

void json_add_u64(struct json_object *object, const char *key, u64 value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

/* _exit: the handlers of exit() would try to write once more. */
static __noreturn void fail_output(int err)
{
	if (err != EPIPE)
		note("cannot write to standard output: %s", strerror(err));
	_exit(CTL_FAILED);
}

void output_flush(void)
{
	if (fflush(stdout))
		fail_output(errno);
	if (ferror(stdout))
		fail_output(EIO);
}

void output_close(void)
{
	output_flush();
	if (fclose(stdout))
		fail_output(errno);
}

double clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void sleep_until(double when)
{
	struct timespec ts = { .tv_sec = when };

	ts.tv_nsec = (when - ts.tv_sec) * 1e9;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}
