// SPDX-License-Identifier: GPL-2.0-or-later
/* Feeds a line writer with the units of a DWARF reader. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "symbolizer/dwarf/dwarf_func.h"
#include "symbolizer/dwarf/dwarf_line.h"
#include "symbolizer/dwarf/dwarf_walk.h"
#include "symbolizer/lines/line_table.h"
#include "symbolizer/lines/line_write.h"

/* A file of a million functions takes some 20 s. Only a hostile one takes longer. */
#define CPU_NS_DEFAULT 60000000000ull
/* A browser with all its lines needs half of this. */
#define BYTES_DEFAULT (1ul << 30)
/* Nodes between two checks of the clock. A node takes microseconds, a malformed one some
 * milliseconds. */
#define NODES_PER_LOOK 256

struct known_origin { /* a DIE that inlined calls refer to */
	const struct dwarf_file *file;
	uint64_t off;
	uint32_t label;
};

struct place { /* of a label's name: in a section that is read later, or in the writer's names */
	struct sect *sect;
	uint64_t off;
	uint32_t decl_line, label;
};

struct node_row {
	uint64_t va;
	uint32_t node;
};

struct line_row_at {
	uint64_t va;
	uint32_t file, line;
};

struct builder {
	struct line_writer w;
	struct line_limits limits;
	uint64_t cpu_start_ns;
	const struct dwarf_unit *u;
	VEC(struct place) places; /* by label */
	struct htab label_index;
	/* Of the current unit. */
	VEC(struct known_origin) origins;
	struct htab origin_index;
	VEC(uint32_t) files; /* by the unit's file number; 0: not made yet */
	/* Node of scope s of function f: nodes.data[first_node.data[f] + s], 0 if not made yet. */
	VEC(uint32_t) nodes, first_node;
	/* Of the current range. */
	VEC(struct node_row) node_rows;
	VEC(struct line_row_at) line_rows;
};

#define FIRST_UNSET UINT32_MAX

static void builder_release(struct builder *b)
{
	line_writer_release(&b->w);
	vec_release(&b->places);
	htab_release(&b->label_index);
	vec_release(&b->origins);
	htab_release(&b->origin_index);
	vec_release(&b->files);
	vec_release(&b->nodes);
	vec_release(&b->first_node);
	vec_release(&b->node_rows);
	vec_release(&b->line_rows);
}

static int check_limits(const struct builder *b)
{
	if (line_writer_bytes(&b->w) > b->limits.bytes)
		return -EFBIG;
	return clock_ns(CLOCK_THREAD_CPUTIME_ID) - b->cpu_start_ns > b->limits.cpu_ns ? -ETIME : 0;
}

/* --- names ---------------------------------------------------------------------------------------- */

struct label_key {
	const struct builder *b;
	const struct place *want;
};

static bool label_eq(const void *ctx, uint32_t id)
{
	const struct label_key *k = ctx;
	const struct place *have = &k->b->places.data[id];

	return have->sect == k->want->sect && have->off == k->want->off &&
	       have->decl_line == k->want->decl_line;
}

static int label_of_place(struct builder *b, const struct place *p, uint32_t *label)
{
	uint64_t hash = hash_mix(p->off ^ (uintptr_t)p->sect, p->decl_line);
	struct label_key key = {b, p};

	*label = htab_find(&b->label_index, hash, label_eq, &key);
	if (*label != HTAB_NONE)
		return 0;
	*label = line_writer_label(&b->w, p->sect ? 0 : (uint32_t)p->off, p->decl_line);
	return vec_push(&b->places, *p) ?: htab_insert(&b->label_index, hash, *label);
}

/* The linkage name, else the name. */
static int label_of_die(struct builder *b, struct cu *cu, const struct die *die, uint32_t *label)
{
	struct frames *fr = b->u->frames;
	int err = frames_describe(fr, b->u->cache, cu, die);
	const struct frame_string *s = &fr->at[0].linkage_name;
	const char *text = frames_text(fr, s);
	struct place p = {.decl_line = fr->list[0].start_line};

	if (err)
		return err;
	if (!s->sect && (!text || !*text)) {
		s = &fr->at[0].name;
		text = frames_text(fr, s);
	}
	p.sect = s->sect;
	p.off = s->sect ? s->off : line_writer_name(&b->w, text ?: "");
	return label_of_place(b, &p, label);
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->sect != y->sect)
		return x->sect < y->sect ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* Strings of inflated sections are read at the end, in the order of the section. */
