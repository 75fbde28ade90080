#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln push to servers that misbehave: what may be sent again is, what may not is not, and people are told why.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

export AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK AWS_REGION=us-east-1
ALL='pyroscope parca otlp grpc pprof s3'

prepare() {
	need_push
	start_store pyroscope parca otlp pprof s3
	make_many_stacks 100 p.pb.gz
	sent_totals p.pb.gz >sent
}

dest_of() { # KIND
	[ "$1" = grpc ] && echo otlp || echo "$1"
}

# Once the server is well again all has arrived; `once`: and nothing twice.
arrives() { # KIND FAULT [once]
	local dest
	dest=$(dest_of "$1")
	clear_store
	fault "$2"
	assert_status 0 timeout 90 "$KILN" push p.pb.gz --to "$(url_of "$1")"
	fault ''
	if [ "$dest" = s3 ]; then
		assert_at_least "$1 after $2: objects" "$(ask_server 'objects?dest=s3' | wc -l)" 1
		return
	fi
	ask_server "totals?dest=$dest&distinct=1" >got
	cmp sent got || fail "$1 after $2: totals differ"
	[ -z "${3:-}" ] || assert_eq "$1 after $2: duplicates" "$(ask_server "duplicates?dest=$dest")" 0
}

# Tried once, and no more. The message names the destination and what it answered.
refused() { # KIND FAULT MESSAGE
	local dest
	dest=$(dest_of "$1")
	clear_store
	fault "$2"
	assert_status 1 timeout 90 "$KILN" push p.pb.gz --to "$(url_of "$1")"
	fault ''
	assert_match "$1 refused by $2" err "$3"
	assert_match "$1: the destination" err "127\.0\.0\.1:$(store_port "$dest")"
	assert_at_most "$1 refused by $2: requests" "$(store_count "$dest" requests)" 1
}

test_what_may_be_sent_again() {
	local kind
	prepare
	for kind in $ALL; do
		arrives "$kind" '{"kind": "status", "status": 503, "count": 2}' once
		arrives "$kind" '{"kind": "status", "status": 429, "retry_after": 1, "count": 1}' once
		arrives "$kind" '{"kind": "reset_read", "bytes": 100, "count": 1}' once
	done
	for kind in parca grpc; do
		arrives $kind '{"kind": "grpc", "code": 14, "count": 1}' once
		arrives $kind '{"kind": "no_status", "count": 1}' once
	done
	arrives pyroscope '{"kind": "status", "status": 500, "count": 1}' once
	arrives grpc '{"kind": "grpc", "code": 8, "retry_info_s": 1, "count": 1}' once
}

test_retry_after_is_honoured() {
	local kind before
	prepare
	for kind in pyroscope otlp; do
		for when in 3 '"date:4"'; do
			before=$(date +%s%N)
			arrives $kind "{\"kind\": \"status\", \"status\": 429, \"retry_after\": $when, \"count\": 1}" once
			assert_at_least "$kind: waited for $when" "$(echo "$before $(date +%s%N)" | awk '{ print ($2 - $1) / 1e9 }')" 2.5
		done
	done
}

test_what_may_not_be_sent_again() {
	local kind
	prepare
	for kind in pyroscope otlp pprof; do
		refused "$kind" '{"kind": "status", "status": 400}' 400
		refused "$kind" '{"kind": "status", "status": 401}' 401
		refused "$kind" '{"kind": "status", "status": 404}' 404
		refused "$kind" '{"kind": "status", "status": 415}' 415
		refused "$kind" '{"kind": "redirect"}' 302
	done
	refused parca '{"kind": "grpc", "code": 3, "message": "bad profile"}' 'bad profile'
	refused grpc '{"kind": "grpc", "code": 16, "message": "who are you"}' 'who are you'
	refused grpc '{"kind": "grpc", "code": 12, "message": "no such service"}' 'no such service'
}

# A proxy's page with status 200 is no success.
test_an_answer_of_the_wrong_type() {
	local kind
	prepare
	for kind in pyroscope parca otlp grpc; do
		clear_store
		fault '{"kind": "html"}'
		assert_status 1 timeout 90 "$KILN" push p.pb.gz --to "$(url_of $kind)"
		assert_match "$kind" err '127\.0\.0\.1'
		fault ''
		assert_eq "$kind: nothing is stored" "$(store_count "$(dest_of $kind)" profiles)" 0
	done
}

# Taken in part: never again, and people are told how much.
test_partial_success() {
	local kind
	prepare
	for kind in otlp grpc; do
		clear_store
		fault '{"kind": "partial", "rejected": 3, "message": "three too many"}'
		timeout 90 "$KILN" push p.pb.gz --to "$(url_of $kind)" >out 2>err || true
		fault ''
		assert_match "$kind" err 'three too many|3 '
		assert_eq "$kind: requests" "$(store_count otlp requests)" 1
	done
}

# The server has it, and the answer is lost: at least once, and at most once more.
test_an_answer_that_is_lost() {
	local kind dest
	prepare
	for kind in pyroscope parca otlp grpc pprof s3; do
		dest=$(dest_of $kind)
		arrives $kind '{"kind": "reset_answer", "count": 1}'
		assert_at_most "$kind: duplicates" "$(ask_server "duplicates?dest=$dest")" 1
	done
	# An object has its name: the second put overwrites the first.
	assert_eq "objects" "$(ask_server 'objects?dest=s3' | wc -l)" 1
}

# A connection that is cut after every 64th byte of the request, and of the answer.
test_cuts_at_every_64th_byte() {
	local kind port
	prepare
	for kind in pyroscope parca otlp; do
		clear_store
		rm -f proxy.port
		start "$STORE_PYTHON" "$SRC/tests/lib/fault_proxy.py" "$T/proxy.port" "127.0.0.1:$(store_port $kind)" "$T/rule" >cuts
		wait_until 10 test -s proxy.port
		port=$(cat proxy.port)
		# Three tries of a push, each cut at another place; the fourth gets through.
		echo '{"cut_up": 64, "step": 64, "most": 192}' >rule
		assert_status 0 timeout 90 "$KILN" push p.pb.gz --to "$(scheme_of $kind)://127.0.0.1:$port"
		ask_server "totals?dest=$kind" >got
		cmp sent got || fail "$kind: totals differ"
		assert_at_least "$kind: cuts" "$(grep -c 'cut up' cuts)" 1
	done
}

test_a_server_that_is_not_there() {
	prepare
	clear_store
	fault '{"kind": "gone", "seconds": 4}'
	assert_status 0 timeout 90 "$KILN" push p.pb.gz --to "$(url_of pyroscope)"
	got_totals pyroscope >got
	cmp sent got || fail "totals differ"
}

run_tests "$@"
