// SPDX-License-Identifier: GPL-2.0-or-later
/* The page as bytes; what it does in a browser is tests/e2e/test_page.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "profiler/formats/export.h"
#include "profiler/profile/quality.h"
#include "tests/lib/profiles.h"

static const char data_tag[] = "<script type=\"application/json\" id=\"data\">\n";

static char *page_of(const struct profile *p, const char *title)
{
	struct export_opts opts = {.title = title};
	struct buf b = {0};

	assert_int_equal(export_html(&b, p, &opts), 0);
	return buf_take(&b);
}

/* What stands in the data element. */
static char *data_of(const char *page)
{
	const char *start = strstr(page, data_tag);

	assert_non_null(start);
	start += strlen(data_tag);
	assert_non_null(strstr(start, "</script>"));
	return strndup(start, (size_t)(strstr(start, "</script>") - start));
}

/* The numbers of the n-th array called "key". */
static void column(const char *json, const char *key, size_t n, int64_t *out, size_t max,
		   size_t *len)
{
	char name[32];

	snprintf(name, sizeof(name), "\"%s\":[", key);
	for (size_t i = 0; i <= n; i++) {
		json = strstr(json, name);
		assert_non_null(json);
		json += strlen(name);
	}
	for (*len = 0; *json != ']'; (*len)++) {
		char *end;

		assert_true(*len < max);
		out[*len] = strtoll(json, &end, 10);
		assert_true(end > json && (*end == ',' || *end == ']'));
		json = *end == ',' ? end + 1 : end;
	}
}

static size_t count(const char *s, const char *what)
{
	size_t n = 0;

	while ((s = strstr(s, what))) {
		s++;
		n++;
	}
	return n;
}

static struct profile *hostile_profile(void)
{
	static const char *const names[] = {
		"</script><script>alert(1)</script>",	"<!--<script>", "\"};alert(1);//",
		"</title><img src=x onerror=alert(1)>", "back\\slash",	"'single' & \"double\"",
	};
	struct profile *p = profile_new();
	uint32_t stack[6], set, id;
	int64_t values[2] = {5, 50};
	struct profile_label label;

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 10), 0);
	for (size_t i = 0; i < 6; i++)
		stack[i] =
			location_id(p, mapping_id(p, names[i], "", true), 0x1000 + i, names[5 - i]);
	label = (struct profile_label){.key = str_id(p, "</script>"), .str = str_id(p, names[0])};
	assert_int_equal(profile_stack(p, stack, 6, &id), 0);
	assert_int_equal(profile_labelset(p, &label, 1, &set), 0);
	assert_int_equal(profile_add(p, id, set, values), 0);
	assert_int_equal(profile_comment(p, names[0]), 0);
	return p;
}

