// SPDX-License-Identifier: GPL-2.0-or-later
/* jitdump files: what was where when, at which line; and files that lie. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "symbolizer/files/jit_files.h"
#include "symbolizer/jit/jitdump.h"
#include "tests/lib/fixture.h"
#include "tests/lib/jitdump_write.h"

static struct jitdump *parse(const struct buf *b)
{
	struct jitdump *j;

	assert_int_equal(b->err, 0);
	assert_int_equal(jitdump_parse(&j, b->data, b->len), 0);
	return j;
}

static const char *name_at(struct jitdump *j, uint64_t t_ns, uint64_t va)
{
	struct jit_frame f;
	int err = jitdump_find(j, t_ns, va, &f);

	if (err)
		assert_int_equal(err, -ENOENT);
	return err ? NULL : f.name;
}

static void assert_line(struct jitdump *j, uint64_t va, const char *file, uint32_t line)
{
	struct jit_frame f;

	assert_int_equal(jitdump_find(j, UINT64_MAX, va, &f), 0);
	assert_int_equal(f.line, line);
	if (file)
		assert_string_equal(f.file, file);
	else
		assert_null(f.file);
}

/* The same place has one function after the other. */
static void test_names_in_time(void **state)
{
	struct buf b = {0};
	struct jitdump *j;
	struct jitdump_stats stats;

	(void)state;
	jit_header(&b, 0);
	jit_load(&b, 100, 0x1000, 0x100, 1, "first");
	jit_load(&b, 200, 0x1040, 0x40, 2, "second");
	jit_load(&b, 300, 0x1000, 0x80, 3, "third");
	jit_load(&b, 300, 0x5000, 0, 4, "empty");
	jit_record(&b, 3, 400, "", 0);
	jit_record(&b, 99, 400, "what?", 5);
	jit_load(&b, 400, 0x6000, 0x10, 5, "after them");
	j = parse(&b);
	assert_string_equal(name_at(j, 100, 0x1000), "first");
	assert_string_equal(name_at(j, 150, 0x1050), "first");
	assert_string_equal(name_at(j, 250, 0x1050), "second");
	assert_string_equal(name_at(j, 250, 0x1090), "first");
	assert_string_equal(name_at(j, 299, 0x1000), "first");
	assert_string_equal(name_at(j, 300, 0x1050), "third");
	assert_string_equal(name_at(j, UINT64_MAX, 0x1090), "first");
	assert_null(name_at(j, 150, 0xfff));
	assert_null(name_at(j, 150, 0x1100));
	assert_null(name_at(j, 500, 0x5000));
	/* Before anything was there: what came first. */
	assert_string_equal(name_at(j, 5, 0x1050), "first");
	assert_string_equal(name_at(j, 500, 0x600f), "after them");
	jitdump_stats(j, &stats);
	assert_int_equal(stats.codes, 4);
	assert_int_equal(stats.skipped, 0);
	jitdump_free(j);
	buf_release(&b);
}

static void test_moves(void **state)
{
	struct buf b = {0};
	struct jitdump *j;
	struct jitdump_stats stats;

	(void)state;
	jit_header(&b, 0);
	jit_lines(&b, 90, 0x1000, 0, (struct jit_line[]){{0, 7, "a.js"}, {8, 9, "a.js"}}, 2);
	jit_load(&b, 100, 0x1000, 0x100, 1, "mover");
	jit_load(&b, 100, 0x3000, 0x100, 2, "other");
	jit_move(&b, 200, 0x1000, 0x2000, 0x100, 1);
	jit_load(&b, 250, 0x1000, 0x100, 3, "in its place");
	jit_move(&b, 300, 0x2000, 0x4000, 0x100, 1);
	jit_move(&b, 300, 0x9000, 0x8000, 0x100, 77); /* nobody */
	j = parse(&b);
	assert_string_equal(name_at(j, 150, 0x1000), "mover");
	assert_string_equal(name_at(j, 260, 0x1000), "in its place");
	assert_string_equal(name_at(j, 260, 0x20ff), "mover");
	assert_string_equal(name_at(j, 400, 0x4000), "mover");
	assert_null(name_at(j, 400, 0x8000));
	assert_line(j, 0x4007, "a.js", 7);
	assert_line(j, 0x4008, "a.js", 9);
	jitdump_stats(j, &stats);
	assert_int_equal(stats.skipped, 1);
	jitdump_free(j);
	buf_release(&b);
}

