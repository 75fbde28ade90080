// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From records of mappings to the process table: sets in parts, files told of once, and what is asked for
 * again. The records are made here; those of real samples: tests/kernel/test_reported_mappings.c.
 */
#include "tests/lib/proc_table.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/profile.skel.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/files/files.h"
#include "profiler/procs/rescan.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* --- in the place of the kernel ------------------------------------------------------------------ */

static VEC(struct mappings_record *) records;
static size_t next_record;

void drain_stats(const struct drain *d, struct drain_stats *out)
{
	(void)d;
	*out = (struct drain_stats){0};
}

struct mappings_record *drain_next_mappings(struct drain *d)
{
	(void)d;
	return next_record < records.len ? records.data[next_record++] : NULL;
}

struct profile_bpf *sampler_skeleton(struct sampler *s)
{
	static struct profile_bpf no_maps;

	(void)s;
	return &no_maps;
}

/* What the kernel half is made to forget, so that it tells it again: the tgid, or a file's inode. */
static uint32_t forgotten[16];
static unsigned n_forgotten;

int bpf_map_delete_elem(int fd, const void *key)
{
	(void)fd;
	memcpy(&forgotten[n_forgotten++ % 16], key, sizeof(uint32_t));
	return -ENOENT;
}

static bool has_forgotten(uint32_t what)
{
	for (unsigned i = 0; i < n_forgotten; i++)
		if (forgotten[i % 16] == what)
			return true;
	return false;
}

/* --- records ------------------------------------------------------------------------------------- */

#define TGID 4100000 /* of no process of this machine */
#define DEV  (8u << 20 | 3)
#define EXE  101
#define LIB  102

static struct procs *procs;
static struct files *files;
static struct rescan *rescan;
static struct reported_mappings *reported;

static int begin(void **state)
{
	struct procs_opts opts = {0};

	(void)state;
	n_forgotten = 0;
	assert_int_equal(files_new(&files, NULL), 0);
	opts.files = files;
	procs = new_table(&opts);
	assert_int_equal(rescan_new(&rescan, procs), 0);
	return reported_mappings_new(&reported, NULL, procs, files, rescan);
}

static int end(void **state)
{
	(void)state;
	reported_mappings_free(reported);
	reported_mappings_free(NULL);
	rescan_free(rescan);
	procs_free(procs);
	files_free(files);
	return 0;
}

static void *record(size_t len, enum kiln_record_kind kind, uint32_t n)
{
	struct mappings_record *r = calloc(1, sizeof(*r) + len);

	assert_non_null(r);
	r->len = len;
	r->head->kind = (uint8_t)kind;
	r->head->n = n;
	assert_int_equal(vec_push(&records, r), 0);
	return r->head;
}

static struct kiln_file_key key_of(uint64_t inode)
{
	return (struct kiln_file_key){.inode = inode, .dev = DEV, .generation = 7};
}

/* A file, told of by its path's components with a '|' behind each, the last one first. */
static struct kiln_file_record *tell_file(uint64_t inode, const char *components)
{
	uint32_t n = (uint32_t)strlen(components);
	struct kiln_file_record *f = record(sizeof(*f), KILN_RECORD_FILE, n);

	f->file = key_of(inode);
	f->tgid = TGID;
	f->is_elf = 1;
	for (uint32_t i = 0; i < n; i++)
		f->path[i] = (char)(components[i] == '|' ? '\0' : components[i]);
	return f;
}

/* One record of a set: n mappings of a file, one page in two from `start` on. */
static struct kiln_mappings_record *tell(uint64_t t_ns, uint64_t start, uint32_t n,
					 struct kiln_file_key file, bool is_last)
{
	struct kiln_mappings_record *m = record(sizeof(*m), KILN_RECORD_MAPPINGS, n);

	m->tgid = TGID;
	m->time_ns = t_ns;
	m->version = 5;
	m->is_last = is_last;
	m->exe = key_of(EXE);
	for (uint32_t i = 0; i < n; i++)
		m->at[i] =
			(struct kiln_mapping){start + i * 0x2000ull, 0x1000, i * 0x1000ull, file};
	return m;
}

static struct reported_stats take(void)
{
	struct reported_stats s;

	next_record = 0;
	reported_mappings_run(reported, NULL);
	assert_int_equal(next_record, records.len);
	vec_release(&records);
	reported_mappings_stats(reported, &s);
	return s;
}

static const char *path_at(uint64_t t_ns, uint64_t va)
{
	struct place place = at(procs, TGID, t_ns, va);
	static char path[256];
	struct file_view v;

	if (place.kind != PLACE_FILE)
		return "";
	files_get(files, place.file, &v);
	snprintf(path, sizeof(path), "%s%s", v.path, v.deleted ? " (deleted)" : "");
	files_release_fd(files, place.file);
	return path;
}

/* --- tests --------------------------------------------------------------------------------------- */

