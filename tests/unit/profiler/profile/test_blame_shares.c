// SPDX-License-Identifier: GPL-2.0-or-later
/* Which samples a cure would repair: those with frames without names, and those whose functions an interpreter hides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/base/text.h"
#include "profiler/profile/blame_interpreters.h"
#include "profiler/profile/blame_shares.h"
#include "profiler/profile/interpreters.h"
#include "profiler/profile/quality.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct profile *p;
static struct quality q;

static int begin(void **state)
{
	(void)state;
	p = profile_new();
	return !p || profile_init_cpu(p, 1000);
}

static int end(void **state)
{
	(void)state;
	quality_release(&q);
	profile_free(p);
	return 0;
}

/* A frame "module name", of a file; name "" has no line. */
static uint32_t frame(const char *module, const char *name)
{
	static uint64_t address = 0x1000;
	uint32_t mapping = mapping_id(p, module, "", true);

	return location_id(p, mapping, address++, *name ? name : NULL);
}

static void add(int64_t count, const uint32_t *frames, size_t n)
{
	uint32_t stack, labels;

	MUST(profile_stack(p, frames, n, &stack));
	MUST(profile_labelset(p, NULL, 0, &labels));
	MUST(profile_add(p, stack, labels, (int64_t[]){count, count * 1000}));
}
#define ADD(count, ...)                                                                            \
	add(count, (const uint32_t[]){__VA_ARGS__},                                                \
	    sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void blame(const char *module, const char *hint)
{
	struct quality_blame b = {strdup(module), 10, 10, 0, hint ? strdup(hint) : NULL};

	assert_int_equal(vec_push(&q.blame, b), 0);
}

static void assert_percent(double share, int want)
{
	assert_int_equal((int)(100 * share + 0.5), want);
}

TEST(test_samples_with_unnamed_frames)
{
	struct blame_share shares[2];
	uint32_t main_ = frame("/bin/server", "main");
	uint32_t one = frame("/bin/server", "server+0x1234"),
		 two = frame("/bin/server", "server+sub_80");
	uint32_t lib = frame("/lib/lib.so", ""), named = frame("/lib/lib.so", "server+0x1");
	uint32_t own = frame("/bin/server", "server"); /* a function called as its program */

	blame("server", NULL);
	blame("lib.so", NULL);
	ADD(10, one, two, one, main_); /* one sample, however many frames */
	ADD(20, lib, two, main_);
	ADD(5, named, main_); /* not the name of an unnamed one there */
	ADD(15, own, main_);
	ADD(50, main_);
	assert_int_equal(blame_shares(p, &q, shares), 0);
	assert_percent(shares[0].unnamed, 30);
	assert_percent(shares[1].unnamed, 20);
	assert_percent(shares[0].hidden, 0);
}

TEST(test_made_code_without_names)
{
	struct blame_share share;
	uint32_t made = frame("/bin/x", "main"), jit, js;

	MUST(profile_plain_location(p, MAPPING_JIT, MAPPING_JIT, &jit));
	MUST(profile_plain_location(p, MAPPING_JIT, "JS:*run", &js));
	blame(MAPPING_JIT, NULL);
	ADD(25, jit, made);
	ADD(75, js, made);
	assert_int_equal(blame_shares(p, &q, &share), 0);
	assert_percent(share.unnamed, 25);
}

TEST(test_a_profile_of_nothing)
{
	struct blame_share share;

	blame("server", NULL);
	assert_int_equal(blame_shares(p, &q, &share), 0);
	assert_percent(share.unnamed, 0);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 1);
}

/* As many as a profile may have, and more. */
TEST(test_many_rows)
{
	struct blame_share shares[QUALITY_MAX_BLAME];
	char name[32];

	for (int i = 0; i < QUALITY_MAX_BLAME + 6; i++) {
		snprintf(name, sizeof(name), "lib%d.so", i);
		blame(name, NULL);
		ADD(1, frame(name, ""));
	}
	ADD(30, frame("python3.11", "_PyEval_EvalFrameDefault"));
	assert_int_equal(blame_shares(p, &q, shares), 0);
	for (int i = 0; i < QUALITY_MAX_BLAME; i++)
		assert_percent(shares[i].unnamed, 1);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, QUALITY_MAX_BLAME + 6);
}

