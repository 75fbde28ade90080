// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/profile_type.h"

#include <string.h>

#include "profiler/profile/profile.h"
#include "profiler/upload/series.h"

/*
 * A type of values, and the name of profiles that have it. The names are those of Pyroscope's own clients, so that
 * its page puts profiles of kiln beside theirs. A new event of kiln gets a row. The first row that fits counts:
 * CPU profiles have "samples", too.
 */
static const struct {
	const char *type, *name;
} names[] = {
	{"cpu", "process_cpu"},	      {"wall", "wall"},		 {"off_cpu", "off_cpu"},
	{"off-cpu", "off_cpu"},	      {"offcpu", "off_cpu"},	 {"alloc_space", "memory"},
	{"alloc_objects", "memory"},  {"inuse_space", "memory"}, {"inuse_objects", "memory"},
	{"contentions", "mutex"},     {"delay", "mutex"},	 {"goroutine", "goroutines"},
	{"goroutines", "goroutines"},
};

static const char *known_name(const char *type)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i].type, type))
			return names[i].name;
	return NULL;
}

void profile_type_name(struct buf *b, const struct profile *p)
{
	const char *name = NULL;

	for (size_t i = 0; !name && i < p->sample_types.len; i++)
		name = known_name(profile_text(p, p->sample_types.data[i].type));
	name = name ?: known_name(profile_text(p, p->period_type.type));
	if (!name && p->sample_types.len)
		name = profile_text(p, p->sample_types.data[0].type);
	series_add_name(b, name && *name ? name : "profile");
}
