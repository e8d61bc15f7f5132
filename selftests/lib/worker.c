// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that check their memory without end.
 */
#include <sched.h>

#include "worker.h"

#define WINDOW_BASE	(HOLE_BASE + 0x10000000)	/* a page for each worker to map with */
#define PAGES_PER_WINDOW	16	/* one of so many is looked at through the window */
#define FIXED_WORD	2048
#define LAST_WORD	4088

/* The guest's side of a worker; index: vCPU. */
struct guest_worker {
	u64 base, nr_pages;
	u64 window_pte;		/* where the guest has the entry that maps its window */
	volatile u64 quiet;	/* no use of the window */
	volatile u64 sweeps;
};

static GUEST_DATA struct guest_worker guest_workers[MAX_WORKERS] = { };

GUEST_INLINE u64 own_key(u64 gpa, u64 id, u64 sweep)
{
	return (gpa + id * 8) * 0x9e3779b97f4a7c15 + sweep;
}

GUEST_INLINE u64 fixed_key(u64 gpa)
{
	return ~gpa * 0x9e3779b97f4a7c15;
}

GUEST_INLINE void check_page(u64 gpa, u64 id, u64 sweep)
{
	GUEST_ASSERT_EQ(own_key(gpa, id, sweep), guest_read64(gpa + id * 8));
	guest_write64(gpa + id * 8, own_key(gpa, id, sweep + 1));
	GUEST_ASSERT_EQ(fixed_key(gpa), guest_read64(gpa + FIXED_WORD));
	GUEST_ASSERT_EQ(fixed_key(gpa), guest_read64(gpa + LAST_WORD));
}

/* The page was checked just now; the other way to it must lead to the same memory. */
GUEST_INLINE void check_window(struct guest_worker *w, u64 gpa, u64 id, u64 sweep)
{
	u64 window = WINDOW_BASE + id * PAGE_SIZE;

	guest_write64(w->window_pte, gpa | PTE_P | PTE_W);
	guest_invlpg(window);
	GUEST_ASSERT_EQ(own_key(gpa, id, sweep + 1), guest_read64(window + id * 8));
	GUEST_ASSERT_EQ(fixed_key(gpa), guest_read64(window + LAST_WORD));
}

/*
 * With interrupts on: in a guest that was entered with them off, the emulated CPU takes none for
 * the host either, against the SDM.
 */
GUEST_CODE static void guest_works(u64 id)
{
	struct guest_worker *w = &guest_workers[id];
	u64 i, gpa;

	asm volatile("sti");
	for (;;) {
		for (i = 0; i < w->nr_pages; i++) {
			gpa = w->base + i * PAGE_SIZE;
			check_page(gpa, id, w->sweeps);
			if (i % PAGES_PER_WINDOW == id && !w->quiet)
				check_window(w, gpa, id, w->sweeps);
		}
		w->sweeps++;
		guest_write_cr3(guest_read_cr3());
	}
}

void workers_create(struct workers *w, struct test_vm *vm, int nr, u64 gpa, u32 nr_pages)
{
	struct guest_worker *guest = *vm_sym(vm, guest_workers);
	u64 page;
	int id;

	*w = (struct workers){ .vm = vm, .nr = nr };
	for (page = gpa; page < gpa + nr_pages * PAGE_SIZE; page += PAGE_SIZE) {
		char *hva = vm_hva(vm, page);

		for (id = 0; id < nr; id++)
			((u64 *)hva)[id] = own_key(page, id, 0);
		*(u64 *)(hva + FIXED_WORD) = fixed_key(page);
		*(u64 *)(hva + LAST_WORD) = fixed_key(page);
	}
	for (id = 0; id < nr; id++) {
		u64 window = WINDOW_BASE + id * PAGE_SIZE;

		guest[id] = (struct guest_worker){
			.base = gpa, .nr_pages = nr_pages,
			.window_pte = guest_pte_gpa(vm, vm->root, window, 1),
		};
		w->vcpu[id] = vcpu_create(vm, id, NULL);
		vcpu_set_entry(w->vcpu[id], guest_works, id, 0);
	}
}

void workers_start(struct workers *w)
{
	int i;

	for (i = 0; i < w->nr; i++)
		vcpu_start(w->vcpu[i]);
}

void workers_set_remapping(struct workers *w, bool on)
{
	struct guest_worker *guest = *vm_sym(w->vm, guest_workers);
	int i;

	for (i = 0; i < w->nr; i++)
		guest[i].quiet = !on;
}

bool workers_sweep(struct workers *w, u64 sweeps)
{
	struct guest_worker *guest = *vm_sym(w->vm, guest_workers);
	u64 until[MAX_WORKERS];
	int i;

	for (i = 0; i < w->nr; i++)
		until[i] = guest[i].sweeps + sweeps + 1;	/* the current one began before */
	for (i = 0; i < w->nr; i++) {
		while (guest[i].sweeps < until[i]) {
			if (w->vcpu[i]->thread_ended)
				return false;
			sched_yield();
		}
	}
	return true;
}

int workers_stop(struct workers *w)
{
	int i, bad = 0;

	for (i = 0; i < w->nr; i++)
		vcpu_kick(w->vcpu[i]);
	for (i = 0; i < w->nr; i++) {
		bad += vcpu_join(w->vcpu[i]) != SHVM_EXIT_INTR;
		w->vcpu[i]->run->immediate_exit = 0;
	}
	return bad;
}
