// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the vCPU until the guest ends: one switch on the exit reason.
 * Other threads ask for attention through m->requests; machine_ask() draws how the vCPU thread
 * cannot miss it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../lib/console.h"
#include "../lib/diag.h"
#include "machine.h"

#define SIG_KICK SIGUSR1
#define RFLAGS_IF BIT(9)

void machine_end(struct machine *m, int status)
{
	if (m->ended)
		return;
	m->ended = true;
	m->status = status;
}

static void machine_crash(struct machine *m, const char *what)
{
	console_flush();
	note("%s", what);
	dump_registers(m);
	machine_end(m, STATUS_CRASH);
}

/* A kernel that panics with panic=N resets the machine as well: that is no orderly end. */
void machine_reset(struct machine *m)
{
	if (console_said() & CONSOLE_SAID_PANIC) {
		machine_crash(m, "the guest's kernel panicked and reset the machine");
		return;
	}
	stage("the guest has reset the machine");
	machine_end(m, STATUS_OK);
}

static void kick_handler(int sig)
{
	(void)sig;
}

/*
 * machine_ask()                      vCPU thread
 * requests |= what                   immediate_exit = 0
 * immediate_exit = 1                 handle and clear requests
 * signal                             RUN
 * If the vCPU thread clears requests before the first line, its immediate_exit = 0 came before the
 * second: RUN returns at once, or the signal breaks it off.
 */
