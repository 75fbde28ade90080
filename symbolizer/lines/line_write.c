// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/lines/line_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "symbolizer/lines/line_table.h"

/* A row is six numbers of at most ten bytes. */
#define ROW_BYTES_MAX 64

void line_writer_init(struct line_writer *w)
{
	*w = (struct line_writer){.seed = hash_random_seed()};
}

void line_writer_release(struct line_writer *w)
{
	buf_release(&w->names);
	buf_release(&w->nodes);
	buf_release(&w->spool);
	htab_release(&w->name_index);
	htab_release(&w->file_index);
	vec_release(&w->name_offs);
	vec_release(&w->groups);
	vec_release(&w->labels);
	vec_release(&w->files);
	vec_release(&w->runs);
}

int line_writer_error(const struct line_writer *w)
{
	return w->err ?: w->names.err ?: w->nodes.err ?: w->spool.err;
}

size_t line_writer_bytes(const struct line_writer *w)
{
	return w->names.cap + w->nodes.cap + w->spool.cap +
	       (w->name_index.cap + w->file_index.cap) * sizeof(*w->name_index.slots) +
	       (w->name_offs.cap + w->groups.cap + w->files.cap) * sizeof(uint32_t) +
	       w->labels.cap * sizeof(*w->labels.data) + w->runs.cap * sizeof(*w->runs.data);
}

static void fail(struct line_writer *w, int err)
{
	if (err && !w->err)
		w->err = err;
}

static uint8_t *put_uleb(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)v | 0x80;
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_delta(uint8_t *p, uint32_t to, uint32_t from)
{
	return put_uleb(p, line_fold((int64_t)to - from));
}

/* --- names, files, nodes -------------------------------------------------------------------------- */

struct known_name {
	const struct line_writer *w;
	const char *text;
};

static bool name_eq(const void *ctx, uint32_t id)
{
	const struct known_name *n = ctx;

	return !strcmp(n->w->names.data + n->w->name_offs.data[id], n->text);
}

uint32_t line_writer_name(struct line_writer *w, const char *name)
{
	size_t len = strlen(name) + 1, at = w->names.len;
	uint64_t hash = hash_bytes(name, len, w->seed);
	uint32_t id = htab_find(&w->name_index, hash, name_eq, &(struct known_name){w, name});

	if (id != HTAB_NONE)
		return w->name_offs.data[id];
	if (at + len > UINT32_MAX) {
		fail(w, -EFBIG);
		return 0;
	}
	buf_add(&w->names, name, len);
	fail(w, w->names.err ?: vec_push(&w->name_offs, (uint32_t)at));
	if (!w->err)
		fail(w, htab_insert(&w->name_index, hash, (uint32_t)(w->name_offs.len - 1)));
	return (uint32_t)at;
}

uint32_t line_writer_label(struct line_writer *w, uint32_t name, uint32_t decl_line)
{
	fail(w, vec_push(&w->labels, (struct line_label){name, decl_line}));
	return (uint32_t)w->labels.len - 1;
}

struct known_file {
	const struct line_writer *w;
	uint32_t off;
};

static bool file_eq(const void *ctx, uint32_t id)
{
	const struct known_file *f = ctx;

	return f->w->files.data[id] == f->off;
}

uint32_t line_writer_file(struct line_writer *w, const char *path)
{
	uint32_t off, id;

	if (!path)
		return LINE_FILE_UNNAMED;
	off = line_writer_name(w, path);
	id = htab_find(&w->file_index, hash_u64(off), file_eq, &(struct known_file){w, off});
	if (id != HTAB_NONE)
		return id + LINE_FILE_FIRST;
	id = (uint32_t)w->files.len;
	fail(w, vec_push(&w->files, off));
	if (!w->err)
		fail(w, htab_insert(&w->file_index, hash_u64(off), id));
	return id + LINE_FILE_FIRST;
}

uint32_t line_writer_node(struct line_writer *w, uint32_t parent, uint32_t label,
			  uint32_t call_file, uint32_t call_line)
{
	uint32_t id = w->n_nodes + 1;
	uint8_t *p, *start;

	if (w->n_nodes % LINE_GROUP_NODES == 0)
		fail(w, vec_push(&w->groups, (uint32_t)w->nodes.len));
	p = start = buf_room(&w->nodes, ROW_BYTES_MAX);
	if (!p || w->err)
		return 0;
	p = put_uleb(p, parent ? id - parent : 0);
	p = put_uleb(p, label);
	if (parent) {
		p = put_uleb(p, call_file);
		p = put_uleb(p, call_line);
	}
	w->nodes.len += (size_t)(p - start);
	if (w->nodes.len > UINT32_MAX)
		fail(w, -EFBIG);
	return ++w->n_nodes;
}

