// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet rollup: makes the hours that questions would have to make. */
#include <stdio.h>

#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_args.h"

static const struct option_spec options[] = {
	FLEET_OPTIONS(0),
	{0},
};

static size_t hours_of(const struct asking *a, bool is_missing)
{
	size_t n = 0;

	for (size_t i = 0; i < a->shards.n && a->plans; i++)
		n += is_missing ? a->plans[i].missing.len : a->plans[i].rollup.len;
	return n;
}

static int print_json(const struct asking *a)
{
	struct buf out = {0};
	struct json j = {.out = &out};

	json_open(&j, '{');
	json_key_uint(&j, "hours", hours_of(a, false));
	json_key_uint(&j, "made", a->n_made);
	json_key_uint(&j, "missing", hours_of(a, true));
	json_close(&j, '}');
	buf_char(&out, '\n');
	return fleet_print(&out);
}

static int rollup(struct fleet_session *s, const struct options *o, void *request,
		  const char *operand)
{
	struct asking *a = &s->asking;
	struct why why = {""};
	int err;

	(void)request;
	(void)operand;
	if (s->args->sql || s->args->markdown || s->args->where || s->args->no_rollup)
		return usage_error(o->cmd, "a rollup is of everything, and more than one query");
	err = asking_plan(a, &why);
	if (err)
		return fleet_failed(err, &why);
	if (s->args->json)
		print_json(a);
	else
		printf("%zu hours are there, %zu of them new\n", hours_of(a, false), a->n_made);
	return hours_of(a, true) ? EXIT_NOT_PERMITTED : EXIT_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct fleet_args args = {0};
	const struct fleet_question q = {.args = &args,
					 .request = &args,
					 .first_id = 0,
					 .usual_ns = FLEET_DAY_NS,
					 .ask = rollup};

	return fleet_run(self, argc, argv, &q);
}

const struct command command_fleet_rollup = {
	.name = "fleet rollup",
	.summary = "sum up hours beforehand, for quick answers",
	.synopsis = "[options]",
	.examples =
		"  kiln fleet rollup                  of the last day, as from a timer each hour\n"
		"  kiln fleet rollup --since 30d\n",
	.options = options,
	.run = run,
};
