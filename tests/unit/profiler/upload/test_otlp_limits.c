// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles as OpenTelemetry's: limits of requests, profiles and stacks, ids, and memory that runs out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/lib/fail_alloc.h"
#include "tests/lib/otlp.h"

static void count_samples(void *ctx, const otlp_message *m, const Otlp__Resource *resource,
			  const Otlp__Profile *p)
{
	size_t *most = ctx;

	(void)m, (void)resource;
	if (p->n_samples > *most)
		*most = p->n_samples;
}

static void requests_and_profiles_keep_their_limits(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *p = random_profile(seed, 400);
		struct otlp_opts o = plain;
		struct otlp_requests r;
		uint64_t samples = 0;

		o.max_samples = 5 + seed;
		o.max_bytes = 40000 + 1000 * seed;
		r = encoded(p, &o);
		assert_true(r.v.len > 1);
		for (size_t i = 0; i < r.v.len; i++) {
			otlp_message *m = otlp_unpacked(&r.v.data[i]);
			size_t most = 0;

			otlp_each(m, count_samples, &most);
			assert_in_range(most, 1, o.max_samples);
			assert_in_range(r.v.data[i].body.len, 1, o.max_bytes);
			samples += r.v.data[i].samples;
			otlp_message_free(m);
		}
		assert_int_equal(samples, profile_weight(p));
		assert_same_totals(p, &r, 0, "samples");
		otlp_requests_release(&r);
		profile_free(p);
	}
}

static void collect_id(void *ctx, const otlp_message *m, const Otlp__Resource *resource,
		       const Otlp__Profile *p)
{
	struct buf *ids = ctx;

	(void)m, (void)resource;
	for (size_t at = 0; at < ids->len; at += 16)
		assert_memory_not_equal(ids->data + at, p->profile_id.data, 16);
	buf_add(ids, p->profile_id.data, 16);
}

static void no_two_profiles_have_one_id(void **state)
{
	struct profile *p = random_profile(3, 400);
	struct otlp_opts o = plain;
	struct buf ids = {0};

	(void)state;
	o.max_samples = 10;
	for (o.id[1] = 0; o.id[1] < 4; o.id[1]++) { /* windows in a row */
		struct otlp_requests r = encoded(p, &o);

		for (size_t i = 0; i < r.v.len; i++) {
			otlp_message *m = otlp_unpacked(&r.v.data[i]);

			otlp_each(m, collect_id, &ids);
			otlp_message_free(m);
		}
		otlp_requests_release(&r);
	}
	assert_true(ids.len > 100 * 16);
	buf_release(&ids);
	profile_free(p);
}

static void deep_stacks_lose_their_roots(void **state)
{
	struct profile *p = cpu_profile();
	uint32_t m = mapping_id(p, "/bin/x", "cc", true), frames[30];
	struct otlp_opts o = plain;
	otlp_message *message;
	char *text;

	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		char name[8];

		snprintf(name, sizeof(name), "f%u", i);
		frames[i] = location_id(p, m, 0x100 + i, name);
	}
	o.max_depth = 3;
	add(p, frames, 3, NULL, 0, 1);
	add(p, frames, 30, NULL, 0, 2);
	message = only_message(p, &o);
	for (size_t i = 0; i < 2; i++) {
		const Otlp__Sample *s = only_profile(message)->samples[i];

		text = frames_text(message, s->stack_index);
		assert_string_equal(text, s->values[0] == 1
						  ? "0x100|f0|/bin/x|native 0x101|f1|/bin/x|native "
						    "0x102|f2|/bin/x|native"
						  : "0x100|f0|/bin/x|native 0x101|f1|/bin/x|native "
						    "0x0|[truncated]|[kiln]|");
		free(text);
	}
	otlp_message_free(message);
	profile_free(p);
}

/* A name larger than a request: the sample stays. */
static void a_stack_that_is_too_large_is_marked(void **state)
{
	struct profile *p = cpu_profile();
	uint32_t map = mapping_id(p, "/bin/x", "cc", true), large, small;
	char *name = malloc(20001), *text;
	struct otlp_opts o = plain;
	struct otlp_requests r;
	int64_t sum = 0;

	(void)state;
	memset(name, 'a', 20000);
	name[20000] = 0;
	large = location_id(p, map, 1, name);
	small = location_id(p, map, 2, "small");
	add(p, &large, 1, NULL, 0, 5);
	add(p, &small, 1, NULL, 0, 1);
	o.max_bytes = 10000;
	r = encoded(p, &o);
	for (size_t i = 0; i < r.v.len; i++) {
		otlp_message *m = otlp_unpacked(&r.v.data[i]);
		const Otlp__Profile *only = only_profile(m);

		otlp_check_rules(m);
		assert_in_range(r.v.data[i].body.len, 1, o.max_bytes);
		for (size_t k = 0; k < only->n_samples; k++) {
			text = frames_text(m, only->samples[k]->stack_index);
			assert_string_equal(text, only->samples[k]->values[0] == 5
							  ? "0x0|[truncated]|[kiln]|"
							  : "0x2|small|/bin/x|native");
			sum += only->samples[k]->values[0];
			free(text);
		}
		otlp_message_free(m);
	}
	assert_int_equal(sum, 6);
	otlp_requests_release(&r);
	profile_free(p);
	free(name);
}

static void nothing_is_no_request(void **state)
{
	struct profile *p = cpu_profile();
	struct otlp_requests r = encoded(p, &plain);

	(void)state;
	assert_int_equal(r.v.len, 0);
	otlp_requests_release(&r);
	profile_free(p);
}

/* Any allocation may fail: it says so, and leaves nothing behind. */
static void memory_may_run_out(void **state)
{
	(void)state;
#if FAIL_ALLOC
	struct profile *p = random_profile(5, 60);
	struct otlp_opts o = plain;
	bool failed = true;

	o.max_bytes = 20000;
	for (long at = 0; failed; at++) {
		struct otlp_requests r = {0};
		int err;

		allocs_begin(at);
		err = otlp_encode(&r, p, &o);
		otlp_requests_release(&r);
		failed = allocs_end();
		/* Sorting does without memory, only slower. */
		assert_true(!err || (failed && err == -ENOMEM));
		assert_int_equal(allocs.blocks, 0);
	}
	profile_free(p);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_profiles_keep_their_limits),
		cmocka_unit_test(no_two_profiles_have_one_id),
		cmocka_unit_test(deep_stacks_lose_their_roots),
		cmocka_unit_test(a_stack_that_is_too_large_is_marked),
		cmocka_unit_test(nothing_is_no_request),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
