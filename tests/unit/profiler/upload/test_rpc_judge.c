// SPDX-License-Identifier: GPL-2.0-or-later
/* What the answers of Pyroscope and Parca mean for what was sent. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/upload/target.h"

/* What a status means that a kind says nothing of. */
#if !__has_include("profiler/upload/judge.c")

int main(void)
{
	puts("1..1\nok 1 - answers_have_a_meaning # SKIP nothing judges other answers yet");
	return 0;
}

#else

static struct upload_target target(const struct upload_kind *kind)
{
	return (struct upload_target){
		.kind = kind, .base = "http://127.0.0.1:1", .path = "", .query = ""};
}

static const struct upload_kind *const kinds[] = {&upload_pyroscope, &upload_parca};

struct row {
	long status;
	const char *type, *body;
	int grpc_status; /* Parca */
	enum upload_verdict verdict;
	const char *says; /* in the sentence */
};

#define JSON(code, message) "{\"code\":\"" code "\",\"message\":\"" message "\"}"

static void assert_judged(const struct upload_kind *kind, const struct row *row, size_t body_len)
{
	struct upload_target t = target(kind);
	struct upload_judgement out;
	struct net_answer a = {
		.status = row->status, .retry_after_s = 7, .grpc_status = row->grpc_status};

	snprintf(a.content_type, sizeof(a.content_type), "%s", row->type);
	buf_add(&a.body, row->body, body_len);
	if (kind == &upload_parca && row->grpc_status > 0)
		snprintf(a.grpc_message, sizeof(a.grpc_message), "%s", row->body);
	upload_target_judge(&t, &a, &out);
	if (out.verdict != row->verdict || !strstr(out.why.text, row->says))
		fail_msg("%ld %s %s: %d, \"%s\"", row->status, row->type, row->body, out.verdict,
			 out.why.text);
	assert_int_equal(out.retry_after_s, 7);
	assert_true(text_is_clean(out.why.text, strlen(out.why.text)));
	assert_true(strlen(out.why.text) > 1);
	buf_release(&a.body);
}

