// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/object.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/debug_files.h"
#include "symbolizer/dwarf.h"
#include "symbolizer/eh_ranges.h"
#include "symbolizer/gopclntab.h"
#include "symbolizer/line_cache.h"
#include "symbolizer/line_table.h"
#include "symbolizer/names.h"
#include "symbolizer/section_map.h"
#include "symbolizer/symtab.h"

/* Frames of one address: what dwarf.h promises at most, and the function itself. */
#define FRAMES_MAX 257
/* Symbol tables and names of the largest browsers with all symbols are half of this. A sparse file
 * costs its owner nothing, so what is read of one is bounded where lines are not wanted either. */
static const struct elf_limits names_limits = {512ul << 20, 768ul << 20};
/* Names handed out by one file before they are forgotten and made again. */
#define NAMES_BYTES_MAX (16u << 20)

struct object {
	bool names_only;
	bool debug_loaded, symbols_loaded, lines_loaded;
	bool symtab_whole; /* from a .symtab: all functions' names are there */
	int problem;	   /* 0, or -EBADMSG or -EFBIG: part of the file could not be read */
	unsigned limit_hits;
	struct elf_obj *main, *debug, *alt, *dwp; /* all but main may be NULL */
	struct eh_ranges *fdes;
	struct section_map *in_debug; /* object files: where the code of main is in debug */
	struct symtab *symtab;
	struct gopclntab *go; /* NULL: not a Go program */
	struct dwarf *dwarf;
	struct line_table *table; /* says the same; while it is there, DWARF is not opened */
	bool table_asked, table_refused, seen_told;
	struct names *names;
	const struct debug_search *search; /* of the call under way: split units are opened late */
};

DEFINE_CLEANUP(object, object_free)

const struct elf_limits *object_limits(bool names_only)
{
	return names_only ? &names_limits : &elf_limits_default;
}

int object_open(struct object **out, int fd, bool names_only)
{
	_cleanup_(object_freep) struct object *o = calloc(1, sizeof(*o));
	int err;

	if (!o) {
		cleanup_close_fd(&fd);
		return -ENOMEM;
	}
	o->names_only = names_only;
	err = elf_obj_open(&o->main, fd, object_limits(names_only));
	if (err)
		return err;
	if (elf_obj_truncated(o->main))
		o->problem = -EBADMSG;
	*out = steal_ptr(o);
	return 0;
}

static void free_lines(struct object *o)
{
	dwarf_free(o->dwarf);
	elf_obj_free(o->alt);
	elf_obj_free(o->dwp);
	o->dwarf = NULL;
	o->alt = o->dwp = NULL;
	o->lines_loaded = false;
}

void object_free(struct object *o)
{
	if (!o)
		return;
	free_lines(o);
	line_table_free(o->table);
	symtab_free(o->symtab);
	gopclntab_free(o->go);
	eh_ranges_free(o->fdes);
	names_free(o->names);
	section_map_free(o->in_debug);
	elf_obj_free(o->debug);
	elf_obj_free(o->main);
	free(o);
}

struct elf_obj *object_elf(struct object *o)
{
	return o->main;
}

/* Object files (kernel modules) have no segments: addresses are file offsets, see elf_section.va. */
bool object_va_of_off(const struct object *o, uint64_t file_off, uint64_t *elf_va)
{
	const struct elf_segment *seg = elf_obj_segment_at_off(o->main, file_off);

	if (elf_obj_type(o->main) == ET_REL) {
		*elf_va = file_off;
		return true;
	}
	if (!seg)
		return false;
	*elf_va = seg->va + (file_off - seg->file_off);
	return true;
}

/* --- loading ---------------------------------------------------------------------------------- */

static int note_problem(struct object *o, int err)
{
	if (err == -ENOMEM)
		return err;
	if (err == -EFBIG)
		o->limit_hits++;
	if (err && err != -ENODATA && err != -ENOENT)
		o->problem = err == -EFBIG ? -EFBIG : -EBADMSG;
	return 0;
}

static int ask_store(struct object *o, enum line_wish wish)
{
	const struct line_store *store = o->search->lines;

	if (!store || !elf_obj_build_id(o->main)->len)
		return -ENOENT;
	return store->ask(store->ctx, wish, elf_obj_build_id(o->main));
}

