#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Stacks that are not those of an ordinary 64-bit program are walked, too, or nothing is claimed of them:
# 32-bit programs, split stacks, code on huge pages, functions that somebody watches, JIT compilers.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# The share that reaches a root by its names, and what kiln says of itself.
assert_claim() { # FILE
	local reached claimed
	reached=$(profile_py samples "$1" | python3 "$SRC/tests/lib/complete_stacks.py" kiln | cut -d ' ' -f 1)
	claimed=$(profile_py comments "$1" | awk -F '[.=]' '
		$2 ~ /^user_(complete|truncated|missing)$/ { all += $3 }
		$2 == "user_complete" { complete = $3 }
		END { printf "%.2f\n", all ? 100 * complete / all : 0 }')
	assert_near "what $1 claims of itself" "$claimed" "$reached" 1
}

# Three functions and a loop; PROLOGUE runs first.
write_program() { # FILE [PROLOGUE] [FUNCTIONS]
	cat >"$1" <<-C
		#define _GNU_SOURCE
		#include <stdint.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <time.h>
		volatile unsigned sink;
		__attribute__((noinline)) void leaf(unsigned n) { for (unsigned i = 0; i < n; i++) sink = sink * 3 + i; }
		__attribute__((noinline)) void middle(unsigned n) { leaf(n); sink++; }
		__attribute__((noinline)) void outer(unsigned n) { middle(n); sink++; }
		${3-}
		int main(void)
		{
			clock_t end;
			${2-}
			end = clock() + CLOCKS_PER_SEC;
			while (clock() < end)
				outer(40000);
			return 0;
		}
	C
}

assert_chain() { # FILE
	assert_at_least "samples of $1" "$(profile_samples "$1")" 50
	assert_at_least "share with all callers in $1" \
		"$(profile_share "$1" "$(in_stack 'main;outer;middle;leaf')")" 90
	assert_claim "$1"
}

# Old static programs call the page of system calls that every process has at one address.
test_the_vsyscall_page() {
	need_bpf
	grep -q vsyscall /proc/self/maps || skip "this kernel has no vsyscall page"
	cat >p.c <<-'C'
		#include <sys/time.h>
		#include <time.h>
		static int (*const ask)(struct timeval *, void *) = (void *)0xffffffffff600000ul;
		__attribute__((noinline)) void asks_time(int n) { struct timeval t; while (n--) ask(&t, 0); }
		int main(void)
		{
			clock_t end = clock() + CLOCKS_PER_SEC;
			while (clock() < end)
				asks_time(1000);
			return 0;
		}
	C
	"${CC:-gcc}" -O2 p.c -o p
	./p || skip "the vsyscall page cannot be called"
	"$KILN" record -q -F 499 -o p.pb.gz -- ./p
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 50
	assert_at_least "share that reaches main()" "$(profile_share p.pb.gz "$(in_stack 'main;asks_time')")" 95
	assert_claim p.pb.gz
}

# A thread of the kernel's own in a process has its memory, but never had a user stack.
test_workers_of_the_kernel() {
	need_bpf
	cat >p.c <<-'C'
		#include <linux/io_uring.h>
		#include <sys/syscall.h>
		#include <time.h>
		#include <unistd.h>
		int main(void)
		{
			struct io_uring_params p = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 1000};
			int fd = syscall(SYS_io_uring_setup, 8, &p), seconds = 30;
			if (fd < 0)
				return 1;
			for (; clock() < CLOCKS_PER_SEC / 2 && seconds; seconds--) {
				syscall(SYS_io_uring_enter, fd, 0, 0, IORING_ENTER_SQ_WAKEUP, 0, 0);
				sleep(1);
			}
			return !seconds;
		}
	C
	"${CC:-gcc}" -O2 p.c -o p || skip "no io_uring.h"
	./p || skip "io_uring polls nothing here"
	"$KILN" record -q -F 499 --unwind fp -o p.pb.gz -- ./p
	assert_at_least "samples of the worker" "$(profile_samples p.pb.gz "$(in_stack io_sq_thread)")" 50
	assert_eq "samples of it with a user side" "$(profile_samples p.pb.gz "$(in_stack io_sq_thread) &&
		($(in_stack '[unknown]') || $(in_stack '[missed user stack]') || $(in_stack '[truncated]'))")" 0
}

test_32_bit_programs() {
	need_bpf
	write_program p.c
	"${CC:-gcc}" -m32 -O2 p.c -o p 2>err || skip "no C library for -m32"
	"$KILN" record -q -U -F 199 -o p.pb.gz -- ./p
	assert_chain p.pb.gz
	"${CC:-gcc}" -m32 -O2 -static p.c -o p
	"$KILN" record -q -U -F 199 -o static.pb.gz -- ./p
	assert_chain static.pb.gz
}

# Code that nothing describes: the end has a name of its own, and so has the advice.
test_32_bit_code_without_descriptions() {
	need_bpf
	write_program p.c
	"${CC:-gcc}" -m32 -O2 -fomit-frame-pointer -fno-asynchronous-unwind-tables p.c -o p 2>err ||
		skip "no C library for -m32"
	"$KILN" record -U -F 199 -o p.pb.gz -- ./p 2>err
	assert_claim p.pb.gz
	assert_at_least "stacks that end there" "$(quality p.pb.gz ends_compat)" 50
	assert_match "the advice" err '^note: p: .*a 32-bit program'
}

