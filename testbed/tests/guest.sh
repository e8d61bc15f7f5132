# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# A stock Debian kernel, the machine's own, boots as a guest of the module in the payload, shows
# its tour and powers off. Ends with a check that the module leaves nothing behind. TAP.

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

echo TAP version 13
insmod /payload/shvm.ko
result $? "the module goes in"
/payload/shvm-run --kernel /cdrom/vmlinuz --initrd /payload/initramfs.gz --mem 128M \
	--append "cryptomgr.notests quiet panic=-1 tour" >/tmp/guest.log 2>&1 </dev/null
result $? "the guest's power-off ends the launcher with status 0"
sed 's/^/# /' /tmp/guest.log
says "^shvm-guest: tour finished" "everything in the tour is right"
says "clocksource: Switched to clocksource tsc" "the guest keeps time by its TSC"
rmmod shvm
result $? "the module comes out"
! grep -q shvm /proc/slabinfo /proc/misc /proc/modules
result $? "nothing of it is left"
echo "1..$count"
exit $status
