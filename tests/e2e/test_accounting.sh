#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every sample is accounted for, exactly, also where kiln is short of everything.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

load() {
	start "$WORKLOADS/forkstorm" 60 5 20 2
	start "$WORKLOADS/demo" 60
}

test_system_wide() {
	need_bpf
	load
	"$KILN" record -q -a -d 4 -o p.pb.gz
	assert_accounting p.pb.gz
	assert_at_least "samples" "$(quality p.pb.gz recorded)" 200
}

test_high_frequency() {
	need_bpf
	load
	"$KILN" record -q -a -F 999 -d 4 -o p.pb.gz
	assert_accounting p.pb.gz
}

# What does not fit is lost by name, and stands in the profile as a frame of its own.
test_full_count_map() {
	need_bpf
	load
	KILN_TEST_COUNT_ENTRIES=8 "$KILN" record -q -a -F 999 -d 4 -o p.pb.gz
	assert_accounting p.pb.gz
	assert_at_least "lost for a full map" "$(quality p.pb.gz lost.map_full)" 1
	assert_at_least "samples that stand for losses" \
		"$(profile_samples p.pb.gz "$(in_stack '[lost samples]')")" "$(quality p.pb.gz lost.map_full)"
}

# Two kernel stacks in one bucket: the exact path takes over, and nothing is lost for it.
test_colliding_kernel_stacks() {
	need_bpf
	load
	KILN_TEST_STACK_ENTRIES=2 "$KILN" record -q -a -F 199 -d 4 -o p.pb.gz
	assert_accounting p.pb.gz
	assert_at_least "collisions" "$(quality p.pb.gz kernel_collision)" 1
	assert_eq "samples whose kernel stack is missing" "$(quality p.pb.gz kernel_missing)" 0
}

test_stalled_drain() {
	need_bpf
	load
	KILN_TEST_DRAIN_STALL_MS=1500 "$KILN" record -q -a -F 499 -d 5 -o p.pb.gz
	assert_accounting p.pb.gz
}

test_all_at_once() {
	need_bpf
	load
	KILN_TEST_COUNT_ENTRIES=64 KILN_TEST_STACK_ENTRIES=4 KILN_TEST_DRAIN_STALL_MS=700 \
		"$KILN" record -q -a -F 999 -d 4 -o p.pb.gz
	assert_accounting p.pb.gz
}

run_tests "$@"
