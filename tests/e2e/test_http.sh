#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent's HTTP server with real clients: curl, go tool pprof, promtool, and hostile ones.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Sets port and url; more lines of configuration come on standard input.
serve() {
	port=$(free_port) url=http://127.0.0.1:$port
	{
		printf 'window: 1s\nhttp:\n  listen: 127.0.0.1:%s\n' "$port"
		cat
	} >kiln.yaml
	KILN_HTTP_LISTEN='' start_agent -c kiln.yaml
	wait_until 20 curl -sf "$url/-/healthy"
}

# get STATUS PATH [OPTION...]: the body is in `body`, the headers are in `headers`.
get() {
	local wanted=$1 path=$2
	shift 2
	assert_eq "status of $path" "$(curl -s -g -m 60 -o body -D headers -w '%{http_code}' "$@" "$url$path")" "$wanted"
}

test_endpoints() {
	need_bpf
	need curl jq go
	start "$WORKLOADS/deep" 60
	serve <<<''
	wait_until 20 has_windows 4
	get 200 /-/ready
	get 200 /api/v1/profile
	"$KILN" report body --json >by_file
	get 200 '/api/v1/report?n=0&since=1h'
	assert_eq "rows" "$(jq '.rows | length > 5' body)" true
	assert_eq "the same sample types" "$(jq -c '[.values[].type]' body)" "$(jq -c '[.values[].type]' by_file)"
	get 200 '/api/v1/labels'
	assert_eq "comm" "$(jq '.names | index("comm") != null' body)" true
	get 200 '/api/v1/labels/comm'
	assert_eq "deep" "$(jq '.names | index("deep") != null' body)" true
	get 200 '/api/v1/list?step=1'
	assert_at_least "windows" "$(jq '[.rows[].windows] | add' body)" 4
	get 400 '/api/v1/list?where=comm%00=x'
	get 400 '/api/v1/list?where=%00'
	get 400 '/api/v1/labels/comm%00x'
	get 400 '/api/v1/list?step=never'
	get 400 '/api/v1/list?utc_offset=1e9'
	get 200 '/api/v1/list?since=2026-01-01T00:00:00+01:00'
	get 400 '/api/v1/report?were=comm=x'
	assert_match "the nearest" body 'were.*did you mean ..where'
	get 400 '/api/v1/report?where=comm=x&n=1&where=comm=deep'
	assert_match "which of them counts" body 'where.*it is there twice'
	get 200 '/api/v1/report?by=executable'
	get 400 '/api/v1/list?by=servce_name'
	assert_match "the nearest label" body 'servce_name.*service_name'
	get 200 '/api/v1/list?by=comm'
	assert_eq "by comm" "$(jq '[.rows[].name] | index("deep") != null' body)" true
	get 200 '/'
	assert_match "policy" headers "^Content-Security-Policy: default-src 'none'; style-src 'sha256-"
	assert_match "page" body '^<!doctype html>'
	assert_match "its range" body '"time":"[-0-9]* [:0-9]* to .* UTC'
	assert_match "that asks for others" body '"asks":true'
	get 404 '/?since=3d&until=2d&where=comm=<b>'
	assert_match "a page that says so" body '^<h1>Nothing is stored of that</h1>$'
	assert_match "of what" body 'UTC, where comm=&lt;b&gt;\.'
	get 404 '/?since=1h&base=before'
	assert_match "which of them is empty" body '^<h1>Nothing is stored of what it is compared with</h1>$'
	get 400 '/?since=<b>&where=comm=x'
	assert_match "a page of what is wrong" body '<p>since: &quot;&lt;b&gt;&quot; is not a time such as 3h, .*\.</p>$'
	assert_match "with what was asked for" body 'name="where" placeholder="comm=x" value="comm=x"'
	assert_match "that is closed" headers "^Content-Security-Policy: default-src 'none'"
	get 400 '/?where=comm=~('
	assert_match "a page of what is wrong" body '<h1>That cannot be asked for</h1>'
	get 200 '/api/v1/openapi.json'
	jq -e .openapi body >out
	# What the documentation lists is there, and nothing but what it lists.
	jq -r '.paths | keys[]' body | sed 's/{key}/comm/' >paths
	while read -r path; do
		[ "$path" = /debug/pprof/profile ] || get 200 "$path"
	done <paths
	stop_agent 0
}

