#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What it takes to start, profile a command that ends at once, and write the file. (Such a command
# leaves no samples, which is no success for record: only the time counts here.)
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf

seconds() { # COMMAND...
	"$WORKLOADS/rusage" "$T/rusage" "$@" >"$T/out" 2>"$T/err" </dev/null
	awk '{ print $1 / 1e9 }' "$T/rusage"
}

for ((round = 0; round < 2 * ROUNDS; round++)); do
	seconds "$KILN" record -q -o "$T/p.pb.gz" -- "$WORKLOADS/fixed" cpu 1 1 >>"$T/kiln"
	seconds perf record -q -F 99 -g -o "$T/perf.data" -- "$WORKLOADS/fixed" cpu 1 1 >>"$T/perf"
	seconds "$KILN" version >>"$T/version"
done
result "record of an empty command, median of $((2 * ROUNDS))" s \
	"$(median <"$T/kiln")" "perf record" "$(median <"$T/perf")"
figure "kiln version" s "$(median <"$T/version")"
