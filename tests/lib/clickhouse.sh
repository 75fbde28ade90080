# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# For tests with ClickHouse: Debian's server, or a current engine (KILN_TEST_CHDB: a Python that has chdb), on
# 127.0.0.1. Both are ended with the test.

need_clickhouse() {
	"$KILN" fleet --help >/dev/null 2>&1 || skip "this kiln has no fleet"
	need curl jq python3
	[ -n "$(clickhouse_server)" ] || skip "no clickhouse-server: run tools/install-deps --stores"
}

clickhouse_server() {
	command -v clickhouse-server || ls /usr/sbin/clickhouse-server 2>/dev/null || true
}

ch_free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

ch_config() { # DIR HTTP_PORT
	local dir=$T/$1 tcp inter
	tcp=$(ch_free_port) inter=$(ch_free_port)
	mkdir -p "$dir/data" "$dir/tmp"
	cat >"$dir/c.xml" <<-END
		<yandex>
		<logger><level>warning</level><log>$dir/log</log><errorlog>$dir/err</errorlog></logger>
		<http_port>$2</http_port><tcp_port>$tcp</tcp_port>
		<interserver_http_port>$inter</interserver_http_port><listen_host>127.0.0.1</listen_host>
		<path>$dir/data/</path><tmp_path>$dir/tmp/</tmp_path><users_config>$dir/u.xml</users_config>
		<default_profile>default</default_profile><default_database>default</default_database>
		<mark_cache_size>50000000</mark_cache_size>
		<compression><case><min_part_size>0</min_part_size><min_part_size_ratio>0</min_part_size_ratio>
		<method>zstd</method></case></compression>
		</yandex>
	END
	cat >"$dir/u.xml" <<-END
		<yandex>
		<profiles><default/><reader><readonly>1</readonly></reader></profiles>
		<users>
		<default><password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile>
		<quota>default</quota></default>
		<reader><password/><networks><ip>127.0.0.1</ip></networks><profile>reader</profile>
		<quota>default</quota></reader>
		<writer><password>secret-of-writer</password><networks><ip>127.0.0.1</ip></networks>
		<profile>default</profile><quota>default</quota></writer>
		</users><quotas><default/></quotas>
		</yandex>
	END
}

# A server with its data in $T/NAME; ch_port_NAME and ch_pid_NAME.
start_clickhouse() { # [NAME]
	local name=${1:-ch} port
	port=$(ch_free_port)
	declare -g "ch_port_$name=$port"
	ch_config "$name" "$port"
	restart_clickhouse "$name"
}

restart_clickhouse() { # [NAME]
	local name=${1:-ch} port
	port=$(ch_port "$name")
	start "$(clickhouse_server)" --config-file="$T/$name/c.xml" >>"$T/$name/out" 2>&1
	declare -g "ch_pid_$name=$started"
	wait_until 30 curl -sf "http://127.0.0.1:$port/ping"
}

# A current engine in place of the server, without users and processes; likewise.
start_chdb() { # [NAME]
	local name=${1:-ch} python=${KILN_TEST_CHDB:-python3}
	"$KILN" fleet --help >/dev/null 2>&1 || skip "this kiln has no fleet"
	"$python" -c 'import chdb' 2>/dev/null || skip "no Python module chdb: set KILN_TEST_CHDB"
	mkdir -p "$T/$name"
	start "$python" "$SRC/tests/lib/clickhouse_stub.py" "$T/$name/port" "$T/$name" >"$T/$name/out" 2>&1
	wait_until 60 test -s "$T/$name/port"
	declare -g "ch_port_$name=$(cat "$T/$name/port")"
}

kill_clickhouse() { # [NAME]
	local pid=ch_pid_${1:-ch}
	kill -KILL "${!pid}"
	wait "${!pid}" 2>/dev/null || true
}

ch_port() { # [NAME]
	local port=ch_port_${1:-ch}
	echo "${!port}"
}

# Without a subshell's quoting: the statement is on stdin or the first argument.
ch_ask() { # SQL [NAME]
	curl -sS --data-binary "$1" "http://127.0.0.1:$(ch_port "${2:-ch}")/?database=kiln&wait_end_of_query=1"
}

ch_url() { # [NAME [USER@]]
	echo "clickhouse+http://${2:-}127.0.0.1:$(ch_port "${1:-ch}")/kiln"
}

