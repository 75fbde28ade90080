// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/profile/blame_interpreters.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/window/aggregate.h"
#include "profiler/naming/blame.h"
#include "profiler/naming/name_frames.h"
#include "profiler/naming/name_cache.h"
#include "profiler/naming/name_kernel.h"
#include "profiler/naming/naming_internal.h"
#include "profiler/naming/packages.h"
#include "symbolizer/symbolizer.h"

#define OWN_LABELS 7
#define MAX_LABELS (OWN_LABELS + NAMING_USER_LABELS_MAX)

DEFINE_CLEANUP(naming, naming_free)

struct label_builder {
	struct profile *p;
	struct profile_label labels[MAX_LABELS];
	size_t n;
	int err;
};

static void add_text_label(struct label_builder *b, const char *key, const char *value)
{
	struct profile_label l = {0};

	if (!*value || b->err)
		return;
	b->err = profile_string(b->p, key, &l.key) ?: profile_string(b->p, value, &l.str) ?:
		 profile_string(b->p, "", &l.num_unit);
	b->labels[b->n++] = l;
}

static void add_number_label(struct label_builder *b, const char *key, int64_t value)
{
	struct profile_label l = {.str = PROFILE_NONE, .num = value};

	if (b->err)
		return;
	b->err = profile_string(b->p, key, &l.key) ?: profile_string(b->p, "", &l.num_unit);
	b->labels[b->n++] = l;
}

static void add_user_label(struct label_builder *b, const char *pair)
{
	const char *eq = strchr(pair, '=');
	char key[256];

	if (!eq || (size_t)(eq - pair) >= sizeof(key))
		return; /* option parsing refuses such labels */
	memcpy(key, pair, (size_t)(eq - pair));
	key[eq - pair] = '\0';
	add_text_label(b, key, eq + 1);
}

static int label_sample(const struct naming *n, struct profile *p, const struct agg_sample *s,
			uint32_t *labelset)
{
	struct label_builder b = {.p = p};
	struct cgroup_names names;
	char comm[KILN_COMM_LEN + 1] = "", exe[PATH_MAX];

	memcpy(comm, s->comm, KILN_COMM_LEN);
	add_number_label(&b, LABEL_PID, s->tgid);
	add_number_label(&b, LABEL_TID, s->tid);
	add_text_label(&b, LABEL_COMM, comm);
	if (n->opts.executables && s->exe != FILE_NONE) {
		files_path(n->opts.files, s->exe, exe, sizeof(exe));
		add_text_label(&b, LABEL_EXECUTABLE, exe);
	}
	if (n->opts.cgroups && cgroups_names(n->opts.cgroups, s->cgroup_id, &names)) {
		if (strcmp(names.path, "/"))
			add_text_label(&b, LABEL_CGROUP, names.path);
		add_text_label(&b, LABEL_UNIT, names.unit);
		add_text_label(&b, LABEL_CONTAINER, names.container);
	}
	for (size_t i = 0; n->opts.user_labels && n->opts.user_labels[i]; i++)
		add_user_label(&b, n->opts.user_labels[i]);
	return b.err ?: profile_labelset(p, b.labels, b.n, labelset);
}

static bool is_user_class(enum frame_class cls)
{
	return cls == AT_FILE || cls == AT_VDSO || cls == AT_ANON || cls == AT_UNMAPPED ||
	       cls == AT_NO_PROCESS;
}

/* A frame-pointer walk, of which nobody knows why it ended. */
static bool is_root_by_name(enum named_root root, enum unwind_end end)
{
	return root == ROOT_BY_NAME || (root == ROOT_AT_END && end == UNWIND_ON);
}

/* Whether this user stack is complete, truncated or missing. */
enum verdict {
	STACK_NONE_WANTED,
	STACK_COMPLETE,
	STACK_MISSING,
	STACK_TRUNCATED,
	STACK_UNSURE, /* up to a root, but its leaf's caller may be missing */
};

