// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel half is told of processes, and when: by the state of their files' tables. Tables and
 * maps are this file's own; with those of a kernel: tests/kernel/test_unwind_feed.c.
 */
#include "tests/lib/fake_tables.h"
#include "tests/lib/fixture.h"
#include "tests/lib/proc_table.h"

#include <elf.h>
#include <errno.h>
#include <sys/sysmacros.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/buf.h"
#include "profiler/files/files.h"
#include "profiler/sampler/sampler.h"
#include "profiler/unwind/unwind_feed.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static bool reports; /* samples report mappings */

/* --- in the place of the sampler's ----------------------------------------------------------- */

struct profile_bpf *sampler_skeleton(struct sampler *s)
{
	static struct profile_bpf k;
	static __typeof__(*k.bss) bss;

	(void)s;
	k.bss = &bss;
	return &k;
}

bool sampler_reports_mappings(const struct sampler *s)
{
	(void)s;
	return reports;
}

int bpf_map__fd(const struct bpf_map *map)
{
	(void)map;
	return 1234; /* of no descriptor */
}

int bpf_map_delete_elem(int fd, const void *key)
{
	(void)fd;
	buf_printf(&done, "tell_again(%u) ", *(const uint32_t *)key);
	return 0;
}

/* --- in the place of the kernel's maps --------------------------------------------------------- */

static struct unwind_region regions[16]; /* set last */
static size_t n_regions;
static uint32_t in_maps[16]; /* tgids */
static size_t n_in_maps;
static int set_err;

int unwind_maps_new(struct unwind_maps **out, int small_fd, int medium_fd, int large_fd)
{
	(void)small_fd, (void)medium_fd, (void)large_fd;
	*out = (struct unwind_maps *)&in_maps;
	return 0;
}

void unwind_maps_free(struct unwind_maps *m)
{
	assert_ptr_equal(m, &in_maps);
}

bool unwind_maps_remove(struct unwind_maps *m, pid_t tgid)
{
	(void)m;
	for (size_t i = 0; i < n_in_maps; i++) {
		if (in_maps[i] != (uint32_t)tgid)
			continue;
		in_maps[i] = in_maps[--n_in_maps];
		buf_printf(&done, "remove(%d) ", tgid);
		return true;
	}
	return false;
}

int unwind_maps_set(struct unwind_maps *m, pid_t tgid, uint32_t version, struct unwind_region *r,
		    size_t n)
{
	bool there = false;

	(void)m;
	buf_printf(&done, "set(%d:%u) ", tgid, version);
	if (set_err)
		return set_err;
	for (size_t i = 0; i < n_in_maps; i++)
		there |= in_maps[i] == (uint32_t)tgid;
	if (!there)
		in_maps[n_in_maps++] = (uint32_t)tgid;
	memcpy(regions, r, n * sizeof(*r));
	n_regions = n;
	return 0;
}

void unwind_maps_stats(const struct unwind_maps *m, struct unwind_maps_stats *out)
{
	(void)m;
	*out = (struct unwind_maps_stats){.sets = 88};
}

/* --- a feed -------------------------------------------------------------------------------------- */

static struct files *files;
static struct procs *procs;
static struct unwind_feed *feed;
static uint32_t file[4]; /* ids of files that are open; their numbers are one more */

static uint32_t open_file(const char *name)
{
	struct file_key key = {.path = fixture_at(name)};
	struct stat st;
	uint32_t id;

	fixture_write(name, "x");
	assert_int_equal(stat(name, &st), 0);
	key.major = major(st.st_dev);
	key.minor = minor(st.st_dev);
	key.inode = st.st_ino;
	id = files_intern(files, &key, getpid(), 0, 0, 0);
	assert_true(files_settle(files, 10000));
	return id;
}

static void make_feed(void)
{
	struct files_opts files_opts = {.keep_ns = 1};
	struct unwind_feed_opts opts = {.sampler = (struct sampler *)&done};
	struct procs_opts procs_opts = {0};
	char name[16];

	assert_int_equal(files_new(&files, &files_opts), 0);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		file[i] = open_file(name);
		assert_int_equal(file[i], i);
	}
	opts.files = procs_opts.files = files;
	assert_int_equal(unwind_feed_new(&feed, &opts), 0);
	procs_opts.changed = unwind_feed_changed;
	procs_opts.changed_ctx = feed;
	procs = new_table(&procs_opts);
	tables[0].state = TABLE_LOADED;
	buf_clear(&done);
}

