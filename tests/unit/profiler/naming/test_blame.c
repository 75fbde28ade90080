// SPDX-License-Identifier: GPL-2.0-or-later
/* Which binaries are blamed, once each, the worst first, and with what advice. */
#include "tests/lib/blamed.h"

#include <sys/resource.h>

#include "symbolizer/unwind/table_walk.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* --- who ---------------------------------------------------------------------------------------- */

TEST(test_only_files_and_code_of_programs_are_blamed)
{
	static const enum frame_class others[] = {AT_KERNEL,	AT_KSYM,       AT_VDSO,
						  AT_UNMAPPED,	AT_NO_PROCESS, AT_MISSED_USER,
						  AT_TRUNCATED, AT_USER_ELIDED};
	struct agg_frame f = in_file(named_file(&nf, "stripped"));

	agg.recorded = 1000;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct agg_frame other = {others[i], f.owner, 0x1000};

		blame_frame(blame, &other, 100, true);
		blame_broken(blame, &other, UNWIND_END_NO_RULE, 100);
	}
	report();
	assert_int_equal(quality.blame.len, 0);
	blame_frame(blame, &f, 30, true);
	blame_frame(blame, &f, 12, false);
	blame_broken(blame, &f, UNWIND_END_NO_RULE, 7);
	report();
	assert_string_equal(the_only_one()->module, "stripped");
	assert_int_equal(the_only_one()->frames, 42);
	assert_int_equal(the_only_one()->unnamed, 30);
	assert_int_equal(the_only_one()->broken, 7);
}

/* Half a per cent of all frames without a name, or of all samples cut. */
TEST(test_what_is_not_worth_a_word)
{
	static const struct {
		uint64_t unnamed, broken;
		bool told;
	} cases[] = {{4, 0, false}, {5, 0, true}, {0, 9, false}, {0, 10, true}, {0, 0, false}};
	struct agg_frame f = in_file(named_file(&nf, "stripped")), much = {AT_VDSO};

	agg.recorded = 2000;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		blame_free(blame);
		blame = blame_new();
		blame_frame(blame, &f, cases[i].unnamed, true);
		blame_frame(blame, &much, 1000 - cases[i].unnamed, false);
		blame_broken(blame, &f, UNWIND_END_NO_RULE, cases[i].broken);
		report();
		assert_int_equal(quality.blame.len, cases[i].told);
	}
}

/* One cut stack of a thousand, as one that ends in a routine of crtbegin.o, is no reason to build a program again. */
TEST(test_names_bring_no_advice_for_a_single_stack)
{
	static const struct {
		uint64_t broken;
		bool advises;
	} cases[] = {{1, false}, {4, false}, {5, true}};
	struct agg_frame f = in_file(named_file(&nf, "stripped"));

	agg.recorded = 1000;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		blame_free(blame);
		blame = blame_new();
		blame_frame(blame, &f, 1000, true);
		blame_broken(blame, &f, UNWIND_END_NO_RULE, cases[i].broken);
		report();
		assert_non_null(strstr(the_only_one()->hint, "stripped"));
		assert_int_equal(strstr(the_only_one()->hint, "rebuild it with -fasync") != NULL,
				 cases[i].advises);
	}
}

TEST(test_the_worst_come_first_and_no_more_than_ten)
{
	char path[32];

	agg.recorded = 1000;
	for (uint8_t i = 0; i < 15; i++) {
		struct agg_frame f;
		uint64_t bad = 10 + i * 7 % 15;

		snprintf(path, sizeof(path), "/nowhere/f%d", (int)bad);
		f = in_file(absent_file(path, i));
		/* one is worse by names, the next by stacks */
		blame_frame(blame, &f, 100, false);
		if (i % 2)
			blame_frame(blame, &f, bad, true);
		else
			blame_broken(blame, &f, UNWIND_END_LOOP, bad);
	}
	report();
	assert_int_equal(quality.blame.len, 10);
	for (size_t i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "f%d", (int)(24 - i));
		assert_string_equal(quality.blame.data[i].module, path);
	}
}

