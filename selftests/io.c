// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port I/O and MMIO: from the guest's instruction to the run page and back, every size, string
 * instructions, and accesses across pages.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "shvm_test.h"

#define PORT		0x1234
#define MMIO		HOLE_BASE

FIXTURE(io)
{
	struct test_vm *vm;
	struct test_vcpu *vcpu;
	struct shvm_run *run;
};

FIXTURE_SETUP(io)
{
	self->vm = vm_create();
	vm_map_hole(self->vm, 4);
	self->vcpu = vcpu_create(self->vm, 0, NULL);
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(io)
{
	vm_free(self->vm);
}

static void enter(struct test_vcpu *vcpu, void (*fn)(void))
{
	vcpu_set_entry(vcpu, fn, 0, 0);
}

/* ---- port I/O ---- */

GUEST_CODE static void guest_out(void)
{
	asm volatile("outb %%al, %%dx" : : "a"(0x11223344), "d"(PORT));
	asm volatile("outw %%ax, %%dx" : : "a"(0x11223344), "d"(PORT));
	asm volatile("outl %%eax, %%dx" : : "a"(0x11223344), "d"(PORT));
	asm volatile("outb %%al, $0x99" : : "a"(0x11223355));
	GUEST_DONE();
}

TEST_F(io, out_of_each_size)
{
	static const u32 want[] = { 0x44, 0x3344, 0x11223344, 0x55 };
	u32 got;
	int i;

	enter(self->vcpu, guest_out);
	for (i = 0; i < 4; i++) {
		int size = i == 3 ? 1 : 1 << i;

		ASSERT_EQ(SHVM_EXIT_IO, vcpu_run(self->vcpu));
		EXPECT_EQ(SHVM_EXIT_IO_OUT, self->run->io.direction);
		EXPECT_EQ(i == 3 ? 0x99 : PORT, self->run->io.port);
		EXPECT_EQ(size, self->run->io.size);
		EXPECT_EQ(1, self->run->io.count);
		got = 0;
		vcpu_get_io_data(self->vcpu, &got, size);
		EXPECT_EQ(want[i], got);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

GUEST_CODE static void guest_in(void)
{
	u64 rax = 0xaaaaaaaaaaaaaaaa;

	asm volatile("inb %%dx, %%al" : "+a"(rax) : "d"(PORT));
	GUEST_ASSERT_EQ(0xaaaaaaaaaaaaaa44, rax);
	rax = 0xaaaaaaaaaaaaaaaa;
	asm volatile("inw %%dx, %%ax" : "+a"(rax) : "d"(PORT));
	GUEST_ASSERT_EQ(0xaaaaaaaaaaaa3344, rax);
	rax = 0xaaaaaaaaaaaaaaaa;
	asm volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(PORT));
	GUEST_ASSERT_EQ(0x0000000011223344, rax);
	GUEST_DONE();
}

TEST_F(io, in_of_each_size)
{
	u32 data = 0x11223344;
	int i;

	enter(self->vcpu, guest_in);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(SHVM_EXIT_IO, vcpu_run(self->vcpu));
		EXPECT_EQ(SHVM_EXIT_IO_IN, self->run->io.direction);
		EXPECT_EQ(PORT, self->run->io.port);
		EXPECT_EQ(1 << i, self->run->io.size);
		EXPECT_EQ(1, self->run->io.count);
		vcpu_set_io_data(self->vcpu, &data, 1 << i);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

#define STRING_BYTES	5000	/* more than a page, and no multiple of anything */

static GUEST_DATA u8 string_buffer[STRING_BYTES + 8];

GUEST_CODE static void guest_outs(void)
{
	u64 rcx = STRING_BYTES, rsi = (u64)string_buffer;

	asm volatile("rep outsb" : "+c"(rcx), "+S"(rsi) : "d"(PORT) : "memory");
	GUEST_ASSERT_EQ(0, rcx);
	GUEST_ASSERT_EQ((u64)string_buffer + STRING_BYTES, rsi);
	rcx = 0;
	asm volatile("rep outsb" : "+c"(rcx), "+S"(rsi) : "d"(PORT) : "memory");
	GUEST_DONE();
}

TEST_F(io, rep_outs)
{
	u8 *buffer = *vm_sym(self->vm, string_buffer);
	u8 got[STRING_BYTES];
	u32 bytes, done = 0;
	int i, ret;

	for (i = 0; i < STRING_BYTES; i++)
		buffer[i] = i * 7 + (i >> 8);
	enter(self->vcpu, guest_outs);
	while ((ret = vcpu_run(self->vcpu)) == SHVM_EXIT_IO) {
		ASSERT_EQ(SHVM_EXIT_IO_OUT, self->run->io.direction);
		ASSERT_EQ(PORT, self->run->io.port);
		ASSERT_EQ(1, self->run->io.size);
		bytes = self->run->io.count;
		ASSERT_LE(1, bytes);
		ASSERT_LE(done + bytes, STRING_BYTES);
		vcpu_get_io_data(self->vcpu, got + done, bytes);
		done += bytes;
	}
	ASSERT_EQ(EXIT_DONE, ret);
	EXPECT_EQ(STRING_BYTES, done);
	EXPECT_EQ(0, memcmp(got, buffer, STRING_BYTES));
}

GUEST_CODE static void guest_ins(void)
{
	u64 rcx = STRING_BYTES / 4, rdi = (u64)string_buffer + 1;

	asm volatile("rep insl" : "+c"(rcx), "+D"(rdi) : "d"(PORT) : "memory");
	GUEST_ASSERT_EQ(0, rcx);
	GUEST_ASSERT_EQ((u64)string_buffer + 1 + STRING_BYTES, rdi);
	rcx = 3;
	rdi = (u64)string_buffer + 6;
	asm volatile("std; rep insb; cld" : "+c"(rcx), "+D"(rdi) : "d"(PORT) : "memory");
	GUEST_ASSERT_EQ((u64)string_buffer + 3, rdi);
	GUEST_DONE();
}

TEST_F(io, rep_ins)
{
	u8 *buffer = *vm_sym(self->vm, string_buffer);
	u8 want[STRING_BYTES], data[PAGE_SIZE];
	u32 bytes, done = 0, i, back = 0;
	int ret;

	for (i = 0; i < STRING_BYTES; i++)
		want[i] = i * 13 + (i >> 8);
	enter(self->vcpu, guest_ins);
	while ((ret = vcpu_run(self->vcpu)) == SHVM_EXIT_IO) {
		ASSERT_EQ(SHVM_EXIT_IO_IN, self->run->io.direction);
		bytes = self->run->io.count * self->run->io.size;
		ASSERT_LE(1, self->run->io.count);
		ASSERT_LE(bytes, PAGE_SIZE);
		if (done < STRING_BYTES) {
			ASSERT_EQ(4, self->run->io.size);
			ASSERT_LE(done + bytes, STRING_BYTES);
			vcpu_set_io_data(self->vcpu, want + done, bytes);
			done += bytes;
			continue;
		}
		ASSERT_EQ(1, self->run->io.size);
		for (i = 0; i < bytes; i++)	/* downwards: 6, 5, 4 */
			data[i] = 0xc0 + back++;
		vcpu_set_io_data(self->vcpu, data, bytes);
	}
	ASSERT_EQ(EXIT_DONE, ret);
	EXPECT_EQ(STRING_BYTES, done);
	EXPECT_EQ(3, back);
	memcpy(want + 3, "\xc2\xc1\xc0", 3);	/* want[i] is buffer[i + 1] */
	EXPECT_EQ(0, memcmp(want, buffer + 1, STRING_BYTES));
	EXPECT_EQ(0, buffer[0]);
	EXPECT_EQ(0, buffer[STRING_BYTES + 1]);
}

/* ---- MMIO ---- */

GUEST_CODE static void guest_mmio_write(void)
{
	u64 value = 0x1122334455667788;

	asm volatile("movb %b0, (%1)" : : "r"(value), "r"(MMIO + 1) : "memory");
	asm volatile("movw %w0, (%1)" : : "r"(value), "r"(MMIO + 2) : "memory");
	asm volatile("movl %k0, (%1)" : : "r"(value), "r"(MMIO + 4) : "memory");
	asm volatile("movq %0, (%1)" : : "r"(value), "r"(MMIO + 8) : "memory");
	asm volatile("movb $0x5a, (%0)" : : "r"(MMIO + 16) : "memory");
	GUEST_DONE();
}

TEST_F(io, mmio_write_of_each_size)
{
	static const u64 want[] = { 0x88, 0x7788, 0x55667788, 0x1122334455667788, 0x5a };
	static const u32 offset[] = { 1, 2, 4, 8, 16 };
	u64 got;
	int i;

	enter(self->vcpu, guest_mmio_write);
	for (i = 0; i < 5; i++) {
		u32 size = i == 4 ? 1 : 1 << i;

		ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
		EXPECT_EQ(1, self->run->mmio.is_write);
		EXPECT_EQ(MMIO + offset[i], self->run->mmio.phys_addr);
		EXPECT_EQ(size, self->run->mmio.len);
		got = 0;
		memcpy(&got, self->run->mmio.data, size);
		EXPECT_EQ(want[i], got);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

GUEST_CODE static void guest_mmio_xmm(void)
{
	asm volatile("movq %0, %%xmm3; movq %1, %%xmm9; punpcklqdq %%xmm9, %%xmm3"
		     : : "r"(0x1122334455667788), "r"(0x99aabbccddeeff00));
	asm volatile("movups %%xmm3, 4(%0)" : : "r"(MMIO) : "memory");
	asm volatile("movhps %%xmm3, 32(%0)" : : "r"(MMIO) : "memory");
	asm volatile("movss %%xmm9, 40(%0)" : : "r"(MMIO) : "memory");
	GUEST_DONE();
}

/* A vector comes as quadwords, whatever user space does with such registers of its own. */
TEST_F(io, mmio_write_of_xmm_registers)
{
	static const u64 want[] = { 0x1122334455667788, 0x99aabbccddeeff00, 0x99aabbccddeeff00,
				    0xddeeff00 };
	static const u32 offset[] = { 4, 12, 32, 40 };
	u64 got;
	int i;

	if (!test_is_shvm())
		SKIP(return, "KVM does not emulate all of them");
	enter(self->vcpu, guest_mmio_xmm);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
		asm volatile("pcmpeqb %xmm3, %xmm3; pcmpeqb %xmm9, %xmm9");
		EXPECT_EQ(1, self->run->mmio.is_write);
		EXPECT_EQ(MMIO + offset[i], self->run->mmio.phys_addr);
		EXPECT_EQ(i == 3 ? 4 : 8, self->run->mmio.len);
		got = 0;
		memcpy(&got, self->run->mmio.data, self->run->mmio.len & 15);
		EXPECT_EQ(want[i], got);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

GUEST_CODE static void guest_mmio_read(void)
{
	u64 rax = 0xaaaaaaaaaaaaaaaa;

	asm volatile("movb (%1), %b0" : "+r"(rax) : "r"(MMIO));
	GUEST_ASSERT_EQ(0xaaaaaaaaaaaaaa88, rax);
	rax = 0xaaaaaaaaaaaaaaaa;
	asm volatile("movw (%1), %w0" : "+r"(rax) : "r"(MMIO));
	GUEST_ASSERT_EQ(0xaaaaaaaaaaaa7788, rax);
	rax = 0xaaaaaaaaaaaaaaaa;
	asm volatile("movl (%1), %k0" : "+r"(rax) : "r"(MMIO));
	GUEST_ASSERT_EQ(0x55667788, rax);
	asm volatile("movq (%1), %0" : "+r"(rax) : "r"(MMIO));
	GUEST_ASSERT_EQ(0x1122334455667788, rax);
	asm volatile("movzbl (%1), %k0" : "=r"(rax) : "r"(MMIO));
	GUEST_ASSERT_EQ(0x88, rax);
	asm volatile("movsbq (%1), %0" : "=r"(rax) : "r"(MMIO));
	GUEST_ASSERT_EQ(0xffffffffffffff88, rax);
	asm volatile("movzwl (%1), %k0" : "=r"(rax) : "r"(MMIO));
	GUEST_ASSERT_EQ(0x7788, rax);
	GUEST_DONE();
}

TEST_F(io, mmio_read_of_each_size)
{
	static const u32 sizes[] = { 1, 2, 4, 8, 1, 1, 2 };
	u64 data = 0x1122334455667788;
	u32 i;

	enter(self->vcpu, guest_mmio_read);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ASSERT_EQ(SHVM_EXIT_MMIO, vcpu_run(self->vcpu));
		EXPECT_EQ(0, self->run->mmio.is_write);
		EXPECT_EQ(MMIO, self->run->mmio.phys_addr);
		EXPECT_EQ(sizes[i], self->run->mmio.len);
		memcpy(self->run->mmio.data, &data, sizes[i]);
	}
	EXPECT_EQ(EXIT_DONE, vcpu_run(self->vcpu));
}

#define ACROSS	(MMIO + PAGE_SIZE - 3)	/* three bytes in one page, the rest in the next */

GUEST_CODE static void guest_mmio_across(void)
{
	u64 value = 0;

	GUEST_SYNC(0);
	guest_write64(ACROSS, 0x1122334455667788);
	GUEST_SYNC(1);
	value = guest_read64(ACROSS);
	GUEST_ASSERT_EQ(0x8877665544332211, value);
	GUEST_DONE();
}

/*
 * An access that crosses a page comes in pieces, each within one page; which pieces is not part of
 * the interface. device[] is the device: its bytes from ACROSS on.
 */
static int mmio_serve(struct test_vcpu *vcpu, u8 device[8])
{
	struct shvm_run *run = vcpu->run;
	u64 offset;
	int ret;

	while ((ret = vcpu_run(vcpu)) == SHVM_EXIT_MMIO) {
		offset = run->mmio.phys_addr - ACROSS;
		if (offset >= 8 || run->mmio.len > 8 - offset ||
		    (offset < 3 && offset + run->mmio.len > 3))
			return -1;
		if (run->mmio.is_write)
			memcpy(device + offset, run->mmio.data, run->mmio.len);
		else
			memcpy(run->mmio.data, device + offset, run->mmio.len);
	}
	return ret;
}

TEST_F(io, mmio_across_pages)
{
	u8 device[8] = { 0 };
	u64 stored, wanted = 0x8877665544332211;

	enter(self->vcpu, guest_mmio_across);
	ASSERT_EQ(EXIT_SYNC, vcpu_run(self->vcpu));
	ASSERT_EQ(EXIT_SYNC, mmio_serve(self->vcpu, device));
	memcpy(&stored, device, 8);
	EXPECT_EQ(0x1122334455667788, stored);
	memcpy(device, &wanted, 8);
	EXPECT_EQ(EXIT_DONE, mmio_serve(self->vcpu, device));
}

GUEST_CODE static void guest_mmio_half_ram(void)
{
	guest_write64(HOLE_BASE - 4, 0x1122334455667788);
	GUEST_ASSERT_EQ(0x9922aabb55667788, guest_read64(HOLE_BASE - 4));
	GUEST_DONE();
}

TEST_F(io, mmio_half_in_ram)
{
	u32 device = 0xffffffff;
	u8 *ram = vm_add_ram(self->vm, 2, 0, HOLE_BASE - PAGE_SIZE, PAGE_SIZE);
	int ret;

	guest_map(self->vm, HOLE_BASE - PAGE_SIZE, HOLE_BASE - PAGE_SIZE, PTE_P | PTE_W);
	enter(self->vcpu, guest_mmio_half_ram);
	while ((ret = vcpu_run(self->vcpu)) == SHVM_EXIT_MMIO) {
		u64 offset = self->run->mmio.phys_addr - MMIO;

		ASSERT_LE(offset + self->run->mmio.len, 4);
		if (self->run->mmio.is_write) {
			memcpy((char *)&device + offset, self->run->mmio.data, self->run->mmio.len);
			EXPECT_EQ(0x11223344, device);
			device = 0x9922aabb;	/* what is read back later */
		} else {
			memcpy(self->run->mmio.data, (char *)&device + offset, self->run->mmio.len);
		}
	}
	EXPECT_EQ(EXIT_DONE, ret);
	EXPECT_EQ(0x55667788, *(u32 *)(ram + PAGE_SIZE - 4));
}

GUEST_CODE static void guest_mmio_movs(void)
{
	u64 rsi = MMIO, rdi = (u64)string_buffer, rcx = 3;

	asm volatile("rep movsl" : "+S"(rsi), "+D"(rdi), "+c"(rcx) : : "memory");
	GUEST_ASSERT_EQ(0, rcx);
	GUEST_ASSERT_EQ(MMIO + 12, rsi);
	GUEST_ASSERT_EQ((u64)string_buffer + 12, rdi);
	rcx = 5;
	rdi = MMIO + 32;
	asm volatile("rep stosb" : "+D"(rdi), "+c"(rcx) : "a"(0x77) : "memory");
	GUEST_ASSERT_EQ(0, rcx);
	GUEST_ASSERT_EQ(MMIO + 37, rdi);
	GUEST_DONE();
}

TEST_F(io, mmio_by_string_instructions)
{
	u8 device[64] = "abcdefghijklmnop";
	int ret;

	enter(self->vcpu, guest_mmio_movs);
	while ((ret = vcpu_run(self->vcpu)) == SHVM_EXIT_MMIO) {
		u64 offset = self->run->mmio.phys_addr - MMIO;

		ASSERT_LE(offset + self->run->mmio.len, sizeof(device));
		if (self->run->mmio.is_write)
			memcpy(device + offset, self->run->mmio.data, self->run->mmio.len);
		else
			memcpy(self->run->mmio.data, device + offset, self->run->mmio.len);
	}
	ASSERT_EQ(EXIT_DONE, ret);
	EXPECT_EQ(0, memcmp(vm_sym(self->vm, string_buffer), "abcdefghijkl", 13));
	EXPECT_EQ(0, memcmp(device + 32, "wwwww\0", 6));
}

GUEST_CODE static void guest_mmio_modify(void)
{
	u64 rax = 0x10;

	asm volatile("orl $0x0f, (%0)" : : "r"(MMIO) : "memory", "cc");
	asm volatile("xchgl %k0, (%1)" : "+r"(rax) : "r"(MMIO) : "memory");
	GUEST_ASSERT_EQ(0xff, rax);
	asm volatile("addl %k0, (%1)" : : "r"(0x05), "r"(MMIO) : "memory", "cc");
	GUEST_DONE();
}

TEST_F(io, mmio_read_modify_write)
{
	u32 device = 0xf0;
	int ret, writes = 0;

	enter(self->vcpu, guest_mmio_modify);
	while ((ret = vcpu_run(self->vcpu)) == SHVM_EXIT_MMIO) {
		ASSERT_EQ(MMIO, self->run->mmio.phys_addr);
		ASSERT_EQ(4, self->run->mmio.len);
		writes += self->run->mmio.is_write;
		if (self->run->mmio.is_write)
			memcpy(&device, self->run->mmio.data, 4);
		else
			memcpy(self->run->mmio.data, &device, 4);
	}
	EXPECT_EQ(EXIT_DONE, ret);
	EXPECT_EQ(3, writes);
	EXPECT_EQ(0x15, device);
}

SHVM_TEST_MAIN
