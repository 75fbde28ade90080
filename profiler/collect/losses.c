// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/losses.h"

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/sampler/sampler.h"

void losses_count(struct quality *q, const struct sampler_totals *t, uint64_t read_back)
{
	uint64_t counted = t->counters[KILN_CTR_recorded];

	q->expected = t->expected;
	q->idle = t->idle;
	q->stolen = t->stolen;
	q->filtered = t->counters[KILN_CTR_filtered];
	q->kernel_collision = t->counters[KILN_CTR_kernel_collision];
	q->mappings_unread = t->counters[KILN_CTR_mappings_unread];
	q->full_processes += t->stops.full;
	q->stopped_us = t->stops.held_ns / 1000;
	q->calls_ended = t->stops.ended;
	q->calls_restarted = t->stops.restarted;
	q->lost[LOSS_map_full] = t->counters[KILN_CTR_map_full];
	q->lost[LOSS_update_failed] = t->counters[KILN_CTR_update_failed];
	q->lost[LOSS_unattended] = t->counters[KILN_CTR_unattended];
	q->lost[LOSS_drain_failed] = counted > read_back ? counted - read_back : 0;
	q->lost[LOSS_timer_overrun] = t->timer_overrun;
	q->lost[LOSS_cpu_gap] = t->cpu_gap;
	q->lost[LOSS_ring_full] = t->ring_full;
	q->lost[LOSS_unseen] = t->unseen;
	q->lost[LOSS_privileged] = t->privileged;
}

static uint64_t share(uint64_t *given, uint64_t now)
{
	uint64_t more = now > *given ? now - *given : 0;

	*given += more;
	return more;
}

void losses_share(struct quality *window, struct quality *given, const struct quality *now,
		  bool last)
{
	int64_t unaccounted = last ? quality_unaccounted(now) - quality_unaccounted(given) : 0;
	uint64_t expected = given->expected;

#define X(key) window->key = share(&given->key, now->key);
	QUALITY_COUNTERS(X)
#undef X
	for (int r = 0; r < LOSS_COUNT; r++)
		window->lost[r] = share(&given->lost[r], now->lost[r]);
	window->expected = 0;
	window->expected = (uint64_t)(unaccounted - quality_unaccounted(window));
	given->expected = expected + window->expected;
}

int losses_add(struct profile *p, const struct quality *q, uint64_t period_ns, bool filtered)
{
	uint32_t frames[2], stack, labels;
	int err = profile_labelset(p, NULL, 0, &labels)
			  ?: profile_plain_location(p, MAPPING_KILN, FRAME_LOST, &frames[1]);

	for (int r = 0; r < LOSS_COUNT && !err; r++) {
		int64_t n = (int64_t)q->lost[r];
		int64_t values[2] = {n, n * (int64_t)period_ns};

		if (!n || (filtered && (r == LOSS_timer_overrun || r == LOSS_cpu_gap)))
			continue;
		err = profile_plain_location(p, MAPPING_KILN, loss_key(r), &frames[0]) ?:
		      profile_stack(p, frames, 2, &stack) ?: profile_add(p, stack, labels, values);
	}
	return err;
}
