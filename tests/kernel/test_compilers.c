// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel half as each installed clang compiles it ($BUILD/clang-N/kiln): the verifier takes it in all
 * of its settings, and user stacks are walked by unwind tables. A case is named after its compiler.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/base/kernel.h"
#include "tests/lib/fixture.h"

static struct compiler {
	int version;
	bool is_required; /* where it is missing, a skip says so */
	char name[48], kiln[512];
} compilers[] = {
	{14, true}, {15, true}, {16, true}, {17, false}, {18, false}, {19, true},
};

#define N_COMPILERS (sizeof(compilers) / sizeof(*compilers))

/* What kiln says of itself goes into `said`. */
static void record(const struct compiler *c, const char *environment, const char *arguments)
{
	fixture_run("%s %s record -v -F 499 --unwind dwarf -o p.pb.gz %s >said 2>&1 || "
		    "{ tail -n 20 said | sed 's/^/# /'; exit 1; }",
		    environment, c->kiln, arguments);
}

/* The number behind a key in what the last run said; 0 if it said no such thing. */
static unsigned long said(const char *key)
{
	size_t len;
	char *text = (char *)fixture_read("said", &len), *at = strstr(text, key);
	unsigned long n = at ? strtoul(at + strlen(key), NULL, 10) : 0;

	free(text);
	return n;
}

/* A second in a stack of a hundred frames without frame pointers. Samples before its table is there are walked
 * in user space, and by frame pointers none gets to the root. */
static void check_walks(const struct compiler *c, const char *environment, bool wants_reports)
{
	record(c, environment, "-- $WORKLOADS/deep_nofp 1 100");
	assert_true(said("walks in the kernel ended: root=") > 0);
	assert_int_equal(said("mappings reported by samples: reported=") > 0, wants_reports);
}

/* The branches that other options keep. */
static void check_options(const struct compiler *c)
{
	fixture_run("$WORKLOADS/deep_nofp 60 20 & echo $! >burner");
	record(c, "",
	       "-d 500ms --comm 'deep*' --cgroup "
	       "$(awk '$3 == \"cgroup2\" { print $2; exit }' /proc/mounts)");
	record(c, "", "-d 500ms -a -U");
	record(c, "", "-d 500ms -a --unwind fp");
	fixture_run("kill $(cat burner)");
}

static void test_compiler(void **state)
{
	const struct compiler *c = *state;
	struct kernel_version v;

	if (!c->kiln[0])
		skip();
	assert_int_equal(kernel_version_get(&v), 0);
	check_walks(c, "", kernel_can_report_mappings(&v));
	check_walks(c, "KILN_TEST_MAPPING_EVENTS=1", false);
	check_options(c);
}

static void find(struct compiler *c)
{
	snprintf(c->kiln, sizeof(c->kiln), "%s/clang-%d/kiln", getenv("BUILD"), c->version);
	if (access(c->kiln, X_OK))
		c->kiln[0] = '\0';
	snprintf(c->name, sizeof(c->name), "clang-%d%s", c->version,
		 c->kiln[0] ? "" : " (not installed)");
}

int main(void)
{
	struct CMUnitTest tests[N_COMPILERS];
	size_t n = 0;

	if (!getenv("BUILD") || !getenv("WORKLOADS"))
		return EXIT_FAILURE; /* tools/run-tests sets them */
	for (size_t i = 0; i < N_COMPILERS; i++) {
		struct compiler *c = &compilers[i];

		find(c);
		if (c->kiln[0] || c->is_required)
			tests[n++] = (struct CMUnitTest){c->name, test_compiler, NULL, NULL, c};
	}
	return _cmocka_run_group_tests("compilers", tests, n, fixture_setup, fixture_teardown);
}