static enum verdict judge_stack(const struct aggregate *a, const struct named_frame *named,
				const struct agg_stack *s, const struct agg_frame **outermost)
{
	const uint32_t *ids = a->frame_ids.data + s->first;
	const struct agg_frame *outer;
	uint32_t last = s->len - 1;

	if (s->len == s->n_kernel)
		return STACK_NONE_WANTED; /* of a kernel thread, or only kernel frames were wanted */
	if (a->frames.data[ids[last]].cls == AT_MISSED_USER)
		return STACK_MISSING;
	if (a->frames.data[ids[last]].cls == AT_TRUNCATED)
		last--;
	*outermost = outer = &a->frames.data[ids[last]];
	if (!is_user_class(outer->cls))
		return STACK_NONE_WANTED;
	if (s->user_end == UNWIND_END_LEAF) {
		*outermost = &a->frames.data[ids[s->n_kernel]]; /* to blame */
		return STACK_UNSURE;
	}
	if (s->user_end == UNWIND_END_ROOT ||
	    is_root_by_name(named[ids[last]].is_root, s->user_end))
		return STACK_COMPLETE;
	return STACK_TRUNCATED;
}

/* Blames the binary that broke a truncated stack. */
static void count_stack(enum verdict verdict, const struct agg_frame *outer,
			const struct agg_stack *s, uint64_t count, struct quality *q,
			struct blame *blame)
{
	q->user_missing += verdict == STACK_MISSING ? count : 0;
	q->user_complete += verdict == STACK_COMPLETE ? count : 0;
	if (verdict != STACK_TRUNCATED && verdict != STACK_UNSURE)
		return;
	q->user_truncated += count;
	q->ends_chain += s->user_end == UNWIND_END_CHAIN ? count : 0;
	q->ends_zero += s->user_end == UNWIND_END_ZERO ? count : 0;
	q->ends_uprobe += s->user_end == UNWIND_END_UPROBE ? count : 0;
	q->ends_compat += s->user_end == UNWIND_END_COMPAT ? count : 0;
	q->ends_leaf += s->user_end == UNWIND_END_LEAF ? count : 0;
	blame_broken(blame, outer, s->user_end, count);
}

static void judge_frames(const struct aggregate *a, const struct named_frame *named,
			 const struct agg_stack *s, uint64_t count, struct quality *q,
			 struct blame *blame)
{
	blame_next(blame);
	for (uint32_t i = 0; i < s->len; i++) {
		uint32_t id = a->frame_ids.data[s->first + i];
		const struct agg_frame *f = &a->frames.data[id];

		if (named[id].as == NAMED_SYNTHETIC) {
			q->kernel_missing += f->cls == AT_MISSED_KERNEL ? count : 0;
			continue;
		}
		q->frames += count;
		q->frames_named += named[id].as == NAMED_SYMBOL ? count : 0;
		q->frames_fde += named[id].as == NAMED_FDE ? count : 0;
		q->frames_short += named[id].as == NAMED_SHORT ? count : 0;
		if (named[id].as != NAMED_SHORT) /* its binary is not to blame */
			blame_frame(blame, f, count, named[id].as != NAMED_SYMBOL);
	}
}

struct builder {
	struct naming *n;
	const struct aggregate *a;
	struct profile *p;
	struct named_frame *named;
	uint32_t truncated;  /* location of the synthetic frame */
	uint32_t *stack_ids; /* for each aggregate stack; PROFILE_NONE until built */
	struct quality *q;
	struct blame *blame;
};

/* Builds the profile's stack. A truncated one gets an outermost frame that says so. */
static int build_stack(struct builder *b, uint32_t stack, bool truncated, uint32_t *id)
{
	const struct agg_stack *s = &b->a->stacks.data[stack];
	_cleanup_free_ uint32_t *locations = calloc(s->len + 1, sizeof(*locations));
	uint32_t n = 0;
	int err;

	if (!locations)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->len; i++) {
		locations[n] = b->named[b->a->frame_ids.data[s->first + i]].location;
		if (locations[n++] == PROFILE_NONE)
			return -ENOMEM;
	}
	if (truncated && locations[n - 1] != b->truncated)
		locations[n++] = b->truncated;
	err = profile_stack(b->p, locations, n, id);
	if (!err)
		b->stack_ids[stack] = *id;
	return err;
}

