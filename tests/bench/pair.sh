#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two builds of kiln, in turns under the same load: OLD=path/to/an/older/kiln make bench BENCH=pair.
# Medians, and quartiles of what varies. PAIR="kernel_cost startup page_time names" leaves some out.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need bpftool jq python3 readelf
[ -x "${OLD:-}" ] || { echo "pair.sh: set OLD to the kiln to compare with" >&2 && exit 1; }

stats_before=$(sysctl -n kernel.bpf_stats_enabled)
trap 'sysctl -q kernel.bpf_stats_enabled="$stats_before"; end_load; rm -rf "$T"' EXIT

pair() { # WHAT UNIT NAME: from $T/new.NAME and $T/old.NAME
	local which
	result "$1" "$2" "$(median <"$T/new.$3")" old "$(median <"$T/old.$3")"
	for which in new old; do
		echo "    $which: quartiles $(quantile 0.25 <"$T/$which.$3"), $(quantile 0.75 <"$T/$which.$3") of $(wc -l <"$T/$which.$3")"
	done
}

# Calls the function with "new KILN" and "old OLD", each first as often as the other.
in_turns() { # ROUNDS FUNCTION
	local round
	for ((round = 0; round < $1; round++)); do
		if ((round % 2)); then
			"$2" new "$KILN" && "$2" old "$OLD"
		else
			"$2" old "$OLD" && "$2" new "$KILN"
		fi || exit 1
	done
}

bpf_time() { # of the programs newer than $1: "NS RUNS"
	bpftool prog list -j | jq -r --argjson newest "$1" '[.[] | select(.id > $newest and
		(.name | startswith("kiln_sample")))] |
		"\(map(.run_time_ns // 0) | add // 0) \(map(.run_cnt // 0) | add // 0)"'
}

kernel_cost() { # WHICH KILN
	local newest a b
	newest=$(bpftool prog list -j | jq '[.[].id] | max // 0')
	"$2" record -q -a -F 99 -d 9 -o "$T/p.pb.gz" >"$T/out" 2>&1 &
	sleep 3
	read -r -a a < <(bpf_time "$newest")
	sleep 4
	read -r -a b < <(bpf_time "$newest")
	wait $!
	echo $(((b[0] - a[0]) / (b[1] - a[1]))) >>"$T/$1.kernel_cost"
}

startup() { # WHICH KILN
	"$2" record -v -a -d 0.1 -o "$T/p.pb.gz" 2>&1 |
		sed -n 's/.*sampling after \([0-9]*\) ms$/\1/p' >>"$T/$1.startup"
}

page_time() { # WHICH KILN
	local pid from
	env --default-signal=INT "$WORKLOADS/rusage" "$T/rusage" "$2" record -q -a -d 600 -o "$T/p.html" >"$T/out" 2>&1 &
	pid=$!
	sleep 10
	from=$(now_ns)
	pkill -INT -P $pid
	wait $pid
	awk -v ns=$(($(now_ns) - from)) 'BEGIN { print ns / 1e6 }' >>"$T/$1.page_time"
	awk '{ print $2 / 1e6 }' "$T/rusage" >>"$T/$1.cpu"
}

# Addresses all over the code of the older kiln, the same for both.
addresses() {
	local low size
	read -r low size < <(readelf -SW "$OLD" | sed 's/^ *\[ *//' | awk '$2 == ".text" { print $4, $6 }')
	python3 - "$low" "$size" <<-'END'
		import random, sys
		low, size = int(sys.argv[1], 16), int(sys.argv[2], 16)
		random.seed(7)
		print("\n".join(hex(random.randrange(low, low + size)) for _ in range(20000)))
	END
}

names() { # WHICH KILN
	"$WORKLOADS/rusage" "$T/rusage" "$2" symbolize -q -a -e "$OLD" <"$T/addresses" >"$T/out"
	awk '{ print $2 / 1e6 }' "$T/rusage" >>"$T/$1.names"
}

start_load
for what in ${PAIR:-kernel_cost startup page_time names}; do
	case $what in
	kernel_cost)
		sysctl -q kernel.bpf_stats_enabled=1
		in_turns "$((2 * ROUNDS))" kernel_cost
		sysctl -q kernel.bpf_stats_enabled="$stats_before"
		pair "kernel time a sample" ns kernel_cost
		;;
	startup) in_turns $((4 * ROUNDS)) startup && pair "start to sampling" ms startup ;;
	page_time)
		in_turns "$ROUNDS" page_time && pair "last sample to the page" ms page_time
		pair "processor time of 10 s of record -a" ms cpu
		;;
	names)
		addresses >"$T/addresses"
		in_turns $((2 * ROUNDS)) names && pair "processor time to name 20,000 addresses" ms names
		;;
	*) echo "pair.sh: no $what" >&2 && exit 2 ;;
	esac
done