/* Seen by its inode in one process, by its build id in another. */
TEST(test_a_binary_known_under_two_names)
{
	uint32_t by_inode = named_file(&nf, "prog"), by_id;
	struct file_key key = {.path = fixture_at("prog")};
	struct file_view v;
	struct agg_frame f, g, jit = in_image(0);

	files_get(nf.files, by_inode, &v);
	key.build_id = v.build_id;
	files_release_fd(nf.files, by_inode);
	assert_true(key.build_id.len > 0);
	by_id = files_intern(nf.files, &key, getpid(), 0, 0, 0);
	assert_true(files_settle(nf.files, 10000));
	assert_int_not_equal(by_id, by_inode);
	assert_int_equal(vec_push(&agg.images, (struct agg_image){1, 100, 0, 0, by_id, FILE_NONE}),
			 0);
	f = in_file(by_inode);
	g = in_file(by_id);
	agg.recorded = 100;
	blame_frame(blame, &f, 10, true);
	blame_frame(blame, &g, 20, true);
	blame_frame(blame, &g, 5, false);
	blame_broken(blame, &f, UNWIND_END_LOOP, 3);
	blame_broken(blame, &g, UNWIND_END_NO_RULE, 4);
	blame_frame(blame, &jit, 50, true); /* the same program's, but not in it */
	report();
	assert_int_equal(quality.blame.len, 2);
	assert_string_equal(quality.blame.data[0].module, MAPPING_JIT);
	assert_string_equal(quality.blame.data[1].module, "prog");
	assert_int_equal(quality.blame.data[1].frames, 35);
	assert_int_equal(quality.blame.data[1].unnamed, 30);
	assert_int_equal(quality.blame.data[1].broken, 7);
	assert_non_null(strstr(quality.blame.data[1].hint, "rebuild it with -fasynchronous"));
}

/* It claims the build id of another: what is wrong with it is not put down to the other. */
TEST(test_a_claimed_build_id)
{
	struct agg_frame f, g;

	fixture_run("cp prog claims && printf x >>claims");
	f = in_file(named_file(&nf, "prog"));
	g = in_file(named_file(&nf, "claims"));
	agg.recorded = 100;
	blame_frame(blame, &f, 10, false);
	blame_frame(blame, &g, 20, true);
	report();
	assert_string_equal(the_only_one()->module, "claims");
	assert_int_equal(the_only_one()->frames, 20);
}

/* Processes of one program with code of their own are one suspect; another program is another. */
TEST(test_processes_of_one_program)
{
	uint32_t exe = named_file(&nf, "prog"), other = named_file(&nf, "other");
	const struct agg_image images[] = {
		{1, 100, 0, 0, exe, FILE_NONE},
		{2, 200, 0, 0, exe, FILE_NONE},
		{3, 300, 0, 0, other, FILE_NONE},
	};

	agg.recorded = 100;
	for (uint32_t i = 0; i < 3; i++) {
		struct agg_frame f = in_image(i);

		assert_int_equal(vec_push(&agg.images, images[i]), 0);
		blame_frame(blame, &f, 10 + i, true);
	}
	report();
	assert_int_equal(quality.blame.len, 2);
	assert_int_equal(quality.blame.data[0].unnamed, 21);
	assert_int_equal(quality.blame.data[1].unnamed, 12);
}

/* More was mapped than a sample can tell: what is not known yet has no names. */
TEST(test_a_program_with_too_many_mappings)
{
	struct agg_frame cut = {AT_UNMAPPED, UNMAPPED_CUT, 0x1000}, jit = in_image(0);

	assert_int_equal(vec_push(&agg.images, (struct agg_image){1, 100, 0, 0, 0, FILE_NONE}), 0);
	blame_one(cut, 0, 12, 12, UNWIND_END_CHAIN);
	assert_string_equal(the_only_one()->module, MAPPING_UNKNOWN);
	assert_int_equal(the_only_one()->unnamed, 12);
	assert_hint("its program has mapped more code than a sample can tell: it is unknown until "
		    "/proc has been read, so record for longer");
	blame_frame(blame, &jit, 50, true); /* that is another suspect */
	report();
	assert_int_equal(quality.blame.len, 2);
}

/* --- with what advice --------------------------------------------------------------------------- */

#define INSTALL	 "install its debug symbols (-dbg, -dbgsym, -debuginfo) where it comes from"
#define STRIPPED "stripped (build id 57717eed...): " INSTALL
#define CFI                                                                                        \
	"code in it has no call frame information: rebuild it with -fasynchronous-unwind-tables "  \
	"(rustc: -C force-unwind-tables; assembly: .cfi directives) or -fno-omit-frame-pointer "   \
	"(-C force-frame-pointers)"

