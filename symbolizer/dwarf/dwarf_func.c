// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_func.h"
#include "symbolizer/dwarf/dwarf_ranges.h"

#define NO_FUNC UINT32_MAX

struct scope {
	uint32_t die;	 /* relative to the unit's start */
	uint32_t parent; /* index of the enclosing scope; scope 0 is the function */
};

/* Most functions are asked for one address only. So the first look-up searches the spans, and
 * the second builds a map. */
struct inlines {
	struct spans spans; /* of scopes; empty once the map exists */
	struct segmap map;  /* address to scope */
	bool asked, mapped;
	struct scope *scopes;
	size_t n;
};

struct func {
	uint32_t die, end; /* the DIE with its children, relative to the unit's start */
	struct inlines *inlines;
};

struct funcs {
	struct segmap map; /* address to function */
	struct func *list;
	size_t n, bytes;
};

/* --- walking over DIEs ------------------------------------------------------------------------ */

struct walk {
	const struct abbrevs *abbrevs;
	const uint8_t *base, *p, *end; /* base: the unit's start */
	const uint8_t *die;	       /* start of the current DIE */
	unsigned depth;		       /* of the current DIE, relative to the first */
	bool bad;
};

enum walked { WALK_DIE, WALK_CLOSE, WALK_END };

static inline uint64_t walk_code(struct walk *w)
{
	struct bytes b = {w->p, w->end, false};
	uint64_t code;

	if (*w->p < 0x80)
		return *w->p++;
	code = bytes_uleb(&b);
	w->p = b.p;
	w->bad |= b.bad;
	return code;
}

/* On WALK_DIE the caller steps over the attributes and then calls walk_enter(). On WALK_CLOSE
 * the children of the DIE at w->depth are complete. */
static inline enum walked walk_next(struct walk *w, const struct abbrev **decl)
{
	uint64_t code;

	if (w->bad || w->p >= w->end)
		return WALK_END;
	w->die = w->p;
	code = walk_code(w);
	if (!code) {
		if (!w->depth)
			return WALK_END;
		w->depth--;
		return WALK_CLOSE;
	}
	*decl = abbrevs_find(w->abbrevs, code);
	w->bad |= !*decl;
	return w->bad ? WALK_END : WALK_DIE;
}

static inline void walk_skip(struct walk *w, const struct abbrev *decl)
{
	const uint8_t *p = abbrev_skip(w->abbrevs, decl, w->p, w->end);

	w->bad |= !p;
	w->p = p ?: w->end;
}

static bool walk_pick(struct walk *w, const struct abbrev *decl, uint64_t unit_off, struct die *die)
{
	struct bytes b = {w->p, w->end, false};

	if (!abbrev_pick(w->abbrevs, decl, &b, unit_off + (w->die - w->base), w->die, die))
		w->bad = true;
	w->p = b.p;
	return !w->bad;
}

/* Walks the bytes [from, to) of the unit. */
static int walk_init(struct walk *w, struct cu *cu, uint32_t from, uint32_t to)
{
	struct sect *info = &cu->file->sect[SECT_INFO];
	struct bytes b = sect_view(info, cu->unit.off + from, to - from);

	if (b.bad || bytes_left(&b) < to - from)
		return info->oom ? -ENOMEM : to - from > SECT_VIEW_BYTES_MAX ? -EFBIG : -EBADMSG;
	if (!work_spend(cu->file->work, to - from))
		cu->limited = true;
	*w = (struct walk){
		.abbrevs = cu->abbrevs,
		.base = b.p - from,
		.p = b.p,
		.end = b.p + (to - from),
	};
	return 0;
}

/* --- the functions of a unit -------------------------------------------------------------------- */

/* A subprogram whose children are being walked. */
struct open_func {
	unsigned depth;
	uint32_t die, func;
	bool pc;
};

struct scan {
	struct cu *cu;
	struct walk w;
	struct open_func open[DWARF_DEPTH_MAX];
	size_t n_open;
	VEC(struct func) list;
	struct spans spans;
};

