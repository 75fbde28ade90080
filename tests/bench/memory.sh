#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The largest resident memory of a system-wide recording of 10 s, symbolization included, with cold
# and warm page caches, beside perf record's (which symbolizes later, in perf script).
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf

peak_mb() { # COMMAND...
	"$WORKLOADS/rusage" "$T/rusage" "$@" >"$T/out" 2>"$T/err" </dev/null || {
		cat "$T/err" >&2
		exit 1
	}
	awk '{ printf "%.1f\n", $3 / 1024 }' "$T/rusage"
}

start_load
drop_caches
cold=$(peak_mb "$KILN" record -q -a -d 10 -o "$T/p.pb.gz")
warm=$(peak_mb "$KILN" record -q -a -d 10 -o "$T/p.pb.gz")
figure "agent CPU in a recording of 10 s" "% of one CPU" \
	"$(awk '{ print 100 * $2 / $1 }' "$T/rusage")"
record=$(peak_mb perf record -q -F 99 -a -g -o "$T/perf.data" -- sleep 10)
script=$(peak_mb perf script --no-inline -i "$T/perf.data")
result "peak memory, record -a -d 10, cold" MB "$cold" "perf record" "$record"
result "peak memory, record -a -d 10, warm" MB "$warm" "perf record" "$record"
result "peak memory, names included" MB "$warm" "perf script" "$script"
