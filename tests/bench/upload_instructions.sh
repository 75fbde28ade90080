#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the agent's uploader costs for a window of 10 s: CPU time, instructions (with valgrind), bytes. One run for each of
# DESTS (pyroscope parca otlp_http otlp_grpc clickhouse), with batches of 60 s for ClickHouse. Windows are those of the
# store WINDOWS; without it an agent records MINUTES (5) under load. Servers answer and store next to nothing.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 pkg-config
MINUTES=${MINUTES:-5}
DESTS=${DESTS:-pyroscope parca otlp_http otlp_grpc clickhouse}

record_windows() {
	WINDOWS=$T/recorded
	mkdir -m 750 "$WINDOWS"
	start_load
	timeout -s TERM $((MINUTES * 60)) "$KILN" agent --store "$WINDOWS" --listen off --cpu-limit 50% \
		2>"$T/agent.log"
	end_load
}

# Both are ended with the benchmark, as a load is.
start_servers() {
	mkdir "$T/server"
	/usr/bin/python3 "$SRC/tests/lib/profile_store" serve "$T/server" pyroscope parca otlp 2>"$T/server.log" &
	load+=($!)
	python3 "$SRC/tests/bench/clickhouse_yes.py" "$T/clickhouse" \
		"$(awk '$2 == "CH_SCHEMA" { print $3 }' "$SRC/profiler/clickhouse/ch_schema.h")" &
	load+=($!)
	for ((i = 0; i < 100; i++)); do
		[ ! -s "$T/server/ports" ] || [ ! -s "$T/clickhouse" ] || return
		sleep 0.1
	done
	echo "upload_instructions: the servers do not start" >&2 && exit 1
}

port() { # NAME
	awk -v name="$1" '$1 == name { print $2 }' "$T/server/ports"
}

url_of() { # DEST
	case $1 in
	pyroscope | parca) echo "$1+http://127.0.0.1:$(port "$1")" ;;
	otlp_*) echo "otlp+${1#otlp_}://127.0.0.1:$(port otlp)" ;;
	clickhouse) echo "clickhouse+http://127.0.0.1:$(cat "$T/clickhouse")/kiln" ;;
	*) echo "upload_instructions: no destination $1" >&2 && exit 2 ;;
	esac
}

value() { # KEY
	awk -v key="$1" '$1 == key { print $2 }' "$T/out"
}

run() { # DEST [WRAPPER...]
	local url batch=0
	url=$(url_of "$1") || exit 2
	[ "$1" != clickhouse ] || batch=60
	rm -rf "$T/store"
	"${@:2}" "$T/upload_instructions" "$WINDOWS" "$T/store" "$url" $batch >"$T/out" || exit 1
}

instructions() { # DEST: in millions, of a window
	run "$1" valgrind --tool=callgrind --collect-atstart=no --toggle-collect=measured \
		--callgrind-out-file="$T/callgrind" 2>"$T/valgrind"
	awk -v n="$(value windows)" '/Collected/ { print $NF / n / 1e6 }' "$T/valgrind"
}

# shellcheck disable=SC2046
cc -g -D_GNU_SOURCE -std=gnu11 -O2 -I"$SRC" -I"$SRC/$B" -o "$T/upload_instructions" "$SRC/tests/bench/upload_instructions.c" \
	"$SRC/$B/libkiln.a" $(pkg-config --libs libelf libdw libunwind-generic libprotobuf-c libzstd zlib libdeflate \
		liblzma libbpf sqlite3) -liberty -lpthread -ldl -lm || exit 1
[ -n "${WINDOWS:-}" ] || record_windows
start_servers
for dest in $DESTS; do
	run "$dest"
	figure "$dest: a window: CPU" ms "$(value cpu_ms_a_window)"
	figure "$dest: a window: bytes sent" KB "$(awk -v b="$(value bytes)" -v n="$(value windows)" \
		'BEGIN { print b / n / 1000 }')"
	! command -v valgrind >/dev/null || figure "$dest: a window: instructions" million "$(instructions "$dest")"
done
