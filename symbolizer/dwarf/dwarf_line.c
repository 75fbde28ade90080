// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_line.h"
#include "symbolizer/dwarf/dwarf_line_header.h"

/* Rows of one unit: some 250 MiB. The largest known units have a few million rows. */
#define ROWS_MAX (1u << 24)

struct row {
	uint32_t off; /* relative to its sequence's low */
	uint32_t file, line;
	uint32_t discriminator; /* 0 unless the file keeps them */
};

/* Rows of contiguous code, ascending. */
struct sequence {
	uint64_t low, high;
	uint32_t first, n;
};

struct lines {
	uint16_t version;
	struct row *rows;
	struct sequence *seqs; /* sorted by high */
	size_t n_seqs;
	struct die_attr *dirs;
	struct line_file *files;
	char **paths; /* of files, made on demand */
	size_t n_dirs, n_files, bytes;
};

/* --- the program ------------------------------------------------------------------------------ */

struct machine {
	struct line_header *h;
	struct bytes b;
	uint64_t addr;
	uint32_t file, line, discriminator;
	bool discriminators; /* are kept */
	/* The sequence that is being made; `first` is its first row. */
	bool open, dead;
	uint64_t low, text_va; /* text_va: as in struct dwarf_file */
	size_t first;
	VEC(struct row) rows;
	VEC(struct sequence) seqs;
	struct special {
		uint32_t addr;
		int32_t line;
	} special[256];
	int err;
};

static void machine_reset(struct machine *m)
{
	m->addr = 0;
	m->file = m->line = 1;
	m->discriminator = 0;
	m->open = m->dead = false;
	m->first = m->rows.len;
}

/* Address and line advance of each special opcode (DWARF 5, section 6.2.5.1). */
static void compute_special(struct machine *m)
{
	const struct line_header *h = m->h;

	for (unsigned op = h->opcode_base; op < 256; op++) {
		unsigned adjusted = op - h->opcode_base;

		m->special[op].addr =
			h->line_range ? adjusted / h->line_range * h->min_inst_len : 0;
		m->special[op].line =
			h->line_base + (h->line_range ? (int)(adjusted % h->line_range) : 0);
	}
}

/* Only the last row at an address can be found. A row equal to the one before adds nothing. */
static void append_row(struct machine *m)
{
	struct row row = {.file = m->file, .line = m->line}, *last;

	if (m->discriminators)
		row.discriminator = m->discriminator;
	m->discriminator = 0;
	if (m->dead)
		return;
	if (!m->open) {
		m->open = true;
		m->low = m->addr;
	}
	/* More than 4 GiB of contiguous code, or out of order. */
	if (m->addr - m->low > UINT32_MAX) {
		m->dead = true;
		return;
	}
	row.off = (uint32_t)(m->addr - m->low);
	last = m->rows.len > m->first ? &vec_last(&m->rows) : NULL;
	if (last && last->off == row.off)
		*last = row;
	else if (m->rows.len >= ROWS_MAX)
		m->err = -EFBIG;
	else if (!last || last->file != row.file || last->line != row.line ||
		 last->discriminator != row.discriminator)
		m->err = vec_push(&m->rows, row);
}

static void end_sequence(struct machine *m)
{
	struct sequence seq = {m->low, m->addr, (uint32_t)m->first,
			       (uint32_t)(m->rows.len - m->first)};

	if (m->open && !m->dead && seq.n && seq.low < seq.high && m->rows.len < UINT32_MAX)
		m->err = vec_push(&m->seqs, seq);
	else
		m->rows.len = m->first;
	machine_reset(m);
}

static void set_address(struct machine *m, struct bytes *b)
{
	unsigned size = bytes_left(b);

	if (size < 1 || size > 8)
		return;
	m->addr = bytes_uint(b, size);
	/* Linkers mark removed code with the highest address, or leave it at address 0. */
	m->dead = m->addr == (size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1) ||
		  m->addr < m->text_va;
}

static void extended(struct machine *m)
{
	struct bytes b = bytes_sub(&m->b, bytes_uleb(&m->b));
	const char *name;

	switch (bytes_u8(&b)) {
	case DW_LNE_end_sequence:
		end_sequence(m);
		break;
	case DW_LNE_set_address:
		set_address(m, &b);
		break;
	case DW_LNE_define_file:
		name = bytes_cstr(&b);
		if (name && m->h->version < 5 && line_header_add_file(m->h, &b, name) == -ENOMEM)
			m->err = -ENOMEM;
		break;
	case DW_LNE_set_discriminator:
		m->discriminator = (uint32_t)bytes_uleb(&b);
		break;
	default: /* vendor extensions: the length steps over them */
		break;
	}
}

