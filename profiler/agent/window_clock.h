/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When windows begin and end: at multiples of their length on the wall clock, and where time jumps. Time
 * that nobody lived through (the machine slept, somebody set the clock) is a gap between two windows, never
 * part of one. Pure: it is handed the clocks.
 */
#ifndef KILN_AGENT_WINDOW_CLOCK_H
#define KILN_AGENT_WINDOW_CLOCK_H

#include <stdint.h>

struct clock_reading {
	int64_t real_ns;  /* CLOCK_REALTIME */
	uint64_t boot_ns; /* CLOCK_BOOTTIME: goes on while the machine sleeps */
	uint64_t mono_ns; /* CLOCK_MONOTONIC: does not */
};

/* A jump is more than this between two looks. Clocks that are slewed move by 0.5 ms a second. */
#define CLOCK_JUMP_NS 200000000

enum window_event {
	WINDOW_GOES_ON,
	WINDOW_ENDS,	/* its multiple is reached */
	WINDOW_STEPPED, /* the wall clock was set: it ends here */
	WINDOW_SLEPT,	/* the machine slept since the last look: it ended when that began */
};

struct window_clock { /* all-zero: no window yet */
	uint64_t window_ns;
	int64_t end_ns;		   /* CLOCK_REALTIME */
	struct clock_reading last; /* look */
};

/* A window begins; *c is all-zero before the first one. Making the last one may have taken long: what jumped meanwhile
 * is for the next look to tell. */
void window_clock_begin(struct window_clock *c, uint64_t window_ns,
			const struct clock_reading *now);
/* What becomes of it. With WINDOW_STEPPED *jump_ns is by how much (backward: negative), with WINDOW_SLEPT
 * how long. A sleep comes before a step: look again. */
enum window_event window_clock_look(struct window_clock *c, const struct clock_reading *now,
				    int64_t *jump_ns);
/* Until its multiple. */
uint64_t window_clock_left_ns(const struct window_clock *c, const struct clock_reading *now);

void clock_reading_get(struct clock_reading *out);

#endif
