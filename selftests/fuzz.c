// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and boundary values for everything that user space can pass. Nothing is expected of a
 * single call but that it returns; afterwards the same vCPU, put into a good state, and another VM
 * must work, and the audit must be clean. The sequence is fixed by SHVM_FUZZ_SEED, its length is
 * SHVM_FUZZ_ROUNDS; a failure prints what to set.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define DEFAULT_SEED		20240229
#define DEFAULT_ROUNDS		400
#define MSR_APIC_BASE		0x1b
#define MSR_EFER		0xc0000080
#define RUN_LIMIT_US		2000	/* a guest that only computes is interrupted after this */

static u64 random_state;

static u64 rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static u64 rnd_below(u64 limit)
{
	return rnd() % limit;
}

/* Mostly values at which something changes. */
static u64 rnd_value(void)
{
	static const u64 boundaries[] = {
		0, 1, 2, 15, 16, 31, 32, 63, 64, 255, 256, 0xfff, 0x1000, 0x1001, 0x7fffffff,
		0x80000000, 0xffffffff, 0x100000000, 0x7ffffffff000, 0x7fffffffffff,
		0x800000000000, 0xffff7fffffffffff, 0xffff800000000000, 0x7fffffffffffffff,
		0x8000000000000000, 0xfffffffffffff000, 0xffffffffffffffff,
		HEAP_BASE, PAYLOAD_BASE, HOLE_BASE,
	};

	switch (rnd_below(4)) {
	case 0:
		return rnd();
	case 1:
		return 1ull << rnd_below(64);
	case 2:
		return boundaries[rnd_below(ARRAY_LEN(boundaries))] + rnd_below(3) - 1;
	default:
		return boundaries[rnd_below(ARRAY_LEN(boundaries))];
	}
}

static void rnd_fill(void *buffer, size_t size)
{
	size_t i;

	for (i = 0; i + 8 <= size; i += 8)
		*(u64 *)((char *)buffer + i) = rnd_value();
}

/* Spoils some bytes, words or bits of a good structure. */
static void rnd_spoil(void *buffer, size_t size)
{
	u8 *bytes = buffer;
	u64 value = rnd_value();
	int n = 1 + rnd_below(3);

	while (n--) {
		size_t at = rnd_below(size);

		switch (rnd_below(3)) {
		case 0:
			bytes[at] ^= 1 << rnd_below(8);
			break;
		case 1:
			bytes[at] = value;
			break;
		default:
			at &= ~7ul;
			memcpy(bytes + at, &value, size - at < 8 ? size - at : 8);
		}
	}
}

/*
 * A guest in a wild state may write over its own code and tables. That is no fault of the host;
 * such a VM is replaced by a new one. What is compared is what the good guest needs.
 */
static const struct { u64 gpa, size; } vital[] = {
	{ PAGE_SIZE, 2 * PAGE_SIZE }, { PT_POOL_BASE, 64 * PAGE_SIZE },
	{ PAYLOAD_BASE, 16 * PAGE_SIZE }, { PAYLOAD_DATA, 16 * PAGE_SIZE },
};

static char *vital_copy[ARRAY_LEN(vital)];

static void vital_remember(struct test_vm *vm)
{
	u64 *entry = vm_hva(vm, PT_POOL_BASE);
	u64 *end = vm_hva(vm, vm->pt_next);
	u32 i;

	for (; entry < end; entry++)	/* nothing left for the CPU to set */
		if (*entry & PTE_P)
			*entry |= PTE_A | PTE_D;
	for (i = 0; i < ARRAY_LEN(vital); i++) {
		vital_copy[i] = vital_copy[i] ?: malloc(vital[i].size);
		memcpy(vital_copy[i], vm_hva(vm, vital[i].gpa), vital[i].size);
	}
}

static bool vital_intact(struct test_vm *vm)
{
	u32 i;

	for (i = 0; i < ARRAY_LEN(vital); i++)
		if (memcmp(vital_copy[i], vm_hva(vm, vital[i].gpa), vital[i].size))
			return false;
	return true;
}

FIXTURE(fuzz)
{
	int rounds, replaced;
	struct test_vm *vm, *good_vm;
	struct test_vcpu *vcpu, *good_vcpu;
};

