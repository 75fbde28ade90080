#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs people run: the functions their authors would expect are in the profile.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# Fails unless a function that matches has at least this inclusive share of a condition's samples.
assert_function() { # FILE LEAST_SHARE EXTENDED_REGEXP [CONDITION]
	profile_top "$1" 100000 "${4:-1}" >"$T/top"
	awk -v least="$2" -v pattern="$3" '$1 >= least && substr($0, index($0, " ") + 1) ~ pattern {
		found = 1 } END { exit !found }' "$T/top" || {
		head -n 30 "$T/top" | sed 's/^/#   /'
		fail "no function $3 with $2 % of the samples"
	}
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

test_redis() {
	need_bpf
	need redis-server redis-benchmark redis-cli
	local port server
	port=$(free_port)
	start redis-server --port "$port" --save '' --appendonly no >redis.log && server=$started
	wait_until 10 redis-cli -p "$port" ping
	start redis-benchmark -q -p "$port" -c 20 -n 100000000 -t set,get >bench.log 2>&1
	"$KILN" record -q -p "$server" -d 3 -o p.pb.gz
	assert_function p.pb.gz 50 '^aeMain$|^aeProcessEvents$'
	assert_function p.pb.gz 5 '^readQueryFromClient$'
	assert_function p.pb.gz 2 '^call$|^processCommand$|^writeToClient$'
	assert_function p.pb.gz 5 '^(__)?(x64_)?sys_|^do_syscall_64$|^tcp_'
	assert_accounting p.pb.gz
}

test_gcc() {
	need_bpf
	{
		echo '#include <stdio.h>'
		for i in $(seq 400); do
			echo "int f$i(int n) { for (int i = 0; i < n; i++) n += i * $i; return n ? f$i(n / 2) : 1; }"
		done
	} >big.c
	"$KILN" record -q -o p.pb.gz -- gcc -O2 -c big.c
	assert_at_least "share of cc1" "$(profile_share p.pb.gz '$3 == "cc1"')" 50
	# Debian's cc1 is stripped: without gcc-12's debug symbols its functions are named after where
	# .eh_frame says they start.
	assert_function p.pb.gz 50 '^cc1\+sub_[0-9a-f]+$|^toplev::main\(' '$3 == "cc1"'
	assert_function p.pb.gz 50 '^__libc_start_main|^_start$' '$3 == "cc1"'
}

# clang's functions are in the dynamic symbol tables of its libraries, with C++ names.
test_clang() {
	need_bpf
	need clang
	for i in $(seq 300); do
		echo "int f$i(int n) { for (int i = 0; i < n; i++) n += i * $i; return n ? f$i(n / 2) : 1; }"
	done >big.c
	"$KILN" record -q -o p.pb.gz -- clang -O2 -c big.c
	assert_function p.pb.gz 20 '^(clang|llvm)::'
	assert_function p.pb.gz 5 '^llvm::(legacy::)?(PassManager|FPPassManager|PassManagerImpl)'
}

test_python() {
	need_bpf
	[ -x /usr/bin/python3 ] || fail "/usr/bin/python3 is missing: run tools/install-deps --test"
	cat >hot.py <<-'PY'
		import time
		def fib(n):
		    return n if n < 2 else fib(n - 1) + fib(n - 2)
		end = time.time() + 3
		while time.time() < end:
		    fib(18)
	PY
	"$KILN" record -q -o p.pb.gz -- /usr/bin/python3 hot.py
	assert_function p.pb.gz 80 '^_PyEval_EvalFrameDefault$'
	assert_function p.pb.gz 80 '^Py_BytesMain$|^Py_RunMain$|^main$'
}

