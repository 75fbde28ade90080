// SPDX-License-Identifier: GPL-2.0-or-later
/* Listings of objects as servers write them, and as they should not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "profiler/remote/s3_list.h"

#define ID "0123456789abcdef0123456789abcdef"

static int read_page(struct s3_page *p, const char *text)
{
	*p = (struct s3_page){.token = ""};
	return s3_page_read(p, text, strlen(text));
}

static void questions(void **state)
{
	struct s3_list_query q = {.bucket = "/prof", .prefix = "a/b/", .start_after = "a/b/2026"};
	struct buf b = {0};

	(void)state;
	s3_list_path(&b, &q);
	assert_string_equal(buf_cstr(&b),
			    "/prof?list-type=2&prefix=a%2Fb%2F&start-after=a%2Fb%2F2026");
	buf_clear(&b);
	q.token = "x+/=&y";
	q.delimiter = "/";
	s3_list_path(&b, &q);
	assert_string_equal(buf_cstr(&b), "/prof?continuation-token=x%2B%2F%3D%26y&delimiter=%2F&"
					  "list-type=2&prefix=a%2Fb%2F");
	buf_release(&b);
}

static void a_page(void **state)
{
	struct s3_page p;

	(void)state;
	assert_int_equal(read_page(&p, "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\">"
				       "<Prefix>a/</Prefix><Contents><Key>a/1</Key></Contents>"
				       "<Contents><Key>a/b c</Key></Contents>"
				       "<Contents><Key>a/&amp;</Key></Contents>"
				       "<Contents><Key></Key></Contents>"
				       "<Contents><Key>a/2</Key></Contents>"
				       "<CommonPrefixes><Prefix>a/h1/</Prefix></CommonPrefixes>"
				       "<NextContinuationToken>q&amp;&#34;r</NextContinuationToken>"
				       "</ListBucketResult>"),
			 0);
	assert_int_equal(p.keys.len, 2); /* others have characters that kiln's do not */
	assert_string_equal(p.keys.data[0], "a/1");
	assert_string_equal(p.keys.data[1], "a/2");
	assert_int_equal(p.prefixes.len, 1); /* not that of the question */
	assert_string_equal(p.prefixes.data[0], "a/h1/");
	assert_string_equal(p.token, "q&\"r");
	s3_page_release(&p);
}

static void what_is_no_page(void **state)
{
	static const char *const texts[] = {
		"",
		"<html></html>",
		"<ListBucketResult><Contents><Key>a",
		"<ListBucketResult><CommonPrefixes><Nothing></ListBucketResult>",
		"<ListBucketResult><NextContinuationToken>a&b;c</NextContinuationToken>"
		"</ListBucketResult>",
		"<ListBucketResult><NextContinuationToken>a\nb</NextContinuationToken>"
		"</ListBucketResult>",
	};
	struct s3_page p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(read_page(&p, texts[i]), -EBADMSG);
		s3_page_release(&p);
	}
}

static void a_page_is_bounded(void **state)
{
	struct s3_page p = {.token = ""};
	struct buf b = {0};

	(void)state;
	buf_str(&b, "<ListBucketResult>");
	for (int i = 0; i <= S3_MAX_KEYS; i++)
		buf_str(&b, "<Key>a</Key>");
	buf_str(&b, "</ListBucketResult>");
	assert_int_equal(s3_page_read(&p, b.data, b.len), -EBADMSG);
	assert_int_equal(p.keys.len, S3_MAX_KEYS);
	s3_page_release(&p);
	buf_release(&b);
}

static void times_in_names(void **state)
{
	static const char *const bad[] = {
		"",
		"2026/11/28/000000",
		"2026/11/28/000000.123Z-" ID,
		"2026/11/28/000000.123Z-" ID ".pb.gz.old",
		"2026/11/28/000000.12Z-" ID ".pb.gz",
		"2026/11/28/000000.-12Z-" ID ".pb.gz",
		"2026/11/28/000000. 12Z-" ID ".pb.gz",
		"2026/13/28/000000.123Z-" ID ".pb.gz",
		"2026/1/28/000000.1234Z-" ID ".pb.gz",
		"2026/11/28/000000.123Z-" ID "0.pb.gz",
		"x2026/11/28/000000.123Z-" ID ".pb.gz",
	};
	int64_t ns = 0;

	(void)state;
	assert_int_equal(s3_key_time("2026/11/28/000010.123Z-" ID ".pb.gz", &ns), 0);
	assert_int_equal(ns, 1795824010123000000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(s3_key_time(bad[i], &ns), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions),	   cmocka_unit_test(a_page),
		cmocka_unit_test(what_is_no_page), cmocka_unit_test(a_page_is_bounded),
		cmocka_unit_test(times_in_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
