// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM and its vCPUs as JSON. What only the owner is told is left out of others' VMs.
 */
#include "vm_json.h"

struct json_object *vm_json(const struct ctl_vm *vm)
{
	struct json_object *o = json_object_new_object();

	json_add_u64(o, "id", vm->id);
	json_add_bool(o, "own", vm->own);
	if (!vm->own)
		return o;
	json_add_u64(o, "pid", vm->pid);
	json_add_u64(o, "uid", vm->uid);
	json_add_u64(o, "vcpus", vm->vcpus);
	json_add_u64(o, "memory", vm->memory);
	json_add_u64(o, "shadow_pages", vm->shadow_pages);
	json_add_u64(o, "shadow_pages_max", vm->shadow_pages_max);
	json_add_u64(o, "shadow_budget", vm->shadow_budget);
	json_add_text(o, "state", name_of_vm_state(vm));
	if (vm->broken[0])
		json_add_text(o, "broken", vm->broken);
	return o;
}

struct json_object *vcpu_json(const struct ctl_vcpu *vcpu)
{
	struct json_object *o = json_object_new_object();

	json_add_u64(o, "id", vcpu->id);
	if (!vcpu->own)
		return o;
	json_add_text(o, "state", name_of_vcpu_state(vcpu->state));
	json_add_text(o, "mode", name_of_mode(vcpu->mode));
	return o;
}

struct json_object *exits_json(const struct rates *r, bool is_rate)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < CTL_EXIT_REASONS; i++) {
		struct json_object *o;

		if (r->exit[i] <= 0)
			continue;
		o = json_object_new_object();
		json_add_u64(o, "reason", i);
		json_add_text(o, "name", name_of_exit(i));
		if (is_rate)
			json_object_object_add(o, "rate", json_object_new_double(r->exit[i]));
		else
			json_add_u64(o, "count", r->exit[i]);
		json_object_array_add(list, o);
	}
	return list;
}
