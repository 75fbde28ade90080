// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * speedscope's file format (speedscope.app/file-format-schema.json), profiles of type "sampled". If
 * samples have several processes, one profile of everything, and one for each process, heaviest first
 * (py-spy and rbspy write one for each thread). Else one for each sample type, with the default type shown first.
 *
 * speedscope refuses a file with a weight below zero. So equal stacks are added up, and of a
 * difference of profiles what grew is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/json.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/formats/describe.h"
#include "profiler/formats/export.h"

struct scope {
	const struct profile *p;
	struct json out;
	size_t start;  /* start of this output in the buffer */
	size_t active; /* the profile shown first */
	/* Frames of each location, outermost first: indices into shared.frames. */
	VEC(uint32_t) frames;
	VEC(uint32_t) first; /* first index of location i in `frames`; one more at the end */
	int64_t *sums;	     /* by stack; all 0 between profiles */
	VEC(struct weighted {
		uint32_t stack;
		int64_t weight; /* above 0 */
	})
	weighted; /* scratch: the profile being written */
};

/* --- shared.frames ------------------------------------------------------------------------------ */

static void put_function(struct json *j, const struct profile *p, const struct profile_function *f)
{
	const char *name = profile_text(p, f->name), *file = profile_text(p, f->file);

	json_open(j, '{');
	json_key_text(j, "name", *name ? name : MAPPING_UNKNOWN);
	if (*file)
		json_key_text(j, "file", file);
	if (f->start_line > 0)
		json_key_int(j, "line", f->start_line);
	json_close(j, '}');
}

static void put_unresolved(struct json *j, const struct profile *p, uint32_t location)
{
	uint32_t mapping = p->locations.data[location].mapping;
	char text[256];

	json_open(j, '{');
	json_key_text(j, "name", profile_unresolved(p, location, text, sizeof(text)));
	if (mapping != PROFILE_NONE && *profile_text(p, p->mappings.data[mapping].file))
		json_key_text(j, "file", profile_text(p, p->mappings.data[mapping].file));
	json_close(j, '}');
}

/*
 * A frame is a function, not a line, because speedscope draws different frames apart. Locations
 * without a name follow the functions.
 */
static int put_frames(struct scope *s)
{
	const struct profile *p = s->p;
	size_t n_frames = p->functions.len;
	int err = 0;

	for (size_t i = 0; i < p->functions.len; i++) {
		put_function(&s->out, p, &p->functions.data[i]);
		if (s->out.out->len - s->start > EXPORT_MAX_BYTES)
			return -EFBIG;
	}
	for (uint32_t i = 0; !err && i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];

		err = vec_push(&s->first, (uint32_t)s->frames.len);
		for (uint32_t k = l->n_lines; !err && k-- > 0;)
			err = vec_push(&s->frames, p->lines.data[l->first_line + k].function);
		if (err || l->n_lines)
			continue;
		put_unresolved(&s->out, p, i);
		err = vec_push(&s->frames, (uint32_t)n_frames++);
	}
	return err ?: vec_push(&s->first, (uint32_t)s->frames.len);
}

/* --- profiles ----------------------------------------------------------------------------------- */

/* Samples of one process, in an array sorted by process. */
struct group {
	const struct profile_label *pid, *comm; /* either may be NULL */
	size_t first, len;
	int64_t total;
};

struct member {
	const struct profile_label *pid, *comm;
	uint32_t sample;
};

static int compare_numbers(const struct profile_label *a, const struct profile_label *b)
{
	if (!a || !b)
		return !!a - !!b;
	return (a->num > b->num) - (a->num < b->num);
}

static int compare_members(const void *va, const void *vb)
{
	const struct member *a = va, *b = vb;

	return compare_numbers(a->pid, b->pid) ?: (a->sample > b->sample) - (a->sample < b->sample);
}

static int compare_groups(const void *va, const void *vb)
{
	const struct group *a = va, *b = vb;

	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return compare_numbers(a->pid, b->pid);
}

