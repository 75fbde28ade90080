// SPDX-License-Identifier: GPL-2.0-or-later
/* What lies beside a segment under the names that SQLite gives its files: journals that somebody left behind, or
 * that somebody has put there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <endian.h>
#include <sys/wait.h>

#include "profiler/base/buf.h"
#include "profiler/store/db.h"
#include "profiler/store/list.h"
#include "profiler/store/maintain.h"
#include "profiler/store/store_internal.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define N	10
#define SEGMENT "store/" T0_NAME
#define JOURNAL SEGMENT "-journal"
#define PAGE	1024
#define SECTOR	512

static const struct store_opts writing = {.access = STORE_WRITE};
static const struct store_opts reading = {.access = STORE_READ};
static const struct moment now = {T0 + 6 * HOUR, HOUR};

static struct moment stopped_clock(void)
{
	return now;
}

/* Segments of two hours that nobody has open. */
static void make_store(struct window *w)
{
	struct store *s = open_store("store", &writing);

	s->clock = stopped_clock;
	append_windows(s, w, N, 12 * MINUTE);
	store_end_segment(s);
	store_close(s);
	alarm(60); /* what hangs has failed */
}

/* --- journals ------------------------------------------------------------------------------------- */

static void put_u32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, sizeof(v));
}

static const char magic[8] = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";

/* That of a transaction on n pages of the file that had begun to write, with pages as they were before. */
static void begin_journal(struct buf *b, const uint32_t *pages, uint32_t n)
{
	size_t len;
	uint8_t *file = fixture_read(SEGMENT, &len);

	buf_add(b, magic, sizeof(magic));
	put_u32(b, n);
	put_u32(b, 1);
	put_u32(b, (uint32_t)len / PAGE);
	put_u32(b, SECTOR);
	put_u32(b, PAGE);
	while (b->len < SECTOR)
		buf_char(b, 0);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *page = file + (pages[i] - 1) * (size_t)PAGE;
		uint32_t sum = 1;

		for (int at = PAGE - 200; at > 0; at -= 200)
			sum += page[at];
		put_u32(b, pages[i]);
		buf_add(b, page, PAGE);
		put_u32(b, sum);
	}
	free(file);
}

static void name_another(struct buf *b, const char *path)
{
	uint32_t sum = 0;

	for (const char *p = path; *p; p++)
		sum += (uint8_t)*p;
	put_u32(b, 0x40000000 / PAGE + 1);
	buf_str(b, path);
	put_u32(b, (uint32_t)strlen(path));
	put_u32(b, sum);
	buf_add(b, magic, sizeof(magic));
}

