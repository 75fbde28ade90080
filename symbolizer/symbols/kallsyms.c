// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/symbols/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"

/* A kernel with everything built in has 200,000 lines in 10 MiB. Every BPF program adds one. */
#define TEXT_BYTES_MAX (128u << 20)
#define LINES_MAX      (4u << 20)
#define MODULES_MAX    65535
/* Longest reach of the last symbol of a module. */
#define LAST_REACH 4096

#define KIND_TEXT   0x1
#define KIND_MARKER 0x2 /* in the text section, but a boundary, no function */

struct line { /* of the file; borrows from its text */
	uint64_t addr;
	const char *name;
	uint32_t name_len;
	uint16_t module;
	uint8_t kind, rank;
};

struct ksym {
	uint64_t start;
	uint32_t len;
	uint32_t name;	 /* offset in names */
	uint32_t module; /* id */
};

struct kallsyms {
	VEC(struct ksym) syms;
	struct buf names;      /* NUL-terminated, one after the other */
	VEC(uint32_t) modules; /* by id: offset in names; 0 is the core kernel */
	uint64_t stext;
};

struct parser {
	struct kallsyms *k;
	VEC(struct line) lines;
	bool any_address;
	const char *last_module; /* of the line before, borrowed: modules come in runs */
	size_t last_module_len;
};

static int add_name(struct kallsyms *k, const char *s, size_t len, uint32_t *off)
{
	if (k->names.len > UINT32_MAX)
		return -EFBIG;
	*off = (uint32_t)k->names.len;
	text_add_clean(&k->names, s, len);
	buf_char(&k->names, 0);
	return k->names.err;
}

/* Id of a module: the one of the line before, or a new one. The name is preceded by a tab and in
 * brackets. */
static int module_id(struct parser *p, const char *s, size_t len, uint16_t *id)
{
	uint32_t off;
	int err;

	if (len < 2 || s[0] != '[' || s[len - 1] != ']') {
		*id = 0;
		return 0;
	}
	if (!p->last_module || len != p->last_module_len || memcmp(s, p->last_module, len) != 0) {
		if (p->k->modules.len > MODULES_MAX)
			return -EFBIG;
		err = add_name(p->k, s + 1, len - 2, &off) ?: vec_push(&p->k->modules, off);
		if (err)
			return err;
		p->last_module = s;
		p->last_module_len = len;
	}
	*id = (uint16_t)(p->k->modules.len - 1);
	return 0;
}

static bool has_suffix(const char *s, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && !memcmp(s + len - n, suffix, n);
}

/* Linker script markers around parts of the text. Padding follows an end marker. */
static bool is_marker(const char *s, size_t len)
{
	static const char *const names[] = {"_text",
					    "_stext",
					    "_etext",
					    "_sinittext",
					    "_einittext",
					    "__indirect_thunk_start",
					    "__indirect_thunk_end"};

	if (has_suffix(s, len, "_text_start") || has_suffix(s, len, "_text_end"))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == len && !memcmp(s, names[i], len))
			return true;
	return false;
}

/* Rank of names of one address, lower is preferred: functions, markers, data; global, local,
 * weak; fewest leading underscores. */
static uint8_t rank_of(char type, const char *name, size_t len, uint8_t kind)
{
	uint8_t rank = kind == KIND_TEXT ? 0 : kind & KIND_MARKER ? 64 : 128;
	size_t underscores = 0;

	rank += type == 'T' ? 0 : type == 't' ? 16 : 32;
	while (underscores < len && underscores < 8 && name[underscores] == '_')
		underscores++;
	return rank + (uint8_t)underscores;
}

static const char *parse_hex(const char *p, const char *end, uint64_t *value)
{
	const char *start = p;

	*value = 0;
	for (; p < end && p - start < 16; p++) {
		char c = *p | 0x20;
		unsigned digit = c >= '0' && c <= '9'	? c - '0'
				 : c >= 'a' && c <= 'f' ? c - 'a' + 10
							: 16;
		if (digit == 16)
			break;
		*value = *value << 4 | digit;
	}
	return p == start ? NULL : p;
}

