// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds the table, and the program's moduledata (runtime/symtab.go). moduledata has the base of
 * addresses and the trees of inlined calls.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_dynamic.h"
#include "symbolizer/go/gopclntab_priv.h"

/* The largest programs have a million functions. */
#define FUNCS_MAX (16u << 20)
/* Bytes of segments, and of relocations, to search. 100 MiB of read-only data are a lot. A
 * sparse file could claim any size. */
#define SCAN_BYTES_MAX (256u << 20)
#define SCAN_CHUNK     (64u << 10)
/* Data that looks like a moduledata by chance is rare. */
#define CANDIDATES_MAX 8
/*
 * The same for the bytes of segments. The magic number, and pointers to the table, occur by chance.
 */
#define TRIES_MAX 1000
/* Highest first byte of a function's name. */
#define NAME_START_MAX 0x7e

/* --- the header --------------------------------------------------------------------------------- */

/* internal/abi/symtab.go */
static const uint32_t magics[] = {
	[GO_1_2] = 0xfffffffb,
	[GO_1_16] = 0xfffffffa,
	[GO_1_18] = 0xfffffff0,
	[GO_1_20] = 0xfffffff1,
};

/* The magic number, two zeros, the instruction unit (1 on x86, 4 on arm64), the pointer size. */
static bool is_header_start(const uint8_t *p, enum go_version *version)
{
	struct bytes b = bytes_of(p, 8);
	uint32_t magic = bytes_u32(&b);

	if (p[4] || p[5] || (p[6] != 1 && p[6] != 4) || p[7] != 8)
		return false;
	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++)
		if (magics[i] == magic) {
			*version = (enum go_version)i;
			return true;
		}
	return false;
}

static void view_init(struct go_view *v, struct elf_obj *obj, uint64_t off, uint64_t size)
{
	sect_release(&v->sect);
	v->section = (struct elf_section){
		.name = "", .type = SHT_PROGBITS, .file_off = off, .size = size};
	v->sect = (struct sect){.elf = obj, .sec = &v->section, .size = size, .ready = true};
}

/* After the first eight bytes: counts, and offsets of the parts of the table. */
static bool read_header(struct gopclntab *t)
{
	struct bytes b = sect_view(&t->tab.sect, 8, 72);
	uint64_t file_table;

	t->n_funcs = bytes_u64(&b);
	if (!t->n_funcs || t->n_funcs > FUNCS_MAX)
		return false;
	if (t->version == GO_1_2) {
		t->functab = 16;
		t->names = t->pctab = t->funcs = 0;
		if (!sect_uint(&t->tab.sect, t->functab + t->n_funcs * 16 + 8, 4, &file_table))
			return false;
		t->files = file_table;
		return true;
	}
	bytes_u64(&b); /* number of files */
	if (t->version >= GO_1_18)
		t->text = bytes_u64(&b);
	t->names = bytes_u64(&b);
	t->cu = bytes_u64(&b);
	t->files = bytes_u64(&b);
	t->pctab = bytes_u64(&b);
	t->functab = t->funcs = bytes_u64(&b);
	return !b.bad && t->names < t->tab.sect.size && t->cu < t->tab.sect.size &&
	       t->files < t->tab.sect.size && t->pctab < t->tab.sect.size &&
	       t->functab < t->tab.sect.size;
}

/* Checks the first and the last function's record and name. */
static bool is_plausible(struct gopclntab *t)
{
	uint64_t samples[] = {0, t->n_funcs / 2, t->n_funcs - 1}, last = 0, end;

	if (!go_entry(t, t->n_funcs, &end))
		return false;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		const char *name;
		struct go_func f;

		if (!go_func_read(t, samples[i], &f) || f.entry >= end || f.entry < last)
			return false;
		last = f.entry;
		name = go_func_name(t, f.name);
		/* The linker's own functions may lack a name; C functions have one. */
		if (name && ((uint8_t)*name < ' ' || (uint8_t)*name > NAME_START_MAX))
			return false;
	}
	return true;
}

static bool try_table(struct gopclntab *t, uint64_t off, uint64_t len, uint64_t va)
{
	uint8_t start[8];

	if (elf_obj_pread(t->obj, start, sizeof(start), off) != sizeof(start) ||
	    !is_header_start(start, &t->version))
		return false;
	t->quantum = start[6];
	t->va = va;
	t->text = 0;
	view_init(&t->tab, t->obj, off, len);
	return read_header(t) && is_plausible(t);
}

/* --- looking through segments ------------------------------------------------------------------- */

struct scan {
	struct gopclntab *t;
	uint64_t left; /* bytes that may still be read */
	/* Looks at 8 aligned bytes. off: their place in the file; left: bytes that follow in the
	 * segment. True: found. */
	bool (*look)(struct scan *s, const uint8_t *p, uint64_t off, uint64_t left, uint64_t va);
	unsigned tries; /* places checked in detail */
};

