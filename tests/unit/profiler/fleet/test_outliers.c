// SPDX-License-Identifier: GPL-2.0-or-later
/* Which hosts differ, and what grew. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/fleet/growth.h"
#include "profiler/fleet/outliers.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define MS	   1000000 /* ns: the period of samples */
#define N_HOSTS	   40

static void add(struct costs *c, const char *name, const char *module, const char *of, int64_t self,
		int64_t before)
{
	const struct cost_text text[3] = {
		{name, strlen(name)}, {module, strlen(module)}, {of, strlen(of)}};
	const struct cost_values v = {self * MS, self * MS, before * MS, before * MS};

	assert_int_equal(costs_add(c, text, &v), 0);
}

static const char *host(int i, char out[16])
{
	snprintf(out, 16, "host-%02d", i);
	return out;
}

struct fleet {
	struct costs hosts, durations, cells;
	struct outliers found;
};

/* Forty hosts, 36000 samples each; host 7 spends a quarter more in `parse`, and it alone has `debug`. */
static void make(struct fleet *f, int odd_one)
{
	char name[16];

	*f = (struct fleet){0};
	for (int i = 0; i < N_HOSTS; i++) {
		int wobble = i * 37 % 11 * 20; /* as chance would have it, below 1 point */
		bool odd = i == odd_one;

		add(&f->hosts, host(i, name), "", "", 36000, 0);
		add(&f->durations, host(i, name), "", "", 36000, 0);
		add(&f->cells, "parse", "api", name, 7200 + wobble + (odd ? 1800 : 0), 0);
		add(&f->cells, "render", "api", name, 20000 - wobble - (odd ? 1800 + 720 : 0), 0);
		if (odd)
			add(&f->cells, "debug", "api", name, 720, 0);
	}
}

static int find(struct fleet *f)
{
	const struct outliers_input in = {&f->hosts, &f->durations, &f->cells, COSTS_BY_SELF, MS};

	return outliers_find(&f->found, &in);
}

static void release(struct fleet *f)
{
	costs_release(&f->hosts);
	costs_release(&f->durations);
	costs_release(&f->cells);
	outliers_release(&f->found);
}

static const struct outlier_function *function_of(const struct fleet *f, const char *name)
{
	const struct outlier_host *h = &f->found.v.data[0];

	for (size_t i = 0; i < h->functions.len; i++)
		if (!strcmp(costs_text(&f->cells, h->functions.data[i].name), name))
			return &h->functions.data[i];
	fail_msg("no %s", name);
	return NULL;
}

TEST(the_odd_one_is_found_with_its_functions)
{
	struct fleet f;

	make(&f, 7);
	assert_int_equal(find(&f), 0);
	assert_int_equal(f.found.n_hosts, N_HOSTS);
	assert_int_equal(f.found.v.len, 1);
	assert_string_equal(costs_text(&f.hosts, f.found.v.data[0].host), "host-07");
	assert_int_equal(f.found.v.data[0].functions.len, 3);
	assert_true(function_of(&f, "parse")->deviations > 5);
	assert_true(function_of(&f, "parse")->extra_ns > 1600.0 * MS);
	assert_true(function_of(&f, "render")->deviations < -5);
	assert_true(fabs(function_of(&f, "debug")->share - 0.02) < 1e-9);
	assert_true(function_of(&f, "debug")->median == 0);
	/* The largest difference comes first. */
	assert_string_equal(costs_text(&f.cells, f.found.v.data[0].functions.data[0].name),
			    "render");
	release(&f);
}

TEST(equal_hosts_are_no_outliers)
{
	struct fleet f;

	make(&f, -1);
	assert_int_equal(find(&f), 0);
	assert_int_equal(f.found.v.len, 0);
	release(&f);
}

/* Twice the work in equal shares. */
TEST(a_host_with_more_work_is_said_to_be_busier)
{
	struct fleet f;

	make(&f, -1);
	add(&f.hosts, "host-03", "", "", 36000, 0);
	add(&f.cells, "parse", "api", "host-03", 7200, 0);
	add(&f.cells, "render", "api", "host-03", 20000, 0);
	assert_int_equal(find(&f), 0);
	assert_int_equal(f.found.v.len, 1);
	assert_true(f.found.v.data[0].is_busy);
	assert_int_equal(f.found.v.data[0].functions.len, 0);
	assert_true(fabs(f.found.v.data[0].cores - 2) < 1e-9);
	assert_true(fabs(f.found.v.data[0].usual_cores - 1) < 1e-9);
	release(&f);
}

TEST(two_hosts_cannot_be_told_apart)
{
	struct fleet f = {0};

	add(&f.hosts, "a", "", "", 100, 0);
	add(&f.hosts, "b", "", "", 100, 0);
	add(&f.cells, "x", "", "a", 100, 0);
	assert_int_equal(find(&f), -ERANGE);
	release(&f);
}

/* Cells of a host that is not among the hosts, and hosts without time. */
TEST(answers_that_do_not_fit_together_do_no_harm)
{
	struct fleet f;

	make(&f, 7);
	add(&f.cells, "parse", "api", "nobody", 100000, 0);
	add(&f.hosts, "empty", "", "", 0, 0);
	add(&f.cells, "parse", "api", "empty", 5, 0);
	assert_int_equal(find(&f), 0);
	assert_int_equal(f.found.v.len, 1);
	release(&f);
}

TEST(what_grew_and_what_shrank)
{
	struct costs c = {0};
	struct growth g = {0};
	struct growth_input in = {.costs = &c, .period_ns = MS, .scale = 1};

	add(&c, "steady", "m", "api", 50000, 50100);
	add(&c, "tripled", "m", "api", 9000, 3000);
	add(&c, "new", "m", "api", 500, 0);
	add(&c, "gone", "m", "api", 0, 4000);
	add(&c, "noise", "m", "api", 25, 15);
	in.whole = costs_sum(&c);
	assert_int_equal(growth_find(&g, &in), 0);
	assert_int_equal(g.grown.len, 2);
	assert_string_equal(costs_text(&c, c.v.data[g.grown.data[0].cost].name), "tripled");
	assert_true(fabs(g.grown.data[0].deviations - 6000 / sqrt(12000)) < 1e-9);
	assert_string_equal(costs_text(&c, c.v.data[g.grown.data[1].cost].name), "new");
	assert_int_equal(g.shrunk.len, 1);
	assert_string_equal(costs_text(&c, c.v.data[g.shrunk.data[0].cost].name), "gone");
	growth_release(&g);
	costs_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_odd_one_is_found_with_its_functions),
		cmocka_unit_test(equal_hosts_are_no_outliers),
		cmocka_unit_test(a_host_with_more_work_is_said_to_be_busier),
		cmocka_unit_test(two_hosts_cannot_be_told_apart),
		cmocka_unit_test(answers_that_do_not_fit_together_do_no_harm),
		cmocka_unit_test(what_grew_and_what_shrank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
