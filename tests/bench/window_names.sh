#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The addresses of a real system-wide window: compilers, python, perl, node, redis, sqlite3, git, openssl
# and programs with deep inlining, recorded by perf record -a --call-graph dwarf, which is its way to whole
# stacks (and in perf 6.1 the only one for which it looks for inlined calls). CPU time that perf script
# (defaults: inlined calls on, its addr2line children counted) takes to print the samples, and kiln
# symbolize to name the same unique addresses, with lines and inlined calls: without line tables, and
# with them. WINDOW_S and WINDOW_HZ: how long (8) and how often (199) is sampled.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf python3 g++ readelf
# perf runs the first addr2line it finds. Long lines of C++ take it minutes.
PEER_MAX_S=${PEER_MAX_S:-1200}

# Starts a shell command again and again.
again() {
	(while :; do eval "$1"; done >/dev/null 2>&1) &
	load+=($!)
}

if_there() { # PROGRAM COMMAND
	! command -v "$1" >/dev/null || again "$2"
}

# Kills what the loops started too: each is a process group of its own.
set -m
end_load() {
	local pid
	for pid in "${load[@]}"; do kill -KILL -- "-$pid" 2>/dev/null; done
	wait "${load[@]}" 2>/dev/null
	load=()
}

mixed_load() {
	local cc="$SRC/tests/fixtures/dwarf/stl.cc"
	g++ -g -O2 -o "$T/inlining" "$SRC/tests/fixtures/workloads/inlining.cc" || exit 1
	head -c 2000000 "$KILN" >"$T/data"
	for flags in "-O2 -g" "-O0"; do again "g++ $flags -c -o $T/cc${#load[@]}.o $cc"; done
	again "$T/inlining 1"
	again "$WORKLOADS/demo 1"
	again "python3 -c '
import json, re
for i in range(300):
    json.loads(json.dumps([{\"a\": i, \"b\": str(i)} for i in range(500)])); re.sub(\"a+\", \"b\", \"xaay\" * 900)'"
	if_there clang++ "clang++ -O1 -c -o $T/clang.o $cc"
	if_there perl "perl -e 'my %h; \$h{\$_ % 977} .= chr(65 + \$_ % 26) for 1..200000; join \",\", sort keys %h'"
	if_there node "node -e 'let a = []; for (let i = 0; i < 3e5; i++) a.push({i, s: \"x\" + i}); JSON.parse(JSON.stringify(a))'"
	if_there sqlite3 "sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i + 1 from n
		limit 100000) select count(distinct i % 977), sum(i * i), max(printf(\"%d\", i)) from n'"
	if_there git "git -C $SRC log --stat -n 50"
	if_there openssl "openssl speed -seconds 1 -bytes 8192 sha256"
	if_there xz "xz -k -c -1 $T/data"
	if_there java "java -version"
	if_there redis-server "redis-server --port 0 --unixsocket $T/redis --save '' --daemonize no"
	if_there redis-benchmark "redis-benchmark -s $T/redis -n 20000 -q -t set,get,lpush,mset"
}

# CPU seconds of a command and its children.
cpu_of() { # COMMAND...
	"$WORKLOADS/rusage" "$T/rusage" "$@" >"$T/out" 2>"$T/err" || {
		echo "window_names.sh: $1: $(head -n1 "$T/err")" >&2
		return 1
	}
	awk '{ print $2 / 1e9 }' "$T/rusage"
}

# Sets samples, frames, files, addresses.
window() {
	# perf 6.1 aborts on long build ids in files: the kernel says them, cut.
	perf record -q -B --buildid-mmap -e cpu-clock:u -F "${WINDOW_HZ:-199}" -a \
		--call-graph dwarf,16384 -o "$T/perf.data" -- \
		sleep "${WINDOW_S:-8}" 2>/dev/null
	perf script -i "$T/perf.data" --no-inline -F comm,pid,tid,time,event,ip,dso \
		>"$T/frames" 2>/dev/null || return
	read -r samples frames files addresses < \
		<(python3 "$SRC/tests/lib/window_profile.py" "$T/window.pb" <"$T/frames")
}

mixed_load
sleep 2
window || window || window || {
	echo "window_names.sh: perf script cannot read what perf record wrote" >&2
	exit 1
}
end_load
echo "window: $samples samples, $frames frames, $addresses unique addresses of $files files"

# Three runs: the first finds no tables and the second says that they are due.
export KILN_CACHE_DIR=$T/cache
name() {
	cpu_of "$KILN" symbolize -q "$T/window.pb" -o "$T/named.pb.gz"
}
cold=$(name) && name >"$T/second" && warm=$(name) || exit 1
theirs=$(cpu_of timeout "$PEER_MAX_S" perf script -i "$T/perf.data") || {
	echo "window_names.sh: perf script took more than $PEER_MAX_S s or failed" >&2
	exit 1
}
result "window, no line tables" s "$cold" "perf script" "$theirs"
result "window, with line tables" s "$warm" "perf script" "$theirs"
plain=$(cpu_of perf script --no-inline -i "$T/perf.data") &&
	figure "perf script --no-inline, for comparison" "s (perf)" "$plain"