static void scan_release(struct scan *s)
{
	vec_release(&s->list);
	vec_release(&s->spans);
}

static int new_func(struct scan *s, uint32_t die, uint32_t *id)
{
	*id = (uint32_t)s->list.len;
	/* The real end is set when the DIE closes. A unit that breaks off keeps this one. */
	return vec_push(&s->list, (struct func){.die = die, .end = s->cu->unit.len});
}

static int scan_subprogram(struct scan *s, const struct abbrev *decl)
{
	uint32_t at = (uint32_t)(s->w.die - s->w.base), id = NO_FUNC;
	struct die die;
	int err = 0;

	if (decl->pc) {
		if (!walk_pick(&s->w, decl, s->cu->unit.off, &die))
			return 0;
		err = new_func(s, at, &id) ?: ranges_add(s->cu, &die, id, &s->spans);
	} else {
		walk_skip(&s->w, decl);
	}
	if (!decl->children) {
		if (id != NO_FUNC)
			s->list.data[id].end = (uint32_t)(s->w.p - s->w.base);
	} else if (s->n_open < DWARF_DEPTH_MAX) {
		s->open[s->n_open++] = (struct open_func){s->w.depth, at, id, decl->pc};
	} else {
		s->cu->limited = true;
	}
	return err;
}

/*
 * A subprogram without an address of its own may have inlined parts with addresses. It gets those.
 */
static int scan_stray_inlined(struct scan *s, const struct abbrev *decl, struct open_func *in)
{
	struct die die;

	if (!walk_pick(&s->w, decl, s->cu->unit.off, &die))
		return 0;
	if (in->func == NO_FUNC && new_func(s, in->die, &in->func))
		return -ENOMEM;
	return ranges_add(s->cu, &die, in->func, &s->spans);
}

static int scan_die(struct scan *s, const struct abbrev *decl)
{
	struct open_func *in = s->n_open ? &s->open[s->n_open - 1] : NULL;

	if (decl->kind == KIND_SUBPROGRAM)
		return scan_subprogram(s, decl);
	if (decl->kind == KIND_INLINED && decl->pc && in && !in->pc)
		return scan_stray_inlined(s, decl, in);
	walk_skip(&s->w, decl);
	return 0;
}

static void scan_close(struct scan *s)
{
	struct open_func *in = s->n_open ? &s->open[s->n_open - 1] : NULL;

	if (!in || in->depth != s->w.depth)
		return;
	if (in->func != NO_FUNC)
		s->list.data[in->func].end = (uint32_t)(s->w.p - s->w.base);
	s->n_open--;
}

static int scan_unit(struct scan *s)
{
	const struct abbrev *decl;
	enum walked what;
	int err = 0;

	while (!err && (what = walk_next(&s->w, &decl)) != WALK_END) {
		if (what == WALK_CLOSE) {
			scan_close(s);
			continue;
		}
		if (decl->kind == KIND_OTHER)
			walk_skip(&s->w, decl);
		else
			err = scan_die(s, decl);
		s->w.depth += decl->children;
	}
	return err;
}

int funcs_load(struct funcs **out, struct cu *cu)
{
	_cleanup_(scan_release) struct scan s = {.cu = cu};
	struct funcs *f;
	int err = walk_init(&s.w, cu, cu->unit.die_off, cu->unit.len) ?: scan_unit(&s);

	if (err)
		return err;
	if (s.w.bad && !s.list.len)
		return -EBADMSG;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	err = segmap_build(&f->map, &s.spans, s.list.len, SEG_HIGHEST);
	if (err) {
		free(f);
		return err;
	}
	f->n = s.list.len;
	f->list = s.list.data;
	f->bytes = sizeof(*f) + segmap_bytes(&f->map) + s.list.cap * sizeof(*f->list);
	s.list.data = NULL;
	*out = f;
	return 0;
}

/* --- calls inlined into one function -------------------------------------------------------------- */

struct open_scope {
	unsigned depth;
	uint32_t scope;
};

