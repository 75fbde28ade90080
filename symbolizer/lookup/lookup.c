// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/lookup/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/descriptors.h"
#include "profiler/base/sort.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/lookup/jit_resolve.h"
#include "symbolizer/lines/line_cache.h"
#include "symbolizer/lookup/object.h"

#define CACHE_BYTES_DEFAULT (64ul << 20)
/* The share of the cache for one file's DWARF reader, and the room to make before it is used: it also
 * holds parts of compressed sections. */
#define DWARF_SHARE(cache) ((cache) / 4)
#define DWARF_ROOM(cache)  ((cache) / 8 * 3)
/* After so many freed bytes, memory is given back to the kernel. */
#define TRIM_BYTES (16ul << 20)
/* Each holds one to four descriptors. */
#define OBJECTS_MAX 128
/* Addresses to work on at a time. Bounds the memory of one call. */
#define BATCH_MAX 131072

struct entry {
	struct object *object;
	struct file_identity identity;
	uint64_t last_used; /* in calls */
	uint64_t used_ns;
	size_t bytes;
	unsigned limit_hits; /* already counted */
};

struct lookup {
	bool names_only, discriminators;
	size_t cache_bytes;
	struct debug_opener opener;
	const struct line_store *lines; /* NULL: no tables */
	const char *const *dirs;	/* the default ones, or own_dirs */
	char **own_dirs;
	VEC(struct entry) entries;
	uint64_t clock;
	struct symbolizer_stats stats;
};

static const char *const default_dirs[] = {"/usr/lib/debug", NULL};

static void free_dirs(char **dirs)
{
	for (size_t i = 0; dirs && dirs[i]; i++)
		free(dirs[i]);
	free(dirs);
}

/* NULL: the default ones. */
static int copy_dirs(struct lookup *s, const char *const *dirs)
{
	size_t n = 0;

	s->dirs = default_dirs;
	if (!dirs)
		return 0;
	while (dirs[n])
		n++;
	s->own_dirs = calloc(n + 1, sizeof(*s->own_dirs));
	for (size_t i = 0; s->own_dirs && i < n; i++) {
		s->own_dirs[i] = strdup(dirs[i]);
		if (!s->own_dirs[i])
			return -ENOMEM;
	}
	s->dirs = (const char *const *)s->own_dirs;
	return s->own_dirs ? 0 : -ENOMEM;
}

DEFINE_CLEANUP(lookup, lookup_free)

int lookup_new(struct lookup **out, const struct symbolizer_opts *opts)
{
	_cleanup_(lookup_freep) struct lookup *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->names_only = opts->names_only;
	s->discriminators = opts->discriminators;
	s->cache_bytes = opts->cache_bytes ?: CACHE_BYTES_DEFAULT;
	s->opener = (struct debug_opener){.find = opts->find_debug, .ctx = opts->find_ctx};
	err = copy_dirs(s, opts->debug_dirs);
	if (err)
		return err;
	*out = steal_ptr(s);
	return 0;
}

void lookup_free(struct lookup *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->entries.len; i++)
		object_free(s->entries.data[i].object);
	vec_release(&s->entries);
	free_dirs(s->own_dirs);
	free(s);
}

void lookup_set_opener(struct lookup *s, const struct debug_opener *opener)
{
	s->opener = *opener;
}

void lookup_set_lines(struct lookup *s, const struct line_store *lines)
{
	s->lines = lines;
}

/* --- cache ------------------------------------------------------------------------------------ */

static struct entry *find(struct lookup *s, const struct file_identity *identity)
{
	for (size_t i = 0; i < s->entries.len; i++)
		if (file_identity_equal(&s->entries.data[i].identity, identity))
			return &s->entries.data[i];
	return NULL;
}

static void drop_entry(struct lookup *s, size_t i)
{
	s->stats.bytes -= s->entries.data[i].bytes;
	s->stats.evictions++;
	object_free(s->entries.data[i].object);
	s->entries.data[i] = vec_last(&s->entries);
	s->entries.len--;
}

void lookup_forget(struct lookup *s)
{
	while (s->entries.len)
		drop_entry(s, s->entries.len - 1);
}

void lookup_rest(struct lookup *s)
{
	uint64_t now = monotonic_ns();

	for (size_t i = s->entries.len; i-- > 0;)
		if (now - s->entries.data[i].used_ns > SYMBOLIZER_IDLE_NS)
			drop_entry(s, i);
}

static size_t coldest(const struct lookup *s)
{
	size_t found = 0;

	for (size_t i = 1; i < s->entries.len; i++)
		if (s->entries.data[i].last_used < s->entries.data[found].last_used)
			found = i;
	return found;
}

/* Drops the least recently used others, so that the cap is not exceeded by much while this file's DWARF is
 * read. Most files have none, or a line table in its place: who makes room for a reader that never comes parses
 * the others again and again. Entries may move. */
