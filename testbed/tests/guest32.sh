# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Debian's i386 kernels boot as guests of the module in the payload, entered without paging: 686,
# which has two-level paging, and 686-pae. Each shows its tour and powers off. Ends with a check
# that the module leaves nothing behind. TAP.

count=0
status=0

# result STATUS NAME
result()
{
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		status=1
	fi
}

says()
{
	grep -q "$1" /tmp/guest.log
	result $? "$2"
}

# guest FLAVOUR
guest()
{
	/payload/shvm-run --kernel "/payload/vmlinuz-$1" --initrd /payload/initramfs-i386.gz \
		--mem 128M --append "cryptomgr.notests quiet panic=-1 tour" --verbose \
		>/tmp/guest.log 2>&1 </dev/null
	result $? "$1: the guest's power-off ends the launcher with status 0"
	sed 's/^/# /' /tmp/guest.log
	says "32-bit entry" "$1: entered in 32-bit mode"
	says "^Linux guest 6[.]1[.].*-$1 .* i686" "$1: it is that kernel"
	says "^shvm-guest: tour finished" "$1: everything in the tour is right"
	says "clocksource: Switched to clocksource tsc" "$1: the guest keeps time by its TSC"
}

echo TAP version 13
insmod /payload/shvm.ko
result $? "the module goes in"
guest 686
guest 686-pae
rmmod shvm
result $? "the module comes out"
! grep -q shvm /proc/slabinfo /proc/misc /proc/modules
result $? "nothing of it is left"
echo "1..$count"
exit $status
