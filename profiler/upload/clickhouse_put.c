// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of a fleet's tables as blocks: column after column, in the order of profiler/clickhouse/ch_schema.h. */
#include <string.h>

#include "profiler/base/version.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/upload/clickhouse_rows.h"

#define COLUMN(name, ...) COL_##name,
enum samples_column { CH_SAMPLES_COLUMNS(COLUMN) };
#undef COLUMN
#define COLUMN(name, ...) STACKS_##name,
enum stacks_column { CH_STACKS_COLUMNS(COLUMN) };
#undef COLUMN
#define COLUMN(name, ...) FUNCTIONS_##name,
enum functions_column { CH_FUNCTIONS_COLUMNS(COLUMN) };
#undef COLUMN

static void put_text(struct buf *out, const char *text)
{
	ch_put_string(out, text, strlen(text));
}

static void put_column(struct buf *out, enum ch_table table, size_t column)
{
	const struct ch_column_def *c = &ch_table(table)->columns[column];

	ch_put_column(out, c->name, c->type, c->is_array);
}

/* --- samples -------------------------------------------------------------------------------------- */

static void put_sample(struct buf *out, const struct clickhouse_rows *r,
		       const struct clickhouse_when *when, const struct clickhouse_sample *s,
		       enum samples_column column)
{
	switch (column) {
	case COL_service:
		put_text(out, strtab_get(r->texts, s->service));
		break;
	case COL_type:
		put_text(out, strtab_get(r->texts, s->type));
		break;
	case COL_time:
		ch_put_u32(out, when->time_s);
		break;
	case COL_host:
		put_text(out, when->host);
		break;
	case COL_hash:
		ch_put_u64(out, s->hash);
		break;
	case COL_value:
		ch_put_u64(out, (uint64_t)s->value);
		break;
	case COL_namespace:
		put_text(out, strtab_get(r->texts, s->namespace));
		break;
	case COL_pod:
		put_text(out, strtab_get(r->texts, s->pod));
		break;
	case COL_unit:
		put_text(out, strtab_get(r->texts, s->unit));
		break;
	case COL_comm:
		put_text(out, strtab_get(r->texts, s->comm));
		break;
	}
}

void clickhouse_put_samples(struct buf *out, const struct clickhouse_rows *r,
			    const struct clickhouse_when *when)
{
	size_t n_columns = ch_table(CH_SAMPLES)->n_columns;

	ch_put_block(out, n_columns, r->samples.len);
	for (size_t c = 0; c < n_columns; c++) {
		put_column(out, CH_SAMPLES, c);
		for (size_t i = 0; i < r->samples.len; i++)
			put_sample(out, r, when, &r->samples.data[i], (enum samples_column)c);
	}
}

/* --- stacks and functions ------------------------------------------------------------------------- */

static void put_ends(struct buf *out, const struct clickhouse_rows *r, const uint32_t *which,
		     size_t n)
{
	uint64_t end = 0;

	for (size_t i = 0; i < n; i++)
		ch_put_u64(out, end += r->stacks.data[which[i]].n);
}

static void put_stack(struct buf *out, const struct clickhouse_rows *r,
		      const struct clickhouse_when *when, const struct clickhouse_stack *s,
		      enum stacks_column column)
{
	switch (column) {
	case STACKS_service:
		put_text(out, strtab_get(r->texts, s->service));
		break;
	case STACKS_hash:
		ch_put_u64(out, s->hash);
		break;
	case STACKS_day:
		ch_put_u16(out, when->day);
		break;
	case STACKS_funcs:
		for (uint32_t i = 0; i < s->n; i++)
			ch_put_u64(out, r->funcs.data[s->first + i]);
		break;
	case STACKS_lines:
		for (uint32_t i = 0; i < s->n; i++)
			ch_put_u32(out, r->lines.data[s->first + i]);
		break;
	}
}

void clickhouse_put_stacks(struct buf *out, const struct clickhouse_rows *r,
			   const struct clickhouse_when *when, const uint32_t *which, size_t n)
{
	const struct ch_table_def *t = ch_table(CH_STACKS);

	ch_put_block(out, t->n_columns, n);
	for (size_t c = 0; c < t->n_columns; c++) {
		put_column(out, CH_STACKS, c);
		if (t->columns[c].is_array)
			put_ends(out, r, which, n);
		for (size_t i = 0; i < n; i++)
			put_stack(out, r, when, &r->stacks.data[which[i]], (enum stacks_column)c);
	}
}

static void put_function(struct buf *out, const struct clickhouse_when *when,
			 const struct clickhouse_function *f, enum functions_column column)
{
	switch (column) {
	case FUNCTIONS_id:
		ch_put_u64(out, f->id);
		break;
	case FUNCTIONS_func:
		put_text(out, f->func);
		break;
	case FUNCTIONS_module:
		put_text(out, f->module);
		break;
	case FUNCTIONS_file:
		put_text(out, f->file);
		break;
	case FUNCTIONS_build:
		put_text(out, f->build);
		break;
	case FUNCTIONS_day:
		ch_put_u16(out, when->day);
		break;
	}
}

void clickhouse_put_functions(struct buf *out, const struct clickhouse_rows *r,
			      const struct clickhouse_when *when, const uint32_t *which, size_t n)
{
	size_t n_columns = ch_table(CH_FUNCTIONS)->n_columns;

	ch_put_block(out, n_columns, n);
	for (size_t c = 0; c < n_columns; c++) {
		put_column(out, CH_FUNCTIONS, c);
		for (size_t i = 0; i < n; i++)
			put_function(out, when, &r->functions.data[which[i]],
				     (enum functions_column)c);
	}
}

/* --- windows -------------------------------------------------------------------------------------- */

static uint64_t period_ns(const struct profile *p)
{
	bool is_time = !strcmp(profile_text(p, p->period_type.unit), "nanoseconds");

	return is_time && p->period > 0 ? (uint64_t)p->period : 0;
}

void clickhouse_put_window(struct buf *out, const struct clickhouse_rows *r,
			   const struct clickhouse_when *when, uint64_t id)
{
	const struct profile *p = r->p;
	struct quality q = {0};
	size_t c = 0;

#define NUMBER(v) (put_column(out, CH_WINDOWS, c++), ch_put_u64(out, (uint64_t)(v)))
	if (quality_load(&q, p)) {
		quality_release(&q);
		q = (struct quality){0};
	}
	ch_put_block(out, ch_table(CH_WINDOWS)->n_columns, 1);
	put_column(out, CH_WINDOWS, c++);
	put_text(out, when->host);
	put_column(out, CH_WINDOWS, c++);
	ch_put_u32(out, when->time_s);
	NUMBER(id);
	NUMBER(p->time_ns);
	NUMBER(p->duration_ns > 0 ? p->duration_ns : 0);
	NUMBER(period_ns(p));
	NUMBER(q.expected);
	NUMBER(q.idle);
	NUMBER(q.stolen);
	NUMBER(q.filtered);
	NUMBER(q.recorded);
	NUMBER(quality_lost(&q));
	NUMBER(q.user_complete);
	NUMBER(q.user_truncated);
	NUMBER(q.user_missing);
	NUMBER(q.kernel_missing);
	NUMBER(q.frames);
	NUMBER(q.frames_named);
	NUMBER(r->samples.len);
	NUMBER(r->value);
	NUMBER(r->hash_sum);
	put_column(out, CH_WINDOWS, c++);
	put_text(out, KILN_VERSION);
#undef NUMBER
	quality_release(&q);
}
