#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The launcher's test in the test machine: on shvm, with KVM as the rival for VT-x. TAP.

# shellcheck disable=SC2086 # none or one parameter
insmod shvm.ko $SHVM_ARGS || exit
modload kvm_intel ept=0 || exit
exec sh launcher.sh ./shvm-run . /dev/shvm /dev/kvm
