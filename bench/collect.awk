# SPDX-License-Identifier: GPL-2.0-only
#
# Turns what machine.sh printed into records, one counter of one row on a line:
# "HYPERVISOR GUEST ROW COUNTER VALUE". Counters are totals of all operations of the row.
#
# The guest's marks follow its output, two for each row in the order of the rows, after "start"
# (the launcher is ready) and 0 (the guest's init runs).

function emit(row, counter, value)
{
	if (value != 0 || counter == "exits")
		print hypervisor, guest, row, counter, sprintf("%.0f", value)
}

# These have a level, not a sum: the last value counts.
function is_level(counter)
{
	return counter ~ /^(shadow_|rmap_entries|chain_bytes|mmu_unsync|pages_|max_|nx_lpage_|guest_mode)/
}

function parse(counters,	i, pair)
{
	delete counters
	for (i = 3; i <= NF; i++) {
		split($i, pair, "=")
		counters[pair[1]] = pair[2]
	}
}

# What the marks add is in every row, and is measured as a row of its own, the first one.
function emit_difference(row,		counter, change)
{
	for (counter in now) {
		change = now[counter] - before[counter]
		if (counter == "tsc" || counter == "ms") {
			if (row == "boot")
				emit(row, counter == "tsc" ? "instructions" : "milliseconds", change)
		} else if (is_level(counter)) {
			emit(row, counter, now[counter])
		} else if (row == "marks") {
			marks[counter] = change
		} else if (row == "boot") {
			emit(row, counter, change)
		} else {
			emit(row, counter, change - marks[counter])
		}
	}
}

{ sub("\r$", "") }

$1 == "section" {
	hypervisor = $2
	guest = $3
	rows = pairs = inside = 0
	delete marks
}

$1 == "row" && NF == 4 {
	name[rows++] = $2
	if ($2 != "marks") {
		emit($2, "operations", $3)
		emit($2, "instructions", $4)
	}
}

$1 == "init" && $2 == "uptime" { emit("boot", "uptime_ms", $3 * 1000) }

$1 == "clocksource" { emit("boot", "clocksource_is_tsc", $2 == "tsc" ? 1 : 0) }

$1 == "mark" && $2 == "start" { parse(before) }

$1 == "mark" && $2 == "0" {
	parse(now)
	emit("boot", "operations", 1)
	emit_difference("boot")
}

$1 == "mark" && $2 ~ /^[1-9]/ {
	if (inside) {
		parse(now)
		emit_difference(name[pairs++])
	} else {
		parse(before)
	}
	inside = !inside
}
