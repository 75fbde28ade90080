// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is kept of mappings that samples report, within bounds: the records come from here, and not from
 * a kernel. What real samples report: tests/kernel/test_reported_mappings.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "profiler/collect/reported_mappings.c" /* NOLINT(bugprone-suspicious-include) */

static struct mappings_record *records[5000];
static size_t n_records, next_record;

struct mappings_record *drain_next_mappings(struct drain *d)
{
	(void)d;
	return next_record < n_records ? records[next_record++] : NULL;
}

static struct drain_stats drained;

void drain_stats(const struct drain *d, struct drain_stats *out)
{
	(void)d;
	*out = drained;
}

struct profile_bpf *sampler_skeleton(struct sampler *s)
{
	static struct profile_bpf none; /* nothing can be deleted from its maps */

	(void)s;
	return &none;
}

static struct procs *procs;
static struct files *files;
static struct rescan *rescan;
static struct reported_mappings *reported;

static void begin(void)
{
	struct procs_opts opts = {0};

	assert_int_equal(files_new(&files, NULL), 0);
	opts.files = files;
	assert_int_equal(procs_new(&procs, &opts), 0);
	assert_int_equal(rescan_new(&rescan, procs), 0);
	assert_int_equal(reported_mappings_new(&reported, NULL, procs, files, rescan), 0);
}

static void end(void)
{
	reported_mappings_free(reported);
	rescan_free(rescan);
	procs_free(procs);
	files_free(files);
}

static void *add_record(size_t len, enum kiln_record_kind kind, uint32_t n)
{
	struct mappings_record *r = calloc(1, sizeof(*r) + len);

	assert_non_null(r);
	r->len = len;
	r->head->kind = (uint8_t)kind;
	r->head->n = n;
	assert_true(n_records < sizeof(records) / sizeof(*records));
	records[n_records++] = r;
	return r->head;
}

static struct kiln_file_key key_of(uint32_t inode)
{
	return (struct kiln_file_key){.inode = inode, .dev = 77};
}

/* A file with a path of so many bytes; "/NAME" is one component. */
static void add_file_record(uint32_t inode, size_t path_len)
{
	size_t n = path_len; /* without the slash, with the NUL */
	struct kiln_file_record *f = add_record(sizeof(*f), KILN_RECORD_FILE, (uint32_t)n);

	f->file = key_of(inode);
	f->tgid = 5000000;
	memset(f->path, 'x', n - 1);
}

/* The mappings of n files from one on, in one record of a set. */
static void add_numbered(uint32_t tgid, uint64_t t_ns, uint32_t first, uint32_t n, bool is_last,
			 uint16_t number)
{
	struct kiln_mappings_record *m = add_record(sizeof(*m), KILN_RECORD_MAPPINGS, n);

	m->tgid = tgid;
	m->time_ns = t_ns;
	m->version = 1;
	m->is_last = is_last;
	m->number = number;
	for (uint32_t i = 0; i < n; i++)
		m->at[i] = (struct kiln_mapping){0x10000ull * (i + 1 + 1000u * number), 0x1000, 0,
						 key_of(first + i)};
}

static void add_set_record(uint32_t tgid, uint64_t t_ns, uint32_t first, uint32_t n, bool is_last)
{
	add_numbered(tgid, t_ns, first, n, is_last, 0);
}

static struct reported_stats run(void)
{
	struct reported_stats s;

	next_record = 0;
	reported_mappings_run(reported, NULL);
	assert_int_equal(next_record, n_records);
	n_records = 0;
	reported_mappings_stats(reported, &s);
	assert_int_equal(s.bad, 0);
	return s;
}

static size_t n_live(pid_t tgid)
{
	size_t n;

	procs_live(procs, tgid, &n, NULL);
	return n;
}

