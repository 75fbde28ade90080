#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln with real servers: a Collector, a strict S3 server, Prometheus, and nginx before stores.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

export AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK AWS_REGION=us-east-1

# The tables of the protocol server, asked of the real ones: what it restates is so.
test_the_collector_answers_as_the_table_says() {
	start_store pprof
	start_collector
	STORE_GRPC_URL=http://127.0.0.1:$otel_grpc \
		"$STORE_PYTHON" "$SRC/tests/lib/store_table.py" otlp "http://127.0.0.1:$otel_http" >rows ||
		{ grep '^not ok' rows | sed 's/^/# /' && fail "the Collector differs"; }
	assert_at_least "rows" "$(grep -c '^ok' rows)" 10
}

test_the_s3_server_answers_as_the_table_says() {
	start_s3
	"$STORE_PYTHON" "$SRC/tests/lib/store_table.py" s3 "http://127.0.0.1:$s3_port/prof" >rows ||
		{ grep '^not ok' rows | sed 's/^/# /' && fail "versitygw differs"; }
	assert_at_least "rows" "$(grep -c '^ok' rows)" 7
}

hottest() { # FILE of totals: the name with the largest self
	sort -t '	' -k 1,1nr "$1" | head -n 1 | cut -f 3
}

# By both of its receivers, and from there to a server that can be asked.
test_push_through_a_collector() {
	local url
	need_push
	start_store otlp
	start_collector
	make_many_stacks 1000 p.pb.gz
	sent_totals p.pb.gz >sent
	for url in "otlp+http://127.0.0.1:$otel_http" "otlp+grpc://127.0.0.1:$otel_grpc"; do
		clear_store
		assert_status 0 "$KILN" push p.pb.gz --to "$url"
		wait_until 20 grep -qF "$(hottest sent)" collector.log
		if [ -n "$otel_forwards" ]; then
			wait_until 20 has_profiles otlp 1
			got_totals otlp >got
			cmp sent got || fail "$url: totals differ behind the Collector"
		fi
	done
}

test_push_to_a_strict_s3_server() {
	need_push
	start_s3
	make_many_stacks 500 p.pb.gz
	assert_status 0 "$KILN" push p.pb.gz --to "s3+http://127.0.0.1:$s3_port/prof/fleet"
	# Objects are plain files of versitygw.
	find gw/prof/fleet -type f >objects
	assert_at_least "objects" "$(wc -l <objects)" 1
	sent_totals p.pb.gz >sent
	# shellcheck disable=SC2046
	sent_totals $(cat objects) >got
	cmp sent got || fail "totals differ"
	assert_status 1 env AWS_SECRET_ACCESS_KEY=wrong "$KILN" push p.pb.gz --to "s3+http://127.0.0.1:$s3_port/prof/fleet"
	assert_match "says what it answered" err '403'
	assert_no_match "no secret" err wrong
	assert_status 1 "$KILN" push p.pb.gz --to "s3+http://127.0.0.1:$s3_port/nothing-there"
	assert_match "says what it answered" err '404'
}

configure() { # lines of upload's entries on stdin
	{ echo upload: && cat; } >kiln.yaml
}

front_ports() {
	http_front=$(free_port) grpc_front=$(free_port) basic_front=$(free_port) client_front=$(free_port)
}

# Before pyroscope a token is wanted, before parca nothing; otlp is behind a password, and behind a certificate.
start_fronts() {
	make_certificates
	front_ports
	basic_auth_file kiln secret-word >nginx.users
	# shellcheck disable=SC2016 # nginx's variables
	{
		nginx_front "$http_front" http "$(store_port pyroscope)" \
			'if ($http_authorization != "Bearer secret-token") { return 401; }'
		nginx_front "$grpc_front" grpc "$(store_port parca)"
		nginx_front "$basic_front" http "$(store_port otlp)" 'auth_basic x;' "auth_basic_user_file $T/nginx.users;"
		nginx_front "$client_front" grpc "$(store_port otlp)" 'ssl_verify_client on;' "ssl_client_certificate $T/tls/ca.pem;"
	} | start_nginx
}