struct tree {
	struct cu *cu;
	struct walk w;
	struct open_scope open[DWARF_DEPTH_MAX];
	size_t n_open;
	unsigned skip_below; /* depth of a nested subprogram, whose children are skipped; 0: none */
	VEC(struct scope) scopes;
	struct spans spans;
};

static void tree_release(struct tree *t)
{
	vec_release(&t->scopes);
	vec_release(&t->spans);
}

static int tree_inlined(struct tree *t, const struct abbrev *decl)
{
	uint32_t id = (uint32_t)t->scopes.len, parent = t->open[t->n_open - 1].scope;
	uint32_t at = (uint32_t)(t->w.die - t->w.base);
	struct die die;

	if (t->n_open == DWARF_DEPTH_MAX) {
		t->cu->limited = true;
		walk_skip(&t->w, decl);
		return 0;
	}
	if (!decl->pc)
		walk_skip(&t->w, decl);
	else if (!walk_pick(&t->w, decl, t->cu->unit.off, &die))
		return 0;
	if (vec_push(&t->scopes, (struct scope){at, parent}))
		return -ENOMEM;
	if (decl->children)
		t->open[t->n_open++] = (struct open_scope){t->w.depth, id};
	return decl->pc ? ranges_add(t->cu, &die, id, &t->spans) : 0;
}

static int tree_die(struct tree *t, const struct abbrev *decl)
{
	if (!t->skip_below && decl->kind == KIND_INLINED)
		return tree_inlined(t, decl);
	if (!t->skip_below && decl->kind == KIND_SUBPROGRAM && decl->children && t->w.depth)
		t->skip_below = t->w.depth;
	walk_skip(&t->w, decl);
	return 0;
}

static void tree_close(struct tree *t)
{
	if (t->skip_below == t->w.depth)
		t->skip_below = 0;
	else if (t->n_open > 1 && t->open[t->n_open - 1].depth == t->w.depth)
		t->n_open--;
}

static int tree_walk(struct tree *t)
{
	const struct abbrev *decl;
	enum walked what;
	int err = 0;

	t->open[t->n_open++] = (struct open_scope){0, 0};
	err = vec_push(&t->scopes, (struct scope){(uint32_t)(t->w.p - t->w.base), 0});
	while (!err && (what = walk_next(&t->w, &decl)) != WALK_END) {
		if (what == WALK_CLOSE) {
			tree_close(t);
			continue;
		}
		err = tree_die(t, decl);
		t->w.depth += decl->children;
	}
	return err;
}

static void inlines_free(struct inlines *in)
{
	if (!in)
		return;
	vec_release(&in->spans);
	segmap_release(&in->map);
	free(in->scopes);
	free(in);
}

static size_t inlines_bytes(const struct inlines *in)
{
	return sizeof(*in) + in->spans.cap * sizeof(*in->spans.data) + segmap_bytes(&in->map) +
	       in->n * sizeof(*in->scopes);
}

static int inlines_load(struct inlines **out, struct cu *cu, const struct func *func)
{
	_cleanup_(tree_release) struct tree t = {.cu = cu};
	struct inlines *in;
	int err = walk_init(&t.w, cu, func->die, func->end) ?: tree_walk(&t);

	if (err)
		return err;
	in = calloc(1, sizeof(*in));
	if (!in)
		return -ENOMEM;
	in->n = t.scopes.len;
	in->scopes = realloc(t.scopes.data, in->n * sizeof(*in->scopes)) ?: t.scopes.data;
	t.scopes.data = NULL;
	in->spans = t.spans;
	t.spans = (struct spans){0};
	*out = in;
	return 0;
}

static int get_inlines(struct funcs *f, struct cu *cu, struct func *func)
{
	int err;

	if (func->inlines)
		return 0;
	err = inlines_load(&func->inlines, cu, func);
	if (err)
		return err;
	f->bytes += inlines_bytes(func->inlines);
	return 0;
}

