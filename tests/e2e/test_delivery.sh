#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent delivers its windows to a server, whatever happens to either: what the server has equals what the
# store has. KILN_TEST_UPLOAD_KILLS: how often the agent is killed (5). KILN_TEST_OUTAGE_S: how long the server is
# away (20).
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

kills=${KILN_TEST_UPLOAD_KILLS:-5}
away_s=${KILN_TEST_OUTAGE_S:-20}
most_kb=65536 # of the uploader
export KILN_TEST_BACKOFF_MS=100

# --- the server: of the kind pprof, with the names given -------------------------------------------------

start_server() { # NAME...
	start /usr/bin/python3 "$SRC/tests/lib/profile_store" serve "$T/server" --journal "${@/%/=pprof}" 2>server.log
	server=$started
	wait_until 10 ask_server times
}

port_of() { # NAME
	awk -v name="$1" '$1 == name { print $2 }' "$T/server/ports"
}

ask_server() { # WHAT [DEST]
	curl -sf "http://127.0.0.1:$(port_of control)/test/$1${2:+?dest=$2}"
}

set_fault() { # JSON
	curl -sf -X PUT -d "$1" "http://127.0.0.1:$(port_of control)/test/fault"
}

clear_faults() {
	curl -sf -X DELETE "http://127.0.0.1:$(port_of control)/test/fault"
}

config() { # NAME...
	local name
	printf 'window: 1s\nupload:\n'
	for name; do
		printf -- '- {name: %s, url: "pprof+http://127.0.0.1:%s/{host}/{id}.pb.gz"}\n' "$name" \
			"$(port_of "${name%%-*}")"
	done
}

# --- what both have --------------------------------------------------------------------------------------

# "BEGIN SAMPLES" of each window, by time.
stored() {
	ask_store 'select begin_unix_ns, sum(samples) from windows group by begin_unix_ns' | tr '|' ' ' | sort
}

delivered() { # NAME
	ask_server times "$1" | cut -f 1 | sort
}

first_delivered() { # NAME
	delivered "$1" | sed -n 1p # Not head: it may end before sort does, which is a failure under pipefail.
}

has_delivered() { # NAME AT_LEAST
	[ "$(delivered "$1" | wc -l)" -ge "$2" ]
}

# From the first window that the server has on. The time of windows is what they are known by.
missing() { # NAME
	local first
	first=$(first_delivered "$1")
	delivered "$1" >there
	stored | awk -v first="${first:-0}" '$1 >= first { print $1 }' | comm -23 - there
}

nothing_is_missing() { # NAME
	[ -n "$(first_delivered "$1")" ] && [ -z "$(missing "$1")" ]
}

# Whole windows, with the samples that the store has. What is written when the agent ends waits for the next one.
assert_all_delivered() { # NAME
	local first last
	first=$(first_delivered "$1")
	last=$(delivered "$1" | tail -n 1)
	stored | awk -v first="$first" -v last="$last" '$1 >= first && $1 <= last' >stored
	ask_server windows "$1" | python3 -c '
import json, sys
for w in map(json.loads, sys.stdin):
    print(w["time_ns"], w["sums"][0])' | sort -u >delivered
	assert_eq "samples" "$(comm -3 stored delivered)" ""
	assert_at_least "windows" "$(wc -l <stored)" 5
}

counts_delivered() { # NAME AT_LEAST
	[ "$(upload_metric windows_total "destination=\"$1\",result=\"delivered\"")" -ge "$2" ]
}

# --- tests -----------------------------------------------------------------------------------------------

