// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes one sorted table without overlaps of symbol tables (gABI, "Symbol Table"). */
#include "symbolizer/symbols/symtab.h"

#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbols/eh_ranges.h"
#include "symbolizer/symbols/symtab_priv.h"

/* Bytes of names to compare when one of several aliases is chosen. */
#define NAME_COMPARE_MAX 512
/* Reach of a symbol that has no size, no FDE and no symbol behind it. */
#define SIZELESS_MAX 4096
/*
 * The same in a stripped file, where the next symbol may be behind functions that are not exported. So
 * this is the size of an assembler's function, not the distance of symbols: musl's memset has 196
 * bytes on x86-64. Behind it follows __clone, in which every thread has its root.
 */
#define SIZELESS_STRIPPED_MAX 192

/* --- choosing and cutting --------------------------------------------------------------------- */

static const char *loaded_name(const struct symtab *t, const struct symbol *s)
{
	return (const char *)t->sources[s->meta & SYM_SOURCE].loaded + s->name;
}

/* glibc's "__GI_" twins are for its internal calls, so they rank last. */
static size_t leading_underscores(const char *name)
{
	size_t n = strspn(name, "_");

	return n > 8 || !strncmp(name, "__GI_", 5) ? 8 : n;
}

/* Length of a name without a symbol version ("memcpy@@GLIBC_2.14"). */
static size_t bare_len(const char *name)
{
	size_t len = strnlen(name, NAME_COMPARE_MAX);
	const char *at = memchr(name, '@', len);

	return at ? (size_t)(at - name) : len;
}

/* Negative if a is preferred. Equal names (from two tables) compare equal. */
static int compare_names(const struct symtab *t, const struct symbol *a, const struct symbol *b)
{
	const char *x = loaded_name(t, a), *y = loaded_name(t, b);
	size_t ux = leading_underscores(x), uy = leading_underscores(y);
	size_t nx, ny;

	if (x == y)
		return 0;
	if (ux != uy)
		return ux < uy ? -1 : 1;
	nx = bare_len(x);
	ny = bare_len(y);
	if (nx != ny)
		return nx < ny ? -1 : 1;
	return strncmp(x, y, NAME_COMPARE_MAX);
}

/* By start; among aliases the preferred one first. */
static int by_preference(const void *pa, const void *pb, void *ctx)
{
	const struct symbol *a = pa, *b = pb;
	uint32_t ra = a->meta >> SYM_RANK_BIT, rb = b->meta >> SYM_RANK_BIT;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (ra != rb)
		return ra < rb ? -1 : 1;
	if (a->len != b->len)
		return a->len > b->len ? -1 : 1;
	return compare_names(ctx, a, b);
}

/* Of symbols with one start, keeps the preferred one, and behind it the rest of a longer one. */
static void drop_aliases(struct symtab *t)
{
	struct symbol *s = t->symbols.data;
	size_t n = t->symbols.len, out = 0;

	for (size_t i = 0, next; i < n; i = next) {
		size_t longest = i;

		for (next = i + 1; next < n && s[next].start == s[i].start; next++)
			if (s[next].len > s[longest].len && !(s[next].meta & SYM_SIZELESS))
				longest = next;
		if (longest != i && !(s[i].meta & SYM_SIZELESS)) {
			struct symbol outer = s[longest], inner = s[i];

			s[out++] = outer; /* the outer one first: cut_nested() relies on it */
			s[out++] = inner;
		} else {
			s[out++] = s[i];
		}
	}
	t->symbols.len = out;
}

static uint32_t sizeless_len(const struct symtab *t, const struct symbol *s, uint32_t next,
			     const struct eh_ranges *fdes)
{
	uint32_t len = s->len < next - s->start ? s->len : next - s->start;
	uint32_t most = t->lacks_locals ? SIZELESS_STRIPPED_MAX : SIZELESS_MAX;
	uint64_t va = t->base + s->start, start, end;

	if (fdes && !eh_ranges_find(fdes, va, &start, &end))
		return end - va < len ? (uint32_t)(end - va) : len;
	return len < most ? len : most;
}