static int begin(void **state)
{
	(void)state;
	memset(tables, 0, sizeof(tables));
	n_changed = n_in_maps = 0;
	set_err = 0;
	reports = has_queue = false;
	make_feed();
	return 0;
}

static int end(void **state)
{
	(void)state;
	procs_free(procs);
	unwind_feed_free(feed);
	unwind_feed_free(NULL);
	files_free(files);
	buf_release(&done);
	return 0;
}

/* One run, and what it did. */
static const char *run(void)
{
	buf_clear(&done);
	unwind_feed_run(feed, procs);
	return buf_cstr(&done);
}

static const struct unwind_region *region_at(uint64_t start)
{
	for (size_t i = 0; i < n_regions; i++)
		if (regions[i].start == start)
			return &regions[i];
	fail_msg("no region at %lx", (unsigned long)start);
	return NULL;
}

/* --- tests --------------------------------------------------------------------------------------- */

#define VDSO_AT 0x7ffe0000000ull

/* Anonymous memory where the code of a file would be, by what is mapped next to it. */
TEST(test_code_copied_to_anonymous_memory)
{
	struct proc_mapping near = {0x10000, 0x1000, 0x3000, file[0], 0};
	uint64_t file_off;

	tables[1].state = TABLE_QUEUED;
	map(procs, 1, 100, 0x10000, 0x1000, 0x3000, file[0]);
	map(procs, 1, 100, 0x11000, 0x2000, 0, FILE_NONE);
	map(procs, 1, 100, 0x18000, 0x1000, 0, FILE_NONE); /* beyond the file's code */
	run();
	assert_int_equal(region_at(0x11000)->slot, UNWIND_SLOT_NONE); /* not known yet */
	assert_true(unwind_feed_awaits(feed, file[0]));
	tables[1].state = TABLE_LOADED;
	changed[n_changed++] = 1;
	run();
	assert_false(unwind_feed_awaits(feed, file[0]));
	assert_int_equal(region_at(0x11000)->slot, 11);
	assert_int_equal(region_at(0x11000)->bias, 0x10000 - 0x3000 - 1000);
	assert_int_equal(region_at(0x18000)->slot, UNWIND_SLOT_JIT);
	assert_true(unwind_feed_is_code_of(feed, &near, 0x12345, &file_off));
	assert_int_equal(file_off, 0x3000 + 0x2345);
	assert_false(unwind_feed_is_code_of(feed, &near, 0xc000, &file_off));
	assert_false(unwind_feed_is_code_of(feed, &near, 0x18000, &file_off));
}

/* So is the table of that file asked for, before what is next to it counts as made code: when it was never asked for, as
 * while the file is opened, and when it was evicted. */
TEST(test_code_that_may_be_copied_waits)
{
	static const enum unwind_table_state states[] = {TABLE_UNKNOWN, TABLE_EVICTED, TABLE_NONE};

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		bool waits = states[i] != TABLE_NONE;

		tables[1].state = states[i];
		tables[1].want_err = -EAGAIN; /* no room in the queue yet */
		map(procs, i + 1, 100, 0x10000, 0x1000, 0x3000, file[0]);
		map(procs, i + 1, 100, 0x11000, 0x2000 + i * 0x1000, 0, FILE_NONE);
		run();
		assert_int_equal(region_at(0x11000)->slot,
				 waits ? UNWIND_SLOT_NONE : UNWIND_SLOT_JIT);
		tables[1].want_err = 0;
		assert_int_equal(unwind_feed_awaits(feed, file[0]), waits);
		assert_int_equal(tables[1].state, waits ? TABLE_QUEUED : TABLE_NONE);
	}
}

/* Programs of 32 bits are walked in user space, also where nothing describes their code. */
TEST(test_32_bit_programs)
{
	tables[1].state = TABLE_LOADED;
	tables[1].head.machine = EM_386;
	map(procs, 1, 100, 0x10000, 0x1000, 0x3000, file[0]);
	map(procs, 1, 100, 0x70000000, 0x1000, 0, FILE_NONE);
	map(procs, 1, 100, 0xf7f00000, 0x1000, 0, FILE_VDSO);
	run();
	assert_int_equal(n_regions, 3);
	for (size_t i = 0; i < n_regions; i++)
		assert_int_equal(regions[i].slot, UNWIND_SLOT_NONE);
}

