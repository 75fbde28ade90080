#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Profiles in a real ClickHouse: exact totals, each window once whatever happens, and clear answers.
# KILN_TEST_KILLS=N: the server is killed that often while it is sent to (3).
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

prepare() {
	need_clickhouse
	start_clickhouse
	assert_status 0 "$KILN" fleet init "$(ch_url)"
}

push() { # FILE...
	assert_status 0 timeout 120 "$KILN" push "$@" --to "${to:-$(ch_url)}"
}

# --- totals ---

test_totals_are_exact() {
	prepare
	totals_are_exact
}

# The same by a current engine: statements, types, casts, tokens, questions.
test_totals_of_a_current_engine() {
	start_chdb
	assert_status 0 "$KILN" fleet init "$(ch_url)" --ttl 30d
	totals_are_exact
	push a.pb.gz b.pb.gz
	ch_assert_whole 3
	assert_status 0 "$KILN" fleet status "$(ch_url)"
	assert_match "status" out 'ClickHouse 2[0-9]'
	tokens_are_believed
}

# A second insert with the token of the first is none, even if nobody asks.
tokens_are_believed() {
	local path
	start_proxy
	make_many_stacks 20 one.pb.gz token
	echo '[{"path": "INSERT%20INTO%20samples", "count": 1, "forward": true}, {"path": "INSERT%20INTO%20nothing"}]' >rules
	push one.pb.gz
	path=$(jq -r 'select(.path | contains("samples")) | .path' proxied | head -n 1)
	assert_eq "a token" "$(grep -c 'insert_deduplication_token=kiln-' <<<"$path")" 1
	ch_assert_whole 4
}

totals_are_exact() {
	make_many_stacks 3000 a.pb.gz one
	make_many_stacks 1000 b.pb.gz two
	# Recursion, inlined calls, frames without a name, the kernel, and names that are hostile.
	printf '%s\n' \
		$'7\tcomm=odd\tmain|/bin/x\tf|/bin/x\tf|/bin/x\tf|/bin/x' \
		$'5\tcomm=odd\tmain|/bin/x\tg|^\th|^\t|/lib/libz.so.1' \
		$'3\tcomm=odd\tmain|/bin/x\tsys_read|[kernel.kallsyms]' \
		$'2\tcomm=it\'s\tmain|/bin/x\tit\'s \\ `"; DROP TABLE samples --|/bin/x' \
		$'2\tcomm=\xff\xfe\tmain|/bin/x\t\xff\x80|/bin/x' \
		$'1\tcomm=odd\tmain|/bin/x\tcafé ☕|/bin/ünï' |
		python3 "$SRC/tests/lib/make_profile.py" >odd.old
	retime odd.old odd.pb.gz 45
	push a.pb.gz b.pb.gz odd.pb.gz
	report_functions a.pb.gz b.pb.gz odd.pb.gz >wanted
	ch_functions >got
	assert_at_least "functions" "$(wc -l <wanted)" 200
	cmp wanted got || {
		diff wanted got | head -n 10 | sed 's/^/# /'
		fail "self and total differ"
	}
	ch_assert_whole 3
	ch_assert_no_orphans
}

test_real_profiles_are_exact() {
	local file files=()
	[ -n "${KILN_TEST_PROFILES:-}" ] || skip "no KILN_TEST_PROFILES"
	prepare
	for file in $KILN_TEST_PROFILES; do
		files+=("$file")
	done
	push "${files[@]}"
	report_functions "${files[@]}" >wanted
	ch_functions >got
	cmp wanted got || {
		diff wanted got | head -n 10 | sed 's/^/# /'
		fail "self and total differ"
	}
	echo "# $(wc -l <wanted) functions of ${#files[@]} files"
}

# --- once ---

test_pushing_twice_counts_once() {
	prepare
	make_windows 3 200
	push p.*.pb.gz
	push p.*.pb.gz p.1.pb.gz
	ch_assert_whole 3
	report_functions p.*.pb.gz >wanted
	ch_functions >got
	cmp wanted got || fail "totals differ"
	# The same content at another time, or of another host, is another one.
	retime base.pb.gz q.pb.gz 7000
	push q.pb.gz
	push q.pb.gz --label host=other
	ch_assert_whole 5
	assert_eq hosts "$(ch_ask 'SELECT uniqExact(host) FROM samples')" 2
}

