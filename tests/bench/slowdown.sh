#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How much longer the same work takes while the whole system is profiled at 99 Hz: rounds of
# (alone, under kiln, alone, under perf record -g), each compared with the run alone just before.
# The CPU time of a run holds the interrupts in it. Medians and quartiles of the ratios.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf
PAIRS=${PAIRS:-12}

work() { # FILE WORK...
	local file=$1
	shift
	"$WORKLOADS/fixed" "$@" >"$file"
}

under() { # FILE PROFILER -- WORK...
	local file=$1 profiler=$2 pid
	shift 3
	case $profiler in
	kiln) "$KILN" record -q -a -F 99 -d 600 -o "$T/p.pb.gz" </dev/null >/dev/null 2>"$T/err" & ;;
	perf) perf record -q -F 99 -a -g -o "$T/perf.data" </dev/null >/dev/null 2>"$T/err" & ;;
	esac
	pid=$!
	sleep 1.5
	work "$file" "$@"
	kill -TERM $pid
	wait $pid 2>/dev/null
}

# Column 1 is wall time, 2 CPU time: the slowdown in per cent.
percent_more() { # ALONE WITH COLUMN
	paste -d ' ' "$1" "$2" | awk -v c="$3" '{ printf "%.4f\n", 100 * ($(c + 2) / $c - 1) }'
}

compare() { # WHAT WORK...
	local what=$1 profiler column name
	shift
	rm -f "$T"/pairs.*
	for ((pair = 0; pair < PAIRS; pair++)); do
		for profiler in kiln perf; do
			work "$T/alone" "$@"
			under "$T/with" $profiler -- "$@"
			percent_more "$T/alone" "$T/with" 1 >>"$T/pairs.$profiler.1"
			percent_more "$T/alone" "$T/with" 2 >>"$T/pairs.$profiler.2"
		done
	done
	for column in 1 2; do
		name=$([ $column -eq 1 ] && echo "wall time" || echo "CPU time")
		result "slowdown, $what, $name, $PAIRS pairs" % \
			"$(median <"$T/pairs.kiln.$column")" perf "$(median <"$T/pairs.perf.$column")"
		echo "    quartiles: kiln $(quantile 0.25 <"$T/pairs.kiln.$column") to" \
			"$(quantile 0.75 <"$T/pairs.kiln.$column") %," \
			"perf $(quantile 0.25 <"$T/pairs.perf.$column") to $(quantile 0.75 <"$T/pairs.perf.$column") %"
	done
}

compare "CPU-bound" cpu 60000 "$CPUS"
compare "fork and exec" fork 5000 "$CPUS"
