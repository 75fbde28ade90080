// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * speedscope's own file format (speedscope.app/file-format-schema.json), profiles of type
 * "sampled". One per process, heaviest first, where samples say their process (as py-spy and rbspy
 * have one per thread); else one per sample type, the default one shown first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/formats/export.h"

struct scope {
	const struct profile *p;
	struct buf *out;
	size_t start;  /* of ours in out */
	size_t active; /* the profile shown first */
	/* What each location is: frames outermost first, indices into shared.frames. */
	VEC(uint32_t) frames;
	VEC(uint32_t) first; /* of location i in frames; one more at the end */
};

static void comma(struct buf *b, size_t i)
{
	if (i)
		buf_char(b, ',');
}

/* Millions of them: several times faster than printf. */
static void put_number(struct buf *b, int64_t v)
{
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char digits[21];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (v < 0)
		digits[--n] = '-';
	buf_add(b, digits + n, sizeof(digits) - n);
}

/* --- shared.frames ------------------------------------------------------------------------------ */

static void put_function(struct scope *s, const struct profile_function *f)
{
	const char *name = profile_text(s->p, f->name), *file = profile_text(s->p, f->file);

	buf_str(s->out, "{\"name\":");
	text_add_json(s->out, *name ? name : MAPPING_UNKNOWN);
	if (*file) {
		buf_str(s->out, ",\"file\":");
		text_add_json(s->out, file);
	}
	if (f->start_line > 0)
		buf_printf(s->out, ",\"line\":%" PRId64, f->start_line);
	buf_char(s->out, '}');
}

static void put_unresolved(struct scope *s, uint32_t location)
{
	const struct profile *p = s->p;
	uint32_t mapping = p->locations.data[location].mapping;
	char text[256];

	buf_str(s->out, "{\"name\":");
	text_add_json(s->out, profile_unresolved(p, location, text, sizeof(text)));
	if (mapping != PROFILE_NONE && *profile_text(p, p->mappings.data[mapping].file)) {
		buf_str(s->out, ",\"file\":");
		text_add_json(s->out, profile_text(p, p->mappings.data[mapping].file));
	}
	buf_char(s->out, '}');
}

/*
 * A frame is a function, not a line in one: speedscope draws different frames apart. Locations
 * without a name follow the functions.
 */
static int put_frames(struct scope *s)
{
	const struct profile *p = s->p;
	size_t n_frames = p->functions.len;
	int err = 0;

	for (size_t i = 0; i < p->functions.len; i++) {
		comma(s->out, i);
		put_function(s, &p->functions.data[i]);
	}
	for (uint32_t i = 0; !err && i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];

		err = vec_push(&s->first, (uint32_t)s->frames.len);
		for (uint32_t k = l->n_lines; !err && k-- > 0;)
			err = vec_push(&s->frames, p->lines.data[l->first_line + k].function);
		if (err || l->n_lines)
			continue;
		comma(s->out, n_frames);
		put_unresolved(s, i);
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

/* speedscope's units are these and "none" (its ValueUnit). */
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
	size_t n = 0;

	buf_char(s->out, '[');
	for (uint32_t i = stack->len; i-- > 0;) {
		uint32_t l = s->p->frames.data[stack->first + i];

		for (uint32_t k = s->first.data[l]; k < s->first.data[l + 1]; k++) {
			comma(s->out, n++);
			put_number(s->out, s->frames.data[k]);
		}
	}
	buf_char(s->out, ']');
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

static int put_profile(struct scope *s, const char *name, const struct member *m, size_t n,
		       size_t type)
{
	const struct profile *p = s->p;
	int64_t total = total_of(p, m, n, type);

	buf_str(s->out, "{\"type\":\"sampled\",\"name\":");
	text_add_json(s->out, name);
	buf_printf(
		s->out, ",\"unit\":\"%s\",\"startValue\":0,\"endValue\":%" PRId64 ",\"samples\":[",
		unit_of(profile_text(p, p->sample_types.data[type].unit)), total > 0 ? total : 0);
	for (size_t i = 0; i < n; i++) {
		comma(s->out, i);
		put_stack(s, &p->stacks.data[p->samples.data[m[i].sample].stack]);
		if (s->out->len - s->start > EXPORT_MAX_BYTES)
			return -EFBIG;
	}
	buf_str(s->out, "],\"weights\":[");
	for (size_t i = 0; i < n; i++) {
		comma(s->out, i);
		put_number(s->out, value_of(p, m[i].sample, type));
	}
	buf_str(s->out, "]}");
	return 0;
}

static int put_by_type(struct scope *s, const struct member *m, size_t n)
{
	const struct profile *p = s->p;
	int err = 0;

	for (size_t t = 0; !err && t < p->sample_types.len; t++) {
		comma(s->out, t);
		err = put_profile(s, profile_text(p, p->sample_types.data[t].type), m, n, t);
	}
	return err;
}

static int put_by_process(struct scope *s, const struct member *m, struct group *groups, size_t n)
{
	size_t type = profile_default_type(s->p);
	struct buf name = {0};
	int err = 0;

	qsort(groups, n, sizeof(*groups), compare_groups);
	for (size_t i = 0; !err && i < n; i++) {
		const struct group *g = &groups[i];

		buf_clear(&name);
		if (g->comm)
			buf_printf(&name, "%s ", profile_text(s->p, g->comm->str));
		if (g->pid)
			buf_printf(&name, "(pid %" PRId64 ")", g->pid->num);
		else
			buf_str(&name, "(no process)");
		comma(s->out, i);
		err = put_profile(s, buf_cstr(&name), m + g->first, g->len, type);
		err = err ?: name.err;
	}
	buf_release(&name);
	return err;
}

/* Members sorted by process; the number of groups they make. */
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

	if (!m || !groups)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t set = p->samples.data[i].labelset;

		m[i].sample = (uint32_t)i;
		m[i].pid = profile_find_label(p, set, LABEL_PID);
		m[i].comm = profile_find_label(p, set, LABEL_COMM);
		if (m[i].pid && m[i].pid->str != PROFILE_NONE)
			m[i].pid = NULL; /* someone else's "pid", a text */
		if (m[i].comm && m[i].comm->str == PROFILE_NONE)
			m[i].comm = NULL;
	}
	n_groups = make_groups(s, m, n, groups);
	if (n_groups > 1)
		return put_by_process(s, m, groups, n_groups);
	s->active = profile_default_type(p);
	return put_by_type(s, m, n);
}

int export_speedscope(struct buf *out, const struct profile *p, const struct export_opts *opts)
{
	struct scope s = {.p = p, .out = out, .start = out->len};
	int err;

	buf_str(out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
		     "\"exporter\":\"kiln\",\"name\":");
	text_add_json(out, opts->title ? opts->title : "kiln");
	buf_str(out, ",\"shared\":{\"frames\":[");
	err = put_frames(&s);
	buf_str(out, "]},\"profiles\":[");
	err = err ?: put_profiles(&s);
	buf_printf(out, "],\"activeProfileIndex\":%zu}\n", s.active);
	vec_release(&s.frames);
	vec_release(&s.first);
	return err ?: out->err;
}
