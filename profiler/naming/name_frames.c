// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/files/files.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/procs.h"
#include "profiler/profile/profile.h"
#include "profiler/collect/aggregate.h"
#include "profiler/naming/name_frames.h"
#include "profiler/naming/name_jit.h"
#include "profiler/naming/name_kernel.h"
#include "profiler/naming/naming.h"
#include "profiler/unwind/vdso.h"
#include "symbolizer/symbolizer.h"

struct namer {
	const struct naming *n;
	const struct aggregate *a;
	struct profile *p;
	struct named_frame *out;
	const uint32_t *group; /* frame indices of the group being named */
	/* what the symbolizer said of each member of the group */
	struct answer {
		uint64_t elf_va;
		uint32_t first_line, n_lines;
		uint8_t as, is_root;
	} * answers;
	VEC(struct profile_line) lines;
	bool any_file, any_line, any_inline;
	int err;
};

/*
 * Functions that nothing calls: a stack that ends in one is complete. A frame-pointer walk cannot
 * get past the C library's start functions, which are built without frame pointers.
 */
static bool is_root_function(const char *name)
{
	static const char *const roots[] = {
		"_start",
		"__libc_start_call_main",
		"__libc_start_main",
		"start_thread",
		"clone",
		"__clone",
		"clone3",
		"__clone3",
		"_dl_start_user",
		"runtime.goexit",
		"runtime.mstart",
		"runtime.rt0_go",
		"_rt0_amd64",
		"_rt0_amd64_linux",
		"_rt0_arm64_linux",
		"runtime.goexit.abi0",
		"runtime.mstart.abi0",
		"runtime.rt0_go.abi0",
		"thread_start",
	};

	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++)
		if (!strncmp(name, roots[i], strlen(roots[i])) &&
		    (!name[strlen(roots[i])] || name[strlen(roots[i])] == '@'))
			return true;
	return false;
}

static int name_plain(struct namer *w, uint32_t frame, const char *mapping, const char *name,
		      enum named_as as)
{
	w->out[frame].as = (uint8_t)as;
	return profile_plain_location(w->p, mapping, name, &w->out[frame].location);
}

static void on_answer(void *ctx, size_t index, const struct sym_result *r)
{
	struct namer *w = ctx;
	struct answer *a = &w->answers[index];

	a->elf_va = r->elf_va;
	a->first_line = (uint32_t)w->lines.len;
	a->as = r->reason == SYM_OK	     ? NAMED_SYMBOL
		: r->reason == SYM_FDE_START ? NAMED_FDE
					     : NAMED_NOT;
	a->is_root = is_root_function(
		r->frames[r->n_frames - 1].raw_name ? r->frames[r->n_frames - 1].raw_name : "");
	w->any_inline |= r->n_frames > 1;
	for (size_t i = 0; i < r->n_frames && !w->err; i++) {
		const struct sym_frame *f = &r->frames[i];
		struct profile_line line = {.line = f->line};

		w->any_file |= f->file != NULL;
		w->any_line |= f->line != 0;
		w->err = profile_named_function(w->p, f->name, f->raw_name, f->file, f->start_line,
						&line.function)
				 ?: vec_push(&w->lines, line);
	}
	a->n_lines = (uint32_t)w->lines.len - a->first_line;
}

static int mapping_of(struct namer *w, const struct sym_file *file, uint64_t file_off,
		      uint64_t elf_va, struct elf_segment *seg, uint32_t *id)
{
	struct profile_mapping m = {.has_functions = true,
				    .has_filenames = w->any_file,
				    .has_line_numbers = w->any_line,
				    .has_inline_frames = w->any_inline};
	char hex[2 * BUILD_ID_MAX + 1] = "";

	if (elf_va - seg->va >= seg->mem_len &&
	    symbolizer_segment(w->n->symbolizer, file, elf_va, seg))
		*seg = (struct elf_segment){0};
	m.start = seg->va;
	m.limit = seg->va + seg->mem_len;
	if (!seg->mem_len && elf_va == file_off)
		m.limit = UINT64_MAX; /* no file to say otherwise: the symbolizer gave it back */
	m.offset = seg->file_off;
	if (file->build_id)
		text_hex(file->build_id->data, file->build_id->len, hex);
	return profile_string(w->p, file->path, &m.file) ?:
	       profile_string(w->p, hex, &m.build_id) ?:
	       profile_mapping(w->p, &m, id);
}

