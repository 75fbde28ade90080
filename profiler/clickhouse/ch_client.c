// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/clickhouse/ch_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/clickhouse/ch_codes.h"
#include "profiler/net/net.h"

#define TIMEOUT_MS 60000
#define MAX_TOLD   (64u << 10) /* of an answer that should be empty */
#define READONLY   164

void ch_add_url(struct buf *out, const struct ch_server *s, const char *params)
{
	buf_printf(out, "%s/?wait_end_of_query=1", s->base);
	if (s->database) {
		buf_str(out, "&database=");
		text_add_url(out, s->database);
	}
	if (params)
		buf_printf(out, "&%s", params);
}

/* --- errors --------------------------------------------------------------------------------------- */

static int errno_of(const struct ch_meaning *m)
{
	switch (m->code) {
	case 60:
	case 81:
		return -ENOENT;
	case READONLY:
	case 192:
	case 193:
	case 194:
	case 291:
	case 452:
	case 497:
	case 516:
		return -EACCES;
	default:
		return m->what == CH_AGAIN || m->what == CH_UNSURE ? -EAGAIN : -EINVAL;
	}
}

static int say_code(const struct net_answer *a, int code, struct why *why)
{
	const struct ch_meaning *m = ch_meaning(code);
	struct buf said = {0};
	int err;

	ch_add_said(&said, a);
	err = why_say(why, m ? errno_of(m) : -EINVAL, "ClickHouse, code %d%s%s%s%s", code,
		      said.len ? ": " : "", buf_cstr(&said), m && m->advice ? ": " : "",
		      m && m->advice ? m->advice : "");
	buf_release(&said);
	return err;
}

static int say_status(const struct net_answer *a, struct why *why)
{
	if (a->status == 401 || a->status == 403)
		return why_say(why, -EACCES, "status %ld: set username and password_file",
			       a->status);
	if (a->status == 502 || a->status == 503 || a->status == 504)
		return why_say(why, -EAGAIN, "status %ld: the server is not there, or is busy",
			       a->status);
	return why_say(why, -EBADMSG, "status %ld, as no ClickHouse answers: check the URL",
		       a->status);
}

/* 0: it is what was asked for. */
static int judge(const struct net_answer *a, bool is_text, int *code, struct why *why)
{
	bool is_good = !a->err && a->status >= 200 && a->status < 300;

	if (a->err)
		return why_say(why, a->err, "%s", a->why);
	*code = ch_code_of(a, is_text || !is_good);
	if (*code)
		return say_code(a, *code, why);
	return is_good ? 0 : say_status(a, why);
}

/* Proxies and servers may say what they were sent. */
static int cleaned(const struct ch_server *s, int err, struct why *why)
{
	if (err && s->hide_secrets)
		s->hide_secrets(s->target, why);
	return err;
}

/* --- requests ------------------------------------------------------------------------------------- */

static int post(const struct ch_server *s, const char *params, const char *sql, size_t max_bytes,
		struct net_answer *out)
{
	struct buf url = {0};
	struct net_request r = {
		.method = "POST",
		.body = sql,
		.len = strlen(sql),
		.headers = s->headers,
		.proxy = s->proxy,
		.auth = s->auth,
		.tls = s->tls,
		.total_ms = s->timeout_ms ?: TIMEOUT_MS,
		.stall_ms = s->timeout_ms ?: TIMEOUT_MS,
		.max_bytes = max_bytes,
	};
	int err;

	ch_add_url(&url, s, params);
	r.url = buf_cstr(&url);
	err = url.err ?: net_fetch(&r, NULL, out);
	buf_release(&url);
	return err;
}

static int ask_once(const struct ch_server *s, const char *sql, const char *params,
		    struct ch_answer *out, struct why *why)
{
	struct net_answer a = {0};
	int err = post(s, params, sql, s->max_bytes ?: CH_MAX_BYTES, &a), code = 0;

	if (err == -ENOMEM)
		why_say(why, err, "out of memory");
	else
		err = judge(&a, false, &code, why);
	err = err ?: ch_answer_parse(out, &a.body, why);
	/* An exception may stand behind data. */
	if (err == -EBADMSG && !code) {
		struct net_answer whole = {.body = out->body.len ? out->body : a.body};

		code = ch_code_of(&whole, true);
		err = code ? say_code(&whole, code, why) : err;
	}
	if (err)
		ch_answer_release(out);
	out->code = code;
	net_answer_release(&a);
	return err;
}

int ch_ask(const struct ch_server *s, const char *sql, struct ch_answer *out, struct why *why)
{
	struct buf text = {0};
	int err;

	*out = (struct ch_answer){0};
	buf_printf(&text, "%s\nFORMAT Native", sql);
	if (text.err) {
		buf_release(&text);
		return why_say(why, -ENOMEM, "out of memory");
	}
	err = ask_once(s, buf_cstr(&text), "readonly=1", out, why);
	/* A user who may only read may not say so. */
	if (out->code == READONLY)
		err = ask_once(s, buf_cstr(&text), NULL, out, why);
	buf_release(&text);
	return cleaned(s, err, why);
}

int ch_tell(const struct ch_server *s, const char *sql, int *code, struct why *why)
{
	struct net_answer a = {0};
	int err = post(s, NULL, sql, MAX_TOLD, &a), found = 0;

	if (err == -ENOMEM)
		why_say(why, err, "out of memory");
	else
		err = judge(&a, true, &found, why);
	if (code)
		*code = found;
	net_answer_release(&a);
	return cleaned(s, err, why);
}
