# SPDX-License-Identifier: GPL-2.0-only
#
# The table of bench/swap, from records "WHERE PATTERN seed-N NAME VALUE": for each place the median
# over the seeds and the range, and below it whether it is what it must be.

function of(where, seed, name)
{
	return value[where, seed, name]
}

# One figure of one seed; rows that are computed from several records have a name of their own.
function figure(where, seed, row)
{
	if (row == "hot_per_million")
		return 1e6 * of(where, seed, "hot_refaults") / of(where, seed, "hot_accesses")
	if (row == "ticks_per_access")
		return of(where, seed, "ticks") / of(where, seed, "accesses")
	if (row == "neighbour_per_million")
		return 1e6 * of(where, seed, "neighbour_refaults") / \
		       of(where, seed, "neighbour_accesses")
	if (row == "neighbour_ticks_per_access")
		return of(where, seed, "neighbour_ticks") / of(where, seed, "neighbour_accesses")
	if (row == "rank_percent")
		return 100 * of(where, seed, "victim_rank")
	if (row == "age_exits")
		return of(where, seed, row) / of(where, seed, "age_pages")
	if (row == "age_flushes")
		return (of(where, seed, "age_tlb_flush_requests") + \
			of(where, seed, "age_remote_tlb_flush_requests")) / \
		       of(where, seed, "age_pages")
	if (row == "age_ipis")
		return (of(where, seed, row) + of(where, seed, "age_remote_tlb_flush")) / \
		       of(where, seed, "age_pages")
	if (row ~ /^callback_/)
		return of(where, seed, "age_" substr(row, 10)) - of(where, seed, "age_nothing")
	return of(where, seed, row)
}

# Sets low, middle and high.
function spread(where, row, s, i, j, x, list)
{
	for (s = 1; s <= seeds; s++) {
		x = figure(where, seed_name[s], row)
		for (i = s - 1; i > 0 && list[i] > x; i--)
			list[i + 1] = list[i]
		list[i + 1] = x
	}
	low = list[1]
	high = list[seeds]
	middle = (list[int((seeds + 1) / 2)] + list[int((seeds + 2) / 2)]) / 2
	return middle
}

function is_measured(where, name)
{
	return (where, seed_name[1], name) in value
}

function cell(where, row, name, format)
{
	if (!is_measured(where, name))
		return "-"
	spread(where, row)
	if (low == high)
		return sprintf(format, middle)
	return sprintf(format " (" format "-" format ")", middle, low, high)
}

# line TEXT ROW RECORD FORMAT: RECORD is one that the row needs.
function line(text, row, name, format, i)
{
	printf("%-42s", text)
	for (i = 1; i <= 3; i++)
		printf(" %26s", cell(places[i], row, name, format))
	print ""
}

function verdict(text, ok)
{
	printf("%-78s %s\n", text, ok ? "yes" : "NO")
}

function verdicts(shvm, native, kvm)
{
	print ""
	if (is_measured("shvm", "tau") && is_measured("native", "tau")) {
		shvm = spread("shvm", "hot_per_million")
		native = spread("native", "hot_per_million")
		verdict(sprintf("hot refaults of shvm at most 1.1 of native's: %.2f",
				native ? shvm / native : 0), shvm <= 1.1 * native)
		shvm = spread("shvm", "tau")
		native = spread("native", "tau")
		verdict(sprintf("tau of shvm at least 0.9 of native's: %.3f", shvm / native),
			shvm >= 0.9 * native)
	}
	if (is_measured("shvm", "age_young") && is_measured("kvm", "age_young")) {
		shvm = spread("shvm", "callback_young")
		kvm = spread("kvm", "callback_young")
		verdict(sprintf("callback of shvm at most half of KVM's instructions: %.2f", shvm / kvm),
			shvm <= kvm / 2)
	}
	if (is_measured("shvm", "age_young"))
		verdict("no exits, flushes, IPIs and locks by shvm's ageing",
			spread("shvm", "age_exits") < 0.02 && !spread("shvm", "age_flushes") &&
			!spread("shvm", "age_ipis") && !spread("shvm", "age_locks"))
}

{
	value[$1, $3, $4] = $5
	if (!($3 in known)) {
		known[$3] = 1
		seed_name[++seeds] = $3
	}
}

END {
	split("native kvm shvm", places, " ")
	printf("%-42s %26s %26s %26s\n", "median (least-most) over the seeds", "native",
	       "KVM ept=0", "shvm")
	line("hot refaults per million hot accesses", "hot_per_million", "tau", "%.0f")
	line("hot refaults", "hot_refaults", "tau", "%d")
	line("cold refaults", "cold_refaults", "tau", "%d")
	line("pages read from swap (pswpin)", "pswpin", "tau", "%d")
	line("pages written to swap (pswpout)", "pswpout", "tau", "%d")
	line("instructions per access", "ticks_per_access", "tau", "%.0f")
	line("longest access, instructions", "longest", "tau", "%d")
	line("Kendall's tau-b, eviction and last use", "tau", "tau", "%.4f")
	line("the same within 1024 evictions, mean", "tau_1024", "tau", "%.4f")
	line("pages in memory that are older, %", "rank_percent", "tau", "%.2f")
	line("neighbour: refaults per million accesses", "neighbour_per_million", "tau", "%.0f")
	line("neighbour: instructions per access", "neighbour_ticks_per_access", "tau", "%.0f")
	line("neighbour: longest access, instructions", "neighbour_longest", "tau", "%d")
	line("limit of the cgroup, pages", "limit", "tau", "%d")
	line("load's pages in memory, at the end", "resident_last", "tau", "%d")
	line("faults that match no access", "unmatched", "tau", "%d")
	print ""
	line("callback, young page, instructions", "callback_young", "age_young", "%d")
	line("callback, old page, instructions", "callback_old", "age_young", "%d")
	line("notifier without a callback, instructions", "age_nothing", "age_young", "%d")
	line("locks taken per page", "age_locks", "age_young", "%.2f")
	line("exits per page", "age_exits", "age_young", "%.2f")
	line("TLB flushes asked for, per page", "age_flushes", "age_young", "%.2f")
	line("of these with an IPI, per page", "age_ipis", "age_young", "%.2f")
	verdicts()
}
