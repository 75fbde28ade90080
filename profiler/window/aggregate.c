// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/procs/ksyms.h"
#include "profiler/procs/procs.h"
#include "profiler/window/aggregate.h"
#include "profiler/window/code_times.h"
#include "profiler/sampler/drain.h"

/* The deepest stacks of both sides, and synthetic frames. */
#define STACK_MAX (KILN_MAX_FRAMES + UNWIND_FRAMES_MAX + 4)

struct stack_builder {
	uint32_t ids[STACK_MAX];
	uint32_t len, n_kernel;
	uint8_t user_end;
};

struct frame_needle {
	const struct aggregate *a;
	struct agg_frame f;
};

static bool frame_eq(const void *ctx, uint32_t id)
{
	const struct frame_needle *n = ctx;
	const struct agg_frame *f = &n->a->frames.data[id];

	return f->cls == n->f.cls && f->owner == n->f.owner && f->addr == n->f.addr &&
	       f->t_ns == n->f.t_ns && f->written == n->f.written;
}

static int add_frame(struct aggregate *a, struct stack_builder *b, struct agg_frame f)
{
	struct frame_needle n = {a, f};
	uint64_t hash = hash_mix(hash_mix(f.addr, f.owner), f.cls + f.t_ns + f.written);
	uint32_t id = htab_find(&a->frame_index, hash, frame_eq, &n);
	int err;

	if (b->len == STACK_MAX)
		return 0;
	if (id == HTAB_NONE) {
		id = (uint32_t)a->frames.len;
		err = vec_push(&a->frames, f);
		if (err)
			return err;
		err = htab_insert(&a->frame_index, hash, id);
		if (err) {
			a->frames.len--;
			return err;
		}
	}
	b->ids[b->len++] = id;
	return 0;
}

static bool image_eq(const void *ctx, uint32_t id)
{
	const struct frame_needle *n = ctx;

	return n->a->images.data[id].image_id == n->f.addr;
}

struct agg_image agg_image_of(const struct proc_image *img)
{
	struct agg_image out = {
		.image_id = img->id,
		.tgid = img->tgid,
		.ns_tgid = img->ns_tgid,
		.uid = img->uid,
		.exe = img->exe,
		.jitdump = img->jitdump,
		.monotonic_ns = img->monotonic_ns,
		.begin_ns = img->discovered ? 0 : img->begin_ns,
	};

	memcpy(out.forebears, img->forebears, sizeof(out.forebears));
	return out;
}

/* Index of a program in images; UINT32_MAX when out of memory. */
static uint32_t add_image(struct aggregate *a, const struct agg_image *img)
{
	struct frame_needle n = {a, {.addr = img->image_id}};
	uint64_t hash = hash_u64(img->image_id);
	uint32_t id = htab_find(&a->image_index, hash, image_eq, &n);

	if (id != HTAB_NONE) {
		/* Known late, or changed meanwhile. */
		a->images.data[id].jitdump = img->jitdump;
		a->images.data[id].monotonic_ns = img->monotonic_ns;
		a->images.data[id].uid = img->uid;
		a->images.data[id].ns_tgid = img->ns_tgid;
		memcpy(a->images.data[id].forebears, img->forebears, sizeof(img->forebears));
		return id;
	}
	id = (uint32_t)a->images.len;
	if (vec_reserve(&a->images, id + 1ul) || htab_insert(&a->image_index, hash, id))
		return UINT32_MAX;
	a->images.data[a->images.len++] = *img;
	return id;
}

/* Does the same, but also returns UINT32_MAX for an unknown program. */
static uint32_t intern_image(struct aggregate *a, const struct proc_image *img)
{
	struct agg_image copy;

	if (!img)
		return UINT32_MAX;
	copy = agg_image_of(img);
	return add_image(a, &copy);
}

/* A drained window, and when its JIT code is looked up. */
struct drained {
	const struct window *w;
	struct code_times times;
};

static bool has_jitdump(const struct proc_image *img)
{
	return img && img->jitdump != FILE_NONE;
}

static struct agg_frame anon_frame(struct aggregate *a, const struct drained *d,
				   const struct window_row *row, const struct proc_image *img,
				   uint64_t va)
{
	struct agg_frame f = {AT_ANON, intern_image(a, img), va};

	if (has_jitdump(img))
		f.t_ns = code_times_of(&d->times, &row->key);
	else
		f.written = row->value.written;
	return f;
}

