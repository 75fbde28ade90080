// SPDX-License-Identifier: GPL-2.0-or-later
/* What is in a store, by time and label, as merged profiles have it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>

#include "profiler/base/json_read.h"
#include "profiler/profile/processes.h"
#include "profiler/store/overview.h"
#include "profiler/store/where_note.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define N 40

static const struct store_opts writing = {.access = STORE_WRITE};

static struct overview look(struct store *s, struct overview_query q)
{
	struct why why = {""};
	struct overview o;

	q.until_ns = q.until_ns ?: STORE_END;
	if (overview_make(s, &q, &o, &why)) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
	return o;
}

/* Samples and time of a command, and of one of its processes; `number` -1: of all of them. */
static void sum_label(const struct profile *p, const char *comm, int64_t number, int64_t *samples,
		      int64_t *cpu_ns)
{
	*samples = *cpu_ns = 0;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const struct profile_label *l = profile_find_label(p, s->labelset, LABEL_COMM),
					   *pid = profile_find_label(p, s->labelset, LABEL_PID);
		const char *text = l && l->str != PROFILE_NONE ? profile_text(p, l->str) : "";

		if (strcmp(text, comm) || (number >= 0 && (!pid || pid->num != number)))
			continue;
		*samples += p->values.data[s->first_value];
		*cpu_ns += p->values.data[s->first_value + 1];
	}
}

/* Of a process, whatever its threads are called. */
static void sum_process(const struct profile *p, const struct processes *names,
			const struct overview_row *row, int64_t *samples, int64_t *cpu_ns)
{
	*samples = *cpu_ns = 0;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const struct profile_label *pid = profile_find_label(p, s->labelset, LABEL_PID);
		const char *name = names->names[s->labelset].process;

		if (!pid || pid->num != row->pid || strcmp(*name ? name : NO_PROCESS, row->name))
			continue;
		*samples += p->values.data[s->first_value];
		*cpu_ns += p->values.data[s->first_value + 1];
	}
}

static void rows_by_label_add_up(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];
	struct profile *sum;
	struct overview o;
	int64_t samples, cpu_ns, all = 0;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	sum = merge_windows(w, N, T0, T0 + HOUR, NULL);
	o = look(s, (struct overview_query){
			    .since_ns = T0, .until_ns = T0 + HOUR, .by = OVERVIEW_COMM});
	assert_true(o.rows.len > 1);
	for (size_t i = 0; i < o.rows.len; i++) {
		sum_label(sum, o.rows.data[i].name, -1, &samples, &cpu_ns);
		assert_int_equal(o.rows.data[i].samples, samples);
		assert_int_equal(o.rows.data[i].cpu_ns, cpu_ns);
		assert_true(!i || o.rows.data[i - 1].cpu_ns >= cpu_ns);
		all += samples;
	}
	assert_int_equal(o.samples, all);
	assert_int_equal(o.windows, 20);
	assert_int_equal(o.lost, 200);
	assert_int_equal(o.since_ns, T0);
	assert_int_equal(o.until_ns, T0 + 57 * MINUTE + 10 * SECOND);
	assert_int_equal(o.unreadable, 0);
	assert_true(o.bytes > 0 && o.segments > 0);
	overview_release(&o);
	profile_free(sum);
	store_close(s);
	release_windows(w, N);
}

/* ... by any label, also by a number; one that no sample has is a mistake. */
static void any_label_makes_rows(void **state)
{
	struct store *s = open_store("store", &writing);
	struct overview comm, unit, pid, o = {0};
	struct why why = {""};
	struct window w[N];
	bool has_number = false;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	comm = look(s, (struct overview_query){.by = OVERVIEW_COMM});
	unit = look(s, (struct overview_query){.by = OVERVIEW_LABEL, .label = "bytes"});
	pid = look(s, (struct overview_query){.by = OVERVIEW_LABEL, .label = "pid"});
	assert_true(unit.rows.len > 1);
	assert_int_equal(unit.samples, comm.samples);
	assert_string_equal(unit.label, "bytes");
	for (size_t i = 0; i < pid.rows.len; i++)
		has_number |= !strcmp(pid.rows.data[i].name, "1");
	assert_true(has_number);
	assert_int_equal(pid.samples, comm.samples);
	overview_release(&unit);
	overview_release(&comm);
	overview_release(&pid);
	assert_int_equal(overview_make(s,
				       &(struct overview_query){.until_ns = STORE_END,
								.by = OVERVIEW_LABEL,
								.label = "bites"},
				       &o, &why),
			 -EINVAL);
	assert_non_null(strstr(
		why.text, "no sample has a label \"bites\" (did you mean \"bytes\"?); there are "
			  "time, process, comm, "));
	assert_non_null(strstr(why.text, ", pod, and labels such as "));
	assert_null(strstr(strstr(why.text, "such as "), "comm"));
	store_close(s);
	release_windows(w, N);
}

static void assert_note(struct store *s, const char *where, const char *want)
{
	struct store_query q = {.until_ns = STORE_END, .where = where};
	struct buf note = {0};

	assert_int_equal(store_where_note(s, &q, &note), 0);
	assert_string_equal(buf_cstr(&note), want);
	buf_release(&note);
}