static int make_room(struct lookup *s, struct entry **e, const struct debug_search *search)
{
	struct object *used = (*e)->object;
	size_t keep = s->cache_bytes - DWARF_ROOM(s->cache_bytes);
	bool reads_dwarf;
	int err = object_reads_dwarf(&reads_dwarf, used, search);

	while (!err && reads_dwarf && s->entries.len > 1 && s->stats.bytes - (*e)->bytes > keep) {
		drop_entry(s, coldest(s));
		for (*e = s->entries.data; (*e)->object != used; (*e)++)
			;
	}
	return err;
}

/* Counts an entry again after use, and drops the least recently used others until all fit. If
 * one file alone exceeds the cap, its excess is freed after the call. */
static void settle_entry(struct lookup *s, struct entry *e)
{
	struct object *used = e->object;

	s->stats.limit_hits += object_limit_hits(e->object) - e->limit_hits;
	e->limit_hits = object_limit_hits(e->object);
	s->stats.bytes -= e->bytes;
	e->bytes = object_bytes(e->object);
	s->stats.bytes += e->bytes;
	if (s->stats.bytes > s->stats.bytes_peak)
		s->stats.bytes_peak = s->stats.bytes;
	while (s->stats.bytes > s->cache_bytes && s->entries.len > 1)
		drop_entry(s, coldest(s));
	e = &s->entries.data[0];
	if (s->stats.bytes <= s->cache_bytes || e->object != used)
		return;
	object_shrink(used);
	s->stats.bytes = e->bytes = object_bytes(used);
	if (e->bytes > s->cache_bytes)
		drop_entry(s, 0);
}

static void settle(struct lookup *s, struct entry *e)
{
	size_t before = s->stats.bytes - e->bytes + object_bytes(e->object);

	settle_entry(s, e);
	if (before - s->stats.bytes >= TRIM_BYTES)
		malloc_trim(0);
}

static enum sym_reason reason_of(int err)
{
	switch (err) {
	case -ENOEXEC:
	case -EINVAL:
		return SYM_NOT_ELF;
	case -EBADMSG:
		return SYM_MALFORMED;
	case -EFBIG:
		return SYM_LIMIT;
	default:
		return SYM_NO_FILE;
	}
}

static int add_entry(struct lookup *s, struct object *object, const struct file_identity *identity)
{
	while (s->entries.len >= descriptors_share(OBJECTS_MAX))
		drop_entry(s, coldest(s));
	return vec_push(&s->entries, (struct entry){.object = object, .identity = *identity});
}

/* Opens a file that is not in the cache. *reason is set if it cannot be used. */
static int open_entry(struct lookup *s, const struct sym_query *q,
		      const struct file_identity *identity, struct entry **out,
		      enum sym_reason *reason)
{
	const struct sym_file *file = q->file;
	struct object *object;
	int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
	int err = fd < 0 ? -errno
			 : object_open(&object, fd, s->names_only || q->names_only,
				       DWARF_SHARE(s->cache_bytes));

	s->stats.files_opened++;
	if (err) {
		*reason = reason_of(err);
		return err == -ENOMEM ? err : 0;
	}
	if (s->discriminators)
		object_want_discriminators(object);
	err = add_entry(s, object, identity);
	if (err) {
		object_free(object);
		return err;
	}
	*out = &vec_last(&s->entries);
	return 0;
}

static bool is_replaced(const struct sym_file *file, const struct entry *e)
{
	return file->build_id && file->build_id->len &&
	       !build_id_equal(file->build_id, elf_obj_build_id(object_elf(e->object)));
}

/* 0 with *out set, or with *out NULL and *reason set; or -ENOMEM. */
static int get_entry(struct lookup *s, const struct sym_query *q, struct entry **out,
		     enum sym_reason *reason)
{
	const struct sym_file *file = q->file;
	struct file_identity identity;
	int err = 0;

	sym_file_identity(file, &identity);
	*out = find(s, &identity);
	if (*out)
		s->stats.cache_hits++;
	else if (file->fd < 0)
		*reason = SYM_NO_FILE;
	else
		err = open_entry(s, q, &identity, out, reason);
	if (err || !*out)
		return err;
	(*out)->last_used = ++s->clock;
	(*out)->used_ns = monotonic_ns();
	if (is_replaced(file, *out)) {
		*out = NULL;
		*reason = SYM_REPLACED;
	}
	return 0;
}

/* --- resolving -------------------------------------------------------------------------------- */

struct call {			 /* one sorted batch; results carry the caller's indices */
	struct sort_item *asked; /* address, the caller's index */
	uint64_t *va;
	size_t n;
	sym_result_fn fn;
	void *ctx;
};

static void pass_on(void *ctx, size_t i, const struct sym_result *result)
{
	struct call *c = ctx;

	c->fn(c->ctx, c->asked[i].value, result);
}

/* Neighbours in a file share symbols, blocks of lines and names. In ascending order these stay
 * cached. In random order nearly every address would miss. */
