// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the emulator on a vCPU and turns its results into what the run loop does next. Owns
 * vcpu->insn, under vcpu->mutex; the VMCS is loaded; may sleep. An instruction that needs user
 * space is abandoned, and run again from its start, with the bytes fetched the first time, when
 * SHVM_RUN brings the answer; accesses that are done are replayed from the log. The log dies with
 * the instruction, and with anything by which user space sets the state of the vCPU.
 *
 * What cannot be emulated: a store to a guest table gives up its shadow and is left to the CPU, a
 * bounded number of times; else user code gets #UD, and the kernel of the guest ends in an
 * internal-error exit that shows the instruction.
 */
#include <linux/hash.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "insn_internal.h"
#include "../vm.h"
#include "../vmx/vmx.h"

#define REPLAY_TRIES	64	/* of an instruction that user space has worked for */
#define STUCK_TRIES	32	/* retries with the same registers before we give up */

#define BLOCKED_BY_STI		BIT(0)	/* interruptibility state, SDM 24.4.2 */
#define BLOCKED_BY_MOV_SS	BIT(1)

#define DR6_BS		BIT_ULL(14)
#define DR7_GD		BIT_ULL(13)

static_assert((int)SHVM_NR_GPRS == (int)EMUL_NR_GPR && (int)SHVM_R15 == (int)EMUL_R15 &&
	      (int)SHVM_RSP == (int)EMUL_RSP);
static_assert((int)SHVM_ES == (int)EMUL_ES && (int)SHVM_GS == (int)EMUL_GS);

/* ---- the log ---- */

struct shvm_io_fragment *shvm_insn_log_next(struct shvm_insn *in, u64 addr, u32 len, bool write,
					    bool mmio)
{
	struct shvm_io_fragment *f;

	if (in->next_frag >= SHVM_MAX_FRAGMENTS)
		return NULL;
	f = &in->frag[in->next_frag++];
	if (in->next_frag <= in->nr_frags && f->done && f->addr == addr && f->len == len &&
	    f->write == write && f->mmio == mmio)
		return f;
	*f = (struct shvm_io_fragment){ .write = write, .mmio = mmio, .addr = addr, .len = len };
	in->nr_frags = in->next_frag;
	return f;
}

static void log_drop(struct shvm_insn *in)
{
	in->nr_frags = 0;
	in->next_frag = 0;
}

void shvm_insn_forget_translation(struct shvm_vcpu *vcpu)
{
	vcpu->insn.fault_access = SHVM_INSN_NO_FAULT;
}

/**
 * shvm_insn_forget - drop an instruction that waits for user space
 * @vcpu: the vCPU, whose state was or will be set by other means
 */
void shvm_insn_forget(struct shvm_vcpu *vcpu)
{
	struct shvm_insn *in = &vcpu->insn;

	log_drop(in);
	in->waiting = SHVM_INSN_IDLE;
	in->posted = false;
	in->emul.insn_cached = false;
	in->emul.insn_decoded = false;
	shvm_insn_forget_translation(vcpu);
}

/* ---- operations on the CPU ---- */

static enum shvm_emul_result op_get_cr(struct shvm_emul *e, unsigned int nr, u64 *val)
{
	const struct shvm_vcpu *vcpu = emul_vcpu(e);

	switch (nr) {
	case 0:
		*val = vcpu->cr0;
		return EMUL_OK;
	case 2:
		*val = vcpu->cr2;
		return EMUL_OK;
	case 3:
		*val = vcpu->cr3;
		return EMUL_OK;
	case 4:
		*val = vcpu->cr4;
		return EMUL_OK;
	case 8:
		*val = vcpu->cr8;
		return EMUL_OK;
	}
	return EMUL_UNHANDLED;
}

static enum shvm_emul_result fault_unless(struct shvm_emul *e, bool legal)
{
	return legal ? EMUL_OK : shvm_emul_fault(e, X86_TRAP_GP, true, 0);
}

