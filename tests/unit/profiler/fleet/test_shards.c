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

#include "profiler/clickhouse/ch_schema.h"
#include "profiler/fleet/shards.h"
#include "profiler/net/net.h"
#include "profiler/net/net_answer.h"
#include "profiler/upload/target.h"
#include "tests/lib/fixture.h"
#include "tests/lib/fleet_answers.h"

#define PASSWORD "abc-sec-ret-0123456789"

static long status;
static int code;

static int schema; /* of one that answers */
static const char *suffix;

static void put_hello(struct buf *b)
{
	ch_put_block(b, 2, 1);
	NUMBERS(b, "schema", schema);
	TEXTS(b, "suffix", suffix);
}

/* It says what it was sent. */
int net_fetch(const struct net_request *r, const char *soname, struct net_answer *out)
{
	(void)soname;
	net_answer_init(out);
	out->status = status;
	if (status == 200) {
		put_hello(&out->body);
		return 0;
	}
	out->clickhouse_code = code;
	buf_printf(&out->body, "Code: %d. DB::Exception: you sent %s:%s. (AUTHENTICATION_FAILED)",
		   code, r->auth.user, r->auth.password);
	return 0;
}

/* What was opened. */
static struct shards shards;

static int ask_url(const char *url, struct why *why)
{
	struct upload_target *t = NULL;
	int err;

	*why = (struct why){""};
	fixture_write("secret", PASSWORD "\n");
	fixture_run("chmod 600 secret");
	err = upload_target_new(&t,
				&(struct upload_target_opts){
					.url = url, .username = "me", .password_file = "secret"},
				why);
	if (err)
		fail_msg("%s", why->text);
	err = shards_open(&shards, t, 0, why);
	upload_target_free(t);
	return err;
}

static int ask(struct why *why)
{
	return ask_url("clickhouse+http://h:8123/k", why);
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

/* One server has all of it; each of several is asked for what it has itself, and written to so, too. */
static void tables_are_called_as_the_server_says(void **state)
{
	struct why why;

	(void)state;
	status = 200;
	schema = CH_SCHEMA;
	suffix = "";
	assert_int_equal(ask(&why), 0);
	assert_string_equal(shards.v[0].read, "");
	assert_string_equal(shards.v[0].write, "");
	shards_close(&shards);
	suffix = CH_LOCAL;
	assert_int_equal(ask(&why), 0);
	assert_string_equal(shards.v[0].read, "");
	assert_string_equal(shards.v[0].write, CH_LOCAL);
	shards_close(&shards);
	assert_int_equal(ask_url("clickhouse+http://a:8123,b:8123/k", &why), 0);
	assert_int_equal(shards.n, 2);
	assert_string_equal(shards.v[1].read, CH_LOCAL);
	assert_string_equal(shards.v[1].write, CH_LOCAL);
	shards_close(&shards);
}

/* A part of statements: nothing that a server makes up. And nothing is read that is not understood. */
static void other_tables_are_refused(void **state)
{
	struct why why;

	(void)state;
	status = 200;
	schema = CH_SCHEMA;
	suffix = "; DROP TABLE samples";
	assert_int_equal(ask(&why), -EBADMSG);
	assert_non_null(strstr(why.text, "kiln_schema is not kiln's"));
	suffix = CH_LOCAL "x";
	assert_int_equal(ask(&why), -EBADMSG);
	suffix = "";
	schema = CH_SCHEMA + 1;
	assert_int_equal(ask(&why), -EINVAL);
	assert_non_null(strstr(why.text, "newer kiln"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
		CASE(secrets_are_hidden),
		CASE(tables_are_called_as_the_server_says),
		CASE(other_tables_are_refused),
	};

	return cmocka_run_group_tests_name("shards", tests, NULL, NULL);
}
