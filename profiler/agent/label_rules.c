// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/label_rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/config_schema.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/label_regex.h"
#include "profiler/base/vec.h"

#define GROUPS (LABEL_REGEX_MAX_GROUPS + 2) /* all of it, the anchored text, and its groups */

struct rule {
	const struct config_relabel *config;
	regex_t regex;
	bool has_regex;
};

struct label_rules {
	VEC(struct rule) rules;
};

DEFINE_CLEANUP(label_rules, label_rules_free)

/* --- sets -------------------------------------------------------------------------------------- */

static struct label_text *find(struct label_set *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->labels[i].key, key))
			return &s->labels[i];
	return NULL;
}

const char *label_set_get(const struct label_set *s, const char *key)
{
	const struct label_text *l = find((struct label_set *)s, key);

	return l ? l->value : "";
}

void label_set_put(struct label_set *s, const char *key, const char *value)
{
	struct label_text *l = find(s, key);

	if (!*value && l)
		*l = s->labels[--s->n];
	else if (*value && l)
		l->value = value;
	else if (*value && s->n < LABEL_SET_MAX)
		s->labels[s->n++] = (struct label_text){key, value};
}

void label_set_clear(struct label_set *s)
{
	s->n = s->n_made = 0;
}

void label_set_release(struct label_set *s)
{
	for (size_t i = 0; i < LABEL_SET_MAX; i++)
		buf_release(&s->made[i]);
}

/* --- rules ------------------------------------------------------------------------------------- */

int label_rules_new(struct label_rules **out, const struct config *c)
{
	_cleanup_(label_rules_freep) struct label_rules *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	for (size_t i = 0; i < c->relabel.len; i++) {
		struct rule rule = {.config = &c->relabel.data[i]};
		const char *why;
		int err = 0;

		rule.has_regex = rule.config->regex != NULL;
		if (rule.has_regex)
			err = label_regex_compile(&rule.regex, rule.config->regex, &why);
		if (!err && vec_push(&r->rules, rule)) {
			if (rule.has_regex)
				regfree(&rule.regex);
			err = -ENOMEM;
		}
		if (err)
			return err;
	}
	*out = steal_ptr(r);
	return 0;
}

void label_rules_free(struct label_rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->rules.len; i++)
		if (r->rules.data[i].has_regex)
			regfree(&r->rules.data[i].regex);
	vec_release(&r->rules);
	free(r);
}

/* "$1" and "${1}" are groups, "$0" is all of it, "$$" a dollar. */
static const char *take_group(const char *s, size_t *group)
{
	bool brace = *s == '{';
	const char *digit = s + brace;

	if (!isdigit((unsigned char)*digit) || (brace && digit[1] != '}'))
		return NULL;
	*group = (size_t)(*digit - '0') + 1;
	return digit + 1 + brace;
}

static void expand(struct buf *out, const char *with, const char *value, const regmatch_t *m)
{
	for (const char *s = with, *behind; *s; s = behind) {
		size_t group;

		behind = s + 1;
		if (*s != '$') {
			buf_char(out, *s);
		} else if (s[1] == '$') {
			buf_char(out, '$');
			behind++;
		} else if (take_group(s + 1, &group)) {
			behind = take_group(s + 1, &group);
			if (group < GROUPS && m[group].rm_so >= 0)
				buf_add(out, value + m[group].rm_so,
					(size_t)(m[group].rm_eo - m[group].rm_so));
		} else {
			buf_char(out, '$');
		}
	}
}

/* Not in the middle of a character. */
static void cut(struct buf *b)
{
	if (b->len <= LABEL_VALUE_MAX)
		return;
	b->len = LABEL_VALUE_MAX;
	while (b->len && (b->data[b->len] & 0xc0) == 0x80)
		b->len--;
}

static void replace(const struct rule *r, struct label_set *s, const char *value,
		    const regmatch_t *m)
{
	struct buf *b;

	if (s->n_made == LABEL_SET_MAX)
		return;
	b = &s->made[s->n_made++];
	buf_clear(b);
	expand(b, r->config->replacement ?: "$1", value, m);
	cut(b);
	label_set_put(s, r->config->target, buf_cstr(b));
}

bool label_rules_run(const struct label_rules *r, struct label_set *s)
{
	for (size_t i = 0; i < r->rules.len; i++) {
		const struct rule *rule = &r->rules.data[i];
		const char *value =
			rule->config->source ? label_set_get(s, rule->config->source) : "";
		regmatch_t m[GROUPS] = {{.rm_eo = (regoff_t)strlen(value)},
					{.rm_eo = (regoff_t)strlen(value)},
					{.rm_eo = (regoff_t)strlen(value)}};
		bool hit = !rule->has_regex || !regexec(&rule->regex, value, GROUPS, m, 0);

		if (rule->config->action == RELABEL_REPLACE && hit)
			replace(rule, s, value, m);
		else if (rule->config->action == RELABEL_KEEP && !hit)
			return false;
		else if (rule->config->action == RELABEL_DROP && hit)
			return false;
	}
	return true;
}
