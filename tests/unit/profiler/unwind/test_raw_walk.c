// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples that the kernel half did not walk: which are walked at once, which wait and for what, and who
 * walks them in the end. The samples are made here, as are the tables of the feed and the process that
 * walks with libunwind.
 */
#include "tests/lib/proc_table.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/unwind/unwind_blob.h"
#include "symbolizer/unwind/unwind_encode.h"
#include "tests/lib/windows.h"

/* In the place of the sampler's own. */
struct raw_sample *next_raw(struct raw_queue *q);
#define raw_queue_next next_raw
#include "profiler/unwind/raw_walk.c" /* NOLINT(bugprone-suspicious-include) */
#include "tests/lib/walk_doubles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define TGID 4100000 /* of no process of this machine */

static struct procs *procs;
static struct files *files;
static struct rescan *rescan;
static struct raw_walk *walk;
static struct window *window;

/* --- samples ------------------------------------------------------------------------------------- */

static int begin(void **state)
{
	(void)state;
	feed_says = FEED_NEVER;
	feed_awaits = false;
	feed_asked = libunwind_asked = known_files = 0;
	libunwind_finds = 3;
	libunwind_ends = CFI_WALK_ROOT;
	procs = new_table(NULL);
	map(procs, 1, TGID, CODE, 0x1000, 0, FILE_NONE);
	map(procs, 1, TGID, FILE_CODE, 0x1000, 0x1000, 7);
	window = new_window();
	return files_new(&files, NULL) ?:
	       rescan_new(&rescan, procs) ?:
	       raw_walk_new(&walk, procs, files, NULL, rescan, NULL);
}

static int end(void **state)
{
	(void)state;
	raw_walk_free(walk);
	raw_walk_free(NULL);
	rescan_free(rescan);
	procs_free(procs);
	files_free(files);
	window_free(window);
	vec_release(&samples);
	return 0;
}

/* A sample at frames[0], with a frame record on its stack for each of the others. */
static struct raw_sample *sample(uint64_t word, const uint64_t *frames, size_t n)
{
	size_t len = KILN_RED_ZONE + 16 * (n + 2);
	struct raw_sample *r = calloc(1, sizeof(*r) + len);

	assert_non_null(r);
	r->into = window;
	r->word = word;
	r->time_ns = boottime_ns();
	r->tgid = TGID;
	r->stack_len = (uint32_t)len;
	r->why = UNWIND_END_NO_MAPPING;
	r->regs[UNWIND_RIP] = frames[0];
	r->regs[UNWIND_RSP] = SP;
	r->base = KILN_RAW_BASE(SP);
	r->regs[UNWIND_RBP] = n > 1 ? SP + 16 : 0;
	for (size_t i = 1; i < n; i++) {
		uint64_t record[2] = {i + 1 < n ? SP + 16 * (i + 1) : 0, frames[i]};

		memcpy(r->stack + KILN_RED_ZONE + 16 * i, record, sizeof(record));
	}
	assert_int_equal(vec_push(&samples, r), 0);
	return r;
}

static struct raw_walk_stats stats(void)
{
	struct raw_walk_stats s;

	raw_walk_stats(walk, &s);
	return s;
}

/* The stack of that word is there, and ends so. */
static void assert_walked(uint64_t word, enum unwind_end end, const uint64_t *frames, size_t n)
{
	const uint64_t *got = NULL;
	const struct window_stack *s = window_stack(window, KILN_SIDE_USER, word, &got);

	assert_non_null(s);
	assert_int_equal(s->end, end);
	assert_int_equal(s->len, n);
	assert_memory_equal(got, frames, n * sizeof(*frames));
}

static void assert_not_walked(uint64_t word)
{
	const uint64_t *got;

	assert_null(window_stack(window, KILN_SIDE_USER, word, &got));
}

/* --- tests --------------------------------------------------------------------------------------- */

