#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln symbolize: addresses as addr2line and llvm-symbolizer answer them, profiles as go's pprof does
# and as if they had been recorded with everything at hand.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

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
# is nobody knows, newer demanglers write ">>", and some begin what is local to a function template with
# the return type of that function.
blocks() { # FILE; every answer begins with an address
	sed -E 's/ \(discriminator [0-9]+\)//; s/\.cold//; s/D2Ev/D1Ev/; :a; s/> >/>>/; ta
		s/\bvoid ([^|]*\)::)/\1/; s/^0x0*([0-9a-f])/0x\1/' "$1" |
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
	assert_match "a warning" err '^kiln: warning: 10 lines of the input are not hexadecimal$'
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
	assert_match "message" err '"main" is not a hexadecimal address'
	assert_status 2 "$KILN" symbolize -e prog -j .txet 0
	assert_match "message" err 'prog has no section \.txet'
	assert_status 2 "$KILN" symbolize --debug-dir missing -e prog 0
	assert_status 2 "$KILN" symbolize -e prog --adresses 0
	assert_match "suggestion" err 'did you mean --addresses\?'
	assert_status 1 "$KILN" symbolize -e missing 0
	assert_match "message" err '^kiln: missing: No such file or directory$'
	assert_status 1 "$KILN" symbolize -e prog.cc 0
	assert_match "message" err '^kiln: prog\.cc: not an ELF file that kiln can read$'
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

# --- profiles ---------------------------------------------------------------------------------------

strip_names() {
	python3 "$SRC/tests/lib/strip_names.py" "$@"
}

# All that is not a name: values, labels and depth (without inlined calls) of the samples in their
# order, comments, header.
facts() { # FILE
	local what
	for what in comments labels header; do
		profile_py "$what" "$1"
	done
	go tool pprof -symbolize=none -raw "$1" | sed -n '/^Samples/,/^Locations/p'
	go tool pprof -symbolize=none -raw "$1" | sed -n '/^Mappings/,$p' | sed -E 's/ *(\[[A-Z]+\])*$//'
}

assert_same_facts() { # FILE FILE
	facts "$1" >facts.1
	facts "$2" >facts.2
	assert_at_least "facts" "$(wc -l <facts.1)" 5
	diff facts.1 facts.2 >differs || { head -n 6 differs | sed 's/^/# /'; fail "$2 says otherwise"; }
}

# ./prog of go's compiler and its own profile go.pb.gz, which has its path. Made once for all tests.
build_go() {
	[ -e "$T/../go/go.pb.gz" ] || (mkdir -p "$T/../go" && cd "$T/../go" && make_go)
	strip_names --file "$T/prog" <"$T/../go/go.pb.gz" >bare.pb
	cp -p "$T/../go/prog" "$T/../go/go.pb.gz" .
}

make_go() {
	mkdir -p src
	cat >src/main.go <<-'END'
		package main

		import (
			"os"
			"runtime/pprof"
			"sort"
			"time"
		)

		func square(x int) int { return x*x + 1 }

		//go:noinline
		func work(v []int) int {
			s := 0
			for _, x := range v {
				s += square(x)
			}
			return s
		}

		func main() {
			f, _ := os.Create(os.Args[1])
			pprof.StartCPUProfile(f)
			v := make([]int, 10000)
			for t := time.Now(); time.Since(t) < time.Second; {
				for i := range v {
					v[i] = (i * 7919) % 10007
				}
				sort.Ints(v)
				v[0] = work(v)
			}
			pprof.StopCPUProfile()
			f.Close()
		}
	END
	(cd src && GOFLAGS="" GO111MODULE=off HOME=$PWD GOCACHE=$PWD/cache go build \
		-ldflags=-B=0x00112233445566778899aabbccddeeff00112233 -o ../prog main.go)
	./prog go.pb.gz
}

# "ADDRESS FUNCTION FILE:LINE" and a line without address for each outer one.
locations() { # FILE
	go tool pprof -symbolize=none -raw "$1" 2>/dev/null | sed -n '/^Locations/,/^Mappings/p' |
		sed -E 's/^ +[0-9]+: //; s/ M=[0-9]+//; s/ s=-?[0-9]+(\(inline\))?.*//; s/\.abi0//; s/(:[0-9]+):0$/\1/'
}