/* Lines with and without the size of an ELF header added to their addresses. */
static void test_lines(void **state)
{
	static const struct jit_line lines[] = {
		{0x10, 12, "/src/one.js"}, {0x18, 13, "\xff"}, {0x20, 3, "/src/inlined.js"}};
	static const struct jit_line other[] = {{0, 1, "/src/two.js"}};

	(void)state;
	for (uint64_t shift = 0; shift <= 0x40; shift += 0x40) {
		struct buf b = {0};
		struct jitdump *j;

		jit_header(&b, 0);
		jit_lines(&b, 90, 0x1000, shift, lines, 3);
		jit_record(&b, 4, 90, "unwinding information", 21);
		jit_load(&b, 100, 0x1000, 0x100, 1, "one");
		jit_lines(&b, 90, 0x2000, shift, other, 1);
		jit_load(&b, 100, 0x2000, 0x100, 2, "two");
		jit_load(&b, 100, 0x3000, 0x100, 3, "without");
		jit_lines(&b, 90, 0x5000, shift, other, 1);
		jit_load(&b, 100, 0x4000, 0x100, 4, "of somebody else");
		j = parse(&b);
		assert_line(j, 0x100f, NULL, 0);
		assert_line(j, 0x1010, "/src/one.js", 12);
		assert_line(j, 0x2000, "/src/two.js", 1);
		assert_line(j, 0x1017, "/src/one.js", 12);
		assert_line(j, 0x1018, "/src/one.js", 13);
		assert_line(j, 0x1020, "/src/inlined.js", 3);
		assert_line(j, 0x10ff, "/src/inlined.js", 3);
		assert_line(j, 0x20ff, "/src/two.js", 1);
		assert_line(j, 0x3000, NULL, 0);
		assert_line(j, 0x4000, NULL, 0);
		jitdump_free(j);
		buf_release(&b);
	}
}

/* A record with one line that cannot be is not believed in the others. */
static void test_lines_that_lie(void **state)
{
	static const struct jit_line bad[][2] = {
		{{0, 1, "a.js"}, {0x101, 2, "a.js"}}, /* past the function */
		{{0, 1, "a.js"}, {4, 2, ""}},
		{{0, 1, "a.js"}, {4, 2, "\x1b[31m"}},
		{{0, 1, "a.js"}, {4, 2, "\x9f!\x01"}},
		{{0, 1, "\xff"}, {4, 2, "a.js"}}, /* as none before */
	};
	struct buf b = {0};
	struct jitdump *j;
	struct jitdump_stats stats;
	size_t n = sizeof(bad) / sizeof(bad[0]);

	(void)state;
	jit_header(&b, 0);
	jit_lines(&b, 90, 0x100, 0, bad[0], 1); /* one that is true */
	jit_load(&b, 100, 0x100, 0x100, 0, "good");
	for (size_t i = 0; i < n; i++) {
		jit_lines(&b, 90, 0x1000 * (i + 1), 0, bad[i], 2);
		jit_load(&b, 100, 0x1000 * (i + 1), 0x100, i, "bad");
	}
	/* fewer entries than it has room for */
	jit_lines(&b, 90, 0x8000, 0, (struct jit_line[]){{0, 1, "a.js"}, {4, 2, "b.js"}}, 2);
	b.data[b.len - 2 * (16 + 5) - 6 - 8] = 1;
	jit_load(&b, 100, 0x8000, 0x100, 9, "bad");
	j = parse(&b);
	for (size_t i = 0; i < n; i++)
		assert_line(j, 0x1000 * (i + 1) + 8, NULL, 0);
	assert_line(j, 0x8000, NULL, 0);
	assert_line(j, 0x108, "a.js", 1);
	jitdump_stats(j, &stats);
	assert_int_equal(stats.skipped, n + 1);
	jitdump_free(j);
	buf_release(&b);
}

static void test_names_that_lie(void **state)
{
	struct buf b = {0}, name = {0};
	struct jitdump *j;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_char(&name, 'x');
	jit_header(&b, 0);
	jit_load(&b, 1, 0x1000, 16, 1, "\x1b[31mred");
	jit_load(&b, 1, 0x2000, 16, 2, "");
	jit_load(&b, 1, 0x3000, 16, 3, buf_cstr(&name));
	jit_load(&b, 1, 0x4000, UINT64_MAX - 0x4000, 4, "endless");
	jit_load(&b, 1, 0x5000, UINT64_MAX, 5, "wraps");
	j = parse(&b);
	assert_string_equal(name_at(j, 1, 0x1000), "\xef\xbf\xbd[31mred");
	assert_null(name_at(j, 1, 0x2000));
	assert_int_equal(strlen(name_at(j, 1, 0x3000)), 4096);
	assert_null(name_at(j, 1, 0x4000));
	assert_null(name_at(j, 1, 0x5000));
	jitdump_free(j);
	buf_release(&name);
	buf_release(&b);
}

