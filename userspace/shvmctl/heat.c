// SPDX-License-Identifier: GPL-2.0-only
/*
 * One look at a VM's memory, piece by piece.
 */
#include <linux/shvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "heat.h"

#define PIECE 4096 /* pages */
#define PAGEMAP_PRESENT BIT_ULL(63)
#define PAGEMAP_SWAPPED BIT_ULL(62)

const char *const heat_names[NR_HEATS] = {
	[HEAT_UNTOUCHED] = "untouched",
	[HEAT_SWAPPED] = "swapped",
	[HEAT_COLD] = "cold",
	[HEAT_WARM] = "warm",
	[HEAT_HOT] = "hot",
};

static bool is_used_within(u32 age, unsigned int seconds)
{
	age &= SHVM_WORKING_SET_AGE;
	return age <= SHVM_WORKING_SET_MOST && age < seconds * 10ULL;
}

static enum heat classify(u32 age, u64 mapped, const struct heat_limits *limits)
{
	if (mapped & PAGEMAP_SWAPPED)
		return HEAT_SWAPPED;
	if (is_used_within(age, limits->hot))
		return HEAT_HOT;
	if (is_used_within(age, limits->warm))
		return HEAT_WARM;
	if (mapped & PAGEMAP_PRESENT || (age & SHVM_WORKING_SET_AGE) <= SHVM_WORKING_SET_MOST)
		return HEAT_COLD;
	return HEAT_UNTOUCHED;
}

static void get_ages(const struct heat_vm *vm, u64 page, u64 nr, bool fine, u32 *ages)
{
	struct shvm_working_set ws = {
		.first_page = page,
		.nr_pages = nr,
		.ages = (uintptr_t)ages,
		.flags = fine ? SHVM_WORKING_SET_FINE : 0,
	};

	if (ioctl(vm->fd, SHVM_GET_WORKING_SET, &ws))
		fail(CTL_FAILED,
		     errno == EIO ? "\"shvmctl show\" tells whether it is broken" : NULL,
		     "VM %llu does not tell the age of its memory: %s", (unsigned long long)vm->id,
		     strerror(errno));
}

/* What is not mapped in the VMM at this moment reads as nothing. */
static void get_mapped(const struct heat_vm *vm, u64 hva, u64 nr, u64 *mapped)
{
	ssize_t size = nr * sizeof(*mapped), done;

	done = pread(vm->pagemap, mapped, size, hva / PAGE_BYTES * sizeof(*mapped));
	if (done < 0)
		done = 0;
	memset((char *)mapped + done, 0, size - done);
}

/* at: how many pages are below the slot. */
static void look_at_slot(const struct heat_vm *vm, const struct heat_slot *slot, u64 at,
			 const struct heat_limits *limits, struct heat_look *look)
{
	static u64 mapped[PIECE];
	static u32 ages[PIECE];
	u64 i, j, nr;

	for (i = 0; i < slot->nr; i += nr) {
		nr = slot->nr - i < PIECE ? slot->nr - i : PIECE;
		get_ages(vm, slot->page + i, nr, limits->fine, ages);
		get_mapped(vm, slot->hva + i * PAGE_BYTES, nr, mapped);
		for (j = 0; j < nr; j++) {
			enum heat heat = classify(ages[j], mapped[j], limits);

			look->bins[(at + i + j) / look->bin_pages].pages[heat]++;
			look->total[heat]++;
			if (heat == HEAT_SWAPPED && is_used_within(ages[j], limits->warm))
				look->swapped_in_use++;
		}
	}
}

void heat_look(const struct heat_vm *vm, const struct heat_limits *limits, size_t max_bins,
	       struct heat_look *look)
{
	u64 at = 0;
	size_t i;

	*look = (struct heat_look){ .bin_pages = 1 };
	while ((vm->nr_pages + look->bin_pages - 1) / look->bin_pages > max_bins)
		look->bin_pages *= 2;
	look->nr_bins = (vm->nr_pages + look->bin_pages - 1) / look->bin_pages;
	look->bins = calloc(look->nr_bins, sizeof(*look->bins));
	if (!look->bins)
		die(NULL, "out of memory");
	for (i = 0; i < vm->nr_slots; i++) {
		look_at_slot(vm, &vm->slots[i], at, limits, look);
		at += vm->slots[i].nr;
	}
}

/* What is in use, or should be in memory, shows if it is a quarter; else what most pages are. */
enum heat heat_of_bin(const struct heat_bin *bin)
{
	static const enum heat first[] = { HEAT_HOT, HEAT_WARM, HEAT_SWAPPED };
	enum heat best = HEAT_UNTOUCHED, heat;
	u64 all = 0;
	size_t i;

	for (heat = 0; heat < NR_HEATS; heat++) {
		all += bin->pages[heat];
		if (bin->pages[heat] > bin->pages[best])
			best = heat;
	}
	for (i = 0; i < ARRAY_SIZE(first); i++)
		if (bin->pages[first[i]] && bin->pages[first[i]] * 4ULL >= all)
			return first[i];
	return best;
}

u64 heat_bin_gpa(const struct heat_vm *vm, const struct heat_look *look, size_t bin)
{
	u64 at = bin * look->bin_pages;
	size_t i;

	for (i = 0; i + 1 < vm->nr_slots && at >= vm->slots[i].nr; i++)
		at -= vm->slots[i].nr;
	return (vm->slots[i].page + at) * PAGE_BYTES;
}
