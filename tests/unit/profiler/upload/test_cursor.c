// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/upload/cursor.h"
#include "tests/lib/fixture.h"

static unsigned file_syncs, directory_syncs;

/* Instead of the C library's. A directory's turn comes when the file has its name. */
int fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode))
		assert_int_equal(directory_syncs++, file_syncs - 1);
	else
		assert_int_equal(file_syncs++, directory_syncs);
	return 0;
}

static const struct spool_place place = {0x1234567890abcdef, 1795824000, 360, 1795824000000000001};

static struct cursors open_cursors(void)
{
	struct why why = {""};
	struct cursors c;

	assert_int_equal(cursors_open(&c, "cursors", &why), 0);
	return c;
}

static void what_is_saved_is_there(void **state)
{
	static const char *const names[] = {
		"a",   "B-1_x.y",
		"..",  ".x",
		"a/b", "Größe \"1\"\n",
		"%41", "0123456789012345678901234567890123456789012345678901234567890123"};
	struct spool_place p, other = place;
	struct cursors c = open_cursors();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(cursor_load(&c, names[i], &p), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		other.row = (int64_t)i;
		assert_int_equal(cursor_save(&c, names[i], &other), 0);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(cursor_load(&c, names[i], &p), 1);
		other.row = (int64_t)i;
		assert_memory_equal(&p, &other, sizeof(p));
	}
	assert_int_equal(cursor_save(&c, "", &place), -EINVAL);
	fixture_run("test $(ls cursors | wc -l) = 9 && test $(ls -A . | wc -l) = 1");
	cursors_close(&c);
}

/* A power cut makes no window come twice, nor be left out. */
static void what_is_saved_is_on_the_disk(void **state)
{
	struct cursors c = open_cursors();

	(void)state;
	file_syncs = directory_syncs = 0;
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(cursor_save(&c, "a", &place), 0);
		assert_int_equal(file_syncs, i);
		assert_int_equal(directory_syncs, i);
	}
	cursors_close(&c);
}

/* Each bit of it, each length of it, and other files: it is the place, or nobody can read it. */
static void damage_is_noticed(void **state)
{
	struct cursors c = open_cursors();
	struct spool_place p;
	uint8_t *text;
	size_t len;

	(void)state;
	assert_int_equal(cursor_save(&c, "a", &place), 0);
	text = fixture_read("cursors/a.cursor", &len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		FILE *f = fopen("cursors/a.cursor", "we");

		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(fwrite(text, 1, len, f), len);
		fclose(f);
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cursor_load(&c, "a", &p), -EBADMSG);
	}
	for (size_t n = 0; n < len; n++) {
		FILE *f = fopen("cursors/a.cursor", "we");

		assert_int_equal(fwrite(text, 1, n, f), n);
		fclose(f);
		assert_int_equal(cursor_load(&c, "a", &p), -EBADMSG);
	}
	assert_int_equal(cursor_save(&c, "a", &place), 0);
	fixture_run("cp cursors/a.cursor right && printf '\\0x' >>cursors/a.cursor");
	assert_int_equal(cursor_load(&c, "a", &p), -EBADMSG);
	fixture_run("ln -sf ../right cursors/a.cursor");
	assert_int_equal(cursor_load(&c, "a", &p), -EBADMSG);
	fixture_run("rm cursors/a.cursor");
	fixture_run("head -c 10000 /dev/zero >cursors/a.cursor");
	assert_int_equal(cursor_load(&c, "a", &p), -EBADMSG);
	fixture_run("rm cursors/a.cursor; ln -s /etc/passwd cursors/a.cursor");
	assert_int_equal(cursor_load(&c, "a", &p), -EBADMSG);
	fixture_run("rm cursors/a.cursor; mkfifo cursors/a.cursor");
	assert_true(cursor_load(&c, "a", &p) < 0);
	assert_int_equal(cursor_save(&c, "a", &place), 0);
	assert_int_equal(cursor_load(&c, "a", &p), 1);
	free(text);
	cursors_close(&c);
}

static void one_process_has_them(void **state)
{
	struct cursors c = open_cursors(), d;
	struct why why = {""};

	(void)state;
	assert_int_equal(cursors_open(&d, "cursors", &why), -EBUSY);
	assert_non_null(strstr(why.text, "one agent a store"));
	cursors_close(&c);
	assert_int_equal(cursors_open(&d, "cursors", &why), 0);
	cursors_close(&d);
	assert_int_equal(cursors_open(&d, "no/cursors", &why), -ENOENT);
}

struct seen {
	char names[64];
	struct spool_place place;
};

static bool is_a(void *ctx, const char *name)
{
	(void)ctx;
	return !strcmp(name, "a");
}

