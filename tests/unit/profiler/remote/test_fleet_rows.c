// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of an overview that is made of a store's profiles. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "profiler/profile/quality.h"
#include "profiler/remote/fleet_priv.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* Three samples: of one team, of another, and of none. Each has a pid. */
static struct profile *teams(void)
{
	static const char *const names[] = {"web", "db", NULL};
	struct profile *p = profile_new();
	uint32_t m, f, stack;

	MUST(profile_init_cpu(p, 1000));
	m = mapping_id(p, "/usr/bin/x", "00ff", true);
	f = location_id(p, m, 0x1000, "f");
	MUST(profile_stack(p, &f, 1, &stack));
	for (int i = 0; i < 3; i++) {
		struct profile_label labels[2] = {{.key = str_id(p, "pid"),
						   .str = PROFILE_NONE,
						   .num = 7 + i % 2,
						   .num_unit = str_id(p, "")}};
		uint32_t set, n = 1;

		if (names[i])
			labels[n++] = (struct profile_label){.key = str_id(p, "team"),
							     .str = str_id(p, names[i]),
							     .num_unit = str_id(p, "")};
		MUST(profile_labelset(p, labels, n, &set));
		MUST(profile_add(p, stack, set, (int64_t[]){i + 1, (i + 1) * 1000}));
	}
	p->time_ns = 5000000000;
	p->duration_ns = 1000000000;
	return p;
}

/* "NAME=SAMPLES " of each row. */
static void assert_rows(const struct fleet_rows *rows, const char *want)
{
	struct profile *p = teams();
	struct overview o = {.by = rows->by};
	struct buf got = {0};

	assert_int_equal(fleet_add_profile(&o, rows, p), 0);
	for (size_t i = 0; i < o.rows.len; i++)
		buf_printf(&got, "%s=%" PRId64 " ", o.rows.data[i].name ?: "NULL",
			   o.rows.data[i].samples);
	assert_string_equal(buf_cstr(&got), want);
	buf_release(&got);
	overview_release(&o);
	profile_free(p);
}

TEST(rows_of_any_label)
{
	assert_rows(&(struct fleet_rows){.by = OVERVIEW_LABEL, .label = "team"}, "web=1 db=2 =3 ");
	assert_rows(&(struct fleet_rows){.by = OVERVIEW_LABEL, .label = "pid"}, "7=4 8=2 ");
	assert_rows(&(struct fleet_rows){.by = OVERVIEW_LABEL, .label = "nothing"}, "=6 ");
	assert_rows(&(struct fleet_rows){.by = OVERVIEW_SERVICE}, "=6 ");
	assert_rows(&(struct fleet_rows){.by = OVERVIEW_TIME, .width_ns = 1000000000}, "NULL=6 ");
}

/* A window of kiln says what it lost, others say nothing, and a profile store cannot be asked. */
TEST(what_was_lost)
{
	const struct fleet_rows rows = {.by = OVERVIEW_TIME, .width_ns = 1000000000};
	struct overview o = {.by = OVERVIEW_TIME};
	struct quality q = {.lost = {[LOSS_memory] = 5, [LOSS_cpu_gap] = 9}};
	struct profile *p = teams();

	assert_int_equal(fleet_add_profile(&o, &rows, p), 0);
	assert_int_equal(o.lost, 0);
	MUST(quality_store(p, &q));
	assert_int_equal(fleet_add_profile(&o, &rows, p), 0);
	assert_int_equal(o.lost, 14);
	assert_int_equal(o.rows.len, 1);
	assert_int_equal(o.rows.data[0].lost, 14);
	assert_int_equal(fleet_add_row(&o, NULL, 0, 1, 1, -1), 0);
	assert_int_equal(o.rows.data[1].lost, -1);
	overview_release(&o);
	profile_free(p);
}

/* Each is found in its turn, however many there are: also one that is shown otherwise than it is written. */
TEST(many_rows)
{
	const int n = 60000;
	struct overview o = {.by = OVERVIEW_LABEL};
	double before = (double)clock();
	char name[32];

	for (int i = 0; i < 2 * n; i++) {
		snprintf(name, sizeof(name), "name-%d\n", i % n);
		MUST(fleet_add_row(&o, name, i, 1, 10, 0));
	}
	assert_int_equal(o.rows.len, n);
	for (int i = 0; i < n; i++)
		assert_int_equal(o.rows.data[i].samples, 2);
	assert_true(((double)clock() - before) / CLOCKS_PER_SEC < 3);
	overview_release(&o);
}

/* Of a server whose labels are megabytes. */
TEST(long_names)
{
	struct overview o = {.by = OVERVIEW_LABEL};
	static char name[10001];

	for (size_t i = 0; i < sizeof(name) - 1; i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	name[1] = name[0] = 'x';
	MUST(fleet_add_row(&o, name + 1, 0, 1, 10, 0));
	MUST(fleet_add_row(&o, name + 1, 0, 1, 10, 0));
	assert_int_equal(o.rows.len, 1);
	assert_int_equal(o.rows.data[0].samples, 2);
	assert_int_equal(strlen(o.rows.data[0].name), 4095); /* of whole characters */
	overview_release(&o);
}

static void assert_label(const char *label, int err, const char *want)
{
	struct upload_target t = {.shown = "parca+http://h:7070"};
	struct fleet f = {.t = &t};
	struct buf got = {0};
	struct why why = {""};

	assert_int_equal(fleet_series_label(
				 &f,
				 &(struct fleet_rows){.by = label ? OVERVIEW_LABEL : OVERVIEW_TIME,
						      .label = label},
				 &got, &why),
			 err);
	assert_string_equal(err ? why.text : buf_cstr(&got), want);
	buf_release(&got);
}

/* As labels are called where kiln has sent them. */
TEST(names_of_labels_in_a_profile_store)
{
	assert_label(NULL, 0, "");
	assert_label("team", 0, "team");
	assert_label("k8s.pod", 0, "k8s_pod");
	assert_label("pid", -EINVAL,
		     "parca+http://h:7070: --by: it keeps no pid: what it was sent has labels such "
		     "as service_name, host, unit, pod and comm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_any_label),
		cmocka_unit_test(what_was_lost),
		cmocka_unit_test(many_rows),
		cmocka_unit_test(long_names),
		cmocka_unit_test(names_of_labels_in_a_profile_store),
	};

	return cmocka_run_group_tests_name("fleet_rows", tests, NULL, NULL);
}
