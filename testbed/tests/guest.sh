# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2317,SC2154 # functions are called by check, which sets status
#
# Stock Debian kernels boot as guests of the module in the payload; each shows its tour and powers
# off. With the initramfs for i386 in the payload: 686, which has two-level paging, and 686-pae,
# both entered without paging; else the machine's own kernel. The module leaves nothing behind.

# shellcheck disable=SC1091 # it is in the payload
. /payload/tap.sh

# boot KERNEL INITRAMFS
boot()
{
	/payload/shvm-run --kernel "$1" --initrd "$2" --mem 128M --verbose \
		--append "cryptomgr.notests quiet panic=-1 tour" >/tmp/guest.log 2>&1 </dev/null
}

says()
{
	grep "$1" /tmp/guest.log
}

# guest NAME KERNEL INITRAMFS BITS MACHINE RELEASE: 5 checks.
guest()
{
	check "$1: the guest's power-off ends the launcher with status 0" boot "$2" "$3"
	sed 's/^/# /' /tmp/guest.log
	check "$1: entered in $4-bit mode" says "$4-bit entry"
	check "$1: it is that kernel" says "^Linux guest $6.*-$1 .* $5"
	check "$1: everything in the tour is right" says "^shvm-guest: tour finished"
	check "$1: the guest keeps time by its TSC" says "clocksource: Switched to clocksource tsc"
}

i386=/payload/initramfs-i386.gz
if [ -e "$i386" ]; then plan 13; else plan 8; fi
# shellcheck disable=SC2086 # none or one parameter
check "the module goes in" insmod /payload/shvm.ko $SHVM_ARGS
if [ -e "$i386" ]; then
	guest 686 /payload/vmlinuz-686 "$i386" 32 i686 "6[.]1[.]"
	guest 686-pae /payload/vmlinuz-686-pae "$i386" 32 i686 "6[.]1[.]"
else
	guest amd64 /cdrom/vmlinuz /payload/initramfs.gz 64 x86_64 "$(uname -r | sed "s/-.*//")"
fi
check "the module comes out" rmmod shvm
check "nothing of it is left" nothing_left
exit "$status"