test_node() {
	need_bpf
	need node
	cat >hot.js <<-'JS'
		function hotLoop(n) { let x = 1; for (let i = 0; i < n; i++) x = (x * 48271 + i) % 2147483647; return x; }
		function outer() { let s = 0; for (let i = 0; i < 50; i++) s += hotLoop(20000); return s; }
		const end = Date.now() + 3000;
		let s = 0;
		while (Date.now() < end) s += outer();
		if (s < 0) console.log(s);
	JS
	"$KILN" record -q -o p.pb.gz -- node --perf-basic-prof --no-turbo-inlining hot.js
	profile_py samples p.pb.gz | cut -f4 | sort -u | while read -r pid; do
		rm -f "/tmp/perf-$pid.map"
	done
	assert_function p.pb.gz 50 '(^|[:~*^+])hotLoop( |$)'
	assert_function p.pb.gz 50 'node::Start|node::LoadEnvironment|v8::'
}

# node's jitdump has lines too; each function it names is one that the perf map of the same run has
# (where it stands in the list of them, and how often it was compiled, does not matter).
test_node_jitdump() {
	need_bpf
	need node
	cat >hot.mjs <<-'JS'
		function hotLoop(n) {
		  let x = 1;
		  for (let i = 0; i < n; i++)
		    x = (x * 48271 + i) % 2147483647;
		  return x;
		}
		function outer() {
		  let s = 0;
		  for (let i = 0; i < 50; i++)
		    s += hotLoop(20000);
		  return s;
		}
		let s = 0;
		while (process.cpuUsage().user < 3e6)
		  s += outer();
		if (s < 0)
		  console.log(s);
	JS
	local map
	"$KILN" record -q -o p.pb.gz -- sh -c 'echo $$ >pid; exec node --perf-prof --perf-basic-prof --no-turbo-inlining hot.mjs'
	map=/tmp/perf-$(cat pid).map
	cut -d ' ' -f 3- "$map" | sort -u >mapped
	rm -f "$map"
	assert_function p.pb.gz 30 '[:~*^+]hotLoop '
	profile_py samples p.pb.gz | awk -F '\t' '{
		n = split($6, f, ";"); split($7, m, ";")
		for (i = 1; i <= n; i++) if (m[i] == "[jit]") print f[i]
	}' | sort -u >named
	assert_at_least "functions named" "$(wc -l <named)" 1
	assert_eq "functions the perf map has not" "$(comm -23 named mapped)" ""
	# The loop is in lines 2 to 5, and nearly all of it in 3 and 4.
	"$KILN" report --by line p.pb.gz >lines
	assert_match "lines" lines 'hotLoop .*\(hot\.mjs:[34]\)'
}

test_go() {
	need_bpf
	need go
	cat >hot.go <<-'GO'
		package main

		import "time"

		//go:noinline
		func collatz(n uint64) (steps int) {
			for n != 1 {
				if n%2 == 0 {
					n /= 2
				} else {
					n = 3*n + 1
				}
				steps++
			}
			return
		}

		func main() {
			end := time.Now().Add(3 * time.Second)
			best := 0
			for time.Now().Before(end) {
				for n := uint64(1); n < 1000; n++ {
					if s := collatz(n); s > best {
						best = s
					}
				}
			}
		}
	GO
	GOCACHE=$T/cache go build -o hot hot.go
	"$KILN" record -q -o p.pb.gz -- ./hot
	assert_function p.pb.gz 70 '^main\.collatz$'
	# collatz() has no frame: by frame pointers main() would not be there.
	assert_function p.pb.gz 90 '^main\.main$'
	assert_function p.pb.gz 90 '^runtime\.main$'
}

