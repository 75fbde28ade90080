// SPDX-License-Identifier: GPL-2.0-or-later
/* What answers mean, and that no secret is told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/upload/target.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static char *no_env[] = {NULL};
static char *keys_env[] = {"AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=env-secret", NULL};

static struct upload_target *target(const struct upload_target_opts *o)
{
	struct upload_target *t = NULL;
	struct why why = {""};

	if (upload_target_new(&t, o, &why))
		fail_msg("%s: %s", o->url, why.text);
	return t;
}

static void judge(const struct upload_target *t, struct net_answer *a, const char *body,
		  struct upload_judgement *out)
{
	a->body = (struct buf){0};
	buf_str(&a->body, body ? body : "");
	memset(out, 0x55, sizeof(*out));
	upload_target_judge(t, a, out);
	buf_release(&a->body);
}

TEST(what_statuses_mean)
{
	static const struct {
		long status;
		const char *type, *body;
		enum upload_verdict verdict;
		const char *why;
	} cases[] = {
		{200, "", "", UPLOAD_DELIVERED, "200"},
		{204, "", "", UPLOAD_DELIVERED, "204"},
		{301, "", "", UPLOAD_WRONG,
		 "301: the server sends elsewhere, and kiln follows no "
		 "redirects: put the new URL"},
		{304, "", "", UPLOAD_WRONG, "304: "},
		{400, "text/plain", "no such\nfield", UPLOAD_REFUSED, "400 Bad Request: no such"},
		{401, "application/json", "{\"code\":\"unauthenticated\",\"message\":\"no org.\"}",
		 UPLOAD_WRONG, "401 Unauthorized: no org: set token_file, or username and"},
		{403, "text/html", "<html>no", UPLOAD_WRONG,
		 "403 Forbidden: check token_file, username and password_file, tenant"},
		{404, "", "", UPLOAD_WRONG, "404 Not Found: check the path of the URL"},
		{408, "", "", UPLOAD_AGAIN, "408 Request Timeout"},
		{413, "", "", UPLOAD_REFUSED, "413 Content Too Large"},
		{415, "", "", UPLOAD_WRONG, "415"},
		{418, "", "", UPLOAD_REFUSED, "418 unknown"},
		{429, "", "", UPLOAD_AGAIN, "429 Too Many Requests"},
		{500, "", "\x1b[31mred", UPLOAD_AGAIN_FEW,
		 "500 Internal Server Error: \xef\xbf\xbd[31mred"},
		{502, "", "", UPLOAD_AGAIN, "502 Bad Gateway"},
		{503, "", "", UPLOAD_AGAIN, "503 Service Unavailable"},
		{504, "", "", UPLOAD_AGAIN, "504 Gateway Timeout"},
		{599, "", "", UPLOAD_AGAIN_FEW, "599 unknown"},
	};
	struct upload_target *t = target(&(struct upload_target_opts){.url = "pprof+http://h"});

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_answer a = {.status = cases[i].status, .retry_after_s = 9};
		struct upload_judgement j;

		snprintf(a.content_type, sizeof(a.content_type), "%s", cases[i].type);
		judge(t, &a, cases[i].body, &j);
		if (j.verdict != cases[i].verdict || strstr(j.why.text, cases[i].why) != j.why.text)
			fail_msg("%ld: %d, %s", a.status, j.verdict, j.why.text);
		if (j.verdict == UPLOAD_AGAIN)
			assert_int_equal(j.retry_after_s, 9);
	}
	upload_target_free(t);
}

TEST(what_no_answer_means)
{
	static const struct {
		int err;
		bool is_bad_request;
		enum upload_verdict verdict;
		const char *why;
	} cases[] = {
		{-ECONNREFUSED, false, UPLOAD_AGAIN, "the reason"},
		{-ECONNREFUSED, true, UPLOAD_WRONG, "the reason"},
		{-ETIMEDOUT, false, UPLOAD_AGAIN, "the reason"},
		{-EIO, false, UPLOAD_AGAIN, "the reason: perhaps it refuses cert_file"},
		{-ENOMEM, false, UPLOAD_AGAIN, "the reason"},
		{-EFBIG, false, UPLOAD_AGAIN_FEW, "the reason"},
		{-EPROTO, false, UPLOAD_WRONG, "TLS: the reason: set ca_file"},
		{-EACCES, true, UPLOAD_WRONG, "ca_file, cert_file or key_file: the reason"},
		{-ENOSYS, true, UPLOAD_WRONG, "the reason"},
	};
	struct upload_target *t = target(&(struct upload_target_opts){.url = "pprof+https://h"});

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_answer a = {.err = cases[i].err,
				       .is_bad_request = cases[i].is_bad_request,
				       .why = "the reason"};
		struct upload_judgement j;

		judge(t, &a, NULL, &j);
		if (j.verdict != cases[i].verdict || strstr(j.why.text, cases[i].why) != j.why.text)
			fail_msg("%d: %d, %s", a.err, j.verdict, j.why.text);
	}
	upload_target_free(t);
}

/* What was set is not asked for again. */
TEST(what_unauthenticated_means)
{
	static const struct {
		const char *url;
		bool has_token, has_user;
		int grpc_status;
		const char *why;
	} cases[] = {
		{"pprof+http://h", false, false, -1,
		 "401 Unauthorized: set token_file, or username and password_file"},
		{"pprof+http://h", true, false, -1, "401 Unauthorized: check token_file"},
		{"pprof+http://h", false, true, -1,
		 "401 Unauthorized: check username and password_file"},
		{"pyroscope+http://h", true, false, -1, "401 Unauthorized: check token_file"},
		{"otlp+http://h", true, false, -1, "401 Unauthorized: check token_file"},
		{"parca+http://h", true, false, 16, "UNAUTHENTICATED: check token_file"},
		{"parca+http://h", false, false, 16,
		 "UNAUTHENTICATED: set token_file, or username and password_file"},
		{"s3+http://h/bucket", false, true, -1,
		 "401 Unauthorized: check the access key and its secret"},
	};

	fixture_run("echo abc >t; echo abc >p; chmod 600 t p");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct upload_target *t = target(&(struct upload_target_opts){
			.url = cases[i].url,
			.token_file = cases[i].has_token ? "t" : NULL,
			.username = cases[i].has_user ? "me" : NULL,
			.password_file = cases[i].has_user ? "p" : NULL,
			.env = no_env});
		struct net_answer a = {.status = cases[i].grpc_status < 0 ? 401 : 200,
				       .grpc_status = cases[i].grpc_status};
		struct upload_judgement j;

		judge(t, &a, NULL, &j);
		assert_string_equal(j.why.text, cases[i].why);
		upload_target_free(t);
	}
}

