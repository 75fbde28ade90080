/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Aggregates made by hand, and in a printed form to compare by, in cmocka tests. */
#ifndef KILN_TESTS_AGGREGATES_H
#define KILN_TESTS_AGGREGATES_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/procs/procs.h"
#include "profiler/window/aggregate.h"
#include "symbolizer/unwind/table_walk.h"

/* --- by hand ---------------------------------------------------------------------------------- */

/* Leaf first, of which n_kernel are the kernel's. The stack's number. */
static inline uint32_t agg_stack_of(struct aggregate *a, enum unwind_end end, uint32_t n_kernel,
				    const struct agg_frame *frames, uint32_t n)
{
	struct agg_stack s = {(uint32_t)a->frame_ids.len, n, n_kernel, (uint8_t)end};

	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(vec_push(&a->frame_ids, (uint32_t)a->frames.len), 0);
		assert_int_equal(vec_push(&a->frames, frames[i]), 0);
	}
	assert_int_equal(vec_push(&a->stacks, s), 0);
	return (uint32_t)a->stacks.len - 1;
}

#define AGG_FRAMES(...)                                                                            \
	(const struct agg_frame[]){__VA_ARGS__},                                                   \
		sizeof((const struct agg_frame[]){__VA_ARGS__}) / sizeof(struct agg_frame)

static inline void agg_count(struct aggregate *a, uint32_t stack, uint32_t tgid, const char *comm,
			     uint64_t count)
{
	struct agg_sample s = {
		.stack = stack, .tgid = tgid, .tid = tgid + 1, .exe = FILE_NONE, .count = count};

	strncpy(s.comm, comm, sizeof(s.comm) - 1);
	assert_int_equal(vec_push(&a->samples, s), 0);
	a->recorded += count;
}

/* --- printed ---------------------------------------------------------------------------------- */

static inline void agg_print_frame(struct buf *b, const struct aggregate *a,
				   const struct agg_frame *f)
{
	static const char *const names[] = {
		[AT_KERNEL] = "kernel:",
		[AT_KSYM] = "ksym",
		[AT_FILE] = "file",
		[AT_VDSO] = "vdso:",
		[AT_ANON] = "anon",
		[AT_UNMAPPED] = "unmapped:",
		[AT_NO_PROCESS] = "unknown:",
		[AT_MISSED_USER] = "[missed user]",
		[AT_MISSED_KERNEL] = "[missed kernel]",
		[AT_TRUNCATED] = "[cut]",
		[AT_USER_ELIDED] = "[user]",
		[AT_KERNEL_ELIDED] = "[kernel]",
	};

	buf_str(b, names[f->cls]);
	if (f->cls >= AT_MISSED_USER)
		return;
	if (f->cls == AT_KSYM || f->cls == AT_FILE)
		buf_printf(b, "%" PRIu32 ":", f->owner);
	if (f->cls == AT_ANON && f->owner < a->images.len)
		buf_printf(b, "(%d):", a->images.data[f->owner].tgid);
	buf_printf(b, "%" PRIx64, f->addr);
	if (f->t_ns)
		buf_printf(b, "@%" PRIu64, f->t_ns);
}

/* "file1:10;[cut] ends=no_rule", leaf first, kernel frames before a bar. */
static inline void agg_print_stack(struct buf *b, const struct aggregate *a, uint32_t stack)
{
	const struct agg_stack *s = &a->stacks.data[stack];

	for (uint32_t i = 0; i < s->len; i++) {
		if (i)
			buf_char(b, i == s->n_kernel ? '|' : ';');
		agg_print_frame(b, a, &a->frames.data[a->frame_ids.data[s->first + i]]);
	}
	if (s->user_end)
		buf_printf(b, " ends=%s", unwind_end_key(s->user_end));
}

static inline int agg_compare(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* Sorted, a line each; takes them. */
static inline char *sorted_lines(char **lines, size_t n)
{
	struct buf b = {0};

	if (n)
		qsort(lines, n, sizeof(*lines), agg_compare);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	return buf_take(&b);
}

/* One sorted line a sample, "TGID/TID COMM CGROUP STACK = COUNT", with_exes also "exeFILE" before the
 * stack. The caller frees it. */
static inline char *print_aggregate_exes(const struct aggregate *a, bool with_exes)
{
	char **lines = calloc(a->samples.len + 1, sizeof(*lines));

	assert_non_null(lines);
	for (size_t i = 0; i < a->samples.len; i++) {
		const struct agg_sample *s = &a->samples.data[i];
		struct buf b = {0};

		buf_printf(&b, "%u/%u %.16s %" PRIu64 " ", s->tgid, s->tid, s->comm, s->cgroup_id);
		if (with_exes)
			buf_printf(&b, "exe%d ", (int)s->exe);
		agg_print_stack(&b, a, s->stack);
		buf_printf(&b, " = %" PRIu64, s->count);
		lines[i] = buf_take(&b);
	}
	return sorted_lines(lines, a->samples.len);
}

static inline char *print_aggregate(const struct aggregate *a)
{
	return print_aggregate_exes(a, false);
}

#endif
