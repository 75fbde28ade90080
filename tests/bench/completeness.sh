#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The share of user stacks that reach their thread's first function, program by program: kiln beside
# perf's frame pointers (--call-graph fp), each over its own recording of the same command. The first
# function is looked for among the outermost three: of a stripped program, _start has no name.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf python3

root='main|_start|__libc_start_main.*|__libc_start_call_main|start_thread|clone3?|__clone3?|_dl_start.*|runtime[.](main|mstart|goexit|rt0_go).*|_start.*'

ours() { # COMMAND...
	"$KILN" record -q -U -o "$T/p.pb.gz" -- "$@" >"$T/out" 2>"$T/err" || return
	python3 "$SRC/tests/lib/profile.py" samples "$T/p.pb.gz" | awk -F '\t' -v root="^($root)\$" '
		$6 ~ /\[lost samples\]/ { next }
		{ split($6, f, ";"); all += $1; if (f[1] ~ root || f[2] ~ root || f[3] ~ root) whole += $1 }
		END { printf "%.1f\n", all ? 100 * whole / all : 0 }'
}

theirs() { # COMMAND...
	perf record -q -F 99 --call-graph fp -e cpu-clock:u -o "$T/perf.data" -- "$@" >"$T/out" 2>"$T/err"
	perf script --no-inline -F ip,sym -i "$T/perf.data" 2>/dev/null | awk -v root="^($root)\$" '
		NF { sub(/^[ \t]*[0-9a-f]+ /, ""); third = second; second = last; last = $0; next }
		last != "" {
			all++
			if (last ~ root || second ~ root || third ~ root) whole++
			last = second = third = ""
		}
		END { printf "%.1f\n", all ? 100 * whole / all : 0 }'
}

compare() { # NAME COMMAND...
	local name=$1
	shift
	printf '%-46s kiln %6s %%  perf fp %6s %%\n' "complete user stacks, $name:" "$(ours "$@")" "$(theirs "$@")"
}

sql="WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000)
	SELECT sum(i * i % 7) FROM n"
seq 3000000 | shuf --random-source=<(yes) >"$T/numbers"
compare "C with frame pointers" "$WORKLOADS/demo" 4
compare "C without frame pointers" "$WORKLOADS/demo_nofp" 4
compare "C++ templates" "$WORKLOADS/inlining" 4
compare "python3" /usr/bin/python3 -c 'sum(i * i % 7 for i in range(20000000))'
compare "sqlite3" sqlite3 :memory: "$sql"
compare "sort" sort -n -o /dev/null "$T/numbers"
compare "gcc" gcc -O2 -c -o /dev/null "$SRC/profiler/base/text.c" "-I$SRC" -D_GNU_SOURCE
compare "xz" xz -k -c "$T/numbers"
