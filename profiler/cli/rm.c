// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/command.h"
#include "profiler/cli/list.h"
#include "profiler/cli/load_store.h"
#include "profiler/store/as_owner.h"
#include "profiler/store/overview.h"
#include "profiler/store/remove.h"

DEFINE_CLEANUP(store, store_close)

enum { OPT_ALL, OPT_FORCE, OPT_DRY_RUN, OPT_SINCE, OPT_UNTIL, OPT_WHERE, OPT_CONFIG };

static const struct option_spec options[] = {
	LOAD_RANGE_OPTIONS(OPT_SINCE),
	LOAD_CONFIG_OPTION(OPT_CONFIG),
	{"all", 0, NULL, "all that is stored, of any time and label", OPT_ALL},
	{"force", 'f', NULL, "do not ask", OPT_FORCE},
	{"dry-run", 'n', NULL, "say what would be removed, and remove nothing", OPT_DRY_RUN},
	{0},
};

struct request {
	struct load_range range;
	int64_t since_ns, until_ns;
	bool all, force, dry_run;
};

static void handle(const struct options *o, int id, struct request *r)
{
	switch (id) {
	case OPT_ALL:
		r->all = true;
		break;
	case OPT_FORCE:
		r->force = true;
		break;
	case OPT_DRY_RUN:
		r->dry_run = true;
		break;
	case OPT_CONFIG:
		r->range.config = o->arg;
		break;
	default:
		load_range_set(&r->range, id - OPT_SINCE, o->arg);
	}
}

/* Says what is there to remove. EXIT_NO_SAMPLES: nothing. */
static int preview(struct store *s, const struct request *r, const char *path)
{
	const struct overview_query q = {
		.since_ns = r->since_ns, .until_ns = r->until_ns, .where = r->range.where};
	struct why why = {""};
	struct overview all = {0};
	struct buf text = {0};
	int err = overview_make(s, &q, &all, &why);
	bool empty = !all.windows || (r->range.where && !all.samples);

	if (err)
		return load_store_failed(err, &why);
	list_summary(&text, &all);
	if (!empty)
		printf("%s: %s %s\n", path,
		       r->dry_run ? "would remove" : "to remove:", buf_cstr(&text));
	else
		log_info("%s holds nothing of that", path);
	fflush(stdout);
	buf_release(&text);
	overview_release(&all);
	return empty ? EXIT_NO_SAMPLES : EXIT_OK;
}

/* EXIT_OK: yes; EXIT_ERROR: no. */
static int ask(void)
{
	char answer[16] = "";

	fputs("Remove them? [y/N] ", stdout);
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) &&
	    (!strcasecmp(answer, "y\n") || !strcasecmp(answer, "yes\n")))
		return EXIT_OK;
	log_info("nothing is removed");
	return EXIT_ERROR;
}

static int remove_range(struct store *s, const struct request *r)
{
	struct why why = {""};
	struct store_removal gone;
	char text[32];
	int err = store_remove(s, r->since_ns, r->until_ns, r->range.where, &gone, &why);

	if (!err || gone.samples)
		printf("removed %s sample%s from %" PRIu64 " segment%s\n",
		       text_format_count(gone.samples, text, sizeof(text)), text_s(gone.samples),
		       gone.segments, text_s(gone.segments));
	if (err)
		return load_store_failed(err, &why);
	if (!gone.segments_left)
		return EXIT_OK;
	log_warning("%" PRIu64 " segment%s left as before: damaged, or of a newer version",
		    gone.segments_left, text_s(gone.segments_left));
	return EXIT_ERROR;
}

static int remove_from(const char *path, const struct request *r)
{
	_cleanup_(as_owner_end) struct as_owner owner;
	_cleanup_(store_freep) struct store *s = NULL;
	struct store_opts opts = {.access = r->dry_run ? STORE_READ : STORE_EDIT};
	struct why why = {""};
	int err, code;

	as_owner_begin(&owner, path);
	err = store_open(&s, path, &opts, &why);
	if (err)
		return load_store_failed(err, &why);
	if (load_check_segments(s, path))
		return EXIT_ERROR;
	code = preview(s, r, path);
	if (code != EXIT_OK || r->dry_run)
		return code;
	if (!r->force)
		code = ask();
	return code == EXIT_OK ? remove_range(s, r) : code;
}

static int remove_asked(const struct command *cmd, struct request *r, char **operands, int n)
{
	_cleanup_free_ char *configured = NULL;
	const char *path = n ? operands[0] : NULL;
	int code;

	if (n > 1)
		return usage_error(cmd, "one store at a time");
	if (r->all == load_range_is_set(&r->range))
		return usage_error(cmd,
				   r->all ? "--all leaves nothing to --since, --until and --where"
					  : "say what: --since, --until, --where, or --all");
	if (!r->force && !r->dry_run && !isatty(STDIN_FILENO))
		return usage_error(cmd, "standard input is no terminal to ask on: --force removes "
					"without asking, --dry-run says what");
	code = load_range_times(cmd, &r->range, &r->since_ns, &r->until_ns);
	if (code == EXIT_OK && !path) {
		code = load_configured_store(r->range.config, &configured);
		path = configured;
	}
	return code == EXIT_OK ? remove_from(path, r) : code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct request r = {0};
	int id, n, code;
	char **operands;

	while ((id = options_next(&o)) >= 0)
		handle(&o, id, &r);
	operands = options_operands(&o, &n);
	code = id == OPTIONS_END ? remove_asked(self, &r, operands, n) : options_exit_code(id);
	options_release(&o);
	return code;
}

const struct command command_rm = {
	.name = "rm",
	.summary = "remove what kiln agent has stored, by time and label",
	.synopsis = "[--since TIME] [--until TIME] [--where LABELS] [STORE]",
	.examples =
		"  sudo kiln rm --until 7d                       what is older than a week\n"
		"  sudo kiln rm --since 03:10 --until 03:20 -n   how much would go\n"
		"  sudo kiln rm --where comm=secret --force      a program, without being asked\n",
	.operands = "DIR",
	.options = options,
	.run = run,
};