static int load_table(struct object *o)
{
	_cleanup_close_ int fd = -1;
	int err;

	if (o->table_asked || o->names_only || o->dwarf || elf_obj_type(o->main) == ET_REL)
		return 0;
	o->table_asked = true;
	fd = ask_store(o, LINE_GET);
	if (fd < 0)
		return 0;
	err = line_table_open(&o->table, fd, elf_obj_build_id(o->main));
	o->table_refused = err == -ENODATA;
	if (err == -EBADMSG || err == -EPROTO)
		ask_store(o, LINE_DROP);
	return err == -ENOMEM ? err : 0;
}

/* Whatever the table cannot answer, DWARF is asked again. */
static void drop_table(struct object *o)
{
	ask_store(o, LINE_DROP);
	/* Names are known by where they are in the table. */
	names_free(o->names);
	o->names = NULL;
	line_table_free(o->table);
	o->table = NULL;
	o->debug_loaded = o->debug != NULL;
}

/* Another debug file of the same build id took the place of the one the table was made of. Where
 * that one is not at hand, the table is as good as it was. */
static bool table_is_stale(const struct object *o)
{
	const struct line_source *source = line_table_source(o->table);
	const struct elf_obj *from = o->debug;

	if (!source->separate)
		from = elf_obj_section(o->main, ".debug_info") ? o->main : NULL;
	if (!from)
		return false;
	return elf_obj_file_size(from) != source->size ||
	       (source->separate && debug_file_bias(o->main, o->debug) != source->bias);
}

static int load_debug_file(struct object *o)
{
	bool has_lines = elf_obj_section(o->main, ".debug_info");
	int err = -ENOENT;

	if (o->debug_loaded)
		return 0;
	if (!symtab_present(o->main) || (!o->names_only && !has_lines && !o->table))
		err = debug_file_open(&o->debug, o->main, o->search);
	if (!err && elf_obj_type(o->main) == ET_REL)
		err = section_map_new(&o->in_debug, o->main, o->debug);
	if (err == -ENOMEM)
		return err;
	o->debug_loaded = true;
	if (!o->table || !table_is_stale(o))
		return 0;
	drop_table(o);
	return load_debug_file(o);
}

static int load_symbols(struct object *o)
{
	int err, problem = 0;

	if (o->symbols_loaded)
		return 0;
	if (!o->fdes) {
		err = note_problem(o, eh_ranges_load(&o->fdes, o->main));
		if (err)
			return err;
	}
	if (!o->go) {
		err = note_problem(o, gopclntab_open(&o->go, o->main));
		if (err)
			return err;
	}
	/* An object file's symbols are in itself, and the debug file's are of other addresses. */
	err = symtab_load(&o->symtab, o->main, o->in_debug ? NULL : o->debug, o->fdes, &problem);
	if (err)
		return err;
	o->symtab_whole = symtab_present(o->main) || (o->debug && symtab_present(o->debug));
	note_problem(o, problem);
	o->symbols_loaded = true;
	return 0;
}

static struct elf_obj *open_dwo(void *ctx, const char *name, const char *comp_dir, uint64_t dwo_id)
{
	struct object *o = ctx;
	struct elf_obj *dwo = NULL;

	(void)dwo_id; /* the reader compares it */
	return debug_dwo_open(&dwo, o->search, name, comp_dir) ? NULL : dwo;
}

static int load_lines(struct object *o)
{
	struct elf_obj *debug = elf_obj_section(o->main, ".debug_info") ? o->main : o->debug;
	struct dwarf_opts opts = {.open_dwo = open_dwo, .ctx = o};
	int err;

	if (o->lines_loaded || o->names_only || o->table || !debug)
		return 0;
	if (debug_altfile_open(&o->alt, debug, o->search) == -ENOMEM ||
	    debug_dwp_open(&o->dwp, o->search) == -ENOMEM)
		return -ENOMEM;
	err = note_problem(o, dwarf_new(&o->dwarf, debug, o->alt, o->dwp, &opts));
	if (err)
		return err;
	o->lines_loaded = true;
	if (o->dwarf && !o->table_refused && !o->seen_told) {
		o->seen_told = true;
		ask_store(o, LINE_SEEN);
	}
	return 0;
}

