// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/unwind/unwind_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/descriptors.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/unwind/table_entries.h"
#include "profiler/unwind/table_loader.h"

#define BUDGET_BYTES (32u << 20)
#define MAX_FILES    65537 /* files of the file table, and the vDSO */
#define MAX_QUEUE    256
#define HOT_NS	     1000000000ull
#define RETRY_NS     1000000000ull
/* A table without users counts as walked so much earlier. Not more: the next compiler may start
 * soon. */
#define UNMAPPED_NS 60000000000ull
/* A table of code made at run time is renewed this often at most. */
#define RENEWAL_NS 50000000ull
/* Interval of looking which tables were used by walks. */
#define HARVEST_NS 100000000ull
#define SLACK_NS   1000000000ull

#define FILE_NOBODY UINT32_MAX

struct leaving {
	uint32_t slot;
	size_t bytes;
};

/* News for the caller: evicted slots, and files whose state has changed. There is room for every
 * slot, and for every file that can come, go, or do both between two polls. */
struct news {
	VEC(struct leaving) leaving;
	VEC(uint32_t) files;
};

struct unwind_tables {
	struct unwind_tables_opts opts;
	struct table_loader *loader;
	struct table_entries entries;
	uint32_t at_slot[UNWIND_TABLES_MAX]; /* file that is loaded in each slot, or FILE_NOBODY */
	size_t bytes, n_loaded;		     /* of loaded tables that stay */
	size_t promised, n_promised;	     /* room reserved for queued tables */
	uint64_t now_ns, harvested_ns, slack_ns;
	struct news news, reported; /* news since the last poll, and news of that poll */
	struct unwind_tables_stats stats;
};

/* --- entries ---------------------------------------------------------------------------------- */

static struct table_entry *find(const struct unwind_tables *t, uint32_t file)
{
	return table_entries_find(&t->entries, file);
}

static uint32_t users_of(const struct unwind_tables *t, uint32_t file)
{
	return t->opts.users ? t->opts.users(t->opts.users_ctx, file) : 0;
}

static bool is_mapped(void *ctx, const struct table_entry *e)
{
	return users_of(ctx, e->file) > 0;
}

/* The entry of a file. Makes it if needed; NULL on -ENOSPC or -ENOMEM. */
static struct table_entry *entry_of(struct unwind_tables *t, uint32_t file)
{
	struct table_entry *e = find(t, file);

	if (e)
		return e;
	if (t->entries.all.len >= t->opts.max_files)
		table_entries_keep(&t->entries, is_mapped, t);
	if (t->entries.all.len >= t->opts.max_files) {
		t->stats.files_full++;
		return NULL;
	}
	return table_entries_add(&t->entries, file);
}

/* --- which are worth their memory ------------------------------------------------------------- */

/* Notes which tables walks have used since the last time. */
static void harvest(struct unwind_tables *t)
{
	t->harvested_ns = t->now_ns;
	for (uint32_t slot = 0; t->opts.walked && slot < t->opts.max_tables; slot++) {
		if (!t->opts.walked[slot])
			continue;
		t->opts.walked[slot] = 0;
		if (t->at_slot[slot] != FILE_NOBODY)
			unwind_tables_touch(t, t->at_slot[slot]);
	}
}

struct candidate {
	uint64_t worth; /* time of the last walk, earlier without users */
	uint32_t file;
	bool is_hot, is_mapped;
};

static int order(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->worth < y->worth ? -1 : x->worth > y->worth;
}

struct candidates {
	VEC(struct candidate) v;
};

/* Lists all loaded tables, the first one to evict first. */
static void rank(struct unwind_tables *t, struct candidates *c)
{
	harvest(t);
	if (vec_reserve(&c->v, t->n_loaded))
		return; /* out of memory: evicts none */
	for (uint32_t slot = 0; slot < t->opts.max_tables; slot++) {
		const struct table_entry *e;
		struct candidate *one;

		if (t->at_slot[slot] == FILE_NOBODY)
			continue;
		e = find(t, t->at_slot[slot]);
		one = &c->v.data[c->v.len++];
		*one = (struct candidate){.file = e->file, .worth = e->used_ns};
		one->is_mapped = users_of(t, e->file);
		/* a blob that was handed out since the last poll stays until the next one */
		one->is_hot = e->used_ns == t->now_ns ||
			      (one->is_mapped && t->now_ns - e->used_ns < t->opts.hot_ns);
		if (!one->is_mapped)
			one->worth -= UNMAPPED_NS < one->worth ? UNMAPPED_NS : one->worth;
	}
	if (c->v.len)
		qsort(c->v.data, c->v.len, sizeof(*c->v.data), order);
}

static void report(struct unwind_tables *t, uint32_t file)
{
	t->news.files.data[t->news.files.len++] = file;
}

