#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the emulated computer does for a profile: where the module is, the kernel's symbols if they
# are wanted, and the guest. The working directory is the payload; "settings" has the variables.

append='' mem='' symbols='' parameters=''
# shellcheck source=/dev/null
. ./settings

# shellcheck disable=SC2086 # a list
insmod shvm.ko $parameters || exit
for section in /sys/module/shvm/sections/.*text*; do
	echo "section ${section##*/} $(cat "$section")"
done
if [ -n "$symbols" ]; then
	echo "symbols begin"
	grep -i ' [tw] ' /proc/kallsyms | grep -v '\[' | gzip | base64
	echo "symbols end"
fi
./shvm-run --dev /dev/shvm --kernel vmlinuz --initrd initramfs.gz --mem "$mem" \
	--append "$append" --marks /tmp/marks </dev/null
