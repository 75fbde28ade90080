// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/naming/rename.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/profile.h"
#include "symbolizer/symbolizer.h"

#define PAGE_MASK 4095ull

struct work { /* a location to look up */
	uint32_t file, location;
	uint64_t va;
};

struct renamer {
	struct profile *p;
	const struct rename_opts *o;
	struct rename_result *r;
	uint32_t *file_of; /* for each mapping: index in r->files, or PROFILE_NONE */
	struct htab index; /* of r->files */
	uint64_t seed;
	VEC(struct work) work;
	/* Of the current file. */
	struct work *batch;
	VEC(struct profile_line) lines;
	int err;
};

/* --- what is named -------------------------------------------------------------------------------- */

/* "libx.so+sub_1290" */
static bool is_start(const char *name, const char *module)
{
	return text_has_prefix(name, module) && frame_name_is_vague(name + strlen(module));
}

static bool is_placeholder(const struct profile *p, uint32_t mapping, const char *name)
{
	static const char *const others[] = {"", "??", "[unknown]", "<unknown>", "unknown"};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!strcmp(name, others[i]))
			return true;
	if (text_has_prefix(name, "0x") && text_is_hex(name + 2))
		return true;
	return profile_name_is_bare(name, profile_module(p, mapping)) ||
	       is_start(name, profile_module(p, mapping));
}

static const struct profile_function *function_of(const struct profile *p,
						  const struct profile_location *l, uint32_t i)
{
	return &p->functions.data[p->lines.data[l->first_line + i].function];
}

static bool is_named(const struct profile *p, const struct profile_location *l)
{
	for (uint32_t i = 0; i < l->n_lines; i++)
		if (is_placeholder(p, l->mapping, profile_text(p, function_of(p, l, i)->name)))
			return false;
	return l->n_lines;
}

static bool has_lines(const struct profile *p, const struct profile_location *l)
{
	for (uint32_t i = 0; i < l->n_lines; i++)
		if (!p->lines.data[l->first_line + i].line || !function_of(p, l, i)->file)
			return false;
	return l->n_lines;
}

/* --- which files ------------------------------------------------------------------------------------ */

struct file_needle {
	const struct rename_result *r;
	const struct profile_mapping *m;
};

static bool file_eq(const void *ctx, uint32_t id)
{
	const struct file_needle *n = ctx;

	return n->r->files.data[id].path == n->m->file &&
	       n->r->files.data[id].build_id == n->m->build_id;
}

/* Kernel, vDSO, JIT code, memfds and similar mappings are no files. */
static bool is_file(const struct profile *p, const struct profile_mapping *m)
{
	const char *path = profile_text(p, m->file);

	return *path != '[' && !text_has_prefix(path, "//anon") &&
	       !text_has_prefix(path, "/memfd:") && !text_has_prefix(path, "/SYSV") &&
	       (*path || *profile_text(p, m->build_id));
}

static int add_file(struct renamer *w, uint32_t mapping)
{
	const struct profile_mapping *m = &w->p->mappings.data[mapping];
	struct file_needle n = {w->r, m};
	uint64_t hash = hash_mix(w->seed, (uint64_t)m->file << 32 | m->build_id);
	uint32_t id = htab_find(&w->index, hash, file_eq, &n);
	struct rename_file f = {.path = m->file, .build_id = m->build_id};

	if (id == HTAB_NONE) {
		id = (uint32_t)w->r->files.len;
		if (htab_insert(&w->index, hash, id) || vec_push(&w->r->files, f))
			return -ENOMEM;
	}
	w->file_of[mapping] = id;
	return 0;
}

static int find_files(struct renamer *w)
{
	size_t n = w->p->mappings.len;
	int err = 0;

	w->file_of = malloc((n + 1) * sizeof(*w->file_of));
	if (!w->file_of)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		w->file_of[i] = PROFILE_NONE;
		if (is_file(w->p, &w->p->mappings.data[i]))
			err = add_file(w, (uint32_t)i);
	}
	return err;
}

