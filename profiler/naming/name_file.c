// SPDX-License-Identifier: GPL-2.0-or-later
/* Names frames in ELF files, from the cache or by the symbolizer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/naming/name_file.h"
#include "profiler/naming/namer.h"
#include "symbolizer/query/answer.h"
#include "symbolizer/query/elf_facts.h"
#include "symbolizer/symbolizer.h"

/* Addresses in one question to the symbolizer. A cold file takes a tenth of a second. */
#define ASK_AT_ONCE 512

/* Facts about one frame of the group. */
struct answer {
	uint64_t elf_va;
	struct elf_segment seg; /* of its segment; all 0: unknown */
	uint32_t first_line, n_lines;
	uint8_t as, is_root;
	bool is_new, lasts; /* not from the cache; may be cached */
};

struct file_group {
	struct namer *w;
	const struct sym_file *file;
	uint32_t file_id;
	struct answer *answers; /* one for each frame */
	const size_t *asked;	/* frames in the current question to the symbolizer */
	struct buf unnamed; /* the name of what has none, "[libfoo.so]"; empty: not asked for yet */
	bool any_file, any_line, any_inline;
	int err;
};

/*
 * Functions without a caller: a stack that ends in one is complete. A frame-pointer walk cannot get
 * past the C library's start functions, which are built without frame pointers.
 */
static enum named_root root_of(const char *name)
{
	static const struct {
		const char *name;
		enum named_root root;
	} roots[] = {
		{"_start", ROOT_BY_NAME},
		{"__libc_start_call_main", ROOT_BY_NAME},
		{"__libc_start_main", ROOT_BY_NAME},
		{"start_thread", ROOT_AT_END},
		{"clone", ROOT_AT_END},
		{"__clone", ROOT_BY_NAME},
		{"clone3", ROOT_AT_END},
		{"__clone3", ROOT_BY_NAME},
		{"_dl_start_user", ROOT_BY_NAME},
		{"runtime.goexit", ROOT_BY_NAME},
		{"runtime.mstart", ROOT_BY_NAME},
		{"runtime.rt0_go", ROOT_BY_NAME},
		{"_rt0_amd64", ROOT_BY_NAME},
		{"_rt0_amd64_linux", ROOT_BY_NAME},
		{"_rt0_arm64_linux", ROOT_BY_NAME},
		{"runtime.goexit.abi0", ROOT_BY_NAME},
		{"runtime.mstart.abi0", ROOT_BY_NAME},
		{"runtime.rt0_go.abi0", ROOT_BY_NAME},
		{"thread_start", ROOT_AT_END},
	};

	for (size_t i = 0; name && i < sizeof(roots) / sizeof(*roots); i++) {
		size_t len = strlen(roots[i].name);

		if (!strncmp(name, roots[i].name, len) && (!name[len] || name[len] == '@'))
			return roots[i].root;
	}
	return NOT_A_ROOT;
}

static void add_line(struct file_group *g, const char *name, const char *raw_name, const char *file,
		     uint32_t start_line, uint32_t number)
{
	struct profile_line line = {.line = number};

	g->any_file |= file != NULL;
	g->any_line |= number != 0;
	g->err = g->err
			 ?: profile_named_function(g->w->p, name, raw_name, file, start_line,
						   &line.function)
			 ?: vec_push(&g->w->lines, line);
}

/* As the name of code that nothing tells more of, as of JIT code: functions that are one address each
 * tell nobody anything, and the location has the address. */
static const char *name_of_unnamed(struct file_group *g)
{
	_cleanup_(buf_release) struct buf module = {0};

	if (!g->unnamed.len) {
		sym_module_name(&module, g->file->path);
		buf_printf(&g->unnamed, *buf_cstr(&module) == '[' ? "%s" : "[%s]",
			   buf_cstr(&module));
		g->err = g->err ?: module.err ?: g->unnamed.err;
	}
	return buf_cstr(&g->unnamed);
}

static void end_lines(struct file_group *g, struct answer *a)
{
	a->n_lines = (uint32_t)g->w->lines.len - a->first_line;
	g->any_inline |= a->n_lines > 1;
}

static void on_answer(void *ctx, size_t index, const struct sym_result *r)
{
	struct file_group *g = ctx;
	struct answer *a = &g->answers[g->asked[index]];
	const char *outermost = r->frames[r->n_frames - 1].raw_name;

	*a = (struct answer){
		.elf_va = r->elf_va,
		.first_line = (uint32_t)g->w->lines.len,
		.as = r->reason == SYM_OK	   ? NAMED_SYMBOL
		      : r->reason == SYM_FDE_START ? NAMED_FDE
						   : NAMED_NOT,
		.is_root = root_of(outermost),
		.is_new = true,
		/* Other faults of a file may be gone in the next window. */
		.lasts = r->reason == SYM_OK || r->reason == SYM_FDE_START ||
			 r->reason == SYM_NO_SYMBOL,
	};
	for (size_t i = 0; i < r->n_frames; i++) {
		const struct sym_frame *f = &r->frames[i];
		const char *unnamed =
			a->as == NAMED_NOT && i + 1 == r->n_frames ? name_of_unnamed(g) : NULL;

		add_line(g, unnamed ?: f->name, unnamed ?: f->raw_name, f->file, f->start_line,
			 f->line);
	}
	end_lines(g, a);
}

