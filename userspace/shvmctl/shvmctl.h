/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of shvmctl share: the command line, exit statuses, errors, output.
 */
#ifndef SHVMCTL_H
#define SHVMCTL_H

#include <json-c/json.h>
#include <stdio.h>

#include "../lib/diag.h"
#include "nl.h"

/* Exit statuses; docs/man/shvmctl.8 promises them. */
enum ctl_status {
	CTL_OK,
	CTL_FAILED,	   /* the operation, or the output; doctor: shvm cannot run here */
	CTL_USAGE,	   /* the command line */
	CTL_NO_MODULE,	   /* the kernel has no family "shvm" */
	CTL_NO_PERMISSION,
	CTL_NO_VM,	   /* or vCPU, or it has ended */
};

/* ---- the command line (main.c) ---- */

enum {
	TAKES_INTERVAL = BIT(0),
	TAKES_COUNT = BIT(1),
	TAKES_VCPU = BIT(2),
	TAKES_PAGES = BIT(3),
	TAKES_HEAT = BIT(4),	/* --png, --hot, --warm, --fine */
	TAKES_VM = BIT(5),	/* the operand VM */
	TAKES_NUMBER = BIT(6),	/* the operand N, which may be left out */
};

struct args {
	bool json;
	double interval;	/* seconds; 0: not given */
	unsigned int count;	/* 0: not given */
	bool has_vcpu;
	u32 vcpu;
	u32 pages;		/* 0: not given */
	const char *png;
	unsigned int hot;	/* seconds; 0: not given */
	unsigned int warm;
	bool fine;
	u64 vm;
	bool has_number;
	u32 number;
};

struct command {
	const char *name;
	const char *usage;	/* what follows the name */
	const char *summary;	/* for the list of commands */
	const char *help;	/* what --help says after the usage */
	unsigned int takes;
	int (*run)(const struct args *args);
};

int cmd_list(const struct args *args);
int cmd_show(const struct args *args);
int cmd_stat(const struct args *args);
int cmd_top(const struct args *args);
int cmd_monitor(const struct args *args);
int cmd_reclaim(const struct args *args);
int cmd_budget(const struct args *args);
int cmd_heatmap(const struct args *args);
int cmd_doctor(const struct args *args);

/* ---- errors (error.c) ---- */

/* Says what the error of an ctl_*() means and what to do, and exits. vm 0: not about a VM. */
__noreturn void ctl_fail(const struct ctl *ctl, int err, u64 vm);
/* ctl_open(), or that. */
void ctl_open_or_fail(struct ctl *ctl);
/* The owner of the VM is somebody else. */
__noreturn void fail_not_owner(u64 vm);

/* ---- names of the header's numbers (names.c) ---- */

const char *name_of_exit(unsigned int reason);
const char *name_of_fault(unsigned int result);
const char *name_of_format(unsigned int format);
const char *name_of_vcpu_state(unsigned int state);
const char *name_of_mode(unsigned int mode);
const char *name_of_event(unsigned int command);
/* VM: "ok", "shadow low" or "broken". */
const char *name_of_vm_state(const struct ctl_vm *vm);

/* A number of struct ctl_stats. */
struct stats_field {
	int attr;
	const char *key;	/* in JSON */
	const char *title;
	bool is_level;		/* what is now, not how often since the beginning */
};

extern const struct stats_field stats_fields[];
extern const size_t nr_stats_fields;

u64 stats_exits(const struct ctl_stats *stats);
u64 stats_faults(const struct ctl_stats *stats);

/* ---- output (output.c) ---- */

#define PAGE_BYTES 4096ULL
#define SIZE_TEXT 24

/* "256 MiB", "1.5 GiB": three digits are enough. */
const char *size_text(char *buf, u64 bytes);
const char *pages_text(char *buf, u64 pages);

/* Columns of the terminal on standard output, 0 if it is none. */
unsigned int output_width(void);

/* Prints an object, or a list, and frees it. A stream has one per line, which leaves at once. */
void output_json(struct json_object *object);
void output_json_line(struct json_object *object);
void json_add_u64(struct json_object *object, const char *key, u64 value);
void json_add_text(struct json_object *object, const char *key, const char *value);
void json_add_bool(struct json_object *object, const char *key, bool value);

/* To a stream that somebody follows: what was printed leaves now. Fails if nobody reads it. */
void output_flush(void);
void output_close(void);

/* Seconds since the last call with this clock, which begins as 0; or sleeps until it is that. */
double clock_now(void);
void sleep_until(double when);

#endif
