// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/list_remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/json_read.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/cli/load.h"
#include "profiler/cli/load_remote.h"
#include "profiler/profile/profile.h"

#define MAX_ROWS (1u << 20)

static int parse_number(const char *text, int64_t *out)
{
	bool negative = *text == '-';
	uint64_t v;

	if (text_parse_u64(text + negative, INT64_MAX, &v))
		return -EBADMSG;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* --- {"step_ns": N, "times": [{...}], "files": [{"bytes": N, ...}]} ------------------------------------ */

struct parsing {
	struct overview *o;
	bool has_rows;
	int64_t first_ns, end_ns; /* of files; 0: none */
};

static int get_row(struct overview *o, size_t i, struct overview_row **out)
{
	if (i >= MAX_ROWS)
		return -EBADMSG;
	while (o->rows.len <= i)
		if (vec_push(&o->rows, (struct overview_row){.pid = -1}))
			return -ENOMEM;
	*out = &o->rows.data[i];
	return 0;
}

/* Keys of newer versions are left out. */
static int parse_row(struct overview_row *r, const char *key, const char *text)
{
	if (!strcmp(key, "value")) {
		free(r->name);
		r->name = text_clean_dup(text, strlen(text));
		return r->name ? 0 : -ENOMEM;
	}
#define X(name)                                                                                    \
	if (!strcmp(key, #name))                                                                   \
		return parse_number(text, &r->name);
	OVERVIEW_ROW_NUMBERS(X)
#undef X
	return 0;
}

static int parse_file(struct parsing *p, const struct json_step *steps, const char *text)
{
	const char *key = steps[2].key;
	bool is_begin = !strcmp(key, "begin_ns"), is_end = !strcmp(key, "end_ns");
	int64_t v;

	if ((int64_t)steps[1].index >= p->o->segments)
		p->o->segments = (int64_t)steps[1].index + 1;
	if (!is_begin && !is_end && strcmp(key, "bytes") != 0)
		return 0;
	if (parse_number(text, &v))
		return -EBADMSG;
	if (is_begin)
		p->first_ns = !p->first_ns || v < p->first_ns ? v : p->first_ns;
	else if (is_end)
		p->end_ns = v > p->end_ns ? v : p->end_ns;
	else
		p->o->bytes = saturating_sum(p->o->bytes, v);
	return 0;
}

static int parse_times(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct parsing *p = ctx;
	struct overview_row *row;
	int err;

	if (n == 1 && steps[0].key && !strcmp(steps[0].key, "step_ns")) {
		p->has_rows = true;
		return parse_number(text, &p->o->width_ns);
	}
	if (n != 3 || !steps[0].key || !steps[2].key)
		return 0;
	if (!strcmp(steps[0].key, "files"))
		return parse_file(p, steps, text);
	if (strcmp(steps[0].key, "times"))
		return 0;
	err = get_row(p->o, steps[1].index, &row);
	return err ?: parse_row(row, steps[2].key, text);
}

static void sum_rows(struct overview *o)
{
	o->samples = o->cpu_ns = 0;
	for (size_t i = 0; i < o->rows.len; i++) {
		const struct overview_row *r = &o->rows.data[i];

		o->samples = saturating_sum(o->samples, r->samples);
		o->cpu_ns = saturating_sum(o->cpu_ns, r->cpu_ns);
		if (o->by != OVERVIEW_TIME)
			continue;
		o->windows = saturating_sum(o->windows, r->windows);
		o->lost = saturating_sum(o->lost, r->lost);
	}
	if (o->by != OVERVIEW_TIME || !o->rows.len)
		return;
	o->since_ns = o->rows.data[0].begin_ns;
	o->until_ns = saturating_sum(vec_last(&o->rows).begin_ns, o->width_ns);
}

/* --- {"label": KEY, "values": [{"value": TEXT, "samples": N, "cpu_ns": N}]} ---------------------------- */

static int parse_values(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct parsing *p = ctx;
	struct overview_row *row;
	int err;

	if (n == 1 && steps[0].key && !strcmp(steps[0].key, "label"))
		p->has_rows = true;
	if (n != 3 || !steps[0].key || strcmp(steps[0].key, "values") || !steps[2].key)
		return 0;
	err = get_row(p->o, steps[1].index, &row);
	return err ?: parse_row(row, steps[2].key, text);
}

/* --- asking --------------------------------------------------------------------------------------- */

static int ask(const struct load_range *r, const char *path, const struct remote_question *q,
	       json_string_fn parse, struct parsing *p)
{
	struct overview *o = p->o;
	struct buf answer = {0};
	int code = remote_question_ask(r, path, q, &answer), err;

	if (code != EXIT_OK)
		return code;
	err = json_read_all(answer.data, answer.len, parse, parse, p);
	buf_release(&answer);
	for (size_t i = 0; i < o->rows.len && !err; i++)
		if (o->by != OVERVIEW_TIME && !o->rows.data[i].name)
			err = -EBADMSG;
	if (err || !p->has_rows)
		return remote_is_no_kiln(r, err == -ENOMEM ? "too large" : "no list");
	sum_rows(o);
	return EXIT_OK;
}

static int ask_label(const struct load_range *r, const struct remote_question *q,
		     struct overview *o)
{
	struct parsing p = {.o = o};
	struct buf path = {0};
	int code;

	buf_printf(&path, "/api/v1/labels/%s/values", overview_label(o->by));
	code = ask(r, buf_cstr(&path), q, parse_values, &p);
	buf_release(&path);
	return code;
}

/* There is no list of them: the command of each is in the profile. */
static int ask_processes(const struct command *cmd, const struct load_range *r, struct overview *o)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int code = load_remote(cmd, r, &p);

	if (code == EXIT_OK && overview_add(o, p))
		return remote_is_no_kiln(r, "too large");
	return code;
}

/* What rows by label do not say. */
static int ask_totals(const struct load_range *r, const struct remote_question *q,
		      struct overview *o)
{
	struct overview all = {.by = OVERVIEW_TIME};
	struct parsing p = {.o = &all};
	int code = ask(r, "/api/v1/list", q, parse_times, &p);

	o->windows = all.windows;
	o->lost = all.lost;
	o->since_ns = all.since_ns;
	o->until_ns = all.until_ns;
	o->bytes = all.bytes;
	o->segments = all.segments;
	overview_release(&all);
	return code;
}

/* Rows as wide as they are of a store here: which time there is has to be known first. */
static int ask_width(const struct load_range *r, struct remote_question *q, int64_t since_ns,
		     int64_t until_ns, char step[32])
{
	struct overview all = {.by = OVERVIEW_TIME};
	struct parsing p = {.o = &all};
	int code = ask(r, "/api/v1/list", q, parse_times, &p);

	overview_release(&all);
	since_ns = p.first_ns > since_ns ? p.first_ns : since_ns;
	until_ns = p.end_ns < until_ns ? p.end_ns : until_ns;
	snprintf(step, 32, "%" PRId64 "s", overview_width(since_ns, until_ns) / (int64_t)NS_PER_S);
	remote_question_add(q, "step", step);
	return code;
}

static int ask_times(const struct command *cmd, const struct load_range *r,
		     struct remote_question *q, const char *step, struct overview *out)
{
	struct parsing p = {.o = out};
	int64_t since_ns, until_ns;
	char width[32];
	int code = load_range_times(cmd, r, &since_ns, &until_ns);

	if (step)
		remote_question_add(q, "step", step);
	else if (code == EXIT_OK)
		code = ask_width(r, q, since_ns, until_ns, width);
	return code == EXIT_OK ? ask(r, "/api/v1/list", q, parse_times, &p) : code;
}

int list_remote(const struct command *cmd, const struct load_range *r, enum overview_by by,
		const char *step, struct overview *out)
{
	struct remote_question q;
	int code = remote_question_make(cmd, r, &q);

	*out = (struct overview){.by = by};
	if (code != EXIT_OK)
		return code;
	if (by == OVERVIEW_TIME)
		return ask_times(cmd, r, &q, step, out);
	code = by == OVERVIEW_PROCESS ? ask_processes(cmd, r, out) : ask_label(r, &q, out);
	return code == EXIT_OK ? ask_totals(r, &q, out) : code;
}
