# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2317,SC2154 # functions are called by check, which sets status
# shellcheck disable=SC2086 # $SHVM_ARGS: none or one parameter
#
# A VM is killed while its memory is swapped, merged, copied and moved and its shadow pages are taken
# back, and the module is taken out at once.

# shellcheck disable=SC1091 # it is in the payload
. /payload/tap.sh

rounds=4
cgroup=/sys/fs/cgroup/shvm_squeeze

# start SEED: the VM is there, and the host has begun.
start()
{
	insmod /payload/shvm.ko $SHVM_ARGS || return
	rm -f /tmp/answer
	mkfifo /tmp/answer
	/payload/squeezed "$1" >/tmp/answer 2>/tmp/squeezed.log &
	squeezed=$!
	read -r answer </tmp/answer && [ "$answer" = ok ] && [ "$(charged)" -gt 262144 ] && return
	charged
	cat /tmp/squeezed.log
	return 1
}

refused()
{
	not rmmod shvm 2>/tmp/refused && cat /tmp/refused && grep -q "temporarily unavailable" /tmp/refused &&
		[ "$(awk '$1 == "shvm" { print $3 }' /proc/modules)" -gt 0 ]
}

# Also the copy of the process, which has the files of the VM open, and goes when it does.
killed()
{
	kill -9 "$squeezed"
	wait "$squeezed"
	[ $? -eq 137 ] || return
	while grep -q "populated 1" $cgroup/cgroup.events; do :; done
}

# What the module has allocated for the VM is charged to the cgroup.
charged()
{
	awk '$1 == "kernel" { print $2 }' $cgroup/memory.stat
}

nothing_charged()
{
	cat $cgroup/memory.stat
	[ "$(charged)" -le 65536 ] && rmdir $cgroup
}

trouble()
{
	dmesg | grep -E "WARNING:|BUG:|Oops|Call Trace"
}

modload lzo-rle && modload zram && use_swap || exit
# What the boot said is not the module's; the machine looks at it.
dmesg -c >/dev/null
plan $((6 * rounds + 1))
seed=0
while [ "$seed" -lt "$rounds" ]; do
	seed=$((seed + 1))
	check "a VM runs under pressure (seed $seed)" start "$seed"
	usleep $((seed * 7919 % 50 * 1000))
	check "the module cannot be taken out, as it is in use (seed $seed)" refused
	check "the VM is killed (seed $seed)" killed
	check "the module is taken out at once (seed $seed)" rmmod shvm
	check "nothing of it is left (seed $seed)" nothing_left
	check "no memory of its cgroup either (seed $seed)" nothing_charged
done
check "the kernel had nothing to complain about" not trouble
exit "$status"