static int build_sample(struct builder *b, const struct agg_sample *s)
{
	const struct agg_stack *stack = &b->a->stacks.data[s->stack];
	int64_t values[2] = {(int64_t)s->count, (int64_t)(s->count * b->n->opts.period_ns)};
	uint32_t stack_id = b->stack_ids[s->stack], labelset;
	const struct agg_frame *outermost = NULL;
	enum verdict verdict = judge_stack(b->a, b->named, stack, &outermost);
	int err = 0;

	if (stack_id == PROFILE_NONE)
		err = build_stack(b, s->stack, verdict == STACK_TRUNCATED, &stack_id);
	err = err ?: label_sample(b->n, b->p, s, &labelset) ?:
	      profile_add(b->p, stack_id, labelset, values);
	if (err)
		return err;
	count_stack(verdict, outermost, stack, s->count, b->q, b->blame);
	judge_frames(b->a, b->named, stack, s->count, b->q, b->blame);
	return 0;
}

static int build_samples(struct builder *b)
{
	int err = 0;

	for (size_t i = 0; i < b->a->samples.len && !err; i++) {
		const struct agg_sample *s = &b->a->samples.data[i];

		err = s->count ? build_sample(b, s) : 0;
		if (err == -ENOMEM) { /* others may need less */
			b->q->lost[LOSS_memory] += s->count;
			err = 0;
		}
	}
	return err;
}

/* Hints only: a profile is good without. */
static void report_blame(const struct builder *b)
{
	int err = blame_report(b->blame, b->n, b->a, b->q) ?: blame_interpreters(b->p, b->q);

	if (err)
		log_warning("which binaries to blame is not known: %s", strerror(-err));
}

int naming_run(struct naming *n, const struct aggregate *a, struct profile *p, struct quality *q)
{
	_cleanup_free_ struct named_frame *named = calloc(a->frames.len + 1, sizeof(*named));
	_cleanup_free_ uint32_t *stack_ids = calloc(a->stacks.len + 1, sizeof(*stack_ids));
	_cleanup_(blame_freep) struct blame *blame = blame_new();
	struct builder b = {.n = n,
			    .a = a,
			    .p = p,
			    .named = named,
			    .stack_ids = stack_ids,
			    .q = q,
			    .blame = blame};
	int err;

	if (!named || !stack_ids || !blame)
		return -ENOMEM;
	n->cut_maps.len = 0;
	memset(stack_ids, 0xff, (a->stacks.len + 1) * sizeof(*stack_ids));
	/* The truncated frame's mapping must not be the first. */
	err = name_frames(n, a, p, named)
		      ?: profile_plain_location(p, MAPPING_KILN, FRAME_TRUNCATED, &b.truncated)
		      ?: build_samples(&b);
	if (!err)
		report_blame(&b);
	return err;
}

int naming_new(struct naming **out, const struct naming_opts *opts)
{
	_cleanup_(naming_freep) struct naming *n = calloc(1, sizeof(*n));
	size_t n_labels = 0;
	int err;

	if (!n)
		return -ENOMEM;
	while (opts->user_labels && opts->user_labels[n_labels])
		n_labels++;
	if (n_labels > NAMING_USER_LABELS_MAX)
		return -E2BIG;
	n->opts = *opts;
	n->vdso_fd = -1;
	err = name_cache_new(&n->cache, opts->cache_bytes)
		      ?: packages_new(&n->packages, opts->packages_root ?: "");
	if (err)
		return err;
	*out = steal_ptr(n);
	return 0;
}

void naming_free(struct naming *n)
{
	if (!n)
		return;
	name_cache_free(n->cache);
	packages_free(n->packages);
	kernel_names_close(n->kernel);
	stall_guard_release(&n->guard);
	vec_release(&n->cut_maps);
	if (n->vdso_fd >= 0)
		close(n->vdso_fd);
	free(n);
}

void naming_set_period(struct naming *n, uint64_t period_ns)
{
	n->opts.period_ns = period_ns;
}

void naming_forget(struct naming *n)
{
	name_cache_clear(n->cache);
	symbolizer_forget(n->opts.symbolizer);
}

void naming_stats(const struct naming *n, struct name_cache_stats *out)
{
	name_cache_stats(n->cache, out);
}
