// SPDX-License-Identifier: GPL-2.0-or-later
/* A profile out of a fleet's answers: nothing is lost, whatever is missing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/fleet/profile_read.h"
#include "profiler/fleet/profile_sql.h"
#include "profiler/profile/table.h"
#include "profiler/store/where.h"
#include "tests/lib/fleet_answers.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define CPU	   "cpu/nanoseconds"

struct fixture {
	struct ch_answer samples, stacks, functions;
	struct profile *p;
	struct why why;
};

static struct ch_answer functions(void)
{
	struct buf b = {0};

	ch_put_block(&b, 5, 2);
	NUMBERS(&b, "id", 11, 12);
	TEXTS(&b, "name", "leaf", "main");
	TEXTS(&b, "module", "[kernel]", "prog");
	TEXTS(&b, "source", "", "/src/main.c");
	TEXTS(&b, "build", "", "abcd");
	return answer_of(&b);
}

/* Hash 1 is leaf, main; hash 2 is main, and 99, which is no function. */
static struct ch_answer stacks(void)
{
	struct buf b = {0};

	ch_put_block(&b, 3, 2);
	NUMBERS(&b, "hash", 1, 2);
	ch_put_column(&b, "funcs", CH_UINT64, true);
	for (uint64_t end = 2; end <= 4; end += 2)
		ch_put_u64(&b, end);
	ch_put_u64(&b, 11);
	ch_put_u64(&b, 12);
	ch_put_u64(&b, 12);
	ch_put_u64(&b, 99);
	ch_put_column(&b, "lines", CH_UINT32, true);
	for (uint64_t end = 2; end <= 4; end += 2)
		ch_put_u64(&b, end);
	for (uint32_t line = 0; line < 4; line++)
		ch_put_u32(&b, line);
	return answer_of(&b);
}

/* Stacks 1, 2, and 3, which the server does not have. */
static struct ch_answer samples(const char *type, int64_t value)
{
	struct buf b = {0};

	ch_put_block(&b, 9, 3);
	TEXTS(&b, "l0", "api", "api", "api");
	TEXTS(&b, "l1", "web-1", "web-2", "web-2");
	TEXTS(&b, "l2", "", "", "");
	TEXTS(&b, "l3", "", "", "");
	TEXTS(&b, "l4", "", "", "");
	TEXTS(&b, "l5", "api", "", "");
	TEXTS(&b, "type", CPU, CPU, type);
	NUMBERS(&b, "hash", 1, 2, 3);
	NUMBERS(&b, "value", value, 2 * value, 4 * value);
	return answer_of(&b);
}

static int read_all(struct fixture *f, int64_t period_ns)
{
	const struct profile_answers all = {&f->samples, &f->stacks, &f->functions};

	return profile_read(&f->p, &all, period_ns, &f->why);
}

static void release(struct fixture *f)
{
	ch_answer_release(&f->samples);
	ch_answer_release(&f->stacks);
	ch_answer_release(&f->functions);
	profile_free(f->p);
}

static void assert_row(const struct profile *p, size_t value, const char *name, const char *module,
		       int64_t self, int64_t total)
{
	const struct table_opts o = {.value = value};
	struct table *t;

	assert_int_equal(table_build(&t, p, &o), 0);
	for (size_t i = 0; i < t->rows.len; i++) {
		const struct table_row *r = &t->rows.data[i];

		if (strcmp(table_text(t, r->name), name) != 0)
			continue;
		assert_string_equal(table_text(t, r->module), module);
		assert_int_equal(r->self, self);
		assert_int_equal(r->total, total);
		table_free(t);
		return;
	}
	fail_msg("no row %s", name);
}

TEST(what_is_missing_is_a_frame_and_no_lost_value)
{
	struct fixture f = {samples(CPU, 100), stacks(), functions(), NULL, {""}};

	assert_int_equal(read_all(&f, 10), 0);
	assert_int_equal(f.p->sample_types.len, 2);
	assert_int_equal(profile_default_type(f.p), 1);
	assert_int_equal(profile_total(f.p, 0), 70);
	assert_int_equal(profile_total(f.p, 1), 700);
	assert_row(f.p, 1, "leaf", "[kernel]", 100, 100);
	assert_row(f.p, 1, "main", "prog", 200, 300);
	assert_row(f.p, 1, FRAME_NO_FUNCTION, MAPPING_KILN, 0, 200);
	assert_row(f.p, 1, FRAME_NO_STACK, MAPPING_KILN, 400, 400);
	assert_row(f.p, 0, FRAME_NO_STACK, MAPPING_KILN, 40, 40);
	assert_int_equal(f.p->labelsets.len, 2);
	release(&f);
}

TEST(without_one_period_samples_are_not_counted)
{
	struct fixture f = {samples(CPU, 100), stacks(), functions(), NULL, {""}};

	assert_int_equal(read_all(&f, 0), 0);
	assert_int_equal(f.p->sample_types.len, 1);
	assert_int_equal(profile_total(f.p, 0), 700);
	release(&f);
}

TEST(other_types_stand_beside)
{
	struct fixture f = {samples("alloc_space/bytes", 100), stacks(), functions(), NULL, {""}};

	assert_int_equal(read_all(&f, 10), 0);
	assert_int_equal(f.p->sample_types.len, 2);
	assert_string_equal(profile_text(f.p, f.p->sample_types.data[0].type), "alloc_space");
	assert_string_equal(profile_text(f.p, f.p->sample_types.data[0].unit), "bytes");
	assert_int_equal(profile_total(f.p, 0), 400);
	assert_int_equal(profile_total(f.p, 1), 300);
	assert_int_equal(profile_default_type(f.p), 1);
	release(&f);
}