# Of what nginx does itself, by curl.
test_the_fronts_behave() {
	local push=push.v1.PusherService/Push status
	start_store pyroscope parca otlp
	start_fronts
	status() { # CURL_OPTION...
		curl -s --max-time 10 -D head -o body -w '%{http_code}' --cacert tls/ca.pem -X POST "$@" || true
	}
	assert_eq "no token" "$(status "https://127.0.0.1:$http_front/$push")" 401
	assert_eq "a token" "$(status -H 'Authorization: Bearer secret-token' -H 'Content-Type: application/proto' "https://localhost:$http_front/$push")" 200
	assert_eq "no password" "$(status "https://127.0.0.1:$basic_front/v1development/profiles")" 401
	assert_eq "a password" "$(status -u kiln:secret-word -H 'Content-Type: application/x-protobuf' "https://127.0.0.1:$basic_front/v1development/profiles")" 200
	assert_eq "no certificate" "$(status "https://127.0.0.1:$client_front/")" 400
	assert_status 60 curl -s --max-time 10 "https://127.0.0.1:$http_front/"
	printf '\0\0\0\0\0' >empty
	status --data-binary @empty -H 'Content-Type: application/grpc+proto' -H 'TE: trailers' \
		"https://127.0.0.1:$grpc_front/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw" >status
	assert_match "gRPC by ALPN" head '^grpc-status: 0'
	status --data-binary @empty --cert tls/client.pem --key tls/client.key -H 'Content-Type: application/grpc+proto' -H 'TE: trailers' \
		"https://127.0.0.1:$client_front/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export" >status
	assert_match "gRPC with a certificate" head '^grpc-status: 0'
}

# TLS of a CA of one's own, a token, a password, a client certificate, and gRPC by ALPN.
test_push_through_nginx() {
	local name
	need_push
	start_store pyroscope parca otlp
	start_fronts
	echo secret-token >token && echo secret-word >password && echo no-token >wrong
	chmod 600 token password wrong
	configure <<-END
		- {name: bearer, url: "pyroscope+https://127.0.0.1:$http_front", ca_file: $T/tls/ca.pem, token_file: $T/token}
		- {name: wrong, url: "pyroscope+https://127.0.0.1:$http_front", ca_file: $T/tls/ca.pem, token_file: $T/wrong}
		- {name: grpc, url: "parca+https://localhost:$grpc_front", ca_file: $T/tls/ca.pem}
		- {name: basic, url: "otlp+https://127.0.0.1:$basic_front", ca_file: $T/tls/ca.pem, username: kiln, password_file: $T/password}
		- {name: client, url: "otlp+grpcs://127.0.0.1:$client_front", ca_file: $T/tls/ca.pem, cert_file: $T/tls/client.pem, key_file: $T/tls/client.key}
		- {name: stranger, url: "pyroscope+https://127.0.0.1:$http_front", token_file: $T/token}
	END
	make_many_stacks 300 p.pb.gz
	sent_totals p.pb.gz >sent
	for name in bearer:pyroscope grpc:parca basic:otlp client:otlp; do
		clear_store
		assert_status 0 "$KILN" push p.pb.gz -c kiln.yaml --to "${name%:*}"
		got_totals "${name#*:}" >got
		cmp sent got || fail "${name%:*}: totals differ"
	done
	assert_status 1 "$KILN" push p.pb.gz -c kiln.yaml --to wrong
	assert_match "a wrong token" err '401'
	assert_no_match "no secret is shown" err 'no-token'
	assert_status 1 "$KILN" push p.pb.gz -c kiln.yaml --to stranger
	assert_match "an unknown CA" err '[Cc]ertificate|TLS'
}

# What the agent says of its deliveries is well-formed, and Prometheus takes it.
test_prometheus_scrapes_an_agent_that_uploads() {
	local port metrics
	need_bpf
	need_push
	need_real prometheus
	need_real promtool
	start_store pyroscope
	port=$(free_port) metrics=$(free_port)
	cat >kiln.yaml <<-END
		window: 1s
		http: {listen: "127.0.0.1:$port"}
		upload: [{name: here, url: "$(url_of pyroscope)"}]
	END
	start "$KILN" agent --store "$T/store" -c kiln.yaml 2>log
	wait_until 30 curl -sf "http://127.0.0.1:$port/-/ready"
	wait_until 30 has_profiles pyroscope 1
	curl -sSf "http://127.0.0.1:$port/metrics" >page
	promtool check metrics <page
	cat >p.yml <<-END
		global: {scrape_interval: 1s}
		scrape_configs: [{job_name: kiln, static_configs: [{targets: ["127.0.0.1:$port"]}]}]
	END
	start prometheus --config.file=p.yml --storage.tsdb.path=./data --web.listen-address="127.0.0.1:$metrics" 2>prometheus.log
	wait_until 30 sh -c "curl -sf 'http://127.0.0.1:$metrics/api/v1/query?query=up' | jq -e '.data.result[0].value[1] == \"1\"'"
	wait_until 30 sh -c "curl -sfG http://127.0.0.1:$metrics/api/v1/query --data-urlencode 'query={__name__=~\"kiln_upload.*\"}' |
		jq -e '.data.result | length > 0'"
}

run_tests "$@"
