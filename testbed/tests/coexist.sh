# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2317,SC2154 # functions are called by check, which sets status
#
# VT-x has one owner at a time. Who comes second is refused, says why, and works when the first is
# gone. kvm_intel is inserted with ept=0, as on a CPU without EPT.

# shellcheck disable=SC1091 # they are in the payload
. /payload/tap.sh
# shellcheck disable=SC1091
. /payload/holder.sh

# works, but refused because VT-x is busy
refused()
{
	not works "$1" >/tmp/refused.log 2>&1
	cat /tmp/refused.log
	grep "SHVM_CREATE_VM failed: .* busy" /tmp/refused.log
}

explained()
{
	dmesg | grep "shvm: VT-x is in use by another hypervisor"
}

plan 17
# shellcheck disable=SC2086 # none or one parameter
check "shvm is inserted" insmod /payload/shvm.ko $SHVM_ARGS
check "a VM of shvm runs" hold /dev/shvm
check "kvm_intel is inserted beside it" modload kvm-intel ept=0
check "kvm is refused" refused /dev/kvm
check "the VM of shvm does not mind" alive
check "it ends well" release
check "now kvm works" works /dev/kvm
check "a VM of kvm runs" hold /dev/kvm
check "nobody had to explain anything yet" not explained
check "shvm is refused" refused /dev/shvm
check "the kernel log says why" explained
check "the VM of kvm does not mind" alive
check "it ends well" release
check "now shvm works" works /dev/shvm
check "kvm_intel is taken out" rmmod kvm_intel
check "shvm still works" works /dev/shvm
check "shvm is taken out" rmmod shvm
exit "$status"
