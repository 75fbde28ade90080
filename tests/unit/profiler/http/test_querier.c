// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/formats/compress.h"
#include "profiler/formats/pprof_read.h"
#include "profiler/http/querier.h"
#include "profiler/profile/table.h"
#include "proto/wire.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define TYPE  "\"profileTypeID\":\"process_cpu:cpu:nanoseconds:cpu:nanoseconds\""
#define ALL   "\"start\":\"0\",\"end\":\"1900000000000\""
#define RANGE "\"start\":1795824000000,\"end\":1795824100000"

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

/* A range holds its start and not its end. */
static void test_times(void **state)
{
	(void)state;
	assert_says(ask_json("LabelValues", "{\"name\":\"comm\",\"start\":1795824010000,\"end\":"
					    "1795824010001}"),
		    200, "{\"names\":[\"nginx\"]}");
	assert_says(ask_json("LabelValues", "{\"name\":\"comm\",\"start\":1795824000000,\"end\":"
					    "1795824010000}"),
		    200, "{\"names\":[\"gcc\"]}");
	assert_says(ask_json("LabelValues", "{\"name\":\"comm\",\"start\":1795824010000,\"end\":"
					    "1795824010000}"),
		    200, "{}");
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
	assert_says(
		ask_json("Nothing", "{}"), 501,
		"{\"code\":\"unimplemented\",\"message\":\"there is no method Nothing here\"}\n");
	assert_says(ask_json("SelectMergeStacktraces",
			     "{" TYPE ",\"stackTraceSelector\":{\"callSite\":[{\"name\":\"f\"}]}}"),
		    501,
		    "{\"code\":\"unimplemented\",\"message\":\"stacks cannot be selected here: "
		    "leave call_site out\"}\n");
}

/* --- messages of the official client ------------------------------------------------------------- */

struct message {
	const char *bytes;
	size_t len;
};
#define MESSAGE(text)                                                                              \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

/* Requests and their answers, as the classes that Pyroscope's own client is built of encode them. */
static const struct exchange {
	const char *method;
	struct message request, answer;
} exchanges[] = {
	{"ProfileTypes", MESSAGE("\010\200\270\316\373\2414\020\240\305\324\373\2414"),
	 MESSAGE("\012^\012+process_cpu:cpu:nanoseconds:cpu:nanoseconds\022"
		 "\013process_cpu\"\003cpu*\013nanoseconds2\003cpu:\013nanosec"
		 "onds\012Z\012)process_cpu:samples:count:cpu:nanoseconds\022"
		 "\013process_cpu\"\007samples*\005count2\003cpu:\013nanosecon"
		 "ds")},
	{"LabelNames",
	 MESSAGE("\012\024{service_name=\"web\"}\020\200\270\316\373\2414\030"
		 "\240\305\324\373\2414"),
	 MESSAGE("\012\010__name__\012\017__period_type__\012\017__period_unit"
		 "__\012\020__profile_type__\012\010__type__\012\010__unit__"
		 "\012\004comm\012\003pid\012\014service_name")},
	{"LabelValues",
	 MESSAGE("\012\014service_name\022!{comm=~\"gcc|nginx\",comm!=\"nginx"
		 "\"}\030\200\270\316\373\2414 \240\305\324\373\2414"),
	 MESSAGE("\012\005build")},
	{"Series",
	 MESSAGE("\012@{__profile_type__=\"process_cpu:cpu:nanoseconds:cpu:nan"
		 "oseconds\"}\022\014service_name\022\004comm\030\200\270\316"
		 "\373\2414 \240\305\324\373\2414"),
	 MESSAGE("\022$\012\025\012\014service_name\022\005build\012\013\012"
		 "\004comm\022\003gcc\022$\012\023\012\014service_name\022\003"
		 "web\012\015\012\004comm\022\005nginx")},
	{"SelectSeries",
	 MESSAGE("\012+process_cpu:cpu:nanoseconds:cpu:nanoseconds\022\002{}"
		 "\030\200\270\316\373\2414 \240\305\324\373\2414*\014service_"
		 "name1\000\000\000\000\000\000.@"),
	 MESSAGE("\012;\012\025\012\014service_name\022\005build\022\020\011"
		 "\000\000\000\0008\234|A\020\200\270\316\373\2414\022\020\011"
		 "\000\000\000\000v\260\220A\020\340\214\322\373\2414\012'\012"
		 "\023\012\014service_name\022\003web\022\020\011\000\000\000"
		 "\000\204\327\207A\020\200\270\316\373\2414")},
	{"SelectMergeStacktraces",
	 MESSAGE("\012+process_cpu:cpu:nanoseconds:cpu:nanoseconds\022\026{ser"
		 "vice_name=\"build\"}\030\200\270\316\373\2414 \240\305\324"
		 "\373\2414(\200\020"),
	 MESSAGE("\012A\012\005total\012\004main\012\004leaf\022\011\012\007"
		 "\000\200\302\327/\000\000\022\011\012\007\000\200\302\327/"
		 "\000\001\022\014\012\012\000\200\302\327/\200\302\327/\002"
		 "\030\200\302\327/ \200\302\327/")},
	{"SelectMergeSpanProfile",
	 MESSAGE("\012+process_cpu:cpu:nanoseconds:cpu:nanoseconds\022\002{}"
		 "\032\0209a517183f26a089d \200\270\316\373\2414(\240\305\324"
		 "\373\24140\200\020"),
	 MESSAGE("\012\007\012\005total")},
};
#define N_EXCHANGES (sizeof(exchanges) / sizeof(*exchanges))

