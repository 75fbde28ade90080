#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is wrong with a destination: one line of the log says which one, what it answered, and what to change.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

# A server with TLS, of an authority that nobody knows, and one that wants a client certificate.
start_tls_stores() {
	make_certificates
	start "$STORE_PYTHON" "$STORE_SERVER" serve "$T/tls-server" --tls tls/server.pem tls/server.key pyroscope 2>tls.log
	start "$STORE_PYTHON" "$STORE_SERVER" serve "$T/mtls-server" --tls tls/server.pem tls/server.key \
		--client-ca tls/ca.pem pyroscope 2>mtls.log
	wait_until 20 test -s tls-server/ports
	wait_until 20 test -s mtls-server/ports
	tls_port=$(awk '$1 == "pyroscope" { print $2 }' tls-server/ports)
	mtls_port=$(awk '$1 == "pyroscope" { print $2 }' mtls-server/ports)
}

# The only line about a destination has all of these parts.
assert_said() { # NAME PART...
	local name=$1 part
	shift
	wait_until 40 grep -q "level=warning.*upload .*\"$name" log
	grep "level=warning.*upload .*\"$name" log >line
	assert_eq "lines about $name" "$(wc -l <line)" 1
	for part; do
		grep -qF -- "$part" line || fail "$name: no \"$part\" in: $(cat line)"
	done
}

test_each_is_said_once() {
	local none
	need_bpf
	start_store pyroscope parca tenants=pyroscope typed=otlp page=parca pprof
	set_store '{"tenants": {"multitenancy": true}, "parca": {"bearer": "right"}, "pprof": {"basic": "me:right"}}'
	fault '[{"kind": "status", "status": 415, "dest": "typed"}, {"kind": "html", "dest": "page"}]'
	start_tls_stores
	none=$(free_port)
	echo no-secret >token
	chmod 600 token
	cat >kiln.yaml <<-END
		window: 1s
		log: {level: debug} # more lines than the agent writes in a minute otherwise
		upload:
		- {name: path, url: "$(url_of pyroscope)/nothing/here"}
		- {name: kind, url: "otlp+http://127.0.0.1:$(store_port pprof)/"}
		- {name: token, url: "$(url_of parca)", token_file: $T/token}
		- {name: notoken, url: "$(url_of parca)"}
		- {name: password, url: "$(url_of pprof)", username: me, password_file: $T/token}
		- {name: tenant, url: "$(url_of pyroscope tenants)"}
		- {name: type, url: "$(url_of otlp typed)"}
		- {name: page, url: "$(url_of parca page)"}
		- {name: authority, url: "pyroscope+https://127.0.0.1:$tls_port"}
		- {name: certificate, url: "pyroscope+https://127.0.0.1:$mtls_port", ca_file: $T/tls/ca.pem}
		- {name: plain, url: "pyroscope+http://127.0.0.1:$tls_port"}
		- {name: proxy, url: "$(url_of pyroscope)", proxy: "http://127.0.0.1:$none"}
		- {name: port, url: "pprof+http://127.0.0.1:$none/x"}
		- {name: resolver, url: "pprof+http://nobody.invalid/x"}
	END
	start_agent -c kiln.yaml -F 49
	assert_said path "127.0.0.1:$(store_port pyroscope)/nothing/here" 404 'check the path of the URL' 'windows wait'
	assert_said kind 401 'set token_file'
	assert_said token UNAUTHENTICATED 'check token_file'
	assert_said notoken UNAUTHENTICATED 'set token_file, or username and password_file'
	assert_said password 401 'check username and password_file'
	assert_said tenant 401 'set tenant'
	assert_said type 415 'check the scheme of the URL'
	assert_said page 'is it Parca? check the URL'
	assert_said authority TLS 'set ca_file'
	assert_said certificate 'cert_file'
	assert_said proxy "port $none" 'check proxy'
	assert_said port "127.0.0.1:$none" 'check the host and port of the URL'
	assert_said resolver 'nobody.invalid' 'check the host and port of the URL'
	assert_at_least "what an https port says to http" "$(grep -c 'upload .*"plain' log)" 1
	assert_no_match "no secret" log 'no-secret'
	stop_agent 0
}

# Two agents with one store, and so with one spool: the second one ends and says why; nothing happens to the first.
test_two_agents_with_one_spool() {
	need_bpf
	start_store pprof
	printf 'window: 1s\nupload:\n- {name: a, url: "%s/{id}"}\n' "$(url_of pprof)" >kiln.yaml
	start_agent -c kiln.yaml -F 49
	wait_until 30 has_profiles pprof 2
	assert_status 1 timeout 30 "$KILN" agent --store "$T/store" -c kiln.yaml
	assert_match "message" err "$T/store.* in use|another"
	wait_until 30 has_profiles pprof $(($(store_count pprof profiles) + 2))
	stop_agent 0
	assert_eq "windows that came twice" "$(ask_server 'duplicates?dest=pprof')" 0
}

run_tests "$@"
