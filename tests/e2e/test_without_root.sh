#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user profiles what is his own: complete stacks and names, the right shares, and a word on what is
# missing.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

nobody=65534

# What a user without any right needs: programs he can read, and a directory of his own.
be_user() {
	need_root
	need setpriv
	install -m 755 "$KILN" kiln
	install -m 755 "$WORKLOADS/shares_nofp" shares
	mkdir -p own
	chown $nobody:$nobody own
	chmod 755 .
	user=(env "HOME=$PWD/own" setpriv --reuid="$nobody" --regid="$nobody" --clear-groups
		--bounding-set=-all)
}

as_user() {
	"${user[@]}" "$@"
}

# Sets kernel.perf_event_paranoid until the test ends.
set_paranoid() { # LEVEL
	local file=/proc/sys/kernel/perf_event_paranoid
	paranoid_was=$(cat $file)
	# shellcheck disable=SC2064 # the file and its value of now
	trap "echo $paranoid_was >$file" EXIT
	{ echo "$1" >$file; } 2>/dev/null || skip "kernel.perf_event_paranoid cannot be set here"
}

# The three shares are what the program's own clocks say, within 2 points, or what chance does to so few samples.
assert_shares() { # FILE TOLD
	local name all within
	within=$(awk -v n="$(profile_samples "$1")" 'BEGIN { p = 370 * sqrt(0.24 / n); print (p > 2 ? p : 2) }')
	all=$(awk '/^burn_/ { n += $2 } END { print n }' "$2")
	for name in burn_sixty burn_thirty burn_ten; do
		assert_near "share of $name in $1" "$(profile_share "$1" "$(in_stack $name)")" \
			"$(awk -v all="$all" -v name=$name '$1 == name { n += $2 } END { print 100 * n / all }' "$2")" "$within"
	done
}

test_perf_events_of_own_processes() {
	be_user
	set_paranoid 2
	as_user ./kiln record -F 499 -o own/p.pb.gz -- ./shares 4 2 >told 2>said
	assert_match "how it was sampled" said 'without root: user code of own processes, by perf events'
	assert_eq "the way, in the profile" "$(quality own/p.pb.gz rootless)" events
	assert_accounting own/p.pb.gz
	assert_at_least "samples" "$(profile_samples own/p.pb.gz)" 200
	assert_at_least "complete stacks, in per cent" \
		"$(profile_share own/p.pb.gz "$(in_stack run_shares)")" 97
	assert_shares own/p.pb.gz told
}

# As a container's seccomp profile: neither perf events nor BPF.
refuse_perf_events() {
	cc -O1 -w "$SRC/tests/lib/refuse_calls.c" -o refuse_calls
}

test_stops_where_perf_events_are_refused() {
	be_user
	refuse_perf_events
	as_user ./refuse_calls ./kiln record -F 499 -o own/p.pb.gz -- ./shares 5 2 >told 2>said
	assert_match "how it was sampled" said 'without root: .* by short stops \(perf events are refused\)'
	assert_match "what it says at the end" said '^Rootless own processes, by stops of .* the kernel.s frames are not shown'
	assert_eq "the way, in the profile" "$(quality own/p.pb.gz rootless)" stops
	"$KILN" report own/p.pb.gz --json >report.json
	assert_match "the way, in JSON" report.json '"rootless":"stops"'
	"$KILN" report own/p.pb.gz >report
	assert_match "the way, in the report" report '^Rootless own processes, by stops'
	"$KILN" export own/p.pb.gz -o page.html
	assert_match "the way, in the page" page.html '"rootless":"own processes, by stops'
	assert_accounting own/p.pb.gz
	assert_at_least "samples" "$(profile_samples own/p.pb.gz)" 200
	assert_at_least "stacks with their root" \
		"$(profile_share own/p.pb.gz "$(in_stack run_shares)")" 97
	assert_shares own/p.pb.gz told
	# The sum is what the kernel has accounted to the program.
	assert_near "CPU time, in per cent of the program's own" "$(profile_ns own/p.pb.gz |
		awk -v all="$(awk '$1 == "all" { print $2 }' told)" '{ print 100 * $1 / all }')" 100 2
	assert_at_least "microseconds of stops" "$(quality own/p.pb.gz stopped_us)" 1000
}

