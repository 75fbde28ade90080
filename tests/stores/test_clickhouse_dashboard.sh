#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each query of Grafana's dashboard (tools/grafana/kiln-fleet.json), with macros and variables in their places as
# Grafana and its ClickHouse data source put them there, against what kiln says of the same data.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

dashboard=$SRC/tools/grafana/kiln-fleet.json
evil="it's \\ evil"

# Two hours of four hosts: the build of the second one is slower. In the range, but of another service: one window
# more. Elsewhere, as in a cluster, half of it is on another server.
fill_all() { # SUFFIX SERVER...
	local suffix=$1 server
	shift
	make_many_stacks 300 a.pb.gz
	slow=$("$KILN" report --json a.pb.gz | jq -r '.rows[10].name')
	for server in "$@"; do
		fill_into=$server fill a.pb.gz --suffix "$suffix" --hosts 4 --windows 12 --every 300 --until "$(hour_ago 3)"
		fill_into=$server fill a.pb.gz --suffix "$suffix" --hosts 4 --windows 12 --every 300 --until "$(hour_ago 2)" --slower all "$slow" 3
		fill_into=$server fill a.pb.gz --suffix "$suffix" --hosts 1 --windows 1 --every 60 --until "$(hour_ago 2)" --service "$evil"
	done
	server=$1
	from=$(ch_url "$server") asked=$server n_servers=$#
	range=(--since "@$(hour_ago 4)" --until "@$(hour_ago 2)")
	assert_status 0 "$KILN" fleet rollup --from "$from" "${range[@]}"
}

