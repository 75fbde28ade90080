// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf_abbrev.h"

/* Programs processed by link-time optimization or dwz have up to some 20,000 declarations. */
#define DECLS_MAX (1u << 18)
/* Compilers emit at most some 40 attributes. A hostile table could slow down every DIE. */
#define ATTRS_MAX 512u

struct compiler {
	struct abbrevs *a;
	VEC(struct abbrev) decls;
	VEC(struct abbrev_op) ops;
	VEC(int64_t) consts;
	int err;
};

struct spec {
	uint64_t attr, form;
	int64_t value; /* of DW_FORM_implicit_const */
};

static enum dwarf_pick pick_of(uint64_t attr)
{
	switch (attr) {
#define X(name, dw_at)                                                                             \
	case dw_at:                                                                                \
		return PICK_##name;
		DWARF_PICKS(X)
#undef X
	/* Older names of the same attributes. */
	case DW_AT_MIPS_linkage_name:
		return PICK_LINKAGE_NAME;
	case DW_AT_GNU_dwo_name:
		return PICK_DWO_NAME;
	case DW_AT_GNU_addr_base:
		return PICK_ADDR_BASE;
	default:
		return PICK_NONE;
	}
}

static enum abbrev_kind kind_of(uint64_t tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
		return KIND_SUBPROGRAM;
	case DW_TAG_inlined_subroutine:
		return KIND_INLINED;
	case DW_TAG_compile_unit:
	case DW_TAG_partial_unit:
	case DW_TAG_skeleton_unit:
	case DW_TAG_type_unit:
		return KIND_UNIT;
	default:
		return KIND_OTHER;
	}
}

static void emit(struct compiler *c, uint8_t kind, uint8_t pick, uint16_t arg)
{
	if (!c->err)
		c->err = vec_push(&c->ops, (struct abbrev_op){kind, pick, arg});
}

/* Adds a step over a form. Joins neighbouring fixed sizes. first: start of this program. */
static void emit_skip(struct compiler *c, size_t first, uint16_t form)
{
	unsigned size;
	enum form_class class = form_class(form, &c->a->shape, &size);
	struct abbrev_op *last = c->ops.len > first ? &vec_last(&c->ops) : NULL;

	if (class == FORM_FIXED && !size)
		return;
	if (class == FORM_FIXED && last && last->kind == FORM_FIXED &&
	    last->arg + size < ABBREV_VARIABLE)
		last->arg += size;
	else
		emit(c, class, PICK_NONE, class == FORM_FIXED ? size : 0);
}

static void emit_pick(struct compiler *c, size_t first, const struct spec *s)
{
	enum dwarf_pick pick = pick_of(s->attr);

	if (pick == PICK_NONE) {
		emit_skip(c, first, s->form);
	} else if (s->form != DW_FORM_implicit_const) {
		emit(c, OP_READ, pick, s->form);
	} else if (c->consts.len < UINT16_MAX) {
		emit(c, OP_CONST, pick, c->consts.len);
		if (!c->err)
			c->err = vec_push(&c->consts, s->value);
	}
}

static void compile(struct compiler *c, struct abbrev *d, const struct spec *specs, size_t n)
{
	size_t first = c->ops.len;
	unsigned size;

	for (size_t i = 0; i < n; i++) {
		enum dwarf_pick pick = pick_of(specs[i].attr);

		if (specs[i].form > UINT16_MAX ||
		    form_class(specs[i].form, &c->a->shape, &size) == FORM_BAD) {
			d->bad = true;
			return;
		}
		if (pick == PICK_LOW_PC || pick == PICK_RANGES)
			d->pc = true;
		emit_skip(c, first, specs[i].form);
	}
	if (c->err)
		return;
	d->skip_op = first;
	d->fixed = c->ops.len == first ? 0
		   : c->ops.len == first + 1 && c->ops.data[first].kind == FORM_FIXED
			   ? c->ops.data[first].arg
			   : ABBREV_VARIABLE;
	if (d->fixed != ABBREV_VARIABLE)
		c->ops.len = first;
	else
		emit(c, OP_END, PICK_NONE, 0);
	d->pick_op = c->ops.len;
	if (d->kind == KIND_OTHER)
		return;
	for (size_t i = 0; i < n; i++)
		emit_pick(c, d->pick_op, &specs[i]);
	emit(c, OP_END, PICK_NONE, 0);
}

