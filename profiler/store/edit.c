// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/edit.h"

#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"
#include "profiler/store/counts.h"
#include "profiler/store/db.h"
#include "profiler/store/dict.h"
#include "profiler/store/pack.h"
#include "profiler/store/reader.h"
#include "profiler/store/restore.h"
#include "profiler/store/rows.h"

/* A window as it is to be: the writer's own numbers stay. */
struct changed {
	struct window_row row;
	struct usage_list gone; /* sums of the samples that are left out */
	struct buf counts;
};

struct edit {
	sqlite3 *db;
	struct reader *reader;
	struct restorer *restorer;
	struct packer packer;
	VEC(int64_t) doomed; /* ids of windows that go altogether */
	VEC(struct changed) changed;
	uint64_t removed;
};

static void edit_release(struct edit *e)
{
	for (size_t i = 0; i < e->changed.len; i++) {
		vec_release(&e->changed.data[i].gone.v);
		buf_release(&e->changed.data[i].counts);
	}
	vec_release(&e->changed);
	vec_release(&e->doomed);
	packer_release(&e->packer);
	restorer_free(e->restorer);
	reader_close(e->reader);
}

/* --- what is to change: nothing is written while rows are read -------------------------------------- */

static int note_gone(struct edit *e, struct changed *c, const struct kind_info *kind,
		     uint32_t labelset, const int64_t *values)
{
	const struct dict_labelset *l = reader_record(e->reader, SECTION_LABELSETS, labelset);
	struct usage u = {.series = l ? l->series : 0};

	u.samples = kind->samples_type < 0 ? 0 : values[kind->samples_type];
	u.cpu_ns = kind->cpu_type < 0 ? 0 : values[kind->cpu_type];
	c->gone.samples = saturating_sum(c->gone.samples, u.samples);
	c->gone.cpu_ns = saturating_sum(c->gone.cpu_ns, u.cpu_ns);
	return vec_push(&c->gone.v, u);
}

/* Takes unwanted samples out of w. */
static int filter(struct edit *e, struct changed *c, struct dict_window *w)
{
	struct kind_info kind;
	size_t n = 0;
	int err = restorer_kind(e->restorer, c->row.kind, &kind);

	if (!err && kind.n_types != w->n_types)
		err = -EBADMSG;
	for (size_t i = 0; i < w->samples.len && !err; i++) {
		struct dict_sample *s = &w->samples.data[i];
		int wanted = restorer_wants(e->restorer, s->labelset);

		if (wanted > 0)
			w->samples.data[n++] = *s;
		else if (!wanted)
			err = note_gone(e, c, &kind, s->labelset, w->values.data + s->first_value);
		else
			err = wanted;
	}
	w->samples.len = n;
	return err;
}

static void account(struct changed *c)
{
	struct quality *q = &c->row.quality;
	uint64_t n = c->gone.samples > 0 ? (uint64_t)c->gone.samples : 0;

	n = n > q->recorded ? q->recorded : n;
	q->recorded -= n;
	q->filtered += n;
	c->row.samples -= c->gone.samples;
	c->row.cpu_ns -= c->gone.cpu_ns;
}

static int note_changed(struct edit *e, const struct window_row *row)
{
	struct changed c = {.row = *row};
	struct dict_window w = {0};
	int err = reader_samples(e->reader, &w) ?: filter(e, &c, &w);

	if (!err && c.gone.v.len) {
		account(&c);
		e->removed += (uint64_t)c.gone.samples;
		err = counts_encode(&e->packer, &c.counts, &w, PACK_LEVEL_NOW)
			      ?: vec_push(&e->changed, c);
	}
	if (err || !c.gone.v.len) {
		vec_release(&c.gone.v);
		buf_release(&c.counts);
	}
	dict_window_release(&w);
	return err;
}

static int find_changes(struct edit *e, int64_t since_ns, int64_t until_ns, bool all)
{
	struct window_row w;
	int err = 0, got;

	while (!err && (got = reader_next(e->reader, &w))) {
		if (got < 0)
			return got;
		if (w.begin_unix_ns < since_ns || w.begin_unix_ns >= until_ns)
			continue;
		if (all)
			e->removed += (uint64_t)w.samples;
		err = all ? vec_push(&e->doomed, w.id) : note_changed(e, &w);
	}
	return err;
}

/* --- changing it ---------------------------------------------------------------------------------- */

static int run_for(sqlite3_stmt *s, int64_t id)
{
	sqlite3_bind_int64(s, 1, id);
	return db_run(s);
}

static int delete_windows(struct edit *e)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *window = NULL, *usage = NULL;
	int err = db_prepare(e->db, "DELETE FROM windows WHERE id = ?1", &window);

	err = err ?: db_prepare(e->db, "DELETE FROM usage WHERE window = ?1", &usage);
	for (size_t i = 0; i < e->doomed.len && !err; i++)
		err = run_for(window, e->doomed.data[i]) ?: run_for(usage, e->doomed.data[i]);
	return err;
}

static int lessen_usage(sqlite3_stmt *s, const struct changed *c)
{
	int err = 0;

	for (size_t i = 0; i < c->gone.v.len && !err; i++) {
		const struct usage *u = &c->gone.v.data[i];

		sqlite3_bind_int64(s, 1, c->row.id);
		sqlite3_bind_int64(s, 2, u->series);
		sqlite3_bind_int64(s, 3, u->samples);
		sqlite3_bind_int64(s, 4, u->cpu_ns);
		err = db_run(s);
	}
	return err;
}

static int replace_windows(struct edit *e)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *remove = NULL, *add = NULL, *lessen = NULL;
	int err = db_prepare(e->db, "DELETE FROM windows WHERE id = ?1", &remove);

	err = err ?: schema_prepare_insert(e->db, &add);
	/* Of a cpu_ns that is not there NULL is left. */
	err = err
		      ?: db_prepare(e->db,
				    "UPDATE usage SET samples = samples - ?3, cpu_ns = cpu_ns - ?4 "
				    "WHERE window = ?1 AND series = ?2",
				    &lessen);
	for (size_t i = 0; i < e->changed.len && !err; i++) {
		struct changed *c = &e->changed.data[i];

		err = run_for(remove, c->row.id) ?: schema_bind_window(add, &c->row);
		err = err ?: schema_bind_counts(add, c->counts.data, c->counts.len);
		err = err ?: db_run(add) ?: lessen_usage(lessen, c);
	}
	return err ?: db_exec(e->db, "DELETE FROM usage WHERE samples = 0");
}

int edit_remove(const char *path, int64_t since_ns, int64_t until_ns, const struct where *where,
		uint64_t *removed)
{
	const struct restore_opts keep = {.labels = {.where = where, .drops = true}};
	_cleanup_(db_closep) sqlite3 *db = NULL;
	struct dict *labels = dict_new();
	struct edit e = {0};
	int err = labels ? db_open(&db, path, DB_WRITE) : -ENOMEM;

	e.db = db;
	err = err ?: db_exec(db, "BEGIN IMMEDIATE") ?: reader_over(&e.reader, db);
	err = err ?: restorer_new(&e.restorer, e.reader, labels, &keep);
	err = err ?: find_changes(&e, since_ns, until_ns, !where);
	restorer_free(e.restorer);
	reader_close(e.reader); /* its statements end here */
	e.restorer = NULL;
	e.reader = NULL;
	err = err ?: delete_windows(&e) ?: replace_windows(&e) ?: db_exec(db, "COMMIT");
	if (!err)
		*removed += e.removed;
	edit_release(&e);
	dict_free(labels);
	return err;
}
