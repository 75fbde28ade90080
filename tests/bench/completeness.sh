#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The share of user stacks that reach the first function of their thread, program by program: kiln
# beside perf record -g, perf record --call-graph dwarf,16384 and bpftrace's ustack, each over a
# recording of its own of the same load. All are judged by one rule, tests/lib/complete_stacks.py.
# "claimed" is what kiln's own counters say, "true" the share whose root is confirmed by what the load is known to
# run below it (THROUGH). bpftrace has no names for processes that are gone.
# Of the peers' recordings, what perf script and bpftrace can print in a minute.
# usage: completeness.sh [LOAD...]   (SECS=10 FREQ=997 PEERS="perf_fp perf_dwarf bpftrace" WORST=0)
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
SECS=${SECS:-10}
FREQ=${FREQ:-997}
PEERS=${PEERS-perf_fp perf_dwarf bpftrace}
WORST=${WORST:-0}
need python3 ${PEERS:+perf bpftrace}
FIXTURES=$SRC/tests/fixtures/unwind
MOUNT=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
GROUP=kiln-completeness-$$
trap 'stop_load; rmdir "$MOUNT/$GROUP"; rm -rf "$T"' EXIT
mkdir "$MOUNT/$GROUP" || exit 1

# --- loads: each is started in the cgroup that is recorded, by its function ------------------------

