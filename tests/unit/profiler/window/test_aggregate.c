// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of a drained window, where it is known what was mapped. */
#include "tests/lib/proc_table.h"

#include <stdio.h>

#include "profiler/procs/ksyms.h"
#include "tests/lib/aggregates.h"
#include "tests/lib/windows.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define PID  100
#define EXE  1 /* at 0x400000, of which the text is at 0x1000 in the file */
#define LIB  2 /* right behind it */
#define TEXT 0x400000

static struct aggregate agg;
static struct procs *procs;
static struct ksyms *ksyms;

static int setup(void **state)
{
	(void)state;
	agg = (struct aggregate){0};
	procs = new_table(NULL);
	map(procs, 1 * SEC, PID, TEXT, 0x1000, 0x1000, EXE);
	map(procs, 1 * SEC, PID, TEXT + 0x1000, 0x1000, 0x5000, LIB);
	return ksyms_new(&ksyms);
}

static int teardown(void **state)
{
	(void)state;
	aggregate_clear(&agg);
	procs_free(procs);
	ksyms_free(ksyms);
	return 0;
}

/* Takes the window. */
static void take(struct window *w)
{
	aggregate_window(&agg, w, procs, ksyms);
	window_free(w);
}

static void assert_agg(const char *want)
{
	char *got = print_aggregate(&agg);

	assert_string_equal(got, want);
	free(got);
}

/* One row, of which only the stack matters. */
static void assert_row(struct window *w, struct kiln_count_key key, const char *want)
{
	char line[256];

	key.tgid = key.tgid ?: PID;
	add_row(w, 2 * SEC, 1, key);
	take(w);
	snprintf(line, sizeof(line), "%u/%u  0 %s = 1\n", key.tgid, key.tgid, want);
	assert_agg(line);
	assert_int_equal(agg.recorded, 1);
	assert_int_equal(agg.lost_memory, 0);
	aggregate_clear(&agg);
}

#define assert_user(end, want, ...)                                                                \
	do {                                                                                       \
		struct window *w_ = new_window();                                                  \
		assert_row(w_,                                                                     \
			   (struct kiln_count_key){user_only(user_stack(w_, end, __VA_ARGS__))},   \
			   want);                                                                  \
	} while (0)

/* --- addresses ---------------------------------------------------------------------------------- */

TEST(test_addresses_become_file_and_offset)
{
	struct window *w = new_window();

	map(procs, 1 * SEC, PID, 0x7000, 0x1000, 0, FILE_VDSO);
	map(procs, 1 * SEC, PID, 0x9000, 0x1000, 0, FILE_NONE);
	assert_user(UNWIND_END_ROOT, "file1:1010;file2:5020 ends=root", TEXT + 0x10, TEXT + 0x1021);
	assert_user(UNWIND_END_ROOT, "vdso:10;anon(100):9fff;file1:1000 ends=root", 0x7010, 0xa000,
		    TEXT + 1);
	assert_user(UNWIND_ON, "unmapped:123", 0x123);
	assert_row(w,
		   (struct kiln_count_key){.tgid = 7,
					   user_only(user_stack(w, UNWIND_ON, 0x123, 0x456))},
		   "unknown:123;unknown:455");
}

/* Of a program that has mapped more than a sample can tell, that is why. */
TEST(test_addresses_that_are_not_known_yet)
{
	uint32_t of[] = {0, UNMAPPED_CUT, 0};

	for (int i = 0; i < 3; i++) {
		struct proc_snapshot whole = {.tgid = PID,
					      .t_ns = 2 * SEC,
					      .exe = FILE_NONE,
					      .jitdump = FILE_NONE,
					      .uid = UINT32_MAX};
		struct window *w = new_window();

		if (i == 1)
			procs_snapshot_cut(procs, PID, 1 * SEC, 5);
		else if (i == 2)
			procs_snapshot(procs, &whole);
		add_row(w, 2 * SEC, 1,
			(struct kiln_count_key){.tgid = PID,
						user_only(user_stack(w, UNWIND_ON, 0x123))});
		take(w);
		assert_int_equal(agg.frames.len, 1);
		assert_int_equal(agg.frames.data[0].cls, AT_UNMAPPED);
		assert_int_equal(agg.frames.data[0].owner, of[i]);
		aggregate_clear(&agg);
	}
}

