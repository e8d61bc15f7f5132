// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/PID/fdinfo of a VM: which one it is and where the guest's memory is in the VMM, for tools
 * that look after VMs of other processes. docs/api.md, "fdinfo".
 */
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/srcu.h>

#include "rmap/slot.h"
#include "vm.h"

void shvm_vm_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct shvm *vm = file->private_data;
	const struct shvm_slots *slots;
	int idx;
	u32 i;

	seq_printf(m, "shvm-vm:\t%llu\n", vm->owner.id);
	idx = srcu_read_lock(&vm->mmu.srcu);
	slots = srcu_dereference(vm->mmu.slots, &vm->mmu.srcu);
	for (i = 0; i < slots->nr; i++) {
		const struct shvm_slot *slot = slots->slot[i];

		seq_printf(m, "shvm-slot:\t%llx %llx %llx\n", gfn_to_gpa(slot->base).v,
			   (u64)slot->npages << PAGE_SHIFT, (u64)slot->hva.v);
	}
	srcu_read_unlock(&vm->mmu.srcu, idx);
}