/* "ffffffff81000000 T name\t[module]"; other lines are skipped. */
static int parse_line(struct parser *p, const char *s, const char *end)
{
	struct line line = {0};
	const char *tab;
	char type;
	int err;

	s = parse_hex(s, end, &line.addr);
	if (!s || end - s < 4 || s[0] != ' ' || s[2] != ' ')
		return 0;
	type = s[1];
	s += 3;
	tab = memchr(s, '\t', (size_t)(end - s));
	line.name = s;
	line.name_len = (uint32_t)((tab ?: end) - s);
	if (!line.addr || !line.name_len)
		return 0;
	p->any_address = true;
	if (!tab && line.name_len == 6 && !memcmp(s, "_stext", 6))
		p->k->stext = line.addr;
	err = tab ? module_id(p, tab + 1, (size_t)(end - tab - 1), &line.module) : 0;
	if (err)
		return err;
	if (strchr("tTwW", type))
		line.kind = KIND_TEXT | (is_marker(s, line.name_len) ? KIND_MARKER : 0);
	line.rank = rank_of(type, s, line.name_len, line.kind);
	return p->lines.len < LINES_MAX ? vec_push(&p->lines, line) : -EFBIG;
}

static int line_cmp(const void *pa, const void *pb)
{
	const struct line *a = pa, *b = pb;
	uint32_t len;
	int cmp;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->name_len != b->name_len)
		return a->name_len > b->name_len ? -1 : 1;
	len = a->name_len;
	cmp = memcmp(a->name, b->name, len);
	return cmp ?: (a->module > b->module) - (a->module < b->module);
}

/* End of the symbol. `next` is the first line at a higher address, or NULL. */
static uint64_t end_of(const struct line *sym, const struct line *next)
{
	uint64_t reach = sym->addr + LAST_REACH;

	if (reach < sym->addr)
		reach = UINT64_MAX;
	if (!next)
		return reach;
	if (next->module == sym->module || next->addr < reach)
		return next->addr;
	return reach;
}

static int build(struct parser *p)
{
	struct kallsyms *k = p->k;
	size_t n = p->lines.len;

	if (n)
		qsort(p->lines.data, n, sizeof(*p->lines.data), line_cmp);
	for (size_t i = 0, next; i < n; i = next) {
		const struct line *line = &p->lines.data[i];
		struct ksym sym = {.start = line->addr, .module = line->module};
		uint64_t len;
		int err;

		for (next = i + 1; next < n && p->lines.data[next].addr == line->addr;)
			next++;
		if (line->kind != KIND_TEXT)
			continue;
		len = end_of(line, next < n ? &p->lines.data[next] : NULL) - line->addr;
		sym.len = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
		err = add_name(k, line->name, line->name_len, &sym.name) ?: vec_push(&k->syms, sym);
		if (err)
			return err;
	}
	return 0;
}

DEFINE_CLEANUP(kallsyms, kallsyms_free)

static int parse_lines(struct parser *p, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		int err = parse_line(p, text, nl ?: end);

		if (err)
			return err;
		text = nl ? nl + 1 : end;
	}
	return p->any_address ? 0 : -ENODATA;
}

int kallsyms_parse(struct kallsyms **out, const char *text, size_t len)
{
	_cleanup_(kallsyms_freep) struct kallsyms *k = calloc(1, sizeof(*k));
	struct parser p = {.k = k};
	uint32_t off;
	int err;

	if (!k)
		return -ENOMEM;
	err = add_name(k, "", 0, &off) ?: vec_push(&k->modules, off) ?: parse_lines(&p, text, len)
		?: build(&p);
	vec_release(&p.lines);
	if (err)
		return err;
	*out = steal_ptr(k);
	return 0;
}

int kallsyms_load(struct kallsyms **out)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err = io_read_file("/proc/kallsyms", TEXT_BYTES_MAX, &text, &len);

	return err ?: kallsyms_parse(out, text, len);
}

void kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return;
	vec_release(&k->syms);
	vec_release(&k->modules);
	buf_release(&k->names);
	free(k);
}

int kallsyms_find(const struct kallsyms *k, uint64_t addr, const char **name, const char **module,
		  uint64_t *start)
{
	size_t lo = 0, hi = k->syms.len;
	const struct ksym *s;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->syms.data[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return -ENOENT;
	s = &k->syms.data[lo - 1];
	if (addr - s->start >= s->len)
		return -ENOENT;
	*name = k->names.data + s->name;
	*module = k->names.data + k->modules.data[s->module];
	*start = s->start;
	return 0;
}

uint64_t kallsyms_stext(const struct kallsyms *k)
{
	return k->stext;
}
