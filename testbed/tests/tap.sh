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

# The module is out, and the kernel has nothing of it any more.
nothing_left()
{
	not grep shvm /proc/slabinfo /proc/misc /proc/modules && [ ! -e /dev/shvm ]
}
