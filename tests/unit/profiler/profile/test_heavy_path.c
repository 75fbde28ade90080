// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a profile's weight goes: commands, kinds of code, and the heaviest path. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/profile/commands.h"
#include "profiler/profile/activities.h"
#include "profiler/profile/heavy_path.h"
#include "profiler/profile/machine_load.h"
#include "profiler/profile/table.h"
#include "profiler/profile/time_kinds.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define MAX_FRAMES 512

static uint32_t frame(struct profile *p, const char *name, const char *file)
{
	struct profile_mapping m = {.file = str_id(p, file)};
	struct profile_line line = {.function = function_id(p, name, "")};
	uint32_t mapping, id;

	MUST(profile_mapping(p, &m, &mapping));
	MUST(profile_location(p, mapping, 0, &line, 1, &id));
	return id;
}

/* A stack of names, outermost first; "k:" before a name: of the kernel, "c:": of libc. */
static void add_as(struct profile *p, const char *comm, int64_t pid, int64_t tid, int64_t value,
		   const char *words)
{
	struct profile_label labels[] = {
		{.key = str_id(p, LABEL_COMM), .str = str_id(p, comm)},
		{.key = str_id(p, LABEL_PID), .str = PROFILE_NONE, .num = pid},
		{.key = str_id(p, LABEL_TID), .str = PROFILE_NONE, .num = tid},
	};
	uint32_t frames[MAX_FRAMES], stack, labelset;
	char *copy = strdup(words);
	size_t n = MAX_FRAMES;

	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
		const char *file = !strncmp(w, "k:", 2)	  ? MAPPING_KERNEL
				   : !strncmp(w, "c:", 2) ? "/lib/libc.so.6"
							  : "/bin/app";

		frames[--n] = frame(p, w[1] == ':' ? w + 2 : w, file);
	}
	free(copy);
	MUST(profile_stack(p, frames + n, MAX_FRAMES - n, &stack));
	MUST(profile_labelset(p, labels, 3, &labelset));
	MUST(profile_add(p, stack, labelset, (int64_t[]){value, value * 10}));
}

static void add(struct profile *p, int64_t value, const char *words)
{
	add_as(p, "app", 1, 1, value, words);
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	MUST(profile_init_cpu(p, 10));
	return p;
}

/* "60 a>b; 35 .c" with a dot for each level. */
static void assert_path(const struct profile *p, const struct heavy_opts *o, const char *want)
{
	struct buf got = {0};
	struct heavy_path h;

	assert_int_equal(heavy_path_build(&h, p, o), 0);
	for (size_t i = 0; i < h.lines.len; i++) {
		const struct heavy_line *line = &h.lines.data[i];

		buf_printf(&got, "%s%lld %.*s", i ? "; " : "", (long long)line->total,
			   (int)line->level, "........");
		for (uint32_t k = 0; k < line->len; k++)
			buf_printf(&got, "%s%s", k ? ">" : "",
				   strtab_get(h.strings, h.calls.data[line->first + k].name));
	}
	assert_string_equal(buf_cstr(&got), want);
	buf_release(&got);
	heavy_path_release(&h);
}

static const struct heavy_opts plain = {.max_lines = 8, .min_share = 0.05};

TEST(test_path)
{
	struct profile *p = new_profile();

	add(p, 40, "_start c:__libc_start_main main loop write k:do_syscall_64 k:vfs_write");
	add(p, 5, "_start c:__libc_start_main main loop write");
	add(p, 30, "_start c:__libc_start_main main loop read parse");
	add(p, 15, "_start c:__libc_start_main main loop read check");
	add(p, 6, "_start c:__libc_start_main main loop");
	add(p, 2, "_start c:__libc_start_main main setup");
	add(p, 2, "_start c:__libc_start_main main");
	assert_path(p, &plain,
		    "96 loop; 45 .read; 30 ..parse; 15 ..check; 45 .write; 40 ..vfs_write");
	assert_path(p, &(struct heavy_opts){.max_lines = 3, .min_share = 0.05},
		    "96 loop; 45 .read; 45 .write");
	assert_path(p, &(struct heavy_opts){.max_lines = 1}, "96 loop");
	assert_path(p, &(struct heavy_opts){.max_lines = 8, .min_share = 0.4},
		    "96 loop; 45 .read; 45 .write; 40 ..vfs_write");
	profile_free(p);
}

