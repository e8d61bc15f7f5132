#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # functions are called by check
#
# The source archive, the Debian packages and what DKMS makes of them (TAP). DKMS has trees of its
# own here, in a mount namespace: nothing is installed. Each argument is a directory of kernel headers.

set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit
work=$(mktemp -d "$PWD/build/packaging.XXXXXX")
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^MODULE_VERSION("\(.*\)");/\1/p' src/main.c)
number=0
status=0

# check WHAT COMMAND...: one test; what the command says is shown if it fails.
check()
{
	local what=$1
	shift
	number=$((number + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $number - $what"
	else
		tail -n 30 "$work/log" | sed 's/^/# /'
		echo "not ok $number - $what"
		status=1
	fi
}

nothing_in()
{
	! find "$1" -type f | grep .
}

same_archive()
{
	make -s dist && cp "build/shvm-$version.tar.gz" "$work/first.tar.gz" &&
		touch README.md && make -s dist && cmp "$work/first.tar.gz" "build/shvm-$version.tar.gz"
}

# From the archive, as whoever gets it would.
packages()
{
	tar -xzf "build/shvm-$version.tar.gz" -C "$work" &&
		(cd "$work/shvm-$version" && dpkg-buildpackage -us -uc -b)
}

lintian_is_silent()
{
	! lintian --allow-root "$work"/*.changes | grep .
}

unpack()
{
	dpkg-deb -x "$work/shvm-dkms_${version}_all.deb" "$work/root" &&
		dpkg-deb -x "$work/shvm-tools_${version}_amd64.deb" "$work/root"
}

installed()
{
	make -s install DESTDIR="$work/installed" &&
		"$work/installed/usr/local/bin/shvm-run" --help | grep '^Usage: shvm-run' &&
		make -s uninstall DESTDIR="$work/installed"
}

headers_release()
{
	sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$1/include/generated/utsrelease.h"
}

# dkms_build HEADERS: with /var/lib/dkms, where DKMS keeps its key, hidden as well.
dkms_build()
{
	local tree=$work/dkms release

	release=$(headers_release "$1")
	mkdir -p "$tree" "$work/modules" /var/lib/dkms
	unshare -m sh -c "mount -t tmpfs none /var/lib/dkms && exec dkms build -m shvm -v $version \
		--sourcetree $work/root/usr/src --dkmstree $tree --installtree $work/modules \
		-k $release --kernelsourcedir $1" &&
		modinfo -F vermagic "$tree/shvm/$version/$release/x86_64/module/shvm.ko" |
			grep -q "^$release "
}

echo "1..$((6 + $#))"
check "the source archive is the same when made again" same_archive
check "the Debian packages can be built from it" packages
check "lintian has nothing to say about them" lintian_is_silent
check "they can be unpacked" unpack
check "what make install has brought runs, and goes" installed
check "nothing of it is left" nothing_in "$work/installed"
for headers; do
	check "DKMS builds the module for $(headers_release "$headers")" dkms_build "$headers"
done
exit $status
