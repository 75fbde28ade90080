// SPDX-License-Identifier: GPL-2.0-or-later
/* Section numbers in comments are those of jitdump-specification.txt, version 2. */
#include "symbolizer/jit/jitdump.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "symbolizer/jit/jitdump_priv.h"

/* A server that runs for weeks makes some hundred thousand functions. The index needs 64 MB at
 * most. */
#define CODES_MAX (1u << 20)
/* There are five kinds of records. Most functions have three. Each costs at least one read. */
#define RECORDS_MAX (4u << 20)
/* A longer function would be searched for every address above it. */
#define CODE_BYTES_MAX (64u << 20)
/* Longer names are cut: JIT compilers that inline write whole call chains. */
#define NAME_BYTES_MAX 4096
/* Lines of one function, and bytes of its record. V8's largest have some thousand lines. */
#define LINES_MAX	65536
#define LINES_BYTES_MAX (4u << 20)
/* Functions to look at for one address. Many may have followed each other at one place. */
#define STEPS_MAX 65536

/* III: "JiTD". If it reads backwards, the file is of the other byte order. */
#define MAGIC		    0x4a695444u
#define HEADER_BYTES	    40
#define FLAG_ARCH_TIMESTAMP 1u /* times are a processor counter, which samples do not have */

enum { CODE_LOAD, CODE_MOVE, CODE_DEBUG_INFO, CODE_CLOSE, CODE_UNWINDING_INFO };
#define LOAD_BYTES  (JITDUMP_RECORD_BYTES + 40)
#define MOVE_BYTES  (JITDUMP_RECORD_BYTES + 48)
#define DEBUG_BYTES (JITDUMP_RECORD_BYTES + 16)
#define ENTRY_BYTES 16 /* VII: code_addr, line, discrim, and a name */

/*
 * perf inject puts an ELF header before the code. V8 and LLVM add that header's size to the
 * addresses of lines. The specification does not, nor does perf's Java agent. Writers that add it
 * never have a line below it.
 */
#define LINE_SHIFT 0x40

/* --- bytes ------------------------------------------------------------------------------------ */

struct bytes jitdump_fetch(struct jitdump *j, uint64_t off, uint64_t len)
{
	ssize_t n;

	if (off >= j->size)
		return bytes_of("", 0);
	if (len > j->size - off)
		len = j->size - off;
	if (j->data)
		return bytes_of(j->data + off, len);
	if (off < j->window_off || off + len > j->window_off + j->window_len) {
		n = io_pread(j->fd, j->window, JITDUMP_WINDOW, off);
		j->window_off = off;
		j->window_len = n > 0 ? (size_t)n : 0;
	}
	if (len > j->window_len - (off - j->window_off))
		len = j->window_len - (off - j->window_off);
	return bytes_of(j->window + (off - j->window_off), len);
}

/* --- the index -------------------------------------------------------------------------------- */

struct reader {
	struct jitdump *j;
	/* Both kinds of records precede their function. */
	uint64_t lines_off, lines_addr;
	uint64_t unwind_off;
};

struct index_needle {
	const struct jitdump *j;
	uint64_t index;
};

static bool index_eq(const void *ctx, uint32_t id)
{
	const struct index_needle *n = ctx;

	return n->j->codes.data[id].index == n->index;
}

/* Code of length 0 is allowed (V), but it covers no address. */
static int add_code(struct jitdump *j, struct jit_code code, uint64_t len)
{
	code.end = code.start + len;
	if (!len)
		return 0;
	if (len > CODE_BYTES_MAX || code.end < code.start || j->codes.len == CODES_MAX) {
		j->skipped++;
		return 0;
	}
	if (j->timeless)
		code.since_ns = 0;
	return vec_push(&j->codes, code);
}

/* V: pid, tid, vma, code_addr, code_size, code_index. LLVM leaves vma 0. */
static int take_load(struct reader *r, struct jit_record *rec)
{
	struct jit_code code = {.since_ns = rec->t_ns, .load_off = rec->off};
	uint64_t len;

	bytes_skip(&rec->b, 4 + 4 + 8);
	code.start = bytes_u64(&rec->b);
	len = bytes_u64(&rec->b);
	code.index = bytes_u64(&rec->b);
	if (r->lines_off && r->lines_addr == code.start)
		code.lines_off = r->lines_off;
	code.unwind_off = r->unwind_off;
	r->lines_off = r->unwind_off = 0;
	if (!rec->b.bad)
		return add_code(r->j, code, len);
	r->j->skipped++;
	return 0;
}