static void standard(struct machine *m, uint8_t op)
{
	switch (op) {
	case DW_LNS_copy:
		append_row(m);
		break;
	case DW_LNS_advance_pc:
		m->addr += bytes_uleb(&m->b) * m->h->min_inst_len;
		break;
	case DW_LNS_advance_line:
		m->line += (uint32_t)bytes_sleb(&m->b);
		break;
	case DW_LNS_set_file:
		m->file = (uint32_t)bytes_uleb(&m->b);
		break;
	case DW_LNS_const_add_pc:
		m->addr += m->special[255].addr;
		break;
	case DW_LNS_fixed_advance_pc:
		m->addr += bytes_u16(&m->b);
		break;
	case DW_LNS_negate_stmt:
	case DW_LNS_set_basic_block:
	case DW_LNS_set_prologue_end:
	case DW_LNS_set_epilogue_begin:
		break;
	default:
		for (unsigned i = 0; i < m->h->operands[op]; i++)
			bytes_uleb(&m->b);
	}
}

static void run(struct machine *m)
{
	uint8_t opcode_base = m->h->opcode_base;

	machine_reset(m);
	compute_special(m);
	while (m->b.p < m->b.end && !m->err) {
		uint8_t op = *m->b.p++;

		if (op >= opcode_base) {
			m->addr += m->special[op].addr;
			m->line += (uint32_t)m->special[op].line;
			append_row(m);
		} else if (op) {
			standard(m, op);
		} else {
			extended(m);
		}
	}
	m->rows.len = m->first; /* drops a sequence that has no end */
}

static void machine_release(struct machine *m)
{
	vec_release(&m->rows);
	vec_release(&m->seqs);
}

/* --- the table -------------------------------------------------------------------------------- */

static int compare_seqs(const void *a, const void *b)
{
	const struct sequence *x = a, *y = b;

	return x->high < y->high ? -1 : x->high > y->high;
}

/* Takes an array over, shrunk to its length. */
static void *take(void **data, size_t len, size_t elem_size, size_t *bytes)
{
	void *p = *data, *q = len ? realloc(p, len * elem_size) : NULL;

	*data = NULL;
	*bytes += len * elem_size;
	return q ?: p;
}

static int make_lines(struct lines **out, struct machine *m)
{
	struct lines *l = calloc(1, sizeof(*l));
	struct line_header *h = m->h;

	if (!l)
		return -ENOMEM;
	l->paths = calloc(h->files.len + 1, sizeof(*l->paths));
	if (!l->paths) {
		free(l);
		return -ENOMEM;
	}
	l->version = h->version;
	l->n_seqs = m->seqs.len;
	l->n_dirs = h->dirs.len;
	l->n_files = h->files.len;
	l->bytes = sizeof(*l) + (l->n_files + 1) * sizeof(*l->paths);
	l->rows = take((void **)&m->rows.data, m->rows.len, sizeof(*l->rows), &l->bytes);
	l->seqs = take((void **)&m->seqs.data, l->n_seqs, sizeof(*l->seqs), &l->bytes);
	l->dirs = take((void **)&h->dirs.data, l->n_dirs, sizeof(*l->dirs), &l->bytes);
	l->files = take((void **)&h->files.data, l->n_files, sizeof(*l->files), &l->bytes);
	if (l->n_seqs)
		qsort(l->seqs, l->n_seqs, sizeof(*l->seqs), compare_seqs);
	*out = l;
	return 0;
}

int lines_load(struct lines **out, struct cu *cu)
{
	_cleanup_(line_header_release) struct line_header h = {0};
	_cleanup_(machine_release) struct machine m = {
		.h = &h,
		.text_va = cu->addr_file->text_va,
		.discriminators = cu->file->discriminators,
	};
	int err;

	if (!cu->has_stmt_list)
		return -ENODATA;
	err = line_header_read(&h, cu, cu->stmt_list);
	if (err)
		return err;
	m.b = h.program;
	if (!work_spend(cu->file->work, bytes_left(&m.b)))
		cu->limited = true;
	run(&m);
	return m.err ?: make_lines(out, &m);
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n_files; i++)
		free(l->paths[i]);
	free(l->paths);
	free(l->rows);
	free(l->seqs);
	free(l->dirs);
	free(l->files);
	free(l);
}

size_t lines_bytes(const struct lines *l)
{
	return l ? l->bytes : 0;
}

/* The first sequence that ends behind the address. Where sequences overlap, the answer equals
 * llvm-symbolizer's. */
