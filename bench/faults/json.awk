# SPDX-License-Identifier: GPL-2.0-only
#
# Records (DESIGN STORM THREADS COUNTER VALUE) as JSON. -v taken_on=TEXT: lines of NAME<tab>VALUE.

BEGIN {
	print "{"
	print "  \"taken_on\": {"
	n = split(taken_on, lines, "\n")
	for (i = 1; i <= n; i++) {
		split(lines[i], pair, "\t")
		gsub(/["\\]/, "\\\\&", pair[2])
		printf "    \"%s\": \"%s\"%s\n", pair[1], pair[2], i < n ? "," : ""
	}
	print "  },"
	print "  \"results\": ["
}

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
