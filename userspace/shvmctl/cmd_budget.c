// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl budget: how many shadow pages a VM may have.
 */
#include <linux/shvm.h>

#include "shvmctl.h"

static void check_number(const struct args *args)
{
	if (args->number && args->number < SHVM_MIN_MMU_PAGES)
		fail(CTL_USAGE, "give 64 or more, or 0 for the default",
		     "%u shadow pages are too few for a VM", args->number);
}

static void print(const struct args *args, const struct ctl_vm *vm)
{
	char budget[SIZE_TEXT], used[SIZE_TEXT];
	struct json_object *o;

	if (!args->json) {
		printf("budget %u pages, %s; in use %u, %s\n", vm->shadow_budget,
		       pages_text(budget, vm->shadow_budget), vm->shadow_pages,
		       pages_text(used, vm->shadow_pages));
		return;
	}
	o = json_object_new_object();
	json_add_u64(o, "vm", vm->id);
	json_add_u64(o, "shadow_budget", vm->shadow_budget);
	json_add_u64(o, "shadow_pages", vm->shadow_pages);
	output_json(o);
}

int cmd_budget(const struct args *args)
{
	struct ctl_vm vm;
	struct ctl ctl;
	int err = 0;

	check_number(args);
	ctl_open_or_fail(&ctl);
	if (args->has_number)
		err = ctl_set_budget(&ctl, args->vm, args->number);
	if (!err)
		err = ctl_get_vm(&ctl, args->vm, &vm);
	if (err)
		ctl_fail(&ctl, err, args->vm);
	if (!vm.own)
		fail_not_owner(args->vm);
	ctl_close(&ctl);
	print(args, &vm);
	return CTL_OK;
}
