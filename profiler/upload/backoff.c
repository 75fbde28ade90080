// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/backoff.h"

#define NS_PER_S   1000000000ull
#define MOST_TWICE 40 /* doublings: beyond any most_ns */

/* [0, most] */
static uint64_t pick(uint64_t most, uint64_t chance)
{
	return most == UINT64_MAX ? chance : chance % (most + 1);
}

uint64_t backoff_next(struct backoff *b, uint64_t chance, int64_t asked_s)
{
	uint64_t most_ns = b->least_ns, wait_ns, asked_ns;

	for (unsigned i = 0; i < b->failures && i < MOST_TWICE && most_ns < b->most_ns; i++)
		most_ns *= 2;
	if (most_ns > b->most_ns)
		most_ns = b->most_ns;
	if (b->failures < UINT32_MAX)
		b->failures++;
	wait_ns = pick(most_ns, chance);
	if (asked_s < 0)
		return wait_ns;
	if (asked_s > BACKOFF_MOST_ASKED_S)
		asked_s = BACKOFF_MOST_ASKED_S;
	/* All whom it has asked come back one after the other. */
	asked_ns = (uint64_t)asked_s * NS_PER_S + pick(b->least_ns, chance);
	return asked_ns > wait_ns ? asked_ns : wait_ns;
}

uint64_t backoff_jitter(uint64_t ns, uint64_t chance)
{
	return ns - ns / 5 + pick(2 * (ns / 5), chance);
}