# The same rows for the same windows, which are over.
test_agrees_with_the_command() {
	need_bpf
	need curl jq
	local since until
	start "$WORKLOADS/shares" 60
	serve <<<''
	wait_until 20 has_windows 4
	since=$(date +%s -d '-3 seconds') until=$((since + 2))
	get 200 "/api/v1/report?n=0&since=@$since&until=@$until&where=comm=~sh.*"
	"$KILN" report "$T/store" --since "@$since" --until "@$until" --where 'comm=~sh.*' --json >ours
	assert_eq "rows" "$(jq -S -c .rows body)" "$(jq -S -c .rows ours)"
	assert_at_least "samples" "$(jq .total body)" 1
	stop_agent 0
}

# Two ranges that are over: the page, the API and the command have the same differences.
test_ranges_and_differences() {
	need_bpf
	need curl jq
	local since until base
	start "$WORKLOADS/shares" 60
	serve <<<''
	wait_until 20 has_windows 6
	until=$(date +%s) since=$((until - 2)) base=$((until - 4))
	wait_until 20 has_windows $(($(count_windows) + 3))
	get 200 "/api/v1/profile?since=@$base&until=@$since"
	mv body base.pb.gz
	get 200 "/api/v1/profile?since=@$since&until=@$until"
	mv body now.pb.gz
	"$KILN" report now.pb.gz --diff-base base.pb.gz --json >report
	for base in before 2s; do
		get 200 "/api/v1/report?n=0&since=@$since&until=@$until&base=$base"
		assert_eq "rows" "$(jq -S -c '[.difference, .rows, .quality.recorded]' body)" \
			"$(jq -S -c '[.difference, .rows, .quality.recorded]' report)"
	done
	get 200 "/api/v1/profile?since=@$since&until=@$until&base=before"
	"$KILN" report body --json >by_file
	assert_eq "rows of the file" "$(jq -S -c .rows by_file)" "$(jq -S -c .rows report)"
	for base in after 0 -1h 1000000d; do
		get 400 "/?since=1h&base=$base"
	done
	get 404 '/?since=1h&base=30d'
	assert_match "with what" body ', compared with 20.* UTC\.'
	if command -v node >/dev/null && command -v chromium >/dev/null; then
		node --no-warnings "$SRC/tests/lib/ranges_test.mjs" "$url" "@$since" "@$until" report
	fi
	stop_agent 0
}

test_live_profiles() {
	need_bpf
	need curl go
	local pid
	start "$WORKLOADS/shares" 60
	pid=$started
	serve <<<'sampling: {frequency: 19}'
	go tool pprof -top "$url/debug/pprof/profile?seconds=2&pid=$pid" >top 2>err || { cat err >&2 && false; }
	assert_match "a function of it" top ' burn_sixty$'
	start curl -s -o other "$url/debug/pprof/profile?seconds=3"
	sleep 1
	get 429 '/debug/pprof/profile?seconds=1'
	assert_match "when to ask again" headers '^Retry-After: '
	wait "$started"
	get 200 '/debug/pprof/profile?seconds=1&comm=share*'
	get 404 '/debug/pprof/profile?seconds=1&pid=4194000'
	get 404 '/debug/pprof/profile?seconds=1&unit=no-such.service'
	# Whoever goes away holds up nobody.
	curl -s -m 1 -o other "$url/debug/pprof/profile?seconds=60" || true
	wait_until 10 curl -sf -o other "$url/debug/pprof/profile?seconds=1"
	get 403 '/debug/pprof/profile?seconds=1' -H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Dest: image'
	get 200 / -H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Dest: document'
	# Who follows a link of another site does not start a profile, nor does a browser that cannot say who asks.
	get 403 '/debug/pprof/profile?seconds=1' -A Mozilla/5.0 -H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Dest: document'
	get 403 '/debug/pprof/profile?seconds=1' -A Mozilla/5.0
	assert_match "what to do" body 'use curl or go tool pprof'
	get 200 '/debug/pprof/profile?seconds=1' -A Mozilla/5.0 -H 'Sec-Fetch-Site: none'
	for bad in 'seconds=0' 'seconds=301' 'seconds=x' 'pid=0' 'pid=1&comm=x' 'seconds=1&comm=[[['; do
		get 400 "/debug/pprof/profile?$bad"
	done
	stop_agent 0
	assert_no_match "the agent's own windows" log 'lost, |started again'
}

