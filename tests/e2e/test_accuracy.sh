#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Shares and CPU time in a profile agree with what programs and the kernel account.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

SECONDS_LONG=${SECONDS_LONG:-20}

# Sums "NAME NS" lines of the workload's own account.
told() { # FILE NAME
	awk -v name="$2" '$1 == name { n += $2 } END { printf "%.0f\n", n }' "$1"
}

# Two points of share hold for the samples of a machine that does nothing else; where others took
# part of the CPUs there are fewer samples, and chance has a greater part.
points() { # FILE SECONDS
	awk -v got="$(profile_samples "$1")" -v full="$((99 * $2 * 2))" 'BEGIN {
		print (got < 0.98 * full ? 2 * sqrt(full / (got + 1)) : 2) }'
}

# CPU time in per cent of the kernel's, within 2. Where others took part of the CPUs, which of the
# periods were theirs is chance too: then four standard deviations of that.
assert_cpu_time() { # FILE NS
	local got within
	got=$(profile_ns "$1" | awk -v all="$2" '{ print 100 * $1 / all }')
	within=$(awk -v n="$(quality "$1" recorded)" -v of="$(($(quality "$1" expected) -
		$(quality "$1" idle) - $(quality "$1" stolen)))" 'BEGIN {
		chance = n < of ? 400 * sqrt((1 - n / of) / n) : 0
		print (chance > 2 ? chance : 2) }')
	assert_near "CPU time, in per cent of the kernel's" "$got" 100 "$within"
}

check_shares() { # workload
	local name all within
	"$KILN" record -q -F 99 -o p.pb.gz -- "$WORKLOADS/$1" "$SECONDS_LONG" 2 >told
	all=$(told told all)
	within=$(points p.pb.gz "$SECONDS_LONG")
	assert_cpu_time p.pb.gz "$all"
	for name in burn_sixty burn_thirty burn_ten; do
		assert_near "share of $name" "$(profile_share p.pb.gz "$(in_stack $name)")" \
			"$(awk -v part="$(told told $name)" -v all="$all" 'BEGIN { print 100 * part / all }')" \
			"$within"
	done
	assert_accounting p.pb.gz
}

test_shares_with_frame_pointers() {
	need_bpf
	check_shares shares
}

test_shares_without_frame_pointers() {
	need_bpf
	check_shares shares_nofp
	# A caller is found without frame pointers too.
	assert_at_least "share of stacks through run_shares" \
		"$(profile_share p.pb.gz "$(in_stack run_shares)")" 98
}

# Without symbols the three functions are three starts of code in .eh_frame.
test_shares_of_a_stripped_program() {
	need_bpf
	"$KILN" record -q -F 99 -o p.pb.gz -- "$WORKLOADS/shares_stripped" "$SECONDS_LONG" 2 >told
	local within
	within=$(points p.pb.gz "$SECONDS_LONG")
	profile_top p.pb.gz 30 >top
	assert_match "functions of a stripped program" top ' shares_stripped\+sub_[0-9a-f]+$'
	local wanted
	for wanted in 60 30 10; do
		awk -v wanted=$wanted -v within="$within" '
			/sub_/ && $1 > wanted - within && $1 < wanted + within { found = 1 }
			END { exit !found }' top || {
			sed 's/^/#   /' top
			fail "no function with a share of $wanted %"
		}
	done
}

test_many_processes_on_few_cpus() {
	need_bpf
	local name pid ns all within
	"$KILN" record -q -F 99 -o p.pb.gz -- "$WORKLOADS/spinner" 8 "$SECONDS_LONG" >told
	within=$(points p.pb.gz "$SECONDS_LONG")
	all=$(awk '{ n += $3 } END { printf "%.0f\n", n }' told)
	assert_cpu_time p.pb.gz "$all"
	while read -r name pid ns; do
		assert_near "share of $name" \
			"$(profile_share p.pb.gz "\$4 == $pid && \$3 == \"$name\"")" \
			"$(awk -v ns="$ns" -v all="$all" 'BEGIN { print 100 * ns / all }')" "$within"
	done <told
	assert_accounting p.pb.gz
}

test_system_wide_sees_the_same() {
	need_bpf
	start "$WORKLOADS/shares" 30 1
	"$KILN" record -q -a -F 99 -d 10 -o p.pb.gz
	local mine="\$4 == $started"
	# One busy thread; whatever else runs here may take from it, so its shares are of its own.
	assert_at_least "samples of it" "$(profile_samples p.pb.gz "$mine")" 100
	assert_near "share of burn_sixty" "$(profile_share p.pb.gz "$(in_stack burn_sixty)" "$mine")" 60 6
	assert_near "share of burn_thirty" "$(profile_share p.pb.gz "$(in_stack burn_thirty)" "$mine")" 30 6
	assert_accounting p.pb.gz
	# Every CPU's every period is accounted for: 99 Hz of this many CPUs for about 10 s.
	assert_near "expected samples" "$(quality p.pb.gz expected)" \
		"$((99 * 10 * $(getconf _NPROCESSORS_ONLN)))" "$((99 * $(getconf _NPROCESSORS_ONLN) / 2))"
}

run_tests "$@"