static void test_official_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_EXCHANGES; i++) {
		const struct exchange *e = &exchanges[i];
		struct answer r = ask(e->method, false, e->request.bytes, e->request.len);

		if (r.status != 200 || r.body.len != e->answer.len ||
		    memcmp(r.body.data, e->answer.bytes, r.body.len) != 0)
			fail_msg("%s: %d, %zu bytes", e->method, r.status, r.body.len);
		buf_release(&r.body);
	}
}

/* An error is a JSON object, whatever was asked in. */
static void assert_sane(struct answer r)
{
	assert_true(r.status == 200 || r.status == 400 || r.status == 501);
	if (r.status != 200)
		assert_int_equal(strncmp(buf_cstr(&r.body), "{\"code\":\"", 9), 0);
	buf_release(&r.body);
}

/* Cut at every byte, and with every byte changed. */
static void test_damaged_messages(void **state)
{
	char copy[256];

	(void)state;
	for (size_t i = 0; i < N_EXCHANGES; i++) {
		const struct exchange *e = &exchanges[i];

		assert_true(e->request.len <= sizeof(copy));
		for (size_t n = 0; n < e->request.len; n++) {
			assert_sane(ask(e->method, false, e->request.bytes, n));
			memcpy(copy, e->request.bytes, e->request.len);
			copy[n] ^= (char)(1 + n * 37 % 255);
			assert_sane(ask(e->method, false, copy, e->request.len));
		}
	}
}

static void test_large_requests(void **state)
{
	struct buf b = {0}, gz = {0};

	(void)state;
	for (int i = 0; i < 1 << 20; i++)
		buf_char(&b, '[');
	assert_sane(ask("Series", true, b.data, b.len));
	buf_clear(&b);
	buf_str(&b, "{\"matchers\":[\"\"");
	for (int i = 0; i < 300000; i++)
		buf_str(&b, ",\"\"");
	buf_str(&b, "]}");
	assert_says(
		ask("Series", true, b.data, b.len), 400,
		"{\"code\":\"invalid_argument\",\"message\":\"the request: it is too large\"}\n");
	assert_says(ask_json("Series", "{\"matchers\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
				       "\"\",\"\",\"\",\"\",\"\","
				       "\"\",\"\",\"\",\"\"]}"),
		    400, "{\"code\":\"invalid_argument\",\"message\":\"at most 16 matchers\"}\n");
	buf_clear(&b);
	for (int i = 0; i < 4 << 20; i++)
		buf_char(&b, ' ');
	assert_int_equal(compress_gzip(&gz, b.data, b.len), 0);
	assert_true(gz.len < 1 << 20);
	{
		struct answer r = ask("Series", true, gz.data, gz.len);

		assert_int_equal(r.status, 413);
		buf_release(&r.body);
	}
	buf_release(&b);
	buf_release(&gz);
}

/* --- what is not in samples ---------------------------------------------------------------------- */

#define NO_GRAPH "{\"flamegraph\":{\"names\":[\"total\"]}}"

/* A selector that kiln cannot answer selects nothing; it is not everything. */
static void test_spans_and_ids(void **state)
{
	static const char *const selectors[] = {"spanSelector", "traceIdSelector",
						"profileIdSelector"};
	char json[400];

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(json, sizeof(json), "{" TYPE ",\"%s\":[\"9a517183f26a089d\"]," ALL "}",
			 selectors[i]);
		assert_says(ask_json("SelectMergeStacktraces", json), 200, NO_GRAPH);
		if (i)
			assert_says(ask_json("SelectMergeProfile", json), 200, "{}");
	}
	assert_says(ask_json("SelectMergeSpanProfile", "{" TYPE ",\"labelSelector\":\"{a\"}"), 400,
		    "{\"code\":\"invalid_argument\",\"message\":\"the selector \\\"{a\\\": one of "
		    "= != =~ !~ is missing\"}\n");
}

static void test_groups(void **state)
{
	/* 5: group_by, of a byte that is no UTF-8 */
	static const char request[] = "\012+process_cpu:cpu:nanoseconds:cpu:nanoseconds*\001\377";

	(void)state;
	assert_says(ask_json("SelectSeries",
			     "{" TYPE ",\"step\":86400,\"groupBy\":[\"none\",\"comm\"],"
			     "\"labelSelector\":\"{comm=\\\"gcc\\\"}\"," RANGE "}"),
		    200,
		    "{\"series\":[{\"labels\":[{\"name\":\"comm\",\"value\":\"gcc\"}],\"points\":["
		    "{\"value\":100000000,\"timestamp\":\"1795824000000\"}]}]}");
	assert_says(ask("SelectSeries", false, request, sizeof(request) - 1), 400,
		    "{\"code\":\"invalid_argument\",\"message\":\"group_by: a label's name is not "
		    "UTF-8\"}\n");
	assert_says(
		ask_json("SelectSeries", "{" TYPE ",\"groupBy\":[\"\xff\"]}"), 400,
		"{\"code\":\"invalid_argument\",\"message\":\"the request: it is not UTF-8\"}\n");
}

