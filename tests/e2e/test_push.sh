#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln push to every kind of store of the protocol server, and report, export and list --from them: totals are the
# same everywhere. tests/stores has the long forms.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

export AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK AWS_REGION=us-east-1
unset AWS_SESSION_TOKEN AWS_SHARED_CREDENTIALS_FILE AWS_PROFILE

three_profiles() {
	local n
	for n in 1 2 3; do
		make_many_stacks $((n * 80)) x.pb.gz "comm$n"
		retime x.pb.gz "p$n.pb.gz" $((n * 60))
	done
}

# What was sent comes back, per function, from whom can be asked; otherwise the server says what it has.
test_each_kind_and_back() {
	local kind dest
	start_store pyroscope parca otlp pprof s3
	three_profiles
	sent_totals p1.pb.gz p2.pb.gz p3.pb.gz >sent
	for kind in pyroscope parca otlp grpc pprof s3; do
		clear_store
		assert_status 0 "$KILN" push p1.pb.gz p2.pb.gz p3.pb.gz --to "$(url_of $kind)" --json
		assert_eq "$kind: profiles" "$(jq .profiles out)" 3
		assert_eq "$kind: not taken" "$(jq '.refused + .too_old + .rejected + .retries' out)" 0
		assert_at_least "$kind: bytes" "$(jq .bytes out)" 1000
		assert_eq "$kind: samples" "$(jq .samples out)" "$(awk -F'\t' '{ n += $1 } END { print n }' <(sent_totals --type samples p1.pb.gz p2.pb.gz p3.pb.gz))"
		dest=$kind
		[ $kind != grpc ] || dest=otlp
		if [ $kind != s3 ]; then
			got_totals $dest >got
			cmp sent got || fail "$kind: what the server has differs"
		fi
		case $kind in
		pyroscope | parca | s3)
			assert_status 0 "$KILN" export --from "$(url_of $kind)" --since 1h -o back.pb.gz
			sent_totals back.pb.gz >got
			cmp sent got || fail "$kind: what comes back differs"
			sent_totals --type samples p1.pb.gz p2.pb.gz p3.pb.gz >sent.samples
			# Parca answers counts of samples with CPU time.
			[ $kind = parca ] || sent_totals --type samples back.pb.gz | cmp sent.samples - ||
				fail "$kind: samples differ"
			;;
		esac
	done
}

# A window in which nothing ran has a time and counters, and no samples.
test_idle_windows_of_an_archive() {
	local name=0 ago
	start_store s3
	for ago in 30 40; do
		name=$((name + 1))
		{
			[ $ago != 40 ] || printf '20\tcomm=x\tmain|/a\n'
			printf '# kiln.expected=20\n# kiln.%s=20\n' "$([ $ago = 40 ] && echo recorded || echo idle)"
		} | python3 "$SRC/tests/lib/make_profile.py" >"old.$name.pb"
		retime "old.$name.pb" "p.$name.pb.gz" $ago
	done
	assert_status 0 "$KILN" push p.1.pb.gz p.2.pb.gz --to "$(url_of s3)"
	assert_status 0 "$KILN" report --from "$(url_of s3)" --json
	assert_eq "expected, idle, recorded" "$(jq -c '.quality | [.expected, .idle, .recorded]' out)" '[40,20,20]'
	assert_status 0 "$KILN" list --from "$(url_of s3)" --json
	assert_eq "windows" "$(jq '[.rows[].windows] | add' out)" 2
	assert_status 3 "$KILN" report --from "$(url_of s3)" --where comm=y
}

