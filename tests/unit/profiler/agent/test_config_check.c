// SPDX-License-Identifier: GPL-2.0-or-later
/* What is valid, but hardly meant. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/agent/config.h"
#include "profiler/base/buf.h"

static void assert_warned(const char *http, const char *part)
{
	struct config_errors errs = {0};
	struct config *c = NULL;
	struct buf b = {0};

	if (config_parse(&c, "k.yaml", http, strlen(http), &errs))
		fail_msg("refused: %s", buf_cstr(&errs.text));
	config_warn(&b, c);
	if (part)
		assert_non_null(strstr(buf_cstr(&b), part));
	else
		assert_int_equal(b.len, 0);
	buf_release(&b);
	config_free(c);
}

/* Valid, but nobody gets an answer. */
static void other_hosts_need_a_name(void **state)
{
	(void)state;
	assert_warned("http: {listen: '0.0.0.0:7676', token_file: /t, tls: {proxy: true}}\n",
		      "http.hosts is empty: other hosts can reach 0.0.0.0:7676");
	assert_warned("http: {listen: '0.0.0.0:7676', token_file: /t, tls: {proxy: true}, "
		      "hosts: [a]}\n",
		      NULL);
	assert_warned("http: {listen: '[::1]:7676'}\n", NULL);
	assert_warned("http: {listen: off}\n", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_hosts_need_a_name),
	};

	return cmocka_run_group_tests_name("config_check", tests, NULL, NULL);
}
