#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What can go wrong does so with a sentence, the right status, and nothing half-written.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# Everything a failed run may leave in its directory: nothing.
assert_nothing_written() {
	local found
	found=$(find "$T" -mindepth 1 ! -name out ! -name err ! -name '.started' ! -name told)
	[ -z "$found" ] || fail "left behind: $found"
}

as_nobody() { # COMMAND...
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
}

test_no_privilege() {
	need_bpf
	need_root
	chmod 777 "$T"
	cp "$KILN" kiln
	assert_status 4 as_nobody ./kiln record -a -d 1 -o p.pb.gz
	rm kiln
	assert_match "message" err '^kiln: '
	assert_match "message says what to do" err 'sudo|setcap|kiln doctor'
	assert_nothing_written
}

# What the kernel refuses is done without, one thing not for the other, and its reason is said.
test_refused_programs() {
	need_bpf
	local reason="the kernel's verifier says: .*outside of the allowed memory range"
	KILN_TEST_REFUSE=tables "$KILN" record -v -o p.pb.gz -- "$WORKLOADS/deep_nofp" 1 20 >out 2>&1
	assert_match "stacks" out "^kiln: user stacks are walked by frame pointers, not by unwind tables: $reason"
	assert_no_match "mappings" out '^kiln: mappings are followed by events'
	assert_no_match "walks by tables" out 'walks in the kernel ended: root=[1-9]'
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 10
	assert_accounting p.pb.gz
	"$KILN" record -v -o p.pb.gz -- "$WORKLOADS/deep_nofp" 1 20 >normal 2>&1
	KILN_TEST_REFUSE=mappings "$KILN" record -v -o p.pb.gz -- "$WORKLOADS/deep_nofp" 1 20 >out 2>&1
	assert_match "walks by tables" out 'walks in the kernel ended: root=[1-9]'
	assert_no_match "reported" out 'mappings reported by samples'
	assert_no_match "stacks" out '^kiln: user stacks are walked by frame pointers'
	! grep -q 'mappings reported by samples' normal || # from Linux 6.4 on
		assert_match "mappings" out "^kiln: mappings are followed by events, .*: $reason"
	rm p.pb.gz normal
	KILN_TEST_REFUSE=tables assert_status 125 "$KILN" record --unwind dwarf -o p.pb.gz -- true
	assert_match "no fallback" err "^kiln: the BPF programs do not load: $reason"
	assert_nothing_written
}

test_missing_process() {
	need_bpf
	assert_status 5 "$KILN" record -p 4194303 -d 1 -o p.pb.gz
	assert_match "message" err '4194303'
	assert_nothing_written
}

test_process_that_exits() {
	need_bpf
	start "$WORKLOADS/deep" 4
	local before=$SECONDS
	assert_status 0 "$KILN" record -p "$started" -d 30 -o p.pb.gz
	assert_at_most "seconds until it noticed" $((SECONDS - before)) 15
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 10
	assert_accounting p.pb.gz
}

test_command_statuses() {
	need_bpf
	assert_status 127 "$KILN" record -o p.pb.gz -- no-such-command-here
	assert_match "message" err 'no-such-command-here'
	: >not-executable
	assert_status 126 "$KILN" record -o p.pb.gz -- ./not-executable
	rm not-executable
	assert_nothing_written
	assert_status 7 "$KILN" record -o p.pb.gz -- sh -c "$WORKLOADS/deep 1; exit 7"
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 10
	assert_status 137 "$KILN" record -o q.pb.gz -- sh -c "$WORKLOADS/deep 1; kill -9 \$\$"
	assert_at_least "samples" "$(profile_samples q.pb.gz)" 10
}

test_no_samples() {
	need_bpf
	start sleep 60
	assert_status 3 "$KILN" record -p "$started" -d 1 -o p.pb.gz
	assert_nothing_written
}

test_usage() {
	assert_status 2 "$KILN" record -F abc -o p.pb.gz
	assert_match "message" err 'abc'
	assert_status 2 "$KILN" record -F 0 -o p.pb.gz
	assert_status 2 "$KILN" record -d forever -o p.pb.gz
	assert_status 2 "$KILN" record --no-such-option
	assert_status 2 "$KILN" record -a -p 1 -d 1 -o p.pb.gz
	assert_status 2 "$KILN" record -p 1,x -d 1 -o p.pb.gz
	assert_match "message" err '-p takes process ids, separated by commas, not "x"'
	assert_status 2 "$KILN" record -p 12 34 # -p $(pidof nginx)
	assert_match "message" err 'separate process ids by commas: -p 12,34,\.\.\.'
	assert_status 2 "$KILN" no-such-command
	assert_status 2 "$KILN" report
	assert_nothing_written
}

# A reader of the profile would take one of two labels of a key, and not always the same.
test_labels_that_cannot_be() {
	local key many=()
	for key in pid thread_id tid comm cgroup unit container; do
		assert_status 2 "$KILN" record -a -d 20 -o p.pb.gz -l "$key=x"
		assert_match "message of $key" err "\"$key\" is a label that kiln sets itself"
	done
	assert_status 2 "$KILN" record -a -d 20 -o p.pb.gz -l a=1 -l b=2 -l a=3
	assert_match "message" err '"a" is given twice'
	for ((key = 0; key < 59; key++)); do many+=(-l "key$key=x"); done
	assert_status 2 "$KILN" record -a -d 20 -o p.pb.gz "${many[@]}"
	assert_match "message" err 'at most 58 labels'
	assert_nothing_written
}