/* --- interpreters ------------------------------------------------------------------------------- */

static const struct quality_blame *row(const char *module)
{
	for (size_t i = 0; i < q.blame.len; i++)
		if (!strcmp(q.blame.data[i].module, module))
			return &q.blame.data[i];
	fail_msg("no row for %s", module);
	return NULL;
}

TEST(test_a_loop_hides_functions)
{
	struct blame_share shares[2];
	uint32_t main_ = frame("/usr/bin/python3.11", "main");
	uint32_t loop = frame("/usr/bin/python3.11", "_PyEval_EvalFrameDefault");
	uint32_t add_ = frame("/usr/bin/python3.11", "PyNumber_Add");

	ADD(60, add_, loop, loop, main_);
	ADD(20, loop, main_);
	ADD(20, main_);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 1);
	assert_string_equal(row("python3.11")->hint,
			    "this is Python 3.11; its functions are not shown: use 3.12 or newer, "
			    "with -X perf");
	assert_int_equal(blame_shares(p, &q, shares), 0);
	assert_percent(shares[0].hidden, 80);
	assert_percent(shares[0].unnamed, 0);
}

/* It stands before what else there is to do about the file. */
TEST(test_a_loop_in_a_blamed_file)
{
	uint32_t loop = frame("/usr/bin/perl", "Perl_runops_standard");

	blame("perl", "stripped");
	ADD(60, loop);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 1);
	assert_string_equal(row("perl")->hint,
			    "this is Perl; its functions are not shown; stripped");
}

/* A loop has as many locations as it has calls; other files have nothing to do with it. */
TEST(test_a_loop_of_many_places)
{
	uint32_t a = frame("/usr/bin/perl", "Perl_runops_standard");
	uint32_t b = frame("/usr/bin/perl", "Perl_runops_standard");
	uint32_t other = frame("/usr/bin/lua", "luaV_execute");

	blame("libc.so.6", "stripped");
	ADD(30, a);
	ADD(30, b);
	ADD(40, other);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 3);
	assert_string_equal(row("perl")->hint, "this is Perl; its functions are not shown");
	assert_string_equal(row("lua")->hint, "this is Lua; its functions are not shown");
	assert_string_equal(row("libc.so.6")->hint, "stripped");
}

TEST(test_shown_functions)
{
	uint32_t main_ = frame("/usr/bin/python3.12", "main"), py, lua;
	uint32_t loop = frame("/usr/bin/python3.12", "_PyEval_EvalFrameDefault");

	MUST(profile_plain_location(p, MAPPING_JIT, "py::work:/srv/app.py", &py));
	MUST(profile_plain_location(p, "/lib/liblua.so", "luaV_execute", &lua));
	ADD(97, loop, py, loop, main_);
	ADD(2, loop, main_);
	ADD(1, lua, loop, main_); /* the innermost counts, and is rare */
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 0);
	ADD(10, loop, main_);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 1);
	assert_string_equal(
		row("python3.12")->hint,
		"this is Python 3.12; its functions are not shown: start it with -X perf, "
		"or PYTHONPERFSUPPORT=1 around it");
}

/* Whose names are of the row of made code. */
TEST(test_compiled_code_in_a_loop)
{
	uint32_t node = frame("/usr/bin/node", "Builtins_InterpreterEntryTrampoline"), jit;
	uint32_t loop = frame("/usr/bin/python3.11", "_PyEval_EvalFrameDefault");

	MUST(profile_plain_location(p, MAPPING_JIT, MAPPING_JIT, &jit));
	ADD(50, jit, node, node);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 0);
	ADD(20, jit, loop); /* made by somebody else, a library */
	ADD(20, node, jit, node);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 2);
}

