# SPDX-License-Identifier: GPL-2.0-only
# Where things go: "make install", "uninstall" and "dist". The module is installed as source for
# DKMS, which builds it for each kernel. Included by the Makefile.

prefix ?= /usr/local
bindir ?= $(prefix)/bin
sbindir ?= $(prefix)/sbin
mandir ?= $(prefix)/share/man
bashdir ?= $(prefix)/share/bash-completion/completions
zshdir ?= $(prefix)/share/zsh/site-functions
docdir ?= $(prefix)/share/doc/shvm
includedir ?= $(prefix)/include
udevdir ?= /usr/lib/udev/rules.d
srcdir ?= /usr/src

version := $(shell sed -n 's/^MODULE_VERSION("\(.*\)");/\1/p' src/main.c)
dkms_dir = $(DESTDIR)$(srcdir)/shvm-$(version)

.PHONY: install install-tools install-dkms uninstall dist

install: install-tools install-dkms

install-tools: userspace
	install -D -t $(DESTDIR)$(bindir) build/userspace/shvm-run
	install -D -t $(DESTDIR)$(sbindir) build/userspace/shvmctl
	install -D -m 644 userspace/shvmctl/completion/shvmctl.bash $(DESTDIR)$(bashdir)/shvmctl
	install -D -m 644 -t $(DESTDIR)$(zshdir) userspace/shvmctl/completion/_shvmctl
	install -D -m 644 -t $(DESTDIR)$(mandir)/man1 docs/man/*.1
	install -D -m 644 -t $(DESTDIR)$(mandir)/man4 docs/man/*.4
	install -D -m 644 -t $(DESTDIR)$(mandir)/man8 docs/man/*.8
	install -D -m 644 -t $(DESTDIR)$(includedir)/linux include/uapi/linux/*.h
	install -D -m 644 -t $(DESTDIR)$(docdir) README.md docs/*.md

install-dkms:
	install -d $(dkms_dir)
	cp -r Kbuild COPYING src include $(dkms_dir)/
	sed 's/@VERSION@/$(version)/' packaging/dkms.conf.in >$(dkms_dir)/dkms.conf
	chmod -R u=rwX,go=rX $(dkms_dir)
	install -D -m 644 packaging/shvm.rules $(DESTDIR)$(udevdir)/70-shvm.rules
	install -D -m 644 -t $(DESTDIR)$(docdir)/examples packaging/shvm.conf

uninstall:
	rm -f $(DESTDIR)$(bindir)/shvm-run $(DESTDIR)$(sbindir)/shvmctl
	rm -f $(DESTDIR)$(bashdir)/shvmctl $(DESTDIR)$(zshdir)/_shvmctl
	rm -f $(patsubst docs/man/%,$(DESTDIR)$(mandir)/man1/%,$(wildcard docs/man/*.1))
	rm -f $(patsubst docs/man/%,$(DESTDIR)$(mandir)/man4/%,$(wildcard docs/man/*.4))
	rm -f $(patsubst docs/man/%,$(DESTDIR)$(mandir)/man8/%,$(wildcard docs/man/*.8))
	rm -f $(patsubst include/uapi/%,$(DESTDIR)$(includedir)/%,$(wildcard include/uapi/linux/*.h))
	rm -rf $(DESTDIR)$(docdir) $(dkms_dir)
	rm -f $(DESTDIR)$(udevdir)/70-shvm.rules

# The same bytes for the same commit.
dist:
	@mkdir -p build
	git archive --format=tar --prefix=shvm-$(version)/ HEAD | gzip -9n >build/shvm-$(version).tar.gz
	@echo "build/shvm-$(version).tar.gz"