GUEST_CODE static void guest_busy(void)
{
	int i;

	for (;;) {
		for (i = 0; i < 100; i++)
			asm volatile("push %rax; pop %rax");
		GUEST_SYNC(0);
	}
}

static void on_alarm(int sig)
{
	(void)sig;
}

static u64 env_number(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void wild_vm_create(struct _test_data_fuzz *self)
{
	self->vm = vm_create();
	vm_map_hole(self->vm, 4);
	self->vcpu = vcpu_create(self->vm, 0, guest_busy);
	vital_remember(self->vm);
}

FIXTURE_SETUP(fuzz)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval tick = {
		.it_value.tv_usec = RUN_LIMIT_US, .it_interval.tv_usec = RUN_LIMIT_US,
	};

	random_state = env_number("SHVM_FUZZ_SEED", DEFAULT_SEED) * 2 + 1;
	self->rounds = env_number("SHVM_FUZZ_ROUNDS", DEFAULT_ROUNDS);
	self->good_vm = vm_create();
	self->good_vcpu = vcpu_create(self->good_vm, 0, guest_done);
	wild_vm_create(self);
	/* The guest may loop for ever: that is its right, but not to keep us there. */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
}

static int run_good(struct test_vcpu *vcpu)
{
	int ret, interrupted = 0;

	do {
		ret = vcpu_run(vcpu);
	} while (ret == SHVM_EXIT_INTR && interrupted++ < 500);
	return ret;
}

static void clean_events(struct test_vcpu *vcpu)
{
	struct shvm_vcpu_events events = {
		.flags = SHVM_VCPUEVENT_VALID_NMI_PENDING | SHVM_VCPUEVENT_VALID_SHADOW,
	};
	struct shvm_debugregs debugregs = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct shvm_mp_state mp_state = { .mp_state = SHVM_MP_STATE_RUNNABLE };

	vcpu_ioctl(vcpu, SHVM_SET_VCPU_EVENTS, &events);
	vcpu_ioctl(vcpu, SHVM_SET_DEBUGREGS, &debugregs);
	vcpu_ioctl(vcpu, SHVM_SET_MP_STATE, &mp_state);
}

/* KVM does not forget a pending access when registers are set: it must be completed first. */
static void complete_access(struct test_vcpu *vcpu)
{
	int i;

	vcpu->run->immediate_exit = 1;
	for (i = 0; i < 5000 && __vcpu_run(vcpu) != -EINTR; i++)
		;
}

/* Whatever was done to it, a vCPU can be put into a good state. */
static void make_good(struct test_vcpu *vcpu, void (*fn)(void))
{
	struct shvm_run *run = vcpu->run;
	struct shvm_sregs sregs;

	memset(run, 0, offsetof(struct shvm_run, exit_reason));
	run->shvm_valid_regs = 0;
	run->shvm_dirty_regs = 0;
	run->cr8 = 0;
	if (!test_is_shvm())
		complete_access(vcpu);
	run->immediate_exit = 0;
	vcpu_init_area(vcpu);
	vcpu_ioctl(vcpu, SHVM_GET_SREGS, &sregs);
	memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
	sregs.cr8 = 0;
	vcpu_ioctl(vcpu, SHVM_SET_SREGS, &sregs);
	clean_events(vcpu);
	vcpu_set_long_mode(vcpu);
	vcpu_set_entry(vcpu, fn, 0, 0);
}

/* The wild vCPU must work again, unless its guest has destroyed itself. */
static int run_tamed(struct _test_data_fuzz *self)
{
	int ret;

	make_good(self->vcpu, guest_done);
	ret = run_good(self->vcpu);
	if (ret == SHVM_EXIT_SHUTDOWN && !test_is_shvm()) {
		/* KVM reports a triple fault once more if a signal came first. */
		make_good(self->vcpu, guest_done);
		ret = run_good(self->vcpu);
	}
	if (ret == EXIT_DONE || vital_intact(self->vm))
		return ret;
	vm_free(self->vm);
	wild_vm_create(self);
	self->replaced++;
	return EXIT_DONE;
}