# A stop that came late would find a program that calls the kernel often in its calls, too often: twice their time.
test_stops_in_system_calls() {
	be_user
	refuse_perf_events
	cat >calls.c <<-'X'
		#include <fcntl.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <sys/resource.h>
		#include <time.h>
		#include <unistd.h>
		volatile unsigned long sum;
		static double s(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }
		int main(void)
		{
			time_t end = time(NULL) + 6;
			int f = open("/dev/null", O_WRONLY);
			struct rusage r;
			while (time(NULL) < end)
				for (int i = 0; i < 10000; i++) {
					for (int j = 0; j < 400; j++) sum = sum * 31 + j;
					if (write(f, "", 1) != 1) abort();
				}
			getrusage(RUSAGE_SELF, &r);
			printf("%.1f\n", 100 * s(r.ru_stime) / (s(r.ru_utime) + s(r.ru_stime)));
		}
	X
	cc -O1 calls.c -o calls
	as_user ./refuse_calls ./kiln record -q -F 499 -o own/p.pb.gz -- ./calls >told
	assert_near "per cent in write()" "$(profile_share own/p.pb.gz "$(in_stack write)")" "$(cat told)" 8
	assert_accounting own/p.pb.gz
}

# From here on the first way is left out by the test, because a filter would also keep set-uid programs from theirs.
stopping() {
	KILN_TEST_REFUSE=events as_user ./kiln record "$@"
}
need_proc_children() {
	[ -e "/proc/$$/task/$$/children" ] || skip "the kernel lists no children"
}
# In the background its process is kiln itself.
become_stopping() {
	KILN_TEST_REFUSE=events exec "${user[@]}" ./kiln record "$@"
}

# Far more threads want to run than there are CPUs, and all have ended at the end.
test_stops_of_many_threads() {
	be_user
	cat >many.c <<-'X'
		#include <pthread.h>
		#include <stdio.h>
		#include <time.h>
		#include <unistd.h>
		volatile unsigned long sum;
		static double s(clockid_t c) { struct timespec t; clock_gettime(c, &t); return t.tv_sec + t.tv_nsec / 1e9; }
		static void *work(void *end)
		{
			while (s(CLOCK_MONOTONIC) < *(double *)end) {
				for (int i = 0; i < 200000; i++) sum = sum * 31 + i;
				usleep(20000);
			}
			return NULL;
		}
		int main(void)
		{
			double end = s(CLOCK_MONOTONIC) + 4;
			pthread_t t[300];
			for (int i = 0; i < 300; i++) pthread_create(&t[i], NULL, work, &end);
			for (int i = 0; i < 300; i++) pthread_join(t[i], NULL);
			printf("%.0f\n", s(CLOCK_PROCESS_CPUTIME_ID) * 1e9);
		}
	X
	cc -O1 many.c -o many -lpthread
	stopping -F 99 -o own/p.pb.gz -- ./many >told 2>said
	assert_accounting own/p.pb.gz
	assert_near "CPU time with and without stacks, in per cent of the program's own" \
		"$(profile_ns own/p.pb.gz | awk -v told="$(cat told)" '{ print 100 * $1 / told }')" 100 8
	assert_no_match "what it says of them" said 'hung while it executed'
}

test_stops_follow_threads_and_programs() {
	be_user
	stopping -F 499 -o own/p.pb.gz -- sh -c './shares 2 1 & exec ./shares 2 1' >told 2>said
	wait
	assert_at_least "processes seen" "$(profile_py samples own/p.pb.gz |
		awk -F '\t' '$3 == "shares" { print $4 }' | sort -u | wc -l)" 2
	assert_at_least "below their own roots" \
		"$(profile_share own/p.pb.gz "$(in_stack run_shares)" '$3 == "shares"')" 97
	assert_accounting own/p.pb.gz
}

