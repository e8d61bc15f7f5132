#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Test of shvmctl where the module is not loaded: the command line, messages, statuses, doctor,
# output that nobody reads. TAP.
#   host.sh SHVMCTL DIRECTORY
# DIRECTORY has the programs pty and picture.

ctl=$1
programs=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
count=0
failed=0

result()
{
	count=$((count + 1))
	if [ "$1" = ok ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=1
		sed 's/^/# /' "$tmp/out"
	fi
}

# expect NAME STATUS PATTERN ARGUMENT...: shvmctl must end so and print a line like that.
expect()
{
	local name=$1 status=$2 pattern=$3 got
	shift 3
	"$ctl" "$@" >"$tmp/out" 2>&1 </dev/null
	got=$?
	if [ $got -eq "$status" ] && grep -q -e "$pattern" "$tmp/out"; then
		result ok "$name"
	else
		echo "# status $got, not $status, or no line with: $pattern"
		result bad "$name"
	fi
}

# closed NAME STATUS ARGUMENT...: standard output is a pipe whose reader has gone.
closed()
{
	local name=$1 status=$2 got
	shift 2
	exec 5> >(exec true)
	wait $!
	"$ctl" "$@" >&5 2>"$tmp/out"
	got=$?
	exec 5>&-
	if [ $got -eq "$status" ] && [ ! -s "$tmp/out" ]; then
		result ok "$name"
	else
		echo "# status $got, not $status, or a message"
		result bad "$name"
	fi
}

echo "TAP version 13"
commands="list show stat top monitor reclaim budget heatmap doctor"

expect "help" 0 "^Usage: shvmctl COMMAND" --help
expect "version" 0 "^shvmctl " --version
for command in $commands; do
	expect "help of $command" 0 "^Usage: shvmctl $command" "$command" --help
	expect "help lists $command" 0 "^  $command  *[a-z]" --help
done

expect "no command" 2 "which command?"
expect "unknown command" 2 'unknown command "frob"' frob
expect "unknown command: the cure" 2 "shvmctl --help" frob
for command in show stat reclaim budget heatmap; do
	expect "$command without a VM" 2 "which VM?" "$command"
	for vm in x -1 '' 1x 99999999999999999999; do
		expect "$command of VM \"$vm\"" 2 "is not a number\|is too large" "$command" -- "$vm"
	done
	expect "$command of two VMs" 2 "unexpected argument\|is not a number" "$command" 1 y
done
expect "unknown option" 2 "unknown option --frob" list --frob
expect "unknown short option" 2 "unknown option -z" list -z
expect "option of another command" 2 "list has no option --png" list --png=x
expect "option without its value" 2 "option --vcpu needs a value" stat 1 --vcpu
expect "operand too many" 2 'unexpected argument "1"' list 1
for interval in 0 -1 nan inf x '' 1e9; do
	expect "--interval \"$interval\"" 2 "interval" stat 1 --interval="$interval"
done
expect "--count 0" 2 "must be 1 or more" monitor --count 0
expect "--pages 0" 2 "must be 1 or more" reclaim 1 --pages 0
expect "a budget too small" 2 "too few for a VM" budget 1 63
expect "a budget too large" 2 "is too large" budget 1 4294967296
expect "--warm below --hot" 2 "is less than --hot" heatmap 1 --hot 5 --warm 2

if [ -d /sys/module/shvm ]; then
	echo "# shvm is loaded here: what is said without it cannot be seen"
else
	for command in list "show 1" "stat 1" "top --json" monitor "reclaim 1" "budget 1" \
			"budget 1 64" "heatmap 1"; do
		# shellcheck disable=SC2086 # words
		expect "$command without the module" 3 "the module shvm is not loaded" $command
	done
	expect "without the module: the cure" 3 "modprobe shvm" list
	expect "without the module, JSON" 3 "not loaded" list --json
fi
expect "top without a terminal" 1 "top needs a terminal" top

"$ctl" doctor >"$tmp/out" 2>&1
got=$?
case $got-$(tail -n 1 "$tmp/out") in
"0-VMs of shvm can run here." | "1-VMs of shvm cannot run here.") result ok "doctor" ;;
*) result bad "doctor" ;;
esac
if grep -q "^bad " "$tmp/out"; then bad=1; else bad=0; fi
if [ $got -eq $bad ]; then
	result ok "doctor: the status is what it has found"
else
	result bad "doctor: the status is what it has found"
fi
if awk '/^bad/ { n++ } n && /^ *->/ { n-- } END { exit n }' "$tmp/out"; then
	result ok "doctor: what is bad has a cure"
else
	result bad "doctor: what is bad has a cure"
fi
expect "doctor, JSON" "$got" '"can_run": *\(true\|false\)' doctor --json

# On a closed pipe it ends as others do: by SIGPIPE, or, where that is ignored, with a status.
closed "closed pipe" 141 --help
trap '' PIPE
closed "closed pipe, SIGPIPE ignored" 1 --help
closed "closed pipe, JSON" 1 doctor --json
trap - PIPE
"$ctl" --help >/dev/full 2>"$tmp/out"
if [ $? -eq 1 ] && grep -q "cannot write to standard output: No space" "$tmp/out"; then
	result ok "full disk"
else
	result bad "full disk"
fi

# In a terminal of 20 columns.
if printf 'expect shvm c\nstatus %d\nrestored\n' $got |
		"$programs/pty" 20x10 "$ctl" doctor >"$tmp/out" 2>&1; then
	result ok "doctor in 20 columns"
else
	result bad "doctor in 20 columns"
fi

"$programs/picture" "$tmp/picture.png" >"$tmp/out"
got=$?
while read -r line; do
	case $line in
	ok*) result ok "picture: ${line#* - }" ;;
	"not ok"*) result bad "picture: ${line#* - }" ;;
	esac
done <"$tmp/out"
[ $got -eq 0 ] || failed=1

echo "1..$count"
exit $failed
