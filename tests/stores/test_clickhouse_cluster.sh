#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A cluster as kiln fleet init --cluster makes it, with ZooKeeper: two shards, one of them of two replicas. And TLS.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

start_zookeeper() {
	local jar=/usr/share/java/zookeeper.jar
	{ command -v java >/dev/null && [ -e $jar ]; } || skip "no zookeeper: run tools/install-deps --stores"
	zk_port=$(ch_free_port)
	mkdir -p zk
	printf '%s\n' tickTime=500 "dataDir=$T/zk" "clientPort=$zk_port" clientPortAddress=127.0.0.1 \
		admin.enableServer=false >zk.cfg
	start java -Xmx128m -cp $jar org.apache.zookeeper.server.quorum.QuorumPeerMain zk.cfg >zk.out 2>&1
	wait_until 30 eval "exec 3<>/dev/tcp/127.0.0.1/$zk_port"
}

tcp_port() { # NAME
	sed -nE 's|.*<tcp_port>([0-9]+)</tcp_port>.*|\1|p' "$T/$1/c.xml"
}

replica() { # NAME
	echo "<replica><host>127.0.0.1</host><port>$(tcp_port "$1")</port></replica>"
}

# a1 and a2 are one shard, b another.
start_cluster() {
	local name servers
	need_clickhouse
	start_zookeeper
	for name in a1 a2 b; do
		declare -g "ch_port_$name=$(ch_free_port)"
		ch_config $name "$(ch_port $name)"
	done
	servers="<shard><internal_replication>true</internal_replication>$(replica a1)$(replica a2)</shard>"
	servers+="<shard><internal_replication>true</internal_replication>$(replica b)</shard>"
	for name in a1 a2 b; do
		sed -i "s|</yandex>|<interserver_http_host>127.0.0.1</interserver_http_host>\
<zookeeper><node><host>127.0.0.1</host><port>$zk_port</port></node></zookeeper>\
<macros><shard>${name%[12]}</shard><replica>$name</replica></macros>\
<distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>\
<remote_servers><fleet>$servers</fleet></remote_servers></yandex>|" "$name/c.xml"
		restart_clickhouse $name
	done
	both=clickhouse+http://127.0.0.1:$(ch_port a1),127.0.0.1:$(ch_port b)/kiln
}

same() { # WHAT
	cmp -s wanted got || {
		{ diff wanted got || true; } | sed "s,^,# ,;10q"
		fail "$1: self and total differ"
	}
}

functions_from() { # URL
	"$KILN" report --json --from "$1" --since 6h | jq -r '.rows[] | [.self, .total, .module, .name] | @tsv' | sort
}

replicas_agree() {
	local n
	n=$(ch_ask 'SELECT count(), sum(value) FROM samples_local' a1)
	[ "$n" = "$(ch_ask 'SELECT count(), sum(value) FROM samples_local' a2)" ]
}