TEST(test_a_set_with_its_files)
{
	struct reported_stats s;
	const struct proc_image *im;
	uint32_t version;
	size_t n;

	tell_file(EXE, "prog|bin|usr|");
	tell(10 * SEC, 0x400000, 2, key_of(EXE), true);
	s = take();
	assert_int_equal(s.files, 1);
	assert_int_equal(s.sets, 1);
	assert_int_equal(s.bad + s.cut + s.unknown, 0);
	assert_string_equal(path_at(11 * SEC, 0x400010), "/usr/bin/prog");
	assert_int_equal(at(procs, TGID, 11 * SEC, 0x402010).file_off, 0x1010);
	assert_kind(procs, TGID, 11 * SEC, 0x401000, PLACE_UNMAPPED);
	im = procs_image(procs, TGID, 11 * SEC);
	assert_int_equal(im->exe, at(procs, TGID, 11 * SEC, 0x400010).file);
	procs_live(procs, TGID, &n, &version);
	assert_int_equal(n, 2);
	assert_int_equal(version, 5);
	/* the file is not told of again; what is not there any more has ended */
	tell(20 * SEC, 0x500000, 1, key_of(EXE), true);
	assert_int_equal(take().sets, 2);
	assert_string_equal(path_at(21 * SEC, 0x500010), "/usr/bin/prog");
	assert_kind(procs, TGID, 21 * SEC, 0x400010, PLACE_UNMAPPED);
	assert_string_equal(path_at(15 * SEC, 0x400010), "/usr/bin/prog");
}

TEST(test_a_set_in_parts)
{
	struct kiln_mappings_record *other;

	tell_file(EXE, "prog|");
	tell_file(LIB, "lib.so|lib|");
	tell(10 * SEC, 0x100000, KILN_MAPPINGS_MAX, key_of(EXE), false);
	/* that of another process comes between them, and one of the same process at another time */
	other = tell(10 * SEC, 0x700000, 1, key_of(LIB), true);
	other->tgid = TGID + 1;
	tell(9 * SEC, 0x600000, 1, key_of(LIB), false);
	assert_int_equal(take().sets, 1);
	assert_kind(procs, TGID, 10 * SEC, 0x100000, PLACE_NO_PROCESS); /* not before it is whole */
	tell(10 * SEC, 0x300000, KILN_MAPPINGS_MAX, key_of(LIB), false)->number = 1;
	tell(10 * SEC, 0x500000, 1, key_of(EXE), true)->number = 2;
	assert_int_equal(take().sets, 2);
	assert_string_equal(path_at(11 * SEC, 0x100000), "/prog");
	assert_string_equal(path_at(11 * SEC, 0x100000 + 127 * 0x2000), "/prog");
	assert_string_equal(path_at(11 * SEC, 0x300000), "/lib/lib.so");
	assert_string_equal(path_at(11 * SEC, 0x500000), "/prog");
	assert_kind(procs, TGID, 11 * SEC, 0x600000, PLACE_UNMAPPED);
}

TEST(test_memory_without_a_file)
{
	struct kiln_file_key anon = {.dev = KILN_NO_FILE_ANON}, vdso = {.dev = KILN_NO_FILE_VDSO};
	struct kiln_mappings_record *m = tell(10 * SEC, 0x1000, 2, anon, true);

	m->at[1].file = vdso;
	assert_int_equal(take().sets, 1);
	assert_kind(procs, TGID, 11 * SEC, 0x1000, PLACE_ANON);
	assert_kind(procs, TGID, 11 * SEC, 0x3000, PLACE_VDSO);
}

/* Nothing of it is mapped; a library is no program. */
TEST(test_a_program_that_has_replaced_its_code)
{
	char path[4096] = "";
	uint32_t exe;

	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	tell_file(LIB, "lib.so|lib|");
	tell(10 * SEC, 0x1000, 1, key_of(LIB), true)->tgid = (uint32_t)getpid();
	tell(10 * SEC, 0x1000, 1, key_of(LIB), true); /* has ended */
	assert_int_equal(take().sets, 2);
	assert_string_equal(path_at(11 * SEC, 0x1000), "/lib/lib.so");
	assert_int_equal(procs_image(procs, TGID, 11 * SEC)->exe, FILE_NONE);
	exe = procs_image(procs, getpid(), 11 * SEC)->exe;
	assert_true(files_has_path(files, exe, path));
}

/* In the midst of an exec it has not been mapped yet: where it lies is told later. */
TEST(test_a_program_that_is_not_mapped_yet)
{
	struct kiln_file_key anon = {.dev = KILN_NO_FILE_ANON};

	tell(10 * SEC, 0x1000, 1, anon, true)->tgid = (uint32_t)getpid();
	assert_int_equal(take().sets, 1);
	assert_int_equal(procs_image(procs, getpid(), 11 * SEC)->exe, FILE_NONE);
}