/* --- rows ------------------------------------------------------------------------------------------- */

void line_writer_begin(struct line_writer *w, uint64_t low, uint64_t high)
{
	fail(w, vec_push(&w->runs, (struct line_run){low, high, w->spool.len, 0}));
	w->last = (struct line_state){0};
	w->last_va = low;
}

static bool same_row(const struct line_state *a, const struct line_state *b)
{
	return a->node == b->node && a->file == b->file && a->line == b->line;
}

void line_writer_row(struct line_writer *w, uint64_t va, const struct line_state *row)
{
	uint8_t *p, *start;

	if (w->err || (vec_last(&w->runs).n_rows && same_row(row, &w->last)))
		return;
	p = start = buf_room(&w->spool, ROW_BYTES_MAX);
	if (!p)
		return;
	p = put_uleb(p, va - w->last_va);
	p = put_delta(p, row->node, w->last.node);
	p = put_delta(p, row->file, w->last.file);
	p = put_delta(p, row->line, w->last.line);
	w->spool.len += (size_t)(p - start);
	w->last = *row;
	w->last_va = va;
	vec_last(&w->runs).n_rows++;
}

/* --- the file --------------------------------------------------------------------------------------- */

struct out {
	int fd, err;
	uint64_t off; /* of buf in the file */
	size_t len;
	VEC(uint32_t) sums;
	uint8_t buf[16 * LINE_CHUNK];
};

static void out_flush(struct out *o)
{
	for (size_t at = 0; at < o->len && !o->err; at += LINE_CHUNK) {
		size_t len = o->len - at < LINE_CHUNK ? o->len - at : LINE_CHUNK;

		o->err = vec_push(&o->sums, hash_check(o->buf + at, len));
	}
	o->err = o->err ?: io_pwrite(o->fd, o->buf, o->len, o->off);
	o->off += o->len;
	o->len = 0;
}

static void out_bytes(struct out *o, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len && !o->err) {
		size_t part = sizeof(o->buf) - o->len < len ? sizeof(o->buf) - o->len : len;

		memcpy(o->buf + o->len, p, part);
		o->len += part;
		p += part;
		len -= part;
		if (o->len == sizeof(o->buf))
			out_flush(o);
	}
}

static void begin_section(struct out *o, struct line_header *h, enum line_section s)
{
	static const uint8_t zero[8];

	out_bytes(o, zero, -(o->off + o->len) % 8);
	h->section[s].off = o->off + o->len;
}

static void end_section(struct out *o, struct line_header *h, enum line_section s)
{
	h->section[s].len = o->off + o->len - h->section[s].off;
}

static void put_section(struct out *o, struct line_header *h, enum line_section s, const void *data,
			size_t len)
{
	begin_section(o, h, s);
	out_bytes(o, data, len);
	end_section(o, h, s);
}

struct encoder {
	struct out *out;
	VEC(struct line_block) blocks;
	uint64_t n_rows, bytes, va; /* va: of the last row */
	struct line_state last, memo[LINE_MEMO_SLOTS];
	int err;
};

static uint8_t *first_row(struct encoder *e, uint8_t *p, uint64_t va, const struct line_state *row)
{
	e->err = vec_push(&e->blocks, (struct line_block){.va = va, .off = (uint32_t)e->bytes});
	memset(e->memo, 0, sizeof(e->memo));
	p = put_uleb(p, row->node);
	p = put_uleb(p, row->file);
	return put_uleb(p, row->line);
}

static uint8_t *next_row(struct encoder *e, uint8_t *p, uint64_t va, const struct line_state *row)
{
	const struct line_state *memo = &e->memo[row->node % LINE_MEMO_SLOTS];
	uint64_t step = va - e->va;
	enum line_row what = ROW_NODE;

	if (row->node == e->last.node)
		what = row->file == e->last.file ? ROW_LINE : ROW_FILE;
	else if (memo->node == row->node && memo->file == row->file)
		what = ROW_BACK;
	*p++ = (uint8_t)(what | (step < ROW_STEP_MAX ? step : ROW_STEP_MAX) << ROW_BITS);
	if (step >= ROW_STEP_MAX)
		p = put_uleb(p, step - ROW_STEP_MAX);
	if (what == ROW_BACK || what == ROW_NODE)
		p = put_delta(p, row->node, e->last.node);
	if (what == ROW_FILE || what == ROW_NODE)
		p = put_delta(p, row->file, e->last.file);
	return put_delta(p, row->line, what == ROW_BACK ? memo->line : e->last.line);
}