static void test_headers(void **state)
{
	struct buf b = {0};
	struct jitdump *j;
	char saved;

	(void)state;
	jit_header(&b, 0);
	jit_load(&b, 100, 0x1000, 16, 1, "x");
	assert_int_equal(jitdump_parse(&j, NULL, 0), -ENOEXEC);
	for (size_t len = 0; len < 40; len++)
		assert_int_equal(jitdump_parse(&j, b.data, len), -ENOEXEC);
	saved = b.data[0];
	b.data[0] = 'x';
	assert_int_equal(jitdump_parse(&j, b.data, b.len), -ENOEXEC);
	b.data[0] = saved;
	b.data[8] = 39; /* total_size */
	assert_int_equal(jitdump_parse(&j, b.data, b.len), -ENOEXEC);
	buf_clear(&b);
	/* A clock that is not ours: what comes later in the file counts. */
	jit_header(&b, 1);
	jit_load(&b, 900, 0x1000, 16, 1, "one");
	jit_load(&b, 100, 0x1000, 16, 2, "two");
	j = parse(&b);
	assert_string_equal(name_at(j, 1, 0x1000), "two");
	assert_string_equal(name_at(j, 1000, 0x1000), "two");
	jitdump_free(j);
	buf_release(&b);
}

/* While a program still writes, the file may end anywhere. */
static void test_every_length(void **state)
{
	struct buf b = {0};
	size_t ends[3];

	(void)state;
	jit_header(&b, 0);
	jit_load(&b, 1, 0x1000, 16, 1, "one");
	ends[0] = b.len;
	jit_lines(&b, 1, 0x2000, 0, (struct jit_line[]){{0, 5, "a.js"}}, 1);
	jit_load(&b, 1, 0x2000, 16, 2, "two");
	ends[1] = b.len;
	jit_move(&b, 2, 0x2000, 0x3000, 16, 2);
	ends[2] = b.len;
	for (size_t len = 40; len <= b.len; len++) {
		struct jitdump *j;

		assert_int_equal(jitdump_parse(&j, b.data, len), 0);
		assert_int_equal(name_at(j, 9, 0x1000) != NULL, len >= ends[0]);
		assert_int_equal(name_at(j, 9, 0x2000) != NULL, len >= ends[1]);
		assert_int_equal(name_at(j, 9, 0x3000) != NULL, len >= ends[2]);
		jitdump_free(j);
	}
	buf_release(&b);
}

/* --- from files ------------------------------------------------------------------------------- */

static void random_dump(struct buf *b)
{
	uint64_t seed = 3;
	char name[64];

	jit_header(b, 0);
	for (unsigned i = 0; i < 3000; i++) {
		seed = hash_u64(seed + i);
		snprintf(name, sizeof(name), "function_%u_%llx", i, (unsigned long long)seed);
		if (seed % 3 == 0)
			jit_lines(b, i, seed % 100000, 0,
				  (struct jit_line[]){{0, i, name}, {seed % 7, i + 1, "\xff"}}, 2);
		jit_load(b, i, seed % 100000, seed >> 52, i, name);
		if (seed % 5 == 0)
			jit_move(b, i, seed % 100000, (seed >> 8) % 100000, seed >> 54, i / 2);
	}
}

static int open_dump(const struct buf *b)
{
	FILE *f = fopen("dump", "we");

	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	fclose(f);
	return fixture_open("dump");
}

static void assert_same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

/* The same answers as from memory, also for what lies across what is read at a time. */
static void test_file(void **state)
{
	struct buf b = {0};
	struct jitdump *mem, *file;
	uint64_t seed = 3, named = 0;
	int fd;

	(void)state;
	random_dump(&b);
	mem = parse(&b);
	fd = open_dump(&b);
	assert_int_equal(jitdump_open(&file, fd), 0);
	for (unsigned i = 0; i < 5000; i++) {
		struct jit_frame a = {0}, c = {0};

		seed = hash_u64(seed + i);
		assert_int_equal(jitdump_find(mem, seed % 3000, (seed >> 20) % 110000, &a),
				 jitdump_find(file, seed % 3000, (seed >> 20) % 110000, &c));
		assert_same_text(a.name, c.name);
		named += a.name != NULL;
		assert_int_equal(a.line, c.line);
		assert_same_text(a.file, c.file);
	}
	assert_true(named > 1000);
	jitdump_free(mem);
	jitdump_free(file);
	close(fd);
	buf_release(&b);
}

