// SPDX-License-Identifier: GPL-2.0-only
/*
 * The header of /dev/shvm against that of /dev/kvm: every number, size and offset that both have
 * is the same, or this file does not compile. What it prints is what was compared.
 * selftests/check_api.sh sees to it that no name of the header is missing here.
 */
#include <stdio.h>
#include <string.h>

#include <linux/kvm.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define FOR_EACH_IOCTL(X)						\
	X(GET_API_VERSION) X(CREATE_VM) X(GET_MSR_INDEX_LIST) X(CHECK_EXTENSION)		\
	X(GET_VCPU_MMAP_SIZE) X(GET_SUPPORTED_CPUID) X(CREATE_VCPU) X(SET_NR_MMU_PAGES)	\
	X(GET_NR_MMU_PAGES) X(SET_USER_MEMORY_REGION) X(SET_TSS_ADDR)			\
	X(SET_IDENTITY_MAP_ADDR) X(IRQ_LINE) X(RUN) X(GET_REGS) X(SET_REGS) X(GET_SREGS)	\
	X(SET_SREGS) X(INTERRUPT) X(GET_MSRS) X(SET_MSRS) X(GET_FPU) X(SET_FPU)		\
	X(SET_CPUID2) X(GET_CPUID2) X(GET_MP_STATE) X(SET_MP_STATE) X(NMI)		\
	X(GET_VCPU_EVENTS) X(SET_VCPU_EVENTS) X(GET_DEBUGREGS) X(SET_DEBUGREGS)		\
	X(SET_TSC_KHZ) X(GET_TSC_KHZ)

#define FOR_EACH_CAP(X)							\
	X(CAP_HLT) X(CAP_MMU_SHADOW_CACHE_CONTROL) X(CAP_USER_MEMORY) X(CAP_SET_TSS_ADDR)	\
	X(CAP_EXT_CPUID) X(CAP_NR_VCPUS) X(CAP_NR_MEMSLOTS) X(CAP_MP_STATE)		\
	X(CAP_SYNC_MMU) X(CAP_DESTROY_MEMORY_REGION_WORKS) X(CAP_USER_NMI)		\
	X(CAP_JOIN_MEMORY_REGIONS_WORKS) X(CAP_SET_IDENTITY_MAP_ADDR)			\
	X(CAP_INTERNAL_ERROR_DATA) X(CAP_VCPU_EVENTS) X(CAP_INTR_SHADOW) X(CAP_DEBUGREGS)	\
	X(CAP_GET_TSC_KHZ) X(CAP_MAX_VCPUS) X(CAP_READONLY_MEM) X(CAP_CHECK_EXTENSION_VM)	\
	X(CAP_MAX_VCPU_ID) X(CAP_IMMEDIATE_EXIT)

#define FOR_EACH_CONSTANT(X)						\
	X(API_VERSION) X(NR_INTERRUPTS) X(CPUID_FLAG_SIGNIFCANT_INDEX)			\
	X(CPUID_FLAG_STATEFUL_FUNC) X(CPUID_FLAG_STATE_READ_NEXT) X(MEM_READONLY)	\
	X(MP_STATE_RUNNABLE) X(MP_STATE_HALTED) X(VCPUEVENT_VALID_NMI_PENDING)		\
	X(VCPUEVENT_VALID_SHADOW) X(VCPUEVENT_VALID_SMM) X(X86_SHADOW_INT_MOV_SS)	\
	X(X86_SHADOW_INT_STI) X(EXIT_UNKNOWN) X(EXIT_IO) X(EXIT_HLT) X(EXIT_MMIO)	\
	X(EXIT_IRQ_WINDOW_OPEN) X(EXIT_SHUTDOWN) X(EXIT_FAIL_ENTRY) X(EXIT_INTR)		\
	X(EXIT_INTERNAL_ERROR) X(EXIT_IO_IN) X(EXIT_IO_OUT) X(INTERNAL_ERROR_EMULATION)	\
	X(INTERNAL_ERROR_DELIVERY_EV) X(INTERNAL_ERROR_UNEXPECTED_EXIT_REASON)		\
	X(INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)

#define FOR_EACH_MSR_LIST(X)						\
	X(msr_list, nmsrs)