static void note(void *ctx, const char *name, const struct spool_place *p)
{
	struct seen *s = ctx;

	strcat(s->names, name);
	s->place = *p;
}

static void what_is_left_is_kept_for_some_days(void **state)
{
	struct cursors c = open_cursors();
	struct seen seen = {""};
	const struct cursor_sweep sweep = {is_a, note, &seen};
	int64_t now_ns = (int64_t)time(NULL) * 1000000000;
	struct spool_place p;

	(void)state;
	assert_int_equal(cursor_save(&c, "a", &place), 0);
	assert_int_equal(cursor_save(&c, "b/c", &place), 0);
	fixture_run("touch -d 2020-01-01 cursors/*");
	assert_int_equal(cursors_sweep(&c, now_ns, &sweep), 0);
	assert_string_equal(seen.names, "b/c");
	assert_memory_equal(&seen.place, &place, sizeof(place));
	assert_int_equal(cursors_sweep(&c, now_ns + CURSOR_KEPT_NS / 2, &sweep), 0);
	assert_string_equal(seen.names, "b/c");		 /* said once */
	assert_int_equal(cursor_load(&c, "b/c", &p), 1); /* it comes back */
	assert_memory_equal(&p, &place, sizeof(place));
	assert_int_equal(cursors_sweep(&c, now_ns, &sweep), 0);
	assert_int_equal(cursors_sweep(&c, now_ns + CURSOR_KEPT_NS + 60000000000, &sweep), 0);
	assert_int_equal(cursor_load(&c, "b/c", &p), 0);
	assert_int_equal(cursor_load(&c, "a", &p), 1);
	fixture_run("test \"$(ls cursors | tr '\\n' ' ')\" = 'a.cursor lock '");
	cursors_close(&c);
}

/* A disk without room: the old one stays. */
static void what_cannot_be_written_stays_as_it_was(void **state)
{
	struct cursors c = open_cursors();
	struct spool_place p, next = place;

	(void)state;
	assert_int_equal(cursor_save(&c, "a", &place), 0);
	fixture_run("mkdir cursors/a.tmp");
	next.row++;
	assert_int_equal(cursor_save(&c, "a", &next), -EISDIR);
	assert_int_equal(cursor_load(&c, "a", &p), 1);
	assert_memory_equal(&p, &place, sizeof(place));
	fixture_run("rmdir cursors/a.tmp");
	assert_int_equal(cursor_save(&c, "a", &next), 0);
	/* What was begun does not stay. */
	fixture_run("mkdir cursors/b.cursor");
	assert_int_equal(cursor_save(&c, "b", &next), -EISDIR);
	directory_syncs = file_syncs; /* it was not that file's turn */
	fixture_run("test ! -e cursors/b.tmp");
	cursors_close(&c);
}

/* What people are told of one that is not configured any more says nothing. */
static void what_is_told_goes_with_its_destination(void **state)
{
	struct cursors c = open_cursors();
	struct seen seen = {""};
	const struct cursor_sweep sweep = {is_a, note, &seen};
	struct buf text = {0};

	(void)state;
	buf_str(&text, "well");
	assert_int_equal(cursor_save_status(&c, "a", &text), 0);
	assert_int_equal(cursor_save_status(&c, "b/c", &text), 0);
	buf_release(&text);
	assert_int_equal(cursors_sweep(&c, (int64_t)time(NULL) * 1000000000, &sweep), 0);
	fixture_run("test \"$(ls cursors | tr '\\n' ' ')\" = 'a.status lock '");
	assert_string_equal(seen.names, "");
	cursors_close(&c);
}

/* A FIFO would block for ever, and what a link names is not for this to write. */
static void what_stands_in_the_way_goes(void **state)
{
	struct cursors c = open_cursors();
	struct spool_place p;

	(void)state;
	fixture_run("mkfifo cursors/a.tmp && echo precious >other && ln other cursors/b.tmp && "
		    "ln -s ../other cursors/c.tmp");
	alarm(20);
	assert_int_equal(cursor_save(&c, "a", &place), 0);
	assert_int_equal(cursor_save(&c, "b", &place), 0);
	assert_int_equal(cursor_save(&c, "c", &place), 0);
	alarm(0);
	assert_int_equal(cursor_load(&c, "a", &p), 1);
	assert_memory_equal(&p, &place, sizeof(place));
	fixture_run("test \"$(cat other)\" = precious");
	cursors_close(&c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_saved_is_there),
		CASE(what_is_saved_is_on_the_disk),
		CASE(damage_is_noticed),
		CASE(one_process_has_them),
		CASE(what_is_left_is_kept_for_some_days),
		CASE(what_is_told_goes_with_its_destination),
		CASE(what_cannot_be_written_stays_as_it_was),
		CASE(what_stands_in_the_way_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
