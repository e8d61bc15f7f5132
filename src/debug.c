// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHVM_AUDIT and SHVM_DEBUG_CTL. Owns vm->debug. Pause points turn a race into a script: one thread
 * is held at the point, another does what must not hurt there, the first goes on.
 */
#ifdef SHVM_DEBUG

#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "debug.h"
#include "mmu/mmu.h"
#include "recycle.h"

void shvm_debug_init(struct shvm *vm)
{
	init_waitqueue_head(&vm->debug.change);
}

void shvm_pause_point(struct shvm *vm, unsigned int point)
{
	struct shvm_debug *d = &vm->debug;

	if (likely(!test_bit(point, &d->armed)))
		return;
	atomic_inc(&d->waiting[point]);
	wake_up_all(&d->change);
	wait_event_killable(d->change, !test_bit(point, &d->armed));
	atomic_dec(&d->waiting[point]);
}

long shvm_debug_audit(struct shvm *vm)
{
	long ret = shvm_pause_all(vm);

	if (ret)
		return ret;
	mutex_lock(&vm->slots_lock);	/* its holders wait for no vCPU */
	ret = shvm_mmu_audit(&vm->mmu) ?: shvm_recycle_audit();
	mutex_unlock(&vm->slots_lock);
	shvm_pause_resume(vm);
	return ret;
}

static long debug_pause(struct shvm *vm, const struct shvm_debug_ctl *ctl)
{
	if (ctl->arg[0] >= SHVM_NR_PAUSE_POINTS || ctl->arg[1] > 1)
		return -EINVAL;
	if (ctl->arg[1])
		set_bit(ctl->arg[0], &vm->debug.armed);
	else
		clear_bit(ctl->arg[0], &vm->debug.armed);
	wake_up_all(&vm->debug.change);
	return 0;
}

static long debug_pause_wait(struct shvm *vm, const struct shvm_debug_ctl *ctl)
{
	struct shvm_debug *d = &vm->debug;
	u64 point = ctl->arg[0];

	if (point >= SHVM_NR_PAUSE_POINTS || ctl->arg[1])
		return -EINVAL;
	point = array_index_nospec(point, SHVM_NR_PAUSE_POINTS);
	return wait_event_interruptible(d->change, atomic_read(&d->waiting[point])) ? -EINTR : 0;
}

static long debug_zap(struct shvm *vm, const struct shvm_debug_ctl *ctl)
{
	if (ctl->arg[0] || ctl->arg[1])
		return -EINVAL;
	shvm_mmu_zap_all(&vm->mmu);
	return 0;
}

static long debug_zap_on_exit(struct shvm *vm, const struct shvm_debug_ctl *ctl)
{
	if (ctl->arg[0] > 1 || ctl->arg[1])
		return -EINVAL;
	WRITE_ONCE(vm->debug.zap_on_exit, ctl->arg[0]);
	return 0;
}

static long debug_break(struct shvm *vm, const struct shvm_debug_ctl *ctl)
{
	if (ctl->arg[0] || ctl->arg[1])
		return -EINVAL;
	shvm_vm_break(vm, "SHVM_DEBUG_BREAK");
	return 0;
}

static long debug_refuse(struct shvm *vm, const struct shvm_debug_ctl *ctl)
{
	if (ctl->arg[0] > 1 || ctl->arg[1])
		return -EINVAL;
	WRITE_ONCE(vm->debug.refuse, ctl->arg[0]);
	return 0;
}

long shvm_debug_ctl(struct shvm *vm, void __user *arg)
{
	struct shvm_debug_ctl ctl;

	if (copy_from_user(&ctl, arg, sizeof(ctl)))
		return -EFAULT;
	if (ctl.flags || ctl.arg[2])
		return -EINVAL;
	switch (ctl.op) {
	case SHVM_DEBUG_ZAP_ALL:
		return debug_zap(vm, &ctl);
	case SHVM_DEBUG_ZAP_ON_EXIT:
		return debug_zap_on_exit(vm, &ctl);
	case SHVM_DEBUG_PAUSE:
		return debug_pause(vm, &ctl);
	case SHVM_DEBUG_PAUSE_WAIT:
		return debug_pause_wait(vm, &ctl);
	case SHVM_DEBUG_BREAK:
		return debug_break(vm, &ctl);
	case SHVM_DEBUG_REFUSE:
		return debug_refuse(vm, &ctl);
	default:
		return -EINVAL;
	}
}

#endif