/* speedscope knows these units and "none" (ValueUnit). */
static const char *unit_of(const char *unit)
{
	static const char *const known[] = {"nanoseconds", "microseconds", "milliseconds",
					    "seconds", "bytes"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(unit, known[i]))
			return known[i];
	return "none";
}

static void put_stack(struct scope *s, const struct profile_stack *stack)
{
	json_open(&s->out, '[');
	for (uint32_t i = stack->len; i-- > 0;) {
		uint32_t l = s->p->frames.data[stack->first + i];

		for (uint32_t k = s->first.data[l]; k < s->first.data[l + 1]; k++)
			json_uint(&s->out, s->frames.data[k]);
	}
	json_close(&s->out, ']');
}

static int64_t value_of(const struct profile *p, uint32_t sample, size_t type)
{
	return p->values.data[p->samples.data[sample].first_value + type];
}

static int64_t total_of(const struct profile *p, const struct member *m, size_t n, size_t type)
{
	int64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total = saturating_sum(total, value_of(p, m[i].sample, type));
	return total;
}

/* Adds equal stacks up, in the order of their first samples. */
static int weigh(struct scope *s, const struct member *m, size_t n, size_t type)
{
	const struct profile_sample *samples = s->p->samples.data;

	s->weighted.len = 0;
	if (vec_reserve(&s->weighted, n))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int64_t *sum = &s->sums[samples[m[i].sample].stack];

		*sum = saturating_sum(*sum, value_of(s->p, m[i].sample, type));
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t stack = samples[m[i].sample].stack;

		if (s->sums[stack] > 0)
			s->weighted.data[s->weighted.len++] =
				(struct weighted){stack, s->sums[stack]};
		s->sums[stack] = 0;
	}
	return 0;
}

static int64_t weight_of(const struct scope *s)
{
	int64_t total = 0;

	for (size_t i = 0; i < s->weighted.len; i++)
		total = saturating_sum(total, s->weighted.data[i].weight);
	return total;
}

static int put_profile(struct scope *s, const char *name, const struct member *m, size_t n,
		       size_t type)
{
	const struct profile *p = s->p;
	struct json *j = &s->out;
	int err = weigh(s, m, n, type);

	if (err)
		return err;

	json_open(j, '{');
	json_key_text(j, "type", "sampled");
	json_key_text(j, "name", name);
	json_key_text(j, "unit", unit_of(profile_text(p, p->sample_types.data[type].unit)));
	json_key_int(j, "startValue", 0);
	json_key_int(j, "endValue", weight_of(s));
	json_key_open(j, "samples", '[');
	for (size_t i = 0; i < s->weighted.len; i++) {
		put_stack(s, &p->stacks.data[s->weighted.data[i].stack]);
		if (j->out->len - s->start > EXPORT_MAX_BYTES)
			return -EFBIG;
	}
	json_close(j, ']');
	json_key_open(j, "weights", '[');
	for (size_t i = 0; i < s->weighted.len; i++)
		json_int(j, s->weighted.data[i].weight);
	json_close(j, ']');
	json_close(j, '}');
	return 0;
}

static int put_by_type(struct scope *s, const struct member *m, size_t n)
{
	const struct profile *p = s->p;
	int err = 0;

	for (size_t t = 0; !err && t < p->sample_types.len; t++)
		err = put_profile(s, profile_text(p, p->sample_types.data[t].type), m, n, t);
	return err;
}

static int put_by_process(struct scope *s, const struct member *m, struct group *groups, size_t n)
{
	size_t type = profile_default_type(s->p);
	struct buf name = {0};
	int err = 0;

	qsort(groups, n, sizeof(*groups), compare_groups);
	err = put_profile(s, "all processes", m, s->p->samples.len, type);
	for (size_t i = 0; !err && i < n; i++) {
		const struct group *g = &groups[i];

		buf_clear(&name);
		if (g->comm)
			buf_printf(&name, "%s ", profile_text(s->p, g->comm->str));
		if (g->pid)
			buf_printf(&name, "(pid %" PRId64 ")", g->pid->num);
		else
			buf_str(&name, "(no process)");
		err = put_profile(s, buf_cstr(&name), m + g->first, g->len, type);
		err = err ?: name.err;
	}
	buf_release(&name);
	return err;
}

