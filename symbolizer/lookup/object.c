// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/lookup/object_priv.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/elf/elf_dynamic.h"
#include "symbolizer/elf/return_stub.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/symbols/symtab.h"

/* Frames of one address: dwarf.h's maximum, and the function itself. */
#define FRAMES_MAX 257
/* Symbol tables and names of the largest browsers with all symbols need half of this. A sparse
 * file costs its owner nothing, so the limit also holds if lines are not wanted. */
static const struct elf_limits names_limits = {512ul << 20, 768ul << 20};

DEFINE_CLEANUP(object, object_free)

const struct elf_limits *object_limits(bool names_only)
{
	return names_only ? &names_limits : &elf_limits_default;
}

int object_open(struct object **out, int fd, bool names_only, size_t dwarf_bytes)
{
	_cleanup_(object_freep) struct object *o = calloc(1, sizeof(*o));
	int err;

	if (!o) {
		cleanup_close_fd(&fd);
		return -ENOMEM;
	}
	o->names_only = names_only;
	o->dwarf_bytes = dwarf_bytes;
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

void object_want_discriminators(struct object *o)
{
	o->discriminators = true;
}

struct elf_obj *object_elf(struct object *o)
{
	return o->main;
}

/* Object files (kernel modules) have no segments: addresses are file offsets (elf_section.va). */
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

/* --- resolving -------------------------------------------------------------------------------- */

struct batch {
	struct object *o;
	const char *module;
	const uint64_t *elf_va;
	sym_result_fn fn;
	void *ctx;
	struct buf scratch;
	bool limited; /* a limit left something out for this address */
	int err;
	bool go;     /* this address is in a Go function */
	bool stable; /* texts of frames live as long as the table */
	size_t from; /* addresses before it are answered */
	struct sym_frame frames[FRAMES_MAX];
};

/* Go names are readable, and "main.cold" is a function of its own. Only the suffix of the
 * calling convention, which Go's linker adds, is removed. */
static const char *go_name(struct batch *b, const char *raw)
{
	uint32_t id;

	if (!text_has_suffix(raw, ".abi0"))
		return raw;
	buf_clear(&b->scratch);
	buf_add(&b->scratch, raw, strlen(raw) - strlen(".abi0"));
	raw = buf_cstr(&b->scratch);
	return b->scratch.err || names_add(b->o->names, raw, &id) ? NULL
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

/* A signal handler returns to a stub; a return address is looked up one byte early. The kernel is in a call that was made
 * from the byte behind it. */
static bool name_by_code(struct batch *b, struct sym_frame *f, uint64_t va)
{
	uint8_t code[2 * RETURN_STUB_MAX + 1];
	uint64_t off, left;
	const size_t here = RETURN_STUB_MAX;
	long n;

	if (elf_obj_machine(b->o->main) != EM_X86_64 || va < here ||
	    elf_va_to_off(b->o->main, va - here, &off, &left))
		return false;
	n = elf_obj_pread(b->o->main, code, left < sizeof(code) ? left : sizeof(code), off);
	for (size_t end = here; n > 0 && end <= (size_t)n; end++) {
		size_t stub = return_stub_len(code, end);

		if (stub && end - stub <= here + 1)
			return name_by_text(b, f, RETURN_STUB_NAME);
	}
	return false;
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
	b->err = b->err ?: b->scratch.err;
	return fde ? SYM_FDE_START : reason_without_name(b);
}

static const char *clean_path(struct batch *b, const char *path)
{
	uint32_t id;

	return path && intern(b, path, &id) ? names_raw(b->o->names, id) : NULL;
}

/* DWARF names inlined calls. The symbol table is asked first for the function around them: it
 * knows clones, split parts and assembly. In a Go program, .dynsym knows few functions. */
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
	} else if (!outer->name && !name_by_code(b, outer, va)) {
		result.reason = name_by_address(b, outer, va);
	}
	if (!b->err)
		b->fn(b->ctx, index, &result);
}

/* Asks Go's table: for lines where DWARF has none, and for names. */
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
						.start_line = frames[i].start_line,
						.discriminator = frames[i].discriminator};
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

/* Debug files and line tables may have other addresses than the file. */
static int resolve_lines(struct batch *b, size_t n)
{
	struct object *o = b->o;
	uint64_t bias = object_lines_bias(o);
	bool same = !bias && (o->table || !o->in_debug || elf_obj_section(o->main, ".debug_info"));
	_cleanup_free_ uint64_t *va = same ? NULL : malloc(n * sizeof(*va) + 1);
	size_t done;
	int err;

	if (!same && !va)
		return -ENOMEM;
	for (size_t i = b->from; va && i < n; i++) {
		va[i] = b->elf_va[i] - bias;
		if (o->in_debug && !section_map_find(o->in_debug, b->elf_va[i], &va[i]))
			va[i] = UINT64_MAX; /* no file's address */
	}
	err = ask_lines(b, (va ?: b->elf_va) + b->from, n - b->from, &done);
	b->from += done;
	return err;
}

static int resolve_batch(struct batch *b, size_t n)
{
	struct object *o = b->o;
	int err = object_load(o);

	if (!err)
		symtab_hold_names(o->symtab, n);
	if (!err && o->table) {
		err = resolve_lines(b, n);
		if (err == -EBADMSG) {
			object_drop_table(o);
			err = object_load(o);
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
	if (o->symtab)
		symtab_release_names(o->symtab);
	o->search = NULL;
	buf_release(&b->scratch);
	return err;
}

/* --- size ------------------------------------------------------------------------------------- */

int object_reads_dwarf(bool *out, struct object *o, const struct debug_search *search)
{
	int err;

	o->search = search;
	err = object_load_debug(o);
	o->search = NULL;
	*out = !o->names_only && !o->table && (o->debug || elf_obj_section(o->main, ".debug_info"));
	return err;
}

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