test_conditions_ranges_and_lists() {
	local kind begin
	start_store pyroscope parca s3
	three_profiles
	sent_totals p2.pb.gz >wanted
	for kind in pyroscope parca s3; do
		"$KILN" push p1.pb.gz p2.pb.gz p3.pb.gz --to "$(url_of $kind)" >/dev/null
		for where in 'comm=comm2' 'comm=~.*[2],comm!=comm1' 'comm!~comm(1|3)' 'comm="comm2"' 'comm=comm2,pod!=x'; do
			assert_status 0 "$KILN" export --from "$(url_of $kind)" --where "$where" -o back.pb.gz
			sent_totals back.pb.gz | cmp wanted - || fail "$kind: $where"
		done
		assert_status 0 "$KILN" export --from "$(url_of $kind)" --since 150s --until 90s -o back.pb.gz
		sent_totals back.pb.gz | cmp wanted - || fail "$kind: a range"
		begin=$(($(profile_second p2.pb.gz) - 20))
		TZ=UTC assert_status 0 "$KILN" report --from "$(url_of $kind)" --since @$begin --until @$((begin + 60))
		[ $kind = s3 ] || assert_match "$kind: the time of a range" out \
			"$(date -u -d @$begin '+%Y-%m-%d %H:%M:%S') to $(date -u -d @$((begin + 60)) +%H:%M:%S) UTC, 60.00 s"
		[ $kind != pyroscope ] || assert_no_match "$kind: a rate that it does not know" out ' Hz'
		# Nothing gets out of a value.
		assert_status 3 "$KILN" report --from "$(url_of $kind)" --where 'comm="x\",comm=~\".*"'
		assert_status 3 "$KILN" report --from "$(url_of $kind)" --since 3h --until 2h
		assert_match "$kind: nothing" err 'holds nothing of that'
		assert_status 0 "$KILN" list --from "$(url_of $kind)" --by comm --json
		assert_eq "$kind: commands" "$(jq -r '[.rows[].name] | sort | join(" ")' out)" "comm1 comm2 comm3"
		assert_eq "$kind: CPU time" "$(jq .cpu_ns out)" $(($(sent_totals p1.pb.gz p2.pb.gz p3.pb.gz | cut -f 1 | paste -sd+)))
		assert_status 0 "$KILN" list --from "$(url_of $kind)" --by host --json
		assert_eq "$kind: hosts" "$(jq -r '.by + ": " + ([.rows[].name] | join(" "))' out)" "host: $(hostname)"
		assert_status 0 "$KILN" list --from "$(url_of $kind)" --by no.such
		assert_match "$kind: a label's head" out 'SAMPLES  NO\.SUCH$'
		assert_match "$kind: no such label" out '100\.0%.* \(none\)$'
		assert_status 0 "$KILN" list --from "$(url_of $kind)" --step 1s --json
		assert_eq "$kind: rows" "$(jq '.rows | length' out)" 3
		assert_eq "$kind: the rows' CPU time" "$(jq -c '[.rows[].cpu_ns] | sort' out)" \
			"$(for file in p[123].pb.gz; do echo $(($(sent_totals $file | cut -f 1 | paste -sd+))); done | sort -n | paste -sd, | sed 's/.*/[&]/')"
		begin=$(profile_second p1.pb.gz)
		assert_at_most "$kind: the last row's time" "$(jq "(.rows[2].begin_ns / 1e9 - $begin) | fabs" out)" 1
		# Rows that begin within the range, or before it.
		begin=$(($(profile_second p2.pb.gz) - 7))
		assert_status 0 "$KILN" list --from "$(url_of $kind)" --since @$begin --until @$((begin + 22)) --step 10s --json
		assert_eq "$kind: CPU time of a range" "$(jq '[.rows[].cpu_ns] | add' out)" \
			$(($(sent_totals p2.pb.gz | cut -f 1 | paste -sd+)))
	done
	"$KILN" push p1.pb.gz --to "$(url_of s3)/deeper/still" >/dev/null
	assert_status 3 "$KILN" report --from "$(url_of s3)/deeper"
	assert_match "a prefix above" err 'directories of hosts come directly below'
	assert_status 3 "$KILN" list --from "$(url_of s3)/deeper"
	assert_match "a prefix above" err 'directories of hosts come directly below'
	for kind in pyroscope parca; do
		assert_status 2 "$KILN" report --from "$(url_of $kind)" --by comm
		assert_match "$kind: no labels" err 'returns no labels .*kiln list --by comm --from'
		assert_status 3 "$KILN" list --from "$(url_of $kind)" --since 3h --until 2h
		! grep -q 1970 out || fail "$kind: an empty list has a time"
		assert_status 0 "$KILN" list --from "$(url_of $kind)" --json
		assert_eq "$kind: lost is not known" "$(jq .rows[0].lost out)" -1
		assert_status 2 "$KILN" report --from "$(url_of $kind)" --where pid=1
		assert_match "$kind: pid" err 'it keeps no pid'
		assert_status 2 "$KILN" list --from "$(url_of $kind)" --by pid
		assert_match "$kind: pid" err 'by: it keeps no pid'
		assert_status 3 "$KILN" report --from "$(url_of $kind)" --where k8s.pod=x
		assert_match "$kind: spelling" err 'k8s.pod is called k8s_pod there'
	done
}

