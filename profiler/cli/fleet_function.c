// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/fleet_function.h"

#include <string.h>

#include "profiler/base/log.h"

struct looking {
	const char *name;
	bool is_part;
	struct function_list *out;
};

static int make(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	const struct looking *l = ctx;

	(void)why;
	return function_sql_find(sql, s->suffix, l->name, l->is_part);
}

static int read_answer(void *ctx, const struct ch_answer *a, struct why *why)
{
	const struct looking *l = ctx;

	return function_read(l->out, a, why);
}

static int look(struct fleet_session *s, const char *name, bool is_part, struct function_list *out)
{
	struct looking l = {name, is_part, out};
	const struct asking_each each = {make, read_answer, &l, false};
	struct why why = {""};
	int err = asking_each(&s->asking, &each, &why);

	return err ? fleet_failed(err, &why) : EXIT_OK;
}

static bool is_one_name(const struct function_list *l)
{
	for (size_t i = 1; i < l->names.len; i++)
		if (strcmp(l->names.data[i], l->names.data[0]) != 0)
			return false;
	return l->names.len;
}

int fleet_function_find(struct fleet_session *s, const char *name, struct function_list *out)
{
	struct function_list alike = {0};
	int code;

	if (s->args->sql) {
		out->by_name = name;
		return EXIT_OK;
	}
	code = look(s, name, false, out);
	if (code != EXIT_OK || out->ids.len)
		return code;
	code = look(s, name, true, &alike);
	if (code == EXIT_OK && is_one_name(&alike)) {
		code = look(s, alike.names.data[0], false, out);
	} else if (code == EXIT_OK && alike.names.len) {
		code = usage_error(s->cmd,
				   "several functions are like \"%.200s\", %.200s for one: give "
				   "the whole name",
				   name, alike.names.data[0]);
	}
	if (code == EXIT_OK && !out->ids.len) {
		log_error("no function \"%.200s\" in the fleet", name);
		code = EXIT_ERROR;
	}
	function_list_release(&alike);
	return code;
}
