// SPDX-License-Identifier: GPL-2.0-or-later
/* What answers to OpenTelemetry profiles mean. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/base/text.h"
#include "profiler/upload/otlp_answer.h"

#define PROTO "application/x-protobuf"
#define GRPC  "application/grpc+proto"

struct answer_case {
	long status;
	int grpc_status;
	const char *type, *body;
	size_t len;
	enum upload_verdict verdict;
	const char *says; /* somewhere in the sentence */
	uint64_t rejected;
};
#define BODY(text) text, sizeof(text) - 1

/* {partial_success {rejected_profiles: 3, error_message: "no room"}} */
#define PARTIAL "\x0a\x0b\x08\x03\x12\x07no room"

static struct net_answer answer_of(const struct answer_case *c)
{
	struct net_answer a = {.status = c->status,
			       .grpc_status = c->grpc_status,
			       .retry_after_s = 17,
			       .body = {.data = (char *)c->body, .len = c->len}};

	snprintf(a.content_type, sizeof(a.content_type), "%s", c->type);
	return a;
}

static void assert_judged(const struct answer_case *c, bool is_grpc)
{
	struct upload_judgement j = {.verdict = 99};
	struct net_answer a = answer_of(c);

	snprintf(a.grpc_message, sizeof(a.grpc_message), "%s", is_grpc ? "told so" : "");
	upload_judge_status(&a, &j);
	if (is_grpc)
		otlp_judge_grpc(&a, &j);
	else
		otlp_judge_http(&a, &j);
	if (j.verdict != c->verdict || j.rejected != c->rejected || !strstr(j.why.text, c->says))
		fail_msg("%ld %d %s: verdict %d, rejected %lu: \"%s\"", c->status, c->grpc_status,
			 c->says, (int)j.verdict, (unsigned long)j.rejected, j.why.text);
	assert_int_equal(j.retry_after_s, 17);
	assert_int_equal(j.is_unauthenticated, c->status == 401 || c->grpc_status == 16);
	assert_true(text_is_clean(j.why.text, strlen(j.why.text)));
}

