// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "symbolizer/files/jit_files.h"
#include "symbolizer/jit/perfmap.h"
#include "tests/lib/fixture.h"

static struct perfmap *parse(const char *text)
{
	struct perfmap *m = NULL;

	assert_int_equal(perfmap_parse(&m, text, strlen(text)), 0);
	return m;
}

/* As of so many bytes; 0: all. */
static void expect_at(struct perfmap *m, uint64_t bytes, uint64_t va, const char *want)
{
	struct perfmap_ask ask = {.va = va, .bytes = bytes};

	assert_int_equal(perfmap_find(m, &ask, 1), 0);
	assert_int_equal(ask.entry == PERFMAP_NONE, !want);
	if (want)
		assert_string_equal(perfmap_name(m, ask.entry), want);
}

static void expect(struct perfmap *m, uint64_t va, const char *want)
{
	expect_at(m, 0, va, want);
}

static void test_lines(void **state)
{
	struct perfmap *m = parse("1000 10 LazyCompile:~f /a b.js:1\n"
				  "0x1010 0x8 Builtin:g\r\n"
				  "7f0000000000 20 last\n");

	(void)state;
	assert_int_equal(perfmap_count(m), 3);
	assert_false(perfmap_is_cut(m));
	expect(m, 0xfff, NULL);
	expect(m, 0x1000, "LazyCompile:~f /a b.js:1");
	expect(m, 0x100f, "LazyCompile:~f /a b.js:1");
	expect(m, 0x1010, "Builtin:g");
	expect(m, 0x1018, NULL);
	expect(m, 0x7f000000001f, "last");
	expect(m, 0x7f0000000020, NULL);
	perfmap_free(m);
}

/* Written through a buffer, it ends anywhere: the name may be cut, and so may the size. */
static void test_the_last_line_is_not_whole(void **state)
{
	static const char whole[] = "1000 10 first\n2000 10 second_function\n";
	char text[sizeof(whole)];

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		bool has_second = len == sizeof(whole) - 1;
		struct perfmap *m;

		memcpy(text, whole, len);
		text[len] = '\0';
		m = parse(text);
		expect(m, 0x1000, len > 13 ? "first" : NULL);
		expect(m, 0x2000, has_second ? "second_function" : NULL);
		assert_int_equal(perfmap_count(m), (len > 13) + has_second);
		perfmap_free(m);
	}
}

static void test_malformed_lines_are_skipped(void **state)
{
	struct perfmap *m = parse("\n"
				  "1000\n"
				  "1000 10\n"
				  "1000 10 \n"
				  "xyz 10 f\n"
				  "1000 0 empty\n"
				  "ffffffffffffffff 2 wraps\n"
				  "12345678901234567 1 too long\n"
				  " 1000 10 blank first\n"
				  "2000 10 a\033[2Jb\n");

	(void)state;
	assert_int_equal(perfmap_count(m), 1);
	expect(m, 0x1000, NULL);
	expect(m, 0x2000, "a\xef\xbf\xbd[2Jb");
	perfmap_free(m);
	m = parse("");
	assert_int_equal(perfmap_count(m), 0);
	expect(m, 0, NULL);
	perfmap_free(m);
}

static void test_too_many_lines(void **state)
{
	const char *line = "1000 10 f\n";
	size_t len = strlen(line), n = 4u << 20;
	char *text = malloc((n + 1) * len + 1);
	struct perfmap *m;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i <= n; i++)
		memcpy(text + i * len, line, len + 1);
	assert_int_equal(perfmap_parse(&m, text, n * len), 0);
	assert_int_equal(perfmap_count(m), n);
	assert_false(perfmap_is_cut(m));
	perfmap_free(m);
	assert_int_equal(perfmap_parse(&m, text, (n + 1) * len), 0);
	assert_int_equal(perfmap_count(m), n);
	assert_true(perfmap_is_cut(m));
	perfmap_free(m);
	free(text);
}

static void test_later_lines_win(void **state)
{
	struct perfmap *m = parse("1000 100 old\n"
				  "1040 20 middle\n"
				  "10f0 30 over the end\n"
				  "2000 100 gone\n"
				  "2000 100 again\n"
				  "0f00 110 over the start\n");

	(void)state;
	expect(m, 0xf00, "over the start");
	expect(m, 0x100f, "over the start");
	expect(m, 0x1010, "old");
	expect(m, 0x103f, "old");
	expect(m, 0x1040, "middle");
	expect(m, 0x105f, "middle");
	expect(m, 0x1060, "old");
	expect(m, 0x10ef, "old");
	expect(m, 0x10f0, "over the end");
	expect(m, 0x1120, NULL);
	expect(m, 0x2000, "again");
	expect(m, 0x20ff, "again");
	perfmap_free(m);
}

