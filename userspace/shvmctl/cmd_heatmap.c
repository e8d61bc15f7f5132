// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl heatmap: watches the memory of a VM for a while, and shows it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heat.h"

#define HOT_DEFAULT 2
#define WARM_DEFAULT 10
#define PNG_LOOKS 60
#define MAX_LOOKS 10000 /* columns of a picture */

static struct heat_limits limits_of(const struct args *args)
{
	struct heat_limits limits = {
		.hot = args->hot ?: HOT_DEFAULT,
		.warm = args->warm ?: WARM_DEFAULT,
		.fine = args->fine,
	};

	if (!args->warm && limits.warm < limits.hot)
		limits.warm = limits.hot;
	if (limits.warm < limits.hot)
		fail(CTL_USAGE, "give a larger --warm", "--warm %u is less than --hot %u",
		     limits.warm, limits.hot);
	return limits;
}

/* The first look sees all uses from the beginning on; they are warm until --warm is over. */
static unsigned int looks_of(const struct args *args, const struct heat_limits *limits,
			     double interval)
{
	if (args->count > MAX_LOOKS)
		fail(CTL_USAGE, NULL, "--count %u is more than %u", args->count, MAX_LOOKS);
	if (args->count)
		return args->count;
	return args->png ? PNG_LOOKS : 2 + (unsigned int)fmin(ceil(limits->warm / interval),
							      MAX_LOOKS);
}

static void open_vm(const struct args *args, struct heat_vm *vm)
{
	struct ctl_vm info;
	struct ctl ctl;
	int err;

	ctl_open_or_fail(&ctl);
	err = ctl_get_vm(&ctl, args->vm, &info);
	if (err)
		ctl_fail(&ctl, err, args->vm);
	ctl_close(&ctl);
	if (!info.own)
		fail_not_owner(args->vm);
	heat_vm_open(vm, &info);
}

/* All looks are kept for a picture, else the last one. */
static size_t watch(struct heat_vm *vm, const struct args *args, const struct heat_limits *limits,
		    double interval, unsigned int nr, struct heat_look *looks)
{
	double when = clock_now();
	size_t at = 0;
	unsigned int i;

	for (i = 0; i < nr; i++, when += interval) {
		if (i)
			sleep_until(when);
		if (i && args->png)
			at++;
		else
			free(looks[at].bins);
		heat_vm_read_slots(vm);
		heat_look(vm, limits, args->png ? HEAT_PNG_BINS : HEAT_TEXT_BINS, &looks[at]);
	}
	return at + 1;
}

static void write_picture(const struct args *args, const struct heat_picture *picture)
{
	int err = heat_write_png(picture, args->png);

	if (err)
		fail(CTL_FAILED, "is there room, and may you write there?", "cannot write %s: %s",
		     args->png, strerror(-err));
}

int cmd_heatmap(const struct args *args)
{
	double interval = args->interval > 0 ? args->interval : 1;
	struct heat_limits limits = limits_of(args);
	unsigned int nr = looks_of(args, &limits, interval);
	struct heat_look *looks = calloc(nr, sizeof(*looks));
	struct heat_picture picture = { .vm = args->vm, .limits = &limits, .looks = looks };
	struct heat_vm vm;

	if (!looks)
		die(NULL, "out of memory");
	open_vm(args, &vm);
	if (nr > 1)
		note("watching VM %llu for %.1f s", (unsigned long long)args->vm,
		     interval * (nr - 1));
	picture.nr_looks = watch(&vm, args, &limits, interval, nr, looks);
	picture.memory = vm.nr_pages * PAGE_BYTES;
	picture.seconds = interval * (nr - 1);
	if (args->png)
		write_picture(args, &picture);
	if (args->json)
		heat_print_json(&vm, &limits, &looks[picture.nr_looks - 1]);
	else if (!args->png)
		heat_print_text(&vm, &limits, &looks[picture.nr_looks - 1]);
	return CTL_OK;
}
