// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows merged in little memory: threads and processes are given up, values never. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "profiler/base/log.h"
#include "profiler/collect/collector.h"
#include "profiler/record/merged.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* --- windows ------------------------------------------------------------------------------------- */

static uint32_t stack_of(struct profile *p, uint32_t number, uint32_t depth)
{
	uint32_t mapping = mapping_id(p, "/bin/x", "aa", true), frames[64], stack;
	char name[32];

	for (uint32_t i = 0; i < depth; i++) {
		snprintf(name, sizeof(name), "f%u_%u", number, i);
		frames[i] = location_id(p, mapping, number * 64 + i, name);
	}
	MUST(profile_stack(p, frames, depth, &stack));
	return stack;
}

static uint32_t labels_of(struct profile *p, uint32_t pid, uint32_t tid, const char *comm)
{
	struct profile_label labels[] = {
		{str_id(p, LABEL_PID), PROFILE_NONE, pid, 0},
		{str_id(p, LABEL_TID), PROFILE_NONE, tid, 0},
		{str_id(p, LABEL_COMM), str_id(p, comm), 0, 0},
	};
	uint32_t set;

	MUST(profile_labelset(p, labels, 3, &set));
	return set;
}

static struct named_window new_window(void)
{
	struct named_window w = {.profile = profile_new()};

	MUST(profile_init_cpu(w.profile, 1000));
	return w;
}

static void add(struct named_window *w, uint32_t stack, uint32_t pid, uint32_t tid, int64_t count)
{
	struct profile *p = w->profile;

	uint32_t labels = labels_of(p, pid, tid, pid & 1 ? "odd" : "even");

	MUST(profile_add(p, stack_of(p, stack, 3), labels, (int64_t[]){count, count * 1000}));
	w->quality.recorded += (uint64_t)count;
	w->quality.expected += (uint64_t)count;
}

/* A window of so many samples of some stacks, processes and threads, from `tid` on. */
static struct named_window window_of(uint64_t *r, unsigned samples, uint32_t stacks, uint32_t pids,
				     uint32_t tid)
{
	struct named_window w = new_window();

	for (unsigned i = 0; i < samples; i++)
		add(&w, rnd_below(r, stacks), rnd_below(r, pids), tid + i, 1 + rnd_below(r, 9));
	w.profile->time_ns = 1700000000000000000 + tid * 1000;
	w.profile->duration_ns = 1000;
	MUST(profile_comment(w.profile, "kiln.event=cpu-clock"));
	return w;
}

static void assert_values(const struct merged *m, int64_t samples)
{
	assert_int_equal(total_of_type(m->profile, 0), samples);
	assert_int_equal(total_of_type(m->profile, 1), samples * 1000);
	assert_int_equal(m->quality.recorded, samples);
}

/* The whole that nothing was given up of. */
static struct profile *copy_of(const struct profile *p)
{
	struct profile *copy = profile_new();
	const char *why;

	MUST(profile_merge(copy, p, &why));
	return copy;
}

static char *without_ids(const struct profile *p)
{
	struct profile *a, *b;
	char *text;

	MUST(profile_without_label(&a, p, LABEL_TID));
	MUST(profile_without_label(&b, a, LABEL_PID));
	text = print_profile(b);
	profile_free(a);
	profile_free(b);
	return text;
}

/* But for the ids it says the same. */
static void assert_same_but_for_ids(const struct profile *got, const struct profile *want)
{
	char *g = without_ids(got), *w = without_ids(want);

	assert_string_equal(g, w);
	free(g);
	free(w);
}

static size_t samples_with(const struct profile *p, const char *key)
{
	size_t n = 0;

	for (size_t i = 0; i < p->samples.len; i++)
		n += profile_find_label(p, p->samples.data[i].labelset, key) != NULL;
	return n;
}

static bool has_comment(const struct profile *p, const char *text)
{
	for (size_t i = 0; i < p->comments.len; i++)
		if (!strcmp(profile_text(p, p->comments.data[i]), text))
			return true;
	return false;
}

static bool has_count(const struct profile *p, const char *key, uint64_t n)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%" PRIu64, key, n);
	return has_comment(p, text);
}

