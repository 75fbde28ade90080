/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What blame_report() makes of files that a test has, for tests of naming/blame.h. */
#ifndef KILN_TESTS_BLAMED_H
#define KILN_TESTS_BLAMED_H

#include "tests/lib/named_files.h"

#include "profiler/naming/blame.h"
#include "profiler/profile/quality.h"
#include "profiler/unwind/unwind_feed.h"
#include "tests/lib/aggregates.h"

static struct named_files nf;
static struct naming *naming;
static struct aggregate agg;
static struct blame *blame;
static struct quality quality;

/* In the place of the feed's own: why no file has an unwind table. */
static int table_error;

int unwind_feed_table_error(const struct unwind_feed *f, uint32_t file)
{
	(void)f, (void)file;
	return table_error;
}

/* Where packages are looked for: by default, no file of these tests is of that host. */
static char packages_root[512];

static inline void set_host(const char *name)
{
	snprintf(packages_root, sizeof(packages_root), "%s", fixture_at(name));
}

static inline void new_naming(bool has_feed)
{
	struct naming_opts opts = named_opts(&nf);

	opts.feed = has_feed ? (const struct unwind_feed *)&nf : NULL;
	opts.packages_root = packages_root;
	naming_free(naming);
	assert_int_equal(naming_new(&naming, &opts), 0);
}

static inline int begin(void **state)
{
	(void)state;
	named_open(&nf, NULL, false);
	set_host("no_host");
	new_naming(false);
	blame = blame_new();
	assert_non_null(blame);
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	blame_free(blame);
	blame_free(NULL);
	quality_release(&quality);
	aggregate_clear(&agg);
	naming_free(naming);
	naming = NULL;
	named_close(&nf);
	table_error = 0;
	return 0;
}

static inline struct agg_frame in_file(uint32_t file)
{
	return (struct agg_frame){.cls = AT_FILE, .owner = file, .addr = 0x1000};
}

static inline struct agg_frame in_image(uint32_t image)
{
	return (struct agg_frame){.cls = AT_ANON, .owner = image, .addr = 0x1000};
}

/* A file that is not there, and has a build id of its own. */
static inline uint32_t absent_file(const char *path, uint8_t byte)
{
	struct file_key key = {.path = path, .build_id = {.len = 4, .data = {byte, 1, 2, 3}}};
	uint32_t id = files_intern(nf.files, &key, getpid(), 0, 0, 0);

	assert_true(id != FILE_NONE);
	assert_true(files_settle(nf.files, 10000));
	return id;
}

static inline void report(void)
{
	quality_release(&quality);
	assert_int_equal(blame_report(blame, naming, &agg, &quality), 0);
}

static inline const struct quality_blame *the_only_one(void)
{
	assert_int_equal(quality.blame.len, 1);
	return quality.blame.data;
}

static inline void assert_hint(const char *want)
{
	const struct quality_blame *b = the_only_one();

	if (!want)
		assert_null(b->hint);
	else
		assert_string_equal(b->hint ?: "(none)", want);
}

/* Begins anew with this one suspect, of 100 samples. */
static inline void blame_one(struct agg_frame f, uint64_t named, uint64_t unnamed, uint64_t broken,
			     enum unwind_end why)
{
	blame_free(blame);
	blame = blame_new();
	blame_frame(blame, &f, named, false);
	blame_frame(blame, &f, unnamed, true);
	blame_broken(blame, &f, why, broken);
	agg.recorded = 100;
	report();
}

#endif
