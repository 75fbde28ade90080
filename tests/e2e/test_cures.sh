#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Cures: each hint's command does what the hint says, on the program that it is for. Commands and options are
# taken from what kiln printed.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# Percent of samples with a function whose name matches.
share() { # FILE REGEX
	profile_py samples "$1" | awk -F '\t' -v want="$2" '{
		n = split($6, f, ";"); all += $1
		for (i = 1; i <= n; i++)
			if (f[i] ~ want) { hit += $1; break }
	} END { printf "%.1f\n", all ? 100 * hit / all : 0 }'
}

# A note begins with its module, and for a program of another name with that.
line_of() { # MODULE
	grep -E "^note: ${1//\[/\\[}( \([^)]*\))?: " said
}

note() { # MODULE: its line of the last recording
	line_of "$1" || { sed 's/^/#   /' said; fail "no note about $1"; }
}

# The options of a hint: what stands behind "start it with", up to a comma, bracket or the next hint.
options_of() { # PHRASE, hint on stdin
	sed -n "s/.*$1 //p" | sed 's/[,;(].*//; s/ to see.*//' | head -n 1
}

rows_of_notes() {
	grep -c '^note: ' said || true
}

# Two functions of hot code; what calls them lives for so many seconds.
write_js() {
	cat >hot.js <<-'JS'
		function inner(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) % 1000003; return s; }
		function outer(n) { let t = 0; for (let j = 0; j < n; j++) t += inner(1000); return t; }
		const end = Date.now() + 2500;
		let t = 0;
		while (Date.now() < end) t += outer(100);
		console.log(t);
	JS
}

test_node() {
	need_bpf
	command -v node >/dev/null || skip "no node"
	write_js
	"$KILN" record -o before.pb.gz -- node hot.js 2>said
	assert_at_most "before" "$(share before.pb.gz '(outer|inner) .*hot.js')" 1
	local options
	options=$(note '[jit]' | options_of 'start it with')
	assert_eq "options" "$options" '--perf-basic-prof --interpreted-frames-native-stack'
	# shellcheck disable=SC2086 # several options
	"$KILN" record -o after.pb.gz -- node $options hot.js 2>said
	assert_at_least "after" "$(share after.pb.gz '(outer|inner) .*hot.js')" 80
	assert_no_match "what is left to cure" said '^note: \[jit\].*without a name'
}

# What V8 interprets has no names in a perf map, unless each function has a frame of its own.
test_node_interpreted() {
	need_bpf
	command -v node >/dev/null || skip "no node"
	write_js
	"$KILN" record -o before.pb.gz -- node --no-opt --no-sparkplug hot.js 2>said
	local options
	options=$(note '(node|libnode\.so\..*)' | options_of 'start node with')
	# shellcheck disable=SC2086
	"$KILN" record -o after.pb.gz -- node $options --no-opt --no-sparkplug hot.js 2>said
	assert_at_most "before" "$(share before.pb.gz '(outer|inner) .*hot.js')" 1
	assert_at_least "after" "$(share after.pb.gz '(outer|inner) .*hot.js')" 80
	assert_no_match "what is left to cure" said 'code that it interprets'
}

write_java() {
	cat >Hot.java <<-'JAVA'
		public class Hot {
			static double inner(double x, int n) {
				for (int i = 0; i < n; i++) x = x * 1.0000001 + Math.sqrt(i);
				return x;
			}
			static double outer(int n) {
				double t = 0;
				for (int j = 0; j < n; j++) t += inner(j, 1000);
				return t;
			}
			public static void main(String[] a) {
				long end = System.nanoTime() + Long.parseLong(a[0]) * 1_000_000_000L;
				double t = 0;
				while (System.nanoTime() < end) t += outer(100);
				System.out.println(t);
			}
		}
	JAVA
	javac --release 17 Hot.java
}