# Programs that live for less than a period have samples as often as their time is worth, and what came and went between
# two looks is told as lost: the sum is what the kernel has accounted to them.
test_stops_of_short_lived_programs() {
	be_user
	install -m 755 "$WORKLOADS/forkstorm" forkstorm
	stopping -q -F 99 -o own/p.pb.gz -- ./forkstorm 4 3 9 >told
	assert_accounting own/p.pb.gz
	assert_near "CPU time, in per cent of the kernel's" "$(awk -v n="$(quality own/p.pb.gz expected)" \
		'{ print 100 * n / 99 / ($2 / 1e9) }' told)" 100 6
	assert_at_least "samples of them" "$(profile_samples own/p.pb.gz "$(in_stack short_life)")" 15
}

# Threads that run already, each with its name, and what they start later.
test_a_process_that_runs_already() {
	be_user
	install -m 755 "$WORKLOADS/demo" demo
	set_paranoid 2
	local pid way
	(exec "${user[@]}" ./demo 30 >/dev/null) &
	pid=$!
	sleep 0.5
	for way in events stops; do
		KILN_TEST_REFUSE=$([ $way = events ] || echo events) as_user ./kiln record -q -F 499 -p $pid -d 3 \
			-o own/$way.pb.gz
		assert_eq "the way" "$(quality own/$way.pb.gz rootless)" $way
		assert_accounting own/$way.pb.gz
		assert_eq "samples of other processes" "$(profile_samples own/$way.pb.gz \
			"\$4 != $pid && !$(in_stack '[lost samples]')")" 0
		profile_py samples own/$way.pb.gz | cut -f3 | sort -u >comms
		assert_match "names of threads, by $way" comms '^ingest$'
		assert_match "names of threads, by $way" comms '^archive$'
	done
	kill $pid
}

# Sleeping is no reason to be stopped, and who is stopped on the way to sleep sleeps on.
test_stops_disturb_no_system_call() {
	be_user
	cc -O1 -w "$SRC/tests/lib/sleepy_calls.c" -o sleepy_calls
	stopping -F 997 -o own/p.pb.gz -- ./sleepy_calls 3000 >told 2>said
	assert_match "sleeps that were cut short" told '^early 0$'
	assert_eq "calls that ended with EINTR" "$(awk '$1 == "broken" { print $2 }' told)" \
		"$(quality own/p.pb.gz calls_ended)"
	assert_at_least "samples" "$(profile_samples own/p.pb.gz)" 100
}

test_job_control_works_while_it_is_recorded() {
	be_user
	become_stopping -F 997 -o own/p.pb.gz -- ./shares 3 1 >told 2>said &
	local kiln=$! pid state
	sleep 1
	pid=$(pgrep -P "$kiln" -x shares)
	kill -STOP "$pid"
	sleep 0.3
	state=$(awk '{ print $3 }' "/proc/$pid/stat")
	kill -CONT "$pid"
	assert_eq "the state of a stopped program" "$state" T
	wait "$kiln"
	assert_match "what the program said at its end" told '^all [0-9]+'
	assert_at_least "samples" "$(profile_samples own/p.pb.gz)" 100
}

test_a_program_outlives_a_kiln_that_is_killed() {
	be_user
	local pid i
	exec 3>told
	(exec "${user[@]}" ./shares 4 2 >&3) &
	pid=$!
	for i in 1 2 3 4 5; do
		become_stopping -F 4999 -p "$pid" -o own/p.pb.gz 2>said$i &
		sleep 0.6
		kill -KILL $!
		wait $! 2>/dev/null || true
	done
	wait "$pid"
	assert_match "how it was sampled" said1 'by short stops'
	assert_match "what the program said at its end" told '^all [0-9]+'
}

