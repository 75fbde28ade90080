#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What record is aimed at is in the profile, and nothing else is.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# The profile holds these processes and no others (what stands for losses has none).
assert_only_pids() { # FILE PID...
	local file=$1 others
	shift
	others=$(profile_samples "$file" "$(printf '$4 != "%s" && ' "$@") !$(in_stack '[lost samples]')")
	assert_eq "samples of other processes" "$others" 0
}

test_process_ids() {
	need_bpf
	local a b
	start "$WORKLOADS/shares" 30 && a=$started
	start "$WORKLOADS/deep" 30 && b=$started
	start "$WORKLOADS/spinner" 1 30
	"$KILN" record -q -p "$a" -d 2 -o one.pb.gz
	assert_only_pids one.pb.gz "$a"
	assert_at_least "samples of the process" "$(profile_samples one.pb.gz)" 20
	"$KILN" record -p "9999998,$a,9999999,$b" -d 2 -o two.pb.gz 2>err
	assert_match "who has ended" err 'warning: -p 9999999: no such process; left out$'
	assert_only_pids two.pb.gz "$a" "$b"
	assert_at_least "samples of the first" "$(profile_samples two.pb.gz "\$4 == $a")" 10
	assert_at_least "samples of the second" "$(profile_samples two.pb.gz "\$4 == $b")" 10
	assert_accounting two.pb.gz
}

# All threads of a process belong to it, those started later too.
test_threads_of_a_process() {
	need_bpf
	start "$WORKLOADS/demo" 30
	"$KILN" record -q -p "$started" -d 2 -o p.pb.gz
	assert_only_pids p.pb.gz "$started"
	profile_py samples p.pb.gz | cut -f3 | sort -u >comms
	assert_match "names of threads" comms '^ingest$'
	assert_match "names of threads" comms '^archive$'
}

# Each of these lives 100 ms of CPU time, ten periods: none can be missing.
test_command_and_all_its_descendants() {
	need_bpf
	"$KILN" record -q -o p.pb.gz -- sh -c "sh -c '$WORKLOADS/forkstorm 3 100 150 >told'"
	local count ns
	read -r count ns <told
	profile_py samples p.pb.gz | awk -F '\t' '$6 ~ /short_life/ { print $4 }' | sort -u >pids
	assert_eq "processes seen" "$(grep -c . pids)" "$count"
	assert_near "CPU time, in per cent of the kernel's" \
		"$(profile_ns p.pb.gz '$3 == "forkstorm"' | awk -v ns="$ns" '{ print 100 * $1 / ns }')" 100 10
	assert_accounting p.pb.gz
}

test_command_alone() {
	need_bpf
	start "$WORKLOADS/spinner" 2 30
	"$KILN" record -q -o p.pb.gz -- "$WORKLOADS/deep" 2
	assert_eq "samples of others" "$(profile_samples p.pb.gz '$3 ~ /^spin/')" 0
	assert_at_least "samples of the command" "$(profile_samples p.pb.gz '$3 == "deep"')" 10
}

test_command_without_dashes() {
	need_bpf
	"$KILN" record -q -o p.pb.gz "$WORKLOADS/deep" 1 10
	assert_at_least "samples" "$(profile_samples p.pb.gz "$(in_stack at_the_bottom)")" 10
}

test_comm_glob() {
	need_bpf
	start "$WORKLOADS/spinner" 2 30
	start "$WORKLOADS/deep" 30
	wait_until 5 pgrep -x spin1
	"$KILN" record -q --comm 'spin[0-9]' -d 2 -o p.pb.gz
	assert_eq "samples of others" \
		"$(profile_samples p.pb.gz "\$3 !~ /^spin[0-9]\$/ && !$(in_stack '[lost samples]')")" 0
	assert_at_least "samples of spin0" "$(profile_samples p.pb.gz '$3 == "spin0"')" 10
	assert_at_least "samples of spin1" "$(profile_samples p.pb.gz '$3 == "spin1"')" 10
	assert_status 2 "$KILN" record --comm 'sixteen_bytes_16*' -d 1 -o none.pb.gz
	assert_match "message" err 'the kernel cuts names to 15 bytes'
}

new_cgroup() { # name
	local mount
	mount=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	[ -n "$mount" ] || skip "no cgroup2 hierarchy is mounted"
	cgroup=$mount/kiln-test-$$-$1
	mkdir -p "$cgroup/below"
}

