// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A pattern is tried once on each function and mapping, and what it says of frames is looked up. Each pattern makes a
 * profile of that of the one before.
 */
#include "profiler/profile/transform.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/copy.h"

DEFINE_CLEANUP(profile, profile_free)

int transform_add(struct transform *t, enum transform_kind kind, const char *regex,
		  const char **why)
{
	struct transform_pattern pattern = {.kind = kind};
	int err = regex_budget_init(&pattern.re, regex, true, why);

	if (err)
		return err;
	if (!vec_push(&t->patterns, pattern))
		return 0;
	regex_budget_release(&pattern.re);
	return -ENOMEM;
}

void transform_release(struct transform *t)
{
	for (size_t i = 0; i < t->patterns.len; i++)
		regex_budget_release(&t->patterns.data[i].re);
	vec_release(&t->patterns);
}

/* --- what matches ------------------------------------------------------------------------------ */

struct matches {
	const struct profile *p;
	bool *functions, *mappings; /* by id; the last mapping stands for none */
};

static void matches_release(struct matches *m)
{
	free(m->functions);
	free(m->mappings);
}

static int try_text(struct regex_budget *re, const char *text, bool *matches)
{
	int answer = *text ? regex_budget_matches(re, text) : 0;

	*matches = answer > 0;
	return answer < 0 ? answer : 0;
}

static int find_matches(struct matches *m, const struct profile *p, struct regex_budget *re)
{
	int err = 0;

	m->p = p;
	m->functions = calloc(p->functions.len + 1, sizeof(*m->functions));
	m->mappings = calloc(p->mappings.len + 1, sizeof(*m->mappings));
	if (!m->functions || !m->mappings)
		return -ENOMEM;
	for (size_t i = 0; i < p->functions.len && !err; i++)
		err = try_text(re, profile_text(p, p->functions.data[i].name), &m->functions[i]);
	for (size_t i = 0; i <= p->mappings.len && !err; i++)
		err = try_text(re, profile_module(p, (uint32_t)i), &m->mappings[i]);
	return err;
}

static bool module_matches(const struct matches *m, const struct profile_location *l)
{
	return m->mappings[l->mapping == PROFILE_NONE ? m->p->mappings.len : l->mapping];
}

/* A line of a location. */
static bool line_matches(const struct matches *m, const struct profile_location *l, uint32_t line)
{
	return module_matches(m, l) ||
	       m->functions[m->p->lines.data[l->first_line + line].function];
}

/* How many lines of a location there are up to the outermost that matches; without lines 1; 0: nothing matches. */
static uint32_t lines_to_match(const struct matches *m, const struct profile_location *l)
{
	uint32_t n = l->n_lines;

	if (module_matches(m, l))
		return n ?: 1;
	while (n && !line_matches(m, l, n - 1))
		n--;
	return n;
}

/* --- selecting and cutting --------------------------------------------------------------------- */

/* A pattern at work. */
struct work {
	struct matches m;
	uint32_t *n_lines; /* by location: lines_to_match() */
	uint32_t *n_kept;  /* by stack: frames up to the outermost that matches, from the leaf on */
	bool wanted;	   /* samples with a match; else those without */
	bool matched;
	uint32_t *copies[2]; /* of collapse: by location, below a frame that matches and not */
};

static void work_release(struct work *w)
{
	matches_release(&w->m);
	free(w->n_lines);
	free(w->n_kept);
	free(w->copies[0]);
	free(w->copies[1]);
}