TEST(test_advice_for_files)
{
	struct agg_frame f = in_file(named_file(&nf, "stripped"));
	struct agg_frame whole = in_file(named_file(&nf, "other")), no_id;
	struct agg_frame absent = in_file(absent_file("/nowhere/x", 7));

	fixture_run("strip -o bare other");
	no_id = in_file(named_file(&nf, "bare"));
	/* some of it has no name */
	blame_one(f, 90, 5, 0, 0);
	assert_hint(STRIPPED);
	blame_one(no_id, 0, 5, 0, 0);
	assert_hint("stripped: " INSTALL);
	blame_one(whole, 0, 5, 0, 0); /* its own symbols do not name it: no other will */
	assert_hint(NULL);
	/* whose stacks end in it, for the commonest reason */
	blame_one(f, 10, 0, 5, UNWIND_END_NO_RULE);
	assert_hint(CFI);
	blame_one(f, 10, 0, 5, UNWIND_ON);
	assert_hint("built without frame pointers, and unwind tables were not used: see --unwind, "
		    "and `kiln doctor`");
	blame_one(f, 0, 10, 5, UNWIND_END_NO_RULE);
	assert_hint(STRIPPED "; " CFI);
	blame_one(f, 10, 0, 5, UNWIND_END_LOOP);
	blame_broken(blame, &f, UNWIND_END_DEEP, 6);
	report();
	assert_hint("recursion deeper than kiln can walk: nothing to do");
	blame_broken(blame, &f, UNWIND_END_LOOP, 2);
	report();
	assert_hint("its call frame information is wrong: rebuild it with frame pointers");
	/* one that nobody could look into */
	blame_one(absent, 0, 10, 0, 0);
	assert_hint("/nowhere/x could not be opened: No such file or directory");
	blame_one(absent, 10, 0, 5, UNWIND_END_NO_TABLE);
	assert_hint("/nowhere/x could not be opened: No such file or directory");
	blame_one(absent, 10, 0, 0, 0);
	assert_int_equal(quality.blame.len, 0);
}

/* Nobody builds V8's builtins otherwise. */
TEST(test_advice_for_v8)
{
	struct agg_frame f;

	fixture_run("cp other nodejs");
	f = in_file(named_file(&nf, "nodejs"));
	blame_one(f, 10, 0, 5, UNWIND_END_NO_RULE);
	assert_hint("V8's own builtins in it have no call frame information, and some have no "
		    "frame: nothing to do");
}

/* Missing descriptors are a cause of their own: nothing is wrong with the file. */
/* The same file with other content: what it has now names nothing that was mapped. */
TEST(test_advice_for_files_that_were_overwritten)
{
	const char *hint = "its file was overwritten since it was mapped: start its program again";
	struct agg_frame f;

	fixture_run("cp prog over");
	f = in_file(named_file(&nf, "over"));
	blame_one(f, 0, 5, 0, 0);
	assert_hint(NULL);
	fixture_run("cp stripped over");
	blame_one(f, 0, 5, 0, 0);
	assert_hint(hint);
	blame_one(f, 5, 0, 5, UNWIND_END_DEEP); /* it has names */
	assert_hint("recursion deeper than kiln can walk: nothing to do");
	fixture_run("echo no program >over");
	blame_one(f, 0, 5, 5, UNWIND_END_NO_RULE);
	assert_hint(hint);
}

