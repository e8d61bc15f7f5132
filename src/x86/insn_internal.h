/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files that bind the emulator to a vCPU share: insn.c (runs), insn_mem.c (memory
 * operations), insn_io.c (ports). Not for others. vcpu->mutex is held, the VMCS is loaded.
 */
#ifndef SHVM_INSN_INTERNAL_H
#define SHVM_INSN_INTERNAL_H

#include "x86.h"

static inline struct shvm_vcpu *emul_vcpu(struct shvm_emul *e)
{
	return container_of(e, struct shvm_vcpu, insn.emul);
}

/* --- insn.c --- */

/**
 * shvm_insn_log_next - the log entry of the access that the emulator asks for now
 * @in: log
 * @addr: gpa, or port
 * @len: bytes
 * @write: direction
 * @mmio: memory, else port
 *
 * Return: the recorded entry with @done set; a new one, which replaces the rest of a log that does
 *	   not match; or NULL: the instruction has too many accesses.
 */
struct shvm_io_fragment *shvm_insn_log_next(struct shvm_insn *in, u64 addr, u32 len, bool write,
					    bool mmio);

/* --- insn_mem.c: operations of the emulator on memory --- */
enum shvm_emul_result shvm_insn_fetch(struct shvm_emul *e, u64 linear, void *buf, unsigned int len);
enum shvm_emul_result shvm_insn_read(struct shvm_emul *e, u64 linear, void *buf, unsigned int len,
				     u64 access);
enum shvm_emul_result shvm_insn_write(struct shvm_emul *e, u64 linear, const void *buf,
				      unsigned int len);
enum shvm_emul_result shvm_insn_cmpxchg(struct shvm_emul *e, u64 linear, const void *old,
					const void *new, unsigned int len, bool *done);
enum shvm_emul_result shvm_insn_check_write(struct shvm_emul *e, u64 linear, unsigned int len);
/* Access by the CPU itself, with supervisor rights, to a table of the guest such as the TSS. */
enum shvm_emul_result shvm_insn_read_system(struct shvm_emul *e, u64 linear, void *buf,
					    unsigned int len);

/* --- insn_io.c: operations of the emulator on ports --- */
enum shvm_emul_result shvm_insn_pio_in(struct shvm_emul *e, u16 port, unsigned int size,
				       unsigned int count, void *buf);
enum shvm_emul_result shvm_insn_pio_out(struct shvm_emul *e, u16 port, unsigned int size,
					unsigned int count, const void *buf);
enum shvm_emul_result shvm_insn_io_allowed(struct shvm_emul *e, u16 port, unsigned int size);
void shvm_insn_port_complete(struct shvm_vcpu *vcpu);	/* SHVM_INSN_WAIT_PORT is answered */

#endif