static void assert_port(const char *url, const char *reason, const char *want)
{
	struct upload_target *t = target(&(struct upload_target_opts){.url = url});
	struct net_answer a = {.err = -EIO};
	struct upload_judgement j;

	snprintf(a.why, sizeof(a.why), "%s", reason);
	judge(t, &a, NULL, &j);
	assert_int_equal(j.verdict, UPLOAD_AGAIN);
	assert_string_equal(j.why.text, want);
	upload_target_free(t);
}

TEST(ports_of_otlp)
{
	assert_port("otlp+http://h", "the answer is not of HTTP/1",
		    "the answer is not of HTTP/1: is it the port of HTTP, mostly 4318? The one of "
		    "gRPC takes otlp+grpc");
	assert_port("otlp+grpc://h", "Send failure: Broken pipe",
		    "Send failure: Broken pipe: is it the port of gRPC, mostly 4317? The one of "
		    "HTTP takes otlp+http");
	assert_port("otlp+http://h", "Empty reply", "Empty reply");
	assert_port("pprof+http://h", "the answer is not of HTTP/1", "the answer is not of HTTP/1");
}

TEST(what_s3_means)
{
	static const struct {
		long status;
		const char *code;
		enum upload_verdict verdict;
		const char *why;
	} cases[] = {
		{403, "SignatureDoesNotMatch", UPLOAD_WRONG,
		 "403 SignatureDoesNotMatch: what it says: check the secret of the access key"},
		{400, "AuthorizationHeaderMalformed", UPLOAD_WRONG,
		 "400 AuthorizationHeaderMalformed: what it says: set AWS_REGION"},
		{404, "NoSuchBucket", UPLOAD_WRONG, "404 NoSuchBucket: what it says: make the"},
		{400, "EntityTooLarge", UPLOAD_REFUSED, "400 EntityTooLarge: what it says"},
		{400, "RequestTimeout", UPLOAD_AGAIN, "400 RequestTimeout: what it says"},
		{503, "SlowDown", UPLOAD_AGAIN, "503 SlowDown: what it says"},
		{500, "InternalError", UPLOAD_AGAIN_FEW, "500 InternalError: what it says"},
	};
	struct upload_target *t =
		target(&(struct upload_target_opts){.url = "s3+http://h/bucket", .env = keys_env});
	struct net_answer a = {.status = 200, .content_type = "text/html"};
	struct upload_judgement j;
	char body[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		a = (struct net_answer){.status = cases[i].status,
					.content_type = "application/xml"};
		snprintf(body, sizeof(body),
			 "<?xml version=\"1.0\"?><Error><Code>%s</Code>"
			 "<Message>what it says.</Message></Error>",
			 cases[i].code);
		judge(t, &a, body, &j);
		if (j.verdict != cases[i].verdict || strstr(j.why.text, cases[i].why) != j.why.text)
			fail_msg("%s: %d, %s", cases[i].code, j.verdict, j.why.text);
	}
	a = (struct net_answer){.status = 403, .content_type = "application/xml"};
	judge(t, &a, "<Code>cut off", &j);
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	a = (struct net_answer){.status = 200, .content_type = "text/html; charset=utf-8"};
	judge(t, &a, "<html>", &j);
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	upload_target_free(t);
}

