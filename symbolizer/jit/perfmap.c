// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/jit/perfmap.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
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

struct perfmap {
	VEC(struct line) lines; /* in the order of the file */
	const char *text;
	size_t len;
	bool is_cut;
	char *own; /* the text, if it was read here */
	struct buf name;
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

/* --- sets of lines ----------------------------------------------------------------------------- */

/* Numbers below a bound, of which the next and the previous one are found in a few steps: each bit of a level
 * says whether a word of the level below has any. */
#define LEVELS 4 /* 64^4 numbers */

struct line_set {
	uint64_t *words[LEVELS];
};

static int set_init(struct line_set *s, size_t n)
{
	for (int l = 0; l < LEVELS; l++) {
		n = n / 64 + 1;
		s->words[l] = calloc(n, sizeof(*s->words[l]));
		if (!s->words[l])
			return -ENOMEM;
	}
	return 0;
}

static void set_release(struct line_set *s)
{
	for (int l = 0; l < LEVELS; l++)
		free(s->words[l]);
}

static void set_add(struct line_set *s, uint32_t i)
{
	for (int l = 0; l < LEVELS; l++, i /= 64)
		s->words[l][i / 64] |= 1ull << i % 64;
}

static void set_remove(struct line_set *s, uint32_t i)
{
	for (int l = 0; l < LEVELS; l++, i /= 64) {
		s->words[l][i / 64] &= ~(1ull << i % 64);
		if (s->words[l][i / 64])
			return;
	}
}

/* The largest number below i, or PERFMAP_NONE. */
static uint32_t set_before(const struct line_set *s, uint32_t i)
{
	for (int l = 0; l < LEVELS; l++, i /= 64) {
		uint64_t below = s->words[l][i / 64] & ((1ull << i % 64) - 1);

		if (!below)
			continue;
		i = i / 64 * 64 + 63 - (uint32_t)__builtin_clzll(below);
		while (l--)
			i = i * 64 + 63 - (uint32_t)__builtin_clzll(s->words[l][i]);
		return i;
	}
	return PERFMAP_NONE;
}

/* The smallest number that is not below i, or PERFMAP_NONE. */
static uint32_t set_from(const struct line_set *s, uint32_t i)
{
	uint64_t above = s->words[0][i / 64] & ~0ull << i % 64;

	for (int l = 0; l < LEVELS; l++) {
		if (above) {
			i = i / 64 * 64 + (uint32_t)__builtin_ctzll(above);
			while (l--)
				i = i * 64 + (uint32_t)__builtin_ctzll(s->words[l][i]);
			return i;
		}
		i /= 64;
		if (l + 1 < LEVELS)
			above = s->words[l + 1][i / 64] & ~1ull << i % 64;
	}
	return PERFMAP_NONE;
}

/* --- questions -------------------------------------------------------------------------------- */

/* Goes up through the addresses: which lines cover the present one? */
struct sweep {
	const struct perfmap *m;
	uint32_t *by_start, *by_end;
	size_t started, ended;
	struct line_set covering;
};

static int start_cmp(const void *pa, const void *pb, void *ctx)
{
	const struct line *lines = ctx, *a = &lines[*(const uint32_t *)pa],
			  *b = &lines[*(const uint32_t *)pb];

	return a->start < b->start ? -1 : a->start > b->start;
}

static int end_cmp(const void *pa, const void *pb, void *ctx)
{
	const struct line *lines = ctx, *a = &lines[*(const uint32_t *)pa],
			  *b = &lines[*(const uint32_t *)pb];

	return a->end < b->end ? -1 : a->end > b->end;
}

static int ask_cmp(const void *pa, const void *pb)
{
	const struct perfmap_ask *a = pa, *b = pb;

	return a->va < b->va ? -1 : a->va > b->va;
}

static int sweep_init(struct sweep *s, const struct perfmap *m)
{
	size_t n = m->lines.len;

	s->by_start = malloc(n * sizeof(*s->by_start) + 1);
	s->by_end = malloc(n * sizeof(*s->by_end) + 1);
	if (!s->by_start || !s->by_end)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		s->by_start[i] = s->by_end[i] = (uint32_t)i;
	if (n) {
		qsort_r(s->by_start, n, sizeof(*s->by_start), start_cmp, m->lines.data);
		qsort_r(s->by_end, n, sizeof(*s->by_end), end_cmp, m->lines.data);
	}
	s->m = m;
	return set_init(&s->covering, n);
}

static void sweep_release(struct sweep *s)
{
	free(s->by_start);
	free(s->by_end);
	set_release(&s->covering);
}

/* A line has started before it ends. */
static void advance(struct sweep *s, uint64_t va)
{
	const struct line *lines = s->m->lines.data;
	size_t n = s->m->lines.len;

	while (s->started < n && lines[s->by_start[s->started]].start <= va)
		set_add(&s->covering, s->by_start[s->started++]);
	while (s->ended < n && lines[s->by_end[s->ended]].end <= va)
		set_remove(&s->covering, s->by_end[s->ended++]);
}

static bool ends_a_line(const struct perfmap *m, uint64_t bytes)
{
	return m->text[bytes - 1] == '\n';
}

/*
 * Whether the sizes that the file had tell when its lines were written. They do not if most of them are in the
 * middle of a line, as by a buffer, nor if the file was larger: it was written anew.
 */
static bool sizes_tell(const struct perfmap *m, const struct perfmap_ask *asks, size_t n)
{
	size_t whole = 0, cut = 0;

	for (size_t i = 0; i < n; i++) {
		if (asks[i].bytes > m->len)
			return false;
		if (asks[i].bytes)
			(*(ends_a_line(m, asks[i].bytes) ? &whole : &cut))++;
	}
	return whole >= cut;
}

/* How many lines the file had then. */
static uint32_t lines_until(const struct perfmap *m, uint64_t bytes)
{
	size_t lo = 0, hi = m->lines.len;

	if (!bytes || bytes >= m->len || !ends_a_line(m, bytes))
		return (uint32_t)hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->lines.data[mid].name < m->text + bytes)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

int perfmap_find(struct perfmap *m, struct perfmap_ask *asks, size_t n)
{
	struct sweep s = {.m = m};
	bool tell = sizes_tell(m, asks, n);
	int err = sweep_init(&s, m);

	if (n && !err)
		qsort(asks, n, sizeof(*asks), ask_cmp);
	for (size_t i = 0; i < n && !err; i++) {
		uint32_t until = lines_until(m, tell ? asks[i].bytes : 0);

		advance(&s, asks[i].va);
		asks[i].entry = set_before(&s.covering, until);
		if (asks[i].entry == PERFMAP_NONE)
			asks[i].entry = set_from(&s.covering, until);
	}
	sweep_release(&s);
	return err;
}

const char *perfmap_name(struct perfmap *m, uint32_t entry)
{
	const struct line *line = &m->lines.data[entry];

	buf_clear(&m->name);
	text_add_clean(&m->name, line->name, line->name_len);
	return m->name.err ? NULL : buf_cstr(&m->name);
}

/* --- the map ---------------------------------------------------------------------------------- */

static int take_lines(struct perfmap *m)
{
	const char *p = m->text, *end = m->text + m->len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct line line;

		/* a last line without an end is still being written: its name may be cut */
		if (nl && parse_line(&line, p, nl)) {
			m->is_cut = m->lines.len == ENTRIES_MAX;
			if (m->is_cut)
				break;
			if (vec_push(&m->lines, line))
				return -ENOMEM;
		}
		p = nl ? nl + 1 : end;
	}
	return 0;
}

int perfmap_parse(struct perfmap **out, const char *text, size_t len)
{
	struct perfmap *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->text = text;
	m->len = len;
	err = take_lines(m);
	if (err)
		perfmap_free(m);
	else
		*out = m;
	return err;
}

int perfmap_read(struct perfmap **out, int fd)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;
	int err = lseek(fd, 0, SEEK_SET) < 0 || fstat(fd, &st) ? -errno : 0;

	if (!err && st.st_size > FILE_BYTES_MAX)
		return -EFBIG;
	err = err ?: io_read_fd(fd, FILE_BYTES_MAX, &text, &len) ?: perfmap_parse(out, text, len);
	if (!err)
		(*out)->own = steal_ptr(text);
	return err;
}

void perfmap_free(struct perfmap *m)
{
	if (!m)
		return;
	vec_release(&m->lines);
	buf_release(&m->name);
	free(m->own);
	free(m);
}

size_t perfmap_count(const struct perfmap *m)
{
	return m->lines.len;
}

bool perfmap_is_cut(const struct perfmap *m)
{
	return m->is_cut;
}
