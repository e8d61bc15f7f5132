#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the emulated computer does for bench/swap: a swap area on zram, a memory cgroup, and the
# load in it, as a process or in a guest. The working directory is the payload; "settings" has the
# variables. What is printed is read by bench/swap.

where='' seeds='' load='' watch='' mem='' append='' lru='' param=''
# shellcheck source=/dev/null
. ./settings

group=/sys/fs/cgroup/swap

# Large enough never to be used twice, so that nothing ever waits for a place in it.
new_swap()
{
	modload lzo-rle && modload zram || return
	echo 1G >/sys/block/zram0/disksize || return
	mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
}

run()
{
	# shellcheck disable=SC2086 # options
	if [ "$where" = native ]; then
		# shellcheck disable=SC2046 # arguments
		./watch --group $group $watch --seeds "$seeds" ./load $(echo "$load" | tr , ' ')
	else
		./watch --group $group $watch --seeds "$seeds" --marks /tmp/marks ./shvm-run \
			--dev "/dev/$where" --kernel vmlinuz --initrd initramfs.gz --mem "$mem" \
			--append "$append load=$load" --marks /tmp/marks
	fi
}

case $where in
kvm) modload kvm_intel ept=0 || exit ;;
shvm)
	# shellcheck disable=SC2086 # none or one parameter each
	insmod shvm.ko $SHVM_ARGS $param || exit
	;;
esac
new_swap && insmod swapprobe.ko || exit
echo +memory >/sys/fs/cgroup/cgroup.subtree_control || exit
echo never >/sys/kernel/mm/transparent_hugepage/enabled
case $lru in
mglru) echo 7 ;;
*) echo 0 ;;
esac >/sys/kernel/mm/lru_gen/enabled || exit
mkdir $group || exit
run