void machine_ask(struct machine *m, enum machine_request what)
{
	atomic_fetch_or(&m->requests, what);
	__atomic_store_n(&m->hv.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(m->vcpu_thread, SIG_KICK);
}

static void machine_serve_requests(struct machine *m)
{
	unsigned int what;

	__atomic_store_n(&m->hv.run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	what = atomic_exchange(&m->requests, 0);
	if (what & REQUEST_REGS)
		dump_registers(m);
	if (what & REQUEST_STOP) {
		console_flush();
		note("ended by the user");
		machine_end(m, STATUS_OK);
	}
	if (what & REQUEST_TIMEOUT) {
		console_flush();
		note("time limit reached after %.1f s, the guest is still running", diag_seconds());
		dump_registers(m);
		machine_end(m, STATUS_TIMEOUT);
	}
}

static void exit_io(struct machine *m)
{
	struct shvm_run *run = m->hv.run;
	u8 *data = (u8 *)run + run->io.data_offset;
	bool out = run->io.direction == SHVM_EXIT_IO_OUT;
	u32 i;

	for (i = 0; i < run->io.count && !m->ended; i++)
		port_access(m, run->io.port, out, data + i * run->io.size, run->io.size);
}

/* There is no device in memory: an empty bus. */
static void exit_mmio(struct machine *m)
{
	struct shvm_run *run = m->hv.run;

	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

/* With a PIC in the kernel only a halt that no interrupt can end comes here. */
static void exit_hlt(struct machine *m)
{
	struct shvm_regs regs;

	hv_vcpu_do(&m->hv, SHVM_GET_REGS, &regs, "GET_REGS");
	if (console_said() & CONSOLE_SAID_HALTED) {
		stage("the guest has halted");
		machine_end(m, STATUS_OK);
		return;
	}
	if (regs.rflags & RFLAGS_IF)
		machine_crash(m, "the hypervisor returned a halt that an interrupt could end");
	else
		machine_crash(m, "the guest halted with interrupts off, without announcing it");
}

static void exit_shutdown(struct machine *m)
{
	if (console_said() & CONSOLE_SAID_RESTART)
		machine_reset(m);
	else
		machine_crash(m, "the guest crashed: triple fault");
}

static void exit_internal_error(struct machine *m)
{
	static const char *const names[] = {
		[SHVM_INTERNAL_ERROR_EMULATION] = "an instruction that it cannot emulate",
		[SHVM_INTERNAL_ERROR_DELIVERY_EV] = "a fault while it delivered an event",
		[SHVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an unexpected VM exit",
	};
	struct shvm_run *run = m->hv.run;
	u32 i, error = run->internal.suberror;
	const char *name = NULL;

	console_flush();
	if (error < ARRAY_SIZE(names))
		name = names[error];
	note("the hypervisor gave up at %s (internal error %u)", name ? name : "an unknown problem",
	     error);
	for (i = 0; i < run->internal.ndata && i < 16; i++)
		note("  data[%u] = %#llx", i, (unsigned long long)run->internal.data[i]);
	dump_registers(m);
	machine_end(m, STATUS_CRASH);
}

static void exit_fail_entry(struct machine *m)
{
	console_flush();
	note("the CPU refused to enter the guest, reason %#llx (SDM volume 3, appendix C)",
	     (unsigned long long)m->hv.run->fail_entry.hardware_entry_failure_reason);
	dump_registers(m);
	machine_end(m, STATUS_CRASH);
}

static void exit_dispatch(struct machine *m)
{
	u32 reason = m->hv.run->exit_reason;

	m->exits[reason < NR_EXIT_REASONS ? reason : NR_EXIT_REASONS]++;
	switch (reason) {
	case SHVM_EXIT_IO:
		exit_io(m);
		break;
	case SHVM_EXIT_MMIO:
		exit_mmio(m);
		break;
	case SHVM_EXIT_HLT:
		exit_hlt(m);
		break;
	case SHVM_EXIT_SHUTDOWN:
		exit_shutdown(m);
		break;
	case SHVM_EXIT_INTERNAL_ERROR:
		exit_internal_error(m);
		break;
	case SHVM_EXIT_FAIL_ENTRY:
		exit_fail_entry(m);
		break;
	case SHVM_EXIT_INTR:
	case SHVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	default:
		note("exit reason %u, which this launcher does not know", reason);
		machine_crash(m, "module and launcher must come from the same version of shvm");
	}
}

void machine_run(struct machine *m)
{
	struct sigaction sa = { .sa_handler = kick_handler };

	sigaction(SIG_KICK, &sa, NULL);
	while (!m->ended) {
		switch (hv_run(&m->hv)) {
		case HV_RUN_EXIT:
			exit_dispatch(m);
			break;
		case HV_RUN_KICKED:
			m->kicks++;
			break;
		case HV_RUN_FAILED:
			note("%s: RUN: %s", m->hv.path, strerror(errno));
			machine_crash(m, "the hypervisor cannot go on; see dmesg");
			break;
		}
		if (!m->ended && atomic_load(&m->requests))
			machine_serve_requests(m);
	}
	console_flush();
}

void machine_print_stats(struct machine *m)
{
	static const char *const names[] = {
		[SHVM_EXIT_UNKNOWN] = "unknown",
		[SHVM_EXIT_IO] = "I/O port",
		[SHVM_EXIT_HLT] = "HLT",
		[SHVM_EXIT_MMIO] = "MMIO",
		[SHVM_EXIT_IRQ_WINDOW_OPEN] = "interrupt window",
		[SHVM_EXIT_SHUTDOWN] = "shutdown",
		[SHVM_EXIT_FAIL_ENTRY] = "failed entry",
		[SHVM_EXIT_INTR] = "signal",
		[SHVM_EXIT_INTERNAL_ERROR] = "internal error",
	};
	unsigned int i;

	fprintf(stderr, "time from start to end: %.3f s\n", diag_seconds());
	if (m->first_byte_s)
		fprintf(stderr, "time from start to first serial byte: %.3f s\n", m->first_byte_s);
	else
		fprintf(stderr, "time from start to first serial byte: none was written\n");
	for (i = 0; i <= NR_EXIT_REASONS; i++) {
		const char *name = i < ARRAY_SIZE(names) ? names[i] : NULL;

		if (m->exits[i])
			fprintf(stderr, "exits to user space, reason %u (%s): %llu\n", i,
				name ? name : "other", (unsigned long long)m->exits[i]);
	}
	fprintf(stderr, "returns to user space by a kick: %llu\n", (unsigned long long)m->kicks);
	fprintf(stderr, "counters of %s:", m->hv.path);
	hv_stats_print(&m->hv, "\n  ", stderr);
	fputc('\n', stderr);
}
