// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/formats/describe.h"
#include "profiler/profile/processes.h"

const struct frame_class_info frame_classes[CLASS_COUNT] = {
#define X(key, label, h, s, l) {#key, label, h, s, l},
	FRAME_CLASSES(X)
#undef X
};

/* Rust's demangled names contain "::", too. A plain C name has neither mark. */
static bool is_cpp_name(const char *name)
{
	return strstr(name, "::") || text_has_prefix(name, "operator") || strchr(name, '<');
}

enum frame_class frame_class_of(const struct calltree *t, const struct calltree_node *node)
{
	switch (node->kind) {
	case FRAME_ROOT_KIND:
		return CLASS_root;
	case FRAME_SYNTHETIC:
		return CLASS_synthetic;
	case FRAME_UNKNOWN:
		return CLASS_unknown;
	}
	if (node->inlined)
		return CLASS_inlined;
	if (node->kind == FRAME_KERNEL)
		return CLASS_kernel;
	if (node->kind == FRAME_JIT)
		return CLASS_jit;
	return is_cpp_name(calltree_text(t, node->name)) ? CLASS_cpp : CLASS_native;
}

/* --- values ----------------------------------------------------------------------------------- */

/* In one; the names that google/pprof knows, in any case. */
static const struct unit {
	const char *name;
	enum measure_unit unit;
	int64_t scale;
} units[] = {
	{"nanosecond", MEASURE_NS, 1},
	{"ns", MEASURE_NS, 1},
	{"microsecond", MEASURE_NS, 1000},
	{"us", MEASURE_NS, 1000},
	{"millisecond", MEASURE_NS, 1000000},
	{"ms", MEASURE_NS, 1000000},
	{"second", MEASURE_NS, 1000000000},
	{"sec", MEASURE_NS, 1000000000},
	{"s", MEASURE_NS, 1000000000},
	{"byte", MEASURE_BYTES, 1},
	{"b", MEASURE_BYTES, 1},
	{"kilobyte", MEASURE_BYTES, 1ll << 10},
	{"kbyte", MEASURE_BYTES, 1ll << 10},
	{"kb", MEASURE_BYTES, 1ll << 10},
	{"megabyte", MEASURE_BYTES, 1ll << 20},
	{"mbyte", MEASURE_BYTES, 1ll << 20},
	{"mb", MEASURE_BYTES, 1ll << 20},
	{"gigabyte", MEASURE_BYTES, 1ll << 30},
	{"gbyte", MEASURE_BYTES, 1ll << 30},
	{"gb", MEASURE_BYTES, 1ll << 30},
};

/* One or several: "byte", "Bytes". */
static bool is_unit(const char *unit, const char *name)
{
	size_t n = strlen(name);

	return !strncasecmp(unit, name, n) && (!unit[n] || (n > 1 && !strcasecmp(unit + n, "s")));
}

/* The ratio of each sample's value to its count, or 0 if the samples disagree. */
static int64_t common_ratio(const struct profile *p, size_t value, size_t count)
{
	int64_t ratio = 0;

	for (size_t i = 0; i < p->samples.len; i++) {
		const int64_t *v = p->values.data + p->samples.data[i].first_value;
		int64_t product;

		if (!ratio && v[count] > 0)
			ratio = v[value] / v[count];
		if (__builtin_mul_overflow(v[count], ratio, &product) || product != v[value])
			return 0;
	}
	return ratio;
}

void measure_of(struct measure *m, const struct profile *p, size_t value)
{
	const struct profile_value_type *t = &p->sample_types.data[value];
	const char *type = profile_text(p, t->type), *unit = profile_text(p, t->unit);
	int count = profile_count_type(p);

	*m = (struct measure){.value = value, .scale = 1};
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (is_unit(unit, units[i].name)) {
			m->unit = units[i].unit;
			m->scale = units[i].scale;
		}
	}
	/* A name that is too long for the field is not useful after every number. */
	if (strlen(type) < sizeof(m->name))
		strcpy(m->name, strcmp(type, "cpu") ? type : "CPU");
	if (count >= 0 && (size_t)count != value)
		m->per_sample = common_ratio(p, value, (size_t)count);
}

