#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What Grafana's Pyroscope data source and profilecli ask, with a real agent behind it.
# KILN_TEST_PROFILECLI=FILE: with that profilecli, too.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

serve() {
	need_bpf
	need curl jq python3
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	url=http://127.0.0.1:$port
	printf 'window: 1s\nsampling: {frequency: 97}\nhttp:\n  listen: 127.0.0.1:%s\n' "$port" >kiln.yaml
	start "$WORKLOADS/deep" 60
	KILN_HTTP_LISTEN='' start_agent -c kiln.yaml
	wait_until 20 curl -sf "$url/-/ready"
	wait_until 20 has_windows 5
}

query() { # METHOD JSON
	curl -sS --max-time 20 -H 'Content-Type: application/json' -H 'Connect-Protocol-Version: 1' \
		-d "$2" "$url/querier.v1.QuerierService/$1"
}

test_what_the_data_source_asks() {
	local now range type='"profile_typeID":"process_cpu:cpu:nanoseconds:cpu:nanoseconds"' total
	serve
	now=$(date +%s)
	range="\"start\":\"$((now - 600))000\",\"end\":\"$((now - 1))000\""
	assert_eq "types" "$(query ProfileTypes "{$range}" | jq -r '.profileTypes[0].ID')" \
		process_cpu:cpu:nanoseconds:cpu:nanoseconds
	query LabelNames "{$range}" | jq -r '.names[]' >names
	assert_match "labels" names '^service_name$'
	assert_eq "services" "$(query LabelValues "{\"name\":\"service_name\",\"matchers\":[\"{comm=\\\"deep\\\"}\"],$range}" |
		jq -r '.names[]')" deep
	query SelectMergeStacktraces "{$type,\"label_selector\":\"{service_name=\\\"deep\\\"}\",$range}" >graph
	total=$(jq -r .flamegraph.total graph)
	assert_at_least "CPU time" "$total" 1000000000
	jq -r '.flamegraph.names[]' graph >names
	assert_match "names" names '^at_the_bottom$'
	# The same sum, by time.
	assert_eq "over time" "$(query SelectSeries "{$type,\"labelSelector\":\"{}\",\"groupBy\":[\"service_name\"],\"step\":15,$range}" |
		jq '[.series[] | select(.labels[0].value == "deep") | .points[].value] | add')" "$total"
	query Series "{\"labelNames\":[\"service_name\"],$range}" | jq -r '.labelsSet[].labels[0].value' >services
	assert_match "series" services '^deep$'
	assert_eq "spans" "$(query SelectMergeSpanProfile "{$type,\"label_selector\":\"{}\",\"span_selector\":[\"9a517183f26a089d\"],$range}" |
		jq -c .flamegraph)" '{"names":["total"]}'
	assert_eq "a wrong selector" "$(query SelectMergeProfile "{$type,\"label_selector\":\"{a\",$range}" | jq -r .code)" \
		invalid_argument
	stop_agent 0
}

test_what_profilecli_asks() {
	local method total
	serve
	for method in SelectMergeProfile SelectMergeStacktraces; do
		python3 "$SRC/tests/lib/profilecli_ask.py" "$port" $method '{service_name="deep"}' $method.pb
		total=$("$KILN" report $method.pb --json | jq .total)
		assert_at_least "$method" "$total" 1000000000
		"$KILN" report $method.pb >out
		assert_match "$method" out at_the_bottom
	done
	if [ -n "${KILN_TEST_PROFILECLI:-}" ]; then
		"$KILN_TEST_PROFILECLI" query profile --url "$url" --from now-10m \
			--query '{service_name="deep"}' --output pprof=cli.pb.gz -f
		assert_at_least "profilecli" "$("$KILN" report cli.pb.gz --json | jq .total)" "$total"
		"$KILN_TEST_PROFILECLI" query series --url "$url" --query '{}' >out
		assert_match "profilecli" out deep
	fi
	stop_agent 0
}

run_tests "$@"