# Go's profiles have the addresses of the process, and Go's own names to compare with.
test_profile_of_go() {
	need go
	build_go
	assert_status 0 "$KILN" symbolize bare.pb -o named.pb.gz
	assert_match "result" err 'addresses got better names, 0 still without$'
	assert_same_facts bare.pb named.pb.gz
	locations go.pb.gz | blocks - >theirs
	locations named.pb.gz | blocks - >ours
	assert_at_least "locations" "$(wc -l <ours)" 10
	# Go's own tables and its DWARF say different things of a few calls within calls.
	diff theirs ours | sed 's/^/# /' || true
	assert_at_least "per cent that agree" $((100 * $(comm -12 theirs ours | wc -l) / $(wc -l <theirs))) 90
	assert_match "flags" <(go tool pprof -symbolize=none -raw named.pb.gz) '/prog .*\[FN\]\[FL\]\[LN\]\[IN\]$'
	"$KILN" symbolize go.pb.gz -o again.pb.gz 2>err
	assert_match "what has names is left alone" err '^kiln: 0 of 0 addresses got better names'
	assert_same_facts go.pb.gz again.pb.gz
}

# A moved program is found by its build id, in directories and as a debug file alone.
test_where_files_are_found() {
	need go
	build_go
	"$KILN" symbolize bare.pb -o wanted.pb 2>err
	mkdir -p moved by-id/.build-id/00 debug/.build-id/00
	mv prog moved/prog
	assert_status 0 "$KILN" symbolize bare.pb -o none.pb
	assert_match "whom to ask" err '^kiln: debug information that is not here: --debuginfod.* asks servers for it$'
	assert_match "what to do" err '^kiln: prog \(build id 0011223344556677\.\.\.\): [0-9,]+ of .* without a name: no file with this build id here; install its debug package, or give --exe-dir or --debug-dir$'
	"$KILN" symbolize bare.pb --exe-dir moved -o a.pb 2>err
	cmp a.pb wanted.pb || fail "--exe-dir differs"
	cp moved/prog by-id/.build-id/00/112233445566778899aabbccddeeff00112233
	"$KILN" symbolize bare.pb --debug-dir by-id -o b.pb 2>err
	cmp b.pb wanted.pb || fail "an executable by build id differs"
	objcopy --only-keep-debug moved/prog debug/.build-id/00/112233445566778899aabbccddeeff00112233.debug
	"$KILN" symbolize bare.pb --debug-dir debug -o c.pb 2>err
	locations wanted.pb | blocks - >wanted
	locations c.pb | blocks - >got
	# Go's table of functions is not in it, and DWARF says other things of some calls within calls.
	assert_at_least "per cent that agree with a debug file alone" \
		$((100 * $(comm -12 wanted got | wc -l) / $(wc -l <wanted))) 80
	# another program under its name
	cp "$(command -v sleep)" prog
	assert_status 0 "$KILN" symbolize bare.pb -o none.pb
	assert_match "what is wrong" err 'the file at its path now has another build id'
	assert_no_match "a wrong name" <(go tool pprof -symbolize=none -raw none.pb) main
	# the same without a build id to tell: newer than the profile
	strip_names --no-ids --file "$T/prog" <go.pb.gz >anonymous.pb
	touch -d '1 day' prog
	assert_status 0 "$KILN" symbolize anonymous.pb -o none.pb
	assert_match "what is wrong" err 'the file has changed since, and there is no build id to compare'
	assert_status 0 "$KILN" symbolize anonymous.pb --exe-dir moved -o d.pb
	assert_eq "names without a build id" "$(locations d.pb)" "$(locations wanted.pb)"
}

build_burn() {
	cat >burn.c <<-'END'
		#include <stdlib.h>
		#include <time.h>
		static volatile unsigned sink;
		static inline unsigned mix(unsigned x) { return (x ^ x >> 7) * 2654435761u; }
		__attribute__((noinline)) static unsigned inner(unsigned n)
		{
			unsigned x = n;

			for (unsigned i = 0; i < 100000; i++)
				x = mix(x + i);
			return sink = x;
		}
		__attribute__((noinline)) static unsigned outer(unsigned n) { return inner(n) + 1; }
		int main(void)
		{
			unsigned s = 0;

			while (clock() < 2 * CLOCKS_PER_SEC)
				s += outer(s);
			return s == 1;
		}
	END
	gcc -O2 -g -Wl,--build-id=sha1 burn.c -o burn
}

