// SPDX-License-Identifier: GPL-2.0-or-later
/* A build id is what a file says of itself: whoever claims another's names himself and nobody else. */
#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/lines/line_cache.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)
#define _cleanup_sym_ _cleanup_(symbolizer_freep)

#define CLAIMED "0x1111111122222222333333334444444455555555"

static bool apart; /* everything is tried in this process and in another */

struct got {
	char name[64], file[64];
};

static void take(void *ctx, size_t index, const struct sym_result *r)
{
	struct got *g = (struct got *)ctx + index;
	const char *slash = r->frames[0].file ? strrchr(r->frames[0].file, '/') : NULL;

	snprintf(g->name, sizeof(g->name), "%s", r->frames[0].name);
	snprintf(g->file, sizeof(g->file), "%s", slash ? slash + 1 : r->frames[0].file ?: "");
}

/* "evil" and "victim": of one build id, with functions of the same size at the same addresses. */
static int setup(void **state)
{
	int err = fixture_setup(state);

	if (err)
		return err;
	fixture_run("for f in evil victim; do echo \"volatile int sink; int of_$f(int x) "
		    "{ return sink = x; } int main(void) { return of_$f(3); }\" >$f.c && "
		    "gcc -O1 -g -fno-inline -Wl,--build-id=" CLAIMED " $f.c -o $f || exit 1; done");
	return 0;
}

static void expect_own(struct symbolizer *s, const char *name)
{
	_cleanup_close_ int fd = fixture_open(name);
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = name};
	struct build_id id = {.len = 0};
	struct elf_obj *obj;
	struct got g = {{0}};
	char own[64];
	uint64_t va;

	assert_int_equal(elf_obj_open(&obj, fixture_open(name), NULL), 0);
	id = *elf_obj_build_id(obj);
	elf_obj_free(obj);
	assert_int_equal(id.len, 20);
	file.build_id = &id;
	snprintf(own, sizeof(own), "of_%s", name);
	va = fixture_nm(name, own);
	assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, take, &g), 0);
	assert_string_equal(g.name, own);
	snprintf(own, sizeof(own), "%s.c", name);
	assert_string_equal(g.file, own);
}

static void test_in_one_run(void **state)
{
	struct symbolizer_opts opts = {.sandbox = apart};
	_cleanup_sym_ struct symbolizer *s = NULL;

	(void)state;
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	for (int round = 0; round < 2; round++) {
		expect_own(s, "evil");
		expect_own(s, "victim");
	}
}

/* Its line table is made in the second run and read in the third. */
static void test_in_the_cache(void **state)
{
	struct symbolizer_opts opts = {.sandbox = apart, .table_dir = fixture_at("lines")};
	struct line_cache_stats stats;

	(void)state;
	fixture_run("rm -rf lines");
	for (int run = 0; run < 4; run++) {
		_cleanup_sym_ struct symbolizer *s = NULL;

		usleep(20000); /* the clock of file times ticks slowly */
		assert_int_equal(symbolizer_new(&s, &opts), 0);
		expect_own(s, run < 3 ? "evil" : "victim");
		symbolizer_build_tables(s);
		symbolizer_table_stats(s, &stats);
		assert_int_equal(stats.hits, run == 2);
		assert_int_equal(stats.created, run == 1);
	}
}

static void test_in_another_process(void **state)
{
	apart = true;
	test_in_one_run(state);
	test_in_the_cache(state);
	apart = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_one_run),
		cmocka_unit_test(test_in_the_cache),
		cmocka_unit_test(test_in_another_process),
	};

	return cmocka_run_group_tests_name("identity", tests, setup, fixture_teardown);
}