/* A call may be the last instruction of its function, and of what is mapped. */
TEST(test_callers_are_looked_up_by_the_byte_before_their_return_address)
{
	struct window *w = new_window();

	/* the leaf is where it is: at the first byte of a file */
	assert_user(UNWIND_END_ROOT, "file2:5000 ends=root", TEXT + 0x1000);
	/* the return address is in another file than the call, or in none */
	assert_user(UNWIND_END_ROOT, "file2:5000;file1:1fff;file2:5fff ends=root", TEXT + 0x1000,
		    TEXT + 0x1000, TEXT + 0x2000);
	/* ... and in no file where the call is in none */
	assert_user(UNWIND_END_ROOT, "file1:1000;[cut] ends=no_mapping", TEXT, TEXT);
	ksyms_begin(ksyms, 1 * SEC, 0xffff1000, 0x100, "bpf_prog_first");
	ksyms_begin(ksyms, 1 * SEC, 0xffff1100, 0x100, "bpf_prog_second");
	assert_row(w,
		   (struct kiln_count_key){
			   kernel_only(kernel_stack(w, 0xffff1100, 0xffff1100, 0xffff1000))},
		   "ksym2:ffff1100;ksym1:ffff10ff;kernel:ffff0fff");
}

TEST(test_kernel_frames_come_first)
{
	struct window *w = new_window();

	assert_row(w,
		   (struct kiln_count_key){
			   .kernel_stack = kernel_stack(w, 0xffff1234, 0xffff2235),
			   .user_stack = user_stack(w, UNWIND_END_ROOT, TEXT, TEXT + 1),
		   },
		   "kernel:ffff1234;kernel:ffff2234|file1:1000;file1:1000 ends=root");
}

TEST(test_code_of_the_kernel_goes_by_its_time)
{
	struct window *w = new_window();
	uint64_t stack = kernel_stack(w, 0xffff1010);

	ksyms_begin(ksyms, 10 * SEC, 0xffff1000, 0x100, "bpf_prog_first");
	ksyms_end(ksyms, 20 * SEC, 0xffff1000, 0x100, "bpf_prog_first");
	ksyms_begin(ksyms, 20 * SEC, 0xffff1000, 0x100, "bpf_prog_second");
	add_row(w, 9 * SEC, 1, (struct kiln_count_key){.tgid = 1, kernel_only(stack)});
	add_row(w, 15 * SEC, 2, (struct kiln_count_key){.tgid = 2, kernel_only(stack)});
	add_row(w, 25 * SEC, 3, (struct kiln_count_key){.tgid = 3, kernel_only(stack)});
	take(w);
	assert_agg("1/1  0 kernel:ffff1010 = 1\n"
		   "2/2  0 ksym1:ffff1010 = 2\n"
		   "3/3  0 ksym2:ffff1010 = 3\n");
}

/* --- stacks that are not whole ------------------------------------------------------------------ */

TEST(test_a_stack_is_cut_before_what_is_no_code)
{
	/* a frame-pointer walk went astray; that of a table learned of a mapping too late */
	assert_user(UNWIND_ON, "file1:1010;[cut]", TEXT + 0x10, 0x5, TEXT + 0x20);
	assert_user(UNWIND_END_ROOT, "file1:1010;file1:101f;[cut] ends=no_mapping", TEXT + 0x10,
		    TEXT + 0x20, 0x5, TEXT + 0x30);
	assert_user(UNWIND_END_NO_TABLE, "file1:1010;[cut] ends=no_mapping", TEXT + 0x10, 0x5);
}

