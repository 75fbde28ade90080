// SPDX-License-Identifier: GPL-2.0-or-later
/* Which keys of two configurations differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/agent/config.h"
#include "profiler/base/buf.h"

static void assert_changes(const char *before, const char *after, const char *wanted)
{
	struct config *a, *b;
	struct config_errors errs = {0};
	struct buf got = {0};

	assert_int_equal(config_parse(&a, "a", before, strlen(before), &errs), 0);
	assert_int_equal(config_parse(&b, "b", after, strlen(after), &errs), 0);
	config_changes(&got, a, b);
	assert_string_equal(buf_cstr(&got), wanted);
	buf_release(&got);
	config_free(a);
	config_free(b);
}

static void changes(void **state)
{
#define UPLOAD(token) "upload: [{name: a, url: otlp+http://h, headers: {X-Key: " token "}}]\n"
	(void)state;
	assert_changes("", "", "");
	assert_changes("", "window: 10000ms\n", ""); /* as it was */
	assert_changes("window: 1s\n", "store: {max_size: 1GiB}\n", "window, store.max_size");
	assert_changes("http: {hosts: [a]}\n", "http: {hosts: [a, b]}\n", "http.hosts");
	assert_changes("labels: {a: b}\n", "relabel: [{action: drop, source: comm, regex: x}]\n",
		       "labels, relabel");
	assert_changes(UPLOAD("one"), UPLOAD("one"), "");
	assert_changes(UPLOAD("one"), UPLOAD("two"), "upload");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
