#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Test of shvm-run: every status, every message, the devices. TAP.
#   launcher.sh SHVM_RUN KERNEL_DIRECTORY DEVICE [RIVAL]
# RIVAL is the device of another hypervisor, which is made busy to see what DEVICE says then.
# For busybox sh; the test machine has no other.

run=$1
kernels=$2
dev=$3
rival=$4
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

# expect NAME STATUS PATTERN ARGUMENT...: shvm-run must end so and print a line like that.
expect()
{
	name=$1 status=$2 pattern=$3
	shift 3
	timeout 60 "$run" "$@" >"$tmp/out" 2>&1 </dev/null
	got=$?
	if [ $got -eq "$status" ] && grep -q -- "$pattern" "$tmp/out"; then
		result ok "$name"
	else
		echo "# status $got, not $status, or no line with: $pattern"
		result bad "$name"
	fi
}

# guest NAME STATUS PATTERN KERNEL ARGUMENT...
guest()
{
	name=$1 status=$2 pattern=$3 kernel=$4
	shift 4
	expect "$name" "$status" "$pattern" --dev "$dev" --mem 64M --timeout 20 \
		--kernel "$kernels/$kernel.bin" "$@"
}

echo "TAP version 13"

# The command line.
k="--kernel $kernels/exit0.bin"
expect "help" 0 "^Usage: shvm-run --kernel" --help
expect "version" 0 "^shvm-run " --version
expect "no kernel" 1 "no kernel"
expect "unknown option" 1 "unknown option --nonsense" --nonsense
expect "unknown short option" 1 "unknown option -z" -z
expect "missing value" 1 "option --kernel needs a value" --kernel
expect "stray argument" 1 "unexpected argument bzImage" bzImage
for size in abc 12Q 12MM -5M '' 1e3M; do
	# shellcheck disable=SC2086 # two words
	expect "--mem \"$size\"" 1 "is not a size" $k --mem "$size"
done
# shellcheck disable=SC2086
{
	expect "--mem without unit" 1 "has no unit" $k --mem 256
	expect "--mem too small for anything" 1 "too little memory for any kernel" $k --mem 1M
	expect "--mem too big" 1 "is more than" $k --mem 99999999999999999999G
	expect "--timeout 0" 1 "is not a number of seconds" $k --timeout 0
	expect "no device" 1 "cannot open /dev/nothing: No such file" $k --dev /dev/nothing
	expect "no device: the cure" 1 "is the module loaded" $k --dev /dev/nothing
	expect "not a hypervisor" 1 "/dev/null is not a hypervisor device" $k --dev /dev/null
}

# Kernel and initrd.
echo "this is no kernel" >"$tmp/text"
head -c 100000 /dev/zero >"$tmp/zeros"
head -c 1500 "$kernels/exit0.bin" >"$tmp/short"
: >"$tmp/empty"
for f in text zeros; do
	expect "kernel is not a bzImage ($f)" 1 "is not a bzImage" --dev "$dev" --kernel "$tmp/$f"
done
expect "kernel is an ELF file" 1 "is an ELF file, not a bzImage" --dev "$dev" --kernel "$run"
expect "kernel is truncated" 1 "is truncated" --dev "$dev" --kernel "$tmp/short"
expect "kernel is empty" 1 "is empty" --dev "$dev" --kernel "$tmp/empty"
expect "kernel is a directory" 1 "is not a regular file" --dev "$dev" --kernel "$tmp"
expect "kernel is missing" 1 "cannot open the kernel" --dev "$dev" --kernel "$tmp/none"
guest "kernel too old" 1 "boot protocol 2.09, too old" old
guest "kernel is a zImage" 1 "is a zImage" low
guest "initrd is missing" 1 "cannot open the initrd" exit0 --initrd "$tmp/none"
dd if=/dev/zero of="$tmp/big" bs=1M count=0 seek=40 2>/dev/null
guest "initrd too big" 1 "does not fit" exit0 --initrd "$tmp/big"
expect "too little memory" 1 "32 MiB, this kernel needs 48 MiB" --dev "$dev" --mem 32M \
	--kernel "$kernels/small.bin"
guest "command line too long" 1 "this kernel takes 255" exit0 --append "$(seq 100)"