static void write_journal(struct buf *b)
{
	FILE *f = fopen(JOURNAL, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
	buf_release(b);
}

static void assert_same_file(const char *path, const uint8_t *was, size_t len)
{
	size_t now_len;
	uint8_t *is = fixture_read(path, &now_len);

	assert_int_equal(now_len, len);
	assert_memory_equal(is, was, len);
	free(is);
}

static void assert_readable(const struct window *w, unsigned windows, unsigned damaged)
{
	struct store *s = open_store("store", &reading);
	struct store_result r = query_store(s, STORE_BEGIN, STORE_END, NULL);

	assert_int_equal(r.windows, windows);
	assert_int_equal(r.segments_damaged, damaged);
	store_result_release(&r);
	if (!damaged)
		assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
}

static unsigned maintain_all(void)
{
	struct store *s = open_store("store", &writing);
	struct store_stats stats;
	int got = 1;

	s->clock = stopped_clock;
	for (int i = 0; i < 20 && got > 0; i++)
		got = maintain(s, now);
	assert_int_equal(got, 0);
	store_stats(s, &stats);
	store_close(s);
	return (unsigned)stats.quarantined;
}

/* SQLite would finish the transaction, and then remove the file that the journal names. */
static void no_file_that_a_journal_names_is_removed(void **state)
{
	struct window w[N];
	struct buf b = {0};
	char victim[128];
	sqlite3 *db;

	(void)state;
	make_store(w);
	fixture_run("echo precious >victim");
	snprintf(victim, sizeof(victim), "%s/victim", fixture_dir);
	begin_journal(&b, NULL, 0);
	name_another(&b, victim);
	write_journal(&b);
	assert_readable(w, N / 2, 1);
	assert_int_equal(db_open(&db, SEGMENT, DB_WRITE), -EBADMSG);
	assert_int_equal(db_mend(SEGMENT), -EBADMSG);
	assert_int_equal(maintain_all(), 1);
	fixture_run("grep -q precious victim && [ -f " SEGMENT ".damaged ]");
	release_windows(w, N);
}

/* Who was killed while he changed the kind of log: readers see all windows, and change nothing. */
static void readers_leave_a_journal_alone(void **state)
{
	static const uint32_t first = 1;
	struct window w[N];
	struct buf b = {0};
	uint8_t *journal, *file;
	size_t journal_len, file_len;

	(void)state;
	make_store(w);
	begin_journal(&b, &first, 1);
	write_journal(&b);
	/* The log would be a write-ahead log from now on. */
	fixture_run("printf '\\2\\2' | dd of=" SEGMENT " bs=1 seek=18 conv=notrunc 2>/dev/null");
	journal = fixture_read(JOURNAL, &journal_len);
	file = fixture_read(SEGMENT, &file_len);
	assert_readable(w, N, 0);
	assert_same_file(JOURNAL, journal, journal_len);
	assert_same_file(SEGMENT, file, file_len);
	fixture_run("[ \"$(echo " SEGMENT "*)\" = '" SEGMENT " " JOURNAL "' ]");
	assert_int_equal(maintain_all(), 0);
	fixture_run("[ ! -e " JOURNAL " ]");
	assert_readable(w, N, 0);
	free(journal);
	free(file);
	release_windows(w, N);
}

/* Of a transaction of some pages nobody can tell what the file holds, until it is rolled back. */
static void the_writer_rolls_back_what_readers_cannot(void **state)
{
	static const uint32_t pages[] = {1, 2, 3};
	struct window w[N];
	struct buf b = {0};

	(void)state;
	make_store(w);
	begin_journal(&b, pages, 3);
	write_journal(&b);
	fixture_run("dd if=/dev/zero of=" SEGMENT " bs=1024 seek=1 count=2 conv=notrunc "
		    "2>/dev/null");
	assert_readable(w, N / 2, 1);
	fixture_run("[ -s " JOURNAL " ]");
	assert_int_equal(maintain_all(), 0);
	assert_readable(w, N, 0);
	release_windows(w, N);
}

/* --- what is no file ------------------------------------------------------------------------------ */

static void assert_one_damaged(void)
{
	struct store *s = open_store("store", &reading);
	struct store_files files;
	unsigned damaged = 0;

	assert_int_equal(store_files(s, &files), 0);
	for (size_t i = 0; i < files.v.len; i++)
		damaged += files.v.data[i].state == STORE_FILE_DAMAGED;
	assert_int_equal(files.v.len, 2);
	assert_int_equal(damaged, 1);
	store_files_release(&files);
	store_close(s);
}

/* One segment is damaged, the others are as good as ever, and whoever writes goes on. */
static void put_beside(const char *command, const char *suffix)
{
	struct window w[N + 1];
	struct store *s;

	make_store(w);
	fixture_run("%s " SEGMENT "%s", command, suffix);
	assert_readable(w, N / 2, 1);
	assert_one_damaged();
	s = open_store("store", &writing);
	w[N] = random_window(N, T0 + 10 * MINUTE, MINUTE);
	assert_int_equal(append_window(s, &w[N]), 0);
	store_close(s);
	assert_readable(w, N / 2 + 1, 1);
	assert_int_equal(maintain_all(), 1);
	fixture_run("[ -f " SEGMENT ".damaged ]");
	assert_readable(w, N / 2 + 1, 1);
	fixture_run("rm -r store");
	release_windows(w, N + 1);
}

static void what_is_no_file_costs_one_segment(void **state)
{
	static const char *const commands[] = {"mkfifo", "mkdir", "ln -s /etc/passwd",
					       "ln -s nowhere"},
				 *const suffixes[] = {"-journal", "-wal", "-shm"};

	(void)state;
	for (int c = 0; c < 4; c++)
		for (int s = 0; s < 3; s++)
			put_beside(commands[c], suffixes[s]);
}

/* A directory that is not empty stays; what is left over of other segments goes all the same. */
static void what_cannot_be_removed_stays(void **state)
{
	struct window w[N];

	(void)state;
	make_store(w);
	fixture_run("mkdir -p " JOURNAL "/x store/20260101T000000Z.kiln-journal/x; "
		    "touch store/20270101T000000Z.kiln.tmp");
	assert_int_equal(maintain_all(), 1);
	fixture_run("[ -d " JOURNAL "/x ] && [ ! -e store/20270101T000000Z.kiln.tmp ]");
	assert_readable(w, N / 2, 1);
	release_windows(w, N);
}

/* As somebody who is not root. */
static void as_nobody(void (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(9);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int query_all(struct store_result *r)
{
	const struct store_query all = {.until_ns = STORE_END};
	struct store *s = open_store("store", &reading);
	struct why why;
	int err = store_query(s, &all, r, &why);

	store_close(s);
	return err;
}

static void read_half(void)
{
	struct store_result r;

	assert_int_equal(query_all(&r), 0);
	assert_int_equal(r.windows, N / 2);
	assert_int_equal(r.segments_damaged, 1);
	store_result_release(&r);
}

static void read_nothing(void)
{
	struct store_result r;

	assert_int_equal(query_all(&r), -EACCES);
}

static void a_segment_of_another_user_costs_no_more(void **state)
{
	struct window w[N];

	(void)state;
	if (geteuid())
		skip();
	make_store(w);
	fixture_run("chmod 755 . store; chmod 644 store/*.kiln; chmod 600 " SEGMENT);
	as_nobody(read_half);
	fixture_run("chmod 600 store/*.kiln");
	as_nobody(read_nothing);
	/* A journal that another user has made is not the writer's. */
	fixture_run("touch " JOURNAL "; chown nobody " JOURNAL);
	assert_readable(w, N / 2, 1);
	release_windows(w, N);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(no_file_that_a_journal_names_is_removed),
		CASE(readers_leave_a_journal_alone),
		CASE(the_writer_rolls_back_what_readers_cannot),
		CASE(what_is_no_file_costs_one_segment),
		CASE(what_cannot_be_removed_stays),
		CASE(a_segment_of_another_user_costs_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
