#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is in a real ClickHouse, read back: report, export and list --from, and the questions of kiln fleet.
# KILN_TEST_PROFILES="FILE...": real profiles whose totals are compared, too.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

prepare() {
	need_clickhouse
	start_clickhouse
	assert_status 0 "$KILN" fleet init "$(ch_url)"
}

push() { # FILE... [OPTION...]
	assert_status 0 timeout 120 "$KILN" push "$@" --to "$(ch_url)"
}

# As report_functions() has them, of what the server has.
from_functions() { # [OPTION...]
	"$KILN" report --json --from "$(ch_url)" --since 3h "$@" |
		jq -r '.rows[] | [.self, .total, .module, .name] | @tsv' | sort
}

# The same out of kiln fleet top.
top_functions() { # [OPTION...]
	"$KILN" fleet top --json --from "$(ch_url)" --since 3h "$@" |
		jq -r '.rows[] | [.self_ns, .total_ns, .module, .name] | @tsv' | sort
}

same() { # WHAT FILE FILE
	cmp -s "$2" "$3" || {
		diff "$2" "$3" | head -n 10 | sed 's/^/# /'
		fail "$1: self and total differ"
	}
}

make_odd() { # OUT
	printf '%s\n' \
		$'7\tcomm=odd\tmain|/bin/x\tf|/bin/x\tf|/bin/x\tf|/bin/x' \
		$'5\tcomm=odd\tmain|/bin/x\tg|^\th|^\t|/lib/libz.so.1' \
		$'3\tcomm=odd\tmain|/bin/x\tsys_read|[kernel.kallsyms]' \
		$'2\tcomm=it\'s\tmain|/bin/x\tit\'s \\ `"; DROP TABLE samples --|/bin/x' \
		$'2\tcomm=\xff\xfe\tmain|/bin/x\t\xff\x80|/bin/x' \
		$'1\tcomm=odd\tmain|/bin/x\tcafé ☕|/bin/ünï' |
		python3 "$SRC/tests/lib/make_profile.py" >odd.old
	retime odd.old "$1" 45
}

test_report_equals_that_of_the_files() {
	prepare
	make_many_stacks 3000 a.pb.gz one
	make_many_stacks 1000 b.pb.gz two
	make_odd odd.pb.gz
	push a.pb.gz b.pb.gz odd.pb.gz
	report_functions a.pb.gz b.pb.gz odd.pb.gz >wanted
	assert_at_least "functions" "$(wc -l <wanted)" 200
	from_functions >got
	same "report --from" wanted got
	top_functions >got
	same "fleet top" wanted got
	top_functions --no-rollup >got
	same "fleet top, of samples" wanted got
	# All options as with a file.
	for options in '--by module' '--by comm --sort total' '--callers f_3_1' '--callees f_3_1' '--focus lib1' '--value samples'; do
		# shellcheck disable=SC2086
		"$KILN" report --json $options a.pb.gz b.pb.gz odd.pb.gz | jq -c '.rows[] | [.name, .self, .total]' | sort >wanted
		# shellcheck disable=SC2086
		"$KILN" report --json $options --from "$(ch_url)" --since 3h | jq -c '.rows[] | [.name, .self, .total]' | sort >got
		same "report $options" wanted got
	done
	# Addresses of what has no name are not kept.
	"$KILN" export a.pb.gz b.pb.gz odd.pb.gz --format folded -o - | sed 's/\]+0x[0-9a-f]*/]/' | sort >wanted
	assert_status 0 "$KILN" export --from "$(ch_url)" --since 3h --format folded -o out.folded
	sort out.folded >got
	same "folded" wanted got
}