/* Finds the code of this code_index: the last one loaded. Builds the table at the first use,
 * since most files never need it. */
static int find_index(struct jitdump *j, uint64_t index, uint32_t *id)
{
	struct index_needle n = {j, index};

	for (; j->indexed < j->codes.len; j->indexed++) {
		const struct jit_code *c = &j->codes.data[j->indexed];
		struct index_needle same = {j, c->index};
		uint32_t old = htab_find(&j->by_index, hash_u64(c->index), index_eq, &same);
		int err;

		if (old != HTAB_NONE)
			htab_remove(&j->by_index, hash_u64(c->index), old);
		err = htab_insert(&j->by_index, hash_u64(c->index), j->indexed);
		if (err)
			return err;
	}
	*id = htab_find(&j->by_index, hash_u64(index), index_eq, &n);
	return *id == HTAB_NONE ? -ENOENT : 0;
}

/* VI: pid, tid, vma, old_code_addr, new_code_addr, code_size, code_index. */
static int take_move(struct reader *r, struct jit_record *rec)
{
	struct jitdump *j = r->j;
	uint64_t start, len, index;
	struct jit_code code;
	uint32_t id;
	int err;

	bytes_skip(&rec->b, 4 + 4 + 8 + 8);
	start = bytes_u64(&rec->b);
	len = bytes_u64(&rec->b);
	index = bytes_u64(&rec->b);
	err = rec->b.bad ? -ENOENT : find_index(j, index, &id);
	if (err == -ENOENT) {
		j->skipped++;
		return 0;
	}
	if (err)
		return err;
	code = j->codes.data[id];
	code.start = start;
	code.since_ns = rec->t_ns;
	return add_code(j, code, len);
}

/* VII: code_addr, nr_entry, entries. It precedes the CODE_LOAD of its function. */
static void take_debug_info(struct reader *r, struct jit_record *rec)
{
	uint64_t n, first;

	r->lines_addr = bytes_u64(&rec->b);
	n = bytes_u64(&rec->b);
	first = bytes_u64(&rec->b);
	r->lines_off = n && !rec->b.bad ? rec->off : 0;
	if (r->lines_off && first - r->lines_addr < LINE_SHIFT)
		r->j->unshifted = true;
}

static int take_record(struct reader *r, struct jit_record *rec)
{
	switch (rec->id) {
	case CODE_LOAD:
		return take_load(r, rec);
	case CODE_MOVE:
		return take_move(r, rec);
	case CODE_DEBUG_INFO:
		take_debug_info(r, rec);
		return 0;
	case CODE_UNWINDING_INFO:
		r->unwind_off = rec->off;
		return 0;
	default: /* CODE_CLOSE, and unknown records */
		return 0;
	}
}

bool jitdump_record(struct jitdump *j, struct jit_record *rec, uint64_t off)
{
	struct bytes b = jitdump_fetch(j, off, MOVE_BYTES);

	rec->off = off;
	rec->id = bytes_u32(&b);
	rec->len = bytes_u32(&b);
	rec->t_ns = bytes_u64(&b);
	if (b.bad || rec->len < JITDUMP_RECORD_BYTES || rec->len > j->size - off)
		return false;
	if (bytes_left(&b) > rec->len - JITDUMP_RECORD_BYTES)
		b.end = b.p + (rec->len - JITDUMP_RECORD_BYTES);
	rec->b = b;
	return true;
}

static int read_records(struct jitdump *j, uint64_t off)
{
	struct reader r = {.j = j};
	struct jit_record rec;
	int err = 0;

	for (size_t n = 0; jitdump_record(j, &rec, off) && !err; n++) {
		if (n == RECORDS_MAX) {
			j->skipped++;
			break;
		}
		err = take_record(&r, &rec);
		off += rec.len;
	}
	htab_release(&j->by_index);
	return err;
}

static int code_cmp(const void *pa, const void *pb)
{
	const struct jit_code *a = pa, *b = pb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->since_ns != b->since_ns)
		return a->since_ns < b->since_ns ? -1 : 1;
	return a->load_off < b->load_off ? -1 : a->load_off > b->load_off;
}

