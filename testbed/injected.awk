# SPDX-License-Identifier: GPL-2.0-only
#
# Prints a kernel log without the one line of it, "Call Trace:", that a failing allocation on
# demand puts there for nobody's fault: when the program of -v program=NAME has let the vzalloc()
# in fpu_alloc_guest_fpstate() fail. That is code of the kernel, which does not ask for silence
# (__GFP_NOWARN) as the module does for its own. All else stays: reports of other programs and
# other allocations, and what comes in between.

function finish(asked_for,	i)
{
	for (i = 1; i <= held; i++)
		if (!asked_for || i != trace)
			print report[i]
	held = 0
	trace = 0
	named = 0
}

BEGIN { start = "^\\[[ 0-9.]*\\] " program ": vmalloc error: size [0-9]+, .*failed" }

$0 ~ start { finish(0); report[++held] = $0; next }

!held { print; next }

{ report[++held] = $0 }

/\] Call Trace:$/ && !trace { trace = held }

trace && /\]  fpu_alloc_guest_fpstate\+/ { named = 1 }

/\]  <\/TASK>$/ { finish(named) }

END { finish(0) }