/* Sorts the members by process. Returns the number of groups. */
static size_t make_groups(const struct scope *s, struct member *m, size_t n, struct group *groups)
{
	size_t type = profile_default_type(s->p), n_groups = 0;

	qsort(m, n, sizeof(*m), compare_members);
	for (size_t i = 0; i < n; i++) {
		struct group *g = n_groups ? &groups[n_groups - 1] : NULL;

		if (!g || compare_numbers(g->pid, m[i].pid)) {
			g = &groups[n_groups++];
			*g = (struct group){.pid = m[i].pid, .comm = m[i].comm, .first = i};
		}
		g->len++;
	}
	for (size_t i = 0; i < n_groups; i++)
		groups[i].total = total_of(s->p, m + groups[i].first, groups[i].len, type);
	return n_groups;
}

static int put_profiles(struct scope *s)
{
	const struct profile *p = s->p;
	size_t n = p->samples.len, n_groups;
	_cleanup_free_ struct member *m = calloc(n + 1, sizeof(*m));
	_cleanup_free_ struct group *groups = calloc(n + 1, sizeof(*groups));

	s->sums = calloc(p->stacks.len + 1, sizeof(*s->sums));
	if (!m || !groups || !s->sums)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t set = p->samples.data[i].labelset;

		m[i].sample = (uint32_t)i;
		m[i].pid = profile_find_label(p, set, LABEL_PID);
		m[i].comm = profile_find_label(p, set, LABEL_COMM);
		if (m[i].pid && m[i].pid->str != PROFILE_NONE)
			m[i].pid = NULL; /* another program's "pid" label, a string */
		if (m[i].comm && m[i].comm->str == PROFILE_NONE)
			m[i].comm = NULL;
	}
	n_groups = make_groups(s, m, n, groups);
	if (n_groups > 1)
		return put_by_process(s, m, groups, n_groups);
	s->active = profile_default_type(p);
	return put_by_type(s, m, n);
}

/* What speedscope shows as the file's name: what was profiled, and when. */
static int put_title(struct buf *title, const struct profile *p, const struct export_opts *opts)
{
	struct buf time = {0};
	int err = 0;

	if (opts->title)
		text_add_clean(title, opts->title, strlen(opts->title));
	else
		err = describe_title(title, p);
	describe_time(&time, p);
	if (!opts->title && time.len)
		buf_printf(title, ", %s", buf_cstr(&time));
	err = err ?: time.err;
	buf_release(&time);
	return err ?: title->err;
}

int export_speedscope(struct buf *out, const struct profile *p, const struct export_opts *opts)
{
	struct scope s = {.p = p, .start = out->len};
	struct buf title = {0};
	struct json *j = &s.out;
	int err = put_title(&title, p, opts);

	s.out.out = out;
	json_open(j, '{');
	json_key_text(j, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_key_text(j, "exporter", "kiln");
	json_key_text(j, "name", buf_cstr(&title));
	json_key_open(j, "shared", '{');
	json_key_open(j, "frames", '[');
	err = err ?: put_frames(&s);
	json_close(j, ']');
	json_close(j, '}');
	json_key_open(j, "profiles", '[');
	err = err ?: put_profiles(&s);
	json_close(j, ']');
	json_key_uint(j, "activeProfileIndex", s.active);
	json_close(j, '}');
	buf_char(out, '\n');
	buf_release(&title);
	vec_release(&s.frames);
	vec_release(&s.first);
	vec_release(&s.weighted);
	free(s.sums);
	return err ?: out->err;
}