start_in_cgroup() { # CGROUP COMMAND...
	local where=$1
	shift
	start sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$where" "$@"
}

end_cgroup() {
	end_started "$T"
	wait_until 5 rmdir "$cgroup/below"
	rmdir "$cgroup"
}

test_cgroup_with_what_is_below_it() {
	need_bpf
	need_root
	local a b
	new_cgroup tree
	start_in_cgroup "$cgroup" "$WORKLOADS/shares" 30 && a=$started
	start_in_cgroup "$cgroup/below" "$WORKLOADS/deep" 30 && b=$started
	start "$WORKLOADS/spinner" 1 30
	wait_until 5 grep -q . "$cgroup/below/cgroup.procs"
	"$KILN" record -q --cgroup "$cgroup" -d 2 -o p.pb.gz
	end_cgroup
	assert_only_pids p.pb.gz "$a" "$b"
	assert_at_least "samples in it" "$(profile_samples p.pb.gz "\$4 == $a")" 10
	assert_at_least "samples below it" "$(profile_samples p.pb.gz "\$4 == $b")" 10
	profile_py labels p.pb.gz >labels
	assert_match "labels" labels 'cgroup=[^	]*kiln-test-.*-tree'
	assert_accounting p.pb.gz
}

test_kernel_only_and_user_only() {
	need_bpf
	"$KILN" record -q -U -o user.pb.gz -- "$WORKLOADS/demo" 2 >out
	"$KILN" record -q -K -o kernel.pb.gz -- "$WORKLOADS/demo" 2 >out
	assert_eq "kernel frames with -U" "$(profile_samples user.pb.gz '$7 ~ /\[kernel/')" 0
	assert_at_least "user stacks with -U" "$(profile_samples user.pb.gz "$(in_stack ingest)")" 10
	assert_eq "user frames with -K" "$(profile_samples kernel.pb.gz '$7 ~ /\/demo/')" 0
	assert_at_least "kernel stacks with -K" "$(profile_samples kernel.pb.gz '$7 ~ /\[kernel/')" 1
	assert_accounting user.pb.gz
	assert_accounting kernel.pb.gz
}

test_cpus() {
	need_bpf
	[ "$(getconf _NPROCESSORS_ONLN)" -gt 1 ] || skip "one CPU"
	start taskset -c 0 "$WORKLOADS/shares" 30
	start taskset -c 1 "$WORKLOADS/deep" 30
	sleep 0.3
	"$KILN" record -q -a -C 0 -d 2 -o p.pb.gz
	assert_eq "samples of what runs elsewhere" "$(profile_samples p.pb.gz '$3 == "deep"')" 0
	assert_at_least "samples of what runs there" "$(profile_samples p.pb.gz '$3 == "shares"')" 10
	assert_near "expected samples" "$(quality p.pb.gz expected)" 198 25
}

test_duration_and_delay() {
	need_bpf
	start "$WORKLOADS/deep" 30
	"$KILN" record -q -p "$started" -d 1500ms --delay 500ms -o p.pb.gz
	profile_py header p.pb.gz >header
	assert_match "header" header '^types=samples/count,cpu/nanoseconds$'
	assert_match "header" header '^period=10101010$'
	assert_near "duration" "$(sed -n 's/^duration_ns=//p' header)" 1500000000 300000000
	assert_near "start" "$(sed -n 's/^time_ns=//p' header)" "$(date +%s%N)" 30000000000
	local ns
	ns=$(profile_ns p.pb.gz)
	assert_at_most "CPU time of one thread" "$ns" 1700000000
}

# As users of perf type it.
test_habits_of_perf() {
	need_bpf
	local how
	for how in "-g" "--call-graph fp" "--call-graph=dwarf" "--call-graph dwarf,8192" "--call-graph lbr"; do
		# shellcheck disable=SC2086 # an option and its argument
		"$KILN" record -q -F 997 $how -o p.pb.gz -- "$WORKLOADS/deep" 0.3 20
		assert_at_least "samples with $how" "$(profile_samples p.pb.gz "$(in_stack at_the_bottom)")" 10
	done
}