static void sort_codes(struct jitdump *j)
{
	uint64_t max_end = 0;

	if (j->codes.len)
		qsort(j->codes.data, j->codes.len, sizeof(*j->codes.data), code_cmp);
	for (size_t i = 0; i < j->codes.len; i++) {
		struct jit_code *c = &j->codes.data[i];

		max_end = c->end > max_end ? c->end : max_end;
		c->max_end = max_end;
	}
}

/* III: magic, version, total_size, elf_mach, pad1, pid, timestamp, flags. */
static int read_all(struct jitdump *j)
{
	struct bytes b = jitdump_fetch(j, 0, HEADER_BYTES);
	uint32_t magic = bytes_u32(&b), total_size;
	int err;

	bytes_skip(&b, 4);
	total_size = bytes_u32(&b);
	j->machine = bytes_u32(&b);
	bytes_skip(&b, 4 + 4 + 8);
	j->timeless = bytes_u64(&b) & FLAG_ARCH_TIMESTAMP;
	if (b.bad || magic != MAGIC || total_size < HEADER_BYTES)
		return -ENOEXEC;
	err = read_records(j, total_size);
	if (!err)
		sort_codes(j);
	return err;
}

DEFINE_CLEANUP(jitdump, jitdump_free)

static int load(struct jitdump **out, const void *data, int fd, uint64_t size)
{
	_cleanup_(jitdump_freep) struct jitdump *j = calloc(1, sizeof(*j));
	int err;

	if (!j)
		return -ENOMEM;
	j->data = data;
	j->fd = fd;
	j->size = size;
	j->files = strtab_new();
	j->window = data ? NULL : malloc(JITDUMP_WINDOW);
	err = j->files && (data || j->window) ? read_all(j) : -ENOMEM;
	if (err)
		return err;
	*out = steal_ptr(j);
	return 0;
}

int jitdump_parse(struct jitdump **out, const void *data, size_t len)
{
	return load(out, len ? data : "", -1, len);
}

int jitdump_open(struct jitdump **out, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return load(out, NULL, fd, (uint64_t)st.st_size);
}

bool jitdump_is(int fd)
{
	uint32_t magic = 0;

	return io_pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) && magic == MAGIC;
}

void jitdump_drop_lines(struct jitdump *j)
{
	j->lineless = true;
}

