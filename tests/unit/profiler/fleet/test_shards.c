// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said of servers that do not answer as they should: net.h is played here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/fleet/shards.h"
#include "profiler/net/net.h"
#include "profiler/net/net_answer.h"
#include "profiler/upload/target.h"
#include "tests/lib/fixture.h"

#define PASSWORD "abc-sec-ret-0123456789"

static long status;
static int code;

/* It says what it was sent. */
int net_fetch(const struct net_request *r, const char *soname, struct net_answer *out)
{
	(void)soname;
	net_answer_init(out);
	out->status = status;
	out->clickhouse_code = code;
	buf_printf(&out->body, "Code: %d. DB::Exception: you sent %s:%s. (AUTHENTICATION_FAILED)",
		   code, r->auth.user, r->auth.password);
	return 0;
}

static int ask(struct why *why)
{
	struct upload_target *t = NULL;
	struct shards shards;
	int err;

	*why = (struct why){""};
	fixture_write("secret", PASSWORD "\n");
	fixture_run("chmod 600 secret");
	err = upload_target_new(&t,
				&(struct upload_target_opts){.url = "clickhouse+http://h:8123/k",
							     .username = "me",
							     .password_file = "secret"},
				why);
	if (err)
		fail_msg("%s", why->text);
	err = shards_open(&shards, t, 0, why);
	if (!err)
		shards_close(&shards);
	upload_target_free(t);
	return err;
}

static void secrets_are_hidden(void **state)
{
	struct why why;

	(void)state;
	status = 500;
	code = 516; /* the password is wrong */
	assert_int_equal(ask(&why), -EACCES);
	assert_null(strstr(why.text, "sec-ret"));
	assert_non_null(strstr(why.text, "you sent me:<redacted>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(secrets_are_hidden, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests_name("shards", tests, NULL, NULL);
}