/* Takes a table from its file. */
static void let_go(struct unwind_tables *t, struct table_entry *e)
{
	struct leaving l = {e->table->slot, e->table->bytes};

	t->news.leaving.data[t->news.leaving.len++] = l;
	t->at_slot[l.slot] = FILE_NOBODY;
	t->bytes -= l.bytes;
	t->n_loaded--;
	kernel_table_free(steal_ptr(e->table));
}

static void evict(struct unwind_tables *t, struct table_entry *e)
{
	let_go(t, e);
	e->state = TABLE_EVICTED;
	t->stats.evicted++;
	report(t, e->file);
}

static bool is_over(const struct unwind_tables *t, size_t bytes, size_t n)
{
	return t->bytes + t->promised + bytes > t->opts.budget_bytes ||
	       t->n_loaded + t->n_promised + n > t->opts.max_tables;
}

/* Evicts until so much more fits. Evicts recently used tables only with `must`. */
static bool make_room(struct unwind_tables *t, size_t bytes, size_t n, bool must)
{
	struct candidates c = {0};

	if (!is_over(t, bytes, n))
		return true;
	rank(t, &c);
	for (size_t i = 0; i < c.v.len && is_over(t, bytes, n); i++)
		if (must || !c.v.data[i].is_hot)
			evict(t, find(t, c.v.data[i].file));
	vec_release(&c.v);
	return !is_over(t, bytes, n);
}

/* Keeps some room free for new tables: evicts tables without users and recent walks before all
 * is full. */
static void keep_slack(struct unwind_tables *t)
{
	struct candidates c = {0};
	size_t bytes = t->opts.budget_bytes / 8;
	uint32_t n = t->opts.max_tables / 8;

	if (!is_over(t, bytes, n) || t->now_ns - t->slack_ns < SLACK_NS)
		return;
	t->slack_ns = t->now_ns;
	rank(t, &c);
	for (size_t i = 0; i < c.v.len && is_over(t, bytes, n); i++) {
		struct table_entry *e = find(t, c.v.data[i].file);

		if (!c.v.data[i].is_mapped && t->now_ns - e->used_ns > UNMAPPED_NS)
			evict(t, e);
	}
	vec_release(&c.v);
}

/* --- the caller's side ------------------------------------------------------------------------ */

static void set_defaults(struct unwind_tables_opts *o)
{
	o->budget_bytes = o->budget_bytes ?: BUDGET_BYTES;
	o->max_tables = o->max_tables ?: UNWIND_TABLES_MAX;
	o->max_files = o->max_files ?: MAX_FILES;
	o->max_queue = o->max_queue ?: descriptors_share(MAX_QUEUE);
	o->hot_ns = o->hot_ns ?: HOT_NS;
}

static int make_news(struct news *n, const struct unwind_tables_opts *o)
{
	return vec_reserve(&n->leaving, o->max_tables)
		       ?: vec_reserve(&n->files, o->max_tables + 2ul * o->max_queue);
}

int unwind_tables_new(struct unwind_tables **out, const struct unwind_tables_opts *opts)
{
	struct unwind_tables *t = calloc(1, sizeof(*t));
	struct table_loader_opts loader;
	int err;

	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	set_defaults(&t->opts);
	t->now_ns = monotonic_ns();
	memset(t->at_slot, 0xff, sizeof(t->at_slot)); /* FILE_NOBODY */
	loader = (struct table_loader_opts){
		.map_fd = t->opts.map_fd,
		.budget_bytes = t->opts.budget_bytes,
		.max_tables = t->opts.max_tables,
		.max_queue = t->opts.max_queue,
		.cache_dir = t->opts.cache_dir,
		.compiler = t->opts.compiler,
	};
	err = make_news(&t->news, &t->opts) ?:
	      make_news(&t->reported, &t->opts) ?:
	      table_loader_new(&t->loader, &loader);
	if (err) {
		unwind_tables_free(t);
		return err;
	}
	*out = t;
	return 0;
}

static void free_news(struct news *n)
{
	vec_release(&n->leaving);
	vec_release(&n->files);
}

void unwind_tables_free(struct unwind_tables *t)
{
	if (!t)
		return;
	table_loader_free(t->loader);
	for (size_t i = 0; i < t->entries.all.len; i++)
		kernel_table_free(t->entries.all.data[i].table);
	table_entries_release(&t->entries);
	free_news(&t->news);
	free_news(&t->reported);
	free(t);
}

enum unwind_table_state unwind_tables_state(const struct unwind_tables *t, uint32_t file)
{
	const struct table_entry *e = find(t, file);

	return e ? e->state : TABLE_UNKNOWN;
}

