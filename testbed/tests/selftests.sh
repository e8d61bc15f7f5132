# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2154 # tap.sh sets status
#
# Runs every program of selftests/ in the test machine, on the module of the payload; after them
# the module can still be taken out, and nothing of it is left.

# shellcheck disable=SC1091 # it is in the payload
. /payload/tap.sh

modload lzo-rle && modload zram && use_swap || exit
# shellcheck disable=SC2086 # none or one parameter
insmod /payload/shvm.ko $SHVM_ARGS || exit
run_programs
plan 2
check "the module can be taken out" rmmod shvm
check "nothing of it is left" nothing_left
exit "$status"
