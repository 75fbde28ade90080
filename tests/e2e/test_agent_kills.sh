#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent's processes die or hang while they work: it goes on, and what that cost is counted. KILN_TEST_KILLS
# is how many are killed.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

kills=${KILN_TEST_KILLS:-6}
export KILN_TEST_BACKOFF_MS=100

# Waits for another process of that role than this one.
await_other() { # ROLE PID
	local pid='' i
	for ((i = 0; i < 400; i++)); do
		pid=$(role_pid "$1") && [ -n "$pid" ] && [ "$pid" != "$2" ] && return
		sleep 0.05
	done
	fail "no new $1 within 20 s"
}

# Waits for windows that are not there yet: the way from the sampler to the disk works.
await_windows() { # MORE
	local have
	have=$(count_windows)
	wait_until 20 has_windows $((have + $1))
}

# All segments can be read, no window is there twice, and every timer period is accounted for.
assert_store_sound() {
	local file
	assert_no_file "$T"/store/*.damaged
	for file in "$T"/store/*.kiln; do
		assert_eq "integrity of $file" "$(sqlite3 -readonly "$file" 'pragma integrity_check')" ok
	done
	assert_eq "windows that overlap" "$(sum_of_store '
		select count(*) from windows a join windows b
		on b.begin_unix_ns >= a.begin_unix_ns and b.id != a.id
		and b.begin_unix_ns < a.begin_unix_ns + a.duration_ns - 100000000')" 0
	"$KILN" export "$T/store" -o all.pb.gz
	assert_accounting all.pb.gz
}

sum_of() { # COLUMN
	sum_of_store "select sum($1) from windows"
}

# From the first begin to the last end, in ms.
all_ms() {
	ask_store 'select min(begin_unix_ns), max(begin_unix_ns + duration_ns) from windows' |
		awk -F '|' 'NR == 1 || $1 < a { a = $1 } $2 > b { b = $2 } END { printf "%d\n", (b - a) / 1e6 }'
}

# Of that, time that no window covers.
uncovered_ms() {
	echo $(($(all_ms) - $(sum_of duration_ns) / 1000000))
}

# An opener, a reader, or whoever starts those.
kill_below_sampler() {
	kill -KILL "$(tree_of "$(role_pid kiln-sampler)" | tail -n +2 | shuf -n 1)"
}

# Whatever was killed before: the last windows know what they saw.
assert_named_at_last() {
	"$KILN" report "$T/store" --since 10s --where comm=deep --json >last.json
	assert_at_least "per cent of the load's samples in a function of its own" \
		"$(jq '([.rows[] | select(.name == "at_the_bottom") | .total] | add) * 100 / .total | floor' last.json)" 50
}

test_any_of_them_is_killed() {
	need_bpf
	export KILN_HTTP_LISTEN=127.0.0.1:$((30000 + RANDOM % 10000))
	local roles=(kiln-writer kiln-sampler kiln-server below) role pid i samplers=0 below=0
	start "$WORKLOADS/deep" 3600
	start_agent --window 1s -F 97
	await_windows 2
	for ((i = 0; i < kills; i++)); do
		role=${roles[i % ${#roles[@]}]}
		sleep "0.$((RANDOM % 9))"
		if [ $role = below ]; then
			kill_below_sampler
			below=$((below + 1))
		else
			pid=$(role_pid $role)
			kill -KILL "$pid"
			await_other $role "$pid"
		fi
		await_windows 2
		[ $role != kiln-sampler ] || samplers=$((samplers + 1))
	done
	await_windows 3
	assert_named_at_last
	wait_until 10 curl -sf "http://$KILN_HTTP_LISTEN/metrics" -o metrics
	assert_eq "restarts in the metrics" \
		"$(awk '/^kiln_process_restarts_total/ { n += $2 } END { print n }' metrics)" $((kills - below))
	stop_agent 0
	assert_store_sound
	assert_eq "restarts" "$(sum_of restarts)" $((kills - below))
	assert_eq "windows lost: the open ones" "$(sum_of windows_lost)" $samplers
	assert_eq "samples not stored" "$(sum_of lost_not_stored)" 0
	assert_near "ms without windows, and what is said of it" "$(uncovered_ms)" "$(sum_of unsampled_ms)" \
		$((200 * samplers + 200))
	# Sums are of all samplers. One that is killed may not have said yet that its last window is stored.
	assert_match "log" log "ending: [0-9]+ windows? stored, $samplers lost"
	assert_near "windows stored, as the log has it" "$(sed -n 's/.*ending: \([0-9]*\) windows* stored.*/\1/p' log)" \
		"$(count_windows)" $samplers
	assert_match "log" log 'level=warning msg="the store writer was killed by signal 9, and is started again"'
	assert_match "log" log 'level=warning msg="the sampler was killed by signal 9, and is started again"'
}