static void encode_row(struct encoder *e, uint64_t va, const struct line_state *row)
{
	uint8_t bytes[ROW_BYTES_MAX], *p;

	if (e->err || (e->n_rows && same_row(row, &e->last)))
		return;
	p = e->n_rows++ % LINE_BLOCK_ROWS ? next_row(e, bytes, va, row)
					  : first_row(e, bytes, va, row);
	e->memo[row->node % LINE_MEMO_SLOTS] = *row;
	e->last = *row;
	e->va = va;
	out_bytes(e->out, bytes, (size_t)(p - bytes));
	e->bytes += (size_t)(p - bytes);
	if (e->bytes > UINT32_MAX)
		e->err = -EFBIG;
}

static void encode_run(struct encoder *e, const struct line_writer *w, const struct line_run *run)
{
	struct bytes b = bytes_of(w->spool.data + run->spool, w->spool.len - run->spool);
	struct line_state row = {0};
	uint64_t va = run->low;

	for (uint32_t i = 0; i < run->n_rows; i++) {
		va += bytes_uleb(&b);
		row.node += (uint32_t)line_unfold(bytes_uleb(&b));
		row.file += (uint32_t)line_unfold(bytes_uleb(&b));
		row.line += (uint32_t)line_unfold(bytes_uleb(&b));
		encode_row(e, va, &row);
	}
}

static int compare_runs(const void *a, const void *b)
{
	const struct line_run *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

/* Encodes all runs by address. In a gap, a row says that nothing is known. */
static int encode(struct encoder *e, struct line_writer *w)
{
	static const struct line_state nothing;
	uint64_t end = 0;

	if (w->runs.len)
		qsort(w->runs.data, w->runs.len, sizeof(*w->runs.data), compare_runs);
	for (size_t i = 0; i < w->runs.len; i++) {
		if (i && w->runs.data[i].low > end)
			encode_row(e, end, &nothing);
		encode_run(e, w, &w->runs.data[i]);
		end = w->runs.data[i].high;
	}
	if (w->runs.len)
		encode_row(e, end, &nothing);
	return e->err;
}

static int write_rows(struct line_writer *w, struct line_header *h, struct out *o)
{
	struct encoder e = {.out = o};
	int err;

	begin_section(o, h, LINE_ROWS);
	err = encode(&e, w);
	end_section(o, h, LINE_ROWS);
	if (!err)
		put_section(o, h, LINE_BLOCKS, e.blocks.data,
			    e.blocks.len * sizeof(*e.blocks.data));
	vec_release(&e.blocks);
	return err ?: o->err;
}

static void write_sums(struct line_header *h, struct out *o)
{
	size_t len;

	out_flush(o);
	len = o->sums.len * sizeof(*o->sums.data);
	h->section[LINE_SUMS].off = o->off;
	h->section[LINE_SUMS].len = len;
	h->sums_sum = hash_check(o->sums.data, len);
	h->file_len = o->off + len;
	o->err = o->err ?: io_pwrite(o->fd, o->sums.data, len, o->off);
}

int line_write_header(struct line_header *h, const struct line_source *source, int fd)
{
	memcpy(h->magic, LINE_MAGIC, sizeof(h->magic));
	h->version = LINE_VERSION;
	h->build_id.len = source->build_id.len;
	memcpy(h->build_id.data, source->build_id.data, source->build_id.len);
	h->separate = source->separate;
	h->bias = source->bias;
	h->source_size = source->size;
	h->sum = hash_check(h, offsetof(struct line_header, sum));
	return io_pwrite(fd, h, sizeof(*h), 0);
}

int line_writer_finish(struct line_writer *w, const struct line_source *source, int fd)
{
	_cleanup_free_ struct out *o = calloc(1, sizeof(*o));
	struct line_header h = {.n_nodes = w->n_nodes};
	int err = line_writer_error(w);

	if (err || !o)
		return err ?: -ENOMEM;
	o->fd = fd;
	o->off = LINE_CHUNK;
	err = write_rows(w, &h, o);
	put_section(o, &h, LINE_GROUPS, w->groups.data, w->groups.len * sizeof(*w->groups.data));
	put_section(o, &h, LINE_NODES, w->nodes.data, w->nodes.len);
	put_section(o, &h, LINE_LABELS, w->labels.data, w->labels.len * sizeof(*w->labels.data));
	put_section(o, &h, LINE_FILES, w->files.data, w->files.len * sizeof(*w->files.data));
	put_section(o, &h, LINE_NAMES, w->names.data, w->names.len);
	write_sums(&h, o);
	vec_release(&o->sums);
	return err ?: o->err ?: line_write_header(&h, source, fd);
}
