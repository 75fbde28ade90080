// SPDX-License-Identifier: GPL-2.0-or-later
/* Which labels tell series apart, where the configuration of a destination says so. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/formats/compress.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"
#include "proto/parca.pb-c.h"
#include "proto/push.pb-c.h"
#include "tests/lib/profiles.h"

/* "NAME=VALUE;" of the only series that was sent. */
static void add_label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=%s;", name, value);
}

static void add_labels(struct buf *out, bool is_parca, const struct buf *message)
{
	const uint8_t *data = (const uint8_t *)message->data;

	if (is_parca) {
		Parca__WriteRawRequest *m =
			parca__write_raw_request__unpack(NULL, message->len, data);

		assert_int_equal(m->n_series, 1);
		for (size_t i = 0; i < m->series[0]->labels->n_labels; i++)
			add_label(out, m->series[0]->labels->labels[i]->name,
				  m->series[0]->labels->labels[i]->value);
		parca__write_raw_request__free_unpacked(m, NULL);
	} else {
		Push__PushRequest *m = push__push_request__unpack(NULL, message->len, data);

		assert_int_equal(m->n_series, 1);
		for (size_t i = 0; i < m->series[0]->n_labels; i++)
			add_label(out, m->series[0]->labels[i]->name,
				  m->series[0]->labels[i]->value);
		push__push_request__free_unpacked(m, NULL);
	}
}

/* One sample, with a label of each kind. */
static struct profile *labelled(void)
{
	static const char *const own[][2] = {
		{"comm", "c"}, {"env", "prod"}, {"unit", "u.service"}, {"service_name", "s"}};
	struct profile *p = profile_new();
	struct profile_label labels[4];
	uint32_t m, f, stack, set;

	MUST(profile_init_cpu(p, 1000));
	m = mapping_id(p, "/usr/bin/x", "00ff", true);
	f = location_id(p, m, 0x1000, "f");
	for (size_t i = 0; i < 4; i++)
		labels[i] = (struct profile_label){.key = str_id(p, own[i][0]),
						   .str = str_id(p, own[i][1]),
						   .num_unit = str_id(p, "")};
	MUST(profile_labelset(p, labels, 4, &set));
	MUST(profile_stack(p, &f, 1, &stack));
	MUST(profile_add(p, stack, set, (int64_t[]){1, 1000}));
	return p;
}

/* own: what kiln push adds. */
static void assert_series(const char *const *wanted, const char *const *own, const char *want)
{
	static const struct upload_kind *const kinds[] = {&upload_pyroscope, &upload_parca};
	struct profile *p = labelled();

	for (size_t k = 0; k < 2; k++) {
		struct upload_target t = {.kind = kinds[k],
					  .base = "http://h",
					  .path = "",
					  .query = "",
					  .labels = (char **)wanted};
		struct upload_item item = {.profile = p, .host = "h", .labels = own};
		struct upload_requests requests = {0};
		struct buf message = {0}, got = {0};
		const char *why_text, *rest;
		struct why why = {""};
		size_t head = k ? 5 : 0; /* gRPC's */

		assert_int_equal(t.kind->pack(&t, &item, &requests, &why), 0);
		assert_int_equal(requests.v.len, 1);
		assert_int_equal(decompress(&message, requests.v.data[0].body.data + head,
					    requests.v.data[0].body.len - head, 1 << 20, &why_text),
				 0);
		add_labels(&got, k == 1, &message);
		rest = strstr(buf_cstr(&got), k ? "__name__=" : "__delta__=");
		assert_non_null(rest);
		assert_string_equal(strchr(rest, ';') + 1, want);
		buf_release(&message);
		buf_release(&got);
		upload_requests_release(&requests);
	}
	profile_free(p);
}

static void the_usual_ones(void **state)
{
	(void)state;
	assert_series(NULL, NULL, "comm=c;host=h;service_name=s;unit=u.service;");
	assert_series(NULL, (const char *[]){"env", NULL},
		      "comm=c;env=prod;host=h;service_name=s;unit=u.service;");
}

/* service_name is always there; the host is not, so that those of a service become one series. */
static void those_of_the_configuration(void **state)
{
	(void)state;
	assert_series((const char *[]){"env", NULL}, NULL, "env=prod;service_name=s;");
	assert_series((const char *[]){"host", "service_name", "env", "none", NULL}, NULL,
		      "env=prod;host=h;service_name=s;");
	assert_series((const char *[]){"service_name", NULL}, (const char *[]){"comm", NULL},
		      "comm=c;service_name=s;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_ones),
		cmocka_unit_test(those_of_the_configuration),
	};

	return cmocka_run_group_tests_name("series_chosen", tests, NULL, NULL);
}