TEST(test_how_a_walk_ended_is_kept)
{
	assert_user(UNWIND_END_NO_RULE, "file1:1010 ends=no_rule", TEXT + 0x10);
	assert_user(UNWIND_END_DEEP, "file1:1010;file1:101f ends=deep", TEXT + 0x10, TEXT + 0x20);
	assert_user(UNWIND_ON, "file1:1010", TEXT + 0x10);
}

TEST(test_a_gap_is_shown_where_frames_are_missing)
{
	struct window *w = new_window();
	uint64_t stack = add_gapped(w, KILN_SIDE_USER, UNWIND_END_ROOT, 2,
				    FRAMES(TEXT, TEXT + 1, TEXT + 2, TEXT + 3));

	assert_row(w, (struct kiln_count_key){user_only(stack)},
		   "file1:1000;file1:1000;[cut];file1:1001;file1:1002 ends=root");
}

/* Of a frame-pointer walk it is not known whether it has ended when there is no room for more. */
TEST(test_a_walk_as_deep_as_there_is_room)
{
	static const struct {
		enum unwind_end end;
		size_t n;
		bool cut;
	} cases[] = {
		{UNWIND_ON, KILN_MAX_FRAMES, true},
		{UNWIND_ON, KILN_MAX_FRAMES - 1, false},
		{UNWIND_END_ROOT, KILN_MAX_FRAMES, false},
	};
	uint64_t frames[KILN_MAX_FRAMES];

	for (size_t i = 0; i < KILN_MAX_FRAMES; i++)
		frames[i] = TEXT + 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct window *w = new_window();
		const struct agg_stack *s;
		uint64_t stack = add_gapped(w, KILN_SIDE_USER, cases[i].end, 0, frames, cases[i].n);
		enum frame_class outer;

		add_row(w, 2 * SEC, 1, (struct kiln_count_key){.tgid = PID, user_only(stack)});
		take(w);
		s = &agg.stacks.data[0];
		outer = agg.frames.data[agg.frame_ids.data[s->first + s->len - 1]].cls;
		assert_int_equal(s->len, cases[i].n + cases[i].cut);
		assert_int_equal(outer, cases[i].cut ? AT_TRUNCATED : AT_FILE);
		aggregate_clear(&agg);
	}
}

/* The deepest stacks there are: nothing is left out. */
TEST(test_both_sides_at_their_deepest)
{
	uint64_t user[UNWIND_FRAMES_MAX], kernel[KILN_MAX_FRAMES];
	struct window *w = new_window();
	struct kiln_count_key key = {.tgid = PID};

	for (size_t i = 0; i < UNWIND_FRAMES_MAX; i++)
		user[i] = TEXT + 1 + i;
	for (size_t i = 0; i < KILN_MAX_FRAMES; i++)
		kernel[i] = 0xffff0000 + i;
	key.user_stack = add_gapped(w, KILN_SIDE_USER, UNWIND_END_ROOT, 5, user, UNWIND_FRAMES_MAX);
	key.kernel_stack = add_gapped(w, KILN_SIDE_KERNEL, UNWIND_ON, 0, kernel, KILN_MAX_FRAMES);
	add_row(w, 2 * SEC, 1, key);
	take(w);
	assert_int_equal(agg.stacks.data[0].n_kernel, KILN_MAX_FRAMES);
	assert_int_equal(agg.stacks.data[0].len, KILN_MAX_FRAMES + UNWIND_FRAMES_MAX + 1);
	assert_int_equal(vec_last(&agg.frames).addr, 0x1000 + UNWIND_FRAMES_MAX - 1);
}