test_windows_arrive_at_every_destination() {
	need_bpf
	export KILN_HTTP_LISTEN=127.0.0.1:$((20000 + RANDOM % 10000))
	start_server a b
	config a b >kiln.yaml
	start "$WORKLOADS/deep" 3600
	start_agent -c kiln.yaml -F 97
	wait_until 40 has_delivered a 6
	wait_until 40 has_delivered b 6
	# Metrics are set each two seconds.
	wait_until 10 counts_delivered a 6
	assert_at_least "bytes in the metrics" "$(upload_metric bytes_total 'destination="b"')" 1000
	assert_eq "failures in the metrics" "$(upload_metric failures_total 'destination="a"')" 0
	assert_eq "mode of the cursors" "$(stat -c %a store/upload)" 750
	wait_until 30 nothing_is_missing a
	stop_agent 0
	assert_all_delivered a
	assert_eq "windows that came twice" "$(ask_server duplicates a)" 0
	assert_eq "windows that came twice" "$(ask_server duplicates b)" 0
	assert_undisturbed
	assert_no_match "log" log 'level=(warning|error)'
}

test_labels_of_the_configuration_are_those_of_series() {
	need_bpf
	start /usr/bin/python3 "$SRC/tests/lib/profile_store" serve "$T/server" a=pyroscope 2>server.log
	wait_until 10 ask_server times
	printf 'window: 1s\nlabels: {env: lab, "k8s.zone": z1}\nupload: [{name: a, url: "pyroscope+http://127.0.0.1:%s"}]\n' "$(port_of a)" >kiln.yaml
	start "$WORKLOADS/deep" 3600
	start_agent -c kiln.yaml -F 97
	wait_until 40 has_delivered a 2
	# Lost samples are nobody's.
	ask_server windows a | jq -r 'select(.labels.comm) | [.labels.env, .labels.k8s_zone] | join(" ")' | sort -u >labels
	assert_eq "labels of series" "$(cat labels)" "lab z1"
}

# All of the agent at any time while it uploads, and now and then the uploader alone: it goes on where it was. What
# came twice came for a kill.
test_kills() {
	need_bpf
	local i
	start_server a
	config a >kiln.yaml
	start "$WORKLOADS/deep" 3600
	set_fault '{"kind": "slow_answer", "seconds": 0.3}'
	start_agent -c kiln.yaml -F 97
	wait_until 40 has_delivered a 1
	for ((i = 0; i < kills; i++)); do
		sleep "$((RANDOM % 2)).$((RANDOM % 9))"
		if ((i % 3 == 1)); then
			kill -KILL "$(role_pid kiln-uploader)" || true
			sleep "0.$((RANDOM % 9))"
		fi
		kill -KILL "$agent"
		wait_until 10 is_gone "$agent"
		wait_until 10 flock -n store/lock true
		start_agent -c kiln.yaml -F 97
		wait_until 10 eval '[ -n "$(role_pid kiln-uploader)" ]'
	done
	clear_faults
	wait_until $((kills * 2 + 60)) eval 'has_windows 8 && nothing_is_missing a'
	stop_agent 0
	assert_all_delivered a
	assert_at_most "windows that came twice" "$(ask_server duplicates a)" $((kills * 4 / 3 + 1))
}

# For away_s nobody listens, and the server is another process then.
test_a_server_that_is_away() {
	need_bpf
	local most_seen
	export KILN_HTTP_LISTEN=127.0.0.1:$((20000 + RANDOM % 10000))
	start_server a b
	config a b >kiln.yaml
	start "$WORKLOADS/deep" 3600
	start_agent -c kiln.yaml -F 97
	wait_until 40 has_delivered a 2
	kill -KILL "$server"
	sleep "$away_s"
	assert_at_least "failures" "$(upload_metric failures_total 'destination="a"')" 2
	assert_at_least "windows that wait" "$(upload_metric waiting_windows 'destination="a"')" 2
	assert_at_most "memory of the uploader, in KB" "$(ps -o rss= -p "$(role_pid kiln-uploader)")" $most_kb
	start_server a b
	wait_until $((away_s * 2 + 60)) nothing_is_missing a
	wait_until $((away_s * 2 + 60)) nothing_is_missing b
	most_seen=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$(role_pid kiln-uploader)/status")
	stop_agent 0
	assert_all_delivered a
	assert_all_delivered b
	assert_eq "windows that came twice" "$(ask_server duplicates a)" 0
	assert_undisturbed
	assert_match "log" log 'upload .*"a.*windows wait in the store'
	assert_at_most "lines of the log that say so" "$(grep -c 'windows wait' log)" 4
	assert_at_most "memory of the uploader at most, in KB" "$most_seen" $most_kb
}

