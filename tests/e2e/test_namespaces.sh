#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Numbers of processes are those of kiln's own pid namespace, and times those of its time namespace.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

need_unshare() { # OPTION...
	need_bpf
	need_root
	unshare "$@" true 2>err || skip "unshare $*: $(cat err)"
}

inside() { # SCRIPT [ARGUMENT...], in a pid namespace with its own /proc
	unshare -pf --mount-proc bash -euc "$@"
}

# Nearly all of its time is below main.
assert_deep() { # FILE
	assert_at_least "samples in $1" "$(profile_samples "$1" "$(in_stack at_the_bottom)")" 30
	assert_at_least "share of $1 with whole stacks" \
		"$(profile_share "$1" "$(in_stack main)" "$(in_stack at_the_bottom)")" 95
}

test_command_inside() {
	need_unshare -pf --mount-proc
	inside '"$KILN" record -v -F 997 -o p.pb.gz -- "$0" 1 20 >log 2>&1' "$WORKLOADS/deep" || {
		cat log
		fail "record -- command"
	}
	assert_deep p.pb.gz
	assert_accounting p.pb.gz
}

# The numbers in the profile are those of the namespace, also of a process one namespace further in.
test_pid_inside() {
	need_unshare -pf --mount-proc
	inside '"$0" 30 20 & pid=$!; unshare -pf "$0" 30 30 & sleep 0.5
		"$KILN" record -q -F 997 -d 1 -p $pid -o p.pb.gz
		"$KILN" record -q -F 997 -d 1 -a -U -o all.pb.gz
		echo $pid >pid' "$WORKLOADS/deep"
	local pid
	pid=$(cat pid)
	assert_deep p.pb.gz
	assert_eq "samples of others" "$(profile_samples p.pb.gz "\$4 != $pid && !$(in_stack '[lost samples]')")" 0
	assert_deep all.pb.gz
	assert_at_least "samples further in" "$(profile_samples all.pb.gz "\$4 > 0 && \$4 != $pid")" 10
}

# A process outside has the number that was asked for inside. It stays out of the profile, and out of -a.
test_the_number_of_a_process_outside() {
	need_unshare -pf --mount-proc
	local out
	start "$WORKLOADS/shares" 30 && out=$started
	inside 'echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid; sleep 20 & [ $! = "$1" ] || exit 77
		set +e
		"$KILN" record -F 997 -d 1 -p $1 -o p.pb.gz 2>err; echo $? >status
		"$KILN" record -q -F 997 -d 1 -a -U -o all.pb.gz -- "$0" 1 20; true' "$WORKLOADS/deep" "$out" ||
		skip "the number cannot be chosen"
	assert_eq "status of a process that sleeps" "$(cat status)" 3
	assert_no_file p.pb.gz
	assert_deep all.pb.gz
	assert_eq "samples of the process outside" "$(profile_samples all.pb.gz '$3 == "shares"')" 0
	assert_at_least "samples left out" "$(quality all.pb.gz filtered)" 50
}

# They are forked when the recording goes on, and many end: none is missing, and the targets do not fill up.
test_descendants_inside() {
	need_unshare -pf --mount-proc
	inside '"$KILN" record -q -o p.pb.gz -- sh -c "sh -c \"$0 3 100 150 >told\""' "$WORKLOADS/forkstorm"
	local count ns
	read -r count ns <told
	profile_py samples p.pb.gz | awk -F '\t' '$6 ~ /short_life/ { print $4 }' | sort -u >pids
	assert_eq "processes seen" "$(grep -c . pids)" "$count"
	assert_near "CPU time, in per cent of the kernel's" \
		"$(profile_ns p.pb.gz '$3 == "forkstorm"' | awk -v ns="$ns" '{ print 100 * $1 / ns }')" 100 10
}

# A JIT compiler that begins during the recording: in a pid namespace of its own, and as another user than its parent.
# Its perf map has the number that it has there, and belongs to that user.
test_perf_maps_of_programs_that_begin() {
	need_unshare -pf
	need gcc
	cat >jit.c <<-'C'
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <time.h>
		#include <unistd.h>
		#ifdef __x86_64__
		/* 1: dec %rdi; jnz 1b; ret */
		static const unsigned char code[] = {0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3};
		#else
		/* 1: subs x0, x0, 1; b.ne 1b; ret */
		static const unsigned code[] = {0xf1000400, 0x54ffffe1, 0xd65f03c0};
		#endif
		int main(int argc, char **argv) {
			char path[64];
			if (setuid(atoi(argv[1]))) return 77;
			snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
			unlink(path);
			FILE *names = fopen(path, "w");
			void *x = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (!names || x == MAP_FAILED) return 77;
			memcpy(x, code, sizeof(code));
			__builtin___clear_cache(x, (char *)x + 4096);
			fprintf(names, "%lx %zx made_code\n", (long)x, sizeof(code));
			fclose(names);
			for (clock_t end = clock() + CLOCKS_PER_SEC * 3 / 10; clock() < end;) ((void (*)(long))x)(1000000);
			printf("%s\n", path);
			return 0;
		}
	C
	gcc -O1 -o jit jit.c
	for events in "" 1; do
		[ -z "$events" ] || export KILN_TEST_MAPPING_EVENTS=1
		"$KILN" record -q -F 997 -o inside.pb.gz -- unshare -pf ./jit 0 >maps
		"$KILN" record -q -F 997 -o user.pb.gz -- ./jit 65534 >>maps
		xargs rm -f <maps
		for file in inside user; do
			assert_at_least "named in $file" "$(profile_samples $file.pb.gz "$(in_stack made_code)")" 100
		done
	done
}

# /proc has other numbers than kiln's system calls.
test_the_proc_of_another_namespace() {
	need_unshare -pf
	local status=0
	unshare -pf "$KILN" record -d 1 -o p.pb.gz -- true 2>err || status=$?
	assert_at_least "status" "$status" 1
	assert_match "message" err '/proc is that of another pid namespace'
}

test_time_namespaces() {
	need_unshare -T --boottime 1000 --monotonic 1000 -f
	local offset
	start "$WORKLOADS/deep" 300 20
	for offset in 100000 -500; do
		unshare -T --boottime $offset --monotonic $offset -f \
			"$KILN" record -q -F 997 -o cmd.pb.gz -- "$WORKLOADS/deep" 1 20
		assert_deep cmd.pb.gz
		unshare -T --boottime $offset --monotonic $offset -f \
			"$KILN" record -q -F 997 -d 1 -p "$started" -o pid.pb.gz
		assert_deep pid.pb.gz
		KILN_TEST_MAPPING_EVENTS=1 unshare -T --boottime $offset --monotonic $offset -f \
			"$KILN" record -q -F 997 -o events.pb.gz -- "$WORKLOADS/deep" 1 20
		assert_deep events.pb.gz
	done
}

run_tests "$@"
