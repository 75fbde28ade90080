// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of an agent's errors: net.h is played here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "profiler/net/net.h"
#include "profiler/net/net_answer.h"
#include "profiler/remote/remote.h"

static const char *body;

int net_fetch(const struct net_request *r, const char *soname, struct net_answer *out)
{
	(void)soname;
	assert_string_equal(r->auth.bearer, "abc-sec-ret-0123456789");
	net_answer_init(out);
	out->status = 400;
	buf_str(&out->body, body);
	return 0;
}

static void expect(const char *answer, const char *text)
{
	struct remote r = {.url = "kiln+http://h", .token = "abc-sec-ret-0123456789"};
	struct why why = {""};
	struct buf out = {0};

	body = answer;
	assert_int_equal(remote_get(&r, "/api/v1/list", NULL, 0, &out, &why), -EINVAL);
	assert_string_equal(why.text, text);
	buf_release(&out);
}

static void what_it_says(void **state)
{
	(void)state;
	expect("{\"error\": \"since: no time\"}", "kiln+http://h: since: no time");
	expect("<html>", "kiln+http://h: it does not understand the question");
	expect("{\"error\": \"not Bearer abc-sec-ret-0123456789\"}",
	       "kiln+http://h: it does not understand the question");
}

static void a_token_goes_in_the_clear_to_other_machines(void **state)
{
	static const char *const here[] = {"kiln+http://localhost:7676", "kiln+http://localhost",
					   "kiln+http://127.0.0.1/",	 "kiln+http://127.8.0.1:1",
					   "kiln+http://[::1]:7676",	 "kiln+unix:/run/kiln.sock",
					   "kiln+https://example.org"};
	static const char *const away[] = {
		"kiln+http://localhost.example:7676", "kiln+http://127.0.0.1.example",
		"kiln+http://127.example", "kiln+http://10.0.0.1", "kiln+http://[::2]"};

	(void)state;
	for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++)
		assert_false(remote_is_open(&(struct remote){.url = here[i]}));
	for (size_t i = 0; i < sizeof(away) / sizeof(*away); i++)
		assert_true(remote_is_open(&(struct remote){.url = away[i]}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(a_token_goes_in_the_clear_to_other_machines),
	};

	return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