static void pyroscopes_answers_have_a_meaning(void **state)
{
	static const struct row rows[] = {
		{200, "application/proto", "", 0, UPLOAD_DELIVERED, "200"},
		{200, "application/proto", "\x08\x01", 0, UPLOAD_DELIVERED, "200"},
		{200, "application/proto", "\x0a\x7f", 0, UPLOAD_AGAIN_FEW, "cannot be read"},
		{200, "application/proto", "\x1f\x8b\x08", 0, UPLOAD_AGAIN_FEW, "cannot be read"},
		{200, "text/html; charset=utf-8", "<html>", 0, UPLOAD_WRONG, "is it Pyroscope?"},
		{200, "application/json", "{}", 0, UPLOAD_WRONG, "200 with application/json"},
		{200, "", "", 0, UPLOAD_WRONG, "without a content type"},
		{200, "\xe2x\x1b", "", 0, UPLOAD_WRONG, "200 with ?x?: is it"},
		{204, "", "", 0, UPLOAD_DELIVERED, "204"},
		{400, "application/json", JSON("invalid_argument", "label: \xff\\n more"), 0,
		 UPLOAD_REFUSED, "400 invalid_argument: label: \xef\xbf\xbd"},
		{400, "text/html", "<html>plain HTTP was sent to HTTPS", 0, UPLOAD_WRONG,
		 "check the URL"},
		{400, "application/json", JSON("no such code", "x"), 0, UPLOAD_WRONG,
		 "check the URL"},
		{401, "application/json", JSON("unauthenticated", "no org id"), 0, UPLOAD_WRONG,
		 "401 unauthenticated: no org id: set tenant"},
		{401, "application/json", JSON("unauthenticated", "invalid token"), 0, UPLOAD_WRONG,
		 "token_file"},
		{401, "text/plain", "go away", 0, UPLOAD_WRONG, "token_file"},
		{403, "application/json", JSON("permission_denied", "no"), 0, UPLOAD_WRONG,
		 "tenant"},
		{404, "text/plain", "404 page not found", 0, UPLOAD_WRONG, "path"},
		{404, "application/json", JSON("unimplemented", "x"), 0, UPLOAD_WRONG, "URL"},
		{408, "", "", 0, UPLOAD_AGAIN, "408"},
		{413, "text/plain", "too large", 0, UPLOAD_REFUSED, "413"},
		{429, "application/json", JSON("resource_exhausted", "rate limit"), 0, UPLOAD_AGAIN,
		 "429 resource_exhausted: rate limit"},
		{429, "text/plain", "slow down", 0, UPLOAD_AGAIN, "429"},
		{499, "application/json", JSON("canceled", "x"), 0, UPLOAD_AGAIN, "499 canceled"},
		{500, "application/json", JSON("unknown", "decode"), 0, UPLOAD_AGAIN_FEW, "decode"},
		{500, "application/json", JSON("internal", "x"), 0, UPLOAD_AGAIN_FEW, "internal"},
		{500, "text/plain", "oops", 0, UPLOAD_AGAIN_FEW, "500"},
		{502, "text/html", "<html>", 0, UPLOAD_AGAIN, "502"},
		{503, "application/json", JSON("unavailable", "x"), 0, UPLOAD_AGAIN, "unavailable"},
		{503, "", "", 0, UPLOAD_AGAIN, "503"},
		{504, "application/json", JSON("deadline_exceeded", "x"), 0, UPLOAD_AGAIN, "504"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_judged(&upload_pyroscope, &rows[i], strlen(rows[i].body));
}

static void parcas_answers_have_a_meaning(void **state)
{
#define GRPC		    "application/grpc"
	static const struct row rows[] = {
		{200, GRPC, "\0\0\0\0\0", 0, UPLOAD_DELIVERED, "OK"},
		{200, GRPC "+proto", "\0\0\0\0\0", 0, UPLOAD_DELIVERED, "OK"},
		{200, GRPC, "\1\0\0\0\0", 0, UPLOAD_AGAIN_FEW, "cannot be read"},
		{200, GRPC, "\0\0\0\0\1", 0, UPLOAD_AGAIN_FEW, "cannot be read"},
		{200, GRPC, "no id", 3, UPLOAD_REFUSED, "INVALID_ARGUMENT: no id"},
		{200, GRPC, "who?", 16, UPLOAD_WRONG, "UNAUTHENTICATED: who?: set token_file"},
		{200, GRPC, "No such user.", 16, UPLOAD_WRONG,
		 "UNAUTHENTICATED: No such user: set token_file"},
		{200, GRPC, "not you", 7, UPLOAD_WRONG, "PERMISSION_DENIED: not you"},
		{200, GRPC, "x", 14, UPLOAD_AGAIN, "UNAVAILABLE"},
		{200, GRPC, "x", 8, UPLOAD_AGAIN, "RESOURCE_EXHAUSTED"},
		{200, GRPC, "x", 10, UPLOAD_AGAIN, "ABORTED"},
		{200, GRPC, "x", 4, UPLOAD_AGAIN, "DEADLINE_EXCEEDED"},
		{200, GRPC, "x", 1, UPLOAD_AGAIN, "CANCELLED"},
		{200, GRPC, "x", 2, UPLOAD_AGAIN_FEW, "UNKNOWN"},
		{200, GRPC, "x", 13, UPLOAD_AGAIN_FEW, "INTERNAL"},
		{200, GRPC, "x", 12, UPLOAD_WRONG, "UNIMPLEMENTED"},
		{200, GRPC, "x", 99, UPLOAD_AGAIN_FEW, "gRPC status 99"},
		{200, "text/html", "<html>", -1, UPLOAD_WRONG, "is it Parca?"},
		{200, "text/html", "", -1, UPLOAD_WRONG, "is it Parca?"},
		{200, "application/json", "{}", -1, UPLOAD_WRONG, "is it Parca?"},
		{200, GRPC, "", -1, UPLOAD_AGAIN_FEW, "without a grpc-status"},
		{200, "", "", -1, UPLOAD_AGAIN_FEW, "without a grpc-status"},
		{400, "text/plain", "x", -1, UPLOAD_WRONG, "check the URL"},
		{401, "text/plain", "x", -1, UPLOAD_WRONG, "token_file"},
		{404, "text/plain", "x", -1, UPLOAD_WRONG, "404"},
		{429, "", "", -1, UPLOAD_AGAIN, "429"},
		{502, "text/html", "<html>", -1, UPLOAD_AGAIN, "502"},
		{503, "", "", -1, UPLOAD_AGAIN, "503"},
		{500, "", "", -1, UPLOAD_AGAIN_FEW, "500"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_judged(&upload_parca, &rows[i],
			      !rows[i].grpc_status ? 5 : strlen(rows[i].body));
}

/* Statuses that mean nothing to anybody, and the most hostile of texts. */
static void hostile_answers_are_judged(void **state)
{
	char text[3000];

	(void)state;
	memset(text, '\xe2', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (long status = 100; status < 700; status++)
		for (int code = -1; code < 20; code += 3)
			for (size_t k = 0; k < 2; k++) {
				struct upload_target t = target(kinds[k]);
				struct net_answer a = {.status = status, .grpc_status = code};
				struct upload_judgement out;

				buf_str(&a.body, "{\"code\":\"unknown\",\"message\":\"");
				buf_str(&a.body, text);
				buf_str(&a.body, "\"}");
				memcpy(a.grpc_message, text, sizeof(a.grpc_message) - 1);
				memcpy(a.content_type, text, sizeof(a.content_type) - 1);
				upload_target_judge(&t, &a, &out);
				assert_true(strlen(out.why.text) > 1);
				assert_int_equal(text_utf8_run(out.why.text, strlen(out.why.text)),
						 strlen(out.why.text));
				buf_release(&a.body);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pyroscopes_answers_have_a_meaning),
		cmocka_unit_test(parcas_answers_have_a_meaning),
		cmocka_unit_test(hostile_answers_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
