#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Before Linux 6.4 samples do not tell what is mapped, but events do: the same tests, with events.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"

with_events() { # SCRIPT TEST...
	need_bpf
	KILN_TEST_MAPPING_EVENTS=1 bash "$SRC/tests/e2e/$1.sh" "${@:2}" >log 2>&1 || {
		sed 's/^/#   /' log
		fail "$1 with events"
	}
	assert_match "$1" log '^ok '
	assert_no_match "$1" log '# SKIP'
}

test_events_are_made() {
	need_bpf
	KILN_TEST_MAPPING_EVENTS=1 "$KILN" record -v -a -d 1 -o p.pb.gz -- "$WORKLOADS/deep" 1 20 >log 2>&1
	assert_no_match "-v with events" log 'mappings reported by samples'
	# the first of the two in order of versions
	[ "$(printf '6.4\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.4 ] || return 0
	"$KILN" record -v -a -d 1 -o p.pb.gz -- "$WORKLOADS/deep" 1 20 >log 2>&1
	assert_match "-v without" log 'mappings reported by samples: reported=[1-9]'
}

test_many_executable_mappings() {
	with_events test_complete_stacks test_many_executable_mappings
}

test_libraries_come_and_go() {
	with_events test_complete_stacks test_libraries_come_and_go
}

test_code_is_moved() {
	with_events test_complete_stacks test_code_is_moved
}

test_short_lived() {
	with_events test_short_lived
}

run_tests "$@"