TEST(test_what_is_told_of_mappings)
{
	static const struct {
		enum unwind_table_state state;
		bool other_segment;
		uint32_t slot;
	} cases[] = {
		{TABLE_LOADED, false, 11},
		{TABLE_LOADED, true, UNWIND_SLOT_JIT}, /* data that is mapped to be run */
		{TABLE_NONE, false, UNWIND_SLOT_JIT},
		{TABLE_QUEUED, false, UNWIND_SLOT_NONE},
		{TABLE_EVICTED, false, UNWIND_SLOT_NONE},
		{TABLE_UNKNOWN, false, UNWIND_SLOT_NONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pid_t tgid = 100 + (pid_t)i;
		char want[64];

		tables[1].state = cases[i].state;
		tables[1].other_segment = cases[i].other_segment;
		map(procs, 1, tgid, 0x10000, 0x1000, 0x3000, file[0]);
		map(procs, 1, tgid, 0x20000, 0x1000, 0, FILE_NONE);
		map(procs, 1, tgid, VDSO_AT, 0x1000, 0, FILE_VDSO);
		/* what nobody has asked for yet is asked for, what was evicted when a walk wants it */
		snprintf(want, sizeof(want), "%sset(%d:0) release ",
			 cases[i].state == TABLE_UNKNOWN ? "want(1) " : "", tgid);
		assert_string_equal(run(), want);
		assert_int_equal(n_regions, 3);
		assert_int_equal(region_at(0x10000)->slot, cases[i].slot);
		assert_int_equal(region_at(0x10000)->len, 0x1000);
		/* user space walks what may turn out to be a copy of the file's code */
		assert_int_equal(region_at(0x20000)->slot, cases[i].slot == UNWIND_SLOT_NONE
								   ? UNWIND_SLOT_NONE
								   : UNWIND_SLOT_JIT);
		assert_int_equal(region_at(VDSO_AT)->slot, 10);
		assert_int_equal(region_at(VDSO_AT)->bias, VDSO_AT);
		if (cases[i].slot == 11)
			assert_int_equal(region_at(0x10000)->bias, 0x10000 - 0x3000 - 1000);
	}
	assert_string_equal(run(), "release "); /* nothing has changed since */
}

TEST(test_a_process_is_set_once_a_run)
{
	tables[1].state = tables[2].state = TABLE_LOADED;
	map(procs, 1, 100, 0x10000, 0x1000, 0, file[0]);
	map(procs, 2, 100, 0x20000, 0x1000, 0, file[1]);
	procs_fork(procs, 3, 101, 101, 100);
	assert_string_equal(run(), "set(100:0) set(101:0) release ");
	assert_int_equal(n_regions, 2);
	procs_exit(procs, 4, 101, 101);
	assert_string_equal(run(), "remove(101) release ");
}

/* Whoever maps the file is told, and nobody else; before the slots of those that went are free. */
TEST(test_tables_come_and_go)
{
	tables[1].state = tables[2].state = TABLE_QUEUED;
	map(procs, 1, 100, 0x10000, 0x1000, 0, file[0]);
	map(procs, 1, 101, 0x10000, 0x1000, 0, file[1]);
	run();
	assert_string_equal(run(), "release ");
	tables[1].state = TABLE_LOADED;
	changed[0] = 1;
	n_changed = 1;
	assert_string_equal(run(), "set(100:0) release ");
	assert_int_equal(regions[0].slot, 11);
	tables[1].state = TABLE_EVICTED;
	changed[0] = 1;
	n_changed = 1;
	assert_string_equal(run(), "set(100:0) release ");
	assert_int_equal(regions[0].slot, UNWIND_SLOT_NONE);
	/* how many map it is what decides who goes */
	assert_int_equal(tables_opts.users(tables_opts.users_ctx, 1), 1);
	procs_exit(procs, 2, 100, 100);
	run();
	assert_int_equal(tables_opts.users(tables_opts.users_ctx, 1), 0);
	assert_int_equal(tables_opts.users(tables_opts.users_ctx, 2), 1);
	n_changed = 1;
	assert_string_equal(run(), "release ");
}

TEST(test_a_full_queue)
{
	tables[1].want_err = -EAGAIN;
	map(procs, 1, 100, 0x10000, 0x1000, 0, file[0]);
	assert_string_equal(run(), "want(1) set(100:0) release ");
	assert_int_equal(regions[0].slot, UNWIND_SLOT_NONE);
	assert_string_equal(run(), "release "); /* it is still full */
	has_queue = true;
	tables[1].want_err = 0;
	assert_string_equal(run(), "want(1) set(100:0) release ");
	assert_string_equal(run(), "release ");
}

/* A file of which no table can be asked for: frame pointers are the best guess. */
TEST(test_a_file_that_cannot_be_opened)
{
	struct file_key key = {.path = "/nowhere", .inode = 1, .major = 1};
	uint32_t id = files_intern(files, &key, getpid(), 0, 0, 0);

	assert_true(files_settle(files, 10000));
	map(procs, 1, 100, 0x10000, 0x1000, 0, id);
	assert_string_equal(run(), "set(100:0) release ");
	assert_int_equal(regions[0].slot, UNWIND_SLOT_JIT);
}

/* Where samples report mappings only a set that one of them reported is told: by its version. */
TEST(test_versions)
{
	struct proc_mapping m = {0x10000, 0x1000, 0, 0, 0};
	struct proc_snapshot s = {.tgid = 100,
				  .t_ns = 10,
				  .version = 7,
				  .mappings = &m,
				  .n = 1,
				  .exe = FILE_NONE,
				  .jitdump = FILE_NONE};

	end(NULL);
	reports = true;
	make_feed();
	tables[1].state = TABLE_LOADED;
	m.file = file[0];
	procs_snapshot(procs, &s);
	assert_string_equal(run(), "set(100:7) release ");
	/* an event changed it: what is known is nobody's version */
	map(procs, 20, 100, 0x20000, 0x1000, 0, FILE_NONE);
	assert_string_equal(run(), "remove(100) tell_again(100) release ");
	map(procs, 21, 100, 0x30000, 0x1000, 0, FILE_NONE);
	assert_string_equal(run(), "release "); /* it was told to already */
}

TEST(test_no_room_for_a_process)
{
	struct unwind_feed_stats own;
	struct unwind_tables_stats t;
	struct unwind_maps_stats m;

	tables[1].state = TABLE_LOADED;
	map(procs, 1, 100, 0x10000, 0x1000, 0, file[0]);
	run();
	set_err = -E2BIG;
	map(procs, 2, 100, 0x20000, 0x1000, 0, file[0]);
	assert_string_equal(run(), "set(100:0) remove(100) release ");
	assert_int_equal(tables_opts.users(tables_opts.users_ctx, 1), 0);
	unwind_feed_own_stats(feed, &own);
	assert_int_equal(own.refused, 1);
	assert_string_equal(run(), "release "); /* not again at once */
	set_err = 0;
	map(procs, 3, 100, 0x30000, 0x1000, 0, file[0]);
	assert_string_equal(run(), "set(100:0) release "); /* but when it has changed */
	unwind_feed_stats(feed, &t, &m);
	assert_int_equal(t.loaded, 77);
	assert_int_equal(m.sets, 88);
}

static bool is_first(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == file[0];
}

/* Their numbers are given out again some day. */
TEST(test_files_that_are_forgotten)
{
	asked_whether_known = file[1] + 1;
	assert_string_equal(run(), "release ");
	files_sweep(files, is_first, NULL);
	assert_string_equal(run(), "forget release ");
	assert_false(is_known);
	asked_whether_known = file[0] + 1;
	files_sweep(files, is_first, NULL);
	assert_string_equal(run(), "forget release ");
	assert_true(is_known);
	assert_string_equal(run(), "release "); /* once */
}

static const char *place(uint32_t id, enum feed_place want)
{
	uint64_t va_minus_off = 0;
	const void *table = NULL;

	buf_clear(&done);
	assert_int_equal(unwind_feed_place(feed, id, 0x100, &table, &va_minus_off), want);
	if (want == FEED_TABLE) {
		assert_ptr_equal(table, &tables[id == FILE_VDSO ? 0 : id + 1].head);
		assert_int_equal(va_minus_off, 1000 * (id == FILE_VDSO ? 0 : id + 1));
	}
	return buf_cstr(&done);
}

/* What a walk in user space gets of a place. */
TEST(test_places)
{
	struct file_key key = {.path = "/nowhere", .inode = 1, .major = 1};
	uint32_t id;

	assert_string_equal(place(FILE_VDSO, FEED_TABLE), "touch(0) ");
	tables[1].state = TABLE_LOADED;
	assert_string_equal(place(file[0], FEED_TABLE), "touch(1) ");
	tables[1].other_segment = true;
	assert_string_equal(place(file[0], FEED_NEVER), "");
	tables[1].state = TABLE_NONE;
	tables[1].error = -ECONNABORTED;
	assert_string_equal(place(file[0], FEED_NEVER), "");
	assert_int_equal(unwind_feed_table_error(feed, file[0]), -ECONNABORTED);
	assert_string_equal(place(file[1], FEED_SOON), "want(2) ");
	assert_string_equal(place(file[1], FEED_SOON), "hurry(2) "); /* somebody waits */
	tables[3].state = TABLE_EVICTED;
	assert_string_equal(place(file[2], FEED_SOON), "want(3) ");
	tables[4].want_err = -ENOSPC;
	assert_string_equal(place(file[3], FEED_NO_ROOM), "want(4) ");
	tables[4].want_err = -EAGAIN;
	assert_string_equal(place(file[3], FEED_SOON), "want(4) ");
	tables[4].want_err = -EINVAL;
	assert_string_equal(place(file[3], FEED_NEVER), "want(4) ");
	id = files_intern(files, &key, getpid(), 0, 0, 0);
	assert_true(files_settle(files, 10000));
	assert_string_equal(place(id, FEED_NEVER), "");
}

static const char *jit(uint64_t since_ns, uint32_t written, enum feed_place want, bool has_table)
{
	const void *table = NULL;

	buf_clear(&done);
	assert_int_equal(unwind_feed_jit(feed, file[0], since_ns, written, &table), want);
	assert_int_equal(table != NULL, has_table);
	return buf_cstr(&done);
}

/* A table counts for a sample if it is as new, by its time or by the size of the dump. */
TEST(test_tables_of_made_code)
{
	assert_string_equal(jit(100, 7, FEED_SOON, false), "want(1) ");
	assert_string_equal(jit(100, 7, FEED_SOON, false), "hurry(1) ");
	tables[1].state = TABLE_LOADED;
	tables[1].as_of_ns = 200;
	tables[1].head.jit_written = 8;
	assert_string_equal(jit(200, 7, FEED_TABLE, true), "touch(1) ");
	assert_string_equal(jit(201, 8, FEED_TABLE, true), "touch(1) ");
	assert_string_equal(jit(201, 7, FEED_SOON, true), "touch(1) ");
	tables[1].may_renew = true;
	assert_string_equal(jit(201, 7, FEED_SOON, true), "touch(1) renew(1) ");
	tables[1].state = TABLE_NONE;
	assert_string_equal(jit(201, 7, FEED_NEVER, false), "");
}

/* Made code is walked in user space, unless its dump describes nothing. */
TEST(test_made_code)
{
	tables[1].state = tables[2].state = TABLE_LOADED;
	tables[1].other_segment = true; /* tables of made code have none */
	map(procs, 1, 100, 0x10000, 0x1000, 0, file[0]);
	map(procs, 1, 100, 0x20000, 0x1000, 0, FILE_NONE);
	map(procs, 1, 100, 0x70000, 0x1000, 0x3000, file[1]);
	run();
	assert_int_equal(region_at(0x20000)->slot, UNWIND_SLOT_JIT);
	procs_jitdump(procs, 1, 100, file[0], 0);
	for (int state = TABLE_UNKNOWN; state <= TABLE_EVICTED; state++) {
		tables[1].state = (enum unwind_table_state)state;
		tables[1].error = -ENODATA;
		unwind_feed_changed(feed, 100);
		run();
		assert_int_equal(region_at(0x20000)->slot,
				 state == TABLE_NONE ? UNWIND_SLOT_JIT : UNWIND_SLOT_NONE);
		assert_int_equal(region_at(0x70000)->slot, 12);
	}
}

/* A dump without code is looked at again after a while. */
TEST(test_made_code_to_come)
{
	tables[1].state = TABLE_NONE;
	tables[1].error = -EAGAIN;
	tables[1].may_renew = true;
	map(procs, 1, 100, 0x20000, 0x1000, 0, FILE_NONE);
	procs_jitdump(procs, 1, 100, file[0], 0);
	assert_string_equal(run(), "renew(1) set(100:0) release ");
	assert_int_equal(region_at(0x20000)->slot, UNWIND_SLOT_JIT);
	unwind_feed_changed(feed, 100); /* notes it once */
	assert_string_equal(run(), "set(100:0) release ");
	tables[1].may_renew = true;
	assert_string_equal(run(), "release ");
	usleep(600000);
	assert_string_equal(run(), "renew(1) set(100:0) release ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_code_copied_to_anonymous_memory),
		T(test_code_that_may_be_copied_waits),
		T(test_32_bit_programs),
		T(test_what_is_told_of_mappings),
		T(test_a_process_is_set_once_a_run),
		T(test_tables_come_and_go),
		T(test_a_full_queue),
		T(test_a_file_that_cannot_be_opened),
		T(test_versions),
		T(test_no_room_for_a_process),
		T(test_files_that_are_forgotten),
		T(test_places),
		T(test_tables_of_made_code),
		T(test_made_code),
		T(test_made_code_to_come),
	};

	return cmocka_run_group_tests_name("unwind_feed", tests, fixture_setup, fixture_teardown);
}
