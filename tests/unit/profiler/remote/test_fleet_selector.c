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

/* Of Parca: what holds where a label is missing is asked for apart there. */
static void parts_of_what_is_asked(void **state)
{
	static const struct {
		const char *where, *parts[5];
	} rows[] = {
		{NULL, {"{}"}},
		{"comm=a,unit=", {"{comm=\"a\",unit=\"\"}"}},
		{"comm!=a", {"{comm!=\"a\",comm!=\"\"}", "{comm=\"\"}"}},
		{"comm!=a,comm!~b", {"{comm!=\"a\",comm!~\"b\",comm!=\"\"}", "{comm=\"\"}"}},
		{"comm!=a,comm=~.+", {"{comm!=\"a\",comm=~\".+\"}"}},
		{"comm=~.*", {"{comm=~\".*\",comm!=\"\"}", "{comm=\"\"}"}},
		{"comm!=", {"{comm!=\"\"}"}},
		{"comm!=a,host=h,unit!=b",
		 {"{comm!=\"a\",host=\"h\",unit!=\"b\",comm!=\"\",unit!=\"\"}",
		  "{host=\"h\",unit!=\"b\",comm=\"\",unit!=\"\"}",
		  "{comm!=\"a\",host=\"h\",comm!=\"\",unit=\"\"}",
		  "{host=\"h\",comm=\"\",unit=\"\"}"}},
	};
	struct upload_target t = {.shown = "parca+http://h:7070"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fleet f = {.t = &t};
		struct why why = {""};
		unsigned n, wanted = 0;

		while (rows[i].parts[wanted])
			wanted++;
		assert_int_equal(where_parse_any(&f.where, rows[i].where, &why), 0);
		assert_int_equal(fleet_selector_parts(&f, &n, &why), 0);
		assert_int_equal(n, wanted);
		for (unsigned j = 0; j < n; j++) {
			struct buf out = {0};

			assert_int_equal(fleet_selector_part(&f, j, &out, &why), 0);
			assert_string_equal(buf_cstr(&out), rows[i].parts[j]);
			buf_release(&out);
		}
		where_free(f.where);
	}
}

static void too_many_parts(void **state)
{
	struct upload_target t = {.shown = "parca+http://h:7070"};
	struct fleet f = {.t = &t};
	struct why why = {""};
	unsigned n;

	(void)state;
	assert_int_equal(where_parse_any(&f.where, "a!=1,b!=1,c!=1,d!=1,a!=2", &why), 0);
	assert_int_equal(fleet_selector_parts(&f, &n, &why), 0);
	assert_int_equal(n, 16);
	where_free(f.where);
	assert_int_equal(where_parse_any(&f.where, "a!=1,b!=1,c!=1,d!=1,e!=1", &why), 0);
	assert_int_equal(fleet_selector_parts(&f, &n, &why), -EINVAL);
	assert_non_null(strstr(why.text, "at most 4 labels"));
	where_free(f.where);
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
		cmocka_unit_test(parts_of_what_is_asked),
		cmocka_unit_test(too_many_parts),
		cmocka_unit_test(what_cannot_be_asked),
	};

	return cmocka_run_group_tests_name("fleet_selector", tests, NULL, NULL);
}