/* What keeps nearly all of a line continues it; of what does not, three are its branches; the first line has five. */
TEST(test_branches)
{
	struct profile *p = new_profile();

	add(p, 44, "main loop parse lex");
	add(p, 36, "main loop parse read");
	add(p, 20, "main loop emit");
	assert_path(p, &plain, "100 loop; 80 .parse; 44 ..lex; 36 ..read; 20 .emit");
	add(p, 15, "main loop check");
	add(p, 12, "main loop free");
	assert_path(p, &(struct heavy_opts){.max_lines = 8},
		    "127 loop; 80 .parse; 44 ..lex; 36 ..read; 20 .emit; 15 .check; 12 .free");
	profile_free(p);
}

/* A line ends where a tenth of its share is lost. */
TEST(test_share_of_a_line)
{
	struct profile *p = new_profile();

	add(p, 76, "loop filter deflate");
	add(p, 9, "loop filter");
	add(p, 15, "loop read");
	assert_path(p, &plain, "100 loop; 85 .filter; 76 ..deflate; 15 .read");
	add(p, 1, "loop filter deflate");
	assert_path(p, &plain, "101 loop; 86 .filter; 77 ..deflate; 15 .read");
	add(p, 4, "loop filter deflate");
	assert_path(p, &plain, "105 loop; 90 .filter>deflate; 15 .read");
	profile_free(p);
}

/* The same function in main() and in threads is one line, where main() would be left out; else it is main()'s. */
TEST(test_threads_beside_main)
{
	struct profile *p = profile_new();
	struct commands commands;
	struct heavy_opts by_command = plain;

	MUST(profile_init_cpu(p, 10));
	add(p, 40, "_start main work deep");
	add(p, 25, "_start main work flat");
	add(p, 5, "_start main");
	add(p, 30, "clone start_thread work deep");
	assert_path(p, &plain, "95 work; 70 .deep; 25 .flat; 5 main");
	add_as(p, "other", 2, 2, 100, "run");
	MUST(commands_build(&commands, p, 0));
	by_command.commands = &commands;
	assert_path(p, &by_command, "100 app>work; 70 .deep; 25 .flat; 100 other>run");
	commands_release(&commands);
	add(p, 25, "_start main setup");
	assert_path(p, &plain,
		    "100 run; 95 main; 65 .work; 40 ..deep; 25 ..flat; 25 .setup; 30 work>deep");
	profile_free(p);
}

/* What a reader looks for first: functions of the program, with a name. */
TEST(test_ranks)
{
	static const enum heavy_rank ranks[] = {HEAVY_OWN,     HEAVY_NAMELESS, HEAVY_SERVANT,
						HEAVY_SERVANT, HEAVY_OTHERS,   HEAVY_OWN};
	static const int64_t totals[] = {20, 20, 20, 20, 19, 19};
	struct profile *p = new_profile();
	struct heavy_path h;

	add(p, 19, "loop app+sub_10 c:qsort std::less k:vfs_read compare");
	add(p, 1, "loop app+sub_10 c:qsort std::less");
	assert_int_equal(heavy_path_build(&h, p, &plain), 0);
	assert_int_equal(h.lines.len, 1);
	assert_int_equal(h.calls.len, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(h.calls.data[i].rank, ranks[i]);
		assert_int_equal(h.calls.data[i].total, totals[i]);
	}
	heavy_path_release(&h);
	profile_free(p);
}