# Each call may be on a segment of its own, above or below its caller's.
test_split_stacks() {
	need_bpf
	cat >p.c <<-'C'
		#include <pthread.h>
		#include <time.h>
		volatile unsigned sink;
		__attribute__((noinline)) void deep(int n)
		{
			volatile char pad[3000];
			pad[0] = (char)n;
			if (n)
				deep(n - 1);
			else
				for (unsigned i = 0; i < 300000; i++) sink = sink * 3 + i;
			sink += pad[0];
		}
		static void *run(void *p)
		{
			clock_t end = clock() + CLOCKS_PER_SEC;
			while (clock() < end)
				deep(3);
			return p;
		}
		int main(void)
		{
			pthread_t t;
			pthread_create(&t, 0, run, 0);
			return pthread_join(t, 0);
		}
	C
	gcc -O2 -fsplit-stack -fuse-ld=gold -pthread p.c -o p 2>err || skip "gcc has no split stacks"
	"$KILN" record -q -U -F 199 -o p.pb.gz -- ./p
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 50
	assert_at_least "share with __morestack and the thread's start" \
		"$(profile_share p.pb.gz "$(in_stack start_thread) && $(in_stack __morestack) && $(in_stack run)")" 90
	assert_claim p.pb.gz
}

# A program that copies its code to anonymous memory, at the same addresses.
write_mover() { # FILE [FUNCTIONS]
	# shellcheck disable=SC2016
	write_program "$1" '
		uintptr_t m = (uintptr_t)main, a = (uintptr_t)leaf, b = (uintptr_t)outer;
		size_t len;
		char *copy;
		a = (m < a ? m : a) & ~4095ul;
		b = ((m > b ? m : b) + 4096) & ~4095ul;
		len = b - a;
		copy = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(copy, (void *)a, len);
		if (swap_in((char *)a, copy, len))
			return 2;' '
		__attribute__((section(".mover"), noinline, optimize("no-tree-loop-distribute-patterns")))
		static int swap_in(char *from, char *copy, size_t len)
		{
			register long ret asm("rax") = 9, r8 asm("r8") = -1, r9 asm("r9") = 0;
			register long r10 asm("r10") = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
			asm volatile("syscall" : "+r"(ret)
				     : "D"(from), "S"(len), "d"(PROT_READ | PROT_WRITE | PROT_EXEC), "r"(r10),
				       "r"(r8), "r"(r9)
				     : "rcx", "r11", "memory");
			for (size_t i = 0; ret > 0 && i < len; i++)
				((volatile char *)from)[i] = copy[i];
			return ret < 0;
		}'
}

test_code_on_huge_pages() {
	need_bpf
	write_mover p.c
	gcc -O2 p.c -o p -Wl,--section-start=.mover=0x200000
	"$KILN" record -U -F 199 -o p.pb.gz -- ./p 2>err
	assert_chain p.pb.gz
	assert_no_match "advice for JIT compilers" err 'perf map'
}

# Without descriptions there are frame pointers, which compilers leave out of functions that call no other.
test_leaves_without_frames() {
	need_bpf
	local leaves flags='-O2 -fno-omit-frame-pointer -fno-asynchronous-unwind-tables'
	write_program p.c
	# shellcheck disable=SC2086
	for leaves in -momit-leaf-frame-pointer -mno-omit-leaf-frame-pointer; do
		gcc $flags $leaves p.c -o p
		"$KILN" record -U -F 499 -o file$leaves.pb.gz -- ./p 2>err
		assert_whole_leaves file$leaves.pb.gz
	done
	write_mover p.c
	# shellcheck disable=SC2086
	gcc $flags -momit-leaf-frame-pointer p.c -o p -Wl,--section-start=.mover=0x200000
	"$KILN" record -U -F 499 -o made.pb.gz -- ./p 2>err
	assert_whole_leaves made.pb.gz
}

assert_whole_leaves() { # FILE
	assert_at_least "samples of $1" "$(profile_samples "$1" "$(in_stack leaf)")" 200
	assert_at_least "share of leaf() with all callers in $1" "$(profile_share "$1" \
		"$(in_stack 'main;outer;middle;leaf')" "$(in_stack leaf)")" 99
	assert_claim "$1"
}

