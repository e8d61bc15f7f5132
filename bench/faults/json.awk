# SPDX-License-Identifier: GPL-2.0-only
#
# Records (DESIGN STORM THREADS COUNTER VALUE) as JSON, after json-head.awk.

{
	key = "\"design\": \"" $1 "\", \"storm\": \"" $2 "\", \"threads\": " $3
	if (!(key in counters))
		order[++rows] = key
	counters[key] = counters[key] ", \"" $4 "\": " $5
}

END {
	for (i = 1; i <= rows; i++)
		printf "    { %s%s }%s\n", order[i], counters[order[i]], i < rows ? "," : ""
	print "  ]"
	print "}"
}