/* The file's size tells when: code may be replaced. */
static void test_as_of_a_size(void **state)
{
	static const char first[] = "1000 100 first\n", second[] = "1000 80 second\n";
	const uint64_t one = sizeof(first) - 1, two = one + sizeof(second) - 1;
	char text[128];
	struct perfmap *m;

	(void)state;
	snprintf(text, sizeof(text), "%s%s1000 10 third\n2000 10 late\n", first, second);
	m = parse(text);
	expect_at(m, one, 0x1000, "first");
	expect_at(m, two, 0x1000, "second");
	expect_at(m, two, 0x1080, "first");
	expect_at(m, strlen(text), 0x1000, "third");
	expect_at(m, 0, 0x1000, "third");
	/* Nothing covers it until then: the compiler may have written late. */
	expect_at(m, one, 0x2000, "late");
	expect_at(m, one, 0x3000, NULL);
	/* Not the end of a line: written through a buffer, so the size says nothing. */
	expect_at(m, one - 1, 0x1000, "third");
	expect_at(m, one + 3, 0x1000, "third");
	/* It was larger then. */
	expect_at(m, 1 << 20, 0x1000, "third");
	perfmap_free(m);
}

/* By chance a buffer, or what stood there before, may end where a line does. */
static void test_sizes_that_tell_nothing(void **state)
{
	static const char text[] = "1000 10 old\n1000 10 new\n2000 10 other\n";
	struct perfmap *m = parse(text);
	struct perfmap_ask asks[] = {{.va = 0x1000, .bytes = 12},
				     {.va = 0x1001, .bytes = 12},
				     {.va = 0x2000, .bytes = 14},
				     {.va = 0x2001, .bytes = 17}};

	(void)state;
	/* as many whole ones as others: a sample saw it in the middle of a write */
	assert_int_equal(perfmap_find(m, asks, 4), 0);
	assert_string_equal(perfmap_name(m, asks[0].entry), "old");
	asks[1].bytes = 13; /* most are cut */
	assert_int_equal(perfmap_find(m, asks, 4), 0);
	assert_string_equal(perfmap_name(m, asks[0].entry), "new");
	asks[1].bytes = asks[2].bytes = asks[3].bytes = 0; /* not known */
	assert_int_equal(perfmap_find(m, asks, 4), 0);
	assert_string_equal(perfmap_name(m, asks[0].entry), "old");
	asks[3].bytes = sizeof(text); /* it was larger */
	assert_int_equal(perfmap_find(m, asks, 4), 0);
	assert_string_equal(perfmap_name(m, asks[0].entry), "new");
	perfmap_free(m);
}

/* Random overlapping lines against the obvious way to do it: paint a small address space, line by line. */
static void test_random_overlaps_against_painting(void **state)
{
	enum { SPACE = 4096, ROUNDS = 30, LINES = 200 };
	static char text[LINES * 64];
	static uint64_t bytes[LINES + 1];
	static struct perfmap_ask asks[SPACE];
	static int paint[LINES + 1][SPACE];
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct perfmap *m;
		size_t len = 0;

		memset(paint, -1, sizeof(paint));
		for (int i = 0; i < LINES; i++) {
			unsigned start, size;

			seed = seed * 1664525 + 1013904223;
			start = (seed >> 8) % (SPACE - 512);
			size = 1 + (seed >> 20) % 512;
			bytes[i] = len;
			len += (size_t)sprintf(text + len, "%x %x %d\n", start, size, i);
			memcpy(paint[i + 1], paint[i], sizeof(paint[i]));
			for (unsigned a = start; a < start + size; a++)
				paint[i + 1][a] = i;
		}
		bytes[LINES] = len;
		m = parse(text);
		for (unsigned a = 0; a < SPACE; a++) {
			seed = seed * 1664525 + 1013904223;
			asks[a] = (struct perfmap_ask){.va = a, .index = (seed >> 8) % (LINES + 1)};
			asks[a].bytes = bytes[asks[a].index];
		}
		asks[0].index = LINES; /* no bytes: all of it */
		asks[0].bytes = 0;
		assert_int_equal(perfmap_find(m, asks, SPACE), 0);
		for (unsigned i = 0; i < SPACE; i++) {
			unsigned a = (unsigned)asks[i].va, then = asks[i].index ?: LINES;

			/* what comes first later, if nothing was there */
			while (then < LINES && paint[then][a] < 0)
				then++;
			if (paint[then][a] < 0)
				assert_int_equal(asks[i].entry, PERFMAP_NONE);
			else
				assert_int_equal(asks[i].entry, paint[then][a]);
		}
		perfmap_free(m);
	}
}

/* As many lines as fit, at one place and each at its own: each level of the sets has more than one word. */
static void test_many_lines(void **state)
{
	enum { LINES = 300000 };
	char *text = malloc(LINES * 32ul);
	struct perfmap_ask asks[] = {{.va = 5}, {.va = 0x100000 + 77777}, {.va = 5, .bytes = 1}};
	struct perfmap *m = NULL;
	size_t len = 0, half = 0;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < LINES; i++) {
		len += (size_t)sprintf(text + len, "%x 1 %u\n", i % 2 ? 5 : 0x100000 + i, i);
		half = i == LINES / 2 ? len : half;
	}
	asks[2].bytes = half;
	assert_int_equal(perfmap_parse(&m, text, len), 0);
	assert_int_equal(perfmap_find(m, asks, 3), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(asks[i].entry, asks[i].va != 5 ? PERFMAP_NONE
						: asks[i].bytes ? LINES / 2 - 1
								: LINES - 1);
	perfmap_free(m);
	free(text);
}