static void sort_call(struct call *c)
{
	bool sorted = true;

	for (size_t i = 1; i < c->n && sorted; i++)
		sorted = c->asked[i - 1].key <= c->asked[i].key;
	if (!sorted)
		sort_items(c->asked, c->n);
	for (size_t i = 0; i < c->n; i++)
		c->va[i] = c->asked[i].key;
}

/* Collects the ELF addresses of [from, from + n). Answers those without one at once. */
static int fill_call(struct call *c, const struct object *o, const char *module,
		     const struct sym_query *q, size_t from, size_t n)
{
	c->n = 0;
	for (size_t i = from; i < from + n; i++) {
		uint64_t va = q->addr[i];
		int err;

		if (q->offsets && !object_va_of_off(o, va, &va)) {
			err = sym_answer_bare(i, q->addr[i], SYM_NO_SYMBOL, module, c->fn, c->ctx);
			if (err)
				return err;
			continue;
		}
		c->asked[c->n++] = (struct sort_item){va, i};
	}
	sort_call(c);
	return 0;
}

static struct debug_search search_for(const struct lookup *s, const struct sym_query *q)
{
	return (struct debug_search){
		.root_fd = q->file->root_fd,
		.path = q->file->path,
		.dirs = s->dirs,
		.limits = object_limits(s->names_only || q->names_only),
		.opener = &s->opener,
		.lines = s->lines,
	};
}

static int resolve_in(struct entry *e, const struct debug_search *search, const struct sym_query *q,
		      const char *module, sym_result_fn fn, void *ctx)
{
	size_t cap = q->n < BATCH_MAX ? q->n : BATCH_MAX;
	_cleanup_free_ struct sort_item *asked = malloc(cap * sizeof(*asked) + 1);
	_cleanup_free_ uint64_t *va = malloc(cap * sizeof(*va) + 1);
	struct call c = {.asked = asked, .va = va, .fn = fn, .ctx = ctx};
	int err = 0;

	if (!asked || !va)
		return -ENOMEM;
	for (size_t from = 0; from < q->n && !err; from += cap) {
		size_t part = q->n - from < cap ? q->n - from : cap;

		err = fill_call(&c, e->object, module, q, from, part);
		if (!err && c.n)
			err = object_resolve(e->object, search, module, va, c.n, pass_on, &c);
	}
	return err;
}

static int resolve_names(struct lookup *s, const struct sym_query *q, sym_result_fn fn, void *ctx)
{
	_cleanup_(buf_release) struct buf module = {0};
	enum sym_reason reason = SYM_OK;
	struct debug_search search;
	struct entry *e;
	int err;

	lookup_rest(s);
	err = sym_module_name(&module, q->file->path) ?: get_entry(s, q, &e, &reason);

	if (err)
		return err;
	s->stats.lookups += q->n;
	if (e) {
		search = search_for(s, q);
		err = make_room(s, &e, &search)
			      ?: resolve_in(e, &search, q, buf_cstr(&module), fn, ctx);
		settle(s, e);
		return err;
	}
	for (size_t i = 0; i < q->n && !err; i++)
		err = sym_answer_bare(i, q->addr[i], reason, buf_cstr(&module), fn, ctx);
	return err;
}

int lookup_resolve(struct lookup *s, const struct sym_query *q, sym_result_fn fn, void *ctx)
{
	return q->kind == QUERY_NAMES ? resolve_names(s, q, fn, ctx) : jit_resolve(q, fn, ctx);
}

int lookup_build(struct lookup *s, const struct sym_query *q)
{
	struct debug_search search = search_for(s, q);
	_cleanup_close_ int fd = -1;
	enum sym_reason reason;
	struct entry *e;
	int err = get_entry(s, q, &e, &reason);

	if (err || !e || !s->lines)
		return err ?: -ENOENT;
	fd = s->lines->ask(s->lines->ctx, LINE_CREATE, elf_obj_build_id(object_elf(e->object)));
	if (fd < 0)
		return fd;
	err = object_build_table(e->object, &search, fd);
	settle(s, e);
	return err;
}

int lookup_segment(struct lookup *s, const struct sym_file *file, uint64_t elf_va,
		   struct elf_segment *seg)
{
	struct sym_query q = {.file = file};
	enum sym_reason reason;
	const struct elf_segment *found;
	struct entry *e;
	int err = get_entry(s, &q, &e, &reason);

	if (err)
		return err;
	found = e ? elf_obj_segment_at_va(object_elf(e->object), elf_va) : NULL;
	if (!found || !found->exec)
		return -ENOENT;
	*seg = *found;
	return 0;
}

int lookup_segments(struct lookup *s, const struct sym_file *file, const struct elf_segment **segs,
		    size_t *n)
{
	struct sym_query q = {.file = file};
	enum sym_reason reason;
	struct entry *e;
	int err = get_entry(s, &q, &e, &reason);

	*segs = NULL;
	*n = 0;
	if (!err && e)
		*segs = elf_obj_segments(object_elf(e->object), n);
	return err;
}

void lookup_stats(const struct lookup *s, struct symbolizer_stats *out)
{
	*out = s->stats;
}