static int load_names(struct object *o)
{
	if (o->names && names_bytes(o->names) > NAMES_BYTES_MAX) {
		names_free(o->names);
		o->names = NULL;
	}
	if (!o->names)
		o->names = names_new();
	return o->names ? 0 : -ENOMEM;
}

/* --- resolving -------------------------------------------------------------------------------- */

struct batch {
	struct object *o;
	const char *module;
	const uint64_t *elf_va;
	sym_result_fn fn;
	void *ctx;
	struct buf scratch;
	bool limited; /* of the address under way, something was kept out by a limit */
	int err;
	bool go;     /* the address at hand is in a Go function */
	bool stable; /* texts of frames are in the table and live as long as that */
	size_t from; /* those before have been answered */
	struct sym_frame frames[FRAMES_MAX];
};

/* Go's names are readable as they are, and "main.cold" is a function of its own; all that its linker
 * adds is the calling convention of functions that come with two. */
static const char *go_name(struct batch *b, const char *raw)
{
	uint32_t id;

	if (!text_has_suffix(raw, ".abi0"))
		return raw;
	buf_clear(&b->scratch);
	buf_add(&b->scratch, raw, strlen(raw) - strlen(".abi0"));
	return names_add(b->o->names, buf_cstr(&b->scratch), &id) ? NULL
								  : names_raw(b->o->names, id);
}

static void set_name(struct batch *b, struct sym_frame *f, uint32_t id)
{
	f->raw_name = names_raw(b->o->names, id);
	f->name = b->go ? go_name(b, f->raw_name) : names_pretty(b->o->names, id);
	if (!f->name) {
		f->name = f->raw_name;
		b->err = -ENOMEM;
	}
}

/* Name of the symbol that covers va. False if there is none. */
static bool name_by_symbol(struct batch *b, struct sym_frame *f, uint64_t va)
{
	const struct symtab *t = b->o->symtab;
	uint32_t index, id;
	uint64_t key;

	if (symtab_find(t, va, &index))
		return false;
	key = symtab_name_key(t, index);
	id = names_by_key(b->o->names, key);
	if (!id) {
		buf_clear(&b->scratch);
		if (symtab_name(t, index, &b->scratch))
			return false;
		b->err = b->err ?: names_add(b->o->names, buf_cstr(&b->scratch), &id);
		b->err = b->err ?: names_set_key(b->o->names, key, id);
		if (b->err)
			return false;
	}
	set_name(b, f, id);
	return true;
}

/* No symbol's key has all of these bits. */
static uint64_t key_of_text(const char *text)
{
	return ~(uint64_t)(uintptr_t)text;
}

/* Interns a text of DWARF. False when out of memory. */
static bool intern(struct batch *b, const char *text, uint32_t *id)
{
	*id = b->stable && !b->err ? names_by_key(b->o->names, key_of_text(text)) : 0;
	if (*id)
		return true;
	b->err = b->err ?: names_add(b->o->names, text, id);
	if (b->stable)
		b->err = b->err ?: names_set_key(b->o->names, key_of_text(text), *id);
	return !b->err;
}

static bool name_by_text(struct batch *b, struct sym_frame *f, const char *text)
{
	uint32_t id;

	if (!text || !*text || !intern(b, text, &id))
		return false;
	set_name(b, f, id);
	return true;
}

static enum sym_reason reason_without_name(const struct batch *b)
{
	if (b->limited || b->o->problem == -EFBIG)
		return SYM_LIMIT;
	return b->o->problem ? SYM_MALFORMED : SYM_NO_SYMBOL;
}

/* The last resort: "module+sub_ADDR" or "module+0xADDR". */
static enum sym_reason name_by_address(struct batch *b, struct sym_frame *f, uint64_t va)
{
	uint64_t start, end;
	bool fde = b->o->fdes && !eh_ranges_find(b->o->fdes, va, &start, &end);

	buf_clear(&b->scratch);
	if (fde)
		buf_printf(&b->scratch, "%s+sub_%lx", b->module, (unsigned long)start);
	else
		buf_printf(&b->scratch, "%s+0x%lx", b->module, (unsigned long)va);
	f->name = f->raw_name = buf_cstr(&b->scratch);
	return fde ? SYM_FDE_START : reason_without_name(b);
}

