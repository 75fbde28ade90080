// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/vec.h"
#include "profiler/procs/files.h"
#include "profiler/procs/procs.h"
#include "profiler/record/slow_path.h"
#include "profiler/record/vdso.h"
#include "profiler/sampler/drain.h"
#include "symbolizer/walker.h"

/* How long one poll may wait for files that the opener has not got to yet. */
#define OPENER_WAIT_MS 50

struct slow_path {
	struct procs *procs;
	struct files *files;
	struct walker *walker;
	int vdso_fd;
	VEC(struct raw_sample *) batch; /* being walked */
	struct procs_view view;
	VEC(struct walk_region) regions; /* of the sample prepared last */
	struct slow_path_stats stats;
};

int slow_path_new(struct slow_path **out, struct procs *procs, struct files *files,
		  struct walker *walker)
{
	struct slow_path *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->procs = procs;
	s->files = files;
	s->walker = walker;
	s->vdso_fd = vdso_open();
	*out = s;
	return 0;
}

void slow_path_free(struct slow_path *s)
{
	if (!s)
		return;
	if (s->vdso_fd >= 0)
		close(s->vdso_fd);
	vec_release(&s->batch);
	vec_release(&s->view.mappings);
	vec_release(&s->regions);
	free(s);
}

/* --- what a sample may lead into -------------------------------------------------------------- */

/* One that is not open yet is asked for again with the next sample. */
static void add_file(struct slow_path *s, uint32_t file)
{
	struct file_view v;

	if (file == FILE_NONE || walker_knows(s->walker, file))
		return;
	if (file == FILE_VDSO) {
		walker_add(s->walker, file, s->vdso_fd);
		return;
	}
	files_get(s->files, file, &v);
	if (v.err != -EAGAIN)
		walker_add(s->walker, file, v.fd);
	files_release_fd(s->files, file);
}

static void prepare(void *ctx, size_t i, struct walk_sample *out)
{
	struct slow_path *s = ctx;
	const struct raw_sample *r = s->batch.data[i];
	uint64_t sp = r->regs[UNWIND_RSP];

	out->captured =
		(struct slow_sample){r->regs, r->stack, r->stack_len, sp - KILN_RAW_BASE(sp)};
	if (procs_view(s->procs, (pid_t)r->tgid, r->time_ns, &s->view) ||
	    vec_reserve(&s->regions, s->view.mappings.len))
		return; /* it ends where it begins */
	s->regions.len = s->view.mappings.len;
	for (size_t m = 0; m < s->regions.len; m++) {
		const struct proc_mapping *p = &s->view.mappings.data[m];

		add_file(s, p->file);
		s->regions.data[m] = (struct walk_region){p->start,    p->len,	p->file_off,
							  p->since_ns, p->file, 0};
	}
	out->regions = s->regions.data;
	out->n_regions = s->regions.len;
	out->n_live = s->view.n_live;
}

/* --- walking ---------------------------------------------------------------------------------- */

/* In the middle of execve(2): the program is not the one that was known, and there is no stack yet. */
static bool is_exec(const struct raw_sample *r)
{
	return !r->stack_len && r->why == UNWIND_END_NO_MAPPING;
}

/* A lost one, or out of memory: the stack stays missing, and is shown as such. */
static void take_stack(void *ctx, size_t i, const uint64_t *frames, size_t n, enum slow_end end)
{
	static const enum unwind_end as_walk_end[] = {
		[SLOW_ROOT] = UNWIND_END_ROOT,	     [SLOW_SLICE] = UNWIND_END_SLICE,
		[SLOW_NO_INFO] = UNWIND_END_NO_RULE, [SLOW_LIMIT] = UNWIND_END_DEEP,
		[SLOW_ERROR] = UNWIND_END_LOOP,
	};
	struct slow_path *s = ctx;
	const struct raw_sample *r = s->batch.data[i];

	if (!n)
		return;
	window_add_user_stack(r->into, r->word, frames, n, as_walk_end[end]);
	s->stats.walked++;
	s->stats.complete += end == SLOW_ROOT;
	s->stats.why[r->why]++;
}

/* One that needs no walk, or cannot have one, is done with. */
static void take_sample(struct slow_path *s, struct raw_sample *r)
{
	if (is_exec(r)) /* its user stack is gone with the old program */
		window_add_user_stack(r->into, r->word, NULL, 0, UNWIND_END_ROOT);
	else if (!vec_push(&s->batch, r))
		return;
	free(r);
}

void slow_path_run(struct slow_path *s, struct drain *d)
{
	struct raw_sample *r = drain_next_raw(d);

	if (r)
		files_settle(s->files, OPENER_WAIT_MS);
	for (; r; r = drain_next_raw(d))
		take_sample(s, r);
	if (s->batch.len)
		walker_run(s->walker, s->batch.len, prepare, take_stack, s);
	for (size_t i = 0; i < s->batch.len; i++)
		free(s->batch.data[i]);
	s->batch.len = 0;
}

void slow_path_stats(const struct slow_path *s, struct slow_path_stats *out)
{
	struct walker_stats walker;

	walker_stats(s->walker, &walker);
	*out = s->stats;
	out->lost = walker.lost;
	out->files_failed = walker.files_failed;
}
