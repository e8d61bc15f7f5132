#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the tests as they are built for gcov and prints, for each file of src/mmu and src/rmap, how
# many of its lines and branches were reached, and then the lines that were not.

set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")"

case ${1:-} in
'' | -h | --help)
	echo "usage: tests/host/coverage.sh BUILD-DIRECTORY   (make coverage does it)"
	exit 0
	;;
esac
out=$(cd "$1" && pwd)
report=$out/coverage

# run NAME COMMAND...: its output is of interest if it fails.
run()
{
	local name=$1

	shift
	if ! "$@" >"$report/$name.log" 2>&1; then
		echo "coverage: $name failed, see $report/$name.log" >&2
		exit 1
	fi
}

# Lines of src as file:line:count, of one variant.
lines_of()
{
	local variant=$1 dir=$report/$1 source

	mkdir -p "$dir"
	for source in ../../src/mmu/*.c ../../src/rmap/*.c; do
		gcov -t -b -c -o "$out/$variant/$(basename "$source" .c).o" "$source" \
			>"$dir/$(basename "$source").gcov" 2>/dev/null
	done
}

# A line or branch counts if one of the variants reached it.
summary()
{
	awk '
	FNR == 1 { file = "" }
	/^ *-: *0:Source:/ {
		file = $0
		sub(/.*:Source:/, "", file)
		sub(/.*\/src\//, "src/", file)
	}
	file !~ /^src\/(mmu|rmap)\// { next }
	/^branch/ {
		key = file SUBSEP line SUBSEP $2
		branches[key] = file
		if ($0 ~ /taken [1-9]/)
			taken[key] = 1
		next
	}
	/^ *[0-9#=]+[0-9*]*: *[0-9]+:/ {
		split($0, part, ":")
		line = part[2] + 0
		if (!line)
			next
		key = file SUBSEP line
		lines[key] = file
		text[key] = substr($0, index($0, part[2] ":") + length(part[2]) + 1)
		if (part[1] !~ /[#=]/)
			reached[key] = 1
	}
	END {
		for (key in lines) {
			total[lines[key]]++
			hit[lines[key]] += key in reached
		}
		for (key in branches) {
			btotal[branches[key]]++
			bhit[branches[key]] += key in taken
		}
		for (file in total) {
			printf "1 %-22s %4d of %4d lines %5.1f %%", file, hit[file], total[file],
				100 * hit[file] / total[file]
			if (btotal[file])
				printf "   %4d of %4d branches %5.1f %%", bhit[file], btotal[file],
					100 * bhit[file] / btotal[file]
			printf "\n"
			all += total[file]; all_hit += hit[file]
			ball += btotal[file]; ball_hit += bhit[file]
		}
		printf "2 %-22s %4d of %4d lines %5.1f %%   %4d of %4d branches %5.1f %%\n", "all",
			all_hit, all, 100 * all_hit / all, ball_hit, ball, 100 * ball_hit / ball
		for (key in lines)
			if (!(key in reached)) {
				split(key, part, SUBSEP)
				printf "3 %s:%04d: %s\n", part[1], part[2], text[key]
			}
	}' "$report"/*/*.gcov | sort | sed 's/^. //; s/:0*\([0-9]*\): /:\1: not reached: /'
}

rm -rf "$report"
mkdir -p "$report"
find "$out/cov" "$out/cov-sched" -name '*.gcda' -delete
run tests "$out/mmu-test-cov" --steps 600000
run schedules "$out/mmu-sched-cov" --runs 100
lines_of cov
lines_of cov-sched
summary
