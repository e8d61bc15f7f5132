// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl reclaim: takes shadow pages from a VM.
 */
#include "shvmctl.h"

int cmd_reclaim(const struct args *args)
{
	u32 gone;
	char size[SIZE_TEXT];
	struct json_object *o;
	struct ctl ctl;
	int err;

	ctl_open_or_fail(&ctl);
	err = ctl_reclaim(&ctl, args->vm, args->pages ?: ~0U, &gone);
	if (err)
		ctl_fail(&ctl, err, args->vm);
	ctl_close(&ctl);
	if (!args->json) {
		printf("%u shadow pages, %s\n", gone, pages_text(size, gone));
		return CTL_OK;
	}
	o = json_object_new_object();
	json_add_u64(o, "vm", args->vm);
	json_add_u64(o, "reclaimed", gone);
	output_json(o);
	return CTL_OK;
}
