// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/range.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/base/when.h"

#define HOUR_NS 3600000000000ll

/* A plus in a query is a space, unless it is written %2B: 2026-11-22T03:10:00+01:00. */
static void restore_plus(char *when)
{
	char *t = strchr(when, 'T'), *space = t ? strchr(t, ' ') : NULL;

	if (space)
		*space = '+';
}

static bool time_of(const struct request *r, const char *key, int64_t now_ns, int64_t *ns,
		    struct answer *a)
{
	const char *text = request_param(r, key);
	char when[64];

	if (!text)
		return true;
	snprintf(when, sizeof(when), "%s", text);
	restore_plus(when);
	if (strlen(text) < sizeof(when) && !when_parse(when, now_ns, ns))
		return true;
	answer_error(a, MHD_HTTP_BAD_REQUEST, "%s: \"%.100s\" is not a time such as %s", key, text,
		     WHEN_EXAMPLES);
	return false;
}

bool range_of(const struct request *r, struct store_query *q, struct answer *a)
{
	int64_t now_ns = unix_ns();

	q->since_ns = now_ns - HOUR_NS;
	q->until_ns = now_ns;
	q->where = request_param(r, "where");
	if (!time_of(r, "since", now_ns, &q->since_ns, a) ||
	    !time_of(r, "until", now_ns, &q->until_ns, a))
		return false;
	if (q->where && strlen(q->where) >= HTTP_MAX_QUERY) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "where: longer than %d bytes",
			     HTTP_MAX_QUERY);
		return false;
	}
	if (q->since_ns >= q->until_ns) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "since is not before until");
		return false;
	}
	return true;
}

bool range_base(const struct request *r, const struct store_query *q, struct store_query *base,
		struct answer *a)
{
	const char *text = request_param(r, "base");
	uint64_t ns = (uint64_t)(q->until_ns - q->since_ns);

	if (!text || (strcmp(text, "before") != 0 && (text_parse_duration_ns(text, &ns) || !ns))) {
		answer_error(a, MHD_HTTP_BAD_REQUEST,
			     "base: before, or how much earlier, such as 1d");
		return false;
	}
	*base = *q;
	if (__builtin_sub_overflow(q->since_ns, (int64_t)ns, &base->since_ns) ||
	    base->since_ns < 0) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "base: it would begin before 1970");
		return false;
	}
	base->until_ns = q->until_ns - (int64_t)ns;
	return true;
}

struct store *range_open(struct server *s, struct answer *a)
{
	struct store_opts opts = {
		.access = STORE_READ,
		.read_until_ns = monotonic_ns() + s->opts.query_ns,
	};
	struct why why = {""};
	struct store *store;
	int err = store_open(&store, s->opts.store_path, &opts, &why);

	if (!err)
		return store;
	answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", why.text);
	return NULL;
}

int range_status(int err)
{
	switch (err) {
	case -EINVAL:
	case -E2BIG:
		return MHD_HTTP_BAD_REQUEST;
	case -ETIME:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static bool query(struct server *s, const struct store_query *q, struct store_result *out,
		  struct answer *a)
{
	struct store *store = range_open(s, a);
	struct why why = {""};
	int err;

	if (!store)
		return false;
	err = store_query(store, q, out, &why);
	store_close(store);
	if (err)
		answer_error(a, range_status(err), "%s", why.text);
	return !err;
}

bool range_query(struct server *s, const struct store_query *q, struct store_result *out,
		 struct answer *a)
{
	bool ok;

	if (!server_begin_query(s, a))
		return false;
	ok = query(s, q, out, a);
	server_end_query(s);
	return ok;
}