#define FOR_EACH_CPUID_ENTRY2(X)					\
	X(cpuid_entry2, function) X(cpuid_entry2, index) X(cpuid_entry2, flags)		\
	X(cpuid_entry2, eax) X(cpuid_entry2, ebx) X(cpuid_entry2, ecx)			\
	X(cpuid_entry2, edx) X(cpuid_entry2, padding)

#define FOR_EACH_CPUID2(X)						\
	X(cpuid2, nent) X(cpuid2, padding)

#define FOR_EACH_USERSPACE_MEMORY_REGION(X)				\
	X(userspace_memory_region, slot) X(userspace_memory_region, flags)		\
	X(userspace_memory_region, guest_phys_addr)					\
	X(userspace_memory_region, memory_size)						\
	X(userspace_memory_region, userspace_addr)

#define FOR_EACH_IRQ_LEVEL(X)						\
	X(irq_level, irq) X(irq_level, level)

#define FOR_EACH_REGS(X)						\
	X(regs, rax) X(regs, rbx) X(regs, rcx) X(regs, rdx) X(regs, rsi) X(regs, rdi)	\
	X(regs, rsp) X(regs, rbp) X(regs, r8) X(regs, r9) X(regs, r10) X(regs, r11)	\
	X(regs, r12) X(regs, r13) X(regs, r14) X(regs, r15) X(regs, rip) X(regs, rflags)

#define FOR_EACH_SEGMENT(X)						\
	X(segment, base) X(segment, limit) X(segment, selector) X(segment, type)		\
	X(segment, present) X(segment, dpl) X(segment, db) X(segment, s) X(segment, l)	\
	X(segment, g) X(segment, avl) X(segment, unusable) X(segment, padding)

#define FOR_EACH_DTABLE(X)						\
	X(dtable, base) X(dtable, limit) X(dtable, padding)

#define FOR_EACH_SREGS(X)						\
	X(sregs, cs) X(sregs, ds) X(sregs, es) X(sregs, fs) X(sregs, gs) X(sregs, ss)	\
	X(sregs, tr) X(sregs, ldt) X(sregs, gdt) X(sregs, idt) X(sregs, cr0)		\
	X(sregs, cr2) X(sregs, cr3) X(sregs, cr4) X(sregs, cr8) X(sregs, efer)		\
	X(sregs, apic_base) X(sregs, interrupt_bitmap)

#define FOR_EACH_FPU(X)							\
	X(fpu, fpr) X(fpu, fcw) X(fpu, fsw) X(fpu, ftwx) X(fpu, pad1) X(fpu, last_opcode)	\
	X(fpu, last_ip) X(fpu, last_dp) X(fpu, xmm) X(fpu, mxcsr) X(fpu, pad2)

#define FOR_EACH_MSR_ENTRY(X)						\
	X(msr_entry, index) X(msr_entry, reserved) X(msr_entry, data)

#define FOR_EACH_MSRS(X)						\
	X(msrs, nmsrs) X(msrs, pad)

#define FOR_EACH_INTERRUPT(X)						\
	X(interrupt, irq)

#define FOR_EACH_MP_STATE(X)						\
	X(mp_state, mp_state)

#define FOR_EACH_VCPU_EVENTS(X)						\
	X(vcpu_events, exception.injected) X(vcpu_events, exception.nr)			\
	X(vcpu_events, exception.has_error_code) X(vcpu_events, exception.pending)	\
	X(vcpu_events, exception.error_code) X(vcpu_events, interrupt.injected)		\
	X(vcpu_events, interrupt.nr) X(vcpu_events, interrupt.soft)			\
	X(vcpu_events, interrupt.shadow) X(vcpu_events, nmi.injected)			\
	X(vcpu_events, nmi.pending) X(vcpu_events, nmi.masked) X(vcpu_events, nmi.pad)	\
	X(vcpu_events, sipi_vector) X(vcpu_events, flags) X(vcpu_events, smi.smm)	\
	X(vcpu_events, smi.pending) X(vcpu_events, smi.smm_inside_nmi)			\
	X(vcpu_events, smi.latched_init) X(vcpu_events, triple_fault.pending)		\
	X(vcpu_events, reserved) X(vcpu_events, exception_has_payload)			\
	X(vcpu_events, exception_payload)