# A leaf of which nothing tells whether it has a frame: its stacks are not said to be complete.
test_leaves_in_doubt() {
	need_bpf
	cat >asm.S <<-'S'
			.text
			.globl	calls
			.type	calls, @function
			.type	leaf, @function
		calls:	push	%rbp
			mov	%rsp, %rbp
			.fill	2048, 1, 0x90
			lea	leaf(%rip), %rax
			call	*%rax
			pop	%rbp
			ret
			.size	calls, . - calls
			.fill	2048, 1, 0x90
		leaf:	dec	%rdi
			jnz	leaf
			ret
			.size	leaf, . - leaf
			.section .note.GNU-stack, "", @progbits
	S
	cat >main.c <<-'C'
		void calls(unsigned long n);
		static void (*volatile call)(unsigned long) = calls;
		__attribute__((noinline)) static void middle(void) { call(2000000000); __asm__ volatile(""); }
		int main(void) { middle(); __asm__ volatile(""); }
	C
	gcc -O2 -fno-omit-frame-pointer -fno-asynchronous-unwind-tables main.c asm.S -o p
	"$KILN" record -U -F 499 -o p.pb.gz -- ./p 2>err
	assert_at_least "stacks in doubt" "$(quality p.pb.gz ends_leaf)" 100
	assert_near "and the others" "$(quality p.pb.gz user_complete)" 0 5
	assert_match "what is said of them" err '^Stacks .* perhaps without the leaf.s caller'
	assert_match "the advice" err '^note: p: .*-mno-omit-leaf-frame-pointer'
}

# Leaves with many variables that are called by pointer; and no frame pointers at all, but in main().
test_leaves_with_much_room() {
	need_bpf
	cat >p.c <<-'C'
		#include <string.h>
		#define APART __attribute__((noinline))
		volatile unsigned long sum;
		APART void leaf(unsigned long n)
		{
			volatile char many[3000];
			for (unsigned long i = 0; i < n; i++) many[i % 3000] = i, sum = sum * 31 + many[i * 7 % 3000];
		}
		static void (*volatile call)(unsigned long) = leaf;
		APART void middle(unsigned long n) { call(n); __asm__ volatile(""); }
		APART void outer(unsigned long n) { middle(n); __asm__ volatile(""); }
		int main(int n, char **v)
		{
			char some[n * 100];
			memset(some, 0, sizeof(some));
			for (int i = 0; i < 100; i++) outer(3000000);
			__asm__ volatile("" ::"r"(some) : "memory");
		}
	C
	gcc -O2 -fno-omit-frame-pointer -momit-leaf-frame-pointer -fno-asynchronous-unwind-tables p.c -o p
	"$KILN" record -U -F 499 -d 2 -o p.pb.gz -- ./p 2>err
	assert_whole_leaves p.pb.gz
	sed -i 's/call(n)/leaf(n)/' p.c
	gcc -O2 -fomit-frame-pointer -fno-asynchronous-unwind-tables p.c -o p
	"$KILN" record -U -F 499 -d 2 -o bare.pb.gz -- ./p 2>err
	assert_at_least "samples" "$(profile_samples bare.pb.gz "$(in_stack leaf)")" 200
	assert_at_most "complete stacks" "$(quality bare.pb.gz user_complete)" 10
}

# The return address on the stack is then an address of the kernel's.
test_uretprobes() {
	need_bpf
	need_root
	local trace=/sys/kernel/tracing group=kilntest$$ off
	[ -w $trace/uprobe_events ] || mount -t tracefs none $trace 2>/dev/null || true
	[ -w $trace/uprobe_events ] || skip "no tracefs"
	write_program p.c
	"${CC:-gcc}" -O2 -no-pie p.c -o p
	off=$((0x$(nm p | awk '$3 == "middle" { print $1 }') - 0x400000))
	printf 'r:%s/r %s:0x%x\n' $group "$PWD/p" $off >>$trace/uprobe_events || skip "no uprobes"
	# shellcheck disable=SC2064
	trap "echo 0 >$trace/events/$group/enable; echo '-:$group/r' >>$trace/uprobe_events" EXIT
	echo 1 >$trace/events/$group/enable
	"$KILN" record -q -U -F 199 -o p.pb.gz -- ./p
	assert_chain p.pb.gz
}

# What is not known is not claimed, and what a JIT compiler's frame pointers lead to is.
test_claims_of_jit_compilers() {
	need_bpf
	local any=
	if command -v luajit >/dev/null; then
		any=1
		"$KILN" record -q -U -F 199 -o luajit.pb.gz -- luajit -e \
			'local e = os.clock() + 1 while os.clock() < e do local s = 0 for i = 1, 1e6 do s = s + i % 7 end end'
		assert_claim luajit.pb.gz
	fi
	if command -v php >/dev/null; then
		any=1
		# shellcheck disable=SC2016
		"$KILN" record -q -U -F 199 -o php.pb.gz -- php -d opcache.enable_cli=1 \
			-d opcache.jit_buffer_size=16M -d opcache.jit=tracing -r \
			'$e = microtime(true) + 1; while (microtime(true) < $e) { for ($i = $s = 0; $i < 99999; $i++) $s += $i % 7; md5($s); }'
		assert_claim php.pb.gz
	fi
	if command -v node >/dev/null; then
		any=1
		"$KILN" record -q -U -F 199 -o node.pb.gz -- node --use-largepages=silent -e \
			'const e = Date.now() + 1000; while (Date.now() < e) JSON.parse(JSON.stringify([...Array(999).keys()]))'
		assert_claim node.pb.gz
	fi
	[ -n "$any" ] || skip "none of luajit, php, node is installed"
}

run_tests "$@"
