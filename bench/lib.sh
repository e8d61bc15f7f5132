# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What bench/run and bench/profile share: building what they measure. Sourced; sets "build",
# "work" and, after prepare(), "release".
# shellcheck disable=SC2034 # used there

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
build=$top/build
work=$build/bench

# Part of what is measured: figures of runs that differ here cannot be compared.
model=core2_penryn_t9600
mem=192M
append="nokaslr quiet panic=-1 cryptomgr.notests"

say()
{
	echo "bench: $*" >&2
}

die()
{
	say "$*"
	exit 1
}

# stage WHAT COMMAND...: what it prints only if it fails.
stage()
{
	local what=$1
	shift
	say "$what"
	if ! "$@" >"$work/log" 2>&1; then
		cat "$work/log" >&2
		die "failed: $what"
	fi
}

build_programs()
{
	make -C "$top" -j2 userspace
	"$top/testbed/guest/build" "$build/guest/initramfs.gz"
	gcc -O2 -Wall -Wextra -static -o "$work/mmubench" "$here/mmubench.c"
	strip "$work/mmubench"
}

build_module()
{
	make -C "$top" -j2 module KDIR="/usr/src/linux-headers-$release" DEBUG=
}

# The guest's initramfs, and an archive behind it that replaces its init.
build_initramfs()
{
	local root=$work/root

	rm -rf "$root"
	mkdir -p "$root/bin"
	install -m 755 "$here/init" "$root/init"
	install -m 755 "$work/mmubench" "$root/bin/mmubench"
	find "$root" -exec touch -h -d @0 {} +
	(cd "$root" && find . -mindepth 1 | sort |
		cpio --quiet --reproducible --owner=0:0 -o -H newc) | gzip -n -9 >"$work/rows.gz"
	cat "$build/guest/initramfs.gz" "$work/rows.gz" >"$work/initramfs.gz"
}

known_rows()
{
	"$work/mmubench" --help | sed -n 's/^Rows: marks //p'
}

check_rows()
{
	local row

	for row in "$@"; do
		grep -qw -- "$row" <<<"$(known_rows)" ||
			die "no row \"$row\"; the rows are: $(known_rows)"
	done
}

# prepare ROW...: everything that a payload is made of.
prepare()
{
	mkdir -p "$work"
	stage "preparing the emulated computer (downloads at the first time)" \
		"$top/testbed/prepare" build machine
	release=$(cat "$build/kernel/release")
	stage "building the programs" build_programs
	check_rows "$@"
	stage "building the guest's initramfs" build_initramfs
	stage "building the module for kernel $release" build_module
}

# An empty payload with what every guest needs.
make_guest_payload()
{
	local payload=$work/payload

	rm -rf "$payload"
	mkdir -p "$payload"
	cp "$build/userspace/shvm-run" "$work/mmubench" "$work/initramfs.gz" "$payload/"
	cp "$build/kernel/boot/vmlinuz-$release" "$payload/vmlinuz"
}