inside() { # COMMAND...
	(
		echo "$BASHPID" >"$MOUNT/$GROUP/cgroup.procs" && exec "$@"
	) </dev/null >>"$T/load.out" 2>&1 &
	disown
}
outside=()
beside() { # COMMAND...
	"$@" </dev/null >>"$T/load.out" 2>&1 &
	outside+=($!)
	disown
}
again_and_again() { # COMMAND...
	inside bash -c 'while :; do "$@"; done' again "$@"
}
stop_load() {
	[ ${#outside[@]} -eq 0 ] || kill -KILL "${outside[@]}" 2>/dev/null
	outside=()
	while grep -q 'populated 1' "$MOUNT/$GROUP/cgroup.events"; do
		xargs -r kill -KILL <"$MOUNT/$GROUP/cgroup.procs" 2>/dev/null
		sleep 0.1
	done
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A load that needs what this machine may lack says so, and is left out.
wants() { # COMMAND...
	local tool
	for tool; do
		command -v "$tool" >/dev/null || {
			echo "$name: $tool is missing: run tools/install-deps --bench"
			return 1
		}
	done
}

# Functions one of which is in each stack of the load, but for those of its start and end. Of the others: main() is
# what the C library calls as main(), if it has a name.
declare -A through=(
	[c++]='^main$'
	[rust]='^main$|^std::thread::|^std::sys::'
	[go]='^runtime\.'
	[go_gc]='^runtime\.'
	[go_cgo]='^runtime\.|^thread$'
	[openblas]='^main$|^start_thread$'
	[luajit]='^lua_p?c?call$'
	[node]='^node::Start|^node::.*Worker|^uv__|^v8::platform|^start_thread$'
)

load_redis() {
	local port
	port=$(free_port)
	inside redis-server --port "$port" --save '' --appendonly no
	sleep 1
	beside redis-benchmark -q -p "$port" -c 20 -n 1000000000 -t set,get,lpush,zadd
}
load_nginx() {
	local port
	port=$(free_port)
	mkdir -p "$T/www" "$T/logs"
	chmod 755 "$T" "$T/www"
	head -c 20000 /dev/urandom | base64 >"$T/www/page"
	cat >"$T/nginx.conf" <<-CONF
		daemon off; worker_processes 1; pid $T/nginx.pid; error_log $T/logs/error.log;
		events { worker_connections 256; }
		http {
			access_log off; gzip on; gzip_types *; keepalive_requests 1000000;
			client_body_temp_path $T/body; proxy_temp_path $T/proxy;
			fastcgi_temp_path $T/fastcgi; uwsgi_temp_path $T/uwsgi; scgi_temp_path $T/scgi;
			server { listen 127.0.0.1:$port; root $T/www; }
		}
	CONF
	inside nginx -e "$T/logs/error.log" -p "$T" -c "$T/nginx.conf"
	sleep 0.5
	beside wrk -d 1000 -c 8 -t 1 -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/page"
}
load_sqlite3() {
	again_and_again sqlite3 :memory: "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
		INSERT INTO t SELECT i, printf('%x', i * 7919 % 65537) FROM n; CREATE INDEX x ON t(b);
		SELECT count(*), max(upper(b)) FROM t GROUP BY substr(b, 1, 2) ORDER BY 2;"
}
load_python3() {
	inside /usr/bin/python3 -c '
import json, re, hashlib, zlib
data = {str(i): [i, i * 0.5, {"k": "v" * (i % 9)}] for i in range(2000)}
while True:
    text = json.dumps(data); json.loads(text); sorted(data, key=lambda k: hash(k))
    re.findall(r"(\d+)\.5", text); hashlib.sha256(text.encode()).digest(); zlib.compress(text.encode())
    sum(i * i % 7 for i in range(30000))'
}
node_script='const z = require("zlib"); const end = Date.now() + 1e9;
	function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
	while (Date.now() < end) { fib(22); const o = [];
		for (let i = 0; i < 20000; i++) o.push({ i, s: "x" + i % 77 });
		JSON.parse(JSON.stringify(o)).sort((a, b) => a.s < b.s ? -1 : 1);
		"a,b;c".repeat(5000).replace(/[,;]/g, m => m + m); z.deflateSync(Buffer.from(JSON.stringify(o))); }'
load_node() {
	inside node -e "$node_script"
}
# Its text lies on anonymous huge pages.
load_node_large() {
	inside node --use-largepages=silent -e "$node_script"
}
load_php() {
	# shellcheck disable=SC2016
	inside php -r 'while (true) { $a = []; for ($i = 0; $i < 50000; $i++) $a["k" . $i % 997][] = md5((string)$i);
		ksort($a); json_decode(json_encode($a)); preg_match_all("/[a-f]{3}/", implode($a["k1"]), $m);
		usort($a["k2"], fn($x, $y) => strcmp($x, $y)); gzcompress(serialize($a)); }'
}
# shellcheck disable=SC2016
php_script='function fib($n) { return $n < 2 ? $n : fib($n - 1) + fib($n - 2); }
	while (true) { fib(20); $a = []; for ($i = $s = 0; $i < 50000; $i++) { $s += $i % 7; $a[] = $s ^ $i; }
		usort($a, fn($x, $y) => $x <=> $y); md5(implode(",", $a)); }'
load_php_jit() {
	wants php || return 1
	printf '<?php\n%s\n' "$php_script" >"$T/jit.php"
	inside php -d opcache.enable_cli=1 -d opcache.jit_buffer_size=64M -d opcache.jit=tracing "$T/jit.php"
}
load_luajit() {
	wants luajit || return 1
	inside luajit -e 'while true do local t, s = {}, 0
		for i = 1, 1e5 do s = s + i % 7; t[i] = (s * 7919) % 65537 end
		table.sort(t); table.sort(t, function(a, b) return a > b end);
		("x"):rep(1e4):gsub("x", function(c) return c .. "y" end); table.concat(t, ",") end'
}
load_erlang() {
	wants erl || return 1
	inside erl -noshell -eval 'F = fun(G) -> L = [X * 7919 rem 65537 || X <- lists:seq(1, 100000)],
		lists:sum(lists:sort(L)), D = dict:from_list([{X, X} || X <- lists:sublist(L, 5000)]),
		erlang:md5(term_to_binary(dict:to_list(D))), G(G) end, spawn(fun() -> F(F) end), F(F).'
}
load_perl() {
	# shellcheck disable=SC2016
	inside perl -e 'use Digest::SHA; while (1) { my %h; $h{$_ % 997} .= sprintf("%x,", $_ * 7919) for 1 .. 100000;
		my @k = sort { $h{$a} cmp $h{$b} } keys %h; my $t = join "", @h{@k};
		$t =~ s/([a-f]+)/uc $1/ge; Digest::SHA::sha256_hex($t); }'
}
load_make() {
	cp -r "$SRC/Makefile" "$SRC"/{bpf,profiler,proto,symbolizer,tools,tests} "$T/" 2>/dev/null
	inside sh -c "cd $T && while :; do make -s -j2 B=$T/built; rm -rf $T/built; done"
}
load_git() {
	mkdir -p "$T/repo" && git -C "$T/repo" init -q
	python3 - <<-'PY' | git -C "$T/repo" fast-import --quiet
		for i in range(3000):
		    text = "\n".join(f"line {j} of {i // (j + 1)}" for j in range(200 + i % 100))
		    who = "A <a@example.org> %d +0000" % (1700000000 + i)
		    print(f"commit refs/heads/master\ncommitter {who}\ndata 4\nnone\n"
		          f"M 644 inline dir{i % 7}/file{i % 31}\ndata {len(text)}\n{text}")
	PY
	again_and_again sh -c "cd $T/repo && git log -p --stat >/dev/null; git gc -q --aggressive --prune=now; git log -S'line 7' --oneline | tail -n 1"
}
load_xz() {
	head -c 30000000 /dev/urandom | base64 >"$T/data"
	again_and_again sh -c "xz -T1 -3 -k -c $T/data | xz -dc >/dev/null"
}
load_openssl() {
	# shellcheck disable=SC2016
	again_and_again sh -c 'openssl speed -seconds 1 -bytes 1024 sha1 sha256 sha512 md5 rsa2048 ecdsap256 \
		ecdhx25519 ed25519 aes-128-cbc camellia-128-cbc ghash
		for a in aes-256-gcm chacha20-poly1305 sha3-256 aes-128-cbc-hmac-sha256; do
			openssl speed -seconds 1 -bytes 1024 -evp $a
		done'
}
# Assembly that keeps other things in rbp, in the main thread and in threads of its own.
load_openblas() {
	cat >"$T/blas.c" <<-'C'
		#include <cblas.h>
		#include <stdlib.h>
		int main(void)
		{
			enum { N = 300 };
			double *a = calloc(N * N, 8), *b = calloc(N * N, 8), *c = calloc(N * N, 8);
			float *f = calloc(N * N, 4), *g = calloc(N * N, 4);
			for (int i = 0; i < N * N; i++) {
				a[i] = i % 7 + 1; b[i] = i % 11 + 1; f[i] = (float)a[i];
			}
			for (;;) {
				cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, N, N, 1, a, N, b, N, 0, c, N);
				cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, f, N, f, N, 0, g, N);
				cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, N, N, 1, a, N, c, N);
				cblas_dgemv(CblasRowMajor, CblasNoTrans, N, N, 1, a, N, b, 1, 0, c, 1);
				for (int i = 0; i < 1000; i++)
					a[i % N] += cblas_ddot(N, a, 1, b, 1) * 1e-300;
			}
		}
	C
	gcc -O2 "$T/blas.c" -o "$T/blas" -lopenblas 2>/dev/null || {
		echo "$name: libopenblas-dev is missing: run tools/install-deps --bench"
		return 1
	}
	inside "$T/blas"
}
load_c++() {
	g++ -O2 "$FIXTURES/exceptions.cc" -o "$T/exceptions"
	inside "$T/exceptions" 1000
}
load_rust() {
	rustc -O "$FIXTURES/closures.rs" -o "$T/closures" 2>/dev/null
	inside "$T/closures" 1000
}
load_go() {
	build_go goroutines "$FIXTURES/goroutines.go"
	inside "$T/goroutines" 1000
}
build_go() { # NAME SOURCE
	GOCACHE=$T/gocache go build -o "$T/$1" "$2"
}
# Most of it is the collector, on system stacks.
load_go_gc() {
	cat >"$T/gc.go" <<-'GO'
		package main
		type node struct{ l, r *node; pad [3]int }
		//go:noinline
		func grow(d int) *node {
			if d == 0 {
				return &node{}
			}
			return &node{l: grow(d - 1), r: grow(d - 1)}
		}
		func churn(c chan int) {
			keep := make([]*node, 32)
			m := map[int]string{}
			for i := 0; ; i++ {
				keep[i%32] = grow(12)
				m[i%5000] = string(make([]byte, i%500))
				c <- i
			}
		}
		func main() {
			c := make(chan int)
			for i := 0; i < 8; i++ {
				go churn(c)
			}
			for range c {
			}
		}
	GO
	build_go gc "$T/gc.go" && inside env GOGC=20 "$T/gc"
}
# Go calls C, which calls Go; and C threads that do.
load_go_cgo() {
	cat >"$T/cgo.go" <<-'GO'
		package main
		/*
		#include <pthread.h>
		#include <stdlib.h>
		extern int goOrder(void *, void *);
		static int order(const void *a, const void *b) { return goOrder((void *)a, (void *)b); }
		static void sorts(void) {
			int v[500];
			for (int i = 0; i < 500; i++) v[i] = i * 7919 % 65537;
			qsort(v, 500, sizeof(*v), order);
		}
		static unsigned burns(unsigned n) { volatile unsigned s = 1; while (n--) s = s * 3 + n; return s; }
		static void *thread(void *p) { for (;;) { sorts(); burns(100000); } return p; }
		static void start(void) { pthread_t t; pthread_create(&t, NULL, thread, NULL); }
		*/
		import "C"
		import "unsafe"
		//export goOrder
		func goOrder(a, b unsafe.Pointer) C.int { return *(*C.int)(a) - *(*C.int)(b) }
		func main() {
			C.start()
			for i := 0; i < 2; i++ {
				go func() { for { C.sorts(); C.burns(100000) } }()
			}
			for { C.burns(1000); C.sorts() }
		}
	GO
	build_go cgo "$T/cgo.go" && inside "$T/cgo"
}
load_java() {
	javac -d "$T" "$FIXTURES/Spin.java"
	inside java -XX:+PreserveFramePointer -cp "$T" Spin 1000
	sleep 2
}
# All at once; every process of the storm lives 2 to 50 ms.
load_mixed() {
	inside "$WORKLOADS/forkstorm" 1000 2 50 2
	inside "$WORKLOADS/demo_nofp" 1000
	load_python3
	load_sqlite3
	load_make
}
all=(redis nginx sqlite3 python3 node php perl make git xz openssl c++ rust go java mixed
	luajit erlang php_jit openblas node_large go_gc go_cgo)

