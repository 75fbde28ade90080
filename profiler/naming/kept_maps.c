// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/kept_maps.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/descriptors.h"
#include "profiler/base/vec.h"
#include "profiler/naming/perf_map.h"
#include "symbolizer/opener/opener.h"

/* Windows that are named from the end of a program on until its map is closed. */
#define KEPT_WINDOWS 2

struct kept_map {
	uint64_t image;
	struct perf_map map;
	unsigned windows; /* to be named yet; 0: the program runs */
};

struct kept_maps {
	VEC(struct kept_map) all;
	size_t max;
	uint64_t refused;
};

int kept_maps_new(struct kept_maps **out)
{
	struct kept_maps *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->max = descriptors_share(KEPT_MAPS_MAX);
	*out = k;
	return 0;
}

void kept_maps_free(struct kept_maps *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->all.len; i++)
		perf_map_close(&k->all.data[i].map);
	vec_release(&k->all);
	free(k);
}

static struct kept_map *find(const struct kept_maps *k, uint64_t image)
{
	for (size_t i = 0; i < k->all.len; i++)
		if (k->all.data[i].image == image)
			return &k->all.data[i];
	return NULL;
}

void kept_maps_put(struct kept_maps *k, uint64_t image, const struct perf_map *map)
{
	struct kept_map new = {.image = image, .map = *map}, *known = find(k, image);

	if (known) {
		perf_map_close(&known->map);
		known->map = *map;
	} else if (k->all.len >= k->max || vec_push(&k->all, new)) {
		perf_map_close(&new.map);
		k->refused++;
	}
}

void kept_maps_ended(struct kept_maps *k, uint64_t image)
{
	struct kept_map *known = find(k, image);

	if (known && !known->windows)
		known->windows = KEPT_WINDOWS;
}

void kept_maps_window_named(struct kept_maps *k)
{
	for (size_t i = k->all.len; i-- > 0;) {
		struct kept_map *m = &k->all.data[i];

		if (!m->windows || --m->windows)
			continue;
		perf_map_close(&m->map);
		*m = vec_last(&k->all);
		k->all.len--;
	}
}

const struct perf_map *kept_maps_get(const struct kept_maps *k, uint64_t image)
{
	const struct kept_map *known = find(k, image);
	const struct held_file *held = known ? &known->map.held : NULL;

	if (!known || (held->opener && !opener_has(held->opener, held->number)))
		return NULL;
	return &known->map;
}

uint64_t kept_maps_refused(const struct kept_maps *k)
{
	return k->refused;
}
