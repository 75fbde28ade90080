// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/cli/focus.h"

int focus_add(struct focus *f, const struct options *o, bool wanted)
{
	struct focus_pattern pattern = {.wanted = wanted};
	int code = regcomp(&pattern.re, o->arg, REG_EXTENDED | REG_NOSUB);
	char why[200];

	if (code) {
		regerror(code, &pattern.re, why, sizeof(why));
		usage_error(o->cmd, "\"%s\" is not a regular expression: %s", o->arg, why);
		return -EINVAL;
	}
	if (vec_push(&f->patterns, pattern)) {
		regfree(&pattern.re);
		log_error("out of memory");
		return -ENOMEM;
	}
	return 0;
}

void focus_release(struct focus *f)
{
	for (size_t i = 0; i < f->patterns.len; i++)
		regfree(&f->patterns.data[i].re);
	vec_release(&f->patterns);
}

static bool text_matches(const regex_t *re, const char *text)
{
	return *text && !regexec(re, text, 0, NULL, 0);
}

static bool location_matches(const struct profile *p, uint32_t location, const regex_t *re)
{
	const struct profile_location *l = &p->locations.data[location];

	if (text_matches(re, profile_module(p, l->mapping)))
		return true;
	for (uint32_t i = 0; i < l->n_lines; i++) {
		uint32_t function = p->lines.data[l->first_line + i].function;

		if (text_matches(re, profile_text(p, p->functions.data[function].name)))
			return true;
	}
	return false;
}

/* Clears keep[] of stacks that this pattern excludes. */
static int rule_out(const struct profile *p, const struct focus_pattern *pattern, bool *keep)
{
	_cleanup_free_ bool *matches = calloc(p->locations.len + 1, 1);

	if (!matches)
		return -ENOMEM;
	for (size_t i = 0; i < p->locations.len; i++)
		matches[i] = location_matches(p, (uint32_t)i, &pattern->re);
	for (size_t i = 0; i < p->stacks.len; i++) {
		const struct profile_stack *s = &p->stacks.data[i];
		bool found = false;

		for (uint32_t j = 0; j < s->len && !found; j++)
			found = matches[p->frames.data[s->first + j]];
		keep[i] = keep[i] && found == pattern->wanted;
	}
	return 0;
}

static bool keep_sample(void *ctx, const struct profile *src, size_t sample)
{
	return ((const bool *)ctx)[src->samples.data[sample].stack];
}

int focus_apply(const struct focus *f, const struct profile *p, struct profile **out)
{
	_cleanup_free_ bool *keep = malloc(p->stacks.len + 1);

	if (!keep)
		return -ENOMEM;
	memset(keep, true, p->stacks.len);
	for (size_t i = 0; i < f->patterns.len; i++) {
		int err = rule_out(p, &f->patterns.data[i], keep);

		if (err)
			return err;
	}
	return profile_filter(out, p, keep_sample, keep);
}
