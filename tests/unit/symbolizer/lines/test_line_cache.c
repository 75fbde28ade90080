// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbolizer/lines/line_cache.h and its use by the symbolizer: the same answers with and without tables,
 * whatever happens to the files, and to those who write them.
 */
#include "tests/lib/fixture.h"

#include <errno.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "profiler/base/cache_dir.h"
#include "symbolizer/lines/line_cache.h"
#include "symbolizer/lines/line_format.h"
#include "symbolizer/lines/line_table.h"
#include "symbolizer/symbolizer.h"

static char source_dir[PATH_MAX];

/* --- one program, asked in several ways ------------------------------------------------------------- */

struct asked {
	char **text;
	size_t n;
};

static void take(void *ctx, size_t index, const struct sym_result *r)
{
	struct asked *a = ctx;
	struct buf b = {0};

	assert_in_range(index, 0, a->n - 1);
	assert_null(a->text[index]);
	buf_printf(&b, "%lx %d", (unsigned long)r->elf_va, (int)r->reason);
	for (size_t i = 0; i < r->n_frames; i++)
		buf_printf(&b, "\n%s | %s | %s:%u from %u", r->frames[i].name,
			   r->frames[i].raw_name, r->frames[i].file ?: "(none)", r->frames[i].line,
			   r->frames[i].start_line);
	a->text[index] = buf_take(&b);
}

struct way {
	const char *table_dir;
	bool sandbox, build;
	const char *debug_dir;
	/* what is to be counted, in the end */
	struct line_cache_stats stats;
	size_t due;
};

static char *resolve(const char *path, struct way *way, size_t *len)
{
	const char *dirs[] = {way->debug_dir ?: "/nowhere", NULL};
	struct symbolizer_opts opts = {
		.table_dir = way->table_dir, .sandbox = way->sandbox, .debug_dirs = dirs};
	struct elf_obj *obj;
	const struct elf_section *text;
	struct symbolizer *s;
	struct build_id id;
	struct sym_file file = {fixture_open(path), -1, "/none/prog", &id};
	struct asked a;
	struct buf all = {0};
	uint64_t *va;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	id = *elf_obj_build_id(obj);
	text = elf_obj_section(obj, ".text");
	a.n = text->size / 3;
	a.text = calloc(a.n, sizeof(*a.text));
	va = calloc(a.n, sizeof(*va));
	for (size_t i = 0; i < a.n; i++)
		va[i] = text->va + 3 * i;
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	assert_int_equal(symbolizer_resolve_va(s, &file, va, a.n / 2, take, &a), 0);
	a.text += a.n / 2; /* the second call goes on with what the first left */
	a.n -= a.n / 2;
	assert_int_equal(symbolizer_resolve_va(s, &file, va + text->size / 3 - a.n, a.n, take, &a),
			 0);
	way->due = symbolizer_tables_due(s);
	if (way->build)
		symbolizer_build_tables(s);
	symbolizer_table_stats(s, &way->stats);
	symbolizer_free(s);
	close(file.fd);
	a.n = text->size / 3;
	a.text -= a.n / 2;
	for (size_t i = 0; i < a.n; i++) {
		assert_non_null(a.text[i]);
		buf_printf(&all, "%s\n", a.text[i]);
		free(a.text[i]);
	}
	free(a.text);
	free(va);
	elf_obj_free(obj);
	*len = all.len;
	return buf_take(&all);
}

/* Resolves and compares with what is known to be right. */
static void check(const char *path, struct way *way, const char *want)
{
	size_t len;
	char *got = resolve(path, way, &len);

	assert_string_equal(got, want);
	free(got);
}

static char *expected(const char *path, const char *debug_dir)
{
	struct way plain = {.debug_dir = debug_dir};
	size_t len;
	char *want = resolve(path, &plain, &len);

	assert_true(len > 10000);
	assert_non_null(strstr(want, ".cc:"));
	return want;
}

static void make_program(const char *build)
{
	fixture_run("rm -rf ./* && { %s; } 2>build.log || { cat build.log; false; }", build);
}

/* Compiled once, in setup(). */
#define PROGRAM "g++ -Wl,--build-id -o prog .objects/gcc.o"

