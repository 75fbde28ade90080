// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/formats/pprof_read.h"
#include "profiler/http/querier.h"
#include "profiler/profile/table.h"
#include "proto/wire.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define TYPE "\"profileTypeID\":\"process_cpu:cpu:nanoseconds:cpu:nanoseconds\""
#define ALL  "\"start\":\"0\",\"end\":\"1900000000000\""

#define ASK_STORE "store"

struct answer {
	int status;
	struct buf body;
};

static struct answer ask(const char *method, bool json, const void *body, size_t len)
{
	struct store_opts opts = {.access = STORE_READ};
	struct querier_request r = {.method = method, .json = json, .body = body, .len = len};
	struct answer a = {0};

	r.store = open_store(ASK_STORE, &opts);
	a.status = querier_answer(&r, &a.body);
	store_close(r.store);
	return a;
}

static struct answer ask_json(const char *method, const char *json)
{
	return ask(method, true, json, strlen(json));
}

/* A window of two samples: what `comm` of `unit` did. */
static void append(struct store *s, int64_t begin_ns, const char *comm, const char *unit, int64_t n)
{
	struct profile *p = profile_new();
	struct quality q = {.expected = (uint64_t)n, .recorded = (uint64_t)n};
	uint32_t m, set, stack, where[2];

	MUST(profile_init_cpu(p, 10000000));
	m = mapping_id(p, "/bin/x", "", true);
	where[0] = location_id(p, m, 1, "leaf");
	where[1] = location_id(p, m, 2, "main");
	{
		const struct profile_label labels[] = {
			{str_id(p, "comm"), str_id(p, comm), 0, 0},
			{str_id(p, "pid"), PROFILE_NONE, 4000 + n, 0},
			{str_id(p, "service_name"), str_id(p, unit), 0, 0},
		};

		MUST(profile_labelset(p, labels, 3, &set));
	}
	MUST(profile_stack(p, where, 2, &stack));
	MUST(profile_add(p, stack, set, (int64_t[]){n, n * 10000000}));
	MUST(store_append(s, p, &q, begin_ns, 10 * SECOND));
	profile_free(p);
}

static int setup(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE};
	int err = fixture_setup(state);
	struct store *s = open_store(ASK_STORE, &opts);

	append(s, T0, "gcc", "build", 3);
	append(s, T0 + 10 * SECOND, "nginx", "web", 5);
	append(s, T0 + 70 * SECOND, "gcc", "build", 7);
	store_close(s);
	return err;
}

static void assert_says(struct answer r, unsigned status, const char *body)
{
	assert_int_equal(r.status, status);
	assert_string_equal(buf_cstr(&r.body), body);
	buf_release(&r.body);
}

static void test_types(void **state)
{
	struct answer r = ask_json("ProfileTypes", "{" ALL "}");

	(void)state;
	assert_int_equal(r.status, 200);
	assert_non_null(strstr(r.body.data,
			       "{\"ID\":\"process_cpu:cpu:nanoseconds:cpu:nanoseconds\",\"name\":"
			       "\"process_cpu\",\"sampleType\":\"cpu\",\"sampleUnit\":"
			       "\"nanoseconds\",\"periodType\":\"cpu\",\"periodUnit\":"
			       "\"nanoseconds\"}"));
	buf_release(&r.body);
}

static void test_labels(void **state)
{
	(void)state;
	assert_says(ask_json("LabelNames", "{" ALL "}"), 200,
		    "{\"names\":[\"__name__\",\"__period_type__\",\"__period_unit__\","
		    "\"__profile_type__\",\"__type__\",\"__unit__\",\"comm\",\"pid\","
		    "\"service_name\"]}");
	assert_says(ask_json("LabelValues", "{\"name\":\"service_name\"," ALL "}"), 200,
		    "{\"names\":[\"build\",\"web\"]}");
	assert_says(ask_json("LabelValues",
			     "{\"name\":\"comm\",\"matchers\":[\"{service_name=\\\"web\\\"}\"]," ALL
			     "}"),
		    200, "{\"names\":[\"nginx\"]}");
	assert_says(ask_json("LabelValues", "{\"name\":\"pid\"," ALL "}"), 200,
		    "{\"names\":[\"4003\",\"4005\",\"4007\"]}");
	assert_says(ask_json("LabelValues", "{\"name\":\"__name__\"," ALL "}"), 200,
		    "{\"names\":[\"process_cpu\"]}");
	assert_says(ask_json("LabelValues", "{\"name\":\"none\"," ALL "}"), 200, "{}");
	assert_says(ask_json("LabelNames", "{\"start\":1,\"end\":2}"), 200, "{}");
	assert_says(ask_json("LabelValues", "{}"), 400,
		    "{\"code\":\"invalid_argument\",\"message\":\"name: which label?\"}\n");
}

/* The end of a range is part of it, its start, too. */
static void test_times(void **state)
{
	(void)state;
	assert_says(ask_json("LabelValues", "{\"name\":\"comm\",\"start\":1795824010000,\"end\":"
					    "1795824010000}"),
		    200, "{\"names\":[\"nginx\"]}");
	assert_says(ask_json("LabelValues", "{\"name\":\"comm\",\"start\":1795824010001,\"end\":"
					    "1795824069999}"),
		    200, "{}");
	assert_says(ask_json("LabelValues", "{\"name\":\"comm\",\"start\":2,\"end\":1}"), 400,
		    "{\"code\":\"invalid_argument\",\"message\":\"start and end are ms since 1970, "
		    "and start is before end\"}\n");
}

