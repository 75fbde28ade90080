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
}

as_user() {
	HOME=$PWD/own setpriv --reuid=$nobody --regid=$nobody --clear-groups --bounding-set=-all "$@"
}

# Sets kernel.perf_event_paranoid until the test ends.
set_paranoid() { # LEVEL
	local file=/proc/sys/kernel/perf_event_paranoid
	paranoid_was=$(cat $file)
	# shellcheck disable=SC2064 # the file and its value of now
	trap "echo $paranoid_was >$file" EXIT
	{ echo "$1" >$file; } 2>/dev/null || skip "kernel.perf_event_paranoid cannot be set here"
}

# The three shares are within so many points of what the program's own clocks say.
assert_shares() { # FILE TOLD POINTS
	local name all
	all=$(awk '/^burn_/ { n += $2 } END { print n }' "$2")
	for name in burn_sixty burn_thirty burn_ten; do
		assert_near "share of $name in $1" "$(profile_share "$1" "$(in_stack $name)")" \
			"$(awk -v all="$all" -v name=$name '$1 == name { n += $2 } END { print 100 * n / all }' "$2")" "$3"
	done
}

test_perf_events_of_own_processes() {
	be_user
	set_paranoid 2
	as_user ./kiln record -F 499 -o own/p.pb.gz -- ./shares 4 2 >told 2>said
	assert_match "how it was sampled" said 'without root: user code of own processes, by perf events'
	assert_eq "the way, in the profile" "$(quality own/p.pb.gz rootless)" events
	assert_accounting own/p.pb.gz
	assert_at_least "samples" "$(profile_samples own/p.pb.gz)" 500
	assert_at_least "complete stacks, in per cent" \
		"$(profile_share own/p.pb.gz "$(in_stack run_shares)")" 97
	assert_shares own/p.pb.gz told 4
}

run_tests "$@"
