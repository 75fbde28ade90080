#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How much longer the same work takes while the whole system is profiled at FREQ (99) Hz: pairs of (alone,
# under the profiler), in turn for kiln and perf record -g; which of a pair comes first alternates, so
# that drift favours nobody. One line a workload: the median slowdown with its 95 % confidence
# interval (of the median, by ranks: no distribution is assumed), by CPU time, which holds the
# interrupts; and by wall time. Forks are of two kinds: scripts, as ./configure runs them, and a program
# that ends at once, the worst there is: nearly all of its time goes into mapping files.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf
FREQ=${FREQ:-99}
PAIRS=${PAIRS:-20}

work() { # FILE WORK...
	local file=$1
	shift
	"$WORKLOADS/fixed" "$@" >"$file"
}

under() { # FILE PROFILER -- WORK...
	local file=$1 profiler=$2 pid
	shift 3
	case $profiler in
	kiln) "$KILN" record -q -a -F "$FREQ" -d 600 -o "$T/p.pb.gz" </dev/null >/dev/null 2>"$T/err" & ;;
	perf) perf record -q -F "$FREQ" -a -g -o "$T/perf.data" </dev/null >/dev/null 2>"$T/err" & ;;
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

pair() { # PROFILER NUMBER WORK...
	local profiler=$1 first=$(($2 % 2))
	shift 2
	[ $first -eq 1 ] || work "$T/alone" "$@"
	under "$T/with" "$profiler" -- "$@"
	[ $first -eq 0 ] || work "$T/alone" "$@"
	percent_more "$T/alone" "$T/with" 1 >>"$T/pairs.$profiler.1"
	percent_more "$T/alone" "$T/with" 2 >>"$T/pairs.$profiler.2"
}

# "0.42 [0.10, 0.81]": median, and the ranks n / 2 -+ 0.98 sqrt(n) around it.
interval() {
	sort -g | awk '{ v[NR] = $1 } END {
		n = NR; low = int((n - 1.96 * sqrt(n)) / 2); high = int(1 + (n + 1.96 * sqrt(n)) / 2 + 0.999)
		if (low < 1) low = 1
		if (high > n) high = n
		m = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
		printf "%.2f [%.2f, %.2f]", m, v[low], v[high] }'
}

compare() { # WHAT WORK...
	local what=$1 profiler i
	shift
	rm -f "$T"/pairs.*
	for ((i = 0; i < PAIRS; i++)); do
		for profiler in kiln perf; do
			pair $profiler $i "$@"
		done
	done
	printf 'slowdown in %%, %s, %d pairs, median [95 %%]: CPU kiln %s perf %s; wall kiln %s perf %s\n' \
		"$what" "$PAIRS" "$(interval <"$T/pairs.kiln.2")" "$(interval <"$T/pairs.perf.2")" \
		"$(interval <"$T/pairs.kiln.1")" "$(interval <"$T/pairs.perf.1")"
}

compare "CPU-bound" cpu 60000 "$CPUS"
# shellcheck disable=SC2016
compare "fork-heavy scripts" fork 300 "$CPUS" sh -c 'for i in 1 2; do
	x=$(expr $i + 41); echo "int main(void) { return $x; }" | sed "s/main/main_$i/" | grep -q "main_$i"
	test -f /nonexistent || cat /dev/null; basename "$(pwd)" >/dev/null
done'
compare "fork and exec of nothing" fork 5000 "$CPUS"
