// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/offers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "profiler/agent/config_schema.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/collect/collector.h"
#include "profiler/metrics/metrics.h"

/* Some destination wants the files of users, too. */
static bool wants_others(const struct config *c)
{
	for (size_t i = 0; i < c->upload.len; i++)
		if (c->upload.data[i].debuginfo == DEBUGINFO_ALL)
			return true;
	return false;
}

void offers_connect(struct offers *o, struct collector *c, const struct config *config)
{
	int copy = o->sock < 0 ? -1 : fcntl(o->sock, F_DUPFD_CLOEXEC, 0), err;

	o->others = wants_others(config);
	err = o->sock >= 0 && copy < 0 ? -errno : collector_offer_files(c, copy, o->others);
	if (err)
		log_warning("no debug information is offered: %s", strerror(-err));
}

void offers_take(struct offers *o, int sock, struct collector *c, const struct config *config)
{
	cleanup_close_fd(&o->sock);
	o->sock = sock;
	offers_connect(o, c, config);
}

void offers_reload(struct offers *o, struct collector *c, const struct config *config)
{
	if (wants_others(config) != o->others)
		offers_connect(o, c, config);
}

/* A collector that is new counts from 0; metrics are of the agent's life. */
static void add(struct metrics *m, enum metric id, uint64_t now, uint64_t *told)
{
	metrics_add(m, id, now - (now < *told ? 0 : *told));
	*told = now;
}

void offers_count(struct offers *o, struct metrics *m, const struct collector *c)
{
	struct file_offers_stats s;

	if (!c)
		return;
	collector_offer_stats(c, &s);
	add(m, METRIC_debuginfo_offered, s.offered, &o->told.offered);
#define X(name, ...) add(m, METRIC_debuginfo_##name, s.name, &o->told.name);
	FILE_OFFERS_SKIPPED(X)
#undef X
}

void offers_release(struct offers *o)
{
	cleanup_close_fd(&o->sock);
}
