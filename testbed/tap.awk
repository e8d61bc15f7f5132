# SPDX-License-Identifier: GPL-2.0-only
#
# Counts the results in a stream that has TAP in it among other lines: any number of documents,
# one after another or indented as subtests. Prints "passed failed skipped", then one line per
# failed test and per fault of the TAP itself. A parent of subtests is not counted beside them.

function fault(text)
{
	faults[++nr_faults] = text
	failed++
}

# The document at depth d ends.
function finish(d)
{
	if (!(d in seen))
		return
	if (!(d in plan))
		fault("no plan for " seen[d] " tests, ending at: " last)
	else if (plan[d] != seen[d])
		fault("plan of " plan[d] " tests, but " seen[d] " results, ending at: " last)
	delete seen[d]
	delete plan[d]
}

# Everything deeper than d has ended. Subtests belong to the next shallower document.
function finish_deeper(d,	e)
{
	for (e = deepest; e > d; e--) {
		if (e in seen) {
			nested += seen[e]
			finish(e)
		}
	}
	deepest = d
}

function begin(d)
{
	finish_deeper(d)
	finish(d)
	seen[d] = 0
	nested = 0
}

BEGIN { deepest = 0; passed = 0; failed = 0; skipped = 0 }

{
	sub("\r+$", "")
	match($0, "^ *")
	depth = RLENGTH
	line = substr($0, depth + 1)
}

line ~ /^TAP version 1[34]$/ { begin(depth); next }

line ~ /^1\.\.[0-9]+( |$)/ {
	finish_deeper(depth)
	if (depth in plan)
		begin(depth)
	if (!(depth in seen))
		seen[depth] = 0
	split(line, part, /[. ]+/)
	plan[depth] = part[2] + 0
	if (plan[depth] == 0)
		skipped++
	documents++
	next
}

line ~ /^Bail out!/ { fault(line); next }

line ~ /^(not )?ok [0-9]+( |$)/ {
	finish_deeper(depth)
	if (!(depth in seen))
		seen[depth] = 0
	seen[depth]++
	last = line
	if (line ~ /^not ok/) {
		failed++
		faults[++nr_faults] = line
	} else if (line ~ /# *SKIP/) {
		skipped++
	} else if (!nested) {
		passed++
	}
	nested = 0
}

END {
	finish_deeper(-1)
	if (!documents)
		fault("no TAP in the output")
	print passed, failed, skipped
	for (i = 1; i <= nr_faults; i++)
		print faults[i]
}