TEST(test_walked_at_once)
{
	sample(100, FRAMES(CODE + 1, CODE + 2, CODE + 3));
	sample(101, FRAMES(CODE + 1))->why = UNWIND_END_SLOW;
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(CODE + 1, CODE + 2, CODE + 3));
	assert_walked(101, UNWIND_END_CHAIN, FRAMES(CODE + 1));
	assert_false(raw_walk_waits(walk));
	assert_int_equal(stats().by_tables, 2);
	assert_int_equal(stats().complete, 0);
	assert_int_equal(stats().why[UNWIND_END_NO_MAPPING], 1);
	assert_int_equal(stats().why[UNWIND_END_SLOW], 1);
	assert_int_equal(stats().waited, 0);
	assert_int_equal(libunwind_asked, 0);
}

/* Without a table, and none to come, frame pointers are the best guess in a file, too. */
TEST(test_a_file_that_has_no_table)
{
	sample(100, FRAMES(FILE_CODE + 1, CODE + 2));
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(FILE_CODE + 1, CODE + 2));
	assert_true(feed_asked > 0);
}

/* Code that keeps something else in rbp makes zeros: they are no root. */
TEST(test_zeros_are_no_root)
{
	sample(100, FRAMES(CODE + 1));
	sample(101, FRAMES(CODE + 1, CODE + 2, 0));
	sample(102, FRAMES(FILE_CODE + 1, 0));
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(CODE + 1));
	assert_walked(101, UNWIND_END_ZERO, FRAMES(CODE + 1, CODE + 2));
	assert_walked(102, UNWIND_END_ZERO, FRAMES(FILE_CODE + 1));
	assert_int_equal(stats().by_tables, 3);
	assert_int_equal(stats().complete, 0);
}

/* The page of old system calls is in no mapping. Its calls trap at their first instruction. */
TEST(test_old_system_calls)
{
	const uint64_t gettimeofday = 0xffffffffff600000, time = gettimeofday + 1024;
	uint64_t caller = CODE + 2;

	memcpy(sample(100, FRAMES(time))->stack + KILN_RED_ZONE, &caller, sizeof(caller));
	sample(101, FRAMES(time + 1));
	sample(102, FRAMES(CODE + 1, gettimeofday));
	raw_walk_run(walk, NULL);
	raw_walk_finish(walk, window); /* of the second, a rescan might have found the mapping */
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(time, CODE + 2));
	assert_walked(101, UNWIND_END_NO_MAPPING, FRAMES(time + 1));
	assert_walked(102, UNWIND_END_NO_MAPPING, FRAMES(CODE + 1, gettimeofday));
}

/* Words of 4 bytes, registers whose upper halves mean nothing, and the vDSO's way out of the kernel. */
TEST(test_32_bit_code)
{
	const uint32_t records[] = {0, CODE + 2},
		       saved[] = {SP + 24, 1, 2, CODE + 2, 3, 4, 0, CODE + 3};
	struct raw_sample *r = sample(100, FRAMES(CODE + 1, 0)), *call;

	map(procs, 1, TGID, 0xf7f00000, 0x1000, 0, FILE_VDSO);
	r->is_compat = true;
	r->regs[UNWIND_RBP] = SP + 16 + (0xdeadull << 32);
	memcpy(r->stack + KILN_RED_ZONE + 16, records, sizeof(records));
	call = sample(101, FRAMES(0xf7f00123, 0));
	call->is_compat = call->in_kernel = true;
	call->regs[UNWIND_RBP] = SP;
	memcpy(call->stack + KILN_RED_ZONE, saved, sizeof(saved));
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_COMPAT, FRAMES(CODE + 1, CODE + 2));
	assert_walked(101, UNWIND_END_COMPAT, FRAMES(0xf7f00123, CODE + 2, CODE + 3));
	assert_int_equal(libunwind_asked, 0);
}

/* A return address in the page of probes that the kernel did not tell. */
TEST(test_uretprobes)
{
	const uint64_t page = 0x7ffffffe0000;

	sample(100, FRAMES(CODE + 1, page))->uprobes = page;
	sample(101, FRAMES(CODE + 1, page + 4096))->uprobes = page;
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_UPROBE, FRAMES(CODE + 1, page));
	assert_walked(101, UNWIND_END_NO_MAPPING, FRAMES(CODE + 1, page + 4096));
}

