#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What people and programs hand in reaches a real ClickHouse as text, and is never executed.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

evil=(
	"x' OR 1 = 1 --"
	"x\\' OR 1 = 1 --"
	"x\\"
	'x"`; DROP TABLE samples; --'
	"x') UNION ALL SELECT 1 --"
	"x/*"
	'${service:sqlstring} $__timeFilter(time)'
)

prepare() {
	need_clickhouse
	start_clickhouse
	assert_status 0 "$KILN" fleet init "$(ch_url)"
}

samples_of() { # OPTION...
	"$KILN" report --json --from "$(ch_url)" --since 3h "$@" 2>>errors | jq .total
}

# A value as a quoted text of --where.
quoted() { # VALUE
	local text=${1//\\/\\\\}
	echo "\"${text//\"/\\\"}\""
}

regex() { # VALUE
	sed 's/[][\\.*^$(){}?+|]/\\&/g' <<<"$1"
}

tables_are_there() {
	assert_eq "tables" "$(ch_ask "SELECT count() FROM system.tables WHERE database = 'kiln'")" 6
}

# Each label with each value: the window of it, and no other, is found by it.
test_labels_and_filters() {
	local key value i=0 one all
	prepare
	make_many_stacks 20 a.pb.gz
	assert_status 0 "$KILN" push a.pb.gz --to "$(ch_url)" --label host=plain --label service_name=plain
	one=$(samples_of)
	for value in "${evil[@]}"; do
		i=$((i + 1))
		retime a.pb.gz b.pb.gz $((100 + i))
		set --
		for key in service_name host namespace pod unit; do
			set -- "$@" --label "$key=$value"
		done
		assert_status 0 "$KILN" push b.pb.gz --to "$(ch_url)" "$@"
		for key in service_name host namespace pod unit; do
			assert_eq "$key = $value" "$(samples_of --where "$key=$(quoted "$value")")" "$one"
			assert_eq "$key =~ $value" "$(samples_of --where "$key=~$(quoted "$(regex "$value")")")" "$one"
			all=$(samples_of --where "$key!=$(quoted "$value")")
			assert_eq "$key != $value" "$all" $((one * i))
			assert_status 0 "$KILN" fleet top --from "$(ch_url)" --where "$key=$(quoted "$value")"
		done
		assert_status 3 "$KILN" report --from "$(ch_url)" --where "comm=$(quoted "$value")"
		assert_status 3 "$KILN" fleet outliers "$value" --from "$(ch_url)"
		assert_match "one host has it" err '^kiln: that service is on 1 host then'
		assert_status 1 "$KILN" fleet callers "$value" --from "$(ch_url)"
		assert_status 1 "$KILN" fleet series "$value" --from "$(ch_url)"
		assert_status 0 "$KILN" list --from "$(ch_url)" --by host
		tables_are_there
	done
	ch_assert_whole $((i + 1))
	assert_status 0 "$KILN" fleet status "$(ch_url)"
	assert_status 0 "$KILN" fleet rollup --from "$(ch_url)" --since 6h
	tables_are_there
}

# Of what is no text, such as NUL and bytes that are no UTF-8.
test_bytes_that_are_no_text() {
	prepare
	printf '3\tcomm=a\xc3(\tmain|/bin/x\tx\x01\x1b[31m\xed\xa0\x80|/bin/\xfe\n2\tcomm=b\tmain|/bin/x\tz|/lib/\xf0\x9f\x98\n' |
		python3 "$SRC/tests/lib/make_profile.py" >odd.old
	retime odd.old odd.pb.gz 45
	# A string of the profile with a NUL in it.
	gzip -dc odd.pb.gz | sed 's/main/ma\x00n/' | gzip >nul.pb.gz
	retime nul.pb.gz nul.2.pb.gz 60
	assert_status 0 "$KILN" push odd.pb.gz nul.2.pb.gz --to "$(ch_url)" --label service_name=odd
	report_functions odd.pb.gz nul.2.pb.gz >wanted
	"$KILN" report --json --from "$(ch_url)" --since 3h | jq -r '.rows[] | [.self, .total, .module, .name] | @tsv' | sort >got
	cmp wanted got || {
		{ diff wanted got || true; } | sed 's/^/# /;10q'
		fail "self and total differ"
	}
	assert_eq "bytes that are no UTF-8" "$(ch_ask 'SELECT count() FROM functions WHERE toValidUTF8(func) != func' | grep -c '^0$\|Exception')" 1
	assert_eq "NUL" "$(ch_ask "SELECT count() FROM functions WHERE position(func, '\\0') > 0")" 0
	assert_status 3 "$KILN" report --from "$(ch_url)" --where $'service_name=\xff'
	assert_status 0 "$KILN" fleet top --from "$(ch_url)" --since 3h
	ch_assert_whole 2
}

test_databases_and_users() {
	local name
	prepare
	for name in 'a%60b' 'a%27b' 'a%20b' 'a%3BDROP' 'a%5Cb' 'a%00b'; do
		assert_status 2 "$KILN" fleet init "clickhouse+http://127.0.0.1:$(ch_port)/$name"
		assert_match "what a name may be" err 'letters, digits and _-|URL'
	done
	assert_status 2 "$KILN" fleet status "clickhouse+http://x%27%20OR%201=1@127.0.0.1:$(ch_port)/kiln"
	assert_match "what a user may be" err 'a user in a URL has letters'
	assert_status 4 "$KILN" fleet status "$(ch_url)" --username "x' OR 1=1 --" --password-file <(echo secret)
	assert_match "no such user" err 'code 192'
	tables_are_there
}

# A server that says it is new, and does not know what new ones do.
test_a_server_without_the_codec() {
	prepare
	start python3 "$SRC/tests/lib/answer_proxy.py" "$T/proxy.port" "127.0.0.1:$(ch_port)" "$T/rules" >proxied
	wait_until 10 test -s proxy.port
	echo '[{"skip": 3, "status": 500, "body": "Code: 432. DB::Exception: Unknown codec family code: ZSTD"}]' >rules
	assert_status 1 "$KILN" fleet init "clickhouse+http://127.0.0.1:$(cat proxy.port)/other"
	assert_match "what it lacks" err 'code 432.*knows no such codec'
}

# Two agents of one name, and clocks that are hours away: each window of both is there.
test_two_of_one_name_and_wrong_clocks() {
	local i at
	prepare
	make_many_stacks 20 a.pb.gz one
	make_many_stacks 30 b.pb.gz two
	i=0
	for at in 600 -7200 -86400 36000; do
		retime a.pb.gz "w.$i.pb.gz" "$at"
		retime b.pb.gz "v.$i.pb.gz" "$at"
		assert_status 0 "$KILN" push "w.$i.pb.gz" --to "$(ch_url)" --label host=same
		assert_status 0 "$KILN" push "v.$i.pb.gz" --to "$(ch_url)" --label host=same
		i=$((i + 1))
	done
	ch_assert_whole 8
	report_functions w.?.pb.gz v.?.pb.gz >wanted
	ch_functions >got
	cmp wanted got || fail "totals differ"
	assert_status 0 "$KILN" fleet status "$(ch_url)" --since 30d
	assert_match "a clock" out '^same .* its clock is [0-9]* s ahead'
}

run_tests "$@"