test_a_cluster() {
	local i url
	start_cluster
	assert_status 0 "$KILN" fleet init "$(ch_url a1)" --cluster fleet
	assert_match "made" out 'made, schema 1'
	assert_status 0 "$KILN" fleet init "$(ch_url b)" --cluster fleet
	assert_match "made on all" out 'it is there'
	assert_status 1 "$KILN" fleet init "$(ch_url a2)"
	assert_match "it is one" err 'give --cluster fleet'
	make_many_stacks 300 a.pb.gz one
	for i in 1 2 3 4 5 6; do
		retime a.pb.gz "p.$i.pb.gz" $((3600 * 3 + 60 * i))
		assert_status 0 timeout 60 "$KILN" push "p.$i.pb.gz" --to "$both" --label "host=n$i" --label service_name=api
	done
	assert_at_least "hosts of a" "$(ch_ask 'SELECT uniqExact(host) FROM samples_local' a1)" 1
	assert_at_least "hosts of b" "$(ch_ask 'SELECT uniqExact(host) FROM samples_local' b)" 1
	wait_until 30 replicas_agree
	report_functions p.?.pb.gz >wanted
	for url in "$(ch_url a1)" "$(ch_url a2)" "$(ch_url b)"; do
		functions_from "$url" >got
		same "report --from $url"
		assert_eq "windows" "$("$KILN" list --from "$url" --since 6h --json | jq .windows)" 6
	done
	# A rollup made by one is that of all.
	assert_status 0 "$KILN" fleet rollup --from "$(ch_url a1)" --since 6h
	for url in "$(ch_url a1)" "$(ch_url a2)" "$(ch_url b)"; do
		"$KILN" fleet top --json --from "$url" --since 6h |
			jq -r '.rows[] | [.self_ns, .total_ns, .module, .name] | @tsv' | sort >got
		same "fleet top --from $url"
	done
	assert_status 0 "$KILN" fleet status "$(ch_url a2)"
	# A second push changes nothing; nor does one while a replica is away, which gets it later.
	for i in 1 2 3; do
		assert_status 0 timeout 60 "$KILN" push "p.$i.pb.gz" --to "$both" --label "host=n$i" --label service_name=api
	done
	kill_clickhouse a2
	retime a.pb.gz p.7.pb.gz $((3600 * 3 + 420))
	for i in 1 2 3 4; do
		assert_status 0 timeout 60 "$KILN" push p.7.pb.gz --to "$both" --label "host=n$i" --label service_name=api
	done
	report_functions p.?.pb.gz p.7.pb.gz p.7.pb.gz p.7.pb.gz >wanted
	functions_from "$(ch_url a1)" >got
	same "without a replica"
	restart_clickhouse a2
	wait_until 60 replicas_agree
	functions_from "$(ch_url a2)" >got
	same "the replica that was away"
	assert_eq "rows by any of them" "$(ch_ask 'SELECT count() FROM samples' a2)" "$(ch_ask 'SELECT count() FROM samples' b)"
}

# Two of one host, second and rows, as of two agents with one name: a replicated table of an old server takes equal
# rows for the same ones.
test_equal_windows_of_one_second() {
	local file
	start_cluster
	assert_status 0 "$KILN" fleet init "$(ch_url a1)" --cluster fleet
	make_many_stacks 50 a.pb.gz one
	# Another duration, pprof's field 10, is another window.
	{ gzip -dc a.pb.gz && printf '\x50\x80\x94\xeb\xdc\x03'; } | gzip >b.pb.gz
	# Each of them twice: that is not another window.
	for file in a.pb.gz b.pb.gz a.pb.gz b.pb.gz; do
		assert_status 0 timeout 60 "$KILN" push $file --to "$both" --label host=n1 --label service_name=api
	done
	report_functions a.pb.gz b.pb.gz >wanted
	functions_from "$both" >got
	same "two equal windows"
	functions_from "$(ch_url a1)" >got
	same "two equal windows, from a cluster"
	assert_eq "windows" "$("$KILN" list --from "$(ch_url a1)" --since 6h --json | jq .windows)" 2
	wait_until 30 replicas_agree
}

# Without ZooKeeper nothing is taken, and nothing lost.
test_a_cluster_whose_zookeeper_is_away() {
	local zookeeper pushing status=0
	start_cluster
	zookeeper=$(tail -n 4 .started | head -n 1)
	assert_status 0 "$KILN" fleet init "$(ch_url a1)" --cluster fleet
	make_many_stacks 50 a.pb.gz one
	assert_status 0 "$KILN" push a.pb.gz --to "$both"
	kill -STOP "$zookeeper"
	retime a.pb.gz p.pb.gz 600
	start timeout 120 "$KILN" push p.pb.gz --to "$both" --timeout 100s >pushed 2>&1
	pushing=$started
	sleep 5
	kill -CONT "$zookeeper"
	wait "$pushing" || status=$?
	[ "$status" -eq 0 ] || sed 's/^/#   /' pushed
	assert_eq "exit status of kiln push" "$status" 0
	report_functions a.pb.gz p.pb.gz >wanted
	functions_from "$both" >got
	same "afterwards"
}

# In no database.
tell() { # SQL
	curl -sS --data-binary "$1" "http://127.0.0.1:$(ch_port)/"
}

