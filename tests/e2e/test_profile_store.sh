#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The protocol server itself: it answers as real stores were seen to, breaks as it is told, and forgets nothing.
# KILN_TEST_PYROSCOPE=URL, KILN_TEST_PARCA=URL: the same table is asked of real servers.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

table() { # KIND URL [--stub]
	make_many_stacks 800 many.pb.gz
	"$STORE_PYTHON" "$SRC/tests/lib/store_table.py" "$@" many.pb.gz >rows || {
		grep '^not ok' rows | sed 's/^/# /'
		fail "the server differs from what real ones answer"
	}
	assert_at_least "rows of the table" "$(grep -c '^ok' rows)" 8
}

stub_table() { # KIND [OPTION...]
	local kind=$1 path=
	shift
	start_store "$@" "$kind"
	[ "$kind" != s3 ] || path=/prof
	table "$kind" "http://127.0.0.1:$(store_port "$kind")$path" --stub
}

# The burst is a matter of its own: one row is over it, and the rest is more than 2 MB in a second.
test_answers_as_pyroscope() {
	stub_table pyroscope --set '{"pyroscope": {"limits": {"rate": 1000000000}}}'
}

test_answers_as_parca() {
	stub_table parca --set '{"parca": {"read_timeout_s": 1}}'
}

test_answers_as_a_collector() {
	stub_table otlp
}

test_answers_as_pyroscope_over_otlp() {
	stub_table otlp-pyroscope
}

test_answers_as_a_strict_s3_server() {
	stub_table s3
}

test_a_real_pyroscope() {
	[ -n "${KILN_TEST_PYROSCOPE:-}" ] || skip "KILN_TEST_PYROSCOPE is not set"
	table pyroscope "$KILN_TEST_PYROSCOPE"
}

test_a_real_parca() {
	[ -n "${KILN_TEST_PARCA:-}" ] || skip "KILN_TEST_PARCA is not set"
	table parca "$KILN_TEST_PARCA"
}

put_profile() { # FILE [CURL_OPTION...]: prints the status, 000 where there is none
	local file=$1
	shift
	curl -s -o answer -w '%{http_code}' -H Expect: --max-time 5 -T "$file" "$@" "http://127.0.0.1:$(store_port pprof)/x.pb.gz" || true
}

pprof_server() {
	start_store "$@" pprof
	make_many_stacks 50 p.pb.gz
}

test_totals_are_those_of_the_file() {
	pprof_server
	assert_eq "status" "$(put_profile p.pb.gz)" 200
	sent_totals p.pb.gz >sent
	got_totals pprof >got
	cmp sent got || fail "totals differ"
	assert_at_least "functions" "$(wc -l <got)" 100
	# An oracle of another hand: the other decoder of the tests.
	gunzip -kc p.pb.gz >p.pb
	python3 "$SRC/tests/lib/profile.py" samples p.pb | awk -F'\t' '{ n += $2 } END { printf "%.0f\n", n }' >sum
	assert_eq "sum" "$(awk -F'\t' '{ n += $1 } END { printf "%.0f\n", n }' got)" "$(cat sum)"
	assert_eq "duplicates" "$(ask_server duplicates)" 0
	put_profile p.pb.gz >/dev/null
	assert_eq "duplicates" "$(ask_server duplicates)" 1
	ask_server 'totals?distinct=1' >once
	cmp sent once || fail "what came twice counts twice"
}

test_faults_of_answers() {
	pprof_server
	fault '{"kind": "status", "status": 429, "retry_after": 7, "count": 2}'
	assert_eq "first" "$(put_profile p.pb.gz -D head)" 429
	assert_match "Retry-After" head '^retry-after: 7'
	assert_eq "second" "$(put_profile p.pb.gz)" 429
	assert_eq "third" "$(put_profile p.pb.gz)" 200
	fault '{"kind": "status", "status": 503, "retry_after": "date:60"}'
	assert_eq "status" "$(put_profile p.pb.gz -D head)" 503
	assert_match "a date" head '^retry-after: [A-Z][a-z]{2}, [0-9]+ .* GMT'
	fault '{"kind": "html"}'
	put_profile p.pb.gz -D head >status
	assert_match "HTML" head '^content-type: text/html'
	fault '{"kind": "garbage"}'
	assert_eq "garbage" "$(put_profile p.pb.gz)" 000
	fault '{"kind": "cut_answer"}'
	# 18 of curl: a part of the body is missing.
	assert_status 18 curl -sS --max-time 5 -H Expect: -T p.pb.gz "http://127.0.0.1:$(store_port pprof)/x"
	fault ''
	assert_eq "mended" "$(put_profile p.pb.gz)" 200
	assert_eq "a wrong fault" "$(curl -s -o /dev/null -w '%{http_code}' -X PUT -d '{"kind": "nonsense"}' "$(control)/test/fault")" 400
}

