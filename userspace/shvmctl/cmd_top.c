// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl top: reads the counters of all VMs again and again.
 */
#include <stdlib.h>
#include <unistd.h>

#include "top.h"
#include "vm_json.h"

static const struct top_vm *find(const struct top_vm *vms, size_t nr, u64 id)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (vms[i].vm.id == id)
			return &vms[i];
	return NULL;
}

static int by_exits(const void *a, const void *b)
{
	const struct top_vm *x = a, *y = b;

	if (x->rates.exits != y->rates.exits)
		return x->rates.exits < y->rates.exits ? 1 : -1;
	return x->vm.id < y->vm.id ? -1 : x->vm.id > y->vm.id;
}

/* Fills vms with those that are still there. */
static int read_stats(struct top *top, const struct ctl_vm *list, size_t nr, struct top_vm *vms,
		      size_t *nr_vms)
{
	size_t i;
	int err;

	*nr_vms = 0;
	for (i = 0; i < nr; i++) {
		struct top_vm *one = &vms[*nr_vms];

		one->vm = list[i];
		if (list[i].own) {
			err = ctl_get_stats(&top->ctl, list[i].id, NULL, &one->stats);
			if (err == -ENOENT)
				continue;
			if (err)
				return err;
		}
		(*nr_vms)++;
	}
	return 0;
}

static void add_rates(struct top *top, struct top_vm *vms, size_t nr, double now)
{
	const struct top_vm *before;
	size_t i;

	for (i = 0; i < nr; i++) {
		before = find(top->vms, top->nr, vms[i].vm.id);
		if (before && vms[i].vm.own)
			rates_of(&vms[i].rates, &before->stats, &vms[i].stats, now - top->when);
	}
	if (nr)
		qsort(vms, nr, sizeof(*vms), by_exits);
}

int top_read(struct top *top)
{
	struct ctl_vm *list;
	struct top_vm *vms;
	size_t nr, nr_vms;
	double now;
	int err;

	err = ctl_get_vms(&top->ctl, &list, &nr);
	if (err)
		return err;
	vms = calloc(nr + 1, sizeof(*vms));
	err = vms ? read_stats(top, list, nr, vms, &nr_vms) : -ENOMEM;
	free(list);
	if (err) {
		free(vms);
		return err;
	}
	now = clock_now();
	add_rates(top, vms, nr_vms, now);
	free(top->vms);
	top->vms = vms;
	top->nr = nr_vms;
	top->when = now;
	if (!find(vms, nr_vms, top->selected))
		top->selected = nr_vms ? vms[0].vm.id : 0;
	return 0;
}

void top_select(struct top *top, int by)
{
	const struct top_vm *now = find(top->vms, top->nr, top->selected);
	size_t at;

	if (!now)
		return;
	at = now - top->vms;
	if (by < 0 ? at > 0 : at + 1 < top->nr)
		top->selected = top->vms[at + by].vm.id;
}

static void print_json(const struct top *top)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < top->nr; i++) {
		const struct top_vm *one = &top->vms[i];
		struct json_object *o = vm_json(&one->vm);

		json_object_array_add(list, o);
		if (!one->vm.own)
			continue;
		json_object_object_add(o, "exits", json_object_new_double(one->rates.exits));
		json_object_object_add(o, "faults", json_object_new_double(one->rates.faults));
		json_object_object_add(o, "exit", exits_json(&one->rates, true));
	}
	output_json_line(list);
}

static int follow_json(struct top *top, unsigned int count)
{
	unsigned int i;
	int err;

	for (i = 0; !count || i < count; i++) {
		sleep_until(top->when + top->interval);
		err = top_read(top);
		if (err)
			return err;
		print_json(top);
	}
	return 0;
}

int cmd_top(const struct args *args)
{
	struct top top = { .interval = args->interval > 0 ? args->interval : 1 };
	int err;

	if (!args->json && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		fail(CTL_FAILED, "run it in one, or use: shvmctl top --json",
		     "top needs a terminal");
	ctl_open_or_fail(&top.ctl);
	err = top_read(&top);
	if (!err)
		err = args->json ? follow_json(&top, args->count) : top_screen(&top, args->count);
	if (err)
		ctl_fail(&top.ctl, err, 0);
	free(top.vms);
	ctl_close(&top.ctl);
	return CTL_OK;
}