# Each JVM from 17 on that is here: they differ in the options that they refuse.
each_jvm() { # COMMAND... with the JVM's bin directory behind
	local bin any=''
	for bin in /usr/lib/jvm/*/bin; do
		[ -x "$bin/java" ] && [ ! -L "${bin%/bin}" ] || continue
		"$bin/java" -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit -version >/dev/null 2>&1 || continue
		any=1
		"$@" "$bin"
	done
	[ -n "$any" ] || skip "no JVM from 17 on"
}

jvm_from_start() { # BIN
	"$KILN" record -o before.pb.gz -- "$1/java" -cp . Hot 3 2>said
	local options
	options=$(note '[jit]' | options_of 'start it with')
	assert_match "in the order that a JVM wants" <(echo "$options") '^-XX:.Unlock.* -XX:.DumpPerfMapAtExit'
	# shellcheck disable=SC2086
	"$KILN" record -o after.pb.gz -- "$1/java" $options -cp . Hot 3 2>said
	assert_at_most "before, $1" "$(share before.pb.gz 'Hot.(inner|outer)')" 1
	assert_at_least "after, $1" "$(share after.pb.gz 'Hot.(inner|outer)')" 80
}

jvm_that_runs() { # BIN
	start "$1/java" -XX:+PreserveFramePointer -cp . Hot 30 >out
	sleep 2
	"$KILN" record -p "$started" -d 2 -o before.pb.gz 2>said
	local command
	command=$(note '[jit]' | sed -n 's/[^`]*`\([^`]*\)`.*/\1/p')
	assert_match "its own number" <(echo "$command") "^jcmd $started Compiler.perfmap"
	PATH=$1:$PATH bash -c "$command" >jcmd.log
	"$KILN" record -p "$started" -d 2 -o after.pb.gz 2>said
	kill "$started"
	rm -f "/tmp/perf-$started.map"
	assert_at_most "before, $1" "$(share before.pb.gz 'Hot.(inner|outer)')" 1
	assert_at_least "after, $1" "$(share after.pb.gz 'Hot.(inner|outer)')" 90
}

test_jvm_from_its_start() {
	need_bpf
	command -v javac >/dev/null || skip "no JDK"
	write_java
	each_jvm jvm_from_start
}

test_jvm_that_runs() {
	need_bpf
	command -v javac jcmd >/dev/null || skip "no JDK"
	write_java
	each_jvm jvm_that_runs
}

test_mono() {
	need_bpf
	command -v mono mcs >/dev/null || skip "no mono"
	cat >hot.cs <<-'CS'
		class Hot {
			static int Inner(int n) { return n < 2 ? n : Inner(n - 1) + Inner(n - 2); }
			static void Main() { System.Console.WriteLine(Inner(38)); }
		}
	CS
	mcs hot.cs
	"$KILN" record -o before.pb.gz -- mono hot.exe 2>said
	local options
	options=$(note '[jit]' | options_of 'has no perf map: start it with')
	# shellcheck disable=SC2086
	"$KILN" record -o after.pb.gz -- mono $options hot.exe 2>said
	assert_at_most "before" "$(share before.pb.gz 'Hot:Inner')" 1
	assert_at_least "after" "$(share after.pb.gz 'Hot:Inner')" 80
}

test_php() {
	need_bpf
	command -v php >/dev/null || skip "no php"
	cat >hot.php <<-'PHP'
		<?php
		function inner($n) { $s = 0; for ($i = 0; $i < $n; $i++) { $s += $i * 3 % 7; } return $s; }
		function outer($n) { $t = 0; for ($j = 0; $j < $n; $j++) $t += inner(1000); return $t; }
		$end = microtime(true) + 2.5;
		$t = 0;
		while (microtime(true) < $end) $t += outer(100);
		echo $t, "\n";
	PHP
	touch -d '1 hour ago' hot.php # opcache leaves fresh files alone
	"$KILN" record -o before.pb.gz -- php hot.php 2>said
	assert_match "what it is" said 'this is PHP; its functions are not shown'
	local options
	options=$(grep 'this is PHP' said | options_of 'start it with')
	php -d opcache.enable_cli=1 -d opcache.jit_buffer_size=1M -m | grep -q 'Zend OPcache' || skip "php has no opcache"
	# shellcheck disable=SC2086
	"$KILN" record -o after.pb.gz -- php $options hot.php 2>said
	assert_at_most "before" "$(share before.pb.gz '(inner|outer)$')" 1
	assert_at_least "after" "$(share after.pb.gz '(inner|outer)$')" 80
	assert_no_match "what is left to cure" said 'this is PHP'
	# a program whose JIT is on already, but writes nothing
	"$KILN" record -o before.pb.gz -- php -d opcache.enable_cli=1 -d opcache.jit_buffer_size=64M \
		-d opcache.jit=function hot.php 2>said
	options=$(note '[jit]' | options_of 'start it with')
	# shellcheck disable=SC2086
	"$KILN" record -o after.pb.gz -- php $options -d opcache.enable_cli=1 -d opcache.jit_buffer_size=64M \
		-d opcache.jit=function hot.php 2>said
	assert_at_least "with a map" "$(share after.pb.gz '(inner|outer)$')" 80
}

