// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/name_cache.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"

#define NO_STRING UINT32_MAX

struct entry {
	uint64_t file_off, elf_va, seg_va, seg_len, seg_off;
	uint32_t file, first_line, n_lines;
	uint8_t as, is_root;
};

struct line {
	uint32_t name, raw_name, file; /* strings, or NO_STRING */
	uint32_t line, start_line;
};

struct generation {
	struct strtab *strings; /* NULL: still empty */
	VEC(struct entry) entries;
	VEC(struct line) lines;
	struct htab index;
	size_t moved; /* entries that the younger generation has, too */
};

struct name_cache {
	size_t max_bytes;
	struct generation young, old;
	VEC(struct cached_line) answer; /* memory of the last answer of name_cache_find() */
	struct name_cache_stats stats;
};

static void generation_release(struct generation *g)
{
	strtab_free(g->strings);
	vec_release(&g->entries);
	vec_release(&g->lines);
	htab_release(&g->index);
	*g = (struct generation){0};
}

static size_t generation_bytes(const struct generation *g)
{
	return (g->strings ? strtab_bytes(g->strings) : 0) +
	       g->entries.cap * sizeof(*g->entries.data) + g->lines.cap * sizeof(*g->lines.data) +
	       g->index.cap * sizeof(*g->index.slots);
}

int name_cache_new(struct name_cache **out, size_t max_bytes)
{
	struct name_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->max_bytes = max_bytes ?: NAME_CACHE_BYTES;
	*out = c;
	return 0;
}

void name_cache_free(struct name_cache *c)
{
	if (!c)
		return;
	name_cache_clear(c);
	vec_release(&c->answer);
	free(c);
}

void name_cache_clear(struct name_cache *c)
{
	generation_release(&c->young);
	generation_release(&c->old);
}

static uint64_t key_hash(uint32_t file, uint64_t file_off)
{
	return hash_mix(hash_u64(file), file_off);
}

struct needle {
	const struct generation *g;
	uint32_t file;
	uint64_t file_off;
};

static bool entry_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;
	const struct entry *e = &n->g->entries.data[id];

	return e->file == n->file && e->file_off == n->file_off;
}

static const struct entry *find_in(const struct generation *g, uint32_t file, uint64_t file_off)
{
	struct needle n = {g, file, file_off};
	uint32_t id = htab_find(&g->index, key_hash(file, file_off), entry_eq, &n);

	return id == HTAB_NONE ? NULL : &g->entries.data[id];
}

static const char *text_of(const struct generation *g, uint32_t id)
{
	return id == NO_STRING ? NULL : strtab_get(g->strings, id);
}

/* Fills *out from an entry; false when out of memory. */
static bool lend(struct name_cache *c, const struct generation *g, const struct entry *e,
		 struct cached_name *out)
{
	if (vec_reserve(&c->answer, e->n_lines))
		return false;
	for (uint32_t i = 0; i < e->n_lines; i++) {
		const struct line *l = &g->lines.data[e->first_line + i];

		c->answer.data[i] = (struct cached_line){
			text_of(g, l->name), text_of(g, l->raw_name), text_of(g, l->file), l->line,
			l->start_line,
		};
	}
	*out = (struct cached_name){
		.elf_va = e->elf_va,
		.seg_va = e->seg_va,
		.seg_len = e->seg_len,
		.seg_off = e->seg_off,
		.as = e->as,
		.is_root = e->is_root,
		.lines = c->answer.data,
		.n_lines = e->n_lines,
	};
	return true;
}

static int add_string(struct generation *g, const char *s, uint32_t *id)
{
	*id = NO_STRING;
	return s ? strtab_add(g->strings, s, id) : 0;
}

static int add_lines(struct generation *g, const struct cached_name *name)
{
	int err = vec_reserve(&g->lines, g->lines.len + name->n_lines);

	for (size_t i = 0; i < name->n_lines && !err; i++) {
		const struct cached_line *from = &name->lines[i];
		struct line l = {.line = from->line, .start_line = from->start_line};

		err = add_string(g, from->name, &l.name) ?:
		      add_string(g, from->raw_name, &l.raw_name) ?:
		      add_string(g, from->file, &l.file);
		g->lines.data[g->lines.len + i] = l;
	}
	return err;
}

static int add_to(struct generation *g, uint32_t file, uint64_t file_off,
		  const struct cached_name *name)
{
	struct entry e = {
		.file_off = file_off,
		.elf_va = name->elf_va,
		.seg_va = name->seg_va,
		.seg_len = name->seg_len,
		.seg_off = name->seg_off,
		.file = file,
		.first_line = (uint32_t)g->lines.len,
		.n_lines = (uint32_t)name->n_lines,
		.as = name->as,
		.is_root = name->is_root,
	};
	int err;

	if (!g->strings)
		g->strings = strtab_new();
	if (!g->strings)
		return -ENOMEM;
	err = add_lines(g, name) ?:
	      vec_reserve(&g->entries, g->entries.len + 1) ?:
	      htab_insert(&g->index, key_hash(file, file_off), (uint32_t)g->entries.len);
	if (err)
		return err;
	g->entries.data[g->entries.len++] = e;
	g->lines.len += name->n_lines;
	return 0;
}

static void drop_old(struct name_cache *c)
{
	c->stats.dropped += c->old.entries.len - c->old.moved;
	generation_release(&c->old);
}

/* After every addition, because tables double and their next size is not known before. */
static void keep_cap(struct name_cache *c)
{
	size_t young = generation_bytes(&c->young);

	if (young < c->max_bytes / 2 && young + generation_bytes(&c->old) <= c->max_bytes)
		return;
	drop_old(c);
	c->old = c->young;
	c->young = (struct generation){0};
	if (young > c->max_bytes)
		drop_old(c);
}

/* Moves an entry from the older generation to the younger. */
static void move_over(struct name_cache *c, uint32_t file, uint64_t file_off)
{
	const struct entry *e = find_in(&c->old, file, file_off);
	struct cached_name name;

	if (!e || !lend(c, &c->old, e, &name))
		return;
	c->old.moved += !add_to(&c->young, file, file_off, &name);
	keep_cap(c);
}

bool name_cache_find(struct name_cache *c, uint32_t file, uint64_t file_off,
		     struct cached_name *out)
{
	const struct generation *g = &c->young;
	const struct entry *e = find_in(g, file, file_off);
	bool found;

	if (!e) {
		move_over(c, file, file_off);
		e = find_in(g, file, file_off);
	}
	if (!e) { /* not moved: out of memory, or its generation has become the older one */
		g = &c->old;
		e = find_in(g, file, file_off);
	}
	found = e && lend(c, g, e, out);
	c->stats.hits += found;
	c->stats.misses += !found;
	return found;
}

void name_cache_add(struct name_cache *c, uint32_t file, uint64_t file_off,
		    const struct cached_name *name)
{
	add_to(&c->young, file, file_off, name);
	keep_cap(c);
}

void name_cache_stats(const struct name_cache *c, struct name_cache_stats *out)
{
	*out = c->stats;
	out->bytes = generation_bytes(&c->young) + generation_bytes(&c->old);
	out->entries = c->young.entries.len + c->old.entries.len - c->old.moved;
}
