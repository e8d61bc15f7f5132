// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl monitor: a line for each event. The kernel numbers events, so what was lost shows.
 */
#include <string.h>
#include <time.h>

#include "shvmctl.h"

static void now_text(char *buf, size_t size)
{
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	len = strftime(buf, size, "%FT%T", &tm);
	len += snprintf(buf + len, size - len, ".%03ld", ts.tv_nsec / 1000000);
	strftime(buf + len, size - len, "%z", &tm);
}

static void print_json(const struct ctl_event *event, const char *time)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "time", time);
	json_add_u64(o, "seq", event->seq);
	json_add_text(o, "event", name_of_event(event->command));
	json_add_u64(o, "vm", event->vm);
	if (event->has_vcpu)
		json_add_u64(o, "vcpu", event->vcpu);
	if (event->broken[0])
		json_add_text(o, "broken", event->broken);
	if (event->command == SHVM_CMD_ENTRY_FAILED_NTF)
		json_add_u64(o, "entry_error", event->entry_error);
	output_json_line(o);
}

static void print_text(const struct ctl_event *event, const char *time)
{
	printf("%s  %-16s  VM %llu", time, name_of_event(event->command),
	       (unsigned long long)event->vm);
	if (event->has_vcpu)
		printf(", vCPU %u", event->vcpu);
	if (event->broken[0])
		printf(": %s", event->broken);
	if (event->command == SHVM_CMD_ENTRY_FAILED_NTF)
		printf(": error %#llx", (unsigned long long)event->entry_error);
	putchar('\n');
	output_flush();
}

static void print_lost(u64 lost, bool json)
{
	struct json_object *o;

	if (!json) {
		note("%llu events were lost: they came faster than they could be printed",
		     (unsigned long long)lost);
		return;
	}
	o = json_object_new_object();
	json_add_u64(o, "lost", lost);
	output_json_line(o);
}

/* next: the first number that must come. Returns the one after this event. */
static u64 print(const struct ctl_event *event, u64 next, bool json)
{
	char time[48];

	if (event->seq > next)
		print_lost(event->seq - next, json);
	now_text(time, sizeof(time));
	if (json)
		print_json(event, time);
	else
		print_text(event, time);
	return event->seq >= next ? event->seq + 1 : next;
}

int cmd_monitor(const struct args *args)
{
	struct ctl events, requests;
	struct ctl_event event;
	unsigned int n = 0;
	u64 next;
	int err;

	ctl_open_or_fail(&events);
	ctl_open_or_fail(&requests);
	err = ctl_join(&events);
	if (err)
		ctl_fail(&events, err, 0);
	err = ctl_get_last_event(&requests, &next);
	if (err)
		ctl_fail(&requests, err, 0);
	next++;
	ctl_close(&requests);
	note("waiting for events; Ctrl-C ends");
	while (!args->count || n < args->count) {
		err = ctl_wait_event(&events, &event);
		if (err == -ENOBUFS)
			continue;	/* the number of the next one says how many */
		if (err)
			ctl_fail(&events, err, 0);
		next = print(&event, next, args->json);
		n++;
	}
	ctl_close(&events);
	return CTL_OK;
}
