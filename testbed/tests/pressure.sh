# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2154 # tap.sh sets status
# shellcheck disable=SC2086 # $SHVM_ARGS: none or one parameter
#
# The long form of two selftests: ten million writes of a guest whose memory the host swaps to a file
# on a disk, and as many with another order of events and swap in memory; and a frame that is used at
# each of a million addresses.

# shellcheck disable=SC1091 # it is in the payload
. /payload/tap.sh

# run PROGRAM OPTION...: it prints a TAP document of its own.
run()
{
	echo "# $*"
	program=$1
	shift
	"/payload/$program" --dev /dev/shvm "$@" || status=1
}

insmod /payload/shvm.ko $SHVM_ARGS && use_swap_file 96 || exit
run pressure --seed 1 --writes 10000000
swapoff /mnt/swap && modload lzo-rle && modload zram && use_swap || exit
run pressure --seed 2 --writes 10000000
run aliases --all
plan 2
check "the module can be taken out" rmmod shvm
check "nothing of it is left" nothing_left
exit "$status"