/* --- tests --------------------------------------------------------------------------------------- */

TEST(test_windows_are_merged)
{
	struct profile *want = profile_new();
	struct merged m = {0};
	uint64_t r = 1;
	int64_t samples = 0;
	const char *why;
	char *g, *w_text;

	for (uint32_t i = 0; i < 5; i++) {
		struct named_window w = window_of(&r, 50, 20, 3, 1);

		samples += total_of_type(w.profile, 0);
		MUST(profile_merge(want, w.profile, &why));
		assert_int_equal(merged_add(&m, &w), 0);
		assert_null(w.profile);
		assert_int_equal(w.quality.recorded, 0);
	}
	assert_values(&m, samples);
	g = print_profile(m.profile);
	w_text = print_profile(want);
	assert_string_equal(g, w_text);
	free(g);
	free(w_text);
	assert_int_equal(m.threads_folded + m.processes_folded, 0);
	assert_int_equal(merged_finish(&m), 0);
	assert_true(has_comment(m.profile, "kiln.event=cpu-clock"));
	assert_false(has_comment(m.profile, "kiln.threads_folded=0"));
	profile_free(want);
	merged_release(&m);
	assert_null(m.profile);
	merged_release(&m);
}

/* Many threads of few processes: the processes stay. */
TEST(test_threads_are_given_up_first)
{
	struct merged m = {.max_bytes = 400 << 10};
	struct profile *all = profile_new();
	int64_t samples = 0;
	unsigned windows = 0;
	const char *why;
	uint64_t r = 1;

	for (; m.threads_folded < 3 && windows < 500; windows++) {
		struct named_window w = window_of(&r, 100, 10, 5, 1000 * windows);
		unsigned folded = m.threads_folded;

		samples += total_of_type(w.profile, 0);
		MUST(profile_merge(all, w.profile, &why));
		assert_int_equal(merged_add(&m, &w), 0);
		assert_values(&m, samples);
		assert_int_equal(samples_with(m.profile, LABEL_PID), m.profile->samples.len);
		if (m.threads_folded > folded)
			assert_int_equal(samples_with(m.profile, LABEL_TID), 0);
		else
			assert_in_range(samples_with(m.profile, LABEL_TID), 90,
					100 * windows + 100);
		assert_true(profile_bytes(m.profile) <= m.max_bytes);
	}
	assert_in_range(windows, 14, 499); /* not at every window */
	assert_int_equal(m.processes_folded, 0);
	assert_same_but_for_ids(m.profile, all);
	assert_int_equal(m.profile->time_ns, all->time_ns);
	assert_int_equal(m.profile->duration_ns, 1000 * windows);
	assert_int_equal(merged_finish(&m), 0);
	assert_true(has_comment(m.profile, "kiln.threads_folded=3"));
	profile_free(all);
	merged_release(&m);
}

/* Short-lived processes: threads do not make the half of it, so they go by their command. */
TEST(test_processes_are_given_up_next)
{
	struct merged m = {.max_bytes = 200 << 10};
	struct profile *all = profile_new();
	int64_t samples = 0;
	uint32_t pid = 1;
	const char *why;

	for (int i = 0; m.processes_folded < 2 && i < 500; i++) {
		struct named_window w = new_window();

		for (int k = 0; k < 100; k++, pid++)
			add(&w, pid % 10, pid, pid, 2);
		samples += 200;
		MUST(profile_merge(all, w.profile, &why));
		assert_int_equal(merged_add(&m, &w), 0);
		assert_values(&m, samples);
		assert_true(profile_bytes(m.profile) <= m.max_bytes);
	}
	assert_int_equal(m.processes_folded, 2);
	assert_int_equal(samples_with(m.profile, LABEL_PID), 0);
	assert_int_equal(samples_with(m.profile, LABEL_COMM), m.profile->samples.len);
	assert_int_equal(m.profile->samples.len, 10); /* five stacks of either command */
	assert_int_equal(m.threads_folded, 2);
	assert_same_but_for_ids(m.profile, all);
	assert_int_equal(merged_finish(&m), 0);
	assert_true(has_comment(m.profile, "kiln.threads_folded=2"));
	assert_true(has_comment(m.profile, "kiln.processes_folded=2"));
	profile_free(all);
	merged_release(&m);
}