static void test_names_cannot_leave_their_element(void **state)
{
	struct profile *p = hostile_profile();
	char *page = page_of(p, "</title><script>alert(1)</script>\x1b[31m"), *data = data_of(page);

	(void)state;
	assert_null(strchr(data, '<'));
	assert_null(strchr(data, '\x1b'));
	/* The two elements the template has. */
	assert_int_equal(count(page, "<script"), 2);
	assert_int_equal(count(page, "</script"), 2);
	assert_int_equal(count(page, "</title"), 1);
	assert_non_null(strstr(page, "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
	free(data);
	free(page);
	profile_free(p);
}

/* The script may run by its hash only, nothing is loaded, and nothing is run from attributes. */
static void test_page_is_closed(void **state)
{
	struct profile *p = hostile_profile();
	char *page = page_of(p, "x");

	(void)state;
	assert_non_null(strstr(page, "default-src 'none'; style-src 'sha256-"));
	assert_non_null(strstr(page, "script-src 'sha256-"));
	assert_null(strstr(page, "unsafe-"));
	assert_null(strstr(page, "_HASH"));
	assert_null(strstr(page, "http://"));
	assert_null(strstr(page, "https://"));
	assert_null(strstr(page, "onclick=\""));
	assert_null(strstr(page, "innerHTML"));
	assert_null(strstr(page, "eval("));
	free(page);
	profile_free(p);
}

static void test_columns_hold_the_profile(void **state)
{
	enum { MAX = 4096 };
	int64_t *frames = calloc(MAX, 8), *depths = calloc(MAX, 8), *selves = calloc(MAX, 8);
	struct profile *p = random_profile(7, 60);
	int64_t total = 0, written;
	uint32_t stack, set;
	size_t n_frames, n_depths, n_selves;
	size_t value = profile_default_type(p);
	char *page, *data;

	(void)state;
	/* What has neither labels nor frames counts too. */
	MUST(profile_stack(p, NULL, 0, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){3, 3 * p->period}));
	page = page_of(p, NULL);
	data = data_of(page);
	for (size_t i = 0; i < p->samples.len; i++)
		total += p->values.data[p->samples.data[i].first_value + value];
	column(data, "frame", 0, frames, MAX, &n_frames);
	column(data, "depth", 0, depths, MAX, &n_depths);
	column(data, "self", 0, selves, MAX, &n_selves);
	assert_int_equal(n_frames, n_depths);
	written = strtoll(strstr(data, "\"rest\":") + 7, NULL, 10);
	assert_int_equal(n_frames, n_selves);
	for (size_t i = 0; i < n_frames; i++) {
		written += selves[i];
		assert_true(depths[i] >= 1 && depths[i] <= (i ? depths[i - 1] + 1 : 1));
		/* Label sets stand at the top only. */
		assert_true(frames[i] >= 0 || depths[i] == 1);
		assert_true(frames[i] >= -(int64_t)p->labelsets.len);
	}
	assert_int_equal(written, total);
	free(frames);
	free(depths);
	free(selves);
	free(data);
	free(page);
	profile_free(p);
}

/* Of a difference what shrank is there, below 0. */
static void test_a_difference(void **state)
{
	struct export_opts opts = {.base = "old</script>.pb"};
	struct profile *p = profile_new();
	_cleanup_(buf_release) struct buf page = {0};
	int64_t selves[4];
	uint32_t map, at[2];
	size_t n;

	(void)state;
	MUST(profile_init_cpu(p, 10));
	map = mapping_id(p, "/bin/app", "", true);
	at[0] = location_id(p, map, 1, "grew");
	at[1] = location_id(p, map, 2, "shrank");
	for (size_t i = 0; i < 2; i++) {
		int64_t value = i ? -3 : 8;
		uint32_t stack, set;

		MUST(profile_stack(p, &at[i], 1, &stack));
		MUST(profile_labelset(p, NULL, 0, &set));
		MUST(profile_add(p, stack, set, (int64_t[]){value, 10 * value}));
	}
	MUST(export_html(&page, p, &opts));
	column(buf_cstr(&page), "self", 0, selves, 4, &n);
	assert_int_equal(n, 2);
	assert_int_equal(selves[0], 80);
	assert_int_equal(selves[1], -30);
	assert_non_null(strstr(buf_cstr(&page), "\"base\":\"old\\u003c/script\\u003e.pb\""));
	profile_free(p);
}

static void test_quality_is_told(void **state)
{
	struct quality q = {.expected = 100, .recorded = 90, .user_complete = 80, .frames = 1000};
	struct profile *p = hostile_profile();
	char *page = page_of(p, "x");

	(void)state;
	assert_non_null(strstr(page, "\"quality\":null"));
	free(page);
	q.lost[LOSS_map_full] = 7;
	assert_int_equal(
		vec_push(&q.blame, (struct quality_blame){.module = strdup("</script>"),
							  .frames = 9,
							  .hint = strdup("<b>install</b>")}),
		0);
	assert_int_equal(quality_store(p, &q), 0);
	quality_release(&q);
	page = page_of(p, "x");
	assert_non_null(strstr(page, "\"expected\":100,"));
	assert_non_null(strstr(page, "\"unaccounted\":3,"));
	assert_non_null(strstr(page, "\"text\":\"the count map was full\","));
	assert_non_null(strstr(page, "\"samples\":7}"));
	assert_int_equal(count(page, "</script"), 2);
	free(page);
	profile_free(p);
}

static void test_same_page_whatever_the_run(void **state)
{
	struct profile *a = random_profile(11, 80), *b = random_profile(11, 80);
	char *pa = page_of(a, NULL), *pb = page_of(b, NULL);

	(void)state;
	assert_string_equal(pa, pb);
	free(pa);
	free(pb);
	profile_free(a);
	profile_free(b);
}

/* Without a sample type there is nothing to draw. */
static void test_profile_without_types_is_refused(void **state)
{
	struct profile *p = profile_new();
	struct buf b = {0};

	(void)state;
	assert_int_equal(export_html(&b, p, NULL), -EINVAL);
	buf_release(&b);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_cannot_leave_their_element),
		cmocka_unit_test(test_page_is_closed),
		cmocka_unit_test(test_columns_hold_the_profile),
		cmocka_unit_test(test_a_difference),
		cmocka_unit_test(test_quality_is_told),
		cmocka_unit_test(test_same_page_whatever_the_run),
		cmocka_unit_test(test_profile_without_types_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
