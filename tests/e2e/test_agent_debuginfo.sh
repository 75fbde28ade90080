#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent gives files with debug information to destinations that name frames themselves: the full one of a build,
# each once, nobody's in the name of root's, and no window waits for that.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

export KILN_TEST_BACKOFF_MS=100

# A program that works for a third of the time, of a build id of its own: NAME is its copy with all symbols,
# NAME.stripped the one without.
build() { # NAME BUILD_ID
	need cc strip objcopy
	cat >spin.c <<-END
		#include <unistd.h>
		volatile unsigned n;
		int main(void) { for (;;) for (unsigned i = usleep(20000); i < 10000000; i++) n++; }
	END
	cc -g -Wl,--build-id="0x$2" -o "$1" spin.c
	strip -o "$1.stripped" "$1"
	chmod 755 "$1" "$1.stripped"
}

prepare() { # DEBUGINFO
	need_bpf
	need_root
	export KILN_HTTP_LISTEN
	export KILN_TEST_OFFER=$T # what else runs on this machine is its own business
	start_store pyroscope parca
	KILN_HTTP_LISTEN=127.0.0.1:$(free_port)
	cat >kiln.yaml <<-END
		window: 1s
		sampling: {frequency: 19} # names of what else runs here are most of the time that this takes
		upload:
		- {name: pyroscope, url: "$(url_of pyroscope)", debuginfo: $1}
		- {name: parca, url: "$(url_of parca)", debuginfo: $1}
	END
}

# Size of the file that a destination has for a build id.
size_of() { # DEST BUILD_ID
	ask_server "objects?dest=$1" | awk -F '\t' -v key="debuginfo/$2" '$2 == key { print $1 }'
}

has_file() { # DEST BUILD_ID
	[ -n "$(size_of "$1" "$2")" ]
}

metric() { # NAME{LABELS}
	curl -sf --max-time 10 "http://$KILN_HTTP_LISTEN/metrics" | awk -v what="kiln_$1" '$1 == what { print $2 }'
}

# The full file is given, in one piece, and once. Without symbols and without a debug file none is.
test_files_with_debug_information() {
	local dest
	prepare true
	build full 11223344
	build split 22334455
	build bare 33445566
	rm full.stripped split bare
	start ./full
	start ./split.stripped
	start ./bare.stripped
	# A debug file of this build where packages have it, for this agent alone.
	build again 22334455
	objcopy --only-keep-debug again debug
	start unshare -m bash -ec 'mount -t tmpfs none /usr/lib/debug
		install -D -m 644 debug /usr/lib/debug/.build-id/22/334455.debug; exec "$@"' bash \
		"$KILN" agent --store "$T/store" -c kiln.yaml 2>log
	agent=$started
	wait_until 30 grep -q 'msg="sampling' log
	for dest in pyroscope parca; do
		wait_until 90 has_file $dest 11223344
		wait_until 90 has_file $dest 22334455
		assert_eq "$dest: bytes of the full one" "$(size_of $dest 11223344)" "$(stat -c %s full)"
		assert_eq "$dest: bytes of the debug file" "$(size_of $dest 22334455)" "$(stat -c %s debug)"
		assert_eq "$dest: the stripped one" "$(size_of $dest 33445566)" ""
		ask_server "object?dest=$dest&key=debuginfo/11223344" | cmp - full || fail "$dest: another file"
	done
	wait_until 20 eval '[ "$(metric "debuginfo_skipped_total{reason=\"stripped\"}")" -ge 1 ]'
	assert_at_least "sent" "$(metric 'upload_debuginfo_files_total{destination="parca",result="sent"}')" 2
	assert_at_least "bytes" "$(metric 'upload_debuginfo_bytes_total{destination="parca"}')" "$(stat -c %s full)"
	assert_eq "refused" "$(metric 'upload_debuginfo_files_total{destination="parca",result="refused"}')" 0
	assert_eq "uploads of the full one" \
		"$(ask_server 'requests?dest=pyroscope' | grep -c 'Upload/11223344')" 1
	assert_no_match "log" log 'level=(warning|error)'
}

# Somebody's program says that it is root's of that build. It is not believed, whatever comes first.
test_files_of_users() {
	prepare true
	build full 44556677
	cp full theirs
	printf 'not the same' >>theirs
	chown 4242 theirs
	cp full open
	printf 'nor is this' >>open
	chmod 777 open
	start ./theirs
	start ./open
	start_agent -c kiln.yaml
	wait_until 30 has_profiles parca 2
	wait_until 90 eval '[ "$(metric "debuginfo_skipped_total{reason=\"not_root\"}")" -ge 2 ]'
	assert_eq "nothing of theirs" "$(size_of parca 44556677)" ""
	start ./full
	wait_until 90 has_file parca 44556677
	ask_server 'object?dest=parca&key=debuginfo/44556677' | cmp - full || fail "another file"
}

# A store that takes a file and never answers; and the process that gives it is killed. Windows go on all the while.
test_no_window_waits_for_it() {
	local sampler giver
	prepare true
	build full 55667788
	start ./full
	fault '[{"kind": "stall", "dest": "pyroscope", "path": "/debuginfo.v1alpha1"},
		{"kind": "stall", "dest": "parca", "path": "/parca.debuginfo.v1alpha1"}]'
	start_agent -c kiln.yaml
	sampler=$(role_pid kiln-sampler)
	wait_until 30 eval 'ask_server "requests?dest=pyroscope" | grep -q debuginfo.v1alpha1'
	wait_until 30 has_profiles pyroscope 6
	wait_until 30 has_profiles parca 6
	giver=$(role_pid kiln-debuginfo)
	kill -KILL "$giver"
	wait_until 20 eval '[ -n "$(role_pid kiln-debuginfo)" ] && [ "$(role_pid kiln-debuginfo)" != "$giver" ]'
	fault ''
	wait_until 120 has_file parca 55667788
	assert_eq "the sampler is the same" "$(role_pid kiln-sampler)" "$sampler"
	assert_eq "windows lost" "$(sum_of_store 'select sum(windows_lost) from windows')" 0
	ask_store 'select begin_unix_ns, duration_ns from windows' | tr '|' ' ' | sort -n |
		awk 'last && $1 - last > 100000000 { print "gap of", ($1 - last) / 1e6, "ms" } { last = $1 + $2 }' >gaps
	assert_eq "gaps" "$(cat gaps)" ""
}

# Who wants no files has no process for it, and a reload brings it and takes it away.
test_the_process_comes_and_goes() {
	prepare false
	build full 66778899
	start ./full
	start_agent -c kiln.yaml
	wait_until 30 has_profiles parca 2
	assert_eq "process" "$(role_pid kiln-debuginfo)" ""
	sed -i 's/debuginfo: false/debuginfo: true/' kiln.yaml
	kill -HUP "$agent"
	wait_until 90 has_file parca 66778899
	sed -i 's/debuginfo: true/debuginfo: false/' kiln.yaml
	kill -HUP "$agent"
	wait_until 60 eval '[ "$(grep -c "was read again: changed: upload" log)" = 2 ]'
	assert_eq "process" "$(role_pid kiln-debuginfo)" ""
}

run_tests "$@"
