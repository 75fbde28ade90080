// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/push_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/cli/load.h"
#include "profiler/profile/quality.h"
#include "profiler/store/begins.h"
#include "profiler/store/query.h"

DEFINE_CLEANUP(store, store_close)

/* --- stores --------------------------------------------------------------------------------------- */

static void make_name(char *out, size_t size, const char *path, int64_t begin_ns)
{
	time_t seconds = (time_t)(begin_ns / (int64_t)NS_PER_S);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(out, size, "%s, window of %s", path, when);
}

/* The windows that begin then: one, unless writers were two. */
static int send_window(struct push_source *s, struct store *store, const char *path,
		       int64_t begin_ns)
{
	const struct store_query q = {
		.since_ns = begin_ns, .until_ns = begin_ns + 1, .where = s->range->where};
	struct store_result r = {0};
	struct why why = {""};
	char name[512];
	int err = store_query(store, &q, &r, &why), code = EXIT_OK;

	if (err)
		return load_store_failed(err, &why);
	make_name(name, sizeof(name), path, begin_ns);
	err = quality_store(r.profile, &r.quality);
	if (err) {
		log_error("%s: %s", name, strerror(-err));
		code = EXIT_ERROR;
	} else if (r.windows && r.profile->samples.len) {
		code = s->take(s->ctx, steal_ptr(r.profile), name);
	} else {
		s->windows--; /* gone meanwhile, or nothing of what is wanted */
	}
	store_result_release(&r);
	return code;
}

static int send_windows(struct push_source *s, struct store *store, const char *path)
{
	struct store_begins begins;
	uint64_t before = s->windows;
	int64_t since_ns, until_ns;
	int code = load_range_times(s->cmd, s->range, &since_ns, &until_ns), err;

	if (code != EXIT_OK)
		return code;
	err = store_begins(store, since_ns, until_ns, &begins);
	if (err) {
		log_error("%s: %s", path, strerror(-err));
		return EXIT_ERROR;
	}
	if (!begins.v.len) {
		log_error("%s holds nothing of that", path);
		code = EXIT_NO_SAMPLES;
	}
	s->windows += begins.v.len;
	for (size_t i = 0; i < begins.v.len && code == EXIT_OK; i++)
		code = send_window(s, store, path, begins.v.data[i]);
	if (code == EXIT_OK && s->windows == before) { /* of none were there samples */
		log_error("%s holds nothing of that", path);
		code = EXIT_NO_SAMPLES;
	}
	store_begins_release(&begins);
	return code;
}

static int send_store(struct push_source *s, const char *path)
{
	_cleanup_(store_freep) struct store *store = NULL;
	struct store_opts opts = {.access = STORE_READ};
	struct profile *p = NULL;
	struct why why = {""};
	int err, code;

	if (s->merge) {
		code = load_store(s->cmd, path, s->range, &p);
		s->windows++;
		return code == EXIT_OK ? s->take(s->ctx, p, path) : code;
	}
	err = store_open(&store, path, &opts, &why);
	return err ? load_store_failed(err, &why) : send_windows(s, store, path);
}

/* --- files ---------------------------------------------------------------------------------------- */

/* A file without a time is of when it was written: the same each time it is sent. */
static void date(struct profile *p, const char *path)
{
	struct stat st;

	if (p->time_ns > 0)
		return;
	p->time_ns = unix_ns();
	if (strcmp(path, "-") && !stat(path, &st))
		p->time_ns = (int64_t)st.st_mtim.tv_sec * (int64_t)NS_PER_S + st.st_mtim.tv_nsec;
	if (p->duration_ns > 0 && p->duration_ns < p->time_ns)
		p->time_ns -= p->duration_ns;
}

static int send_file(struct push_source *s, const char *path)
{
	char *const paths[] = {(char *)path, NULL};
	struct profile *p = NULL;
	int code = load_profiles(s->cmd, paths, 1, s->range, &p);

	if (code != EXIT_OK)
		return code;
	s->windows++;
	date(p, path);
	return s->take(s->ctx, p, strcmp(path, "-") ? path : "standard input");
}

int push_source_run(struct push_source *s)
{
	int code = EXIT_OK;

	for (int i = 0; i < s->n && code == EXIT_OK; i++) {
		struct stat st;

		if (!stat(s->paths[i], &st) && S_ISDIR(st.st_mode))
			code = send_store(s, s->paths[i]);
		else
			code = send_file(s, s->paths[i]);
	}
	return code;
}