static void clamp_sizeless(struct symtab *t, const struct eh_ranges *fdes)
{
	struct symbol *s = t->symbols.data;
	size_t n = t->symbols.len, out = 0;
	uint32_t covered = 0; /* symbols with a size reach up to here */

	for (size_t i = 0; i < n; i++) {
		struct symbol sym = s[i];

		if (!(sym.meta & SYM_SIZELESS)) {
			if (sym.start + sym.len > covered)
				covered = sym.start + sym.len;
		} else if (sym.start < covered) {
			continue; /* a label inside a function */
		} else {
			sym.len = sizeless_len(t, &sym, i + 1 < n ? s[i + 1].start : UINT32_MAX,
					       fdes);
		}
		s[out++] = sym;
	}
	t->symbols.len = out;
}

struct cutter {
	VEC(struct symbol) out;
	VEC(struct symbol) open; /* symbols that are entered and not left, innermost last */
	uint32_t pos;		 /* everything before is done */
};

static int emit(struct cutter *c, const struct symbol *s, uint32_t end)
{
	struct symbol piece = *s;
	uint32_t from = c->pos;

	if (end <= from)
		return 0;
	c->pos = end;
	piece.start = from;
	piece.len = end - from;
	return vec_push(&c->out, piece);
}

static int leave_until(struct cutter *c, uint32_t start)
{
	while (c->open.len) {
		struct symbol top = vec_last(&c->open);
		int err;

		if (top.start + top.len > start)
			return emit(c, &top, start);
		err = emit(c, &top, top.start + top.len);
		if (err)
			return err;
		c->open.len--;
	}
	return 0;
}

/* Cuts nested symbols into disjoint pieces, innermost on top. A look-up is then one search. */
static int cut_nested(struct symtab *t)
{
	struct cutter c = {0};
	int err = 0;

	for (size_t i = 0; i < t->symbols.len && !err; i++) {
		err = leave_until(&c, t->symbols.data[i].start)
			      ?: vec_push(&c.open, t->symbols.data[i]);
		if (t->symbols.data[i].start > c.pos)
			c.pos = t->symbols.data[i].start;
	}
	err = err ?: leave_until(&c, UINT32_MAX);
	vec_release(&c.open);
	if (err) {
		vec_release(&c.out);
		return err;
	}
	vec_release(&t->symbols);
	t->symbols.data = c.out.data;
	t->symbols.len = c.out.len;
	t->symbols.cap = c.out.cap;
	return 0;
}

static void trim(struct symtab *t)
{
	size_t n = t->symbols.len;
	struct symbol *p = realloc(t->symbols.data, (n ?: 1) * sizeof(*p));

	if (!p)
		return;
	t->symbols.data = p;
	t->symbols.cap = n ?: 1;
}

static int finish(struct symtab *t, const struct eh_ranges *fdes)
{
	if (t->symbols.len)
		qsort_r(t->symbols.data, t->symbols.len, sizeof(*t->symbols.data), by_preference,
			t);
	drop_aliases(t);
	clamp_sizeless(t, fdes);
	return cut_nested(t);
}

/* --- loading ---------------------------------------------------------------------------------- */

static uint64_t text_base(const struct elf_obj *obj)
{
	size_t n;
	const struct elf_segment *segs = elf_obj_segments(obj, &n);

	for (size_t i = 0; i < n; i++)
		if (segs[i].exec)
			return segs[i].va;
	return 0;
}

DEFINE_CLEANUP(symtab, symtab_free)

int symtab_load(struct symtab **out, struct elf_obj *main, struct elf_obj *debug,
		const struct eh_ranges *fdes, int *problem)
{
	_cleanup_(symtab_freep) struct symtab *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	*problem = 0;
	t->base = text_base(main);
	t->span = UINT64_MAX - t->base < UINT32_MAX ? UINT64_MAX - t->base : UINT32_MAX;
	err = symtab_collect(t, main, debug, problem) ?: finish(t, fdes)
		?: symtab_tolerate(symtab_add_plt(t, main), problem);
	if (err)
		return err;
	symtab_unload_sources(t);
	trim(t);
	*out = steal_ptr(t);
	return 0;
}
