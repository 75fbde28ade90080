// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "profiler/http/proto_json.h"
#include "proto/querier.pb-c.h"

static int parse(const ProtobufCMessageDescriptor *d, const char *json, struct buf *wire)
{
	const char *why = NULL;
	int err = proto_from_json(wire, d, json, strlen(json), &why);

	if (err == -EINVAL)
		assert_non_null(why);
	return err;
}

static void test_requests(void **state)
{
	static const char *const forms[] = {
		"{\"profileTypeID\":\"a:b:c:d:e\",\"labelSelector\":\"{}\",\"start\":\"12\","
		"\"end\":"
		"\"-9223372036854775808\",\"groupBy\":[\"x\",\"\\u00e9\"],\"step\":1.5,\"limit\":"
		"7}",
		" { \"profile_typeID\" : \"a:b:c:d:e\" , \"label_selector\" : \"{}\", \"start\": "
		"12,"
		"\"end\":-9223372036854775808, \"group_by\":[\"x\",\"\xc3\xa9\"],\"step\":\"1.5\","
		"\"limit\":\"7\", \"unknown\": {\"a\": [1, {}]}, \"aggregation\": null}",
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct buf wire = {0};
		Querier__SelectSeriesRequest *r;

		assert_int_equal(
			parse(&querier__select_series_request__descriptor, forms[i], &wire), 0);
		r = querier__select_series_request__unpack(NULL, wire.len, (void *)wire.data);
		assert_non_null(r);
		assert_string_equal(r->profile_typeid, "a:b:c:d:e");
		assert_int_equal(r->start, 12);
		assert_true(r->end == INT64_MIN);
		assert_int_equal(r->n_group_by, 2);
		assert_string_equal(r->group_by[1], "\xc3\xa9");
		assert_true(r->step == 1.5);
		assert_int_equal(r->limit, 7);
		querier__select_series_request__free_unpacked(r, NULL);
		buf_release(&wire);
	}
}

static void test_nested_and_enums(void **state)
{
	static const char json[] =
		"{\"format\":\"PROFILE_FORMAT_PPROF\",\"stackTraceSelector\":{\"callSite\":"
		"[{\"name\":\"main\"},{\"name\":\"f\"}]}}";
	Querier__SelectMergeStacktracesRequest *r;
	struct buf wire = {0};

	(void)state;
	assert_int_equal(parse(&querier__select_merge_stacktraces_request__descriptor, json, &wire),
			 0);
	r = querier__select_merge_stacktraces_request__unpack(NULL, wire.len, (void *)wire.data);
	assert_non_null(r);
	assert_int_equal(r->format, 4);
	assert_int_equal(r->stack_trace_selector->n_call_site, 2);
	assert_string_equal(r->stack_trace_selector->call_site[1]->name, "f");
	querier__select_merge_stacktraces_request__free_unpacked(r, NULL);
	buf_release(&wire);
}

static void test_hostile_requests(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]]",
		"\"a\"",
		"[1]",
		"{\"start\":1}x",
		"{\"start\":1",
		"{\"start\":\"\"}",
		"{\"start\":\" 1\"}",
		"{\"start\":1.5}",
		"{\"start\":1e3}",
		"{\"start\":true}",
		"{\"start\":9223372036854775808}",
		"{\"start\":[1]}",
		"{\"start\":{\"a\":1}}",
		"{\"step\":\"nan\"}",
		"{\"step\":1e999}",
		"{\"step\":\"0x\"}",
		"{\"groupBy\":\"x\"}",
		"{\"groupBy\":[1]}",
		"{\"groupBy\":[[\"x\"]]}",
		"{\"labelSelector\":7}",
		"{\"aggregation\":4294967296}",
		"{\"stackTraceSelector\":1}",
		"{\"start\":11111111111111111111111111111111111111111111111111111111111111111111}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct buf wire = {0};

		if (parse(&querier__select_series_request__descriptor, bad[i], &wire) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		buf_release(&wire);
	}
}

static void test_replies(void **state)
{
	Querier__Level level = QUERIER__LEVEL__INIT, *levels[] = {&level};
	Querier__FlameGraph graph = QUERIER__FLAME_GRAPH__INIT;
	Querier__SelectMergeStacktracesResponse reply =
		QUERIER__SELECT_MERGE_STACKTRACES_RESPONSE__INIT;
	char *names[] = {"total", "<script>\"\\"};
	int64_t values[] = {0, INT64_MAX, -1};
	struct buf out = {0};

	(void)state;
	level.values = values;
	level.n_values = 3;
	graph.levels = levels;
	graph.n_levels = 1;
	graph.names = names;
	graph.n_names = 2;
	graph.total = 5;
	reply.flamegraph = &graph;
	assert_int_equal(proto_to_json(&out, &reply.base), 0);
	assert_string_equal(
		buf_cstr(&out),
		"{\"flamegraph\":{\"names\":[\"total\",\"\\u003cscript\\u003e\\\"\\\\\"],"
		"\"levels\":[{\"values\":[\"0\",\"9223372036854775807\",\"-1\"]}],"
		"\"total\":\"5\"}}");
	buf_release(&out);
}

static void test_points(void **state)
{
	Querier__Point p = QUERIER__POINT__INIT;
	struct buf out = {0};

	(void)state;
	p.value = 5999999892.0;
	p.timestamp = 1795843050000;
	assert_int_equal(proto_to_json(&out, &p.base), 0);
	assert_string_equal(buf_cstr(&out),
			    "{\"value\":5999999892,\"timestamp\":\"1795843050000\"}");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),	 cmocka_unit_test(test_nested_and_enums),
		cmocka_unit_test(test_hostile_requests), cmocka_unit_test(test_replies),
		cmocka_unit_test(test_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
