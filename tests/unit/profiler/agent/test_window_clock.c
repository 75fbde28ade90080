// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows on clocks of the test's own: they begin at multiples, and no window has time nobody lived through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>

#include "profiler/agent/window_clock.h"

#define MS  1000000ll
#define S   1000000000ll
#define DAY (86400 * S)
#define W   (10 * S)

/* 2026-11-22 02:14:07.5 UTC; up for 1000 s, of which the machine slept 300 s. */
static struct clock_reading noon(void)
{
	return (struct clock_reading){
		.real_ns = 1795313647500 * MS,
		.boot_ns = 1000 * S,
		.mono_ns = 700 * S,
	};
}

static void pass(struct clock_reading *t, int64_t ns)
{
	t->real_ns += ns;
	t->boot_ns += (uint64_t)ns;
	t->mono_ns += (uint64_t)ns;
}

static void assert_event(struct window_clock *c, const struct clock_reading *t,
			 enum window_event event, int64_t jump)
{
	int64_t got = 1;

	assert_int_equal(window_clock_look(c, t, &got), event);
	assert_int_equal(got, jump);
}

static void windows_begin_at_multiples(void **state)
{
	struct clock_reading t = noon();
	struct window_clock c = {0};

	(void)state;
	window_clock_begin(&c, W, &t);
	assert_int_equal(window_clock_left_ns(&c, &t), 2500 * MS);
	pass(&t, 2500 * MS - 1);
	assert_event(&c, &t, WINDOW_GOES_ON, 0);
	assert_int_equal(window_clock_left_ns(&c, &t), 1);
	pass(&t, 1);
	assert_event(&c, &t, WINDOW_ENDS, 0);
	assert_int_equal(window_clock_left_ns(&c, &t), 0);
	/* One that begins late still ends with the others. */
	pass(&t, 30 * MS);
	window_clock_begin(&c, W, &t);
	assert_int_equal(window_clock_left_ns(&c, &t), W - 30 * MS);
	/* And one that is ended late swallows what it should have left to the next. */
	pass(&t, 25 * S);
	assert_event(&c, &t, WINDOW_ENDS, 0);
	window_clock_begin(&c, W, &t);
	assert_int_equal(window_clock_left_ns(&c, &t), 5 * S - 30 * MS);
}

static void other_lengths_and_times(void **state)
{
	struct clock_reading t = {.real_ns = -3 * S};
	struct window_clock c = {0};

	(void)state;
	window_clock_begin(&c, W, &t); /* a clock that nobody has set */
	assert_int_equal(window_clock_left_ns(&c, &t), 3 * S);
	t.real_ns = 0;
	window_clock_begin(&c, W, &t);
	assert_int_equal(window_clock_left_ns(&c, &t), W);
	t.real_ns = 7 * 3600 * S + 1;
	window_clock_begin(&c, 3600 * S, &t);
	assert_int_equal(window_clock_left_ns(&c, &t), 3600 * S - 1);
}

static void a_step_ends_a_window(void **state)
{
	static const int64_t steps[] = {DAY, -DAY, 201 * MS, -201 * MS};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct clock_reading t = noon();
		struct window_clock c = {0};

		window_clock_begin(&c, W, &t);
		pass(&t, S);
		t.real_ns += steps[i];
		assert_event(&c, &t, WINDOW_STEPPED, steps[i]);
		window_clock_begin(&c, W, &t);
		pass(&t, 500 * MS);
		assert_event(&c, &t, WINDOW_GOES_ON, 0);
	}
}

/* A window takes its time to be named and stored. */
static void a_step_between_two_windows_is_seen(void **state)
{
	struct clock_reading t = noon();
	struct window_clock c = {0};

	(void)state;
	window_clock_begin(&c, W, &t);
	pass(&t, 2500 * MS);
	assert_event(&c, &t, WINDOW_ENDS, 0);
	pass(&t, 3 * S);
	t.real_ns -= DAY;
	window_clock_begin(&c, W, &t);
	pass(&t, MS);
	assert_event(&c, &t, WINDOW_STEPPED, -DAY);
	window_clock_begin(&c, W, &t);
	pass(&t, MS);
	assert_event(&c, &t, WINDOW_GOES_ON, 0);
}

/* 500 ppm for an hour is 1.8 s: more than a jump, but none. */
static void a_slewed_clock_does_not_jump(void **state)
{
	struct clock_reading t = noon();
	struct window_clock c = {0};

	(void)state;
	window_clock_begin(&c, 3600 * S, &t);
	for (int i = 0; i < 3000; i++) {
		pass(&t, S / 2);
		t.real_ns += S / 2 / 2000;
		assert_event(&c, &t, WINDOW_GOES_ON, 0);
	}
}

static void a_sleep_ends_a_window(void **state)
{
	struct clock_reading t = noon();
	struct window_clock c = {0};

	(void)state;
	window_clock_begin(&c, W, &t);
	pass(&t, 400 * MS);
	t.real_ns += 3600 * S;
	t.boot_ns += 3600 * S;
	/* The window's end has passed as well, but it did not live so long. */
	assert_event(&c, &t, WINDOW_SLEPT, 3600 * S);
	window_clock_begin(&c, W, &t);
	assert_event(&c, &t, WINDOW_GOES_ON, 0);
}

/* The clock of a virtual machine is often set after it was resumed. */
static void a_sleep_and_a_step_at_once(void **state)
{
	struct clock_reading t = noon();
	struct window_clock c = {0};

	(void)state;
	window_clock_begin(&c, W, &t);
	pass(&t, 400 * MS);
	t.boot_ns += 60 * S;
	t.real_ns += 60 * S + 5 * S;
	assert_event(&c, &t, WINDOW_SLEPT, 60 * S);
	assert_event(&c, &t, WINDOW_STEPPED, 5 * S);
	assert_int_equal(c.last.real_ns, t.real_ns);
	assert_int_equal(c.last.mono_ns, t.mono_ns);
}

static void clocks_are_read(void **state)
{
	struct clock_reading t;

	(void)state;
	clock_reading_get(&t);
	assert_true(t.real_ns > 1700000000 * S);
	assert_true(t.boot_ns + S >= t.mono_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_begin_at_multiples),
		cmocka_unit_test(other_lengths_and_times),
		cmocka_unit_test(a_step_ends_a_window),
		cmocka_unit_test(a_step_between_two_windows_is_seen),
		cmocka_unit_test(a_slewed_clock_does_not_jump),
		cmocka_unit_test(a_sleep_ends_a_window),
		cmocka_unit_test(a_sleep_and_a_step_at_once),
		cmocka_unit_test(clocks_are_read),
	};

	return cmocka_run_group_tests_name("window_clock", tests, NULL, NULL);
}
