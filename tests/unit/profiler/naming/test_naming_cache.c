// SPDX-License-Identifier: GPL-2.0-or-later
/* What was named lately is not looked for again, and the profile is the same as if it were. */
#include "tests/lib/named_files.h"

#include <errno.h>

#include "profiler/naming/name_cache.h"
#include "profiler/profile/quality.h"
#include "tests/lib/aggregates.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct named_files nf;
static struct aggregate agg;

static int begin(void **state)
{
	(void)state;
	named_open(&nf, NULL, false);
	return 0;
}

static int end(void **state)
{
	(void)state;
	aggregate_clear(&agg);
	named_close(&nf);
	return 0;
}

static struct naming *new_naming(size_t cache_bytes)
{
	struct naming_opts opts = named_opts(&nf);
	struct naming *n;

	opts.cache_bytes = cache_bytes;
	assert_int_equal(naming_new(&n, &opts), 0);
	return n;
}

/* All that a profile says, and what is known of its quality. The caller frees it. */
static char *named_by(struct naming *n)
{
	struct profile *p = profile_new();
	struct quality q = {0};
	char *text;

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 1000), 0);
	assert_int_equal(naming_run(n, &agg, p, &q), 0);
	assert_int_equal(quality_store(p, &q), 0);
	quality_release(&q);
	text = print_profile(p);
	profile_free(p);
	return text;
}

/* Takes `got`. Of what differs the first line is shown: a profile is long. */
static void assert_same_text(char *got, const char *want)
{
	size_t at = 0, line = 0;

	for (; got[at] && got[at] == want[at]; at++)
		line = got[at] == '\n' ? at + 1 : line;
	if (got[at] != want[at])
		fail_msg("\n%.*s\nis not\n%.*s", (int)strcspn(got + line, "\n"), got + line,
			 (int)strcspn(want + line, "\n"), want + line);
	free(got);
}

static struct name_cache_stats stats_of(const struct naming *n)
{
	struct name_cache_stats s;

	naming_stats(n, &s);
	return s;
}

static void add(uint32_t file, uint64_t off)
{
	struct agg_frame frames[] = {{AT_FILE, file, off}, {AT_FILE, file, off / 2}};

	agg_count(&agg, agg_stack_of(&agg, UNWIND_ON, 0, frames, 2), 1, "x", 1 + off);
}

/* Every byte of the text of three programs: named, inlined, without a name, in no segment. */
static void add_all(void)
{
	static const char *const names[] = {"prog", "stripped", "other"};

	for (int i = 0; i < 3; i++) {
		uint64_t start = file_off_of_symbol("prog", "_start");

		for (uint64_t off = start - 0x40; off < start + 0x300; off += 3)
			add(named_file(&nf, names[i]), off);
		add(named_file(&nf, names[i]), 1 << 30);
	}
}

TEST(test_a_profile_is_the_same_from_the_cache)
{
	struct naming *warm = new_naming(0), *little = new_naming(200 << 10);
	struct naming *cold = new_naming(0);
	struct symbolizer_stats asked, again;
	char *first;
	uint64_t misses;
	size_t n;

	add_all();
	first = named_by(warm);
	misses = stats_of(warm).misses;
	assert_true(misses > 300);
	symbolizer_stats(nf.symbolizer, &asked);
	assert_same_text(named_by(warm), first);
	symbolizer_stats(nf.symbolizer, &again);
	/* but for addresses that are in no segment, each was asked for once */
	assert_in_range(stats_of(warm).misses - misses, 0, 6);
	assert_in_range(again.lookups - asked.lookups, 0, 6);
	for (int i = 0; i < 3; i++) { /* with room for a part of it */
		assert_same_text(named_by(little), first);
		assert_true(stats_of(little).bytes <= 200 << 10);
	}
	assert_true(stats_of(little).dropped > 0);
	/* two thirds of it from the cache */
	n = agg.samples.len;
	agg.samples.len = agg.stacks.len = n / 3 * 2;
	agg.frames.len = 2 * agg.samples.len;
	free(named_by(cold));
	assert_in_range(stats_of(cold).misses, misses / 3, misses - misses / 4);
	agg.samples.len = agg.stacks.len = n;
	agg.frames.len = 2 * n;
	assert_same_text(named_by(cold), first);
	free(first);
	naming_free(warm);
	naming_free(little);
	naming_free(cold);
}

static bool is_mapped(void *ctx, uint32_t id)
{
	(void)ctx, (void)id;
	return false;
}

/* A place in the table of files that another file has taken. */
TEST(test_a_file_in_the_place_of_another)
{
	struct files_opts opts = {.max_files = 1, .keep_ns = 1};
	struct naming *n;
	uint32_t ids[2];
	char *text;

	named_close(&nf);
	named_open(&nf, &opts, false);
	n = new_naming(0);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "other" : "prog";

		ids[i] = named_file(&nf, name);
		/* the same offsets of both */
		add(ids[i], file_off_of_symbol("prog", "shown"));
		agg.samples.data[0].count = 1;
		text = named_by(n);
		assert_non_null(strstr(text, i ? "/other " : "/prog "));
		assert_null(strstr(text, i ? "/prog " : "/other "));
		free(text);
		aggregate_clear(&agg);
		files_sweep(nf.files, is_mapped, NULL);
	}
	assert_int_not_equal(ids[0], ids[1]);
	assert_int_equal(stats_of(n).hits, 0);
	naming_free(n);
}

