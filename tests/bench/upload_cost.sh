#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an agent's uploads cost: CPU time of the process that sends, a window each 10 s at 19 Hz to one destination of
# each protocol, the host busy. OLD=path/to/kiln measures an older kiln beside it, in the same minutes.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 curl
SECONDS_MEASURED=${SECONDS_MEASURED:-120}

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

agents=()
stop() {
	kill "${agents[@]}" "$server" 2>/dev/null
	wait "${agents[@]}" "$server" 2>/dev/null
	end_load
	rm -rf "$T"
}
trap stop EXIT

python3 "$T/server.py" >"$T/port" &
server=$!
until [ -s "$T/port" ]; do sleep 0.1; done

start_agent() { # NAME KILN SCHEME PORT
	mkdir "$T/$1"
	cat >"$T/$1/kiln.yaml" <<EOF
store: {path: $T/$1/store}
http: {listen: "127.0.0.1:$4"}
upload: [{name: to, url: "$3://127.0.0.1:$(cat "$T/port")"}]
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

measure() { # SCHEME PORT
	local scheme=$1 port=$2 names=(new) name
	start_agent new "$KILN" "$scheme" "$port"
	[ -z "${OLD:-}" ] || { names+=(old) && start_agent old "$OLD" "$scheme" $((port + 1)); }
	sleep 45
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
measure otlp+http 17690
measure pyroscope+http 17692
