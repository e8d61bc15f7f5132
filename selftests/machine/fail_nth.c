// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each step of the life of a VM, again and again in a new VM, with the first, second, third...
 * allocation of its kernel side failing, until one is reached that the step does not need. A step
 * that fails says ENOMEM and has changed nothing: it works when it is tried again, and the guest
 * runs and finds its memory. Needs a kernel with FAULT_INJECTION, root, swap, and debugfs set up
 * as testbed/tests/debug.sh does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shvm_test.h"

#define NR_PAGES	6
#define NEW_SLOT	2
#define NEW_GPA		0x60000000ul
#define MOVED_GPA	0x70000000ul
#define NEW_SIZE	0x200000ul
#define WINDOW		(HOLE_BASE + 0x10000000)
#define PM_SWAPPED	(1ull << 62)
#define MAX_NTH		2000	/* the longest step has some hundreds of allocations */

/* ---- the guest ---- */

struct guest_params {
	u64 first_page;
	u64 window_pte;		/* where the guest has the entry that maps its window */
	u64 other_root;
};

static GUEST_DATA struct guest_params params = { };

/* Pages and tables are new to the shadow MMU at first, then there are stores to tables. */
GUEST_CODE static void guest_uses_memory(void)
{
	struct guest_params *p = &params;
	u64 i, page, root = guest_read_cr3();

	for (i = 0; i < NR_PAGES; i++)
		guest_write64(p->first_page + i * PAGE_SIZE, i + 1);
	for (i = 0; i < NR_PAGES; i++) {
		page = p->first_page + i * PAGE_SIZE;
		guest_write64(p->window_pte, page | PTE_P | PTE_W);
		guest_invlpg(WINDOW);
		GUEST_ASSERT_EQ(i + 1, guest_read64(WINDOW));
		guest_write64(WINDOW + 8, ~i);
		GUEST_ASSERT_EQ(~i, guest_read64(page + 8));
	}
	guest_write_cr3(p->other_root);
	for (i = 0; i < NR_PAGES; i++)
		GUEST_ASSERT_EQ(i + 1, guest_read64(p->first_page + i * PAGE_SIZE));
	guest_write_cr3(root);
	GUEST_DONE();
}

/* ---- one VM ---- */

struct world {
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	int fd;			/* the step's own, -1 if it made none */
	int bare;		/* a VM without vCPUs, or -1 */
	char *area;		/* memory for another slot */
	struct shvm_cpuid2 *cpuid;
};

static struct world world;

static void world_create(void)
{
	struct guest_params *p;
	struct test_vm *vm = vm_create();

	p = vm_sym(vm, params);
	p->first_page = vm_alloc_pages(vm, NR_PAGES);
	p->window_pte = guest_pte_gpa(vm, vm->root, WINDOW, 1);
	p->other_root = guest_clone_root(vm, vm->root);
	world.vm = vm;
	world.vcpu = vcpu_create(vm, 0, guest_uses_memory);
	/* The host's side of the pages is to be allocated, too. */
	if (madvise(vm_hva(vm, p->first_page), NR_PAGES * PAGE_SIZE, MADV_DONTNEED))
		test_die("MADV_DONTNEED: %s", strerror(errno));
}

static void world_restart(void)
{
	vcpu_set_entry(world.vcpu, guest_uses_memory, 0, 0);
}

static int world_run(void)
{
	int ret = __vcpu_run(world.vcpu);

	if (!ret && (world.vcpu->run->exit_reason != SHVM_EXIT_IO ||
		     world.vcpu->run->io.port != UCALL_DONE))
		ret = -EPROTO;
	return ret;
}

static bool world_works(void)
{
	world_restart();
	return !world_run() && !vm_audit(world.vm);
}

/* ---- steps: 0 or -errno; the file descriptor goes to world.fd ---- */

static int keep_fd(int fd)
{
	world.fd = fd;
	return fd < 0 ? fd : 0;
}

static int do_open(void)
{
	int fd = open(test_device(), O_RDWR | O_CLOEXEC);

	return keep_fd(fd < 0 ? -errno : fd);
}

static int dev_fd = -1;

static int do_create_vm(void)
{
	return keep_fd(__test_ioctl(dev_fd, SHVM_CREATE_VM, 0));
}

static int do_create_pic_pit(void)
{
	return __test_ioctl(world.bare, SHVM_CREATE_PIC_PIT, 0);
}

static int do_create_vcpu(void)
{
	return keep_fd(__vm_ioctl(world.vm, SHVM_CREATE_VCPU, 1));
}

