#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A real ClickHouse that cannot take what it is sent: too many parts, a full disk, a shard that is away; and one that
# has lost all. Afterwards each window is there once, and totals are those of what was sent.
# KILN_TEST_SHARD_DOWN_S=N: how long the shard is away (20).
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

# Sends all of them in the background; its end is that of $pushing.
push_all() {
	start timeout 120 "$KILN" push p.*.pb.gz --to "$(ch_url)" --timeout 100s >pushed 2>&1
	pushing=$started
}

assert_pushed() { # WINDOWS
	local status=0
	wait "$pushing" || status=$?
	[ "$status" -eq 0 ] || sed 's/^/#   /' pushed | tail -n 20
	assert_eq "exit status of kiln push" "$status" 0
	ch_assert_whole "$1"
	ch_assert_no_orphans
	report_functions p.*.pb.gz >wanted
	ch_functions >got
	cmp wanted got || fail "totals differ"
}

test_too_many_parts() {
	local table
	need_clickhouse
	ch_port_ch=$(ch_free_port)
	ch_config ch "$ch_port_ch"
	sed -i 's|</yandex>|<merge_tree><parts_to_delay_insert>8</parts_to_delay_insert><parts_to_throw_insert>8</parts_to_throw_insert></merge_tree></yandex>|' ch/c.xml
	restart_clickhouse
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	make_windows 12 50
	ch_ask 'SYSTEM STOP MERGES'
	push_all
	wait_until 30 grep -q 'Too many parts' ch/err
	sleep 3
	assert_at_most "windows that were taken" "$(ch_ask 'SELECT uniqExact(host, time, id) FROM windows')" 11
	ch_ask 'SYSTEM START MERGES'
	for table in samples windows; do
		ch_ask "OPTIMIZE TABLE $table FINAL"
	done
	assert_pushed 12
}

test_a_full_disk_of_the_server() {
	need_clickhouse
	need_root
	ch_port_ch=$(ch_free_port)
	ch_config ch "$ch_port_ch"
	mount -t tmpfs -o size=40m none ch/data
	trap 'umount -l "$T/ch/data" 2>/dev/null || true' EXIT
	restart_clickhouse
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	make_windows 6 2000
	assert_status 0 "$KILN" push p.1.pb.gz --to "$(ch_url)"
	dd if=/dev/zero of=ch/data/full bs=64k 2>dd.err || true
	push_all
	wait_until 30 grep -qi 'space\|reserve' ch/err
	sleep 3
	kill -0 "$pushing" || fail "it has given up: $(cat pushed)"
	rm ch/data/full
	assert_pushed 6
	kill_clickhouse
}

windows_of() { # SERVER
	ch_ask 'SELECT uniqExact(host, time, id) FROM windows' "$1"
}

# Windows are sent in the order in which they were written; short ones that begin in one second are one batch.
has_window() { # SERVER BEGIN_NS
	[ "$(ch_ask 'SELECT max(begin_ns + toInt64(duration_ns)) FROM windows' "$1")" -gt "$2" ]
}

# The host's shard is away; nothing of it goes to the other one, and sampling goes on.
test_an_agent_whose_shard_is_away() {
	local shard=a other=b before begin end newest
	need_bpf
	need_clickhouse
	start_clickhouse a
	start_clickhouse b
	"$KILN" fleet init "$(ch_url a)"
	"$KILN" fleet init "$(ch_url b)"
	printf 'window: 1s\nsampling: {frequency: 49}\nupload:\n  - {name: fleet, url: "clickhouse+http://127.0.0.1:%s,127.0.0.1:%s/kiln", batch: 1s}\n' \
		"$(ch_port a)" "$(ch_port b)" >kiln.yaml
	start "$WORKLOADS/shares" 3600
	start_agent -c kiln.yaml
	wait_until 60 eval '[ $(($(windows_of a) + $(windows_of b))) -ge 2 ]'
	[ "$(windows_of a)" -gt 0 ] || shard=b other=a
	kill_clickhouse $shard
	before=$(count_windows)
	sleep "${KILN_TEST_SHARD_DOWN_S:-20}"
	# On a machine that is busy a window is longer than a second.
	assert_at_least "windows that were stored meanwhile" "$(count_windows)" $((before + 2))
	assert_eq "windows on the other shard" "$(windows_of $other)" 0
	restart_clickhouse $shard
	# A wait between tries is at most five minutes; what has been stored until then arrives.
	newest=$(ask_store 'select max(begin_unix_ns) from windows' | sort -n | tail -n 1)
	wait_until 360 has_window $shard "$newest"
	stop_agent 0
	ch_assert_whole "$(windows_of $shard)" $shard
	ch_assert_no_orphans $shard
	begin=$(ch_ask 'SELECT intDiv(min(begin_ns), 1000000000) FROM windows' $shard)
	end=$(ch_ask 'SELECT intDiv(max(begin_ns + toInt64(duration_ns)) + 500000000, 1000000000) FROM windows' $shard)
	report_functions store --since "@$begin" --until "@$end" >wanted
	ch_functions $shard >got
	cmp wanted got || {
		diff wanted got | head -n 10 | sed 's/^/# /'
		fail "totals differ from the store's"
	}
	assert_match "it was said" log 'windows wait in the store'
	echo "# $(windows_of $shard) windows, $(wc -l <wanted) functions"
}

# All that the agent has stored is there, each window once: window 1, batch 1.
everything_arrives() {
	local before newest
	before=$(count_windows)
	start_agent -c kiln.yaml
	wait_until 60 has_windows $((before + 3))
	newest=$(ask_store 'select max(begin_unix_ns) from windows' | sort -n | tail -n 1)
	wait_until 120 has_window ch "$newest"
	stop_agent 0
	ch_assert_whole "$(windows_of ch)"
	ch_assert_no_orphans
}

# As kiln-clickhouse(7) has it: what the agent still has comes again, and nothing twice.
test_a_cursor_that_is_set_back() {
	local end
	need_bpf
	need_clickhouse
	start_clickhouse
	"$KILN" fleet init "$(ch_url)"
	printf 'window: 1s\nsampling: {frequency: 49}\nupload:\n  - {name: fleet, url: "%s", batch: 1s}\n' "$(ch_url)" >kiln.yaml
	start "$WORKLOADS/shares" 3600
	everything_arrives
	echo again >store/upload/fleet.cursor
	everything_arrives
	assert_match "it is said" log 'cursor is damaged'
	ch_ask 'DROP DATABASE kiln'
	"$KILN" fleet init "$(ch_url)"
	echo again >store/upload/fleet.cursor
	everything_arrives
	end=$(ch_ask 'SELECT intDiv(max(begin_ns + toInt64(duration_ns)) + 500000000, 1000000000) FROM windows')
	report_functions store --until "@$end" >wanted
	ch_functions >got
	cmp wanted got || fail "totals differ from the store's"
}

run_tests "$@"
