// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/line_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "symbolizer/dwarf_func.h"
#include "symbolizer/line_format.h"

/* Names are kept with 32-bit offsets, as rows and nodes are; no file is longer than these together. */
#define FILE_BYTES_MAX (24ull << 30)

struct line_table {
	const uint8_t *map;
	size_t len;
	struct line_header h; /* a copy, checked */
	struct line_source source;
	uint64_t *checked; /* bit i: chunk i + 1 has matched its sum */
	bool bad;
	struct dwarf_frame frames[DWARF_DEPTH_MAX];
};

DEFINE_CLEANUP(line_table, line_table_free)

/* --- opening ------------------------------------------------------------------------------------- */

static uint64_t n_chunks(const struct line_header *h)
{
	return (h->section[LINE_SUMS].off - LINE_CHUNK + LINE_CHUNK - 1) / LINE_CHUNK;
}

static bool sections_fit(const struct line_header *h)
{
	uint64_t sums = h->section[LINE_SUMS].off;

	if (sums < LINE_CHUNK || sums > h->file_len)
		return false;
	for (int i = 0; i < LINE_SUMS; i++)
		if (h->section[i].off < LINE_CHUNK || h->section[i].off > sums ||
		    h->section[i].len > sums - h->section[i].off)
			return false;
	return h->section[LINE_SUMS].len == h->file_len - sums &&
	       h->section[LINE_SUMS].len == n_chunks(h) * sizeof(uint32_t) &&
	       h->section[LINE_GROUPS].len / sizeof(uint32_t) ==
		       (h->n_nodes + (uint64_t)LINE_GROUP_NODES - 1) / LINE_GROUP_NODES;
}

static bool is_for(const struct line_header *h, const struct build_id *id)
{
	return h->build_id_len == id->len && id->len && !memcmp(h->build_id, id->data, id->len);
}

/* See line_table_open(). */
static int read_header(struct line_header *h, int fd, const struct build_id *id)
{
	ssize_t n = io_pread(fd, h, sizeof(*h), 0);
	struct stat st;

	if (n < 0 || fstat(fd, &st))
		return n < 0 ? (int)n : -errno;
	if (n < (ssize_t)sizeof(*h) || memcmp(h->magic, LINE_MAGIC, sizeof(h->magic)))
		return -ENOENT;
	if (h->version != LINE_VERSION)
		return -EPROTO;
	if (h->sum != hash_check(h, offsetof(struct line_header, sum)) || !is_for(h, id) ||
	    (uint64_t)st.st_size != h->file_len || h->file_len > FILE_BYTES_MAX)
		return -EBADMSG;
	if (h->refusal)
		return -ENODATA;
	return sections_fit(h) ? 0 : -EBADMSG;
}

