// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: sleepy_calls MILLISECONDS
 * Sleeps and works in turn for so long, and tells how often a system call ended with EINTR, and whether it had to wait
 * too short a time.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t end =
		now_ns(CLOCK_MONOTONIC) + (argc > 1 ? strtoull(argv[1], NULL, 10) : 1000) * 1000000;
	unsigned broken = 0, early = 0;

	while (now_ns(CLOCK_MONOTONIC) < end) {
		uint64_t until = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 500000, slept;
		volatile unsigned x = 0;

		while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
			x = x * 33 + 1;
		slept = now_ns(CLOCK_MONOTONIC);
		if (poll(NULL, 0, 1) < 0 && errno == EINTR)
			broken++;
		else
			early += now_ns(CLOCK_MONOTONIC) - slept < 1000000;
	}
	printf("broken %u\nearly %u\n", broken, early);
	return 0;
}