newcomer_is_named() {
	"$KILN" report "$T/store" --since 2s --where comm=newcomer --json >last.json 2>/dev/null &&
		jq -e '([.rows[] | select(.module == "newcomer" and (.name | test("0x|sub_") | not)) | .self] | add) * 100 /
			([.rows[] | .self] | add) >= 90' last.json >/dev/null
}

# Also those that start the others, which nobody starts again: the sampler begins anew, and the time is counted.
test_all_below_the_sampler_are_killed() {
	need_bpf
	start_agent --window 1s -F 97
	await_windows 2
	tree_of "$(role_pid kiln-sampler)" | tail -n +2 | xargs kill -KILL
	cp "$WORKLOADS/shares" newcomer
	start ./newcomer 60
	# Its log has room for two lines a minute, which may be others.
	wait_until 40 newcomer_is_named
	stop_agent 0
	assert_store_sound
	assert_near "ms without windows, and what is said of it" "$(uncovered_ms)" "$(sum_of unsampled_ms)" 200
	assert_eq "windows lost" "$(sum_of windows_lost)" 0
}

# Nothing is left of an agent whose first process is killed.
test_the_supervisor_is_killed() {
	need_bpf
	local all pid
	start "$WORKLOADS/deep_nofp" 60
	start_agent --window 1s -F 97
	await_windows 2
	all=$(tree_of "$agent")
	assert_at_least "processes" "$(wc -w <<<"$all")" 4
	kill -STOP "$(role_pid kiln-writer)"
	kill -KILL "$agent"
	for pid in $all; do
		wait_until 5 is_gone "$pid"
	done
	start_agent --window 1s
	await_windows 1
	stop_agent 0
	assert_store_sound
}

# The readers go with the sampler.
test_readers_end_with_the_sampler() {
	need_bpf
	local sampler pid below
	start "$WORKLOADS/deep_nofp" 60
	start_agent --window 1s -F 97
	await_windows 2
	sampler=$(role_pid kiln-sampler)
	below=$(tree_of "$sampler")
	kill -KILL "$sampler"
	for pid in $below; do
		wait_until 5 is_gone "$pid"
	done
	await_other kiln-sampler "$sampler"
	stop_agent 0
}

# A writer that takes nothing: the sampler keeps some windows, and counts the others.
test_the_writer_hangs() {
	need_bpf
	local writer before
	start "$WORKLOADS/deep" 120
	export KILN_TEST_OUTBOX=3
	start_agent --window 1s -F 97
	await_windows 2
	writer=$(role_pid kiln-writer)
	kill -STOP "$writer"
	before=$(count_windows)
	wait_until 20 grep -q 'a window is lost, 1 so far: the store writer does not take it' log
	sleep 3
	assert_eq "windows meanwhile" "$(count_windows)" "$before"
	kill -CONT "$writer"
	await_windows 4
	stop_agent 0
	assert_store_sound
	assert_at_least "windows lost" "$(sum_of windows_lost)" 3
	assert_at_least "samples lost with them" "$(sum_of lost_not_stored)" 100
	# Nothing is missing: a lost window was as long as others.
	assert_near "samples that the timers would have taken, in per cent of all that is accounted for" \
		"$(awk -v all="$(sum_of expected)" -v cpus="$(nproc)" -v ms="$(all_ms)" \
			'BEGIN { print 100 * cpus * 97 * ms / 1000 / all }')" 100 3
	assert_match "log" log "ending: $(count_windows) windows? stored, $(sum_of windows_lost) lost"
	assert_eq "lost samples as frames" "$(profile_samples all.pb.gz "$(in_stack not_stored)")" \
		"$(sum_of lost_not_stored)"
}

# All are stopped, as in a frozen container: who comes to first waits for the others.
stop_all() { # SECONDS
	local all
	mapfile -t all < <(tree_of "$agent")
	kill -STOP "${all[@]}" || true # some have ended
	sleep "$1"
	kill -CONT "$agent"
	sleep 0.3
	kill -CONT "${all[@]}" || true
}

# Whoever says nothing for long is ended, and nothing is lost of what could wait.
test_a_hanging_writer_is_ended() {
	need_bpf
	local writer
	start "$WORKLOADS/deep" 120
	export KILN_TEST_PATIENCE_MS=3000
	start_agent --window 1s -F 97
	await_windows 2
	stop_all 4
	await_windows 1
	assert_match "log" log 'level=warning msg="the agent was stopped for [34] s"'
	assert_no_match "log" log 'has not answered'
	writer=$(role_pid kiln-writer)
	kill -STOP "$writer"
	await_other kiln-writer "$writer"
	await_windows 4
	stop_agent 0
	assert_match "log" log 'level=warning msg="the store writer has not answered for 3 s"'
	assert_store_sound
	assert_eq "restarts" "$(sum_of restarts)" 1
	assert_eq "windows lost" "$(sum_of windows_lost)" 0
	assert_at_most "ms without windows" "$(uncovered_ms)" 200
}

