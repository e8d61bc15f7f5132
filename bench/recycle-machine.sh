#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the emulated computer does for bench/recycle: one guest, whose numbers of shadow pages follow
# each other. The working directory is the payload; "settings" has the variables. What is printed is
# read by collect.awk.

hypervisor='' name='' append='' mem='' param='' pages=''
# shellcheck source=/dev/null
. ./settings

if [ "$hypervisor" = kvm ]; then
	modload kvm_intel ept=0 || exit
else
	# shellcheck disable=SC2086 # none or one parameter each
	insmod shvm.ko $SHVM_ARGS $param || exit
fi
echo "section $name -"
./shvm-run --dev "/dev/$hypervisor" --kernel vmlinuz --initrd initramfs.gz --mem "$mem" \
	--append "$append" --shadow-pages "$pages" --marks /tmp/marks </dev/null || exit
cat /tmp/marks