write_python() {
	cat >hot.py <<-'PY'
		import time
		def inner(n):
		    return n if n < 2 else inner(n - 1) + inner(n - 2)
		end = time.time() + 2.5
		while time.time() < end:
		    inner(15)
	PY
}

# All that are here, one a minor version: the newest and those in the directories of pyenv.
pythons() {
	local p v
	for p in /usr/bin/python3 /usr/local/bin/python3 ~/.pyenv/versions/3.*/bin/python3; do
		[ -x "$p" ] || continue
		v=$("$p" -c 'import sys; print(sys.version_info[1])') || continue
		echo "$v $(readlink -f "$p")"
	done | sort -n -u -k1,1
}

test_python_without_perf_support() {
	need_bpf
	write_python
	local python
	python=$(pythons | awk '$1 < 12 && $1 >= 8 { print $2 }' | tail -n 1)
	[ -n "$python" ] || skip "no Python older than 3.12"
	"$KILN" record -o p.pb.gz -- "$python" hot.py 2>said
	assert_match "what it is" said 'this is Python 3\.[0-9]+; its functions are not shown: use 3\.12 or newer'
	"$KILN" report p.pb.gz >out
	assert_match "in a later report" out 'this is Python 3\.[0-9]+; its functions are not shown'
	"$KILN" report p.pb.gz --json | python3 -c 'import json, sys; print([b["hint"] for b in json.load(sys.stdin)["quality"]["blame"]])' >out
	assert_match "in JSON" out 'this is Python'
}

test_python() {
	need_bpf
	write_python
	local version python any=''
	while read -r version python; do
		[ "$version" -ge 12 ] || continue
		any=1
		"$KILN" record -o before.pb.gz -- "$python" hot.py 2>said
		assert_match "what it is" said "this is Python 3.$version; its functions are not shown: start it with -X perf, or"
		"$KILN" record -o after.pb.gz -- "$python" -X perf hot.py 2>said
		assert_at_most "before" "$(share before.pb.gz '^py::inner')" 0
		assert_at_least "by -X perf" "$(share after.pb.gz '^py::inner')" 80
		assert_no_match "what is left to cure" said 'this is Python'
		PYTHONPERFSUPPORT=1 "$KILN" record -q -o after.pb.gz -- "$python" hot.py
		assert_at_least "by the environment" "$(share after.pb.gz '^py::inner')" 80
	done < <(pythons)
	[ -n "$any" ] || skip "no Python from 3.12 on"
}

test_ruby() {
	need_bpf
	command -v ruby >/dev/null || skip "no ruby"
	local version
	version=$(ruby -e 'print RUBY_VERSION[/^[0-9]+\.[0-9]+/]')
	"$KILN" record -o p.pb.gz -- ruby -e 'n = 0; n += 1 while Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) < 1' 2>said
	if dpkg --compare-versions "$version" ge 3.3; then
		assert_match "what there is" said 'this is Ruby[ 0-9.]*; its functions are not shown: start it with --yjit --yjit-perf'
	else
		assert_match "what fits its version" said "this is Ruby $version; its functions are not shown: use 3.3 or newer"
	fi
}

write_lua() {
	cat >hot.lua <<-'LUA'
		local function inner(n) local s = 0 for i = 1, n do s = (s * 31 + i) % 1000003 end return s end
		local e, t = os.clock() + 1.5, 0
		while os.clock() < e do t = t + inner(1000) end
		print(t)
	LUA
}

# Debian's are stripped: nothing but their files tells what they are.
test_lua() {
	need_bpf
	local lua any=''
	write_lua
	for lua in lua5.4 lua5.3 "luajit -joff"; do
		command -v "${lua% *}" >/dev/null || continue
		any=1
		# shellcheck disable=SC2086
		"$KILN" record -o p.pb.gz -- $lua hot.lua 2>said
		assert_match "what $lua is" said "% of samples run code that it interprets.* [Tt]his is Lua(JIT)?; its functions are not shown"
	done
	[ -n "$any" ] || skip "no Lua"
}

