# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The test machine is what tests believe it is.

echo TAP version 13
echo 1..4
n=0

check()
{
	n=$((n + 1))
	name=$1
	shift
	if "$@" >/dev/null; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		status=1
	fi
}

status=0
check "the CPU has VT-x" grep -qw vmx /proc/cpuinfo
check "it has no EPT" sh -c '! grep -qw ept /proc/cpuinfo'
check "the payload is mounted read-only" grep -q " /payload iso9660 ro" /proc/mounts
check "debugfs, tracefs and cgroup2 are mounted" sh -c '[ -d /sys/kernel/debug/x86 ] &&
	[ -e /sys/kernel/tracing/events ] && [ -e /sys/fs/cgroup/cgroup.procs ]'
exit $status