static int find_work(struct renamer *w)
{
	const struct profile *p = w->p;
	int err = 0;

	for (size_t i = 0; i < p->locations.len && !err; i++) {
		const struct profile_location *l = &p->locations.data[i];
		uint32_t file = l->mapping == PROFILE_NONE ? PROFILE_NONE : w->file_of[l->mapping];
		bool named = is_named(p, l);
		struct work work = {.file = file, .location = (uint32_t)i};

		if (file != PROFILE_NONE && has_lines(p, l))
			w->r->files.data[file].knows_lines = true;
		if (file == PROFILE_NONE || !l->address) {
			w->r->complete += named;
			w->r->no_file += !named;
		} else if (named && !w->o->force && (w->o->no_lines || has_lines(p, l))) {
			w->r->complete++;
		} else {
			w->r->files.data[file].looked_up++;
			err = vec_push(&w->work, work);
		}
	}
	return err;
}

/* --- addresses ---------------------------------------------------------------------------------------- */

/*
 * The ELF address. Profiles have it as the file does (kiln, OpenTelemetry) or as the process had it
 * (Go, perf). Going through the file offset is right for both. A debug file has no segments'
 * offsets any more: the mapping then stands for its only executable segment.
 */
static uint64_t to_elf_va(const struct elf_obj *obj, const struct profile_mapping *m, uint64_t addr)
{
	uint64_t off = addr - m->start + m->offset;
	const struct elf_segment *seg, *exec = NULL;
	size_t n;

	if ((!m->start && !m->limit) || addr < m->start || addr >= m->limit)
		return addr; /* no usable mapping, or the address was translated already */
	seg = elf_obj_segment_at_off(obj, off);
	if (seg && seg->exec)
		return seg->va + (off - seg->file_off);
	if (!m->start && m->limit == UINT64_MAX)
		return UINT64_MAX; /* an offset, but no file that says what is there */
	seg = elf_obj_segments(obj, &n);
	for (size_t i = 0; i < n; i++) {
		if (!seg[i].exec)
			continue;
		if (exec || m->start == seg[i].va || m->start == (seg[i].va & ~PAGE_MASK))
			return addr;
		exec = &seg[i];
	}
	return exec ? addr - m->start + (exec->va & ~PAGE_MASK) : addr;
}

static int compare_work(const void *x, const void *y)
{
	const struct work *a = x, *b = y;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->va < b->va ? -1 : a->va > b->va;
}

/* --- naming --------------------------------------------------------------------------------------------- */

static int make_lines(struct renamer *w, const struct sym_result *r)
{
	int err = 0;

	w->lines.len = 0;
	for (size_t i = 0; i < r->n_frames && !err; i++) {
		const struct sym_frame *f = &r->frames[i];
		struct profile_line line = {.line = f->line, .discriminator = f->discriminator};

		err = profile_named_function(w->p, f->name, f->raw_name, f->file, f->start_line,
					     &line.function)
			      ?: vec_push(&w->lines, line);
	}
	return err;
}

/* True if the symbolizer's answer says more than the profile. */
static bool is_better(const struct renamer *w, const struct profile_location *l,
		      const struct sym_result *r)
{
	if (r->reason == SYM_OK)
		return w->o->force || !is_named(w->p, l) || r->frames[0].line;
	if (!l->n_lines)
		/* Readers of pprof want names for all locations of a mapping or for none. */
		return true;
	return r->reason == SYM_FDE_START && !is_named(w->p, l);
}

