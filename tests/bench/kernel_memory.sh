#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The locked kernel memory of all of kiln's BPF maps, unwind tables included, while it records a
# system with 200 processes more: interpreters, shells, databases, Go, and whatever else is there.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need bpftool jq python3

PROCESSES=${PROCESSES:-200}
# What waits for a minute with its libraries mapped, as far as it is installed.
programs=(
	"python3 -c 'import time, json, ssl, sqlite3, ctypes, decimal; time.sleep(60)'"
	"perl -MPOSIX -e 'sleep 60'"
	"bash -c 'read -t 60 x < <(sleep 60)'"
	"sqlite3 :memory:"
	"redis-server --port 0 --save '' --unixsocket $T/redis.\$i"
	"node --max-old-space-size=64 -e 'setTimeout(() => {}, 60000)'"
	"gdb -q -batch -ex 'shell sleep 60'"
	"sort" "xz" "tail -f /dev/null" "awk '{ }'" "vim -es" "php -a"
)
start_processes() {
	local i=0 one
	mkfifo "$T/quiet"
	# shellcheck disable=SC2034 # open for both ends: nobody reads an end of file
	exec {quiet}<>"$T/quiet"
	while [ $i -lt "$PROCESSES" ]; do
		for one in "${programs[@]}"; do
			command -v "${one%% *}" >/dev/null || continue
			i=$((i + 1))
			eval "exec ${one}" <"$T/quiet" >/dev/null 2>&1 &
			load+=($!)
			[ $i -lt "$PROCESSES" ] || break
		done
	done
}

newest=$(bpftool map list -j | jq '[.[].id] | max // 0')
start_processes
sleep 10
"$KILN" record -q -a -d 20 -o "$T/p.pb.gz" </dev/null 2>"$T/err" &
pid=$!
sleep 14
running=0
for one in "${load[@]}"; do
	kill -0 "$one" 2>/dev/null && running=$((running + 1))
done
figure "processes that ran" "" $running

# Its own maps are those that it has open; a table is held by the map of tables alone.
bpftool map list -j >"$T/maps"
: >"$T/ids"
for one in /proc/$pid/fdinfo/*; do
	sed -n 's/^map_id:[ \t]*//p' "$one" 2>/dev/null >>"$T/ids"
done
sort -u "$T/ids" -o "$T/ids"
jq -r --argjson newest "$newest" --rawfile ids "$T/ids" '
	($ids | split("\n") | map(select(. != "") | tonumber)) as $own |
	.[] | select(.id > $newest) |
	select((.id | IN($own[])) or .name == "kiln_unw_table") |
	"\(.name) \(.bytes_memlock)"' "$T/maps" |
	awk '{ bytes[$1] += $2; n[$1]++; all += $2 } END {
		for (name in bytes) printf "    %-18s %4d %10.2f MB\n", name, n[name], bytes[name] / 1048576
		print all > "/dev/stderr" }' 2>"$T/all" | sort -k 3 -rn
wait $pid
figure "locked kernel memory of all maps" MB "$(awk '{ print $1 / 1048576 }' "$T/all")"
