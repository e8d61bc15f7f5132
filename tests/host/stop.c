// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops the code under test where it calls into the machine: the linker leads these calls through
 * here (--wrap).
 */
#include "stop.h"

static struct {
	enum point at;
	u32 skip;		/* passes of the point before it is the right one */
	bool again;		/* at every pass */
	void (*meanwhile)(void);
	u32 stops;
} stop;

static void *run_meanwhile(void *unused)
{
	stop.meanwhile();
	return NULL;
}

/* A thread of its own, as locks belong to threads. */
static void run_other(void)
{
	pthread_t other;

	CHECK(!pthread_create(&other, NULL, run_meanwhile, NULL), "thread");
	pthread_join(other, NULL);
}

static void pass(enum point here)
{
	if (stop.at != here)
		return;
	if (stop.skip) {
		stop.skip--;
		return;
	}
	stop.at = NOWHERE;
	stop.stops++;
	if (verify_now())
		verify_disturb(run_other);
	else
		run_other();
	if (stop.again)
		stop.at = here;
}

void stop_at(enum point where, u32 skip, void (*meanwhile)(void))
{
	stop = (typeof(stop)){ .at = where, .skip = skip, .meanwhile = meanwhile };
}

void stop_at_every(enum point where, void (*meanwhile)(void))
{
	stop_at(where, 0, meanwhile);
	stop.again = true;
}

u32 stop_count(void)
{
	return stop.stops;
}

u32 stop_end(void)
{
	stop.at = NOWHERE;
	return stop.stops;
}

int __real_shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len);
int __real_shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len);
int __real_shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len);
int __real_shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out);
void __real_shvm_arch_flush(struct shvm_mmu *mmu);
void __real_shvm_unlock_mmu_write(struct shvm_mmu *mmu);
int __wrap_shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len);
int __wrap_shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len);
int __wrap_shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len);
int __wrap_shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out);
void __wrap_shvm_arch_flush(struct shvm_mmu *mmu);
void __wrap_shvm_unlock_mmu_write(struct shvm_mmu *mmu);

int __wrap_shvm_arch_read_user_atomic(hva_t at, void *buf, u32 len)
{
	int ret = __real_shvm_arch_read_user_atomic(at, buf, len);

	if (shim_held == 1)	/* SRCU alone */
		pass(AFTER_READ);
	return ret;
}

int __wrap_shvm_arch_cmpxchg_user_atomic(hva_t at, const void *old, const void *new, u32 len)
{
	if (!shim_held)
		pass(AT_MARK);
	return __real_shvm_arch_cmpxchg_user_atomic(at, old, new, len);
}

int __wrap_shvm_arch_write_user_atomic(hva_t at, const void *buf, u32 len)
{
	int ret;

	pass(AT_STORE);
	ret = __real_shvm_arch_write_user_atomic(at, buf, len);
	pass(AFTER_STORE);
	return ret;
}

int __wrap_shvm_arch_host_frame(hva_t at, bool write, struct shvm_host_frame *out)
{
	int ret;

	pass(AT_LOOKUP);
	ret = __real_shvm_arch_host_frame(at, write, out);
	pass(AFTER_LOOKUP);
	return ret;
}

void __wrap_shvm_arch_flush(struct shvm_mmu *mmu)
{
	if (shim_held) {
		__real_shvm_arch_flush(mmu);
		return;
	}
	pass(AT_FLUSH);
	__real_shvm_arch_flush(mmu);
	pass(AFTER_FLUSH);
}

void __wrap_shvm_unlock_mmu_write(struct shvm_mmu *mmu)
{
	__real_shvm_unlock_mmu_write(mmu);
	if (stop.at == LOCK_BROKEN)
		pass(LOCK_BROKEN);
}