/* Stacks that nothing can be given up of: what is in stays in. */
TEST(test_no_more_fits)
{
	struct merged m = {.max_bytes = 200 << 10};
	int64_t samples = 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < 500; i++) {
		struct named_window w = new_window();

		for (uint32_t k = 0; k < 50; k++)
			add(&w, 50 * i + k, 1, 1, 1);
		samples += 50;
		err = merged_add(&m, &w);
		assert_null(w.profile);
		assert_values(&m, samples);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(m.profile->samples.len, samples);
	assert_int_equal(merged_finish(&m), 0);
	assert_in_range(m.threads_folded, 1, 20);
	assert_int_equal(m.processes_folded, m.threads_folded);
	assert_true(has_count(m.profile, "kiln.threads_folded=", m.threads_folded));
	assert_true(has_count(m.profile, "kiln.processes_folded=", m.processes_folded));
	merged_release(&m);
}

/* One of endless stacks of fifty functions, each called from other places in them. */
static void add_rare(struct named_window *w, uint32_t number, uint32_t depth)
{
	struct profile *p = w->profile;
	uint32_t mapping = mapping_id(p, "/bin/x", "aa", true), frames[64], stack;
	uint64_t r = hash_u64(number) | 1;
	char name[32];

	for (uint32_t i = 0; i < depth; i++) {
		snprintf(name, sizeof(name), "g%u", rnd_below(&r, 50));
		frames[i] = location_id(p, mapping, rnd(&r), name);
	}
	MUST(profile_stack(p, frames, depth, &stack));
	MUST(profile_add(p, stack, labels_of(p, 1, 1, "x"), (int64_t[]){1, 1000}));
	w->quality.recorded++;
}

/* A stack that is common keeps everything; of those that are rare there is no end. */
TEST(test_rare_detail_is_given_up_last)
{
	struct merged m = {.max_bytes = 400 << 10};
	int64_t samples = 0;
	bool common = false;

	for (uint32_t i = 0; i < 300; i++) {
		struct named_window w = new_window();

		add(&w, 1000000, 1, 1, 100000);
		for (uint32_t k = 0; k < 50; k++)
			add_rare(&w, 50 * i + k, 10);
		samples += 100050;
		assert_int_equal(merged_add(&m, &w), 0);
		assert_values(&m, samples);
		assert_true(profile_bytes(m.profile) <= m.max_bytes);
		assert_true(m.lines_folded || !m.callers_folded);
	}
	assert_true(m.threads_folded > 0 && m.processes_folded > 0);
	assert_true(m.callers_folded > 0);
	assert_true(m.lines_folded + m.callers_folded <= 4 * (uint64_t)samples);
	for (size_t i = 0; i < m.profile->samples.len; i++) {
		const struct profile_sample *s = &m.profile->samples.data[i];

		if (m.profile->values.data[s->first_value] < 100000)
			continue;
		common = true;
		assert_int_equal(m.profile->stacks.data[s->stack].len, 3);
	}
	assert_true(common);
	assert_int_equal(merged_finish(&m), 0);
	assert_true(has_count(m.profile, "kiln.lines_folded=", m.lines_folded));
	assert_true(has_count(m.profile, "kiln.callers_folded=", m.callers_folded));
	merged_release(&m);
}

TEST(test_values_are_never_lost)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		uint64_t r = hash_u64(seed) | 1;
		struct merged m = {.max_bytes = (130u << 10) + rnd_below(&r, 200 << 10)};
		uint32_t stacks = 1 + rnd_below(&r, 300), pids = 1 + rnd_below(&r, 400);
		struct profile *all = profile_new();
		int64_t samples = 0;
		const char *why;
		int err = 0;

		for (uint32_t i = 0; i < 30; i++) {
			struct named_window w = window_of(&r, rnd_below(&r, 120), stacks, pids,
							  rnd_below(&r, 3) ? 1000 * i : 1);

			samples += total_of_type(w.profile, 0);
			MUST(profile_merge(all, w.profile, &why));
			err = merged_add(&m, &w);
			assert_true(!err || err == -ENOSPC);
			assert_true(err || profile_bytes(m.profile) <= m.max_bytes);
			assert_values(&m, samples);
		}
		if (!m.lines_folded && !m.callers_folded)
			assert_same_but_for_ids(m.profile, all);
		profile_free(all);
		merged_release(&m);
	}
}