test_faults_of_connections() {
	local before
	pprof_server
	for kind in '"stall_read"' '"reset_read", "bytes": 200' '"reset_accept"' '"stall"'; do
		fault "{\"kind\": $kind}"
		assert_eq "$kind" "$(put_profile p.pb.gz --max-time 1)" 000
	done
	assert_eq "nothing is stored" "$(store_count pprof profiles)" 0
	fault '{"kind": "reset_answer"}'
	assert_eq "taken, then reset" "$(put_profile p.pb.gz)" 000
	assert_eq "taken" "$(store_count pprof profiles)" 1
	before=$(date +%s%N)
	fault "{\"kind\": \"slow_read\", \"bytes_per_s\": $(($(stat -c %s p.pb.gz) / 2 + 1))}"
	assert_eq "slow" "$(put_profile p.pb.gz)" 200
	assert_at_least "seconds" "$(echo "$before $(date +%s%N)" | awk '{ print ($2 - $1) / 1e9 }')" 1.5
	fault '{"kind": "close_after", "requests": 1}'
	curl -s -o /dev/null -o /dev/null -w '%{num_connects}\n' "http://127.0.0.1:$(store_port pprof)/a" "http://127.0.0.1:$(store_port pprof)/b" >connects
	assert_eq "connections" "$(tr '\n' ' ' <connects)" "1 1 "
	fault '{"kind": "gone", "seconds": 1}'
	assert_eq "gone" "$(put_profile p.pb.gz)" 000
	wait_until 5 curl -s "http://127.0.0.1:$(store_port pprof)/"
}

test_faults_of_grpc() {
	local url out
	start_store otlp
	url=http://127.0.0.1:$(store_port otlp)/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export
	printf '\0\0\0\0\0' >empty
	for out in '"grpc", "code": 14, "retry_info_s": 3=^grpc-status: 14' '"status", "status": 502=^HTTP/2 502' \
		'"no_status"=^HTTP/2 200' '"partial", "rejected": 3=^grpc-status: 0' '"html"=^content-type: text/html'; do
		fault "{\"kind\": ${out%%=*}}"
		curl -s --http2-prior-knowledge -D head -o body -H 'Content-Type: application/grpc+proto' -H 'TE: trailers' \
			--data-binary @empty "$url" || true
		assert_match "${out%%=*}" head "${out#*=}"
	done
	fault '{"kind": "no_status"}'
	curl -s --http2-prior-knowledge -D head -o body -H 'Content-Type: application/grpc+proto' --data-binary @empty "$url"
	assert_no_match "no status" head '^grpc-status'
}

test_a_killed_server_knows_what_it_took() {
	start_store --journal pprof pyroscope
	make_many_stacks 50 p.pb.gz
	assert_eq "status" "$(put_profile p.pb.gz)" 200
	got_totals pprof >before
	kill_store
	printf '{"cut by the ki' >>server/journal
	restart_store
	got_totals pprof >after
	cmp before after || fail "totals differ"
	assert_at_least "functions" "$(wc -l <after)" 50
}

test_the_proxy_cuts_at_every_place() {
	local n
	pprof_server
	start "$STORE_PYTHON" "$SRC/tests/lib/fault_proxy.py" "$T/proxy.port" "127.0.0.1:$(store_port pprof)" "$T/rule" >cuts
	wait_until 10 test -s proxy.port
	echo '{"cut_up": 64, "step": 64, "most": 640}' >rule
	for n in 1 2 3 4 5 6 7 8 9 10; do
		assert_eq "cut" "$(curl -s -o /dev/null -w '%{http_code}' -H Expect: -T p.pb.gz "http://127.0.0.1:$(cat proxy.port)/x" || true)" 000
	done
	assert_eq "nothing is stored" "$(store_count pprof profiles)" 0
	assert_eq "behind the last place" "$(curl -s -o /dev/null -w '%{http_code}' -H Expect: -T p.pb.gz "http://127.0.0.1:$(cat proxy.port)/x")" 200
	wait_until 5 test "$(jq -r 'select(.end == "cut up") | .up' cuts | sort -n | tr '\n' ' ')" = \
		"64 128 192 256 320 384 448 512 576 640 "
	echo '{"cut_down": 5}' >rule
	assert_eq "half an answer" "$(curl -s -o /dev/null -w '%{http_code}' -H Expect: -T p.pb.gz "http://127.0.0.1:$(cat proxy.port)/x" || true)" 000
	assert_eq "both are stored" "$(store_count pprof profiles)" 2
}

test_tls_and_certificates_of_clients() {
	make_certificates
	pprof_server --tls tls/server.pem tls/server.key --client-ca tls/ca.pem
	local url
	url=https://127.0.0.1:$(store_port pprof)/x
	assert_eq "no certificate" "$(curl -s --max-time 10 -o /dev/null -w '%{http_code}' --cacert tls/ca.pem -T p.pb.gz "$url" || true)" 000
	assert_eq "with one" "$(curl -s --max-time 10 -o /dev/null -w '%{http_code}' --cacert tls/ca.pem --cert tls/client.pem --key tls/client.key -T p.pb.gz "$url")" 200
	assert_eq "by HTTP/2" "$(ask_server requests | jq -r .version)" HTTP/2
}

run_tests "$@"
