# SPDX-License-Identifier: GPL-2.0-only
#
# Records (see collect.awk) as tables for people.
# -v exit_cost=N: what an exit costs on silicon beyond the instructions that it makes us run.
# -v ticks=N: instructions in a second of machine time.

function get(hypervisor, guest, row, counter)
{
	return values[hypervisor, guest, row, counter] + 0
}

function has(hypervisor, guest, row)
{
	return (hypervisor, guest, row, "operations") in values
}

function per_operation(hypervisor, guest, row, counter)
{
	return get(hypervisor, guest, row, counter) / get(hypervisor, guest, row, "operations")
}

function cost(hypervisor, guest, row)
{
	if (!has(hypervisor, guest, row))
		return 0
	return per_operation(hypervisor, guest, row, "instructions") + \
		exit_cost * per_operation(hypervisor, guest, row, "exits")
}

function number(value)
{
	if (value >= 100 || value == int(value))
		return sprintf("%.0f", value)
	return sprintf(value >= 10 ? "%.1f" : "%.2f", value)
}

function cell(present, value)
{
	return present ? number(value) : "-"
}

function ratio(present, a, b)
{
	return present && b > 0 ? sprintf("%.2f", a / b) : "-"
}

function title(guest)
{
	if (guest == "kpti")
		return "Guest \"kpti\": page-table isolation, the kernel's default on this CPU"
	return "Guest \"off\": mitigations=off"
}

function boot_line(guest, label, format, shvm, kvm,	s, k)
{
	s = has("shvm", guest, "boot")
	k = has("kvm", guest, "boot") && kvm != ""
	printf "  %-32s %10s %10s %10s\n", label,
		s ? sprintf(format, shvm) : "-", k ? sprintf(format, kvm) : "-",
		ratio(s && k, shvm, kvm)
}

# KVM does not say how many shadow pages it has.
function boot_table(guest)
{
	if (!has("shvm", guest, "boot") && !has("kvm", guest, "boot"))
		return
	if (has("shvm", guest, "boot") && has("kvm", guest, "boot"))
		judge(guest, "boot")
	printf "  %-32s %10s %10s %10s\n", "boot, first entry to init", "shvm", "KVM", "shvm/KVM"
	boot_line(guest, "machine time, s", "%.2f",
		get("shvm", guest, "boot", "instructions") / ticks,
		get("kvm", guest, "boot", "instructions") / ticks)
	boot_line(guest, "the same by the guest's uptime, s", "%.2f",
		get("shvm", guest, "boot", "uptime_ms") / 1000,
		get("kvm", guest, "boot", "uptime_ms") / 1000)
	boot_line(guest, "exits", "%.0f", get("shvm", guest, "boot", "exits"),
		get("kvm", guest, "boot", "exits"))
	boot_line(guest, "machine time + exits, s", "%.2f",
		cost("shvm", guest, "boot") / ticks, cost("kvm", guest, "boot") / ticks)
	boot_line(guest, "shadow pages, most at a time", "%.0f",
		get("shvm", guest, "boot", "shadow_pages_max"), "")
	print ""
}

function compare_row(guest, row,	n, s, k)
{
	n = has("native", "-", row)
	s = has("shvm", guest, row)
	k = has("kvm", guest, row)
	if (!s && !k)
		return
	printf "  %-10s %8s %8s %8s %8s | %8s %8s | %8s %8s %8s | %7s\n", row,
		cell(n, n ? per_operation("native", "-", row, "instructions") : 0),
		cell(s, s ? per_operation("shvm", guest, row, "instructions") : 0),
		cell(k, k ? per_operation("kvm", guest, row, "instructions") : 0),
		ratio(s && k, s && k ? per_operation("shvm", guest, row, "instructions") : 0,
			s && k ? per_operation("kvm", guest, row, "instructions") : 0),
		cell(s, s ? per_operation("shvm", guest, row, "exits") : 0),
		cell(k, k ? per_operation("kvm", guest, row, "exits") : 0),
		cell(s, s ? cost("shvm", guest, row) : 0), cell(k, k ? cost("kvm", guest, row) : 0),
		ratio(s && k, s && k ? cost("shvm", guest, row) : 0,
			s && k ? cost("kvm", guest, row) : 0),
		cell(s, get("shvm", guest, row, "shadow_pages"))
	if (s && k)
		judge(guest, row)
}