/* Names the frames group[0..n) that lie in one ELF file. */
static int name_in_file(struct namer *w, const struct sym_file *file, size_t n)
{
	_cleanup_free_ uint64_t *offs = calloc(n, sizeof(*offs));
	_cleanup_free_ struct answer *answers = calloc(n, sizeof(*answers));
	struct elf_segment seg = {0};
	int err;

	if (!offs || !answers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		offs[i] = w->a->frames.data[w->group[i]].addr;
	w->answers = answers;
	w->lines.len = 0;
	w->any_file = w->any_line = w->any_inline = false;
	err = symbolizer_resolve(w->n->symbolizer, file, offs, n, on_answer, w) ?: w->err;
	for (size_t i = 0; i < n && !err; i++) {
		struct named_frame *out = &w->out[w->group[i]];
		uint32_t mapping;

		err = mapping_of(w, file, offs[i], answers[i].elf_va, &seg, &mapping)
			      ?: profile_location(w->p, mapping, answers[i].elf_va,
						  w->lines.data + answers[i].first_line,
						  answers[i].n_lines, &out->location);
		out->as = answers[i].as;
		out->is_root = answers[i].is_root;
	}
	w->answers = NULL;
	return err;
}

static int name_file_group(struct namer *w, uint32_t file_id, size_t n)
{
	struct file_view v;
	struct sym_file file;
	int err;

	files_get(w->n->files, file_id, &v);
	file = (struct sym_file){.fd = v.fd,
				 .root_fd = v.root_fd,
				 .path = v.path,
				 .build_id = v.build_id.len ? &v.build_id : NULL};
	err = name_in_file(w, &file, n);
	files_release_fd(w->n->files, file_id);
	return err;
}

static int name_vdso_group(struct namer *w, size_t n)
{
	_cleanup_close_ int fd = vdso_open();
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = MAPPING_VDSO};

	return name_in_file(w, &file, n);
}

/* A mapping without a file in it: frames there have address 0, and so no kernel's leaves the host. */
static int plain_mapping(struct namer *w, const char *name, bool inlines, uint32_t *id)
{
	struct profile_mapping m = {.has_functions = true,
				    .has_filenames = true,
				    .has_line_numbers = true,
				    .has_inline_frames = inlines};

	return profile_string(w->p, name, &m.file) ?: profile_string(w->p, "", &m.build_id) ?:
	       profile_mapping(w->p, &m, id);
}

static int name_kernel_lines(struct namer *w, uint32_t frame, const char *mapping,
			     const struct kernel_answer *a)
{
	uint32_t id;
	int err = plain_mapping(w, mapping, true, &id);

	w->lines.len = 0;
	for (size_t i = 0; i < a->n_frames && !err; i++) {
		const struct sym_frame *f = &a->frames[i];
		bool outer = i + 1 == a->n_frames;
		struct profile_line line = {.line = f->line};

		err = profile_named_function(w->p, outer ? a->name : f->name,
					     outer ? NULL : f->raw_name, f->file, f->start_line,
					     &line.function)
			      ?: vec_push(&w->lines, line);
	}
	w->out[frame].as = NAMED_SYMBOL;
	return err
		       ?: profile_location(w->p, id, 0, w->lines.data, w->lines.len,
					   &w->out[frame].location);
}

static int on_kernel_answer(void *ctx, size_t index, const struct kernel_answer *a)
{
	struct namer *w = ctx;
	uint32_t frame = w->group[index];
	char mapping[80] = MAPPING_KERNEL;

	if (!a->name)
		return name_plain(w, frame, MAPPING_KERNEL, "[kernel]", NAMED_NOT);
	if (*a->module)
		snprintf(mapping, sizeof(mapping), "[%s]", a->module);
	return a->n_frames ? name_kernel_lines(w, frame, mapping, a)
			   : name_plain(w, frame, mapping, a->name, NAMED_SYMBOL);
}

static int name_kernel_group(struct namer *w, size_t n)
{
	_cleanup_free_ uint64_t *addr = calloc(n, sizeof(*addr));
	struct kernel_names *k;
	int err;

	if (!addr)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		addr[i] = w->a->frames.data[w->group[i]].addr;
	err = kernel_names_open(&k, w->n->names_only ? NULL : w->n->symbolizer);
	if (err)
		return err;
	err = kernel_names_resolve(k, addr, n, on_kernel_answer, w);
	kernel_names_close(k);
	return err;
}

static int name_ksym_group(struct namer *w, uint32_t id, size_t n)
{
	const char *module, *name = ksyms_name(w->n->ksyms, id, &module);
	char mapping[80] = MAPPING_KERNEL;
	int err = 0;

	if (*module)
		snprintf(mapping, sizeof(mapping), "[%s]", module);
	for (size_t i = 0; i < n && !err; i++)
		err = name_plain(w, w->group[i], mapping, name, NAMED_SYMBOL);
	return err;
}

/* A function with a line, where there is no file for it to have an address in. */
static int name_at_line(struct namer *w, uint32_t frame, const char *mapping,
			const struct sym_frame *f)
{
	struct profile_line line = {.line = f->line};
	uint32_t id;

	w->out[frame].as = NAMED_SYMBOL;
	return plain_mapping(w, mapping, false, &id) ?:
	       profile_named_function(w->p, f->name, NULL, f->file, 0, &line.function) ?:
	       profile_location(w->p, id, 0, &line, 1, &w->out[frame].location);
}

