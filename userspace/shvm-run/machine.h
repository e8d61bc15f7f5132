/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual PC that shvm-run offers, and the units it is made of.
 * The vCPU runs in the main thread; the console's thread calls only the functions marked "any
 * thread". Ports and interrupt lines follow the PC; what is ours alone is listed here.
 */
#ifndef SHVM_RUN_MACHINE_H
#define SHVM_RUN_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../lib/hv.h"
#include "../lib/util.h"

/* Exit status of shvm-run; also in the man page. 1 is DIAG_EXIT_SETUP. */
#define STATUS_OK 0 /* power-off, reboot, halt, or the user ended the guest */
#define STATUS_CRASH 2 /* the guest crashed, or the hypervisor cannot go on */
#define STATUS_TIMEOUT 3 /* --timeout */
#define STATUS_DEBUG_BASE 64 /* + byte written to the debug-exit port, if that is not 0 */
#define STATUS_DEBUG_MAX 123

/* Guest-physical layout below 1 MiB. */
#define GPA_GDT 0x1000ULL
#define GPA_BOOT_PARAMS 0x2000ULL
#define GPA_PAGE_TABLES 0x4000ULL /* 6 pages; 64-bit entry only */
#define GPA_CMDLINE 0x20000ULL
#define GPA_EBDA 0x9fc00ULL
#define GPA_ACPI 0xe0000ULL
#define GPA_ACPI_END 0xf0000ULL
#define GPA_HIGH 0x100000ULL
#define GPA_HOLE 0xc0000000ULL /* RAM beyond 3 GiB continues at 4 GiB */
#define GPA_4G 0x100000000ULL

#define IRQ_UART 4
#define IRQ_SCI 9

#define PORT_PM1_EVENT 0x600 /* 4 bytes: status, enable */
#define PORT_PM1_CONTROL 0x604 /* 2 bytes */
#define PORT_DEBUG_EXIT 0xf4
#define PORT_MARK 0xf5
#define PM1_SLP_TYP_S5 5

#define NR_EXIT_REASONS 64
#define UART_RX_SIZE 64

struct guest_memory {
	u8 *host; /* all of it, contiguous here */
	u64 size;
	u64 low; /* bytes below GPA_HOLE */
};

/* 16550A. @lock guards all of it: vCPU thread and console thread meet here. */
struct uart {
	pthread_mutex_t lock;
	u8 ier, fcr, lcr, mcr, scr, dll, dlm;
	bool thr_empty_pending; /* the transmitter-empty interrupt has not been read yet */
	bool overrun;
	bool line; /* level of IRQ_UART */
	u8 rx[UART_RX_SIZE];
	unsigned int rx_head, rx_len;
};

struct rtc {
	u8 index;
	u8 nvram[128];
};

struct pm1 {
	u8 enable[2];
	u8 control[2];
};

enum machine_request {
	REQUEST_STOP = BIT(0),
	REQUEST_REGS = BIT(1),
	REQUEST_TIMEOUT = BIT(2),
};

struct machine {
	struct hv hv;
	struct guest_memory mem;
	struct uart uart;
	struct rtc rtc;
	struct pm1 pm1;
	pthread_t vcpu_thread;
	atomic_uint requests;
	bool ended;
	int status;
	double first_byte_s; /* 0: the guest has not written to the serial port */
	u64 exits[NR_EXIT_REASONS + 1]; /* last: reasons beyond the table */
	u64 kicks;
	FILE *marks; /* or NULL */
	const char *shadow_pages; /* the next of --shadow-pages, or NULL */
};

/* memory.c */
void memory_create(struct machine *m, u64 size);
/* Host address of @len bytes of RAM at @gpa, or NULL if they are not all RAM. */
void *memory_at(struct machine *m, u64 gpa, u64 len);

/* linux.c */
struct linux_boot {
	const char *kernel;
	const char *initrd; /* or NULL */
	const char *append; /* or NULL */
};

struct linux_entry {
	u64 rip; /* guest-physical */
	bool long_mode; /* 4-level paging, else protected mode without paging */
};

/* Loads everything and says where and how the kernel wants to be entered. */
struct linux_entry linux_load(struct machine *m, const struct linux_boot *boot);

/* acpi.c */
void acpi_build(struct machine *m);

/* cpu.c */
void cpu_set_cpuid(struct machine *m, bool hypervisor_leaves);
void cpu_set_msrs(struct machine *m);
void cpu_set_entry(struct machine *m, const struct linux_entry *entry);

/* uart.c */
void uart_init(struct machine *m);
u8 uart_in(struct machine *m, u16 port);
void uart_out(struct machine *m, u16 port, u8 value);
size_t uart_room(struct machine *m); /* any thread */
void uart_receive(struct machine *m, const u8 *data, size_t len); /* any thread */

/* ports.c */
u8 rtc_in(struct machine *m, u16 port);
void rtc_out(struct machine *m, u16 port, u8 value);
void port_access(struct machine *m, u16 port, bool out, u8 *data, unsigned int size);

/* marks.c */
void marks_open(struct machine *m, const char *path);
void marks_start(struct machine *m);
void shadow_pages_next(struct machine *m);
void mark_out(struct machine *m, u16 port, u8 value);

/* run.c */
void machine_run(struct machine *m);
void machine_end(struct machine *m, int status);
void machine_reset(struct machine *m);
void machine_ask(struct machine *m, enum machine_request what); /* any thread */
void machine_print_stats(struct machine *m);

/* dump.c */
void dump_registers(struct machine *m);

#endif