test_metrics() {
	need_bpf
	need curl
	start "$WORKLOADS/deep" 60
	serve <<<''
	wait_until 20 has_windows 3
	get 200 /metrics
	! command -v promtool >/dev/null || promtool check metrics <body
	assert_match "ready" body '^kiln_sampling 1$'
	assert_at_least "windows" "$(awk '$1 == "kiln_store_windows_total" { print $2 }' body)" 3
	assert_at_least "samples" "$(awk -F '[ "]' '/^kiln_samples_total.kind="recorded/ { print $NF }' body)" 10
	for role in sampler writer server; do
		kill -KILL "$(role_pid "kiln-$role")"
		wait_until 20 curl -sf "$url/-/ready"
		sleep 0.5
	done
	wait_until 20 curl -sf "$url/-/ready"
	get 200 /metrics
	for role in sampler writer server; do
		assert_match "restarts" body "^kiln_process_restarts_total.process=\"$role\". 1\$"
	done
	stop_agent 0
}

test_who_may_ask() {
	need_bpf
	need curl go
	printf 'secret-token\n' >token
	serve <<-END
		  token_file: $T/token
		  hosts: [profiles.example.org]
		  socket: $T/socket
	END
	get 401 /metrics
	assert_match "how" body 'Authorization: Bearer TOKEN'
	assert_match "how, for browsers" headers '^WWW-Authenticate: Basic realm="kiln"'
	get 401 /metrics -H 'Authorization: Bearer secret-toke'
	get 401 /metrics -H 'Authorization: Bearer secret-token2'
	get 401 /metrics -H 'Authorization: Basic c2VjcmV0'
	get 200 /metrics -H 'Authorization: Bearer secret-token'
	get 200 /metrics -u 'any:secret-token'
	get 401 /metrics -u 'secret-token:any'
	go tool pprof -top "http://any:secret-token@127.0.0.1:$port/debug/pprof/profile?seconds=1" >top 2>err ||
		{ cat err >&2 && false; }
	for host in localhost 127.0.0.1:1 '[::1]' profiles.example.org:443; do
		get 200 /metrics -H "Host: $host" -H 'Authorization: Bearer secret-token'
	done
	for host in evil.example.org localhost.evil.org '127.0.0.1:x' ''; do
		get 421 /metrics -H "Host: $host" -H 'Authorization: Bearer secret-token'
	done
	assert_eq "mode of the socket" "$(stat -c %a socket)" 660
	assert_eq "by the socket" "$(curl -s --unix-socket socket http://any/-/healthy)" healthy
	stop_agent 0
}