# Self and total by function, as kiln report has them, in ns: SELF TOTAL MODULE FUNC, sorted.
ch_functions() { # [NAME]
	local stacks="(SELECT service, hash, sum(value) AS v FROM samples WHERE type = 'cpu/nanoseconds' GROUP BY service, hash) AS s ANY LEFT JOIN (SELECT service, hash, funcs FROM stacks) AS k USING (service, hash)"
	ch_ask "SELECT toInt64(self), toInt64(total), module, func FROM
		(SELECT id, sum(self) AS self, sum(total) AS total FROM
			(SELECT funcs[1] AS id, v AS self, toInt64(0) AS total FROM $stacks
			UNION ALL SELECT arrayJoin(arrayDistinct(funcs)) AS id, toInt64(0) AS self, v AS total FROM $stacks)
			AS both GROUP BY id) AS sums
		ANY LEFT JOIN (SELECT id, func, module FROM functions) AS f USING (id)
		FORMAT TabSeparated" "${1:-ch}" | sed "s/\\\\'/'/g" | sort
}

report_functions() { # FILE...
	"$KILN" report --json "$@" |
		jq -r '.rows[] | [.self, .total, .module, .name] | @tsv' | sort
}

# Each window once, and each of its rows: what is in `windows` is what is in samples.
ch_assert_whole() { # WINDOWS [NAME]
	assert_eq "windows" "$(ch_ask 'SELECT uniqExact(host, time, id) FROM windows' "${2:-ch}")" "$1"
	ch_ask "SELECT host, time, sum(r), sum(v), sum(h) FROM (SELECT host, time, id, any(rows) AS r,
		any(value) AS v, any(hash_sum) AS h FROM windows GROUP BY host, time, id) AS w
		GROUP BY host, time HAVING sum(r) > 0 ORDER BY host, time FORMAT TabSeparated" "${2:-ch}" >whole.windows
	ch_ask 'SELECT host, time, count(), sum(value), sum(hash) FROM samples GROUP BY host, time
		ORDER BY host, time FORMAT TabSeparated' "${2:-ch}" >whole.samples
	cmp whole.windows whole.samples || {
		diff whole.windows whole.samples | head -n 10 | sed 's/^/# /'
		fail "samples are not those of the windows"
	}
}

# No sample without its stack, and no stack without its functions.
ch_assert_no_orphans() { # [NAME]
	assert_eq "samples without a stack" "$(ch_ask 'SELECT count() FROM samples
		WHERE (service, hash) NOT IN (SELECT service, hash FROM stacks)' "${1:-ch}")" 0
	assert_eq "stacks without a function" "$(ch_ask 'SELECT count() FROM (SELECT arrayJoin(funcs) AS id FROM stacks)
		AS f WHERE id NOT IN (SELECT id FROM functions)' "${1:-ch}")" 0
}

hour_ago() { # HOURS
	echo $((($(date +%s) / 3600 - $1) * 3600))
}

# Simulated hosts, by tests/lib/clickhouse_window.py; fill_into: the server's name.
fill() { # FILE OPTION...
	python3 "$SRC/tests/lib/clickhouse_window.py" "http://127.0.0.1:$(ch_port "${fill_into:-ch}")/kiln" "$@"
}

# The tables of kiln fleet init --cluster, but without replicas: one server is asked for both.
make_cluster() {
	local name port servers='' table
	for name in a b; do
		declare -g "ch_port_$name=$(ch_free_port)"
		ch_config $name "$(ch_port $name)"
		port=$(sed -nE 's|.*<tcp_port>([0-9]+)</tcp_port>.*|\1|p' "$T/$name/c.xml")
		servers+="<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>$port</port></replica></shard>"
	done
	for name in a b; do
		sed -i "s|</yandex>|<remote_servers><two>$servers</two></remote_servers></yandex>|" "$T/$name/c.xml"
		restart_clickhouse $name
		assert_status 0 "$KILN" fleet init "$(ch_url $name)"
		for table in samples stacks functions windows fn_hour; do
			ch_ask "RENAME TABLE $table TO ${table}_local" $name
			ch_ask "CREATE TABLE $table AS ${table}_local ENGINE = Distributed(two, kiln, ${table}_local)" $name
		done
		ch_ask 'DROP TABLE kiln_schema' $name
		ch_ask "CREATE VIEW kiln_schema AS SELECT toUInt32(1) AS schema, '_local' AS suffix, 'two' AS cluster, toUInt32(1) AS made" $name
	done
	both=clickhouse+http://127.0.0.1:$(ch_port a),127.0.0.1:$(ch_port b)/kiln
}
