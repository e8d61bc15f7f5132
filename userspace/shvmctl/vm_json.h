/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the family tells, as JSON objects. The caller frees them.
 */
#ifndef SHVMCTL_VM_JSON_H
#define SHVMCTL_VM_JSON_H

#include "rates.h"

struct json_object *vm_json(const struct ctl_vm *vm);
struct json_object *vcpu_json(const struct ctl_vcpu *vcpu);
/* Exits by reason: per second, or counts. */
struct json_object *exits_json(const struct rates *rates, bool is_rate);

#endif
