#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# User stacks reach their roots without frame pointers, also while processes come, go and change; and
# where they do not, it is said of which binary, why, and what to do.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# The share of complete stacks by the rule that peers are measured with, not by kiln's own word.
complete() { # FILE [AWK_CONDITION]
	profile_py samples "$1" | awk -F '\t' "${2:-1}" |
		python3 "$SRC/tests/lib/complete_stacks.py" kiln | cut -d ' ' -f 1
}
claimed() { # FILE
	profile_py comments "$1" | awk -F '[.=]' '
		$2 ~ /^user_(complete|truncated|missing)$/ { all += $3 }
		$2 == "user_complete" { complete = $3 }
		END { printf "%.2f\n", all ? 100 * complete / all : 0 }'
}

assert_complete() { # FILE LEAST
	assert_at_least "samples of $1" "$(profile_samples "$1")" 50
	assert_at_least "complete stacks of $1" "$(complete "$1")" "$2"
	assert_near "what $1 claims of itself" "$(claimed "$1")" "$(complete "$1")" 1.5
}

test_programs_without_frame_pointers() {
	need_bpf
	need sqlite3 openssl perl
	"$KILN" record -q -U -F 199 -o sqlite3.pb.gz -- sqlite3 :memory: "
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000)
		SELECT count(*), sum(i * i % 7) FROM n;" >out
	assert_complete sqlite3.pb.gz 97
	"$KILN" record -q -U -F 199 -o openssl.pb.gz -- openssl speed -seconds 2 -bytes 1024 \
		-evp aes-128-cbc-hmac-sha256 >out 2>&1
	assert_complete openssl.pb.gz 97
	# shellcheck disable=SC2016
	"$KILN" record -q -U -F 199 -o perl.pb.gz -- perl -e \
		'for (1 .. 90) { my %h; $h{$_ % 97} .= sprintf("%x,", $_) for 1 .. 30000; join "", sort values %h }'
	assert_complete perl.pb.gz 97
}

