#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A recording of everything that goes on and on, beside compile loops and storms of short-lived programs: what it
# holds does not grow, and at its end the dead still have names. KILN_TEST_SOAK_S is how long: `make soak` takes
# 30 minutes. What is held is looked at from the first five minutes on, so a short run judges only names.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/short_lives.sh
. "$SRC/tests/lib/short_lives.sh"

soak_s=${KILN_TEST_SOAK_S:-15}
settle_s=300

compile_for_ever() {
	generate_project project 20
	while :; do
		make -s -j1 -C project && rm -f project/*.o project/project
	done
}

storm_for_ever() {
	local i=0
	while :; do
		"$WORKLOADS/forkstorm" 3 2 20 1 >/dev/null
		run_and_remove $((i + 1)) $((i + 10)) 10
		i=$((i + 10))
	done
}

all_of() { # PID
	local child
	echo "$1"
	for child in $(pgrep -P "$1" || true); do
		all_of "$child"
	done
}

# KB in pages that cannot be swapped out: the rings of perf events, and BPF maps.
locked_kb() { # PID
	{
		awk '/^Vm(Lck|Pin):/ { print $2 }' "/proc/$1/status" 2>/dev/null || true
		cat "/proc/$1/fdinfo/"* 2>/dev/null | awk '/^memlock:/ { print $2 / 1024 }' || true
	} | awk '{ n += $1 } END { printf "%d\n", n }'
}

# "SECONDS KB DESCRIPTORS LOCKED_KB": resident memory, what processes share once and without BPF maps, which are
# locked from the first on, and descriptors of all of kiln's.
look_at() { # PID
	local pid rss=0 fds=0 kb
	for pid in $(all_of "$1"); do
		kb=$(awk '/^[0-9a-f]+-/ { map = $6 } /^Pss:/ && map !~ /bpf-map/ { n += $2 } END { print n + 0 }' \
			"/proc/$pid/smaps" 2>/dev/null || true)
		rss=$((rss + ${kb:-0}))
		fds=$((fds + $(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | grep -c . || true)))
	done
	echo "$((SECONDS - began)) $rss $fds $(locked_kb "$1")"
}

# How much a column grows in a minute, and the standard error of that: the line of least squares through the means
# of minutes, after it settled.
growth() { # FILE COLUMN
	awk -v c="$2" -v from="$settle_s" '
		$1 >= from { m = int($1 / 60); sum[m] += $c; looks[m]++ }
		END {
			for (m in sum) { y[m] = sum[m] / looks[m]; n++; sx += m; sy += y[m]; sxx += m * m; sxy += m * y[m] }
			d = sxx - sx * sx / n
			slope = (sxy - sx * sy / n) / d
			for (m in y) rest += (y[m] - sy / n - slope * (m - sx / n)) ^ 2
			printf "%.2f %.2f\n", slope, sqrt(rest / (n - 2) / d)
		}' "$1"
}

# More than that, and not by chance.
assert_growth_at_most() { # WHAT BOUND FILE COLUMN
	local slope error
	read -r slope error <<<"$(growth "$3" "$4")"
	echo "# $1 more a minute: $slope, standard error $error"
	assert_at_most "$1 more a minute, less twice the error of that" \
		"$(awk -v s="$slope" -v e="$error" 'BEGIN { print s - 2 * e }')" "$2"
}

test_a_long_recording() {
	need_bpf
	# Of few samples, those of one program that was not opened in time are many.
	local least=$((soak_s < 600 ? 95 : 98)) kiln
	# Some of these are gone, with their file, before anybody is scheduled to open it.
	local least_removed=$((soak_s < 600 ? 95 : 97))
	export KILN_CACHE_DIR=$T/cache
	start compile_for_ever
	start storm_for_ever
	# The profile is at its limit within the first minutes: what grows after that is something else.
	start "$KILN" record -a -F 499 -d "${soak_s}s" --max-memory 16MiB -o p.pb.gz 2>err
	kiln=$started
	began=$SECONDS
	# Memory goes up and down with each window: many looks, or their line is noise.
	while sleep 5 && [ -e "/proc/$kiln/fd/0" ]; do
		look_at "$kiln" >>held
	done
	wait "$kiln"
	end_started "$T"
	awk 'NR == 1 || NR % 60 == 0 { print "# " $1 " s: " $2 " KB resident, " $3 " descriptors, " $4 " KB locked" }' held
	echo "# names: removed programs $(once_named p.pb.gz), modules of the compiler" \
		"$(leaf_in_module p.pb.gz '$3 == "cc1"'), other programs" \
		"$(leaf_named p.pb.gz '$3 == "forkstorm" && $7 ~ /forkstorm[^;]*$/')"
	if [ "$soak_s" -ge $((2 * settle_s)) ]; then
		assert_growth_at_most "KB of resident memory" 200 held 2
		assert_growth_at_most descriptors 1 held 3
		assert_growth_at_most "KB of locked memory" 100 held 4
	fi
	assert_at_least "samples of programs that were removed" "$(profile_samples p.pb.gz '$3 ~ /^once/')" 50
	assert_at_least "of these, those that name their function" "$(once_named p.pb.gz)" "$least_removed"
	assert_at_least "samples of all these short lives that name their module" \
		"$(leaf_in_module p.pb.gz '$3 ~ /^(once|forkstorm|cc1|as|ld|collect2|gcc|make|sh|cp|rm)/')" "$least"
	assert_at_least "samples of the compiler that name their module" \
		"$(leaf_in_module p.pb.gz '$3 == "cc1"')" "$least"
	assert_at_least "samples of other programs that name their function" \
		"$(leaf_named p.pb.gz '$3 == "forkstorm" && $7 ~ /forkstorm[^;]*$/')" "$least"
	assert_accounting p.pb.gz
}

run_tests "$@"
