// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory as the emulator sees it: linear addresses of the guest. All pages of an access are
 * translated before the first is touched. What is not memory is an access for user space, recorded
 * in the log of vcpu->insn and replayed from there; it comes before the access to memory that
 * shares the instruction, so that memory does not change before the instruction is sure to finish.
 * May sleep.
 */
#include <linux/sched.h>

#include "insn_internal.h"
#include "../vm.h"
#include "../vmx/vmx.h"

#define MMIO_BYTES	8	/* of one exit */
#define STORE_TRIES	64	/* of the rest of a store that has begun */

/* The part of an access that lies in one page. */
struct mem_piece {
	gpa_t at;
	u32 len;
};

static u32 access_flags(struct shvm_emul *e, bool write)
{
	u32 flags = write ? SHVM_ACCESS_WRITE : 0;

	if (e->cpl == 3)
		flags |= SHVM_ACCESS_USER;
	if (e->regs.rflags & X86_EFLAGS_AC)
		flags |= SHVM_ACCESS_AC;
	return flags;
}

static enum shvm_emul_result mem_error(struct shvm_emul *e, int err)
{
	if (err != -EAGAIN)
		emul_vcpu(e)->insn.error = err;
	return EMUL_RETRY;
}

/* Neither done nor MMIO: again by a new entry, or an error that RUN returns. */
static enum shvm_emul_result mem_failed(struct shvm_emul *e, enum shvm_mem_result ret)
{
	if (ret == SHVM_MEM_FAULT)
		return mem_error(e, -EFAULT);
	return ret == SHVM_MEM_NOMEM ? mem_error(e, -ENOMEM) : EMUL_RETRY;
}

/*
 * The access that faulted has been translated. As in a TLB, that holds until the vCPU flushes, and
 * it does not before this instruction ends, however long user space takes for its part of it, if
 * that does not set the vCPU's state.
 */
static bool is_fault_access(const struct shvm_insn *in, u64 linear, u32 access)
{
	return !((linear ^ in->fault_la) >> SHVM_PAGE_SHIFT) &&
	       (access & ~SHVM_ACCESS_AC) == in->fault_access;
}

static enum shvm_emul_result mem_translate(struct shvm_emul *e, u64 linear, u32 access, gpa_t *out)
{
	const struct shvm_insn *in = &emul_vcpu(e)->insn;
	u32 error = 0;
	int err;

	if (is_fault_access(in, linear, access)) {
		*out = gpa((in->fault_gpa.v & ~(SHVM_PAGE_SIZE - 1ULL)) |
			   (linear & (SHVM_PAGE_SIZE - 1)));
		return EMUL_OK;
	}
	err = shvm_mmu_translate(&emul_vcpu(e)->mmu, gva(linear), access, out, &error);

	if (err > 0)
		return shvm_emul_fault_pf(e, linear, error);
	return err ? mem_error(e, err) : EMUL_OK;
}

/* Translates [linear, linear + len), len at most one page, to one or two pieces. */
static enum shvm_emul_result mem_split(struct shvm_emul *e, u64 linear, u32 len, u32 access,
				       struct mem_piece piece[2], unsigned int *nr)
{
	u32 room = SHVM_PAGE_SIZE - (linear & (SHVM_PAGE_SIZE - 1));
	enum shvm_emul_result r;
	u64 next = linear + room;

	piece[0].len = min(len, room);
	r = mem_translate(e, linear, access, &piece[0].at);
	*nr = 1;
	if (r != EMUL_OK || len <= room)
		return r;

	if (e->mode != EMUL_MODE64)
		next = (u32)next;
	piece[1].len = min_t(u32, len - room, SHVM_PAGE_SIZE);
	*nr = 2;
	return mem_translate(e, next, access, &piece[1].at);
}

/* Would the access go to user space? A slot may still come or go before it is made. */
static bool mem_is_mmio(struct shvm_vcpu *vcpu, gpa_t at, bool write)
{
	struct shvm_mmu *mmu = &vcpu->vm->mmu;
	const struct shvm_slot *slot;
	bool mmio;
	int idx;

	idx = srcu_read_lock(&mmu->srcu);
	slot = shvm_slots_find(srcu_dereference(mmu->slots, &mmu->srcu), gpa_to_gfn(at));
	mmio = !slot || (write && (slot->flags & SHVM_SLOT_READONLY));
	srcu_read_unlock(&mmu->srcu, idx);
	return mmio;
}