# All statements on a current engine.
test_a_current_engine() {
	local range question
	start_chdb
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	make_many_stacks 1000 a.pb.gz one
	make_odd odd.pb.gz
	push a.pb.gz odd.pb.gz
	report_functions a.pb.gz odd.pb.gz >wanted
	from_functions >got
	same "report --from" wanted got
	top_functions >got
	same "fleet top" wanted got
	"$KILN" list --from "$(ch_url)" --json >got
	assert_eq "windows" "$(jq .windows got)" 2
	assert_eq "by comm" "$("$KILN" list --from "$(ch_url)" --by comm --json | jq '.rows | length')" 4
	fill a.pb.gz --hosts 4 --windows 24 --every 300 --until "$(hour_ago 2)"
	range="--since @$(hour_ago 4) --until @$(hour_ago 2)"
	# shellcheck disable=SC2086
	top_functions $range --no-rollup >wanted
	# shellcheck disable=SC2086
	top_functions $range >got
	same "of the rollup" wanted got
	assert_eq "hours" "$(ch_ask 'SELECT uniqExact(hour) FROM fn_hour')" 2
	for question in 'top --by module' 'top --by host' 'grew --against 1h' 'outliers api' 'series f_3_1' \
		'series f_3_1 --step 1h' 'callers f_3_1'; do
		# shellcheck disable=SC2086
		assert_status 0 "$KILN" fleet $question --from "$(ch_url)" $range
	done
	for question in top 'top --by module' grew 'series f_3_1' 'callers f_3_1'; do
		# shellcheck disable=SC2086
		assert_status 0 "$KILN" fleet $question --sql $range
		ch_ask "$(cat out) FORMAT TabSeparated" >rows
		assert_at_least "$question" "$(grep -vc Exception rows)" 1
	done
	"$KILN" report --json --callers f_3_1 --from "$(ch_url)" --since 1h | jq -c '.rows[] | [.name, .self, .total]' | sort >wanted
	"$KILN" fleet callers f_3_1 --json --from "$(ch_url)" --since 1h | jq -c '.rows[] | [.name, .self_ns, .total_ns]' | sort >got
	same "callers" wanted got
}

test_real_profiles_are_read_exactly() {
	[ -n "${KILN_TEST_PROFILES:-}" ] || skip "no KILN_TEST_PROFILES"
	prepare
	# shellcheck disable=SC2086
	push $KILN_TEST_PROFILES
	# shellcheck disable=SC2086
	report_functions $KILN_TEST_PROFILES >wanted
	from_functions --since 2020-01-01 >got
	same "report --from" wanted got
	echo "# $(wc -l <wanted) functions of $(echo "$KILN_TEST_PROFILES" | wc -w) files"
}

test_conditions_and_times() {
	prepare
	make_many_stacks 300 a.pb.gz one
	retime a.pb.gz old.pb.gz 7000
	push a.pb.gz --label host=h1 --label service_name=api
	push a.pb.gz --label host=h2 --label service_name="it's"
	push old.pb.gz --label host=h1 --label service_name=api
	report_functions a.pb.gz >wanted
	from_functions --where service_name=api --since 1h >got
	same "one service, one hour" wanted got
	from_functions --where "service_name=it's" >got
	same "a quote" wanted got
	from_functions --where 'host=~h[2-9],service_name!=api' >got
	same "a regular expression" wanted got
	report_functions a.pb.gz old.pb.gz >wanted
	from_functions --where 'service_name=api' >got
	same "two windows" wanted got
	assert_status 3 "$KILN" report --from "$(ch_url)" --where "service_name=x' OR 1=1 --"
	assert_status 2 "$KILN" report --from "$(ch_url)" --where pid=1
	assert_match "a label that is not kept" err 'keeps no label "pid"'
	"$KILN" report --json --from "$(ch_url)" --since 3h --by host | jq -c '.rows[] | [.name, .self]' | sort >got
	assert_eq "by host" "$(wc -l <got)" 2
}

# Half of the stacks and a function are gone: their time is not.
test_missing_stacks_are_frames() {
	prepare
	make_many_stacks 400 a.pb.gz
	push a.pb.gz
	"$KILN" report --json a.pb.gz | jq .total >wanted
	ch_ask 'CREATE TABLE kept AS stacks ENGINE = ReplacingMergeTree(day) ORDER BY (service, hash)'
	ch_ask 'INSERT INTO kept SELECT * FROM stacks WHERE hash % 2 = 0'
	ch_ask 'DROP TABLE stacks'
	ch_ask 'RENAME TABLE kept TO stacks'
	from_functions >got
	assert_match "a frame" got $'\\[kiln\\]\t\\[stack missing\\]$'
	"$KILN" report --json --from "$(ch_url)" --since 3h | jq .total >total
	same "the total" wanted total
	top_functions --no-rollup >top
	same "fleet top" got top
	"$KILN" fleet top --json --from "$(ch_url)" --since 3h --by module --no-rollup | jq '[.rows[].self_ns] | add' >total
	same "the modules" wanted total
}

