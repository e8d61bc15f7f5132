# SPDX-License-Identifier: GPL-2.0-only
#
# Records (see collect.awk) as JSON, one row on a line, so that records.awk can read them back.
# -v taken_on=TEXT is the members of "taken_on", as lines of NAME<tab>VALUE.

function quoted(text)
{
	gsub(/["\\]/, "\\\\&", text)
	return "\"" text "\""
}

BEGIN {
	print "{"
	print "  \"taken_on\": {"
	n = split(taken_on, lines, "\n")
	for (i = 1; i <= n; i++) {
		split(lines[i], pair, "\t")
		printf "    %s: %s%s\n", quoted(pair[1]), quoted(pair[2]), i < n ? "," : ""
	}
	print "  },"
	print "  \"results\": ["
}

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