static void what_is_taken(void **state)
{
	static const struct answer_case cases[] = {
		{200, -1, PROTO, BODY(""), UPLOAD_DELIVERED, "200"},
		{200, -1, PROTO, BODY("\x0a\x00"), UPLOAD_DELIVERED, "200"}, /* the Collector's */
		{200, -1, "", BODY(""), UPLOAD_DELIVERED, "200"},
		{202, -1, "", BODY(""), UPLOAD_DELIVERED, "202"},
		{200, -1, "application/json", BODY("{}"), UPLOAD_DELIVERED, "200"},
		{200, -1, PROTO, BODY(PARTIAL), UPLOAD_PARTIAL, "no room", 3},
		/* a warning */
		{200, -1, PROTO, BODY("\x0a\x05\x12\x03old"), UPLOAD_DELIVERED, "old"},
		/* -1 profiles */
		{200, -1, PROTO, BODY("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		 UPLOAD_DELIVERED, "200"},
		/* a field that is not known yet */
		{200, -1, PROTO, BODY("\x12\x01x"), UPLOAD_DELIVERED, "200"},
		{200, -1, "application/json; charset=utf-8",
		 BODY("{\"partialSuccess\":{\"rejectedProfiles\":\"5\",\"errorMessage\":\"odd\"}}"),
		 UPLOAD_PARTIAL, "odd", 5},
		{200, -1, "application/json",
		 BODY("{\"partial_success\":{\"rejected_profiles\":6}}"), UPLOAD_PARTIAL, "200", 6},
		{200, -1, "text/html; charset=utf-8", BODY("<html>"), UPLOAD_WRONG, "HTML"},
		{200, -1, PROTO, BODY("\x0a\x7f"), UPLOAD_AGAIN_FEW, "no OTLP"},
		{200, -1, "application/json", BODY("{"), UPLOAD_AGAIN_FEW, "no OTLP"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_judged(&cases[i], false);
}

static void what_is_not_taken(void **state)
{
	static const struct answer_case cases[] = {
		{400, -1, "text/plain", BODY("bad profile\nmore"), UPLOAD_REFUSED, "bad profile"},
		/* google.rpc.Status {code: 3, message: "bad"} */
		{400, -1, PROTO,
		 BODY("\x08\x03\x12\x03"
		      "bad"),
		 UPLOAD_REFUSED, "400 Bad Request: bad"},
		{400, -1, "application/json", BODY("{\"code\":3,\"message\":\"bad\"}"),
		 UPLOAD_REFUSED, "400 Bad Request: bad"},
		{400, -1, "text/plain", BODY("a\x1b[31m\xff"), UPLOAD_REFUSED,
		 "400 Bad Request: a"},
		{401, -1, "", BODY(""), UPLOAD_WRONG, "401 Unauthorized"},
		{403, -1, "", BODY(""), UPLOAD_WRONG, "check token_file"},
		{404, -1, "text/plain", BODY("404 page not found"), UPLOAD_WRONG,
		 "service.profilesSupport"},
		{404, -1, "text/html", BODY("<html>"), UPLOAD_WRONG, "service.profilesSupport"},
		{405, -1, "", BODY(""), UPLOAD_WRONG, "405"},
		{408, -1, "", BODY(""), UPLOAD_AGAIN, "408"},
		{413, -1, "", BODY(""), UPLOAD_REFUSED, "limit"},
		{415, -1, "", BODY(""), UPLOAD_WRONG, "check the scheme"},
		{422, -1, "", BODY(""), UPLOAD_REFUSED, "422"},
		{429, -1, "", BODY(""), UPLOAD_AGAIN, "429"},
		{500, -1, "text/plain", BODY("cannot convert"), UPLOAD_AGAIN_FEW, "cannot convert"},
		{501, -1, "", BODY(""), UPLOAD_WRONG, "501"},
		{502, -1, "text/html", BODY("<html>"), UPLOAD_AGAIN, "502"},
		{503, -1, "", BODY(""), UPLOAD_AGAIN, "503"},
		{504, -1, "", BODY(""), UPLOAD_AGAIN, "504"},
		{507, -1, "", BODY(""), UPLOAD_AGAIN, "507"},
		{503, -1, PROTO,
		 BODY("\x12\x04"
		      "full"),
		 UPLOAD_AGAIN, "503 Service Unavailable: full"},
		{503, -1, PROTO, BODY("\x12\x7f"), UPLOAD_AGAIN, "503 Service Unavailable"},
		{599, -1, "", BODY(""), UPLOAD_AGAIN_FEW, "599"},
		{999, -1, "", BODY(""), UPLOAD_AGAIN_FEW, "999"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_judged(&cases[i], false);
}

#define CODE(code, verdict, says)                                                                  \
	{                                                                                          \
		200, code, GRPC, BODY(""), verdict, says                                           \
	}

static void answers_of_grpc(void **state)
{
	static const struct answer_case cases[] = {
		{200, 0, GRPC, BODY("\0\0\0\0\0"), UPLOAD_DELIVERED, "OK"},
		{200, 0, GRPC, BODY("\0\0\0\0\x02\x0a\x00"), UPLOAD_DELIVERED, "OK"},
		{200, 0, GRPC, BODY("\0\0\0\0\x0d" PARTIAL), UPLOAD_PARTIAL, "no room", 3},
		/* no frame, half a frame, a compressed one, two */
		{200, 0, GRPC, BODY(""), UPLOAD_AGAIN_FEW, "no OTLP"},
		{200, 0, GRPC, BODY("\0\0\0\0\x02\x0a"), UPLOAD_AGAIN_FEW, "no OTLP"},
		{200, 0, GRPC, BODY("\x01\0\0\0\0"), UPLOAD_AGAIN_FEW, "no OTLP"},
		{200, 0, GRPC, BODY("\0\0\0\0\0\0\0\0\0\0"), UPLOAD_AGAIN_FEW, "no OTLP"},
		CODE(1, UPLOAD_AGAIN, "CANCELLED"),
		CODE(2, UPLOAD_AGAIN_FEW, "UNKNOWN: told so"),
		CODE(3, UPLOAD_REFUSED, "INVALID_ARGUMENT: told so"),
		CODE(4, UPLOAD_AGAIN, "DEADLINE_EXCEEDED"),
		CODE(5, UPLOAD_WRONG, "NOT_FOUND"),
		CODE(7, UPLOAD_WRONG, "PERMISSION_DENIED"),
		CODE(8, UPLOAD_AGAIN_FEW, "RESOURCE_EXHAUSTED"),
		CODE(10, UPLOAD_AGAIN, "ABORTED"),
		CODE(11, UPLOAD_AGAIN, "OUT_OF_RANGE"),
		CODE(12, UPLOAD_WRONG, "service.profilesSupport"),
		CODE(13, UPLOAD_AGAIN_FEW, "INTERNAL"),
		CODE(14, UPLOAD_AGAIN, "UNAVAILABLE"),
		CODE(15, UPLOAD_AGAIN, "DATA_LOSS"),
		CODE(16, UPLOAD_WRONG, "UNAUTHENTICATED: told so"),
		CODE(17, UPLOAD_AGAIN_FEW, "17"),
		/* Parca's, after its time for reading; Parca's page; a proxy's */
		{200, -1, "", BODY(""), UPLOAD_AGAIN_FEW, "without a status"},
		{200, -1, "text/html", BODY("<html>"), UPLOAD_WRONG, "HTML"},
		{401, -1, "text/html", BODY("<html>"), UPLOAD_WRONG, "Unauthorized"},
		{401, -1, "", BODY(""), UPLOAD_WRONG, "401 Unauthorized"},
		{404, -1, "text/plain", BODY("no"), UPLOAD_WRONG, "404 Not Found: no"},
		{503, -1, "", BODY(""), UPLOAD_AGAIN, "503"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_judged(&cases[i], true);
}

/* A long message is cut between characters. */
static void messages_are_cut(void **state)
{
	char body[600];
	struct answer_case c = {
		400, -1, "text/plain", body, 0, UPLOAD_REFUSED, "400 Bad Request: "};

	(void)state;
	for (c.len = 190; c.len < sizeof(body) - 2; c.len++) {
		memset(body, 'x', c.len % 4);
		for (size_t i = c.len % 4; i < sizeof(body); i += 2)
			memcpy(body + i - (i + 2 > sizeof(body)), "\xc3\xa9", 2);
		assert_judged(&c, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken),
		cmocka_unit_test(what_is_not_taken),
		cmocka_unit_test(answers_of_grpc),
		cmocka_unit_test(messages_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