TEST(nothing_at_all_is_an_empty_profile)
{
	struct fixture f = {.stacks = stacks(), .functions = functions()};

	assert_int_equal(read_all(&f, 10), 0);
	assert_int_equal(f.p->samples.len, 0);
	release(&f);
}

TEST(an_answer_of_others_is_refused)
{
	struct fixture f = {samples(CPU, 100), functions(), stacks(), NULL, {""}};

	assert_int_equal(read_all(&f, 10), -EBADMSG);
	assert_null(f.p);
	assert_non_null(strstr(f.why.text, "column"));
	release(&f);
}

/* More types than there is room for: one for each of many rows. */
TEST(types_have_a_cap)
{
	struct fixture f = {.stacks = stacks(), .functions = functions()};
	struct buf b = {0};
	char type[32];

	ch_put_block(&b, 9, 100);
	for (int l = 0; l < 6; l++) {
		char name[8];

		snprintf(name, sizeof(name), "l%d", l);
		ch_put_column(&b, name, CH_STRING, false);
		for (int i = 0; i < 100; i++)
			ch_put_string(&b, "", 0);
	}
	ch_put_column(&b, "type", CH_STRING, false);
	for (int i = 0; i < 100; i++) {
		snprintf(type, sizeof(type), "t%d/x", i);
		ch_put_string(&b, type, strlen(type));
	}
	for (int c = 0; c < 2; c++) {
		ch_put_column(&b, c ? "value" : "hash", CH_INT64, false);
		for (int i = 0; i < 100; i++)
			ch_put_u64(&b, 1);
	}
	f.samples = answer_of(&b);
	assert_int_equal(read_all(&f, 10), -EBADMSG);
	release(&f);
}

static struct ch_answer windows_answer(int64_t begin, int64_t end, int64_t period)
{
	struct buf b = {0};

	ch_put_block(&b, 17, 1);
	NUMBERS(&b, "windows", 30);
	NUMBERS(&b, "begin_at", begin);
	NUMBERS(&b, "end_at", end);
	NUMBERS(&b, "least_period_ns", period);
	NUMBERS(&b, "most_period_ns", period);
	NUMBERS(&b, "all_lost", 7);
#define X(name) NUMBERS(&b, "all_" #name, 1000);
	PROFILE_QUALITY_COLUMNS(X)
#undef X
	return answer_of(&b);
}

TEST(windows_give_times_and_quality)
{
	struct fixture f = {samples(CPU, 100), stacks(), functions(), NULL, {""}};
	struct ch_answer one = windows_answer(5000, 9000, 10),
			 other = windows_answer(2000, 6000, 20);
	struct window_sums w = {0};
	struct quality q = {0};

	assert_int_equal(window_sums_read(&w, &(struct ch_answer){0}, &f.why), -EBADMSG);
	assert_int_equal(window_sums_read(&w, &one, &f.why), 0);
	assert_int_equal(w.least_period_ns, 10);
	assert_int_equal(window_sums_read(&w, &other, &f.why), 0);
	assert_int_equal(w.windows, 60);
	assert_int_equal(w.least_period_ns, 10);
	assert_int_equal(w.most_period_ns, 20);
	assert_int_equal(read_all(&f, 0), 0);
	assert_int_equal(profile_set_windows(f.p, &w, "service_name=api"), 0);
	assert_int_equal(f.p->time_ns, 2000);
	assert_int_equal(f.p->duration_ns, 7000);
	assert_int_equal(quality_load(&q, f.p), 0);
	assert_int_equal(q.recorded, 2000);
	assert_int_equal(q.lost[LOSS_untold], 14);
	assert_string_equal(quality_where(f.p), "service_name=api");
	quality_release(&q);
	ch_answer_release(&one);
	ch_answer_release(&other);
	release(&f);
}

static void assert_statement(const char *golden,
			     int (*make)(struct buf *, const struct profile_scope *, struct why *),
			     const struct profile_scope *s)
{
	struct buf sql = {0};
	struct why why = {""};

	assert_int_equal(make(&sql, s, &why), 0);
	assert_sql(golden, &sql);
}

TEST(the_questions)
{
	struct profile_scope s = {.range = {1795305600, 1795392000}, .suffix = ""};
	struct rows_question q = {.step_s = 600, .offset_s = 300};
	struct why why = {""};
	struct where *w = NULL;
	struct buf sql = {0};

	assert_int_equal(where_parse_any(&w, "service=it's,host!=x,comm=~a.*", &why), 0);
	s.where = w;
	s.without[1] = s.without[3] = true;
	assert_statement("profile_samples", profile_sql_samples, &s);
	assert_statement("profile_stacks", profile_sql_stacks, &s);
	assert_statement("profile_functions", profile_sql_functions, &s);
	assert_statement("profile_windows", profile_sql_windows, &s);
	assert_int_equal(profile_sql_rows(&sql, &s, &q, &why), 0);
	assert_sql("profile_rows_time", &sql);
	assert_int_equal(profile_sql_window_rows(&sql, &s, &q, &why), 0);
	assert_sql("profile_window_rows", &sql);
	q = (struct rows_question){.column = "host"};
	assert_int_equal(profile_sql_rows(&sql, &s, &q, &why), 0);
	assert_sql("profile_rows_host", &sql);
	where_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_a_frame_and_no_lost_value),
		cmocka_unit_test(without_one_period_samples_are_not_counted),
		cmocka_unit_test(other_types_stand_beside),
		cmocka_unit_test(nothing_at_all_is_an_empty_profile),
		cmocka_unit_test(an_answer_of_others_is_refused),
		cmocka_unit_test(types_have_a_cap),
		cmocka_unit_test(windows_give_times_and_quality),
		cmocka_unit_test(the_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
