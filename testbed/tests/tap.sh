# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For scripts in the test machine: TAP. A script that includes this ends with "exit $status".

n=0
status=0

# plan N: N checks follow.
plan()
{
	echo TAP version 13
	echo "1..$1"
}

# check NAME COMMAND...: one test. What the command prints appears only if it fails.
check()
{
	n=$((n + 1))
	name=$1
	shift
	if "$@" >/tmp/check.log 2>&1; then
		echo "ok $n - $name"
	else
		sed 's/^/# /' /tmp/check.log
		echo "not ok $n - $name"
		# shellcheck disable=SC2034 # for the script
		status=1
	fi
}

not()
{
	! "$@"
}

# use_swap: memory of guests can be swapped out.
use_swap()
{
	echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0
}

# use_swap_file MB: the same, in a file on the machine's disk (testbed/machine --disk).
use_swap_file()
{
	modload sd_mod && mke2fs /dev/sda >/dev/null && mount -t ext2 /dev/sda /mnt &&
		dd if=/dev/zero of=/mnt/swap bs=1M count="$1" 2>/dev/null && mkswap /mnt/swap >/dev/null &&
		swapon /mnt/swap
}

# run_programs: every program of the payload. Each prints a TAP document of its own.
run_programs()
{
	for test in /payload/*; do
		if [ ! -f "$test" ] || [ ! -x "$test" ]; then continue; fi
		echo "# $(basename "$test")"
		# shellcheck disable=SC2034 # for the script
		"$test" --dev /dev/shvm || status=1
	done
}

# The module is out, and the kernel has nothing of it any more.
nothing_left()
{
	not grep shvm /proc/slabinfo /proc/misc /proc/modules && [ ! -e /dev/shvm ]
}