# Which rows are worse than KVM, for the last lines.
function judge(guest, row)
{
	if (per_operation("shvm", guest, row, "instructions") > \
	    per_operation("kvm", guest, row, "instructions"))
		worse[guest] = worse[guest] " " row
	if (cost("shvm", guest, row) > cost("kvm", guest, row))
		worse_cost[guest] = worse_cost[guest] " " row
}

function compare_table(guest,	i)
{
	printf "  %-10s %35s | %17s | %26s | %7s\n", "", "instructions per operation",
		"exits per op.", "instructions + " exit_cost "/exit", "shadow"
	printf "  %-10s %8s %8s %8s %8s | %8s %8s | %8s %8s %8s | %7s\n", "row", "native", "shvm",
		"KVM", "shvm/KVM", "shvm", "KVM", "shvm", "KVM", "shvm/KVM", "pages"
	for (i = 0; i < nr_rows; i++)
		compare_row(guest, rows[i])
	print ""
}

function exits(guest, row, names,	list, n, i, sum)
{
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		sum += get("shvm", guest, row, "exit_" list[i])
	return sum / get("shvm", guest, row, "operations")
}

function reason_row(guest, row,		i, shown, known)
{
	if (!has("shvm", guest, row))
		return
	printf "  %-10s %8s %8s |", row, number(per_operation("shvm", guest, row, "exits")),
		number(per_operation("shvm", guest, row, "exits_fast"))
	known = 0
	for (i = 1; i <= nr_reasons; i++) {
		shown = exits(guest, row, reason_names[i])
		known += shown
		printf " %7s", (shown ? number(shown) : ".")
	}
	shown = per_operation("shvm", guest, row, "exits") - known
	printf " %7s |", (shown > 0.005 ? number(shown) : ".")
	for (i = 1; i <= nr_events; i++) {
		shown = per_operation("shvm", guest, row, event_names[i])
		printf " %7s", (shown ? number(shown) : ".")
	}
	print ""
}

function reason_table(guest,	i)
{
	if (!has("shvm", guest, "boot"))
		return
	print "  shvm: exits per operation by reason, and what the module did"
	printf "  %-10s %8s %8s |", "row", "exits", "in loop"
	for (i = 1; i <= nr_reasons; i++)
		printf " %7s", reason_heads[i]
	printf " %7s |", "other"
	for (i = 1; i <= nr_events; i++)
		printf " %7s", event_heads[i]
	print ""
	reason_row(guest, "boot")
	for (i = 0; i < nr_rows; i++)
		reason_row(guest, rows[i])
	print ""
}

function verdict(guest)
{
	if (worse[guest] || worse_cost[guest]) {
		print "Guest \"" guest "\", rows worse than KVM:" \
			(worse[guest] ? worse[guest] : " none") "; with " exit_cost \
			" per exit:" (worse_cost[guest] ? worse_cost[guest] : " none")
	} else if (has("shvm", guest, rows[0]) && has("kvm", guest, rows[0])) {
		print "Guest \"" guest "\": no row is worse than KVM"
	}
}

BEGIN {
	nr_reasons = split("exc.:int:CR:io:cpuid:invlpg:MSR:hlt", reason_heads, ":")
	split("exception_or_nmi:external_interrupt interrupt_window nmi_window:" \
		"control_register:io_instruction:cpuid:invlpg:rdmsr wrmsr:hlt", reason_names, ":")
	nr_events = split("fixed:guest's:emul.:retry:writes:unshad.:CR3slow:inject", event_heads, ":")
	split("pf_fixed:pf_reflected:pf_emulated:pf_retried:pt_writes:unshadows:cr3_slow:" \
		"injections", event_names, ":")
}

{
	values[$1, $2, $3, $4] = $5
	if ($3 != "marks" && $3 != "boot" && !seen[$3]++)
		rows[nr_rows++] = $3
	if ($2 != "-" && !seen_guest[$2]++)
		guests[nr_guests++] = $2
}

END {
	for (i = 0; i < nr_guests; i++) {
		print title(guests[i])
		print ""
		boot_table(guests[i])
		compare_table(guests[i])
		reason_table(guests[i])
	}
	for (i = 0; i < nr_guests; i++)
		verdict(guests[i])
}
