# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2154 # status is of tap.sh
#
# The test machine is what tests believe it is.

# shellcheck disable=SC1091 # it is in the payload
. /payload/tap.sh

plan 4
check "the CPU has VT-x" grep -qw vmx /proc/cpuinfo
check "it has no EPT" not grep -w ept /proc/cpuinfo
check "the payload is mounted read-only" grep -q " /payload iso9660 ro" /proc/mounts
check "debugfs, tracefs and cgroup2 are mounted" \
	ls -d /sys/kernel/debug/x86 /sys/kernel/tracing/events /sys/fs/cgroup/cgroup.procs
exit "$status"
