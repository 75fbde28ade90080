// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwind tables of Go programs, which are made from the runtime's own table, against the .debug_frame
 * that the linker writes into the same program unstripped.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/unwind/cfi.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/go/gopclntab.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"
#include "tests/lib/fixture.h"

static char source_dir[PATH_MAX];

struct table {
	struct elf_obj *obj;
	void *blob;
	size_t len;
	struct unwind_stats stats;
};

static void build(struct table *t, const char *path)
{
	assert_int_equal(elf_obj_open(&t->obj, fixture_open(path), NULL), 0);
	assert_int_equal(unwind_table_build(&t->blob, &t->len, t->obj, &t->stats), 0);
	assert_int_equal(unwind_blob_check(t->blob, t->len), 0);
}

static void release(struct table *t)
{
	free(t->blob);
	elf_obj_free(t->obj);
}

struct comparison {
	const struct table *t;
	uint64_t rows, same, by_record, roots, stops;
};

static int compare_row(void *ctx, uint64_t va, struct unwind_rule want)
{
	struct comparison *c = ctx;
	struct unwind_rule got = unwind_table_rule(c->t->blob, va);

	c->rows++;
	if (got.cfa == UNWIND_CFA_FP) {
		c->by_record++;
	} else if (got.cfa == UNWIND_CFA_ROOT) {
		c->roots++;
	} else if (got.cfa == UNWIND_CFA_STOP) {
		c->stops++;
	} else if (got.cfa == UNWIND_CFA_SIGNAL) {
		assert_int_equal(want.cfa, UNWIND_CFA_RSP);
	} else {
		if (got.cfa != want.cfa || got.cfa_off != want.cfa_off)
			fail_msg("%#" PRIx64 ": %s %d, .debug_frame has %s %d", va,
				 unwind_cfa_name(got.cfa), got.cfa_off, unwind_cfa_name(want.cfa),
				 want.cfa_off);
		c->same++;
	}
	return 0;
}

static void compare(const char *path)
{
	struct cfi_section sec = {.debug_frame = true};
	const struct elf_section *elf_sec;
	struct table t = {0};
	struct comparison c = {.t = &t};
	struct cfi cfi;

	build(&t, path);
	elf_sec = elf_obj_section(t.obj, ".debug_frame");
	assert_non_null(elf_sec);
	assert_int_equal(elf_obj_data(t.obj, elf_sec, &sec.data, &sec.len), 0);
	assert_int_equal(cfi_open(&cfi, &sec), 0);
	assert_true(cfi.fdes.len > 1000);
	for (size_t i = 0; i < cfi.fdes.len; i++)
		assert_int_equal(cfi_run(&cfi, i, compare_row, &c), 0);
	print_message("%s: %" PRIu64 " rows, %" PRIu64 " the same, %" PRIu64 " by record, %" PRIu64
		      " roots; %zu KB\n",
		      path, c.rows, c.same, c.by_record, c.roots, t.len / 1024);
	/* systemstack() and its like, goexit() and its like: a handful */
	assert_true(c.same > c.rows * 99 / 100);
	assert_in_range(c.roots, 1, 50);
	assert_true(c.stops <= 20); /* morestack() before Go 1.20 */
	cfi_release(&cfi);
	release(&t);
}

static void test_against_debug_frame(void **state)
{
	(void)state;
	compare("plain");
	compare("pie");
}

/* Stripping takes nothing from the table. */
static void test_stripped(void **state)
{
	struct table plain = {0}, stripped = {0};

	(void)state;
	build(&plain, "plain");
	build(&stripped, "stripped");
	assert_int_equal(plain.len, stripped.len);
	assert_memory_equal(plain.blob, stripped.blob, plain.len);
	release(&plain);
	release(&stripped);
}

static int setup(void **state)
{
	if (!getcwd(source_dir, sizeof(source_dir)) || fixture_setup(state))
		return -1;
	fixture_run("export GOCACHE=$PWD/cache GOFLAGS=-mod=mod CGO_ENABLED=0; "
		    "cp %s/tests/fixtures/go/main.go . && "
		    "go build -o plain main.go && go build -buildmode=pie -o pie main.go && "
		    "objcopy --strip-all plain stripped",
		    source_dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_debug_frame),
		cmocka_unit_test(test_stripped),
	};

	return cmocka_run_group_tests_name("unwind_go", tests, setup, fixture_teardown);
}
