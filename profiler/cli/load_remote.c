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

#define MAX_PARAMS 8

/* Times as numbers: the other host may be of another zone, and its clock another one. */
struct question {
	char since[32], until[32];
	struct remote_param params[MAX_PARAMS];
	size_t n;
};

static void add_param(struct question *q, const char *key, const char *value)
{
	q->params[q->n++] = (struct remote_param){key, value};
}

static void add_time(struct question *q, const char *key, char text[32], int64_t ns)
{
	snprintf(text, 32, "@%" PRId64, ns / (int64_t)NS_PER_S);
	add_param(q, key, text);
}

static int make_question(const struct command *cmd, const struct load_range *r, struct question *q)
{
	int64_t since_ns, until_ns;
	int code = load_range_times(cmd, r, &since_ns, &until_ns);

	*q = (struct question){0};
	if (code == EXIT_OK && r->since)
		add_time(q, "since", q->since, since_ns);
	if (code == EXIT_OK && r->until)
		add_time(q, "until", q->until, until_ns);
	add_param(q, "where", r->where);
	return code;
}

static int failed(int err, const struct remote_why *why)
{
	log_error("%s", *why->text ? why->text : strerror(-err));
	return err == -EINVAL ? EXIT_USAGE : err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_ERROR;
}

static int get(const struct load_range *r, const char *path, const struct question *q,
	       struct buf *out)
{
	_cleanup_free_ char *token = NULL;
	struct remote_why why = {""};
	struct remote remote = {.url = r->from};
	int err = remote_token(&token, r->token_file, &why);

	remote.token = token;
	if (!err && token && remote_is_open(&remote))
		log_warning("the token goes to %s as it is: kiln+https hides it", r->from);
	err = err ?: remote_get(&remote, path, q->params, q->n, out, &why);
	return err ? failed(err, &why) : EXIT_OK;
}

static int no_kiln(const struct load_range *r, const char *why)
{
	log_error("%s: the answer is %s: is it a kiln agent?", r->from, why);
	return EXIT_ERROR;
}

int load_remote(const struct command *cmd, const struct load_range *r, struct profile **out)
{
	struct buf answer = {0};
	struct profile *p = NULL;
	struct question q;
	const char *why = "no profile";
	int code = make_question(cmd, r, &q);

	if (code == EXIT_OK)
		code = get(r, "/api/v1/profile", &q, &answer);
	if (code == EXIT_OK && import_pprof(&p, answer.data, answer.len, &why))
		code = no_kiln(r, why);
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

static const char *by_word(enum overview_by by, char word[32])
{
	const char *at = OVERVIEW_BY_WORDS;

	for (int i = 0; i < (int)by; i++)
		at = strchr(at, '|') + 1;
	snprintf(word, 32, "%.*s", (int)strcspn(at, "|"), at);
	return word;
}

int load_remote_list(const struct command *cmd, const struct load_range *r, enum overview_by by,
		     const char *step, struct overview *out)
{
	struct buf answer = {0};
	struct question q;
	char word[32];
	int code = make_question(cmd, r, &q), err;

	add_param(&q, "by", by_word(by, word));
	add_param(&q, "step", step);
	if (code == EXIT_OK)
		code = get(r, "/api/v1/list", &q, &answer);
	if (code == EXIT_OK) {
		err = overview_parse(out, answer.data, answer.len);
		code = err ? no_kiln(r, err == -ENOMEM ? "too large" : "no list") : EXIT_OK;
	}
	buf_release(&answer);
	return code;
}