static int read_late_names(struct builder *b)
{
	int err = 0;

	for (size_t i = 0; i < b->places.len; i++)
		b->places.data[i].label = (uint32_t)i;
	if (b->places.len)
		qsort(b->places.data, b->places.len, sizeof(*b->places.data), compare_places);
	for (size_t i = 0; i < b->places.len && !err; i++) {
		const struct place *p = &b->places.data[i];
		const char *s;

		if (!p->sect)
			continue;
		s = sect_str(p->sect, p->off);
		if (!s && (p->sect->oom || p->sect->limited))
			return p->sect->oom ? -ENOMEM : -EFBIG;
		if (!s && p->sect->inflating && p->sect->inflating->limited)
			return -EFBIG;
		b->w.labels.data[p->label].name = line_writer_name(&b->w, s ?: "");
		err = i % NODES_PER_LOOK ? 0 : check_limits(b);
	}
	return err ?: line_writer_error(&b->w);
}

struct origin_key {
	const struct builder *b;
	const struct known_origin *want;
};

static bool origin_eq(const void *ctx, uint32_t id)
{
	const struct origin_key *k = ctx;
	const struct known_origin *have = &k->b->origins.data[id];

	return have->file == k->want->file && have->off == k->want->off;
}

/*
 * A DIE without a name of its own has the label of its origin. It is looked up once for each unit.
 */
static int label_of_origin(struct builder *b, struct cu *cu, const struct die *die, uint32_t *label)
{
	struct known_origin o = {0};
	struct origin_key key = {b, &o};
	struct die origin;
	struct cu *to;
	uint64_t hash;
	uint32_t id;
	int err;

	if (!cu_ref(b->u->cache, cu, &die->attr[PICK_ABSTRACT_ORIGIN], &to, &o.off))
		return label_of_die(b, cu, die, label);
	o.file = to->file;
	hash = hash_u64(o.off ^ (uintptr_t)o.file);
	id = htab_find(&b->origin_index, hash, origin_eq, &key);
	if (id != HTAB_NONE) {
		*label = b->origins.data[id].label;
		return 0;
	}
	err = cu_die(to, o.off, &origin) ? label_of_die(b, cu, die, &o.label)
					 : label_of_die(b, to, &origin, &o.label);
	err = err ?: vec_push(&b->origins, o);
	err = err ?: htab_insert(&b->origin_index, hash, (uint32_t)(b->origins.len - 1));
	*label = o.label;
	return err;
}

static uint32_t file_number(struct builder *b, uint64_t file)
{
	struct cu *cu = b->u->cu;
	uint32_t *known;

	if (!cu->lines)
		return LINE_FILE_UNNAMED;
	if (file >= b->files.len) {
		const char *path = lines_path(cu->lines, cu, file);

		if (!path || vec_reserve(&b->files, file + 1))
			return LINE_FILE_UNNAMED;
		while (b->files.len <= file)
			b->files.data[b->files.len++] = 0;
	}
	known = &b->files.data[file];
	if (!*known)
		*known = line_writer_file(&b->w, lines_path(cu->lines, cu, file));
	return *known;
}

/* --- nodes ---------------------------------------------------------------------------------------- */

static uint64_t value_of(const struct die *die, enum dwarf_pick pick)
{
	return die_has(die, pick) ? die->attr[pick].v : 0;
}

static int make_node(struct builder *b, uint64_t die_off, uint32_t parent, uint32_t *node)
{
	static const uint32_t own = 1u << PICK_NAME | 1u << PICK_LINKAGE_NAME |
				    1u << PICK_DECL_LINE | 1u << PICK_SPECIFICATION;
	struct cu *cu = b->u->cu->split ?: b->u->cu;
	uint32_t label = 0, call_file = 0, call_line = 0;
	struct die die;
	int err = b->w.n_nodes % NODES_PER_LOOK ? 0 : check_limits(b);

	if (err)
		return err;
	if (cu_die(cu, die_off, &die)) {
		err = label_of_place(b, &(struct place){.off = line_writer_name(&b->w, "")},
				     &label);
	} else {
		if (parent) /* file 0 is valid here, as in take_call() of dwarf_frames.c */
			call_file = file_number(b, value_of(&die, PICK_CALL_FILE));
		call_line = (uint32_t)value_of(&die, PICK_CALL_LINE);
		err = die_has(&die, PICK_ABSTRACT_ORIGIN) && !(die.have & own)
			      ? label_of_origin(b, cu, &die, &label)
			      : label_of_die(b, cu, &die, &label);
	}
	*node = line_writer_node(&b->w, parent, label, call_file, call_line);
	dwarf_walk_trim(b->u);
	return err ?: line_writer_error(&b->w);
}

/* Room for the nodes of a function's scopes. */
static int number_scopes(struct builder *b, const struct funcs *funcs, uint32_t func)
{
	size_t n = funcs_scopes(funcs, func), want = b->nodes.len + n;

	if (want >= FIRST_UNSET)
		return -EFBIG;
	if (vec_reserve(&b->nodes, want))
		return -ENOMEM;
	b->first_node.data[func] = (uint32_t)b->nodes.len;
	memset(b->nodes.data + b->nodes.len, 0, n * sizeof(*b->nodes.data));
	b->nodes.len = want;
	return 0;
}

