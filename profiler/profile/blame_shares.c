// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/blame_shares.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/interpreters.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

/* Rows of blame are bits of a word. */
_Static_assert(QUALITY_MAX_BLAME <= 64, "a row has a bit");

/* What a frame says. */
struct facts {
	const struct interpreter *loop; /* whose loop it is, or NULL */
	const struct interpreter *of;	/* in whose language its function was written, or NULL */
	uint64_t row;			/* bit of the blamed binary that it is in; 0: none */
	bool unnamed, made;		/* without a name; of code made at run time */
	bool guessed;			/* the loop is any frame without a name of such a file */
	const struct interpreter
		*builtin; /* interpreter_of_builtin(), where anything is made code */
};

static bool is_unnamed(const char *name, const char *module)
{
	return profile_name_is_bare(name, module) ||
	       (text_has_prefix(name, module) && frame_name_is_vague(name + strlen(module)));
}

static const char *line_name(const struct profile *p, const struct profile_location *l, uint32_t i)
{
	return profile_text(p, p->functions.data[p->lines.data[l->first_line + i].function].name);
}

static bool has_no_name(const struct profile *p, const struct profile_location *l)
{
	return !l->n_lines ||
	       (l->n_lines == 1 && is_unnamed(line_name(p, l, 0), profile_module(p, l->mapping)));
}

/* The name has where the code's description begins. */
static bool is_described(const struct profile *p, const struct profile_location *l)
{
	return l->n_lines && strstr(line_name(p, l, 0), "+sub_");
}

const struct interpreter *blame_loop(const struct profile *p, const struct profile_location *l,
				     bool *guessed)
{
	const struct interpreter *loop = NULL;

	*guessed = has_no_name(p, l);
	if (*guessed)
		return interpreter_of_file(profile_module(p, l->mapping), is_described(p, l));
	for (uint32_t n = 0; n < l->n_lines && !loop; n++)
		loop = interpreter_of_loop(line_name(p, l, n));
	return loop;
}

static uint64_t row_of(const struct quality *q, const char *module)
{
	for (size_t i = 0; i < q->blame.len && i < QUALITY_MAX_BLAME; i++)
		if (!strcmp(q->blame.data[i].module, module))
			return 1ull << i;
	return 0;
}

static int find_facts(const struct profile *p, const struct quality *q, struct facts *facts)
{
	_cleanup_free_ uint64_t *rows = calloc(p->mappings.len + 1, sizeof(*rows));
	bool any_made = false;

	if (!rows)
		return -ENOMEM;
	for (uint32_t m = 0; m < p->mappings.len; m++)
		rows[m] = row_of(q, profile_module(p, m));
	for (size_t i = 0; i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];
		struct facts *f = &facts[i];

		f->row = l->mapping < p->mappings.len ? rows[l->mapping] : 0;
		f->made = !strcmp(profile_module(p, l->mapping), MAPPING_JIT);
		f->unnamed = has_no_name(p, l);
		f->loop = blame_loop(p, l, &f->guessed);
		for (uint32_t n = 0; n < l->n_lines && !f->of; n++)
			f->of = interpreter_of_function(line_name(p, l, n));
		f->builtin = l->n_lines ? interpreter_of_builtin(line_name(p, l, 0)) : NULL;
		any_made |= f->made;
	}
	for (size_t i = 0; i < p->locations.len && !any_made; i++)
		facts[i].builtin = NULL;
	return 0;
}

static bool shows(const struct profile *p, const struct profile_stack *s, const struct facts *facts,
		  const struct interpreter *loop)
{
	for (uint32_t i = 0; i < s->len; i++)
		if (facts[p->frames.data[s->first + i]].of == loop)
			return true;
	return false;
}

/* A stack's innermost function may be one that made code has called, of which the stack then shows nothing. */
static bool may_lack_caller(const struct facts *leaf, const struct facts *caller)
{
	return leaf->builtin && leaf->builtin == caller->loop;
}

/* The rows that a stack's unnamed frames and hidden functions are in. The innermost loop counts. What has no name may
 * be a helper that made code calls. */
static void judge_stack(const struct profile *p, const struct profile_stack *s,
			const struct facts *facts, uint64_t *unnamed, uint64_t *hidden)
{
	const struct facts *loop = NULL;
	bool made = false;

	*unnamed = *hidden = 0;
	for (uint32_t i = 0; i < s->len; i++) {
		const struct facts *f = &facts[p->frames.data[s->first + i]];

		*unnamed |= f->unnamed ? f->row : 0;
		if (i == 1 && may_lack_caller(&facts[p->frames.data[s->first]], f))
			made = true;
		if (f->made && loop && loop->guessed && interpreter_compiles(loop->loop))
			loop = NULL;
		if (f->loop && !loop && !(made && interpreter_compiles(f->loop)))
			loop = f;
		made |= f->made;
	}
	if (loop && !shows(p, s, facts, loop->loop))
		*hidden = loop->row;
}

int blame_shares(const struct profile *p, const struct quality *q, struct blame_share *shares)
{
	_cleanup_free_ struct facts *facts = calloc(p->locations.len + 1, sizeof(*facts));
	size_t n = q->blame.len < QUALITY_MAX_BLAME ? q->blame.len : QUALITY_MAX_BLAME;
	double whole = 0;
	int err = facts ? find_facts(p, q, facts) : -ENOMEM;

	memset(shares, 0, n * sizeof(*shares));
	if (err)
		return err;
	for (size_t i = 0; i < p->samples.len && p->sample_types.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		double count = (double)p->values.data[s->first_value];
		uint64_t unnamed, hidden;

		judge_stack(p, &p->stacks.data[s->stack], facts, &unnamed, &hidden);
		whole += count;
		for (size_t r = 0; r < n; r++) {
			shares[r].unnamed += unnamed >> r & 1 ? count : 0;
			shares[r].hidden += hidden >> r & 1 ? count : 0;
		}
	}
	for (size_t r = 0; r < n && whole > 0; r++) {
		shares[r].unnamed /= whole;
		shares[r].hidden /= whole;
	}
	return 0;
}