# Said before the recording, not after it.
test_unknown_suffix() {
	local before=$SECONDS
	assert_status 2 "$KILN" record -a -d 20 -o p.xyz
	assert_at_most "seconds" $((SECONDS - before)) 10
	assert_match "message names the suffixes" err '\.pb\.gz'
	assert_nothing_written
}

test_unwritable_output() {
	need_bpf
	local before=$SECONDS
	assert_status 1 "$KILN" record -a -d 20 -o no/such/directory/p.pb.gz
	assert_at_most "seconds" $((SECONDS - before)) 10
	assert_match "message" err 'no/such/directory'
	assert_nothing_written
}

test_full_disk() {
	need_bpf
	need_root
	mkdir disk
	mount -t tmpfs -o size=4k tmpfs disk || skip "no tmpfs can be mounted"
	local status=0
	"$KILN" record -a -F 499 -d 2 -o disk/p.html -- "$WORKLOADS/demo" 2 >out 2>err || status=$?
	[ "$status" -ne 2 ] || { status=0 && "$KILN" record -F 499 -o disk/p.html -- "$WORKLOADS/demo" 2 \
		>out 2>err || status=$?; }
	ls -A disk >left
	umount disk
	[ "$status" -eq 1 ] || [ "$status" -eq 125 ] || fail "exit status $status"
	assert_match "message" err 'No space left'
	assert_eq "files left" "$(cat left)" ""
}

# An old profile survives a recording that fails.
test_failure_keeps_the_old_file() {
	need_bpf
	echo old >p.pb.gz
	start sleep 60
	assert_status 3 "$KILN" record -p "$started" -d 1 -o p.pb.gz
	assert_eq "the old file" "$(cat p.pb.gz)" old
}

test_mode_and_owner() {
	need_bpf
	need_root
	local suffix
	for suffix in pb.gz pb html svg folded json; do
		(umask 022 && SUDO_UID=65534 SUDO_GID=65534 "$KILN" record -q -o "p.$suffix" -- \
			"$WORKLOADS/deep" 0.5)
		assert_eq "mode and owner of p.$suffix" "$(stat -c '%a %u %g' "p.$suffix")" "600 65534 65534"
		[ -s "p.$suffix" ] || fail "p.$suffix is empty"
	done
	assert_eq "files" "$(find . -name 'p.*' | wc -l)" 6
}

# Zeroes instead of kernel addresses must not name every kernel frame alike.
test_hidden_kernel_symbols() {
	need_bpf
	need_root
	mount --bind /proc/kallsyms /proc/kallsyms 2>/dev/null || skip "/proc cannot be mounted over"
	umount /proc/kallsyms
	unshare -m sh -c '
		sed "s/^[0-9a-f]*/0000000000000000/" /proc/kallsyms >zeroes &&
		mount --bind zeroes /proc/kallsyms && exec "$0" record -o p.pb.gz -- "$1" 2' \
		"$KILN" "$WORKLOADS/demo" >out 2>err
	profile_py samples p.pb.gz | awk -F '\t' '{ n = split($6, f, ";"); split($7, m, ";")
		for (i = 1; i <= n; i++) if (m[i] ~ /^\[kernel/) print f[i] }' | sort | uniq -c | sort -rn >names
	assert_at_least "kernel frames" "$(grep -c . names)" 1
	assert_no_match "kernel frames" names '[0-9]+ [a-z_]+$'
	assert_match "message" err 'kallsyms|kptr_restrict|kernel (symbols|frames|addresses|functions)'
}

test_hostile_names() {
	need_bpf
	local suffix
	"$KILN" record -o p.pb.gz -- "$WORKLOADS/hostile" 2 >out 2>err
	"$KILN" report p.pb.gz >report 2>>err
	"$KILN" report p.pb.gz --json >report.json 2>>err
	for suffix in folded svg html json; do
		"$KILN" export p.pb.gz -o "p.$suffix" 2>>err
	done
	assert_at_least "samples" "$(profile_samples p.pb.gz '$6 ~ /evil/')" 20
	# No escape reaches a terminal or a text file.
	local file
	for file in err report report.json p.folded p.svg p.html p.json; do
		! grep -qa $'\033' "$file" || fail "an escape character is in $file"
	done
	! grep -qaF '<img src=x' p.svg p.html || fail "HTML from a symbol name is in a page"
	python3 -c 'import json, sys; [json.load(open(f)) for f in sys.argv[1:]]' report.json p.json
	python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' p.svg
	# Every line of folded text ends in a count, whatever the names hold.
	awk '!/^[^;]+(;[^;]+)* [0-9]+$/' p.folded >odd
	assert_no_match "folded lines" odd .
	iconv -f UTF-8 -t UTF-8 p.folded >utf8 || fail "p.folded is not UTF-8"
}

test_files_that_are_no_profiles() {
	: >empty.pb.gz
	echo 'hello, world' >text.pb.gz
	head -c 5000 /dev/urandom >noise.pb.gz
	local file
	for file in empty text noise; do
		assert_status 1 "$KILN" report $file.pb.gz
		assert_match "message" err "$file.pb.gz"
	done
	assert_status 1 "$KILN" report missing.pb.gz
	assert_match "message" err 'missing.pb.gz: No such file'
}

# Cut anywhere, a profile is refused; and exporting it writes nothing.
test_torn_profiles() {
	need_bpf
	"$KILN" record -q -o p.pb.gz -- "$WORKLOADS/demo" 1 >out
	local size cut
	size=$(stat -c %s p.pb.gz)
	for cut in 1 10 $((size / 2)) $((size - 9)) $((size - 1)); do
		head -c "$cut" p.pb.gz >torn.pb.gz
		assert_status 1 "$KILN" export torn.pb.gz -o torn.html
		assert_no_file torn.html
	done
}

run_tests "$@"