int unwind_tables_error(const struct unwind_tables *t, uint32_t file)
{
	const struct table_entry *e = find(t, file);

	return e && e->state == TABLE_NONE ? e->err : 0;
}

static int refuse(struct unwind_tables *t, struct table_entry *e)
{
	e->retry_ns = e->bytes > t->opts.budget_bytes ? UINT64_MAX : t->now_ns + RETRY_NS;
	t->stats.no_room++;
	return -ENOSPC;
}

static int request(struct unwind_tables *t, struct table_entry *e, const struct sym_file *what)
{
	uint64_t now = boottime_ns();
	int err = table_loader_add(t->loader, e->file, what, e->bytes);

	if (err)
		return err;
	e->asked_ns = now;
	t->promised += e->bytes;
	t->n_promised += e->bytes > 0;
	return 0;
}

int unwind_tables_want(struct unwind_tables *t, uint32_t file, const struct sym_file *what)
{
	struct table_entry *e = entry_of(t, file);
	int err;

	if (!e || t->now_ns < e->retry_ns)
		return -ENOSPC;
	if (e->state == TABLE_QUEUED || e->state == TABLE_LOADED || e->is_renewed)
		return 0;
	if (e->bytes && !make_room(t, e->bytes, 1, false))
		return refuse(t, e);
	err = request(t, e, what);
	if (!err)
		e->state = TABLE_QUEUED;
	return err;
}

bool unwind_tables_may_renew(const struct unwind_tables *t, uint32_t file)
{
	const struct table_entry *e = find(t, file);

	return e && !e->is_renewed && boottime_ns() >= e->renewal_ns &&
	       (e->state == TABLE_LOADED || (e->state == TABLE_NONE && e->err == -EAGAIN));
}

int unwind_tables_renew(struct unwind_tables *t, uint32_t file, const struct sym_file *what)
{
	struct table_entry *e = find(t, file);
	int err = e ? request(t, e, what) : -ENOENT;

	if (!err)
		e->is_renewed = true;
	return err;
}

bool unwind_tables_is_as_new(const struct unwind_tables *t, uint32_t file, uint64_t since_ns,
			     uint32_t written)
{
	const struct table_entry *e = find(t, file);
	const struct unwind_head *head = e && e->table ? e->table->blob : NULL;

	return head && (e->as_of_ns >= since_ns || (written && written == head->jit_written));
}

bool unwind_tables_has_queue(struct unwind_tables *t)
{
	size_t queued;

	table_loader_pending(t->loader, &queued);
	return queued < t->opts.max_queue / 2;
}

bool unwind_tables_get(const struct unwind_tables *t, uint32_t file, uint64_t file_off,
		       uint32_t *slot, uint64_t *va_minus_off)
{
	const struct table_entry *e = find(t, file);
	const struct kernel_table *k = e ? e->table : NULL;

	for (uint32_t i = 0; k && i < k->n_segs; i++) {
		/* a mapping begins on a page, which may be before the segment */
		uint64_t from = k->segs[i].off & ~4095ull;

		if (file_off - from < k->segs[i].off - from + k->segs[i].len) {
			*slot = k->slot;
			*va_minus_off = k->segs[i].va_minus_off;
			return true;
		}
	}
	return false;
}

bool unwind_tables_find_code(const struct unwind_tables *t, uint32_t file, uint64_t elf_va,
			     uint32_t *slot, uint64_t *file_off)
{
	const struct table_entry *e = find(t, file);
	const struct kernel_table *k = e ? e->table : NULL;

	for (uint32_t i = 0; k && i < k->n_segs; i++) {
		uint64_t off = elf_va - k->segs[i].va_minus_off;

		if (off - k->segs[i].off < k->segs[i].len) {
			*slot = k->slot;
			*file_off = off;
			return true;
		}
	}
	return false;
}

void unwind_tables_touch(struct unwind_tables *t, uint32_t file)
{
	struct table_entry *e = find(t, file);

	if (e)
		e->used_ns = t->now_ns;
}

const void *unwind_tables_blob(const struct unwind_tables *t, uint32_t file)
{
	const struct table_entry *e = find(t, file);

	return e && e->table ? e->table->blob : NULL;
}

void unwind_tables_hurry(struct unwind_tables *t, uint32_t file)
{
	table_loader_hurry(t->loader, file);
}

static void count_refused(struct unwind_tables *t, struct table_entry *e,
			  const struct unwind_head *head)
{
	if (head->jit_refused > e->jit_refused)
		t->stats.jit_refused += head->jit_refused - e->jit_refused;
	e->jit_refused = head->jit_refused;
}

