// SPDX-License-Identifier: GPL-2.0-or-later
/* Look-ups in the table. Layouts: runtime/symtab.go and runtime/runtime2.go (_func) of each
 * release. */
#include <errno.h>
#include <stdlib.h>

#include "symbolizer/go/gopclntab_priv.h"

/* internal/abi/symtab.go: PCDATA_InlTreeIndex and FUNCDATA_InlTree, the same since 1.16. */
enum { PCDATA_INLINED = 2, FUNCDATA_INLINED = 3 };
/* Longest pair of numbers of an address table. */
#define PAIR_BYTES 20

/* --- functions ---------------------------------------------------------------------------------- */

/* Addresses are 32-bit offsets since 1.18, full addresses before. */
static unsigned word_size(const struct gopclntab *t)
{
	return t->version >= GO_1_18 ? 4 : 8;
}

bool go_entry(struct gopclntab *t, uint64_t i, uint64_t *va)
{
	unsigned size = word_size(t);

	if (!sect_uint(&t->tab.sect, t->functab + i * 2 * size, size, va))
		return false;
	if (t->version >= GO_1_18)
		*va += t->text;
	return true;
}

bool go_func_read(struct gopclntab *t, uint64_t i, struct go_func *f)
{
	unsigned size = word_size(t);
	uint64_t off, at;
	const uint8_t *start;
	struct bytes b;

	if (!go_entry(t, i, &f->entry) ||
	    !sect_uint(&t->tab.sect, t->functab + i * 2 * size + size, size, &off) ||
	    __builtin_add_overflow(t->funcs, off, &at))
		return false;
	b = sect_view(&t->tab.sect, at, 64);
	start = b.p;
	bytes_skip(&b, size); /* entry address, a second time */
	f->name = bytes_u32(&b);
	bytes_skip(&b, 4 + 4); /* arguments, deferreturn */
	f->pcsp = bytes_u32(&b);
	f->pcfile = bytes_u32(&b);
	f->pcln = bytes_u32(&b);
	f->n_pcdata = bytes_u32(&b);
	f->cu = t->version >= GO_1_16 ? bytes_u32(&b) : 0;
	f->start_line = t->version >= GO_1_20 ? bytes_u32(&b) : 0;
	bytes_skip(&b, 1); /* kind of function */
	f->flags = bytes_u8(&b);
	bytes_skip(&b, 1);
	f->n_funcdata = bytes_u8(&b);
	f->pcdata = at + (uint64_t)(b.p - start);
	return !b.bad;
}

const char *go_func_name(struct gopclntab *t, uint32_t name)
{
	const char *s = sect_str(&t->tab.sect, t->names + name);

	return s && *s ? s : NULL;
}

/* --- values by address -------------------------------------------------------------------------- */

static bool spend(struct gopclntab *t, uint64_t n)
{
	if (t->work < n) {
		t->limited = true;
		return false;
	}
	t->work -= n;
	return true;
}

/*
 * Looks up va in the address table at `off` of pctab. The table has pairs: the difference to the
 * value before (zigzag; 0 ends the table, except in the first pair), and the length of its range.
 * False past its end.
 */
static bool value_at(struct gopclntab *t, uint32_t off, uint64_t entry, uint64_t va,
		     uint32_t *value)
{
	uint64_t at = t->pctab + off, pc = entry;
	uint32_t v = UINT32_MAX;

	if (!off)
		return false;
	for (bool first = true;;) {
		struct bytes b = sect_view(&t->tab.sect, at, SECT_VIEW_BYTES);
		bool last = at + bytes_left(&b) >= t->tab.sect.size;
		const uint8_t *start = b.p;

		/* Most answers are in the first bytes. */
		if (b.bad || !spend(t, first ? 64 : SECT_VIEW_BYTES))
			return false;
		while (last || bytes_left(&b) >= PAIR_BYTES) {
			uint32_t delta = (uint32_t)bytes_uleb(&b);

			if (!delta && !first)
				return false;
			first = false;
			v += (delta >> 1) ^ -(delta & 1);
			pc += (uint64_t)(uint32_t)bytes_uleb(&b) * t->quantum;
			if (b.bad)
				return false;
			if (va < pc) {
				*value = v;
				return true;
			}
		}
		at += (uint64_t)(b.p - start);
	}
}

