// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest x87, SSE and AVX state, kept and switched by the host kernel's guest-FPU interface. While a
 * thread is in RUN the guest's state is the thread's own, so the host may schedule and use the FPU
 * at will. XCR0 is the guest's only around VM entry (src/vmx): the host saves all its components
 * with its own value. Works without XSAVE (FXSAVE image only). vcpu->mutex is held.
 */
#include <linux/slab.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/cpufeature.h>

#include "x86.h"

/* The components that a guest may enable. */
#define XCR0_GUEST	(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM)

/**
 * shvm_fpu_supported_xcr0 - what a guest may set in XCR0 on this host
 * Return: a mask, 0 without XSAVE.
 */
u64 shvm_fpu_supported_xcr0(void)
{
	u64 xcr0;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return 0;
	xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK) & XCR0_GUEST;
	if (!boot_cpu_has(X86_FEATURE_AVX))
		xcr0 &= ~(u64)XFEATURE_MASK_YMM;
	return xcr0;
}

int shvm_fpu_create(struct shvm_vcpu *vcpu)
{
	vcpu->fpu.xcr0 = XFEATURE_MASK_FP;
	return fpu_alloc_guest_fpstate(&vcpu->fpu.guest) ? 0 : -ENOMEM;
}

void shvm_fpu_destroy(struct shvm_vcpu *vcpu)
{
	fpu_free_guest_fpstate(&vcpu->fpu.guest);
}

/**
 * shvm_fpu_load - make the guest's FPU state that of this thread
 * @vcpu: the vCPU that the thread is going to run; preemption on
 */
void shvm_fpu_load(struct shvm_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->fpu.guest, true);
}

void shvm_fpu_unload(struct shvm_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->fpu.guest, false);
}

/**
 * shvm_fpu_restore - the registers hold the thread's FPU state again
 *
 * Interrupts off or in fpregs_lock(), between shvm_fpu_load() and shvm_fpu_unload(): the host may
 * have used the registers since (scheduling, kernel_fpu_begin()), and loads them lazily.
 */
void shvm_fpu_restore(void)
{
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

/**
 * shvm_fpu_read_xmm - an XMM register of the guest
 * @nr: 0 to 15
 * @val: filled in
 *
 * Between shvm_fpu_load() and shvm_fpu_unload(); preemption may be on.
 */
void shvm_fpu_read_xmm(unsigned int nr, u8 val[16])
{
	u8 all[16][16];

	fpregs_lock();
	shvm_fpu_restore();
	asm volatile(".irp reg, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		     "movups %%xmm\\reg, \\reg * 16(%1)\n"
		     ".endr"
		     : "=m" (all) : "r" (all));
	fpregs_unlock();
	memcpy(val, all[nr & 15], sizeof(all[0]));
}

/**
 * shvm_xcr0_write - XSETBV with ECX = 0
 * @vcpu: the vCPU; CR4.OSXSAVE and CPL were checked
 * @val: new value
 * Return: 0, or 1 with nothing changed: raise #GP(0).
 */
int shvm_xcr0_write(struct shvm_vcpu *vcpu, u64 val)
{
	if (!(val & XFEATURE_MASK_FP) || (val & ~vcpu->cpuid.xcr0_allowed))
		return 1;
	if ((val & XFEATURE_MASK_YMM) && !(val & XFEATURE_MASK_SSE))
		return 1;
	vcpu->fpu.xcr0 = val;
	return 0;
}

/* A copy of the guest's state in the layout that XSAVE writes; NULL: out of memory. */
static union fpregs_state *fpu_image(struct shvm_vcpu *vcpu)
{
	struct fpu_guest *guest = &vcpu->fpu.guest;
	union fpregs_state *image = kzalloc(guest->uabi_size, GFP_KERNEL_ACCOUNT);

	if (image)
		fpu_copy_guest_fpstate_to_uabi(guest, image, guest->uabi_size,
					       guest->fpstate->user_xfeatures, 0);
	return image;
}

/**
 * shvm_fpu_get - SHVM_GET_FPU
 * @vcpu: the vCPU, not in RUN
 * @out: filled completely
 * Return: 0 or -ENOMEM.
 */
int shvm_fpu_get(struct shvm_vcpu *vcpu, struct shvm_fpu *out)
{
	union fpregs_state *image = fpu_image(vcpu);
	const struct fxregs_state *fx;

	if (!image)
		return -ENOMEM;
	fx = &image->fxsave;
	memset(out, 0, sizeof(*out));
	memcpy(out->fpr, fx->st_space, sizeof(out->fpr));
	out->fcw = fx->cwd;
	out->fsw = fx->swd;
	out->ftwx = fx->twd;
	out->last_opcode = fx->fop;
	out->last_ip = fx->rip;
	out->last_dp = fx->rdp;
	memcpy(out->xmm, fx->xmm_space, sizeof(out->xmm));
	out->mxcsr = fx->mxcsr;
	kfree(image);
	return 0;
}

/**
 * shvm_fpu_set - SHVM_SET_FPU
 * @vcpu: the vCPU, not in RUN
 * @in: kernel copy of what user space gave
 * Return: 0; -EINVAL (the kernel's check of MXCSR) or -ENOMEM with nothing changed. Components
 * other than x87 and SSE stay.
 */
int shvm_fpu_set(struct shvm_vcpu *vcpu, const struct shvm_fpu *in)
{
	struct fpu_guest *guest = &vcpu->fpu.guest;
	union fpregs_state *image;
	struct fxregs_state *fx;
	u32 pkru = 0;
	int err;

	image = fpu_image(vcpu);
	if (!image)
		return -ENOMEM;
	fx = &image->fxsave;
	memcpy(fx->st_space, in->fpr, sizeof(in->fpr));
	fx->cwd = in->fcw;
	fx->swd = in->fsw;
	fx->twd = in->ftwx;
	fx->fop = in->last_opcode;
	fx->rip = in->last_ip;
	fx->rdp = in->last_dp;
	memcpy(fx->xmm_space, in->xmm, sizeof(in->xmm));
	fx->mxcsr = in->mxcsr;
	image->xsave.header.xfeatures |= XFEATURE_MASK_FPSSE;
	err = fpu_copy_uabi_to_guest_fpstate(guest, image, guest->fpstate->user_xfeatures, &pkru);
	kfree(image);
	return err;
}
