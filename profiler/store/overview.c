// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/overview.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/label_keys.h"
#include "profiler/profile/processes.h"
#include "profiler/profile/profile.h"
#include "profiler/store/list.h"

#define SECOND_NS 1000000000ll
#define MOST_ROWS 60 /* of time, unless a width is asked for */

void overview_release(struct overview *o)
{
	for (size_t i = 0; i < o->rows.len; i++)
		free(o->rows.data[i].name);
	vec_release(&o->rows);
	htab_release(&o->places);
	free(o->where);
	free(o->label);
	*o = (struct overview){0};
}

/* --- by time -------------------------------------------------------------------------------------- */

static int64_t width_of(int64_t since_ns, int64_t until_ns)
{
	static const int seconds[] = {60, 600, 3600, 6 * 3600, 86400, 7 * 86400};
	const size_t n = sizeof(seconds) / sizeof(*seconds);
	size_t i = 0;

	while (i + 1 < n && until_ns > since_ns &&
	       (until_ns - since_ns) / SECOND_NS / seconds[i] > MOST_ROWS)
		i++;
	return seconds[i] * SECOND_NS;
}

/* What is on disk; and how wide rows of time are to be, as far as files tell. */
static int add_files(struct store *s, const struct overview_query *q, struct overview *out)
{
	int64_t first_ns = INT64_MAX, end_ns = 0;
	struct store_files files;
	int err = store_files(s, &files);

	if (err)
		return err;
	for (size_t i = 0; i < files.v.len; i++) {
		const struct store_file *f = &files.v.data[i];

		out->bytes = saturating_sum(out->bytes, (int64_t)f->bytes);
		first_ns = f->begin_ns < first_ns ? f->begin_ns : first_ns;
		end_ns = f->end_ns > end_ns ? f->end_ns : end_ns;
	}
	out->segments = (int64_t)files.v.len;
	first_ns = first_ns > q->since_ns ? first_ns : q->since_ns;
	end_ns = end_ns < q->until_ns ? end_ns : q->until_ns;
	out->width_ns = q->width_ns ?: width_of(first_ns, end_ns);
	store_files_release(&files);
	return 0;
}

static int add_slot(struct overview *out, const struct store_slot *slot)
{
	struct overview_row row = {
		.begin_ns = slot->begin_ns,
		.windows = (int64_t)slot->windows,
		.samples = slot->samples,
		.cpu_ns = slot->cpu_ns,
		.lost = (int64_t)slot->lost,
		.pid = -1,
	};

	out->windows += row.windows;
	out->lost = saturating_sum(out->lost, row.lost);
	if (out->by != OVERVIEW_TIME)
		return 0;
	out->samples = saturating_sum(out->samples, row.samples);
	out->cpu_ns = saturating_sum(out->cpu_ns, row.cpu_ns);
	return vec_push(&out->rows, row);
}

static int add_times(struct store *s, const struct overview_query *q, struct overview *out,
		     struct why *why)
{
	const struct store_query times_query = {
		.since_ns = q->since_ns,
		.until_ns = q->until_ns,
		/* Rows by label have samples and time of their own. */
		.where = q->by == OVERVIEW_TIME ? q->where : NULL,
	};
	struct store_times times;
	int err = store_times_from(s, &times_query, out->width_ns, q->phase_ns, &times, why);

	if (err)
		return err;
	for (size_t i = 0; i < times.v.len && !err; i++)
		err = add_slot(out, &times.v.data[i]);
	out->since_ns = times.first_ns;
	out->until_ns = times.end_ns;
	out->unreadable = (int64_t)(times.segments_unreadable + times.windows_unreadable);
	store_times_release(&times);
	return err ? why_say(why, err, "out of memory") : 0;
}

/* --- by label ------------------------------------------------------------------------------------- */

static const char *const label_of[OVERVIEW_BYS] = {
	[OVERVIEW_PROCESS] = LABEL_COMM,
	[OVERVIEW_COMM] = LABEL_COMM,
	[OVERVIEW_EXECUTABLE] = LABEL_EXECUTABLE,
	[OVERVIEW_UNIT] = LABEL_UNIT,
	[OVERVIEW_CONTAINER] = LABEL_CONTAINER,
	[OVERVIEW_SERVICE] = LABEL_SERVICE,
	[OVERVIEW_POD] = LABEL_POD,
};

const char *overview_label(enum overview_by by)
{
	return label_of[by];
}

struct value_types {
	int samples, cpu; /* indexes, or -1 */
};

static struct value_types find_types(const struct profile *p)
{
	struct value_types t = {-1, -1};

	for (size_t i = 0; i < p->sample_types.len; i++) {
		const char *type = profile_text(p, p->sample_types.data[i].type);

		if (!strcmp(type, "samples"))
			t.samples = (int)i;
		else if (!strcmp(type, "cpu"))
			t.cpu = (int)i;
	}
	return t;
}

/* Rows of processes are named by whom they are of, whatever their threads are called. */
static char *name_of(const struct profile *p, const struct profile_label *l, bool numbers,
		     const char *process)
{
	char number[24];

	if (process)
		return strdup(*process ? process : NO_PROCESS);
	if (l && l->str != PROFILE_NONE)
		return strdup(profile_text(p, l->str));
	if (!l || !numbers)
		return strdup("");
	snprintf(number, sizeof(number), "%" PRId64, l->num);
	return strdup(number);
}