static void on_answer(void *ctx, size_t index, const struct sym_result *r)
{
	struct renamer *w = ctx;
	const struct work *work = &w->batch[index];
	struct profile_location *l = &w->p->locations.data[work->location];
	struct rename_file *f = &w->r->files.data[work->file];
	struct profile_mapping *m;

	if (w->err)
		return;
	if (is_better(w, l, r)) {
		w->err = make_lines(w, r)
				 ?: profile_rename_location(w->p, work->location, w->lines.data,
							    w->lines.len);
		if (w->err)
			return;
		f->improved += r->reason == SYM_OK;
		m = &w->p->mappings.data[l->mapping];
		m->has_functions = true;
		m->has_inline_frames |= r->n_frames > 1;
		for (size_t i = 0; i < r->n_frames; i++) {
			m->has_filenames |= r->frames[i].file != NULL;
			m->has_line_numbers |= r->frames[i].line != 0;
		}
	}
	f->unnamed += !is_named(w->p, l);
	f->lineless += is_named(w->p, l) && !has_lines(w->p, l);
}

static int look_up(struct renamer *w, const struct elf_found *found, size_t n)
{
	_cleanup_free_ uint64_t *va = malloc(n * sizeof(*va));
	struct rename_file *f = &w->r->files.data[w->batch->file];
	/* Debug files are next to the file that was found. A file found by build id only keeps
	 * the mapping's name. */
	struct sym_file file = {.fd = found->fd,
				.root_fd = -1,
				.path = profile_text(w->p, f->path),
				.build_id = found->id.len ? &found->id : NULL};

	if (!va)
		return -ENOMEM;
	if (found->path && !strstr(found->path, "/.build-id/"))
		file.path = found->path;
	for (size_t i = 0; i < n; i++) {
		const struct profile_location *l = &w->p->locations.data[w->batch[i].location];

		w->batch[i].va =
			to_elf_va(found->obj, &w->p->mappings.data[l->mapping], l->address);
	}
	qsort(w->batch, n, sizeof(*w->batch), compare_work);
	for (size_t i = 0; i < n; i++)
		va[i] = w->batch[i].va;
	if (!f->knows_lines)
		symbolizer_has_debug_info(w->o->symbolizer, &file, &f->knows_lines);
	return symbolizer_resolve_va(w->o->symbolizer, &file, va, n, on_answer, w) ?: w->err;
}

static void count_unnamed(struct renamer *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct profile_location *l = &w->p->locations.data[w->batch[i].location];
		struct rename_file *f = &w->r->files.data[w->batch[i].file];

		f->unnamed += !is_named(w->p, l);
		f->lineless += is_named(w->p, l) && !has_lines(w->p, l);
	}
}

static int rename_in_file(struct renamer *w, size_t n)
{
	struct rename_file *f = &w->r->files.data[w->batch->file];
	struct elf_found found;
	int err = elf_find(&found, w->o->search, profile_text(w->p, f->path),
			   profile_text(w->p, f->build_id), &f->problem);

	if (err == -ENOENT) {
		count_unnamed(w, n);
		return 0;
	}
	if (err)
		return err;
	f->problem = ELF_FIND_OK;
	err = look_up(w, &found, n);
	elf_found_release(&found);
	return err;
}

static int rename_all(struct renamer *w)
{
	size_t end, total = w->work.len;
	int err = 0;

	if (total)
		qsort(w->work.data, total, sizeof(*w->work.data), compare_work);
	for (size_t i = 0; i < total && !err; i = end) {
		w->batch = w->work.data + i;
		for (end = i + 1; end < total && w->work.data[end].file == w->batch->file; end++)
			;
		err = rename_in_file(w, end - i);
	}
	return err;
}

static void drop_untouched(struct rename_result *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->files.len; i++)
		if (r->files.data[i].looked_up)
			r->files.data[kept++] = r->files.data[i];
	r->files.len = kept;
}

int rename_profile(struct profile *p, const struct rename_opts *o, struct rename_result *r)
{
	struct renamer w = {.p = p, .o = o, .r = r, .seed = hash_random_seed()};
	int err = find_files(&w) ?: find_work(&w) ?: rename_all(&w);

	drop_untouched(r);
	free(w.file_of);
	htab_release(&w.index);
	vec_release(&w.work);
	vec_release(&w.lines);
	return err;
}

void rename_result_release(struct rename_result *r)
{
	vec_release(&r->files);
}
