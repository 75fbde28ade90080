// SPDX-License-Identifier: GPL-2.0-or-later
/* What is valid, but hardly meant. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
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

static void assert_refused(const char *text, const char *want)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_parse(&c, "k.yaml", text, strlen(text), &errs), -EBADMSG);
	if (!strstr(buf_cstr(&errs.text), want))
		fail_msg("%s", buf_cstr(&errs.text));
	buf_release(&errs.text);
}

/* What a kind of destination cannot do is said when the file is read. */
static void what_a_destination_cannot_do(void **state)
{
	(void)state;
	assert_refused("upload:\n- {name: a, url: 'otlp+http://h', debuginfo: true}\n",
		       "k.yaml:2:3: debuginfo: only Pyroscope and Parca take it");
	assert_refused("upload:\n- {name: a, url: 's3+http://h/b', labels: [comm]}\n",
		       "k.yaml:2:3: labels: only Pyroscope and Parca have series");
	assert_refused("upload:\n- {name: a, url: 'parca+http://h', labels: [a-b]}\n",
		       "labels: \"a-b\" is no name of a label");
	assert_refused("upload:\n- {name: a, url: 'parca+http://h', debuginfo: yes}\n",
		       "debuginfo: \"yes\" is none of false|true|all");
	assert_refused("sampling: {hosts: 101%}\n", "sampling.hosts: ");
}

/* It is what the agent's processes hand each other. */
static void keys_of_destinations_are_printed_and_read_again(void **state)
{
	static const char text[] = "sampling: {hosts: 12.5%}\nupload:\n"
				   "- {name: a, url: 'parca+http://h', labels: [comm, env], "
				   "debuginfo: all}\n- {name: b, url: 'pprof+http://h/x'}\n";
	struct config_errors errs = {0};
	struct config *c = NULL, *again = NULL;
	struct buf b = {0};

	(void)state;
	assert_int_equal(config_parse(&c, "k.yaml", text, strlen(text), &errs), 0);
	config_print(&b, c, true);
	assert_non_null(strstr(buf_cstr(&b), "labels: [comm, env]\n"));
	assert_int_equal(config_parse(&again, "k.yaml", b.data, b.len, &errs), 0);
	assert_int_equal(again->share_ppm, 125000);
	assert_int_equal(again->upload.data[0].debuginfo, DEBUGINFO_ALL);
	assert_int_equal(again->upload.data[0].labels.list.len, 2);
	assert_string_equal(again->upload.data[0].labels.list.data[1], "env");
	assert_int_equal(again->upload.data[1].debuginfo, DEBUGINFO_NONE);
	assert_int_equal(again->upload.data[1].labels.list.len, 0);
	assert_false(CONFIG_DIFFERS(c, again, CONFIG_KEY_upload, CONFIG_KEY_share_ppm));
	buf_release(&b);
	config_free(c);
	config_free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_hosts_need_a_name),
		cmocka_unit_test(what_a_destination_cannot_do),
		cmocka_unit_test(keys_of_destinations_are_printed_and_read_again),
	};

	return cmocka_run_group_tests_name("config_check", tests, NULL, NULL);
}
