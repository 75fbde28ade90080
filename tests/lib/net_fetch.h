/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests and what is expected of their answers, for unit tests. */
#ifndef KILN_TESTS_NET_FETCH_H
#define KILN_TESTS_NET_FETCH_H

#include "profiler/net/net.h"
#include "tests/lib/fixture.h"

static FIXTURE_UNUSED int fetch(const struct net_request *r, struct net_answer *a)
{
	return net_fetch(r, NULL, a);
}

static FIXTURE_UNUSED struct net_request get(const char *url)
{
	return (struct net_request){.method = "GET", .url = url};
}

static FIXTURE_UNUSED void assert_body(struct net_answer *a, const char *wanted)
{
	assert_string_equal(a->why, "");
	assert_int_equal(a->err, 0);
	assert_string_equal(buf_cstr(&a->body), wanted);
}

static FIXTURE_UNUSED void assert_has(struct net_answer *a, const char *part)
{
	if (a->err || !strstr(buf_cstr(&a->body), part))
		fail_msg("\"%s\" is not in: %s%s", part, a->why, buf_cstr(&a->body));
}

#endif