static void test_owner_of_a_file(void **state)
{
	struct buf b = {0};
	int fd;

	(void)state;
	if (getuid())
		skip();
	jit_header(&b, 0);
	fd = open_dump(&b);
	/* neither of the one who is asked about nor root's */
	assert_int_equal(fchown(fd, 1234, 1234), 0);
	assert_int_equal(jit_file_check(fd, 1235), -EPERM);
	assert_int_equal(jit_file_check(fd, 1234), 0);
	close(fd);
	buf_release(&b);
}

/* A file that shrinks while it is looked at only loses its answers. */
static void test_file_that_shrinks(void **state)
{
	struct buf b = {0};
	struct jitdump *file;
	int fd;

	(void)state;
	random_dump(&b);
	fd = open_dump(&b);
	assert_int_equal(jitdump_open(&file, fd), 0);
	assert_int_equal(truncate("dump", 100), 0);
	for (uint64_t va = 0; va < 110000; va += 100) {
		struct jit_frame c;

		jitdump_find(file, 1000, va, &c);
	}
	jitdump_free(file);
	close(fd);
	buf_release(&b);
}

static void test_no_files(void **state)
{
	struct jitdump *j;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(jitdump_open(&j, fds[0]), -EINVAL);
	assert_int_equal(jitdump_open(&j, -1), -EBADF);
	assert_int_equal(jit_file_check(fds[0], getuid()), -EINVAL);
	close(fds[0]);
	close(fds[1]);
}

/* --- against a model -------------------------------------------------------------------------- */

/* Random loads; asked at random times, against a look through all of them. */
static void test_against_a_model(void **state)
{
	enum { N = 400, PLACES = 64 };
	static struct {
		uint64_t start, len, t_ns;
	} codes[N];
	struct buf b = {0};
	struct jitdump *j;
	uint64_t seed = 11;
	char name[16];

	(void)state;
	jit_header(&b, 0);
	for (unsigned i = 0; i < N; i++) {
		seed = hash_u64(seed + i);
		codes[i].start = seed % PLACES;
		codes[i].len = 1 + (seed >> 16) % 20;
		codes[i].t_ns = (seed >> 32) % 1000; /* not even in order */
		snprintf(name, sizeof(name), "%u", i);
		jit_load(&b, codes[i].t_ns, codes[i].start, codes[i].len, i, name);
	}
	j = parse(&b);
	for (uint64_t t = 0; t < 1000; t += 7) {
		for (uint64_t va = 0; va < PLACES + 20; va++) {
			int before = -1, after = -1;
			const char *got = name_at(j, t, va);

			for (int i = 0; i < N; i++) {
				if (va - codes[i].start >= codes[i].len)
					continue;
				if (codes[i].t_ns <= t)
					before = before < 0 || codes[i].t_ns >= codes[before].t_ns
							 ? i
							 : before;
				else if (after < 0 || codes[i].t_ns < codes[after].t_ns)
					after = i;
			}
			if (before < 0 && after < 0) {
				assert_null(got);
				continue;
			}
			assert_non_null(got);
			if (before >= 0)
				assert_int_equal(atoi(got), before);
			else
				assert_int_equal(codes[atoi(got)].t_ns, codes[after].t_ns);
		}
	}
	jitdump_free(j);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_in_time),	cmocka_unit_test(test_moves),
		cmocka_unit_test(test_lines),		cmocka_unit_test(test_lines_that_lie),
		cmocka_unit_test(test_names_that_lie),	cmocka_unit_test(test_headers),
		cmocka_unit_test(test_every_length),	cmocka_unit_test(test_file),
		cmocka_unit_test(test_owner_of_a_file), cmocka_unit_test(test_file_that_shrinks),
		cmocka_unit_test(test_no_files),	cmocka_unit_test(test_against_a_model),
	};

	return cmocka_run_group_tests_name("jitdump", tests, fixture_setup, fixture_teardown);
}