/* More series than one answer holds are an error, unless a limit says which ones are wanted. */
static void test_many_series(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE};
	struct store *s = open_store(ASK_STORE, &opts);
	struct profile *p = profile_new();
	struct quality q = {.expected = 10001, .recorded = 10001};
	uint32_t m, set, stack, where;

	(void)state;
	MUST(profile_init_cpu(p, 10000000));
	m = mapping_id(p, "/bin/x", "", true);
	where = location_id(p, m, 1, "leaf");
	MUST(profile_stack(p, &where, 1, &stack));
	for (int64_t i = 0; i < 10001; i++) {
		const struct profile_label pid = {str_id(p, "pid"), PROFILE_NONE, 1 + i, 0};

		MUST(profile_labelset(p, &pid, 1, &set));
		MUST(profile_add(p, stack, set, (int64_t[]){i == 77 ? 9 : 1, 10000000}));
	}
	MUST(store_append(s, p, &q, T0 + HOUR, 10 * SECOND));
	profile_free(p);
	store_close(s);
#define MANY                                                                                       \
	"\"profileTypeID\":\"process_cpu:samples:count:cpu:nanoseconds\",\"step\":60,"             \
	"\"groupBy\":[\"pid\"],\"start\":1795827600000,\"end\":1795827610000"
	assert_says(ask_json("SelectSeries", "{" MANY "}"), 400,
		    "{\"code\":\"invalid_argument\",\"message\":\"more than 10000 series: set a "
		    "limit, or group by other labels\"}\n");
	assert_says(ask_json("SelectSeries", "{" MANY ",\"limit\":1}"), 200,
		    "{\"series\":[{\"labels\":[{\"name\":\"pid\",\"value\":\"78\"}],\"points\":[{"
		    "\"value\":9,\"timestamp\":\"1795827600000\"}]}]}");
}

/* --- sums ---------------------------------------------------------------------------------------- */

static int64_t stored_ns(int64_t since_ns, int64_t until_ns)
{
	struct store_opts opts = {.access = STORE_READ};
	const struct store_query q = {.since_ns = since_ns, .until_ns = until_ns};
	struct store *s = open_store(ASK_STORE, &opts);
	struct why why = {""};
	struct store_result result;
	int64_t total;

	MUST(store_query(s, &q, &result, &why));
	total = result.profile->sample_types.len ? profile_total(result.profile, 1) : 0;
	store_result_release(&result);
	store_close(s);
	return total;
}

/* The number behind each `key`, added up. */
static int64_t sum_of(const char *method, const char *more, int64_t start_ms, int64_t end_ms,
		      const char *key)
{
	char json[400];
	struct answer r;
	int64_t sum = 0;

	snprintf(json, sizeof(json), "{" TYPE "%s,\"start\":%" PRId64 ",\"end\":%" PRId64 "}", more,
		 start_ms, end_ms);
	r = ask_json(method, json);
	assert_int_equal(r.status, 200);
	for (const char *at = buf_cstr(&r.body); (at = strstr(at, key));)
		sum += strtoll(at += strlen(key), NULL, 10);
	buf_release(&r.body);
	return sum;
}

/* The sums are the store's, and those of ranges side by side are that of both. */
static void test_sums(void **state)
{
	static const int64_t cuts[] = {0, 1, 9999, 10000, 10001, 60000, 70000, 70001, 100000};
	static const int64_t t0 = T0 / 1000000, end = T0 / 1000000 + 100000;

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		int64_t cut = t0 + cuts[i], left = stored_ns(T0, cut * 1000000);

		assert_int_equal(sum_of("SelectSeries", ",\"step\":1", t0, cut, "\"value\":"),
				 left);
		assert_int_equal(sum_of("SelectSeries", ",\"step\":7,\"groupBy\":[\"pid\"]", t0,
					cut, "[{\"value\":"),
				 left);
		assert_int_equal(sum_of("SelectMergeStacktraces", "", t0, cut, "\"total\":\""),
				 left);
		assert_int_equal(
			left + sum_of("SelectMergeStacktraces", "", cut, end, "\"total\":\""),
			150000000);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_types),
		CASE(test_labels),
		CASE(test_times),
		CASE(test_series),
		CASE(test_sums_over_time),
		CASE(test_flame_graphs),
		CASE(test_protobuf),
		CASE(test_hostile),
		CASE(test_official_messages),
		CASE(test_damaged_messages),
		CASE(test_large_requests),
		CASE(test_spans_and_ids),
		CASE(test_groups),
		CASE(test_many_series),
		CASE(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
