#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# User stacks are whole from the first sample on: no unwind table is there yet, and every CPU is busy.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

FIXTURES=$SRC/tests/fixtures/unwind

# Records a command with a cache of tables that is empty, and judges its stacks. What is still called
# kiln is the command before its exec.
record_cold() { # NAME LEAST COMMAND...
	local name=$1 least=$2 share
	shift 2
	mkdir -p "cache-$name"
	KILN_CACHE_DIR=$T/cache-$name "$KILN" record -v -U -F 499 -o "$name.pb.gz" -- "$@" \
		>"$name.out" 2>"$name.err"
	profile_py samples "$name.pb.gz" | awk -F '\t' '$3 != "kiln"' |
		python3 "$SRC/tests/lib/complete_stacks.py" kiln --worst 4 >"$name.judged"
	sed 's/^/#   /' "$name.judged"
	share=$(awk 'NR == 1 { print $1 }' "$name.judged")
	assert_at_least "samples of $name" "$(profile_samples "$name.pb.gz")" 100
	assert_at_least "samples that waited for a table" \
		"$(sed -n 's/.*walked in user space:.* waited=\([0-9]*\).*/\1/p' "$name.err")" 1
	assert_at_least "complete stacks of $name" "$share" "$least"
	# Judged is whether they reach a root: so do those whose leaf's caller is in doubt.
	assert_near "what $name claims of itself" "$(profile_py comments "$name.pb.gz" | awk -F '[.=]' '
		$2 ~ /^user_(complete|truncated|missing)$/ { all += $3 }
		$2 == "user_complete" || $2 == "ends_leaf" { complete += $3 }
		END { printf "%.2f\n", all ? 100 * complete / all : 0 }')" "$share" 0.5
}

busy() {
	local i
	for ((i = 0; i < $(getconf _NPROCESSORS_ONLN); i++)); do
		start sh -c 'while :; do :; done'
	done
}

test_go() {
	need_bpf
	need go
	GOCACHE=$T/gocache go build -o goroutines "$FIXTURES/goroutines.go"
	busy
	# Recursion deeper than what is copied of a stack. Where a stack grows, morestack() has another stack than its
	# goroutine: such stacks end there, and are not called complete.
	record_cold go 70 ./goroutines 4
	assert_at_least "complete stacks of go, but for those in morestack()" "$(profile_py samples go.pb.gz |
		awk -F '\t' '$3 != "kiln" && $6 !~ /runtime\.morestack/' |
		python3 "$SRC/tests/lib/complete_stacks.py" kiln | cut -d ' ' -f 1)" 97
}

test_openssl() {
	need_bpf
	need openssl
	busy
	record_cold openssl 99 openssl speed -seconds 1 -bytes 1024 sha256 aes-128-cbc
}

test_node() {
	need_bpf
	need node
	busy
	# Warm as cold, 0.1 to 1.5 % of its samples are in the handful of instructions in which code of V8's has no frame
	# yet: nothing describes it.
	record_cold node 97 node -e 'const end = Date.now() + 2500;
		function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
		while (Date.now() < end) { fib(22); const o = [];
			for (let i = 0; i < 20000; i++) o.push({ i, s: "x" + i % 77 });
			JSON.parse(JSON.stringify(o)).sort((a, b) => a.s < b.s ? -1 : 1);
			"a,b;c".repeat(5000).replace(/[,;]/g, m => m + m); }'
}

test_python() {
	need_bpf
	busy
	record_cold python 99 /usr/bin/python3 -c '
import json, re, time
end = time.time() + 2.5
data = {str(i): [i, i * 0.5] for i in range(2000)}
while time.time() < end:
    text = json.dumps(data); json.loads(text); re.findall(r"([0-9]+)\.5", text)'
}

test_wide_frames() {
	need_bpf
	gcc -O2 -o wide_frames "$FIXTURES/wide_frames.c"
	busy
	# A few hundred samples at most, of which a few come while the ring is too full for a copy of 200 KB: the
	# more, the later kiln gets a CPU.
	record_cold wide_frames 85 ./wide_frames 100
}

run_tests "$@"
