// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/metrics/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/base/version.h"

#define NS_PER_S UINT64_C(1000000000)

/* Its name is written while nobody takes it for used. */
struct thing {
	_Atomic uint8_t is_used; /* not 0 */
	char name[METRICS_NAME_BYTES];
	_Atomic uint64_t value[METRICS_OF_EACH];
};

/* Each process can write anything here: what is read is a number, or a name that may have no end. */
struct shared {
	_Atomic uint64_t value[METRIC_COUNT];
	_Atomic uint64_t lost[LOSS_COUNT];
	struct thing things[METRICS_THINGS];
};

struct metrics { /* of each process its own */
	struct shared *shared;
	const struct metrics_table *table;
};

static const struct metrics_about about[METRIC_COUNT] = {
#define X(id, kind, unit, name, labels, help)                                                      \
	[METRIC_##id] = {#kind, name, labels, help, METRICS_##unit},
	METRICS(X)
#undef X
};

struct metrics *metrics_new(void)
{
	struct metrics *m = calloc(1, sizeof(*m));
	void *shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m && shared != MAP_FAILED) {
		m->shared = shared;
		return m;
	}
	if (shared != MAP_FAILED)
		munmap(shared, sizeof(struct shared));
	free(m);
	return NULL;
}

void metrics_free(struct metrics *m)
{
	if (m)
		munmap(m->shared, sizeof(*m->shared));
	free(m);
}

void metrics_set(struct metrics *m, enum metric id, uint64_t value)
{
	if (m)
		atomic_store_explicit(&m->shared->value[id], value, memory_order_relaxed);
}

void metrics_add(struct metrics *m, enum metric id, uint64_t n)
{
	if (m)
		atomic_fetch_add_explicit(&m->shared->value[id], n, memory_order_relaxed);
}

uint64_t metrics_get(const struct metrics *m, enum metric id)
{
	return m ? atomic_load_explicit(&m->shared->value[id], memory_order_relaxed) : 0;
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
		metrics_add_lost(m, (enum loss_reason)i, q->lost[i]);
}

void metrics_add_lost(struct metrics *m, enum loss_reason reason, uint64_t samples)
{
	if (m)
		atomic_fetch_add_explicit(&m->shared->lost[reason], samples, memory_order_relaxed);
}

/* --- things with names ---------------------------------------------------------------------------- */

void metrics_describe(struct metrics *m, const struct metrics_table *table)
{
	if (m)
		m->table = table;
}

static bool is_used(const struct thing *t)
{
	return atomic_load_explicit(&t->is_used, memory_order_acquire) != 0;
}

static void copy_name(const struct thing *t, char name[METRICS_NAME_BYTES])
{
	memcpy(name, t->name, METRICS_NAME_BYTES);
	name[METRICS_NAME_BYTES - 1] = '\0';
}

int metrics_find(struct metrics *m, const char *name)
{
	int room = -1;

	for (int i = METRICS_THINGS - 1; m && i >= 0; i--) {
		if (!is_used(&m->shared->things[i]))
			room = i;
		else if (!strncmp(m->shared->things[i].name, name, METRICS_NAME_BYTES))
			return i;
	}
	if (room < 0 || strlen(name) >= METRICS_NAME_BYTES)
		return -1;
	for (size_t i = 0; i < METRICS_OF_EACH; i++)
		metrics_set_of(m, room, i, 0);
	strcpy(m->shared->things[room].name, name);
	atomic_store_explicit(&m->shared->things[room].is_used, 1, memory_order_release);
	return room;
}

int metrics_look(const struct metrics *m, const char *name)
{
	for (int i = 0; m && i < METRICS_THINGS; i++)
		if (is_used(&m->shared->things[i]) &&
		    !strncmp(m->shared->things[i].name, name, METRICS_NAME_BYTES))
			return i;
	return -1;
}

void metrics_keep(struct metrics *m, bool (*is_known)(void *ctx, const char *name), void *ctx)
{
	char name[METRICS_NAME_BYTES];

	for (int i = 0; m && i < METRICS_THINGS; i++) {
		struct thing *t = &m->shared->things[i];

		copy_name(t, name);
		if (is_used(t) && !is_known(ctx, name))
			atomic_store_explicit(&t->is_used, 0, memory_order_release);
	}
}

void metrics_set_of(struct metrics *m, int thing, size_t i, uint64_t value)
{
	if (m && thing >= 0)
		atomic_store_explicit(&m->shared->things[thing].value[i], value,
				      memory_order_relaxed);
}

uint64_t metrics_get_of(const struct metrics *m, int thing, size_t i)
{
	return m && thing >= 0 ? atomic_load_explicit(&m->shared->things[thing].value[i],
						      memory_order_relaxed)
			       : 0;
}

/* --- the text ------------------------------------------------------------------------------------- */

static void head(struct buf *out, const char *name, const char *kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void line(struct buf *out, const char *name, const char *labels, uint64_t v,
		 enum metrics_unit unit)
{
	buf_str(out, name);
	if (labels[0])
		buf_printf(out, "{%s}", labels);
	if (unit == METRICS_NS)
		buf_printf(out, " %" PRIu64 ".%09" PRIu64 "\n", v / NS_PER_S, v % NS_PER_S);
	else
		buf_printf(out, " %" PRIu64 "\n", v);
}

static void render_lost(const struct metrics *m, struct buf *out)
{
	char labels[64];

	head(out, "kiln_samples_lost_total", "counter",
	     "Samples that are in no profile. not_stored: counted as recorded, too.");
	for (int i = 0; i < LOSS_COUNT; i++) {
		snprintf(labels, sizeof(labels), "reason=\"%s\"", loss_key(i));
		line(out, "kiln_samples_lost_total", labels,
		     m ? atomic_load_explicit(&m->shared->lost[i], memory_order_relaxed) : 0,
		     METRICS_ONE);
	}
}

/* Of the format: what ends a value, or a line. */
static void add_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			buf_char(out, '\\');
		if (*s == '\n')
			buf_str(out, "\\n");
		else
			buf_char(out, *s);
	}
}

static void render_thing(const struct metrics *m, int i, size_t which, struct buf *out)
{
	const struct metrics_about *a = &m->table->about[which];
	struct buf labels = {0};
	char name[METRICS_NAME_BYTES];

	if (!is_used(&m->shared->things[i]))
		return;
	copy_name(&m->shared->things[i], name);
	buf_printf(&labels, "%s=\"", m->table->label);
	add_escaped(&labels, name);
	buf_printf(&labels, "\"%s%s", a->labels[0] ? "," : "", a->labels);
	if (is_used(&m->shared->things[i])) /* else the name may be half another one's */
		line(out, a->name, buf_cstr(&labels), metrics_get_of(m, i, which), a->unit);
	buf_release(&labels);
}

/* Lines of one name stand together. Of nothing there are no lines. */
static void render_things(const struct metrics *m, struct buf *out)
{
	const char *last = "";
	bool any = false;

	for (int i = 0; m && i < METRICS_THINGS; i++)
		any |= is_used(&m->shared->things[i]);
	for (size_t which = 0; any && m->table && which < m->table->n; which++) {
		const struct metrics_about *a = &m->table->about[which];

		if (strcmp(a->name, last) != 0)
			head(out, a->name, a->kind, a->help);
		last = a->name;
		for (int i = 0; i < METRICS_THINGS; i++)
			render_thing(m, i, which, out);
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
	render_things(m, out);
}