/* More files than are kept: those seen last are known, and of the others the kernel is told. */
static void test_files(void **state)
{
	struct reported_stats s;

	(void)state;
	begin();
	reported_mappings_limit(reported, 100, 0, 0);
	for (uint32_t i = 1; i <= 1000; i++) {
		add_file_record(i, 10);
		s = run();
		assert_in_range(s.files - s.forgotten, 1, 100);
		assert_in_range(reported->known.len, 1, 100);
	}
	assert_in_range(s.forgotten, 900, 950);
	add_set_record(5000001, 10, 951, 50, true);
	add_set_record(5000002, 10, 1, 5, true);
	s = run();
	assert_int_equal(s.sets, 1);
	assert_int_equal(s.unknown, 1);
	assert_int_equal(n_live(5000001), 50);
	assert_int_equal(n_live(5000002), 0);
	assert_false(rescan_is_due(rescan, 5000001));
	assert_true(rescan_is_due(rescan, 5000002));
	/* what is told again is one file more or less, whatever its name */
	for (int i = 0; i < 1000; i++)
		add_file_record(1000, 10 + (size_t)i % 7);
	assert_int_equal(run().forgotten, s.forgotten);
	end();
}

static void test_paths(void **state)
{
	(void)state;
	begin();
	reported_mappings_limit(reported, 0, 100000, 0);
	for (uint32_t i = 1; i <= 1000; i++) {
		add_file_record(i, 4000);
		run();
		assert_in_range(reported->path_bytes, 1, 100000 + 4001);
		assert_in_range(reported->known.len, 1, 26);
	}
	for (uint32_t i = 1; i <= 1000; i++) {
		add_file_record(i, 2);
		run();
	}
	assert_in_range(reported->path_bytes, 1, 4001 + 1000 * 3);
	end();
}

/* Sets of which the end was lost do not pile up. */
static void test_sets_without_an_end(void **state)
{
	struct reported_stats s;

	(void)state;
	begin();
	reported_mappings_limit(reported, 0, 0, 100000);
	for (uint32_t i = 0; i < 3000; i++) {
		add_set_record(5000000 + i, 2000000000ull * i, 1, 128, false);
		s = run();
		assert_in_range(reported->part_bytes, 1, 110000);
	}
	assert_in_range(s.dropped, 2900, 3000);
	assert_true(rescan_is_idle(rescan)); /* they are long over */
	assert_int_equal(s.sets, 0);
	end();
}

/* So many at once that some have to go in the middle: their processes are read. */
static void test_too_many_sets_at_once(void **state)
{
	struct reported_stats s;

	(void)state;
	begin();
	reported_mappings_limit(reported, 0, 0, 100000);
	for (uint32_t i = 0; i < 40; i++)
		add_set_record(5000000 + i, 1000 + i, 1, 128, false);
	s = run();
	assert_in_range(s.dropped, 10, 39);
	assert_in_range(reported->part_bytes, 1, 110000);
	for (uint32_t i = 0; i < s.dropped; i++)
		assert_true(rescan_is_due(rescan, (pid_t)(5000000 + i)));
	assert_false(rescan_is_due(rescan, 5000039));
	end();
}

/* A record in the middle of a set, or its first, was dropped: the process is read instead. */
static void test_sets_with_a_hole(void **state)
{
	static const uint16_t numbers[][3] = {{0, 1, 2}, {0, 2, 3}, {1, 2, 3}, {0, 1, 3}};
	struct reported_stats s;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		begin();
		for (uint32_t file = 1; file < 4; file++)
			add_file_record(file, 10);
		for (int k = 0; k < 3; k++)
			add_numbered(5000000, 1000, 1, 1, k == 2, numbers[i][k]);
		s = run();
		assert_int_equal(s.sets, i == 0);
		assert_int_equal(rescan_is_due(rescan, 5000000), i != 0);
		assert_int_equal(reported->parts.len, 0);
		end();
	}
}

/* Nobody knows whose set the drain dropped: all processes are read, once for each time. */
static void test_sets_that_the_drain_dropped(void **state)
{
	pid_t self = getpid();

	(void)state;
	begin();
	run();
	assert_false(rescan_is_due(rescan, self));
	drained = (struct drain_stats){.mappings_dropped = 3, .dropped_ns = 1000};
	run();
	assert_true(rescan_is_due(rescan, self));
	end();
	drained = (struct drain_stats){0};
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_sets_without_an_end),
		cmocka_unit_test(test_too_many_sets_at_once),
		cmocka_unit_test(test_sets_with_a_hole),
		cmocka_unit_test(test_sets_that_the_drain_dropped),
	};

	return cmocka_run_group_tests_name("reported_bounds", tests, NULL, NULL);
}
