#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What kiln sends as OpenTelemetry profiles is what the profile says, to other readers: a decoder of the
# test's own, OpenTelemetry's classes, and a Collector.
#
# KILN_TEST_OTEL_PYTHON: a python3 that has opentelemetry-proto 1.45 (default: python3).
# KILN_TEST_OTELCOL: a Collector with the components otlp, file and debug.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"

otlp() {
	"${python:-python3}" "$SRC/tests/lib/otlp.py" "$@"
}

# Several services, inlined calls, a function that calls itself, the kernel, and a name in two files.
make_profile() {
	{
		printf '3\tservice_name=web comm=a pid=7\tmain|/bin/web\twork|/bin/web\tinner|^\n'
		printf '4\tservice_name=web comm=b pid=8\tmain|/bin/web\twork|/bin/web\twork|/bin/web\n'
		printf '5\tservice_name=db comm=db pid=9\tmain|/bin/db\tread|/lib/libc.so.6\tsys_read|[kernel.kallsyms]\n'
		printf '6\tcomm=cron pid=10\tmain|/bin/cron\tr\xc3\xa9sum\xc3\xa9<a;b>|/bin/cron\n'
	} | python3 "$SRC/tests/lib/make_profile.py" >p.pb
}

# A recording of the demo where BPF works: thousands of frames, with inlined ones.
some_profiles() {
	make_profile
	echo p.pb
	if [ -n "$BPF_WORKS" ]; then
		"$KILN" record -q -o r.pb.gz -- "$WORKLOADS/demo" 2 >out
		echo r.pb.gz
	fi
}

# FILE: its requests are in FILE.d
encode() {
	mkdir -p "$1.d"
	"$BUILD/otlp_write" "$1" "$1.d" >"$1.d/sizes"
	[ -s "$1.d/sizes" ] || fail "no request of $1"
}

test_functions_weigh_the_same() {
	need python3
	local file
	for file in $(some_profiles); do
		encode "$file"
		otlp totals --pprof "$file" >wanted
		otlp totals "$file".d/*.pb >got
		assert_at_least "functions of $file" "$(wc -l <wanted)" 6
		diff wanted got || fail "$file weighs something else as OTLP"
	done
	otlp services p.pb.d/*.pb >services
	printf '6 cron\n5 db\n7 web\n' | diff - services || fail "services"
}

need_official() {
	python=${KILN_TEST_OTEL_PYTHON:-python3}
	"$python" -c 'from opentelemetry.proto.profiles.v1development import profiles_pb2' 2>/dev/null ||
		skip "no opentelemetry-proto (pip install opentelemetry-proto; KILN_TEST_OTEL_PYTHON)"
}

test_official_classes_agree() {
	need_official
	local file request
	for file in $(some_profiles); do
		encode "$file"
		otlp totals --pprof "$file" >wanted
		for request in "$file".d/*.pb; do
			otlp rules "$request" >broken || { sed 's/^/#   /' broken && fail "$request breaks rules"; }
		done
		otlp totals --official "$file".d/*.pb >got
		diff wanted got || fail "$file weighs something else to OpenTelemetry's classes"
	done
}

# Two free ports: of HTTP and of gRPC.
start_collector() {
	http=$((20000 + RANDOM % 10000))
	grpc=$((http + 1))
	cat >c.yaml <<-YAML
		receivers: {otlp: {protocols: {grpc: {endpoint: 127.0.0.1:$grpc}, http: {endpoint: 127.0.0.1:$http}}}}
		exporters: {file: {path: $PWD/profiles.json, flush_interval: 100ms}}
		service:
		  telemetry: {metrics: {level: none}}
		  pipelines: {profiles: {receivers: [otlp], exporters: [file]}}
	YAML
	start "$KILN_TEST_OTELCOL" --config c.yaml --feature-gates=+service.profilesSupport >col.log 2>&1
	wait_until 30 grep -q "Everything is ready" col.log
}

need_collector() {
	[ -n "${KILN_TEST_OTELCOL:-}" ] || skip "no Collector (KILN_TEST_OTELCOL=its path)"
	"$KILN_TEST_OTELCOL" components 2>/dev/null | grep -qw file ||
		skip "this Collector has no file exporter"
}

# FILE HOW: what the Collector wrote of its requests, which are the last, weighs what the file does.
assert_collected() {
	local n
	n=$(ls "$1".d/*.pb | wc -l)
	sent=$((sent + n))
	wait_until 10 eval '[ "$(wc -l <profiles.json)" -eq "$sent" ]'
	tail -n "$n" profiles.json >last.json
	otlp totals --json last.json >got
	diff wanted got || fail "$1 weighs something else in the Collector, by $2"
}

test_a_collector_takes_it() {
	need_collector
	need curl
	local file request sent=0
	local method=opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export
	start_collector
	for file in $(some_profiles); do
		encode "$file"
		otlp totals --pprof "$file" >wanted
		for request in "$file".d/*.pb; do
			curl -sf -H 'Content-Type: application/x-protobuf' -H 'Content-Encoding: gzip' \
				--data-binary "@$request.gz" "http://127.0.0.1:$http/v1development/profiles" >answer
			printf '\x0a\x00' | cmp - answer || fail "another answer than full success"
		done
		assert_collected "$file" HTTP
		for request in "$file".d/*.grpc; do
			curl -sfv --http2-prior-knowledge -H 'Content-Type: application/grpc+proto' \
				-H 'TE: trailers' --data-binary "@$request" -o answer \
				"http://127.0.0.1:$grpc/$method" 2>headers
			assert_match "status" headers '< grpc-status: 0'
		done
		assert_collected "$file" gRPC
	done
}

run_tests "$@"
