#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the emulated computer does: the rows there, then in each guest. The working directory is
# the payload; "settings" has the variables. What is printed is read by collect.awk.

hypervisor='' guests='' rows='' append='' mem='' param=''
# shellcheck source=/dev/null
. ./settings

# measure GUEST [PARAMETER...]
measure()
{
	guest=$1
	shift
	echo "section $hypervisor $guest"
	./shvm-run --dev "/dev/$hypervisor" --kernel vmlinuz --initrd initramfs.gz --mem "$mem" \
		--append "$append${rows:+ rows=$rows}${*:+ $*}" --marks /tmp/marks </dev/null || exit
	cat /tmp/marks
}

if [ "$hypervisor" = kvm ]; then
	modload kvm_intel ept=0 || exit
else
	echo "section native -"
	# shellcheck disable=SC2086 # split at commas
	(IFS=,; "$PWD/mmubench" $rows) || exit
	# shellcheck disable=SC2086 # none or one parameter each
	insmod shvm.ko $SHVM_ARGS $param || exit
fi
for guest in $guests; do
	case $guest in
	kpti) measure kpti ;;
	off) measure off mitigations=off ;;
	esac
done