static int load_below(struct perfmap **m, const char *root, const char *path, uint32_t owner_uid)
{
	int fd = jit_map_open(root, path, owner_uid), err = fd < 0 ? fd : perfmap_read(m, fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int load(struct perfmap **m, const char *path, uint32_t owner_uid)
{
	return load_below(m, NULL, path, owner_uid);
}

static void test_load(void **state)
{
	struct perfmap *m = NULL;
	uint32_t uid = getuid(), stranger = uid + 1;

	(void)state;
	fixture_write("perf-1.map", "1000 10 f\n");
	assert_int_equal(load(&m, "perf-1.map", uid), 0);
	expect(m, 0x1008, "f");
	perfmap_free(m);
	if (uid != 0)
		assert_int_equal(load(&m, "perf-1.map", stranger), -EPERM);
	fixture_run("mkfifo perf-2.map");
	assert_int_equal(load(&m, "perf-2.map", uid), -EINVAL);
	assert_int_equal(load(&m, "perf-3.map", uid), -ENOENT);
}

static void test_load_refuses_strangers_files(void **state)
{
	struct perfmap *m = NULL;

	(void)state;
	if (getuid() != 0) {
		print_message("skipped: giving a file away needs root\n");
		skip();
	}
	fixture_write("perf-4.map", "1000 10 f\n");
	fixture_run("chown 4711 perf-4.map");
	assert_int_equal(load(&m, "perf-4.map", 4712), -EPERM);
	assert_int_equal(load(&m, "perf-4.map", 4711), 0);
	perfmap_free(m);
}

/* A program that cannot read root's file shall not see it in a profile either. */
static void test_load_refuses_roots_private_files(void **state)
{
	struct perfmap *m = NULL;

	(void)state;
	if (getuid() != 0) {
		print_message("[ REASON   ] only root has files of root's\n");
		skip();
	}
	fixture_write("perf-6.map", "1000 10 f\n");
	for (unsigned mode = 0600; mode <= 0640; mode += 040) {
		assert_int_equal(chmod("perf-6.map", mode), 0);
		assert_int_equal(load(&m, "perf-6.map", 4711), -EPERM);
		assert_int_equal(load(&m, "perf-6.map", 0), 0);
		perfmap_free(m);
	}
	assert_int_equal(chmod("perf-6.map", 0644), 0);
	assert_int_equal(load(&m, "perf-6.map", 4711), 0);
	perfmap_free(m);
}

/* Below a root the path is walked inside it. */
static void test_load_below_a_root(void **state)
{
	struct perfmap *m = NULL;
	char root[64], path[128];

	(void)state;
	fixture_write("perf-5.map", "1000 10 f\n");
	fixture_run("ln -s . sub && ln -s /proc/self/fd magic");
	snprintf(root, sizeof(root), "/proc/%d/root", getpid());
	snprintf(path, sizeof(path), "%s/sub/perf-5.map", fixture_dir);
	assert_int_equal(load_below(&m, root, path, getuid()), 0);
	perfmap_free(m);
	snprintf(path, sizeof(path), "%s/magic/0", fixture_dir);
	assert_int_equal(load_below(&m, root, path, getuid()), -EINVAL);
	snprintf(path, sizeof(path), "%s/magic/0/perf-5.map", fixture_dir);
	assert_int_equal(load_below(&m, root, path, getuid()), -ELOOP);
	assert_int_equal(load_below(&m, "sub", "/../../perf-5.map", getuid()), 0);
	perfmap_free(m);
	assert_int_equal(load_below(&m, "nothing", "/perf-5.map", getuid()), -ENOENT);
}

/* The program chooses what lies at the path: a link may lead to what it cannot read. */
static void test_load_follows_no_link(void **state)
{
	struct perfmap *m = NULL;
	char path[128];

	(void)state;
	fixture_write("perf-7.map", "1000 10 f\n");
	fixture_run("ln -s perf-7.map link.map");
	snprintf(path, sizeof(path), "%s/link.map", fixture_dir);
	assert_int_equal(load(&m, "link.map", getuid()), -EINVAL);
	assert_int_equal(load(&m, path, getuid()), -EINVAL);
	assert_int_equal(load_below(&m, "/proc/self/root", path, getuid()), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_the_last_line_is_not_whole),
		cmocka_unit_test(test_malformed_lines_are_skipped),
		cmocka_unit_test(test_too_many_lines),
		cmocka_unit_test(test_later_lines_win),
		cmocka_unit_test(test_as_of_a_size),
		cmocka_unit_test(test_sizes_that_tell_nothing),
		cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_random_overlaps_against_painting),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_refuses_strangers_files),
		cmocka_unit_test(test_load_refuses_roots_private_files),
		cmocka_unit_test(test_load_below_a_root),
		cmocka_unit_test(test_load_follows_no_link),
	};

	return cmocka_run_group_tests_name("perfmap", tests, fixture_setup, fixture_teardown);
}
