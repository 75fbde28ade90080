#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent as a service manager runs it: windows, signals, configuration, log.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

# Prints what it is told, a datagram a line, until it is told that the agent stops.
listener='
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\0"))
s.settimeout(120)
while True:
    said = s.recv(65536).decode()
    print(said.replace("\n", " "), flush=True)
    if "STOPPING=1" in said:
        break
'

listen() { # SOCKET
	start python3 -c "$listener" "$1" >told
	listening=$started
	sleep 0.5
}

# Each window as a file of its own, windows/BEGIN.pb.gz, with its beginning in ms since 1970; those that begin
# in one second are one file.
unpack() {
	local begin file since last=
	mkdir windows
	ask_store 'select begin_unix_ns / 1000000 from windows order by 1' >begins
	while read -r begin; do
		file=windows/$begin.pb.gz since=$((begin / 1000))
		[ "$since" != "$last" ] || continue
		last=$since
		"$KILN" export "$T/store" --since "@$since" --until "@$((since + 1))" -o "$file"
	done <begins
}

test_windows_follow_the_clock() {
	need_bpf
	local file ms late before=0 n=0 samples=0
	start "$WORKLOADS/deep" 60
	start_agent --window 2s
	wait_until 30 has_windows 5
	stop_agent 0
	unpack
	for file in windows/*.pb.gz; do
		n=$((n + 1))
		ms=$(basename "$file" .pb.gz)
		profile_py header "$file" >header
		# The first begins when the agent does.
		if [ $n -gt 1 ]; then
			late=$((ms % 2000))
			assert_at_most "ms after a multiple of the window" "$late" 500
			# They leave nothing out: this one begins where the one before ended.
			assert_near "ms between two windows" "$((ms - before))" 0 200
		fi
		before=$((ms + $(sed -n 's/^duration_ns=//p' header) / 1000000))
		assert_accounting "$file"
		samples=$((samples + $(profile_samples "$file" "$(in_stack at_the_bottom)")))
	done
	assert_at_least "samples" "$samples" 1
	assert_match "log" log 'level=info msg="ending: [0-9]+ windows? stored, 0 lost"$'
}

# All of a program's CPU time, as the kernel has it, is in one window or another.
test_windows_hold_what_ran() {
	need_bpf
	local sum
	start_agent --window 1s -F 397
	TIMEFORMAT='%3U %3S'
	{ time "$WORKLOADS/shares" 6 >out; } 2>cpu
	sleep 1.5
	stop_agent 0
	"$KILN" export "$T/store" -o all.pb.gz
	sum=$(profile_ns all.pb.gz '$3 == "shares"' | cut -d. -f1)
	assert_accounting all.pb.gz
	assert_near "CPU time in all windows, in per cent of the kernel's" \
		"$(awk -v ns=$sum '{ print ns / 1e7 / ($1 + $2) }' cpu)" 100 6
}

test_a_manager_is_told() {
	need_bpf
	listen "$T/socket"
	NOTIFY_SOCKET=$T/socket WATCHDOG_USEC=2000000 start_agent --window 1s
	wait_until 20 grep -q 'STATUS=.* 3 windows stored' told
	kill -HUP "$agent"
	wait_until 20 grep -q '^RELOADING=1 MONOTONIC_USEC=[0-9]*$' told
	stop_agent 0
	wait "$listening"
	assert_eq "first word" "$(head -n 1 told)" READY=1
	assert_eq "last word" "$(tail -n 1 told)" STOPPING=1
	assert_eq "READY" "$(grep -c '^READY=1$' told)" 2
	assert_at_least "WATCHDOG" "$(grep -c '^WATCHDOG=1$' told)" 4
}

test_a_manager_in_the_abstract() {
	need_bpf
	listen "@kiln-test-$$"
	NOTIFY_SOCKET="@kiln-test-$$" start_agent
	wait_until 20 grep -q '^READY=1$' told
	stop_agent 0
	wait "$listening"
}

test_reload() {
	need_bpf
	local last answers
	cat >k.yaml <<-END
		window: 1s
		sampling: {frequency: 19}
	END
	start_agent -c k.yaml
	wait_until 20 has_windows 2
	echo 'sampling: {frequncy: 49}' >k.yaml
	kill -HUP "$agent"
	wait_until 10 grep -q 'the configuration is wrong' log
	assert_match "log" log 'level=error msg="k.yaml:1:12: unknown key \\"sampling.frequncy\\" \(did you mean \\"frequency\\"\?\)"$'
	last=$(ask_store 'select id from windows' | wc -l)
	wait_until 20 has_windows $((last + 2))
	cat >k.yaml <<-END
		window: 1s
		sampling: {frequency: 49}
		labels: {env: changed}
	END
	kill -HUP "$agent"
	wait_until 20 grep -q 'msg="the configuration was read again: changed: sampling.frequency, labels"$' log
	last=$(ask_store 'select id from windows' | wc -l)
	wait_until 20 has_windows $((last + 3))
	# Each is answered, in words of its own, however many lines there were.
	for answers in 1 2 3 4 5; do
		kill -HUP "$agent"
		wait_until 10 has_answers "$answers"
	done
	stop_agent 0
	unpack
	local files=(windows/*.pb.gz)
	assert_near "period before, in ms" "$(($(profile_py header "${files[1]}" | sed -n 's/^period=//p') / 1000000))" 52 1
	assert_near "period after, in ms" "$(($(profile_py header "${files[-2]}" | sed -n 's/^period=//p') / 1000000))" 20 1
	profile_py labels "${files[-2]}" >labels
	assert_match "labels" labels '	env=changed(	|$)'
	assert_match "log" log '0 lost"$'
}

has_answers() { # COUNT
	[ "$(grep -c 'msg="the configuration was read again: no key has changed"$' log)" = "$1" ]
}

# Another store is tried before anything changes; the writer starts anew, and no window is lost.
test_reload_of_the_store() {
	need_bpf
	echo >file
	printf 'window: 1s\nstore: {path: %s}\n' "$T/store" >k.yaml
	start "$KILN" agent -c k.yaml 2>log
	agent=$started
	wait_until 20 has_windows 2
	printf 'window: 1s\nstore: {path: %s}\n' "$T/file" >k.yaml
	kill -HUP "$agent"
	wait_until 10 grep -q 'the configuration stays as it was' log
	assert_match "log" log "level=error msg=\"$T/file is no directory; store.path says where else"
	wait_until 20 has_windows $(($(count_windows) + 2))
	printf 'window: 1s\nstore: {path: %s}\n' "$T/other" >k.yaml
	kill -HUP "$agent"
	wait_until 10 grep -q 'the configuration was read again' log
	sleep 2
	stop_agent 0
	assert_match "log" log ', 0 lost"$'
	assert_no_match "log" log 'started again'
	assert_eq "windows of another store" "$(sqlite3 -readonly other/*.kiln 'select count(*) > 1 from windows')" 1
	assert_near "ms between the last window here and the first there" "$(($(sqlite3 -readonly other/*.kiln \
		'select min(begin_unix_ns) / 1000000 from windows') - $(ask_store \
		'select max(begin_unix_ns + duration_ns) / 1000000 from windows')))" 0 100
}

test_reload_of_the_server() {
	need_bpf
	local first=$((20000 + RANDOM % 10000)) second=$((30000 + RANDOM % 10000))
	unset KILN_HTTP_LISTEN
	echo "http: {listen: 127.0.0.1:$first}" >k.yaml
	start_agent -c k.yaml
	wait_until 10 curl -sf "http://127.0.0.1:$first/-/ready"
	echo "http: {listen: 127.0.0.1:$second}" >k.yaml
	kill -HUP "$agent"
	wait_until 10 curl -sf "http://127.0.0.1:$second/-/ready"
	assert_status 7 curl -sf "http://127.0.0.1:$first/-/ready"
	echo "http: {listen: 'off'}" >k.yaml
	kill -HUP "$agent"
	wait_until 10 not_served "$second"
	stop_agent 0
	assert_no_match "log" log 'level=(warning|error)'
}

# What a new configuration names is read before any process is ended for it.
test_reload_with_a_bad_file() {
	need_bpf
	local server
	echo secret >token
	chmod 644 token
	echo "http: {socket: $T/sock, token_file: $T/token}" >k.yaml
	start_agent -c k.yaml
	assert_match "log" log "level=warning msg=\"http.token_file: $T/token: everybody may open it: chmod o= $T/token\"$"
	server=$(role_pid kiln-server)
	: >token
	assert_status 2 "$KILN" agent --check-config -c k.yaml
	assert_match "check" err "^kiln: http.token_file: $T/token: the first line is empty"
	kill -HUP "$agent"
	wait_until 10 grep -q 'the configuration stays as it was' log
	assert_match "log" log "level=error msg=\"http.token_file: $T/token: the first line is empty\""
	sleep 0.5
	assert_eq "the server" "$(role_pid kiln-server)" "$server"
	assert_eq "who answers" "$(curl -s -H 'Authorization: Bearer secret' --unix-socket sock http://localhost/-/ready)" ready
	rm token
	install -m 600 /dev/null token
	echo other >token
	assert_status 0 "$KILN" agent --check-config -c k.yaml
	kill -HUP "$agent"
	wait_until 10 grep -q 'the configuration was read again' log
	assert_eq "the server goes on" "$([ "$(role_pid kiln-server)" = "$server" ] && echo yes)" ""
	echo "http: {socket: $T/other, token_file: $T/token}" >k.yaml
	kill -HUP "$agent"
	wait_until 10 grep -q 'changed: http.socket"' log
	assert_eq "sockets" "$(echo sock* other*)" 'sock* other'
	stop_agent 0
	assert_eq "sockets" "$(echo sock* other*)" 'sock* other*'
	assert_no_match "log" log 'started again'
}

# Serves a file as fuse/prog, until "open" stands in ./hold.
serve_file() { # TEXT
	need_bpf
	need_root
	need cc
	[ -e /dev/fuse ] || skip "no /dev/fuse"
	cc -O1 -w -I"$SRC" "$SRC/tests/lib/hung_server.c" -o hung_server
	mkdir fuse
	echo "$1" >origin
	start ./hung_server fuse origin "$T/hold" >said
	file_server=$started
	trap 'pkill -KILL -P "$file_server" || true; umount -l "$T/fuse" || true' EXIT
	wait_until 5 grep -q ready said
}

test_reload_with_a_file_that_hangs() {
	local server
	serve_file secret
	echo "http: {socket: $T/sock}" >k.yaml
	start_agent -c k.yaml
	server=$(role_pid kiln-server)
	echo open >hold
	echo "http: {socket: $T/sock, token_file: $T/fuse/prog}" >k.yaml
	kill -HUP "$agent"
	wait_until 15 grep -q 'level=error msg="the files of the configuration could not be read within 5 s"' log
	wait_until 5 grep -q 'the configuration stays as it was' log
	assert_eq "the server" "$(role_pid kiln-server)" "$server"
	assert_eq "who answers" "$(curl -s --unix-socket sock http://localhost/-/ready)" ready
	rm hold
	kill -HUP "$agent"
	wait_until 10 grep -q 'the configuration was read again' log
	stop_agent 0
	assert_no_match "log" log 'started again'
}

# The configuration itself: the agent goes on as it is, and ends when it is asked to.
test_reload_of_a_configuration_that_hangs() {
	local windows
	serve_file "window: 1s"
	start_agent -c fuse/prog
	echo open >hold
	kill -HUP "$agent"
	wait_until 15 grep -q 'level=error msg="the configuration could not be read within 5 s"' log
	wait_until 5 grep -q 'the configuration stays as it was' log
	windows=$(count_windows)
	wait_until 10 has_windows $((windows + 2))
	rm hold
	kill -HUP "$agent"
	wait_until 10 grep -q 'the configuration was read again' log
	echo open >hold
	kill -HUP "$agent"
	sleep 1
	stop_agent 0
	assert_no_match "log" log 'started again'
}

not_served() { # PORT
	! curl -sf "http://127.0.0.1:$1/-/ready"
}

# Without its port the agent samples all the same, and serves when the port is free.
test_a_port_in_use() {
	need_bpf
	local port=$((20000 + RANDOM % 10000)) other
	export KILN_HTTP_LISTEN=127.0.0.1:$port
	start python3 -m http.server -b 127.0.0.1 "$port" >served 2>&1
	other=$started
	wait_until 10 curl -sf "http://127.0.0.1:$port/" -o /dev/null
	start_agent --window 1s
	wait_until 10 has_windows 2
	assert_match "log" log 'level=warning msg="the HTTP server does not start, and is tried again"'
	assert_match "why" log "cannot listen on 127.0.0.1:$port: another program does; set http.listen"
	kill "$other"
	wait_until 20 curl -sf "http://127.0.0.1:$port/-/ready"
	stop_agent 0
}

# It samples ever less often, and what samples stand for stays the same.
test_its_own_cost_is_limited() {
	need_bpf
	local sum=0 file periods
	KILN_TEST_GOVERNOR_MS=200 start_agent --window 2s -F 499 --cpu-limit 0.01%
	TIMEFORMAT='%3U %3S'
	{ time "$WORKLOADS/shares" 10 >out; } 2>cpu
	stop_agent 0
	assert_match "log" log 'kiln uses [0-9.]+ % of a CPU \(.*sampler [0-9.]+.*\), and may use 0.01 %: 331 samples a second from now on, of 499"$'
	unpack
	for file in windows/*.pb.gz; do
		sum=$((sum + $(profile_ns "$file" '$3 == "shares"' | cut -d. -f1)))
		profile_py header "$file" | sed -n 's/^period=//p' >>periods
		assert_accounting "$file"
	done
	periods=$(sort -u periods | wc -l)
	assert_at_least "frequencies" "$periods" 3
	profile_py comments "$file" >comments
	assert_match "comments" comments '^kiln.freq_wanted_hz=499$'
	assert_no_match "comments" comments '^kiln.freq_hz=499$'
	assert_near "CPU time in all windows, in per cent of the kernel's" \
		"$(awk -v ns=$sum '{ print ns / 1e7 / ($1 + $2) }' cpu)" 100 10
}

# What a rule drops is counted as filtered, and what the agent itself does can be left out.
test_labels_and_rules() {
	need_bpf
	local file
	cat >k.yaml <<-'END'
		window: 2s
		sampling: {frequency: 97, exclude_self: true}
		labels: {env: test}
		relabel:
		- {action: drop, source: comm, regex: 'spin[0-9]'}
		- {action: replace, source: executable, regex: '.*/(deep)', target: service_name, replacement: 'my-$1'}
	END
	start "$WORKLOADS/deep" 60
	start "$WORKLOADS/shares" 60
	start "$WORKLOADS/spinner" 2 60
	start_agent -c k.yaml --set "http.socket=$T/sock"
	wait_until 30 has_windows 3
	curl -s --unix-socket sock http://localhost/metrics >metrics
	stop_agent 0
	assert_at_least "filtered samples of the metrics" \
		"$(sed -n 's/^kiln_samples_total{kind="filtered"} //p' metrics)" 100
	unpack
	for file in windows/*.pb.gz; do
		profile_py labels "$file" >>labels
		assert_accounting "$file"
	done
	assert_match "labels" labels 'comm=deep	.*env=test	.*executable=[^	]*/deep	.*service_name=my-deep	'
	assert_match "labels" labels 'comm=shares	.*executable=[^	]*/shares	.*service_name=shares	'
	assert_no_match "labels" labels 'comm=spin[0-9]	'
	assert_no_match "labels" labels "pid=$agent	"
	assert_at_least "filtered samples" "$(quality "$file" filtered)" 1
}

