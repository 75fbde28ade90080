// SPDX-License-Identifier: GPL-2.0-or-later
/* Which hosts sample: the share is right over many names, and who is in it stays in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/config.h"
#include "profiler/agent/host_share.h"
#include "profiler/base/buf.h"

#define HOSTS 100000

/* A host's place is for ever: a new version of kiln must not move it. */
static void places_stay(void **state)
{
	(void)state;
	assert_int_equal(host_share_place("", "web-1"), 544345);
	assert_int_equal(host_share_place("0123456789abcdef0123456789abcdef", "web-1"), 122707);
	assert_int_equal(host_share_place("", "node-17"), 103422);
}

/* Of hosts with like names, as a fleet has them. Five standard deviations of chance are allowed. */
static void shares_are_right(void **state)
{
	static const struct {
		const char *format;
		uint64_t share_ppm, least, most;
	} rows[] = {
		{"node-%u.example.org", 10000, 843, 1157},
		{"node-%u.example.org", 100000, 9526, 10474},
		{"ip-10-0-%u", 100000, 9526, 10474},
		{"%u", 500000, 49210, 50790},
		{"web%05u", 999999, 99998, 100000},
		{"web%05u", 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t n = 0;
		char host[64];

		for (unsigned k = 0; k < HOSTS; k++) {
			snprintf(host, sizeof(host), rows[i].format, k);
			n += host_share_place("", host) < rows[i].share_ppm;
		}
		if (n < rows[i].least || n > rows[i].most)
			fail_msg("%s: %lu of %d", rows[i].format, (unsigned long)n, HOSTS);
	}
}

/* Cloned machines share an id, and names occur twice: both count. */
static void both_names_count(void **state)
{
	unsigned same_id = 0, same_host = 0;
	char text[64];

	(void)state;
	for (unsigned k = 0; k < 1000; k++) {
		snprintf(text, sizeof(text), "%032x", k);
		same_id += host_share_place("1111", text) < 500000;
		same_host += host_share_place(text, "localhost") < 500000;
	}
	assert_in_range(same_id, 420, 580);
	assert_in_range(same_host, 420, 580);
	assert_int_not_equal(host_share_place("a", "b"), host_share_place("", "a\nb"));
}

static struct config *config_of(const char *text)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	if (config_parse(&c, "k.yaml", text, strlen(text), &errs))
		fail_msg("refused: %s", buf_cstr(&errs.text));
	return c;
}

static void what_a_configuration_says(void **state)
{
	static const struct {
		const char *text, *part;
		bool is_in;
	} rows[] = {
		{"", NULL, true},
		{"sampling: {hosts: 100%}\n", NULL, true},
		{"sampling: {hosts: 0%}\n",
		 "this host does not sample: sampling.hosts is 0%, and its place is at 10.3422%",
		 false},
		{"sampling: {hosts: 10.3422%}\n", "this host does not sample: ", false},
		{"sampling: {hosts: 10.3423%}\n", "this host samples: ", true},
	};

	(void)state;
	setenv("NODE_NAME", "node-17", 1); /* as in Kubernetes */
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config *c = config_of(rows[i].text);
		struct buf said = {0};

		assert_int_equal(host_is_sampled(c), rows[i].is_in);
		assert_int_equal(host_share_say(&said, c), rows[i].is_in);
		if (rows[i].part)
			assert_non_null(strstr(buf_cstr(&said), rows[i].part));
		else
			assert_int_equal(said.len, 0);
		buf_release(&said);
		config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_stay),
		cmocka_unit_test(shares_are_right),
		cmocka_unit_test(both_names_count),
		cmocka_unit_test(what_a_configuration_says),
	};

	return cmocka_run_group_tests_name("host_share", tests, NULL, NULL);
}
