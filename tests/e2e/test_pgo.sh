#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compilers optimise by kiln's profiles: Go's by .pb.gz, LLVM's by -f autofdo.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

FLAGS=(-O2 -g -fdebug-info-for-profiling)
PROFI=(-mllvm -sample-profile-use-profi)

# What the compiler does to calls in package main that it does not do without a profile. The compiler
# alone, as `go build -pgo` runs it: that builds the whole library anew.
decisions() { # PROFILE
	go tool compile -p main -importcfg importcfg -pgoprofile "$1" -m=2 -d=pgodebug=2 -o out.a \
		main.go 2>&1 | grep -hoE 'main.go:.*PGO devirtualizing.*|hot-budget check allows inlining.*' |
		sort -u
}

test_go_optimises_by_it_as_by_its_own() {
	need_bpf
	need go
	[[ $(go tool compile -h 2>&1) == *pgoprofile* ]] || skip "no Go from 1.21 on"
	export GOCACHE=$T/cache GOFLAGS=-mod=mod
	cp "$SRC"/tests/fixtures/pgo/shapes/* .
	go build -o shapes . 2>err || { sed 's/^/#   /' err && fail "go build"; }
	go list -export -deps -f '{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}' . >importcfg
	./shapes 50000 own.pprof >out
	"$KILN" record -q -F 499 -o kiln.pb.gz -- ./shapes 50000 >out
	decisions own.pprof >theirs
	decisions kiln.pb.gz >ours
	assert_match "an interface call" ours 'devirtualizing interface call .* to square.area'
	assert_match "a large function" ours 'allows inlining for call main.hashOf'
	# What is near the threshold differs from run to run, also of Go's own.
	assert_at_least "decisions by Go's own profile" "$(wc -l <theirs)" 2
	local both
	both=$(comm -12 theirs ours | wc -l)
	echo "# $both of $(wc -l <theirs) decisions of Go's own profile, $(wc -l <ours) in all"
	assert_at_least "decisions of Go's own profile" "$both" "$(awk 'END { print int(0.8 * NR) }' theirs)"
}

instructions() { # COMMAND...
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 |
		awk '/Collected/ { print $NF }'
}

# Half of what LLVM's own instrumentation saves; tests/bench/pgo.sh has three programs.
test_clang_saves_instructions() {
	need_bpf
	need clang-19 llvm-profdata-19 valgrind
	local base instrumented ours source=$SRC/tests/fixtures/pgo/json.c
	clang-19 "${FLAGS[@]}" "$source" -o base
	clang-19 "${FLAGS[@]}" -fprofile-generate "$source" -o counting
	LLVM_PROFILE_FILE=raw ./counting 100 >out
	llvm-profdata-19 merge -o counted raw
	clang-19 "${FLAGS[@]}" -fprofile-use=counted "$source" -o instrumented
	"$KILN" record -q -F 999 -o p.pb.gz -- ./base 3000 >out
	"$KILN" export p.pb.gz -o p.autofdo 2>said
	assert_match "which program" said 'base: [0-9]+ functions, [5-9][0-9]\.[0-9] % of the profile'
	llvm-profdata-19 merge -sample -text p.autofdo -o merged
	assert_match "in LLVM's eyes" merged '^next:[1-9][0-9]*:[1-9]'
	# LLVM adds counts up itself. What it reads is what was written, but for order and spaces.
	diff <(sort p.autofdo) <(sort merged) >differences ||
		{ head -n 20 differences | sed 's/^/#   /' && fail "llvm-profdata read something else"; }
	clang-19 "${FLAGS[@]}" -fprofile-sample-use=p.autofdo "${PROFI[@]}" "$source" -o ours
	base=$(instructions ./base 20) instrumented=$(instructions ./instrumented 20)
	ours=$(instructions ./ours 20)
	assert_eq "the answer" "$(./ours 20)" "$(./base 20)"
	echo "# instructions: $base, with counters $instrumented, with kiln's profile $ours"
	assert_at_least "saved with counters" $((base - instrumented)) $((base / 10))
	assert_at_least "saved" $((base - ours)) $(((base - instrumented) / 2))
}

test_what_has_no_lines_is_no_profile_for_a_compiler() {
	printf '5\tcomm=a pid=1 thread_id=1\tmain|/bin/a\twork|/bin/a\n' |
		python3 "$SRC/tests/lib/make_profile.py" >p.pb
	assert_status 1 "$KILN" export p.pb -o p.autofdo
	assert_match "the cure" err 'no sample has a line .* build with -g'
	assert_no_file p.autofdo
}

test_from_a_store() {
	need_bpf
	need clang-19
	clang-19 "${FLAGS[@]}" "$SRC/tests/fixtures/pgo/json.c" -o base
	start ./base 100000000
	start_agent --window 2s -F 499
	wait_until 30 sh -c "'$KILN' export '$T/store' --where comm=base -f autofdo -o s.autofdo"
	stop_agent 0
	assert_match "a hot function" s.autofdo '^next:[1-9][0-9]*:'
}

run_tests "$@"
