#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# From ^C to the written page: 10 s of the whole system, stopped by SIGINT. perf's pipeline stops at
# text here (perf script, without inlined frames): folding and drawing would come on top of it.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf

# Seconds from SIGINT to the command's end.
stop_time() { # COMMAND...
	env --default-signal=INT "$@" >"$T/out" 2>"$T/err" </dev/null &
	local pid=$! from
	sleep 10
	from=$(now_ns)
	kill -INT $pid
	wait $pid
	awk -v ns=$(($(now_ns) - from)) 'BEGIN { print ns / 1e9 }'
}

start_load
for ((round = 0; round < ROUNDS; round++)); do
	stop_time "$KILN" record -q -a -o "$T/p.html" -d 600 >>"$T/kiln"
	recorded=$(stop_time perf record -q -F 99 -a -g -o "$T/perf.data")
	from=$(now_ns)
	perf script --no-inline -i "$T/perf.data" >"$T/text" 2>"$T/err"
	awk -v ns=$(($(now_ns) - from)) -v s="$recorded" 'BEGIN { print s + ns / 1e9 }' >>"$T/perf"
done
result "last sample to the page, median of $ROUNDS" s \
	"$(median <"$T/kiln")" "perf to text" "$(median <"$T/perf")"
figure "size of the page" kB "$(awk -v n="$(stat -c %s "$T/p.html")" 'BEGIN { print n / 1000 }')"