/* A table that has this rule in the first half of the made code. */
static void *table_with(struct unwind_rule rule)
{
	const struct unwind_rule none = {.cfa = UNWIND_CFA_NONE};
	struct unwind_stats sums = {0};
	struct unwind_encoder *e;
	size_t len;
	void *blob;

	assert_int_equal(unwind_encoder_new(&e, CODE, CODE + 0x1000), 0);
	assert_int_equal(unwind_encoder_row(e, CODE, rule), 0);
	assert_int_equal(unwind_encoder_row(e, CODE + 0x800, none), 0);
	assert_int_equal(unwind_encoder_finish(e, &blob, &len, &sums), 0);
	unwind_encoder_free(e);
	return blob;
}

/* Callers are 24 bytes above rsp. */
static void *made_table(void)
{
	return table_with((struct unwind_rule){.cfa = UNWIND_CFA_RSP, .cfa_off = 24});
}

/* Its frame record says nothing; the caller is where the table says. */
static struct raw_sample *made_sample(uint64_t word)
{
	const uint64_t caller[] = {0, 0, CODE + 0x900};
	struct raw_sample *r = sample(word, FRAMES(CODE + 1));

	memcpy(r->stack + KILN_RED_ZONE, caller, sizeof(caller));
	r->jit_written = 4711;
	return r;
}

TEST(test_made_code_by_its_jitdump)
{
	struct raw_sample *r = made_sample(100);
	void *table = made_table();
	uint64_t then = r->time_ns;

	procs_jitdump(procs, 1, TGID, 9, 0);
	jit_says = FEED_SOON;
	jit_table_given = table;
	raw_walk_run(walk, NULL);
	assert_true(raw_walk_waits(walk)); /* the table is older */
	assert_int_equal(jit_asked.dump, 9);
	assert_int_equal(jit_asked.written, 4711);
	assert_true(jit_asked.since_ns == then);
	jit_says = FEED_TABLE;
	raw_walk_run(walk, NULL);
	/* the caller's code is not described: by frame pointers */
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(CODE + 1, CODE + 0x900));
	assert_int_equal(stats().old_jit, 0);
	jit_says = FEED_NEVER;
	jit_table_given = NULL;
	made_sample(101);
	raw_walk_run(walk, NULL);
	assert_walked(101, UNWIND_END_CHAIN, FRAMES(CODE + 1));
	free(table);
}

/* Who waits no longer takes an older table, or none. */
TEST(test_made_code_whose_newer_table_does_not_come)
{
	void *table = made_table();

	procs_jitdump(procs, 1, TGID, 9, 0);
	jit_says = FEED_SOON;
	jit_table_given = table;
	made_sample(100);
	raw_walk_run(walk, NULL);
	raw_walk_finish(walk, window);
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(CODE + 1, CODE + 0x900));
	assert_int_equal(stats().old_jit, 1);
	jit_table_given = NULL;
	made_sample(101);
	raw_walk_run(walk, NULL);
	raw_walk_finish(walk, window);
	assert_walked(101, UNWIND_END_CHAIN, FRAMES(CODE + 1));
	assert_int_equal(stats().old_jit, 1);
	assert_int_equal(libunwind_asked, 0);
	free(table);
}

/* Made code is libunwind's end. What the tables have found is more, if it found less; a root is worth more than any. */
TEST(test_the_walk_that_gets_further)
{
	feed_says = FEED_NO_ROOM;
	libunwind_ends = CFI_WALK_NO_INFO;
	libunwind_finds = 1;
	sample(100, FRAMES(CODE + 1, CODE + 2, FILE_CODE + 1));
	raw_walk_run(walk, NULL);
	assert_int_equal(libunwind_asked, 1);
	assert_walked(100, UNWIND_END_NO_TABLE, FRAMES(CODE + 1, CODE + 2, FILE_CODE + 1));
	libunwind_finds = 3;
	sample(101, FRAMES(CODE + 1, CODE + 2, FILE_CODE + 1));
	raw_walk_run(walk, NULL);
	assert_walked(101, UNWIND_END_NO_RULE, FRAMES(1, 2, 3));
	libunwind_ends = CFI_WALK_ROOT;
	libunwind_finds = 2;
	sample(102, FRAMES(CODE + 1, CODE + 2, FILE_CODE + 1));
	raw_walk_run(walk, NULL);
	assert_walked(102, UNWIND_END_ROOT, FRAMES(1, 2));
	assert_int_equal(stats().complete, 1);
}