static const char *clean_path(struct batch *b, const char *path)
{
	uint32_t id;

	return path && intern(b, path, &id) ? names_raw(b->o->names, id) : NULL;
}

/* Inlined calls are named by DWARF, the function around them by the symbol table first: it knows
 * what DWARF does not say (clones, parts moved away, assembly). Of a Go program's functions .dynsym
 * knows a few at most. */
static void finish_result(struct batch *b, size_t index, size_t n)
{
	uint64_t va = b->elf_va[index];
	struct sym_frame *outer = &b->frames[n - 1];
	struct sym_result result = {
		.elf_va = va, .reason = SYM_OK, .frames = b->frames, .n_frames = n};
	struct sym_frame by_symbol = {0};

	if (b->go && !b->o->symtab_whole && outer->name) {
		/* named */
	} else if (name_by_symbol(b, &by_symbol, va)) {
		outer->name = by_symbol.name;
		outer->raw_name = by_symbol.raw_name;
	} else if (!outer->name) {
		result.reason = name_by_address(b, outer, va);
	}
	if (!b->err)
		b->fn(b->ctx, index, &result);
}

/* What the program's own table knows: lines where DWARF has none, and names. */
static size_t ask_go(struct batch *b, uint64_t va, const struct dwarf_frame **frames)
{
	int n = gopclntab_find(b->o->go, va, frames);

	if (n < 0)
		b->err = n;
	return n > 0 ? (size_t)n : 0;
}

static void take_frames(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
			enum dwarf_reason reason)
{
	struct batch *b = ctx;
	bool stable = b->stable;

	index += b->from;
	b->go = b->o->go && gopclntab_covers(b->o->go, b->elf_va[index]);
	if (b->go && !n) {
		n = ask_go(b, b->elf_va[index], &frames);
		b->stable = false;
	}
	if (b->o->names_only && n) { /* only Go's table was asked: the function itself is last */
		frames += n - 1;
		n = 1;
	}
	b->limited = reason == DWARF_LIMIT;
	b->o->limit_hits += b->limited;
	if (n > FRAMES_MAX)
		n = FRAMES_MAX;
	for (size_t i = 0; i < n; i++) {
		struct sym_frame *f = &b->frames[i];

		*f = (struct sym_frame){0};
		if (!b->o->names_only)
			*f = (struct sym_frame){.file = clean_path(b, frames[i].file),
						.line = frames[i].line,
						.start_line = frames[i].start_line};
		if (!name_by_text(b, f, frames[i].linkage_name) &&
		    !name_by_text(b, f, frames[i].name) && i + 1 < n)
			f->name = f->raw_name = "[inlined]";
	}
	b->stable = stable;
	if (!n) {
		b->frames[0] = (struct sym_frame){0};
		n = 1;
	}
	finish_result(b, index, n);
}

static uint64_t lines_bias(const struct object *o)
{
	if (o->table)
		return line_table_source(o->table)->bias;
	return elf_obj_section(o->main, ".debug_info") ? 0 : debug_file_bias(o->main, o->debug);
}

static int ask_lines(struct batch *b, const uint64_t *va, size_t n, size_t *done)
{
	int err;

	if (!b->o->table) {
		*done = n;
		return dwarf_resolve(b->o->dwarf, va, n, take_frames, b);
	}
	b->stable = true;
	err = line_table_resolve(b->o->table, va, n, take_frames, b, done);
	b->stable = false;
	return err;
}

/* A debug file and its table have addresses of their own. */
static int resolve_lines(struct batch *b, size_t n)
{
	struct object *o = b->o;
	uint64_t bias = lines_bias(o);
	bool same = !bias && (o->table || !o->in_debug || elf_obj_section(o->main, ".debug_info"));
	_cleanup_free_ uint64_t *va = same ? NULL : malloc(n * sizeof(*va) + 1);
	size_t done;
	int err;

	if (!same && !va)
		return -ENOMEM;
	for (size_t i = b->from; va && i < n; i++) {
		va[i] = b->elf_va[i] - bias;
		if (o->in_debug && !section_map_find(o->in_debug, b->elf_va[i], &va[i]))
			va[i] = UINT64_MAX; /* nobody's */
	}
	err = ask_lines(b, (va ?: b->elf_va) + b->from, n - b->from, &done);
	b->from += done;
	return err;
}