static struct agg_frame normalize(struct aggregate *a, struct procs *procs, const struct drained *d,
				  const struct window_row *row, uint64_t va)
{
	pid_t tgid = (pid_t)row->key.tgid;
	struct place place;

	procs_resolve(procs, tgid, row->value.first_ns, va, &place);
	switch (place.kind) {
	case PLACE_FILE:
		return (struct agg_frame){AT_FILE, place.file, place.file_off};
	case PLACE_VDSO:
		return (struct agg_frame){AT_VDSO, va < 1ull << 32, place.file_off};
	case PLACE_ANON:
		return anon_frame(a, d, row, procs_image(procs, tgid, row->value.first_ns), va);
	case PLACE_NO_PROCESS:
		return (struct agg_frame){AT_NO_PROCESS, 0, va};
	case PLACE_UNMAPPED:
	default:
		return (struct agg_frame){AT_UNMAPPED, place.is_cut ? UNMAPPED_CUT : 0, va};
	}
}

static struct agg_frame kernel_frame(const struct ksyms *ksyms, uint64_t t_ns, uint64_t va)
{
	uint32_t id = ksyms_find(ksyms, t_ns, va);

	return id == KSYM_NONE ? (struct agg_frame){AT_KERNEL, 0, va}
			       : (struct agg_frame){AT_KSYM, id, va};
}

static int add_kernel_side(struct aggregate *a, struct stack_builder *b, const struct window *w,
			   const struct window_row *row, const struct ksyms *ksyms)
{
	const uint64_t *ip = NULL;
	const struct window_stack *s =
		window_stack(w, KILN_SIDE_KERNEL, row->key.kernel_stack, &ip);
	size_t n = s ? s->len : 0;
	int err = 0;

	if (row->key.kernel_stack == KILN_STACK_NONE)
		return 0;
	if (!n)
		err = add_frame(a, b, (struct agg_frame){AT_MISSED_KERNEL, 0, 0});
	for (size_t i = 0; i < n && !err; i++)
		err = add_frame(a, b, kernel_frame(ksyms, row->value.first_ns, ip[i] - (i > 0)));
	b->n_kernel = b->len;
	return err;
}

/*
 * In the middle of an exec there is no user stack: the old address space is gone, and the new one
 * has no stack yet. In any other system call the first word of the stack can be read.
 */
static bool is_mid_exec(const struct window_stack *s, const struct window_row *row)
{
	if (!s || row->key.in_user)
		return false;
	return s->len ? s->len == 1 && s->end == UNWIND_END_BAD_READ : s->end == UNWIND_END_ROOT;
}

/* Why a stack ends that was cut before an address in no mapping. */
static uint8_t end_at_unmapped(uint8_t end)
{
	if (end == UNWIND_ON || end == UNWIND_END_UPROBE || end == UNWIND_END_COMPAT)
		return end;
	return UNWIND_END_NO_MAPPING;
}

/*
 * A frame-pointer walk through code that uses rbp otherwise ends in numbers that are no code
 * addresses. So the stack is cut before the first caller that is in no mapping. If a table walk
 * went on from there, its root does not belong to this stack.
 */
static int add_user_side(struct aggregate *a, struct stack_builder *b, struct procs *procs,
			 const struct drained *d, const struct window_row *row)
{
	const struct agg_frame cut = {AT_TRUNCATED, 0, 0};
	const uint64_t *ip = NULL;
	const struct window_stack *s = window_stack(d->w, KILN_SIDE_USER, row->key.user_stack, &ip);
	int err = 0;

	if (row->key.user_stack == KILN_STACK_NONE)
		return 0;
	if (is_mid_exec(s, row))
		return 0;
	if (!s || !s->len)
		return add_frame(a, b, (struct agg_frame){AT_MISSED_USER, 0, 0});
	b->user_end = s->end;
	for (size_t i = 0; i < s->len && !err; i++) {
		struct agg_frame f = normalize(a, procs, d, row, ip[i] - (i > 0));

		if (i > 0 && f.cls == AT_UNMAPPED) {
			b->user_end = end_at_unmapped(s->end);
			return add_frame(a, b, cut);
		}
		if (s->gap && i == s->gap)
			err = add_frame(a, b, cut);
		err = err ?: add_frame(a, b, f);
	}
	if (!err && s->end == UNWIND_ON && s->len == KILN_MAX_FRAMES)
		err = add_frame(a, b, cut);
	return err;
}

struct stack_needle {
	const struct aggregate *a;
	const struct stack_builder *b;
};

static bool stack_eq(const void *ctx, uint32_t id)
{
	const struct stack_needle *n = ctx;
	const struct agg_stack *s = &n->a->stacks.data[id];

	return s->len == n->b->len && s->n_kernel == n->b->n_kernel &&
	       s->user_end == n->b->user_end &&
	       !memcmp(n->a->frame_ids.data + s->first, n->b->ids, s->len * sizeof(uint32_t));
}