FIXTURE_TEARDOWN(fuzz)
{
	struct itimerval never = { };

	setitimer(ITIMER_REAL, &never, NULL);
	if (self->replaced)
		fprintf(stderr, "# %d guests destroyed themselves\n", self->replaced);
	EXPECT_GT(self->rounds / 8 + 4, self->replaced);
	EXPECT_EQ(EXIT_DONE, run_good(self->good_vcpu))
		TH_LOG("seed SHVM_FUZZ_SEED=%lu", (long)env_number("SHVM_FUZZ_SEED", DEFAULT_SEED));
	vm_free(self->good_vm);
	vm_free(self->vm);
}

/* A few exits, whatever they are. */
static void run_some(struct test_vcpu *vcpu)
{
	int i;

	for (i = 0; i < 4; i++)
		if (__vcpu_run(vcpu) || vcpu->run->exit_reason == SHVM_EXIT_SHUTDOWN)
			break;
}

TEST_F(fuzz, sregs)
{
	struct shvm_sregs good, sregs, out;
	int i, accepted = 0;

	vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &good);
	for (i = 0; i < self->rounds; i++) {
		sregs = good;
		rnd_spoil(&sregs, sizeof(sregs));
		vcpu_set_entry(self->vcpu, guest_busy, 0, 0);
		if (__vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &sregs)) {
			vcpu_ioctl(self->vcpu, SHVM_GET_SREGS, &out);
			if (test_is_shvm())
				ASSERT_EQ(0, memcmp(&out.cr0, &good.cr0, 7 * 8));
		} else {
			accepted++;
		}
		run_some(self->vcpu);
		ASSERT_EQ(EXIT_DONE, run_tamed(self))
			TH_LOG("round %d", i);
		vcpu_ioctl(self->vcpu, SHVM_SET_SREGS, &good);
	}
	/* If all or nothing is accepted, this does not test much. */
	EXPECT_LT(self->rounds / 20, accepted);
	EXPECT_LT(accepted, self->rounds);
}

TEST_F(fuzz, regs)
{
	struct shvm_regs good, regs;
	int i;

	vcpu_ioctl(self->vcpu, SHVM_GET_REGS, &good);
	for (i = 0; i < self->rounds; i++) {
		regs = good;
		rnd_spoil(&regs, sizeof(regs));
		__vcpu_ioctl(self->vcpu, SHVM_SET_REGS, &regs);
		run_some(self->vcpu);
		ASSERT_EQ(EXIT_DONE, run_tamed(self))
			TH_LOG("round %d", i);
	}
}

static u32 rnd_msr(const struct shvm_msr_list *list)
{
	static const u32 bases[] = { 0, 0x10, 0x174, 0x200, 0x277, 0xc0000080, 0xc0000100 };

	switch (rnd_below(3)) {
	case 0:
		return rnd();
	case 1:
		return bases[rnd_below(ARRAY_LEN(bases))] + rnd_below(16);
	default:
		return list->indices[rnd_below(list->nmsrs)];
	}
}

TEST_F(fuzz, msrs)
{
	struct shvm_msr_list *list = calloc(1, sizeof(*list) + 4096 * sizeof(u32));
	struct {
		struct shvm_msrs head;
		struct shvm_msr_entry entries[4];
	} msrs;
	int i, j, dev = test_dev_open();

	list->nmsrs = 4096;
	test_ioctl(dev, SHVM_GET_MSR_INDEX_LIST, "SHVM_GET_MSR_INDEX_LIST", (u64)list);
	for (i = 0; i < self->rounds; i++) {
		memset(&msrs, 0, sizeof(msrs));
		msrs.head.nmsrs = 4;
		for (j = 0; j < 4; j++) {
			do {	/* what KVM takes here it does not take back in SREGS */
				msrs.entries[j].index = rnd_msr(list);
			} while (!test_is_shvm() && (msrs.entries[j].index == MSR_APIC_BASE ||
						     msrs.entries[j].index == MSR_EFER));
			msrs.entries[j].data = rnd_value();
		}
		ASSERT_GE(4, __vcpu_ioctl(self->vcpu, SHVM_SET_MSRS, &msrs));
		ASSERT_GE(4, __vcpu_ioctl(self->vcpu, SHVM_GET_MSRS, &msrs));
		run_some(self->vcpu);
		ASSERT_EQ(EXIT_DONE, run_tamed(self))
			TH_LOG("round %d, MSR %#x", i, msrs.entries[0].index);
	}
	close(dev);
	free(list);
}

