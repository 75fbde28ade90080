#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Code is named by the file it came from: not by what was at its address before, nor by what a file says of itself.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

need_reported_mappings() {
	[ "$(printf '6.4\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.4 ] ||
		skip "samples of this kernel do not tell what is mapped"
}

make_plugin() { # NAME ROUNDS
	cat >"$1.c" <<-C
		static volatile unsigned s;
		__attribute__((noinline)) void $1_leaf(void) { for (unsigned i = 0; i < 50000; i++) s = s * 3 + i; }
		void entry(void) { for (int k = 0; k < $2; k++) { $1_leaf(); s++; } }
	C
	gcc -O2 -fPIC -shared -o "$1.so" "$1.c"
}

# Two plug-ins at one address, in turn. Prints the shares of their CPU time and whether the address was the same.
make_host() {
	cat >host.c <<-'C'
		#include <dlfcn.h>
		#include <stdio.h>
		#include <time.h>
		int main(void)
		{
			clock_t e = clock() + 3 * CLOCKS_PER_SEC; double at[2] = {0, 0}; void *where[2];
			for (int k = 0; clock() < e; k ^= 1) {
				void *h = dlopen(k ? "./plug_two.so" : "./plug_one.so", RTLD_NOW);
				void (*f)(void) = (void (*)(void))dlsym(h, "entry");
				clock_t s = clock();
				where[k] = (void *)f; f(); at[k] += clock() - s; dlclose(h);
			}
			printf("%.1f %.1f %d\n", 100 * at[0] / (at[0] + at[1]), 100 * at[1] / (at[0] + at[1]),
			       where[0] == where[1]);
			return 0;
		}
	C
	gcc -O2 -o host host.c -ldl
}

# Turns of some 25 and 75 ms, and of libraries that are equally large. Where only the size of code was looked at, and all
# else each 50 ms, the shares were 38 and 62; named as of the end of a window they would be 55 and 45.
test_libraries_take_turns() {
	need_bpf
	need gcc
	need_reported_mappings
	make_plugin plug_one 800
	make_plugin plug_two 2400
	make_host
	"$KILN" record -q -U -F 997 -o p.pb.gz -- ./host >out
	local one two same
	read -r one two same <out
	[ "$same" = 1 ] || skip "the two lie at different addresses"
	assert_near "share of the first" "$(profile_share p.pb.gz "$(in_stack plug_one_leaf)")" "$one" 8
	assert_near "share of the second" "$(profile_share p.pb.gz "$(in_stack plug_two_leaf)")" "$two" 8
}

# A JIT compiler that puts two functions at one address, in turn, and writes a jitdump. Prints their shares.
make_jit() {
	cat >jit.c <<-'C'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdint.h>
		#include <stdio.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <time.h>
		#include <unistd.h>
		static uint64_t now(clockid_t c) { struct timespec t; clock_gettime(c, &t); return t.tv_sec * 1000000000ull + t.tv_nsec; }
		struct { uint32_t magic, version, size, mach, pad, pid; uint64_t ns, flags; } head = {0x4A695444, 1, 40, 62};
		struct { uint32_t id, size; uint64_t ns; uint32_t pid, tid; uint64_t vma, addr, len, index; char name[8]; uint8_t code[16]; } load;
		/* push rbp; mov rbp, rsp; mov ecx, N; dec ecx; jnz; pop rbp; ret */
		static const uint8_t code[16] = {0x55, 0x48, 0x89, 0xe5, 0xb9, 0, 0, 4, 0, 0xff, 0xc9, 0x75, 0xfc, 0x5d, 0xc3};
		int main(void)
		{
			char path[64]; double at[2] = {0, 0};
			uint8_t *p = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			snprintf(path, sizeof(path), "jit-%d.dump", getpid());
			int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
			head.pid = load.pid = load.tid = getpid(); head.ns = now(CLOCK_MONOTONIC);
			if (write(fd, &head, 40) != 40 || mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) return 1;
			uint64_t end = now(CLOCK_PROCESS_CPUTIME_ID) + 3000000000ull;
			for (int k = 0; now(CLOCK_PROCESS_CPUTIME_ID) < end; k ^= 1) {
				memcpy(p, code, sizeof(code)); memcpy(load.code, code, sizeof(code));
				load.size = sizeof(load); load.ns = now(CLOCK_MONOTONIC); load.vma = load.addr = (uintptr_t)p; load.len = 16; load.index++;
				strcpy(load.name, k ? "jit_two" : "jit_one");
				if (write(fd, &load, sizeof(load)) != sizeof(load)) return 1;
				uint64_t b = now(CLOCK_PROCESS_CPUTIME_ID), e = b + (k ? 180 : 60) * 1000000ull, t;
				do { ((void (*)(void))p)(); t = now(CLOCK_PROCESS_CPUTIME_ID); } while (t < e);
				at[k] += t - b;
			}
			printf("%.1f %.1f\n", 100 * at[0] / (at[0] + at[1]), 100 * at[1] / (at[0] + at[1]));
			return 0;
		}
	C
	gcc -O2 -fno-omit-frame-pointer -o jit jit.c
}

test_code_is_replaced() {
	need_bpf
	need gcc
	need_reported_mappings
	[ "$(uname -m)" = x86_64 ] || skip "the code is of x86-64"
	make_jit
	"$KILN" record -q -U -F 997 -o p.pb.gz -- ./jit >out
	local one two
	read -r one two <out
	assert_near "share of the first" "$(profile_share p.pb.gz "$(in_stack jit_one)")" "$one" 16
	assert_near "share of the second" "$(profile_share p.pb.gz "$(in_stack jit_two)")" "$two" 16
}

# victim, and evil with other names and false descriptions of frames and lines: equal build ids, addresses, sizes.
make_forgery() {
	cat >victim.c <<-'C'
		#include <time.h>
		volatile unsigned sink;
		__attribute__((noinline)) static int level3(int n) { char b[200]; for (int i = 0; i < 20000; i++) sink += i ^ n; b[n & 127] = n; return b[n & 63] + (int)sink; }
		__attribute__((noinline)) static int level2(int n) { return level3(n + 1) + 1; }
		__attribute__((noinline)) static int level1(int n) { return level2(n + 1) + 1; }
		int main(void) { clock_t e = clock() + 2 * CLOCKS_PER_SEC; while (clock() < e) sink += level1(3); return 0; }
	C
	local id=-Wl,--build-id=0x1111111122222222333333334444444455555555
	gcc -O2 -g -fomit-frame-pointer $id -o victim victim.c
	gcc -O2 -g -fomit-frame-pointer -S -o evil.s victim.c
	sed -i -e 's/\.cfi_startproc/.cfi_startproc\n\t.cfi_undefined rip/' -e 's/level\([123]\)/forge\1/g' \
		-e 's/victim\.c/forged.c/g' evil.s
	gcc -O2 -g $id -o evil evil.s
}

test_a_forged_build_id_in_one_recording() {
	need_bpf
	need gcc
	make_forgery
	start ./evil
	start ./victim
	"$KILN" record -q -a -U -F 997 -d 1 -o p.pb.gz
	assert_at_least "samples of the victim" "$(profile_samples p.pb.gz '$3 == "victim"')" 50
	assert_eq "samples of the victim under forged names" \
		"$(profile_samples p.pb.gz '$3 == "victim" && $6 ~ /forge/')" 0
	assert_at_least "share of the victim with whole stacks" \
		"$(profile_share p.pb.gz "$(in_stack level1)" '$3 == "victim"')" 85
	assert_eq "samples of the forgery under true names" \
		"$(profile_samples p.pb.gz '$3 == "evil" && $6 ~ /level/')" 0
}

# Tables of lines and of unwind rules on disk outlive the recording.
test_a_forged_build_id_in_the_caches() {
	need_bpf
	need gcc
	make_forgery
	export KILN_CACHE_DIR=$T/cache
	"$KILN" record -q -U -F 997 -o evil.pb.gz -- ./evil
	"$KILN" record -q -U -F 997 -o evil.pb.gz -- ./evil
	wait_until 10 sh -c 'ls cache/lines/*.lines'
	sleep 0.5
	"$KILN" record -q -U -F 997 -o p.pb.gz -- ./victim
	assert_at_least "share of the victim with whole stacks" "$(profile_share p.pb.gz "$(in_stack main)")" 95
	"$KILN" export p.pb.gz -f json -o p.json
	assert_no_match "lines of the forgery" p.json 'forged\.c'
	assert_match "lines of the victim" p.json 'victim\.c'
}

run_tests "$@"