test_the_first_start_says_where_and_what() {
	need_bpf
	KILN_HTTP_LISTEN=localhost:0 start_agent
	wait_until 5 grep -q 'try: kiln report' log
	assert_match "log" log 'or look at http://localhost:0/'
	stop_agent 0
	assert_match "log" log "profile every 10s to $T/store"
	assert_match "log" log 'there is no /etc/kiln/kiln.yaml'
}

test_json_log() {
	need_bpf
	start "$KILN" agent --store "$T/store" --log-format json 2>log
	agent=$started
	wait_until 20 grep -q '"msg":"sampling' log
	stop_agent 0
	jq -e -s 'length > 2 and all(.ts and .level and .msg)' log >out || fail "no JSON: $(cat log)"
}

test_two_agents_on_one_store() {
	need_bpf
	start_agent
	assert_status 1 "$KILN" agent --store "$T/store"
	assert_match "what the second says" err "$T/store is in use by process $agent: one agent a store\""
	stop_agent 0
	# After it has gone the store is free.
	start_agent
	stop_agent 0
}

test_a_store_that_cannot_be() {
	need_bpf
	echo >file
	assert_status 1 "$KILN" agent --store "$T/file"
	assert_match "what it says" err "$T/file is no directory; store.path says where else"
	assert_status 1 "$KILN" agent --store "$T/file/below"
	assert_match "what it says" err "$T/file/below.*; store.path says where else"
}