int line_table_open(struct line_table **out, int fd, const struct build_id *build_id)
{
	_cleanup_(line_table_freep) struct line_table *t = calloc(1, sizeof(*t));
	int err = t ? read_header(&t->h, fd, build_id) : -ENOMEM;
	void *map;

	if (err)
		return err;
	t->checked = calloc(n_chunks(&t->h) / 64 + 1, sizeof(*t->checked));
	if (!t->checked)
		return -ENOMEM;
	map = mmap(NULL, t->h.file_len, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	t->map = map;
	t->len = t->h.file_len;
	if (hash_check(t->map + t->h.section[LINE_SUMS].off, t->h.section[LINE_SUMS].len) !=
	    t->h.sums_sum)
		return -EBADMSG;
	t->source = (struct line_source){
		.build_id = *build_id,
		.bias = t->h.bias,
		.size = t->h.source_size,
		.separate = t->h.separate,
	};
	*out = steal_ptr(t);
	return 0;
}

void line_table_free(struct line_table *t)
{
	if (!t)
		return;
	if (t->map)
		munmap((void *)t->map, t->len);
	free(t->checked);
	free(t);
}

const struct line_source *line_table_source(const struct line_table *t)
{
	return &t->source;
}

size_t line_table_bytes(const struct line_table *t)
{
	return sizeof(*t) + n_chunks(&t->h) / 8;
}

/* --- reading ------------------------------------------------------------------------------------- */

static bool check_chunk(struct line_table *t, uint64_t i)
{
	uint64_t off = (i + 1) * LINE_CHUNK, end = t->h.section[LINE_SUMS].off;
	uint32_t sum;

	if (t->checked[i / 64] >> i % 64 & 1)
		return true;
	memcpy(&sum, t->map + end + i * sizeof(sum), sizeof(sum));
	if (hash_check(t->map + off, end - off < LINE_CHUNK ? end - off : LINE_CHUNK) != sum) {
		t->bad = true;
		return false;
	}
	t->checked[i / 64] |= 1ull << i % 64;
	return true;
}

/* Bytes of a section, or none and t->bad. */
static struct bytes view(struct line_table *t, enum line_section s, uint64_t off, uint64_t len)
{
	uint64_t size = t->h.section[s].len, at;

	if (off > size || len > size - off) {
		t->bad = true;
		return bytes_of(NULL, 0);
	}
	at = t->h.section[s].off + off;
	for (uint64_t i = at / LINE_CHUNK; len && i <= (at + len - 1) / LINE_CHUNK; i++)
		if (!check_chunk(t, i - 1))
			return bytes_of(NULL, 0);
	return bytes_of(t->map + at, len);
}

static uint32_t u32_at(struct line_table *t, enum line_section s, uint64_t index)
{
	struct bytes b = view(t, s, index * sizeof(uint32_t), sizeof(uint32_t));

	return bytes_u32(&b);
}

static inline uint64_t number(struct bytes *b)
{
	return b->p < b->end && *b->p < 0x80 ? *b->p++ : bytes_uleb(b);
}

static uint32_t moved(uint32_t from, struct bytes *b)
{
	return from + (uint32_t)line_unfold(number(b));
}

/* The string at an offset of names; NULL and t->bad if it has no end. */
static const char *string_at(struct line_table *t, uint64_t off)
{
	uint64_t size = t->h.section[LINE_NAMES].len, base = t->h.section[LINE_NAMES].off,
		 end = off;

	while (end < size) {
		uint64_t chunk_end = (base + end) / LINE_CHUNK * LINE_CHUNK + LINE_CHUNK - base;
		uint64_t len = (chunk_end < size ? chunk_end : size) - end;
		struct bytes b = view(t, LINE_NAMES, end, len);

		if (t->bad)
			return NULL;
		if (memchr(b.p, 0, len))
			return (const char *)t->map + base + off;
		end += len;
	}
	t->bad = true;
	return NULL;
}

static const char *path_of(struct line_table *t, uint32_t file)
{
	if (file < LINE_FILE_FIRST)
		return NULL;
	return string_at(t, u32_at(t, LINE_FILES, file - LINE_FILE_FIRST));
}

static void read_label(struct line_table *t, uint32_t label, struct dwarf_frame *f)
{
	struct bytes b = view(t, LINE_LABELS, (uint64_t)label * sizeof(struct line_label),
			      sizeof(struct line_label));
	const char *name = t->bad ? NULL : string_at(t, bytes_u32(&b));

	f->start_line = bytes_u32(&b);
	f->name = f->linkage_name = name && *name ? name : NULL;
}

/* --- rows and nodes ------------------------------------------------------------------------------ */

static uint64_t block_va(struct line_table *t, uint64_t i)
{
	struct bytes b =
		view(t, LINE_BLOCKS, i * sizeof(struct line_block), sizeof(struct line_block));

	return bytes_u64(&b);
}

static struct bytes block_rows(struct line_table *t, uint64_t i, uint64_t n)
{
	struct bytes b =
		view(t, LINE_BLOCKS, i * sizeof(struct line_block), sizeof(struct line_block));
	uint64_t off, end = t->h.section[LINE_ROWS].len;

	bytes_skip(&b, offsetof(struct line_block, off));
	off = bytes_u32(&b);
	if (i + 1 < n) {
		b = view(t, LINE_BLOCKS, (i + 1) * sizeof(struct line_block),
			 sizeof(struct line_block));
		bytes_skip(&b, offsetof(struct line_block, off));
		end = bytes_u32(&b);
	}
	if (off > end)
		t->bad = true;
	return t->bad ? bytes_of(NULL, 0) : view(t, LINE_ROWS, off, end - off);
}

/* The row that holds va, which is not before the block's. */
static void find_in_block(struct line_table *t, struct bytes *b, uint64_t at, uint64_t va,
			  struct line_state *row)
{
	struct line_state memo[LINE_MEMO_SLOTS] = {0};

	row->node = (uint32_t)number(b);
	row->file = (uint32_t)number(b);
	row->line = (uint32_t)number(b);
	while (b->p < b->end && !b->bad) {
		struct line_state next = *row;
		unsigned first = *b->p++;
		uint64_t step = first >> ROW_BITS;

		memo[row->node % LINE_MEMO_SLOTS] = *row;
		if (step == ROW_STEP_MAX)
			step += number(b);
		at += step;
		if (at > va)
			return;
		switch (first & ROW_MASK) {
		case ROW_FILE:
			next.file = moved(row->file, b);
			break;
		case ROW_BACK:
			next.node = moved(row->node, b);
			next.file = memo[next.node % LINE_MEMO_SLOTS].file;
			next.line = memo[next.node % LINE_MEMO_SLOTS].line;
			break;
		case ROW_NODE:
			next.node = moved(row->node, b);
			next.file = moved(row->file, b);
			break;
		}
		next.line = moved(next.line, b);
		*row = next;
	}
	t->bad |= b->bad;
}

static struct line_state find_row(struct line_table *t, uint64_t va)
{
	uint64_t n = t->h.section[LINE_BLOCKS].len / sizeof(struct line_block), lo = 0, hi = n;
	struct line_state row = {0};
	struct bytes b;

	while (lo < hi && !t->bad) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (block_va(t, mid) <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || t->bad)
		return row;
	b = block_rows(t, lo - 1, n);
	if (!t->bad)
		find_in_block(t, &b, block_va(t, lo - 1), va, &row);
	return row;
}

struct node {
	uint32_t up, label, call_file, call_line;
};

static void read_node(struct line_table *t, uint32_t id, struct node *node)
{
	uint32_t group = (id - 1) / LINE_GROUP_NODES;
	uint64_t off, end = t->h.section[LINE_NODES].len;
	struct bytes b;

	if (!id || id > t->h.n_nodes) {
		t->bad = true;
		return;
	}
	off = u32_at(t, LINE_GROUPS, group);
	if (group + 1ull < t->h.section[LINE_GROUPS].len / sizeof(uint32_t))
		end = u32_at(t, LINE_GROUPS, group + 1);
	if (off > end || t->bad) {
		t->bad = true;
		return;
	}
	b = view(t, LINE_NODES, off, end - off);
	for (uint32_t i = group * LINE_GROUP_NODES; i < id; i++) {
		node->up = (uint32_t)number(&b);
		node->label = (uint32_t)number(&b);
		node->call_file = node->up ? (uint32_t)number(&b) : 0;
		node->call_line = node->up ? (uint32_t)number(&b) : 0;
	}
	t->bad |= b.bad || node->up >= id;
}

/* Frames of one address. Their number. */
static size_t find_frames(struct line_table *t, uint64_t va)
{
	struct line_state row = find_row(t, va);
	struct node node = {0};
	size_t n = 0;

	t->frames[0] = (struct dwarf_frame){0};
	if (row.file && !t->bad) {
		t->frames[0].file = path_of(t, row.file);
		t->frames[0].line = row.line;
		n = 1;
	}
	for (uint32_t id = row.node, depth = 0; id && !t->bad; id -= node.up, depth++) {
		struct dwarf_frame *f = &t->frames[depth];

		read_node(t, id, &node);
		n = depth + 1;
		if (!t->bad)
			read_label(t, node.label, f);
		if (!node.up || t->bad)
			break;
		if (n == DWARF_DEPTH_MAX) {
			t->bad = true;
			break;
		}
		f[1] = (struct dwarf_frame){.file = path_of(t, node.call_file),
					    .line = node.call_line};
	}
	return n;
}

int line_table_resolve(struct line_table *t, const uint64_t *elf_va, size_t n, dwarf_frames_fn fn,
		       void *ctx, size_t *done)
{
	for (*done = 0; *done < n; ++*done) {
		size_t n_frames = t->bad ? 0 : find_frames(t, elf_va[*done]);

		if (t->bad)
			return -EBADMSG;
		fn(ctx, *done, t->frames, n_frames, n_frames ? DWARF_OK : DWARF_NO_UNIT);
	}
	return 0;
}
