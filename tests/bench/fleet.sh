#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What one ClickHouse takes, and what two shards take: simulated hosts that send real windows (tests/bench/fleet_load.py),
# more and more until a server saturates. Servers, hosts and questions share this machine's CPUs.
# FLEET_SHARDS: numbers of shards ("1 2"). FLEET_HOSTS: steps ("300 1000 3000 5000 7000 10000"). FLEET_STEP_S: seconds
# of each (60). FLEET_INTERVAL_S: of a host, from one window to the next (60). FLEET_FILES: windows that are sent; without
# it three are recorded. FLEET_WORKERS: processes that send (2). FLEET_AGENT=1: an agent of this machine at its default
# settings sends to the first server beside them, and says at the end whether that disturbed it.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
need python3 curl jq
[ -n "$(clickhouse_server)" ] || {
	echo "fleet.sh: no clickhouse-server: run tools/install-deps --stores" >&2
	exit 1
}
servers=()
agent=''
trap 'end_agent; end_servers; end_load; rm -rf "$T"' EXIT

start_agent() {
	rm -rf "$T/agent"
	printf 'http: {listen: "off"}\nupload:\n- {name: fleet, url: "%s"}\n' "$(ch_url s0)" >"$T/kiln.yaml"
	"$KILN" agent --store "$T/agent" -c "$T/kiln.yaml" 2>"$T/agent.log" &
	agent=$!
}

end_agent() {
	[ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null
	[ -z "$agent" ] || wait "$agent" 2>/dev/null
	agent=''
}

# Of what it took, and of what of that has arrived: the last minute or two have not yet.
report_agent() {
	local host begin end stored arrived
	end_agent
	host=$(hostname)
	read -r begin end arrived < <(ch_ask "SELECT intDiv(min(begin_ns), 1000000000), intDiv(max(begin_ns +
		toInt64(duration_ns)) + 500000000, 1000000000), sum(value) FROM windows WHERE host = '$host' FORMAT TabSeparated" s0)
	stored=$("$KILN" report "$T/agent" --json --since "@$begin" --until "@$end" | jq '.values[-1].total')
	"$KILN" report "$T/agent" --json | jq -r --arg s "$((end - begin)) s: $stored ns stored, $arrived arrived" '.quality |
		"agent: \(.expected) samples expected, \(.idle + .stolen + .filtered + .recorded) taken, " +
		"\([.lost[]] | add) lost \(.lost | with_entries(select(.value > 0)) | tojson), \(.windows_lost) windows lost; of \($s)"'
}

end_servers() {
	[ ${#servers[@]} -eq 0 ] || kill -KILL "${servers[@]}" 2>/dev/null
	wait "${servers[@]}" 2>/dev/null
	servers=()
}

start_server() { # NAME
	local port i
	port=$(ch_free_port)
	declare -g "ch_port_$1=$port"
	rm -rf "${T:?}/$1"
	ch_config "$1" "$port"
	"$(clickhouse_server)" --config-file="$T/$1/c.xml" >"$T/$1/out" 2>&1 &
	servers+=($!)
	for i in {1..100}; do
		! curl -sf "http://127.0.0.1:$port/ping" >/dev/null || break
		sleep 0.1
	done
	"$KILN" fleet init "$(ch_url "$1")" >/dev/null || exit 1
}

# Of all shards together.
sum_of() { # SQL
	local name sum=0
	for name in "${names[@]}"; do sum=$((sum + $(ch_ask "$1" "$name"))); done
	echo $sum
}

record_files() {
	local i
	start_load
	for i in 1 2 3; do "$KILN" record -q -a -F 19 -d 20 -o "$T/w$i.pb.gz" || exit 1; done
	end_load
	files=("$T"/w?.pb.gz)
}

# hosts due/s good/s MB/s p50_ms p99_ms refused failed late_ms gen_% server_% server_MB
step() { # HOSTS
	local before after began due good p99
	before=$(sum_of 'SELECT count() FROM samples') began=$(now_ns)
	"$SRC/tests/bench/fleet_load.py" --hosts "$1" --interval "${FLEET_INTERVAL_S:-60}" --seconds "${FLEET_STEP_S:-60}" \
		--workers "${FLEET_WORKERS:-2}" "clickhouse://${url#,}/kiln" "${files[@]}" >"$T/step" || exit 1
	after=$(sum_of 'SELECT count() FROM samples')
	sed -n 2p "$T/step" | awk -v shards="${#names[@]}" -v rows=$((after - before)) -v ns=$(($(now_ns) - began)) \
		-v parts="$(sum_of "SELECT count() FROM system.parts WHERE active AND database = 'kiln'")" \
		-v bytes="$(sum_of "SELECT sum(bytes) FROM system.parts WHERE active AND database = 'kiln'")" -v all="$after" '{
			printf "%6d %6d %10s %10d %7s %7s %7s %7s %6d %9.2f\n",
				shards, $1, $3, rows / ns * 1e9, $7, $8, $6, $4, parts, all ? bytes / all : 0 }'
	read -r _ due good _ _ p99 _ < <(sed -n 2p "$T/step")
	row "windows a second, $1 hosts, servers: ${#names[@]}" 1/s "$good" due "$due"
	row "until a window is accepted, p99, $1 hosts, servers: ${#names[@]}" ms "$p99" "" ""
	! grep -q ^saturates "$T/step"
}

read -ra files <<<"${FLEET_FILES:-}"
[ ${#files[@]} -gt 0 ] || record_files
printf '%6s %6s %10s %10s %7s %7s %7s %7s %6s %9s\n' shards hosts windows/s rows/s refused failed p99_ms MB/s parts bytes/row
for shards in ${FLEET_SHARDS:-1 2}; do
	names=() url=''
	for ((i = 0; i < shards; i++)); do
		names+=("s$i")
		start_server "s$i"
		url+=",127.0.0.1:$(ch_port "s$i")"
	done
	[ -z "${FLEET_AGENT:-}" ] || start_agent
	for hosts in ${FLEET_HOSTS:-300 1000 3000 5000 7000 10000}; do
		step "$hosts" || {
			echo "saturated: less than 95 % answered well, p99 over 1 s, or late by 1 s"
			break
		}
	done
	[ -z "$agent" ] || report_agent
	end_servers
done
