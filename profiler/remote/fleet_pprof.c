// SPDX-License-Identifier: GPL-2.0-or-later
/* A URL that serves one profile, as net/http/pprof's do. */
#include <errno.h>
#include <string.h>

#include "profiler/remote/fleet_priv.h"

static int get_profile(struct fleet *f, struct profile **out, struct why *why)
{
	struct buf path = {0}, answer = {0};
	struct fleet_call c = {.method = "GET"};
	int err;

	if (strpbrk(f->t->path, "{}") || strpbrk(f->t->query, "{}"))
		return fleet_fail(f, -EINVAL, why,
				  "a URL with {placeholders} is for sending: give that of one "
				  "profile");
	if (f->q->has_range)
		return fleet_fail(f, -EINVAL, why,
				  "one profile has its own time: no --since and --until");
	if (*f->t->query)
		buf_printf(&path, "?%s", f->t->query);
	c.path = buf_cstr(&path);
	err = fleet_ask(f, &c, &answer, why);
	err = err ?: fleet_import(f, answer.data, answer.len, out, why);
	if (!err && *out)
		err = fleet_filter(f, out, NULL);
	buf_release(&path);
	buf_release(&answer);
	return err;
}

static int get_overview(struct fleet *f, const struct fleet_rows *rows, struct overview *out,
			struct why *why)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int err = get_profile(f, &p, why);

	if (err || !p)
		return err;
	err = fleet_add_profile(out, rows, p);
	return err ? fleet_fail(f, err, why, "%s", strerror(-err)) : 0;
}

const struct fleet_kind fleet_pprof = {get_profile, get_overview};