static int get_map(struct funcs *f, struct inlines *in)
{
	int err;

	if (in->mapped)
		return 0;
	err = segmap_build(&in->map, &in->spans, in->n, SEG_HIGHEST);
	if (err)
		return err;
	in->mapped = true;
	f->bytes -= in->spans.cap * sizeof(*in->spans.data);
	f->bytes += segmap_bytes(&in->map);
	vec_release(&in->spans);
	return 0;
}

/* Answers as the map would: of the scopes that have the address, the highest number. */
static uint32_t look_through(const struct spans *spans, uint64_t va)
{
	uint32_t scope = 0;

	for (size_t i = 0; i < spans->len; i++) {
		const struct span *x = &spans->data[i];

		if (x->low <= va && va < x->high && x->id > scope)
			scope = x->id;
	}
	return scope;
}

/* The innermost scope that has the address; 0: the function. */
static int find_scope(struct funcs *f, struct inlines *in, uint64_t va, uint32_t *scope)
{
	int err;

	if (!in->mapped && !in->asked) {
		in->asked = true;
		*scope = look_through(&in->spans, va);
		return 0;
	}
	err = get_map(f, in);
	if (err)
		return err;
	*scope = segmap_find(&in->map, va);
	*scope = *scope == SEG_NONE ? 0 : *scope;
	return 0;
}

int funcs_chain(struct funcs *f, struct cu *cu, uint64_t va, uint64_t chain[DWARF_DEPTH_MAX])
{
	uint32_t id = segmap_find(&f->map, va), scope;
	struct func *func;
	int n = 0, err;

	if (id == SEG_NONE)
		return 0;
	func = &f->list[id];
	err = get_inlines(f, cu, func) ?: find_scope(f, func->inlines, va, &scope);
	if (err)
		return err;
	for (; scope; scope = func->inlines->scopes[scope].parent)
		chain[n++] = cu->unit.off + func->inlines->scopes[scope].die;
	chain[n++] = cu->unit.off + func->die;
	return n;
}

static int each_scope(const struct inlines *in, uint64_t low, uint64_t high, uint32_t func,
		      funcs_each_fn fn, void *ctx)
{
	size_t i = segmap_at(&in->map, low);
	uint32_t scope;
	int err = 0;

	while (low < high && !err) {
		uint64_t end = segmap_step(&in->map, &i, high, &scope);

		err = fn(ctx, low, func, scope == SEG_NONE ? 0 : scope);
		low = end;
	}
	return err;
}

int funcs_each(struct funcs *f, struct cu *cu, uint64_t low, uint64_t high, funcs_each_fn fn,
	       void *ctx)
{
	size_t i = segmap_at(&f->map, low);
	uint32_t id;
	int err = 0;

	while (low < high && !err) {
		uint64_t end = segmap_step(&f->map, &i, high, &id);

		if (id != SEG_NONE)
			err = get_inlines(f, cu, &f->list[id]) ?: get_map(f, f->list[id].inlines);
		if (err == -ENOMEM)
			return err;
		if (id == SEG_NONE || err) /* unreadable: same answer as funcs_chain() */
			err = fn(ctx, low, FUNCS_NONE, 0);
		else
			err = each_scope(f->list[id].inlines, low, end, id, fn, ctx);
		low = end;
	}
	return err;
}

size_t funcs_count(const struct funcs *f)
{
	return f->n;
}

size_t funcs_scopes(const struct funcs *f, uint32_t func)
{
	return f->list[func].inlines->n;
}

uint64_t funcs_scope(const struct funcs *f, const struct cu *cu, uint32_t func, uint32_t scope,
		     uint32_t *parent)
{
	const struct scope *s = &f->list[func].inlines->scopes[scope];

	*parent = s->parent;
	return cu->unit.off + (scope ? s->die : f->list[func].die);
}

size_t funcs_bytes(const struct funcs *f)
{
	return f ? f->bytes : 0;
}

void funcs_free(struct funcs *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		inlines_free(f->list[i].inlines);
	segmap_release(&f->map);
	free(f->list);
	free(f);
}
