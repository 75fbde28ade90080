// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/cli/command.h"
#include "profiler/cli/list.h"
#include "profiler/cli/list_remote.h"
#include "profiler/cli/load_fleet.h"
#include "profiler/cli/load_store.h"
#include "profiler/store/as_owner.h"
#include "profiler/profile/label_keys.h"
#include "profiler/store/overview.h"

#define DEFAULT_ROWS 20 /* but of time all */
#define MAX_ROWS     1000000000

DEFINE_CLEANUP(store, store_close)

enum {
	OPT_BY,
	OPT_STEP,
	OPT_TOP,
	OPT_JSON,
	OPT_CONFIG,
	OPT_SINCE, /* and above: LOAD_RANGE_OPTIONS, LOAD_FROM_OPTIONS */
};

static const struct option_spec options[] = {
	{"by", 0, OVERVIEW_BY_WORDS, "what a row is (time), or any label", OPT_BY},
	{"step", 0, "TIME", "how much time a row is, such as 10m (some dozens of rows)", OPT_STEP},
	{"top", 'n', "N", "rows to show, 0 = all (20; time and JSON all)", OPT_TOP},
	LOAD_RANGE_OPTIONS(OPT_SINCE),
	LOAD_FROM_OPTIONS(OPT_SINCE),
	LOAD_CONFIG_OPTION(OPT_CONFIG),
	{"json", 0, NULL, "print JSON", OPT_JSON},
	{0},
};

struct request {
	struct overview_query query;
	struct load_range range;
	bool json, has_rows;
	unsigned long long n_rows;
	const char *step;
};

static int set_step(const struct options *o, struct request *r)
{
	unsigned long long ns;
	int err = option_duration_ns(o, "--step", &ns);

	if (!err && (ns < NS_PER_S || ns > INT64_MAX)) {
		usage_error(o->cmd, "--step: a second at least");
		err = -EINVAL;
	}
	r->query.width_ns = err ? 0 : (int64_t)ns;
	r->step = o->arg;
	return err;
}

/* What is no word is a label. */
static int set_by(const struct options *o, struct overview_query *q)
{
	int word = option_find_word(o, OVERVIEW_BY_WORDS);

	if (word == -EEXIST || !o->arg[0])
		return option_word(o, "--by", OVERVIEW_BY_WORDS);
	q->by = word < 0 ? OVERVIEW_LABEL : (enum overview_by)word;
	q->label = word < 0 ? label_key_of_word(o->arg) : NULL;
	return 0;
}

static int handle(const struct options *o, int id, struct request *r)
{
	switch (id) {
	case OPT_BY:
		return set_by(o, &r->query);
	case OPT_STEP:
		return set_step(o, r);
	case OPT_TOP:
		r->has_rows = true;
		return option_u64(o, "--top", 0, MAX_ROWS, &r->n_rows);
	case OPT_JSON:
		r->json = true;
		return 0;
	case OPT_CONFIG:
		r->range.config = o->arg;
		return 0;
	default:
		load_range_set(&r->range, id - OPT_SINCE, o->arg);
		return 0;
	}
}

/* Rows begin at full hours of the local time, and so on. */
static int64_t utc_offset_s(void)
{
	time_t now = time(NULL);
	struct tm tm;

	return localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
}

static int look_into(const char *path, const struct overview_query *q, struct overview *out)
{
	_cleanup_(as_owner_end) struct as_owner owner;
	_cleanup_(store_freep) struct store *s = NULL;
	struct store_opts opts = {.access = STORE_READ};
	struct why why = {""};
	int err;

	as_owner_begin(&owner, path);
	err = store_open(&s, path, &opts, &why);

	if (!err && load_check_segments(s, path))
		return EXIT_ERROR;
	err = err ?: overview_make(s, q, out, &why);
	if (!err)
		load_store_note(s, &(struct store_query){.since_ns = q->since_ns,
							 .until_ns = q->until_ns,
							 .where = q->where});
	return err ? load_store_failed(err, &why) : EXIT_OK;
}

static int look_at(const struct options *o, struct request *r, const char *path,
		   struct overview *out)
{
	const struct list_remote_opts remote = {r->query.by, r->query.label, r->step,
						utc_offset_s()};

	if (r->range.from && load_is_fleet(&r->range))
		return list_fleet(o->cmd, &r->range,
				  &(struct fleet_rows){r->query.by, r->query.label,
						       r->query.width_ns,
						       -remote.utc_offset_s * (int64_t)NS_PER_S},
				  out);
	if (r->range.from)
		return list_remote(o->cmd, &r->range, &remote, out);
	r->query.where = r->range.where;
	r->query.phase_ns = -remote.utc_offset_s * (int64_t)NS_PER_S;
	return look_into(path, &r->query, out);
}

static int print(const struct options *o, const struct request *r, const char *name,
		 struct overview *all)
{
	struct term term = term_of(STDOUT_FILENO, o->color);
	size_t n = r->has_rows				 ? (size_t)r->n_rows
		   : r->json || all->by == OVERVIEW_TIME ? 0
							 : DEFAULT_ROWS;
	struct buf out = {0};
	int err = r->json ? list_json(&out, all, n) : list_text(&out, name, all, n, &term);

	if (err)
		log_error("%s: %s", o->cmd->name, strerror(-err));
	else
		fwrite(out.data, 1, out.len, stdout);
	buf_release(&out);
	if (err)
		return EXIT_ERROR;
	return all->rows.len ? EXIT_OK : EXIT_NO_SAMPLES;
}

static int list(const struct options *o, struct request *r, char **operands, int n)
{
	_cleanup_free_ char *configured = NULL;
	struct overview all = {0};
	const char *path = n ? operands[0] : NULL;
	int code;

	if (n + (r->range.from != NULL) > 1)
		return usage_error(o->cmd, "one store at a time");
	if (path && !*path)
		return usage_error(o->cmd, "the name of a DIR is empty: leave it out for the "
					   "store of the agent here");
	code = load_range_times(o->cmd, &r->range, &r->query.since_ns, &r->query.until_ns);
	if (code == EXIT_OK && !path && !r->range.from) {
		code = load_configured_store(r->range.config, &configured);
		path = configured;
	}
	if (code == EXIT_OK)
		code = look_at(o, r, path, &all);
	if (code == EXIT_OK)
		code = print(o, r, r->range.from ?: path, &all);
	overview_release(&all);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct request r = {0};
	int id, n, code = EXIT_USAGE;
	char **operands;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &r))
		;
	operands = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END)
		code = list(&o, &r, operands, n);
	options_release(&o);
	return code;
}

const struct command command_list = {
	.name = "list",
	.summary = "show what kiln agent has stored, by time, process, unit, container",
	.synopsis = "[options] [STORE]",
	.examples = "  kiln list                                from when on, and how much of it\n"
		    "  kiln list --since 3h --by process        which processes had the CPU\n"
		    "  kiln list --since 'yesterday 03:10' --until 'yesterday 03:20' --by unit\n"
		    "  kiln list --where comm=gcc --step 10m    when a program ran\n"
		    "  kiln list --by service --json            for programs\n",
	.operands = "DIR",
	.options = options,
	.run = run,
};