# Traced all the time, a program would not get the user that its file gives it, nor could anybody else trace it.
test_privileged_and_traced_programs_are_left_alone() {
	be_user
	need strace
	assert_no_file own/p.pb.gz
	install -m 4755 shares setuid_shares
	[ "$(as_user sh -c 'cp /usr/bin/id own/id && echo x')" = x ]
	install -m 4755 /usr/bin/id setuid_id
	[ "$(as_user ./setuid_id -u)" = 0 ] || skip "set-uid programs do not work here"
	stopping -F 997 -o own/p.pb.gz -- sh -c './setuid_shares 1 1 & ./setuid_id -u
		strace -f -o own/trace ./shares 1 1; wait' >told 2>said
	assert_match "the user of a set-uid program" told '^0$'
	assert_match "a set-uid program is named" said 'setuid_shares \(pid [0-9]+\) is left alone: it has privileges'
	assert_match "a traced program is named" said 'is left alone: it is traced by another program'
	assert_match "who traces is named" said 'is left alone: it traces another program'
	assert_match "the other tracer's work" own/trace 'exited with 0'
}

# A thread that executes a program takes the number of its process: it is let go under that one, too.
test_programs_that_threads_execute() {
	be_user
	cc -O1 -w -pthread "$SRC/tests/lib/thread_execs.c" -o thread_execs
	KILN_TEST_REFUSE=events timeout -k 5 120 "${user[@]}" ./kiln record -F 4999 -o own/p.pb.gz -- \
		./thread_execs 1000 >told 2>said || fail "kiln and the program: status $?, $(tail -n 3 said)"
	assert_match "the program's end" told '^done$'
	assert_no_match "who is left alone" said 'is left alone'
}

# Nobody can attach to a process while it executes a program whose file does not come: kiln ends all the same.
# Without random places two programs' stacks begin, and their code lies, at the same addresses.
test_programs_at_fixed_places() {
	local name
	be_user
	cc -O1 -w -DBURN=burn_a -DNEXT='"./turn_b"' "$SRC/tests/lib/exec_in_turns.c" -o turn_a
	cc -O1 -w -DBURN=burn_b -DNEXT='"./turn_a"' "$SRC/tests/lib/exec_in_turns.c" -o turn_b
	KILN_TEST_REFUSE=events as_user ./kiln record -F 499 -o own/p.pb.gz -- setarch -R ./turn_a 700 0004 >told 2>said ||
		fail "kiln and the program: status $?, $(tail -n 3 said)"
	for name in burn_a burn_b; do
		assert_near "share of $name" "$(profile_share own/p.pb.gz "$(in_stack $name)")" 50 5
	done
}

test_a_process_that_hangs_in_exec() {
	be_user
	local pid begin=$SECONDS
	cc -O1 -w -pthread "$SRC/tests/lib/slow_exec.c" -o slow_exec
	cd own
	exec 3>"$T/told"
	(exec "${user[@]}" ../slow_exec 40 >&3) &
	pid=$!
	cd ..
	wait_until 10 test -s told -o ! -e "/proc/$pid"
	grep -q held told || skip "no leases on this file system"
	begin=$SECONDS
	stopping -F 499 -p "$pid" -d 3 -o own/p.pb.gz 2>said || [ $? = 3 ] || fail "$(cat said)"
	assert_at_most "seconds until kiln ends" $((SECONDS - begin)) 30
	assert_match "what it says" said 'a process hangs while it executes a program'
	kill -KILL "$pid"
}

# Who makes daemons has ended before anybody could look at it: kiln takes its orphans, and reaps them.
test_stops_follow_daemons() {
	need_proc_children
	be_user
	stopping -F 499 -o own/p.pb.gz -- sh -c '(setsid ./shares 2 1 &)
		for i in $(seq 100); do (true &) done
		sleep 4; ps -o stat=,comm= --ppid $PPID | grep -v kiln | grep -c ^Z >&2' >told 2>said || true
	assert_match "what the daemon said at its end" told '^all [0-9]+'
	# What is left has no sample on a busy machine, and is lost.
	assert_at_least "CPU time with samples, in per cent of the daemon's own" "$(profile_ns own/p.pb.gz "$(in_stack run_shares)" |
		awk -v all="$(awk '$1 == "all" { print $2 }' told)" '{ print 100 * $1 / all }')" 60
	assert_match "orphans that nobody reaped" said '^0$'
	assert_accounting own/p.pb.gz
}

