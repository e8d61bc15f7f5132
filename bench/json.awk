# SPDX-License-Identifier: GPL-2.0-only
#
# Records (see collect.awk) as JSON, one row on a line, so that records.awk can read them back.
# After json-head.awk.

{
	key = $1 "\", \"guest\": \"" $2 "\", \"row\": \"" $3
	if (!(key in counters))
		order[++rows] = key
	counters[key] = counters[key] ", \"" $4 "\": " $5
}

END {
	for (i = 1; i <= rows; i++)
		printf "    { \"hypervisor\": \"%s\"%s }%s\n", order[i], counters[order[i]],
			i < rows ? "," : ""
	print "  ]"
	print "}"
}