#define FOR_EACH_DEBUGREGS(X)						\
	X(debugregs, db) X(debugregs, dr6) X(debugregs, dr7) X(debugregs, flags)		\
	X(debugregs, reserved)

#define FOR_EACH_RUN(X)							\
	X(run, request_interrupt_window) X(run, immediate_exit) X(run, padding1)		\
	X(run, exit_reason) X(run, ready_for_interrupt_injection) X(run, if_flag)	\
	X(run, flags) X(run, cr8) X(run, apic_base) X(run, hw.hardware_exit_reason)	\
	X(run, fail_entry.hardware_entry_failure_reason) X(run, fail_entry.cpu)		\
	X(run, io.direction) X(run, io.size) X(run, io.port) X(run, io.count)		\
	X(run, io.data_offset) X(run, mmio.phys_addr) X(run, mmio.data) X(run, mmio.len)	\
	X(run, mmio.is_write) X(run, internal.suberror) X(run, internal.ndata)		\
	X(run, internal.data) X(run, emulation_failure.suberror)				\
	X(run, emulation_failure.ndata) X(run, emulation_failure.flags)			\
	X(run, emulation_failure.insn_size) X(run, emulation_failure.insn_bytes)		\
	X(run, padding) X(run, s)

#define FOR_EACH_STRUCT(X)						\
	X(msr_list, MSR_LIST) X(cpuid_entry2, CPUID_ENTRY2) X(cpuid2, CPUID2)		\
	X(userspace_memory_region, USERSPACE_MEMORY_REGION) X(irq_level, IRQ_LEVEL)	\
	X(regs, REGS) X(segment, SEGMENT) X(dtable, DTABLE) X(sregs, SREGS) X(fpu, FPU)	\
	X(msr_entry, MSR_ENTRY) X(msrs, MSRS) X(interrupt, INTERRUPT)			\
	X(mp_state, MP_STATE) X(vcpu_events, VCPU_EVENTS) X(debugregs, DEBUGREGS)	\
	X(run, RUN)

/* The arrays at the end; they have no size, their elements have. */
#define FOR_EACH_ARRAY(X)						\
	X(msr_list, indices) X(cpuid2, entries) X(msrs, entries)

/* What only shvm has: its numbers are fixed too. */
#define FOR_EACH_OWN(X)							\
	X(SHVMIO, 0xae)							\
	X(SHVMIO_OWN, 0xb9)						\
	X(SHVM_OWN_BASE, 0x53480000)					\
	X(SHVM_MAX_CPUID_ENTRIES, 256)					\
	X(SHVM_MAX_MSR_ENTRIES, 255)					\
	X(SHVM_MIN_MMU_PAGES, 64)					\
	X(SHVM_CAP_PIC_PIT, 0x53480000)					\
	X(SHVM_CAP_STATS, 0x53480001)					\
	X(SHVM_CAP_DEBUG, 0x53480002)					\
	X(SHVM_CAP_WORKING_SET, 0x53480003)				\
	X(SHVM_WORKING_SET_FINE, 1)					\
	X(SHVM_WORKING_SET_TEARS, 16)					\
	X(SHVM_WORKING_SET_AGE, 0x3fffffff)				\
	X(SHVM_WORKING_SET_NO_MEMORY, 0x3fffffff)			\
	X(SHVM_WORKING_SET_NEVER, 0x3ffffffe)				\
	X(SHVM_WORKING_SET_MOST, 0x3ffffffd)				\
	X(SHVM_WORKING_SET_TABLE, 0x40000000)				\
	X(SHVM_WORKING_SET_LARGE, 0x80000000)				\
	X(SHVM_STATS_NR_EXIT_REASONS, 64)				\
	X(SHVM_DEBUG_ZAP_ALL, 1)					\
	X(SHVM_DEBUG_ZAP_ON_EXIT, 2)					\
	X(SHVM_DEBUG_PAUSE, 3)						\
	X(SHVM_DEBUG_PAUSE_WAIT, 4)					\
	X(SHVM_DEBUG_BREAK, 5)						\
	X(SHVM_DEBUG_REFUSE, 6)						\
	X(SHVM_PAUSE_FAULT_MAP, 0)					\
	X(SHVM_PAUSE_ENTER, 1)						\
	X(SHVM_PAUSE_SLOT_MARKED, 2)					\
	X(SHVM_PAUSE_SLOT_ZAPPED, 3)					\
	X(SHVM_PAUSE_LIMIT_PICK, 4)					\
	X(SHVM_INTERNAL_ERROR_MODE, 0x53480000)				\
	X(SHVM_MODE_REAL, 1)						\
	X(SHVM_MODE_VM86, 2)						\
	X(SHVM_MODE_TASK_SWITCH, 3)					\
	X(SHVM_MODE_STATE, 5)						\
	X(SHVM_CREATE_PIC_PIT, 0xb900)					\
	X(SHVM_GET_STATS, 0x8400b901)					\
	X(SHVM_AUDIT, 0xb902)						\
	X(SHVM_DEBUG_CTL, 0x4020b903)					\
	X(SHVM_GET_WORKING_SET, 0x4030b904)				\
	X(sizeof(struct shvm_working_set), 48)				\
	X(sizeof(struct shvm_stats), 1024)				\
	X(sizeof(struct shvm_debug_ctl), 32)