/* What stays of a stack that is all ceremony is its end. */
TEST(test_path_of_main_alone)
{
	struct profile *p = new_profile();

	add(p, 7, "_start c:__libc_start_main main");
	add(p, 3, "_start c:__libc_start_main");
	assert_path(p, &plain, "7 main; 3 __libc_start_main");
	add(p, 9, "_start c:__libc_start_main main k:do_syscall_64 k:vfs_read");
	assert_path(p, &plain, "16 main; 9 .vfs_read; 3 __libc_start_main");
	profile_free(p);
}

/* Branches stand below the main() that they have in common, and that is left out above one that does nearly all. */
TEST(test_branches_of_main)
{
	struct profile *p = new_profile();

	add(p, 30, "_start c:__libc_start_main main parse");
	add(p, 25, "_start c:__libc_start_main main sort compare");
	add(p, 20, "_start c:__libc_start_main main c:qsort compare");
	add(p, 15, "_start c:__libc_start_main main c:memcpy");
	add(p, 10, "clone c:start_thread worker");
	assert_path(p, &plain,
		    "90 main; 30 .parse; 25 .sort>compare; 20 .compare; 15 .memcpy; 10 worker");
	add(p, 500, "_start c:__libc_start_main main parse");
	assert_path(p, &plain, "530 parse");
	profile_free(p);
}

/* A function that calls itself by way of others is in one place, whatever its depth. */
TEST(test_recursion)
{
	struct profile *p = new_profile();

	add(p, 10, "main match dfs once dfs once dfs word");
	add(p, 10, "main match dfs rep dfs rep dfs once dfs");
	add(p, 10, "main match dfs word");
	add(p, 10, "main match dfs once");
	assert_path(p, &plain, "40 match>dfs; 20 .word; 10 .once");
	profile_free(p);
}

/* Between any two functions of an interpreted language is its interpreter: that is no recursion, and no news. */
TEST(test_functions_of_an_interpreter)
{
#define LOOP "_PyEval_EvalFrameDefault "
#define CALL LOOP "PyObject_Vectorcall py_trampoline_evaluator "
	struct profile *p = new_profile();

	add(p, 40, "main " CALL "py::all " CALL "py::parse " CALL "py::loads " LOOP "scan");
	add(p, 30, "main " CALL "py::all " CALL "py::score " LOOP);
	add(p, 20, "main " CALL "py::all " CALL "py::walk " CALL "py::walk " CALL "py::walk");
	add(p, 10, "main " CALL "py::all " LOOP "list_dealloc");
	assert_path(p, &plain,
		    "100 py::all; 40 .py::parse>py::loads>scan; 30 .py::score; 20 .py::walk; 10 "
		    ".list_dealloc");
	profile_free(p);
}

/* One without names is in one place. */
TEST(test_an_interpreter_without_names)
{
	struct profile *p = new_profile();

	add(p, 60, "main start " CALL "sort " LOOP "scan");
	add(p, 40, "main start " CALL "map " LOOP "dealloc");
	assert_path(p, &plain, "100 start>_PyEval_EvalFrameDefault; 60 .scan; 40 .dealloc");
	profile_free(p);
}

/* Whoever calls V8 calls all that it runs: it is nobody's, where the program's own code is missing, too. */
TEST(test_the_entry_of_an_engine)
{
#define ENTRY                                                                                      \
	"node::Start v8::internal::Execution::Call Builtins_JSEntry Builtins_JSEntryTrampoline "
	struct profile *p = new_profile();

	add(p, 60, ENTRY "[jit]");
	add(p, 30, ENTRY "Builtins_StringEqual");
	add(p, 10, ENTRY "Builtins_InterpreterEntryTrampoline");
	assert_path(p, &plain,
		    "60 [jit]; 30 Builtins_StringEqual; 10 Builtins_InterpreterEntryTrampoline");
	profile_free(p);
}

