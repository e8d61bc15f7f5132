# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Runs every program of selftests/ in the test machine, on the module of the payload. Each prints
# a TAP document; after it the module can still be taken out, and nothing of it is left.

# Memory of guests can be swapped out.
modload lzo-rle && modload zram && echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 &&
	swapon /dev/zram0 || exit
status=0
insmod /payload/shvm.ko || exit
for test in /payload/*; do
	if [ ! -f "$test" ] || [ ! -x "$test" ]; then continue; fi
	echo "# $(basename "$test")"
	"$test" --dev /dev/shvm || status=1
done
echo TAP version 13
echo 1..2
if rmmod shvm; then
	echo "ok 1 - the module can be taken out"
else
	echo "not ok 1 - the module can be taken out"
	status=1
fi
if grep -q shvm /proc/slabinfo /proc/misc /proc/modules; then
	echo "not ok 2 - nothing of it is left"
	status=1
else
	echo "ok 2 - nothing of it is left"
fi
exit $status