TEST(test_stacks_that_could_not_be_had)
{
	static const struct kiln_count_key missed = {.user_stack = KILN_STACK_MISSED,
						     .kernel_stack = KILN_STACK_MISSED},
					   hash_only = {.user_stack = 123456, .in_user = 1};
	struct window *w = new_window();

	assert_row(new_window(), missed, "[missed kernel]|[missed user]");
	assert_row(new_window(), hash_only, "[missed user]");
	assert_row(w,
		   (struct kiln_count_key){kernel_only(kernel_stack(w, 0xffff1234)),
					   .user_stack = KILN_STACK_MISSED},
		   "kernel:ffff1234|[missed user]");
}

TEST(test_sides_that_were_not_asked_for)
{
	assert_row(new_window(), (struct kiln_count_key){.in_user = 1}, "[user]");
	assert_row(new_window(), (struct kiln_count_key){.in_user = 0}, "[kernel]");
}

/* In the middle of an exec there is no user stack, and so none is missing. */
TEST(test_mid_exec_has_no_user_stack)
{
	static const struct {
		enum unwind_end end;
		uint32_t len;
		bool in_user;
		const char *want;
	} cases[] = {
		{UNWIND_END_BAD_READ, 1, false, "kernel:ffff1234"},
		{UNWIND_END_ROOT, 0, false, "kernel:ffff1234"},
		{UNWIND_END_BAD_READ, 1, true, "kernel:ffff1234|file1:1001 ends=bad_read"},
		{UNWIND_END_BAD_READ, 2, false,
		 "kernel:ffff1234|file1:1001;file1:1001 ends=bad_read"},
		{UNWIND_END_NO_RULE, 1, false, "kernel:ffff1234|file1:1001 ends=no_rule"},
		{UNWIND_END_ROOT, 1, false, "kernel:ffff1234|file1:1001 ends=root"},
		{UNWIND_END_ROOT, 0, true, "kernel:ffff1234|[missed user]"},
		{UNWIND_END_NO_RULE, 0, false, "kernel:ffff1234|[missed user]"},
	};
	static const uint64_t frames[] = {TEXT + 1, TEXT + 2};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct window *w = new_window();

		assert_row(w,
			   (struct kiln_count_key){
				   kernel_only(kernel_stack(w, 0xffff1234)),
				   .user_stack = add_gapped(w, KILN_SIDE_USER, cases[i].end, 0,
							    frames, cases[i].len),
				   .in_user = cases[i].in_user,
			   },
			   cases[i].want);
	}
}

/* --- who was it --------------------------------------------------------------------------------- */

/* A row is looked up in the program that ran at its first sample. */
TEST(test_programs_of_one_pid)
{
	struct window *w = new_window();
	uint64_t stack = user_stack(w, UNWIND_END_ROOT, TEXT + 0x10, TEXT + 0x21);

	procs_comm(procs, 10 * SEC, PID, PID, "execed", true);
	map(procs, 10 * SEC, PID, TEXT, 0x1000, 0, 3);
	procs_exit(procs, 20 * SEC, PID, PID);
	procs_fork(procs, 30 * SEC, PID, PID, 1);
	map(procs, 30 * SEC, PID, TEXT, 0x1000, 0x100, 4);
	for (uint64_t t = 5; t <= 35; t += 10)
		add_row(w, t * SEC, t,
			(struct kiln_count_key){
				.tgid = PID, .image = (uint32_t)t, user_only(stack)});
	take(w);
	assert_agg("100/100  0 file1:1010;file1:1020 ends=root = 5\n"
		   "100/100  0 file3:10;file3:20 ends=root = 15\n"
		   "100/100  0 file4:110;file4:120 ends=root = 35\n"
		   "100/100  0 unknown:400010;unknown:400020 ends=root = 25\n");
	assert_int_equal(agg.exes.len, 3);
	for (size_t i = 0; i < 3; i++) {
		static const struct agg_exe want[] = {{1, 5}, {3, 15}, {4, 35}};

		assert_int_equal(agg.exes.data[i].file, want[i].file);
		assert_int_equal(agg.exes.data[i].samples, want[i].samples);
	}
}