/* Index of the last function that starts at or before va. */
static bool find_func(struct gopclntab *t, uint64_t va, uint64_t *index)
{
	uint64_t lo = 0, hi = t->n_funcs, entry;

	if (!go_entry(t, hi, &entry) || va >= entry)
		return false;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (!go_entry(t, mid, &entry))
			return false;
		if (entry <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	*index = lo - 1;
	return lo;
}

/* The function that covers va, and the line there. The function ends where its line table ends. */
static bool func_at(struct gopclntab *t, uint64_t va, struct go_func *f, uint32_t *line)
{
	uint64_t index;

	t->work += GO_WORK_SHARE;
	return find_func(t, va, &index) && go_func_read(t, index, f) &&
	       value_at(t, f->pcln, f->entry, va, line);
}

bool gopclntab_covers(struct gopclntab *t, uint64_t va)
{
	struct go_func f;
	uint32_t line;

	return func_at(t, va, &f, &line);
}

/* --- frames ------------------------------------------------------------------------------------- */

/* Copies a string, because views of sections do not last. */
static size_t keep(struct gopclntab *t, const char *s)
{
	size_t at = t->strings.len, len = s ? strlen(s) + 1 : 0;

	if (!len || !spend(t, len))
		return 0;
	buf_add(&t->strings, s, len);
	return at + 1;
}

static const char *file_name(struct gopclntab *t, const struct go_func *f, uint32_t number)
{
	uint64_t off;

	if (t->version == GO_1_2) {
		if (!number || !sect_uint(&t->tab.sect, t->files + 4ull * number, 4, &off))
			return NULL;
		return sect_str(&t->tab.sect, off);
	}
	if (!sect_uint(&t->tab.sect, t->cu + 4 * ((uint64_t)f->cu + number), 4, &off) ||
	    off == UINT32_MAX)
		return NULL;
	return sect_str(&t->tab.sect, t->files + off);
}

static size_t keep_file(struct gopclntab *t, const struct go_func *f, uint64_t va)
{
	uint32_t number;

	if (!value_at(t, f->pcfile, f->entry, va, &number) || number == UINT32_MAX)
		return 0;
	return keep(t, file_name(t, f, number));
}

struct inlined_call {
	uint32_t name, parent_pc, start_line;
};

/* The innermost inlined call at va. False: va belongs to the function itself. */
static bool inlined_at(struct gopclntab *t, const struct go_func *f, uint64_t va,
		       struct inlined_call *call)
{
	uint64_t table, tree;
	uint32_t index;
	struct bytes b;

	if (!t->has_inlined || f->n_pcdata <= PCDATA_INLINED || f->n_funcdata <= FUNCDATA_INLINED ||
	    !sect_uint(&t->tab.sect, f->pcdata + 4 * PCDATA_INLINED, 4, &table) ||
	    !sect_uint(&t->tab.sect, f->pcdata + 4 * ((uint64_t)f->n_pcdata + FUNCDATA_INLINED), 4,
		       &tree) ||
	    tree == UINT32_MAX || !value_at(t, (uint32_t)table, f->entry, va, &index) ||
	    index > INT32_MAX)
		return false;
	if (t->version >= GO_1_20) { /* function id, name, parent, first line */
		b = sect_view(&t->inlined.sect, tree + 16ull * index, 16);
		bytes_skip(&b, 4);
		call->name = bytes_u32(&b);
		call->parent_pc = bytes_u32(&b);
		call->start_line = bytes_u32(&b);
	} else { /* parent and function id, file, line, name, parent */
		b = sect_view(&t->inlined.sect, tree + 20ull * index, 20);
		bytes_skip(&b, 12);
		call->name = bytes_u32(&b);
		call->parent_pc = bytes_u32(&b);
		call->start_line = 0;
	}
	return !b.bad;
}

/* Fills frame n and sets *va to an instruction of the next outer frame. False if n was the last. */
static bool add_frame(struct gopclntab *t, const struct go_func *f, size_t n, uint64_t *va)
{
	bool inlined = false;
	struct inlined_call call = {0};
	uint32_t line = 0;

	t->frames[n] = (struct dwarf_frame){0};
	if (value_at(t, f->pcln, f->entry, *va, &line)) {
		t->frames[n].line = line == UINT32_MAX ? 0 : line;
		t->at[n].file = keep_file(t, f, *va);
		inlined = n + 1 < GO_DEPTH_MAX && inlined_at(t, f, *va, &call);
	} else {
		t->at[n].file = 0;
	}
	t->at[n].name = keep(t, go_func_name(t, inlined ? call.name : f->name));
	t->frames[n].start_line = inlined ? call.start_line : f->start_line;
	if (inlined)
		*va = f->entry + call.parent_pc;
	return inlined;
}

int gopclntab_find(struct gopclntab *t, uint64_t va, const struct dwarf_frame **frames)
{
	struct go_func f;
	uint32_t line;
	int n = 0;

	if (!func_at(t, va, &f, &line))
		return 0;
	buf_clear(&t->strings);
	while (add_frame(t, &f, (size_t)n++, &va))
		;
	if (t->strings.err)
		return t->strings.err;
	for (int i = 0; i < n; i++) {
		const char *s = t->strings.data;
		size_t name = t->at[i].name, file = t->at[i].file;

		t->frames[i].name = t->frames[i].linkage_name = name ? s + name - 1 : NULL;
		t->frames[i].file = file ? s + file - 1 : NULL;
	}
	*frames = t->frames;
	return n;
}

bool gopclntab_has_inlines(const struct gopclntab *t)
{
	return t->has_inlined;
}

uint64_t gopclntab_functions(const struct gopclntab *t)
{
	return t->n_funcs;
}

size_t gopclntab_bytes(const struct gopclntab *t)
{
	return sizeof(*t) + t->tab.sect.bytes + t->inlined.sect.bytes + t->strings.cap;
}

bool gopclntab_limited(const struct gopclntab *t)
{
	return t->limited;
}
