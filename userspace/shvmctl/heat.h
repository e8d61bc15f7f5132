/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which memory of a VM is in use. A look asks the VM for ages and the VMM's process for what is
 * swapped out; bins are equal pieces of the guest's memory, holes left out.
 */
#ifndef SHVMCTL_HEAT_H
#define SHVMCTL_HEAT_H

#include "shvmctl.h"

#define HEAT_SLOTS 128

enum heat {
	HEAT_UNTOUCHED,	/* the guest has never used it, nothing is behind it */
	HEAT_SWAPPED,
	HEAT_COLD,
	HEAT_WARM,
	HEAT_HOT,
	NR_HEATS,
};

extern const char *const heat_names[NR_HEATS];

struct heat_slot {
	u64 page;	/* guest frame */
	u64 nr;
	u64 hva;	/* where it is in the VMM */
};

/* A VM that is looked at. */
struct heat_vm {
	u64 id;
	u32 pid;
	int pidfd;
	int fd;		/* the VM */
	int fd_there;	/* its number in the VMM */
	int pagemap;
	struct heat_slot slots[HEAT_SLOTS];	/* by guest frame */
	size_t nr_slots;
	u64 nr_pages;	/* of all slots */
};

struct heat_limits {
	unsigned int hot;	/* seconds */
	unsigned int warm;
	bool fine;
};

struct heat_bin {
	u32 pages[NR_HEATS];
};

/* One look. */
struct heat_look {
	struct heat_bin *bins;
	size_t nr_bins;
	u64 bin_pages;
	u64 total[NR_HEATS];
	u64 swapped_in_use;	/* swapped out, but used in the last limits.warm seconds */
};

/* ---- heat_vm.c: all of these end the program if the VM has, or if somebody forbids it ---- */

void heat_vm_open(struct heat_vm *vm, const struct ctl_vm *info);
void heat_vm_read_slots(struct heat_vm *vm);	/* and sees whether the process is still there */

/* ---- heat.c ---- */

/* Fills look, whose bins the caller frees, with at most max_bins. */
void heat_look(const struct heat_vm *vm, const struct heat_limits *limits, size_t max_bins,
	       struct heat_look *look);
enum heat heat_of_bin(const struct heat_bin *bin);
/* Guest-physical address of a bin. */
u64 heat_bin_gpa(const struct heat_vm *vm, const struct heat_look *look, size_t bin);

/* ---- heat_text.c, heat_png.c ---- */

#define HEAT_TEXT_BINS 1024
#define HEAT_PNG_BINS 512

void heat_print_text(const struct heat_vm *vm, const struct heat_limits *limits,
		     const struct heat_look *look);
void heat_print_json(const struct heat_vm *vm, const struct heat_limits *limits,
		     const struct heat_look *look);

struct heat_picture {
	u64 vm;
	u64 memory;		/* bytes */
	double seconds;		/* from the first to the last look */
	const struct heat_limits *limits;
	const struct heat_look *looks;
	size_t nr_looks;
};

/* 0 or -errno. */
int heat_write_png(const struct heat_picture *picture, const char *file);

#endif