static int intern_stack(struct aggregate *a, const struct stack_builder *b, uint32_t *id)
{
	struct stack_needle n = {a, b};
	uint64_t hash = hash_bytes(b->ids, b->len * sizeof(uint32_t), b->n_kernel);
	struct agg_stack s = {(uint32_t)a->frame_ids.len, b->len, b->n_kernel, b->user_end};
	uint32_t found = htab_find(&a->stack_index, hash, stack_eq, &n);
	int err;

	if (found != HTAB_NONE) {
		*id = found;
		return 0;
	}
	err = vec_reserve(&a->frame_ids, a->frame_ids.len + b->len) ?:
	      vec_reserve(&a->stacks, a->stacks.len + 1) ?:
	      htab_insert(&a->stack_index, hash, (uint32_t)a->stacks.len);
	if (err)
		return err;
	*id = (uint32_t)a->stacks.len;
	memcpy(a->frame_ids.data + a->frame_ids.len, b->ids, b->len * sizeof(uint32_t));
	a->frame_ids.len += b->len;
	a->stacks.data[a->stacks.len++] = s;
	return 0;
}

struct sample_needle {
	const struct aggregate *a;
	const struct agg_sample *s;
};

static bool sample_eq(const void *ctx, uint32_t id)
{
	const struct sample_needle *n = ctx;
	const struct agg_sample *have = &n->a->samples.data[id];

	return have->stack == n->s->stack && have->tid == n->s->tid && have->tgid == n->s->tgid &&
	       have->exe == n->s->exe && have->cgroup_id == n->s->cgroup_id &&
	       !memcmp(have->comm, n->s->comm, sizeof(have->comm));
}

static int count_sample(struct aggregate *a, const struct agg_sample *s)
{
	struct sample_needle n = {a, s};
	uint64_t hash = hash_mix(hash_mix(s->stack, s->tid), hash_bytes(s->comm, 16, s->cgroup_id));
	uint32_t id = htab_find(&a->sample_index, hash, sample_eq, &n);
	int err;

	if (id != HTAB_NONE) {
		a->samples.data[id].count += s->count;
		return 0;
	}
	err = vec_reserve(&a->samples, a->samples.len + 1)
		      ?: htab_insert(&a->sample_index, hash, (uint32_t)a->samples.len);
	if (!err)
		a->samples.data[a->samples.len++] = *s;
	return err;
}

static bool cgroup_eq(const void *ctx, uint32_t id)
{
	const struct frame_needle *n = ctx;

	return n->a->cgroups.data[id] == n->f.addr;
}

static int note_cgroup(struct aggregate *a, uint64_t cgroup_id)
{
	struct frame_needle n = {a, {.addr = cgroup_id}};
	uint32_t id = (uint32_t)a->cgroups.len;
	int err;

	if (htab_find(&a->cgroup_index, hash_u64(cgroup_id), cgroup_eq, &n) != HTAB_NONE)
		return 0;
	err = vec_reserve(&a->cgroups, id + 1ul)
		      ?: htab_insert(&a->cgroup_index, hash_u64(cgroup_id), id);
	if (!err)
		a->cgroups.data[a->cgroups.len++] = cgroup_id;
	return err;
}

static bool exe_eq(const void *ctx, uint32_t id)
{
	const struct frame_needle *n = ctx;

	return n->a->exes.data[id].file == n->f.owner;
}

/* Out of memory: another program may count as the busiest, but no sample is lost. */
static void note_exe(struct aggregate *a, uint32_t exe, uint64_t count)
{
	struct frame_needle n = {a, {.owner = exe}};
	uint64_t hash = hash_u64(n.f.owner);
	uint32_t id;

	if (n.f.owner == FILE_NONE)
		return;
	id = htab_find(&a->exe_index, hash, exe_eq, &n);
	if (id == HTAB_NONE) {
		id = (uint32_t)a->exes.len;
		if (vec_reserve(&a->exes, id + 1ul) || htab_insert(&a->exe_index, hash, id))
			return;
		a->exes.data[a->exes.len++] = (struct agg_exe){.file = n.f.owner};
	}
	a->exes.data[id].samples += count;
}

static int add_row(struct aggregate *a, const struct drained *d, const struct window_row *row,
		   struct procs *procs, const struct ksyms *ksyms)
{
	const struct proc_image *img =
		procs_image(procs, (pid_t)row->key.tgid, row->value.first_ns);
	struct stack_builder b = {.len = 0};
	struct agg_sample s = {
		.tgid = row->key.tgid,
		.tid = row->key.tid,
		.exe = img ? img->exe : FILE_NONE,
		.cgroup_id = row->key.cgroup_id,
		.count = row->value.count,
	};
	int err;

