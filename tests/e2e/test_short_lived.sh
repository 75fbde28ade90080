#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Processes that live for milliseconds keep their names after their death.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/short_lives.sh
. "$SRC/tests/lib/short_lives.sh"

test_make() {
	need_bpf
	generate_project project 60
	"$KILN" record -q -o p.pb.gz -- make -s -j2 -C project CC="${CC:-gcc}" >log 2>&1
	local dead='$6 !~ /\[lost samples\]/'
	assert_at_least "samples" "$(profile_samples p.pb.gz "$dead")" 200
	assert_at_least "processes seen" "$(profile_py samples p.pb.gz | cut -f4 | sort -u | wc -l)" 40
	assert_at_least "share of the compiler" "$(profile_share p.pb.gz '$3 == "cc1"')" 40
	assert_at_least "samples that name their module" "$(leaf_in_module p.pb.gz "$dead")" 98
	# Whether cc1's functions have names depends on the packages installed; the kernel's do.
	assert_at_least "kernel samples that name their function" \
		"$(leaf_named p.pb.gz "$dead && \$7 ~ /\\[kernel[^;]*\$/")" 98
	assert_accounting p.pb.gz
}

test_system_wide_make() {
	need_bpf
	generate_project project 40
	"$KILN" record -q -a -o p.pb.gz -- make -s -j2 -C project >log 2>&1
	assert_at_least "samples of the compiler" "$(profile_samples p.pb.gz '$3 == "cc1"')" 50
	assert_at_least "compiler samples that name their module" \
		"$(leaf_in_module p.pb.gz '$3 == "cc1"')" 98
	assert_accounting p.pb.gz
}

test_storm_of_forks() {
	need_bpf
	"$KILN" record -q -a -F 199 -o p.pb.gz -- "$WORKLOADS/forkstorm" 5 5 100 3 >told
	local mine='$3 == "forkstorm" && $7 ~ /forkstorm[^;]*$/'
	assert_at_least "samples" "$(profile_samples p.pb.gz "$mine")" 100
	assert_at_least "samples that name their module" "$(leaf_in_module p.pb.gz '$3 == "forkstorm"')" 98
	assert_at_least "samples that name their function" "$(leaf_named p.pb.gz "$mine")" 98
	assert_at_least "samples through short_life" \
		"$(profile_share p.pb.gz "$(in_stack short_life)" "$mine")" 98
	assert_accounting p.pb.gz
}

# The file is gone too: what was mapped was opened in time.
test_program_that_was_removed() {
	need_bpf
	cp "$WORKLOADS/deep" gone
	"$KILN" record -q -a -o p.pb.gz -- sh -c './gone 1 20; rm gone'
	assert_no_file gone
	assert_at_least "samples through at_the_bottom" \
		"$(profile_share p.pb.gz "$(in_stack at_the_bottom)" '$3 == "gone"')" 95
}

# More than may be open at once: each is named before it is closed.
test_more_programs_than_files_may_be_open() {
	need_bpf
	export -f run_and_remove
	export WORKLOADS
	"$KILN" record -q -F 997 -o p.pb.gz -- bash -c 'run_and_remove 1 300 40'
	assert_at_least "programs seen" \
		"$(profile_py samples p.pb.gz | awk -F '\t' '$3 ~ /^once/ { print $3 }' | sort -u | wc -l)" 295
	assert_at_least "samples that name their function" "$(once_named p.pb.gz)" 97
	assert_accounting p.pb.gz
}

# 600 programs within seconds, four at a time, each gone after some milliseconds of CPU time.
storm() { # MS PROGRAMS_SEEN NAMED
	need_bpf
	export -f run_and_remove
	export WORKLOADS ms=$1
	"$KILN" record -q -F 997 -o p.pb.gz -- \
		bash -c 'for k in 0 1 2 3; do run_and_remove $((k * 150 + 1)) $((k * 150 + 150)) $ms & done; wait'
	assert_at_least "programs seen" \
		"$(profile_py samples p.pb.gz | awk -F '\t' '$3 ~ /^once/ { print $3 }' | sort -u | wc -l)" "$2"
	assert_at_least "samples that name their function" "$(once_named p.pb.gz)" "$3"
	assert_accounting p.pb.gz
}

test_a_storm_of_programs() {
	storm 20 590 96
}

# More than may be open at once: those of a window that is not named yet stay open.
test_a_storm_with_few_descriptors() {
	ulimit -n 1024
	storm 20 590 96
}

# Some are gone before they are opened.
test_a_storm_of_shorter_programs() {
	storm 5 500 80
}

run_tests "$@"