/* A condition on a label that is nowhere holds for nothing or for everything. */
static void an_unknown_label_is_noted(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[3];

	(void)state;
	assert_note(s, "comma=x", "");
	append_windows(s, w, 3, 3 * MINUTE);
	assert_note(s, NULL, "");
	assert_note(s, "comm=nobody,tid=1,pid!=7", "");
	assert_note(s, "pid!=1,comma=burn",
		    "no sample has a label \"comma\" (did you mean \"comm\"?)");
	assert_note(s, "thread!=1",
		    "no sample has a label \"thread\" (did you mean \"thread_id\"?)");
	assert_note(s, "colour=red", "no sample has a label \"colour\"");
	store_close(s);
	release_windows(w, 3);
}

static void processes_of_one_name_are_told_apart(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];
	struct profile *sum;
	struct overview o;
	int64_t samples, cpu_ns;
	struct processes names;
	size_t checked = 0;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	sum = merge_windows(w, N, STORE_BEGIN, STORE_END, NULL);
	assert_int_equal(processes_load(&names, sum), 0);
	o = look(s, (struct overview_query){.by = OVERVIEW_PROCESS});
	for (size_t i = 0; i < o.rows.len; i++) {
		if (o.rows.data[i].pid < 0)
			continue;
		for (size_t k = 0; k < i && o.rows.data[i].pid; k++) /* a row each */
			assert_int_not_equal(o.rows.data[i].pid, o.rows.data[k].pid);
		sum_process(sum, &names, &o.rows.data[i], &samples, &cpu_ns);
		assert_int_equal(o.rows.data[i].samples, samples);
		assert_int_equal(o.rows.data[i].cpu_ns, cpu_ns);
		checked++;
	}
	assert_true(checked > 3);
	processes_release(&names);
	overview_release(&o);
	profile_free(sum);
	store_close(s);
	release_windows(w, N);
}

static void rows_of_time_begin_by_the_zone(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];
	struct overview o;
	int64_t windows = 0;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	/* Some dozens of rows of the two hours. */
	o = look(s, (struct overview_query){0});
	assert_int_equal(o.width_ns, 10 * MINUTE);
	assert_int_equal(o.rows.len, 12);
	overview_release(&o);
	/* As in India. */
	o = look(s,
		 (struct overview_query){.width_ns = HOUR, .phase_ns = -(5 * HOUR + 30 * MINUTE)});
	assert_int_equal(o.rows.len, 3);
	assert_int_equal(o.rows.data[0].begin_ns, T0 - 30 * MINUTE);
	assert_int_equal(o.rows.data[1].begin_ns, T0 + 30 * MINUTE);
	for (size_t i = 0; i < o.rows.len; i++)
		windows += o.rows.data[i].windows;
	assert_int_equal(windows, N);
	assert_int_equal(o.rows.data[0].windows, 10);
	overview_release(&o);
	store_close(s);
	release_windows(w, N);
}

struct seen {
	size_t rows;
	char by[32], samples[32], first_name[64];
};

static int see(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct seen *s = ctx;

	if (n == 1 && !strcmp(steps[0].key, "by"))
		snprintf(s->by, sizeof(s->by), "%s", text);
	if (n == 1 && !strcmp(steps[0].key, "samples"))
		snprintf(s->samples, sizeof(s->samples), "%s", text);
	if (n == 3 && !steps[1].index && !strcmp(steps[2].key, "name"))
		snprintf(s->first_name, sizeof(s->first_name), "%s", text);
	if (n == 3 && steps[1].index >= s->rows)
		s->rows = steps[1].index + 1;
	return 0;
}

static void json_has_the_same(void **state)
{
	struct store *s = open_store("store", &writing);
	struct buf text = {0};
	struct seen seen = {0};
	struct window w[N];
	struct overview o;
	char samples[32];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	o = look(s, (struct overview_query){.by = OVERVIEW_COMM});
	assert_int_equal(overview_json(&text, &o), 0);
	assert_int_equal(json_read_all(text.data, text.len, see, see, &seen), 0);
	snprintf(samples, sizeof(samples), "%" PRId64, o.samples);
	assert_string_equal(seen.by, "comm");
	assert_string_equal(seen.samples, samples);
	assert_int_equal(seen.rows, o.rows.len);
	assert_string_equal(seen.first_name, o.rows.data[0].name);
	/* Words that are no strings are left out by json_read(). */
	seen = (struct seen){0};
	assert_int_equal(json_read(text.data, text.len, see, &seen), 0);
	assert_string_equal(seen.by, "comm");
	assert_string_equal(seen.samples, "");
	buf_release(&text);
	overview_release(&o);
	store_close(s);
	release_windows(w, N);
}

static void an_empty_store_has_no_rows(void **state)
{
	struct store *s = open_store("store", &writing);
	struct overview o = look(s, (struct overview_query){0});

	(void)state;
	assert_int_equal(o.rows.len, 0);
	assert_int_equal(o.windows, 0);
	overview_release(&o);
	o = look(s, (struct overview_query){.by = OVERVIEW_SERVICE});
	assert_int_equal(o.rows.len, 0);
	overview_release(&o);
	store_close(s);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(any_label_makes_rows),	      CASE(an_unknown_label_is_noted),
		CASE(rows_by_label_add_up),	      CASE(processes_of_one_name_are_told_apart),
		CASE(rows_of_time_begin_by_the_zone), CASE(json_has_the_same),
		CASE(an_empty_store_has_no_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