/* More stack than was copied. */
TEST(test_the_end_of_what_was_copied)
{
	struct raw_sample *r = sample(100, FRAMES(CODE + 1, CODE + 2, CODE + 3));

	r->stack_len -= 16 * 3; /* the record of the last frame is not in it */
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_SLICE, FRAMES(CODE + 1, CODE + 2));
	assert_int_equal(stats().complete, 0);
	/* below rsp no more than the red zone was */
	r = sample(101, FRAMES(CODE + 1, CODE + 2));
	r->regs[UNWIND_RBP] = SP - KILN_RED_ZONE - 8;
	raw_walk_run(walk, NULL);
	assert_walked(101, UNWIND_END_LOOP, FRAMES(CODE + 1));
}

/* Behind `pop %rbp`, where the table says still that rbp is on the stack, and perf copied nothing below rsp. */
TEST(test_what_was_popped)
{
	const struct unwind_rule popped = {
		.cfa = UNWIND_CFA_RSP, .cfa_off = 8, .bp = UNWIND_BP_AT_CFA, .bp_off = -16};
	struct raw_sample *r = sample(100, FRAMES(CODE + 1, CODE + 0x901));
	void *table = table_with(popped);

	procs_jitdump(procs, 1, TGID, 9, 0);
	jit_says = FEED_TABLE;
	jit_table_given = table;
	r->base = SP;
	r->stack_len -= KILN_RED_ZONE;
	memmove(r->stack, r->stack + KILN_RED_ZONE, r->stack_len);
	memcpy(r->stack, &(uint64_t){CODE + 0x900}, 8);
	raw_walk_run(walk, NULL);
	/* the caller's frame record is where rbp says */
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(CODE + 1, CODE + 0x900, CODE + 0x901));
	free(table);
}

/* As CPython's trampolines: where their caller is, the two instructions that they go on with say. */
TEST(test_code_that_returns_at_once)
{
	static const uint8_t code[] = {0x48, 0x83, 0xc4, 0x08, 0xc3, 0x90, 0x90, 0x90};
	uint64_t at = (uint64_t)code, stack[] = {0x1234, CODE + 3};

	map(procs, 1, getpid(), CODE, 0x1000, 0, FILE_NONE);
	map(procs, 1, getpid(), at & ~4095ull, 0x1000, 0, FILE_NONE);
	for (uint64_t word = 100; word < 102; word++) {
		struct raw_sample *r = sample(word, FRAMES(CODE + 1, at));

		if (word == 101)
			assert_int_equal(raw_walk_read_code(walk), 0);
		r->tgid = (uint32_t)getpid();
		memcpy(r->stack + KILN_RED_ZONE + 32, stack, sizeof(stack));
		raw_walk_run(walk, NULL);
	}
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(CODE + 1, at));
	assert_walked(101, UNWIND_END_CHAIN, FRAMES(CODE + 1, at, CODE + 3));
}

/* The old program's stack is gone, and is not missing. */
TEST(test_in_the_middle_of_an_exec)
{
	struct raw_sample *r = sample(100, FRAMES(0x123));

	r->stack_len = 0;
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_ROOT, NULL, 0);
	assert_int_equal(stats().by_tables + stats().by_libunwind, 0);
}

