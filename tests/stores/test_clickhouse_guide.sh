#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln-clickhouse(7), from its first line to its last: files and commands as they stand there, on Debian's own
# configuration and an empty data directory. What is marked [current] runs on chdb, as far as that has it.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/clickhouse.sh
. "$SRC/tests/lib/clickhouse.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

# Literal blocks of the page become files 1, 2, ...
blocks() {
	mkdir -p page
	awk -v dir="$T/page" '
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); print >(dir "/" n) }
		/^\.Bd -literal/ { inside = 1; n++ }' "$SRC/tools/kiln-clickhouse.7"
}

block_with() { # TEXT
	grep -lF -- "$1" page/* | head -n 1
}

# Debian's files, with other ports and directories; what the page has goes beside them.
configure_debian() {
	local etc=/etc/clickhouse-server port
	[ -e $etc/config.xml ] || skip "no $etc/config.xml"
	ch_port_ch=$(ch_free_port)
	mkdir -p ch/config.d ch/users.d ch/log ch/data
	sed "s|/var/lib/clickhouse/|$T/ch/data/|g; s|/var/log/clickhouse-server/|$T/ch/log/|g
		s|>8123<|>$ch_port_ch<|; s|>9000<|>$(ch_free_port)<|; s|>9009<|>$(ch_free_port)<|" $etc/config.xml >ch/config.xml
	cp $etc/users.xml ch/users.xml
	cp "$(block_with '<listen_host>::')" ch/config.d/kiln.xml
	cp "$(block_with '<kiln_agent>')" ch/users.d/kiln.xml
}

start_debian() {
	configure_debian
	start "$(clickhouse_server)" --config-file="$T/ch/config.xml" >ch/out 2>&1
	wait_until 30 curl -sf "http://127.0.0.1:$ch_port_ch/ping"
}

# An address of this machine that is not 127.0.0.1, as another host has it.
outside() {
	ip -4 -o addr show scope global | awk '{ sub("/.*", "", $4); print $4; exit }'
}

# Debian's server does not start if it is told to listen on IPv6 alone there.
test_a_host_without_ipv6() {
	need_clickhouse
	need_root
	need ip unshare nsenter
	blocks
	configure_debian
	start unshare -n sh -c 'ip link set lo up && ip addr add 10.9.0.1/24 dev lo && exec "$@"' sh \
		"$(clickhouse_server)" --config-file="$T/ch/config.xml" >ch/out 2>&1
	wait_until 30 nsenter -n -t "$started" curl -sf "http://10.9.0.1:$ch_port_ch/ping"
}

# Lines that begin with "$ kiln", and their continuations; without those that are marked.
commands() {
	cat page/* | awk '
		more { print line $0; more = 0; next }
		/^\$ / && !/\[current\]/ && !/--cluster/ && !/db[12]:/ {
			sub(/^\$ /, "")
			if (sub(/\\+$/, "")) { line = $0; more = 1 } else print
		}'
}

fill_in() {
	sed "s|//localhost:8123|//127.0.0.1:$ch_port_ch|g; s|@db:8123|@127.0.0.1:$ch_port_ch|g; s|SERVICE|api|g; s|^kiln |\"\$KILN\" |"
}

# Whatever the page asks people to type is run here or in the tests that are named.
test_each_command_is_tried() {
	local line
	blocks
	cat page/* | grep -E '^([$#] |[A-Z]+ .* kiln|[0-9*]+ )' | while IFS= read -r line; do
		case $line in
		'$ kiln'* | '$ URL='*) ;;			     # here; --cluster and db2: test_clickhouse_cluster.sh
		'# apt-get install clickhouse-server') ;;	     # what these tests run
		'# chown root:clickhouse '* | '# chmod 640 '*) ;;    # what Debian's server may read
		'# service clickhouse-server restart') ;;	     # these tests start it
		'# echo SECRET '* | '$ echo OTHER '*) ;;	     # here
		'# systemctl stop '* | '# systemctl start '*) ;;     # here, by hand
		'# echo again >'*) ;;				     # here
		'# kiln agent --check-upload') ;;		     # here
		'# systemctl reload kiln-agent') ;;		     # tests/e2e/test_systemd.sh
		'10 * * * * root kiln fleet rollup --since 6h') ;;   # here
		'CREATE USER '* | 'GRANT '* | 'BACKUP '*) ;;	     # here, on a current engine
		'ALTER TABLE kiln.samples '*) ;;		     # here
		*) fail "nobody tries: $line" ;;
		esac
	done
}

test_one_server() {
	local line
	need_clickhouse
	blocks
	start_debian
	mkdir -p etc
	line=$(grep -h '^# echo SECRET' page/* | sed "s/^# //; s|/etc/kiln/|$T/etc/|")
	[ -n "$(getent group kiln)" ] && [ "$(id -u)" -eq 0 ] || line=${line/-g kiln /}
	assert_status 0 bash -c "$line"
	commands | fill_in >typed
	assert_at_least "commands" "$(wc -l <typed)" 9
	# Until there are windows.
	grep 'fleet init' typed | while IFS= read -r line; do
		assert_status 0 bash -c "$line"
	done
	sed "s|/etc/kiln/|$T/etc/|; s|@db:8123|@127.0.0.1:$ch_port_ch|" "$(block_with 'password_file')" >kiln.yaml
	assert_status 0 "$KILN" agent --check-config -c kiln.yaml
	assert_status 0 "$KILN" agent --check-upload -c kiln.yaml
	make_many_stacks 200 a.pb.gz
	python3 "$SRC/tests/lib/clickhouse_window.py" "http://127.0.0.1:$ch_port_ch/kiln" a.pb.gz --hosts 10 --windows 5
	{
		grep '^URL=' typed
		grep -v 'fleet init\|^URL=' typed | sed 's/$/ >>said || { echo "$LINENO"; exit 1; }/'
	} >run.sh
	assert_status 0 bash run.sh
	assert_match "hosts" said '^host-09 '
	line=$(grep -h '^10 \* \* \* \* root' page/* | cut -d ' ' -f 7-)
	# shellcheck disable=SC2086
	assert_status 0 "$KILN" ${line#kiln } -c kiln.yaml
	for line in FREEZE DROP; do
		ch_ask "$(grep -h "samples $line PARTITION" page/* | sed "s/'.*'/'$(date -u +%F)'/")" >answer
		assert_no_match "$line" answer Exception
	done
	assert_eq "samples of today" "$(ch_ask 'SELECT count() FROM samples WHERE toDate(time) = today()')" 0
	assert_at_least "files that can be copied" "$(find ch/data/shadow -name '*.bin' | wc -l)" 1
}

# The users of the page may do what they must, and no more; nobody else comes in.
test_users() {
	local address url
	need_clickhouse
	need ip
	blocks
	start_debian
	assert_status 0 "$KILN" fleet init "$(ch_url)"
	address=$(outside)
	[ -n "$address" ] || skip "no address but 127.0.0.1"
	url=http://$address:$ch_port_ch
	assert_match "without a password" <(curl -s "$url/?query=SELECT%201") 'Code: 195|Code: 193|not allowed'
	assert_eq "the agent's" "$(curl -s "$url/?user=kiln_agent&password=SECRET&query=SELECT%201")" 1
	assert_match "a reader who writes" \
		<(curl -s "$url/?user=kiln_reader&password=OTHER&database=kiln" --data-binary 'DROP TABLE samples') 'Code: 164'
	assert_match "another database" \
		<(curl -s "$url/?user=kiln_agent&password=SECRET" --data-binary 'CREATE TABLE default.x (a UInt8) ENGINE = Memory') 'Code: 291'
}

# chdb lets nobody make users and backups, but says whether it understood.
test_what_is_marked_current() {
	local line
	start_chdb
	blocks
	assert_status 0 "$KILN" fleet init "$(ch_url)" --ttl 30d
	cat "$(block_with 'CREATE USER kiln_agent')" <(grep -h "PARTITION '\|^BACKUP" page/* | sed 's/ *\[current\]//') |
		sed 's/;$//' | while IFS= read -r line; do
		ch_ask "$line" >answer
		assert_no_match "$line" answer 'SYNTAX_ERROR|UNKNOWN_(TABLE|IDENTIFIER|SETTING)'
		[[ $line != ALTER* ]] || assert_no_match "$line" answer 'Exception'
	done
}

run_tests "$@"