/* Debian's are stripped: what has no name there is the interpreter. */
TEST(test_a_loop_without_a_name)
{
	struct blame_share shares[2];
	uint32_t main_ = frame("/usr/bin/lua5.4", "main");
	uint32_t call = frame("/usr/bin/lua5.4", "lua_pcallk");
	uint32_t loop = frame("/usr/bin/lua5.4", "lua5.4+sub_f0e0");
	uint32_t other = frame("/usr/bin/luac5.4", "luac5.4+sub_10");

	blame("lua5.4", "stripped");
	ADD(60, loop, loop, call, main_);
	ADD(20, call, main_); /* not in the loop yet */
	ADD(20, other);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 1);
	assert_string_equal(row("lua5.4")->hint,
			    "this is Lua; its functions are not shown; stripped");
	assert_int_equal(blame_shares(p, &q, shares), 0);
	assert_percent(shares[0].hidden, 60);
	assert_percent(shares[0].unnamed, 60);
}

/* A helper that made code calls hides nothing, and neither does the loop that it was made in. */
TEST(test_a_helper_of_compiled_code)
{
	struct blame_share share;
	uint32_t vm = frame("/usr/lib/libluajit-5.1.so.2", "libluajit-5.1.so.2+0x1000"), jit;

	MUST(profile_plain_location(p, MAPPING_JIT, MAPPING_JIT, &jit));
	ADD(30, vm, vm);
	ADD(60, vm, jit, vm);
	ADD(10, jit, vm);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 1);
	assert_string_equal(
		row("libluajit-5.1.so.2")->hint,
		"this is LuaJIT; its functions are not shown: try its own profiler, -jp");
	assert_int_equal(blame_shares(p, &q, &share), 0);
	assert_percent(share.hidden, 30);
}

/* Debian's node: V8's own code has neither names nor call frame information, that of compilers has the latter. */
TEST(test_a_loop_that_nothing_describes)
{
	struct blame_share share;
	uint32_t loop = frame("/usr/lib/libnode.so.108", "libnode.so.108+0xca798f"), jit;
	uint32_t collector = frame("/usr/lib/libnode.so.108", "libnode.so.108+sub_9d3440");

	MUST(profile_plain_location(p, MAPPING_JIT, MAPPING_JIT, &jit));
	ADD(40, loop, loop, collector);
	ADD(35, collector);
	ADD(25, jit, loop, collector);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(q.blame.len, 1);
	assert_string_equal(row("libnode.so.108")->hint,
			    "this is JavaScript; its functions are not shown: start node with "
			    "--perf-basic-prof --interpreted-frames-native-stack");
	assert_int_equal(blame_shares(p, &q, &share), 0);
	assert_percent(share.hidden, 40);
}

/* A builtin without a frame of its own hides who has called it, which may have been compiled. */
TEST(test_a_builtin_that_compiled_code_calls)
{
	struct blame_share share;
	uint32_t loop = frame("node", "Builtins_InterpreterEntryTrampoline"), jit;
	uint32_t equal = frame("node", "Builtins_StringEqual");
	uint32_t handler = frame("node", "Builtins_GetNamedPropertyHandler");
	uint32_t parse = frame("node", "v8::internal::Builtin_JsonParse");

	ADD(40, equal, loop, loop);
	ADD(10, handler, loop);
	ADD(10, parse, equal, loop);
	assert_int_equal(blame_interpreters(p, &q), 0);
	assert_int_equal(blame_shares(p, &q, &share), 0);
	assert_percent(share.hidden, 100); /* there is no such code */
	MUST(profile_plain_location(p, MAPPING_JIT, MAPPING_JIT, &jit));
	ADD(40, jit, loop);
	assert_int_equal(blame_shares(p, &q, &share), 0);
	assert_percent(share.hidden, 20);
}

