# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# A test script sources this, defines functions test_*, and ends with `run_tests`. Each function
# runs in its own shell with errexit and its own empty directory $T, prints one TAP line, and
# whatever it started in the background is ended after it.
# From the runner: KILN (the program), WORKLOADS, SRC, BUILD, BPF_WORKS.
set -uo pipefail
SRC=${SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${BUILD:-$SRC/build/release}
KILN=${KILN:-$BUILD/kiln}
WORKLOADS=${WORKLOADS:-$SRC/build/workloads}
BPF_WORKS=${BPF_WORKS-$("$BUILD/bpf_usable" >/dev/null 2>&1 && echo 1)}
export LC_ALL=C.UTF-8 KILN

fail() {
	echo "# $*"
	exit 1
}

skip() {
	echo "$*" >"$T/.skip"
	exit 77
}

need_bpf() {
	[ -n "$BPF_WORKS" ] || skip "BPF does not work here"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "not root"
}

# A missing tool is a failure, not a skip: tools/install-deps --test brings all of them.
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || fail "$tool is missing: run tools/install-deps --test"
	done
}

assert_eq() { # what, got, wanted
	[ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"
}

assert_near() { # what, got, wanted, tolerance
	awk -v a="$2" -v b="$3" -v t="$4" 'BEGIN { d = a - b; exit !(d <= t && -d <= t) }' ||
		fail "$1: got $2, wanted $3 within $4"
}

assert_at_least() { # what, got, least
	awk -v a="$2" -v b="$3" 'BEGIN { exit !(a >= b) }' || fail "$1: got $2, wanted at least $3"
}

assert_at_most() { # what, got, most
	awk -v a="$2" -v b="$3" 'BEGIN { exit !(a <= b) }' || fail "$1: got $2, wanted at most $3"
}

assert_match() { # what, file, extended regular expression
	grep -qE -- "$3" "$2" || { sed 's/^/#   /' "$2" | head -n 40; fail "$1: no line matches $3"; }
}

assert_no_match() { # what, file, extended regular expression
	! grep -E -- "$3" "$2" | sed 's/^/#   /' | grep . || fail "$1: a line matches $3"
}

# Runs a command and wants this exit status; its output is left in $T/out and $T/err.
assert_status() { # status, command...
	local wanted=$1 got=0
	shift
	"$@" >"$T/out" 2>"$T/err" </dev/null || got=$?
	[ "$got" -eq "$wanted" ] || {
		sed 's/^/#   /' "$T/err" | head -n 40
		fail "exit status of $*: got $got, wanted $wanted"
	}
}

assert_no_file() {
	local file
	for file; do
		[ ! -e "$file" ] || fail "left behind: $file"
	done
}

# Starts a program in the background; its process id is in $started (the shell's $! as well).
start() {
	"$@" </dev/null &
	started=$!
	echo "$started" >>"$T/.started"
}

# Waits until a command succeeds, at most so many seconds.
wait_until() { # seconds, command...
	local i limit=$1
	shift
	for ((i = 0; i < limit * 20; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	fail "not within $limit s: $*"
}

# Stopped first: nginx's master would start another worker, which nobody would end then.
end_tree() { # PID
	local child
	kill -STOP "$1" 2>/dev/null || return 0
	for child in $(pgrep -P "$1"); do
		end_tree "$child"
	done
	kill -KILL "$1" 2>/dev/null || true
}

end_started() { # directory of a test
	local pid
	[ -e "$1/.started" ] || return 0
	while read -r pid; do
		end_tree "$pid"
	done <"$1/.started"
}

run_tests() { # [only these functions]
	local test status n=0 failed=0 top
	local tests=("$@")
	[ ${#tests[@]} -gt 0 ] ||
		mapfile -t tests < <(grep -oE '^test_[a-z0-9_]+' "${BASH_SOURCE[1]}")
	top=$(mktemp -d)
	# Tests that shed their privileges have to get at their files.
	chmod 755 "$top"
	echo "1..${#tests[@]}"
	for test in "${tests[@]}"; do
		n=$((n + 1))
		T=$top/$test
		mkdir -p "$T"
		set +e
		(
			set -eE
			trap 'echo "# failed, line $LINENO: $BASH_COMMAND"' ERR
			cd "$T"
			"$test"
		)
		status=$?
		end_started "$T"
		case $status in
		0) echo "ok $n - $test" ;;
		77) echo "ok $n - $test # SKIP $(cat "$T/.skip" 2>/dev/null)" ;;
		*) failed=1 && echo "not ok $n - $test" ;;
		esac
	done
	if [ -n "${KEEP:-}" ]; then
		echo "# kept: $top"
	else
		rm -rf "$top"
	fi
	exit $failed
}