TEST(test_equal_rows_add_up)
{
	static const struct kiln_count_key others[] = {
		{.tgid = PID, .tid = 101},
		{.tgid = 101, .tid = PID},
		{.tgid = PID, .tid = PID, .cgroup_id = 9},
		{.tgid = PID, .tid = PID, .comm = "x"},
		{.tgid = PID, .tid = PID, .comm = "sixteen letters!"},
		{.tgid = PID, .tid = PID, .comm = "sixteen letters?"},
	};

	for (int round = 1; round <= 3; round++) {
		struct window *w = new_window();
		uint64_t stack = 0;

		/* words and programs are of a window: the frames are what counts */
		for (int i = 1; i < round; i++)
			user_stack(w, UNWIND_ON, 1);
		stack = user_stack(w, UNWIND_END_ROOT, TEXT);
		add_row(w, 2 * SEC, 10,
			(struct kiln_count_key){
				.tgid = PID, .image = (uint32_t)round, user_only(stack)});
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
			struct kiln_count_key key = others[i];

			key.user_stack = stack;
			add_row(w, 2 * SEC, 1, key);
		}
		take(w);
		assert_int_equal(agg.samples.len, 7);
		assert_int_equal(agg.samples.data[0].count, 10 * round);
		for (size_t i = 1; i < 7; i++)
			assert_int_equal(agg.samples.data[i].count, round);
		assert_int_equal(agg.recorded, 16 * round);
	}
	assert_int_equal(agg.stacks.len, 2); /* that of process 101, which is not known */
	assert_int_equal(agg.cgroups.len, 2);
	assert_int_equal(agg.exes.len, 1);
	assert_int_equal(agg.exes.data[0].samples, 3 * 15);
}

/* The same frames are another stack if the walk ended otherwise. */
TEST(test_ends_tell_stacks_apart)
{
	struct window *w = new_window();
	uint64_t root = user_stack(w, UNWIND_END_ROOT, TEXT);
	uint64_t rule = user_stack(w, UNWIND_END_NO_RULE, TEXT);

	add_row(w, 2 * SEC, 1, (struct kiln_count_key){.tgid = PID, user_only(root)});
	add_row(w, 2 * SEC, 2, (struct kiln_count_key){.tgid = PID, user_only(rule)});
	take(w);
	assert_int_equal(agg.frames.len, 1);
	assert_agg("100/100  0 file1:1000 ends=no_rule = 2\n"
		   "100/100  0 file1:1000 ends=root = 1\n");
}

/* --- programs that make code -------------------------------------------------------------------- */

TEST(test_programs_with_code_of_their_own)
{
	struct window *w = new_window();
	uint64_t stack = user_stack(w, UNWIND_ON, 0x9010, 0x9021);
	const struct agg_image *im;

	map(procs, 1 * SEC, PID, 0x9000, 0x1000, 0, FILE_NONE);
	map(procs, 1 * SEC, 200, 0x9000, 0x1000, 0, FILE_NONE);
	procs_comm(procs, 10 * SEC, PID, PID, "execed", true);
	map(procs, 10 * SEC, PID, TEXT, 0x1000, 0, 3);
	map(procs, 10 * SEC, PID, 0x9000, 0x1000, 0, FILE_NONE);
	procs_jitdump(procs, 11 * SEC, PID, 77, 0);
	w->end_ns = 50 * SEC;
	add_row(w, 2 * SEC, 1, (struct kiln_count_key){.tgid = PID, user_only(stack)});
	add_row(w, 2 * SEC, 1, (struct kiln_count_key){.tgid = 200, user_only(stack)});
	add_row(w, 12 * SEC, 1, (struct kiln_count_key){.tgid = PID, user_only(stack)});
	take(w);
	/* of code that a jitdump tells of, which moves, the time is kept */
	assert_agg("100/100  0 anon(100):9010;anon(100):9020 = 1\n"
		   "100/100  0 anon(100):9010@12000000000;anon(100):9020@12000000000 = 1\n"
		   "200/200  0 anon(200):9010;anon(200):9020 = 1\n");
	assert_int_equal(agg.images.len, 3);
	im = agg.images.data;
	assert_int_equal(im[0].exe, EXE);
	assert_int_equal(im[0].jitdump, FILE_NONE);
	assert_int_equal(im[1].exe, FILE_NONE);
	assert_int_equal(im[2].exe, 3);
	assert_int_equal(im[2].jitdump, 77);
	assert_int_not_equal(im[0].image_id, im[2].image_id);
}