test_java() {
	need_bpf
	need javac jcmd
	cat >Hot.java <<-'JAVA'
		public class Hot {
			static long spin(long n) {
				long x = 1;
				for (long i = 0; i < n; i++)
					x = x * 6364136223846793005L + i;
				return x;
			}
			public static void main(String[] args) {
				long end = System.nanoTime() + 60_000_000_000L, x = 0;
				while (System.nanoTime() < end)
					x += spin(10000);
				System.out.println(x);
			}
		}
	JAVA
	javac Hot.java
	start java -XX:+PreserveFramePointer -XX:-UseOnStackReplacement -cp . Hot >out
	sleep 2
	jcmd "$started" Compiler.perfmap >jcmd.log
	"$KILN" record -q -p "$started" -d 3 -o p.pb.gz
	rm -f "/tmp/perf-$started.map"
	assert_function p.pb.gz 50 'Hot[.:]+spin'
	assert_function p.pb.gz 50 '^JavaMain|^JavaCalls::|Interpreter|^call_stub'
}

# Generated code in files: a JIT compiler maps shared memory or a deleted temporary file twice, and writes a perf map.
test_code_in_files() {
	need_bpf
	need gcc
	cat >jit.c <<-'C'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <time.h>
		#include <unistd.h>
		#ifdef __x86_64__
		/* 1: dec %rdi; jnz 1b; ret */
		static const unsigned char code[] = {0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3};
		#else
		/* 1: subs x0, x0, 1; b.ne 1b; ret */
		static const unsigned code[] = {0xf1000400, 0x54ffffe1, 0xd65f03c0};
		#endif
		static void (*map(int fd, FILE *names, const char *name))(long) {
			char *w, *x;
			if (fd < 0 || ftruncate(fd, 4096)) exit(77);
			w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			x = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
			if (w == MAP_FAILED || x == MAP_FAILED) exit(77);
			memcpy(w, code, sizeof(code));
			__builtin___clear_cache(x, x + 4096);
			fprintf(names, "%lx %zx %s\n", (long)x, sizeof(code), name);
			return (void (*)(long))x;
		}
		int main(int argc, char **argv) {
			char path[64], tmp[] = "/tmp/kiln-code.XXXXXX";
			void (*run[3])(long);
			snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
			FILE *names = fopen(path, "w");
			run[0] = map(memfd_create("code", 0), names, "code_in_memfd");
			snprintf(path, sizeof(path), "/kiln-code.%d", getpid());
			int fd = shm_open(path, O_RDWR | O_CREAT, 0700);
			run[1] = map(fd, names, "code_in_shm");
			shm_unlink(path);
			fd = mkstemp(tmp);
			unlink(tmp);
			run[2] = map(fd, names, "code_in_tmp");
			fclose(names);
			printf("%d\n", getpid());
			fclose(stdout);
			for (time_t end = time(NULL) + atoi(argv[argc - 1]); time(NULL) < end;)
				for (int i = 0; i < 3; i++) run[i](1000000);
			return 0;
		}
	C
	gcc -O1 -o jit jit.c
	"$KILN" record -q -o launched.pb.gz -- ./jit 3 >pid
	rm -f /tmp/perf-"$(cat pid)".map
	start ./jit 9 >pid
	wait_until 5 test -s pid
	"$KILN" record -q -p "$started" -d 2 -o attached.pb.gz
	rm -f /tmp/perf-"$started".map
	for file in launched attached; do
		for name in memfd shm tmp; do
			assert_function $file.pb.gz 20 "^code_in_$name\$"
		done
	done
}