# Of an insert whose answer got lost; of one that the server never saw; and of one that it refused.
test_answers_that_get_lost() {
	local table i=0 rule
	prepare
	start_proxy
	for table in functions stacks samples windows; do
		for rule in '"forward": true' '"forward": false' \
			'"forward": true, "status": 200, "body": "Code: 209, e.displayText() = DB::Exception: Timeout"' \
			'"status": 200, "headers": {"X-ClickHouse-Exception-Code": "252"}' \
			'"status": 500, "body": "Code: 252. DB::Exception: Too many parts (3001). (TOO_MANY_PARTS)"' \
			'"forward": true, "status": 504, "body": "upstream timed out"' \
			'"status": 503'; do
			i=$((i + 1))
			make_many_stacks 20 one.pb.gz "c$i"
			echo "[{\"path\": \"INSERT%20INTO%20$table\", \"count\": 1, $rule}]" >rules
			push one.pb.gz
			assert_eq "$table, $rule: refused requests" "$(grep -c '"rule": 0' proxied)" "$i"
		done
	done
	ch_assert_whole "$i"
	ch_assert_no_orphans
}

start_proxy() {
	start python3 "$SRC/tests/lib/answer_proxy.py" "$T/proxy.port" "127.0.0.1:$(ch_port)" "$T/rules" >proxied
	wait_until 10 test -s proxy.port
	to=clickhouse+http://127.0.0.1:$(cat proxy.port)/kiln
}

# An error that stays: nothing of it is lost without a word.
test_errors_that_stay() {
	prepare
	start_proxy
	make_windows 1 20
	echo '[{"path": "INSERT%20INTO%20samples", "status": 500, "body": "Code: 27. DB::Exception: Cannot parse"}]' >rules
	assert_status 1 timeout 100 "$KILN" push p.1.pb.gz --to "$to" --timeout 60s
	assert_match "the code" err 'code 27 CANNOT_PARSE_INPUT_ASSERTION_FAILED'
	echo '[{"path": "INSERT%20INTO%20samples", "status": 500, "body": "Code: 497. DB::Exception: Not enough privileges"}]' >rules
	assert_status 1 timeout 60 "$KILN" push p.1.pb.gz --to "$to"
	assert_match "what to do" err 'code 497 ACCESS_DENIED.*grant this user INSERT'
	echo '[{"status": 200, "body": "<html>Welcome</html>", "headers": {"Content-Type": "text/html"}}]' >rules
	assert_status 1 timeout 60 "$KILN" push p.1.pb.gz --to "$to"
	assert_match "no ClickHouse" err 'HTML: check the URL'
	: >rules
	push p.1.pb.gz
	ch_assert_whole 1
}

# --- connections and servers that break ---

test_connections_cut_at_each_64th_byte() {
	local cuts
	prepare
	start python3 "$SRC/tests/lib/fault_proxy.py" "$T/cut.port" "127.0.0.1:$(ch_port)" "$T/cuts" >cut.log
	wait_until 10 test -s cut.port
	to=clickhouse+http://127.0.0.1:$(cat cut.port)/kiln
	make_many_stacks 30 one.pb.gz
	push one.pb.gz
	# What one push sends, all requests of it; then each 64th byte of that is the last of a connection.
	cuts=$(jq -s 'map(.up) | add' cut.log)
	cut_pushes "$cuts" up
	cut_pushes 2048 down
	ch_assert_no_orphans
}

cut_pushes() { # BYTES up|down
	local at i windows
	windows=$(ch_ask 'SELECT uniqExact(host, time, id) FROM windows')
	i=0
	for ((at = 1; at < $1; at += ${KILN_TEST_CUT_STEP:-256})); do
		i=$((i + 1))
		make_many_stacks 30 one.pb.gz "cut-$2-$i"
		echo "{\"cut_$2\": $at, \"step\": 1000000, \"most\": $at}" >cuts
		push one.pb.gz
	done
	echo '{}' >cuts
	ch_assert_whole $((windows + i))
}

test_a_server_that_is_killed() {
	local i pid
	prepare
	make_windows 60 100
	for ((i = 1; i <= 60; i++)); do
		timeout 120 "$KILN" push "p.$i.pb.gz" --to "$(ch_url)" >>pushed 2>&1 || echo "$i" >>failed
	done &
	pid=$!
	for ((i = 0; i < ${KILN_TEST_KILLS:-3}; i++)); do
		sleep 0.7
		kill_clickhouse
		sleep 0.3
		restart_clickhouse
	done
	wait "$pid"
	assert_no_file failed
	ch_assert_whole 60
	ch_assert_no_orphans
	report_functions p.*.pb.gz >wanted
	ch_functions >got
	cmp wanted got || fail "totals differ"
}

# --- the agent ---