test_labels() {
	need_bpf
	"$KILN" record -q -l env=test -l 'region=a b' -o p.pb.gz -- "$WORKLOADS/deep" 1
	profile_py labels p.pb.gz >labels
	assert_match "labels" labels '	env=test(	|$)'
	assert_match "labels" labels '	region=a b(	|$)'
}

# The recursion ends at main, or is marked as cut where it is deeper than the limit.
test_deep_stacks() {
	need_bpf
	"$KILN" record -q -o p.pb.gz -- "$WORKLOADS/deep" 2 300
	assert_at_least "stacks that reach main" \
		"$(profile_share p.pb.gz "$(in_stack main)" "$(in_stack at_the_bottom)")" 98
	"$KILN" record -q -o q.pb.gz -- "$WORKLOADS/deep" 2 20000
	assert_at_least "samples of a very deep stack" \
		"$(profile_samples q.pb.gz "$(in_stack at_the_bottom)")" 20
	assert_at_least "stacks that are cut or reach main" \
		"$(profile_share q.pb.gz "$(in_stack main) || $(in_stack '[truncated]')" \
			"$(in_stack at_the_bottom)")" 98
	assert_accounting q.pb.gz
}

# It has ended already; no timer is to blame.
test_a_zombie() {
	need_bpf
	start python3 -c 'import os, time
pid = os.fork() or os._exit(0)
print(pid, flush=True)
time.sleep(60)' >pid
	wait_until 10 test -s pid
	assert_status 3 "$KILN" record -d 5 -p "$(cat pid)" -o p.pb.gz
	assert_match "message" err 'no samples: the target ended before any was due, after [0-9.]+ ms'
	assert_no_file p.pb.gz
}

# A server's workers were there before, so they are not followed.
test_a_master_that_sleeps() {
	need_bpf
	start python3 -c 'import os, time
busy = os.fork() or "busy"
idle = busy == "busy" or os.fork() or "idle"
while busy == "busy":
    pass
if idle != "idle":
    print(busy, flush=True)
time.sleep(60)' >pid
	local master=$started
	wait_until 10 test -s pid
	assert_status 3 "$KILN" record -d 1 -p "$master" -o p.pb.gz
	kill "$(cat pid)"
	pkill -P "$master" || true
	assert_match "message" err 'no samples: the target used no CPU time'
	assert_match "who did" err "processes that it started before did: -p $(cat pid)\$"
	assert_no_file p.pb.gz
}

# What the master's workers did is not in its profile; that is said, unless they are recorded, too.
test_a_master_that_works() {
	need_bpf
	start python3 -c 'import os
worker = os.fork()
if worker:
    print(worker, flush=True)
while True:
    pass' >pid
	local master=$started
	wait_until 10 test -s pid
	"$KILN" record -d 1 -p "$master" -o p.pb.gz 2>alone
	"$KILN" record -d 1 -p "$master,$(cat pid)" -o p.pb.gz 2>both
	kill "$(cat pid)"
	assert_match "who else ran" alone "processes that it started before ran as well, unrecorded: -p $(cat pid)\$"
	assert_no_match "both are recorded" both 'unrecorded'
}

# The command is recorded, and the daemon that it leaves has its time afterwards.
test_a_daemon() {
	need_bpf
	"$KILN" record -o p.pb.gz -- sh -c 'setsid sleep 60 & echo $! >pid
		i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done' 2>err
	kill "$(cat pid)"
	assert_match "who goes on" err "processes that it started run on, unrecorded: -p $(cat pid)\$"
}

test_no_sample_of_a_busy_command() {
	assert_status 3 "$KILN" record --comm nobody -o p.pb.gz -- awk 'BEGIN { for (i = 0; i < 1e7; i++); }'
	assert_match "message" err 'used [0-9.]* s of CPU time, but not where samples were asked for'
	assert_no_file p.pb.gz
}

test_interrupt_ends_the_recording() {
	need_bpf
	local signal
	start "$WORKLOADS/demo" 30 # an idle machine has no samples
	for signal in INT TERM; do
		start env --default-signal=INT "$KILN" record -v -a -d 60 -o "$signal.pb.gz" 2>"$signal"
		wait_until 20 grep -q 'sampling after' "$signal"
		sleep 1
		kill -$signal "$started"
		local status=0
		wait "$started" || status=$?
		assert_eq "exit status after SIG$signal" "$status" 0
		assert_accounting "$signal.pb.gz"
	done
}

run_tests "$@"
