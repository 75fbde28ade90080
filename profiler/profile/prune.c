// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/prune.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/regex_budget.h"
#include "profiler/base/text.h"
#include "profiler/profile/copy.h"

#define NAME_MAX_BYTES 2048 /* longer names stay */

struct pruner {
	struct regex_budget drop, keep;
	/* By location: how many lines go, innermost first. All of them: the location goes. */
	uint32_t *n_gone;
};

static void pruner_release(struct pruner *u)
{
	regex_budget_release(&u->drop);
	regex_budget_release(&u->keep);
	free(u->n_gone);
}

/* --- expressions ------------------------------------------------------------------------------- */

/*
 * One element of an expression in Go's syntax, as POSIX has it. Returns how long it was, or 0 if it has
 * another meaning there.
 */
static size_t translate_one(struct buf *b, const char *s)
{
	if (text_has_prefix(s, "(?:"))
		buf_char(b, '(');
	else if (text_has_prefix(s, "\\d"))
		buf_str(b, "[0-9]");
	else if (*s == '\\' && s[1])
		buf_add(b, s, 2);
	else
		buf_char(b, *s);
	if (text_has_prefix(s, "(?"))
		return s[2] == ':' ? 3 : 0;
	if (*s == '\\' && isalnum((unsigned char)s[1]) && !strchr("dwWsSbB", s[1]))
		return 0;
	return *s == '\\' && s[1] ? 2 : 1;
}

static int translate(struct buf *b, const char *go, const char **why)
{
	size_t n;

	for (const char *s = go; *s; s += n) {
		n = translate_one(b, s);
		if (!n) {
			*why = "a regular expression that only Go knows";
			return -EINVAL;
		}
	}
	return b->err;
}

static int compile(struct regex_budget *e, const char *go, const char **why)
{
	_cleanup_(buf_release) struct buf posix = {0};

	return translate(&posix, go, why) ?: regex_budget_init(e, buf_cstr(&posix), false, why);
}

static int compile_all(struct pruner *u, const struct profile *p, const char **why)
{
	const char *keep = profile_text(p, p->keep_frames);
	int err = compile(&u->drop, profile_text(p, p->drop_frames), why);

	return err || !*keep ? err : compile(&u->keep, keep, why);
}

/* --- functions --------------------------------------------------------------------------------- */

/* Length of a name without parameters, which begin with a bracket that is no part of a name. */
static size_t plain_len(const char *name)
{
	static const char *const reserved[] = {"(anonymous namespace)", "operator()"};
	size_t len = strcspn(name, "({");

	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved) && name[len]; i++) {
		size_t before = (size_t)(strchr(reserved[i], '(') - reserved[i]);

		if (before > len || !text_has_prefix(name + len - before, reserved[i]))
			continue;
		len += strlen(reserved[i]) - before;
		len += strcspn(name + len, "({");
		i = SIZE_MAX; /* looks at the next bracket */
	}
	return len;
}

/* 1 if the function goes, 0 if it stays, or -errno. */
static int goes(struct pruner *u, const char *name)
{
	_cleanup_free_ char *plain = NULL;
	size_t len;
	int drop, keep;

	name += *name == '.'; /* of PowerPC's ELFv1 */
	len = plain_len(name);
	if (!*name || len > NAME_MAX_BYTES)
		return 0;
	plain = strndup(name, len);
	if (!plain)
		return -ENOMEM;
	drop = regex_budget_matches(&u->drop, plain);
	if (drop <= 0 || !u->keep.text)
		return drop;
	keep = regex_budget_matches(&u->keep, plain);
	return keep < 0 ? keep : !keep;
}

/* Sets n_gone of all locations, asking once for each function. */
static int look_at_locations(struct pruner *u, const struct profile *p, const char **why)
{
	_cleanup_free_ bool *gone = calloc(p->functions.len + 1, sizeof(*gone));

	u->n_gone = calloc(p->locations.len + 1, sizeof(*u->n_gone));
	if (!gone || !u->n_gone)
		return -ENOMEM;
	for (size_t i = 0; i < p->functions.len; i++) {
		int answer = goes(u, profile_text(p, p->functions.data[i].name));

		if (answer == -ETIMEDOUT) {
			*why = regex_budget_why;
			return -EINVAL;
		}
		if (answer < 0)
			return answer;
		gone[i] = answer;
	}
	for (size_t i = 0; i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];

		for (uint32_t k = l->n_lines; k > 0 && !u->n_gone[i]; k--)
			if (gone[p->lines.data[l->first_line + k - 1].function])
				u->n_gone[i] = k;
	}
	return 0;
}

/* --- stacks ------------------------------------------------------------------------------------ */

static uint32_t first_kept(const struct pruner *u, const struct profile *p,
			   const struct profile_stack *s)
{
	bool found_other = false;

	for (uint32_t i = s->len; i-- > 0;) {
		uint32_t location = p->frames.data[s->first + i];

		if (!u->n_gone[location])
			found_other = true;
		else if (found_other)
			return u->n_gone[location] == p->locations.data[location].n_lines ? i + 1
											  : i;
	}
	return 0;
}

static uint32_t skip(void *ctx, const struct copy *c, uint32_t stack)
{
	const struct pruner *u = ctx;

	return first_kept(u, c->src, &c->src->stacks.data[stack]);
}

/* A location of which some inlined functions go loses them everywhere. */
static int copy_rest(void *ctx, struct copy *c, uint32_t id, uint32_t *out)
{
	const struct pruner *u = ctx;
	const struct profile_location *l = &c->src->locations.data[id];
	uint32_t mapping, n = u->n_gone[id] < l->n_lines ? u->n_gone[id] : 0;
	int err = copy_mapping(c, l->mapping, &mapping) ?: copy_lines(c, id);

	if (err)
		return err;
	c->lines.len -= n;
	memmove(c->lines.data, c->lines.data + n, c->lines.len * sizeof(*c->lines.data));
	return copy_put_location(c, id, mapping, l->address, out);
}

int profile_prune(struct profile **out, const struct profile *src, const char **why)
{
	_cleanup_(pruner_release) struct pruner u = {0};
	struct copy_rules rules = {.ctx = &u, .skip = skip, .location = copy_rest};
	int err;

	*out = NULL;
	if (!*profile_text(src, src->drop_frames))
		return 0;
	err = compile_all(&u, src, why) ?: look_at_locations(&u, src, why);
	return err ?: profile_copy(out, src, &rules);
}
