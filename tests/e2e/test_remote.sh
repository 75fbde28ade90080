#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# report, export and list --from another host's agent: what they ask, and what they say about every answer.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

start_server() { # PORT_FILE|SOCKET: leaves its URL in $url
	printf '%b\n' '40\tcomm=burn\tmain|/bin/burn\tsort_rows|/bin/burn' '2\tcomm=burn\tmain|/bin/burn' |
		python3 "$SRC/tests/lib/make_profile.py" >p.pb
	"$KILN" export p.pb -o profile.pb.gz
	cat >list.json <<-'END'
		{"by":"time","since_ns":1795824000000000000,"until_ns":1795825200000000000,"width_ns":600000000000,
		"windows":120,"samples":300,"cpu_ns":15789000000,"lost":2,"bytes":2097152,"segments":2,"unreadable":0,
		"new":{"a":[1]},"rows":[
		{"begin_ns":1795824000000000000,"windows":60,"samples":200,"cpu_ns":10526000000,"lost":2,"new":[1]},
		{"begin_ns":1795824600000000000,"windows":60,"samples":100,"cpu_ns":5263000000,"lost":0}]}
	END
	cat >list.unit.json <<-'END'
		{"by":"unit","since_ns":1795824000000000000,"until_ns":1795825200000000000,"width_ns":0,
		"windows":120,"samples":300,"cpu_ns":15789000000,"lost":2,"bytes":2097152,"segments":2,"unreadable":0,
		"rows":[{"name":"nginx.service","samples":200,"cpu_ns":10526000000},
		{"name":"a\u001b[31mb","samples":100,"cpu_ns":5263000000}]}
	END
	cat >list.process.json <<-'END'
		{"by":"process","samples":42,"rows":[{"name":"burn","pid":77,"samples":42,"cpu_ns":2210526000}]}
	END
	start python3 "$SRC/tests/lib/agent_api.py" "$1" 2>server.log
	wait_until 20 test -e "$1"
	case $1 in
	*.sock) url=kiln+unix:$T/$1 ;;
	*) url=kiln+http://127.0.0.1:$(cat "$1") ;;
	esac
}

last_request() {
	tail -n 1 requests
}

test_what_is_asked() {
	start_server port
	assert_status 0 "$KILN" report --from "$url" --since 2026-11-28T00:00:00Z --until @1795827600 \
		--where 'unit=a b,comm=~x|"y&z"'
	assert_eq "the question" "$(last_request)" "/api/v1/profile?since=%401795824000&until=%401795827600&where=unit%3Da%20b%2Ccomm%3D~x%7C%22y%26z%22 -"
	"$KILN" report p.pb >wanted
	diff wanted out >difference || fail "the report differs: $(cat difference)"
	assert_status 0 "$KILN" export --from "$url" -o got.pb.gz
	assert_eq "the question" "$(last_request)" "/api/v1/profile?since=%400 -"
	profile_py samples got.pb.gz >got
	profile_py samples profile.pb.gz >wanted
	diff wanted got >difference || fail "the export differs: $(cat difference)"
	assert_status 0 "$KILN" list --from "$url" --by unit
	assert_eq "the question" "$(last_request)" "/api/v1/list?since=%400&by=unit -"
	assert_match "the list" out '^kiln.*: 300 samples in 120 windows, 15.79 s of CPU time, .*; on disk 2.0 MiB in 2 segments$'
	assert_match "the list" out ' 66.7% +200  nginx.service$'
	! grep -q $'\x1b' out || fail "an escape sequence came through"
	assert_status 0 "$KILN" list --from "$url" --by unit --json
	assert_eq "names" "$(jq -r '.rows[0].name' out)" nginx.service
	assert_status 0 "$KILN" list --from "$url"
	assert_eq "the question" "$(last_request)" "/api/v1/list?since=%400&by=time&utc_offset=0 -"
	assert_match "the list" out '^2026-11-28 00:10:00 +60 +100 +5.26 s +0$'
	TZ=Asia/Kolkata assert_status 0 "$KILN" list --from "$url" --step 1h --since @1795824000
	assert_eq "the question" "$(last_request)" "/api/v1/list?since=%401795824000&by=time&step=1h&utc_offset=19800 -"
	assert_status 0 "$KILN" list --from "$url" --by process --json
	assert_eq "processes" "$(jq -r '.rows[0].name, .rows[0].pid, .samples' out | tr '\n' ' ')" "burn 77 42 "
	echo '{"rows":[]}' >list.json
	assert_status 1 "$KILN" list --from "$url"
	echo '{"by":"unit","rows":[{"samples":1}]}' >list.unit.json
	assert_status 1 "$KILN" list --from "$url" --by unit
	echo '{"by":"time","samples":"many"}' >list.json
	assert_status 1 "$KILN" list --from "$url"
}

