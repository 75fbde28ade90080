#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent's store from outside: what is in it adds up, others read it, and damage stays where it is.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

start_agent() { # OPTION...
	start "$KILN" agent --store "${store:-$T/store}" --window 1s -F 97 --listen off "$@" 2>log
	agent=$started
	wait_until 20 grep -q 'msg="sampling' log
}

# The agent's writer may write below the store only: there it keeps its windows as files, too.
keep_windows() { # STORE
	mkdir -m 750 "$1" "$1/kept"
	ln -s "$1/kept" kept
	export KILN_TEST_KEEP_WINDOWS=$1/kept
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

# The same, made once for several tests.
copy_store() {
	[ -d ../.store ] || { make_store 4 && cp -a store ../.store; }
	[ -d store ] || cp -a ../.store store
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
	keep_windows "$T/store"
	make_store 5
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
	copy_store
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
	copy_store
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
	"$KILN" report "$T/store" --where "comm=~deep|forkstorm" --summary >out
	assert_match "processes of a command" out 'forkstorm [0-9<.]+ % \([0-9]+ processes\)'
	since=@$(sql 'select begin_unix_ns / 1000000000 from windows order by 1 limit 1 offset 2')
	samples=$("$KILN" list "$T/store" --since "$since" --json | jq .samples)
	assert_eq "both parts" "$((samples + $("$KILN" list "$T/store" --until "$since" --json | jq .samples)))" "$total"
	assert_eq "where" "$("$KILN" list "$T/store" --where comm=deep --json | jq .samples)" \
		"$(profile_samples all.pb.gz '$3 == "deep"')"
	KILN_STORE_PATH=$T/store assert_status 0 "$KILN" list
	# In another zone rows begin at other times, and are the same in sum.
	TZ=Asia/Kolkata "$KILN" list "$T/store" --json --step 1h >kolkata
	assert_eq "samples in Kolkata" "$(jq '[.rows[].samples] | add' kolkata)" "$total"
	assert_eq "where rows begin" "$(jq '.rows[0].begin_ns / 1000000000 % 3600' kolkata)" 1800
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
	copy_store
	"$KILN" export "$T/store" -o before.pb.gz
	before=$(profile_samples before.pb.gz) deep=$(profile_samples before.pb.gz '$3 == "deep"')
	assert_status 2 "$KILN" rm "$T/store"
	assert_match "what it says" err 'say what: --since, --until, --where, or --all'
	assert_status 2 "$KILN" rm "$T/store" --all --since 1h
	assert_status 2 "$KILN" rm "$T/store" --where comm=deep
	assert_match "what it says" err 'no terminal .*--force'
	assert_status 0 "$KILN" rm "$T/store" --where comm=deep --dry-run
	assert_match "what it says" out ': would remove [0-9,]+ samples'
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

# --- bad days ---------------------------------------------------------------------------------------

as_member() { # COMMAND...: of the group that the store belongs to
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
}

# Everything that was acknowledged is there, and all that is there can be read.
assert_complete() { # STORE DIRECTORY_OF_KEPT
	local begin
	assert_status 0 "$KILN" report "$1"
	assert_eq "what report says" "$(cat err)" ""
	"$KILN" list "$1" --step 1s --json >list
	assert_eq "what cannot be read" "$(jq .unreadable list)" 0
	for file in "$1"/*.kiln; do
		# One that was just begun may have no tables yet.
		sqlite3 "$file" 'select begin_unix_ns from windows' 2>/dev/null || true
	done | sort >there
	assert_eq "windows that are there twice" "$(uniq -d there)" ""
	for begin in "$2"/*.pb.gz; do
		grep -q "^$(basename "$begin" .pb.gz)$" there || fail "window $begin is gone"
	done
}

# KILN_TEST_KILLS: how often (3). At most the window that is open is lost.
test_killed_agents() {
	need_bpf
	local i kills=${KILN_TEST_KILLS:-3}
	keep_windows "$T/store"
	start "$WORKLOADS/forkstorm" 6000 5 50 1
	for ((i = 0; i < kills; i++)); do
		start_agent
		sleep "$((RANDOM % 3)).$((RANDOM % 10))"
		kill -KILL "$agent"
		wait "$agent" || true
		[ -z "$(ls store/*.kiln 2>/dev/null)" ] || "$KILN" list "$T/store" >out || [ $? -eq 3 ] ||
			fail "the store cannot be read"
	done
	start_agent
	i=$(find kept/ -name '*.pb.gz' | wc -l)
	wait_until 20 has_windows $((i + 2))
	stop_agent
	assert_complete "$T/store" kept
	assert_eq "temporary files" "$(find store -name '*.tmp' -o -name '*-wal' -o -name '*-journal')" ""
}

mount_small() { # SIZE
	need_root
	mkdir small
	mount -t tmpfs -o "size=$1" kiln-test small || skip "no tmpfs"
	trap 'umount -l "$T/small"' EXIT
	store=$T/small/store
	keep_windows "$store"
}

kept() { # AT_LEAST
	[ "$(find kept/ -name '*.pb.gz' | wc -l)" -ge "$1" ]
}

ask_agent() { # OPTION... PATH
	curl -s --unix-socket sock "${@:1:$#-1}" "http://localhost${*: -1}"
}

metric() { # NAME
	ask_agent /metrics | awk -v name="$1" '$1 == name { print $2 }'
}

# It is as a full disk: another segment begins, or windows are lost, but nobody dies of it.
test_a_limit_of_file_sizes() {
	need_bpf
	start "$WORKLOADS/forkstorm" 6000 5 50 1
	start prlimit --fsize=51200 "$KILN" agent --store "$T/store" --window 1s --listen off 2>log
	agent=$started
	wait_until 20 grep -q 'msg="sampling' log
	sleep 8
	kill -TERM "$agent"
	wait "$agent" || true # of what is lost
	assert_no_match "log" log 'killed by signal|started again'
	assert_match "log" log 'ending: [1-9][0-9]* windows? stored'
}

test_a_full_disk() {
	need_bpf
	local before
	mount_small 4m
	start "$WORKLOADS/forkstorm" 6000 5 50 1
	start_agent --set store.min_free=1MiB --set "http.socket=$T/sock"
	wait_until 20 kept 2
	wait_until 20 ask_agent /-/ready
	dd if=/dev/zero of=small/other bs=4k 2>/dev/null || true
	wait_until 20 grep -q 'level=warning msg="windows cannot be stored: .*store.min_free keeps 0.4 MiB' log
	before=$(find kept/ -name '*.pb.gz' | wc -l)
	sleep 2.5
	assert_eq "windows stored on a full disk" "$(find kept/ -name '*.pb.gz' | wc -l)" "$before"
	assert_eq "ready on a full disk" "$(ask_agent -o /dev/null -w '%{http_code}' /-/ready)" 503
	assert_eq "why not" "$(ask_agent /-/ready | grep -c 'store.min_free keeps')" 1
	assert_eq "kiln_store_open" "$(metric kiln_store_open)" 0
	assert_at_least "samples not stored" "$(metric 'kiln_samples_lost_total{reason="not_stored"}')" 1
	rm small/other
	wait_until 20 kept $((before + 2))
	assert_eq "kiln_store_open" "$(metric kiln_store_open)" 1
	wait_until 20 ask_agent -f /-/ready
	assert_eq "lines about it" "$(grep -c 'windows \(still \)*cannot be stored' log)" 1
	assert_match "when it is over" log 'msg="windows are stored again: [1-9][0-9]* were lost in [0-9]+ s"'
	stop_agent
	assert_complete "$store" kept
	assert_match "log" log 'ending: [0-9]+ windows? stored, [1-9][0-9]* lost"$'
}

test_a_read_only_disk() {
	need_bpf
	mount_small 16m
	start_agent --set store.min_free=1MiB
	wait_until 20 kept 2
	stop_agent
	mount -o remount,ro,size=16m small
	assert_complete "$store" kept
	assert_status 1 "$KILN" agent --store "$store"
	assert_match "what the agent says" err 'store cannot be written to: Read-only file system'
	assert_status 1 "$KILN" rm "$store" --all --force
	mount -o remount,rw,size=16m small
	start_agent --set store.min_free=1MiB
	wait_until 20 kept 4
	stop_agent
	assert_complete "$store" kept
}

test_a_newer_store_is_left_alone() {
	need_bpf
	local segment sum
	copy_store
	segment=$(echo store/*.kiln)
	sqlite3 "$segment" 'PRAGMA user_version = 2'
	sum=$(md5sum "$segment")
	start_agent
	wait_until 20 has_another_segment
	sleep 1.5
	stop_agent
	assert_eq "the newer segment" "$(md5sum "$segment")" "$sum"
	assert_status 0 "$KILN" report "$T/store"
	assert_match "what report says" err 'store: 1 segments are of a newer version of kiln'
	assert_status 0 "$KILN" list "$T/store" --json
	assert_eq "what cannot be read" "$(jq .unreadable out)" 1
}

has_another_segment() {
	[ "$(find store -name '*.kiln' | wc -l)" -ge 2 ]
}

# A segment's middle is overwritten: the others can be read, and the agent goes on.
test_a_damaged_segment() {
	need_bpf
	local segment all
	copy_store
	segment=$(echo store/*.kiln)
	all=$("$KILN" list "$T/store" --json | jq .samples)
	# Another one beside it, whose name says that it is older.
	cp "$segment" store/20200101T000000Z.kiln
	sqlite3 store/20200101T000000Z.kiln "update meta set value = value + 1 where key = 'id';
		update meta set value = 1577836800000000000 where key = 'begin_unix_ns'"
	dd if=/dev/urandom of=store/20200101T000000Z.kiln bs=1k seek=0 count=8 conv=notrunc 2>/dev/null
	assert_status 0 "$KILN" report "$T/store"
	assert_match "what report says" err 'is damaged: 1 segments cannot be read'
	assert_eq "samples" "$("$KILN" list "$T/store" --json | jq .samples)" "$all"
	start_agent
	wait_until 20 has_more "$all"
	stop_agent
}

has_more() { # SAMPLES
	[ "$("$KILN" list "$T/store" --json 2>/dev/null | jq .samples)" -gt "$1" ]
}

# What another host's agent says is what its store says.
test_asking_an_agent() {
	need_bpf
	local url by since until
	start "$WORKLOADS/deep" 60
	mkdir -m 750 run
	start_agent --set "http.socket=$T/run/kiln.sock" --set "http.listen=off"
	wait_until 30 has_windows 3
	wait_until 10 test -S run/kiln.sock
	url=kiln+unix:$T/run/kiln.sock
	# Of windows that stay as they are.
	since=@$(sql 'select min(begin_unix_ns) / 1000000000 from windows')
	until=@$(sql 'select max(begin_unix_ns) / 1000000000 from windows')
	"$KILN" report "$T/store" --since "$since" --until "$until" --json | jq -S .rows >wanted
	"$KILN" report --from "$url" --since "$since" --until "$until" --json | jq -S .rows >got
	diff wanted got >differences || fail "report: $(head -n 4 differences)"
	# Of which commands, and of how many processes, a summary tells with all labels.
	"$KILN" report "$T/store" --since "$since" --until "$until" --summary >wanted
	"$KILN" report --from "$url" --since "$since" --until "$until" --summary >got
	assert_eq "the summary" "$(sed -n 2,4p got)" "$(sed -n 2,4p wanted)"
	for by in time process comm service; do
		"$KILN" list "$T/store" --since "$since" --until "$until" --by $by --step 1s --json |
			jq -S '[.samples, .cpu_ns, .windows]' >wanted
		"$KILN" list --from "$url" --since "$since" --until "$until" --by $by --step 1s --json |
			jq -S '[.samples, .cpu_ns, .windows]' >got
		diff wanted got >differences || fail "list by $by: $(cat differences)"
	done
	assert_status 3 "$KILN" report --from "$url" --until 2026-01-01
	assert_match "what it says" err 'nothing is stored of that'
	assert_status 2 "$KILN" report --from "$url" --where comm
	stop_agent
}

# Whoever is in the group reads what an agent writes, or has left behind when it was killed. Others learn why
# they do not.
test_members_of_the_group_read() {
	need_bpf
	need_root
	local all
	start "$WORKLOADS/deep" 60
	start_agent
	wait_until 20 has_windows 2
	assert_status 4 as_member "$KILN" report "$T/store"
	assert_match "what it says" err 'store is for root and the group kiln: use sudo, or join the group'
	chgrp -R 65534 store
	assert_status 0 as_member "$KILN" report "$T/store"
	assert_match "the report" out at_the_bottom
	kill -KILL "$agent"
	wait "$agent" || true
	chgrp -R 65534 store
	all=$("$KILN" list "$T/store" --json | jq .samples)
	chgrp -R 65534 store
	assert_eq "samples" "$(as_member "$KILN" list "$T/store" --json | jq .samples)" "$all"
	assert_status 4 as_member "$KILN" rm "$T/store" --all --force
	assert_eq "samples after that" "$("$KILN" list "$T/store" --json | jq .samples)" "$all"
}

# A foreign directory is read with its owner's rights, whatever lies in it; the answer is root's.
test_root_reads_as_the_owner() {
	need_root
	chmod 755 .
	timeout 2 "$BUILD/store_writer" "$T/store" >acks || true
	cp "$(find store -name '*.kiln' | head -n 1)" store/20260101T000000Z.kiln
	chmod 600 store/20260101T000000Z.kiln
	rm -f store/*-shm
	chown -R 65534:65534 store
	chown root store/20260101T000000Z.kiln
	"$KILN" list "$T/store" --json | jq -e '.samples > 0' >/dev/null || fail "list finds nothing"
	assert_status 0 "$KILN" export "$T/store" -o x.pb.gz
	assert_match "what it says" err 'store is damaged: 1 segments cannot be read'
	assert_eq "owner of the answer" "$(stat -c %u x.pb.gz)" 0
	assert_eq "what root owns in the store" "$(find store -user root)" store/20260101T000000Z.kiln
	# Where only root gets to, it is read as root.
	mkdir -m 700 private
	mv store private/
	assert_status 0 "$KILN" report "$T/private/store"
	assert_no_match "what it says" err damaged
}

run_tests "$@"