# The entry: 64-bit where there is one. The 32-bit one ends with 64 + number of the failed check.
guest "64-bit entry" 71 "boot protocol 2.15, 64-bit entry" exit7 --verbose
guest "32-bit entry" 0 "^32-bit entry" 32bit
guest "32-bit entry, no flags yet" 0 "boot protocol 2.11, 32-bit entry" no-flags --verbose
guest "32-bit: code in a dump, paging off" 3 "code at rip: eb fe" 32bit-spin --timeout 1
guest "32-bit: code in a dump, two-level paging" 3 "code at rip: eb fe" 32bit-paging2 --timeout 1
guest "32-bit: code in a dump, PAE" 3 "code at rip: eb fe" 32bit-pae --timeout 1

# The ways a guest ends.
guest "power-off" 0 "^hello" poweroff
guest "reset" 0 "the guest has reset the machine" reset --verbose
guest "debug exit 0" 0 "guest ended, status 0" exit0 --verbose
guest "debug exit 7" 71 "guest ended, status 71" exit7 --verbose
guest "debug exit 255" 123 "guest ended, status 123" exit255 --verbose
guest "triple fault" 2 "the guest crashed: triple fault" triple
guest "triple fault: registers" 2 "^cr0 .*cr3 0000000000004000" triple
guest "triple fault after \"machine restart\"" 0 "machine restart" triple_restart
guest "reset after a panic" 2 "kernel panicked" panic
guest "time limit" 3 "the guest is still running" spin --timeout 1
guest "time limit: registers" 3 "rbx 1234567890abcdef" spin --timeout 1
guest "time limit: code" 3 "code at rip: eb fe" spin --timeout 1
guest "output without a newline appears" 3 "^no newline" spin --timeout 1
guest "statistics" 0 "reason 2 (I/O port): [1-9]" poweroff --stats
guest "stages" 0 "vCPU ready, 64 MiB" poweroff --verbose
if [ "$dev" = /dev/kvm ]; then
	result ok "halt with interrupts off # SKIP KVM's irqchip keeps it in the kernel"
	result ok "halt after \"System halted\" # SKIP KVM's irqchip keeps it in the kernel"
else
	guest "halt with interrupts off" 2 "halted with interrupts off" halt
	guest "halt after \"System halted\"" 0 "System halted" halted
fi

# The devices, and input by interrupt: 500 bytes are more than the UART's buffer.
printf test >"$tmp/initrd"
guest "devices (64 + number of the failed check)" 0 "status 0" devices --initrd "$tmp/initrd" \
	--verbose
head -c 500 /dev/zero | tr '\0' x >"$tmp/in"
{ cat "$tmp/in"; printf q; } | timeout 60 "$run" --dev "$dev" --mem 64M --timeout 20 \
	--kernel "$kernels/echo.bin" >"$tmp/out" 2>&1
got=$?
if [ $got -eq 0 ] && cmp -s "$tmp/in" "$tmp/out"; then
	result ok "500 bytes of input come back"
else
	echo "# status $got"
	result bad "500 bytes of input come back"
fi

# Signals and a closed pipe.
"$run" --dev "$dev" --mem 64M --kernel "$kernels/spin.bin" >"$tmp/out" 2>&1 </dev/null &
pid=$!
sleep 1
kill -TERM $pid
wait $pid 2>/dev/null
got=$?
if [ $got -eq 143 ]; then
	result ok "SIGTERM ends it"
else
	result bad "SIGTERM ends it"
fi
{ "$run" --dev "$dev" --mem 64M --timeout 20 --kernel "$kernels/poweroff.bin" 2>"$tmp/out" \
	</dev/null; echo $? >"$tmp/status"; } | true
if [ "$(cat "$tmp/status")" = 1 ] && grep -q "cannot write the guest's console" "$tmp/out"; then
	result ok "closed output"
else
	result bad "closed output"
fi

if [ -n "$rival" ]; then
	"$run" --dev "$rival" --mem 64M --kernel "$kernels/spin.bin" >"$tmp/rival" 2>&1 \
		</dev/null &
	pid=$!
	while kill -0 $pid 2>/dev/null && ! grep -q 'no newline' "$tmp/rival"; do
		sleep 0.1
	done
	guest "VT-x is held by another hypervisor" 1 "another hypervisor holds VT-x" exit0
	kill $pid
	wait $pid 2>/dev/null
fi

echo "1..$count"
exit $failed
