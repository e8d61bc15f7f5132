// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port I/O: the interrupt chip in the kernel first, else an exit to user space with the data in
 * vcpu->insn.pio_page. User space can write that page at any time, so what comes from it is
 * copied once where it is used and means nothing but data. vcpu->mutex is held; may sleep.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "insn_internal.h"
#include "../irqchip/irqchip.h"
#include "../vm.h"
#include "../vmx/vmx.h"

/* The TSS (SDM 18.5.2): where its map base is, and the types that have one. */
#define TSS_MAP_BASE	0x66
#define TSS_TYPE_32	9	/* available; 11 if busy */

#define TSS_TYPE_BUSY	2

static void port_request(struct shvm_vcpu *vcpu, u16 port, u32 size, u32 count, bool write)
{
	struct shvm_run *run = vcpu->run;

	run->exit_reason = SHVM_EXIT_IO;
	run->io.direction = write ? SHVM_EXIT_IO_OUT : SHVM_EXIT_IO_IN;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = SHVM_PAGE_SIZE;
}

static struct shvm_irqchip *port_chip(struct shvm_vcpu *vcpu)
{
	return smp_load_acquire(&vcpu->vm->irqchip);	/* pairs with its creation */
}

/* True: the port belongs to the chip in the kernel, and it is done. */
static bool port_in_kernel(struct shvm_vcpu *vcpu, u16 port, u32 size, u32 count, u8 *data,
			   bool write)
{
	struct shvm_irqchip *chip = port_chip(vcpu);
	u32 i;

	for (i = 0; chip && i < count; i++, data += size) {
		u32 val = 0;

		if (write)
			memcpy(&val, data, size);
		if (!shvm_irqchip_pio(chip, port, size, write, &val))
			return false;
		if (!write)
			memcpy(data, &val, size);
	}
	return chip;
}

enum shvm_emul_result shvm_insn_pio_in(struct shvm_emul *e, u16 port, unsigned int size,
				       unsigned int count, void *buf)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);
	struct shvm_insn *in = &vcpu->insn;
	struct shvm_io_fragment *f;
	u32 bytes = size * count;

	if (in->posted)
		return EMUL_USER;
	f = bytes <= SHVM_PAGE_SIZE ? shvm_insn_log_next(in, port, bytes, false, false) : NULL;
	if (!f)
		return EMUL_UNHANDLED;
	if (!f->done) {
		if (!port_in_kernel(vcpu, port, size, count, in->pio_page, false)) {
			port_request(vcpu, port, size, count, false);
			in->waiting = SHVM_INSN_WAIT_LOG;
			return EMUL_USER;
		}
		f->done = true;
	}
	memcpy(buf, in->pio_page, bytes);
	return EMUL_OK;
}

/* Nothing of an instruction comes after its output: it needs no log. */
enum shvm_emul_result shvm_insn_pio_out(struct shvm_emul *e, u16 port, unsigned int size,
					unsigned int count, const void *buf)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);
	u32 bytes = size * count;

	if (vcpu->insn.posted)
		return EMUL_USER;
	if (bytes > SHVM_PAGE_SIZE)
		return EMUL_UNHANDLED;
	memcpy(vcpu->insn.pio_page, buf, bytes);
	if (!port_in_kernel(vcpu, port, size, count, vcpu->insn.pio_page, true)) {
		port_request(vcpu, port, size, count, true);
		vcpu->insn.posted = true;
	}
	return EMUL_OK;
}

/* The permission bitmap in the TSS; a byte beyond its end counts as all ones. */
enum shvm_emul_result shvm_insn_io_allowed(struct shvm_emul *e, u16 port, unsigned int size)
{
	u32 mask = (1u << size) - 1, where;
	enum shvm_emul_result r;
	struct shvm_segment tr;
	u16 base, bits;