/* A server that echoes what it was sent, also in pieces. */
TEST(secrets_are_hidden)
{
	const struct upload_header more[] = {{"X-Key", "Token header-secret-1"}};
	struct net_answer a = {.status = 500};
	struct upload_target *t;
	struct upload_judgement j;
	char body[400];

	fixture_write("t", "abc-sec-ret-0123456789-of-some-length\n");
	fixture_write("short", "pw1\n");
	fixture_run("chmod 600 t short");
	t = target(&(struct upload_target_opts){
		.url = "pprof+http://h", .token_file = "t", .headers = more, .n_headers = 1});
	judge(t, &a, "you sent Bearer abc-sec-ret-0123456789-of-some-length and header-secret-1.",
	      &j);
	assert_string_equal(j.why.text, "500 Internal Server Error: you sent Bearer <redacted> and "
					"<redacted>.");
	/* At the place where a quotation is cut. */
	memset(body, 'x', sizeof(body));
	snprintf(body + 180, sizeof(body) - 180, "abc-sec-ret-0123456789-of-some-length");
	judge(t, &a, body, &j);
	assert_null(strstr(j.why.text, "sec-ret"));
	assert_non_null(strstr(j.why.text, "<redacted>"));
	a = (struct net_answer){.err = -ETIMEDOUT,
				.why = "abc-sec-ret-0123456789-of-some-length failed"};
	judge(t, &a, NULL, &j);
	assert_string_equal(j.why.text, "<redacted> failed");
	upload_target_free(t);

	t = target(&(struct upload_target_opts){
		.url = "pprof+http://h/?api_key=in-the-query-1&format=pprof",
		.username = "al",
		.password_file = "t"});
	a = (struct net_answer){.status = 403};
	judge(t, &a,
	      "not Basic YWw6YWJjLXNlYy1yZXQtMDEyMzQ1Njc4OS1vZi1zb21lLWxlbmd0aA==, not "
	      "/?api_key=in-the-query-1&format=pprof",
	      &j);
	assert_non_null(
		strstr(j.why.text, "not Basic <redacted>, not /?api_key=<redacted>&format=pprof"));
	upload_target_free(t);

	t = target(&(struct upload_target_opts){
		.url = "pprof+http://h", .username = "me", .password_file = "short"});
	a = (struct net_answer){.status = 500};
	judge(t, &a, "me:pw1", &j);
	assert_string_equal(j.why.text, "500 Internal Server Error: me:<redacted>");
	/* However much longer it gets. */
	memset(body, 0, sizeof(body));
	for (int i = 0; i < 60; i++)
		strcat(body, "pw1");
	judge(t, &a, body, &j);
	assert_null(strstr(j.why.text, "pw1"));
	assert_true(strlen(j.why.text) < sizeof(j.why.text));
	upload_target_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_statuses_mean),
		cmocka_unit_test(what_no_answer_means),
		cmocka_unit_test(what_unauthenticated_means),
		cmocka_unit_test(ports_of_otlp),
		cmocka_unit_test(what_s3_means),
		cmocka_unit_test(secrets_are_hidden),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
