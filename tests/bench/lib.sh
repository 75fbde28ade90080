# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# What the benchmarks share. A result is a line "what: kiln A, PEER B, ratio A/B".
set -uo pipefail
SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build/release}
KILN=${KILN:-$SRC/$B/kiln}
WORKLOADS=${WORKLOADS:-$SRC/build/workloads}
CPUS=$(getconf _NPROCESSORS_ONLN)
ROUNDS=${ROUNDS:-5}
export LC_ALL=C.UTF-8
export PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin:${HOME:-/root}/.cargo/bin
T=$(mktemp -d)
trap 'end_load; rm -rf "$T"' EXIT

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || {
			echo "$(basename "$0"): $tool is missing: run tools/install-deps --bench" >&2
			exit 1
		}
	done
	[ "$(id -u)" -eq 0 ] || { echo "$(basename "$0"): needs root" >&2 && exit 1; }
}

# Something to profile on every CPU: a program with threads and system calls, and short processes.
load=()
start_load() {
	"$WORKLOADS/demo" 600 >/dev/null &
	load+=($!)
	"$WORKLOADS/forkstorm" 600 5 50 1 >/dev/null &
	load+=($!)
}
end_load() {
	[ ${#load[@]} -eq 0 ] || kill -KILL "${load[@]}" 2>/dev/null
	wait "${load[@]}" 2>/dev/null
	load=()
}

now_ns() {
	date +%s%N
}

# Of numbers on standard input: the median, or a quartile: quantile 0.25
quantile() {
	sort -g | awk -v q="$1" '{ v[NR] = $1 } END {
		if (!NR) exit 1
		at = 1 + q * (NR - 1); low = int(at); high = low < NR ? low + 1 : low
		printf "%.6g\n", v[low] + (at - low) * (v[high] - v[low]) }'
}
median() {
	quantile 0.5
}

# A row of the table that `run` prints at its end; PEER and THEIRS are empty where there is no peer.
row() { # WHAT UNIT OURS PEER THEIRS
	[ -z "${BENCH_ROWS:-}" ] || printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$(basename "$0" .sh)" "$@" >>"$BENCH_ROWS"
}

# result WHAT UNIT OURS PEER_NAME PEER'S
result() {
	row "$@"
	awk -v what="$1" -v unit="$2" -v ours="$3" -v name="$4" -v theirs="$5" 'BEGIN {
		printf "%-46s kiln %10.4g %-6s %s %10.4g %-6s ratio %.3g\n",
			what ":", ours, unit, name, theirs, unit, theirs ? ours / theirs : 0 }'
}

# A figure without a peer.
figure() { # WHAT UNIT VALUE
	row "$@" "" ""
	awk -v what="$1" -v unit="$2" -v value="$3" 'BEGIN {
		printf "%-46s kiln %10.4g %s\n", what ":", value, unit }'
}

drop_caches() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}