TEST(test_advice_for_files_that_no_descriptor_is_left_for)
{
	struct file_key key = {.path = fixture_at("other"), .build_id = {.len = 4, .data = {9}}};
	struct rlimit old, none;
	int next = dup(0);
	char want[600];
	uint32_t id;

	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){(rlim_t)next, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	id = files_intern(nf.files, &key, getpid(), 0, 0, 0);
	files_settle(nf.files, 10000);
	blame_one(in_file(id), 0, 10, 0, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	snprintf(want, sizeof(want),
		 "%s could not be opened: Too many open files (raise the hard limit: `ulimit -Hn`)",
		 fixture_at("other"));
	assert_hint(want);
}

/* A host's root directory with this release, whose dpkg has a list of a package with the stripped file. */
static void make_host(const char *release)
{
	char list[256];

	fixture_run("rm -rf host && mkdir -p host/etc host/var/lib/dpkg/info host$PWD && "
		    "ln stripped host$PWD/");
	fixture_write("host/etc/os-release", release);
	snprintf(list, sizeof(list), "/.\n%s\n%s\n", fixture_at("other"), fixture_at("stripped"));
	fixture_write("host/var/lib/dpkg/info/prog-tools:amd64.list", list);
	set_host("host");
	new_naming(false);
}

TEST(test_the_package_that_has_the_symbols)
{
	struct agg_frame f = in_file(named_file(&nf, "stripped"));

	make_host("ID=debian\nVERSION_CODENAME=bookworm\n");
	blame_one(f, 90, 5, 0, 0);
	assert_hint("stripped: apt install prog-tools-dbgsym, if there is one (deb "
		    "http://deb.debian.org/debian-debug bookworm-debug main)");
	fixture_run("rm host/var/lib/dpkg/info/prog*");
	new_naming(false);
	blame_one(f, 90, 5, 0, 0);
	assert_hint(
		"stripped (build id 57717eed...), and of no package: build it with its symbols, "
		"or put its debug file below /usr/lib/debug");
	fixture_run("rm -r host/var");
	new_naming(false);
	blame_one(f, 90, 5, 0, 0);
	assert_hint("stripped (build id 57717eed...): install its debug symbols (-dbg, -dbgsym, "
		    "-debuginfo)");
	/* whose debug file is here, and lacks these names, too */
	fixture_run("mkdir -p host/usr/lib/debug/.build-id/57 && "
		    "touch host/usr/lib/debug/.build-id/57/717eed.debug");
	new_naming(false);
	blame_one(f, 90, 5, 0, 0);
	assert_hint(NULL);
}

/* A cure counts by the samples that it repairs, however many frames they have. */
TEST(test_samples_that_lack_names)
{
	struct agg_frame f = in_file(named_file(&nf, "stripped")), much = {AT_VDSO};

	agg.recorded = 1000;
	for (uint64_t samples = 29; samples <= 30; samples++) {
		blame_free(blame);
		blame = blame_new();
		blame_frame(blame, &much, 100000, false);
		for (uint64_t i = 0; i < samples; i++) {
			blame_next(blame);
			blame_frame(blame, &f, 1, true); /* a recursion: one sample all the same */
			blame_frame(blame, &f, 1, true);
		}
		report();
		assert_int_equal(quality.blame.len, samples == 30);
	}
	assert_int_equal(the_only_one()->unnamed, 60);
}

/* A file whose table could not be made, for that reason. */
TEST(test_advice_for_files_without_a_table)
{
	struct agg_frame f = in_file(named_file(&nf, "stripped"));

	new_naming(true);
	table_error = -ENODATA;
	blame_one(f, 10, 0, 5, UNWIND_END_LOOP);
	assert_hint(CFI);
	blame_one(f, 9, 1, 0, 0); /* no stack ended in it */
	assert_hint(STRIPPED);
	table_error = -ECONNABORTED;
	blame_one(f, 10, 0, 5, UNWIND_END_LOOP);
	assert_hint("the reader of its call frame information failed on it: rebuild it, with frame "
		    "pointers if it fails again");
	for (size_t i = 0; i < 3; i++) { /* not the file's fault */
		table_error = -(const int[]){EMFILE, ENFILE, EHOSTDOWN}[i];
		blame_one(f, 10, 0, 5, UNWIND_END_LOOP);
		assert_hint(((const char *[]){
			"kiln may not open more files to read it (raise the hard limit: `ulimit "
			"-Hn`)",
			"no more files can be opened to read it (raise the sysctl fs.file-max)",
			"the server of its file system did not answer: its stacks end there"})[i]);
	}
	table_error = -EBADMSG; /* nothing to rebuild */
	blame_one(f, 10, 0, 5, UNWIND_END_LOOP);
	assert_hint(
		"its call frame information cannot be read: the file is damaged, no ELF file, of "
		"another architecture, or larger than kiln reads");
	blame_one(f, 10, 0, 5, UNWIND_END_UPROBE); /* whatever describes the file */
	assert_hint("somebody watches its functions with uretprobes (perf, bpftrace), which hide "
		    "return addresses: profile without them");
	table_error = 0;
	blame_one(f, 10, 0, 5, UNWIND_END_COMPAT);
	assert_hint("a 32-bit program: its signal frames, and code in it without call frame "
		    "information, are not walked");
	blame_one(f, 10, 0, 5, UNWIND_END_LOOP);
	assert_hint("its call frame information is wrong: rebuild it with frame pointers");
}

TEST(test_every_reason_has_advice)
{
	struct agg_frame f = in_file(named_file(&nf, "stripped"));

	for (int end = 0; end < UNWIND_END_COUNT; end++) {
		if (end == UNWIND_END_ROOT)
			continue; /* none ends before its root there */
		blame_one(f, 10, 0, 5, end);
		assert_non_null(the_only_one()->hint);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_only_files_and_code_of_programs_are_blamed),
		T(test_what_is_not_worth_a_word),
		T(test_names_bring_no_advice_for_a_single_stack),
		T(test_the_worst_come_first_and_no_more_than_ten),
		T(test_a_binary_known_under_two_names),
		T(test_a_claimed_build_id),
		T(test_processes_of_one_program),
		T(test_a_program_with_too_many_mappings),
		T(test_advice_for_files),
		T(test_advice_for_v8),
		T(test_advice_for_files_that_were_overwritten),
		T(test_advice_for_files_that_no_descriptor_is_left_for),
		T(test_the_package_that_has_the_symbols),
		T(test_samples_that_lack_names),
		T(test_advice_for_files_without_a_table),
		T(test_every_reason_has_advice),
	};

	return cmocka_run_group_tests_name("blame", tests, named_files_setup, fixture_teardown);
}
