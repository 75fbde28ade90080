#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What one sample costs in the kernel by the depth of the stack: the mean time of the BPF program (the
# kernel's own statistics) over a recursion without frame pointers, walked by tables, beside the same
# recursion with frame pointers, walked by them (as far as the kernel goes, 127 frames). The program
# has the first CPU for itself, and only that one is sampled: every run of the program walks its stack.
# Warm: at 999 Hz over a program that computes; cold: at 99 Hz over one that writes to 64 MB meanwhile.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need bpftool jq chrt taskset

stats_before=$(sysctl -n kernel.bpf_stats_enabled)
trap 'sysctl -q kernel.bpf_stats_enabled="$stats_before"; rm -rf "$T"' EXIT
sysctl -q kernel.bpf_stats_enabled=1

program() {
	bpftool prog list -j | jq -r "[.[] | select(.id > $newest and (.name | startswith(\"kiln_sample\")))] |
		\"\(map(.run_time_ns // 0) | add // 0) \(map(.run_cnt // 0) | add // 0)\""
}

# ns a sample between two readings, both after the tables are there.
measure() { # FILE UNWIND_MODE HZ WORKLOAD DEPTH [MB]
	local file=$1 mode=$2 hz=$3 workload=$4 a b pid
	shift 4
	newest=$(bpftool prog list -j | jq '[.[].id] | max // 0')
	"$KILN" record -q -U -F "$hz" --unwind "$mode" -C 0 -d 4 -o "$T/p.pb.gz" -- \
		taskset -c 0 chrt -f 1 "$WORKLOADS/$workload" 4 "$@" >/dev/null 2>"$T/err" </dev/null &
	pid=$!
	sleep 1.5
	read -r -a a < <(program)
	sleep 2
	read -r -a b < <(program)
	wait $pid
	[ "${b[1]}" -gt "${a[1]}" ] || { echo "no samples: $mode $workload $*" >&2 && exit 1; }
	echo $(((b[0] - a[0]) / (b[1] - a[1]))) >>"$file"
}

compare() { # STATE HZ DEPTH [MB]
	local state=$1 hz=$2 round
	shift 2
	for ((round = 0; round < ROUNDS; round++)); do
		measure "$T/tables.$state.$1" dwarf "$hz" deep_nofp "$@"
		measure "$T/fp.$state.$1" fp "$hz" deep "$@"
	done
	result "a sample of $1 frames, $state, median of $ROUNDS" ns \
		"$(median <"$T/tables.$state.$1")" "frame pointers" "$(median <"$T/fp.$state.$1")"
}

for depth in 5 40 100 500; do
	compare warm 999 $depth
	compare cold 99 $depth 64
done
