#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln symbolize: addresses as addr2line and llvm-symbolizer answer them.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"

LLVM_SYMBOLIZER=${LLVM_SYMBOLIZER:-/usr/lib/llvm-19/bin/llvm-symbolizer}

# A C++ program with calls inlined into each other: ./prog, and its instructions in ./addresses.
build_prog() {
	cat >prog.cc <<-'END'
		#include <string>
		#include <vector>
		volatile int sink;
		namespace app {
		template <class T> inline T square(T x) { sink = (int)x; return x * x; }
		inline int twice(int x) { return square(x) + square(x + 1); }
		struct row { std::string name; int n; };
		__attribute__((noinline)) int work(const std::vector<row> &rows)
		{
			int s = 0;
			for (auto &r : rows)
				s += twice(r.n) + (int)r.name.size();
			return s;
		}
		}
		int main(int argc, char **argv)
		{
			std::vector<app::row> rows;
			for (int i = 0; i < argc + 3; i++)
				rows.push_back({argv[0], i});
			return app::work(rows) & 1;
		}
	END
	g++ -O2 -g prog.cc -o prog
	objdump -d --no-show-raw-insn -j .text prog | sed -nE 's/^ +([0-9a-f]+):.*/\1/p' >addresses
	assert_at_least "instructions" "$(wc -l <addresses)" 200
}

# Answers of several lines each in blocks, as far as both sides can know them: addr2line names by the
# nearest symbol and has discriminators, kiln folds ".cold" away, which of two equal destructors it
# is nobody knows, and newer demanglers write ">>".
blocks() { # FILE; every answer begins with an address
	sed -E 's/ \(discriminator [0-9]+\)//; s/\.cold//; s/D2Ev/D1Ev/; :a; s/> >/>>/; ta; s/^0x0*([0-9a-f])/0x\1/' "$1" |
		awk '/^0x/ { printf "%s%s", n++ ? "\n" : "", $0; next } { printf "|%s", $0 } END { print "" }' |
		grep -v ':?\|:0$\|:0|' | sort
}

test_agrees_with_addr2line() {
	build_prog
	local flags mine n
	while read -r flags mine; do
		# shellcheck disable=SC2086
		addr2line -a $flags -e prog <addresses >theirs.raw
		# shellcheck disable=SC2086
		"$KILN" symbolize -a $flags $mine -e prog <addresses >ours.raw
		assert_eq "answers with $flags" "$(grep -c ^0x ours.raw)" "$(wc -l <addresses)"
		blocks theirs.raw | sed '/ at ??\| at .*:?/d' >theirs
		blocks ours.raw | sed '/ at ??/d' >ours
		n=$(wc -l <theirs)
		assert_at_least "answers of addr2line with a line" "$n" 200
		diff theirs ours >differs || { head -n 6 differs | sed 's/^/# /'; fail "differs with $flags"; }
	done <<-END
		-fiC
		-fiCp
		-fiCs
		-fC --no-inlines
		-fi --no-demangle
		-i --no-functions
	END
}

test_agrees_with_llvm_symbolizer() {
	need "$LLVM_SYMBOLIZER"
	build_prog
	sed 's/^/0x/' addresses | "$LLVM_SYMBOLIZER" --output-style=GNU -afiC -e prog >theirs.raw
	"$KILN" symbolize -a -e prog <addresses >ours.raw
	blocks theirs.raw >theirs
	blocks ours.raw >ours
	assert_at_least "answers with a line" "$(wc -l <theirs)" 200
	diff theirs ours >differs || { head -n 6 differs | sed 's/^/# /'; fail "differs"; }
}

test_ways_to_ask() {
	need jq
	build_prog
	local va text
	va=$(nm -C prog | sed -nE 's/^0*([0-9a-f]+) T app::work.*/\1/p')
	"$KILN" symbolize -e prog "$va" >wanted
	assert_match "function" wanted '^app::work\(std::vector<app::row'
	assert_match "its line" wanted 'prog\.cc:[0-9]+$'
	"$KILN" symbolize -e prog "0x$va" | diff - wanted || fail "0x differs"
	"$KILN" symbolize -e prog "0X${va^^}" | diff - wanted || fail "upper case differs"
	echo "$va" | "$KILN" symbolize -e prog | diff - wanted || fail "standard input differs"
	printf ' 0x%s\t\r\n' "$va" | "$KILN" symbolize -e prog | diff - wanted || fail "blanks matter"
	printf %s "$va" | "$KILN" symbolize -e prog | diff - wanted || fail "the last line needs a newline"
	assert_status 0 "$KILN" symbolize -e prog 10 ffffffffffffffff
	assert_eq "unknown" "$(tr '\n' ' ' <out)" '?? ??:0 ?? ??:0 '
	"$KILN" symbolize -e prog --json "$va" 10 >json
	assert_eq "JSON" "$(jq -c '[.address, (.frames[-1:] | map([.function[:9], (.file | split("/")[-1]),
		.line > 0, .inlined])), .reason]' json)" "[\"0x$va\",[[\"app::work\",\"prog.cc\",true,false]],null]
