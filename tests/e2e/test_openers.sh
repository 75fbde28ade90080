#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Foreign files are opened, read and closed in processes that may hang and be killed; the recording goes on.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# Serves a program as fuse/prog. Writing open, read or close to ./hold keeps back such requests.
serve() {
	need_root
	need cc
	[ -e /dev/fuse ] || skip "no /dev/fuse"
	cat >prog.c <<-'X'
		volatile long sum;
		__attribute__((noinline)) void served(void) { for (long i = 0; i < 1000000; i++) sum += i; }
		int main(void) { for (;;) served(); }
	X
	cc -O1 -g -Wl,--build-id prog.c -o origin
	# So that section headers are far from all that running it reads.
	head -c 3000000 /dev/zero >zeros
	objcopy --add-section zeros=zeros origin
	cc -O1 -w -I"$SRC" "$SRC/tests/lib/hung_server.c" -o hung_server
	mkdir fuse
	start ./hung_server fuse origin "$T/hold" >said
	server=$started
	wait_until 5 grep -q ready said
	trap stop_serving EXIT
}

# Requests that wait end with the server, and the processes with them.
stop_serving() {
	pkill -KILL -P "$server" || true
	kill -KILL "$server" 2>/dev/null || true
	umount -l "$T/fuse" || true
}

now_ms() {
	date +%s%3N
}

# The processes of a recording: kiln itself, then its children.
kiln_processes() { # PID
	echo "$1"
	cat /proc/"$1"/task/*/children
}

# What a process has open that is a file, but for kiln's own.
# What lists the host's packages is root's own (naming/packages).
foreign_files() { # PID
	local link
	for link in /proc/"$1"/fd/*; do
		[[ $link == */[012] ]] || readlink "$link" # 0 to 2 are whatever the test was given
	done | grep '^/' | grep -vE '^(/dev/|/proc/|/sys/)|^/var/lib/dpkg/|/kiln/(lines|unwind)|/memfd:(kiln|vdso)|/p\.pb\.gz' || true
}

holds_bpf() { # PID
	find /proc/"$1"/fd -printf '%l\n' 2>/dev/null | grep -E 'anon_inode:(bpf|\[perf_event\])' >holds
}

has_run() { # PID
	[ "$(cut -d ' ' -f 14 /proc/"$1"/stat)" -gt 5 ]
}

hang_in() { # open, read or close
	local begin took prog started_after
	serve
	start fuse/prog
	prog=$started
	start "$WORKLOADS/demo" 60
	wait_until 10 has_run "$prog"
	echo "$1" >hold
	# What somebody else has read of the file is in the page cache.
	[ "$1" != read ] || dd if=fuse/prog iflag=nocache count=0 status=none
	begin=$(now_ms)
	timeout -s KILL 60 "$KILN" record -v -a -F 99 -d 4 -o p.pb.gz >out 2>err
	took=$(($(now_ms) - begin))
	started_after=$(sed -n 's/.*sampling after \([0-9]*\) ms$/\1/p' err)
	# Two seconds after the end, and a little to load the program itself.
	assert_at_most "ms from the start of sampling for 4 s" "$((took - started_after))" 6500
	assert_accounting p.pb.gz
	assert_at_least "samples of the program" "$(profile_samples p.pb.gz '$3 == "prog"')" 20
	assert_at_least "named samples of another" \
		"$(profile_samples p.pb.gz "$(in_stack compress_block)")" 20
	# The program's own functions have no names, and that is said.
	assert_eq "samples in served()" "$(profile_samples p.pb.gz "$(in_stack served)")" 0
	assert_match "why" err 'prog.*could not be opened: '
}

test_a_server_that_hangs_in_open() {
	need_bpf
	hang_in open
}

test_a_server_that_hangs_in_read() {
	need_bpf
	hang_in read
}

test_a_server_that_hangs_in_close() {
	need_bpf
	hang_in close
}

# doctor looks at running programs, too, and has them opened and read elsewhere.
test_doctor_waits_for_no_server() {
	need_bpf
	local begin what
	serve
	start fuse/prog
	for what in open read; do
		rm -f hold
		dd if=fuse/prog iflag=nocache count=0 status=none # what somebody else has read
		echo "$what" >hold
		begin=$(now_ms)
		timeout -s KILL 60 "$KILN" doctor >said || [ $? -lt 128 ] || fail "doctor hangs in $what"
		assert_at_most "ms of doctor" "$(($(now_ms) - begin))" 30000
		assert_match "$what" said "^warn +stacks .*could not be read in time.*prog [(]pid ${started}[)]"
	done
}

# kiln has no descriptor of a foreign file, and who has one has none of BPF or perf.
test_descriptors() {
	need_bpf
	need_root
	local pid n=0 kiln bpf=0
	start "$WORKLOADS/demo" 60
	start "$KILN" record -q -a -d 5 -o p.pb.gz
	kiln=$started
	sleep 1
	for ((i = 0; i < 15; i++)); do
		! holds_bpf "$kiln" || bpf=1
		for pid in $(kiln_processes "$kiln" 2>/dev/null); do
			foreign_files "$pid" >files
			[ -s files ] || continue
			n=$((n + 1))
			[ "$pid" != "$kiln" ] || { cat files; fail "kiln itself has foreign files open"; }
			[ "$(readlink /proc/"$pid"/exe)" = "$(readlink -f "$KILN")" ] || continue
			! holds_bpf "$pid" || fail "who reads foreign files has BPF descriptors"
		done
		sleep 0.2
	done
	assert_at_least "processes seen with foreign files" "$n" 1
	wait "$kiln"
	assert_eq "the test can tell BPF descriptors" "$bpf" 1
}

# Hands and keeper are children with a filter; all of them are killed again and again.
test_killed_openers() {
	need_bpf
	need_root
	local pid kiln killed=0
	start "$WORKLOADS/forkstorm" 60 5 20 2
	start "$WORKLOADS/demo" 60
	"$KILN" record -q -a -d 6 -o p.pb.gz 2>err &
	kiln=$!
	sleep 1
	for ((i = 0; i < 6; i++)); do
		for pid in $(cat /proc/$kiln/task/*/children); do
			grep -qE '^kiln-(opener|keeper)$' /proc/"$pid"/comm || continue
			kill -KILL "$pid" && killed=$((killed + 1))
		done
		sleep 0.5
	done
	wait $kiln
	assert_at_least "processes killed" "$killed" 6
	assert_accounting p.pb.gz
	assert_at_least "named samples" "$(profile_samples p.pb.gz "$(in_stack compress_block)")" 20
}

run_tests "$@"
