// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/jit/perfmap.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/strtab.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"

/* Promised in the header. A JIT compiler that never frees code writes a million lines a day. */
#define ENTRIES_MAX    (4u << 20)
#define FILE_BYTES_MAX (256u << 20)
/* Longer names are cut: JIT compilers that inline write whole call chains. */
#define NAME_BYTES_MAX 4096

struct line {
	uint64_t start, end;
	const char *name; /* borrowed from the text */
	uint32_t name_len;
};

struct piece {
	uint64_t start, end;
	uint32_t name; /* in names */
};

struct perfmap {
	VEC(struct piece) pieces; /* sorted, without overlaps */
	struct strtab *names;
	size_t count, skipped;
};

/* --- lines ------------------------------------------------------------------------------------ */

/* Reads a hex number, with or without "0x", and the blanks after it. NULL if there is none. */
static const char *parse_hex(const char *p, const char *end, uint64_t *value)
{
	const char *start;

	if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
		p += 2;
	start = p;
	*value = 0;
	for (; p < end && isxdigit((unsigned char)*p); p++) {
		char c = *p | 0x20;

		if (p - start == 16)
			return NULL;
		*value = *value << 4 | (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0');
	}
	if (p == start || p == end || *p != ' ')
		return NULL;
	while (p < end && *p == ' ')
		p++;
	return p;
}

/* False if the line is malformed. */
static bool parse_line(struct line *line, const char *p, const char *end)
{
	uint64_t size;

	if (end > p && end[-1] == '\r')
		end--;
	p = parse_hex(p, end, &line->start);
	p = p ? parse_hex(p, end, &size) : NULL;
	if (!p || p == end || !size || line->start + size < line->start)
		return false;
	line->end = line->start + size;
	line->name = p;
	line->name_len = end - p < NAME_BYTES_MAX ? (uint32_t)(end - p) : NAME_BYTES_MAX;
	return true;
}

/* --- overlaps --------------------------------------------------------------------------------- */

/*
 * Sweeps over the lines by start address. The heap holds the lines that have started, with the
 * latest in the file on top. The top line wins until it ends or a later one starts.
 */
struct sweep {
	struct perfmap *m;
	VEC(struct line) lines;
	uint32_t *by_start;
	VEC(uint32_t) heap;
	uint64_t pos;
};

static int start_cmp(const void *pa, const void *pb, void *ctx)
{
	const struct line *lines = ctx;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	if (lines[a].start != lines[b].start)
		return lines[a].start < lines[b].start ? -1 : 1;
	return a < b ? -1 : 1;
}

static int heap_push(struct sweep *s, uint32_t v)
{
	int err = vec_push(&s->heap, v);
	uint32_t *h = s->heap.data;

	if (err)
		return err;
	for (size_t i = s->heap.len - 1; i && h[(i - 1) / 2] < h[i]; i = (i - 1) / 2) {
		uint32_t t = h[i];

		h[i] = h[(i - 1) / 2];
		h[(i - 1) / 2] = t;
	}
	return 0;
}

static void heap_pop(struct sweep *s)
{
	uint32_t *h = s->heap.data;
	size_t n = --s->heap.len, i = 0;

	h[0] = h[n];
	for (;;) {
		size_t child = 2 * i + 1;
		uint32_t t = h[i];

		if (child + 1 < n && h[child + 1] > h[child])
			child++;
		if (child >= n || h[child] <= t)
			return;
		h[i] = h[child];
		h[child] = t;
		i = child;
	}
}

/* `name` holds the line's index until name_pieces() runs. */
static int emit(struct sweep *s, uint64_t end, uint32_t line)
{
	struct perfmap *m = s->m;
	uint64_t start = s->pos;

	s->pos = end;
	if (m->pieces.len && vec_last(&m->pieces).end == start &&
	    vec_last(&m->pieces).name == line) {
		vec_last(&m->pieces).end = end;
		return 0;
	}
	return vec_push(&m->pieces, (struct piece){start, end, line});
}

static int advance(struct sweep *s, uint64_t until)
{
	while (s->heap.len && s->pos < until) {
		uint32_t top = s->heap.data[0];
		uint64_t end = s->lines.data[top].end;
		int err;

		if (end <= s->pos) {
			heap_pop(s);
			continue;
		}
		err = emit(s, end < until ? end : until, top);
		if (err)
			return err;
	}
	s->pos = until;
	return 0;
}

static int sweep(struct sweep *s)
{
	size_t n = s->lines.len;
	int err = 0;

	s->by_start = malloc(n * sizeof(*s->by_start) + 1);
	if (!s->by_start)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		s->by_start[i] = (uint32_t)i;
	if (n)
		qsort_r(s->by_start, n, sizeof(*s->by_start), start_cmp, s->lines.data);
	for (size_t i = 0; i < n && !err; i++)
		err = advance(s, s->lines.data[s->by_start[i]].start)
			      ?: heap_push(s, s->by_start[i]);
	return err ?: advance(s, UINT64_MAX);
}

static int add_name(struct perfmap *m, const struct line *line, uint32_t *id)
{
	_cleanup_(buf_release) struct buf clean = {0};

	if (text_is_clean(line->name, line->name_len))
		return strtab_add_n(m->names, line->name, line->name_len, id);
	text_add_clean(&clean, line->name, line->name_len);
	return clean.err ?: strtab_add_n(m->names, clean.data, clean.len, id);
}

static int name_pieces(struct sweep *s)
{
	struct perfmap *m = s->m;
	int err = 0;

	for (size_t i = 0; i < m->pieces.len && !err; i++)
		err = add_name(m, &s->lines.data[m->pieces.data[i].name], &m->pieces.data[i].name);
	return err;
}

/* --- the map ---------------------------------------------------------------------------------- */

static int take_lines(struct sweep *s, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		struct line line;

		if (!parse_line(&line, text, nl ?: end) || s->lines.len == ENTRIES_MAX)
			s->m->skipped++;
		else if (vec_push(&s->lines, line))
			return -ENOMEM;
		text = nl ? nl + 1 : end;
	}
	s->m->count = s->lines.len;
	return 0;
}

