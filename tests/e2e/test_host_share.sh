#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sampling.hosts: a host that is left out runs the agent, samples nothing, and says so everywhere.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

KILN_HTTP_LISTEN=127.0.0.1:$(free_port)
export KILN_HTTP_LISTEN

config() { # SHARE
	printf 'window: 1s\nsampling: {frequency: 49, hosts: %s}\n' "$1" >kiln.yaml
}

ready() {
	curl -s --max-time 10 -w ' %{http_code}' "http://$KILN_HTTP_LISTEN/-/ready" | tr -d '\n'
}

left_out() {
	curl -sf --max-time 10 "http://$KILN_HTTP_LISTEN/metrics" | awk '$1 == "kiln_sampling_left_out" { print $2 }'
}

test_a_host_that_is_left_out() {
	need_bpf
	config 0%
	start "$KILN" agent --store "$T/store" -c kiln.yaml 2>log
	agent=$started
	wait_until 20 grep -q 'this host does not sample: sampling.hosts is 0%, and its place is at' log
	wait_until 20 eval '[ "$(ready)" = "ready, and does not sample: sampling.hosts leaves this host out 200" ]'
	assert_eq "the metric" "$(left_out)" 1
	assert_eq "sampler" "$(role_pid kiln-sampler)" ""
	config 100%
	kill -HUP "$agent"
	wait_until 30 has_windows 2
	assert_eq "the metric" "$(left_out)" 0
	assert_eq "ready" "$(ready)" "ready 200"
	config 0%
	kill -HUP "$agent"
	wait_until 30 eval '[ -z "$(role_pid kiln-sampler)" ] && [ "$(left_out)" = 1 ]'
	assert_match "ready" <(ready) '^ready, and does not sample.* 200$'
	stop_agent 0
	assert_no_match "log" log 'level=(warning|error)'
}

# Without rights, and from the same file: who is in the share and who is not.
test_what_is_printed() {
	config 0%
	assert_status 0 "$KILN" agent --print-config -c kiln.yaml
	assert_match "the value" out '^  hosts: 0%  # kiln.yaml:2$'
	assert_match "what it means here" out '^# this host does not sample: sampling.hosts is 0%, and its place is at [0-9.]+%$'
	cp out printed.yaml
	assert_status 0 "$KILN" agent --check-config -c printed.yaml
	config 100%
	assert_status 0 "$KILN" agent --print-config -c kiln.yaml
	assert_no_match "where all hosts sample" out 'its place'
	config 101%
	assert_status 2 "$KILN" agent --check-config -c kiln.yaml
	assert_match "message" err 'kiln.yaml:2:[0-9]+: sampling.hosts: '
}

run_tests "$@"