/* Random profiles: whatever labels and lines there are. */
TEST(test_any_profile_can_be_folded)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct merged m = {.max_bytes = 1};
		struct named_window w = {.profile = random_profile(seed, 60)};
		struct profile *all = copy_of(w.profile);

		/* a profile of even nothing is larger than that */
		assert_int_equal(merged_add(&m, &w), -ENOSPC);
		assert_int_equal(samples_with(m.profile, LABEL_TID), 0);
		assert_int_equal(samples_with(m.profile, LABEL_PID), 0);
		for (size_t type = 0; type < all->sample_types.len; type++)
			assert_int_equal(total_of_type(m.profile, type), total_of_type(all, type));
		assert_true(m.callers_folded > 0);
		profile_free(all);
		merged_release(&m);
	}
}

/* Every sample has a deep stack of its own, so that none is rarer than others: the recording goes on. */
TEST(test_few_samples_with_deep_stacks)
{
	struct merged m = {.max_bytes = 600 << 10};
	int64_t samples = 0;

	for (uint32_t i = 0; i < 50; i++) {
		struct named_window w = new_window();

		for (uint32_t k = 0; k < 50; k++)
			add_rare(&w, 50 * i + k, 60);
		samples += 50;
		assert_int_equal(merged_add(&m, &w), 0);
		assert_values(&m, samples);
		assert_true(profile_bytes(m.profile) <= m.max_bytes);
	}
	assert_true(m.callers_folded > 0);
	merged_release(&m);
}

/* A window that does not fit the others is taken all the same. */
TEST(test_a_window_of_another_kind)
{
	struct named_window w = new_window(), other = {.profile = profile_new()};
	struct merged m = {0};

	add(&w, 1, 1, 1, 5);
	assert_int_equal(merged_add(&m, &w), 0);
	MUST(profile_add_sample_type(other.profile, "alloc", "bytes"));
	assert_int_equal(merged_add(&m, &other), -EINVAL);
	assert_null(other.profile);
	assert_values(&m, 5);
	merged_release(&m);
}

#if FAIL_ALLOC

TEST(test_every_allocation_may_fail)
{
	bool failed = true;
	long n;

	for (n = 0; failed; n++) {
		struct merged m = {.max_bytes = 150 << 10};
		struct named_window w[4];
		uint64_t r = 1;
		int err = 0;

		for (uint32_t i = 0; i < 4; i++)
			w[i] = window_of(&r, 150, 10, 5, 1000 * i);
		allocs_begin(n);
		for (int i = 0; i < 4; i++)
			err = err ?: merged_add(&m, &w[i]);
		err = err ?: merged_finish(&m);
		failed = allocs_end();
		if (err != (failed ? -ENOMEM : 0))
			fail_msg("allocation %ld: %d", n, err);
		for (int i = 0; i < 4; i++)
			named_window_release(&w[i]);
		if (!failed)
			assert_true(m.threads_folded > 0);
		merged_release(&m);
	}
	assert_true(n > 50);
}

#endif

static int setup(void **state)
{
	(void)state;
	log_set_level(LOG_QUIET);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows_are_merged),
		cmocka_unit_test(test_threads_are_given_up_first),
		cmocka_unit_test(test_processes_are_given_up_next),
		cmocka_unit_test(test_no_more_fits),
		cmocka_unit_test(test_rare_detail_is_given_up_last),
		cmocka_unit_test(test_values_are_never_lost),
		cmocka_unit_test(test_any_profile_can_be_folded),
		cmocka_unit_test(test_few_samples_with_deep_stacks),
		cmocka_unit_test(test_a_window_of_another_kind),
#if FAIL_ALLOC
		cmocka_unit_test(test_every_allocation_may_fail),
#endif
	};

	return cmocka_run_group_tests_name("merged", tests, setup, NULL);
}
