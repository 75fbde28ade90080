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

# From the call to the first sample of the whole system, with the tables of what runs in the cache.
"$KILN" record -q -a -d 1 -o "$T/p.pb.gz"
for ((round = 0; round < 2 * ROUNDS; round++)); do
	"$KILN" record -v -a -d 0.1 -o "$T/p.pb.gz" 2>&1 |
		sed -n 's/.*\(BPF programs loaded\|sampling\) after \([0-9]*\) ms$/\1 \2/p' >>"$T/steps"
done
figure "record -a: BPF programs loaded, median" ms "$(sed -n 's/BPF.*loaded //p' "$T/steps" | median)"
figure "record -a: sampling, median" ms "$(sed -n 's/sampling //p' "$T/steps" | median)"
figure "kiln version" s "$(median <"$T/version")"