static void take_loaded(struct unwind_tables *t, struct table_entry *e, struct kernel_table *table)
{
	if (e->table)
		let_go(t, e);
	count_refused(t, e, table->blob);
	e->as_of_ns = e->asked_ns;
	e->state = TABLE_LOADED;
	e->table = table;
	t->at_slot[table->slot] = e->file;
	t->bytes += table->bytes;
	t->n_loaded++;
	if (t->opts.walked)
		t->opts.walked[table->slot] = 0;
}

/* Handles a table that came when there was no room. It can be requested again when there is. */
static void take_homeless(struct unwind_tables *t, struct table_entry *e, int err)
{
	if (e->table) {
		t->stats.no_room++;
		return; /* the older one stays */
	}
	e->state = TABLE_EVICTED;
	if (err == -EBUSY || !make_room(t, e->bytes, 1, false))
		refuse(t, e);
}

static void take_none(struct unwind_tables *t, struct table_entry *e, int err)
{
	if (e->table)
		let_go(t, e);
	t->stats.none += e->state != TABLE_NONE;
	t->stats.failed += err == -ECONNABORTED;
	e->state = TABLE_NONE;
	e->err = err;
}

/* Reading a jitdump again takes a tenth of the thread's time at most. */
static void end_renewal(struct table_entry *e)
{
	uint64_t now = boottime_ns(), took = now - e->asked_ns;

	e->renewal_ns = now + (took > RENEWAL_NS / 10 ? took * 10 : RENEWAL_NS);
	e->is_renewed = false;
}

static void take(struct unwind_tables *t, const struct loaded *l)
{
	struct table_entry *e = find(t, l->file); /* queued files are never forgotten */
	bool had_table = e->table;

	t->promised -= e->bytes;
	t->n_promised -= e->bytes > 0;
	e->bytes = l->bytes ?: e->bytes;
	e->err = 0;
	e->used_ns = t->now_ns;
	if (l->table)
		take_loaded(t, e, l->table);
	else if (l->err == -ENOSPC || l->err == -EBUSY)
		take_homeless(t, e, l->err);
	else
		take_none(t, e, l->err);
	end_renewal(e);
	if (!had_table || !e->table)
		report(t, l->file);
}

/* Reports what was evicted so far. What is evicted from now on is reported, and may be released,
 * after the next poll. */
static void report_all(struct unwind_tables *t)
{
	struct news *reported = &t->reported, *news = &t->news;

	for (size_t i = 0; i < news->leaving.len; i++)
		reported->leaving.data[reported->leaving.len++] = news->leaving.data[i];
	if (news->files.len)
		memcpy(reported->files.data, news->files.data,
		       news->files.len * sizeof(*news->files.data));
	reported->files.len = news->files.len;
	news->leaving.len = news->files.len = 0;
}

size_t unwind_tables_poll(struct unwind_tables *t, uint32_t **files)
{
	struct loaded l;

	t->now_ns = monotonic_ns();
	if (t->now_ns - t->harvested_ns >= HARVEST_NS)
		harvest(t);
	for (uint32_t i = 0; i < t->opts.max_queue && table_loader_next(t->loader, &l); i++)
		take(t, &l);
	make_room(t, 0, 0, true); /* tables of unknown size may have come */
	keep_slack(t);
	report_all(t);
	*files = t->reported.files.data;
	return t->reported.files.len;
}

void unwind_tables_release(struct unwind_tables *t)
{
	for (size_t i = 0; i < t->reported.leaving.len; i++)
		table_loader_empty(t->loader, t->reported.leaving.data[i].slot,
				   t->reported.leaving.data[i].bytes);
	t->reported.leaving.len = 0;
}

struct known {
	bool (*fn)(void *ctx, uint32_t file);
	void *ctx;
};

static bool is_known(void *ctx, const struct table_entry *e)
{
	const struct known *k = ctx;

	return k->fn(k->ctx, e->file);
}

void unwind_tables_forget(struct unwind_tables *t, bool (*known)(void *ctx, uint32_t file),
			  void *ctx)
{
	struct known k = {known, ctx};

	for (size_t i = 0; i < t->entries.all.len; i++) {
		struct table_entry *e = &t->entries.all.data[i];

		if (e->state == TABLE_LOADED && !known(ctx, e->file))
			evict(t, e);
	}
	table_entries_keep(&t->entries, is_known, &k);
}

bool unwind_tables_settle(struct unwind_tables *t, int timeout_ms)
{
	return table_loader_settle(t->loader, timeout_ms);
}

void unwind_tables_stats(struct unwind_tables *t, struct unwind_tables_stats *out)
{
	struct table_loader_stats l;

	table_loader_stats(t->loader, &l);
	*out = t->stats;
	out->loaded = t->n_loaded;
	out->bytes = l.bytes;
	out->files = t->entries.all.len;
	out->queue_full = l.queue_full;
	out->cache = l.cache;
}
