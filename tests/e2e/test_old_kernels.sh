#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whole stacks without frame pointers on the oldest kernel that is promised, on one in between, and on
# one that is newer than what most run, if older than this: Debian's, booted in qemu (tools/boot-kernel).
# Of the recordings one is made with the BPF objects of the
# oldest compiler that is installed, one with those of the newest ($BUILD/clang-N/kiln). All but one are
# made by a user that has nothing but the capabilities of the agent's unit.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/kernels.sh
. "$SRC/tests/lib/kernels.sh"

# Files of the machine come as text in its output: ---- NAME, base64, ---- end.
take_file() { # NAME
	sed -n "/^---- $1\$/,/^---- end\$/p" "$T/booted" | sed '1d;$d' | base64 -d >"$1"
}

# Options of setpriv(1) for a user with the capabilities of the agent's unit and no others.
as_unit() {
	local caps
	caps=$(sed -n 's/^AmbientCapabilities=//p' "$SRC/tools/kiln-agent.service" | tr 'A-Z ' 'a-z,' |
		sed 's/cap_/+/g')
	[[ $caps == +bpf,+perfmon,* ]] || fail "capabilities of the unit: $caps"
	echo "--reuid=65534 --regid=65534 --clear-groups --no-new-privs" \
		"--bounding-set=-all,$caps --inh-caps=-all,$caps --ambient-caps=-all,$caps"
}

# At least 99 % of the user stacks are complete, and the walk in the kernel had a part in that: it has
# the tables after a second, even on an emulated CPU. (What is still called kiln is in execve(2): the
# old stack is gone.)
assert_whole() { # NAME
	assert_at_most "share of cut stacks in $1" \
		"$(profile_share "$1.pb.gz" "$(in_stack '[truncated]')" '$3 != "kiln"')" 1
	sed -n "/^recording $1\$/,/^---- /p" "$T/booted" >"$1.log"
	assert_match "walks in the kernel, $1" "$1.log" 'walks in the kernel ended: root=[0-9]{2,} '
}

# main() to at_the_bottom(), and the 101 calls in between.
assert_deep() {
	assert_at_least "stacks of their full depth" "$(profile_share deep.pb.gz \
		'split($6, f, ";") > 100 && /;main;/' "$(in_stack at_the_bottom)")" 99
}

check_kernel() { # SUITE VERSION
	local kernel name kilns setpriv
	need_bpf
	setpriv=$(command -v setpriv) || fail "setpriv is missing: run tools/install-deps --test"
	[ "$(uname -m)" = x86_64 ] || skip "kernels of x86-64"
	mapfile -t kilns < <(printf '%s\n' "$BUILD"/clang-*/kiln | sort -V)
	[ -x "${kilns[0]}" ] || fail "no kiln of another compiler: run tools/install-deps --test, and make"
	get_kernel "$1" "$2"
	cat >boot.sh <<-EOF
		mkdir -m 777 /tmp/out
		cd /tmp/out
		ulimit -l unlimited # as the unit has it
		uname -r
		recording() {
			name=\$1
			shift
			echo "recording \$name"
			"\$@" >/dev/null || echo "failed: \$?"
			echo "---- \$name.pb.gz"
			base64 \$name.pb.gz
			echo "---- end"
		}
		by_unit() {
			$setpriv $(as_unit) "\$@"
		}
		recording demo ${kilns[0]} record -v -o demo.pb.gz --unwind dwarf -- $WORKLOADS/demo_nofp 4
		# Debian's kernels begin with a level that the package lowers.
		by_unit $KILN record -o none.pb.gz -a -d 1 2>&1 | sed 's/^/denied: /'
		sysctl -w $(sed -n 's/^-//p' "$SRC/tools/deb/sysctl.conf" | tr -d ' ')
		recording deep by_unit ${kilns[-1]} record -v -o deep.pb.gz --unwind auto -- $WORKLOADS/deep_nofp 4 100
		recording all by_unit $KILN record -o all.pb.gz -a --unwind fp -d 1
	EOF
	"$SRC/tools/boot-kernel" -t 240 "$kernel" "$(cat boot.sh)" \
		"$KILN" "${kilns[0]}" "${kilns[-1]}" "$setpriv" "$WORKLOADS"/{demo,deep}_nofp >"$T/booted" 2>"$T/err" || {
		tail -n 20 "$T/err" "$T/booted" | sed 's/^/# /'
		[ $? -ne 77 ] || skip "$(cat "$T/err")"
		fail "kernel $2 does not come up, or kiln fails there"
	}
	assert_match "kernel" "$T/booted" "^${2//./[.]}[.]"
	assert_match "cure" "$T/booted" '^denied: .* sysctl kernel[.]perf_event_paranoid=2'
	assert_no_match "recordings" "$T/booted" '^failed: '
	for name in demo deep all; do
		take_file "$name.pb.gz"
	done
	assert_whole demo
	assert_whole deep
	assert_deep
	assert_at_least "samples of all processes" "$(profile_samples all.pb.gz)" 1
}

test_5_10() {
	check_kernel bullseye 5.10
}

test_6_1() {
	check_kernel bookworm 6.1
}

# The first of Debian's on which samples tell what is mapped.
test_6_12() {
	check_kernel trixie 6.12
	local log
	for log in demo.log deep.log; do
		assert_match "mappings" $log 'mappings reported by samples: reported=[1-9][0-9]* unread=[0-9]* sets=[1-9]'
	done
}

# The unit's capabilities on this machine's kernel.
test_capabilities_here() {
	need_bpf
	need_root
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ] ||
		skip "kernel.perf_event_paranoid is above 2, which the package changes"
	chmod 777 .
	echo "recording deep" >booted
	# shellcheck disable=SC2046
	setpriv $(as_unit) "$KILN" record -v -o deep.pb.gz -- "$WORKLOADS/deep_nofp" 4 100 \
		2>>booted >out || fail "$(cat booted)"
	assert_whole deep
	assert_deep
}

run_tests "$@"
