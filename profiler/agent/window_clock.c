// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/window_clock.h"

#include "profiler/base/clock.h"

void window_clock_begin(struct window_clock *c, uint64_t window_ns, const struct clock_reading *now)
{
	int64_t length = (int64_t)window_ns, into = now->real_ns % length;

	/* Before 1970 the remainder is negative. */
	into += into < 0 ? length : 0;
	*c = (struct window_clock){
		.window_ns = window_ns,
		.end_ns = now->real_ns - into + length,
		.last = c->window_ns ? c->last : *now,
	};
}

enum window_event window_clock_look(struct window_clock *c, const struct clock_reading *now,
				    int64_t *jump_ns)
{
	int64_t boot = (int64_t)(now->boot_ns - c->last.boot_ns);
	int64_t slept = boot - (int64_t)(now->mono_ns - c->last.mono_ns);
	int64_t stepped = now->real_ns - c->last.real_ns - boot;

	*jump_ns = 0;
	if (slept > CLOCK_JUMP_NS) {
		*jump_ns = slept;
		/* The step is left for the next look. */
		c->last.mono_ns += (uint64_t)(boot - slept);
		c->last.boot_ns += (uint64_t)boot;
		c->last.real_ns += boot;
		return WINDOW_SLEPT;
	}
	c->last = *now;
	if (stepped > CLOCK_JUMP_NS || stepped < -CLOCK_JUMP_NS) {
		*jump_ns = stepped;
		return WINDOW_STEPPED;
	}
	return now->real_ns >= c->end_ns ? WINDOW_ENDS : WINDOW_GOES_ON;
}

uint64_t window_clock_left_ns(const struct window_clock *c, const struct clock_reading *now)
{
	return now->real_ns < c->end_ns ? (uint64_t)(c->end_ns - now->real_ns) : 0;
}

void clock_reading_get(struct clock_reading *out)
{
	*out = (struct clock_reading){
		.real_ns = unix_ns(),
		.boot_ns = boottime_ns(),
		.mono_ns = monotonic_ns(),
	};
}