/* result: of a write to a control register, see shvm_cr0_write(). */
static enum shvm_emul_result cr_result(struct shvm_emul *e, int result)
{
	if (result >= 0)
		return fault_unless(e, !result);
	if (result != -EAGAIN)
		emul_vcpu(e)->insn.error = result;
	return EMUL_RETRY;
}

static enum shvm_emul_result op_set_cr(struct shvm_emul *e, unsigned int nr, u64 val)
{
	struct shvm_vcpu *vcpu = emul_vcpu(e);

	switch (nr) {
	case 0:
		return cr_result(e, shvm_cr0_write(vcpu, val));
	case 2:
		vcpu->cr2 = val;
		return EMUL_OK;
	case 3:
		return cr_result(e, shvm_cr3_write(vcpu, val));
	case 4:
		return cr_result(e, shvm_cr4_write(vcpu, val));
	case 8:
		return fault_unless(e, !shvm_cr8_write(vcpu, val));
	}
	return EMUL_UNHANDLED;
}

/* DR7.GD: insn_fault() does what belongs to it. DR4 and DR5 were resolved by the emulator. */
static enum shvm_emul_result op_get_dr(struct shvm_emul *e, unsigned int nr, u64 *val)
{
	if (emul_vcpu(e)->dr7 & DR7_GD)
		return shvm_emul_fault(e, X86_TRAP_DB, false, 0);
	*val = shvm_dr_read(emul_vcpu(e), nr);
	return EMUL_OK;
}

static enum shvm_emul_result op_set_dr(struct shvm_emul *e, unsigned int nr, u64 val)
{
	if (emul_vcpu(e)->dr7 & DR7_GD)
		return shvm_emul_fault(e, X86_TRAP_DB, false, 0);
	return fault_unless(e, !shvm_dr_write(emul_vcpu(e), nr, val));
}

static enum shvm_emul_result op_get_selector(struct shvm_emul *e, unsigned int seg, u16 *val)
{
	struct shvm_segment s;

	shvm_vmx_get_segment(emul_vcpu(e), seg, &s);
	*val = s.selector;
	return EMUL_OK;
}

static enum shvm_emul_result op_read_xmm(struct shvm_emul *e, unsigned int nr, u8 val[16])
{
	shvm_fpu_read_xmm(nr, val);
	return EMUL_OK;
}

static enum shvm_emul_result op_invlpg(struct shvm_emul *e, u64 linear)
{
	shvm_mmu_invlpg(&emul_vcpu(e)->mmu, gva(linear));
	return EMUL_OK;
}

static enum shvm_emul_result op_halt(struct shvm_emul *e)
{
	emul_vcpu(e)->insn.halted = true;
	return EMUL_OK;
}

static void op_commit(struct shvm_emul *e)
{
	log_drop(&emul_vcpu(e)->insn);
}

static const struct shvm_emul_ops insn_ops = {
	.fetch = shvm_insn_fetch,
	.read = shvm_insn_read,
	.write = shvm_insn_write,
	.compare_exchange = shvm_insn_cmpxchg,
	.check_write = shvm_insn_check_write,
	.pio_in = shvm_insn_pio_in,
	.pio_out = shvm_insn_pio_out,
	.io_allowed = shvm_insn_io_allowed,
	.get_cr = op_get_cr,
	.set_cr = op_set_cr,
	.get_dr = op_get_dr,
	.set_dr = op_set_dr,
	.get_selector = op_get_selector,
	.read_xmm = op_read_xmm,
	.invlpg = op_invlpg,
	.halt = op_halt,
	.commit = op_commit,
};

/* ---- registers in and out ---- */

static void seg_load(struct shvm_vcpu *vcpu, enum shvm_seg seg)
{
	struct shvm_emul_seg *to = &vcpu->insn.emul.seg[seg];
	struct shvm_segment s;

	shvm_vmx_get_segment(vcpu, seg, &s);
	to->base = s.base;
	to->limit = s.limit;
	to->ar = s.type | s.s << 4 | s.dpl << 5 | s.present << 7 | s.avl << 12 | s.l << 13 |
		 s.db << 14 | s.g << 15 | (u32)s.unusable << 16;
}