# A call may be the last instruction of its function: the return address is then another function's.
test_callers_of_what_never_returns() {
	need_bpf
	local start size next unwind
	read -r start size < <(nm -S "$WORKLOADS/noreturn" | awk '$4 == "main" { print $1, $2 }')
	next=$(nm "$WORKLOADS/noreturn" | awk '$3 == "innocent_neighbour" { print $1 }')
	assert_eq "where main() ends" $((16#$start + 16#$size)) $((16#$next))
	for unwind in auto fp; do
		"$KILN" record -q -U -F 199 --unwind $unwind -o $unwind.pb.gz -- "$WORKLOADS/noreturn" 2
		assert_at_least "samples" "$(profile_samples $unwind.pb.gz)" 50
		assert_at_least "below their caller" \
			"$(profile_share $unwind.pb.gz "$(in_stack 'main;never_returns;burn')")" 95
		assert_eq "below its neighbour" \
			"$(profile_samples $unwind.pb.gz "$(in_stack innocent_neighbour)")" 0
	done
	assert_complete auto.pb.gz 97
}

# Code made at run time may use rbp for anything, zero as well: what called it is not known then, and it
# is no root.
test_code_that_uses_the_frame_pointer_otherwise() {
	need_bpf
	cat >zero.c <<-'C'
		#include <string.h>
		#include <sys/mman.h>
		#include <time.h>
		__attribute__((noinline)) static void caller(void (*f)(unsigned))
		{
			f(40000);
			__asm__ volatile("");
		}
		int main(void)
		{
			/* push %rbp; push %rbx; xor %ebp, %ebp; 1: dec %edi; jnz 1b; pop %rbx; pop %rbp; ret */
			static const unsigned char code[] = {0x55, 0x53, 0x31, 0xed, 0xff, 0xcf,
							     0x75, 0xfc, 0x5b, 0x5d, 0xc3};
			void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			clock_t end = clock() + 2 * CLOCKS_PER_SEC;
			memcpy(m, code, sizeof(code));
			while (clock() < end)
				caller((void (*)(unsigned))m);
			return 0;
		}
	C
	"${CC:-gcc}" -O2 zero.c -o zero
	"$KILN" record -U -F 199 -o p.pb.gz -- ./zero 2>err
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 100
	assert_at_least "share without a caller" "$(profile_share p.pb.gz '!('"$(in_stack main)"')')" 80
	assert_near "what it claims" "$(claimed p.pb.gz)" "$(profile_share p.pb.gz "$(in_stack main)")" 1.5
	assert_at_least "stacks that end with the chain" \
		"$(profile_py comments p.pb.gz | sed -n 's/^kiln.ends_chain=//p')" 80
	assert_match "the note" err "zero keeps no frame pointers in code it compiles"
}

test_many_executable_mappings() {
	need_bpf
	"$KILN" record -q -U -o p.pb.gz -- "$WORKLOADS/mappings" many 3
	assert_complete p.pb.gz 97
	assert_at_least "samples through behind_many" \
		"$(profile_share p.pb.gz "$(in_stack behind_many)")" 95
}

test_libraries_come_and_go() {
	need_bpf
	cat >plug.c <<-'C'
		void plug_spin(void (*spin)(double), double seconds)
		{
			char pad[300];
			__asm__ volatile("" : : "r"(pad) : "memory");
			spin(seconds);
			__asm__ volatile("");
		}
	C
	"${CC:-gcc}" -O2 -fomit-frame-pointer -shared -fPIC plug.c -o plug.so
	"$KILN" record -q -U -o p.pb.gz -- "$WORKLOADS/mappings" load 4 "$T/plug.so"
	assert_complete p.pb.gz 97
	assert_at_least "samples through plug_spin" "$(profile_share p.pb.gz "$(in_stack plug_spin)")" 95
}

# Nothing tells that mremap() has moved code, but the first sample there does.
test_code_is_moved() {
	need_bpf
	local name
	for name in first second; do
		cat >$name.c <<-C
			static __attribute__((noinline)) void ${name}_work(void)
			{
				for (int i = 0; i < ${#name}0000; i++)
					__asm__ volatile("");
			}
			void plug_spin(void)
			{
				${name}_work();
				__asm__ volatile("");
			}
		C
		"${CC:-gcc}" -O2 -shared -fPIC $name.c -o $name.so
	done
	"$KILN" record -q -U -o p.pb.gz -- "$WORKLOADS/mappings" move 4 "$T/first.so" "$T/second.so"
	local first second
	first=$(in_stack first_work) second=$(in_stack second_work)
	assert_at_least "samples before" "$(profile_samples p.pb.gz "$first && $(in_stack before)")" 20
	assert_at_least "samples of what was moved" "$(profile_samples p.pb.gz "$(in_stack moved)")" 20
	assert_at_least "of these, with their names" \
		"$(profile_share p.pb.gz "$first" "$(in_stack moved)")" 80
	assert_eq "samples without a name" "$(profile_samples p.pb.gz "$(in_stack '[unknown]')")" 0
	assert_complete p.pb.gz 97
	assert_at_least "samples of what replaced it" \
		"$(profile_samples p.pb.gz "$second && $(in_stack replaced)")" 40
	assert_eq "samples of the second named after the first" \
		"$(profile_samples p.pb.gz "$first && $(in_stack replaced)")" 0
	assert_eq "samples of the first named after the second" \
		"$(profile_samples p.pb.gz "$second && !$(in_stack replaced)")" 0
}

# One process id inside of its namespace, another life every 100 ms: none is named after another.
test_process_ids_are_used_again() {
	need_bpf
	need_root
	"$KILN" record -q -U -F 199 -o p.pb.gz -- "$WORKLOADS/mappings" reuse 3 || skip "no ns_last_pid here"
	assert_complete p.pb.gz 97
	assert_at_least "samples of the first life" "$(profile_samples p.pb.gz "$(in_stack first_life)")" 50
	assert_at_least "samples of the second life" "$(profile_samples p.pb.gz "$(in_stack second_life)")" 50
	assert_eq "samples of both lives" "$(profile_samples p.pb.gz \
		"$(in_stack first_life) && $(in_stack second_life)")" 0
}

test_thousands_of_processes() {
	need_bpf
	"$KILN" record -q -U -F 199 -o p.pb.gz -- "$WORKLOADS/forkstorm" 5 1 3 4 >told
	assert_at_least "processes" "$(cut -d ' ' -f 1 told)" 200
	assert_at_least "complete stacks of the storm" "$(complete p.pb.gz '$3 == "forkstorm"')" 97
}

# In the steady state nothing looks into a running process again, whatever the number of samples. (New
# files are opened once, of whatever process maps them first.)
test_proc_is_not_read_again() {
	need_bpf
	need strace
	start "$WORKLOADS/demo" 60 >/dev/null
	local demo=$started
	strace -f -qq -ttt -e trace=openat -o trace "$KILN" record -q -p "$demo" -d 8 -o p.pb.gz
	assert_at_least "samples" "$(profile_samples p.pb.gz)" 50
	grep -q "/proc/$demo/maps" trace || fail "the trace does not show the first scan"
	# Some seconds from the first scan on; sampling goes on for eight.
	awk -v maps="/proc/$demo/maps" '!begin && index($0, maps) { begin = $2 }
		begin && $2 - begin > 2 && $2 - begin < 6.5' trace |
		grep -E "\"/proc/($demo/|[0-9]+/maps)" >late || true
	sed 's/^/#   /' late
	assert_eq "looks into the process in the steady state" "$(wc -l <late)" 0
}

test_broken_stacks_name_the_binary() {
	need_bpf
	cat >blind.c <<-'C'
		#include <stdlib.h>
		static volatile unsigned long sink;
		__attribute__((noinline)) int order(const void *a, const void *b)
		{
			for (int i = 0; i < 20; i++)
				sink += *(const int *)a * i;
			return *(const int *)a - *(const int *)b;
		}
		int main(void)
		{
			static int v[200000];
			for (int k = 0; k < 8; k++) {
				for (int i = 0; i < 200000; i++)
					v[i] = i * 7919 % 65537;
				qsort(v, 200000, sizeof(*v), order);
			}
		}
	C
	"${CC:-gcc}" -O2 -fomit-frame-pointer -fno-asynchronous-unwind-tables blind.c -o blind
	"$KILN" record -U -o p.pb.gz -- ./blind 2>said
	assert_match "what is said at the end" said \
		'^note: blind: [0-9.]+ % of all stacks break in it\. .*-fasynchronous-unwind-tables'
	profile_py comments p.pb.gz >comments
	assert_match "the profile's own word" comments '^kiln\.blame=.*"blind" .*-fasynchronous-unwind-tables'
	assert_eq "lines about it" "$(grep -c '^kiln\.blame=.*"blind"' comments)" 1
	assert_near "what it claims of itself" "$(claimed p.pb.gz)" "$(complete p.pb.gz)" 2
}

# Assembly that nothing describes: where rbp is kept its stacks are whole, and where it is not but in a leaf.
test_assembly_without_unwind_tables() {
	need_bpf
	cat >asm.S <<-'S'
			.text
			.globl	keeps, uses
			.type	keeps, @function
			.type	keeps_too, @function
			.type	uses, @function
		keeps:	push	%rbp
			mov	%rsp, %rbp
			sub	$48, %rsp
			call	keeps_too
			leave
			ret
			.size	keeps, . - keeps
		keeps_too:
			push	%rbp
			mov	%rsp, %rbp
			sub	$80, %rsp
		1:	dec	%rdi
			jnz	1b
			leave
			ret
			.size	keeps_too, . - keeps_too
		uses:	push	%rbp
			mov	%rdi, %rbp
		1:	dec	%rbp
			jnz	1b
			pop	%rbp
			ret
			.size	uses, . - uses
			.section .note.GNU-stack, "", @progbits
	S
	cat >main.c <<-'C'
		void CALLEE(unsigned long n);
		__attribute__((noinline)) static void calls(void)
		{
			CALLEE(3000000000);
			__asm__ volatile("");
		}
		int main(void)
		{
			calls();
			__asm__ volatile("");
		}
	C
	local callee
	for callee in keeps uses; do
		"${CC:-gcc}" -O2 -fomit-frame-pointer -DCALLEE=$callee main.c asm.S -o $callee
		"$KILN" record -U -o $callee.pb.gz -- ./$callee 2>$callee.said
	done
	# From the first one on: it waits for its file's table.
	assert_at_least "complete stacks" "$(complete keeps.pb.gz)" 97
	assert_near "what it claims of itself" "$(claimed keeps.pb.gz)" "$(complete keeps.pb.gz)" 1.5
	assert_at_least "whole stacks through both" \
		"$(profile_share keeps.pb.gz "$(in_stack 'main;calls;keeps;keeps_too')")" 95
	assert_eq "stacks with a caller left out" "$(profile_samples keeps.pb.gz \
		"$(in_stack keeps_too) && !$(in_stack 'calls;keeps;keeps_too')")" 0
	assert_at_least "samples in uses" "$(profile_share uses.pb.gz "$(in_stack uses)")" 95
	# Its call tells that it is uses, which has pushed one register and made no record.
	assert_at_least "whole stacks through it" \
		"$(profile_share uses.pb.gz "$(in_stack 'main;calls;uses')")" 95
	assert_near "what it claims of itself" "$(claimed uses.pb.gz)" "$(complete uses.pb.gz)" 2
}

# ... and doctor finds such programs while they run.
test_doctor_names_the_binary() {
	printf 'int main(void) { volatile unsigned n = 0; for (;;) n++; }\n' >blind.c
	for i in $(seq 400); do
		printf 'unsigned f%d(unsigned n) { return n * %d + 1; }\n' "$i" "$i" >>blind.c
	done
	"${CC:-gcc}" -O2 -fomit-frame-pointer -fno-asynchronous-unwind-tables blind.c -o blind
	"${CC:-gcc}" -O2 -fomit-frame-pointer blind.c -o seeing
	./blind &
	local blind=$!
	./seeing &
	local seeing=$!
	"$KILN" doctor >said || true
	kill "$blind" "$seeing"
	assert_match "what doctor says" said "^warn +stacks .*blind [(]pid ${blind}[)]"
	assert_eq "of what can be unwound" "$(grep -c 'seeing' said || true)" 0
}

test_java_without_frame_pointers() {
	need_bpf
	need javac java
	javac -d . "$SRC/tests/fixtures/unwind/Spin.java"
	"$KILN" record -U -o without.pb.gz -- java -cp . Spin 4 2>said
	assert_match "the remedy" said '^note: \[jit\]: .*java.*start it with -XX:\+PreserveFramePointer'
	"$KILN" record -U -o with.pb.gz -- java -XX:+PreserveFramePointer -cp . Spin 4 2>said
	assert_no_match "no remedy" said 'PreserveFramePointer'
	assert_at_least "complete stacks with it" "$(complete with.pb.gz)" 95
}

run_tests "$@"
