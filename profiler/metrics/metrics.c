// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/metrics/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/base/version.h"

#define NS_PER_S UINT64_C(1000000000)

struct metrics {
	_Atomic uint64_t value[METRIC_COUNT];
	_Atomic uint64_t lost[LOSS_COUNT];
};

enum unit { ONE, NS };

static const struct {
	const char *kind, *name, *labels, *help;
	enum unit unit;
} about[METRIC_COUNT] = {
#define X(id, kind, unit, name, labels, help) [METRIC_##id] = {#kind, name, labels, help, unit},
	METRICS(X)
#undef X
};

struct metrics *metrics_new(void)
{
	void *m = mmap(NULL, sizeof(struct metrics), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return m == MAP_FAILED ? NULL : m;
}

void metrics_free(struct metrics *m)
{
	if (m)
		munmap(m, sizeof(*m));
}

void metrics_set(struct metrics *m, enum metric id, uint64_t value)
{
	if (m)
		atomic_store_explicit(&m->value[id], value, memory_order_relaxed);
}

void metrics_add(struct metrics *m, enum metric id, uint64_t n)
{
	if (m)
		atomic_fetch_add_explicit(&m->value[id], n, memory_order_relaxed);
}

uint64_t metrics_get(const struct metrics *m, enum metric id)
{
	return m ? atomic_load_explicit(&m->value[id], memory_order_relaxed) : 0;
}

void metrics_add_window(struct metrics *m, const struct quality *q)
{
	if (!m)
		return;
	metrics_add(m, METRIC_samples_recorded, q->recorded);
	metrics_add(m, METRIC_samples_idle, q->idle);
	metrics_add(m, METRIC_samples_filtered, q->filtered);
	metrics_add(m, METRIC_samples_stolen, q->stolen);
	metrics_add(m, METRIC_stacks_complete, q->user_complete);
	metrics_add(m, METRIC_stacks_truncated, q->user_truncated);
	metrics_add(m, METRIC_stacks_missing, q->user_missing);
	metrics_add(m, METRIC_frames, q->frames);
	metrics_add(m, METRIC_frames_unnamed, q->frames - q->frames_named);
	for (int i = 0; i < LOSS_COUNT; i++)
		atomic_fetch_add_explicit(&m->lost[i], q->lost[i], memory_order_relaxed);
}

static void head(struct buf *out, const char *name, const char *kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void line(struct buf *out, const char *name, const char *labels, uint64_t v, enum unit unit)
{
	buf_str(out, name);
	if (labels[0])
		buf_printf(out, "{%s}", labels);
	if (unit == NS)
		buf_printf(out, " %" PRIu64 ".%09" PRIu64 "\n", v / NS_PER_S, v % NS_PER_S);
	else
		buf_printf(out, " %" PRIu64 "\n", v);
}

static void render_lost(const struct metrics *m, struct buf *out)
{
	char labels[64];

	head(out, "kiln_samples_lost_total", "counter", "Samples that are in no profile.");
	for (int i = 0; i < LOSS_COUNT; i++) {
		snprintf(labels, sizeof(labels), "reason=\"%s\"", loss_key(i));
		line(out, "kiln_samples_lost_total", labels,
		     m ? atomic_load_explicit(&m->lost[i], memory_order_relaxed) : 0, ONE);
	}
}

void metrics_render(const struct metrics *m, struct buf *out)
{
	const char *last = "";

	head(out, "kiln_build_info", "gauge", "1, with the version.");
	buf_printf(out, "kiln_build_info{version=\"%s\"} 1\n", KILN_VERSION);
	for (int i = 0; i < METRIC_COUNT; i++) {
		if (strcmp(about[i].name, last) != 0)
			head(out, about[i].name, about[i].kind, about[i].help);
		last = about[i].name;
		line(out, last, about[i].labels, metrics_get(m, i), about[i].unit);
	}
	render_lost(m, out);
}