TEST(test_kernel_threads_and_lost)
{
	struct profile *p = new_profile();
	uint32_t lost = frame(p, FRAME_LOST, MAPPING_KILN), stack, none;

	MUST(profile_stack(p, &lost, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &none));
	MUST(profile_add(p, stack, none, (int64_t[]){50, 500}));
	assert_path(p, &plain, "");
	add(p, 50, "k:ret_from_fork k:kthread k:worker_thread k:flush");
	assert_path(p, &plain, "50 worker_thread>flush");
	profile_free(p);
}

TEST(test_path_by_command)
{
	struct profile *p = new_profile();
	struct commands c;
	struct heavy_opts o = {.max_lines = 8, .min_share = 0.05, .commands = &c};

	add_as(p, "cc1", 5, 5, 40, "main compile parse");
	add_as(p, "cc1", 6, 6, 20, "main compile emit");
	add_as(p, "sh", 7, 7, 3, "main run");
	add_as(p, "as", 8, 8, 37, "main assemble");
	assert_int_equal(commands_build(&c, p, 0), 0);
	assert_path(p, &o, "60 cc1>compile; 40 .parse; 20 .emit; 37 as>assemble");
	commands_release(&c);
	profile_free(p);
}

/* Values below 0, none at all, and a stack deeper than a path. */
TEST(test_odd_profiles)
{
	struct profile *p = new_profile();
	char deep[MAX_FRAMES * 5] = "";

	assert_path(p, &plain, "");
	for (int i = 0; i < 300; i++)
		sprintf(deep + strlen(deep), "f%d ", i);
	add(p, 1, "main never");
	p->values.data[0] = 0; /* time without a sample */
	assert_path(p, &plain, "");
	add(p, -20, "main gone");
	assert_path(p, &plain, "");
	add(p, 20, deep);
	assert_int_equal(profile_gross(p, 0), 40);
	{
		struct heavy_path h;

		assert_int_equal(heavy_path_build(&h, p, &plain), 0);
		assert_int_equal(h.lines.len, 1);
		assert_int_equal(h.lines.data[0].total, 20);
		assert_int_equal(h.lines.data[0].len, 128);
		heavy_path_release(&h);
	}
	profile_free(p);
}

/* Whatever the profile: no line is heavier than that above it, and siblings fit into it. */
TEST(test_sums)
{
	for (unsigned round = 0; round < 300; round++) {
		struct profile *p = new_profile();
		struct heavy_path h;
		unsigned seed = round;
		int64_t room[16];

		for (int i = 0; i < 60; i++) {
			char words[256] = "main";

			for (int n = rand_r(&seed) % 8; n-- > 0;)
				sprintf(words + strlen(words), " f%d", rand_r(&seed) % 5);
			add_as(p, "x", rand_r(&seed) % 3, 1, rand_r(&seed) % 50, words);
		}
		assert_int_equal(heavy_path_build(&h, p, &plain), 0);
		assert_in_range(h.lines.len, 1, plain.max_lines);
		room[0] = profile_gross(p, 0);
		for (size_t i = 0; i < h.lines.len; i++) {
			const struct heavy_line *line = &h.lines.data[i];

			assert_true(line->len > 0 && line->level < 15);
			room[line->level] -= line->total;
			assert_true(room[line->level] >= 0);
			room[line->level + 1] = line->total;
		}
		heavy_path_release(&h);
		profile_free(p);
	}
}

/* --- commands, kinds, load ----------------------------------------------------------------------- */