static void mmio_request(struct shvm_vcpu *vcpu, u64 at, const u8 *data, u32 len, bool write)
{
	struct shvm_run *run = vcpu->run;

	run->exit_reason = SHVM_EXIT_MMIO;
	run->mmio.phys_addr = at;
	run->mmio.len = len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write)
		memcpy(run->mmio.data, data, len);
}

/* One access of at most MMIO_BYTES; @data is in or out. */
static enum shvm_emul_result mmio_fragment(struct shvm_vcpu *vcpu, u64 at, u8 *data, u32 len,
					   bool write)
{
	struct shvm_io_fragment *f;

	if (vcpu->insn.posted)
		return EMUL_USER;
	f = shvm_insn_log_next(&vcpu->insn, at, len, write, true);
	if (!f)
		return EMUL_UNHANDLED;
	if (f->done) {
		if (!write)
			memcpy(data, f->data, len);
		return EMUL_OK;
	}
	mmio_request(vcpu, at, data, len, write);
	vcpu->insn.waiting = SHVM_INSN_WAIT_LOG;
	return EMUL_USER;
}

static enum shvm_emul_result mmio_access(struct shvm_vcpu *vcpu, const struct mem_piece *p,
					 void *data, bool write)
{
	u32 done, len;

	for (done = 0; done < p->len; done += len) {
		enum shvm_emul_result r;

		len = min_t(u32, p->len - done, MMIO_BYTES);
		r = mmio_fragment(vcpu, p->at.v + done, data + done, len, write);
		if (r != EMUL_OK)
			return r;
	}
	return EMUL_OK;
}

/* The whole store of an instruction goes to a device. */
static enum shvm_emul_result mmio_store(struct shvm_vcpu *vcpu, const struct mem_piece *p,
					const void *data)
{
	if (p->len > MMIO_BYTES)
		return mmio_access(vcpu, p, (void *)data, true);
	if (vcpu->insn.posted)
		return EMUL_USER;
	mmio_request(vcpu, p->at.v, data, p->len, true);
	vcpu->insn.posted = true;
	return EMUL_OK;
}

static enum shvm_emul_result mem_read_piece(struct shvm_emul *e, const struct mem_piece *p,
					    void *buf)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);
	enum shvm_mem_result ret;

	ret = shvm_mmu_read(&vcpu->vm->mmu, p->at, buf, p->len);
	switch (ret) {
	case SHVM_MEM_OK:
		return EMUL_OK;
	case SHVM_MEM_MMIO:
		return mmio_access(vcpu, p, buf, false);
	default:
		return mem_failed(e, ret);
	}
}

static enum shvm_emul_result mem_read(struct shvm_emul *e, u64 linear, void *buf, unsigned int len,
				      u32 access)
{
	struct mem_piece piece[2];
	enum shvm_emul_result r;
	unsigned int nr;

	r = mem_split(e, linear, len, access, piece, &nr);
	if (r != EMUL_OK)
		return r;
	r = mem_read_piece(e, &piece[0], buf);
	if (r != EMUL_OK || nr == 1)
		return r;
	return mem_read_piece(e, &piece[1], buf + piece[0].len);
}

enum shvm_emul_result shvm_insn_read(struct shvm_emul *e, u64 linear, void *buf, unsigned int len,
				     u64 access)
{
	return mem_read(e, linear, buf, len, access_flags(e, access & EMUL_ACC_RMW));
}

enum shvm_emul_result shvm_insn_read_system(struct shvm_emul *e, u64 linear, void *buf,
					    unsigned int len)
{
	return mem_read(e, linear, buf, len, SHVM_ACCESS_IMPLICIT);
}

/* Code is memory, or cannot be run. */
enum shvm_emul_result shvm_insn_fetch(struct shvm_emul *e, u64 linear, void *buf, unsigned int len)
{
	u32 access = access_flags(e, false) | SHVM_ACCESS_FETCH;
	enum shvm_mem_result ret;
	enum shvm_emul_result r;
	gpa_t at;

	if (!shvm_mmu_lookup_code(&emul_vcpu(e)->mmu, gva(linear), e->cpl == 3, &at)) {
		r = mem_translate(e, linear, access, &at);
		if (r != EMUL_OK)
			return r;
	}
	ret = shvm_mmu_read(&emul_vcpu(e)->vm->mmu, at, buf, len);
	switch (ret) {
	case SHVM_MEM_OK:
		return EMUL_OK;
	case SHVM_MEM_MMIO:
		return EMUL_UNHANDLED;
	default:
		return mem_failed(e, ret);
	}
}