/* Takes a frame's name from the cache. False if it has none. */
static bool take_cached(struct file_group *g, uint64_t file_off, struct answer *a)
{
	struct cached_name c;

	if (!name_cache_find(g->w->n->cache, g->file_id, file_off, &c))
		return false;
	*a = (struct answer){
		.elf_va = c.elf_va,
		.seg = {.va = c.seg_va, .mem_len = c.seg_len, .file_off = c.seg_off},
		.first_line = (uint32_t)g->w->lines.len,
		.as = c.as,
		.is_root = c.is_root,
	};
	for (size_t i = 0; i < c.n_lines; i++) {
		const struct cached_line *l = &c.lines[i];

		add_line(g, l->name, l->raw_name, l->file, l->start_line, l->line);
	}
	end_lines(g, a);
	return true;
}

static void remember(struct file_group *g, uint64_t file_off, const struct answer *a)
{
	struct namer *w = g->w;
	struct cached_name c = {
		.elf_va = a->elf_va,
		.seg_va = a->seg.va,
		.seg_len = a->seg.mem_len,
		.seg_off = a->seg.file_off,
		.as = a->as,
		.is_root = a->is_root,
		.n_lines = a->n_lines,
	};

	if (vec_reserve(&w->cached, a->n_lines))
		return;
	for (uint32_t i = 0; i < a->n_lines; i++) {
		const struct profile_line *l = &w->lines.data[a->first_line + i];
		const struct profile_function *f = &w->p->functions.data[l->function];

		w->cached.data[i] = (struct cached_line){
			.name = profile_text(w->p, f->name),
			.raw_name = profile_text(w->p, f->system_name),
			.file = f->file ? profile_text(w->p, f->file) : NULL,
			.line = (uint32_t)l->line,
			.start_line = (uint32_t)f->start_line,
		};
	}
	c.lines = w->cached.data;
	name_cache_add(w->n->cache, g->file_id, file_off, &c);
}

static int mapping_of(const struct file_group *g, uint64_t file_off, const struct answer *a,
		      uint32_t *id)
{
	struct profile_mapping m = {.has_functions = true,
				    .has_filenames = g->any_file,
				    .has_line_numbers = g->any_line,
				    .has_inline_frames = g->any_inline};
	const struct build_id *build_id = g->file->build_id;
	char hex[2 * BUILD_ID_MAX + 1] = "";

	m.start = a->seg.va;
	m.limit = a->seg.va + a->seg.mem_len;
	if (!a->seg.mem_len && a->elf_va == file_off)
		m.limit = UINT64_MAX; /* no file known: the addresses are file offsets */
	m.offset = a->seg.file_off;
	if (build_id)
		text_hex(build_id->data, build_id->len, hex);
	return profile_string(g->w->p, g->file->path, &m.file) ?:
	       profile_string(g->w->p, hex, &m.build_id) ?:
	       profile_mapping(g->w->p, &m, id);
}

/* The segment of a named address. Usually it is that of the address before. */
static void find_segment(const struct file_group *g, struct elf_segment *last, struct answer *a)
{
	if (a->elf_va - last->va >= last->mem_len &&
	    symbolizer_segment(g->w->n->opts.symbolizer, g->file, a->elf_va, last))
		*last = (struct elf_segment){0};
	a->seg = *last;
}

/* Asks in pieces, so that the tick is called often enough. */
static int ask(struct file_group *g, const uint64_t *offs, const size_t *asked, size_t n)
{
	struct symbolizer *s = g->w->n->opts.symbolizer;
	int err = 0;

	for (size_t i = 0; i < n && !err; i += ASK_AT_ONCE) {
		size_t len = n - i < ASK_AT_ONCE ? n - i : ASK_AT_ONCE;

		g->asked = asked + i;
		err = symbolizer_resolve(s, g->file, offs + i, len, on_answer, g);
		namer_tick(g->w);
	}
	return err ?: g->err;
}

static uint64_t offset_of(const struct namer *w, size_t i)
{
	return w->a->frames.data[w->group[i]].addr;
}

/* Fills the answers, from the cache where possible. */
static int find_names(struct file_group *g, size_t n)
{
	_cleanup_free_ uint64_t *offs = calloc(n, sizeof(*offs));
	_cleanup_free_ size_t *asked = calloc(n, sizeof(*asked));
	size_t n_asked = 0;

	if (!offs || !asked)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t off = offset_of(g->w, i);

		if (take_cached(g, off, &g->answers[i]))
			continue;
		offs[n_asked] = off;
		asked[n_asked++] = i;
	}
	return g->err ?: ask(g, offs, asked, n_asked);
}

static int add_location(struct file_group *g, uint64_t file_off, const struct answer *a,
			struct named_frame *out)
{
	uint32_t mapping;
	int err = mapping_of(g, file_off, a, &mapping);

	out->as = a->as;
	out->is_root = a->is_root;
	return err
		       ?: profile_location(g->w->p, mapping, a->elf_va,
					   g->w->lines.data + a->first_line, a->n_lines,
					   &out->location);
}

int name_in_file(struct namer *w, const struct sym_file *file, uint32_t file_id, size_t n)
{
	_cleanup_free_ struct answer *answers = calloc(n, sizeof(*answers));
	struct file_group g = {.w = w, .file = file, .file_id = file_id, .answers = answers};
	struct elf_segment seg = {0};
	int err;

	if (!answers)
		return -ENOMEM;
	w->lines.len = 0;
	err = find_names(&g, n);
	for (size_t i = 0; i < n && !err; i++) {
		struct answer *a = &answers[i];
		uint64_t off = offset_of(w, i);

		if (a->is_new)
			find_segment(&g, &seg, a);
		if (a->is_new && a->lasts)
			remember(&g, off, a);
		err = add_location(&g, off, a, &w->out[w->group[i]]);
	}
	buf_release(&g.unnamed);
	return err;
}
