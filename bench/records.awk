# SPDX-License-Identifier: GPL-2.0-only
# The records (see collect.awk) of JSON that json.awk wrote.

/"hypervisor":/ {
	gsub(/[{}",:]/, " ")
	for (i = 7; i < NF; i += 2)
		print $2, $4, $6, $i, $(i + 1)
}
