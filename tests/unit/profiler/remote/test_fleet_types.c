// SPDX-License-Identifier: GPL-2.0-or-later
/* Types of a store, which has one value in each, and the profile that is put together from them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/formats/export.h"
#include "profiler/remote/fleet_priv.h"
#include "tests/lib/profiles.h"

static void add(struct fleet_types *t, const char *id)
{
	assert_int_equal(fleet_types_add(t, id, strlen(id)), 0);
}

/* "TYPE/UNIT " of the values that were chosen. */
static void assert_chosen(const char *const *ids, const char *want)
{
	struct fleet_types t = {0};
	struct buf got = {0};

	for (; *ids; ids++)
		add(&t, *ids);
	assert_int_equal(fleet_types_choose(&t), 0);
	for (size_t i = 0; i < t.values.len; i++) {
		assert_int_equal(fleet_types_index(&t, t.values.data[i]), i);
		buf_printf(&got, "%s/%s ", t.values.data[i]->type, t.values.data[i]->unit);
	}
	assert_string_equal(buf_cstr(&got), want);
	buf_release(&got);
	fleet_types_release(&t);
}

/* Whatever else a server names, or names it like. */
static void strangers_names_are_left_out(void **state)
{
	static const char *const bad[] = {
		"",	    "cpu",	"cpu:samples", "cpu:samples:count", "::::",
		"a::b:c:d", ":a:b:c:d", "a:b::c:d",    "a\x01:b:c:d",	    "a:b\xff:c:d"};
	struct fleet_types t = {0};
	char id[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		add(&t, bad[i]);
	memset(id, 'x', sizeof(id));
	memcpy(id, "a:b:c:", 6);
	assert_int_equal(fleet_types_add(&t, id, 301), 0);
	assert_int_equal(t.v.len, 0);
	assert_int_equal(fleet_types_choose(&t), -ENODATA);
	assert_int_equal(fleet_types_add(&t, id, 300),
			 0); /* and what is behind its length does not count */
	assert_int_equal(t.v.len, 1);
	assert_int_equal(strlen(t.v.data[0].id), 300);
	for (unsigned i = 0; i < 2 * FLEET_MAX_TYPES; i++) {
		snprintf(id, sizeof(id), "n%u:b:c:d:e", i);
		add(&t, id);
	}
	assert_int_equal(t.v.len, FLEET_MAX_TYPES);
	fleet_types_release(&t);
}

static void cpu_is_chosen_and_samples_come_first(void **state)
{
	(void)state;
	assert_chosen((const char *[]){"memory:alloc_space:bytes:space:bytes",
				       "process_cpu:cpu:nanoseconds:cpu:nanoseconds", "a:b:c:d:e",
				       "process_cpu:samples:count:cpu:nanoseconds", NULL},
		      "samples/count cpu/nanoseconds ");
	assert_chosen((const char *[]){"process_cpu:samples:count:cpu:nanoseconds:delta",
				       "process_cpu:samples:count:cpu:nanoseconds",
				       "process_cpu:cpu:nanoseconds:cpu:nanoseconds:delta", NULL},
		      "samples/count cpu/nanoseconds ");
}

/* Of others the first by name, whatever order the server has. */
static void others_are_chosen_by_name(void **state)
{
	(void)state;
	assert_chosen((const char *[]){"mutex:delay:nanoseconds:x:y", "block:delay:nanoseconds:x:y",
				       "block:contentions:count:x:y", NULL},
		      "delay/nanoseconds contentions/count ");
	assert_chosen((const char *[]){"n:a:u:x:y", "n:b:u:x:y", "n:c:u:x:y", "n:d:u:x:y",
				       "n:e:u:x:y", "n:f:u:x:y", "n:g:u:x:y", "n:h:u:x:y",
				       "n:i:u:x:y", NULL},
		      "a/u b/u c/u d/u e/u f/u g/u h/u ");
}

/* --- values --------------------------------------------------------------------------------------- */

static struct profile *one_value(const char *type, const char *unit, int64_t times)
{
	struct profile *p = profile_new();
	uint32_t m, f, stack, none;

	assert_non_null(p);
	MUST(profile_add_sample_type(p, type, unit));
	m = mapping_id(p, "/usr/bin/x", "00ff", true);
	MUST(profile_labelset(p, NULL, 0, &none));
	for (uint32_t i = 0; i < 3; i++) {
		f = location_id(p, m, 0x1000 + i, i ? "g" : "f");
		MUST(profile_stack(p, &f, 1, &stack));
		MUST(profile_add(p, stack, none, (int64_t[]){(i + 1) * times}));
	}
	return p;
}

static struct fleet_types cpu_types(void)
{
	struct fleet_types t = {0};

	add(&t, "process_cpu:cpu:nanoseconds:cpu:nanoseconds");
	add(&t, "process_cpu:samples:count:cpu:nanoseconds");
	assert_int_equal(fleet_types_choose(&t), 0);
	return t;
}

static void values_are_put_together(void **state)
{
	struct profile *samples = one_value("samples", "count", 1),
		       *cpu = one_value("cpu", "nanoseconds", 1000), *all = NULL;
	struct upload_target target = {.shown = "parca+http://h:7070"};
	struct fleet_query q = {0};
	struct fleet f = {.t = &target, .q = &q};
	struct fleet_types t = cpu_types();
	struct why why = {""};

	(void)state;
	assert_int_equal(fleet_merge_value(&f, &all, cpu, &t, 1, &why), 0);
	assert_int_equal(fleet_merge_value(&f, &all, samples, &t, 0, &why), 0);
	assert_int_equal(all->sample_types.len, 2);
	assert_string_equal(profile_text(all, all->sample_types.data[0].type), "samples");
	assert_string_equal(profile_text(all, all->sample_types.data[1].unit), "nanoseconds");
	assert_string_equal(profile_text(all, all->default_sample_type), "cpu");
	assert_int_equal(all->samples.len, 3);
	assert_int_equal(total_of_type(all, 0), 6);
	assert_int_equal(total_of_type(all, 1), 6000);
	for (size_t i = 0; i < 3; i++) { /* of each sample, too */
		size_t at = all->samples.data[i].first_value;

		assert_int_equal(all->values.data[at + 1], 1000 * all->values.data[at]);
	}
	/* What does not end fills no machine. */
	q.max_merged = profile_bytes(all) - 1;
	assert_int_equal(fleet_merge(&f, &all, samples, &why), -EFBIG);
	assert_non_null(strstr(why.text, "parca+http://h:7070: its profiles take more than"));
	profile_free(samples);
	profile_free(cpu);
	profile_free(all);
	fleet_types_release(&t);
}

static void an_answer_of_two_values_is_none(void **state)
{
	struct profile *p = random_profile(1, 5), *all = NULL;
	struct fleet f = {0};
	struct fleet_types t = cpu_types();
	struct why why = {""};

	(void)state;
	assert_true(p->sample_types.len != 1);
	assert_int_equal(fleet_merge_value(&f, &all, p, &t, 0, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "values instead of one"));
	assert_null(all);
	profile_free(p);
	fleet_types_release(&t);
}

static void what_is_imported(void **state)
{
	struct upload_target target = {.shown = "parca+http://h:7070"};
	struct fleet f = {.t = &target};
	struct profile *p = one_value("samples", "count", 1), *got = p;
	struct why why = {""};
	struct buf bytes = {0};

	(void)state;
	assert_int_equal(fleet_import(&f, "", 0, &got, &why), 0);
	assert_null(got);
	MUST(export_pprof(&bytes, p));
	assert_int_equal(fleet_import(&f, bytes.data, bytes.len, &got, &why), 0);
	assert_int_equal(total_of_type(got, 0), 6);
	profile_free(got);
	buf_clear(&bytes);
	profile_clear_samples(p);
	MUST(export_pprof(&bytes, p));
	assert_int_equal(fleet_import(&f, bytes.data, bytes.len, &got, &why), 0);
	assert_int_equal(got->sample_types.len, 1); /* nothing ran meanwhile */
	assert_int_equal(got->samples.len, 0);
	profile_free(got);
	assert_true(fleet_import(&f, "<html>", 6, &got, &why) < 0);
	assert_non_null(strstr(why.text, "parca+http://h:7070: the answer is "));
	buf_release(&bytes);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_names_are_left_out),
		cmocka_unit_test(cpu_is_chosen_and_samples_come_first),
		cmocka_unit_test(others_are_chosen_by_name),
		cmocka_unit_test(values_are_put_together),
		cmocka_unit_test(an_answer_of_two_values_is_none),
		cmocka_unit_test(what_is_imported),
	};

	return cmocka_run_group_tests_name("fleet_types", tests, NULL, NULL);
}