static int load_all(struct object *o)
{
	return load_table(o) ?: load_debug_file(o) ?: load_symbols(o) ?: load_lines(o) ?:
	       load_names(o);
}

static int resolve_batch(struct batch *b, size_t n)
{
	struct object *o = b->o;
	int err = load_all(o);

	if (!err && o->table) {
		err = resolve_lines(b, n);
		if (err == -EBADMSG) {
			drop_table(o);
			err = load_all(o);
		}
	}
	if (err)
		return err;
	if (o->dwarf) {
		err = resolve_lines(b, n);
	} else {
		for (size_t i = b->from; i < n && !b->err; i++)
			take_frames(b, i - b->from, NULL, 0, DWARF_OK);
	}
	if (o->go && gopclntab_limited(o->go))
		o->limit_hits++;
	return err ?: b->err;
}

int object_resolve(struct object *o, const struct debug_search *search, const char *module,
		   const uint64_t *elf_va, size_t n, sym_result_fn fn, void *ctx)
{
	_cleanup_free_ struct batch *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	*b = (struct batch){.o = o, .module = module, .elf_va = elf_va, .fn = fn, .ctx = ctx};
	o->search = search;
	err = resolve_batch(b, n);
	o->search = NULL;
	buf_release(&b->scratch);
	return err;
}

/* --- the table ---------------------------------------------------------------------------------- */

/* Less than what one query of a worker process may use (worker_talk.c). */
static const struct line_limits table_limits = {.cpu_ns = 45000000000ull};

static int build_table(struct object *o, int fd)
{
	struct elf_obj *debug = elf_obj_section(o->main, ".debug_info") ? o->main : o->debug;
	struct line_source source = {.build_id = *elf_obj_build_id(o->main)};
	int err;

	if (!o->dwarf)
		return -ENODATA;
	/* Without its supplement many names would be missing, for good. */
	if (elf_obj_section(debug, ".gnu_debugaltlink") && !o->alt)
		return -ENOENT;
	source.bias = lines_bias(o);
	source.size = elf_obj_file_size(debug);
	source.separate = debug != o->main;
	err = line_table_build(o->dwarf, &source, fd, &table_limits);
	if (err == -EFBIG || err == -ETIME) /* it would be the same the next time */
		err = ftruncate(fd, 0) ? -errno : line_table_refuse(&source, fd, err) ?: err;
	return err;
}

int object_build_table(struct object *o, const struct debug_search *search, int fd)
{
	int err;

	if (o->names_only || o->table || elf_obj_type(o->main) == ET_REL)
		return -ENODATA;
	o->search = search;
	err = load_debug_file(o) ?: load_lines(o) ?: build_table(o, fd);
	o->search = NULL;
	return err;
}

/* --- size ------------------------------------------------------------------------------------- */

size_t object_bytes(const struct object *o)
{
	const struct elf_obj *objs[] = {o->main, o->debug, o->alt, o->dwp};
	size_t n = sizeof(*o);

	for (size_t i = 0; i < sizeof(objs) / sizeof(*objs); i++)
		n += objs[i] ? elf_obj_bytes(objs[i]) : 0;
	n += o->fdes ? eh_ranges_bytes(o->fdes) : 0;
	n += o->in_debug ? section_map_bytes(o->in_debug) : 0;
	n += o->symtab ? symtab_bytes(o->symtab) : 0;
	n += o->go ? gopclntab_bytes(o->go) : 0;
	n += o->names ? names_bytes(o->names) : 0;
	n += o->table ? line_table_bytes(o->table) : 0;
	return n + (o->dwarf ? dwarf_bytes(o->dwarf) : 0);
}

static void drop_sections(struct elf_obj *obj)
{
	for (size_t i = 0; obj && i < elf_obj_section_count(obj); i++)
		elf_obj_drop(obj, elf_obj_section_by_index(obj, i));
}

void object_shrink(struct object *o)
{
	free_lines(o);
	drop_sections(o->main);
	drop_sections(o->debug);
}

unsigned object_limit_hits(const struct object *o)
{
	return o->limit_hits;
}