/* In 64-bit mode the bases of FS and GS are all that counts: a tenth of the time. */
static void segs_load(struct shvm_vcpu *vcpu)
{
	struct shvm_emul *e = &vcpu->insn.emul;
	enum shvm_seg seg;

	if (shvm_vmx_is_64bit(vcpu)) {
		e->mode = EMUL_MODE64;
		e->seg[EMUL_FS].base = shvm_vmx_segment_base(vcpu, SHVM_FS);
		e->seg[EMUL_GS].base = shvm_vmx_segment_base(vcpu, SHVM_GS);
		return;
	}
	for (seg = SHVM_ES; seg <= SHVM_GS; seg++)
		seg_load(vcpu, seg);
	e->mode = e->seg[EMUL_CS].ar & BIT(14) ? EMUL_MODE32 : EMUL_MODE16;
}

/* The CPU's state for the next run. */
static void regs_load(struct shvm_vcpu *vcpu)
{
	struct shvm_emul *e = &vcpu->insn.emul;

	memcpy(e->regs.gpr, vcpu->gpr, sizeof(e->regs.gpr));
	e->regs.gpr[EMUL_RSP] = shvm_vmx_rsp(vcpu);
	e->regs.rip = shvm_vmx_rip(vcpu);
	e->regs.rflags = shvm_vmx_rflags(vcpu);
	e->cr0 = vcpu->cr0;
	e->cr4 = vcpu->cr4;
	e->cpl = shvm_vmx_cpl(vcpu);
	e->ops = &insn_ops;
	segs_load(vcpu);
	vcpu->insn.halted = false;
	vcpu->insn.error = 0;
}

/* The emulator leaves them as they were if nothing, or only a part of a REP, is done. */
static void regs_store(struct shvm_vcpu *vcpu)
{
	const struct shvm_emul_regs *r = &vcpu->insn.emul.regs;

	memcpy(vcpu->gpr, r->gpr, sizeof(r->gpr));
	shvm_vmx_set_rsp(vcpu, r->gpr[EMUL_RSP]);
	shvm_vmx_set_rip(vcpu, r->rip);
	shvm_vmx_set_rflags(vcpu, r->rflags);
}

/* ---- results ---- */

/* Registers are those before the instruction; the bytes are what the emulator fetched. */
static enum shvm_next insn_error(struct shvm_vcpu *vcpu)
{
	const struct shvm_emul *e = &vcpu->insn.emul;
	struct shvm_run *run = vcpu->run;

	run->exit_reason = SHVM_EXIT_INTERNAL_ERROR;
	memset(&run->internal, 0, sizeof(run->internal));
	run->internal.suberror = SHVM_INTERNAL_ERROR_EMULATION;
	run->internal.ndata = 1;
	if (!e->insn_len)
		return SHVM_NEXT_USER;
	run->internal.ndata = 3;
	run->emulation_failure.flags = SHVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	run->emulation_failure.insn_size = e->insn_len;
	memcpy(run->emulation_failure.insn_bytes, e->insn,
	       sizeof(run->emulation_failure.insn_bytes));
	return SHVM_NEXT_USER;
}

/* Same registers as at the last retry: true when that happens for too long. */
static bool insn_is_stuck(struct shvm_vcpu *vcpu)
{
	struct shvm_insn *in = &vcpu->insn;
	u64 key = shvm_vmx_rip(vcpu);
	int i;

	for (i = 0; i < SHVM_NR_GPRS; i++)
		key = hash_64(key ^ (i == SHVM_RSP ? shvm_vmx_rsp(vcpu) : vcpu->gpr[i]), 64) + i;
	if (key != in->stuck_key) {
		in->stuck_key = key;
		in->stuck_tries = 0;
	}
	return ++in->stuck_tries > STUCK_TRIES;
}