test_list() {
	prepare
	make_many_stacks 100 a.pb.gz
	push a.pb.gz --label host=h1 --label service_name=api
	push a.pb.gz --label host=h2 --label service_name=db
	"$KILN" list --from "$(ch_url)" --json >got
	assert_eq "windows" "$(jq .windows got)" 2
	"$KILN" report --json a.pb.gz | jq '.total * 2' >wanted
	assert_eq "CPU time" "$(jq .cpu_ns got)" "$(cat wanted)"
	assert_eq "windows of rows" "$(jq '[.rows[].windows] | add' got)" 2
	assert_eq "by service" "$("$KILN" list --from "$(ch_url)" --by service --json | jq -c '[.rows[].name] | sort')" '["api","db"]'
	assert_eq "by host" "$("$KILN" list --from "$(ch_url)" --by host --json | jq -c '[.rows[].name] | sort')" '["h1","h2"]'
	assert_status 2 "$KILN" list --from "$(ch_url)" --by process
	assert_status 0 "$KILN" list --from "$(ch_url)" --where service_name=nobody
}

# --- the rollup ---

# Hours that lie whole in the range, well before now.

test_rollup() {
	local since
	prepare
	make_many_stacks 500 a.pb.gz
	since=$(hour_ago 5)
	fill a.pb.gz --hosts 3 --windows 36 --every 300 --until "$(hour_ago 2)"
	range="--since @$since --until @$(($(hour_ago 2) - 600))"
	# shellcheck disable=SC2086
	top_functions $range --no-rollup >wanted
	assert_at_least "functions" "$(wc -l <wanted)" 100
	assert_eq "no rollup yet" "$(ch_ask 'SELECT count() FROM fn_hour')" 0
	# shellcheck disable=SC2086
	top_functions $range >got
	same "while it is made" wanted got
	assert_eq "hours" "$(ch_ask 'SELECT uniqExact(hour) FROM fn_hour')" 2
	# shellcheck disable=SC2086
	top_functions $range --where service_name=api >got
	same "of the rollup" wanted got
	for by in module service; do
		# shellcheck disable=SC2086
		"$KILN" fleet top --json --from "$(ch_url)" $range --by $by --no-rollup | jq -c '.rows[]' | sort >wanted.by
		# shellcheck disable=SC2086
		"$KILN" fleet top --json --from "$(ch_url)" $range --by $by | jq -c '.rows[]' | sort >got
		same "by $by" wanted.by got
	done
	assert_status 0 "$KILN" fleet rollup --from "$(ch_url)" --since "@$since" --until "@$(hour_ago 2)"
	assert_match "one more" out '^3 hours are there, 1 of them new$'
	assert_status 0 "$KILN" fleet rollup --from "$(ch_url)" --since "@$since" --until "@$(hour_ago 2)"
	assert_match "again" out '^3 hours are there, 0 of them new$'
}

test_a_rollup_that_is_out_of_date() {
	local range
	prepare
	make_many_stacks 200 a.pb.gz
	range="--since @$(hour_ago 4) --until @$(hour_ago 2)"
	fill a.pb.gz --hosts 2 --windows 24 --every 300 --until "$(hour_ago 2)"
	assert_status 0 "$KILN" fleet rollup --from "$(ch_url)" --since "@$(hour_ago 4)" --until "@$(hour_ago 2)"
	# A host that was away delivers.
	fill a.pb.gz --hosts 1 --windows 5 --every 60 --until "$(hour_ago 2)" --service late
	# shellcheck disable=SC2086
	top_functions $range --no-rollup >wanted
	# A reader cannot make it anew, and is told the truth all the same.
	"$KILN" fleet top --json --from "$(ch_url ch reader@)" --since "@$(hour_ago 4)" --until "@$(hour_ago 2)" |
		jq -r '.rows[] | [.self_ns, .total_ns, .module, .name] | @tsv' | sort >got
	same "a reader" wanted got
	# shellcheck disable=SC2086
	top_functions $range >got
	same "made anew" wanted got
	# Somebody began to make it again and died: ReplacingMergeTree then takes rows of the whole version away.
	ch_ask "INSERT INTO fn_hour SELECT '', type, hour, '', 'begin', toInt64(0), toInt64(0), ver + 1 FROM fn_hour
		WHERE service = '' AND module = 'begin'"
	ch_ask "INSERT INTO fn_hour SELECT service, type, hour, func, module, self + 1, total, ver + 1 FROM fn_hour
		WHERE func != '' AND func < 'f_2'"
	ch_ask 'OPTIMIZE TABLE fn_hour FINAL'
	# shellcheck disable=SC2086
	top_functions $range >got
	same "after an attempt that was not finished" wanted got
}

