#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever ends a recording, its profile is written; and the recorded command is not changed by being recorded.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

test_signals_end_a_recording() {
	need_bpf
	local signal status
	start "$WORKLOADS/demo" 30
	for signal in HUP PIPE QUIT USR1 XCPU; do
		start env --default-signal=HUP,PIPE,QUIT,USR1,XCPU "$KILN" record -v -F 997 -a -d 60 -o "$signal.pb.gz" 2>"$signal"
		wait_until 20 grep -q 'sampling after' "$signal"
		sleep 0.5
		kill -$signal "$started"
		status=0
		wait "$started" || status=$?
		assert_eq "exit status after SIG$signal" "$status" 0
		assert_accounting "$signal.pb.gz"
	done
}

# It waits for a reader, says so, and ends with a word or with the profile.
test_a_fifo_that_nobody_reads() {
	need_bpf
	local status=0
	mkfifo f
	start env --default-signal=INT "$KILN" record -F 997 -f pb.gz -o f -- "$WORKLOADS/deep" 1 2>err
	wait_until 20 grep -q 'f is a FIFO that nobody reads: waiting for its reader' err
	kill -INT "$started"
	wait "$started" || status=$?
	assert_eq "status" "$status" 125
	assert_match "message" err 'cannot write f: nobody reads this FIFO: start its reader'
	start "$KILN" record -F 997 -f pb.gz -o f -- "$WORKLOADS/deep" 1 2>err
	wait_until 20 grep -q 'waiting for its reader' err
	cat f >p.pb.gz
	wait "$started"
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 100
}

# Of a full pipe that nobody empties, too.
test_a_reader_that_takes_nothing() {
	need_bpf
	local status=0 i
	start "$WORKLOADS/demo" 30
	mkfifo f
	sleep 60 3<>f 4>f &
	sleep 0.2
	head -c 65536 /dev/zero >f # as much as it holds
	start env --default-signal=INT "$KILN" record -q -F 997 -d 1 -a -f folded -o f 2>err
	for i in $(seq 10); do
		sleep 2
		kill -INT "$started" 2>/dev/null || break
	done
	[ "$i" -lt 10 ] || fail "kiln waits on"
	wait "$started" || status=$?
	assert_eq "status" "$status" 1
	assert_match "message" err 'cannot write f: its reader takes no more, and a signal ended the wait'
}

# What was to be recorded does not begin any more.
test_an_end_before_the_command_begins() {
	need_bpf
	local status=0
	start env --default-signal=TERM "$KILN" record -o p.pb.gz -- touch began 2>err
	sleep 0.1
	kill -TERM "$started"
	wait "$started" || status=$?
	assert_no_file began p.pb.gz
	[ "$status" = 143 ] || assert_match "message" err 'touch: stopped before the command began'
}

# ^S stops the terminal until ^Q, but neither the recording nor its profile.
test_a_terminal_that_is_stopped() {
	need_bpf
	start "$WORKLOADS/demo" 30 # an idle machine has no samples
	start timeout 60 python3 -c 'import os, pty, sys, time
pid, fd = pty.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
while b"samples" not in seen:
    seen += os.read(fd, 4096)
os.write(fd, b"\x13")
print("stopped", flush=True)
time.sleep(60)' "$KILN" record -a -d 2 -o s.pb.gz >stopped
	wait_until 20 test -s stopped
	wait_until 20 test -s s.pb.gz
	assert_accounting s.pb.gz
}

# nohup(1)
test_an_ignored_hangup() {
	need_bpf
	start env --ignore-signal=HUP "$KILN" record -q -F 997 -o p.pb.gz -- "$WORKLOADS/deep" 2 20
	sleep 1
	kill -HUP "$started"
	wait "$started"
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 150
}

test_a_reader_that_goes_away() {
	need_bpf
	start "$WORKLOADS/demo" 30
	{ "$KILN" record -q -F 997 -d 1 -a -o - -f folded 2>err || echo $? >status; } | true
	assert_eq "status" "$(cat status)" 1
	assert_match "message" err 'cannot write to standard output: Broken pipe'
}

test_a_limit_of_file_sizes() {
	need_bpf
	start "$WORKLOADS/demo" 30
	(ulimit -f 1 && "$KILN" record -F 999 -d 1 -a -o small.html 2>err) && fail "it was written"
	assert_match "message" err 'cannot write small.html: File too large'
	"$KILN" record -q -F 997 -d 1 -a -o p.pb.gz
	(ulimit -f 1 && "$KILN" export p.pb.gz -o p.html 2>err) && fail "it was exported"
	assert_match "message" err 'File too large'
	[ -z "$(ls ./*.html*)" ] || fail "left: $(ls ./*.html*)"
}

# kiln may have been started with an ignored SIGCHLD; then wait(2) would not tell how the command ended.
test_an_ignored_sigchld() {
	need_bpf
	local status=0
	env --ignore-signal=CHLD "$KILN" record -q -F 997 -o p.pb.gz -- sh -c "$WORKLOADS/deep 1; exit 7" || status=$?
	assert_eq "status" "$status" 7
}

# Signals 32 and 33 are the C library's own, which sets them as it likes: make(1) starts commands that ignore them.
ignored_signals() { # FILE of /proc/PID/status
	local mask
	mask=$(sed -n 's/^SigIgn:[[:space:]]*/0x/p' "$1")
	printf '%#x\n' $((mask & ~0x180000000))
}