samples_of() { # OPTION...
	"$KILN" export "$T/store" "$@" -o part.pb.gz
	profile_samples part.pb.gz
}

# Ranges are half-open: those that touch sum up exactly. A killed agent loses its open window only.
test_ranges_of_a_store() {
	need_bpf
	local middle all
	start "$WORKLOADS/deep" 60
	start_agent --window 1s -F 97
	wait_until 30 has_windows 5
	kill -KILL "$agent"
	middle=@$(ask_store 'select begin_unix_ns / 1000000000 from windows order by 1 limit 1 offset 2')
	all=$(samples_of)
	assert_eq "stored" "$(ask_store 'select sum(samples) from windows')" "$all"
	assert_eq "both parts" $(($(samples_of --until "$middle") + $(samples_of --since "$middle"))) "$all"
	assert_at_least "the first part" "$(samples_of --until "$middle")" 1
	assert_at_least "samples of deep" "$(samples_of --where 'comm=deep')" 100
	assert_eq "both labels" $(($(samples_of --where 'comm=deep') + $(samples_of --where 'comm!=deep'))) "$all"
	assert_status 3 "$KILN" report "$T/store" --until 2026-01-01
	assert_match "what it says" err "store holds nothing of that"
	assert_status 2 "$KILN" report "$T/store" --since soon
	assert_status 2 "$KILN" report "$T/store" --since 1h --until 2h
	assert_match "what it says" err 'since is not before --until'
	assert_status 2 "$KILN" report "$T/store" --where comm
	assert_status 2 "$KILN" report part.pb.gz --since 1h
	KILN_STORE_PATH=$T/store assert_status 0 "$KILN" report --since 1h --where 'comm=~de+p'
	assert_match "the report" out 'at_the_bottom'
	# And the store goes on with another agent.
	start_agent --window 1s
	stop_agent 0
	assert_at_least "samples afterwards" "$(samples_of)" "$all"
}