# Pyroscope calls OTLP's service.name service_name, and is asked so.
test_otlp_to_pyroscope() {
	start_store pyroscope
	make_many_stacks 20 p.pb.gz
	assert_status 0 "$KILN" push p.pb.gz --to "$(url_of pyroscope | sed 's/^pyroscope/otlp/')" --service viaotlp
	assert_status 0 "$KILN" list --from "$(url_of pyroscope)" --where service_name=viaotlp --by service
	assert_match "its row" out '100\.0%.* viaotlp$'
	assert_status 0 "$KILN" export --from "$(url_of pyroscope)" --where service_name=viaotlp -o back.pb.gz
	sent_totals p.pb.gz >sent
	sent_totals --type cpu back.pb.gz | cmp sent - || fail "what comes back differs"
	assert_status 3 "$KILN" report --from "$(url_of pyroscope)" --where service_name=other
}

profile_second() { # FILE: when it began
	gzip -dc "$1" | "$STORE_PYTHON" -c "
import sys
sys.path.insert(0, '$STORE_SERVER')
import pprof
print(pprof.Profile(sys.stdin.buffer.read()).time_ns // 10**9)"
}

# The same file is the same object, and has the same id.
test_again_is_the_same() {
	local kind
	start_store pyroscope s3 pprof
	make_many_stacks 20 p.pb.gz
	for kind in s3 pprof; do
		clear_store
		url=$(url_of $kind)
		[ $kind = s3 ] || url+='/{host}/{time}-{id}.pb.gz'
		"$KILN" push p.pb.gz --to "$url" >/dev/null
		"$KILN" push p.pb.gz --to "$url" >/dev/null
		assert_eq "$kind: objects" "$(ask_server "objects?dest=$kind" | wc -l)" 1
		"$KILN" push p.pb.gz --to "$url" --label a=b >/dev/null
		assert_eq "$kind: another's" "$(ask_server "objects?dest=$kind" | wc -l)" 2
	done
	# What a URL serves can be read.
	ask_server 'objects?dest=pprof' | head -n 1 | cut -f 2 >path
	assert_status 0 "$KILN" export --from "pprof+http://127.0.0.1:$(store_port pprof)$(cat path)" -o back.pb.gz
	sent_totals p.pb.gz >sent
	sent_totals back.pb.gz | cmp sent - || fail "what is served differs"
	"$KILN" push p.pb.gz --to "$(url_of pyroscope)" >/dev/null
	"$KILN" push p.pb.gz --to "$(url_of pyroscope)" >/dev/null
	assert_eq "ids" "$(ask_server 'duplicates?dest=pyroscope')" 1
}

test_labels_and_services() {
	start_store pyroscope parca
	printf '5\tcomm=x\tmain|/a\tleaf|/a\n7\thost=far comm=y service_name=own\tmain|/a\tleaf|/a\n' |
		python3 "$SRC/tests/lib/make_profile.py" >old.pb
	retime old.pb p.pb.gz
	for kind in pyroscope parca; do
		assert_status 0 "$KILN" push p.pb.gz --to "$(url_of $kind)" --service shop --label env=prod --label host=near
		ask_server "windows?dest=$kind" | jq -r '.labels | [.service_name, .host, .env] | join(" ")' | sort >got
		assert_eq "$kind: labels" "$(paste -sd, got)" "own far prod,shop near prod"
		assert_status 0 "$KILN" export --from "$(url_of $kind)" --where env=prod,service_name=shop -f folded -o back.folded
		assert_eq "$kind: samples" "$(cat back.folded)" "main;leaf $([ $kind = parca ] && echo 50000000 || echo 5)"
	done
	assert_status 2 "$KILN" push p.pb.gz --to "$(url_of parca)" --label env
	assert_match "no label" err 'no KEY=VALUE'
}

# Each window of a store goes by itself, at its own time, in order.
test_a_store() {
	start_store parca pyroscope pprof
	start "$BUILD/store_writer" "$T/store" >acks
	wait_until 20 grep -q '^ack 12$' acks
	kill -KILL "$started"
	wait "$started" 2>/dev/null || true
	"$KILN" export store --since @1795824000 --until @1795824050 -o ten.pb.gz
	assert_status 0 "$KILN" push store --since @1795824000 --until @1795824050 --to "$(url_of parca)" --json
	assert_eq "windows" "$(jq .profiles out)" 10
	sent_totals ten.pb.gz >sent
	got_totals parca >got
	cmp sent got || fail "totals differ"
	ask_server 'times?dest=parca' | awk '{ print ($1 - 1795824000e9) / 1e9 }' | uniq >got
	assert_eq "times" "$(paste -sd' ' got)" "0 5 10 15 20 25 30 35 40 45"
	assert_status 0 "$KILN" push store --since @1795824000 --until @1795824050 --merge --to "$(url_of pprof)" --json
	assert_eq "merged" "$(jq .profiles out)" 1
	got_totals pprof | cmp sent - || fail "totals differ, merged"
	# Without an operand it is the configuration's.
	printf 'store: {path: %s}\nupload:\n  - {name: files, url: "%s/{id}"}\n' "$T/store" "$(url_of pprof)" >kiln.yaml
	clear_store
	assert_status 0 "$KILN" push --since @1795824000 --until @1795824010 --to files -c kiln.yaml --json
	assert_eq "windows" "$(jq .profiles out)" 2
	assert_status 3 "$KILN" push store --since @1 --until @2 --to "$(url_of parca)"
	assert_match "nothing" err 'holds nothing of that'
	assert_status 3 "$KILN" push store --where comm=nosuch --since @1795824000 --until @1795824050 --to "$(url_of parca)"
	assert_match "nothing of a condition" err 'holds nothing of that'
	assert_status 2 "$KILN" push store --where 'comm' --to "$(url_of parca)"
}

test_what_is_refused() {
	start_store pyroscope parca otlp
	make_many_stacks 20 p.pb.gz
	retime p.pb.gz old.pb.gz 7200
	assert_status 1 "$KILN" push old.pb.gz --to "$(url_of pyroscope)"
	assert_match "too old" err 'pyroscope\+http://.*old.pb.gz: not sent: pyroscope takes nothing older than 1 h'
	assert_eq "requests" "$(store_count pyroscope requests)" 0
	# Others are sent all the same, and the status says that not all were.
	assert_status 1 "$KILN" push old.pb.gz p.pb.gz --to "$(url_of pyroscope)"
	assert_match "summary" out '1 profile taken.*1 too old'
	assert_status 0 "$KILN" push -q p.pb.gz --to "$(url_of pyroscope)"
	assert_eq "quiet, as nothing failed" "$(cat out err)" ""
	assert_status 1 "$KILN" push -q old.pb.gz p.pb.gz --to "$(url_of pyroscope)"
	assert_match "what failed" out '1 profile taken.*1 too old'
	assert_match "and why" err 'old.pb.gz: not sent'
	fault '{"kind": "status", "status": 400, "code": "invalid_argument", "message": "no such thing"}'
	assert_status 1 "$KILN" push p.pb.gz --to "$(url_of pyroscope)"
	assert_match "400" err "$(url_of pyroscope | sed 's/+/\\+/'): p.pb.gz: 400 invalid_argument: no such thing"
	fault '{"kind": "status", "status": 401}'
	assert_status 1 "$KILN" push p.pb.gz p.pb.gz --to "$(url_of otlp)"
	assert_match "401" err '401.*on purpose'
	assert_eq "a second one is not tried" "$(grep -c 401 err)" 1
	fault ''
	set_store '{"pyroscope": {"multitenancy": true}}'
	assert_status 1 "$KILN" push p.pb.gz --to "$(url_of pyroscope)"
	assert_match "no tenant" err '401 unauthenticated.*set tenant'
	assert_status 4 "$KILN" report --from "$(url_of pyroscope)"
	assert_match "no tenant" err '401'
	assert_status 0 "$KILN" push p.pb.gz --to "$(url_of pyroscope)" --tenant t1
	assert_status 0 "$KILN" report --from "$(url_of pyroscope)" --tenant t1
	set_store '{"parca": {"bearer": "a-secret"}}'
	echo a-secret >token && echo wrong >wrong.token && chmod 600 token wrong.token
	assert_status 1 "$KILN" push p.pb.gz --to "$(url_of parca)" --token-file wrong.token
	assert_match "wrong token" err 'invalid token'
	assert_status 0 "$KILN" push p.pb.gz --to "$(url_of parca)" --token-file token
	assert_status 0 "$KILN" report --from "$(url_of parca)" --token-file token
	assert_status 4 "$KILN" report --from "$(url_of parca)"
}

test_tried_again() {
	start_store pyroscope otlp
	make_many_stacks 20 p.pb.gz
	fault '{"kind": "status", "status": 503, "count": 1}'
	assert_status 0 "$KILN" push p.pb.gz --to "$(url_of pyroscope)" --json
	assert_eq "retries" "$(jq .retries out)" 1
	local before
	before=$(date +%s%N)
	fault '{"kind": "status", "status": 429, "retry_after": 2, "count": 1}'
	assert_status 0 "$KILN" push p.pb.gz --to "$(url_of otlp)"
	assert_at_least "waited, ms" $((($(date +%s%N) - before) / 1000000)) 1900
	fault '{"kind": "status", "status": 503}'
	before=$(date +%s%N)
	assert_status 1 "$KILN" push p.pb.gz --to "$(url_of pyroscope)" --timeout 2
	assert_at_most "gave up after, ms" $((($(date +%s%N) - before) / 1000000)) 3000
	assert_match "gave up" err 'given up, .* after --timeout 2.00 s: 503'
	# Asked for longer than it may take, it gives up at once.
	fault '{"kind": "status", "status": 429, "retry_after": 600}'
	before=$(date +%s%N)
	assert_status 1 "$KILN" push p.pb.gz --to "$(url_of pyroscope)"
	assert_at_most "gave up after, ms" $((($(date +%s%N) - before) / 1000000)) 3000
}

test_names_of_the_configuration() {
	start_store pyroscope pprof
	set_store '{"pprof": {"basic": "me:a-secret"}}'
	make_many_stacks 20 p.pb.gz
	echo a-secret >password && chmod 600 password
	cat >kiln.yaml <<-END
		upload:
		  - {name: central, url: "$(url_of pyroscope)"}
		  - {name: files, url: "$(url_of pprof)", username: me, password_file: $T/password, headers: {X-A: b}}
	END
	assert_status 0 "$KILN" push p.pb.gz --to central -c kiln.yaml
	assert_match "its name" out '^central: 1 profile taken'
	assert_status 0 "$KILN" push p.pb.gz --to files -c kiln.yaml
	assert_status 0 "$KILN" report --from central -c kiln.yaml
	assert_status 0 "$KILN" list --from central -c kiln.yaml --by comm
	assert_match "its row" out '100\.0%.* many$'
	assert_status 0 "$KILN" report --from files -c kiln.yaml
	assert_status 2 "$KILN" report --from centrl -c kiln.yaml
	assert_match "nearest" err 'from: .*did you mean "central"'
	assert_status 2 "$KILN" report --from http://127.0.0.1:1
	assert_match "schemes" err 'none of kiln\+http://.*name of.*pyroscope\+http, .*s3\+https'
	assert_status 2 "$KILN" push p.pb.gz --to centrl -c kiln.yaml
	assert_match "nearest" err 'did you mean "central"'
	assert_status 2 "$KILN" push p.pb.gz --to http://127.0.0.1:1
	assert_match "scheme" err 'which protocol'
	assert_status 2 "$KILN" push p.pb.gz --to pyroscop+http://127.0.0.1:1
	assert_match "scheme" err 'did you mean "pyroscope'
	assert_status 2 "$KILN" push p.pb.gz
	assert_match "where to" err 'where to'
	assert_status 2 "$KILN" push --to central -c kiln.yaml
	assert_status 2 "$KILN" push p.pb.gz --since 1h --to central -c kiln.yaml
	assert_status 2 "$KILN" push p.pb.gz --to central -c kiln.yaml --header nothing
	assert_status 1 "$KILN" push missing.pb.gz --to central -c kiln.yaml
	echo junk >junk
	assert_status 1 "$KILN" push junk --to central -c kiln.yaml
	chmod 644 password
	assert_status 1 "$KILN" push p.pb.gz --to files -c kiln.yaml
	assert_match "a file that others read" err 'password_file'
	! grep -q a-secret err || fail "the secret is shown"
}

test_certificates() {
	make_certificates
	start_store --tls tls/server.pem tls/server.key pyroscope parca
	make_many_stacks 20 p.pb.gz
	local kind url
	for kind in pyroscope parca; do
		url=$(url_of $kind | sed 's/+http:/+https:/')
		assert_status 0 "$KILN" push p.pb.gz --to "$url" --ca-file tls/ca.pem
		assert_status 0 "$KILN" report --from "$url" --ca-file tls/ca.pem
		assert_status 1 "$KILN" push p.pb.gz --to "$url"
		assert_match "$kind: unknown CA" err 'TLS: .*set ca_file'
		assert_status 1 "$KILN" report --from "$url"
		assert_match "$kind: unknown CA" err 'set ca_file'
		assert_status 2 "$KILN" push p.pb.gz --to "$(url_of $kind)" --ca-file tls/ca.pem
		assert_match "$kind: no TLS" err 'one without TLS'
	done
}

# Answers of servers that are something else, or hostile, to whom asks.
test_hostile_answers() {
	local kind fault
	start_store pyroscope parca s3 pprof otlp
	make_many_stacks 20 p.pb.gz
	for kind in pyroscope parca s3; do
		"$KILN" push p.pb.gz --to "$(url_of $kind)" >/dev/null
		for fault in '"html"' '"garbage"' '"reset_answer"' '"cut_answer", "bytes": 60' '"redirect"' \
			'"status", "status": 200, "body": "", "type": "application/json"' \
			'"status", "status": 200, "body": "{\"types\":[{\"name\":\"a\"}]}", "type": "application/json"' \
			'"status", "status": 200, "body": "\n\u0003\n\u0001a", "type": "application/proto"' \
			'"status", "status": 200, "body": "<ListBucketResult><Key>", "type": "application/xml"' \
			'"status", "status": 500'; do
			fault "{\"kind\": $fault}"
			for command in "report" "list"; do
				status=0
				timeout 20 "$KILN" $command --from "$(url_of $kind)" >out 2>err || status=$?
				case $status in
				1 | 3 | 4) ;;
				*) fail "$kind, $fault: kiln $command ends with $status: $(cat err)" ;;
				esac
				[ "$command $status" = "list 3" ] || assert_at_least "$kind, $fault: words" "$(wc -w <err)" 3
			done
		done
		fault ''
	done
	assert_status 2 "$KILN" report --from "$(url_of otlp)"
	assert_match "otlp" err 'gives none back'
	assert_status 2 "$KILN" report --from "$(url_of pprof)" --since 1h
	assert_status 1 "$KILN" report --from "$(url_of pprof)/missing"
	assert_match "missing" err '404'
	assert_status 2 "$KILN" report --from kiln+http://127.0.0.1:1 --tenant x
	assert_status 1 "$KILN" report --from pyroscope+http://127.0.0.1:1
}