# --- the fleet owner's questions ---

# Forty hosts; host-07 has a build that is three times as slow in one function.
test_the_slower_build_is_found() {
	prepare
	make_many_stacks 500 a.pb.gz
	slow=$("$KILN" report --json a.pb.gz | jq -r '.rows[10].name')
	fill a.pb.gz --hosts 40 --windows 10 --every 60 --slower host-07 "$slow" 3
	ask="--from $(ch_url) --since 1h"
	# shellcheck disable=SC2086
	"$KILN" fleet outliers api --json $ask >got
	assert_eq "hosts" "$(jq -c '[.hosts[].host]' got)" '["host-07"]'
	assert_eq "compared" "$(jq .compared got)" 40
	assert_eq "the function" "$(jq -r '.hosts[0].functions[0].name' got)" "$slow"
	assert_at_least "deviations" "$(jq '.hosts[0].functions[0].deviations' got)" 5
	# shellcheck disable=SC2086
	assert_status 0 "$KILN" fleet outliers api $ask
	assert_match "as a table" out "^host-07 .*$slow\$"
	# What the build costs there, beside what it costs elsewhere.
	# shellcheck disable=SC2086
	here=$("$KILN" fleet top --json $ask --where host=host-07 | jq --arg f "$slow" '.rows[] | select(.name == $f).self_ns')
	# shellcheck disable=SC2086
	there=$("$KILN" fleet top --json $ask --where host=host-08 | jq --arg f "$slow" '.rows[] | select(.name == $f).self_ns')
	assert_near "three times as much" "$(echo "$here $there" | awk '{ print $1 / $2 }')" 3 0.01
}

# The build is rolled out: the second half hour is slower.
test_what_grew() {
	prepare
	make_many_stacks 500 a.pb.gz
	slow=$("$KILN" report --json a.pb.gz | jq -r '.rows[10].name')
	now=$(date +%s)
	fill a.pb.gz --hosts 10 --windows 10 --every 60 --until $((now - 1800))
	fill a.pb.gz --hosts 10 --windows 10 --every 60 --until "$now" --slower all "$slow" 3
	"$KILN" fleet grew --json --from "$(ch_url)" --since 30m >got
	assert_eq "grew" "$(jq -r '.grew[0].name' got)" "$slow"
	assert_eq "nothing else" "$(jq -c '[.grew[].name, .shrank[].name] | length' got)" 1
	assert_near "three times as much" "$(jq '.grew[0] | .self_ns / .self_before_ns' got)" 3 0.01
	"$KILN" fleet grew --json --from "$(ch_url)" --since "@$((now - 3600))" --until "@$((now - 1800))" --against 30m >got
	assert_eq "nothing before, so all is new" "$(jq '.shrank | length' got)" 0
	assert_status 0 "$KILN" fleet grew --from "$(ch_url)" --since 30m --markdown
	assert_match "Markdown" out '^\| CHANGE \| BEFORE'
	"$KILN" fleet series "$slow" --json --from "$(ch_url)" --since 1h --step 30m >got
	assert_at_least "steps" "$(jq '.rows | length' got)" 2
	assert_eq "the sum" "$(jq '[.rows[].self_ns] | add' got)" \
		"$("$KILN" fleet top --json --from "$(ch_url)" --since 1h | jq --arg f "$slow" '.rows[] | select(.name == $f).self_ns')"
	# Callers are those of kiln report.
	"$KILN" report --json --callers "$slow" --from "$(ch_url)" --since 1h | jq -c '.rows[] | [.name, .self, .total]' | sort >wanted
	"$KILN" fleet callers "$slow" --json --from "$(ch_url)" --since 1h | jq -c '.rows[] | [.name, .self_ns, .total_ns]' | sort >got
	same "callers" wanted got
}