#define ASSERT_SAME_NUMBER(name)					\
	_Static_assert((SHVM_##name) == (KVM_##name), "SHVM_" #name);
#define ASSERT_SAME_OFFSET(type, field)					\
	_Static_assert(offsetof(struct shvm_##type, field) ==		\
		       offsetof(struct kvm_##type, field), #type "." #field);	\
	_Static_assert(sizeof(((struct shvm_##type *)0)->field) ==	\
		       sizeof(((struct kvm_##type *)0)->field),		\
		       "size of " #type "." #field);
#define ASSERT_SAME_SIZE(type, TYPE)					\
	_Static_assert(sizeof(struct shvm_##type) == sizeof(struct kvm_##type), #type); \
	FOR_EACH_##TYPE(ASSERT_SAME_OFFSET)
#define ASSERT_OWN_NUMBER(name, number)					\
	_Static_assert((name) == (number), #name);
#define ASSERT_SAME_ARRAY(type, field)					\
	_Static_assert(offsetof(struct shvm_##type, field) ==		\
		       offsetof(struct kvm_##type, field), #type "." #field);	\
	_Static_assert(sizeof(((struct shvm_##type *)0)->field[0]) ==	\
		       sizeof(((struct kvm_##type *)0)->field[0]), #type "." #field);

FOR_EACH_IOCTL(ASSERT_SAME_NUMBER)
FOR_EACH_CAP(ASSERT_SAME_NUMBER)
FOR_EACH_CONSTANT(ASSERT_SAME_NUMBER)
FOR_EACH_STRUCT(ASSERT_SAME_SIZE)
FOR_EACH_ARRAY(ASSERT_SAME_ARRAY)
FOR_EACH_OWN(ASSERT_OWN_NUMBER)
_Static_assert(offsetof(struct shvm_run, shvm_valid_regs) ==
	       offsetof(struct kvm_run, kvm_valid_regs), "valid_regs");
_Static_assert(offsetof(struct shvm_run, shvm_dirty_regs) ==
	       offsetof(struct kvm_run, kvm_dirty_regs), "dirty_regs");

#define PRINT_NUMBER(name) \
	printf("# SHVM_%s %#llx\n", #name, (unsigned long long)(SHVM_##name));
#define PRINT_STRUCT(type, TYPE) \
	printf("# struct shvm_%s, %zu bytes\n", #type, sizeof(struct shvm_##type));
#define PRINT_OWN(name, number) \
	printf("# %s %#llx\n", #name, (unsigned long long)(name));

TEST(numbers)
{
	FOR_EACH_IOCTL(PRINT_NUMBER)
	FOR_EACH_CAP(PRINT_NUMBER)
	FOR_EACH_CONSTANT(PRINT_NUMBER)
	fflush(stdout);
}

TEST(structures)
{
	FOR_EACH_STRUCT(PRINT_STRUCT)
	fflush(stdout);
}

/* Own numbers must not run into those that KVM hands out. */
TEST(own_numbers)
{
	FOR_EACH_OWN(PRINT_OWN)
	fflush(stdout);
	EXPECT_NE(KVMIO, _IOC_TYPE(SHVM_GET_STATS));
	EXPECT_LT(0x1000000, SHVM_OWN_BASE);
}

TEST_HARNESS_MAIN
