// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows as files: names of objects, templates of URLs, and both sent to a server that says what it got. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/formats/export.h"
#include "profiler/profile/table.h"
#include "profiler/upload/target.h"
#include "tests/lib/net_server.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static char *keys_env[] = {"AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=env-secret",
			   "AWS_REGION=eu-west-1", NULL};

static struct upload_target *target(const char *url)
{
	const struct upload_target_opts o = {.url = url, .env = keys_env};
	struct upload_target *t = NULL;
	struct why why = {""};

	if (upload_target_new(&t, &o, &why))
		fail_msg("%s: %s", url, why.text);
	return t;
}

/* 2026-11-28T08:20:00.123Z, for ten seconds. */
static struct profile *window(void)
{
	struct profile *p = profile_new();
	uint32_t location, stack, labelset;

	assert_non_null(p);
	MUST(profile_init_cpu(p, 10000000));
	location = location_id(p, mapping_id(p, "/bin/prog", "ab", true), 0x1234, "main");
	MUST(profile_stack(p, &location, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &labelset));
	MUST(profile_add(p, stack, labelset, (int64_t[]){42, 420000000}));
	p->time_ns = 1795854000123456789;
	p->duration_ns = 10000000000;
	return p;
}

static void assert_packed(const char *url, const char *host, const char *method, const char *wanted)
{
	struct profile *p = window(), *again = NULL;
	struct upload_item item = {.profile = p, .host = host, .id = {0xab, 0x0123456789abcdef}};
	struct upload_target *t = target(url);
	struct upload_requests r = {0};
	struct why why = {""};
	const char *bad;

	assert_int_equal(t->kind->pack(t, &item, &r, &why), 0);
	assert_int_equal(r.v.len, 1);
	assert_string_equal(r.v.data[0].url, wanted);
	assert_string_equal(r.v.data[0].method, method);
	assert_int_equal(r.v.data[0].samples, 42);
	assert_int_equal(r.v.data[0].is_signed, !strncmp(url, "s3", 2));
	assert_int_equal(r.v.data[0].headers.len, 1);
	assert_string_equal(r.v.data[0].headers.data[0], "Content-Type: application/octet-stream");
	assert_int_equal(import_pprof(&again, r.v.data[0].body.data, r.v.data[0].body.len, &bad),
			 0);
	assert_int_equal(profile_total(again, 1), 420000000);
	assert_int_equal(again->time_ns, p->time_ns);
	assert_memory_equal(r.v.data[0].body.data, "\x1f\x8b", 2);
	upload_requests_release(&r);
	profile_free(again);
	profile_free(p);
	upload_target_free(t);
}

TEST(names_of_objects)
{
#define NAME "2026/11/28/082000.123Z-00000000000000ab0123456789abcdef.pb.gz"
	assert_packed("s3+http://h:9000/bucket", "node-1.example", "PUT",
		      "http://h:9000/bucket/node-1.example/" NAME);
	assert_packed("s3+https://h/bucket/", "n", "PUT", "https://h/bucket/n/" NAME);
	assert_packed("s3+https://h/bucket/a/b/", "n", "PUT", "https://h/bucket/a/b/n/" NAME);
	assert_packed("s3+https://h/bucket/a", "../x y\xc3\xa4", "PUT",
		      "https://h/bucket/a/_._x_y__/" NAME);
	assert_packed("s3+https://h/bucket/a", "", "PUT", "https://h/bucket/a/_/" NAME);
}

TEST(templates)
{
	assert_packed("pprof+http://h", "n", "POST", "http://h/");
	assert_packed("pprof+http://h/in?host={host}&x=1", "n 1", "POST",
		      "http://h/in?host=n%201&x=1");
	/* One part of the path, whatever decodes it. */
	assert_packed("pprof+http://h/f/{host}/x", "..", "POST", "http://h/f/_./x");
	assert_packed("pprof+http://h/f/{host}", ".", "POST", "http://h/f/_");
	assert_packed("pprof+http://h/f/{host}/x", "", "POST", "http://h/f/_/x");
	assert_packed("pprof+http://h/f/.{host}", ".", "POST", "http://h/f/._");
	assert_packed("pprof+http://h/f/{host}", "../../\\%2e", "POST", "http://h/f/_._..__%252e");
	assert_packed("pprof+https://h:1/f/{host}/{time}-{id}.pb.gz", "a/b", "PUT",
		      "https://h:1/f/a_b/20261128T082000.123Z-"
		      "00000000000000ab0123456789abcdef.pb.gz");
	assert_packed("pprof+http://h/ingest?from={from}&until={until}&format=pprof", "n", "POST",
		      "http://h/ingest?from=1795854000&until=1795854010&format=pprof");
	assert_packed("pprof+http://h/ingest?id={id}", "n", "POST",
		      "http://h/ingest?id=00000000000000ab0123456789abcdef");
}

static void send_to(const char *url, const char *first, const char *header)
{
	struct profile *p = window();
	struct upload_item item = {.profile = p, .host = "n", .id = {1, 2}};
	struct upload_target *t = target(url);
	struct upload_requests r = {0};
	struct upload_judgement j;
	struct net_request request;
	struct net_answer a;
	const char **headers;
	struct why why = {""};

	assert_int_equal(t->kind->pack(t, &item, &r, &why), 0);
	assert_int_equal(upload_target_request(t, &r.v.data[0], &request, &headers), 0);
	assert_int_equal(net_fetch(&request, NULL, &a), 0);
	assert_int_equal(strncmp(buf_cstr(&a.body), first, strlen(first)), 0);
	assert_non_null(strstr(buf_cstr(&a.body), header));
	assert_null(strstr(buf_cstr(&a.body), "env-secret"));
	assert_memory_equal(a.body.data + a.body.len - request.len, request.body, request.len);
	upload_target_judge(t, &a, &j);
	assert_int_equal(j.verdict, UPLOAD_DELIVERED);
	net_answer_release(&a);
	free(headers);
	upload_requests_release(&r);
	upload_target_free(t);
	profile_free(p);
}

TEST(what_servers_get)
{
	char url[128];

	snprintf(url, sizeof(url), "s3+http://127.0.0.1:%d/bucket/echo", net_server_port("http"));
	send_to(url, "PUT /bucket/echo/n/2026/11/28/082000.123Z-",
		"/eu-west-1/s3/aws4_request,SignedHeaders=content-type;host;"
		"x-amz-content-sha256;x-amz-date,Signature=");
	snprintf(url, sizeof(url), "pprof+http://127.0.0.1:%d/echo?host={host}",
		 net_server_port("http"));
	send_to(url, "POST /echo?host=n HTTP/1.1\r\n",
		"\r\nContent-Type: application/octet-stream\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_objects),
		cmocka_unit_test(templates),
		cmocka_unit_test(what_servers_get),
	};

	return cmocka_run_group_tests(tests, net_server_setup, net_server_teardown);
}