/* The stripped file, and its debug file where it is found. */
#define SEPARATE                                                                                   \
	PROGRAM " && mkdir debug && id=$(readelf -n prog | sed -n 's/.*Build ID: //p') && "        \
		"d=debug/.build-id/$(echo $id | cut -c1-2) && mkdir -p $d && "                     \
		"objcopy --only-keep-debug prog $d/$(echo $id | cut -c3-).debug && strip prog"

static void table_path(char *path, size_t size, const char *suffix)
{
	struct sym_file file = {fixture_open("prog"), -1, "/none/prog"};
	char hex[2 * FILE_IDENTITY_LEN + 1];
	struct file_identity identity;

	assert_true(sym_file_identity(&file, &identity));
	close(file.fd);
	text_hex(identity.data, sizeof(identity.data), hex);
	snprintf(path, size, "tables/%s%s", hex, suffix);
}

static bool table_is_there(void)
{
	char path[256];

	table_path(path, sizeof(path), ".lines");
	return !access(path, F_OK);
}

/* Twice seen, then built. */
static void build_table(const char *debug_dir, bool sandbox, const char *want)
{
	struct way way = {.table_dir = fixture_at("tables"),
			  .sandbox = sandbox,
			  .debug_dir = debug_dir,
			  .build = true};

	check("prog", &way, want);
	assert_int_equal(way.due, 0);
	assert_false(table_is_there());
	assert_int_equal(way.stats.misses, 1);
	usleep(20000); /* the clock of file times ticks every 4 ms */
	check("prog", &way, want);
	assert_int_equal(way.due, 1);
	assert_int_equal(way.stats.created, 1);
	assert_true(table_is_there());
}

static void check_uses_table(const char *debug_dir, bool sandbox, const char *want)
{
	struct way way = {
		.table_dir = fixture_at("tables"), .sandbox = sandbox, .debug_dir = debug_dir};

	check("prog", &way, want);
	assert_int_equal(way.stats.hits, 1);
	assert_int_equal(way.stats.dropped, 0);
	assert_int_equal(way.due, 0);
}

static void test_same_answers(void **state)
{
	static const char *const programs[] = {
		PROGRAM,
		"clang++ -Wl,--build-id -o prog .objects/clang.o",
		PROGRAM " && strip -g -o stripped prog && cp prog whole",
		SEPARATE,
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(programs) / sizeof(*programs); i++) {
		const char *debug = NULL;
		char *want;

		make_program(programs[i / 2]);
		debug = access("debug", F_OK) ? NULL : fixture_at("debug");
		want = expected("prog", debug);
		build_table(debug, i % 2, want);
		check_uses_table(debug, i % 2, want);
		check_uses_table(debug, !(i % 2), want);
		free(want);
	}
}

/* Symbols still come from where they did; lines outlive the debug file. */
static void test_debug_file_gone(void **state)
{
	struct way way = {.table_dir = NULL};
	char *want, *got;
	size_t len;

	(void)state;
	make_program(PROGRAM " && mkdir debug && "
			     "id=$(readelf -n prog | sed -n 's/.*Build ID: //p') && "
			     "d=debug/.build-id/$(echo $id | cut -c1-2) && mkdir -p $d && "
			     "objcopy --only-keep-debug prog $d/$(echo $id | cut -c3-).debug && "
			     "strip -g prog");
	want = expected("prog", fixture_at("debug"));
	build_table(fixture_at("debug"), false, want);
	fixture_run("rm -r debug");
	check_uses_table(fixture_at("debug"), false, want);
	got = resolve("prog", &way, &len);
	assert_null(strstr(got, ".cc:"));
	free(got);
	free(want);
}

static void test_stale(void **state)
{
	struct way way = {.table_dir = fixture_at("tables")};
	char *want;

	(void)state;
	make_program(SEPARATE);
	way.debug_dir = fixture_at("debug");
	want = expected("prog", way.debug_dir);
	build_table(way.debug_dir, false, want);
	/* Another debug file of the same build id: lines 1,000 further down. */
	fixture_run("id=$(readelf -n prog | sed -n 's/.*Build ID: //p'); "
		    "{ yes '' | head -1000; cat %s/stl.cc; } >stl.cc; cp %s/*.h .; "
		    "g++ -Wl,--build-id=0x$id -g -O2 -o prog2 stl.cc && "
		    "objcopy --only-keep-debug prog2 $(find debug -name '*.debug')",
		    source_dir, source_dir);
	free(want);
	want = expected("prog", way.debug_dir);
	check("prog", &way, want);
	assert_int_equal(way.stats.dropped, 1);
	assert_int_equal(way.due, 1);
	assert_false(table_is_there());
	free(want);
}

