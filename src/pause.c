// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops all vCPUs of a VM and lets them go again, for whoever needs guest and shadow to stand
 * still (the audit). Owns vm->pause. Takes no lock: a vCPU that is in the guest holds its mutex
 * without bound, so stopping works by a request and a count.
 *
 *	vCPU thread				caller of shvm_pause_all()
 *	active++
 *	full barrier [A]			requested++
 *	requested? active--, wake, sleep	full barrier [B]
 *	...					SHVM_REQ_PAUSE to all, kick, wake
 *	active--				active == 0? else sleep until woken
 *	full barrier [C]
 *	requested? wake
 *
 * A and B: at least one side sees the other. B and C: a caller that goes to sleep is woken.
 */
#include <linux/sched.h>

#include "vcpu.h"
#include "vm.h"

void shvm_pause_init(struct shvm *vm)
{
	init_waitqueue_head(&vm->pause.idle);
	init_waitqueue_head(&vm->pause.resume);
}

int shvm_pause_enter(struct shvm *vm)
{
	struct shvm_pause *p = &vm->pause;
	int ret;

	for (;;) {
		atomic_inc(&p->active);
		smp_mb__after_atomic();		/* A */
		if (likely(!atomic_read(&p->requested)))
			return 0;
		shvm_pause_leave(vm);
		ret = wait_event_interruptible(p->resume, !atomic_read(&p->requested));
		if (ret)
			return -EINTR;
	}
}

void shvm_pause_leave(struct shvm *vm)
{
	struct shvm_pause *p = &vm->pause;

	/* A value-returning atomic is a full barrier: C. */
	if (atomic_dec_and_test(&p->active) && unlikely(atomic_read(&p->requested)))
		wake_up_all(&p->idle);
}

int shvm_pause_stand_aside(struct shvm *vm)
{
	int ret;

	shvm_pause_leave(vm);
	ret = shvm_pause_enter(vm);
	if (ret)
		atomic_inc(&vm->pause.active);
	return ret;
}

int shvm_pause_all(struct shvm *vm)
{
	struct shvm_pause *p = &vm->pause;
	int i, nr;

	atomic_inc(&p->requested);
	smp_mb__after_atomic();			/* B */
	nr = shvm_vm_nr_vcpus(vm);
	for (i = 0; i < nr; i++) {
		shvm_vcpu_request(vm->vcpus[i], SHVM_REQ_PAUSE);
		shvm_vcpu_wake(vm->vcpus[i]);
	}
	if (wait_event_interruptible(p->idle, !atomic_read(&p->active))) {
		shvm_pause_resume(vm);
		return -EINTR;
	}
	return 0;
}

void shvm_pause_resume(struct shvm *vm)
{
	struct shvm_pause *p = &vm->pause;

	if (atomic_dec_and_test(&p->requested))
		wake_up_all(&p->resume);
}
