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
	row "slowdown at $FREQ Hz, $what, CPU" % "$(median <"$T/pairs.kiln.2")" "perf record -g" "$(median <"$T/pairs.perf.2")"
}

# CPU time of a process and its threads so far, in ns.
cpu_ns() { # PID
	cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ n += $1 } END { printf "%d\n", n }'
}

# Where it goes, more exactly than pairs on a noisy machine can tell: kiln's own CPU time, and the
# kernel functions that make the mapping events (for perf's events too), in a profile of their own.
parts() { # WORK...
	local pid own
	"$KILN" record -q -a -F "$FREQ" -d 600 -o "$T/p.pb.gz" </dev/null >/dev/null 2>&1 &
	pid=$!
	sleep 1.5
	own=$(cpu_ns $pid)
	work "$T/parts" "$@"
	own=$(($(cpu_ns $pid) - own))
	kill -TERM $pid
	wait $pid 2>/dev/null
	read -r _ all <"$T/parts"
	awk -v own="$own" -v all="$all" -v f="$FREQ" 'BEGIN {
		printf "  of the same CPU time: kiln itself at %s Hz %.1f %%\n", f, 100 * own / all }'
	"$KILN" record -q -F 1999 -o "$T/p.pb.gz" -- "$WORKLOADS/fixed" "$@" </dev/null >/dev/null 2>&1
	"$KILN" report "$T/p.pb.gz" --json -n 0 | python3 -c '
import json, sys
report = json.load(sys.stdin)
total = {}
for row in report["rows"]:
    total[row["name"]] = total.get(row["name"], 0) + row["total"]
for name in ("perf_event_mmap", "__build_id_parse", "perf_event_task", "perf_event_comm_output"):
    print("  %s() %.1f %%" % (name, 100 * total.get(name, 0) / report["matched"]))'
}

compare "CPU-bound" cpu 60000 "$CPUS"
# shellcheck disable=SC2016
compare "fork-heavy scripts" fork 300 "$CPUS" sh -c 'for i in 1 2; do
	x=$(expr $i + 41); echo "int main(void) { return $x; }" | sed "s/main/main_$i/" | grep -q "main_$i"
	test -f /nonexistent || cat /dev/null; basename "$(pwd)" >/dev/null
done'
compare "fork and exec of nothing" fork 5000 "$CPUS"
parts fork 20000 "$CPUS"
