# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2317,SC2154 # functions are called by check, which sets status
#
# Runs the programs of the payload in the test machine with the debug kernel. What the kernel's
# checks find is trouble in its log, which testbed/machine sees; what does not show there is asked
# for at the end: the lock checks are still on, and nothing leaked.

# shellcheck disable=SC1091 # it is in the payload
. /payload/tap.sh

debugfs=/sys/kernel/debug

# With KASAN a scan takes minutes of machine time.
has_kmemleak()
{
	not grep -qw kmemleak=off /proc/cmdline
}

# An allocation is a leak when it is older than 5 s and nothing points to it, twice. A kmemleak that
# has switched itself off takes no orders.
no_leaks()
{
	for _ in 1 2; do
		sleep 7
		echo scan >"$debugfs/kmemleak" || return
	done
	cat "$debugfs/kmemleak"
	[ -z "$(cat "$debugfs/kmemleak")" ]
}

# The kernel switches them off when it has found something, and when a table of theirs is full.
lock_checks_on()
{
	cat /proc/lockdep_stats
	grep -qE '^ *debug_locks: *1$' /proc/lockdep_stats
}

# Allocations with reclaim, single pages and those for user space fail too, and say nothing.
prepare_failures()
{
	for attr in failslab fail_page_alloc; do
		echo N >"$debugfs/$attr/ignore-gfp-wait" || return
		echo 0 >"$debugfs/$attr/verbose" || return
	done
	echo N >"$debugfs/fail_page_alloc/ignore-gfp-highmem" &&
		echo 0 >"$debugfs/fail_page_alloc/min-order"
}

use_swap || exit
prepare_failures || exit
# shellcheck disable=SC2086 # none or one parameter
insmod /payload/shvm.ko $SHVM_ARGS || exit
run_programs
if has_kmemleak; then plan 4; else plan 3; fi
check "the module can be taken out" rmmod shvm
check "nothing of it is left" nothing_left
if has_kmemleak; then check "nothing leaked" no_leaks; fi
check "the lock checks are on to the end" lock_checks_on
exit "$status"