TEST_F(fuzz, events)
{
	struct shvm_vcpu_events events;
	struct shvm_debugregs debugregs;
	struct shvm_interrupt irq;
	int i;

	for (i = 0; i < self->rounds; i++) {
		vcpu_ioctl(self->vcpu, SHVM_GET_VCPU_EVENTS, &events);
		/* The structure is mostly reserved: aim at the part that is not. */
		rnd_spoil(&events, rnd_below(4) ? offsetof(struct shvm_vcpu_events, sipi_vector) :
			  sizeof(events));
		if (rnd_below(2))
			events.exception.nr &= 31;
		__vcpu_ioctl(self->vcpu, SHVM_SET_VCPU_EVENTS, &events);
		vcpu_ioctl(self->vcpu, SHVM_GET_DEBUGREGS, &debugregs);
		rnd_spoil(&debugregs, offsetof(struct shvm_debugregs, flags));
		__vcpu_ioctl(self->vcpu, SHVM_SET_DEBUGREGS, &debugregs);
		irq.irq = rnd_below(300);
		if (rnd_below(2))
			__vcpu_ioctl(self->vcpu, SHVM_INTERRUPT, &irq);
		if (rnd_below(2))
			__vcpu_ioctl(self->vcpu, SHVM_NMI, 0);
		run_some(self->vcpu);
		ASSERT_EQ(EXIT_DONE, run_tamed(self))
			TH_LOG("round %d", i);
	}
}

TEST_F(fuzz, fpu_cpuid_and_mp_state)
{
	static struct {
		struct shvm_cpuid2 head;
		struct shvm_cpuid_entry2 entries[SHVM_MAX_CPUID_ENTRIES];
	} cpuid;
	struct shvm_mp_state mp_state;
	struct test_vcpu *vcpu;
	struct shvm_fpu fpu;
	int i;

	for (i = 0; i < self->rounds / 4; i++) {
		rnd_fill(&fpu, sizeof(fpu));
		__vcpu_ioctl(self->vcpu, SHVM_SET_FPU, &fpu);
		mp_state.mp_state = rnd_value();
		__vcpu_ioctl(self->vcpu, SHVM_SET_MP_STATE, &mp_state);
		run_some(self->vcpu);
		ASSERT_EQ(EXIT_DONE, run_tamed(self));
	}
	/* CPUID only before the first run: a vCPU for each. */
	for (i = 1; i < 8; i++) {
		vcpu = vcpu_create(self->vm, i, guest_done);
		memset(&cpuid, 0, sizeof(cpuid));
		cpuid.head.nent = SHVM_MAX_CPUID_ENTRIES;
		vcpu_ioctl(vcpu, SHVM_GET_CPUID2, &cpuid);
		rnd_spoil(cpuid.entries, cpuid.head.nent * sizeof(cpuid.entries[0]));
		rnd_spoil(&cpuid.head, sizeof(cpuid.head));
		__vcpu_ioctl(vcpu, SHVM_SET_CPUID2, &cpuid);
		run_some(vcpu);
	}
}

/* Everything but SHVM_RUN, with any argument, on any fd. */
static const unsigned long requests[] = {
	SHVM_GET_API_VERSION, SHVM_GET_MSR_INDEX_LIST, SHVM_CHECK_EXTENSION,
	SHVM_GET_VCPU_MMAP_SIZE,
	SHVM_GET_SUPPORTED_CPUID, SHVM_SET_NR_MMU_PAGES, SHVM_GET_NR_MMU_PAGES, SHVM_SET_TSS_ADDR,
	SHVM_SET_IDENTITY_MAP_ADDR, SHVM_IRQ_LINE, SHVM_GET_REGS, SHVM_SET_REGS, SHVM_GET_SREGS,
	SHVM_SET_SREGS, SHVM_INTERRUPT, SHVM_GET_MSRS, SHVM_SET_MSRS, SHVM_GET_FPU, SHVM_SET_FPU,
	SHVM_SET_CPUID2, SHVM_GET_CPUID2, SHVM_GET_MP_STATE, SHVM_SET_MP_STATE, SHVM_NMI,
	SHVM_GET_VCPU_EVENTS, SHVM_SET_VCPU_EVENTS, SHVM_GET_DEBUGREGS, SHVM_SET_DEBUGREGS,
	SHVM_SET_TSC_KHZ, SHVM_GET_TSC_KHZ, SHVM_CREATE_PIC_PIT, SHVM_GET_STATS, SHVM_AUDIT,
};

