#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that hangs, for each kind of destination: a request ends in its time, windows wait in the store, sampling
# goes on, the log names each destination in one line, and the agent ends when it is told to.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

names=(pyroscope parca otlp_http otlp_grpc pprof s3 clickhouse)
total_s=60 # of a request (profiler/net/net_request.c)

config() { # PORT
	echo none >secret
	chmod 600 secret
	cat <<-END
		window: 1s
		log: {level: debug} # more lines than the agent writes in a minute otherwise
		upload:
		- {name: pyroscope, url: "pyroscope+http://127.0.0.1:$1"}
		- {name: parca, url: "parca+http://127.0.0.1:$1"}
		- {name: otlp_http, url: "otlp+http://127.0.0.1:$1"}
		- {name: otlp_grpc, url: "otlp+grpc://127.0.0.1:$1"}
		- {name: pprof, url: "pprof+http://127.0.0.1:$1/{id}.pb.gz"}
		- {name: s3, url: "s3+http://127.0.0.1:$1/prof", username: AK, password_file: $T/secret}
		- {name: clickhouse, url: "clickhouse+http://127.0.0.1:$1/kiln", batch: 1s}
	END
}

said() { # NAME
	grep "level=warning.*upload .*\"$1" log
}

all_are_said() {
	local name
	for name in "${names[@]}"; do
		said "$name" || return 1
	done
}

connections() {
	ss -Htn state established "( dport = :$(cat port) )" | wc -l
}

are_asked_again() {
	[ "$(connections)" -ge "${#names[@]}" ]
}

windows_that_went() { # NAME
	curl -sf "http://$KILN_HTTP_LISTEN/metrics" | awk -v of="destination=\"$1\"" \
		'index($1, "kiln_upload_windows_total{") == 1 && index($1, of) { n += $2 } END { print n }'
}

hangs() { # HOW
	local name begun
	export KILN_HTTP_LISTEN=127.0.0.1:$((20000 + RANDOM % 10000))
	start python3 "$SRC/tests/lib/hang_server.py" "$1" port >ended
	wait_until 10 test -s port
	config "$(cat port)" >kiln.yaml
	start_agent -c kiln.yaml -F 97
	wait_until $((total_s * 2)) all_are_said
	wait_until 60 are_asked_again # also a request under way does not hold up the end
	for name in "${names[@]}"; do
		assert_eq "lines about $name" "$(said "$name" | wc -l)" 1
		assert_match "what it says of $name" <(said "$name") 'windows wait in the store'
		assert_at_least "windows that wait for $name" "$(upload_metric waiting_windows "destination=\"$name\"")" 2
		assert_eq "windows that $name took, or lost" "$(windows_that_went "$name")" 0
	done
	assert_at_most "seconds of a request" "$(sort -n ended | tail -n 1)" $((total_s + 15))
	begun=$(date +%s%N) # each process has ten seconds to end
	stop_agent 0
	assert_at_most "seconds to the end" "$(awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN { print ns / 1e9 }')" 15
	assert_undisturbed
}

# All at once, since each waits for a minute, twice: no answer, the head of one and then nothing, one byte by byte.
test_ways_to_hang() {
	local way waits=() failed=0
	need_bpf
	need ss python3
	for way in silent head trickle; do
		mkdir "$way"
		(
			T=$T/$way
			cd "$T"
			hangs "$way"
		) >"$way/said" 2>&1 &
		waits+=($!)
	done
	for way in "${waits[@]}"; do
		wait "$way" || failed=1
	done
	for way in silent head trickle; do
		end_started "$T/$way"
		sed "s/^/# $way: /" "$way/said"
	done
	[ $failed -eq 0 ] || fail "see above"
}

run_tests "$@"
