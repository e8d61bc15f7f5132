# SPDX-License-Identifier: GPL-2.0-only
#
# The head of a JSON file of results: -v taken_on=TEXT is the members of "taken_on", as lines of
# NAME<tab>VALUE. The results follow, by the program that is given after this one.

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