static int add_sample(struct overview *out, const struct profile *p, size_t i, struct value_types t,
		      const struct processes *processes)
{
	const struct profile_sample *s = &p->samples.data[i];
	const char *key = out->label ?: label_of[out->by];
	const struct profile_label *l = profile_find_label(p, s->labelset, key),
				   *pid = out->by == OVERVIEW_PROCESS
						  ? profile_find_label(p, s->labelset, LABEL_PID)
						  : NULL;
	const int64_t *values = p->values.data + s->first_value;
	struct overview_row row = {
		.samples = t.samples < 0 ? 0 : values[t.samples],
		.cpu_ns = t.cpu < 0 ? 0 : values[t.cpu],
		.pid = pid ? pid->num : -1,
		.name = name_of(p, l, out->by == OVERVIEW_LABEL,
				out->by == OVERVIEW_PROCESS ? processes->names[s->labelset].process
							    : NULL),
	};

	if (row.name && !vec_push(&out->rows, row))
		return 0;
	free(row.name);
	return -ENOMEM;
}

static int compare_names(const void *va, const void *vb)
{
	const struct overview_row *a = va, *b = vb;

	return strcmp(a->name, b->name) ?: (a->pid > b->pid) - (a->pid < b->pid);
}

static int compare_times(const void *va, const void *vb)
{
	const struct overview_row *a = va, *b = vb;

	if (a->cpu_ns != b->cpu_ns)
		return a->cpu_ns < b->cpu_ns ? 1 : -1;
	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return compare_names(va, vb);
}

/* Rows of one name become one. */
static void join_rows(struct overview *o)
{
	struct overview_row *rows = o->rows.data;
	size_t n = 0;

	o->samples = o->cpu_ns = 0;
	if (!o->rows.len)
		return;
	qsort(rows, o->rows.len, sizeof(*rows), compare_names);
	for (size_t i = 0; i < o->rows.len; i++) {
		o->samples = saturating_sum(o->samples, rows[i].samples);
		o->cpu_ns = saturating_sum(o->cpu_ns, rows[i].cpu_ns);
		if (!n || compare_names(&rows[n - 1], &rows[i])) {
			rows[n++] = rows[i];
			continue;
		}
		rows[n - 1].samples = saturating_sum(rows[n - 1].samples, rows[i].samples);
		rows[n - 1].cpu_ns = saturating_sum(rows[n - 1].cpu_ns, rows[i].cpu_ns);
		free(rows[i].name);
	}
	o->rows.len = n;
	qsort(rows, n, sizeof(*rows), compare_times);
}

static int add_profile(struct overview *o, const struct profile *p)
{
	_cleanup_(processes_release) struct processes processes = {0};
	struct value_types types = find_types(p);
	int err = processes_load(&processes, p);

	for (size_t i = 0; i < p->samples.len && !err; i++)
		err = add_sample(o, p, i, types, &processes);
	if (!err)
		join_rows(o);
	return err;
}

static int say_missing(const struct profile *p, const char *key, struct why *why)
{
	struct buf text = {0};

	label_key_missing(&text, p, key, OVERVIEW_BY_WORDS);
	why_say(why, -EINVAL, "%s", buf_cstr(&text));
	buf_release(&text);
	return -EINVAL;
}

/* What nobody asks for need not be told apart. */
static const char *const *unused_labels(const struct overview_query *q)
{
	static const char *const no_threads[] = {LABEL_TID, NULL}, *const no_processes[] = {
									   LABEL_TID, LABEL_PID,
									   NULL};

	if (q->by == OVERVIEW_LABEL && !strcmp(q->label, LABEL_TID))
		return NULL;
	if (q->by == OVERVIEW_LABEL && !strcmp(q->label, LABEL_PID))
		return no_threads;
	/* A process is called as its main thread. */
	return q->by == OVERVIEW_PROCESS ? NULL : no_processes;
}

static int add_labels(struct store *s, const struct overview_query *q, struct overview *out,
		      struct why *why)
{
	const struct store_query labels = {
		.since_ns = q->since_ns,
		.until_ns = q->until_ns,
		.where = q->where,
		.without_labels = unused_labels(q),
		.without_stacks = true,
	};
	struct store_result r;
	int err = store_query(s, &labels, &r, why);

	if (err)
		return err;
	if (q->by == OVERVIEW_LABEL && r.profile->samples.len &&
	    !label_key_is_there(r.profile, q->label))
		err = say_missing(r.profile, q->label, why);
	if (!err && add_profile(out, r.profile))
		err = why_say(why, -ENOMEM, "out of memory");
	store_result_release(&r);
	return err;
}

int overview_make(struct store *s, const struct overview_query *q, struct overview *out,
		  struct why *why)
{
	struct overview o = {.by = q->by};
	int err = add_files(s, q, &o);

	if (!err && q->where && *q->where) {
		o.where = strdup(q->where);
		err = o.where ? 0 : -ENOMEM;
	}
	if (!err && q->by == OVERVIEW_LABEL) {
		o.label = strdup(q->label);
		err = o.label ? 0 : -ENOMEM;
	}
	if (err)
		why_say(why, err, "%s", strerror(-err));
	err = err ?: add_times(s, q, &o, why);
	if (!err && q->by != OVERVIEW_TIME)
		err = add_labels(s, q, &o, why);
	if (err)
		overview_release(&o);
	else
		*out = o;
	return err;
}