# One of two stalls: the other one has everything.
test_a_server_that_stalls() {
	need_bpf
	start_server a b
	config a b >kiln.yaml
	set_fault '{"dest": "a", "kind": "stall"}'
	start_agent -c kiln.yaml -F 97
	wait_until 40 has_delivered b 6
	assert_eq "windows of the one that stalls" "$(delivered a)" ""
	clear_faults
	stop_agent 0
	assert_undisturbed
}

test_reload_adds_and_removes_destinations() {
	need_bpf
	local sampler
	start_server a b
	echo 'window: 1s' >kiln.yaml
	start_agent -c kiln.yaml -F 97
	sampler=$(role_pid kiln-sampler)
	assert_eq "uploader" "$(role_pid kiln-uploader)" ""
	config a b >kiln.yaml
	kill -HUP "$agent"
	wait_until 20 has_delivered a 2
	wait_until 20 has_delivered b 2
	config a >kiln.yaml
	kill -HUP "$agent"
	wait_until 20 grep -q 'upload .*b.* is in the configuration no more: [0-9]* windows*' log
	assert_eq "cursor of the one that went" "$(find store/upload -name b.removed | wc -l)" 1
	echo 'window: 1s' >kiln.yaml
	kill -HUP "$agent"
	wait_until 20 eval '[ -z "$(role_pid kiln-uploader)" ]'
	config a b >kiln.yaml
	kill -HUP "$agent"
	wait_until 30 nothing_is_missing b
	wait_until 30 nothing_is_missing a
	assert_eq "the sampler is the same" "$(role_pid kiln-sampler)" "$sampler"
	stop_agent 0
	assert_undisturbed
}

# A file that is not there stops this one alone, and is said once.
test_one_that_is_wrong() {
	need_bpf
	start_server a
	{
		config a
		echo '- {name: wrong, url: "pprof+http://127.0.0.1:1/x", token_file: /nonexistent}'
	} >kiln.yaml
	start_agent -c kiln.yaml -F 97
	wait_until 40 has_delivered a 2
	assert_eq "lines about it" "$(grep -c '/nonexistent' log)" 1
	assert_match "log" log 'upload .*"wrong.*token_file.*mend it, and reload'
	stop_agent 0
}

test_two_of_one_name() {
	start_server a
	{
		config a
		config a | tail -n 1
	} >kiln.yaml
	assert_status 2 "$KILN" agent --check-config -c kiln.yaml
	assert_match "message" err '^kiln.yaml:4:3: a second destination "a"'
	printf 'upload:\n- {name: a, url: "s3+http://h"}\n- {name: b, url: "parca+http://h", token_file: /none}\n' >kiln.yaml
	assert_status 2 "$KILN" agent --check-config -c kiln.yaml
	assert_match "a URL that cannot be" err 'kiln.yaml:2:3: upload "a": a URL of S3 begins its path'
	assert_match "a file that is not there" err 'kiln.yaml:3:3: upload "b": token_file: /none: '
}

test_check_upload() {
	start_server a b
	config a b >kiln.yaml
	assert_status 0 "$KILN" agent --check-upload -c kiln.yaml
	assert_match "answer of a" out '^a: it took the profile'
	assert_match "answer of b" out '^b: it took the profile'
	assert_eq "profiles" "$(delivered a | wc -l)" 1
	assert_match "its service and its frame" <(curl -sf "http://127.0.0.1:$(port_of control)/test/totals") kiln_check
	# Beside the agent's windows it weighs nothing.
	assert_eq "its weight" "$(ask_server windows a | jq -c '.sums')" '[1,1]'
	set_fault '{"dest": "b", "kind": "status", "status": 401}'
	assert_status 1 "$KILN" agent --check-upload -c kiln.yaml
	assert_match "answer of a" out '^a: it took the profile'
	assert_match "answer of b" out '^b: .*401'
	echo 'window: 1s' >kiln.yaml
	assert_status 1 "$KILN" agent --check-upload -c kiln.yaml
	assert_match "message" err 'no destination'
}