test_luajit() {
	need_bpf
	command -v luajit >/dev/null || skip "no luajit"
	write_lua
	"$KILN" record -o p.pb.gz -- luajit hot.lua 2>said
	note '[jit]' >hint
	assert_match "what it has instead" hint 'try its own profiler, -jp\)'
	luajit -jp=f hot.lua >out
	assert_match "names of that" out 'inner'
}

test_erlang() {
	need_bpf
	command -v erl >/dev/null || skip "no erl"
	cat >hot.erl <<-'ERL'
		-module(hot).
		-export([main/0]).
		inner(0, S) -> S;
		inner(N, S) -> inner(N - 1, (S * 31 + N) rem 1000003).
		main() -> main(erlang:monotonic_time(millisecond) + 2500).
		main(End) ->
			inner(100000, 0),
			case erlang:monotonic_time(millisecond) < End of true -> main(End); false -> halt() end.
	ERL
	erlc hot.erl
	"$KILN" record -o before.pb.gz -- erl -noshell -s hot main 2>said
	local options
	options=$(note '[jit]' | options_of 'start it with')
	# shellcheck disable=SC2086
	"$KILN" record -o after.pb.gz -- erl $options -noshell -s hot main 2>said
	assert_at_most "before" "$(share before.pb.gz 'hot:inner')" 1
	assert_at_least "after" "$(share after.pb.gz 'hot:inner')" 80
	assert_no_match "the option that it was started with" said '^note: \[jit\].*JPperf'
}

# --- debug symbols of packages ---------------------------------------------------------------------

# A stripped server and its debug file. Most of its functions are exported, and have names all the same.
write_server() {
	cat >server.c <<-'C'
		#include <time.h>
		static volatile unsigned n;
		__attribute__((noinline)) static void hidden(void)
		{
			for (int i = 0; i < 100000; i++)
				n = n * 3 + 1;
		}
		__attribute__((noinline)) void shown(void)
		{
			for (int i = 0; i < 900000; i++)
				n = n * 3 + 1;
		}
		int main(void)
		{
			while (clock() < 2 * CLOCKS_PER_SEC) {
				shown();
				hidden();
			}
			return 0;
		}
	C
	gcc -O2 -g -rdynamic -Wl,--build-id=sha1 -o server server.c
	objcopy --only-keep-debug server server.debug
	strip server
}

# Runs a script in a mount namespace whose dpkg knows the server, and that has no debug files.
on_its_host() { # SCRIPT
	mkdir -p info debug
	printf '/.\n%s\n%s/server\n' "$T" "$T" >info/server-tools:amd64.list
	unshare -m bash -ec "mount --bind '$T/info' /var/lib/dpkg/info; mount --bind '$T/debug' /usr/lib/debug; $1"
}

test_package_of_debug_symbols() {
	need_bpf
	need_root
	need gcc
	grep -q '^ID=debian' /etc/os-release || skip "not Debian"
	write_server
	mkdir -p /usr/lib/debug
	local id
	id=$(readelf -n server | awk '/Build ID/ { print $3 }')
	on_its_host "'$KILN' record -F 499 -o before.pb.gz -- ./server" 2>said
	assert_match "the package" said \
		'^note: server: [0-9.]+ % of samples have a frame in it without a name\. stripped: apt install server-tools-dbgsym, if there is one \(deb http://deb.debian.org/debian-debug [a-z]+-debug main\)$'
	mkdir -p "debug/.build-id/${id:0:2}"
	cp server.debug "debug/.build-id/${id:0:2}/${id:2}.debug"
	on_its_host "'$KILN' record -F 499 -o after.pb.gz -- ./server" 2>said
	assert_at_most "before" "$(share before.pb.gz '^hidden$')" 0
	assert_at_least "after" "$(share after.pb.gz '^hidden$')" 4
	assert_no_match "what is left to cure" said 'without a name'
}

# Whatever runs here: the package is the one that dpkg says.
test_packages_as_dpkg_says() {
	need_bpf
	command -v dpkg >/dev/null && grep -q '^ID=debian' /etc/os-release || skip "not Debian"
	local program package path any=''
	for program in /usr/bin/redis-server /usr/sbin/nginx /usr/lib/postgresql/*/bin/postgres /usr/bin/perl; do
		[ -x "$program" ] || continue
		path=$(readlink -f "$program")
		package=$(dpkg -S "$path" 2>/dev/null | sed 's/[:,].*//' | head -n 1)
		[ -n "$package" ] || continue
		# a program that only tells its version has few samples: as many as are needed
		"$KILN" record -F 9999 -o p.pb.gz -- bash -c "for i in {1..30}; do $program --version || $program -v; done" \
			>out 2>said || continue
		line_of "${path##*/}" >hint || continue
		assert_match "the package of $program" hint "stripped: apt install $package-(dbg|dbgsym)|python|libc6-dbg"
		any=1
	done
	[ -n "$any" ] || skip "no stripped program of a package had samples enough"
}