# Code that was made before a fork (Ruby's, Python's and PHP's workers) is named by the map of who made it: while he waits,
# when he has ended, and when the worker runs already.
test_code_made_before_a_fork() {
	need_bpf
	need gcc
	cat >jit.c <<-'C'
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <sys/wait.h>
		#include <time.h>
		#include <unistd.h>
		#ifdef __x86_64__
		/* 1: dec %rdi; jnz 1b; ret */
		static const unsigned char code[] = {0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3};
		#else
		/* 1: subs x0, x0, 1; b.ne 1b; ret */
		static const unsigned code[] = {0xf1000400, 0x54ffffe1, 0xd65f03c0};
		#endif
		int main(int argc, char **argv) {
			char path[64], *x = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
			FILE *names = fopen(path, "w");
			if (!names || x == MAP_FAILED) return 77;
			memcpy(x, code, sizeof(code));
			__builtin___clear_cache(x, x + 4096);
			fprintf(names, "%lx %zx made_by_the_parent\n", (long)x, sizeof(code));
			fclose(names);
			pid_t worker = fork();
			if (!worker) {
				for (clock_t end = clock() + CLOCKS_PER_SEC * atoi(argv[2]); clock() < end;)
					((void (*)(long))x)(1000000);
				return 0;
			}
			printf("%s\n%d\n", path, worker);
			fflush(stdout);
			if (*argv[1] == 'w') waitpid(worker, NULL, 0);
			return 0;
		}
	C
	gcc -O1 -o jit jit.c
	"$KILN" record -q -o waits.pb.gz -- ./jit wait 1 >pids
	start "$KILN" record -a -d 4 -o ended.pb.gz 2>err
	wait_until 10 grep -q sampling err
	./jit end 1 >>pids
	wait "$started"
	start ./jit wait 9 >running
	wait_until 5 test -s running
	"$KILN" record -q -p "$(tail -n 1 running)" -d 1 -o runs.pb.gz
	grep -h perf- pids running | xargs rm -f
	for file in waits ended runs; do
		assert_at_least "named in $file" \
			"$(profile_share $file.pb.gz "$(in_stack made_by_the_parent)" '$3 == "jit"')" 90
	done
}

test_nginx() {
	need_bpf
	need nginx curl
	local port
	port=$(free_port)
	mkdir -p www logs
	chmod 755 www
	head -c 2000 /dev/zero | tr '\0' x >www/page
	cat >nginx.conf <<-CONF
		daemon off; worker_processes 1; pid $T/nginx.pid; error_log $T/logs/error.log;
		events { worker_connections 64; }
		http {
			access_log off; client_body_temp_path $T/body; proxy_temp_path $T/proxy;
			fastcgi_temp_path $T/fastcgi; uwsgi_temp_path $T/uwsgi; scgi_temp_path $T/scgi;
			keepalive_requests 1000000;
			server { listen 127.0.0.1:$port; root $T/www; }
		}
	CONF
	start nginx -e logs/error.log -p "$T" -c "$T/nginx.conf"
	wait_until 10 curl -sf -o /dev/null "http://127.0.0.1:$port/page"
	start curl -s -o /dev/null "http://127.0.0.1:$port/page?[1-10000000]"
	"$KILN" record -q --comm nginx -d 4 -o p.pb.gz
	assert_at_least "samples" "$(profile_samples p.pb.gz '$3 == "nginx"')" 20
	assert_function p.pb.gz 50 '^ngx_worker_process_cycle$|^ngx_process_events_and_timers$'
	assert_function p.pb.gz 20 '^ngx_http_process_request|^ngx_http_handler$|^ngx_http_core_run_phases$'
}

test_sqlite() {
	need_bpf
	need sqlite3
	"$KILN" record -q -o p.pb.gz -- sqlite3 :memory: "
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000)
		SELECT count(*), sum(i * i % 7) FROM n;" >out
	assert_function p.pb.gz 80 '^sqlite3_step$'
	assert_function p.pb.gz 80 '^__libc_start_main'
}

# Frames that were inlined are in the profile, innermost last, below the function they are in.
test_inlined_templates() {
	need_bpf
	"$KILN" record -q -o p.pb.gz -- "$WORKLOADS/inlining" 3
	assert_function p.pb.gz 20 '^unsigned long shop::price_orders<|^shop::price_orders<'
	assert_function p.pb.gz 10 'shop::mixer<unsigned long>::(mix|rotate)'
	assert_function p.pb.gz 5 'shop::nested<unsigned long, [1-4]>::apply'
	assert_function p.pb.gz 1 'shop::group_by_customer'
}

run_tests "$@"
