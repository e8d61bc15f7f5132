#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the emulated computer does for bench/memory: a guest in a memory cgroup of its own, which
# says what the kernel holds for it when the guest has done its work and waits. The working
# directory is the payload; "settings" has the variables.

hypervisor='' append='' mem=''
# shellcheck source=/dev/null
. ./settings

group=/tmp/cgroup/vm

if [ "$hypervisor" = kvm ]; then
	modload kvm_intel ept=0 || exit
else
	insmod shvm.ko || exit
fi
mkdir -p /tmp/cgroup
mount -t cgroup2 none /tmp/cgroup || exit
echo +memory >/tmp/cgroup/cgroup.subtree_control || exit
mkdir $group || exit
sh -c "echo 0 >$group/cgroup.procs; exec \"\$@\"" - \
	./shvm-run --dev "/dev/$hypervisor" --kernel vmlinuz --initrd initramfs.gz --mem "$mem" \
	--append "$append" --marks /tmp/marks </dev/null |
while read -r line; do
	echo "$line"
	case $line in
	"init uptime"*) sed 's/^/memory /' $group/memory.stat ;;
	esac
done
