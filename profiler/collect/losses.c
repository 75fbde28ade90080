// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/losses.h"

#include "profiler/procs/sideband.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/collect/aggregate.h"
#include "profiler/sampler/sampler.h"

void losses_count(struct quality *q, const struct sampler_totals *t, const struct aggregate *a,
		  const struct sideband *sideband)
{
	struct sideband_stats side;
	uint64_t read_back = a->recorded + a->lost_memory;
	uint64_t counted = t->counters[KILN_CTR_recorded];

	sideband_stats(sideband, &side);
	q->expected = t->expected;
	q->idle = t->idle;
	q->stolen = t->stolen;
	q->filtered = t->counters[KILN_CTR_filtered];
	q->recorded = a->recorded;
	q->kernel_collision = t->counters[KILN_CTR_kernel_collision];
	q->sideband_lost = side.lost;
	q->mappings_unread = t->counters[KILN_CTR_mappings_unread];
	q->lost[LOSS_map_full] = t->counters[KILN_CTR_map_full];
	q->lost[LOSS_update_failed] = t->counters[KILN_CTR_update_failed];
	q->lost[LOSS_drain_failed] = counted > read_back ? counted - read_back : 0;
	q->lost[LOSS_timer_overrun] = t->timer_overrun;
	q->lost[LOSS_cpu_gap] = t->cpu_gap;
	q->lost[LOSS_memory] = a->lost_memory;
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