static void test_damage(void **state)
{
	struct way way = {.table_dir = fixture_at("tables"), .build = true};
	char path[256], *want;
	struct stat st;

	(void)state;
	make_program(PROGRAM);
	want = expected("prog", NULL);
	build_table(NULL, false, want);
	table_path(path, sizeof(path), ".lines");
	assert_int_equal(stat(path, &st), 0);
	/* a place in every part of the file, the header's version and its checksum */
	for (int i = 0; i < 12; i++) {
		off_t at = i == 0   ? 8
			   : i == 1 ? 20
				    : LINE_CHUNK + (st.st_size - LINE_CHUNK) / 11 * (i - 1);
		int fd = open(path, O_RDWR | O_CLOEXEC);
		uint8_t byte;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		way.sandbox = i % 2;
		check("prog", &way, want);
		assert_int_equal(way.stats.dropped, 1);
		assert_int_equal(way.due, 1); /* and so it is built again */
		assert_true(table_is_there());
		check_uses_table(NULL, false, want);
	}
	free(want);
}

/* Nothing of it is an error of the profile. */
static void test_unusable_directory(void **state)
{
	struct way way = {.table_dir = fixture_at("a-file")};
	char *want;

	(void)state;
	make_program(PROGRAM " && touch a-file");
	want = expected("prog", NULL);
	check("prog", &way, want);
	assert_int_equal(way.stats.unusable, 1);
	fixture_run("rm a-file && mkdir a-file && chmod 777 a-file"); /* anybody's */
	check("prog", &way, want);
	assert_int_equal(way.stats.unusable, 1);
	fixture_run("test -z \"$(ls a-file)\"");
	free(want);
}

static void test_full_disk(void **state)
{
	struct way way = {.table_dir = fixture_at("tables"), .build = true};
	char *want;

	(void)state;
	if (geteuid()) {
		print_message("left out: only root can mount a small file system\n");
		skip();
	}
	make_program(PROGRAM " && mkdir -m 700 tables");
	if (mount("tmpfs", "tables", "tmpfs", 0, "size=32k,mode=0700")) {
		print_message("left out: cannot mount a tmpfs here\n");
		skip();
	}
	want = expected("prog", NULL);
	for (int i = 0; i < 3; i++) {
		usleep(20000);
		check("prog", &way, want);
		assert_int_equal(way.due, i > 0);
	}
	umount("tables");
	free(want);
}

/* --- the directory --------------------------------------------------------------------------------- */

static const struct build_id build_id = {.data = {0xab, 0xcd, 0xef}, .len = 3};
static const struct file_identity id = {{0xab, 0xcd, 0xef}};
#define HEX  "abcdef0000000000000000000000000000000000000000000000000000000000"
#define NAME "cache/" HEX ".lines"

static struct line_cache *open_cache(uint64_t max_bytes)
{
	struct line_cache *c;

	assert_int_equal(line_cache_open(&c, fixture_at("cache"), max_bytes), 0);
	return c;
}

static void test_one_builder(void **state)
{
	struct line_source source = {.build_id = build_id};
	struct line_cache *a, *b;
	struct line_cache_stats stats;
	struct line_table *t;
	int fd, other;

	(void)state;
	fixture_run("rm -rf ./*");
	a = open_cache(0);
	b = open_cache(0);
	assert_int_equal(line_cache_ask(a, LINE_GET, &id), -ENOENT);
	fd = line_cache_ask(a, LINE_CREATE, &id);
	assert_true(fd >= 0);
	assert_int_equal(line_cache_ask(b, LINE_CREATE, &id), -EAGAIN);
	assert_int_equal(line_cache_ask(b, LINE_GET, &id), -EAGAIN);
	assert_int_equal(line_table_refuse(&source, fd, -EFBIG), 0);
	/* Finished, but whoever wrote it still could. */
	assert_int_equal(line_cache_ask(b, LINE_GET, &id), -EAGAIN);
	close(fd);
	assert_int_equal(line_cache_ask(b, LINE_CREATE, &id), -EEXIST);
	fd = line_cache_ask(b, LINE_GET, &id);
	assert_true(fd >= 0);
	assert_int_equal(line_table_open(&t, fd, &build_id), -ENODATA);
	other = line_cache_ask(a, LINE_GET, &id); /* readers do not keep each other out */
	assert_true(other >= 0);
	close(fd);
	close(other);
	assert_int_equal(line_cache_ask(a, LINE_DROP, &id), 0);
	assert_int_equal(line_cache_ask(b, LINE_GET, &id), -ENOENT);
	line_cache_stats(b, &stats);
	assert_int_equal(stats.busy, 3);
	assert_int_equal(stats.hits, 1);
	line_cache_close(a);
	line_cache_close(b);
}

