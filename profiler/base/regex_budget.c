// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/regex_budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/label_regex.h"

#define FRESH_BYTES 8192 /* of texts; then the states are given back: at most some 100 MB */
#define PATIENCE_NS (10 * NS_PER_S)

const char regex_budget_why[] = "a regular expression that takes too long";

static int compile(struct regex_budget *e, const char *text, const char **why)
{
	return e->is_part ? label_regex_compile_part(&e->re, text, why)
			  : label_regex_compile(&e->re, text, why);
}

int regex_budget_init(struct regex_budget *e, const char *text, bool is_part, const char **why)
{
	int err;

	*e = (struct regex_budget){.is_part = is_part};
	err = compile(e, text, why);
	if (err)
		return err;
	e->text = strdup(text);
	if (e->text)
		return 0;
	regfree(&e->re);
	return -ENOMEM;
}

void regex_budget_release(struct regex_budget *e)
{
	if (e->text)
		regfree(&e->re);
	free(e->text);
	e->text = NULL;
}

static int give_states_back(struct regex_budget *e)
{
	const char *why;
	int err;

	regfree(&e->re);
	e->bytes = 0;
	err = compile(e, e->text, &why);
	if (!err)
		return 0;
	free(e->text);
	e->text = NULL;
	return err;
}

int regex_budget_matches(struct regex_budget *e, const char *text)
{
	uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int err = 0, found;

	if (!e->text)
		return -ENOMEM; /* it was given up */
	if (e->used_ns > PATIENCE_NS)
		return -ETIMEDOUT;
	e->bytes += strlen(text);
	if (e->bytes > FRESH_BYTES)
		err = give_states_back(e);
	if (err)
		return err;
	found = !regexec(&e->re, text, 0, NULL, 0);
	e->used_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
	return found;
}
