// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/rows.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"
#include "profiler/store/db.h"
#include "profiler/store/kind.h"

/* A chunk is read as a whole: large enough to compress well, small enough to be read for a few of its
 * things. */
#define CHUNK_THINGS 16384
#define CHUNK_TEXT   (512u << 10)

int rows_init(struct rows *r, sqlite3 *db)
{
	int err;

	*r = (struct rows){.db = db};
	err = schema_prepare_insert(db, &r->window);
	err = err ?: db_prepare(db, "INSERT INTO usage VALUES(?1, ?2, ?3, ?4)", &r->usage);
	err = err ?: db_prepare(db, "INSERT INTO series VALUES(?1, ?2, ?3, ?4, ?5)", &r->series);
	err = err ?: db_prepare(db, "INSERT INTO kinds VALUES(?1, ?2, ?3, ?4)", &r->kind);
	return err
		       ?: db_prepare(db,
				     "INSERT INTO dictionary(section, first, count, data) "
				     "VALUES(?1, ?2, ?3, ?4)",
				     &r->dictionary);
}

void rows_release(struct rows *r)
{
	sqlite3_finalize(r->window);
	sqlite3_finalize(r->usage);
	sqlite3_finalize(r->series);
	sqlite3_finalize(r->kind);
	sqlite3_finalize(r->dictionary);
	packer_release(&r->packer);
	*r = (struct rows){0};
}

/* --- sums by series ------------------------------------------------------------------------------- */

static int compare_usage(const void *va, const void *vb)
{
	const struct usage *a = va, *b = vb;

	return a->series < b->series ? -1 : a->series > b->series;
}

/* Several label sets are of one series: those that differ in their process, say. */
static void join_usage(struct usage_list *l)
{
	size_t n = 0;

	if (l->v.len)
		qsort(l->v.data, l->v.len, sizeof(*l->v.data), compare_usage);
	for (size_t i = 0; i < l->v.len; i++) {
		struct usage *last = n ? &l->v.data[n - 1] : NULL;

		if (last && last->series == l->v.data[i].series) {
			last->samples = saturating_sum(last->samples, l->v.data[i].samples);
			last->cpu_ns = saturating_sum(last->cpu_ns, l->v.data[i].cpu_ns);
		} else {
			l->v.data[n++] = l->v.data[i];
		}
	}
	l->v.len = n;
}

int usage_sum(struct usage_list *out, const struct dict *d, const struct dict_window *w,
	      const struct kind_info *kind)
{
	*out = (struct usage_list){.period = kind->period};
	for (size_t i = 0; i < w->samples.len; i++) {
		const struct dict_sample *s = &w->samples.data[i];
		const int64_t *values = w->values.data + s->first_value;
		struct usage u = {.series = d->labelsets.data[s->labelset].series};

		u.samples = kind->samples_type < 0 ? 0 : values[kind->samples_type];
		u.cpu_ns = kind->cpu_type < 0 ? 0 : values[kind->cpu_type];
		out->samples = saturating_sum(out->samples, u.samples);
		out->cpu_ns = saturating_sum(out->cpu_ns, u.cpu_ns);
		if (vec_push(&out->v, u)) {
			vec_release(&out->v);
			return -ENOMEM;
		}
	}
	join_usage(out);
	return 0;
}

/* --- rows ----------------------------------------------------------------------------------------- */

int rows_add_window(struct rows *r, const struct window_row *w, const void *counts, size_t len)
{
	return schema_bind_window(r->window, w) ?: schema_bind_counts(r->window, counts, len) ?:
	       db_run(r->window);
}

int rows_add_usage(struct rows *r, int64_t window, const struct usage_list *usage)
{
	int err = 0;

	for (size_t i = 0; i < usage->v.len && !err; i++) {
		const struct usage *u = &usage->v.data[i];
		int64_t expected;

		sqlite3_bind_int64(r->usage, 1, window);
		sqlite3_bind_int64(r->usage, 2, u->series);
		sqlite3_bind_int64(r->usage, 3, u->samples);
		if (!__builtin_mul_overflow(u->samples, usage->period, &expected) &&
		    expected == u->cpu_ns)
			sqlite3_bind_null(r->usage, 4);
		else
			sqlite3_bind_int64(r->usage, 4, u->cpu_ns);
		err = db_run(r->usage);
	}
	return err;
}

int rows_add_series(struct rows *r, uint32_t id, const char *text)
{
	struct series_label l;
	int n = 0, err = 0;

	while (!err && series_next(&text, &l)) {
		sqlite3_bind_int64(r->series, 1, id);
		sqlite3_bind_int64(r->series, 2, n++);
		sqlite3_bind_text64(r->series, 3, l.key, l.key_len, SQLITE_STATIC, SQLITE_UTF8);
		sqlite3_bind_null(r->series, l.is_number ? 4 : 5);
		if (l.is_number && !l.value_len)
			sqlite3_bind_null(r->series, 5);
		else
			sqlite3_bind_text64(r->series, l.is_number ? 5 : 4, l.value, l.value_len,
					    SQLITE_STATIC, SQLITE_UTF8);
		err = db_run(r->series);
	}
	return err;
}

int rows_add_kind(struct rows *r, int64_t id, const char *types, int64_t period, const void *header,
		  size_t len)
{
	sqlite3_bind_int64(r->kind, 1, id);
	sqlite3_bind_text(r->kind, 2, types, -1, SQLITE_STATIC);
	sqlite3_bind_int64(r->kind, 3, period);
	sqlite3_bind_blob64(r->kind, 4, header, len, SQLITE_STATIC);
	return db_run(r->kind);
}

/* How many things from `first` on make a chunk. */
static uint32_t chunk_things(const struct dict *d, const struct dict_order *o, enum section s,
			     uint32_t first, uint32_t end)
{
	uint32_t most = end - first > CHUNK_THINGS ? CHUNK_THINGS : end - first;
	size_t text = 0;

	for (uint32_t i = 0; s == SECTION_STRINGS && i < most; i++) {
		text += strlen(strtab_get(d->strings, o ? o->old_of[s][first + i] : first + i));
		if (text > CHUNK_TEXT)
			return i + 1;
	}
	return most;
}

static int add_chunk(struct rows *r, enum section s, uint32_t first, uint32_t count,
		     const struct buf *data)
{
	sqlite3_bind_int64(r->dictionary, 1, s);
	sqlite3_bind_int64(r->dictionary, 2, first);
	sqlite3_bind_int64(r->dictionary, 3, count);
	sqlite3_bind_blob64(r->dictionary, 4, data->data, data->len, SQLITE_STATIC);
	return db_run(r->dictionary);
}

int rows_add_section(struct rows *r, const struct dict *d, const struct dict_order *order,
		     enum section s, uint32_t first, int level)
{
	uint32_t end = order ? order->count[s] : dict_count(d, s), count;
	struct buf data = {0};
	int err = 0;

	for (; first < end && !err; first += count) {
		count = chunk_things(d, order, s, first, end);
		buf_clear(&data);
		err = chunk_encode(&r->packer, &data, d, order, s, first, count, level);
		err = err ?: add_chunk(r, s, first, count, &data);
	}
	buf_release(&data);
	return err;
}