	shvm_vmx_get_segment(emul_vcpu(e), SHVM_TR, &tr);
	if (tr.unusable || !tr.present || (tr.type & ~TSS_TYPE_BUSY) != TSS_TYPE_32 ||
	    tr.limit < TSS_MAP_BASE + 1)
		return shvm_emul_fault(e, X86_TRAP_GP, true, 0);
	r = shvm_insn_read_system(e, tr.base + TSS_MAP_BASE, &base, sizeof(base));
	if (r != EMUL_OK)
		return r;
	where = base + port / 8;
	if (where + 1 > tr.limit)
		return shvm_emul_fault(e, X86_TRAP_GP, true, 0);
	r = shvm_insn_read_system(e, tr.base + where, &bits, sizeof(bits));
	if (r != EMUL_OK)
		return r;
	return bits >> (port & 7) & mask ? shvm_emul_fault(e, X86_TRAP_GP, true, 0) : EMUL_OK;
}

/* The accumulator takes the result as every 1, 2 or 4 byte register does (SDM vol. 1, 3.4.1.1). */
static void accumulator_load(struct shvm_vcpu *vcpu, u32 size, u32 val)
{
	u64 *rax = &vcpu->gpr[SHVM_RAX];

	if (size == 4)
		*rax = val;
	else
		*rax = (*rax & ~(BIT_ULL(size * 8) - 1)) | (val & (BIT_ULL(size * 8) - 1));
}

/**
 * shvm_insn_port_in_short - IN from a port of the in-kernel chips, inside the entry loop
 * @vcpu: the vCPU; permission was checked by the CPU; interrupts are off
 * @port: port
 * @size: 1, 2 or 4 bytes
 *
 * A guest measures its TSC against the timer by such reads, so they must be quick. OUT goes the
 * long way: it may raise an interrupt, which the loop would not look at.
 * Return: true if it is done.
 */
bool shvm_insn_port_in_short(struct shvm_vcpu *vcpu, u16 port, u32 size)
{
	struct shvm_irqchip *chip = port_chip(vcpu);
	u32 val;

	if (!chip || !shvm_irqchip_pio(chip, port, size, false, &val))
		return false;
	shvm_insn_forget(vcpu);
	accumulator_load(vcpu, size, val);
	shvm_vmx_skip_insn(vcpu);
	return true;
}

/**
 * shvm_insn_port_io - IN or OUT, not a string instruction, that made the guest exit
 * @vcpu: the vCPU; permission was checked by the CPU
 * @port: port
 * @size: 1, 2 or 4 bytes
 * @in: direction
 * Return: SHVM_NEXT_ENTER: done; SHVM_NEXT_USER: OUT is done, IN will be when user space is back.
 */
enum shvm_next shvm_insn_port_io(struct shvm_vcpu *vcpu, u16 port, u32 size, bool in)
{
	struct shvm_irqchip *chip = port_chip(vcpu);
	u32 val = vcpu->gpr[SHVM_RAX] & (BIT_ULL(size * 8) - 1);

	shvm_insn_forget(vcpu);
	if (chip && shvm_irqchip_pio(chip, port, size, !in, &val)) {
		if (in)
			accumulator_load(vcpu, size, val);
		shvm_vmx_skip_insn(vcpu);
		return SHVM_NEXT_ENTER;
	}
	port_request(vcpu, port, size, 1, !in);
	if (in) {
		vcpu->insn.port_size = size;
		vcpu->insn.waiting = SHVM_INSN_WAIT_PORT;
	} else {
		memcpy(vcpu->insn.pio_page, &val, size);
		shvm_vmx_skip_insn(vcpu);
	}
	return SHVM_NEXT_USER;
}

void shvm_insn_port_complete(struct shvm_vcpu *vcpu)
{
	u32 val = 0;

	memcpy(&val, vcpu->insn.pio_page, min_t(u32, vcpu->insn.port_size, sizeof(val)));
	accumulator_load(vcpu, vcpu->insn.port_size, val);
	shvm_vmx_skip_insn(vcpu);
}
