# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2317 # functions are called by result
#
# Runs the programs of the payload in the test machine with the debug kernel. What the kernel's
# checks find is trouble in its log, which testbed/machine sees; what does not show there is asked
# for at the end: the lock checks are still on, and nothing leaked.

debugfs=/sys/kernel/debug
status=0
count=0

result()
{
	what=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $what"
	else
		echo "not ok $count - $what"
		status=1
	fi
}

# With KASAN a scan takes minutes of machine time.
has_kmemleak()
{
	! grep -qw kmemleak=off /proc/cmdline
}

# An allocation is a leak when it is older than 5 s and nothing points to it, twice.
scan_leaks()
{
	has_kmemleak || return
	sleep 7
	echo scan >"$debugfs/kmemleak"
	sleep 7
	echo scan >"$debugfs/kmemleak"
}

no_leaks()
{
	scan_leaks
	sed 's/^/# /' "$debugfs/kmemleak"
	[ -z "$(cat "$debugfs/kmemleak")" ]
}

lock_checks_on()
{
	grep -E '^ *(lock-classes|direct dependencies|dependency chains|stack-trace entries|debug_locks)' \
		/proc/lockdep_stats | sed 's/^/# /'
	grep -qE '^ *debug_locks: *1$' /proc/lockdep_stats
}

nothing_left()
{
	! grep shvm /proc/slabinfo /proc/misc /proc/modules
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

echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0 || exit
scan_leaks && echo clear >"$debugfs/kmemleak"
prepare_failures || exit
# shellcheck disable=SC2086 # none or one parameter
insmod /payload/shvm.ko $SHVM_ARGS || exit
for test in /payload/*; do
	if [ ! -f "$test" ] || [ ! -x "$test" ]; then continue; fi
	echo "# $(basename "$test")"
	"$test" --dev /dev/shvm || status=1
done
echo TAP version 13
result "the module can be taken out" rmmod shvm
result "nothing of it is left" nothing_left
if has_kmemleak; then result "nothing leaked" no_leaks; fi
result "the lock checks are on to the end" lock_checks_on
echo "1..$count"
exit $status