	memcpy(s.comm, row->key.comm, sizeof(s.comm));
	err = add_kernel_side(a, &b, d->w, row, ksyms) ?: add_user_side(a, &b, procs, d, row);
	if (!err && !b.len)
		err = add_frame(
			a, &b,
			(struct agg_frame){row->key.in_user ? AT_USER_ELIDED : AT_KERNEL_ELIDED, 0,
					   0});
	err = err ?: note_cgroup(a, s.cgroup_id) ?: intern_stack(a, &b, &s.stack);
	err = err ?: count_sample(a, &s);
	if (!err)
		note_exe(a, s.exe, s.count);
	return err;
}

static void note_times(struct drained *d, struct procs *procs)
{
	for (size_t i = 0; i < d->w->rows.len; i++) {
		const struct window_row *row = &d->w->rows.data[i];

		if (has_jitdump(procs_image(procs, (pid_t)row->key.tgid, row->value.first_ns)))
			code_times_add(&d->times, &row->key, row->value.first_ns);
	}
}

void aggregate_window(struct aggregate *a, const struct window *w, struct procs *procs,
		      const struct ksyms *ksyms)
{
	size_t max_bytes = a->max_bytes ?: AGGREGATE_MAX_BYTES;
	struct drained d = {.w = w};

	note_times(&d, procs);
	for (size_t i = 0; i < w->rows.len; i++) {
		const struct window_row *row = &w->rows.data[i];

		if (aggregate_bytes(a) > max_bytes || add_row(a, &d, row, procs, ksyms))
			a->lost_memory += row->value.count;
		else
			a->recorded += row->value.count;
	}
	code_times_release(&d.times);
}

/* --- holding back ------------------------------------------------------------------------------ */

static bool has_waiting(const struct aggregate *a, const struct agg_stack *s, const bool *waits)
{
	for (uint32_t i = 0; i < s->len; i++) {
		const struct agg_frame *f = &a->frames.data[a->frame_ids.data[s->first + i]];

		if (f->cls == AT_ANON && f->owner < a->images.len && waits[f->owner])
			return true;
	}
	return false;
}

static int copy_sample(struct aggregate *dst, const struct aggregate *src,
		       const struct agg_sample *from)
{
	const struct agg_stack *s = &src->stacks.data[from->stack];
	struct stack_builder b = {.len = 0};
	struct agg_sample copy = *from;
	int err = 0;

	for (uint32_t i = 0; i < s->len && !err; i++) {
		struct agg_frame f = src->frames.data[src->frame_ids.data[s->first + i]];

		if (f.cls == AT_ANON && f.owner < src->images.len)
			f.owner = add_image(dst, &src->images.data[f.owner]);
		err = add_frame(dst, &b, f);
	}
	b.n_kernel = s->n_kernel;
	b.user_end = s->user_end;
	return err ?: note_cgroup(dst, copy.cgroup_id) ?: intern_stack(dst, &b, &copy.stack) ?:
	       count_sample(dst, &copy);
}

void aggregate_hold_back(struct aggregate *dst, struct aggregate *src, const bool *waits)
{
	for (size_t i = 0; i < src->samples.len; i++) {
		struct agg_sample *s = &src->samples.data[i];

		if (!has_waiting(src, &src->stacks.data[s->stack], waits) ||
		    copy_sample(dst, src, s))
			continue;
		dst->recorded += s->count;
		src->recorded -= s->count;
		s->count = 0;
	}
}

/* ---------------------------------------------------------------------------------------------- */

#define VEC_BYTES(v) ((v).cap * sizeof(*(v).data))

static size_t index_bytes(const struct htab *t)
{
	return t->cap * sizeof(*t->slots);
}

size_t aggregate_bytes(const struct aggregate *a)
{
	return VEC_BYTES(a->frames) + VEC_BYTES(a->frame_ids) + VEC_BYTES(a->stacks) +
	       VEC_BYTES(a->images) + VEC_BYTES(a->samples) + VEC_BYTES(a->exes) +
	       VEC_BYTES(a->cgroups) + index_bytes(&a->frame_index) + index_bytes(&a->stack_index) +
	       index_bytes(&a->sample_index) + index_bytes(&a->image_index) +
	       index_bytes(&a->exe_index) + index_bytes(&a->cgroup_index);
}

void aggregate_clear(struct aggregate *a)
{
	size_t max_bytes = a->max_bytes;

	vec_release(&a->frames);
	vec_release(&a->frame_ids);
	vec_release(&a->stacks);
	vec_release(&a->images);
	vec_release(&a->samples);
	vec_release(&a->exes);
	vec_release(&a->cgroups);
	htab_release(&a->frame_index);
	htab_release(&a->stack_index);
	htab_release(&a->sample_index);
	htab_release(&a->image_index);
	htab_release(&a->exe_index);
	htab_release(&a->cgroup_index);
	*a = (struct aggregate){.max_bytes = max_bytes};
}