/* Leave the store at fault_la to the CPU. False: tried too often. */
static bool insn_unshadow(struct shvm_vcpu *vcpu)
{
	u32 access = shvm_vmx_cpl(vcpu) == 3 ? SHVM_ACCESS_USER : 0;
	u32 error;
	gpa_t at;

	if (insn_is_stuck(vcpu))
		return false;
	/* If it does not translate any more, the guest will take that fault instead. */
	if (!shvm_mmu_translate(&vcpu->mmu, gva(vcpu->insn.fault_la),
				access | SHVM_ACCESS_WRITE | SHVM_ACCESS_AC, &at, &error))
		shvm_mmu_unshadow(&vcpu->vm->mmu, gpa_to_gfn(at));
	return true;
}

static enum shvm_next insn_unhandled(struct shvm_vcpu *vcpu)
{
	log_drop(&vcpu->insn);
	if (vcpu->insn.fault_tracked && insn_unshadow(vcpu))
		return SHVM_NEXT_ENTER;
	if (shvm_vmx_cpl(vcpu) == 3) {
		shvm_event_exception(vcpu, X86_TRAP_UD);
		return SHVM_NEXT_ENTER;
	}
	return insn_error(vcpu);
}

static enum shvm_next insn_fault(struct shvm_vcpu *vcpu)
{
	const struct shvm_emul_exc *exc = &vcpu->insn.emul.exc;

	log_drop(&vcpu->insn);
	if (exc->vector == X86_TRAP_PF)
		shvm_event_page_fault(vcpu, gva(exc->cr2), exc->error_code);
	else if (exc->vector == X86_TRAP_DB)
		shvm_dr_access(vcpu, 7);	/* DR7.GD is the only source: it raises */
	else if (exc->has_error)
		shvm_event_exception_error(vcpu, exc->vector, exc->error_code);
	else
		shvm_event_exception(vcpu, exc->vector);
	return SHVM_NEXT_ENTER;
}

static enum shvm_next insn_done(struct shvm_vcpu *vcpu)
{
	struct shvm_insn *in = &vcpu->insn;
	u32 old = shvm_vmx_interruptibility(vcpu);
	u32 blocked = old & ~(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS);

	log_drop(in);
	in->stuck_tries = 0;
	vcpu->stats.insn_emulated++;
	if (in->emul.int_shadow && !in->emul.single_step)
		blocked |= BLOCKED_BY_STI;
	if (blocked != old)
		shvm_vmx_set_interruptibility(vcpu, blocked);
	if (in->halted)
		vcpu->mp_state = SHVM_MP_STATE_HALTED;
	if (in->emul.single_step) {
		vcpu->dr6 |= DR6_BS;
		shvm_event_exception(vcpu, X86_TRAP_DB);
	}
	return SHVM_NEXT_ENTER;
}

static enum shvm_next insn_retry(struct shvm_vcpu *vcpu)
{
	log_drop(&vcpu->insn);
	if (!vcpu->insn.error)
		return SHVM_NEXT_ENTER;
	vcpu->run_error = vcpu->insn.error;
	return SHVM_NEXT_ERROR;
}

/*
 * A write is in the run page: its instruction, or its iteration of a REP, is done. Whatever ended
 * the run after it will happen again, if it must, when the guest goes on.
 */
static enum shvm_next insn_posted(struct shvm_vcpu *vcpu, enum shvm_emul_result r)
{
	vcpu->insn.posted = false;
	if (r == EMUL_OK)
		insn_done(vcpu);
	else
		log_drop(&vcpu->insn);
	return SHVM_NEXT_USER;
}

static enum shvm_next insn_result(struct shvm_vcpu *vcpu, enum shvm_emul_result r)
{
	regs_store(vcpu);
	if (vcpu->insn.posted)
		return insn_posted(vcpu, r);
	switch (r) {
	case EMUL_OK:
		return insn_done(vcpu);
	case EMUL_FAULT:
		return insn_fault(vcpu);
	case EMUL_USER:
		return SHVM_NEXT_USER;
	case EMUL_RETRY:
		return insn_retry(vcpu);
	case EMUL_UNHANDLED:
		break;
	}
	return insn_unhandled(vcpu);
}

/*
 * An instruction for which user space has already done something must not be dropped for a lost
 * race: it would be done twice.
 */
