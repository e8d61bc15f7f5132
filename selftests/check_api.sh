#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Compares the three places that list the interface: the header, its test and docs/api.md.
# Prints what is missing where, and fails if anything is.

set -eu
cd "$(dirname "$0")/.."
header=include/uapi/linux/shvm.h
test=selftests/abi_header.c
doc=docs/api.md
status=0

missing() {
	echo "$1 is in $2 but not in $3" >&2
	status=1
}

# Every name of the header is compared or pinned by the test.
names=$(sed -n 's/^#define \(SHVM[A-Z0-9_]*\)[[:space:]].*/\1/p' "$header")
for name in $names; do
	grep -Eq "X\(($name|${name#SHVM_})[,)]" "$test" || missing "$name" "$header" "$test"
done

# Every ioctl, capability and exit has its line in the manual, and the other way round.
listed='SHVM_(CAP|EXIT|INTERNAL_ERROR|MODE)_[A-Z0-9_]*'
ioctls=$(sed -n 's/^#define \(SHVM_[A-Z0-9_]*\)[[:space:]]*_IO[RW]*(.*/\1/p' "$header")
others=$(sed -En "s/^#define ($listed)[[:space:]].*/\1/p" "$header")
for name in $ioctls $others; do
	grep -Fq "\`$name\`" "$doc" || missing "$name" "$header" "$doc"
done
documented=$(grep -Eo "\`SHVM_[A-Z0-9_]+\`" "$doc" | tr -d "\`" | sort -u)
for name in $documented; do
	grep -Eq "\<$name\>" "$header" || missing "$name" "$doc" "$header"
done

[ "$status" = 0 ] && echo "interface: header, test and docs/api.md agree"
exit "$status"