TEST(test_waiting_for_a_table)
{
	feed_says = FEED_SOON;
	for (uint64_t i = 0; i < 3; i++)
		sample(100 + i, FRAMES(FILE_CODE + 1, CODE + 2));
	raw_walk_run(walk, NULL);
	assert_true(raw_walk_waits(walk));
	assert_not_walked(100);
	raw_walk_run(walk, NULL);
	assert_not_walked(100);
	feed_asked = 0;
	raw_walk_run(walk, NULL);
	assert_int_equal(feed_asked, 1); /* those behind the first wait for the same file */
	feed_says = FEED_NEVER;		 /* it has come to nothing */
	raw_walk_run(walk, NULL);
	for (uint64_t i = 0; i < 3; i++)
		assert_walked(100 + i, UNWIND_END_CHAIN, FRAMES(FILE_CODE + 1, CODE + 2));
	assert_false(raw_walk_waits(walk));
	assert_int_equal(stats().waited, 3);
	assert_int_equal(stats().late, 0);
	assert_int_equal(stats().by_tables, 3);
	assert_int_equal(libunwind_asked, 0);
}

/* When the window ends libunwind has to do; what belongs to the next one waits on. */
TEST(test_the_window_ends)
{
	struct window *next = new_window(), *this = window;

	feed_says = FEED_SOON;
	sample(100, FRAMES(FILE_CODE + 1, CODE + 2));
	sample(101, FRAMES(FILE_CODE + 1))->into = next;
	raw_walk_run(walk, NULL);
	raw_walk_finish(walk, this);
	assert_walked(100, UNWIND_END_ROOT, FRAMES(1, 2, 3));
	assert_int_equal(libunwind_asked, 1);
	assert_int_equal(known_files, 1); /* the file of its mappings */
	assert_true(raw_walk_waits(walk));
	assert_int_equal(stats().late, 1);
	assert_int_equal(stats().by_libunwind, 1);
	assert_int_equal(stats().complete, 1);
	window = next;
	assert_not_walked(101);
	libunwind_ends = CFI_WALK_NO_INFO;
	raw_walk_finish(walk, next);
	assert_walked(101, UNWIND_END_NO_RULE, FRAMES(1, 2, 3));
	assert_false(raw_walk_waits(walk));
	assert_int_equal(stats().complete, 1);
	window = this;
	window_free(next);
}

TEST(test_nobody_waits_for_long)
{
	struct raw_sample *r;

	feed_says = FEED_SOON;
	r = sample(100, FRAMES(FILE_CODE + 1));
	r->time_ns -= 6000000000; /* five seconds are long */
	raw_walk_run(walk, NULL);
	assert_not_walked(100);
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_ROOT, FRAMES(1, 2, 3));
	assert_int_equal(stats().late, 1);
}

/* A sample that was lost has no stack: it is shown as missing. */
TEST(test_libunwind_fails)
{
	feed_says = FEED_SOON;
	libunwind_finds = 0;
	libunwind_stats = (struct walk_worker_stats){.lost = 1, .files_failed = 2};
	sample(100, FRAMES(FILE_CODE + 1));
	raw_walk_run(walk, NULL);
	raw_walk_finish(walk, window);
	assert_not_walked(100);
	assert_int_equal(stats().by_libunwind, 0);
	assert_int_equal(stats().lost, 1);
	assert_int_equal(stats().files_failed, 2);
	libunwind_stats = (struct walk_worker_stats){0};
}

/* Each user's processes have a reader of their own, which sees no other's stack. */
TEST(test_owners)
{
	static const uint32_t owners[] = {1001, 0, KILN_OWNER_MIXED, 1001, 0};

	feed_says = FEED_SOON;
	libunwind_finds = 3;
	n_asked_for = 0;
	for (int i = 0; i < 5; i++)
		sample(100 + (uint64_t)i, FRAMES(FILE_CODE + 1))->owner = owners[i];
	raw_walk_run(walk, NULL);
	raw_walk_finish(walk, window);
	assert_int_equal(stats().by_libunwind, 5);
	assert_int_equal(n_asked_for, 3);
	assert_int_equal(asked_for[0], 0);
	assert_int_equal(asked_for[1], 1001);
	assert_int_equal(asked_for[2], KILN_OWNER_MIXED);
}

TEST(test_no_reader_for_an_owner)
{
	feed_says = FEED_SOON;
	libunwind_finds = 3;
	has_no_reader = 1001;
	sample(100, FRAMES(FILE_CODE + 1))->owner = 1001;
	sample(101, FRAMES(FILE_CODE + 1))->owner = 1002;
	raw_walk_run(walk, NULL);
	raw_walk_finish(walk, window);
	assert_not_walked(100);
	assert_int_equal(stats().by_libunwind, 1);
	assert_int_equal(stats().owners_full, 1);
	assert_int_equal(stats().lost, 1);
	has_no_reader = 0;
}