static size_t seq_behind(const struct lines *l, uint64_t va)
{
	size_t lo = 0, hi = l->n_seqs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->seqs[mid].high <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct row *find_row(const struct lines *l, const struct sequence *seq, uint64_t va)
{
	const struct row *row = &l->rows[seq->first];

	for (uint32_t n = seq->n; n > 1;) {
		uint32_t half = n / 2;

		if (row[half].off <= va - seq->low)
			row += half;
		n -= half;
	}
	return row;
}

bool lines_find(const struct lines *l, uint64_t va, uint32_t *file, uint32_t *line)
{
	size_t i = seq_behind(l, va);
	const struct row *row;

	if (i == l->n_seqs || l->seqs[i].low > va)
		return false;
	row = find_row(l, &l->seqs[i], va);
	*file = row->file;
	*line = row->line;
	return true;
}

uint32_t lines_discriminator(const struct lines *l, uint64_t va)
{
	size_t i = seq_behind(l, va);

	if (i == l->n_seqs || l->seqs[i].low > va)
		return 0;
	return find_row(l, &l->seqs[i], va)->discriminator;
}

/* Rows of one sequence. Skips rows of a broken program that go back. */
static int each_row(const struct lines *l, const struct sequence *seq, uint64_t low, uint64_t high,
		    lines_each_fn fn, void *ctx)
{
	const struct row *row = find_row(l, seq, low), *end = l->rows + seq->first + seq->n;
	int err = fn(ctx, low, true, row->file, row->line);

	for (row++; row < end && !err && row->off < high - seq->low; row++) {
		if (row->off <= low - seq->low)
			continue;
		low = seq->low + row->off;
		err = fn(ctx, low, true, row->file, row->line);
	}
	return err;
}

int lines_each(const struct lines *l, uint64_t low, uint64_t high, lines_each_fn fn, void *ctx)
{
	int err = 0;

	for (size_t i = seq_behind(l, low); low < high && !err; i++) {
		const struct sequence *seq = i < l->n_seqs ? &l->seqs[i] : NULL;
		uint64_t end = seq && seq->high < high ? seq->high : high;

		if (!seq || seq->low >= end)
			return fn(ctx, low, false, 0, 0);
		if (end <= low)
			continue;
		if (seq->low > low) {
			err = fn(ctx, low, false, 0, 0);
			low = seq->low;
		}
		err = err ?: each_row(l, seq, low, end, fn, ctx);
		low = end;
	}
	return err;
}

/* --- paths -------------------------------------------------------------------------------------- */

/* Cross-compiled objects may have Windows paths. */
static bool is_absolute(const char *s)
{
	return s[0] == '/' || s[0] == '\\' ||
	       (s[0] && s[1] == ':' && (s[2] == '\\' || s[2] == '/'));
}

static void add_component(struct buf *b, const char *s)
{
	if (!s || !*s)
		return;
	if (b->len && b->data[b->len - 1] == '/')
		s += strspn(s, "/");
	else if (b->len && *s != '/')
		buf_char(b, '/');
	buf_str(b, s);
}

/* A string of the line table. Like cu_str(), but DW_FORM_string is in .debug_line itself. */
static const char *line_str(struct cu *cu, const struct die_attr *attr)
{
	return attr->form == DW_FORM_string ? sect_str(&cu->file->sect[SECT_LINE], attr->v)
					    : cu_str(cu, attr);
}

/* Copies each string before it reads the next, since views do not last. */
static void add_path(struct buf *b, struct lines *l, struct cu *cu, const struct line_file *file)
{
	/* Directory 0 is the compilation directory; version 5 spells it out. */
	size_t dir = l->version >= 5 ? file->dir : file->dir - 1ul;
	const char *s = line_str(cu, &file->name);

	if (s && !is_absolute(s) && dir < l->n_dirs) {
		s = line_str(cu, &l->dirs[dir]);
		if (s && !is_absolute(s) && (l->version < 5 || file->dir))
			add_component(b, cu_str(cu, &cu->comp_dir));
		add_component(b, line_str(cu, &l->dirs[dir]));
	} else if (s && !is_absolute(s) && (l->version < 5 || file->dir)) {
		add_component(b, cu_str(cu, &cu->comp_dir));
	}
	add_component(b, line_str(cu, &file->name));
}

const char *lines_path(struct lines *l, struct cu *cu, uint64_t file)
{
	uint64_t i = l->version >= 5 ? file : file - 1;
	struct buf b = {0};

	if (i >= l->n_files)
		return NULL;
	if (!l->paths[i]) {
		add_path(&b, l, cu, &l->files[i]);
		buf_char(&b, 0);
		if (b.err) {
			free(b.data);
			return NULL;
		}
		l->bytes += b.cap;
		l->paths[i] = b.data;
	}
	return l->paths[i];
}
