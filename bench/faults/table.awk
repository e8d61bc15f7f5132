# SPDX-License-Identifier: GPL-2.0-only
#
# Records (DESIGN STORM THREADS COUNTER VALUE) as tables for people. -v cores=N of this computer.

function get(design, storm, threads, counter)
{
	return value[design, storm, threads, counter] + 0
}

function per_fault(design, storm, threads, counter,	faults)
{
	faults = get(design, storm, threads, "faults")
	return faults ? get(design, storm, threads, counter) / faults : 0
}

function ratio(design, storm, threads,	one)
{
	one = get("shared", storm, 1, "faults_per_second")
	if (design == "exclusive")
		one = get(design, storm, 1, "faults_per_second")
	return one ? get(design, storm, threads, "faults_per_second") / one : 0
}

function rate(design, storm, threads)
{
	return sprintf("%8.0f", get(design, storm, threads, "faults_per_second") / 1000)
}

function counts(design, storm, threads)
{
	return sprintf("%8.4f %8.4f %8.4f %8.4f", per_fault(design, storm, threads, "retries"),
		per_fault(design, storm, threads, "spins"),
		per_fault(design, storm, threads, "ipis"),
		per_fault(design, storm, threads, "again"))
}

function row(design, storm)
{
	printf "%-8s %s %s %5.2f %s %5.2f | %s %5.2f | %s\n", storm, rate(design, storm, 1),
		rate(design, storm, 2), ratio(design, storm, 2), rate(design, storm, 4),
		ratio(design, storm, 4), rate("vms", storm, 2), ratio("vms", storm, 2),
		counts(design, storm, 2)
}

function table(design, title,	i)
{
	print ""
	print title
	printf "%-8s %8s %8s %5s %8s %5s | %8s %5s | %s\n", "", "1", "2", "", "4", "", "2 VMs", "",
		"per fault, 2 threads:"
	printf "%-8s %36s   | %14s | %8s %8s %8s %8s\n", "storm",
		"1,000 faults/s; times one thread", "", "retries", "spins", "IPIs", "re-walks"
	for (i = 0; i < nr_storms; i++)
		row(design, storms[i])
}

{
	if (!($2 in seen)) {
		seen[$2] = 1
		storms[nr_storms++] = $2
	}
	value[$1, $2, $3, $4] = $5
	if ($4 == "disturbed" && $3 <= cores)
		disturbed += $5
	if ($4 == "runs" && $3 <= cores)
		runs += $5
}

END {
	table("shared", "Each vCPU has a lock of its own; a writer takes all")
	table("exclusive", "One lock for the VM, taken by every fault")
	print ""
	printf "2 VMs: no memory in common, the most that 2 threads can do here.%s\n",
		cores < 4 ? " 4 threads are more than there are cores." : ""
	printf "%d of %d runs were disturbed: a thread had less than 97 %% of a core.\n", disturbed,
		runs
}
