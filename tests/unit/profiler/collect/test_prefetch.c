// SPDX-License-Identifier: GPL-2.0-or-later
/* Which build ids leave the machine, and that each does once. Who would ask a server is this file's own. */
#include "tests/lib/named_files.h"

#include <glob.h>

#include "profiler/base/text.h"
#include "profiler/collect/prefetch.h"
#include "profiler/debuginfod/debuginfod.h"
#include "tests/lib/aggregates.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct named_files nf;
static struct prefetch *prefetch;
static struct aggregate agg;

static char asked[16][2 * BUILD_ID_MAX + 1];
static unsigned n_asked;
static int answer = -ENOENT; /* a descriptor, given away */

int debuginfod_find(void *ctx, const struct build_id *id)
{
	assert_true(ctx == &nf);
	text_hex(id->data, id->len, asked[n_asked++]);
	return answer;
}

static int begin(void **state)
{
	(void)state;
	n_asked = 0;
	answer = -ENOENT;
	named_open(&nf, NULL, false);
	return prefetch_new(&prefetch, (struct debuginfod *)&nf, nf.files, nf.symbolizer);
}

static int end(void **state)
{
	(void)state;
	aggregate_clear(&agg);
	prefetch_free(prefetch);
	prefetch_free(NULL);
	named_close(&nf);
	return 0;
}

static void add(enum frame_class cls, uint32_t file)
{
	agg_stack_of(&agg, UNWIND_ON, 0, AGG_FRAMES({cls, file, 0x1000}));
}

static uint32_t file_with_id(const char *path, const uint8_t *id, size_t len)
{
	struct file_key key = {.path = path, .build_id = {.len = (uint8_t)len}};
	uint32_t file;

	memcpy(key.build_id.data, id, len);
	file = files_intern(nf.files, &key, getpid(), 0, 0, 0);
	assert_true(file != FILE_NONE);
	assert_true(files_settle(nf.files, 10000));
	return file;
}

TEST(test_files_that_lack_debug_information)
{
	static const uint8_t absent[] = {0xab, 0xcd, 0xef, 0x01}, tiny[] = {0xab};
	uint32_t stripped = named_file(&nf, "stripped");

	add(AT_FILE, named_file(&nf, "prog"));	/* has its own */
	add(AT_FILE, named_file(&nf, "other")); /* ... and no build id */
	add(AT_FILE, stripped);
	add(AT_FILE, file_with_id("/nowhere/x", absent, 4)); /* the kernel told its build id */
	add(AT_FILE, file_with_id("/nowhere/y", tiny, 1));   /* which names nothing */
	add(AT_KSYM, stripped);
	add(AT_ANON, stripped);
	prefetch_run(prefetch, &agg, true);
	assert_int_equal(n_asked, 2);
	assert_string_equal(asked[0], "57717eed");
	assert_string_equal(asked[1], "abcdef01");
}

TEST(test_each_is_asked_for_once)
{
	static const uint8_t ids[][4] = {{1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}};
	uint32_t files[3];

	for (int i = 0; i < 3; i++)
		files[i] = file_with_id("/nowhere/x", ids[i], 4);
	add(AT_FILE, files[0]);
	add(AT_FILE, files[0]);
	prefetch_run(prefetch, &agg, true);
	assert_int_equal(n_asked, 1);
	add(AT_FILE, files[1]);
	prefetch_run(prefetch, &agg, false);
	assert_int_equal(n_asked, 2);
	prefetch_run(prefetch, &agg, false);
	assert_int_equal(n_asked, 2);
	/* the next window's aggregate begins anew: with what is known, and what is not */
	aggregate_clear(&agg);
	add(AT_FILE, files[2]);
	add(AT_FILE, files[1]);
	prefetch_run(prefetch, &agg, true);
	assert_int_equal(n_asked, 3);
	assert_string_equal(asked[2], "03030303");
}

/* What is there already is the symbolizer's business, when it comes to names. */
TEST(test_the_answer_is_closed)
{
	static const uint8_t id[] = {1, 1, 1, 1};

	answer = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(answer >= 0);
	add(AT_FILE, file_with_id("/nowhere/x", id, 4));
	prefetch_run(prefetch, &agg, true);
	assert_int_equal(n_asked, 1);
	assert_int_equal(fcntl(answer, F_GETFD), -1);
}

TEST(test_what_is_installed_is_not_asked_for)
{
	uint8_t id[BUILD_ID_MAX];
	char hex[2 * BUILD_ID_MAX + 1] = "";
	glob_t found = {0};
	int len = 0;

	if (!glob("/usr/lib/debug/.build-id/[0-9a-f][0-9a-f]/*.debug", 0, NULL, &found) &&
	    sscanf(found.gl_pathv[0], "/usr/lib/debug/.build-id/%2[0-9a-f]/%38[0-9a-f]", hex,
		   hex + 2) == 2)
		len = text_unhex(hex, id, sizeof(id));
	globfree(&found);
	if (len <= 0) {
		print_message("[ REASON   ] no debug files are installed here\n");
		skip();
	}
	add(AT_FILE, file_with_id("/nowhere/x", id, (size_t)len));
	prefetch_run(prefetch, &agg, true);
	assert_int_equal(n_asked, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_files_that_lack_debug_information),
		T(test_each_is_asked_for_once),
		T(test_the_answer_is_closed),
		T(test_what_is_installed_is_not_asked_for),
	};

	return cmocka_run_group_tests_name("prefetch", tests, named_files_setup, fixture_teardown);
}