test_wrong_configurations() {
	printf 'window: soon\nstore: {paht: /x}\n' >k.yaml
	assert_status 2 "$KILN" agent -c k.yaml
	assert_eq "what it says" "$(cat err)" 'k.yaml:1:9: window: "soon" is not a time such as 10s
k.yaml:2:9: unknown key "store.paht" (did you mean "path"?)'
	assert_status 2 "$KILN" agent -c k.yaml --check-config
	assert_status 2 "$KILN" agent --window soon
	assert_match "what it says" err '^--window: window: "soon" is not a time such as 10s$'
	assert_status 2 env KILN_WINDOW=soon "$KILN" agent --check-config
	assert_match "what it says" err '^KILN_WINDOW: window: "soon" is not a time such as 10s$'
	assert_status 2 "$KILN" agent --set windw=1s
	assert_match "what it says" err 'unknown key "windw" \(did you mean "window"\?\)'
	assert_status 2 "$KILN" agent operand
}

test_printed_configurations_are_the_same() {
	cat >k.yaml <<-'END'
		store: {max_size: 1.5GiB}
		labels: {a: 'x "y" \ #z'}
		relabel: [{action: drop, source: unit, regex: 'user@.*'}]
		upload: [{name: a, url: 'otlp+http://h', headers: {X: very-secret}}]
	END
	KILN_WINDOW=3s "$KILN" agent -c k.yaml --print-config -F 7 >first.yaml
	assert_match "printed" first.yaml '^  frequency: 7  # --freq$'
	assert_match "printed" first.yaml '^window: 3s  # KILN_WINDOW$'
	assert_match "printed" first.yaml '^  max_size: 1536MiB  # k.yaml:1$'
	assert_no_match "printed" first.yaml very-secret
	"$KILN" agent -c first.yaml --print-config >second.yaml
	assert_eq "printed again" "$(sed 's/  #.*//' second.yaml)" "$(sed 's/  #.*//' first.yaml)"
	"$KILN" agent -c first.yaml --check-config >out
	assert_match "checked" out '^the configuration is right: 1 file$'
}

run_tests "$@"
