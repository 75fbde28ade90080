// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/load_fleet.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/cli/push_target.h"
#include "profiler/store/query.h"

#define USUAL_NS (3600 * (int64_t)NS_PER_S)

static int failed(int err, const struct why *why)
{
	log_error("%s", *why->text ? why->text : strerror(-err));
	switch (err) {
	case -EINVAL:
		return EXIT_USAGE;
	case -EACCES:
		return EXIT_NOT_PERMITTED;
	case -ENODATA:
		return EXIT_NO_SAMPLES;
	default:
		return EXIT_ERROR;
	}
}

static int make_query(const struct command *cmd, const struct load_range *r, struct fleet_query *q)
{
	int64_t now_ns = unix_ns();
	int code = load_range_times(cmd, r, &q->since_ns, &q->until_ns);

	q->where = r->where;
	q->without = r->without;
	q->has_range = r->since || r->until;
	if (q->until_ns == STORE_END)
		q->until_ns = now_ns;
	if (!r->since)
		q->since_ns = q->until_ns > USUAL_NS ? q->until_ns - USUAL_NS : 0;
	if (code == EXIT_OK && q->since_ns >= q->until_ns)
		code = usage_error(cmd, "--since is not before --until");
	return code;
}

/* EXIT_OK with a target that is the caller's. */
static int open_query(const struct command *cmd, const struct load_range *r, struct fleet_query *q,
		      struct upload_target **t)
{
	const struct push_target_args a = {
		.option = "--from", .to = r->from, .config = r->config, .args = r->target};
	int code = make_query(cmd, r, q);

	code = code == EXIT_OK ? push_target_open(t, cmd, &a, NULL) : code;
	q->target = *t;
	return code;
}

bool load_is_fleet(const struct load_range *r)
{
	return fleet_is_url(r->from) || !strchr(r->from, ':');
}

int load_fleet(const struct command *cmd, const struct load_range *r, struct profile **out)
{
	_cleanup_(upload_target_freep) struct upload_target *t = NULL;
	struct fleet_query q = {0};
	struct why why = {""};
	int code = open_query(cmd, r, &q, &t), err;

	if (code != EXIT_OK)
		return code;
	if (r->label && !fleet_returns_labels(t))
		return usage_error(cmd,
				   "--by: %s returns no labels with its samples: ask kiln list "
				   "--by %s --from %s",
				   t->shown, r->label, r->from);
	err = fleet_profile(out, &q, &why);
	return err ? failed(err, &why) : EXIT_OK;
}

int list_fleet(const struct command *cmd, const struct load_range *r, const struct fleet_rows *rows,
	       struct overview *out)
{
	_cleanup_(upload_target_freep) struct upload_target *t = NULL;
	struct fleet_query q = {0};
	struct why why = {""};
	int code = open_query(cmd, r, &q, &t), err;

	if (code != EXIT_OK)
		return code;
	err = fleet_overview(out, &q, rows, &why);
	if (err == -ENODATA && *why.text)
		log_error("%s", why.text);
	/* As a store without windows is no failure of `list`. */
	return err && err != -ENODATA ? failed(err, &why) : EXIT_OK;
}