test_hostile_names_are_texts() {
	local evil="it's \\ \`\"; DROP TABLE samples --"
	prepare
	make_odd odd.pb.gz
	push odd.pb.gz
	for option in --json --markdown --sql ''; do
		# shellcheck disable=SC2086
		assert_status 0 "$KILN" fleet callers "$evil" --from "$(ch_url)" --since 1h $option
		# shellcheck disable=SC2086
		assert_status 0 "$KILN" fleet series "$evil" --from "$(ch_url)" --since 1h $option
	done
	assert_status 1 "$KILN" fleet callers "' OR 1 = 1 --" --from "$(ch_url)"
	assert_match "no such function" err 'no function'
	assert_status 3 "$KILN" fleet outliers "' OR 1 = 1 --" --from "$(ch_url)"
	assert_status 3 "$KILN" fleet top --from "$(ch_url)" --where "service_name=\"x\\\\' OR 1 = 1 --\""
	assert_eq "the table is there" "$(ch_ask 'SELECT count() > 0 FROM samples')" 1
}

# What --sql prints is a query that the server answers as kiln does.
test_printed_queries_run() {
	prepare
	make_many_stacks 300 a.pb.gz
	fill a.pb.gz --hosts 4 --windows 5 --every 60
	f=$("$KILN" report --json a.pb.gz | jq -r '.rows[5].name')
	for question in top 'top --by module' 'top --by service' 'top --by host' grew 'grew --by module' "series $f" "callers $f"; do
		# shellcheck disable=SC2086
		assert_status 0 "$KILN" fleet $question --sql --since 1h --where service_name=api
		ch_ask "$(cat out) FORMAT TabSeparated" >rows
		assert_no_match "$question" rows 'Exception'
		assert_at_least "$question" "$(wc -l <rows)" 1
	done
	assert_status 0 "$KILN" fleet outliers api --sql --since 1h
	csplit -s -f part out '/^;/' '{*}' || true
	assert_at_least "statements" "$(grep -c '^;' out || true)$(grep -c ';$' out)" 1
}

# --- servers ---

test_shards_are_added_up() {
	need_clickhouse
	start_clickhouse a
	start_clickhouse b
	"$KILN" fleet init "$(ch_url a)"
	"$KILN" fleet init "$(ch_url b)"
	both=clickhouse+http://127.0.0.1:$(ch_port a),127.0.0.1:$(ch_port b)/kiln
	make_many_stacks 300 a.pb.gz one
	make_many_stacks 400 b.pb.gz two
	assert_status 0 "$KILN" push a.pb.gz --to "$(ch_url a)" --label host=h1
	assert_status 0 "$KILN" push a.pb.gz b.pb.gz --to "$(ch_url b)" --label host=h2
	report_functions a.pb.gz a.pb.gz b.pb.gz >wanted
	"$KILN" report --json --from "$both" | jq -r '.rows[] | [.self, .total, .module, .name] | @tsv' | sort >got
	same "report" wanted got
	"$KILN" fleet top --json --from "$both" | jq -r '.rows[] | [.self_ns, .total_ns, .module, .name] | @tsv' | sort >got
	same "fleet top" wanted got
	assert_eq "windows" "$("$KILN" list --from "$both" --json | jq .windows)" 3
	# The first twenty of all are not those of one.
	"$KILN" fleet top --from "$both" -n 5 --json | jq -r '.rows[].name' >five
	assert_eq "five" "$(wc -l <five)" 5
	# A part of the fleet is never given for the whole.
	kill_clickhouse b
	for command in report list 'fleet top' 'fleet grew' 'fleet outliers one'; do
		# shellcheck disable=SC2086
		assert_status 1 "$KILN" $command --from "$both"
		assert_match "$command: which" err "127.0.0.1:$(ch_port b)"
	done
}