# --- profilers: each prints "SHARE COMPLETE ALL" of the load in the cgroup -------------------------

judge() { # FORMAT
	python3 "$SRC/tests/lib/complete_stacks.py" "$1" --worst "$WORST"
}
profile_kiln() {
	rm -f "$T/p.pb.gz"
	"$KILN" record -v -U -F "$FREQ" --cgroup "/$GROUP" -d "$SECS" -o "$T/p.pb.gz" </dev/null \
		>"$T/out" 2>"$T/err" || { cat "$T/err" >&2; return 1; }
	python3 "$SRC/tests/lib/profile.py" samples "$T/p.pb.gz" | judge kiln
}
# That they reach a root: so do those whose leaf's caller is in doubt.
claimed() {
	python3 "$SRC/tests/lib/profile.py" comments "$T/p.pb.gz" | awk -F '[.=]' '
		$2 ~ /^user_(complete|truncated|missing)$/ { all += $3 }
		$2 == "user_complete" || $2 == "ends_leaf" { complete += $3 }
		END { printf "%.2f\n", all ? 100 * complete / all : 0 }'
}
confirmed() {
	python3 "$SRC/tests/lib/profile.py" samples "$T/p.pb.gz" |
		python3 "$SRC/tests/lib/complete_stacks.py" kiln --worst "$WORST" --through "${through[$name]:-.}"
}
record_perf() { # CALL_GRAPH
	# Without build ids: perf 6.1 dies of some that it meets.
	perf record -q -B -N -a -F "$FREQ" --call-graph "$1" -e cpu-clock -G "$GROUP" -o "$T/perf.data" \
		-- sleep "$SECS" </dev/null >"$T/out" 2>"$T/err"
	timeout -k 5 60 perf script --no-inline -F comm,pid,ip,sym,dso -i "$T/perf.data" 2>/dev/null | judge perf
	rm -f "$T/perf.data"
}
profile_perf_fp() {
	record_perf fp
}
profile_perf_dwarf() {
	record_perf dwarf,16384
}
profile_bpftrace() {
	BPFTRACE_MAP_KEYS_MAX=65536 BPFTRACE_STRLEN=64 timeout -k 5 60 bpftrace -q -e "
		profile:hz:$FREQ /cgroup == cgroupid(\"$MOUNT/$GROUP\")/ { @[comm, pid, ustack] = count(); }
		interval:s:$SECS { exit(); }" </dev/null 2>"$T/err" | judge bpftrace
}

cell() { # PROFILER
	local out share all
	out=$("profile_$1")
	read -r share _ all <<<"$out"
	printf '%14s' "${share:--} /${all:-0}"
	eval "share_$1=\${share:-0}"
	[ "$WORST" -eq 0 ] || worst+=$(printf '\n%s' "$1"; tail -n +2 <<<"$out")
}

[ $# -gt 0 ] || set -- "${all[@]}"
echo 'user stacks to the root: % /samples'
printf '%-10s%14s%9s%9s%7s' load kiln claimed true +/-
for peer in $PEERS; do printf '%14s' "$peer"; done
echo
for name; do
	worst=
	"load_$name" || { stop_load; echo "$name: left out"; continue; }
	sleep 1
	printf '%-10s' "$name"
	cell kiln
	[ -e "$T/p.pb.gz" ] || { stop_load; continue; }
	claim=$(claimed)
	out=$(confirmed)
	truth=${out%% *}
	over=$(awk -v c="$claim" -v t="$truth" 'BEGIN { printf "%+.2f", c - t }')
	printf '%9s%9s%7s' "$claim" "$truth" "$over"
	row "complete by kiln's word, $name" % "$claim" "with a confirmed root" "$truth"
	[ "$WORST" -eq 0 ] || worst+=$(printf '\ntrue'; tail -n +2 <<<"$out")
	for peer in $PEERS; do
		cell "$peer"
		at=share_$peer
		# shellcheck disable=SC2154
		row "user stacks to the root, $name" % "$share_kiln" "$peer" "${!at}"
	done
	printf '%s\n' "$worst"
	stop_load
done
