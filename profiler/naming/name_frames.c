// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/files/files.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/procs.h"
#include "profiler/naming/name_file.h"
#include "profiler/naming/name_frames.h"
#include "profiler/naming/name_jit.h"
#include "profiler/naming/name_kernel.h"
#include "profiler/naming/namer.h"
#include "profiler/unwind/vdso.h"
#include "symbolizer/symbolizer.h"

/* Of a function in its module when there was no memory for more. */
#define NAME_SHORT "[no memory]"

static int name_plain(struct namer *w, uint32_t frame, const char *mapping, const char *name,
		      enum named_as as)
{
	w->out[frame].as = (uint8_t)as;
	return profile_plain_location(w->p, mapping, name, &w->out[frame].location);
}

static int name_file_group(struct namer *w, uint32_t file_id, size_t n)
{
	struct file_view v;
	struct sym_file file;
	int err;

	files_get(w->n->opts.files, file_id, &v);
	file = file_view_sym(&v);
	err = name_in_file(w, &file, file_id, n);
	files_release_fd(w->n->opts.files, file_id);
	return err;
}

static int name_vdso_group(struct namer *w, size_t n)
{
	struct sym_file file = {.root_fd = -1, .path = MAPPING_VDSO};

	if (w->n->vdso_fd < 0)
		w->n->vdso_fd = vdso_open();
	file.fd = w->n->vdso_fd;
	return name_in_file(w, &file, FILE_VDSO, n);
}

/* A mapping without a file. Frames in it have address 0, so no kernel address leaves the host. */
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

static int open_kernel_names(struct naming *n)
{
	if (n->kernel && kernel_names_stale(n->kernel)) {
		kernel_names_close(n->kernel);
		n->kernel = NULL;
	}
	if (n->kernel)
		return 0;
	return kernel_names_open(&n->kernel, n->opts.names_only ? NULL : n->opts.symbolizer);
}

static int name_kernel_group(struct namer *w, size_t n)
{
	_cleanup_free_ uint64_t *addr = calloc(n, sizeof(*addr));
	int err;

	if (!addr)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		addr[i] = w->a->frames.data[w->group[i]].addr;
	err = open_kernel_names(w->n);
	return err ?: kernel_names_resolve(w->n->kernel, addr, n, on_kernel_answer, w);
}

static int name_ksym_group(struct namer *w, uint32_t id, size_t n)
{
	const char *module, *name = ksyms_name(w->n->opts.ksyms, id, &module);
	char mapping[80] = MAPPING_KERNEL;
	int err = 0;

	if (*module)
		snprintf(mapping, sizeof(mapping), "[%s]", module);
	for (size_t i = 0; i < n && !err; i++)
		err = name_plain(w, w->group[i], mapping, name, NAMED_SYMBOL);
	return err;
}

/* A location of a function with a line, without an address in a file. */
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
	if (!f->file || w->n->opts.names_only)
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

		places[i] = (struct jit_place){f->addr, f->t_ns, f->written};
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
		[AT_VDSO] = {MAPPING_VDSO, MAPPING_VDSO, NAMED_NOT}, /* not that of kiln */
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

static int name_by_kind(struct namer *w, size_t n)
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
		return f->owner ? name_others(w, f->cls, n) : name_vdso_group(w, n);
	case AT_ANON:
		return name_anon_group(w, f->owner, n);
	default:
		return name_others(w, f->cls, n);
	}
}

/* For lack of memory, what is left of a group gets one location in its module. */
static void name_short(struct namer *w, size_t n)
{
	const struct agg_frame *f = &w->a->frames.data[w->group[0]];
	char module[PATH_MAX] = MAPPING_UNKNOWN;

	if (f->cls == AT_FILE)
		files_path(w->n->opts.files, f->owner, module, sizeof(module));
	else if (f->cls == AT_KERNEL || f->cls == AT_KSYM)
		snprintf(module, sizeof(module), MAPPING_KERNEL);
	for (size_t i = 0; i < n; i++)
		if (w->out[w->group[i]].location == PROFILE_NONE &&
		    name_plain(w, w->group[i], module, NAME_SHORT, NAMED_SHORT))
			return;
}

static int name_group(struct namer *w, size_t n)
{
	int err;

	for (size_t i = 0; i < n; i++)
		w->out[w->group[i]].location = PROFILE_NONE;
	err = name_by_kind(w, n);
	if (err == -ENOMEM) {
		name_short(w, n);
		err = 0;
	}
	return err;
}

/* pprof readers take the first mapping as the program. So the busiest executable comes first. */
static uint32_t busiest_exe(const struct aggregate *a)
{
	struct agg_exe best = {FILE_NONE, 0};

	for (size_t i = 0; i < a->exes.len; i++)
		if (a->exes.data[i].samples > best.samples)
			best = a->exes.data[i];
	return best.file;
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

/* Lists the frames of samples that are left (see aggregate_hold_back()). */
static int list_frames(const struct aggregate *a, uint32_t *list, size_t *n)
{
	_cleanup_free_ bool *is_used = calloc(a->frames.len + 1, sizeof(*is_used));

	if (!is_used)
		return -ENOMEM;
	for (size_t i = 0; i < a->samples.len; i++) {
		const struct agg_stack *s = &a->stacks.data[a->samples.data[i].stack];

		for (uint32_t f = 0; f < s->len && a->samples.data[i].count; f++)
			is_used[a->frame_ids.data[s->first + f]] = true;
	}
	*n = 0;
	for (uint32_t i = 0; i < a->frames.len; i++)
		if (is_used[i])
			list[(*n)++] = i;
	return 0;
}

int name_frames(struct naming *n, const struct aggregate *a, struct profile *p,
		struct named_frame *out)
{
	struct namer w = {.n = n, .a = a, .p = p, .out = out};
	struct order_context order = {a, busiest_exe(a)};
	_cleanup_free_ uint32_t *sorted = calloc(a->frames.len + 1, sizeof(*sorted));
	size_t total = 0, end;
	int err = sorted ? list_frames(a, sorted, &total) : -ENOMEM;

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
		namer_tick(&w);
	}
	vec_release(&w.lines);
	vec_release(&w.cached);
	return err;
}
