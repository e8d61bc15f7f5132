# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2317,SC2154 # functions are called by check, which sets status
# shellcheck disable=SC2086 # $SHVM_ARGS: none or one parameter
#
# The module in use, while CPUs and the module itself come and go.

# shellcheck disable=SC1091 # they are in the payload
. /payload/tap.sh
# shellcheck disable=SC1091
. /payload/holder.sh

cpu1()
{
	echo "$1" >/sys/devices/system/cpu/cpu1/online
}

users()
{
	[ "$(cat /sys/module/shvm/refcnt)" = "$1" ]
}

in_use()
{
	[ "$(cat /sys/module/shvm/refcnt)" -gt 0 ] && not rmmod shvm
}

# come_and_go TIMES
come_and_go()
{
	i=0
	while [ "$i" -lt "$1" ]; do
		insmod /payload/shvm.ko $SHVM_ARGS || return
		if [ $((i % 5)) -eq 0 ]; then works /dev/shvm || return; fi
		rmmod shvm || return
		nothing_left || return
		i=$((i + 1))
	done
}

# VT-x is switched on where a CPU appears, and off where it goes.
come_and_go_without_cpu1()
{
	cpu1 0 && insmod /payload/shvm.ko $SHVM_ARGS && works /dev/shvm && cpu1 1 && works /dev/shvm &&
		cpu1 0 && rmmod shvm && cpu1 1 && nothing_left
}

has_cpu1()
{
	[ -e /sys/devices/system/cpu/cpu1/online ]
}

trouble()
{
	dmesg | grep -E "WARNING:|BUG:|Oops|Call Trace"
}

# A dump that nobody reads to its end.
dump_begun()
{
	mkfifo /tmp/dump /tmp/dump_answer
	/payload/netlink_caller hold </tmp/dump >/tmp/dump_answer &
	dumper=$!
	exec 5>/tmp/dump
	read -r answer </tmp/dump_answer && [ "$answer" = ok ]
}

dump_ended()
{
	exec 5>&-
	wait "$dumper"
}

# Also when the family is not there; then the kernel need not look for a module that brings it.
come_and_go_under_calls()
{
	echo >/proc/sys/kernel/modprobe
	/payload/netlink_caller ask &
	come_and_go 5
	gone=$?
	kill $!
	return $gone
}

# What the boot said is not the module's; the machine looks at it.
dmesg -c >/dev/null
if has_cpu1; then plan 27; else plan 17; fi
check "the module is inserted" insmod /payload/shvm.ko $SHVM_ARGS
check "nobody uses it" users 0
check "a VM runs" hold /dev/shvm
check "the module cannot be taken out" in_use
check "the VM runs on" alive
if has_cpu1; then
	check "a CPU goes away" cpu1 0
	check "the VM runs on the other one" alive
	check "the CPU comes back" cpu1 1
	check "the VM runs on" alive
	check "the CPU goes away again" cpu1 0
fi
check "the VM ends" release
check "another VM runs" hold /dev/shvm
if has_cpu1; then
	check "the CPU comes back to it" cpu1 1
	check "the VM runs on" alive
	check "the CPU goes away once more" cpu1 0
	check "the CPU is back" cpu1 1
fi
check "a dump of VMs is begun" dump_begun
check "the VM is killed" killed
check "only the dump uses the module" in_use
check "the dump is given up" dump_ended
check "nobody uses the module" users 0
check "the module is taken out" rmmod shvm
check "nothing of it is left" nothing_left
check "it comes and goes 20 times" come_and_go 20
check "also while its netlink family is called" come_and_go_under_calls
if has_cpu1; then check "also while a CPU is away" come_and_go_without_cpu1; fi
check "the kernel had nothing to complain about" not trouble
exit "$status"
