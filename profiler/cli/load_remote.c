// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/load_remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/remote/remote.h"

void remote_question_add(struct remote_question *q, const char *key, const char *value)
{
	q->params[q->n++] = (struct remote_param){key, value};
}

static void add_time(struct remote_question *q, const char *key, char text[32], int64_t ns)
{
	snprintf(text, 32, "@%" PRId64, ns / (int64_t)NS_PER_S);
	remote_question_add(q, key, text);
}

int remote_question_make(const struct command *cmd, const struct load_range *r,
			 struct remote_question *q)
{
	int64_t since_ns, until_ns;
	int code = load_range_times(cmd, r, &since_ns, &until_ns);

	*q = (struct remote_question){0};
	if (code == EXIT_OK && target_args_is_set(&r->target))
		code = usage_error(cmd, "an agent is asked with --token-file alone");
	if (code == EXIT_OK) /* an agent's own default is the last hour */
		add_time(q, "since", q->since, since_ns);
	if (code == EXIT_OK && r->until)
		add_time(q, "until", q->until, until_ns);
	remote_question_add(q, "where", r->where);
	return code;
}

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

int remote_question_ask(const struct load_range *r, const char *path,
			const struct remote_question *q, struct buf *out)
{
	_cleanup_free_ char *token = NULL;
	struct why why = {""};
	struct remote remote = {.url = r->from};
	int err = remote_token(&token, r->target.token_file, &why);

	remote.token = token;
	if (!err && token && remote_is_open(&remote))
		log_warning("the token goes to %s as it is: kiln+https hides it", r->from);
	err = err ?: remote_get(&remote, path, q->params, q->n, out, &why);
	return err ? failed(err, &why) : EXIT_OK;
}

int remote_is_no_kiln(const struct load_range *r, const char *why)
{
	log_error("%s: the answer is %s: is it a kiln agent?", r->from, why);
	return EXIT_ERROR;
}

int load_remote(const struct command *cmd, const struct load_range *r, struct profile **out)
{
	struct buf answer = {0};
	struct profile *p = NULL;
	struct remote_question q;
	const char *why = "no profile";
	int code = remote_question_make(cmd, r, &q);

	if (code == EXIT_OK)
		code = remote_question_ask(r, "/api/v1/profile", &q, &answer);
	if (code == EXIT_OK && import_pprof(&p, answer.data, answer.len, &why))
		code = remote_is_no_kiln(r, why);
	buf_release(&answer);
	if (code != EXIT_OK)
		return code;
	if (!p->samples.len) {
		log_error("%s holds nothing of that", r->from);
		profile_free(p);
		return EXIT_NO_SAMPLES;
	}
	*out = p;
	return EXIT_OK;
}