/* A jitdump that is mapped when the program has been sampled already. */
TEST(test_a_jitdump_that_comes_later)
{
	for (uint64_t t = 2; t <= 3; t++) {
		struct window *w = new_window();

		map(procs, 1 * SEC, PID, 0x9000, 0x1000, 0, FILE_NONE);
		w->end_ns = t * SEC + 1;
		add_row(w, t * SEC, 1,
			(struct kiln_count_key){.tgid = PID,
						user_only(user_stack(w, UNWIND_ON, 0x9010))});
		take(w);
		procs_jitdump(procs, 2 * SEC + 2, PID, 77, 0);
	}
	assert_agg("100/100  0 anon(100):9010 = 1\n"
		   "100/100  0 anon(100):9010@3000000000 = 1\n");
	assert_int_equal(agg.images.len, 1);
	assert_int_equal(agg.images.data[0].jitdump, 77);
}

/* The size that its perf map had tells what the code was. */
TEST(test_code_as_of_a_perf_map)
{
	struct window *w = new_window();
	uint64_t stack = user_stack(w, UNWIND_ON, 0x9010);

	map(procs, 1 * SEC, PID, 0x9000, 0x1000, 0, FILE_NONE);
	for (uint32_t i = 0; i < 3; i++) {
		add_row(w, 2 * SEC, 1,
			(struct kiln_count_key){.tgid = PID, .image = i, user_only(stack)});
		vec_last(&w->rows).value.written = 100 * (i / 2);
	}
	take(w);
	assert_int_equal(agg.frames.len, 2);
	assert_int_equal(agg.frames.data[0].written, 0);
	assert_int_equal(agg.frames.data[1].written, 100);
	assert_int_equal(agg.frames.data[1].t_ns, 0);
	assert_int_equal(agg.samples.data[0].count, 2);
}

/* --- what waits for its names -------------------------------------------------------------------- */

/* Three programs with code of their own, of which the second one waits. */
static void add_programs(void)
{
	struct window *w = new_window();
	uint64_t jit = user_stack(w, UNWIND_END_ROOT, 0x9010, 0x9021);
	uint64_t below = user_stack(w, UNWIND_END_NO_RULE, TEXT, 0x9021);
	uint64_t plain = user_stack(w, UNWIND_END_ROOT, TEXT);

	for (uint32_t i = 1; i <= 3; i++) {
		map(procs, 1 * SEC, PID * i, TEXT, 0x1000, 0, EXE);
		map(procs, 1 * SEC, PID * i, 0x9000, 0x1000, 0, FILE_NONE);
		add_row(w, 2 * SEC, 1 * i,
			(struct kiln_count_key){.tgid = PID * i, user_only(jit)});
		add_row(w, 2 * SEC, 10 * i,
			(struct kiln_count_key){.tgid = PID * i,
						.cgroup_id = i,
						user_only(below),
						.kernel_stack = kernel_stack(w, 0xffff0000 + i)});
		add_row(w, 2 * SEC, 100 * i,
			(struct kiln_count_key){.tgid = PID * i, user_only(plain)});
	}
	take(w);
}

