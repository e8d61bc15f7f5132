# SPDX-License-Identifier: GPL-2.0-only
#
# Records (DESIGN STORM THREADS COUNTER VALUE): does what must hold on any computer? Not how fast,
# but how often a fault waits, interrupts others, or has to come again. With more threads than cores
# the holder of a lock may not be running, so spins are no measure.

function limit(text, storm, threads, counter, most,	value)
{
	value = count[storm, threads, counter] / count[storm, threads, "faults"]
	printf "%sok %d - %s of storm \"%s\", %d threads: %.4f per fault, at most %.2f\n",
		(value > most) ? "not " : "", ++tests, text, storm, threads, value, most
	failed += (value > most)
}

$1 == "shared" {
	if (!($2 in seen)) {
		seen[$2] = 1
		storms[nr_storms++] = $2
	}
	count[$2, $3, $4] = $5
}

END {
	for (i = 0; i < nr_storms; i++) {
		for (threads = 2; threads <= 4; threads += 2) {
			limit("waits for a lock", storms[i], threads, "retries", 0.05)
			limit("IPIs", storms[i], threads, "ipis", 0)
			limit("faults that come again", storms[i], threads, "again", 0.05)
		}
	}
	print "1.." tests
	exit failed > 0 || !tests
}