static enum shvm_emul_result mem_write_piece(struct shvm_emul *e, const struct mem_piece *p,
					     const void *buf)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);
	enum shvm_mem_result ret;

	ret = shvm_mmu_write(&vcpu->mmu, p->at, buf, p->len);
	switch (ret) {
	case SHVM_MEM_OK:
		return EMUL_OK;
	case SHVM_MEM_MMIO:
		return mmio_store(vcpu, p, buf);
	default:
		return mem_failed(e, ret);
	}
}

/* One half of the store is in memory: going back would run the instruction on its own result. */
static enum shvm_emul_result mem_write_rest(struct shvm_emul *e, const struct mem_piece *p,
					    const void *buf)
{
	enum shvm_emul_result r;
	int tries;

	for (tries = 0; tries < STORE_TRIES; tries++) {
		r = mem_write_piece(e, p, buf);
		if (r != EMUL_RETRY || emul_vcpu(e)->insn.error)
			return r;
		cond_resched();
	}
	return mem_error(e, -EFAULT);
}

static enum shvm_emul_result mem_write_two(struct shvm_emul *e, const struct mem_piece *piece,
					   const void *buf)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);
	enum shvm_emul_result r = EMUL_OK;
	const void *part[2] = { buf, buf + piece[0].len };
	bool mmio[2];
	int i;

	for (i = 0; i < 2; i++) {
		mmio[i] = mem_is_mmio(vcpu, piece[i].at, true);
		if (mmio[i])
			r = mmio_access(vcpu, &piece[i], (void *)part[i], true);
		if (r != EMUL_OK)
			return r;
	}
	if (mmio[0])
		return mmio[1] ? EMUL_OK : mem_write_piece(e, &piece[1], part[1]);
	r = mem_write_piece(e, &piece[0], part[0]);
	if (r != EMUL_OK || mmio[1])
		return r;
	return mem_write_rest(e, &piece[1], part[1]);
}

enum shvm_emul_result shvm_insn_write(struct shvm_emul *e, u64 linear, const void *buf,
				      unsigned int len)
{
	struct mem_piece piece[2];
	enum shvm_emul_result r;
	unsigned int nr;

	r = mem_split(e, linear, len, access_flags(e, true), piece, &nr);
	if (r != EMUL_OK)
		return r;
	if (nr == 1)
		return mem_write_piece(e, &piece[0], buf);
	return mem_write_two(e, piece, buf);
}

/*
 * What cannot be one atomic step is refused: the caller unshadows the page, and the CPU does it.
 * Devices are not memory; for them the store alone must do.
 */
enum shvm_emul_result shvm_insn_cmpxchg(struct shvm_emul *e, u64 linear, const void *old,
					const void *new, unsigned int len, bool *done)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);
	struct mem_piece piece[2];
	enum shvm_mem_result ret;
	enum shvm_emul_result r;
	unsigned int nr;

	*done = true;
	r = mem_split(e, linear, len, access_flags(e, true), piece, &nr);
	if (r != EMUL_OK)
		return r;
	if (nr == 1 && mem_is_mmio(vcpu, piece[0].at, true))
		return mmio_store(vcpu, &piece[0], new);
	if (nr > 1 || !is_power_of_2(len) || (piece[0].at.v & (len - 1)))
		return EMUL_UNHANDLED;

	ret = shvm_mmu_cmpxchg(&vcpu->mmu, piece[0].at, old, new, len);
	switch (ret) {
	case SHVM_MEM_OK:
		return EMUL_OK;
	case SHVM_MEM_LOST:
		*done = false;
		return EMUL_OK;
	default:
		return mem_failed(e, ret);
	}
}

/* Also refuses a store to devices that is too long for the log, before a port has been read. */
enum shvm_emul_result shvm_insn_check_write(struct shvm_emul *e, u64 linear, unsigned int len)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);
	struct mem_piece piece[2];
	enum shvm_emul_result r;
	unsigned int i, nr, needed = 1;

	r = mem_split(e, linear, len, access_flags(e, true), piece, &nr);
	if (r != EMUL_OK)
		return r;
	for (i = 0; i < nr; i++)
		if (mem_is_mmio(vcpu, piece[i].at, true))
			needed += DIV_ROUND_UP(piece[i].len, MMIO_BYTES);
	return vcpu->insn.next_frag + needed > SHVM_MAX_FRAGMENTS ? EMUL_UNHANDLED : EMUL_OK;
}