static int scan_segment(struct scan *s, const struct elf_segment *seg)
{
	_cleanup_free_ uint8_t *chunk = malloc(SCAN_CHUNK);
	uint64_t off, len;

	if (!chunk)
		return -ENOMEM;
	if (elf_va_to_off(s->t->obj, seg->va, &off, &len))
		return -ENODATA;
	for (uint64_t at = -seg->va & 7; at < len; at += SCAN_CHUNK) {
		long n = elf_obj_pread(s->t->obj, chunk, SCAN_CHUNK, off + at);

		if (n < 8 || s->left < SCAN_CHUNK)
			break;
		s->left -= SCAN_CHUNK;
		if ((uint64_t)n > len - at)
			n = (long)(len - at);
		for (long i = 0; i + 8 <= n; i += 8)
			if (s->look(s, chunk + i, off + at + i, len - at - i, seg->va + at + i))
				return 0;
	}
	return -ENODATA;
}

/* Data segments first, the last one first: relocated read-only data and variables are there. */
static int scan_segments(struct scan *s)
{
	size_t n;
	const struct elf_segment *segs = elf_obj_segments(s->t->obj, &n);
	int err = -ENODATA;

	for (int exec = 0; exec < 2; exec++)
		for (size_t i = n; i-- > 0 && err == -ENODATA;)
			if (segs[i].exec == exec)
				err = scan_segment(s, &segs[i]);
	return err;
}

static bool look_for_table(struct scan *s, const uint8_t *p, uint64_t off, uint64_t left,
			   uint64_t va)
{
	enum go_version version;

	return is_header_start(p, &version) && s->tries++ < TRIES_MAX &&
	       try_table(s->t, off, left, va);
}

/* A search is not worth it in a file that has sections but none of Go's. */
static bool may_be_go(const struct elf_obj *obj)
{
	static const char *const names[] = {".go.buildinfo", ".note.go.buildid", ".go.module",
					    ".typelink"};

	if (!elf_obj_section_count(obj))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (elf_obj_section(obj, names[i]))
			return true;
	return false;
}

static int find_table(struct gopclntab *t)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	struct scan s = {.t = t, .left = SCAN_BYTES_MAX, .look = look_for_table};

	if (elf_obj_type(t->obj) == ET_REL)
		return -ENODATA;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct elf_section *sec = elf_obj_section(t->obj, names[i]);
		uint64_t off, left;

		if (sec && !elf_va_to_off(t->obj, sec->va, &off, &left) &&
		    try_table(t, off, sec->size < left ? sec->size : left, sec->va))
			return 0;
	}
	return may_be_go(t->obj) ? scan_segments(&s) : -ENODATA;
}

/* --- moduledata --------------------------------------------------------------------------------- */

/* The first fields are the same since 1.16: a pointer to the table, five slices of parts of it,
 * the function table, its index, first and last address, text. go:func.* moved once, in 1.20. */
enum {
	MD_TABLE = 0,
	MD_NAMES = 8,
	MD_FUNCTAB = 128,
	MD_FUNCTAB_LEN = 136,
	MD_TEXT = 176,
	MD_GOFUNC_1_18 = 304,
	MD_GOFUNC_1_20 = 320,
	MD_WORDS = 41,
};

struct module {
	uint64_t words[MD_WORDS];
};

static uint64_t field(const struct module *m, unsigned off)
{
	return m->words[off / 8];
}

/* Takes the fields of a moduledata if it belongs to this table. */
static bool take_module(struct gopclntab *t, const struct module *m)
{
	uint64_t text = field(m, MD_TEXT), off, left,
		 gofunc = field(m, t->version >= GO_1_20 ? MD_GOFUNC_1_20 : MD_GOFUNC_1_18);
	const struct elf_segment *seg = elf_obj_segment_at_va(t->obj, text);

	if (field(m, MD_TABLE) != t->va || field(m, MD_NAMES) != t->va + t->names ||
	    field(m, MD_FUNCTAB) != t->va + t->functab ||
	    field(m, MD_FUNCTAB_LEN) != t->n_funcs + 1 || !seg || !seg->exec)
		return false;
	t->text = text;
	if (elf_va_to_off(t->obj, gofunc, &off, &left))
		return true;
	view_init(&t->inlined, t->obj, off, left);
	t->has_inlined = true;
	return true;
}

static bool look_for_module(struct scan *s, const uint8_t *p, uint64_t off, uint64_t left,
			    uint64_t va)
{
	struct gopclntab *t = s->t;
	struct module m;
	uint64_t first;

	(void)va;
	memcpy(&first, p, sizeof(first));
	return first == t->va && left >= sizeof(m) && s->tries++ < TRIES_MAX &&
	       elf_obj_pread(t->obj, &m, sizeof(m), off) == sizeof(m) && take_module(t, &m);
}

struct relocs {
	struct gopclntab *t;
	uint64_t off, n; /* table of Elf64_Rela */
};

static bool is_relative(const struct elf_obj *obj, const Elf64_Rela *rela)
{
	return ELF64_R_TYPE(rela->r_info) ==
	       (elf_obj_machine(obj) == EM_X86_64 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE);
}

