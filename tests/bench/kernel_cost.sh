#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What one sample costs in the kernel: the mean time in the BPF programs (the kernel's own
# statistics, which leave out the interrupt around them), kernel and user stacks, at 99 Hz on all
# CPUs under the same load, in alternating runs with bpftrace. bpftrace follows frame pointers and
# stops where there are none; kiln is measured doing that, and walking whole stacks as it does by
# default.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need bpftrace bpftool jq

stats_before=$(sysctl -n kernel.bpf_stats_enabled)
trap 'sysctl -q kernel.bpf_stats_enabled="$stats_before"; end_load; rm -rf "$T"' EXIT
sysctl -q kernel.bpf_stats_enabled=1

# "RUN_TIME_NS RUN_COUNT" summed over the programs of a type (and name) that were not there before.
programs() { # JQ_CONDITION
	bpftool prog list -j | jq -r "[.[] | select(.id > $newest and ($1))] |
		\"\(map(.run_time_ns // 0) | add // 0) \(map(.run_cnt // 0) | add // 0)\""
}

newest_program() {
	newest=$(bpftool prog list -j | jq '[.[].id] | max // 0')
}

# Between two readings 4 s apart, the first well after the start: a steady state, caches as they are.
measure() { # JQ_CONDITION NAME COMMAND...
	local condition=$1 name=$2 a b
	shift 2
	newest_program
	"$@" >"$T/$name.out" 2>"$T/$name.err" </dev/null &
	local pid=$!
	sleep 3
	read -r -a a < <(programs "$condition")
	sleep 4
	read -r -a b < <(programs "$condition")
	wait $pid
	[ "${b[1]}" -gt "${a[1]}" ] || { echo "no samples: $name" >&2 && cat "$T/$name.err" >&2 && exit 1; }
	echo $(((b[0] - a[0]) / (b[1] - a[1]))) >>"$T/$name"
}

start_load
for ((round = 0; round < ROUNDS; round++)); do
	measure '.name | startswith("kiln_sample")' kiln "$KILN" record -q -a -F 99 -d 9 -o "$T/p.pb.gz"
	measure '.name | startswith("kiln_sample")' kiln_fp "$KILN" record -q -a -F 99 -d 9 --unwind fp -o "$T/p.pb.gz"
	measure '.type == "perf_event"' bpftrace env --default-signal=INT timeout -k 20 -s INT 9 \
		bpftrace -e 'profile:hz:99 { @[kstack, ustack, comm] = count(); }'
done
result "kernel time a sample, frame pointers, median of $ROUNDS" ns \
	"$(median <"$T/kiln_fp")" bpftrace "$(median <"$T/bpftrace")"
result "the same, without frame pointers, whole stacks" ns \
	"$(median <"$T/kiln")" bpftrace "$(median <"$T/bpftrace")"
