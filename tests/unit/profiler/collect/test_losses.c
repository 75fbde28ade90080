// SPDX-License-Identifier: GPL-2.0-or-later
/* The accounting identity: of what the kernel counted, and of the windows it is cut into. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/collect/losses.h"
#include "profiler/profile/quality.h"
#include "profiler/sampler/sampler.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static const size_t numbers[] = {
#define X(key) offsetof(struct quality, key),
	QUALITY_COUNTERS(X)
#undef X
#define X(key, text, cure) offsetof(struct quality, lost[LOSS_##key]),
		LOSS_REASONS(X)
#undef X
};
#define N_NUMBERS (sizeof(numbers) / sizeof(*numbers))
#define EXPECTED  offsetof(struct quality, expected)

static uint64_t *number_at(struct quality *q, size_t offset)
{
	return (uint64_t *)((char *)q + offset);
}

/* --- what the kernel half counted ---------------------------------------------------------------- */

TEST(test_every_count_finds_its_place)
{
	struct sampler_totals t = {
		.expected = 1000,
		.idle = 2,
		.stolen = 3,
		.timer_overrun = 4,
		.cpu_gap = 5,
		.ring_full = 6,
		.unseen = 8,
		.privileged = 13,
		.stops = {.full = 9, .held_ns = 10999, .ended = 11, .restarted = 12}};
	struct quality q = {.recorded = 90, .full_processes = 20, .lost[LOSS_memory] = 7};
	const uint64_t read_back = 97;

	for (uint64_t c = 0; c < KILN_CTR_COUNT; c++)
		t.counters[c] = 100 + c;
	losses_count(&q, &t, read_back);
	assert_int_equal(q.expected, 1000);
	assert_int_equal(q.idle, 2);
	assert_int_equal(q.stolen, 3);
	assert_int_equal(q.filtered, 100 + KILN_CTR_filtered);
	assert_int_equal(q.kernel_collision, 100 + KILN_CTR_kernel_collision);
	assert_int_equal(q.mappings_unread, 100 + KILN_CTR_mappings_unread);
	assert_int_equal(q.lost[LOSS_map_full], 100 + KILN_CTR_map_full);
	assert_int_equal(q.lost[LOSS_update_failed], 100 + KILN_CTR_update_failed);
	assert_int_equal(q.lost[LOSS_unattended], 100 + KILN_CTR_unattended);
	assert_int_equal(q.lost[LOSS_timer_overrun], 4);
	assert_int_equal(q.lost[LOSS_cpu_gap], 5);
	assert_int_equal(q.lost[LOSS_ring_full], 6);
	assert_int_equal(q.lost[LOSS_unseen], 8);
	assert_int_equal(q.lost[LOSS_privileged], 13);
	assert_int_equal(q.full_processes, 29); /* others have their own */
	assert_int_equal(q.stopped_us, 10);
	assert_int_equal(q.calls_ended, 11);
	assert_int_equal(q.calls_restarted, 12);
	assert_int_equal(q.lost[LOSS_drain_failed], 100 + KILN_CTR_recorded - read_back);
	assert_int_equal(q.recorded, 90);
	assert_int_equal(q.lost[LOSS_memory], 7);
}

/* Sampling goes on: more may have come back than was counted a moment before. */
TEST(test_what_came_back_since_is_no_loss)
{
	struct sampler_totals t = {.counters[KILN_CTR_recorded] = 50};
	struct quality q = {.recorded = 51};

	losses_count(&q, &t, 51);
	assert_int_equal(q.lost[LOSS_drain_failed], 0);
}

/* --- windows ------------------------------------------------------------------------------------- */

/* What is counted grows; with `wobble` a sum may be a little less than it was before. */
static void grow(struct quality *sums, uint64_t *r, bool wobble)
{
	for (size_t i = 0; i < N_NUMBERS; i++) {
		uint64_t *n = number_at(sums, numbers[i]);

		*n += rnd_below(r, 3) ? rnd_below(r, 1000) : 0;
		if (wobble && !rnd_below(r, 3))
			*n -= *n < 3 ? *n : rnd_below(r, 3);
	}
}

static void expect_all(struct quality *sums, uint64_t unaccounted)
{
	sums->expected = sums->idle + sums->stolen + sums->filtered + sums->recorded +
			 quality_lost(sums) + unaccounted;
}

