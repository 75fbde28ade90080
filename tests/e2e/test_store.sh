#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent's store from outside: what is in it adds up, others read it, and damage stays where it is.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

start_agent() { # OPTION...
	start "$KILN" agent --store "$T/store" --window 1s -F 97 --listen off "$@" 2>>log
	agent=$started
	wait_until 20 grep -q 'msg="sampling' log
}

stop_agent() {
	kill -TERM "$agent"
	wait "$agent"
}

sql() { # SQL: of all segments
	local file
	for file in "$T"/store/*.kiln; do
		sqlite3 -readonly "$file" "$1"
	done
}

has_windows() { # AT_LEAST
	[ "$(sql 'select id from windows' | wc -l)" -ge "$1" ]
}

# A store of a few windows of programs with known functions.
make_store() { # WINDOWS
	start "$WORKLOADS/deep" 60
	start "$WORKLOADS/shares" 60
	start "$WORKLOADS/forkstorm" 60 5 50 1
	start_agent
	wait_until 60 has_windows "$1"
	stop_agent
	end_started "$T"
	rm .started
}

# The sums of samples and time by command, process and stack, of several files together.
sums() { # FILE...
	local file
	for file; do
		profile_py samples "$file"
	done | awk -F '\t' '{ key = $3 FS $4 FS $6 FS $7; n[key] += $1; ns[key] += $2 }
		END { for (key in n) printf "%s\t%.0f\t%.0f\n", key, n[key], ns[key] }' | sort
}

# The same for the accounting.
accounts() { # FILE...
	local file
	for file; do
		profile_py comments "$file"
	done | awk -F '[.=]' '$1 != "kiln" { next }
		$2 ~ /^(expected|idle|stolen|filtered|recorded)$/ { n[$2] += $3 }
		$2 == "lost" { n[$2 "." $3] += $4 }
		END { for (key in n) print key, n[key] }' | sort
}

assert_same_sums() { # FILE FILE...: the first is the sum of the others
	local sum=$1
	shift
	sums "$sum" >got
	sums "$@" >wanted
	assert_at_least "different stacks of $sum" "$(wc -l <wanted)" 50
	diff wanted got >differences || fail "$sum: sums differ: $(head -n 4 differences)"
	accounts "$sum" >got
	accounts "$@" >wanted
	diff wanted got >differences || fail "$sum: the accounting differs: $(head differences)"
	assert_accounting "$sum"
}

# What a range of the store holds is what its windows held, sample by sample; windows of the agent are kept
# beside it for that.
test_sums() {
	need_bpf
	local files since until wanted
	mkdir kept
	export KILN_TEST_KEEP_WINDOWS=$T/kept
	make_store 7
	files=(kept/*.pb.gz)
	assert_eq "windows" "$(sql 'select id from windows' | wc -l)" "${#files[@]}"
	"$KILN" export "$T/store" -o all.pb.gz
	assert_same_sums all.pb.gz "${files[@]}"
	# From the third window to the last but one: ranges are half-open.
	since=$(basename "${files[2]}" .pb.gz) until=$(basename "${files[-1]}" .pb.gz)
	"$KILN" export "$T/store" --since "@$((since / 1000000000))" \
		--until "@$((until / 1000000000))" -o part.pb.gz
	wanted=("${files[@]:2:${#files[@]}-3}")
	assert_same_sums part.pb.gz "${wanted[@]}"
	"$KILN" export "$T/store" --where comm=deep -o deep.pb.gz
	sums deep.pb.gz >got
	sums "${files[@]}" | grep '^deep	' >wanted
	diff wanted got >differences || fail "deep: sums differ: $(head -n 4 differences)"
}

run_tests "$@"