test_a_cluster_is_asked_as_a_whole() {
	local i wanted question
	need_clickhouse
	make_cluster
	make_many_stacks 300 a.pb.gz one
	for i in 1 2 3 4 5 6; do
		retime a.pb.gz "p.$i.pb.gz" $((3600 * 3 + i))
		assert_status 0 timeout 60 "$KILN" push "p.$i.pb.gz" --to "$both" --label "host=n$i" --label service_name=api
	done
	assert_at_least "hosts of a" "$(ch_ask 'SELECT uniqExact(host) FROM samples_local' a)" 1
	assert_at_least "hosts of b" "$(ch_ask 'SELECT uniqExact(host) FROM samples_local' b)" 1
	report_functions p.?.pb.gz >wanted
	for url in "$(ch_url a)" "$(ch_url b)" "$both"; do
		"$KILN" report --json --from "$url" --since 6h | jq -r '.rows[] | [.self, .total, .module, .name] | @tsv' | sort >got
		same "report --from $url" wanted got
		"$KILN" fleet top --json --from "$url" --since 6h --no-rollup | jq -r '.rows[] | [.self_ns, .total_ns, .module, .name] | @tsv' | sort >got
		same "fleet top --from $url" wanted got
		for i in 1 2; do
			"$KILN" fleet top --json --from "$url" --since 6h | jq -r '.rows[] | [.self_ns, .total_ns, .module, .name] | @tsv' | sort >got
			same "fleet top by rollup --from $url" wanted got
		done
		assert_eq "windows" "$("$KILN" list --from "$url" --since 6h --json | jq .windows)" 6
		assert_eq "hosts" "$("$KILN" list --from "$url" --since 6h --by host --json | jq '.rows | length')" 6
		for question in 'top --by module' 'outliers api' 'series f_3_1' 'callers f_3_1' 'grew --since 3h'; do
			# shellcheck disable=SC2086
			assert_status 0 "$KILN" fleet $question --since 6h --from "$url"
		done
	done
	"$KILN" report --json --callers f_3_1 p.?.pb.gz | jq -c '.rows[] | [.name, .self, .total]' | sort >wanted
	"$KILN" fleet callers f_3_1 --json --from "$(ch_url a)" --since 6h | jq -c '.rows[] | [.name, .self_ns, .total_ns]' | sort >got
	same "callers" wanted got
	kill_clickhouse b
	assert_status 1 "$KILN" report --from "$(ch_url a)" --since 6h
	assert_status 1 "$KILN" fleet top --from "$(ch_url a)" --since 6h
}

test_answers_that_are_none() {
	prepare
	make_many_stacks 50 a.pb.gz
	push a.pb.gz
	assert_status 1 "$KILN" report --from clickhouse+http://127.0.0.1:1/kiln
	assert_status 1 "$KILN" report --from "clickhouse+http://127.0.0.1:$(ch_port)/default"
	assert_match "no tables" err 'kiln fleet init'
	assert_status 4 "$KILN" fleet top --from "$(ch_url ch nobody@)"
	assert_status 0 "$KILN" report --from "$(ch_url ch reader@)"
	start python3 "$SRC/tests/lib/answer_proxy.py" "$T/proxy.port" "127.0.0.1:$(ch_port)" "$T/rules" >proxied
	wait_until 10 test -s proxy.port
	url=clickhouse+http://127.0.0.1:$(cat proxy.port)/kiln
	for rule in '"status": 200, "body": "<html>Welcome</html>"' '"status": 200, "body": ""' \
		'"status": 500, "body": "Code: 241. DB::Exception: Memory limit"' '"status": 503' \
		'"status": 200, "body": "\u0005\u0001\u0004name\u0006String"' \
		'"forward": true, "status": 200, "body": "Code: 395. DB::Exception: later"'; do
		echo "[{\"skip\": 1, $rule}]" >rules
		assert_status 1 "$KILN" report --from "$url"
		[[ $rule == *'"body": ""'* ]] || assert_status 1 "$KILN" fleet top --from "$url"
	done
}

run_tests "$@"