static void cut_into_windows(uint64_t seed, bool wobble)
{
	uint64_t r = hash_u64(seed) | 1, unaccounted = rnd_below(&r, 3);
	unsigned windows = 1 + rnd_below(&r, 12);
	struct quality sums = {0}, given = {0}, total = {0}, highest = {0};

	for (unsigned i = 0; i < windows; i++) {
		struct quality window;
		bool last = i + 1 == windows;

		memset(&window, 0x55, sizeof(window));
		memset(&window.blame, 0, sizeof(window.blame));
		grow(&sums, &r, wobble);
		if (last)
			expect_all(&sums, unaccounted);
		losses_share(&window, &given, &sums, last);
		assert_int_equal(quality_unaccounted(&window), last ? unaccounted : 0);
		for (size_t k = 0; k < N_NUMBERS; k++) {
			uint64_t now = *number_at(&sums, numbers[k]);
			uint64_t *high = number_at(&highest, numbers[k]);

			*high = now > *high ? now : *high;
			/* nothing went below zero and round */
			assert_true(*number_at(&window, numbers[k]) < 1 << 20);
		}
		quality_add(&total, &window);
	}
	for (size_t k = 0; k < N_NUMBERS; k++)
		if (numbers[k] != EXPECTED)
			assert_int_equal(*number_at(&total, numbers[k]),
					 *number_at(&highest, numbers[k]));
	assert_int_equal(quality_unaccounted(&total), unaccounted);
	if (!wobble)
		assert_int_equal(total.expected, sums.expected);
}

TEST(test_windows_add_up_to_what_was_counted)
{
	for (uint64_t seed = 1; seed < 500; seed++)
		cut_into_windows(seed, false);
}

/* Idle time comes in clock ticks, and is told to CPUs by guess: a sum may go back by one. */
TEST(test_sums_that_go_back_a_little)
{
	for (uint64_t seed = 1; seed < 500; seed++)
		cut_into_windows(seed, true);
}

/* The timers go on while a window is drained: what is expected of just it cannot be known. */
TEST(test_expected_of_a_window_is_what_became_of_it)
{
	struct quality given = {0}, window = {0};
	struct quality first = {
		.expected = 130, .idle = 20, .recorded = 70, .lost[LOSS_map_full] = 10};
	struct quality second = {
		.expected = 200, .idle = 40, .recorded = 140, .lost[LOSS_map_full] = 11};

	losses_share(&window, &given, &first, false);
	assert_int_equal(window.expected, 100);
	losses_share(&window, &given, &second, true);
	assert_int_equal(window.idle, 20);
	assert_int_equal(window.recorded, 70);
	assert_int_equal(window.lost[LOSS_map_full], 1);
	assert_int_equal(window.expected, 100); /* of which 9 are unaccounted for */
	assert_int_equal(quality_unaccounted(&window), 9);
}

/* --- losses as samples --------------------------------------------------------------------------- */

static int64_t value_of(const struct profile *p, const char *reason, size_t type)
{
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const struct profile_stack *stack = &p->stacks.data[s->stack];
		const char *names[2];

		assert_int_equal(stack->len, 2);
		for (uint32_t k = 0; k < 2; k++) {
			uint32_t id = p->frames.data[stack->first + k];
			const struct profile_location *l = &p->locations.data[id];

			assert_int_equal(profile_frame_kind(p, id), FRAME_SYNTHETIC);
			names[k] = profile_text(
				p, p->functions.data[p->lines.data[l->first_line].function].name);
		}
		assert_string_equal(names[1], FRAME_LOST);
		assert_int_equal(p->labelsets.data[s->labelset].len, 0);
		if (!strcmp(names[0], reason))
			return p->values.data[s->first_value + type];
	}
	return 0;
}

TEST(test_losses_are_samples)
{
	for (int filtered = 0; filtered < 2; filtered++) {
		struct profile *p = profile_new();
		struct quality q = {0};
		int shown = 0;

		MUST(profile_init_cpu(p, 1000));
		assert_int_equal(losses_add(p, &q, 1000, filtered), 0);
		assert_int_equal(p->samples.len, 0);
		for (int i = 0; i < LOSS_COUNT; i++)
			q.lost[i] = 10 + (uint64_t)i;
		assert_int_equal(losses_add(p, &q, 1000, filtered), 0);
		for (int i = 0; i < LOSS_COUNT; i++) {
			/* nobody knows whether what never fired would have hit a target */
			bool number = filtered && (i == LOSS_timer_overrun || i == LOSS_cpu_gap);

			assert_int_equal(value_of(p, loss_key(i), 0), number ? 0 : 10 + i);
			assert_int_equal(value_of(p, loss_key(i), 1), number ? 0 : 1000 * (10 + i));
			shown += !number;
		}
		assert_int_equal(p->samples.len, shown);
		profile_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_count_finds_its_place),
		cmocka_unit_test(test_what_came_back_since_is_no_loss),
		cmocka_unit_test(test_windows_add_up_to_what_was_counted),
		cmocka_unit_test(test_sums_that_go_back_a_little),
		cmocka_unit_test(test_expected_of_a_window_is_what_became_of_it),
		cmocka_unit_test(test_losses_are_samples),
	};

	return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}
