// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LLVM's sample profile as text (llvm/ProfileData/SampleProfReader.h), for clang's
 * -fprofile-sample-use and rustc's -Z profile-sample-use:
 *
 *	FUNCTION:TOTAL:HEAD
 *	 OFFSET[.DISCRIMINATOR]: COUNT [CALLEE:COUNT]...
 *	 OFFSET[.DISCRIMINATOR]: INLINED:TOTAL
 *	  OFFSET...
 *
 * Offsets are of lines from where their function begins. Functions are told by linkage names.
 *
 * Samples are time, and the compiler wants how often lines run. So a count is microseconds of CPU
 * time for each address of the line: right where instructions take equally long. Three numbers are
 * estimates:
 * - How often a function was entered (HEAD) is the count of its first line that has one, as LLVM
 *   itself estimates it where a profile has no branches.
 * - How often a line calls a function is the callee's HEAD, shared out among the places that call
 *   it by the time that went through them.
 * - A line that only calls has at least the count of its calls.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/formats/autofdo_priv.h"

#define NONE AUTOFDO_NONE
/* Of text: a small file can have one long name and a million calls of it. */
#define MAX_BYTES (1ull << 32)

static void fdo_release(struct fdo *f)
{
	strtab_free(f->names);
	vec_release(&f->instances);
	vec_release(&f->lines);
	vec_release(&f->calls);
	vec_release(&f->through);
	vec_release(&f->of_name);
	htab_release(&f->instance_index);
	htab_release(&f->line_index);
	htab_release(&f->call_index);
	free(f->by_line);
	free(f->by_inlined);
	free(f->seen);
}

/* --- sorting -------------------------------------------------------------------------------------------- */

static int compare_places(const struct place *a, const struct place *b)
{
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return (a->discriminator > b->discriminator) - (a->discriminator < b->discriminator);
}

static int compare_lines(const void *x, const void *y, void *ctx)
{
	const struct fdo *f = ctx;
	const struct line *a = &f->lines.data[*(const uint32_t *)x];
	const struct line *b = &f->lines.data[*(const uint32_t *)y];

	if (a->instance != b->instance)
		return a->instance < b->instance ? -1 : 1;
	return compare_places(&a->at, &b->at);
}

/* By parent; those without one last, the heaviest first. */
static int compare_instances(const void *x, const void *y, void *ctx)
{
	const struct fdo *f = ctx;
	const struct instance *a = &f->instances.data[*(const uint32_t *)x];
	const struct instance *b = &f->instances.data[*(const uint32_t *)y];

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->parent == NONE && a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return compare_places(&a->at, &b->at)
		       ?: strcmp(strtab_get(f->names, a->name), strtab_get(f->names, b->name));
}

static int sort_all(struct fdo *f)
{
	size_t n = f->instances.len, line = 0, inlined = 0;

	free(f->by_line);
	free(f->by_inlined);
	f->by_line = calloc(f->lines.len + 1, sizeof(*f->by_line));
	f->by_inlined = calloc(n + 1, sizeof(*f->by_inlined));
	if (!f->by_line || !f->by_inlined)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->lines.len; i++)
		f->by_line[i] = i;
	for (uint32_t i = 0; i < n; i++)
		f->by_inlined[i] = i;
	qsort_r(f->by_line, f->lines.len, sizeof(uint32_t), compare_lines, f);
	qsort_r(f->by_inlined, n, sizeof(uint32_t), compare_instances, f);
	for (uint32_t i = 0; i < n; i++) {
		while (line < f->lines.len && f->lines.data[f->by_line[line]].instance < i)
			line++;
		while (inlined < n && f->instances.data[f->by_inlined[inlined]].parent < i)
			inlined++;
		f->instances.data[i].first_line = (uint32_t)line;
		f->instances.data[i].first_inlined = (uint32_t)inlined;
	}
	return 0;
}

/* The i-th sorted line or inlined instance of an instance, or NULL behind the last. */
static const struct line *line_at(const struct fdo *f, uint32_t instance, uint32_t i)
{
	const struct line *l;

	i += f->instances.data[instance].first_line;
	l = i < f->lines.len ? &f->lines.data[f->by_line[i]] : NULL;
	return l && l->instance == instance ? l : NULL;
}

static uint32_t inlined_at(const struct fdo *f, uint32_t instance, uint32_t i)
{
	i += f->instances.data[instance].first_inlined;
	if (i >= f->instances.len || f->instances.data[f->by_inlined[i]].parent != instance)
		return NONE;
	return f->by_inlined[i];
}

/* --- estimates ------------------------------------------------------------------------------------------- */

/* The first line of an instance that is written. */
static const struct line *first_line(const struct fdo *f, uint32_t instance)
{
	const struct line *l;

	for (uint32_t i = 0; (l = line_at(f, instance, i)) && !l->count; i++)
		;
	return l;
}

/* Of the first place that has a count. Instances are nested as deep as locations have lines. */
static int64_t head_of(const struct fdo *f, uint32_t instance)
{
	const struct line *l = first_line(f, instance);
	const struct place *first = l ? &l->at : NULL;
	int64_t sum = l ? l->count : 0;
	uint32_t inlined;

	for (uint32_t i = 0; (inlined = inlined_at(f, instance, i)) != NONE; i++) {
		const struct instance *in = &f->instances.data[inlined];
		int order = first ? compare_places(&in->at, first) : -1;

		if (!in->total || order > 0)
			continue;
		if (order < 0 || (l && first == &l->at))
			sum = 0;
		first = &in->at;
		sum = saturating_sum(sum, head_of(f, inlined));
	}
	return sum ? sum : f->instances.data[instance].total > 0;
}