/* Reads one declaration. False at the end of the table or of the bytes (then b is bad). */
static bool decode_one(struct compiler *c, struct bytes *b, uint64_t only_code)
{
	struct spec specs[ATTRS_MAX];
	struct abbrev d = {.code = bytes_uleb(b)};
	size_t n = 0;

	if (!d.code)
		return false;
	d.kind = kind_of(bytes_uleb(b));
	d.children = bytes_u8(b) != 0;
	for (;;) {
		struct spec s = {.attr = bytes_uleb(b)};

		s.form = bytes_uleb(b);
		if (s.form == DW_FORM_implicit_const)
			s.value = bytes_sleb(b);
		if (b->bad)
			return false;
		if (!s.attr && !s.form)
			break;
		if (n == ATTRS_MAX) {
			c->err = -EFBIG;
			return false;
		}
		specs[n++] = s;
	}
	if (only_code && d.code != only_code)
		return true;
	if (c->decls.len >= DECLS_MAX)
		c->err = -EFBIG;
	compile(c, &d, specs, n);
	if (!c->err)
		c->err = vec_push(&c->decls, d);
	return !c->err && !only_code;
}

static int compare_codes(const void *a, const void *b)
{
	const struct abbrev *x = a, *y = b;

	return x->code < y->code ? -1 : x->code > y->code;
}

/* Hands an array over, shrunk to its length. */
static void *shrink(void *p, size_t len, size_t elem_size, size_t *bytes)
{
	void *q = len ? realloc(p, len * elem_size) : p;

	*bytes += len * elem_size;
	return q ?: p;
}

static void finish(struct compiler *c)
{
	struct abbrevs *a = c->a;

	a->bytes = sizeof(*a);
	a->n_decls = c->decls.len;
	a->decls = shrink(c->decls.data, c->decls.len, sizeof(*a->decls), &a->bytes);
	a->ops = shrink(c->ops.data, c->ops.len, sizeof(*a->ops), &a->bytes);
	a->consts = shrink(c->consts.data, c->consts.len, sizeof(*a->consts), &a->bytes);
	a->dense = true;
	for (uint32_t i = 0; i < a->n_decls && a->dense; i++)
		a->dense = a->decls[i].code == i + 1;
	if (!a->dense && a->n_decls)
		qsort(a->decls, a->n_decls, sizeof(*a->decls), compare_codes);
}

static void compiler_clear(struct compiler *c)
{
	c->decls.len = c->ops.len = c->consts.len = 0;
	c->err = 0;
}

static void compiler_release(struct compiler *c)
{
	vec_release(&c->decls);
	vec_release(&c->ops);
	vec_release(&c->consts);
	free(c->a);
}

/* The length of the table is unknown, so this reads larger and larger parts of the section. */
static int decode_all(struct compiler *c, struct sect *sect, uint64_t off, uint64_t only_code)
{
	for (uint64_t want = SECT_VIEW_BYTES;; want *= 8) {
		struct bytes b = sect_view(sect, off, want);
		size_t len = bytes_left(&b);

		if (b.bad)
			return sect->oom ? -ENOMEM : -EBADMSG;
		compiler_clear(c);
		while (decode_one(c, &b, only_code))
			;
		if (c->err)
			return c->err;
		/*
		 * GCC ends a section's last table with a zero, but the end of the section will do.
		 */
		if (!b.bad || len >= sect_size(sect) - off)
			return 0;
	}
}

