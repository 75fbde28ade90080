// SPDX-License-Identifier: GPL-2.0-or-later
/* The examples of AWS's documentation of Signature Version 4 for S3 (sig-v4-header-based-auth). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/net/net_sigv4.h"

static const struct net_auth example = {
	.aws_region = "us-east-1",
	.aws_key = "AKIAIOSFODNN7EXAMPLE",
	.aws_secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};

#define NONE_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CREDENTIAL                                                                                 \
	"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"

static void assert_signed(struct net_lines *headers, const char *method, const char *path,
			  const char *body, const char *wanted)
{
	const struct net_sigv4 s = {method, path, body, strlen(body), 1369353600, &example};

	assert_int_equal(net_lines_add(headers, "Host: examplebucket.s3.amazonaws.com"), 0);
	assert_int_equal(net_sigv4_sign(headers, &s), 0);
	assert_string_equal(net_lines_find(headers, "x-amz-date"), "20130524T000000Z");
	assert_string_equal(net_lines_find(headers, "authorization"), wanted);
	net_lines_release(headers);
}

static void get_with_a_range(void **state)
{
	struct net_lines headers = {0};

	(void)state;
	assert_int_equal(net_lines_add(&headers, "Range: bytes=0-9"), 0);
	assert_signed(&headers, "GET", "/test.txt", "",
		      CREDENTIAL "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
				 "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd"
				 "91039c6036bdb41");
}

static void put_with_an_escaped_key(void **state)
{
	struct net_lines headers = {0};

	(void)state;
	assert_int_equal(net_lines_add(&headers, "Date: Fri, 24 May 2013 00:00:00 GMT"), 0);
	assert_int_equal(net_lines_add(&headers, "X-Amz-Storage-Class:  REDUCED_REDUNDANCY "), 0);
	assert_int_equal(net_lines_add(&headers, "X-Other: not signed"), 0);
	assert_signed(&headers, "PUT", "/test%24file.text", "Welcome to Amazon S3.",
		      CREDENTIAL "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;"
				 "x-amz-storage-class,"
				 "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b"
				 "5971af0ece108bd");
}

static void queries_are_sorted(void **state)
{
	struct net_lines headers = {0};

	(void)state;
	assert_signed(&headers, "GET", "/?lifecycle", "",
		      CREDENTIAL "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
				 "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7"
				 "a200a0136783543");
	assert_signed(&headers, "GET", "?prefix=J&max-keys=2", "",
		      CREDENTIAL "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
				 "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670"
				 "ed5711ef69dc6f7");
}

static void the_hash_and_the_token_are_sent(void **state)
{
	struct net_auth auth = example;
	const struct net_sigv4 s = {"GET", "", "", 0, 0, &auth};
	struct net_lines headers = {0};

	(void)state;
	auth.aws_session_token = "tok/en==";
	assert_int_equal(net_lines_add(&headers, "Host: h"), 0);
	assert_int_equal(net_sigv4_sign(&headers, &s), 0);
	assert_string_equal(net_lines_find(&headers, "X-Amz-Content-Sha256"), NONE_SHA256);
	assert_string_equal(net_lines_find(&headers, "x-amz-security-token"), "tok/en==");
	assert_non_null(strstr(net_lines_find(&headers, "Authorization"),
			       "SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
			       "x-amz-security-token,"));
	assert_null(net_lines_find(&headers, "x-amz"));
	net_lines_release(&headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_with_a_range),
		cmocka_unit_test(put_with_an_escaped_key),
		cmocka_unit_test(queries_are_sorted),
		cmocka_unit_test(the_hash_and_the_token_are_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