static int on_jit_name(void *ctx, size_t index, const struct sym_frame *f)
{
	struct namer *w = ctx;
	uint32_t frame = w->group[index];

	if (!f)
		return name_plain(w, frame, MAPPING_JIT, MAPPING_JIT, NAMED_NOT);
	if (!f->file || w->n->names_only)
		return name_plain(w, frame, MAPPING_JIT, f->name, NAMED_SYMBOL);
	return name_at_line(w, frame, MAPPING_JIT, f);
}

static int name_anon_group(struct namer *w, uint32_t image, size_t n)
{
	_cleanup_free_ struct jit_place *places = calloc(n, sizeof(*places));
	int err = 0;

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct agg_frame *f = &w->a->frames.data[w->group[i]];

		places[i] = (struct jit_place){f->addr, f->t_ns};
	}
	if (image < w->a->images.len)
		return jit_names(w->n, &w->a->images.data[image], places, n, on_jit_name, w);
	for (size_t i = 0; i < n && !err; i++)
		err = on_jit_name(w, i, NULL);
	return err;
}

static int name_others(struct namer *w, enum frame_class cls, size_t n)
{
	static const struct {
		const char *mapping, *name;
		enum named_as as;
	} fixed[] = {
		[AT_UNMAPPED] = {MAPPING_UNKNOWN, MAPPING_UNKNOWN, NAMED_NOT},
		[AT_NO_PROCESS] = {MAPPING_UNKNOWN, MAPPING_UNKNOWN, NAMED_NOT},
		[AT_MISSED_USER] = {MAPPING_KILN, FRAME_MISSED_USER, NAMED_SYNTHETIC},
		[AT_MISSED_KERNEL] = {MAPPING_KILN, FRAME_MISSED_KERNEL, NAMED_SYNTHETIC},
		[AT_TRUNCATED] = {MAPPING_KILN, FRAME_TRUNCATED, NAMED_SYNTHETIC},
		[AT_USER_ELIDED] = {MAPPING_KILN, "[user]", NAMED_SYNTHETIC},
		[AT_KERNEL_ELIDED] = {MAPPING_KILN, "[kernel]", NAMED_SYNTHETIC},
	};
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = name_plain(w, w->group[i], fixed[cls].mapping, fixed[cls].name,
				 fixed[cls].as);
	return err;
}

static int name_group(struct namer *w, size_t n)
{
	const struct agg_frame *f = &w->a->frames.data[w->group[0]];

	switch (f->cls) {
	case AT_KERNEL:
		return name_kernel_group(w, n);
	case AT_KSYM:
		return name_ksym_group(w, f->owner, n);
	case AT_FILE:
		return name_file_group(w, f->owner, n);
	case AT_VDSO:
		return name_vdso_group(w, n);
	case AT_ANON:
		return name_anon_group(w, f->owner, n);
	default:
		return name_others(w, f->cls, n);
	}
}

/* pprof readers take the first mapping for the program: the busiest executable's comes first. */
static uint32_t busiest_exe(const struct aggregate *a)
{
	uint32_t best = FILE_NONE;

	for (uint32_t i = 0; i < a->exe_samples.len; i++)
		if (a->exe_samples.data[i] &&
		    (best == FILE_NONE || a->exe_samples.data[i] > a->exe_samples.data[best]))
			best = i;
	return best;
}

struct order_context {
	const struct aggregate *a;
	uint32_t first_file;
};

static int order_frames(const void *x, const void *y, void *ctx)
{
	const struct order_context *o = ctx;
	const struct agg_frame *f = &o->a->frames.data[*(const uint32_t *)x];
	const struct agg_frame *g = &o->a->frames.data[*(const uint32_t *)y];
	bool f_first = f->cls == AT_FILE && f->owner == o->first_file;
	bool g_first = g->cls == AT_FILE && g->owner == o->first_file;

	if (f_first != g_first)
		return f_first ? -1 : 1;
	if (f->cls != g->cls)
		return f->cls < g->cls ? -1 : 1;
	if (f->owner != g->owner)
		return f->owner < g->owner ? -1 : 1;
	if (f->addr != g->addr)
		return f->addr < g->addr ? -1 : 1;
	return f->t_ns < g->t_ns ? -1 : f->t_ns > g->t_ns;
}

int name_frames(const struct naming *n, const struct aggregate *a, struct profile *p,
		struct named_frame *out)
{
	struct namer w = {.n = n, .a = a, .p = p, .out = out};
	struct order_context order = {a, busiest_exe(a)};
	size_t total = a->frames.len, end;
	_cleanup_free_ uint32_t *sorted = calloc(total + 1, sizeof(*sorted));
	int err = sorted ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < total && !err; i++)
		sorted[i] = i;
	if (!err)
		qsort_r(sorted, total, sizeof(*sorted), order_frames, &order);
	for (size_t i = 0; i < total && !err; i = end) {
		const struct agg_frame *f = &a->frames.data[sorted[i]];

		for (end = i + 1; end < total; end++) {
			const struct agg_frame *g = &a->frames.data[sorted[end]];

			if (g->cls != f->cls || g->owner != f->owner)
				break;
		}
		w.group = sorted + i;
		err = name_group(&w, end - i);
	}
	vec_release(&w.lines);
	return err;
}