static int do_map_run(void)
{
	size_t size = world.vcpu->run_size;
	void *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			 world.vcpu->fd, 0);

	return run == MAP_FAILED || munmap(run, size) ? -errno : 0;
}

static int do_set_cpuid(void)
{
	return __vcpu_ioctl(world.vcpu, SHVM_SET_CPUID2, world.cpuid);
}

static int do_set_msrs(void)
{
	struct {
		struct shvm_msrs msrs;
		struct shvm_msr_entry entry;
	} arg = { .msrs.nmsrs = 1, .entry.index = 0xc0000081 };	/* STAR */
	int ret = __vcpu_ioctl(world.vcpu, SHVM_SET_MSRS, &arg);

	return ret == 1 ? 0 : ret ?: -EPROTO;
}

static int do_set_sregs(void)
{
	struct shvm_sregs sregs;
	int ret = __vcpu_ioctl(world.vcpu, SHVM_GET_SREGS, &sregs);

	return ret ?: __vcpu_ioctl(world.vcpu, SHVM_SET_SREGS, &sregs);
}

static int do_new_slot(void)
{
	return __vm_set_slot(world.vm, NEW_SLOT, 0, NEW_GPA, NEW_SIZE, world.area);
}

static int do_move_slot(void)
{
	return __vm_set_slot(world.vm, NEW_SLOT, 0, MOVED_GPA, NEW_SIZE, world.area);
}

static int do_delete_slot(void)
{
	return __vm_set_slot(world.vm, NEW_SLOT, 0, NEW_GPA, 0, world.area);
}

static int do_set_budget(void)
{
	return __vm_ioctl(world.vm, SHVM_SET_NR_MMU_PAGES, 64);
}

static int do_run(void)
{
	return world_run();
}

static int do_discard(void)
{
	struct guest_params *p = vm_sym(world.vm, params);
	u64 first = p->first_page;

	return madvise(vm_hva(world.vm, first), NR_PAGES * PAGE_SIZE, MADV_DONTNEED) ? -errno : 0;
}

/* The last file of a VM that ran: everything of it goes. */
static int do_close(void)
{
	munmap(world.vcpu->run, world.vcpu->run_size);
	close(world.vcpu->fd);
	close(world.vm->fd);
	world.vcpu->run = NULL;
	world.vcpu->fd = -1;
	world.vm->fd = -1;
	return 0;
}

/* ---- what a step starts with ---- */

static void with_used_memory(void)
{
	if (!world_works())
		test_die("the guest does not work without a failure");
	world_restart();
}

static void with_bare_vm(void)
{
	world.bare = test_ioctl(dev_fd, SHVM_CREATE_VM, "SHVM_CREATE_VM", 0);
}

static bool is_swapped(u64 gpa)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	u64 entry, page = (u64)vm_hva(world.vm, gpa) / PAGE_SIZE;
	bool swapped = pread(fd, &entry, 8, page * 8) == 8 && entry & PM_SWAPPED;

	close(fd);
	return swapped;
}

/*
 * The first calls split a huge page, and spare what was used lately. New pages wait in a batch of
 * the CPU that asked for them, and each call empties the batches of its own CPU: see prepare().
 */
static void page_out(u64 gpa, u64 size)
{
	int i;

	for (i = 0; i < 10 && !is_swapped(gpa); i++)
		if (madvise(vm_hva(world.vm, gpa), size, MADV_PAGEOUT))
			test_die("MADV_PAGEOUT: %s", strerror(errno));
	if (!is_swapped(gpa))
		test_die("guest memory cannot be paged out: is there swap?");
}

/* The guest's page tables and data are to be read back. */
static void with_memory_paged_out(void)
{
	struct guest_params *p = vm_sym(world.vm, params);
	u64 first = p->first_page;

	with_used_memory();
	page_out(PT_POOL_BASE, world.vm->pt_next - PT_POOL_BASE);
	page_out(first, NR_PAGES * PAGE_SIZE);
}

static void with_slot(void)
{
	if (do_new_slot())
		test_die("cannot make a slot");
}

struct step {
	const char *name;
	int (*act)(void);
	void (*prepare)(void);	/* may be NULL */
	bool needs_memory;	/* must have failed at least once */
};

