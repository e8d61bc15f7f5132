# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Runs every program of selftests/ in the test machine, on the module of the payload. Each prints
# a TAP document; after it the module can still be taken out, and nothing of it is left.

# shellcheck disable=SC1091 # it is in the payload
. /payload/tap.sh

# Memory of guests can be swapped out.
modload lzo-rle && modload zram && echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 &&
	swapon /dev/zram0 || exit
# shellcheck disable=SC2086 # none or one parameter
insmod /payload/shvm.ko $SHVM_ARGS || exit
for test in /payload/*; do
	if [ ! -f "$test" ] || [ ! -x "$test" ]; then continue; fi
	echo "# $(basename "$test")"
	"$test" --dev /dev/shvm || status=1
done
plan 2
check "the module can be taken out" rmmod shvm
check "nothing of it is left" nothing_left
exit "$status"