# What ran while kiln was stopped is no sample's: it is lost, and said to be.
test_stops_of_a_kiln_that_is_stopped() {
	be_user
	become_stopping -F 99 -o own/p.pb.gz -- ./shares 5 1 >told 2>said &
	local kiln=$!
	wait_until 20 grep -q "sampling at" said
	sleep 0.5
	kill -STOP "$kiln"
	sleep 2
	kill -CONT "$kiln"
	wait "$kiln"
	assert_accounting own/p.pb.gz
	assert_at_least "lost, of 99 a second" "$(quality own/p.pb.gz lost.unseen)" 50
	assert_near "CPU time, in per cent of the program's own" "$(quality own/p.pb.gz expected |
		awk -v all="$(awk '$1 == "all" { print $2 }' told)" '{ print 100 * $1 / 99 * 1e9 / all }')" 100 3
}

# A debugger that looks at a program and goes costs the recording no more than that.
test_stops_go_on_after_a_debugger() {
	be_user
	need strace
	become_stopping -F 499 -o own/p.pb.gz -- ./shares 5 1 >told 2>said &
	local kiln=$! pid
	wait_until 20 grep -q "sampling at" said
	sleep 0.5
	pid=$(pgrep -P "$kiln" -x shares)
	timeout -s INT 0.5 "${user[@]}" strace -o own/trace -p "$pid" 2>/dev/null || true
	wait "$kiln"
	assert_at_least "per cent that have samples" "$(awk -v n="$(quality own/p.pb.gz recorded)" \
		-v all="$(awk '$1 == "all" { print $2 }' told)" 'BEGIN { print 100 * n / 499 * 1e9 / all }')" 75
}

# Two of them stop the same threads: each finds them stopped by the other now and then, and both go on.
test_stops_of_two_kilns() {
	be_user
	local i pid pids=()
	(exec "${user[@]}" ./shares 8 2 >told) &
	pid=$!
	for i in 1 2; do
		become_stopping -F 4999 -p "$pid" -d 4 -o own/$i.pb.gz 2>said$i &
		pids+=($!)
	done
	wait "${pids[@]}"
	kill "$pid"
	for i in 1 2; do
		assert_no_match "who is left alone" said$i 'is left alone'
		assert_at_least "per cent of the periods that have samples" "$(quality own/$i.pb.gz recorded |
			awk -v all="$(quality own/$i.pb.gz expected)" '{ print 100 * $1 / all }')" 90
	done
}

# Too few processes are no lack of rights or memory. Of a user who has no others.
test_too_few_processes() {
	be_user
	local n way uid=64777
	mkdir few
	chown $uid few
	for way in events stops; do
		for n in 1 4 8 10 11 12 13 14; do
			! KILN_TEST_REFUSE=$([ $way = events ] || echo events) setpriv --reuid=$uid --regid=$uid --clear-groups \
				--bounding-set=-all prlimit --nproc=$n ./kiln record -F 499 -o few/p.pb.gz -- ./shares 1 1 \
				>told 2>said || continue
			assert_match "$n processes, by $way" said 'no more processes or threads may be started: ulimit -u'
			assert_no_match "$n processes, by $way" said 'out of memory|run as root|/proc'
		done
	done
}

