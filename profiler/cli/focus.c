// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/focus.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/log.h"

static const char *const names[] = {
	[TRANSFORM_FOCUS] = "--focus",
	[TRANSFORM_IGNORE] = "--ignore",
	[TRANSFORM_SHOW_FROM] = "--show-from",
	[TRANSFORM_COLLAPSE] = "--collapse",
};

int focus_set(struct transform *t, const struct options *o, int option)
{
	const char *why = NULL;
	int err;

	if (option == FOCUS_NO_INLINE) {
		t->no_inline = true;
		return 0;
	}
	err = transform_add(t, (enum transform_kind)option, o->arg, &why);
	if (err == -EINVAL)
		usage_error(o->cmd, "%s: \"%s\" is %s", names[option], o->arg, why);
	else if (err)
		log_error("%s: %s", o->cmd->name, strerror(-err));
	return err;
}

/* Names have characters that mean something in an expression. */
static void warn_unmatched(const struct transform_pattern *pattern)
{
	const char *special = strpbrk(pattern->re.text, "+*?()[]{}|");

	if (special)
		log_warning("%s: no function or module matches \"%s\" (a regular expression: write "
			    "\\%c for %c)",
			    names[pattern->kind], pattern->re.text, *special, *special);
	else
		log_warning("%s: no function or module matches \"%s\"", names[pattern->kind],
			    pattern->re.text);
}

int focus_apply(const struct command *cmd, struct transform *t, const struct profile *p,
		struct profile **out)
{
	int err;

	*out = NULL;
	if (!transform_is_set(t))
		return EXIT_OK;
	err = transform_apply(t, p, out);
	if (err == -ETIMEDOUT)
		log_error("%s: \"%s\" is %s", names[t->costly->kind], t->costly->re.text,
			  regex_budget_why);
	else if (err)
		log_error("%s: %s", cmd->name, strerror(-err));
	if (err)
		return EXIT_ERROR;
	for (size_t i = 0; i < t->patterns.len; i++) {
		const struct transform_pattern *pattern = &t->patterns.data[i];

		if (pattern->unmatched)
			warn_unmatched(pattern);
	}
	return EXIT_OK;
}
