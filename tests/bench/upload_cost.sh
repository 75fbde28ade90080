#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an agent's uploads cost: CPU time of the process that sends, a window each 10 s at 19 Hz to one destination of
# each protocol, the host busy; to ClickHouse, where it is installed, a batch a minute. OLD=path/to/kiln measures an
# older kiln beside it, in the same minutes. UPLOAD_SCHEMES: those that are measured.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
need python3 curl
SECONDS_MEASURED=${SECONDS_MEASURED:-120}
UPLOAD_SCHEMES=${UPLOAD_SCHEMES:-otlp pyroscope clickhouse}

# Takes everything.
cat >"$T/server.py" <<'EOF'
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-type", self.headers.get("content-type", ""))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
EOF

agents=() servers=()
stop() {
	kill "${agents[@]}" "${servers[@]}" 2>/dev/null
	wait "${agents[@]}" "${servers[@]}" 2>/dev/null
	end_load
	rm -rf "$T"
}
trap stop EXIT

python3 "$T/server.py" >"$T/port" &
servers+=($!)
until [ -s "$T/port" ]; do sleep 0.1; done

start_clickhouse_server() {
	local port
	port=$(ch_free_port)
	declare -g "ch_port_ch=$port"
	ch_config ch "$port"
	"$(clickhouse_server)" --config-file="$T/ch/c.xml" >"$T/ch/out" 2>&1 &
	servers+=($!)
	until curl -sf "http://127.0.0.1:$port/ping" >"$T/ping"; do sleep 0.1; done
	"$KILN" fleet init "$(ch_url)" >"$T/init"
}

start_agent() { # NAME KILN URL PORT
	mkdir "$T/$1"
	cat >"$T/$1/kiln.yaml" <<EOF
store: {path: $T/$1/store}
http: {listen: "127.0.0.1:$4"}
upload: [{name: to, url: "$3"}]
EOF
	"$2" agent -c "$T/$1/kiln.yaml" 2>"$T/$1/log" &
	agents+=($!)
	echo "$! $4" >"$T/$1/agent"
}

# "CPU_MS WINDOWS" so far
sent() { # NAME
	local pid port uploader
	read -r pid port <"$T/$1/agent"
	uploader=$(pgrep -x -P "$pid" kiln-uploader)
	echo "$(awk '{ print $1 / 1e6 }' "/proc/$uploader/schedstat")" \
		"$(curl -s "127.0.0.1:$port/metrics" | awk '/^kiln_upload_windows_total.*delivered/ { print $2 }')"
}

per_window() { # NAME
	paste -d ' ' "$T/$1/before" "$T/$1/after" | awk '{ print ($3 - $1) / ($4 - $2) }'
}

measure() { # SCHEME URL PORT
	local scheme=$1 port=$3 names=(new) name
	start_agent new "$KILN" "$2" "$port"
	[ -z "${OLD:-}" ] || { names+=(old) && start_agent old "$OLD" "$2" $((port + 1)); }
	sleep 70
	for name in "${names[@]}"; do sent "$name" >"$T/$name/before"; done
	sleep "$SECONDS_MEASURED"
	for name in "${names[@]}"; do sent "$name" >"$T/$name/after"; done
	kill "${agents[@]}" && wait "${agents[@]}" 2>/dev/null
	agents=()
	figure "$scheme, % of a CPU at a window in 10 s" "%" "$(awk "BEGIN { print $(per_window new) / 100 }")"
	[ -z "${OLD:-}" ] || result "$scheme, CPU of a window" ms "$(per_window new)" before "$(per_window old)"
	rm -rf "$T/new" "$T/old"
}

start_load
port=17690
for scheme in $UPLOAD_SCHEMES; do
	case $scheme in
	clickhouse)
		[ -n "$(clickhouse_server)" ] || continue
		start_clickhouse_server
		url=$(ch_url)
		;;
	*) url="$scheme+http://127.0.0.1:$(cat "$T/port")" ;;
	esac
	measure "$scheme" "$url" $((port += 2))
done