int abbrevs_decode(struct abbrevs **out, struct sect *sect, uint64_t off, const struct shape *shape,
		   uint64_t only_code)
{
	_cleanup_(compiler_release) struct compiler c = {.a = calloc(1, sizeof(*c.a))};
	int err;

	if (!c.a)
		return -ENOMEM;
	c.a->shape = *shape;
	c.a->off = off;
	err = decode_all(&c, sect, off, only_code);
	if (err)
		return err;
	finish(&c);
	*out = steal_ptr(c.a);
	c.decls.data = NULL;
	c.ops.data = NULL;
	c.consts.data = NULL;
	return 0;
}

void abbrevs_free(struct abbrevs *a)
{
	if (!a)
		return;
	free(a->decls);
	free(a->ops);
	free(a->consts);
	free(a);
}

const struct abbrev *abbrevs_find_sparse(const struct abbrevs *a, uint64_t code)
{
	struct abbrev key = {.code = code};
	const struct abbrev *d =
		a->n_decls ? bsearch(&key, a->decls, a->n_decls, sizeof(*a->decls), compare_codes)
			   : NULL;

	return d && !d->bad ? d : NULL;
}

/* Steps over one LEB128; NULL at the end. */
static const uint8_t *skip_leb(const uint8_t *p, const uint8_t *end)
{
	while (p < end)
		if (!(*p++ & 0x80))
			return p;
	return NULL;
}

static const uint8_t *skip_op(const struct abbrevs *a, const struct abbrev_op *op, const uint8_t *p,
			      const uint8_t *end)
{
	static const uint16_t form_of[] = {
		[FORM_BLOCK2] = DW_FORM_block2,	    [FORM_BLOCK4] = DW_FORM_block4,
		[FORM_BLOCK] = DW_FORM_block,	    [FORM_CSTR] = DW_FORM_string,
		[FORM_INDIRECT] = DW_FORM_indirect,
	};
	struct bytes b = {p, end, false};

	switch (op->kind) {
	case FORM_FIXED:
		return end - p < op->arg ? NULL : p + op->arg;
	case FORM_LEB:
		return skip_leb(p, end);
	case FORM_BLOCK1:
		return p == end || end - p <= *p ? NULL : p + 1 + *p;
	case FORM_BLOCK:
		if (p < end && *p < 0x80)
			return end - p <= *p ? NULL : p + 1 + *p;
		/* fall through */
	default:
		return form_skip(&b, form_of[op->kind], &a->shape) ? b.p : NULL;
	}
}

const uint8_t *abbrev_skip_variable(const struct abbrevs *a, const struct abbrev *d,
				    const uint8_t *p, const uint8_t *end)
{
	const struct abbrev_op *op;

	for (op = &a->ops[d->skip_op]; op->kind != OP_END && p; op++)
		p = skip_op(a, op, p, end);
	return p;
}

static bool pick_op(const struct abbrevs *a, const struct abbrev_op *op, struct bytes *b,
		    const uint8_t *start, struct die *die)
{
	struct die_attr *attr = &die->attr[op->pick];
	struct form_value value;

	if (op->kind == OP_CONST) {
		*attr = (struct die_attr){DW_FORM_implicit_const, a->consts[op->arg]};
	} else {
		if (!form_read(b, op->arg, &a->shape, start, &value))
			return false;
		*attr = (struct die_attr){value.form, value.v};
		if (value.form == DW_FORM_string)
			attr->v += die->off;
	}
	die->have |= 1u << op->pick;
	return true;
}

bool abbrev_pick(const struct abbrevs *a, const struct abbrev *d, struct bytes *b, uint64_t off,
		 const uint8_t *start, struct die *die)
{
	const struct abbrev_op *op;

	die->off = off;
	die->abbrev = d;
	die->have = 0;
	if (d->kind == KIND_OTHER) {
		b->p = abbrev_skip(a, d, b->p, b->end) ?: (bytes_fail(b), b->p);
		return !b->bad;
	}
	for (op = &a->ops[d->pick_op]; op->kind != OP_END; op++) {
		if (op->kind == OP_READ || op->kind == OP_CONST) {
			if (!pick_op(a, op, b, start, die))
				return false;
		} else {
			const uint8_t *p = skip_op(a, op, b->p, b->end);

			if (!p)
				return bytes_fail(b);
			b->p = p;
		}
	}
	return true;
}
