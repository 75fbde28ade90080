#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What compilers make of kiln's profiles: instructions that programs save (callgrind's count), beside
# LLVM's own instrumented build; calls that Go's compiler treats as with a profile of Go's own.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need clang-19 clang++-19 llvm-profdata-19 valgrind go
cd "$T" || exit 1
FLAGS=(-O2 -g -fdebug-info-for-profiling)

instructions() { # COMMAND...
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 |
		awk '/Collected/ { print $NF }'
}

llvm() { # SOURCE ROUNDS_PROFILED ROUNDS_COUNTED
	local source=$SRC/tests/fixtures/pgo/$1 cc=clang-19 base counters ours
	[[ $1 != *.cpp ]] || cc=clang++-19
	"$cc" "${FLAGS[@]}" "$source" -o base
	"$cc" "${FLAGS[@]}" -fprofile-generate "$source" -o counting
	LLVM_PROFILE_FILE=raw ./counting $(($2 / 20)) >/dev/null
	llvm-profdata-19 merge -o counted raw
	"$cc" "${FLAGS[@]}" -fprofile-use=counted "$source" -o counters
	"$KILN" record -q -F 999 -o p.pb.gz -- ./base "$2" >/dev/null
	"$KILN" export -q p.pb.gz -o p.autofdo
	"$cc" "${FLAGS[@]}" -fprofile-sample-use=p.autofdo -mllvm -sample-profile-use-profi \
		"$source" -o ours
	base=$(instructions ./base "$3") counters=$(instructions ./counters "$3")
	ours=$(instructions ./ours "$3")
	result "instructions saved, $1" % \
		"$(awk -v a="$base" -v b="$ours" 'BEGIN { print 100 * (a - b) / a }')" "with counters" \
		"$(awk -v a="$base" -v b="$counters" 'BEGIN { print 100 * (a - b) / a }')"
}

# Of all packages: what the compiler inlines and devirtualises, a line each.
decisions() { # PROFILE
	go build -pgo="$1" -gcflags="all=-m=2 -d=pgodebug=2" -o optimised . 2>&1 |
		grep -hoE '[^ ]*\.go:[0-9:]+ (PGO devirtualizing|inlining call to).*|hot-budget check allows inlining.*' |
		sort -u
}

go_calls() {
	export GOCACHE=$T/cache GOFLAGS=-mod=mod
	mkdir shapes && cd shapes && cp "$SRC"/tests/fixtures/pgo/shapes/* . || exit 1
	go build -o shapes .
	./shapes 100000 own.pprof >/dev/null
	"$KILN" record -q -F 499 -o kiln.pb.gz -- ./shapes 100000 >/dev/null
	go build -pgo=off -gcflags="all=-m=2" -o plain . 2>&1 |
		grep -hoE '[^ ]*\.go:[0-9:]+ inlining call to.*' | sort -u >without
	decisions own.pprof | comm -23 - without >theirs
	decisions kiln.pb.gz | comm -23 - without >ours
	result "Go's calls inlined or devirtualised by profile" "" \
		"$(comm -12 theirs ours | wc -l)" "of go's own" "$(wc -l <theirs)"
}

llvm json.c 4000 40
llvm words.cpp 40000 200
llvm records.c 1500 8
go_calls