static enum shvm_next insn_run(struct shvm_vcpu *vcpu)
{
	struct shvm_insn *in = &vcpu->insn;
	enum shvm_emul_result r;
	int tries;

	for (tries = 0; tries < REPLAY_TRIES; tries++) {
		in->next_frag = 0;
		r = shvm_emul_run(&in->emul);
		if (r != EMUL_RETRY || in->error || !in->nr_frags)
			break;
		in->emul.insn_cached = true;
		cond_resched();
	}
	return insn_result(vcpu, r);
}

/* ---- entry points ---- */

static void insn_start(struct shvm_vcpu *vcpu)
{
	struct shvm_insn *in = &vcpu->insn;

	shvm_insn_forget(vcpu);
	in->fault_tracked = false;
	in->emul.must_write = false;
	regs_load(vcpu);
}

/**
 * shvm_insn_emulate - emulate the instruction at RIP
 * @vcpu: the vCPU; no event was being delivered
 * Return: what the run loop does next.
 */
enum shvm_next shvm_insn_emulate(struct shvm_vcpu *vcpu)
{
	insn_start(vcpu);
	return insn_run(vcpu);
}

/* A store to a shadowed table. Those that sweep over it are left to the CPU. */
static enum shvm_next insn_table_store(struct shvm_vcpu *vcpu)
{
	struct shvm_emul *e = &vcpu->insn.emul;
	struct shvm_emul_info info;
	enum shvm_emul_result r;

	r = shvm_emul_decode(e, &info);
	if (r != EMUL_OK)
		return insn_result(vcpu, r);
	if (info.is_rep && info.writes && insn_unshadow(vcpu))
		return SHVM_NEXT_ENTER;
	e->insn_decoded = true;
	return insn_run(vcpu);
}

/**
 * shvm_insn_emulate_fault - emulate the instruction that met a shadow page fault
 * @vcpu: the vCPU; it was an instruction, not the delivery of an event
 * @pf: the fault. tracked: the page holds a shadowed table; else it is no memory for this access
 * Return: what the run loop does next.
 */
enum shvm_next shvm_insn_emulate_fault(struct shvm_vcpu *vcpu, const struct shvm_pf *pf)
{
	struct shvm_insn *in = &vcpu->insn;

	if (pf->tracked && shvm_insn_table_store(vcpu, pf))
		return SHVM_NEXT_ENTER;
	insn_start(vcpu);
	in->fault_tracked = pf->tracked;
	in->fault_la = pf->addr.v;
	in->fault_gpa = pf->gpa;
	if (!(pf->error & SHVM_ACCESS_FETCH))
		in->fault_access = pf->error & (SHVM_ACCESS_WRITE | SHVM_ACCESS_USER);
	in->emul.must_write = pf->error & SHVM_ACCESS_WRITE;
	in->emul.must_write_gla = pf->addr.v;
	return pf->tracked ? insn_table_store(vcpu) : insn_run(vcpu);
}

/**
 * shvm_insn_complete - at the start of RUN: go on with the instruction that waits for user space
 * @vcpu: the vCPU
 * Return: SHVM_NEXT_ENTER if there is none or it is done; else as the instruction goes on.
 */
enum shvm_next shvm_insn_complete(struct shvm_vcpu *vcpu)
{
	struct shvm_insn *in = &vcpu->insn;
	enum shvm_insn_wait waiting = in->waiting;
	struct shvm_io_fragment *f;

	in->waiting = SHVM_INSN_IDLE;
	if (waiting == SHVM_INSN_IDLE)
		return SHVM_NEXT_ENTER;
	if (waiting == SHVM_INSN_WAIT_PORT) {
		shvm_insn_port_complete(vcpu);
		return SHVM_NEXT_ENTER;
	}
	f = &in->frag[in->nr_frags - 1];
	if (f->mmio && !f->write)
		memcpy(f->data, vcpu->run->mmio.data, f->len);
	f->done = true;
	in->emul.insn_decoded = true;
	regs_load(vcpu);
	return insn_run(vcpu);
}