TEST(test_commands)
{
	struct profile *p = new_profile();
	struct commands c;

	add_as(p, "java", 10, 10, 1, "main a");
	add_as(p, "C2 Compiler", 10, 11, 30, "main b");
	add_as(p, "GC", 10, 12, 9, "main b");
	add_as(p, "cc1", 20, 20, 5, "main a");
	add_as(p, "cc1", 21, 21, 15, "main a");
	add_as(p, "idle", 22, 22, 0, "main a");
	assert_int_equal(commands_build(&c, p, 0), 0);
	assert_int_equal(commands_named(&c), 2);
	assert_string_equal(c.rows.data[0].name, "java");
	assert_int_equal(c.rows.data[0].value, 40);
	assert_int_equal(c.rows.data[0].n_processes, 1);
	assert_string_equal(c.rows.data[1].name, "cc1");
	assert_int_equal(c.rows.data[1].value, 20);
	assert_int_equal(c.rows.data[1].n_processes, 2);
	commands_release(&c);
	profile_free(p);
}

/* A shell that becomes a compiler is a process of both; one without samples is none. */
TEST(test_processes_of_commands)
{
	struct profile *p = new_profile();
	struct commands c;

	add_as(p, "sh", 20, 20, 2, "main a");
	add_as(p, "cc1", 20, 20, 15, "main a");
	add_as(p, "cc1", 21, 21, 1, "main a");
	add_as(p, "cc1", 22, 22, 0, "main a");
	assert_int_equal(commands_build(&c, p, 0), 0);
	assert_string_equal(c.rows.data[0].name, "cc1");
	assert_int_equal(c.rows.data[0].n_processes, 2);
	assert_string_equal(c.rows.data[1].name, "sh");
	assert_int_equal(c.rows.data[1].n_processes, 1);
	commands_release(&c);
	profile_free(p);
}

TEST(test_kinds)
{
	struct profile *p = new_profile();
	struct time_kinds t;
	uint32_t none, stack, jit;

	add(p, 10, "main k:vfs_write");
	add(p, 7, "main c:memcpy");
	add(p, 5, "main work");
	MUST(profile_labelset(p, NULL, 0, &none));
	MUST(profile_stack(p, NULL, 0, &stack));
	MUST(profile_add(p, stack, none, (int64_t[]){2, 20}));
	jit = frame(p, "step", MAPPING_JIT);
	MUST(profile_stack(p, &jit, 1, &stack));
	MUST(profile_add(p, stack, none, (int64_t[]){3, 30}));
	jit = frame(p, FRAME_LOST, MAPPING_KILN);
	MUST(profile_stack(p, &jit, 1, &stack));
	MUST(profile_add(p, stack, none, (int64_t[]){1, 10}));
	jit = frame(p, "ext4_read", "[ext4]");
	MUST(profile_stack(p, &jit, 1, &stack));
	MUST(profile_add(p, stack, none, (int64_t[]){4, 40}));
	jit = frame(p, "__vdso_clock_gettime", MAPPING_VDSO);
	MUST(profile_stack(p, &jit, 1, &stack));
	MUST(profile_add(p, stack, none, (int64_t[]){6, 60}));
	assert_int_equal(time_kinds_build(&t, p, 0), 0);
	assert_int_equal(t.of[TIME_KERNEL], 14);
	assert_int_equal(t.of[TIME_LIBRARY], 13);
	assert_int_equal(t.of[TIME_PROGRAM], 5);
	assert_int_equal(t.of[TIME_JIT], 3);
	assert_int_equal(t.of[TIME_UNKNOWN], 2);
	assert_int_equal(t.of[TIME_LOST], 1);
	assert_int_equal(t.parts.len, 7);
	assert_string_equal(t.parts.data[0].module, "[kernel]");
	assert_int_equal(t.parts.data[0].self, 14);
	time_kinds_release(&t);
	profile_free(p);
}