# Segments of a newer version: whoever starts looks at some of them.
add_newer_segments() {
	local first name
	first=$(find "$T/store" -name '*.kiln' | head -n 1)
	for name in 1 2 3; do
		name=$T/store/2020010${name}T000000Z.kiln
		sqlite3 -readonly "$first" ".backup $name"
		sqlite3 "$name" 'pragma journal_mode = delete; delete from windows; pragma user_version = 99' >backup
	done
}

# Holds a lock for which whoever opens the store's segments waits a second each.
hold_segments() {
	start python3 -c '
import fcntl, sys, time
files = [open(name, "r+b") for name in sys.argv[1:]]
for f in files:
    fcntl.lockf(f, fcntl.LOCK_EX, 1, 1 << 30)
print("held", flush=True)
time.sleep(600)' "$T"/store/*.kiln >held
	wait_until 10 grep -q held held
}

waiting_windows() { # AT_LEAST
	curl -sf "http://$KILN_HTTP_LISTEN/metrics" |
		awk -v least="$1" '$1 == "kiln_windows_waiting" && $2 >= least { found = 1 } END { exit !found }'
}

# Whoever hangs before it is there is ended, too; windows wait meanwhile, and are counted.
test_a_writer_that_does_not_start_is_ended() {
	need_bpf
	local writer holder
	export KILN_HTTP_LISTEN=127.0.0.1:$((30000 + RANDOM % 10000)) KILN_TEST_PATIENCE_MS=3000
	start "$WORKLOADS/deep" 120
	start_agent --window 1s -F 97
	await_windows 2
	add_newer_segments
	writer=$(role_pid kiln-writer)
	hold_segments
	holder=$started
	kill -KILL "$writer"
	await_other kiln-writer "$writer"
	writer=$(role_pid kiln-writer)
	kill -STOP "$writer"
	wait_until 20 waiting_windows 3
	wait_until 20 grep -q 'level=warning msg="the store writer has not started for 12 s"' log
	kill "$holder"
	await_other kiln-writer "$writer"
	rm store/2020*
	await_windows 6
	stop_agent 0
	assert_store_sound
	assert_eq "restarts" "$(sum_of restarts)" 2
	assert_eq "windows lost" "$(sum_of windows_lost)" 0
}

# What was sampled until then is stored, also when the writer is killed just then.
test_an_end_while_the_writer_is_away() {
	need_bpf
	start "$WORKLOADS/deep" 60
	start_agent --window 1s -F 97
	await_windows 2
	kill -KILL "$(role_pid kiln-writer)"
	stop_agent 0
	assert_store_sound
	assert_match "log" log 'level=info msg="ending: [0-9]+ windows? stored, 0 lost"$'
	assert_at_most "ms without windows" "$(uncovered_ms)" 200
}

# The agent holds files of others open, but not for long: a file system can be unmounted.
test_file_systems_are_let_go() {
	need_bpf
	need_root
	[ "$kills" -ge 100 ] || skip "takes two minutes: KILN_TEST_KILLS=200 does it"
	mkdir disk
	mount -t tmpfs none disk
	trap 'umount -l "$T/disk" 2>/dev/null || true' EXIT
	cp "$WORKLOADS/deep" disk/prog
	start_agent
	timeout 15 disk/prog 3600 >/dev/null || true
	await_windows 1
	assert_eq "samples of it" "$(ask_store "select count(*) > 0 from series where value like '%/disk/prog'" |
		sort -u | tail -n 1)" 1
	wait_until 150 umount disk
	stop_agent 0
}

# What it lacks has a name.
test_few_descriptors_and_no_proc() {
	need_bpf
	need_root
	local status=0
	(ulimit -n 16 && exec timeout 20 "$KILN" agent --store "$T/store" 2>log) || status=$?
	assert_eq "exit status" $status 1
	assert_match "log" log 'the limit of open files is 16 \(ulimit -n\): the agent wants 256'
	(ulimit -S -n 16 && start_agent --window 1s && await_windows 1 && stop_agent 0)
	mkdir root
	unshare -m bash -e -c '
		mount -t tmpfs none root
		mkdir root/{usr,sys,tmp}
		mount --rbind /usr root/usr
		mount --rbind /sys root/sys
		for dir in lib lib64; do [ ! -e /usr/$dir ] || ln -s usr/$dir root/$dir; done
		cp "$KILN" root/kiln
		for args in "agent --store /tmp/store --listen off" "record -a -d 1 -o /tmp/x.pb.gz"; do
			! chroot root timeout 20 /kiln $args 2>&1 || exit 1
		done' >said
	assert_eq "what says that there is no /proc" "$(grep -c '/proc is not mounted' said)" 2
}

run_tests "$@"
