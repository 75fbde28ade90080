// SPDX-License-Identifier: GPL-2.0-or-later
/* What is advised to programs that make code at run time. */
#include "tests/lib/blamed.h"

#include "profiler/naming/name_jit.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define NOBODY 9999999 /* no kernel has so many processes */

TEST(test_advice_for_programs_that_make_code)
{
	static const struct {
		const char *exe;
		uint64_t unnamed, broken;
		const char *want;
	} cases[] = {
		{"/usr/bin/node", 50, 0,
		 "node pid 9999999 has no perf map: start it with --perf-basic-prof "
		 "--interpreted-frames-native-stack"},
		{"/usr/bin/node", 50, 2,
		 "node pid 9999999 has no perf map: start it with --perf-basic-prof "
		 "--interpreted-frames-native-stack; node keeps no "
		 "frame "
		 "pointers in code it compiles: start it with --interpreted-frames-native-stack"},
		{"/usr/bin/java", 0, 2,
		 "java keeps no frame pointers in code it compiles: start it with "
		 "-XX:+PreserveFramePointer"},
		{"/usr/bin/java", 50, 0,
		 "java pid 9999999 has no perf map: start it with -XX:+UnlockDiagnosticVMOptions "
		 "-XX:+DumpPerfMapAtExit (JDK 17 and newer)"},
		{"/usr/bin/php8.2", 50, 0,
		 "php8.2 pid 9999999 has no perf map: start it with -d opcache.jit_debug=16"},
		{"/usr/bin/ruby3.3", 50, 0,
		 "ruby3.3 pid 9999999 has no perf map: start it with --yjit-perf"},
		{"/usr/bin/python3.12", 0, 2,
		 "python3.12 keeps no frame pointers in code it compiles: start it with -X "
		 "perf_jit "
		 "(3.13 and newer), or build it with -fno-omit-frame-pointer"},
		{"/usr/bin/luajit", 50, 2,
		 "luajit pid 9999999 has no perf map, and no option to write one (try its own "
		 "profiler, -jp); luajit keeps no "
		 "frame "
		 "pointers in code it compiles"},
		{"/opt/mine", 50, 0,
		 "mine pid 9999999 has no perf map, and kiln knows no option of it that writes one "
		 "(code moved to huge pages has names if it stays where it is, that of a packed "
		 "program if it is unpacked)"},
		{"/opt/mine", 0, 2, "mine keeps no frame pointers in code it compiles"},
		{"/usr/bin/dotnet", 0, 2, "dotnet keeps no frame pointers in code it compiles"},
		{NULL, 50, 0,
		 "its program pid 9999999 has no perf map, and kiln knows no option of it that "
		 "writes one (code moved to huge pages has names if it stays where it is, that of "
		 "a packed program if it is unpacked)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t exe =
			cases[i].exe ? absent_file(cases[i].exe, (uint8_t)(100 + i)) : FILE_NONE;
		struct agg_image image = {(uint32_t)i, NOBODY, 0, 0, exe, FILE_NONE};

		assert_int_equal(vec_push(&agg.images, image), 0);
		blame_one(in_image((uint32_t)i), 100 - cases[i].unnamed, cases[i].unnamed,
			  cases[i].broken, UNWIND_ON);
		assert_string_equal(the_only_one()->module, MAPPING_JIT);
		assert_hint(cases[i].want);
	}
	blame_one(in_image(UINT32_MAX), 0, 100, 0, 0); /* of which nothing is known */
	assert_hint(NULL);
}

/* It keeps frame pointers. */
TEST(test_advice_for_a_few_stacks)
{
	struct agg_image image = {0, NOBODY, 0, 0, absent_file("/usr/bin/java", 99), FILE_NONE};

	assert_int_equal(vec_push(&agg.images, image), 0);
	blame_one(in_image(0), 98, 2, 0, UNWIND_ON);
	assert_hint(NULL);
	blame_one(in_image(0), 98, 2, 1, UNWIND_ON);
	assert_hint("only a few, in stubs and prologues, most of them among the first samples of a "
		    "program: nothing to do");
	blame_one(in_image(0), 98, 2, 1, UNWIND_END_DEEP);
	assert_hint("recursion deeper than kiln can walk: nothing to do");
}

/* Older versions have no such option. */
TEST(test_advice_that_fits_the_version)
{
	static const struct {
		const char *exe;
		uint64_t unnamed, broken;
		const char *want;
	} cases[] = {
		{"/usr/bin/ruby3.1", 50, 0,
		 "ruby3.1 pid 9999999 has no perf map: use 3.3 or newer, with --yjit-perf"},
		{"/usr/bin/ruby3.1", 0, 2,
		 "ruby3.1 keeps no frame pointers in code it compiles: use 3.3 or newer, with "
		 "--yjit-perf"},
		{"/opt/ruby/bin/ruby", 50, 0,
		 "ruby pid 9999999 has no perf map: start it with --yjit-perf (3.3 and newer)"},
		{"/usr/bin/python3.11", 50, 0,
		 "python3.11 pid 9999999 has no perf map: use 3.12 or newer, with -X perf"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct agg_image image = {
			(uint32_t)i, NOBODY, 0, 0, absent_file(cases[i].exe, (uint8_t)(100 + i)),
			FILE_NONE};

		assert_int_equal(vec_push(&agg.images, image), 0);
		blame_one(in_image((uint32_t)i), 100 - cases[i].unnamed, cases[i].unnamed,
			  cases[i].broken, UNWIND_ON);
		assert_hint(cases[i].want);
	}
}

/* What ends stacks in made code may have another cause than its compiler. */
TEST(test_advice_for_made_code_follows_from_the_end)
{
	static const struct {
		enum unwind_end end;
		const char *want; /* what it begins with */
	} cases[] = {
		{UNWIND_END_NO_RULE, "node keeps no frame pointers"},
		{UNWIND_END_CHAIN, "node keeps no frame pointers"},
		{UNWIND_END_ZERO, "node keeps no frame pointers"},
		{UNWIND_END_NO_MAPPING, "node keeps no frame pointers"},
		{UNWIND_END_BAD_READ, "node keeps no frame pointers"},
		{UNWIND_END_LOOP, "node keeps no frame pointers"},
		{UNWIND_END_NO_TABLE, "its unwind table was not ready in time"},
		{UNWIND_END_SLOW, "frames that only libunwind can walk"},
		{UNWIND_END_DEEP, "recursion deeper than kiln can walk"},
		{UNWIND_END_SLICE, "its stack is larger than the part that is copied, or goes on"},
		{UNWIND_END_UPROBE, "somebody watches its functions with uretprobes"},
		{UNWIND_END_COMPAT, "a 32-bit program"},
	};
	struct agg_image image = {0, NOBODY, 0, 0, absent_file("/usr/bin/node", 99), FILE_NONE};

	assert_int_equal(vec_push(&agg.images, image), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		blame_one(in_image(0), 100, 0, 50, cases[i].end);
		if (strncmp(the_only_one()->hint, cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("%s: %s", unwind_end_key(cases[i].end), the_only_one()->hint);
	}
}

/* A JVM that still runs can be asked for its names; with a map, it has compiled more since. */
TEST(test_advice_for_a_running_jvm)
{
	struct agg_image image = {0, getpid(), 0, 0, absent_file("/usr/bin/java", 99), FILE_NONE};
	char want[512], map[64];

	assert_int_equal(vec_push(&agg.images, image), 0);
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	snprintf(want, sizeof(want),
		 "java pid %d has no perf map: `jcmd %d Compiler.perfmap` and record again; or "
		 "start "
		 "it with -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit (JDK 17 and newer)",
		 getpid(), getpid());
	assert_hint(want);
	snprintf(map, sizeof(map), "/tmp/perf-%d.map", getpid());
	fixture_write(map, "1000 10 a\n");
	blame_one(in_image(0), 95, 5, 0, UNWIND_ON);
	unlink(map);
	snprintf(want, sizeof(want),
		 "java pid %d has compiled more since it wrote its perf map: `jcmd %d "
		 "Compiler.perfmap` and record again",
		 getpid(), getpid());
	assert_hint(want);
}

/* A map that is there and names nothing: what is wrong with it is said. */
TEST(test_advice_about_a_map_that_is_not_read)
{
	struct agg_image image = {0, getpid(), 0, 0, absent_file("/usr/bin/node", 99), FILE_NONE};
	char want[512], map[64];

	assert_int_equal(vec_push(&agg.images, image), 0);
	snprintf(map, sizeof(map), "/tmp/perf-%d.map", getpid());
	assert_int_equal(mkfifo(map, 0600), 0);
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	unlink(map);
	snprintf(want, sizeof(want),
		 "node pid %d has a perf map that is no regular file, and is not read", getpid());
	assert_hint(want);
	fixture_write(map, "1000 10 a\n");
	fixture_run("touch -d 1990-01-01 %s", map);
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	snprintf(want, sizeof(want),
		 "node pid %d has only a perf map from before it began: start it with "
		 "--perf-basic-prof --interpreted-frames-native-stack",
		 getpid());
	assert_hint(want);
	fixture_run("touch %s", map);
	agg.images.data[0].uid = getuid() + 1;
	assert_int_equal(chmod(map, 0600), 0);
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	unlink(map);
	snprintf(want, sizeof(want),
		 "node pid %d has a perf map of another user, which is not believed: it has to be "
		 "of the program's user",
		 getpid());
	assert_hint(want);
}

static int no_name(void *ctx, size_t index, const struct sym_frame *f)
{
	(void)ctx, (void)index, (void)f;
	return 0;
}

TEST(test_advice_about_a_map_that_is_too_large)
{
	struct agg_image image = {0, NOBODY, 0, 0, absent_file("/usr/bin/node", 99), FILE_NONE};
	struct jit_place place = {.va = 0x5000};

	assert_int_equal(vec_push(&agg.images, image), 0);
	fixture_run(
		"echo 1000 10 a >/tmp/perf-9999999.map && truncate -s 257M /tmp/perf-9999999.map");
	assert_int_equal(jit_names(naming, &image, &place, 1, no_name, NULL), 0);
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	unlink("/tmp/perf-9999999.map");
	assert_hint("node pid 9999999 has a perf map that is larger than kiln reads: 256 MB, or 4 "
		    "million lines");
}

/* What does not name all is called what it is. */
TEST(test_advice_about_names_that_are_missing)
{
	struct agg_image image = {0, NOBODY, 0, 0, absent_file("/usr/bin/node", 99), FILE_NONE};

	assert_int_equal(vec_push(&agg.images, image), 0);
	fixture_write("/tmp/perf-9999999.map", "1000 10 a\n");
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	unlink("/tmp/perf-9999999.map");
	assert_hint("node pid 9999999 has code that its perf map does not name");
	agg.images.data[0].jitdump = 5;
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	assert_hint("node pid 9999999 has code that its jitdump does not name");
}

/* Who has written a perf map was started with the option that also keeps frame pointers. */
TEST(test_an_option_that_was_given)
{
	struct agg_image image = {0, NOBODY, 0, 0, absent_file("/usr/lib/beam.smp", 99), FILE_NONE};

	assert_int_equal(vec_push(&agg.images, image), 0);
	blame_one(in_image(0), 100, 0, 50, UNWIND_END_CHAIN);
	assert_hint(
		"beam.smp keeps no frame pointers in code it compiles: start it with +JPperf true");
	fixture_write("/tmp/perf-9999999.map", "1000 10 a\n");
	blame_one(in_image(0), 100, 0, 50, UNWIND_END_CHAIN);
	unlink("/tmp/perf-9999999.map");
	assert_hint(
		"frame pointers lead no further: code on the way uses their register otherwise, or "
		"runs on a stack of its own");
}

TEST(test_advice_for_made_code_in_another_pid_namespace)
{
	struct agg_image image = {0, NOBODY, 7, 0, absent_file("/usr/bin/node", 99), FILE_NONE};

	assert_int_equal(vec_push(&agg.images, image), 0);
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	assert_hint("node pid 9999999 (7 in its pid namespace, where /tmp/perf-7.map is looked "
		    "for) has no "
		    "perf map: start it with --perf-basic-prof --interpreted-frames-native-stack");
	agg.images.data[0].ns_tgid = NOBODY;
	blame_one(in_image(0), 0, 100, 0, UNWIND_ON);
	assert_hint("node pid 9999999 has no perf map: start it with --perf-basic-prof "
		    "--interpreted-frames-native-stack");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_advice_for_programs_that_make_code),
		T(test_advice_for_a_few_stacks),
		T(test_advice_that_fits_the_version),
		T(test_advice_for_made_code_follows_from_the_end),
		T(test_advice_for_a_running_jvm),
		T(test_advice_about_a_map_that_is_not_read),
		T(test_advice_about_a_map_that_is_too_large),
		T(test_advice_about_names_that_are_missing),
		T(test_an_option_that_was_given),
		T(test_advice_for_made_code_in_another_pid_namespace),
	};

	return cmocka_run_group_tests_name("made_code", tests, named_files_setup, fixture_teardown);
}
