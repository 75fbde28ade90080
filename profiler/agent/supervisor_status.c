// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>

#include "profiler/agent/host_share.h"
#include "profiler/agent/supervisor_priv.h"
#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/metrics/metrics.h"

static uint64_t restarts(const struct supervisor *s)
{
	uint64_t n = 0;

	for (int i = 0; i < ROLE_COUNT; i++)
		n += s->children[i].restarts;
	return n;
}

void supervisor_say_share(const struct supervisor *s)
{
	struct buf said = {0};
	bool is_in = host_share_say(&said, s->config);

	metrics_set(s->metrics, METRIC_sampling_left_out, !is_in);
	if (said.len)
		log_info("%s", buf_cstr(&said));
	buf_release(&said);
}

void supervisor_tell_status(struct supervisor *s)
{
	uint64_t stored = s->past_stored + s->status.stored;
	struct buf away = {0};

	if (s->phase != PHASE_RUNNING)
		return;
	if (!host_is_sampled(s->config)) {
		notify_send(&s->notifier, "STATUS=this host does not sample: sampling.hosts");
		return;
	}
	for (int i = 0; i < ROLE_COUNT; i++)
		if (s->children[i].state == CHILD_OFF || s->children[i].state == CHILD_STARTING)
			buf_printf(&away, "; the %s is away", roles[i].name);
	if (s->status.unsent)
		buf_printf(&away, "; %" PRIu64 " window%s waiting", s->status.unsent,
			   text_s(s->status.unsent));
	if (restarts(s))
		buf_printf(&away, "; %" PRIu64 " restart%s", restarts(s), text_s(restarts(s)));
	notify_send(&s->notifier,
		    "STATUS=sampling at %" PRIu64 " Hz; %" PRIu64 " window%s stored, %" PRIu64
		    " lost%s",
		    s->status.hz, stored, text_s(stored), s->past_lost + s->status.lost,
		    buf_cstr(&away));
	buf_release(&away);
}

bool supervisor_all_ready(const struct supervisor *s)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct child *c = &s->children[i];
		bool failed = c->role->is_optional && c->state == CHILD_OFF;

		if (c->state != CHILD_READY && c->state != CHILD_GONE && !failed)
			return false;
	}
	return true;
}
