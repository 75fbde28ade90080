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

# The examples of kiln-store(5), word for word, say what kiln says.
test_strangers_read_it() {
	need_bpf
	need sqlite3
	local i segment samples
	make_store 4
	awk '/^\.Ed/ { inside = 0; close("example" n) }
		inside { print >("example" n) }
		/^\.Bd/ { inside = 1; n++ }' "$SRC/tools/kiln-store.5"
	segment=("$T"/store/*.kiln)
	assert_eq "segments" "${#segment[@]}" 1
	for i in 1 2 3 4; do
		sqlite3 -readonly "${segment[0]}" <"example$i" >"answer$i" || fail "example $i fails"
	done
	"$KILN" export "$T/store" -o all.pb.gz
	samples=$(profile_samples all.pb.gz)
	assert_eq "samples" "$(awk -F '|' '{ n += $2 } END { print n }' answer1)" "$samples"
	assert_near "CPU time" "$(awk -F '|' '{ n += $3 } END { print n }' answer1)" \
		"$(awk -v ns="$(profile_ns all.pb.gz)" 'BEGIN { print ns / 1e9 }')" 0.01
	assert_eq "when" "$(cut -c1-16 answer1 | head -n 1)" \
		"$(date -u -d "@$(sql 'select min(begin_unix_ns) / 1000000000 from windows')" '+%F %H:%M')"
	assert_eq "samples of deep" "$(awk -F '|' '$1 == "deep" { print $2 }' answer2)" \
		"$(profile_samples all.pb.gz '$3 == "deep"')"
	assert_near "CPU time of deep" "$(awk -F '|' '$1 == "deep" { print $3 }' answer2)" \
		"$(awk -v ns="$(profile_ns all.pb.gz '$3 == "deep"')" 'BEGIN { print ns / 1e9 }')" 0.001
	awk -F '|' '{ exit $1 != $2 + $3 + $4 + $5 + $6 }' answer3 || fail "accounting: $(cat answer3)"
	assert_eq "recorded" "$(cut -d '|' -f 5 answer3)" "$(quality all.pb.gz recorded)"
	assert_at_least "bytes" "$(awk -F '|' '{ n += $3 } END { print n }' answer4)" 1000
}

test_list() {
	need_bpf
	local samples total since
	make_store 5
	"$KILN" export "$T/store" -o all.pb.gz
	total=$(profile_samples all.pb.gz)
	"$KILN" list "$T/store" >out
	assert_match "list" out '^TIME +WINDOWS +SAMPLES +CPU +LOST$'
	assert_eq "samples by time" "$("$KILN" list "$T/store" --json --step 1s | jq '[.rows[].samples] | add')" "$total"
	assert_eq "windows" "$("$KILN" list "$T/store" --json | jq '.windows')" "$(sql 'select id from windows' | wc -l)"
	assert_eq "samples by command" \
		"$("$KILN" list "$T/store" --by comm --json | jq '.rows[] | select(.name == "deep") | .samples')" \
		"$(profile_samples all.pb.gz '$3 == "deep"')"
	assert_eq "samples of all processes" \
		"$("$KILN" list "$T/store" --by process --json | jq '[.rows[].samples] | add')" "$total"
	"$KILN" list "$T/store" --by process >out
	assert_match "processes" out '^ +[0-9.]+ m?s +[0-9.]+% +[0-9]+  deep \([0-9]+\)$'
	for by in executable unit container service pod; do
		assert_eq "samples by $by" \
			"$("$KILN" list "$T/store" --by $by --json | jq '[.rows[].samples] | add')" "$total"
	done
	since=@$(sql 'select begin_unix_ns / 1000000000 from windows order by 1 limit 1 offset 2')
	samples=$("$KILN" list "$T/store" --since "$since" --json | jq .samples)
	assert_eq "both parts" "$((samples + $("$KILN" list "$T/store" --until "$since" --json | jq .samples)))" "$total"
	assert_eq "where" "$("$KILN" list "$T/store" --where comm=deep --json | jq .samples)" \
		"$(profile_samples all.pb.gz '$3 == "deep"')"
	KILN_STORE_PATH=$T/store assert_status 0 "$KILN" list
	assert_status 3 "$KILN" list "$T/store" --until 2026-01-01
	assert_status 2 "$KILN" list "$T/store" --by colour
	assert_status 2 "$KILN" list "$T/store" --step 1ms
	assert_status 2 "$KILN" list "$T/store" "$T/store"
	assert_status 2 "$KILN" list "$T/store" --where comm
	assert_status 1 "$KILN" list "$T/nothing"
	assert_match "what it says" err 'there is no store'
}

test_rm() {
	need_bpf
	local before deep since rest
	make_store 5
	"$KILN" export "$T/store" -o before.pb.gz
	before=$(profile_samples before.pb.gz) deep=$(profile_samples before.pb.gz '$3 == "deep"')
	assert_status 2 "$KILN" rm "$T/store"
	assert_match "what it says" err 'say what: --since, --until, --where, or --all'
	assert_status 2 "$KILN" rm "$T/store" --all --since 1h
	assert_status 2 "$KILN" rm "$T/store" --where comm=deep
	assert_match "what it says" err 'no terminal .*--force'
	assert_status 0 "$KILN" rm "$T/store" --where comm=deep --dry-run
	assert_eq "what there is" "$(grep -oE '[0-9,]+ samples' out | tr -d ,)" "$deep samples"
	assert_eq "samples after a dry run" "$("$KILN" list "$T/store" --json | jq .samples)" "$before"
	assert_status 0 "$KILN" rm "$T/store" --where comm=deep --force
	assert_match "what it says" out '^removed [0-9,]+ samples from 1 segment$'
	"$KILN" export "$T/store" -o after.pb.gz
	assert_eq "samples of deep" "$(profile_samples after.pb.gz '$3 == "deep"')" 0
	assert_eq "samples" "$(profile_samples after.pb.gz)" $((before - deep))
	assert_eq "filtered" "$(quality after.pb.gz filtered)" $(($(quality before.pb.gz filtered) + deep))
	assert_accounting after.pb.gz
	# The segment was not being written: no name is left either.
	assert_eq "series of deep" "$(sql "select count(*) from series where value = 'deep'")" 0
	since=@$(sql 'select begin_unix_ns / 1000000000 from windows order by 1 limit 1 offset 2')
	rest=$("$KILN" list "$T/store" --until "$since" --json | jq .samples)
	assert_status 0 "$KILN" rm "$T/store" --since "$since" --force
	assert_eq "samples before" "$("$KILN" list "$T/store" --json | jq .samples)" "$rest"
	assert_status 3 "$KILN" rm "$T/store" --since "$since" --force
	assert_status 0 "$KILN" rm "$T/store" --all --force
	assert_eq "segments" "$(find "$T/store" -name '*.kiln*')" ""
}

# On a terminal it asks; and beside an agent that is writing it removes as well.
test_rm_asks() {
	need_bpf
	need script
	start "$WORKLOADS/deep" 60
	start_agent
	wait_until 30 has_windows 3
	script -qec "'$KILN' rm '$T/store' --where comm=deep" /dev/null <<<n >out || true
	assert_match "the question" out 'Remove them\? \[y/N\]'
	assert_at_least "samples of deep" "$("$KILN" list "$T/store" --where comm=deep --json | jq .samples)" 1
	script -qec "'$KILN' rm '$T/store' --until now --where comm=deep" /dev/null <<<y >out
	assert_match "the answer" out 'removed [0-9,]+ samples from 1 segment'
	stop_agent
	assert_match "log" log '0 lost"$'
	assert_at_most "samples of deep" "$("$KILN" list "$T/store" --where comm=deep --json | jq .samples)" 400
}

run_tests "$@"