/* A stack counts once for each thing that it is about, whatever its leaf. */
TEST(test_activities)
{
	struct profile *p = new_profile();
	int64_t sums[ACTIVITY_COUNT];
	uint32_t jit, none, stack;

	add(p, 10, "main work c:__cxa_throw c:_Unwind_RaiseException c:_Unwind_Find_FDE");
	add(p, 5, "main work c:__cxa_throw c:__cxa_allocate_exception c:malloc c:_int_malloc");
	add(p, 3, "main c:__memmove_avx_unaligned k:exc_page_fault k:handle_mm_fault");
	add(p, 2, "main freeze");
	jit = frame(p, "free", MAPPING_JIT);
	MUST(profile_labelset(p, NULL, 0, &none));
	MUST(profile_stack(p, &jit, 1, &stack));
	MUST(profile_add(p, stack, none, (int64_t[]){4, 40}));
	assert_int_equal(activities_sum(sums, p, 0), 0);
	assert_int_equal(sums[ACTIVITY_EXCEPTIONS], 15);
	assert_int_equal(sums[ACTIVITY_ALLOCATION], 5);
	assert_int_equal(sums[ACTIVITY_COPYING], 3);
	assert_int_equal(sums[ACTIVITY_PAGE_FAULTS], 3);
	assert_int_equal(sums[ACTIVITY_LOCKS], 0);
	assert_int_equal(sums[ACTIVITY_GC], 0);
	profile_free(p);
}

static void assert_near(double got, double want)
{
	assert_true(got > want - 0.001 && got < want + 0.001);
}

TEST(test_load)
{
	struct quality q = {.expected = 2000, .idle = 500, .stolen = 100, .filtered = 900};
	struct profile *p = profile_new();
	struct machine_load load;

	MUST(profile_init_cpu(p, 10000000));
	add_as(p, "app", 1, 1, 500, "main");
	p->values.data[1] = 500 * 10000000ll;
	assert_false(machine_load_of(&load, p, &q)); /* no duration */
	p->duration_ns = 10000000000;
	assert_true(machine_load_of(&load, p, &q));
	assert_near(load.used, 0.5);
	assert_near(load.cpus, 2);
	assert_near(load.idle, 0.25);
	assert_near(load.stolen, 0.05);
	assert_true(machine_load_of(&load, p, NULL));
	assert_near(load.used, 0.5);
	assert_near(load.cpus, 0);
	q = (struct quality){.expected = 1357, .recorded = 500};
	assert_true(machine_load_of(&load, p, &q)); /* cycles: no ticks of idle CPUs */
	assert_near(load.cpus, 0);
	q = (struct quality){.expected = 2000, .filtered = 1500};
	assert_true(machine_load_of(&load, p, &q));
	assert_near(load.cpus, 2);
	assert_near(load.idle, 0);
	q = (struct quality){.expected = 1357, .idle = 857, .recorded = 500};
	assert_true(machine_load_of(&load, p, &q)); /* some CPUs came later */
	assert_near(load.cpus, 1.357);
	q = (struct quality){.expected = 2000, .idle = 1500, .stolen = 1000};
	assert_true(machine_load_of(&load, p, &q)); /* of a foreign file */
	assert_near(load.idle, 0.75);
	assert_near(load.stolen, 0.25);
	q.idle = UINT64_MAX;
	assert_true(machine_load_of(&load, p, &q));
	assert_true(load.idle <= 1);
	assert_near(load.stolen, 0);
	MUST(profile_comment(p, "kiln.rootless=events"));
	assert_true(machine_load_of(&load, p, &q)); /* it sees its own processes alone */
	assert_near(load.used, 0.5);
	assert_near(load.cpus, 0);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_share_of_a_line),
		cmocka_unit_test(test_threads_beside_main),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_path_of_main_alone),
		cmocka_unit_test(test_branches_of_main),
		cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_the_entry_of_an_engine),
		cmocka_unit_test(test_functions_of_an_interpreter),
		cmocka_unit_test(test_an_interpreter_without_names),
		cmocka_unit_test(test_kernel_threads_and_lost),
		cmocka_unit_test(test_path_by_command),
		cmocka_unit_test(test_odd_profiles),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_processes_of_commands),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_activities),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests_name("heavy_path", tests, NULL, NULL);
}