TEST(test_samples_are_held_back)
{
	static const bool waits[] = {false, true, false};
	struct aggregate next = {0};
	char *text;

	for (uint64_t round = 1; round <= 2; round++) { /* into an empty one, and into that again */
		add_programs();
		assert_int_equal(agg.recorded, 666);
		aggregate_hold_back(&next, &agg, waits);
		assert_int_equal(agg.recorded, 666 - 22);
		assert_int_equal(next.recorded, 22 * round);
		assert_int_equal(next.samples.len, 2);
		assert_int_equal(next.images.len, 1);
		assert_int_equal(next.images.data[0].tgid, 2 * PID);
		assert_int_equal(next.cgroups.len, 2);
		for (size_t i = 0; i < 9; i++) /* three rows of each program */
			assert_int_equal(!agg.samples.data[i].count, i == 3 || i == 4);
		aggregate_clear(&agg);
	}
	agg = next;
	assert_agg("200/200  0 anon(200):9010;anon(200):9020 ends=root = 4\n"
		   "200/200  2 kernel:ffff0002|file1:0;anon(200):9020 ends=no_rule = 40\n");
	/* a row that comes later is one with those that waited */
	add_programs();
	assert_int_equal(agg.recorded, 666 + 44);
	assert_int_equal(agg.samples.len, 9);
	assert_int_equal(agg.images.len, 3);
	text = print_aggregate(&agg);
	assert_non_null(strstr(text, "200/200  0 anon(200):9010;anon(200):9020 ends=root = 6\n"));
	free(text);
}

/* --- room ---------------------------------------------------------------------------------------- */

TEST(test_rows_over_the_cap_are_counted)
{
	uint64_t total = 0;
	size_t full = 0;

	agg.max_bytes = 64 << 10;
	for (uint32_t round = 0; round < 50; round++) {
		struct window *w = new_window();

		for (uint32_t i = 0; i < 100; i++)
			add_row(w, 2 * SEC, 3,
				(struct kiln_count_key){
					.tgid = PID,
					.tid = 1000 * round + i + 1,
					user_only(user_stack(w, UNWIND_ON, TEXT + i))});
		total += w->samples;
		take(w);
		assert_int_equal(agg.recorded + agg.lost_memory, total);
		if (!full && agg.lost_memory)
			full = aggregate_bytes(&agg);
		/* what is full does not grow; the table that made it so may have doubled */
		assert_true(!full || aggregate_bytes(&agg) == full);
		assert_true(aggregate_bytes(&agg) < 2 * agg.max_bytes);
	}
	assert_true(full > agg.max_bytes);
	assert_in_range(agg.recorded, 300, total - 300);
	assert_int_equal(agg.samples.len * 3, agg.recorded);
	aggregate_clear(&agg);
	assert_int_equal(agg.max_bytes, 64 << 10);
	assert_int_equal(aggregate_bytes(&agg), 0);
	assert_int_equal(agg.recorded + agg.lost_memory, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_addresses_become_file_and_offset),
		T(test_addresses_that_are_not_known_yet),
		T(test_callers_are_looked_up_by_the_byte_before_their_return_address),
		T(test_kernel_frames_come_first),
		T(test_code_of_the_kernel_goes_by_its_time),
		T(test_a_stack_is_cut_before_what_is_no_code),
		T(test_how_a_walk_ended_is_kept),
		T(test_a_gap_is_shown_where_frames_are_missing),
		T(test_a_walk_as_deep_as_there_is_room),
		T(test_both_sides_at_their_deepest),
		T(test_stacks_that_could_not_be_had),
		T(test_sides_that_were_not_asked_for),
		T(test_mid_exec_has_no_user_stack),
		T(test_programs_of_one_pid),
		T(test_equal_rows_add_up),
		T(test_ends_tell_stacks_apart),
		T(test_programs_with_code_of_their_own),
		T(test_a_jitdump_that_comes_later),
		T(test_code_as_of_a_perf_map),
		T(test_samples_are_held_back),
		T(test_rows_over_the_cap_are_counted),
	};

	return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