static void give_up(void *ctx)
{
	symbolizer_give_up(ctx);
}

/* Who does not wait any longer gets all samples, and the names that were made by then. */
TEST(test_names_are_given_up)
{
	struct symbolizer_opts sandboxed = {.sandbox = true};
	struct naming_opts opts;
	struct naming *n;
	char *text, *shown;

	symbolizer_free(nf.symbolizer);
	assert_int_equal(symbolizer_new(&nf.symbolizer, &sandboxed), 0);
	opts = named_opts(&nf);
	opts.tick = give_up;
	opts.tick_ctx = nf.symbolizer;
	assert_int_equal(naming_new(&n, &opts), 0);
	for (int i = 0; i < 2; i++)
		add(named_file(&nf, i ? "other" : "prog"),
		    file_off_of_symbol(i ? "other" : "prog", "shown"));
	text = named_by(n);
	shown = strstr(text, "(shown");
	assert_non_null(shown);
	assert_null(strstr(shown + 1, "(shown")); /* of the other file */
	free(text);
	naming_free(n);
}

/* What could not be opened may be open when the next window is named. */
TEST(test_what_was_wrong_with_a_file_is_not_remembered)
{
	struct naming *n = new_naming(0);
	struct file_key key = {.path = fixture_at("late")};
	struct elf_obj *obj;
	char *text;
	uint32_t id;

	assert_int_equal(elf_obj_open(&obj, fixture_open("prog"), NULL), 0);
	key.build_id = *elf_obj_build_id(obj);
	elf_obj_free(obj);
	id = files_intern(nf.files, &key, getpid(), 0, 0, 0);
	assert_true(files_settle(nf.files, 10000));
	add(id, file_off_of_symbol("prog", "shown"));
	text = named_by(n);
	assert_non_null(strstr(text, "([late]"));
	assert_null(strstr(text, "(shown"));
	free(text);
	assert_int_equal(stats_of(n).entries, 0);
	fixture_run("cp prog late");
	assert_int_equal(files_intern(nf.files, &key, getppid(), 0, 0, 0), id);
	assert_true(files_settle(nf.files, 10000));
	text = named_by(n);
	assert_non_null(strstr(text, "(shown"));
	free(text);
	naming_free(n);
}

TEST(test_forgetting)
{
	struct naming *n = new_naming(0);
	char *first;

	add_all();
	first = named_by(n);
	assert_true(stats_of(n).entries > 300);
	naming_forget(n);
	assert_int_equal(stats_of(n).entries, 0);
	assert_same_text(named_by(n), first);
	assert_true(stats_of(n).entries > 300);
	free(first);
	naming_free(n);
}

/* --- debug files that come later ----------------------------------------------------------------- */

static unsigned searches; /* for a debug file */
static bool has_come;

static int find_debug(void *ctx, const struct build_id *id)
{
	(void)ctx, (void)id;
	searches++;
	return has_come ? open("stripped.debug", O_RDONLY | O_CLOEXEC) : -ENOENT;
}

/* Of a file that was read without its debug file, in this process and in another. */
TEST(test_a_debug_file_that_comes_later)
{
	for (int sandbox = 0; sandbox < 2; sandbox++) {
		struct symbolizer_opts opts = {.debug_dirs = (const char *const[]){"nowhere", NULL},
					       .sandbox = sandbox,
					       .find_debug = find_debug};
		struct naming *n;
		char *text;

		symbolizer_free(nf.symbolizer);
		assert_int_equal(symbolizer_new(&nf.symbolizer, &opts), 0);
		n = new_naming(0);
		has_come = false;
		searches = 0;
		add(named_file(&nf, "stripped"), file_off_of_symbol("whole", "shown") + 2);
		text = named_by(n);
		assert_non_null(strstr(text, "(stripped+sub_"));
		assert_int_equal(searches, 1);
		free(text);
		has_come = true;
		text = named_by(n); /* nobody has said so yet */
		assert_non_null(strstr(text, "(stripped+sub_"));
		free(text);
		naming_forget(n);
		text = named_by(n);
		assert_null(strstr(text, "(stripped+sub_"));
		assert_non_null(strstr(text, "(shown shown "));
		assert_non_null(strstr(text, "prog.c:3"));
		free(text);
		aggregate_clear(&agg);
		naming_free(n);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_a_profile_is_the_same_from_the_cache),
		T(test_a_file_in_the_place_of_another),
		T(test_names_are_given_up),
		T(test_what_was_wrong_with_a_file_is_not_remembered),
		T(test_forgetting),
		T(test_a_debug_file_that_comes_later),
	};

	return cmocka_run_group_tests_name("naming_cache", tests, named_files_setup,
					   fixture_teardown);
}