static void add_bytes(struct buf *b, double v)
{
	static const char *const prefixes[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t i = 0;

	for (; v >= 1024 && i + 1 < sizeof(prefixes) / sizeof(*prefixes); i++)
		v /= 1024;
	buf_printf(b, "%.*f %s", i && v < 100 ? 1 : 0, v, prefixes[i]);
}

static void add_samples(struct buf *b, uint64_t n)
{
	char text[32];

	buf_printf(b, "%s %s", text_format_count(n, text, sizeof(text)),
		   n == 1 ? "sample" : "samples");
}

static bool counts_samples(const struct measure *m)
{
	return m->unit == MEASURE_COUNT && !strncmp(m->name, "sample", 6);
}

void measure_add_value(struct buf *b, const struct measure *m, int64_t v)
{
	uint64_t n = v < 0 ? -(uint64_t)v : (uint64_t)v, ns;
	char text[32];

	if (v < 0)
		buf_char(b, '-');
	if (counts_samples(m)) {
		add_samples(b, n);
		return;
	}
	if (m->unit == MEASURE_COUNT) {
		buf_str(b, text_format_count(n, text, sizeof(text)));
	} else if (m->unit == MEASURE_BYTES) {
		add_bytes(b, (double)n * (double)m->scale);
	} else {
		ns = __builtin_mul_overflow(n, (uint64_t)m->scale, &ns) ? UINT64_MAX : ns;
		buf_str(b, text_format_ns(ns, text, sizeof(text)));
	}
	if (*m->name)
		buf_printf(b, " %s", m->name);
}

void measure_add(struct buf *b, const struct measure *m, int64_t v, int64_t total)
{
	double share = total > 0 ? 100.0 * (double)v / (double)total : 0;

	measure_add_value(b, m, v);
	if (m->per_sample <= 0 && total <= 0)
		return;
	buf_str(b, " (");
	if (m->per_sample > 0)
		add_samples(b, v < 0 ? 0 : (uint64_t)(v / m->per_sample));
	if (total > 0)
		buf_printf(b, "%s%.*f %%", m->per_sample > 0 ? ", " : "",
			   share > 0 && share < 0.1 ? 3 : 1, share);
	buf_char(b, ')');
}

/* --- who and when ------------------------------------------------------------------------------- */

struct command_sums {
	struct strtab *names;
	VEC(double) sums; /* by id in names */
};

static void command_sums_release(struct command_sums *c)
{
	strtab_free(c->names);
	vec_release(&c->sums);
}

static int command_sums_of(struct command_sums *c, const struct profile *p)
{
	_cleanup_(processes_release) struct processes processes = {0};
	size_t value = profile_default_type(p);

	c->names = strtab_new();
	if (!c->names || processes_load(&processes, p))
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len && value < p->sample_types.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		uint32_t id;

		if (strtab_add(c->names, processes.names[s->labelset].command, &id))
			return -ENOMEM;
		while (c->sums.len <= id)
			if (vec_push(&c->sums, 0))
				return -ENOMEM;
		c->sums.data[id] += fabs((double)p->values.data[s->first_value + value]);
	}
	return 0;
}

int describe_title(struct buf *b, const struct profile *p)
{
	_cleanup_(command_sums_release) struct command_sums c = {0};
	size_t best = 0, value = profile_default_type(p);
	int r = command_sums_of(&c, p);

	if (r)
		return r;
	for (size_t i = 1; i < c.sums.len; i++) {
		int order = strcmp(strtab_get(c.names, (uint32_t)i),
				   strtab_get(c.names, (uint32_t)best));

		if (!best || c.sums.data[i] > c.sums.data[best] ||
		    (c.sums.data[i] == c.sums.data[best] && order < 0))
			best = i;
	}
	if (best)
		buf_str(b, strtab_get(c.names, (uint32_t)best));
	else if (value < p->sample_types.len)
		buf_printf(b, "%s profile", profile_text(p, p->sample_types.data[value].type));
	else
		buf_str(b, "empty profile");
	if (c.sums.len > 2)
		buf_printf(b, " and %zu more", c.sums.len - 2);
	return b->err;
}

static bool to_utc(int64_t ns, struct tm *tm)
{
	time_t seconds = (time_t)(ns / 1000000000);

	return gmtime_r(&seconds, tm);
}

void describe_range(struct buf *b, int64_t begin_ns, int64_t end_ns)
{
	struct tm begin, end;
	bool same_day;
	char text[40];

	if (!to_utc(begin_ns, &begin) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &begin))
		return;
	buf_str(b, text);
	if (end_ns > begin_ns && to_utc(end_ns, &end)) {
		same_day = begin.tm_yday == end.tm_yday && begin.tm_year == end.tm_year;
		if (strftime(text, sizeof(text), same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &end))
			buf_printf(b, " to %s", text);
	}
	buf_str(b, " UTC");
}

/* Of a file the end is not known: what it covers may have gaps. */
void describe_time(struct buf *b, const struct profile *p)
{
	int64_t end_ns = p->covered.v.len ? vec_last(&p->covered.v).end_ns : 0;
	char text[40];

	if (p->time_ns > 0)
		describe_range(b, p->time_ns, end_ns);
	if (p->duration_ns > 0)
		buf_printf(b, "%s%s", p->time_ns > 0 ? ", " : "",
			   text_format_ns((uint64_t)p->duration_ns, text, sizeof(text)));
}
