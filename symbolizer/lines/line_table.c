// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/lines/line_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "symbolizer/dwarf/dwarf_func.h"
#include "symbolizer/lines/line_format.h"

/* Offsets of names, rows and nodes have 32 bits. Three such sections are the longest file. */
#define FILE_BYTES_MAX (24ull << 30)

/* Where the last look-up ended. The next one, for a higher address, continues there. */
struct cursor {
	bool valid;
	uint64_t block, va; /* of the row */
	uint64_t end;	    /* the next block's address; UINT64_MAX after the last block */
	struct bytes rest;  /* bytes after the row */
	struct line_state row, memo[LINE_MEMO_SLOTS];
};

struct line_table {
	const uint8_t *map;
	size_t len;
	struct line_header h; /* a copy, checked */
	struct line_source source;
	uint64_t *checked; /* bit i: chunk i + 1 has matched its sum */
	bool bad;
	struct cursor at;
	uint32_t node; /* node of frames[], except file and line of frame 0; 0: none */
	size_t n_frames;
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
	return id->len && build_id_equal(&h->build_id, id);
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

static bool chunk_is_checked(const struct line_table *t, uint64_t i)
{
	return t->checked[i / 64] >> i % 64 & 1;
}

static bool check_chunk(struct line_table *t, uint64_t i)
{
	uint64_t off = (i + 1) * LINE_CHUNK, end = t->h.section[LINE_SUMS].off;
	uint32_t sum;

	if (chunk_is_checked(t, i))
		return true;
	memcpy(&sum, t->map + end + i * sizeof(sum), sizeof(sum));
	if (hash_check(t->map + off, end - off < LINE_CHUNK ? end - off : LINE_CHUNK) != sum) {
		t->bad = true;
		return false;
	}
	t->checked[i / 64] |= 1ull << i % 64;
	return true;
}

static __attribute__((noinline)) bool check_chunks(struct line_table *t, uint64_t from, uint64_t to)
{
	while (from <= to && check_chunk(t, from))
		from++;
	return from > to;
}

/* Bytes of a section. Empty, with t->bad set, on damage. */
static inline struct bytes view(struct line_table *t, enum line_section s, uint64_t off,
				uint64_t len)
{
	uint64_t size = t->h.section[s].len, at = t->h.section[s].off + off;
	uint64_t first = at / LINE_CHUNK - 1, last = (at + len - 1) / LINE_CHUNK - 1;

	if (off > size || len > size - off) {
		t->bad = true;
		return bytes_of(NULL, 0);
	}
	if (len && (first != last || !chunk_is_checked(t, first)) && !check_chunks(t, first, last))
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

/* The string at an offset of names. NULL, with t->bad set, if it has no end. */
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

/* A block and the one after it, where its address range and rows end. */
struct block_at {
	uint64_t va, next_va;
	uint64_t off, next_off;
};

static uint64_t n_blocks(const struct line_table *t)
{
	return t->h.section[LINE_BLOCKS].len / sizeof(struct line_block);
}

static uint64_t block_va(struct line_table *t, uint64_t i)
{
	struct bytes b =
		view(t, LINE_BLOCKS, i * sizeof(struct line_block), sizeof(struct line_block));

	return bytes_u64(&b);
}

static void read_block(struct line_table *t, uint64_t i, struct block_at *at)
{
	bool last = i + 1 == n_blocks(t);
	struct bytes b = view(t, LINE_BLOCKS, i * sizeof(struct line_block),
			      (last ? 1 : 2) * sizeof(struct line_block));

	at->va = bytes_u64(&b);
	at->off = bytes_u32(&b);
	bytes_skip(&b, sizeof(uint32_t));
	at->next_va = last ? UINT64_MAX : bytes_u64(&b);
	at->next_off = last ? t->h.section[LINE_ROWS].len : bytes_u32(&b);
	t->bad |= at->off > at->next_off;
}

/* Moves the cursor to the first row of block i. */
static void enter_block(struct line_table *t, uint64_t i)
{
	struct cursor *c = &t->at;
	struct block_at at;

	read_block(t, i, &at);
	if (t->bad)
		return;
	c->rest = view(t, LINE_ROWS, at.off, at.next_off - at.off);
	c->block = i;
	c->va = at.va;
	c->end = at.next_va;
	memset(c->memo, 0, sizeof(c->memo));
	c->row.node = (uint32_t)number(&c->rest);
	c->row.file = (uint32_t)number(&c->rest);
	c->row.line = (uint32_t)number(&c->rest);
	c->valid = !t->bad;
}

/* Applies a row that begins with `first` to the row before it. */
static inline void next_row(struct line_state *row, struct line_state *memo, unsigned first,
			    struct bytes *b)
{
	struct line_state next = *row;

	memo[row->node % LINE_MEMO_SLOTS] = *row;
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

/* Moves the cursor forward to the row that holds va. */
static void advance(struct line_table *t, uint64_t va)
{
	struct cursor *c = &t->at;
	struct line_state row = c->row;
	struct bytes b = c->rest;
	uint64_t at = c->va;

	while (b.p < b.end && !b.bad) {
		const uint8_t *start = b.p;
		unsigned first = *b.p++;
		uint64_t step = first >> ROW_BITS;

		if (step == ROW_STEP_MAX)
			step += number(&b);
		if (at + step > va) {
			b.p = start;
			break;
		}
		at += step;
		next_row(&row, c->memo, first, &b);
	}
	t->bad |= b.bad;
	c->row = row;
	c->rest = b;
	c->va = at;
}

/* The first block in [lo, hi) that begins behind va, else hi. */
static uint64_t find_block(struct line_table *t, uint64_t lo, uint64_t hi, uint64_t va)
{
	while (lo < hi && !t->bad) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (block_va(t, mid) <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Number of blocks that begin at or before va. Takes few steps for sorted addresses. */
static uint64_t blocks_before(struct line_table *t, uint64_t va)
{
	uint64_t n = n_blocks(t), lo = 0, step = 1;

	if (t->at.valid && t->at.va <= va) {
		lo = t->at.block + 1;
		while (step < n - lo && !t->bad && block_va(t, lo + step - 1) <= va) {
			lo += step;
			step *= 2;
		}
		n = step < n - lo ? lo + step : n;
	}
	return find_block(t, lo, n, va);
}

static struct line_state find_row(struct line_table *t, uint64_t va)
{
	static const struct line_state none;
	struct cursor *c = &t->at;

	if (!c->valid || va < c->va || va >= c->end) {
		uint64_t n = blocks_before(t, va);

		c->valid = false;
		if (!n || t->bad)
			return none;
		enter_block(t, n - 1);
	}
	if (!t->bad)
		advance(t, va);
	return t->bad ? none : c->row;
}

struct node {
	uint32_t up, label, call_file, call_line;
};

static void read_node(struct line_table *t, uint32_t id, struct node *node)
{
	uint32_t group = (id - 1) / LINE_GROUP_NODES;
	uint64_t n_groups = t->h.section[LINE_GROUPS].len / sizeof(uint32_t);
	uint64_t off, end = t->h.section[LINE_NODES].len;
	struct bytes b;

	if (!id || id > t->h.n_nodes) {
		t->bad = true;
		return;
	}
	b = view(t, LINE_GROUPS, (uint64_t)group * sizeof(uint32_t),
		 (group + 1ull < n_groups ? 2 : 1) * sizeof(uint32_t));
	off = bytes_u32(&b);
	if (group + 1ull < n_groups)
		end = bytes_u32(&b);
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

/* Reads the functions of a node and its parents, and their call sites. Returns their number. */
static size_t read_chain(struct line_table *t, uint32_t id)
{
	struct node node = {0};
	size_t n = 0;

	for (; id && !t->bad; id -= node.up) {
		struct dwarf_frame *f = &t->frames[n++];

		read_node(t, id, &node);
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

/* Makes the frames of one address. Returns their number. */
static size_t find_frames(struct line_table *t, uint64_t va)
{
	struct line_state row = find_row(t, va);
	struct dwarf_frame *f = &t->frames[0];

	if (t->bad)
		return 0;
	if (!row.node)
		*f = (struct dwarf_frame){0};
	else if (row.node != t->node)
		t->n_frames = read_chain(t, row.node);
	t->node = row.node;
	f->file = row.file ? path_of(t, row.file) : NULL;
	f->line = row.file ? row.line : 0;
	return row.node ? t->n_frames : row.file != 0;
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