# Killed and started again, with a server that is killed, too: each window once, and the totals of its store.
test_an_agent_that_is_killed() {
	local i first last
	need_bpf
	need_root
	prepare
	printf 'window: 1s\nsampling: {frequency: 49}\nupload:\n  - {name: fleet, url: "%s", batch: 5s}\n' "$(ch_url)" >kiln.yaml
	start "$WORKLOADS/shares" 600
	start_agent -c kiln.yaml
	for ((i = 1; i <= ${KILN_TEST_KILLS:-3}; i++)); do
		wait_until 60 has_ch_windows "$i"
		sleep "0.$((i * 37 % 100))"
		kill_agent
		kill_clickhouse
		restart_clickhouse
		start_agent -c kiln.yaml
	done
	wait_until 60 has_ch_windows $((i + 2))
	# What it had got when it was asked to end is in the store, and sent by the next one.
	stop_agent 0
	first=$(ch_ask 'SELECT intDiv(min(begin_ns), 1000000000) FROM windows')
	last=$(ch_ask 'SELECT intDiv(max(begin_ns + toInt64(duration_ns)) + 500000000, 1000000000) FROM windows')
	ch_assert_whole "$(ch_ask 'SELECT uniqExact(host, time, id) FROM windows')"
	assert_eq "windows that overlap" "$(ch_ask 'SELECT count() - uniqExact(time) FROM (SELECT DISTINCT host, time, id FROM windows) AS w')" 0
	ch_assert_no_orphans
	report_functions store --since "@$first" --until "@$last" >wanted
	ch_functions >got
	cmp wanted got || {
		diff wanted got | head -n 10 | sed 's/^/# /'
		fail "totals differ from the store's"
	}
	assert_eq "samples" "$(ch_ask 'SELECT sum(r) FROM (SELECT any(recorded) AS r FROM windows GROUP BY host, time, id) AS w')" \
		"$("$KILN" report store --since "@$first" --until "@$last" --json | jq .quality.recorded)"
	echo "# $(wc -l <wanted) functions"
}

has_ch_windows() { # AT_LEAST
	[ "$(ch_ask 'SELECT uniqExact(host, time, id) FROM windows')" -ge "$1" ]
}

kill_agent() {
	local pids
	pids=$(tree_of "$agent")
	# shellcheck disable=SC2086
	kill -KILL $pids 2>/dev/null || true
	wait "$agent" 2>/dev/null || true
}

# --- shards ---

test_a_shard_that_is_down() {
	local host
	need_clickhouse
	start_clickhouse a
	start_clickhouse b
	"$KILN" fleet init "$(ch_url a)"
	"$KILN" fleet init "$(ch_url b)"
	to=clickhouse+http://127.0.0.1:$(ch_port a),127.0.0.1:$(ch_port b)/kiln
	make_windows 1 20
	for host in n1 n2 n3 n4 n5 n6 n7 n8; do
		push p.1.pb.gz --label "host=$host"
	done
	ch_ask 'SELECT DISTINCT host FROM samples ORDER BY host' a >hosts.a
	ch_ask 'SELECT DISTINCT host FROM samples ORDER BY host' b >hosts.b
	assert_at_least "hosts on a" "$(wc -l <hosts.a)" 1
	assert_at_least "hosts on b" "$(wc -l <hosts.b)" 1
	assert_eq "each host on one shard" "$(sort hosts.a hosts.b | uniq | wc -l)" 8
	assert_eq "no host on both" "$(sort hosts.a hosts.b | uniq -d)" ""
	kill_clickhouse b
	retime base.pb.gz later.pb.gz 100
	push later.pb.gz --label "host=$(head -n 1 hosts.a)"
	assert_status 1 "$KILN" push later.pb.gz --label "host=$(head -n 1 hosts.b)" --to "$to" --timeout 2s
	restart_clickhouse b
	push later.pb.gz --label "host=$(head -n 1 hosts.b)"
	ch_assert_whole $(($(wc -l <hosts.a) + 1)) a
	ch_assert_whole $(($(wc -l <hosts.b) + 1)) b
}

# --- kiln fleet init and status ---

