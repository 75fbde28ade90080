// SPDX-License-Identifier: GPL-2.0-or-later
/* What a reader that may have been taken over gets of line tables: of the file at hand, and only while it is at
 * hand. */
#include <errno.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/lines/line_jobs.h"
#include "symbolizer/lines/line_table.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static const struct build_id own = {.data = {1, 2, 3, 4}, .len = 4};
static const struct build_id other = {.data = {1, 2, 3, 5}, .len = 4};

static struct line_jobs *jobs;
static unsigned built;

static int begin(void **state)
{
	(void)state;
	fixture_run("rm -rf ./*");
	built = 0;
	return line_jobs_new(&jobs, fixture_at("tables"));
}

static int end(void **state)
{
	(void)state;
	line_jobs_free(jobs);
	jobs = NULL;
	return 0;
}

/* As the next run does. */
static void run_again(void)
{
	end(NULL);
	usleep(20000); /* the clock of file times ticks every 4 ms */
	assert_int_equal(line_jobs_new(&jobs, fixture_at("tables")), 0);
}

static int ask(enum line_wish wish, const struct build_id *id)
{
	const struct line_store *s = line_jobs_store(jobs);

	return s->ask(s->ctx, wish, id);
}

/* To be closed. */
static struct sym_file file_of(const char *name)
{
	fixture_write(name, name);
	return (struct sym_file){
		.fd = fixture_open(name), .root_fd = -1, .path = "/x", .build_id = &own};
}

/* Seen in two runs: its table is due. */
static void make_due(const struct sym_file *f)
{
	line_jobs_at(jobs, f);
	assert_int_equal(ask(LINE_SEEN, &own), 0);
	run_again();
	line_jobs_at(jobs, f);
	assert_int_equal(ask(LINE_SEEN, &own), 1);
	assert_int_equal(line_jobs_count(jobs), 1);
}

TEST(test_nothing_but_the_file_at_hand)
{
	struct sym_file f = file_of("f");

	for (int wish = 0; wish < LINE_WISH_COUNT; wish++)
		assert_int_equal(ask((enum line_wish)wish, &own), -EPERM);
	line_jobs_at(jobs, &f);
	for (int wish = 0; wish < LINE_WISH_COUNT; wish++)
		assert_int_equal(ask((enum line_wish)wish, &other), -EPERM);
	assert_int_equal(ask(LINE_GET, &own), -ENOENT);
	assert_int_equal(ask(LINE_SEEN, &own), 0);
	line_jobs_at(jobs, NULL);
	assert_int_equal(ask(LINE_GET, &own), -EPERM);
	/* A file whose build id nobody has read; what it says of itself names no file. */
	f.build_id = NULL;
	line_jobs_at(jobs, &f);
	assert_int_equal(ask(LINE_GET, &other), -ENOENT);
	close(f.fd);
}

/* While names are looked up, nothing is written. */
TEST(test_no_writing_but_while_building)
{
	struct sym_file f = file_of("f");

	line_jobs_at(jobs, &f);
	assert_int_equal(ask(LINE_CREATE, &own), -EPERM);
	fixture_run("test -z \"$(ls tables 2>/dev/null)\"");
	close(f.fd);
}

static bool build(void *ctx, const struct sym_file *file)
{
	struct line_source source = {.build_id = own};
	int fd = ask(LINE_CREATE, file->build_id);

	(void)ctx;
	built++;
	assert_true(fd >= 0);
	assert_int_equal(ask(LINE_CREATE, file->build_id), -EPERM);
	assert_int_equal(line_table_refuse(&source, fd, -EFBIG), 0);
	close(fd);
	return false;
}

static bool fail_to_build(void *ctx, const struct sym_file *file)
{
	int fd = ask(LINE_CREATE, file->build_id);

	(void)ctx;
	built++;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "half a table", 12), 12);
	close(fd);
	return true;
}

static int table_of(const struct sym_file *f)
{
	_cleanup_close_ int fd = -1;
	struct line_table *t;
	int err;

	line_jobs_at(jobs, f);
	fd = ask(LINE_GET, &own);
	assert_true(fd >= 0);
	err = line_table_open(&t, fd, &own);
	if (!err)
		line_table_free(t);
	return err;
}

TEST(test_a_file_is_built_once)
{
	struct sym_file f = file_of("f");

	make_due(&f);
	assert_int_equal(ask(LINE_SEEN, &own), 1); /* asked twice */
	assert_int_equal(line_jobs_count(jobs), 1);
	line_jobs_run(jobs, build, NULL);
	assert_int_equal(built, 1);
	assert_int_equal(line_jobs_count(jobs), 0);
	assert_int_equal(table_of(&f), -ENODATA);
	close(f.fd);
}

/* Or every run would try again. */
TEST(test_what_cannot_be_built_is_refused_for_good)
{
	struct sym_file f = file_of("f");

	make_due(&f);
	line_jobs_run(jobs, fail_to_build, NULL);
	assert_int_equal(built, 1);
	assert_int_equal(table_of(&f), -ENODATA);
	close(f.fd);
}

/* Each file that is due takes a descriptor. */
TEST(test_so_many_files_a_run)
{
	struct sym_file files[70];
	char name[8];

	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		files[i] = file_of(name);
		line_jobs_at(jobs, &files[i]);
		assert_int_equal(ask(LINE_SEEN, &own), 0);
	}
	run_again();
	for (int i = 0; i < 70; i++) {
		line_jobs_at(jobs, &files[i]);
		assert_int_equal(ask(LINE_SEEN, &own), i < 64);
	}
	assert_int_equal(line_jobs_count(jobs), 64);
	for (int i = 0; i < 70; i++)
		close(files[i].fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_nothing_but_the_file_at_hand),
		T(test_no_writing_but_while_building),
		T(test_a_file_is_built_once),
		T(test_what_cannot_be_built_is_refused_for_good),
		T(test_so_many_files_a_run),
	};

	return cmocka_run_group_tests_name("line_jobs", tests, fixture_setup, fixture_teardown);
}