void jitdump_free(struct jitdump *j)
{
	if (!j)
		return;
	free(j->window);
	vec_release(&j->codes);
	vec_release(&j->lines);
	htab_release(&j->by_index);
	buf_release(&j->name);
	strtab_free(j->files);
	free(j);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* The last function loaded at va until t_ns, else the first loaded later. NULL if there is none. */
static const struct jit_code *code_at(const struct jitdump *j, uint64_t t_ns, uint64_t va)
{
	const struct jit_code *before = NULL, *after = NULL;
	size_t lo = 0, hi = j->codes.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (j->codes.data[mid].start <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t steps = 0; lo > 0 && steps < STEPS_MAX; steps++) {
		const struct jit_code *c = &j->codes.data[--lo];

		if (c->max_end <= va)
			break;
		if (c->end <= va)
			continue;
		if (c->since_ns > t_ns)
			after = !after || c->since_ns < after->since_ns ? c : after;
		else if (!before || jit_code_is_newer(c, before))
			before = c;
	}
	return before ? before : after;
}

/* Reads a name at off, up to its NUL, the end of the record or the cap. */
static struct bytes read_name(struct jitdump *j, uint64_t off, uint64_t end)
{
	struct bytes b =
		jitdump_fetch(j, off, end - off < NAME_BYTES_MAX ? end - off : NAME_BYTES_MAX);
	const uint8_t *nul = bytes_left(&b) ? memchr(b.p, 0, bytes_left(&b)) : NULL;

	b.bad = !nul;
	b.end = nul ? nul : b.end;
	return b;
}

/* Reads the entry at *off and moves *off behind it. -ENODATA if it is malformed. */
static int read_line(struct jitdump *j, uint64_t *off, uint64_t end, struct jit_line *line)
{
	struct bytes b = jitdump_fetch(j, *off, ENTRY_BYTES), name;

	line->offset = bytes_u64(&b);
	line->line = bytes_u32(&b);
	if (b.bad || end - *off <= ENTRY_BYTES)
		return -ENODATA;
	*off += ENTRY_BYTES;
	name = read_name(j, *off, end);
	if (name.bad || !bytes_left(&name))
		return -ENODATA;
	*off += bytes_left(&name) + 1;
	if (bytes_left(&name) == 1 && *name.p == 0xff) /* same file as the entry before */
		return line->file ? 0 : -ENODATA;
	if (!text_is_clean((const char *)name.p, bytes_left(&name)))
		return -ENODATA;
	return strtab_add_n(j->files, (const char *)name.p, bytes_left(&name), &line->file);
}

/*
 * Takes all lines of a record or none. V8 11.3 writes freed names (of scripts whose name is no
 * plain string), so names may be garbage of any length.
 */
static int read_lines(struct jitdump *j, struct jit_record *rec, uint64_t code_len)
{
	uint64_t base = bytes_u64(&rec->b) + (j->unshifted ? 0 : LINE_SHIFT);
	uint64_t n = bytes_u64(&rec->b), off = rec->off + DEBUG_BYTES, end = rec->off + rec->len;
	struct jit_line line = {0};

	if (rec->b.bad || rec->len > LINES_BYTES_MAX || n > LINES_MAX)
		return -ENODATA;
	for (uint64_t i = 0; i < n; i++) {
		int err = read_line(j, &off, end, &line);

		line.offset -= base;
		if (!err && line.offset > code_len)
			err = -ENODATA;
		err = err ?: vec_push(&j->lines, line);
		if (err)
			return err;
	}
	return end - off < JITDUMP_RECORD_BYTES ? 0 : -ENODATA; /* V8 pads to 8 bytes */
}

/* Loads the lines of a function. 0 or -ENOMEM. */
static int load_lines(struct jitdump *j, const struct jit_code *c)
{
	struct jit_record rec;
	int err = 0;

	if (j->lines_of == c->lines_off)
		return 0;
	j->lines_of = 0;
	j->lines.len = 0;
	strtab_free(j->files);
	j->files = strtab_new();
	if (!j->files)
		return -ENOMEM;
	if (jitdump_record(j, &rec, c->lines_off))
		err = read_lines(j, &rec, c->end - c->start);
	if (err == -ENODATA) {
		j->lines.len = 0;
		j->skipped++;
		err = 0;
	}
	if (!err)
		j->lines_of = c->lines_off;
	return err;
}

static int find_line(struct jitdump *j, const struct jit_code *c, uint64_t va,
		     struct jit_frame *out)
{
	const struct jit_line *best = NULL;
	int err;

	if (!c->lines_off || j->lineless)
		return 0;
	err = load_lines(j, c);
	if (err)
		return err;
	for (size_t i = 0; i < j->lines.len; i++) {
		const struct jit_line *l = &j->lines.data[i];

		if (l->offset <= va - c->start && (!best || l->offset >= best->offset))
			best = l;
	}
	if (!best)
		return 0;
	out->file = strtab_get(j->files, best->file);
	out->line = best->line <= INT32_MAX ? best->line : 0;
	return 0;
}

int jitdump_find(struct jitdump *j, uint64_t t_ns, uint64_t va, struct jit_frame *out)
{
	const struct jit_code *c = code_at(j, t_ns, va);
	struct jit_frame f = {0};
	struct jit_record rec;
	struct bytes name;
	int err;

	if (!c || !jitdump_record(j, &rec, c->load_off) || rec.len <= LOAD_BYTES)
		return -ENOENT;
	name = read_name(j, rec.off + LOAD_BYTES, rec.off + rec.len);
	if (!bytes_left(&name))
		return -ENOENT;
	buf_clear(&j->name);
	text_add_clean(&j->name, (const char *)name.p, bytes_left(&name));
	err = j->name.err ?: find_line(j, c, va, &f);
	if (err)
		return err;
	f.name = buf_cstr(&j->name);
	*out = f;
	return 0;
}

uint64_t jitdump_size(const struct jitdump *j)
{
	return j->size;
}

void jitdump_stats(const struct jitdump *j, struct jitdump_stats *out)
{
	*out = (struct jitdump_stats){j->codes.len, j->skipped};
}