static bool find_relocs(struct relocs *r)
{
	const struct elf_section *sec = elf_obj_section(r->t->obj, ".rela.dyn");
	struct elf_dynamic d;
	uint64_t left = 0;

	if (sec && sec->type == SHT_RELA) {
		r->off = sec->file_off;
		left = sec->size;
	} else if (!elf_dynamic_read(&d, r->t->obj) && d.rela &&
		   !elf_va_to_off(r->t->obj, d.rela, &r->off, &left)) {
		left = d.relasz < left ? d.relasz : left;
	}
	r->n = (left < SCAN_BYTES_MAX / CANDIDATES_MAX ? left : SCAN_BYTES_MAX / CANDIDATES_MAX) /
	       sizeof(Elf64_Rela);
	return r->n;
}

/* Calls look for every relative relocation until it returns true. 0, -ENODATA or -ENOMEM. */
static int each_reloc(struct relocs *r, bool (*look)(void *ctx, const Elf64_Rela *rela), void *ctx)
{
	size_t per_chunk = SCAN_CHUNK / sizeof(Elf64_Rela);
	_cleanup_free_ Elf64_Rela *chunk = malloc(per_chunk * sizeof(*chunk));

	if (!chunk)
		return -ENOMEM;
	for (uint64_t i = 0; i < r->n; i += per_chunk) {
		uint64_t want = r->n - i < per_chunk ? r->n - i : per_chunk;
		long n = elf_obj_pread(r->t->obj, chunk, want * sizeof(*chunk),
				       r->off + i * sizeof(*chunk));

		for (long k = 0; k < n / (long)sizeof(*chunk); k++)
			if (is_relative(r->t->obj, &chunk[k]) && look(ctx, &chunk[k]))
				return 0;
	}
	return -ENODATA;
}

struct candidates {
	uint64_t table_va;
	uint64_t va[CANDIDATES_MAX];
	size_t n;
};

static bool take_candidate(void *ctx, const Elf64_Rela *rela)
{
	struct candidates *c = ctx;

	if ((uint64_t)rela->r_addend == c->table_va)
		c->va[c->n++] = rela->r_offset;
	return c->n == CANDIDATES_MAX;
}

struct patch {
	struct module m;
	uint64_t va;
};

static bool patch_word(void *ctx, const Elf64_Rela *rela)
{
	struct patch *p = ctx;
	uint64_t at = rela->r_offset - p->va;

	if (at < sizeof(p->m) && !(at & 7))
		p->m.words[at / 8] = (uint64_t)rela->r_addend;
	return false;
}

/* In a position-independent program, pointers may be in relocations only. */
static int find_module_by_relocs(struct gopclntab *t)
{
	struct relocs r = {.t = t};
	struct candidates c = {.table_va = t->va};

	if (!find_relocs(&r))
		return -ENODATA;
	if (each_reloc(&r, take_candidate, &c) == -ENOMEM)
		return -ENOMEM;
	for (size_t i = 0; i < c.n; i++) {
		struct patch p = {.va = c.va[i]};
		uint64_t off, left;

		if (elf_va_to_off(t->obj, p.va, &off, &left) || left < sizeof(p.m) ||
		    elf_obj_pread(t->obj, &p.m, sizeof(p.m), off) != sizeof(p.m))
			continue;
		if (each_reloc(&r, patch_word, &p) == -ENOMEM)
			return -ENOMEM;
		if (take_module(t, &p.m))
			return 0;
	}
	return -ENODATA;
}

static int find_module(struct gopclntab *t)
{
	struct scan s = {.t = t, .left = SCAN_BYTES_MAX, .look = look_for_module};
	const struct elf_section *text;
	int err;

	if (t->version < GO_1_18)
		return 0;
	err = find_module_by_relocs(t);
	if (err == -ENODATA)
		err = scan_segments(&s);
	if (err != -ENODATA || t->text)
		return err == -ENODATA ? 0 : err;
	/* Since 1.26 the header does not have the start of the text. */
	text = elf_obj_section(t->obj, ".text");
	t->text = text ? text->va : 0;
	return text ? 0 : -ENODATA;
}

/* --- the object --------------------------------------------------------------------------------- */

DEFINE_CLEANUP(gopclntab, gopclntab_free)

int gopclntab_open(struct gopclntab **out, struct elf_obj *obj)
{
	_cleanup_(gopclntab_freep) struct gopclntab *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	if (elf_obj_is_32(obj))
		return -ENODATA; /* a table of other words */
	t->obj = obj;
	t->work = GO_WORK_BASE;
	err = find_table(t) ?: find_module(t);
	if (err)
		return err;
	*out = steal_ptr(t);
	return 0;
}

void gopclntab_free(struct gopclntab *t)
{
	if (!t)
		return;
	sect_release(&t->tab.sect);
	sect_release(&t->inlined.sect);
	buf_release(&t->strings);
	free(t);
}