[\"0x10\",[],\"no symbol covers the address\"]"
	assert_eq "mangled name" "$(jq -rs '.[0].frames[-1].symbol' json)" "$(nm prog | sed -n "s/^0*$va T //p")"
	text=$(readelf -SW prog | sed -nE 's/.* \.text +PROGBITS +([0-9a-f]+) .*/\1/p')
	"$KILN" symbolize -j .text -e prog "$(printf %x $((0x$va - 0x$text)))" | diff - wanted ||
		fail "the start of a section differs"
}

# Every line has an answer, whatever it holds.
test_hostile_lines() {
	build_prog
	{
		printf 'main\n\n0x\n123456789abcdef01\n-1\n1139 2\n\x1b[31m\n'
		head -c 200000 /dev/zero | tr '\0' 1
		printf '\n\0\n'
		head -n 1 addresses
		head -c 70000 /dev/zero | tr '\0' x
	} >lines
	timeout 20 "$KILN" symbolize -a --no-inlines -e prog <lines >out 2>err
	assert_eq "answers" "$(grep -c ^0x out)" 11
	assert_eq "lines" "$(wc -l <out)" 33
	assert_match "the one that is good" out "^0x0*$(head -n 1 addresses)$"
	assert_match "a warning" err '^kiln: warning: 10 lines of the input are no hexadecimal address$'
	timeout 20 "$KILN" symbolize -e prog --json <lines 2>err | jq -e . >/dev/null || fail "no JSON"
}

# Who asks and waits is answered at once, with standard output a pipe too.
test_conversation() {
	build_prog
	local va answer
	coproc ADDR { exec "$KILN" symbolize -p -e prog 2>err; }
	while read -r va; do
		echo "$va" >&"${ADDR[1]}"
		read -r -t 20 answer <&"${ADDR[0]}" || fail "no answer for $va"
		[[ $answer == "?? at ??:0" ]] || fail "answer: $answer"
	done < <(seq 1 5)
	eval "exec ${ADDR[1]}>&-"
	wait "$ADDR_PID" || fail "status $?"
}

test_debug_files() {
	build_prog
	local id va
	g++ -O2 -g -Wl,--build-id=sha1 prog.cc -o prog
	id=$(readelf -n prog | sed -n 's/.*Build ID: //p')
	va=$(nm prog | sed -nE 's/^0*([0-9a-f]+) T _ZN3app4work.*/\1/p')
	"$KILN" symbolize -e prog "$va" >wanted
	objcopy --only-keep-debug prog whole.debug
	strip prog
	assert_eq "a stripped one" "$("$KILN" symbolize -e prog "$va" | tr '\n' ' ')" '?? ??:0 '
	"$KILN" symbolize -e whole.debug "$va" | diff - wanted || fail "the debug file itself differs"
	mkdir -p "dir/.build-id/${id:0:2}"
	cp whole.debug "dir/.build-id/${id:0:2}/${id:2}.debug"
	"$KILN" symbolize --debug-dir dir -e prog "$va" | diff - wanted || fail "--debug-dir differs"
	mkdir .debug
	cp whole.debug .debug/prog.debug
	objcopy --add-gnu-debuglink=.debug/prog.debug prog
	"$KILN" symbolize -e ./prog "$va" | diff - wanted || fail "a debug link differs"
}

# Addresses of object files count from .text.
test_object_file() {
	printf 'int first(int x) { return x * 3; }\n\nint second(int x) { return x * 5; }\n' >o.c
	gcc -O1 -g -c o.c -o o.ko
	local va
	va=$(nm o.ko | awk '$3 == "second" { print $1 }')
	"$KILN" symbolize -s -e o.ko "$va" >out
	assert_eq "answer" "$(tr '\n' ' ' <out)" 'second o.c:3 '
}

test_wrong_usage_and_files() {
	build_prog
	assert_status 2 "$KILN" symbolize
	assert_status 2 "$KILN" symbolize -e prog main
	assert_match "message" err '"main" is no hexadecimal address'
	assert_status 2 "$KILN" symbolize -e prog -j .txet 0
	assert_match "message" err 'prog has no section \.txet'
	assert_status 2 "$KILN" symbolize --debug-dir missing -e prog 0
	assert_status 2 "$KILN" symbolize -e prog --adresses 0
	assert_match "suggestion" err 'did you mean --addresses\?'
	assert_status 1 "$KILN" symbolize -e missing 0
	assert_match "message" err '^kiln: missing: No such file or directory$'
	assert_status 1 "$KILN" symbolize -e prog.cc 0
	assert_match "message" err '^kiln: prog\.cc: not an ELF file kiln reads$'
	assert_status 1 "$KILN" symbolize -e . 0
	head -c 1000 prog >cut.so
	assert_status 1 "$KILN" symbolize -e /dev/null 0
	"$KILN" symbolize -e cut.so "$(head -n 1 addresses)" >out 2>err || true
	assert_no_match "a name" out main
	local status=0
	"$KILN" symbolize -e prog 0 >/dev/full 2>err || status=$?
	assert_eq "status with a full device" "$status" 1
	assert_match "message" err 'No space left on device'
}

run_tests