# The archive itself, where this machine may ask it.
test_debug_archive() {
	need_bpf
	need_root
	[ -x /usr/bin/redis-server ] && grep -q '^ID=debian' /etc/os-release || skip "no redis of Debian's"
	start redis-server --port 0 --unixsocket "$T/sock" --save '' >log
	local server=$started
	wait_until 5 test -S sock
	start redis-benchmark -s "$T/sock" -q -n 100000000 -t set >log2
	"$KILN" record -p "$server" -d 2 -o before.pb.gz 2>said
	grep -q 'apt install redis-tools-dbgsym' said || { sed 's/^/#   /' said; fail "no package for redis"; }
	mkdir -p lists/partial cache/archives/partial
	sed -n 's/.*(\(deb [^)]*\)).*/\1/p' said | head -n 1 >sources.list
	assert_match "a line for apt" sources.list '^deb http://deb.debian.org/debian-debug [a-z]+-debug main$'
	local apt="-o Dir::Etc::sourcelist=$T/sources.list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$T/lists -o Dir::Cache=$T/cache"
	# shellcheck disable=SC2086
	timeout 60 apt-get update $apt >apt.log 2>&1 && ! grep -q '^E:' apt.log || skip "the debug archive cannot be asked"
	# shellcheck disable=SC2086
	apt-get download $apt redis-tools-dbgsym >apt.log 2>&1 || skip "no such package for this version"
}

# Where a package of the main archive has them, apt knows it.
test_packages_of_the_main_archive() {
	command -v apt-cache >/dev/null && grep -q '^ID=debian' /etc/os-release || skip "not Debian"
	local package
	[ -n "$(apt-cache madison libc6 2>/dev/null)" ] || skip "apt has no lists"
	for package in libc6-dbg openjdk-17-dbg python3.11-dbg; do
		[ -n "$(apt-cache madison "${package%-dbg}" "${package%-dbg}-jre" 2>/dev/null)" ] || continue
		[ -n "$(apt-cache madison "$package")" ] || fail "apt knows no $package"
	done
}

# --- what is said, and when ---------------------------------------------------------------------------

test_few_lines_and_no_zero() {
	need_bpf
	start sh -c 'while :; do :; done' # an idle machine has no samples
	"$KILN" record -a -d 2 -F 499 -o p.pb.gz 2>said
	assert_at_most "notes" "$(rows_of_notes)" 5
	assert_no_match "nothing" said '^note:.* 0\.0 %'
	assert_at_most "lines about an archive" "$(grep -c '(deb http' said)" 1
}

test_the_true_cause_comes_first() {
	need_bpf
	assert_status 127 "$KILN" record -- no-such-command
	assert_eq "all that is said" "$(cat err)" "kiln: no-such-command: command not found"
	assert_status 127 "$KILN" record --delay 1 -- no-such-command
	assert_eq "all that is said" "$(cat err)" "kiln: no-such-command: command not found"
	assert_status 3 "$KILN" record -- true
	assert_no_match "timers" err 'timers'
}

# On one terminal, lines of a command stay whole.
test_no_progress_between_the_lines_of_a_command() {
	need_bpf
	need script
	TERM=xterm script -q -e -c "'$KILN' record -F 499 -o p.pb.gz -- sh -c 'i=0; while [ \$i -lt 300000 ]; do i=\$((i+1)); done; echo whole line'" \
		/dev/null </dev/null >screen
	tr -d '\r' <screen >lines
	assert_match "the command's line" lines '^whole line$'
	assert_no_match "progress" lines ' lost $'
	start "$WORKLOADS/deep" 60 # an idle machine has no samples
	TERM=xterm script -q -e -c "'$KILN' record -a -d 1 -F 499 -o p.pb.gz" /dev/null </dev/null >screen
	assert_match "progress where no command writes" screen 's  [0-9,]+ samples'
}

run_tests "$@"
