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

# What the counters named in NAMES add up to, per operation.
function sum(guest, row, names,	list, n, i, total)
{
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		total += get("shvm", guest, row, list[i])
	return total / get("shvm", guest, row, "operations")
}

function count(value)
{
	return value > 0.0005 ? number(value) : "."
}

# "other" is what the reasons before it leave of all exits.
function exits_row(guest, row,	i, value, rest)
{
	rest = sum(guest, row, "exits")
	printf "  %-10s %8s %8s |", row, number(rest), number(sum(guest, row, "exits_fast"))
	for (i = 1; i <= nr_reasons; i++) {
		value = sum(guest, row, reason_names[i])
		rest -= value
		printf " %7s", count(value)
	}
	printf " %7s\n", count(rest)
}

function events_row(guest, row,	i)
{
	printf "  %-10s", row
	for (i = 1; i <= nr_events; i++)
		printf " %10s", count(sum(guest, row, event_names[i]))
	print ""
}

function exits_table(guest,	i)
{
	printf "  shvm: exits per operation by reason\n  %-10s %8s %8s |", "row", "exits", "in loop"
	for (i = 1; i <= nr_reasons; i++)
		printf " %7s", reason_heads[i]
	printf " %7s\n", "other"
	exits_row(guest, "boot")
	for (i = 0; i < nr_rows; i++)
		if (has("shvm", guest, rows[i]))
			exits_row(guest, rows[i])
	print ""
}

function events_table(guest,	i)
{
	printf "  shvm: per operation, what became of page faults, and more\n  %-10s", "row"
	for (i = 1; i <= nr_events; i++)
		printf " %10s", event_heads[i]
	print ""
	events_row(guest, "boot")
	for (i = 0; i < nr_rows; i++)
		if (has("shvm", guest, rows[i]))
			events_row(guest, rows[i])
	print ""
}

function verdict(guest)
{
	if (!has("shvm", guest, rows[0]) || !has("kvm", guest, rows[0]))
		return
	print "Worse than KVM, guest \"" guest "\":" (worse[guest] ? worse[guest] : " nothing")
	print "  with " exit_cost " for each exit:" (worse_cost[guest] ? worse_cost[guest] : " nothing")
}

BEGIN {
	nr_reasons = split("exc.:int:CR:io:cpuid:invlpg:MSR:hlt", reason_heads, ":")
	split("exit_exception_or_nmi:" \
		"exit_external_interrupt exit_interrupt_window exit_nmi_window:" \
		"exit_control_register:exit_io_instruction:exit_cpuid:exit_invlpg:" \
		"exit_rdmsr exit_wrmsr:exit_hlt", reason_names, ":")
	nr_events = split("filled:guest's:emulated:retried:pt_writes:unshadowed:CR3_slow:injected",
		event_heads, ":")
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
		if (has("shvm", guests[i], "boot")) {
			exits_table(guests[i])
			events_table(guests[i])
		}
	}
	for (i = 0; i < nr_guests; i++)
		verdict(guests[i])
}