# The disk is full below the cursors: it goes on, and says so.
test_a_full_disk() {
	need_bpf
	need_root
	need unshare
	start_server a
	config a >kiln.yaml
	mkdir -p store/upload
	start unshare -m bash -ec "mount -t tmpfs -o size=16k none store/upload; exec \"\$@\"" bash \
		"$KILN" agent --store "$T/store" -c kiln.yaml -F 97 2>log
	agent=$started
	wait_until 20 grep -q 'msg="sampling' log
	wait_until 40 has_delivered a 2
	nsenter -m -t "$agent" dd if=/dev/zero of="$T/store/upload/full" bs=1k count=64 2>err || true
	wait_until 20 grep -q 'its cursor in .* cannot be written: No space left' log
	wait_until 40 has_delivered a 6
	nsenter -m -t "$agent" rm "$T/store/upload/full"
	wait_until 20 grep -q 'its cursor can be written again' log
	stop_agent 0
	assert_eq "windows that came twice" "$(ask_server duplicates a)" 0
}

page_has_windows() {
	[ "$("$KILN" list --from "kiln+http://$KILN_HTTP_LISTEN" --since 1h --json 2>err | jq '[.. | .windows? // empty] | max')" -ge 1 ]
}

# Somebody moves the store away while the agent runs, or mounts another one over it: all processes go on in what is
# there now, and nobody says that nothing waits.
test_another_directory_at_its_path() {
	local have
	need_bpf
	export KILN_HTTP_LISTEN=127.0.0.1:$((20000 + RANDOM % 10000))
	start_server a
	config a >kiln.yaml
	start_agent -c kiln.yaml -F 97
	wait_until 40 has_delivered a 2
	mv store moved
	have=$(delivered a | wc -l)
	wait_until 40 has_delivered a $((have + 3))
	wait_until 20 nothing_is_missing a
	wait_until 20 page_has_windows
	stop_agent 0
	assert_at_least "windows in the new one" "$(count_windows)" 3
	assert_eq "windows lost" "$(sum_of_store 'select sum(windows_lost) from windows')" 0
	assert_match "log" log "$T/store is gone, or is another directory than it was"
}

# Another process still has the cursors: an end meanwhile is one like any other.
test_an_uploader_that_cannot_begin() {
	local i
	need_bpf
	start_server a
	config a >kiln.yaml
	mkdir -p store/upload
	start flock store/upload/lock sleep 600
	for i in 1 2 3; do
		start_agent -c kiln.yaml
		wait_until 20 grep -q 'the uploader does not start, and is tried again' log
		sleep "0.0$((i * 3))"
		stop_agent 0
	done
	assert_match "why" log 'in use by another process'
}

# A server of names that says nothing holds up neither the end nor others.
test_names_that_are_not_answered() {
	local begun
	need_bpf
	need_root
	need unshare
	start_server a
	config a >kiln.yaml
	printf -- '- {name: lost, url: "pprof+http://db.example.org/{id}.pb.gz"}\n' >>kiln.yaml
	start python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.77.7.7", 53))
print("there", flush=True)
time.sleep(600)' >silent
	wait_until 10 grep -q there silent
	printf 'nameserver 127.77.7.7\noptions timeout:30 attempts:1\n' >resolv.conf
	start unshare -m bash -ec 'mount --bind resolv.conf "$(readlink -f /etc/resolv.conf)"; exec "$@"' bash \
		"$KILN" agent --store "$T/store" -c kiln.yaml 2>log
	agent=$started
	wait_until 20 grep -q 'msg="sampling' log
	wait_until 30 grep -q 'upload ."lost." .*timed out' log
	wait_until 20 has_delivered a 12
	sleep 2
	begun=$(date +%s%N)
	stop_agent 0
	assert_at_most "seconds to the end" "$(awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN { print ns / 1e9 }')" 6
}

run_tests "$@"
