# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# For tests of delivery: the protocol server (tests/lib/profile_store), real stores, fronts, and what they got.
# Everything listens on 127.0.0.1 and is ended with the test.

# Debian's Python: its python3-h2 speaks HTTP/2.
STORE_PYTHON=${STORE_PYTHON:-/usr/bin/python3}
STORE_SERVER=$SRC/tests/lib/profile_store
STORES=${STORES:-$SRC/build/stores}

start_store() { # [OPTION...] [NAME=]KIND...
	need curl "$STORE_PYTHON"
	"$STORE_PYTHON" -c 'import h2' 2>/dev/null || fail "python3-h2 is missing: run tools/install-deps --test"
	store_args=("$@")
	start "$STORE_PYTHON" "$STORE_SERVER" serve "$T/server" "$@" 2>>server.log
	store_pid=$started
	wait_until 20 test -s "$T/server/ports"
	wait_until 20 curl -sf "$(control)/test/counts"
}

# As after a power cut of the server's machine: with --journal nothing that it accepted is lost.
kill_store() {
	kill -KILL "$store_pid"
	wait "$store_pid" 2>/dev/null || true
}

restart_store() {
	start "$STORE_PYTHON" "$STORE_SERVER" serve "$T/server" "${store_args[@]}" 2>>server.log
	store_pid=$started
	wait_until 20 curl -sf "$(control)/test/counts"
}

store_port() { # NAME
	awk -v name="$1" '$1 == name { print $2 }' "$T/server/ports"
}

control() {
	echo "http://127.0.0.1:$(store_port control)"
}

ask_server() { # "totals?dest=pyroscope"
	curl -sSf --max-time 60 "$(control)/test/$1"
}

fault() { # JSON, as tests/lib/profile_store/faults.py says; "": none
	if [ -n "$1" ]; then
		curl -sSf -X PUT -d "$1" "$(control)/test/fault"
	else
		curl -sSf -X DELETE "$(control)/test/fault"
	fi
}

set_store() { # JSON: {"pyroscope": {"multitenancy": true}}
	curl -sSf -X PUT -d "$1" "$(control)/test/set"
}

clear_store() {
	curl -sSf -X PUT "$(control)/test/clear"
}

store_count() { # DEST COUNTER
	ask_server "counts?dest=$1" | awk -F'\t' -v name="$2" '$2 == name { n = $3 } END { print n + 0 }'
}

has_profiles() { # DEST AT_LEAST
	[ "$(store_count "$1" profiles)" -ge "$2" ]
}

# What was sent, and what the server has, as lines of self, total and name.
sent_totals() { # FILE...
	"$STORE_PYTHON" "$STORE_SERVER" totals "$@"
}

got_totals() { # DEST
	ask_server "totals?dest=$1"
}

# A file at another time: servers refuse old ones.
retime() { # IN OUT [SECONDS AGO]
	"$STORE_PYTHON" "$STORE_SERVER" retime --ago "${3:-30}" "$1" "$2"
}

# A profile with that many stacks over five modules, 10 to 40 frames deep.
make_many_stacks() { # STACKS OUT [COMM]
	awk -v n="$1" -v comm="${3:-many}" 'BEGIN {
		srand(7)
		for (i = 0; i < n; i++) {
			line = 1 + int(rand() * 9) "\tcomm=" comm " pid=" 100 + i % 3
			depth = 10 + int(rand() * 30)
			for (d = 0; d < depth; d++)
				line = line "\tf_" d "_" int(rand() * (2 + d)) "|/usr/lib/lib" d % 5 ".so"
			print line
		}
	}' | python3 "$SRC/tests/lib/make_profile.py" >"$2.old"
	retime "$2.old" "$2"
}

# N windows of some stacks each, ten seconds apart, as p.1.pb.gz and so on.
make_windows() { # N STACKS
	local i
	make_many_stacks "$2" base.pb.gz
	for ((i = 1; i <= $1; i++)); do
		retime base.pb.gz "p.$i.pb.gz" $((3600 - 10 * i))
	done
}

# What gets this far can be sent to: kiln push is there.
need_push() {
	"$KILN" push --help >/dev/null 2>&1 || skip "this kiln has no push"
}

scheme_of() { # KIND
	case $1 in
	otlp | otlp-pyroscope) echo otlp+http ;;
	grpc) echo otlp+grpc ;;
	*) echo "$1+http" ;;
	esac
}

# The URL that kiln push takes; grpc is OTLP over gRPC to the destination otlp.
url_of() { # KIND [NAME]
	local name=${2:-$1}
	[ "$name" != grpc ] || name=otlp
	case $1 in
	s3) echo "s3+http://127.0.0.1:$(store_port "$name")/prof" ;;
	pprof) echo "pprof+http://127.0.0.1:$(store_port "$name")/profiles" ;;
	*) echo "$(scheme_of "$1")://127.0.0.1:$(store_port "$name")" ;;
	esac
}