TEST(test_files_of_interpreters)
{
	static const struct {
		const char *file, *loop; /* a loop of that interpreter, or NULL */
	} cases[] = {
		{"lua", "luaV_execute"},
		{"lua5.4", "luaV_execute"},
		{"liblua.so.5.4", "luaV_execute"},
		{"liblua5.3-c++.so.0", "luaV_execute"},
		{"luac5.4", NULL},
		{"luatex", NULL},
		{"liblua5.3-lpeg.so.2", NULL},
		{"lua_proxy", NULL},
		{"ruby-prof", NULL},
		{"ruby_2.7", "rb_vm_exec"},
		{"luajit", "lj_BC_FORL"},
		{"luajit-2.1.0-beta3", "lj_vm_call"},
		{"libluajit-5.1.so.2", "lj_BC_FORL"},
		{"libruby-3.3.so.3.3", "rb_vm_exec"},
		{"ruby", "rb_vm_exec"},
		{"rubyripper", NULL},
		{"libnode.so.108", "Builtins_InterpreterEntryTrampoline"},
		{"libnodebug.so", NULL},
		{"python3.11", NULL}, /* has its loop's name, stripped or not */
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct interpreter *want =
			cases[i].loop ? interpreter_of_loop(cases[i].loop) : NULL;

		if (cases[i].loop)
			assert_non_null(want);
		if (interpreter_of_file(cases[i].file, false) != want)
			fail_msg("%s", cases[i].file);
	}
}

TEST(test_versions)
{
	static const char python[] = "_PyEval_EvalFrameDefault", ruby[] = "rb_vm_exec";
	static const struct {
		const char *loop, *module, *want; /* what the hint has */
	} cases[] = {
		{python, "python3.8", "Python 3.8; its functions are not shown: use 3.12"},
		{python, "libpython3.13.so.1.0",
		 "Python 3.13; its functions are not shown: start it"},
		{python, "python3.14t", "Python 3.14; its"},
		{python, "python3",
		 "Python; its functions are not shown: start it with -X perf (3.12"},
		{python, "libpython3.so.1.0", "Python; its"},
		{python, "python3.", "Python; its"},
		{python, "python3.99999999999999", "Python; its"},
		{python, "uwsgi", "Python; its"},
		{ruby, "libruby-3.1.so.3.1.2",
		 "Ruby 3.1; its functions are not shown: use 3.3 or newer, with --yjit --yjit-perf "
		 "to see those that its JIT compiles"},
		{ruby, "libruby.so.3.4",
		 "Ruby 3.4; its functions are not shown: start it with --yjit --yjit-perf to see "
		 "those that its JIT compiles"},
		{ruby, "ruby2.7", "Ruby 2.7; its functions are not shown: use 3.3"},
		{ruby, "ruby4.0", "Ruby 4.0; its functions are not shown: start it"},
		{ruby, "ruby",
		 "Ruby; its functions are not shown: start it with --yjit --yjit-perf (3.3 and "
		 "newer) to see"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b = {0};

		interpreter_hint(&b, interpreter_of_loop(cases[i].loop), cases[i].module);
		if (!strstr(buf_cstr(&b), cases[i].want))
			fail_msg("%s: %s", cases[i].module, buf_cstr(&b));
		buf_release(&b);
	}
}

TEST(test_names_of_loops)
{
	assert_null(interpreter_of_loop("execute"));
	assert_null(interpreter_of_loop(""));
	assert_null(interpreter_of_function("main"));
	assert_null(interpreter_of_function("JIT$$hybrid_func_trace_counter"));
	assert_true(interpreter_of_function("JIT$inner") == interpreter_of_loop("execute_ex"));
	assert_true(interpreter_of_function("JS:*run app.js:1") ==
		    interpreter_of_loop("Builtins_InterpreterEntryTrampoline"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_samples_with_unnamed_frames),
		T(test_made_code_without_names),
		T(test_a_profile_of_nothing),
		T(test_many_rows),
		T(test_a_loop_hides_functions),
		T(test_a_loop_in_a_blamed_file),
		T(test_a_loop_of_many_places),
		T(test_shown_functions),
		T(test_compiled_code_in_a_loop),
		T(test_a_loop_without_a_name),
		T(test_a_helper_of_compiled_code),
		T(test_a_loop_that_nothing_describes),
		T(test_a_builtin_that_compiled_code_calls),
		T(test_files_of_interpreters),
		T(test_versions),
		T(test_names_of_loops),
	};

	return cmocka_run_group_tests_name("blame_shares", tests, NULL, NULL);
}
