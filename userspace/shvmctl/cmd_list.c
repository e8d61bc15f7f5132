// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl list: a line for each VM.
 */
#include <stdlib.h>

#include "shvmctl.h"
#include "table.h"
#include "vm_json.h"

static const char *const titles[] = { ">VM",	 ">PID",    ">UID",    ">VCPUS",
				      ">MEMORY", ">SHADOW", ">BUDGET", "STATE" };

static void row(struct table *table, const struct ctl_vm *vm)
{
	char memory[SIZE_TEXT], shadow[SIZE_TEXT], budget[SIZE_TEXT];
	size_t i;

	table_cell(table, "%llu", (unsigned long long)vm->id);
	if (!vm->own) {
		for (i = 1; i + 1 < ARRAY_SIZE(titles); i++)
			table_cell(table, "-");
		table_cell(table, "other user");
		return;
	}
	table_cell(table, vm->pid ? "%u" : "-", vm->pid);
	table_cell(table, "%u", vm->uid);
	table_cell(table, "%u", vm->vcpus);
	table_cell(table, "%s", size_text(memory, vm->memory));
	table_cell(table, "%s", pages_text(shadow, vm->shadow_pages));
	table_cell(table, "%s", pages_text(budget, vm->shadow_budget));
	table_cell(table, "%s", name_of_vm_state(vm));
}

static void print_table(const struct ctl_vm *vms, size_t nr)
{
	struct table *table = table_new(titles, ARRAY_SIZE(titles));
	size_t i;

	for (i = 0; i < nr; i++)
		row(table, &vms[i]);
	table_print(table, output_width());
}

static void print_json(const struct ctl_vm *vms, size_t nr)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < nr; i++)
		json_object_array_add(list, vm_json(&vms[i]));
	output_json(list);
}

int cmd_list(const struct args *args)
{
	struct ctl_vm *vms;
	struct ctl ctl;
	size_t nr;
	int err;

	ctl_open_or_fail(&ctl);
	err = ctl_get_vms(&ctl, &vms, &nr);
	if (err)
		ctl_fail(&ctl, err, 0);
	if (args->json)
		print_json(vms, nr);
	else if (nr)
		print_table(vms, nr);
	else
		puts("no VM");
	free(vms);
	ctl_close(&ctl);
	return CTL_OK;
}