# --- real ones, as tests/stores/get left them ---
need_real() { # NAME
	[ -e "$STORES/missing/$1" ] && skip "$(cat "$STORES/missing/$1")"
	[ -x "$(real "$1")" ] || skip "no $1 in $STORES (not got): run make test-stores"
}

real() { # NAME: its path
	if [ "$1" = otelcol ] && [ -n "${KILN_TEST_OTELCOL:-}" ]; then
		echo "$KILN_TEST_OTELCOL"
	elif [ -x "$STORES/bin/$1" ]; then
		echo "$STORES/bin/$1"
	else
		command -v "$1" || true
	fi
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

is_listening() { # PORT
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

start_s3() { # versitygw with the bucket prof: $s3_port, key AK, secret SK
	need_real versitygw
	s3_port=$(free_port)
	mkdir -p gw/prof
	start env ROOT_ACCESS_KEY=AK ROOT_SECRET_KEY=SK "$(real versitygw)" --port "127.0.0.1:$s3_port" posix ./gw >gw.log 2>&1
	wait_until 20 is_listening "$s3_port"
}

# What it gets goes to its log, and to the protocol server's destination otlp if the collector can forward.
start_collector() { # $otel_http, $otel_grpc, $otel_forwards
	local exporters=debug
	need_real otelcol
	otel_http=$(free_port) otel_grpc=$(free_port) otel_forwards=
	{
		echo "receivers: {otlp: {protocols: {grpc: {endpoint: 127.0.0.1:$otel_grpc}, http: {endpoint: 127.0.0.1:$otel_http}}}}"
		echo "exporters:"
		echo "  debug: {verbosity: detailed}"
		if "$(real otelcol)" components | grep -qE 'name: otlp_?http$' && [ -n "$(store_port otlp)" ]; then
			otel_forwards=1
			exporters="debug, otlp_http"
			echo "  otlp_http: {endpoint: 'http://127.0.0.1:$(store_port otlp)', compression: none}"
		fi
		echo "service: {telemetry: {metrics: {level: none}}, pipelines: {profiles: {receivers: [otlp], exporters: [$exporters]}}}"
	} >collector.yaml
	start "$(real otelcol)" --config collector.yaml --feature-gates=+service.profilesSupport >collector.log 2>&1
	wait_until 30 is_listening "$otel_http"
	wait_until 30 is_listening "$otel_grpc"
}

# --- nginx as front: TLS, credentials, gRPC ---
make_certificates() { # tls/ca.pem, server.pem, server.key, client.pem, client.key
	need openssl
	mkdir -p tls
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=a test CA' -keyout tls/ca.key -out tls/ca.pem 2>/dev/null
	local name
	for name in server client; do
		openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "tls/$name.key" -out "tls/$name.csr" 2>/dev/null
		openssl x509 -req -in "tls/$name.csr" -CA tls/ca.pem -CAkey tls/ca.key -CAcreateserial -days 2 \
			-extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "tls/$name.pem" 2>/dev/null
	done
}

# Each front is a server {} of nginx before a destination of the protocol server: `http` or `grpc` passes on.
nginx_front() { # PORT http|grpc UPSTREAM_PORT [DIRECTIVE...]
	local port=$1 how=$2 upstream=$3 pass="proxy_pass http://127.0.0.1:$3;"
	shift 3
	[ "$how" = http ] || pass="grpc_pass grpc://127.0.0.1:$upstream;"
	cat <<-END
		server {
			listen 127.0.0.1:$port ssl http2;
			ssl_certificate $T/tls/server.pem;
			ssl_certificate_key $T/tls/server.key;
			$(printf '%s\n' "$@")
			location / {
				$pass
			}
		}
	END
}

start_nginx() { # CONFIGURATION of servers on stdin
	need nginx
	mkdir -p nginx
	{
		printf 'pid %s/nginx/pid;\nerror_log %s/nginx/error.log;\nworker_processes 1;\ndaemon off;\n' "$T" "$T"
		[ "$(id -u)" -ne 0 ] || echo 'user root;'
		printf 'events {}\nhttp {\n\taccess_log %s/nginx/access.log;\n\tclient_max_body_size 0;\n' "$T"
		local what
		for what in client_body proxy fastcgi uwsgi scgi; do
			echo "	${what}_temp_path $T/nginx/$what;"
		done
		cat
		echo '}'
	} >nginx/nginx.conf
	start nginx -p "$T/nginx" -c "$T/nginx/nginx.conf" 2>nginx/stderr
	wait_until 20 test -s nginx/pid
}

basic_auth_file() { # USER PASSWORD
	echo "$1:$(openssl passwd -apr1 "$2")"
}