# Recorded of a stripped program; its debug file comes later.
test_own_profile() {
	need_bpf
	need go
	build_burn
	local id
	id=$(build_id burn)
	mkdir -p "debug/.build-id/${id:0:2}"
	objcopy --only-keep-debug burn "debug/.build-id/${id:0:2}/${id:2}.debug"
	strip burn
	"$KILN" record -q -F 499 -l test=x -o p.pb.gz -- ./burn
	assert_match "no names yet" <(profile_py samples p.pb.gz) 'burn\+sub_[0-9a-f]+;burn\+sub_'
	assert_status 0 "$KILN" symbolize p.pb.gz --debug-dir debug -o named.pb.gz
	assert_same_facts p.pb.gz named.pb.gz
	assert_no_match "a placeholder" <(profile_py samples named.pb.gz) 'burn\+'
	assert_at_least "share of inlined calls" \
		"$(profile_share named.pb.gz "$(in_stack 'main;outer;inner;mix')")" 20
	assert_at_least "share of main" "$(profile_share named.pb.gz "$(in_stack 'main;outer;inner')")" 90
	assert_status 0 "$KILN" symbolize p.pb.gz --debug-dir debug --no-lines -o names.pb.gz
	assert_same_facts p.pb.gz names.pb.gz
	assert_eq "inlined calls with --no-lines" "$(profile_share names.pb.gz "$(in_stack mix)")" 0.00
	assert_at_least "names with --no-lines" \
		"$(profile_share names.pb.gz "$(in_stack 'main;outer;inner')")" 90
	# one that has names, but no lines
	assert_status 0 "$KILN" symbolize names.pb.gz --debug-dir debug -o more.pb.gz
	assert_eq "lines added to names" "$(locations more.pb.gz)" "$(locations named.pb.gz)"
}

test_profile_ways() {
	need go zstd
	build_go
	"$KILN" symbolize bare.pb -o wanted.pb 2>err
	gzip -k bare.pb
	zstd -q bare.pb
	"$KILN" symbolize bare.pb.gz -o a.pb -q 2>err
	assert_eq "talk with -q" "$(cat err)" ""
	cmp a.pb wanted.pb || fail "gzip differs"
	"$KILN" symbolize bare.pb.zst -o - 2>err | gzip -d | cmp - wanted.pb || fail "-o - is no gzip of it"
	"$KILN" symbolize - -o - --format pb <bare.pb 2>err | cmp - wanted.pb || fail "standard input differs"
	"$KILN" symbolize bare.pb -o bare.pb 2>err
	cmp bare.pb wanted.pb || fail "in place differs"
	"$KILN" symbolize bare.pb.gz -o named.folded 2>err
	assert_match "folded" named.folded 'main\.main'
	assert_status 2 "$KILN" symbolize bare.pb
	assert_match "message" err 'no output file: give -o FILE'
	assert_status 2 "$KILN" symbolize bare.pb bare.pb -o out.pb
	assert_status 2 "$KILN" symbolize bare.pb -o out.xyz
	assert_status 2 "$KILN" symbolize bare.pb --exe-dir missing -o out.pb
	assert_status 1 "$KILN" symbolize prog -o out.pb
	assert_match "message" err 'a program, not a pprof profile'
	assert_status 1 "$KILN" symbolize bare.pb -o missing/out.pb
	assert_no_file out.pb out.xyz
}

# The path in a profile comes from strangers.
test_hostile_paths() {
	need go
	build_go
	local path
	mkfifo fifo
	mkdir empty
	for path in /dev/zero /dev/tty "$T/fifo" /proc/self/mem "$T" relative/prog ../../prog '' "$(printf '%5000s' x)" \
		"$T/prog.go (deleted)" $'/\e[2J'; do
		strip_names --no-ids --file "$path" <go.pb.gz >bare.pb
		assert_status 0 timeout 20 "$KILN" symbolize bare.pb --exe-dir empty -o out.pb
		assert_no_match "a name" <(go tool pprof -symbolize=none -raw out.pb) main
		assert_no_match "an escape" err $'\e'
	done
}

# --- debuginfod -------------------------------------------------------------------------------------

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A real server at $url, which has the debug file of ./burn, which has none any more.
start_debuginfod() {
	build_burn
	mkdir store
	objcopy --only-keep-debug burn store/burn.debug
	strip burn
	local port
	port=$(free_port)
	url=http://127.0.0.1:$port
	export DEBUGINFOD_CACHE_PATH=$T/cache no_proxy=127.0.0.1
	start debuginfod -p "$port" -d db.sqlite -F -t 0 store >server.log 2>&1
	wait_until 60 grep -q 'serving\|buildids 1\|groom' server.log
	wait_until 60 curl -sf -o /dev/null "$url/buildid/$(build_id burn)/debuginfo"
}