static void sum_up(struct fdo *f)
{
	struct instance *all = f->instances.data;

	for (size_t i = 0; i < f->instances.len; i++)
		all[i].total = 0;
	for (size_t i = 0; i < f->lines.len; i++) {
		int64_t *total = &all[f->lines.data[i].instance].total;

		*total = saturating_sum(*total, f->lines.data[i].count);
	}
	/* A parent was there before what is inlined in it. */
	for (size_t i = f->instances.len; i-- > 0;)
		if (all[i].parent != NONE)
			all[all[i].parent].total =
				saturating_sum(all[all[i].parent].total, all[i].total);
}

/*
 * A line of ten instructions gets ten times the samples of a line of one that ran as often. So its
 * count is the mean of the addresses that samples were taken at.
 */
static void average(struct fdo *f)
{
	for (size_t i = 0; i < f->lines.len; i++)
		if (f->lines.data[i].addresses > 1)
			f->lines.data[i].count /= f->lines.data[i].addresses;
}

/* Turns the calls' times into counts. */
static int estimate_calls(struct fdo *f)
{
	_cleanup_free_ int64_t *called = calloc(f->lines.len + 1, sizeof(*called));
	_cleanup_free_ int64_t *heads = calloc(f->of_name.len + 1, sizeof(*heads));

	if (!called || !heads)
		return -ENOMEM;
	/* Once for each function: it may have as many calls as inlined ones. */
	for (size_t i = 0; i < f->of_name.len; i++)
		heads[i] = f->of_name.data[i] == NONE ? 0 : head_of(f, f->of_name.data[i]);
	for (size_t i = 0; i < f->calls.len; i++) {
		struct call *c = &f->calls.data[i];
		double part = (double)c->weight / (double)f->through.data[c->callee];
		double count = heads[c->callee] ? (double)heads[c->callee] * part + 0.5 : 0;

		c->weight = count < 0x1p62 ? (int64_t)count : INT64_MAX;
		called[c->line] = saturating_sum(called[c->line], c->weight);
	}
	for (size_t i = 0; i < f->lines.len; i++)
		if (f->lines.data[i].count < called[i])
			f->lines.data[i].count = called[i];
	return 0;
}

/* --- writing ----------------------------------------------------------------------------------------------- */

static int compare_calls(const void *x, const void *y, void *ctx)
{
	const struct fdo *f = ctx;
	const struct call *a = x, *b = y;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return strcmp(strtab_get(f->names, a->callee), strtab_get(f->names, b->callee));
}

static void put_place(struct buf *out, const struct place *at, unsigned depth)
{
	if (out->len > MAX_BYTES && !out->err)
		out->err = -EFBIG;
	buf_printf(out, "%*s%" PRIu32, (int)depth, "", at->offset);
	if (at->discriminator)
		buf_printf(out, ".%" PRIu32, at->discriminator);
	buf_str(out, ": ");
}

/* The first call of a line in the sorted array. */
static size_t first_call(const struct fdo *f, uint32_t line)
{
	size_t lo = 0, hi = f->calls.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->calls.data[mid].line < line)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void put_line(const struct fdo *f, struct buf *out, const struct line *l, unsigned depth)
{
	uint32_t id = (uint32_t)(l - f->lines.data);

	if (!l->count)
		return;
	put_place(out, &l->at, depth);
	buf_printf(out, "%" PRId64, l->count);
	for (size_t i = first_call(f, id); i < f->calls.len && f->calls.data[i].line == id; i++)
		if (f->calls.data[i].weight)
			buf_printf(out, " %s:%" PRId64,
				   strtab_get(f->names, f->calls.data[i].callee),
				   f->calls.data[i].weight);
	buf_char(out, '\n');
}

static void put_instance(const struct fdo *f, struct buf *out, uint32_t id, unsigned depth)
{
	const struct line *l;
	uint32_t inlined;

	for (uint32_t i = 0; (l = line_at(f, id, i)); i++)
		put_line(f, out, l, depth);
	for (uint32_t i = 0; (inlined = inlined_at(f, id, i)) != NONE; i++) {
		const struct instance *in = &f->instances.data[inlined];

		if (!in->total)
			continue;
		put_place(out, &in->at, depth);
		buf_printf(out, "%s:%" PRId64 "\n", strtab_get(f->names, in->name), in->total);
		put_instance(f, out, inlined, depth + 1);
	}
}

static void put_functions(struct fdo *f, struct buf *out)
{
	for (size_t i = 0; i < f->instances.len && !out->err; i++) {
		uint32_t id = f->by_inlined[i];
		const struct instance *in = &f->instances.data[id];

		if (in->parent != NONE || !in->total)
			continue;
		buf_printf(out, "%s:%" PRId64 ":%" PRId64 "\n", strtab_get(f->names, in->name),
			   in->total, head_of(f, id));
		put_instance(f, out, id, 1);
		f->result->functions++;
	}
}

int export_autofdo(struct buf *out, const struct profile *p, struct autofdo_result *result)
{
	_cleanup_(fdo_release) struct fdo f = {.p = p, .names = strtab_new(), .result = result};
	int err;

	*result = (struct autofdo_result){0};
	err = f.names ? fdo_add_samples(&f) : -ENOMEM;
	if (err)
		return err;
	average(&f);
	sum_up(&f);
	err = sort_all(&f) ?: estimate_calls(&f);
	sum_up(&f);
	err = err ?: sort_all(&f);
	if (err)
		return err;
	if (f.calls.len)
		qsort_r(f.calls.data, f.calls.len, sizeof(struct call), compare_calls, &f);
	put_functions(&f, out);
	return out->err;
}
