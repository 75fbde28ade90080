#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent and its stores: all windows arrive at all of them, whatever one of them does.
# KILN_TEST_UPLOAD_KILLS=N: the agent is killed that often while it uploads (3).
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

export AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK AWS_REGION=us-east-1
ALL='pyroscope parca otlp pprof s3'

prepare() { # KIND...
	local kind
	need_bpf
	need_root
	need_push
	start_store --journal pyroscope parca otlp pprof s3
	{
		printf 'window: 1s\nsampling: {frequency: 49}\nupload:\n'
		for kind; do
			echo "  - {name: $kind, url: \"$(url_of "$kind")\"}"
		done
	} >kiln.yaml
	start "$WORKLOADS/shares" 600
}

got_windows() { # DEST
	if [ "$1" = s3 ]; then
		ask_server 'objects?dest=s3' | wc -l
	else
		ask_server "times?dest=$1" | wc -l
	fi
}

has_got() { # DEST AT_LEAST
	[ "$(got_windows "$1")" -ge "$2" ]
}

# Samples of the store's windows, and of those that arrived, each window once.
stored_samples() {
	"$KILN" report --store "$T/store" --json | jq '[.total, .total_ns // 0] | .[0]'
}

test_all_kinds_side_by_side() {
	local kind
	# shellcheck disable=SC2086
	prepare $ALL
	start_agent -c kiln.yaml
	for kind in $ALL; do
		wait_until 60 has_got "$kind" 5
	done
	for kind in pyroscope parca otlp pprof; do
		got_totals "$kind" >got
		assert_match "$kind: a function" got 'burn|share'
	done
	stop_agent 0
}

test_one_that_stalls_holds_up_no_other() {
	prepare pyroscope parca otlp
	fault '[{"kind": "stall", "dest": "pyroscope"}, {"kind": "html", "dest": "otlp"}]'
	start_agent -c kiln.yaml
	wait_until 60 has_got parca 8
	assert_eq "the one that stalls" "$(got_windows pyroscope)" 0
	fault ''
	wait_until 90 has_got pyroscope 8
	stop_agent 0
}

# The server is killed and comes back: with its journal nothing is missing.
test_a_server_that_is_away() {
	local newest
	prepare pyroscope parca
	start_agent -c kiln.yaml
	wait_until 60 has_got parca 3
	kill_store
	sleep 5
	restart_store
	newest=$(date +%s)
	wait_until 90 sh -c "curl -sSf '$(control)/test/times?dest=parca' | awk '\$1 / 1e9 > $newest { found = 1 } END { exit !found }'"
	# Every window, one a second: none of the time that it was away is missing.
	ask_server 'times?dest=parca' | awk '{ print int($1 / 1e8) }' | sort -nu >begins
	assert_at_most "largest gap, in tenths of a second" \
		"$(awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }' begins)" 25
	stop_agent 0
}

test_killed_while_uploading() {
	local i kills=${KILN_TEST_UPLOAD_KILLS:-3} ids
	prepare parca
	fault '{"kind": "slow_answer", "seconds": 0.3}'
	for ((i = 0; i < kills; i++)); do
		start_agent -c kiln.yaml
		wait_until 60 has_got parca $((i + 1))
		kill -KILL "$agent"
		wait "$agent" 2>/dev/null || true
	done
	fault ''
	start_agent -c kiln.yaml
	ids=$(count_windows)
	wait_until 120 has_got parca "$ids"
	stop_agent 0
	assert_at_least "windows at the server" "$(got_windows parca)" "$ids"
}

run_tests "$@"
