// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/filter.h"

#include <errno.h>
#include <string.h>

#include "profiler/clickhouse/ch_text.h"
#include "profiler/profile/profile.h"
#include "profiler/store/where.h"

/* The labels that samples keep (profiler/clickhouse/ch_schema.h), and what their columns are called. */
const struct filter_label filter_labels[FILTER_N_LABELS] = {
	{LABEL_SERVICE, "service"}, {"host", "host"},	  {LABEL_NAMESPACE, "namespace"},
	{LABEL_POD, "pod"},	    {LABEL_UNIT, "unit"}, {LABEL_COMM, "comm"},
};

const char *filter_column(const char *label)
{
	for (size_t i = 0; i < FILTER_N_LABELS; i++)
		if (!strcmp(filter_labels[i].label, label))
			return filter_labels[i].column;
	return strcmp(label, "service") != 0 ? NULL : label; /* it is short for service_name */
}

static bool is_of(const struct where *where, const char *wanted)
{
	for (size_t i = 0; i < where_count(where); i++) {
		const char *column = filter_column(where_key(where, i));

		if (!column || strcmp(column, wanted) != 0)
			return false;
	}
	return true;
}

bool filter_is_of_services(const struct where *where)
{
	return is_of(where, "service");
}

bool filter_is_of_hosts(const struct where *where)
{
	return is_of(where, "host");
}

/* "=~" wants the whole value, in which a dot is any character. */
static void add_regex(struct buf *out, const char *column, const struct where_condition *c)
{
	struct buf regex = {0};

	buf_printf(&regex, "(?s)^(?:%s)$", c->value);
	buf_printf(out, "%smatch(%s, ", c->op[0] == '!' ? "NOT " : "", column);
	ch_add_string(out, buf_cstr(&regex), regex.len);
	buf_char(out, ')');
	if (regex.err)
		out->err = regex.err;
	buf_release(&regex);
}

static void add_condition(struct buf *out, const char *column, const struct where_condition *c)
{
	buf_str(out, " AND ");
	if (strchr(c->op, '~')) {
		add_regex(out, column, c);
		return;
	}
	buf_printf(out, "%s %s ", column, c->op);
	ch_add_text(out, c->value);
}

int filter_sql(struct buf *out, const struct where *where, enum filter_for what, struct why *why)
{
	static const char *const only[] = {NULL, "service", "host"};

	for (size_t i = 0; i < where_count(where); i++) {
		struct where_condition c;
		const char *column;

		where_get(where, i, &c);
		column = filter_column(c.key);
		if (!column)
			return why_say(why, -EINVAL,
				       "--where: a fleet keeps no label \"%.60s\": it has "
				       "service_name, host, namespace, pod, unit and comm",
				       c.key);
		/* A server reads no statement without end, and tells nobody which part is long. */
		if (strlen(c.value) > FILTER_MAX_VALUE)
			return why_say(why, -EINVAL,
				       "--where: a value of %s with more than %d bytes", column,
				       FILTER_MAX_VALUE);
		if (!only[what] || !strcmp(column, only[what]))
			add_condition(out, column, &c);
	}
	return out->err;
}
