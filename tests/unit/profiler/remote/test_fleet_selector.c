// SPDX-License-Identifier: GPL-2.0-or-later
/* Conditions as Pyroscope and Parca are asked: nothing in a value becomes part of the question. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "profiler/base/log.h"
#include "profiler/remote/fleet_priv.h"

static int translate(const char *text, struct buf *out, struct why *why)
{
	struct upload_target t = {.shown = "pyroscope+http://h:4040"};
	struct fleet f = {.t = &t};
	int err = where_parse_any(&f.where, text, why);

	if (err)
		fail_msg("%s: %s", text, why->text);
	err = fleet_selector(&f, out, why);
	where_free(f.where);
	return err;
}

static void what_is_asked(void **state)
{
	static const struct {
		const char *where, *selector;
	} rows[] = {
		{NULL, "{}"},
		{"", "{}"},
		{"unit=nginx.service", "{unit=\"nginx.service\"}"},
		{"service_name=a,host!=b", "{service_name=\"a\",host!=\"b\"}"},
		{"comm=~cc.*,comm!~x+", "{comm=~\"cc.*\",comm!~\"x+\"}"},
		{"comm=", "{comm=\"\"}"},
		{"comm=\"a,b\"", "{comm=\"a,b\"}"},
		{"comm=\"a\\\"},{b\"", "{comm=\"a\\\"},{b\"}"},
		{"comm=~a\\.b", "{comm=~\"a\\\\.b\"}"},
		{"comm=a\nb\tc", "{comm=\"a\\nb\\tc\"}"},
		{"comm=gr\xc3\xbc\xc3\x9f"
		 "e",
		 "{comm=\"gr\xc3\xbc\xc3\x9f"
		 "e\"}"},
		{"k8s.pod.name=x", "{k8s_pod_name=\"x\"}"},
	};

	(void)state;
	log_set_level(LOG_QUIET);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf out = {0};
		struct why why = {""};

		assert_int_equal(translate(rows[i].where, &out, &why), 0);
		assert_string_equal(buf_cstr(&out), rows[i].selector);
		buf_release(&out);
	}
}

static void what_cannot_be_asked(void **state)
{
	static const struct {
		const char *where, *part;
	} rows[] = {
		{"pid=7", "it keeps no pid"},
		{"comm=x,tid!=7", "it keeps no thread_id"},
		{"comm=a\x01", "the value of comm is no text"},
		{"comm=a\x7f", "the value of comm is no text"},
		{"comm=\xff", "the value of comm is no text"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf out = {0};
		struct why why = {""};

		assert_int_equal(translate(rows[i].where, &out, &why), -EINVAL);
		if (!strstr(why.text, rows[i].part) ||
		    !strstr(why.text, "pyroscope+http://h:4040: --where: "))
			fail_msg("%s", why.text);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked),
		cmocka_unit_test(what_cannot_be_asked),
	};

	return cmocka_run_group_tests_name("fleet_selector", tests, NULL, NULL);
}
