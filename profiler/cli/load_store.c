// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/load_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/when.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/store/as_owner.h"
#include "profiler/store/list.h"
#include "profiler/store/query.h"
#include "profiler/store/where_note.h"

DEFINE_CLEANUP(store, store_close)

void load_range_set(struct load_range *r, int which, const char *value)
{
	const char **members[] = {&r->since, &r->until, &r->where, &r->from};
	int n = sizeof(members) / sizeof(*members);

	if (which < n)
		*members[which] = value;
	else
		target_args_set(&r->target, which - n, value);
}

bool load_range_is_set(const struct load_range *r)
{
	return r->since || r->until || r->where;
}

int load_configured_store(const char *config, char **path)
{
	struct config_inputs in = {.path = config, .env = environ};
	struct config_errors errs = {0};
	struct config *c = NULL;
	int err = config_load(&c, &in, &errs);

	if (!err) {
		*path = strdup(c->store_path);
		err = *path ? 0 : -ENOMEM;
	}
	if (err)
		log_error("%s", errs.n ? buf_cstr(&errs.text) : strerror(-err));
	config_free(c);
	buf_release(&errs.text);
	return err ? EXIT_ERROR : EXIT_OK;
}

static int parse_when(const struct command *cmd, const char *option, const char *text,
		      int64_t now_ns, int64_t *ns)
{
	if (!text || !when_parse(text, now_ns, ns))
		return EXIT_OK;
	return usage_error(cmd, "%s: \"%s\" is not a time such as %s", option, text, WHEN_EXAMPLES);
}

int load_range_times(const struct command *cmd, const struct load_range *r, int64_t *since_ns,
		     int64_t *until_ns)
{
	int64_t now_ns = unix_ns();
	int code;

	*since_ns = STORE_BEGIN;
	*until_ns = STORE_END;
	code = parse_when(cmd, "--since", r->since, now_ns, since_ns);
	if (code == EXIT_OK)
		code = parse_when(cmd, "--until", r->until, now_ns, until_ns);
	if (code == EXIT_OK && *since_ns >= *until_ns)
		code = usage_error(cmd, "--since is not before --until");
	return code;
}

int load_store_failed(int err, const struct why *why)
{
	log_error("%s", why->text);
	if (err == -EACCES || err == -EPERM)
		return EXIT_NOT_PERMITTED;
	return err == -EINVAL ? EXIT_USAGE : EXIT_ERROR;
}

void load_store_note(struct store *s, const struct store_query *q)
{
	struct buf note = {0};

	if (!store_where_note(s, q, &note) && note.len)
		log_warning("--where: %s", buf_cstr(&note));
	buf_release(&note);
}

/* What could not be read is said, and the rest is the answer. */
static void warn_of_damage(const char *path, const struct store_result *r)
{
	if (r->segments_newer)
		log_warning("%s: %" PRIu64 " segments are of a newer version of kiln", path,
			    r->segments_newer);
	if (r->segments_damaged || r->rows_damaged || r->windows_damaged || r->pieces_damaged)
		log_warning("%s is damaged: %" PRIu64 " segments cannot be read, and parts of "
			    "others are missing",
			    path, r->segments_damaged);
}

int load_check_segments(struct store *s, const char *path)
{
	struct store_files files = {0};
	int err = store_files(s, &files);
	size_t n = files.v.len;

	store_files_release(&files);
	if (!err && n)
		return EXIT_OK;
	log_error("%s: %s", path, err ? strerror(-err) : "no store, or nothing is stored yet");
	return EXIT_ERROR;
}

static int query(const char *path, const struct store_query *q, struct store_result *result)
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
	err = err ?: store_query(s, q, result, &why);
	if (!err)
		load_store_note(s, q);
	return err ? load_store_failed(err, &why) : EXIT_OK;
}

int load_store(const struct command *cmd, const char *path, const struct load_range *r,
	       struct profile **out)
{
	struct store_result result = {0};
	struct store_query q = {.where = r->where, .without_labels = r->without};
	int code = load_range_times(cmd, r, &q.since_ns, &q.until_ns), err;

	if (code != EXIT_OK)
		return code;
	code = query(path, &q, &result);
	if (code != EXIT_OK)
		return code;
	warn_of_damage(path, &result);
	err = quality_store(result.profile, &result.quality);
	if (err) {
		log_error("%s: %s", path, strerror(-err));
		code = EXIT_ERROR;
	} else if (!result.windows) {
		log_error("%s holds nothing of that", path);
		code = EXIT_NO_SAMPLES;
	} else {
		*out = steal_ptr(result.profile);
	}
	store_result_release(&result);
	return code;
}