/* A file is known by what tells it apart, not by its path. */
TEST(test_kinds_of_files)
{
	struct kiln_mappings_record *m;
	uint32_t jitdump;

	tell_file(EXE, "prog|")->is_deleted = 1;
	tell_file(LIB, "jit-123.dump|tmp|")->is_elf = 0;
	m = tell(10 * SEC, 0x1000, 2, key_of(EXE), true);
	m->at[1].file = key_of(LIB);
	assert_int_equal(take().sets, 1);
	assert_string_equal(path_at(11 * SEC, 0x1000), "/prog (deleted)");
	jitdump = procs_image(procs, TGID, 11 * SEC)->jitdump;
	assert_true(jitdump != FILE_NONE);
	assert_true(files_has_path(files, jitdump, "/tmp/jit-123.dump"));
	/* told of under another name since */
	tell_file(EXE, "renamed|");
	m = tell(12 * SEC, 0x1000, 1, key_of(EXE), true);
	m->at[0].file.generation++; /* the number of the file that had it before, once more */
	assert_int_equal(take().unknown, 1);
}

/* A record of which was lost: it is to be told again, and /proc is read meanwhile. */
TEST(test_a_file_that_was_not_told_of)
{
	struct kiln_mappings_record *m;
	struct reported_stats s;

	tell_file(EXE, "prog|");
	m = tell(10 * SEC, 0x1000, 3, key_of(EXE), true);
	m->at[1].file = key_of(LIB);
	s = take();
	assert_int_equal(s.unknown, 1);
	assert_int_equal(s.sets, 0);
	assert_true(has_forgotten(LIB) && has_forgotten(TGID));
	assert_false(has_forgotten(EXE));
	assert_true(rescan_is_due(rescan, TGID));
	assert_kind(procs, TGID, 11 * SEC, 0x1000, PLACE_NO_PROCESS);
}

TEST(test_a_set_that_is_too_large_to_be_told)
{
	tell_file(EXE, "prog|");
	tell(10 * SEC, 0x1000, 1, key_of(EXE), true);
	tell(20 * SEC, 0x9000, 0, key_of(EXE), true)->is_cut = 1;
	assert_int_equal(take().cut, 1);
	assert_true(rescan_is_due(rescan, TGID));
	assert_string_equal(path_at(21 * SEC, 0x1000), "/prog"); /* what is known stays */
}

/* A set with a hole is none: what is in the hole would be taken for unmapped. */
TEST(test_a_set_larger_than_there_can_be)
{
	struct reported_stats s;

	tell_file(EXE, "prog|");
	for (uint64_t i = 0; i < 65536 / KILN_MAPPINGS_MAX; i++)
		tell(10 * SEC, (i + 1) << 32, KILN_MAPPINGS_MAX, key_of(EXE), false)->number =
			(uint16_t)i;
	tell(10 * SEC, 1000ull << 32, KILN_MAPPINGS_MAX, key_of(EXE), false)->number = 512;
	tell(10 * SEC, 1001ull << 32, 0, key_of(EXE), true)->number = 513;
	s = take();
	assert_int_equal(s.sets, 0);
	assert_true(rescan_is_due(rescan, TGID));
	assert_kind(procs, TGID, 11 * SEC, 1ull << 32, PLACE_NO_PROCESS);
	/* the next one is taken again */
	tell(20 * SEC, 0x1000, 1, key_of(EXE), true);
	assert_int_equal(take().sets, 1);
	assert_string_equal(path_at(21 * SEC, 0x1000), "/prog");
}

TEST(test_records_that_make_no_sense)
{
	static const struct {
		uint64_t start[2], len[2];
	} bad[] = {
		{{0x2000, 0x1000}, {0x1000, 0x1000}}, /* not ascending */
		{{0x1000, 0x1fff}, {0x1000, 0x1000}}, /* one over the other */
		{{0x1000, 0x3000}, {0x1000, 0}},      /* empty */
		{{0x1000, UINT64_MAX - 10}, {0x1000, 0x1000}},
	};

	tell_file(EXE, "prog|");
	for (size_t i = 0; i < 4; i++) {
		struct kiln_mappings_record *m = tell(10 * SEC + i, 0, 2, key_of(EXE), true);

		for (int k = 0; k < 2; k++) {
			m->at[k].start = bad[i].start[k];
			m->at[k].len = bad[i].len[k];
		}
		assert_int_equal(take().bad, i + 1);
	}
	tell_file(0, "no-inode|");
	assert_int_equal(take().bad, 5);
	tell_file(LIB, "");
	assert_int_equal(take().bad, 6);
	tell_file(LIB, "no-end");
	assert_int_equal(take().bad, 7);
	assert_kind(procs, TGID, 11 * SEC, 0x1000, PLACE_NO_PROCESS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_a_set_with_its_files),
		T(test_a_set_in_parts),
		T(test_memory_without_a_file),
		T(test_kinds_of_files),
		T(test_a_program_that_has_replaced_its_code),
		T(test_a_program_that_is_not_mapped_yet),
		T(test_a_file_that_was_not_told_of),
		T(test_a_set_that_is_too_large_to_be_told),
		T(test_a_set_larger_than_there_can_be),
		T(test_records_that_make_no_sense),
	};

	return cmocka_run_group_tests_name("reported_mappings", tests, NULL, NULL);
}