# A current engine without a cluster reads all statements, keeps the tables but for what a cluster is for, and
# refuses the rest for nothing else.
test_statements_of_a_current_cluster() {
	local statement file
	start_chdb
	assert_status 0 "$KILN" fleet init "$(ch_url)" --cluster fleet --ttl 30d --print
	awk 'BEGIN { RS = ";\n" } NF { printf "%s", $0 >sprintf("statement.%02d", ++n) }' out
	for file in statement.*; do
		statement=$(<"$file")
		assert_match "on all servers" "$file" 'ON CLUSTER'
		tell "EXPLAIN AST $statement" >answer
		assert_match "$statement" answer '^(Create|Alter)Query'
	done
	for file in statement.*; do
		statement=$(sed 's/ ON CLUSTER `fleet`//; s/{shard}/a/; s/{replica}/r/' "$file")
		tell "$statement" >answer
		case $statement in
		*Replicated*)
			assert_match "$statement" answer 'Code: (225|999)\.|[Zz]oo[Kk]eeper'
			statement=$(sed -E "s/Replicated([A-Za-z]+)\('[^']*', '[^']*'(, )?/\1(/; s/, replicated_dedup[a-z_]* = [0-9]+//" <<<"$statement")
			tell "$statement" >answer
			assert_eq "$statement" "$(cat answer)" ''
			;;
		*Distributed*) assert_match "$statement" answer 'CLUSTER_DOESNT_EXIST' ;;
		*) assert_eq "$statement" "$(cat answer)" '' ;;
		esac
	done
	assert_eq "statements" "$(ls statement.* | wc -l)" 17
	assert_eq "kept for 30 days" "$(ch_ask "SELECT count() FROM system.tables WHERE database = 'kiln' AND engine_full LIKE '%TTL%toIntervalDay(%'")" 5
}

test_clusters_that_are_none() {
	need_clickhouse
	start_clickhouse
	assert_status 1 "$KILN" fleet init "$(ch_url)" --cluster nobody
	assert_match "no such cluster" err 'nobody'
	assert_status 2 "$KILN" fleet init "$(ch_url)" --cluster ''
	assert_status 1 "$KILN" fleet init "$(ch_url)" --cluster "x\`; DROP DATABASE default --"
	assert_eq "nothing was executed" "$(curl -sS --data-binary "SELECT count() FROM system.databases WHERE name = 'default'" "http://127.0.0.1:$(ch_port)/")" 1
}

# --- TLS ---

# An authority of one's own, by nginx; with the server's user and password behind it.
test_tls() {
	local port url
	need_clickhouse
	start_clickhouse
	make_certificates
	port=$(ch_free_port)
	nginx_front "$port" http "$(ch_port)" | start_nginx
	url=clickhouse+https://writer@localhost:$port/kiln
	echo secret-of-writer >password
	chmod 600 password
	set -- --password-file password --ca-file tls/ca.pem
	assert_status 0 "$KILN" fleet init "$url" "$@"
	make_many_stacks 100 a.pb.gz
	assert_status 0 "$KILN" push a.pb.gz --to "$url" "$@"
	ch_assert_whole 1
	report_functions a.pb.gz >wanted
	"$KILN" report --json --from "$url" --since 6h "$@" | jq -r '.rows[] | [.self, .total, .module, .name] | @tsv' | sort >got
	same "report over TLS"
	assert_status 0 "$KILN" fleet status "$url" "$@"
	assert_status 0 "$KILN" fleet top --from "$url" "$@"
	# Nobody else's certificate is believed, and nothing is said in clear.
	assert_status 1 "$KILN" push a.pb.gz --to "$url" --password-file password --timeout 2s
	assert_match "whose certificate" err 'certificate'
	assert_status 1 "$KILN" fleet status "${url/localhost/127.0.0.2}" "$@"
	assert_no_match "no secret" err 'secret-of-writer'
	assert_no_match "the front's log" nginx/access.log 'secret-of-writer'
	# The agent's way to the same.
	printf 'upload:\n- {name: fleet, url: "%s", password_file: %s/password, ca_file: %s/tls/ca.pem}\n' "$url" "$T" "$T" >kiln.yaml
	assert_status 0 "$KILN" agent --check-upload -c kiln.yaml
}

run_tests "$@"
