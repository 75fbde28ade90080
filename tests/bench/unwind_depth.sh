#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What one sample costs in the kernel by the depth of the stack: the mean time of the BPF program (the
# kernel's own statistics) over a recursion without frame pointers, walked by tables, beside the same
# recursion with frame pointers, walked by them (as far as the kernel goes, 127 frames). The program
# has the first CPU for itself, and only that one is sampled: every run of the program walks its stack.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need bpftool jq chrt taskset

stats_before=$(sysctl -n kernel.bpf_stats_enabled)
trap 'sysctl -q kernel.bpf_stats_enabled="$stats_before"; rm -rf "$T"' EXIT
sysctl -q kernel.bpf_stats_enabled=1

program() {
	bpftool prog list -j | jq -r "[.[] | select(.id > $newest and .name == \"kiln_sample\")] |
		\"\(map(.run_time_ns // 0) | add // 0) \(map(.run_cnt // 0) | add // 0)\""
}

# ns a sample between two readings, both after the tables are there.
measure() { # FILE UNWIND_MODE WORKLOAD DEPTH
	local a b pid
	newest=$(bpftool prog list -j | jq '[.[].id] | max // 0')
	"$KILN" record -q -U -F 999 --unwind "$2" -C 0 -d 4 -o "$T/p.pb.gz" -- \
		taskset -c 0 chrt -f 1 "$WORKLOADS/$3" 4 "$4" >/dev/null 2>"$T/err" </dev/null &
	pid=$!
	sleep 1.5
	read -r -a a < <(program)
	sleep 2
	read -r -a b < <(program)
	wait $pid
	[ "${b[1]}" -gt "${a[1]}" ] || { echo "no samples: $*" >&2 && exit 1; }
	echo $(((b[0] - a[0]) / (b[1] - a[1]))) >>"$1"
}

for depth in 5 40 100 500; do
	for ((round = 0; round < ROUNDS; round++)); do
		measure "$T/tables.$depth" dwarf deep_nofp $depth
		measure "$T/fp.$depth" fp deep $depth
	done
	result "kernel time a sample, $depth frames, median of $ROUNDS" ns \
		"$(median <"$T/tables.$depth")" "frame pointers" "$(median <"$T/fp.$depth")"
done
