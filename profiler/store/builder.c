// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/counts.h"
#include "profiler/store/db.h"
#include "profiler/store/order.h"
#include "profiler/store/pack.h"
#include "profiler/store/stage.h"
#include "profiler/store/sums.h"

/* Until all of them are written: fast rather than small. */
#define LEVEL_WAITING 1

struct waiting {
	struct window_row row;
	struct usage_list usage;
	struct buf counts;
};

struct builder {
	struct stage stage;
	VEC(struct waiting) windows;
	size_t bytes; /* of the windows */
	struct packer packer;
};

DEFINE_CLEANUP(builder, builder_free)

static void waiting_release(struct waiting *w)
{
	vec_release(&w->usage.v);
	buf_release(&w->counts);
}

void builder_free(struct builder *b)
{
	if (!b)
		return;
	builder_cut(b, 0);
	vec_release(&b->windows);
	stage_release(&b->stage);
	packer_release(&b->packer);
	free(b);
}

int builder_new(struct builder **out)
{
	_cleanup_(builder_freep) struct builder *b = calloc(1, sizeof(*b));
	int err = b ? stage_init(&b->stage) : -ENOMEM;

	if (!err)
		*out = steal_ptr(b);
	return err;
}

static size_t waiting_bytes(const struct waiting *w)
{
	return sizeof(*w) + w->usage.v.cap * sizeof(*w->usage.v.data) + w->counts.cap;
}

struct stage *builder_stage(struct builder *b)
{
	return &b->stage;
}

static int prepare(struct builder *b, const struct sums *sums, const struct quality *q,
		   struct staged *w)
{
	int err = sums_to_window(sums, &w->window);

	for (size_t i = 0; i < q->blame.len && !err; i++)
		err = dict_add_blame(b->stage.dict, &q->blame.data[i], &w->window);
	counts_sort(&w->window);
	return err ?: stage_sum(&b->stage, w);
}

int builder_add(struct builder *b, int64_t kind, const struct sums *sums, const struct quality *q,
		int64_t begin_unix_ns, int64_t duration_ns)
{
	struct staged w = {.row = {.id = (int64_t)b->windows.len + 1,
				   .begin_unix_ns = begin_unix_ns,
				   .duration_ns = duration_ns,
				   .kind = kind,
				   .quality = *q}};
	struct waiting waiting = {0};
	int err = prepare(b, sums, q, &w);

	memset(&w.row.quality.blame, 0, sizeof(w.row.quality.blame));
	waiting.row = w.row;
	waiting.usage = w.usage;
	w.usage = (struct usage_list){0};
	err = err ?: counts_encode(&b->packer, &waiting.counts, &w.window, LEVEL_WAITING);
	err = err ?: vec_push(&b->windows, waiting);
	staged_release(&w);
	if (err)
		waiting_release(&waiting);
	else
		b->bytes += waiting_bytes(&waiting);
	return err;
}

void builder_cut(struct builder *b, size_t n)
{
	while (b->windows.len > n) {
		struct waiting *w = &b->windows.data[--b->windows.len];

		b->bytes -= waiting_bytes(w);
		waiting_release(w);
	}
}

size_t builder_windows(const struct builder *b)
{
	return b->windows.len;
}

size_t builder_bytes(const struct builder *b)
{
	return b->bytes + stage_bytes(&b->stage);
}

/* --- writing -------------------------------------------------------------------------------------- */

static int mark_windows(struct builder *b, struct dict_order *o)
{
	struct dict_window w = {0};
	int err = 0;

	for (size_t i = 0; i < b->windows.len && !err; i++) {
		const struct buf *counts = &b->windows.data[i].counts;

		err = counts_decode(&b->packer, &w, counts->data, counts->len);
		if (!err)
			order_mark(o, b->stage.dict, &w);
	}
	dict_window_release(&w);
	return err;
}

static int store_window(struct rows *rows, const struct waiting *waiting,
			const struct dict_order *o)
{
	struct buf counts = {0};
	struct dict_window w = {0};
	int err = counts_decode(&rows->packer, &w, waiting->counts.data, waiting->counts.len);

	if (!err) {
		order_renumber(o, &w);
		counts_sort(&w);
	}
	err = err ?: counts_encode(&rows->packer, &counts, &w, PACK_LEVEL_LATER);
	err = err ?: rows_add_usage(rows, waiting->row.id, &waiting->usage);
	err = err ?: rows_add_window(rows, &waiting->row, counts.data, counts.len);
	dict_window_release(&w);
	buf_release(&counts);
	return err;
}

/* Of series only those that a window has. */
static int store_series(const struct builder *b, struct rows *rows)
{
	const struct strtab *series = b->stage.dict->series;
	_cleanup_free_ bool *used = calloc(strtab_count(series), sizeof(*used));
	int err = used ? 0 : -ENOMEM;

	for (size_t i = 0; i < b->windows.len && !err; i++)
		for (size_t j = 0; j < b->windows.data[i].usage.v.len; j++)
			used[b->windows.data[i].usage.v.data[j].series] = true;
	for (uint32_t i = 1; !err && i < strtab_count(series); i++)
		if (used[i])
			err = rows_add_series(rows, i, strtab_get(series, i));
	return err;
}

static int store_all(struct builder *b, struct rows *rows)
{
	_cleanup_(dict_order_freep) struct dict_order *o = NULL;
	int err = order_new(&o, b->stage.dict) ?: mark_windows(b, o);

	err = err ?: order_finish(o, b->stage.dict);
	for (enum section s = 0; s < SECTION_COUNT && !err; s++)
		err = rows_add_section(rows, b->stage.dict, o, s, 0, PACK_LEVEL_LATER);
	err = err ?: store_series(b, rows) ?: stage_store_kinds(&b->stage, rows, 0);
	for (size_t i = 0; i < b->windows.len && !err; i++)
		err = store_window(rows, &b->windows.data[i], o);
	return err;
}

static int store_replaced(sqlite3 *db, const int64_t *ids, size_t n)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	int err = db_prepare(db, "INSERT INTO replaced VALUES(?1)", &s);

	for (size_t i = 0; i < n && !err; i++) {
		sqlite3_bind_int64(s, 1, ids[i]);
		err = db_run(s);
	}
	return err;
}

static int sync_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? -errno : 0;
}

int builder_finish(struct builder *b, const char *path, const struct segment_head *head,
		   const int64_t *replaced, size_t n_replaced)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	struct rows rows = {0};
	int err = db_open(&db, path, DB_BUILD);

	err = err ?: db_exec(db, "BEGIN") ?: schema_create(db, head);
	err = err ?: rows_init(&rows, db) ?: store_all(b, &rows);
	rows_release(&rows);
	err = err ?: store_replaced(db, replaced, n_replaced) ?: db_exec(db, "COMMIT");
	return err ?: sync_file(path);
}