test_init() {
	need_clickhouse
	start_clickhouse
	assert_status 0 "$KILN" fleet init "$(ch_url)" --print
	assert_match "statements" out 'CREATE TABLE IF NOT EXISTS `kiln`.`samples`'
	assert_eq "nothing was made" "$(ch_ask "SELECT count() FROM system.databases WHERE name = 'kiln'" | grep -c Exception)" 1
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	assert_match "made" out 'made, schema 1, ClickHouse'
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	assert_match "again" out 'it is there, schema 1'
	assert_status 1 "$KILN" fleet init "$(ch_url)" --ttl 30d
	assert_match "an old server" err 'knows no TTL'
	assert_status 1 "$KILN" fleet init "$(ch_url)" --cluster c
	assert_match "no cluster" err 'not of a cluster'
	assert_status 2 "$KILN" fleet init "$(ch_url)" --ttl 1h
	assert_status 2 "$KILN" fleet init pyroscope+http://127.0.0.1:1
	assert_match "another kind" err 'is no ClickHouse'
	assert_status 2 "$KILN" fleet nonsense
}

# Databases that are not kiln's, or not this kiln's.
test_init_of_other_databases() {
	need_clickhouse
	start_clickhouse
	curl -sS --data-binary 'CREATE DATABASE kiln' "http://127.0.0.1:$(ch_port)/"
	ch_ask 'CREATE TABLE orders (a UInt8) ENGINE = Memory'
	make_windows 1 20
	assert_status 1 "$KILN" push p.1.pb.gz --to "$(ch_url)"
	assert_match "no schema" err 'code 60 .*kiln fleet init'
	assert_status 1 "$KILN" fleet init "$(ch_url)"
	assert_match "another program" err 'tables of another program, such as "orders"'
	ch_ask 'CREATE VIEW kiln_schema AS SELECT 1 AS x'
	ch_ask 'DROP TABLE orders'
	assert_status 1 "$KILN" fleet init "$(ch_url)"
	assert_match "another view" err "not kiln's"
	ch_ask 'DROP TABLE kiln_schema'
	ch_ask "CREATE VIEW kiln_schema AS SELECT toUInt32(9) AS schema, '' AS suffix, '' AS cluster, toUInt32(1) AS made"
	assert_status 1 "$KILN" fleet init "$(ch_url)"
	assert_match "newer" err 'version 9, and this kiln knows 1: upgrade kiln'
	assert_status 1 "$KILN" push p.1.pb.gz --to "$(ch_url)"
	assert_match "newer" err 'version 9, and this kiln writes 1: upgrade kiln'
	assert_status 1 "$KILN" fleet status "$(ch_url)"
	assert_match "newer" err 'upgrade kiln'
}

test_users_and_rights() {
	need_clickhouse
	start_clickhouse
	assert_status 4 "$KILN" fleet init "$(ch_url ch reader@)"
	assert_match "may only read" err 'code 164'
	assert_status 4 "$KILN" fleet init "$(ch_url ch nobody@)"
	assert_match "no such user" err 'code 192'
	assert_status 4 "$KILN" fleet init "$(ch_url ch writer@)"
	assert_match "no password" err 'code 19[34].*password_file'
	echo secret-of-writer >password
	chmod 600 password
	assert_status 0 "$KILN" fleet init "$(ch_url ch writer@)" --password-file password
	make_windows 1 20
	assert_status 1 "$KILN" push p.1.pb.gz --to "$(ch_url ch reader@)"
	assert_match "may only read" err 'code 164'
	assert_status 0 "$KILN" push p.1.pb.gz --to "$(ch_url ch writer@)" --password-file password
	ch_assert_whole 1
	# Who may only read may look.
	assert_status 0 "$KILN" fleet status "$(ch_url ch reader@)"
	assert_match "a host" out "$(uname -n)"
	assert_no_match "no secret" err 'secret-of-writer'
}

test_status() {
	prepare
	assert_status 0 "$KILN" fleet status "$(ch_url)"
	assert_match "nothing yet" out 'no windows in the last'
	make_windows 5 100
	push p.1.pb.gz p.2.pb.gz p.3.pb.gz p.5.pb.gz --label host=one
	push p.1.pb.gz --label "host=it's"
	retime base.pb.gz future.pb.gz -7200
	push future.pb.gz --label host=ahead
	assert_status 0 "$KILN" fleet status "$(ch_url)"
	assert_match "a hostile host" out "^it's "
	assert_match "a clock" out '^ahead .* its clock is 7[0-9]* s ahead'
	"$KILN" fleet status "$(ch_url)" --json >status.json
	assert_eq "hosts" "$(jq '.hosts | length' status.json)" 3
	assert_eq "windows" "$(jq '.hosts[] | select(.host == "one") | .windows' status.json)" 4
	assert_at_least "bytes" "$(jq .bytes status.json)" 1000
	assert_at_least "lag" "$(jq '.hosts[] | select(.host == "one") | .lag_ns' status.json)" 3500000000000
	assert_eq "server" "$(jq -r .server status.json)" "$(ch_ask 'SELECT version()')"
}

run_tests "$@"
