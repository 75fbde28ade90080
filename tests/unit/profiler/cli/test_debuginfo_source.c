// SPDX-License-Identifier: GPL-2.0-or-later
/* Which file a profile store is given. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/cli/debuginfo_source.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static const char *const dirs[] = {"debug", NULL}, *const none[] = {NULL};

/* prog has all, plain no DWARF; bare is stripped; debug has the file that bare was made of, and a link to bare as
 * packages have. */
static int build(void **state)
{
	if (fixture_setup(state))
		return -1;
	fixture_write("p.c", "int main(void) { return 0; }\n");
	fixture_run("gcc -g -Wl,--build-id=0xabcdef01 -o prog p.c && cp prog plain && "
		    "strip -g plain && strip -o bare prog && mkdir -p debug/.build-id/ab && "
		    "gcc -Wl,--build-id=none -o anonymous p.c");
	return 0;
}

static void install(bool is_there)
{
	fixture_run(is_there ? "objcopy --only-keep-debug prog debug/.build-id/ab/cdef01.debug; "
			       "ln -sf $PWD/bare debug/.build-id/ab/cdef01"
			     : "rm -f debug/.build-id/ab/*");
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void assert_chosen(const char *path, const char *const *debug_dirs, const char *wanted,
			  bool has_code)
{
	struct debuginfo_source s;
	struct why why = {""};

	if (debuginfo_source_open(&s, path, debug_dirs, &why))
		fail_msg("%s: %s", path, why.text);
	assert_string_equal(s.file.build_id, "abcdef01");
	assert_int_equal(s.file.bytes, size_of(wanted));
	assert_int_equal(s.file.has_code, has_code);
	assert_string_equal(s.file.name, path);
	debuginfo_source_release(&s);
}

static void assert_refused(const char *path, int err, const char *says)
{
	struct debuginfo_source s;
	struct why why = {""};

	assert_int_equal(debuginfo_source_open(&s, path, dirs, &why), err);
	if (!strstr(why.text, says))
		fail_msg("%s: %s", path, why.text);
}

TEST(the_file_with_most_to_tell)
{
	install(true);
	assert_chosen("prog", dirs, "prog", true);
	assert_chosen("plain", dirs, "debug/.build-id/ab/cdef01.debug", false);
	assert_chosen("bare", dirs, "debug/.build-id/ab/cdef01.debug", false);
	assert_chosen("plain", none, "plain", true);
	install(false);
	assert_chosen("plain", dirs, "plain", true);
}

TEST(files_that_are_not_given)
{
	install(false);
	assert_refused("bare", -ENODATA, "it is stripped");
	assert_refused("anonymous", -ENODATA, "no build id");
	assert_refused("p.c", -ENOEXEC, "not an ELF file");
	assert_refused("missing", -ENOENT, "missing: No such file");
	assert_refused("debug", -EINVAL, "not a regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_with_most_to_tell),
		cmocka_unit_test(files_that_are_not_given),
	};

	return cmocka_run_group_tests(tests, build, fixture_teardown);
}