/* Code runs where nothing is known to be mapped: /proc is looked at, once. */
TEST(test_code_where_nothing_is_known)
{
	sample(100, FRAMES(0xdead00, CODE + 2));
	raw_walk_run(walk, NULL);
	assert_true(raw_walk_waits(walk));
	assert_true(rescan_is_due(rescan, TGID));
	raw_walk_run(walk, NULL);
	assert_not_walked(100);
	/* it has moved there: mremap(2) tells nobody */
	map(procs, 1, TGID, 0xdead00, 0x1000, 0, FILE_NONE);
	rescan_run(rescan, 1000000000);
	assert_false(rescan_is_due(rescan, TGID));
	raw_walk_run(walk, NULL);
	assert_false(raw_walk_waits(walk));
	assert_walked(100, UNWIND_END_CHAIN, FRAMES(0xdead00, CODE + 2));
	/* no sample waits for the same again at once */
	sample(101, FRAMES(0xbeef00));
	raw_walk_run(walk, NULL);
	assert_walked(101, UNWIND_END_NO_MAPPING, FRAMES(0xbeef00));
}

/* Beyond code where frame pointers were a guess it is the guess that was wrong. */
TEST(test_guesses_are_not_looked_up)
{
	sample(100, FRAMES(CODE + 1, 0xdead00));
	raw_walk_run(walk, NULL);
	assert_walked(100, UNWIND_END_NO_MAPPING, FRAMES(CODE + 1, 0xdead00));
	assert_false(rescan_is_due(rescan, TGID));
}

/* What waits is bounded. */
TEST(test_too_many_wait)
{
	enum { LEN = 1 << 20 };
	unsigned n = 0;

	feed_says = FEED_SOON;
	for (; n < 200 && !stats().crowded; n++) {
		struct raw_sample *small = sample(100 + n, FRAMES(FILE_CODE + 1));
		struct raw_sample *r = realloc(small, sizeof(*r) + LEN);

		assert_non_null(r);
		memset(r->stack + r->stack_len, 0, LEN - r->stack_len);
		r->stack_len = LEN;
		vec_last(&samples) = r;
		raw_walk_run(walk, NULL);
	}
	assert_in_range(n, 90, 97); /* 96 MB */
	assert_walked(100 + n - 1, UNWIND_END_ROOT, FRAMES(1, 2, 3));
	assert_not_walked(100);
	raw_walk_finish(walk, window);
	assert_walked(100, UNWIND_END_ROOT, FRAMES(1, 2, 3));
	assert_int_equal(stats().waited, n - 1);
	assert_int_equal(stats().late, n - 1);
	/* and then there is room again */
	sample(1, FRAMES(FILE_CODE + 1));
	raw_walk_run(walk, NULL);
	assert_true(raw_walk_waits(walk));
	assert_int_equal(stats().crowded, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_walked_at_once),
		T(test_a_file_that_has_no_table),
		T(test_zeros_are_no_root),
		T(test_old_system_calls),
		T(test_32_bit_code),
		T(test_uretprobes),
		T(test_made_code_by_its_jitdump),
		T(test_made_code_whose_newer_table_does_not_come),
		T(test_the_walk_that_gets_further),
		T(test_the_end_of_what_was_copied),
		T(test_what_was_popped),
		T(test_code_that_returns_at_once),
		T(test_in_the_middle_of_an_exec),
		T(test_waiting_for_a_table),
		T(test_the_window_ends),
		T(test_nobody_waits_for_long),
		T(test_libunwind_fails),
		T(test_owners),
		T(test_no_reader_for_an_owner),
		T(test_code_where_nothing_is_known),
		T(test_guesses_are_not_looked_up),
		T(test_too_many_wait),
	};

	return cmocka_run_group_tests_name("raw_walk", tests, NULL, NULL);
}