static void test_series(void **state)
{
	(void)state;
	assert_says(ask_json("Series", "{\"matchers\":[\"{__type__=\\\"cpu\\\"}\"],\"labelNames\":["
				       "\"service_name\",\"__type__\"]," ALL "}"),
		    200,
		    "{\"labelsSet\":[{\"labels\":[{\"name\":\"service_name\",\"value\":\"build\"},"
		    "{\"name\":\"__type__\",\"value\":\"cpu\"}]},{\"labels\":[{\"name\":"
		    "\"service_name\",\"value\":\"web\"},{\"name\":\"__type__\",\"value\":\"cpu\"}]"
		    "}]}");
	assert_says(ask_json("Series", "{\"matchers\":[\"{__type__=\\\"memory\\\"}\"]," ALL "}"),
		    200, "{}");
}

static void test_sums_over_time(void **state)
{
	(void)state;
	assert_says(ask_json("SelectSeries",
			     "{" TYPE
			     ",\"step\":60,\"start\":1795824000000,\"end\":1795824100000}"),
		    200,
		    "{\"series\":[{\"points\":[{\"value\":80000000,\"timestamp\":"
		    "\"1795824000000\"},{\"value\":70000000,\"timestamp\":\"1795824060000\"}]}]}");
	assert_says(ask_json("SelectSeries",
			     "{" TYPE ",\"step\":60,\"groupBy\":[\"service_name\"],"
			     "\"limit\":1,\"labelSelector\":\"{comm!~\\\"x.*\\\"}\","
			     "\"start\":1795824000000,\"end\":1795824100000}"),
		    200,
		    "{\"series\":[{\"labels\":[{\"name\":\"service_name\",\"value\":\"build\"}],"
		    "\"points\":[{\"value\":30000000,\"timestamp\":\"1795824000000\"},{\"value\":"
		    "70000000,\"timestamp\":\"1795824060000\"}]}]}");
	assert_says(ask_json("SelectSeries",
			     "{\"profileTypeID\":\"process_cpu:samples:count:cpu:nanoseconds\","
			     "\"step\":86400,\"start\":1795824000000,\"end\":1795824100000}"),
		    200,
		    "{\"series\":[{\"points\":[{\"value\":15,\"timestamp\":"
		    "\"1795824000000\"}]}]}");
	assert_says(ask_json("SelectSeries", "{\"profileTypeID\":\"memory:inuse_space:bytes:space:"
					     "bytes\",\"step\":15," ALL "}"),
		    200, "{}");
}

static void test_flame_graphs(void **state)
{
	(void)state;
	assert_says(
		ask_json("SelectMergeStacktraces",
			 "{" TYPE ",\"labelSelector\":\"{service_name=\\\"build\\\"}\"," ALL
			 ",\"max_nodes\":8192}"),
		200,
		"{\"flamegraph\":{\"names\":[\"total\",\"main\",\"leaf\"],\"levels\":[{\"values\":["
		"\"0\",\"100000000\",\"0\",\"0\"]},{\"values\":[\"0\",\"100000000\",\"0\",\"1\"]},"
		"{\"values\":[\"0\",\"100000000\",\"100000000\",\"2\"]}],\"total\":\"100000000\","
		"\"maxSelf\":\"100000000\"}}");
	/* What is not there is no error. */
	assert_says(ask_json("SelectMergeStacktraces",
			     "{" TYPE ",\"labelSelector\":\"{service_name=\\\"none\\\"}\"," ALL
			     "}"),
		    200, "{\"flamegraph\":{\"names\":[\"total\"]}}");
}

/* Byte for byte what profilecli sends, and a profile back that adds up. */
static void test_protobuf(void **state)
{
	static const char request[] = "\x0a\x2bprocess_cpu:cpu:nanoseconds:cpu:nanoseconds"
				      "\x12\x16"
				      "{service_name=\"build\"}"
				      "\x18"
				      "\x80\xb8\xce\xfb\xa1\x34" /* 1795824000000 */
				      "\x20"
				      "\x80\x95\xaa\xfd\xa1\x34"
				      "\x30\x04"; /* 1795827600000; format 4 */
	const struct answer r = ask("SelectMergeStacktraces", false, request, sizeof(request) - 1);
	struct bytes outer = bytes_of(r.body.data, r.body.len), inner;
	struct buf body = r.body;
	struct wire_field f;
	struct profile *p;
	const char *why;

	(void)state;
	assert_int_equal(r.status, 200);
	assert_true(wire_next(&outer, &f) && f.number == 5);
	inner = f.bytes;
	assert_true(wire_next(&inner, &f) && f.number == 1);
	assert_int_equal(pprof_read(&p, f.bytes.p, bytes_left(&f.bytes), &why), 0);
	assert_int_equal(profile_total(p, 1), 100000000);
	profile_free(p);
	buf_release(&body);
}

static void test_hostile(void **state)
{
	static const char *const bodies[] = {"\xff", "\x0a\xff\xff\xff\xff\x0f", "\x0a\x05x",
					     "\x08\x01\x0b", "\x12\x02{a"};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct answer r = ask("SelectMergeProfile", false, bodies[i], strlen(bodies[i]));

		assert_int_equal(r.status, 400);
		buf_release(&r.body);
	}
	assert_says(ask_json("Nothing", "{}"), 404,
		    "{\"code\":\"not_found\",\"message\":\"there is no method Nothing here\"}\n");
	assert_says(ask_json("SelectMergeStacktraces",
			     "{" TYPE ",\"stackTraceSelector\":{\"callSite\":[{\"name\":\"f\"}]}}"),
		    501,
		    "{\"code\":\"unimplemented\",\"message\":\"stacks cannot be selected here: "
		    "leave call_site out\"}\n");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_types),    CASE(test_labels),		CASE(test_times),
		CASE(test_series),   CASE(test_sums_over_time), CASE(test_flame_graphs),
		CASE(test_protobuf), CASE(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
