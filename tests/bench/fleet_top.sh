#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How long one ClickHouse takes to say what costs most: a day of one service on 40 hosts, a window a minute, from its
# samples and from the rollup; and the rollup of an hour. Server and kiln share this machine's CPUs.
# Each host sends an hour of one real window (60 in two minutes, set apart again in the tables); the other hours are
# copies made by the server. The service has 15 % of the rows. FLEET_FILES: windows that are sent; without it six are recorded, of a minute's samples each.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
need python3 curl
HOSTS=${HOSTS:-40}
ROUNDS=${ROUNDS:-9}
[ -n "$(clickhouse_server)" ] || {
	echo "fleet_top.sh: no clickhouse-server: run tools/install-deps --stores" >&2
	exit 1
}
server=
trap '[ -z "$server" ] || kill -KILL $server; end_load; rm -rf "$T"' EXIT

compile() {
	while :; do gcc -std=gnu11 -O2 -D_GNU_SOURCE -I"$SRC" -I"$SRC/$B" -c -o "$T/x.o" "$SRC/profiler/store/store.c"; done
}

read -ra files <<<"${FLEET_FILES:-}"
if [ ${#files[@]} -eq 0 ]; then
	start_load
	compile 2>/dev/null &
	load+=($!)
	# 20 s at 57 Hz are as many samples as a minute at 19 Hz.
	for i in 1 2 3 4 5 6; do "$KILN" record -q -a -F 57 -d 20 -o "$T/busy.$i.pb.gz" || exit 1; done
	end_load
	files=("$T"/busy.*.pb.gz)
fi

port=$(ch_free_port)
declare -g "ch_port_ch=$port"
ch_config ch "$port"
"$(clickhouse_server)" --config-file="$T/ch/c.xml" >"$T/ch/out" 2>&1 &
server=$!
for _ in {1..100}; do
	! curl -sf "http://127.0.0.1:$port/ping" >/dev/null || break
	sleep 0.1
done
url=$(ch_url ch)
"$KILN" fleet init "$url" >/dev/null || exit 1

# A day ends with the last whole hour. What was sent two seconds apart is a minute apart there.
day_end=$(($(date +%s) / 3600 * 3600))
began=$(date +%s)
"$SRC/tests/bench/fleet_load.py" --hosts "$HOSTS" --interval 2 --seconds 120 --workers 2 \
	"clickhouse://127.0.0.1:$port/kiln" "${files[@]}" >"$T/step" || exit 1
# kiln wants a database of its own.
ch_ask 'CREATE DATABASE sent'
for table in samples windows; do ch_ask "RENAME TABLE kiln.$table TO sent.$table"; done
"$KILN" fleet init "$url" >/dev/null || exit 1
copy() { # TABLE HOUR
	local time="$day_end - 3600 * $2 + greatest(0, least(119, toInt64(toUInt32(time)) - $began)) * 30" columns
	columns=$(ch_ask "SELECT name FROM system.columns WHERE database = 'sent' AND table = '$1'" | paste -sd ,)
	ch_ask "INSERT INTO $1 ($columns) SELECT $(sed "s/\btime\b/toDateTime($time)/
		s/\bservice\b/if(hash % 20 < 3, service, 'other')/; s/\bbegin_ns\b/($time) * 1000000000/
		s/\bduration_ns\b/60000000000/" <<<"$columns") FROM sent.$1"
}
for ((hour = 1; hour <= 24; hour++)); do copy samples $hour && copy windows $hour; done
figure "rows of a day of $HOSTS hosts" million "$(ch_ask 'SELECT count() / 1e6 FROM samples')"

# The median of ROUNDS; the first is not counted.
ms_of() { # COMMAND...
	local i from
	"$@" >"$T/out" 2>&1 || { cat "$T/out" >&2 && return 1; }
	for ((i = 0; i < ROUNDS; i++)); do
		from=$(now_ns)
		"$@" >"$T/out" 2>&1
		echo $((($(now_ns) - from) / 1000))
	done | median | awk '{ print $1 / 1000 }'
}
range=(--from "$url" --since "@$((day_end - 86400))" --until "@$day_end")
figure "top 20 of a service, a day, from samples" ms "$(ms_of "$KILN" fleet top "${range[@]}" --no-rollup --where service_name=busy)"
from=$(now_ns)
"$KILN" fleet rollup --from "$url" --since "@$((day_end - 3600))" --until "@$day_end" >/dev/null || exit 1
figure "rollup of an hour" ms $((($(now_ns) - from) / 1000000))
"$KILN" fleet rollup "${range[@]}" >/dev/null || exit 1
figure "top 20 of a service, a day, from the rollup" ms "$(ms_of "$KILN" fleet top "${range[@]}" --where service_name=busy)"