build_id() {
	readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

test_debuginfod() {
	need_bpf
	need debuginfod curl
	local url
	start_debuginfod
	"$KILN" record -q -F 499 -o p.pb.gz -- ./burn
	assert_status 0 "$KILN" symbolize p.pb.gz -o none.pb.gz
	assert_match "nobody is asked without being told to" err 'burn .* without a name'
	assert_status 0 "$KILN" symbolize p.pb.gz "--debuginfod=$url" -o named.pb.gz
	assert_match "what came" err '^kiln: debuginfod: 1 of [0-9]+ debug files came'
	assert_same_facts p.pb.gz named.pb.gz
	assert_at_least "share of inlined calls" \
		"$(profile_share named.pb.gz "$(in_stack 'main;outer;inner;mix')")" 20
	DEBUGINFOD_URLS=$url "$KILN" symbolize p.pb.gz --debuginfod -o again.pb -q
	assert_eq "by the environment" "$(locations again.pb)" "$(locations named.pb.gz)"
	local va
	va=$(nm store/burn.debug | awk '$3 == "main" { print $1 }')
	assert_eq "an address" "$("$KILN" symbolize -q "--debuginfod=$url" --no-inlines -e burn "$va" | head -n 1)" main
	assert_eq "requests for it" "$(grep -c "GET /buildid/$(build_id burn)/debuginfo 200.*elfutils\|elfutils.*GET /buildid/$(build_id burn)/debuginfo 200" server.log)" 1
}

# What was fetched in time, here from the cache, is in the recording itself.
test_debuginfod_record() {
	need_bpf
	need debuginfod curl
	local url
	start_debuginfod
	"$KILN" symbolize -q "--debuginfod=$url" -e burn 0 >out
	assert_status 0 "$KILN" record -F 499 --window 500ms "--debuginfod=$url" -o p.pb.gz -- ./burn
	assert_match "what came" err 'debuginfod: 1 of [0-9]+ debug files came'
	assert_at_least "share of inlined calls" \
		"$(profile_share p.pb.gz "$(in_stack 'main;outer;inner;mix')")" 20
}

# A server that never answers: the profile is there all the same, and at once.
test_debuginfod_hangs() {
	need_bpf
	build_burn
	strip burn
	export DEBUGINFOD_CACHE_PATH=$T/cache
	start python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(9)
print(s.getsockname()[1], flush=True); time.sleep(600)' >port
	wait_until 30 test -s port
	assert_status 0 timeout 60 "$KILN" record -F 499 --window 500ms \
		"--debuginfod=http://127.0.0.1:$(cat port)" -o p.pb.gz -- ./burn
	assert_match "what did not come" err 'debuginfod: 0 of [0-9]+ debug files came, .*did not come in time'
	assert_match "the profile" <(profile_py samples p.pb.gz) 'burn\+sub_'
	assert_status 0 timeout 60 "$KILN" symbolize p.pb.gz --debuginfod-timeout 200ms \
		"--debuginfod=http://127.0.0.1:$(cat port)" -o q.pb.gz
	assert_match "what did not come" err 'did not come in time'
	assert_same_facts p.pb.gz q.pb.gz
}

# Where the debug file is not here, and nobody was asked for it.
test_debuginfod_is_advised() {
	build_burn
	unset DEBUGINFOD_URLS
	local va
	va=$(nm burn | awk '$3 == "main" { print $1 }')
	assert_status 0 "$KILN" symbolize -e burn "$va"
	assert_eq "all is here" "$(cat err)" ""
	strip -g burn
	assert_status 0 "$KILN" symbolize -e burn "$va"
	assert_eq "answer" "$(xargs <out)" "main ??:0"
	assert_eq "how" "$(cat err)" \
		"kiln: no debug information here: --debuginfod=URL, or DEBUGINFOD_URLS and --debuginfod, asks servers for it"
	DEBUGINFOD_URLS=http://127.0.0.1:1 assert_status 0 "$KILN" symbolize -e burn "$va"
	assert_eq "known servers" "$(cat err)" "kiln: no debug information here: --debuginfod asks servers for it"
	DEBUGINFOD_URLS=http://127.0.0.1:1 assert_status 0 "$KILN" symbolize -q -e burn "$va"
	assert_eq "quiet" "$(cat err)" ""
	gcc -O1 -Wl,--build-id=none burn.c -o burn
	assert_status 0 "$KILN" symbolize -e burn 0
	assert_eq "nothing to ask for" "$(cat err)" ""
}

test_debuginfod_usage() {
	build_burn
	unset DEBUGINFOD_URLS
	assert_status 1 "$KILN" symbolize --debuginfod -e burn 0
	assert_match "message" err '^kiln: --debuginfod: no debuginfod server is named: .* DEBUGINFOD_URLS$'
	assert_status 125 "$KILN" record --debuginfod -- ./burn
	assert_status 2 "$KILN" symbolize --debuginfod-timeout soon -e burn 0
	assert_no_file ./*.pb.gz
}

run_tests
