#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The store: CPU time to add a window, bytes beside the same windows as files, and how long a day takes to
# report. A day is made of the windows that the agent records in MINUTES (10) under load, again and again; of
# those in the directory WINDOWS instead, which KILN_TEST_KEEP_WINDOWS fills.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need sqlite3 jq
MINUTES=${MINUTES:-10}

# Programs that compile, scripts, short processes, threads.
compile() {
	local file
	while :; do
		for file in "$SRC"/profiler/*/*.c; do
			gcc -std=gnu11 -O2 -D_GNU_SOURCE -I"$SRC" -I"$SRC/$B" -c -o "$T/x.o" "$file" \
				2>"$T/gcc.log"
		done
	done
}

record_windows() {
	local pids
	# The agent may write below its store only.
	mkdir -m 750 "$T/recorded" "$T/recorded/kept"
	start_load
	compile &
	pids=$!
	KILN_TEST_KEEP_WINDOWS=$T/recorded/kept timeout -s TERM $((MINUTES * 60)) "$KILN" agent \
		--store "$T/recorded" --listen off --cpu-limit 50% 2>"$T/agent.log"
	kill "$pids"
	end_load
	WINDOWS=$T/recorded/kept
}

value() { # KEY: of the last filling
	sed -n "s/^$1 //p" "$T/filled"
}

fill() { # DIR REPEATS
	"$T/store" "$1" "$2" "${files[@]}" >"$T/filled" || exit 1
	cat "$1"/*.kiln | wc -c
}

seconds() { # COMMAND...: user and system CPU time, and the time that passed, the median of ROUNDS
	local i
	for ((i = 0; i < ROUNDS; i++)); do
		{ TIMEFORMAT='%U %S %R'; time "$@" >"$T/out"; } 2>"$T/time" || exit 1
		awk '{ print $1 + $2, $3 }' "$T/time"
	done >"$T/times"
	echo "$(cut -d ' ' -f 1 "$T/times" | median) $(cut -d ' ' -f 2 "$T/times" | median)"
}

timed() { # WHAT COMMAND...
	local what=$1 cpu wall
	shift
	read -r cpu wall <<<"$(seconds "$@")"
	figure "$what: CPU" s "$cpu"
	figure "$what: passed" s "$wall"
}

cc -D_GNU_SOURCE -std=gnu11 -O2 -I"$SRC" -I"$SRC/$B" -o "$T/store" "$SRC/tests/bench/store.c" \
	"$SRC/$B/libkiln.a" -lsqlite3 -lzstd -ldeflate -lz -lprotobuf-c -lpthread -lm || exit 1
[ -n "${WINDOWS:-}" ] || record_windows
files=("$WINDOWS"/*.pb.gz)
file_bytes=$(cat "${files[@]}" | wc -c)
echo "${#files[@]} windows of $((file_bytes / ${#files[@]})) bytes on average as .pb.gz"

bytes=$(fill "$T/once" 1)
result "these windows once, compacted" bytes "$bytes" ".pb.gz files" "$file_bytes"
figure "adding a window: CPU, mean" ms "$(value cpu_ms_mean)"
figure "adding a window: CPU, 99th percentile" ms "$(value cpu_ms_p99)"

repeats=$((8640 / ${#files[@]}))
bytes=$(fill "$T/day" $repeats)
figure "a day: bytes" MiB "$(awk -v n="$bytes" 'BEGIN { print n / 1048576 }')"
figure "2 GiB hold" days "$(awk -v n="$bytes" 'BEGIN { print 2 * 1024 * 1048576 / n }')"
figure "looking after it, a day: CPU" s "$(awk -v ms="$(value upkeep_cpu_ms)" 'BEGIN { print ms / 1000 }')"
timed "report of a day" "$KILN" report "$T/day"
pid=$("$KILN" list "$T/day" --by process --json | jq '[.rows[] | select(.pid > 0)][0].pid')
timed "report of a day, one process" "$KILN" report "$T/day" --where "pid=$pid"
timed "list of a day by process" "$KILN" list "$T/day" --by process
timed "export of a day to pprof" "$KILN" export "$T/day" -o "$T/day.pb.gz"