test_what_the_command_gets() {
	need_bpf
	(
		ulimit -S -n 200
		ulimit -S -l 64
		env --ignore-signal=HUP --default-signal=PIPE,XFSZ,CHLD cp /proc/self/status alone
		env --ignore-signal=HUP --default-signal=PIPE,XFSZ,CHLD \
			"$KILN" record -q -F 997 -o p.pb.gz -- sh -c 'ulimit -n; ulimit -l; exec cp /proc/self/status recorded' >limits ||
			[ $? -eq 3 ]
	)
	assert_eq "limits" "$(tr '\n' ' ' <limits)" "200 64 "
	assert_eq "ignored signals" "$(ignored_signals recorded)" "$(ignored_signals alone)"
}

# It gets SIGTERM, and never SIGKILL. The profile is there while kiln waits.
test_the_command_is_not_killed() {
	need_bpf
	cat >stubborn <<-'SH'
		trap 'echo asked >asked' TERM
		while [ ! -e enough ]; do :; done
		exit 5
	SH
	start "$KILN" record -F 997 -d 1 -o p.pb.gz -- sh stubborn 2>err
	wait_until 10 grep -q 'waiting for the command' err
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 50
	sleep 2
	kill -0 "$started" || fail "kiln did not wait"
	touch enough
	local status=0
	wait "$started" || status=$?
	assert_eq "status" "$status" 5
	assert_eq "signals" "$(cat asked)" asked
}

test_a_second_interrupt_leaves_the_command() {
	need_bpf
	local status=0 command
	start env --default-signal=INT "$KILN" record -F 997 -d 1 -o p.pb.gz -- sh -c "trap '' TERM INT; while :; do :; done" 2>err
	wait_until 10 grep -q 'waiting for the command' err
	command=$(pgrep -P "$started" -x sh)
	kill -INT "$started"
	wait "$started" || status=$?
	assert_eq "status" "$status" 130
	kill -KILL "$command" || fail "the command is gone"
	assert_match "message" err 'runs on'
}

# Children that a target forks before sampling starts are profiled.
test_children_of_the_delay() {
	need_bpf
	"$KILN" record -q -F 997 --delay 1s -d 1 -o p.pb.gz -- sh -c "$WORKLOADS/deep 10 20 & wait" || true
	assert_at_least "samples of the child" "$(profile_samples p.pb.gz "$(in_stack at_the_bottom)")" 50
	start sh -c "while [ ! -e go ]; do sleep 0.05; done; $WORKLOADS/deep 20 20 & wait"
	local parent=$started
	start "$KILN" record -v -F 997 --delay 3s -d 1 -p "$parent" -o q.pb.gz 2>log
	wait_until 20 grep -q 'programs loaded' log
	sleep 0.5
	touch go
	wait "$started"
	assert_at_least "samples of a child of -p" "$(profile_samples q.pb.gz "$(in_stack at_the_bottom)")" 50
}

# As many files as the hard limit allows.
# The rings count against what all of a user's profilers may lock together.
# A stack that is too small is told, before it is a fault; the smallest that is allowed is enough.
test_small_stacks() {
	need_bpf
	(ulimit -s 64 && "$KILN" record -d 1 -a -o p.pb.gz 2>err) && fail "it was recorded"
	assert_match "why" err 'the limit of the stack is 64 KB .ulimit -s.: kiln wants 128'
	(ulimit -s 128 && "$KILN" record -q -F 999 -o p.pb.gz -- "$WORKLOADS/deep" 1)
	assert_at_least "frames with names" "$(quality p.pb.gz frames_named)" 1000
	"$KILN" report p.pb.gz >out
	assert_no_match "a reader failed" out 'reader'
}

test_no_locked_memory() {
	need_bpf
	local i
	for i in 1 2; do
		start setpriv --bounding-set -ipc_lock prlimit --memlock=0 \
			"$KILN" record -a -d 60 -o "$i.pb.gz" 2>"$i.err"
		wait_until 20 grep -q 'sampling at\|cannot' "$i.err"
	done
	grep -q 'cannot' 2.err || skip "this user may lock more"
	assert_match "the cause" 2.err 'do not fit into what this user may lock: raise the limit'
	assert_no_match "another" 2.err CAP_PERFMON
}

# Nor does it hold up whoever may lock more than the limit, as root in a container that allows 64 KB.
test_locked_memory_of_root() {
	need_bpf
	need_root
	local i
	setpriv -d | grep '^Capability bounding set' | grep -q ipc_lock || skip "root may not lock more"
	for i in 1 2 3; do
		start prlimit --memlock=65536 "$KILN" record -a -d 60 -o "$i.pb.gz" 2>"$i.err"
		wait_until 20 grep -q 'sampling at\|cannot' "$i.err"
		assert_no_match "recording $i" "$i.err" cannot
	done
}

test_few_descriptors() {
	need_bpf
	start "$WORKLOADS/deep" 30 20
	(ulimit -S -n 64 && "$KILN" record -q -F 997 -a -d 1 -o p.pb.gz)
	assert_at_least "samples" "$(profile_samples p.pb.gz "$(in_stack at_the_bottom)")" 50
}

run_tests "$@"
