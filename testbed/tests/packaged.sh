#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest boots on Debian's packaged emulator too, whatever $BOCHS the other suites use. TAP
# comes from guest.sh inside.

set -euo pipefail
cd "$(dirname "$0")/../.."
unset BOCHS
exec testbed/machine --time --budget 90 --script testbed/tests/guest.sh \
	--payload build/release/shvm.ko --payload build/userspace/shvm-run \
	--payload build/guest/initramfs.gz --payload testbed/tests/tap.sh