static int look_at_stacks(struct work *w, const struct profile *p)
{
	w->n_lines = calloc(p->locations.len + 1, sizeof(*w->n_lines));
	w->n_kept = calloc(p->stacks.len + 1, sizeof(*w->n_kept));
	if (!w->n_lines || !w->n_kept)
		return -ENOMEM;
	for (size_t i = 0; i < p->locations.len; i++)
		w->n_lines[i] = lines_to_match(&w->m, &p->locations.data[i]);
	for (size_t i = 0; i < p->stacks.len; i++) {
		const struct profile_stack *s = &p->stacks.data[i];

		w->n_kept[i] = s->len;
		while (w->n_kept[i] && !w->n_lines[p->frames.data[s->first + w->n_kept[i] - 1]])
			w->n_kept[i]--;
		w->matched |= w->n_kept[i] > 0;
	}
	return 0;
}

static bool is_selected(void *ctx, const struct profile *src, size_t sample)
{
	const struct work *w = ctx;

	return (w->n_kept[src->samples.data[sample].stack] > 0) == w->wanted;
}

static uint32_t cut_depth(void *ctx, const struct copy *c, uint32_t stack)
{
	(void)c;
	return ((const struct work *)ctx)->n_kept[stack];
}

static int put_lines(struct copy *c, uint32_t id, uint32_t *out)
{
	const struct profile_location *l = &c->src->locations.data[id];
	uint32_t mapping;
	int err = copy_mapping(c, l->mapping, &mapping);

	return err ?: copy_put_location(c, id, mapping, l->address, out);
}

static int cut_location(void *ctx, struct copy *c, uint32_t id, uint32_t *out)
{
	const struct work *w = ctx;
	uint32_t n = w->n_lines[id];
	int err = copy_lines(c, id);

	if (!err && n && n < c->lines.len)
		c->lines.len = n;
	return err ?: put_lines(c, id, out);
}

static int select_samples(struct work *w, const struct profile *p, enum transform_kind kind,
			  struct profile **out)
{
	struct copy_rules cut = {.ctx = w, .depth = cut_depth, .location = cut_location};
	int err = look_at_stacks(w, p);

	w->wanted = kind != TRANSFORM_IGNORE;
	if (err)
		return err;
	return kind == TRANSFORM_SHOW_FROM ? profile_copy_some(out, p, &cut, is_selected, w)
					   : profile_filter(out, p, is_selected, w);
}

/* --- inlined calls ----------------------------------------------------------------------------- */

static int outermost_line(void *ctx, struct copy *c, uint32_t id, uint32_t *out)
{
	int err = copy_lines(c, id);

	(void)ctx;
	if (!err && c->lines.len > 1) {
		c->lines.data[0] = vec_last(&c->lines);
		c->lines.len = 1;
	}
	return err ?: put_lines(c, id, out);
}

static int fold_inlined(const struct profile *p, struct profile **out)
{
	return profile_copy(out, p, &(struct copy_rules){.location = outermost_line});
}

/* --- collapsing -------------------------------------------------------------------------------- */

#define UNKNOWN (PROFILE_NONE - 1) /* copy of a location; PROFILE_NONE: it goes */

/* Whether its innermost frame matches. */
static bool ends_in_match(const struct matches *m, const struct profile_location *l)
{
	return l->n_lines ? line_matches(m, l, 0) : module_matches(m, l);
}

/* Copies a location without frames that match and are called by such: the outermost one, if `below`, by that of the
 * location before. */
static int collapse_location(struct work *w, struct copy *c, uint32_t id, bool below, uint32_t *out)
{
	const struct profile_location *l = &c->src->locations.data[id];
	size_t kept = 0;
	int err = copy_lines(c, id);

	*out = PROFILE_NONE;
	if (err)
		return err;
	w->matched |= lines_to_match(&w->m, l) > 0;
	if (!l->n_lines)
		return below && module_matches(&w->m, l) ? 0 : put_lines(c, id, out);
	for (uint32_t i = 0; i < l->n_lines; i++) {
		bool called = i + 1 < l->n_lines ? line_matches(&w->m, l, i + 1) : below;

		if (!called || !line_matches(&w->m, l, i))
			c->lines.data[kept++] = c->lines.data[i];
	}
	c->lines.len = kept;
	return kept ? put_lines(c, id, out) : 0;
}

