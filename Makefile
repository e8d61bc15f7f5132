# SPDX-License-Identifier: GPL-2.0-only
# "make" builds the module and the user-space programs, "make help" lists the rest.
# Everything that is built lands in build/; the source tree stays clean.

MAKEFLAGS += --no-print-directory
top := $(CURDIR)

# The kernel to build for: the running one, else the newest whose headers are installed.
running := /lib/modules/$(shell uname -r)/build
newest := $(lastword $(shell ls -d /usr/src/linux-headers-*-*amd64 2>/dev/null | sort -V))
KDIR ?= $(if $(wildcard $(running)/Makefile),$(running),$(newest))

# The kernel of the test machine; known once testbed/prepare has run.
machine_kdir = /usr/src/linux-headers-$(shell cat build/kernel/release)

debug_kdir := $(top)/build/debug-kernel/obj
kasan_kdir := $(top)/build/kasan-kernel/obj

flavour := $(if $(DEBUG),debug,release)
objdir := build/$(flavour)

.PHONY: all module userspace selftests run check check-full check-long check-debug check-kasan check-kernels bench bench-host bench-swap lint clean distclean help
.PHONY: machine-modules prepared test-programs

all: module userspace

# The module is built in a tree of links to the sources, one for each flavour.
module:
	@[ -r "$(KDIR)/Makefile" ] || { echo "No kernel headers: install" \
		"linux-headers-$(shell uname -r) or linux-headers-cloud-amd64," \
		"or set KDIR=DIRECTORY" >&2; exit 1; }
	@[ "$(KDIR)" = "$(running)" ] || echo "Building for the kernel of $(KDIR)"
	@[ "$$(cat $(objdir)/kdir 2>/dev/null)" = "$(KDIR)" ] || rm -rf $(objdir)
	@mkdir -p $(objdir)
	@echo "$(KDIR)" >$(objdir)/kdir
	@cp -rsf $(top)/Kbuild $(top)/src $(top)/include $(objdir)/
	@find $(objdir) -xtype l -delete
	$(MAKE) -C $(KDIR) M=$(top)/$(objdir) $(if $(DEBUG),SHVM_DEBUG=1) modules

userspace:
	$(MAKE) -C userspace O=$(top)/build/userspace

selftests:
	testbed/prepare build source
	$(MAKE) -C selftests OUT=$(top)/build/selftests

# A target of its own: make expands a whole recipe, machine_kdir too, before it runs a line of it.
prepared:
	testbed/prepare build machine i386

# Both flavours, for the kernel of the test machine.
machine-modules: prepared
	$(MAKE) module KDIR=$(machine_kdir) DEBUG=
	$(MAKE) module KDIR=$(machine_kdir) DEBUG=1

run:
	testbed/run-guest $(if $(GUEST),--guest $(GUEST))

# What the suites put on the CD of the test machine.
test-programs: machine-modules userspace selftests
	$(MAKE) -C tests/launcher
	$(MAKE) -C tests/shvmctl
	testbed/guest/build build/guest/initramfs.gz
	BUSYBOX=build/i386/busybox testbed/guest/build build/guest/initramfs-i386.gz

check: test-programs
	testbed/check check

check-full: test-programs
	testbed/prepare packages
	testbed/check check full

# What takes too long to run each time.
check-long: test-programs
	testbed/check long

# Both modules for the debug kernel, in directories of their own, and the tests on it.
check-debug: prepared selftests
	testbed/prepare debug-kernel
	$(MAKE) module KDIR=$(debug_kdir) DEBUG= objdir=build/debug-kernel/modules/release
	$(MAKE) module KDIR=$(debug_kdir) DEBUG=1 objdir=build/debug-kernel/modules/debug
	testbed/check debug

# The release module, whose memory goes back at once when it is freed.
check-kasan: prepared selftests
	testbed/prepare kasan-kernel
	$(MAKE) module KDIR=$(kasan_kdir) DEBUG= objdir=build/kasan-kernel/modules/release
	testbed/check kasan

# The module, built and loaded on the newest kernel it is for.
check-kernels: test-programs
	testbed/prepare kernel-6.12 packages
	$(MAKE) module KDIR=$(top)/build/kernel-6.12/headers DEBUG= objdir=build/kernel-6.12/modules/release
	$(MAKE) module KDIR=$(top)/build/kernel-6.12/headers DEBUG=1 objdir=build/kernel-6.12/modules/debug
	testbed/check kernels

bench:
	bench/run $(if $(KVM),--kvm)

bench-host:
	bench/host

bench-swap:
	bench/swap

lint:
	testbed/prepare build source
	testbed/lint

include packaging/install.mk

clean:
	rm -rf build/release build/debug build/lint build/userspace build/selftests build/tests \
		build/check build/machine.* build/debug-kernel/modules build/kasan-kernel/modules

distclean:
	rm -rf build

help:
	@echo 'make             the module (build/release/shvm.ko) and the programs (build/userspace)'
	@echo 'make DEBUG=1     the debug module (build/debug/shvm.ko) and the programs'
	@echo '  KDIR=DIR       headers of the kernel to build for (default: the running kernel)'
	@echo 'make run         boot a Debian kernel as a guest: on this computer if it has VT-x,'
	@echo '                 else on an emulated one'
	@echo '  GUEST=NAME     amd64 (default), i386 (two-level paging) or i386-pae'
	@echo 'make check       all tests, on the emulated computer where they need VT-x'
	@echo 'make check-full  also the long ones'
	@echo 'make check-long  memory under pressure, for ten million writes; little shadow memory'
	@echo 'make check-debug tests on a kernel with lockdep, kmemleak and failing allocations;'
	@echo '                 builds that kernel first (once)'
	@echo 'make check-kasan tests on that kernel with KASAN; builds it first (once)'
	@echo 'make check-kernels  tests on Debian's kernel 6.12, which is fetched, not installed'
	@echo 'make bench       measurements, shvm beside kvm_intel ept=0'
	@echo '  KVM=1          measure KVM anew instead of taking the stored figures'
	@echo 'make bench-host  faults of several vCPUs at a time, by threads on this computer'
	@echo 'make bench-swap  what the host swaps out of a guest, beside a process and KVM'
	@echo 'make lint        source checks: checkpatch, sparse, warnings, headers, shell'
	@echo 'make selftests   the test programs of selftests/'
	@echo 'make install     programs, manual pages, headers; the module as source for DKMS'
	@echo '  DESTDIR=, prefix=/usr/local; make uninstall takes it away again'
	@echo 'make dist        the source as build/shvm-VERSION.tar.gz'
	@echo 'make clean       remove what was built; distclean: also what was downloaded'
	@echo
	@echo 'BOCHS=PROGRAM chooses the emulator, else the packaged bochs. See docs/testing.md.'