test_a_unix_socket() {
	start_server api.sock
	assert_status 0 "$KILN" report --from "$url"
	assert_eq "the question" "$(last_request)" "/api/v1/profile?since=%400 -"
}

test_tokens() {
	start_server port
	echo token >mode
	assert_status 4 "$KILN" report --from "$url"
	assert_match "what it says" err 'wants a token: KILN_TOKEN or --token-file'
	KILN_TOKEN=wrong assert_status 4 "$KILN" report --from "$url"
	assert_match "what it says" err 'does not accept the token'
	KILN_TOKEN=secret assert_status 0 "$KILN" report --from "$url"
	echo secret >token
	KILN_TOKEN=wrong assert_status 0 "$KILN" list --from "$url" --token-file token
	assert_eq "the question" "$(last_request)" "/api/v1/list?since=%400&by=time&utc_offset=0 Bearer secret"
	printf 'two words\n' >token
	assert_status 2 "$KILN" report --from "$url" --token-file token
	printf 'a\001b' >token
	assert_status 2 "$KILN" report --from "$url" --token-file token
	assert_status 1 "$KILN" report --from "$url" --token-file nothing
	KILN_TOKEN=$'x\r\nEvil: 1' assert_status 2 "$KILN" report --from "$url"
	assert_eq "requests" "$(wc -l <requests)" 4
}

test_answers_that_are_none() {
	local command
	start_server port
	for command in "report" "export -o x.pb.gz" "list"; do
		echo 403 >mode
		# shellcheck disable=SC2086
		assert_status 4 "$KILN" $command --from "$url"
		assert_match "403" err 'refuses: this is 403$'
		echo 404 >mode
		# shellcheck disable=SC2086
		assert_status 3 "$KILN" $command --from "$url"
		assert_match "404" err ': this is 404$'
		echo stranger >mode
		# shellcheck disable=SC2086
		assert_status 1 "$KILN" $command --from "$url"
		assert_match "a stranger's 404" err 'has no /api/v1/(profile|list): is it a kiln agent\?'
		echo 429 >mode
		# shellcheck disable=SC2086
		assert_status 1 "$KILN" $command --from "$url"
		assert_match "429" err 'cannot answer just now, try again: this is 429'
		echo 500 >mode
		# shellcheck disable=SC2086
		assert_status 1 "$KILN" $command --from "$url"
		assert_match "500" err 'status 500: this is 500'
		echo garbage >mode
		# shellcheck disable=SC2086
		assert_status 1 "$KILN" $command --from "$url"
		assert_match "garbage" err 'is it a kiln agent\?'
		echo cut >mode
		# shellcheck disable=SC2086
		assert_status 1 "$KILN" $command --from "$url"
		assert_match "cut" err ': transfer closed with 900 bytes remaining'
	done
	assert_no_file x.pb.gz
	# A redirect might lead anywhere, with the token.
	echo redirect >mode
	assert_status 1 "$KILN" report --from "$url"
	assert_match "redirect" err 'status 302'
	echo endless >mode
	assert_status 1 "$KILN" report --from "$url"
	assert_match "endless" err 'larger than 256 MiB'
}

test_wrong_addresses() {
	local text
	for text in http://h kiln+http:// kiln+http://a/b kiln+http://a:b kiln+http://a:0 kiln+http://a:70000 \
		kiln+http://u:p@h kiln+http://a?b kiln+https://a#b kiln+unix:relative 'kiln+http://[::1' \
		kiln+ftp://h 'kiln+http://a b' ''; do
		assert_status 2 "$KILN" report --from "$text"
	done
	assert_status 1 "$KILN" report --from kiln+http://127.0.0.1:1
	assert_match "nobody there" err '^kiln: kiln\+http://127.0.0.1:1: .*[Cc]onnect'
	assert_status 1 "$KILN" report --from kiln+unix:/nothing/here
	assert_status 1 "$KILN" report --from kiln+http://nowhere.invalid
	assert_status 2 "$KILN" report --from kiln+http://127.0.0.1 file.pb
	assert_status 2 "$KILN" list --from kiln+http://127.0.0.1 store
	KILN_TOKEN=x timeout 1 "$KILN" report --from kiln+http://192.0.2.1 2>err || true
	assert_match "a token in the open" err 'the token goes to .* as it is'
}

test_without_libcurl() {
	mkdir lib
	# A library of that name that is none.
	echo >lib/libcurl.so.4
	echo >lib/libcurl-gnutls.so.4
	LD_LIBRARY_PATH=$T/lib assert_status 1 "$KILN" report --from kiln+http://127.0.0.1:1
	assert_match "what it says" err 'needs libcurl, which is not here: install libcurl4'
}

run_tests "$@"