# What an ordinary user may not have is said, with the cause first.
test_what_is_refused() {
	be_user
	set_paranoid 2
	assert_status 4 as_user ./kiln record -a -d 1 -o own/p.pb.gz
	assert_match "why not everything" err 'without root kiln records user code of own processes only, not all processes'
	assert_status 4 as_user ./kiln record -p 1 -d 1 -o own/p.pb.gz
	assert_match "why not another's process" err 'not permitted to sample this process: it is another user'
	assert_status 4 stopping -p 1 -d 1 -o own/p.pb.gz
	assert_match "why not another's process" err 'not permitted to sample this process: it is another user'
	assert_status 5 as_user ./kiln record -p 4194303 -d 1 -o own/p.pb.gz
	assert_match "no such process" err 'no such process'
	assert_status 127 as_user ./kiln record -o own/p.pb.gz -- ./nothing_here
	assert_status 3 as_user ./kiln record -o own/p.pb.gz -- sleep 0.2
	assert_match "an idle program" err 'no samples: sleep used no CPU time'
	assert_no_file own/p.pb.gz
	install -m 4755 "$(realpath "$(command -v awk)")" root_awk
	findmnt -no OPTIONS -T . | grep -q nosuid && return
	assert_status 3 as_user ./kiln record -o own/p.pb.gz -- ./root_awk 'BEGIN { for (i = 0; i < 1e7; i++); }'
	assert_match "a set-user-id program" err 'used [0-9.]* s of CPU time, but has privileges of its own .*: run as root'
	as_user ./kiln record -F 499 -o own/p.pb.gz -- \
		sh -c './root_awk "BEGIN { for (i = 0; i < 1e7; i++); }"; ./shares 1 1' 2>said
	assert_match "a set-user-id child" said 'programs with privileges of their own'
	assert_at_least "samples of a set-user-id child" "$(quality own/p.pb.gz lost.privileged)" 50
	as_user ./kiln record -F 499 -o own/q.pb.gz -- sh -c './shares 1 1'
	assert_eq "samples of no set-user-id child" "$(quality own/q.pb.gz lost.privileged)" 0
}

# The cure that doctor prints, step by step, in a directory of the test: who is in the group samples everything, and who
# is not may not even run it.
test_the_cure_for_the_rest() {
	be_user
	need setcap
	local group=kiln-users-$$ copy=$T/kiln-all cure
	assert_status 4 setpriv --reuid=$nobody --regid=$nobody --clear-groups --inh-caps=-all ./kiln doctor
	cure=$(awk '/fix: run kiln as root, or once, as root, for the members of a group/ { step = !done++; next }
		/^[^ ]|fix:/ { step = 0 } step' out)
	assert_eq "steps of the cure" "$(grep -cE '^ +(groupadd|usermod|install|setcap) ' <<<"$cure")" 4
	assert_eq "and nothing else" "$(wc -l <<<"$cure")" 4
	useradd -M -s /bin/sh "user-$$"
	# shellcheck disable=SC2064 # the names of now
	trap "userdel user-$$; groupdel $group 2>/dev/null || true" EXIT
	cure=${cure//kiln-users/$group}
	cure=${cure//\/usr\/local\/bin\/kiln-all/$copy}
	sh -ec "${cure//USER/user-$$}" 2>err || {
		grep -q 'setcap\|Operation not' err && skip "file capabilities do not work here: $(tail -n 1 err)"
		fail "the cure: $(cat err)"
	}
	assert_eq "its mode and group" "$(stat -c '%a %G' "$copy")" "750 $group"
	if ! setpriv --reuid="user-$$" --regid="user-$$" --init-groups "$copy" version >out 2>err; then
		skip "file capabilities do not count here: $(tail -n 1 err)"
	fi
	assert_status 126 as_user sh -c "exec $copy version"
	need_bpf
	mkdir -m 777 all
	start "$WORKLOADS/deep" 30
	(cd all && setpriv --reuid="user-$$" --regid="user-$$" --init-groups "$copy" record -q -a -F 99 -d 1 -o p.pb.gz)
	assert_eq "the way, in the profile" "$(quality all/p.pb.gz rootless)" 0
	assert_at_least "samples with the kernel's frames or idle ones" "$(quality all/p.pb.gz expected)" 50
}

run_tests "$@"