/* The node of a scope. Makes it, and those around it, if needed. */
static int node_of(struct builder *b, uint32_t func, uint32_t scope, uint32_t *node)
{
	const struct cu *cu = b->u->cu->split ?: b->u->cu;
	uint32_t chain[DWARF_DEPTH_MAX], parent, *nodes;
	size_t n = 0;
	int err = 0;

	if (b->first_node.data[func] == FIRST_UNSET)
		err = number_scopes(b, cu->funcs, func);
	if (err)
		return err;
	nodes = b->nodes.data + b->first_node.data[func];
	while (!nodes[scope] && n < DWARF_DEPTH_MAX) {
		chain[n++] = scope;
		if (!scope)
			break;
		funcs_scope(cu->funcs, cu, func, scope, &scope);
	}
	while (n && !err) {
		uint64_t die = funcs_scope(cu->funcs, cu, func, chain[--n], &parent);

		err = make_node(b, die, chain[n] ? nodes[parent] : 0, &nodes[chain[n]]);
		scope = chain[n];
	}
	*node = nodes[scope];
	return err;
}

/* --- ranges --------------------------------------------------------------------------------------- */

static int take_scope(void *ctx, uint64_t va, uint32_t func, uint32_t scope)
{
	struct builder *b = ctx;
	uint32_t node = 0;
	int err = func == FUNCS_NONE ? 0 : node_of(b, func, scope, &node);

	return err ?: vec_push(&b->node_rows, (struct node_row){va, node});
}

static int take_line(void *ctx, uint64_t va, bool found, uint32_t file, uint32_t line)
{
	struct builder *b = ctx;
	struct line_row_at row = {.va = va};

	if (found)
		row.file = file_number(b, file);
	if (row.file >= LINE_FILE_FIRST)
		row.line = line;
	return vec_push(&b->line_rows, row);
}

static void write_range(struct builder *b, const struct dwarf_range *r)
{
	const struct node_row *n = b->node_rows.data, *n_end = n + b->node_rows.len;
	const struct line_row_at *l = b->line_rows.data, *l_end = l + b->line_rows.len;
	struct line_state row = {0};

	line_writer_begin(&b->w, r->low, r->high);
	while (n < n_end || l < l_end) {
		uint64_t va = n == n_end || (l < l_end && l->va < n->va) ? l->va : n->va;

		if (n < n_end && n->va == va)
			row.node = n++->node;
		if (l < l_end && l->va == va) {
			row.file = l->file;
			row.line = l++->line;
		}
		line_writer_row(&b->w, va, &row);
	}
}

static int build_range(struct builder *b, const struct dwarf_range *r)
{
	const struct cu *cu = b->u->cu;
	struct cu *die_cu = cu->split ?: b->u->cu;
	int err = 0;

	b->node_rows.len = b->line_rows.len = 0;
	if (die_cu->funcs)
		err = funcs_each(die_cu->funcs, die_cu, r->low, r->high, take_scope, b);
	if (cu->lines && !err)
		err = lines_each(cu->lines, r->low, r->high, take_line, b);
	if (err)
		return err;
	write_range(b, r);
	return line_writer_error(&b->w);
}

static int build_unit(void *ctx, const struct dwarf_unit *u)
{
	struct builder *b = ctx;
	const struct cu *die_cu = u->cu->split ?: u->cu;
	size_t n_funcs = die_cu->funcs ? funcs_count(die_cu->funcs) : 0;
	int err = check_limits(b);

	if (u->cu->dwo_name.form && !u->cu->split)
		return -ENOENT;
	b->u = u;
	b->origins.len = b->files.len = b->nodes.len = 0;
	htab_clear(&b->origin_index);
	if (vec_reserve(&b->first_node, n_funcs))
		return -ENOMEM;
	if (n_funcs)
		memset(b->first_node.data, 0xff, n_funcs * sizeof(*b->first_node.data));
	for (size_t i = 0; i < u->n_ranges && !err; i++)
		err = build_range(b, &u->ranges[i]);
	return err;
}

int line_table_build(struct dwarf *d, const struct line_source *source, int fd,
		     const struct line_limits *limits)
{
	_cleanup_(builder_release) struct builder b = {.cpu_start_ns =
							       clock_ns(CLOCK_THREAD_CPUTIME_ID)};
	int err;

	if (limits)
		b.limits = *limits;
	b.limits.cpu_ns = b.limits.cpu_ns ?: CPU_NS_DEFAULT;
	b.limits.bytes = b.limits.bytes ?: BYTES_DEFAULT;
	line_writer_init(&b.w);
	err = dwarf_walk(d, build_unit, &b) ?: read_late_names(&b);
	return err ?: line_writer_finish(&b.w, source, fd);
}

int line_table_refuse(const struct line_source *source, int fd, int err)
{
	struct line_header h = {.refusal = err, .file_len = sizeof(h)};

	return line_write_header(&h, source, fd);
}