test_requests_of_all_kinds() {
	need_bpf
	need curl
	serve <<<''
	wait_until 20 has_windows 1
	get 404 /etc/passwd
	get 404 /api/v1/labels/..%2f..%2fetc
	get 200 /api/v1/labels/no-such-label
	get 405 /metrics -X DELETE
	assert_match "what is allowed" headers '^Allow: GET, HEAD'
	get 405 /metrics -X POST -d x
	get 200 /-/healthy -I
	for bad in 'since=then' 'since=@9999999999999999999' 'until=@0' 'where=a' 'where=a=~(' 'where=%22%00' \
		'by=planet' 'n=-1' 'sort=up' 'value=gold'; do
		get 400 "/api/v1/report?$bad"
		assert_match "$bad is said to be wrong" body '"error":"'
	done
	get 404 '/api/v1/profile?where=comm=nobody-is-called-so'
	get 400 "/api/v1/profile?where=$(printf 'a%.0s' {1..5000})"
	head -c 1100000 /dev/zero >large
	get 413 /querier.v1.QuerierService/Series -X POST -H 'Content-Type: application/json' --data-binary @large
	# It is refused before it comes.
	assert_match "an announced body" <(printf 'POST /querier.v1.QuerierService/Series HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n' |
		timeout 5 curl -s "telnet://127.0.0.1:$port") '^HTTP/1.1 413 '
	assert_match "two hosts" <(printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
		timeout 5 curl -s "telnet://127.0.0.1:$port") '^HTTP/1.1 421 '
	get 415 /querier.v1.QuerierService/Series -X POST -d x
	python3 - "$port" <<-'END'
		import socket, sys
		def send(data):
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
		    s.settimeout(5)
		    s.sendall(data)
		    out = b""
		    try:
		        s.shutdown(socket.SHUT_WR)
		        while True:
		            got = s.recv(65536)
		            if not got:
		                break
		            out += got
		    except OSError:
		        pass
		    return out
		head = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"
		# What one of two lengths leaves over would be another request.
		for lengths in (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Content-Length: 0\r\nContent-Length: 9"):
		    got = send(head + lengths + b"\r\n\r\n0\r\n\r\n" + head + b"\r\n")
		    assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1 ") == 1, got
		assert send(b"\x00\xff" * 100).startswith(b"") is True
		assert b"200" not in send(b"GET\r\n\r\n").split(b"\r\n")[0]
		assert b"200" not in send(head + b"X: " + b"y" * 300000 + b"\r\n\r\n").split(b"\r\n")[0]
		assert send(head + b"\r\n" + head + b"\r\n").count(b"healthy\n") == 2, "pipelined"
		assert b"200 OK" not in send(b"GET /-/healthy HTTP/1.1\r\n\r\n"), "no host"
		send(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n")
		send(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n")
	END
	get 200 /-/ready
	assert_eq "the server has not ended" "$(grep -c 'started again' log || true)" 0
	stop_agent 0
}

# A hundred clients at once, and as many that send a byte now and then: nothing of it disturbs the sampling.
# What a regular expression or a query may cost has an end, and the server says so.
test_costly_queries() {
	need_bpf
	need curl jq
	local path what
	what=$(printf '%0.s(' {1..30})a$(printf '%0.s%%2B)' {1..30})%2B
	KILN_TEST_QUERY_NS=1 serve <<<''
	wait_until 20 has_windows 2
	grep -E '^Max data size +1073741824 ' "/proc/$(role_pid kiln-server)/limits" >out
	get 400 "/api/v1/report?where=comm=~%22$what%22" -m 5
	assert_match "what is wrong" body 'a regular expression with more than 9 groups'
	for path in /api/v1/report /api/v1/profile /api/v1/list /api/v1/labels /; do
		get 503 "$path"
		assert_match "why" body 'a shorter range takes less'
	done
	get 503 /querier.v1.QuerierService/LabelNames -H 'Content-Type: application/json' -d '{}'
	assert_match "why" body '"unavailable".*a shorter range takes less'
	stop_agent 0
}

test_many_and_slow_clients() {
	need_bpf
	need curl
	serve <<<''
	wait_until 20 has_windows 2
	cat >slow.py <<-'END'
		import socket, sys, time
		slow = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(100)]
		for byte in b"GET /-/healthy HTTP/1.1":
		    for s in slow:
		        try:
		            s.send(bytes([byte]))
		        except OSError:
		            pass
		    time.sleep(1)
	END
	start python3 slow.py "$port"
	sleep 1
	python3 - "$port" <<-'END'
		import sys, threading, urllib.request
		bad = []
		def ask(i):
		    path = ("/metrics", "/-/ready", "/api/v1/labels", "/api/v1/list")[i % 4]
		    for _ in range(3):
		        try:
		            with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{path}", timeout=30) as r:
		                r.read()
		        except urllib.error.HTTPError as e:
		            if e.code != 503: # too many queries at once
		                bad.append((path, e.code))
		        except OSError as e:
		            bad.append((path, str(e)))
		threads = [threading.Thread(target=ask, args=(i,)) for i in range(100)]
		[t.start() for t in threads]
		[t.join() for t in threads]
		sys.exit(f"{len(bad)} failed: {bad[:5]}" if bad else 0)
	END
	sleep 1
	stop_agent 0
	"$KILN" export "$T/store" -o all.pb.gz
	assert_accounting all.pb.gz
	assert_match "log" log 'ending: [0-9]+ windows? stored, 0 lost'
}

# Each answer goes out at once: none waits until the client has acknowledged the one before.
test_pipelined_requests() {
	need_bpf
	need curl
	serve <<<''
	python3 - "$port" >out <<-'END'
		import socket, sys, time
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
		ask = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"
		begin = time.time()
		s.sendall((ask + b"\r\n") * 100 + ask + b"Connection: close\r\n\r\n")
		got = b"".join(iter(lambda: s.recv(65536), b""))
		print(got.count(b"HTTP/1.1 200 "), "in time" if time.time() - begin < 2 else "too late")
	END
	assert_eq "answers" "$(cat out)" "101 in time"
	stop_agent 0
}

# More of them than there is room for keep nobody out.
test_slow_clients_that_take_all_room() {
	need_bpf
	need curl
	serve <<<''
	cat >slow.py <<-'END'
		import resource, socket, sys, time
		resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
		slow = []
		until = time.time() + 20
		while time.time() < until:
		    while len(slow) < 400:
		        slow.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5))
		        slow[-1].send(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nX: ")
		    for s in slow[:]:
		        try:
		            s.send(b"x")
		        except OSError:
		            slow.remove(s)
		    open("full", "w").close()
		    time.sleep(1)
	END
	start python3 slow.py "$port"
	wait_until 20 test -e full
	for _ in {1..5}; do
		get 200 /-/healthy -m 3
		get 200 /api/v1/labels -m 5
		sleep 0.3
	done
	stop_agent 0
}

run_tests "$@"