TEST_F(fuzz, ioctls)
{
	static u64 buffer[2048];
	int fds[3] = { test_dev_open(), self->vm->fd, self->vcpu->fd };
	unsigned long request, arg;
	int i;

	for (i = 0; i < 20 * self->rounds; i++) {
		request = requests[rnd_below(ARRAY_LEN(requests))];
		if (!rnd_below(8))	/* a number or size that is nearly right */
			request ^= 1ul << rnd_below(32);
		if (request == SHVM_RUN || request == SHVM_DEBUG_CTL)
			continue;
		rnd_fill(buffer, 1024);
		arg = rnd_below(4) ? (unsigned long)buffer + rnd_below(16) : rnd_value();
		__test_ioctl(fds[rnd_below(3)], request, arg);
		if (i % 64)
			continue;
		/* A tiny budget is legal, but it is not what is tested here. */
		vm_ioctl(self->vm, SHVM_SET_NR_MMU_PAGES, 1024);
		ASSERT_EQ(EXIT_DONE, run_tamed(self))
			TH_LOG("round %d, request %#lx", i, request);
	}
	close(fds[0]);
}

#define FIRST_SLOT	8
#define NR_SLOTS	8

TEST_F(fuzz, slots)
{
	char *hva = mmap(NULL, 64 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct shvm_userspace_memory_region region;
	int i, accepted = 0;

	for (i = 0; i < 4 * self->rounds; i++) {
		region = (struct shvm_userspace_memory_region){
			.slot = FIRST_SLOT + rnd_below(NR_SLOTS),
			.flags = rnd_below(3) ? 0 : SHVM_MEM_READONLY,
			.guest_phys_addr = HOLE_BASE + rnd_below(24) * PAGE_SIZE,
			.memory_size = rnd_below(8) * PAGE_SIZE,
			.userspace_addr = (u64)hva + rnd_below(56) * PAGE_SIZE,
		};
		if (!rnd_below(3))
			rnd_spoil(&region, sizeof(region));
		if (region.slot <= PAYLOAD_SLOT)
			continue;
		accepted += !__vm_ioctl(self->vm, SHVM_SET_USER_MEMORY_REGION, &region);
		if (i % 8)
			continue;
		ASSERT_EQ(EXIT_SYNC, run_good(self->vcpu))
			TH_LOG("round %d", i);
	}
	EXPECT_LT(self->rounds / 4, accepted);
	munmap(hva, 64 * PAGE_SIZE);
	EXPECT_EQ(EXIT_DONE, run_tamed(self));
}

/* ---- the run page, written while the vCPU runs ---- */

struct scribbler {
	struct test_vcpu *vcpu;
	volatile bool stop;
	u64 random;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	volatile u64 *words = (u64 *)s->vcpu->run;
	u64 x = s->random;

	while (!s->stop) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[x % (s->vcpu->run_size / 8)] = x * 0x2545f4914f6cdd1d;
	}
	return NULL;
}

GUEST_CODE static void guest_exits(void)
{
	u64 value, rsi, rcx;

	for (;;) {
		asm volatile("inl %%dx, %%eax" : "=a"(value) : "d"(0x1234));
		guest_write64(HOLE_BASE, value);
		guest_read64(HOLE_BASE + PAGE_SIZE - 3);
		rsi = HEAP_BASE;
		rcx = 100;
		asm volatile("rep outsb" : "+S"(rsi), "+c"(rcx) : "d"(0x1234) : "memory");
	}
}

TEST_F(fuzz, run_page)
{
	struct scribbler s = { .vcpu = self->vcpu, .random = rnd() | 1 };
	pthread_t thread;
	int i;

	vcpu_set_entry(self->vcpu, guest_exits, 0, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &s));
	for (i = 0; i < 4 * self->rounds; i++)
		__vcpu_run(self->vcpu);
	s.stop = true;
	pthread_join(thread, NULL);
	memset(self->vcpu->run, 0, sizeof(*self->vcpu->run));
	EXPECT_EQ(EXIT_DONE, run_tamed(self));
}

SHVM_TEST_MAIN
