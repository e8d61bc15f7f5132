// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl show: one VM and its vCPUs.
 */
#include <stdlib.h>

#include "shvmctl.h"
#include "table.h"
#include "vm_json.h"

static const char *const titles[] = { ">VCPU", "STATE", "MODE" };

static void print_vm(const struct ctl_vm *vm)
{
	char size[SIZE_TEXT];

	printf("VM         %llu\n", (unsigned long long)vm->id);
	if (!vm->own) {
		puts("owner      another user; the rest is not for you");
		return;
	}
	if (vm->pid)
		printf("process    %u\n", vm->pid);
	printf("user       %u\n", vm->uid);
	printf("memory     %s\n", size_text(size, vm->memory));
	printf("shadow     %u pages, %s\n", vm->shadow_pages, pages_text(size, vm->shadow_pages));
	printf("  most     %u pages, %s\n", vm->shadow_pages_max,
	       pages_text(size, vm->shadow_pages_max));
	printf("  budget   %u pages, %s\n", vm->shadow_budget, pages_text(size, vm->shadow_budget));
	printf("state      %s\n", name_of_vm_state(vm));
	if (vm->broken[0])
		printf("  failed   %s\n", vm->broken);
}

static void print_vcpus(const struct ctl_vcpu *vcpus, size_t nr)
{
	struct table *table = table_new(titles, ARRAY_SIZE(titles));
	size_t i;

	for (i = 0; i < nr; i++) {
		table_cell(table, "%u", vcpus[i].id);
		table_cell(table, "%s", vcpus[i].own ? name_of_vcpu_state(vcpus[i].state) : "-");
		table_cell(table, "%s", vcpus[i].own ? name_of_mode(vcpus[i].mode) : "-");
	}
	putchar('\n');
	table_print(table, output_width());
}

static void print_json(const struct ctl_vm *vm, const struct ctl_vcpu *vcpus, size_t nr)
{
	struct json_object *list = json_object_new_array();
	struct json_object *o = vm_json(vm);
	size_t i;

	for (i = 0; i < nr; i++)
		json_object_array_add(list, vcpu_json(&vcpus[i]));
	json_object_object_add(o, "vcpu", list);
	output_json(o);
}

int cmd_show(const struct args *args)
{
	struct ctl_vcpu *vcpus;
	struct ctl_vm vm;
	struct ctl ctl;
	size_t nr;
	int err;

	ctl_open_or_fail(&ctl);
	err = ctl_get_vm(&ctl, args->vm, &vm) ?: ctl_get_vcpus(&ctl, args->vm, &vcpus, &nr);
	if (err)
		ctl_fail(&ctl, err, args->vm);
	if (args->json) {
		print_json(&vm, vcpus, nr);
	} else {
		print_vm(&vm);
		if (nr)
			print_vcpus(vcpus, nr);
	}
	free(vcpus);
	ctl_close(&ctl);
	return CTL_OK;
}
