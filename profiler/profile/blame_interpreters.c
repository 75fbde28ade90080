// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/blame_interpreters.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/profile/blame_shares.h"
#include "profiler/profile/interpreters.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

static int add_row(struct quality *q, const char *module)
{
	struct quality_blame row = {0};

	for (size_t i = 0; i < q->blame.len; i++)
		if (!strcmp(q->blame.data[i].module, module))
			return 0;
	if (q->blame.len >= QUALITY_MAX_BLAME)
		return 0;
	row.module = strdup(module);
	if (row.module && !vec_push(&q->blame, row))
		return 0;
	free(row.module);
	return -ENOMEM;
}

/* Puts it before a hint that is there: symbols of an interpreter matter less than what it runs. */
static int add_hint(struct quality_blame *row, const struct interpreter *i)
{
	struct buf b = {0};

	interpreter_hint(&b, i, row->module);
	if (row->hint)
		buf_printf(&b, "; %s", row->hint);
	free(row->hint);
	row->hint = buf_take(&b);
	return row->hint ? 0 : -ENOMEM;
}

static int add_hints(const struct profile *p, struct quality *q, const struct blame_share *shares)
{
	bool has_hint[QUALITY_MAX_BLAME] = {false};
	int err = 0;

	for (size_t i = 0; i < p->locations.len && !err; i++) {
		const struct profile_location *l = &p->locations.data[i];
		bool guessed;
		const struct interpreter *loop = blame_loop(p, l, &guessed);

		for (size_t r = 0; loop && r < q->blame.len && r < QUALITY_MAX_BLAME && !err; r++) {
			if (has_hint[r] || shares[r].hidden < BLAME_WORTH ||
			    strcmp(q->blame.data[r].module, profile_module(p, l->mapping)))
				continue;
			has_hint[r] = true;
			err = add_hint(&q->blame.data[r], loop);
		}
	}
	return err;
}

/* Rows without anything to say. */
static void drop_idle_rows(struct quality *q)
{
	size_t kept = 0;

	for (size_t i = 0; i < q->blame.len; i++) {
		struct quality_blame *b = &q->blame.data[i];

		if (b->hint || b->frames) {
			q->blame.data[kept++] = *b;
			continue;
		}
		free(b->module);
	}
	q->blame.len = kept;
}

int blame_interpreters(const struct profile *p, struct quality *q)
{
	struct blame_share shares[QUALITY_MAX_BLAME];
	bool any = false;
	int err = 0;

	for (size_t i = 0; i < p->locations.len && !err; i++) {
		bool guessed;

		if (!blame_loop(p, &p->locations.data[i], &guessed))
			continue;
		any = true;
		err = add_row(q, profile_module(p, p->locations.data[i].mapping));
	}
	if (any && !err)
		err = blame_shares(p, q, shares) ?: add_hints(p, q, shares);
	drop_idle_rows(q);
	return err;
}