# The rows of a query, as $__timeFilter, $__fromTime, ... of grafana-clickhouse-datasource and ${X:sqlstring} of
# Grafana are replaced: a quote is doubled there, and a backslash stays.
rows_of() { # SQL
	local from_s until_s text=$1
	from_s=$(hour_ago 4) until_s=$(hour_ago 2)
	text=$(sed -E "s/\\\$__timeFilter\(([a-z]+)\)/\1 >= toDateTime($from_s) AND \1 <= toDateTime($until_s)/g
		s/\\\$__fromTime/toDateTime($from_s)/g; s/\\\$__toTime/toDateTime($until_s)/g; s/\\\$__interval_s/300/g
		s/\\\$\{function:sqlstring\}/'$slow'/g" <<<"$text")
	text=${text//'${service:sqlstring}'/"$services"}
	[[ $text != *\$* ]] || fail "a macro is left in $text"
	ch_ask "$text FORMAT TabSeparated" "$asked" >rows
	assert_no_match "$text" rows 'Exception'
}

panel() { # TITLE
	local sql
	sql=$(jq -r --arg title "$1" '.panels[] | select(.title == $title).targets[].rawSql' "$dashboard")
	[ -n "$sql" ] || fail "no panel \"$1\""
	rows_of "$sql"
	assert_at_least "rows of $1" "$(wc -l <rows)" 1
	seen=$((seen + 1))
}

truth() { # COMMAND... FILTER
	local filter=${*: -1}
	"$KILN" fleet "${@:1:$#-1}" --json --from "$from" "${range[@]}" --no-rollup | jq -r "$filter"
}

sum_of() { # COLUMN SCALE
	awk -F'\t' -v c="$1" -v scale="$2" '{ sum += $c } END { printf "%.6f\n", sum * scale }' rows
}

check_cpus() {
	local whole
	whole=$(truth top --where service_name=api .whole_ns)
	panel 'CPUs in use, by service'
	assert_near "CPU seconds" "$(sum_of 3 300)" "$(awk "BEGIN { print $whole / 1e9 }")" 0.001
	assert_eq "services" "$(cut -f 2 rows | sort -u)" api
	panel 'CPUs in use, by host'
	assert_near "CPU seconds of hosts" "$(sum_of 3 300)" "$(awk "BEGIN { print $whole / 1e9 }")" 0.001
	assert_eq "hosts" "$(cut -f 2 rows | sort -u | wc -l)" 4
	panel 'Core-hours, by service'
	assert_eq "services with costs" "$(wc -l <rows)" 2
	assert_near "core-hours" "$(awk -F'\t' '$1 == "api" { print $2 }' rows)" "$(awk "BEGIN { print $whole / 3.6e12 }")" 1e-6
}

check_functions() {
	panel 'Dearest functions'
	truth top --where service_name=api '.rows[] | [.name, .module, .self_ns / 3.6e12, .total_ns / 3.6e12] | @tsv' >wanted
	assert_eq "functions" "$(wc -l <rows)" 50
	assert_eq "the dearest" "$(head -n 1 rows | cut -f 1)" "$slow"
	awk -F'\t' 'NR == FNR { self[$1, $2] = $3; total[$1, $2] = $4; next }
		{ d = self[$1, $2] - $3; e = total[$1, $2] - $4
		if (d * d > 1e-18 || e * e > 1e-18) bad++ } END { print bad + 0 }' wanted rows >bad
	assert_eq "functions with other values" "$(cat bad)" 0
	panel 'Grown and shrunk functions: second half against the first'
	assert_eq "what grew" "$(cut -f 2 rows)" "$slow"
	assert_near "three times as much" "$(awk -F'\t' '{ print $4 / $5 }' rows)" 3 0.01
	assert_near "the change" "$(awk -F'\t' '{ print $4 - $5 - $6 }' rows)" 0 1e-9
	panel 'Share of a function, with all it called'
	truth series "$slow" --where service_name=api --step 5m '.rows[] | select(.whole_ns > 0) | .total_ns / .whole_ns' >wanted
	assert_eq "points" "$(wc -l <rows)" "$(wc -l <wanted)"
	paste <(cut -f 2 rows) wanted | awk '{ d = $1 - $2; if (d * d > 1e-12) bad++ } END { print bad + 0 }' >bad
	assert_eq "points that differ" "$(cat bad)" 0
}

check_hosts() {
	panel 'Hosts that send, and what they lost'
	assert_eq "hosts" "$(wc -l <rows)" 4
	assert_eq "windows of a host" "$(awk -F'\t' '$1 == "host-01" { print $2 }' rows)" $((24 * n_servers))
	assert_near "samples" "$(sum_of 4 1)" "$(ch_ask "SELECT sum(recorded) FROM windows" "$asked")" 0.5
	assert_eq "lost" "$(sum_of 5 1)" 0.000000
}

# What the list gives is put between quotes by Grafana, and means that service again. Quotes of its own would be
# doubled, which an old server does not understand.
check_services() {
	local sql listed
	sql=$(jq -r '.templating.list[] | select(.type == "query").query' "$dashboard")
	rows_of "$sql"
	seen=$((seen + 1))
	assert_eq "services" "$(wc -l <rows)" 2
	ch_ask "$sql FORMAT JSONCompact" "$asked" | jq -r '.data[][0]' | grep evil >listed
	listed=$(cat listed)
	services="'${listed//"'"/"''"}'"
	panel 'CPUs in use, by service'
	assert_eq "rows of a service with a quote and a backslash" "$(wc -l <rows)" 1
}

check_dashboard() {
	seen=0 services="'api'"
	check_cpus
	check_functions
	check_hosts
	check_services
	# Each query was looked at; one was twice.
	assert_eq "queries" $((seen - 1)) "$(jq '[.panels[].targets[]?.rawSql, (.templating.list[] | select(.type == "query").query)] | length' "$dashboard")"
}

test_the_dashboard() {
	need_clickhouse
	start_clickhouse
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	fill_all '' ch
	check_dashboard
}

test_the_dashboard_of_a_cluster() {
	need_clickhouse
	make_cluster
	fill_all _local a b
	check_dashboard
}

test_the_dashboard_on_a_current_engine() {
	start_chdb
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	fill_all '' ch
	check_dashboard
}

run_tests "$@"
