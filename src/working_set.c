// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_GET_WORKING_SET: how long ago each frame of a range was used, piece by piece, so that
 * nothing is held while results go to user space and a range of any length can be given up.
 */
#include <linux/minmax.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vm.h"
#include "working_set.h"

static_assert(SHVM_WS_AGE == SHVM_WORKING_SET_AGE);
static_assert(SHVM_WS_AGE_MOST == SHVM_WORKING_SET_MOST);
static_assert(SHVM_WS_AGE_NEVER == SHVM_WORKING_SET_NEVER);
static_assert(SHVM_WS_AGE_NO_MEMORY == SHVM_WORKING_SET_NO_MEMORY);
static_assert(SHVM_WS_AGE_TABLE == SHVM_WORKING_SET_TABLE);
static_assert(SHVM_WS_AGE_LARGE == SHVM_WORKING_SET_LARGE);

#define PIECE	512u		/* frames, aligned: a group of 2 MiB is in one piece */

static bool request_is_valid(const struct shvm_working_set *req)
{
	return !(req->flags & ~SHVM_WORKING_SET_FINE) && !req->pad && !req->reserved[0] &&
	       !req->reserved[1] && req->nr_pages && req->first_page < SHVM_MAX_GFN &&
	       req->nr_pages <= SHVM_MAX_GFN - req->first_page;
}

static long get_pieces(struct shvm *vm, const struct shvm_working_set *req, u32 *ages)
{
	u32 tear = req->flags & SHVM_WORKING_SET_FINE ? SHVM_WORKING_SET_TEARS : 0;
	u32 __user *to = u64_to_user_ptr(req->ages);
	u64 done, n, first;

	for (done = 0; done < req->nr_pages; done += n) {
		if (fatal_signal_pending(current))
			return -EINTR;
		first = req->first_page + done;
		n = min_t(u64, req->nr_pages - done, PIECE - first % PIECE);
		shvm_mmu_working_set(&vm->mmu, gfn(first), n, &tear, ages);
		if (copy_to_user(to + done, ages, n * sizeof(*ages)))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

long shvm_vm_get_working_set(struct shvm *vm, void __user *arg)
{
	struct shvm_working_set req;
	u32 *ages;
	long ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (!request_is_valid(&req))
		return -EINVAL;
	ages = kmalloc_array(PIECE, sizeof(*ages), GFP_KERNEL_ACCOUNT);
	if (!ages)
		return -ENOMEM;
	ret = get_pieces(vm, &req, ages);
	kfree(ages);
	return ret;
}
