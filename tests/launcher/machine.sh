#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The launcher's test in the test machine: on shvm, then shvm against a busy KVM. TAP.

insmod shvm.ko || exit
sh launcher.sh ./shvm-run . /dev/shvm >/tmp/tap
status=$?
# The plan comes last in the whole: one more check follows.
grep -v '^1\.\.' /tmp/tap
count=$(sed -n 's/^1\.\.//p' /tmp/tap)
next=$((count + 1))

modload kvm_intel ept=0
./shvm-run --dev /dev/kvm --mem 64M --kernel spin.bin >/tmp/kvm.out 2>&1 </dev/null &
pid=$!
while ! grep -q 'no newline' /tmp/kvm.out; do
	if ! kill -0 $pid 2>/dev/null; then
		cat /tmp/kvm.out
		break
	fi
	sleep 0.1
done
./shvm-run --mem 64M --kernel exit0.bin >/tmp/busy.out 2>&1 </dev/null
got=$?
kill $pid
wait $pid
if [ $got -eq 1 ] && grep -q 'another hypervisor holds VT-x' /tmp/busy.out; then
	echo "ok $next - VT-x held by KVM: cause and cure"
else
	sed 's/^/# /' /tmp/busy.out
	echo "not ok $next - VT-x held by KVM: cause and cure"
	status=1
fi
echo "1..$next"
exit $status