static int collapse_stack(void *ctx, struct copy *c, uint32_t id)
{
	struct work *w = ctx;
	const struct profile_stack *s = &c->src->stacks.data[id];
	bool below = false;
	int err = vec_reserve(&c->frames, s->len + 1ul);

	c->frames.len = 0;
	/* From the root on; frames are leaf first. */
	for (uint32_t i = s->len; i-- > 0 && !err;) {
		uint32_t location = c->src->frames.data[s->first + i];
		uint32_t *copy = &w->copies[below][location];

		if (*copy == UNKNOWN)
			err = collapse_location(w, c, location, below, copy);
		if (!err && *copy != PROFILE_NONE)
			c->frames.data[c->frames.len++] = *copy;
		below = ends_in_match(&w->m, &c->src->locations.data[location]);
	}
	for (size_t i = 0, n = c->frames.len; i < n / 2; i++) {
		uint32_t other = c->frames.data[i];

		c->frames.data[i] = c->frames.data[n - 1 - i];
		c->frames.data[n - 1 - i] = other;
	}
	return err;
}

static int collapse(struct work *w, const struct profile *p, struct profile **out)
{
	for (int k = 0; k < 2; k++) {
		w->copies[k] = malloc((p->locations.len + 1) * sizeof(*w->copies[k]));
		if (!w->copies[k])
			return -ENOMEM;
		for (size_t i = 0; i < p->locations.len; i++)
			w->copies[k][i] = UNKNOWN;
	}
	return profile_copy(out, p, &(struct copy_rules){.ctx = w, .stack = collapse_stack});
}

/* --- the whole --------------------------------------------------------------------------------- */

static int apply_pattern(struct transform_pattern *pattern, const struct profile *p,
			 struct profile **out)
{
	_cleanup_(work_release) struct work w = {0};
	int err = find_matches(&w.m, p, &pattern->re);

	if (!err)
		err = pattern->kind == TRANSFORM_COLLAPSE
			      ? collapse(&w, p, out)
			      : select_samples(&w, p, pattern->kind, out);
	pattern->unmatched = p->samples.len && !w.matched;
	return err;
}

static const struct profile *latest(const struct profile *p, const struct profile *made)
{
	return made ? made : p;
}

/* Replaces *made by what `next` is. */
static void advance(struct profile **made, struct profile *next)
{
	profile_free(*made);
	*made = next;
}

static int apply_kind(struct transform *t, enum transform_kind kind, const struct profile *p,
		      struct profile **made)
{
	int err = 0;

	for (size_t i = 0; i < t->patterns.len && !err; i++) {
		struct profile *next = NULL;

		if (t->patterns.data[i].kind != kind)
			continue;
		err = apply_pattern(&t->patterns.data[i], latest(p, *made), &next);
		if (!err)
			advance(made, next);
		else if (err == -ETIMEDOUT)
			t->costly = &t->patterns.data[i];
	}
	return err;
}

static int apply_no_inline(const struct profile *p, struct profile **made)
{
	struct profile *next;
	int err = fold_inlined(latest(p, *made), &next);

	if (!err)
		advance(made, next);
	return err;
}

int transform_apply(struct transform *t, const struct profile *p, struct profile **out)
{
	_cleanup_(profile_freep) struct profile *made = NULL;
	int err = apply_kind(t, TRANSFORM_FOCUS, p, &made)
			  ?: apply_kind(t, TRANSFORM_IGNORE, p, &made)
			  ?: apply_kind(t, TRANSFORM_SHOW_FROM, p, &made);

	if (!err && t->no_inline)
		err = apply_no_inline(p, &made);
	err = err ?: apply_kind(t, TRANSFORM_COLLAPSE, p, &made);
	if (!err && !made)
		err = profile_copy(&made, p, NULL);
	if (!err)
		*out = steal_ptr(made);
	return err;
}