DEFINE_CLEANUP(perfmap, perfmap_free)

int perfmap_parse(struct perfmap **out, const char *text, size_t len)
{
	_cleanup_(perfmap_freep) struct perfmap *m = calloc(1, sizeof(*m));
	struct sweep s = {.m = m};
	int err;

	if (!m)
		return -ENOMEM;
	m->names = strtab_new();
	err = !m->names ? -ENOMEM : take_lines(&s, text, len) ?: sweep(&s) ?: name_pieces(&s);
	vec_release(&s.lines);
	vec_release(&s.heap);
	free(s.by_start);
	if (err)
		return err;
	*out = steal_ptr(m);
	return 0;
}

int perfmap_read(struct perfmap **out, int fd)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err = lseek(fd, 0, SEEK_SET) < 0 ? -errno : io_read_fd(fd, FILE_BYTES_MAX, &text, &len);

	return err ?: perfmap_parse(out, text, len);
}

void perfmap_free(struct perfmap *m)
{
	if (!m)
		return;
	vec_release(&m->pieces);
	strtab_free(m->names);
	free(m);
}

int perfmap_find(const struct perfmap *m, uint64_t va, const char **name)
{
	size_t lo = 0, hi = m->pieces.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->pieces.data[mid].start <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || va >= m->pieces.data[lo - 1].end)
		return -ENOENT;
	*name = strtab_get(m->names, m->pieces.data[lo - 1].name);
	return 0;
}

size_t perfmap_count(const struct perfmap *m)
{
	return m->count;
}

size_t perfmap_skipped(const struct perfmap *m)
{
	return m->skipped;
}