/* Killed while writing: not there, and the next one begins again. */
static void test_killed_builder(void **state)
{
	struct line_cache *c;
	struct line_table *t;
	struct stat st;
	int fd, status;
	pid_t pid;

	(void)state;
	fixture_run("rm -rf ./*");
	c = open_cache(0);
	pid = fork();
	if (!pid) {
		char junk[4096];

		memset(junk, 0x5a, sizeof(junk));
		fd = line_cache_ask(c, LINE_CREATE, &id);
		if (fd < 0 || pwrite(fd, junk, sizeof(junk), LINE_CHUNK) != sizeof(junk))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(stat(NAME, &st), 0);
	assert_int_equal(st.st_size, LINE_CHUNK + 4096);
	fd = line_cache_ask(c, LINE_GET, &id);
	assert_true(fd >= 0);
	assert_int_equal(line_table_open(&t, fd, &build_id), -ENOENT);
	close(fd);
	fd = line_cache_ask(c, LINE_CREATE, &id);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
	line_cache_close(c);
}

static void test_seen(void **state)
{
	struct line_cache *c;

	(void)state;
	fixture_run("rm -rf ./*");
	c = open_cache(0);
	assert_int_equal(line_cache_ask(c, LINE_SEEN, &id), 0);
	usleep(20000);
	assert_int_equal(line_cache_ask(c, LINE_SEEN, &id), 0); /* still the same run */
	line_cache_close(c);
	c = open_cache(0);
	assert_int_equal(line_cache_ask(c, LINE_SEEN, &id), 1);
	line_cache_close(c);
}

/* Least recently used first; marks count too, other files do not. */
static void test_eviction(void **state)
{
	struct line_cache *c;
	int fd;

	(void)state;
	fixture_run("rm -rf ./* && mkdir -m 700 cache && cd cache && "
		    "for i in 1 2 3 4 5; do "
		    "truncate -s 10000 0$i.lines && touch -d \"2020-01-0$i\" 0$i.lines; done && "
		    "touch -d 2019-01-01 06.seen && touch -d 2021-01-01 07.seen && "
		    "truncate -s 100000 other && touch -a -d 2022-01-01 01.lines");
	c = open_cache(40000);
	fd = line_cache_ask(c, LINE_CREATE, &id);
	assert_true(fd >= 0);
	close(fd);
	line_cache_close(c);
	/* 50,000 and two marks of 4,096: 06.seen, 02 and 03 are what has to go */
	fixture_run("test \"$(cd cache && echo *)\" = "
		    "\"01.lines 04.lines 05.lines 07.seen " HEX ".lines other\"");
}

static void test_strange_files(void **state)
{
	struct line_cache *c;

	(void)state;
	fixture_run("rm -rf ./* && mkdir -m 700 cache && mkfifo " NAME);
	c = open_cache(0);
	assert_int_equal(line_cache_ask(c, LINE_GET, &id), -EINVAL); /* and does not hang */
	fixture_run("rm " NAME " && ln -s /etc/passwd " NAME);
	assert_int_equal(line_cache_ask(c, LINE_GET, &id), -ELOOP);
	assert_int_equal(line_cache_ask(c, LINE_CREATE, &id), -ELOOP);
	line_cache_close(c);
}

static int setup(void **state)
{
	const char *dir = getcwd(source_dir, sizeof(source_dir) - 32);

	if (!dir || fixture_setup(state))
		return -1;
	strcat(source_dir, "/tests/fixtures/dwarf");
	fixture_run("mkdir .objects && g++ -g -O2 -c -o .objects/gcc.o %s/stl.cc && "
		    "clang++ -g -O2 -c -o .objects/clang.o %s/stl.cc",
		    source_dir, source_dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_builder),
		cmocka_unit_test(test_killed_builder),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_strange_files),
		cmocka_unit_test(test_same_answers),
		cmocka_unit_test(test_debug_file_gone),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_unusable_directory),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