static const struct step steps[] = {
	{ "open", do_open, NULL, false },
	{ "CREATE_VM", do_create_vm, NULL, true },
	{ "CREATE_PIC_PIT", do_create_pic_pit, with_bare_vm, true },
	{ "CREATE_VCPU", do_create_vcpu, NULL, true },
	{ "mmap of a vCPU", do_map_run, NULL, true },
	{ "SET_CPUID2", do_set_cpuid, NULL, true },
	{ "SET_MSRS", do_set_msrs, NULL, false },
	{ "SET_SREGS", do_set_sregs, NULL, false },
	{ "SET_NR_MMU_PAGES", do_set_budget, with_used_memory, false },
	{ "a new slot", do_new_slot, NULL, true },
	{ "a slot moves", do_move_slot, with_slot, true },
	{ "a slot is deleted", do_delete_slot, with_slot, true },
	{ "RUN, everything is new", do_run, NULL, true },
	{ "RUN again", do_run, with_used_memory, false },
	{ "RUN, tables and data are paged out", do_run, with_memory_paged_out, true },
	{ "the host discards pages", do_discard, with_used_memory, false },
	{ "the last close", do_close, with_used_memory, false },
};

#define NR_STEPS	(sizeof(steps) / sizeof(steps[0]))

/* ---- failing allocations ---- */

static int nth_fd;

static void nth_write(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(nth_fd, text, len, 0) != len)
		test_die("cannot write fail-nth: %s", strerror(errno));
}

/* What is left of the count: 0 if the allocation was reached and failed. */
static unsigned int nth_read(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		test_die("cannot read fail-nth: %s", strerror(errno));
	return strtoul(text, NULL, 0);
}

struct tally {
	unsigned int failed, survived;
	bool bad;
};

static void complain(struct tally *t, unsigned int nth, const char *what, int ret)
{
	printf("# allocation %u: %s: %s\n", nth, what, ret ? strerror(-ret) : "?");
	t->bad = true;
}

/* A VM, the step with the nth allocation failing, the step once more if it failed, the guest. */
static bool attempt(const struct step *s, unsigned int nth, struct tally *t)
{
	unsigned int left;
	int ret;

	world.fd = -1;
	world.bare = -1;
	world_create();
	if (s->prepare)
		s->prepare();
	nth_write(nth);
	ret = s->act();
	left = nth_read();
	nth_write(0);
	if (ret && (left || ret != -ENOMEM))
		complain(t, nth, "the step failed", ret);
	if (ret) {
		t->failed++;
		ret = s->act();
		if (ret)
			complain(t, nth, "the step failed again", ret);
	} else if (!left) {
		t->survived++;
	}
	if (world.fd >= 0)
		close(world.fd);
	if (world.bare >= 0)
		close(world.bare);
	if (world.vm->fd >= 0 && !world_works())
		complain(t, nth, "the guest does not work", 0);
	world.vm->slots[NEW_SLOT].size = 0;	/* its memory is for all */
	vm_free(world.vm);
	return !left;
}

static bool step_passes(const struct step *s)
{
	struct tally t = { };
	unsigned int nth = 1;

	while (nth <= MAX_NTH && !t.bad && attempt(s, nth, &t))
		nth++;
	printf("# %s: %u allocations, without %u of them it fails\n", s->name, nth - 1, t.failed);
	if (nth > MAX_NTH)
		complain(&t, nth, "there is no end of them", 0);
	if (s->needs_memory && !t.failed)
		complain(&t, nth, "none was made to fail", 0);
	return !t.bad;
}

static void prepare(void)
{
	test_pin(pthread_self(), 0);
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		test_die("no /proc/thread-self/fail-nth: the kernel has no FAULT_INJECTION?");
	dev_fd = test_dev_open();
	world.area = mmap(NULL, NEW_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	world.cpuid = calloc(1, sizeof(*world.cpuid) + 256 * sizeof(world.cpuid->entries[0]));
	if (world.area == MAP_FAILED || !world.cpuid)
		test_die("no memory");
	world.cpuid->nent = 256;
	test_ioctl(dev_fd, SHVM_GET_SUPPORTED_CPUID, "SHVM_GET_SUPPORTED_CPUID", (u64)world.cpuid);
}

int main(int argc, char **argv)
{
	const char *only = test_options(argc, argv);
	unsigned int i, nr = 0, failed = 0;
	bool ok;

	prepare();
	printf("TAP version 13\n");
	for (i = 0; i < NR_STEPS; i++) {
		if (only && !strstr(steps[i].name, only))
			continue;
		ok = step_passes(&steps[i]);
		printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, steps[i].name);
		failed += !ok;
	}
	printf("1..%u\n", nr);
	return failed != 0;
}