# A server whose lists have no end, or are larger than any list when inflated: kiln ends, and keeps little of it.
test_hostile_lists() {
	local port peak mode
	local -A bombs=([s3]=/bomb [pyroscope]="" [parca]="")
	cat >hostile.py <<-'END'
		import gzip, http.server, sys
		page = (b"<ListBucketResult><CommonPrefixes><Prefix>h/</Prefix></CommonPrefixes>"
		        b"<NextContinuationToken>again</NextContinuationToken></ListBucketResult>")
		bomb = gzip.compress(b"\0" * (200 << 20))
		class Server(http.server.BaseHTTPRequestHandler):
		    def answer(self):
		        self.rfile.read(int(self.headers.get("Content-Length", 0)))
		        body = page if "/loop" in self.path else bomb
		        self.send_response(200)
		        if body is bomb:
		            self.send_header("Content-Encoding", "gzip")
		        self.send_header("Content-Type", "application/proto")
		        self.send_header("Content-Length", str(len(body)))
		        self.end_headers()
		        self.wfile.write(body)
		    do_GET = do_POST = answer
		    def log_message(self, *a):
		        print(self.path, flush=True)
		server = http.server.HTTPServer(("127.0.0.1", 0), Server)
		print(server.server_port, file=open("port", "w"), flush=True)
		server.serve_forever()
	END
	start python3 hostile.py >asked
	wait_until 20 test -s port
	port=$(cat port)
	export AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=secret
	assert_status 1 timeout 60 "$KILN" list --from "s3+http://127.0.0.1:$port/loop" --since 1h
	assert_match "why" err 'its list of objects has no end'
	assert_at_most "pages" "$(wc -l <asked)" 4
	for mode in "${!bombs[@]}"; do
		assert_status 1 timeout 60 /usr/bin/python3 -c 'import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=open("peak", "w"))
sys.exit(code)' "$KILN" list --from "$mode+http://127.0.0.1:$port${bombs[$mode]}" --since 1h
		assert_match "$mode: why" err 'larger than 16 MiB'
		peak=$(cat peak)
		assert_at_most "$mode: KB in memory" "$peak" 65536
	done
}

run_tests "$@"
