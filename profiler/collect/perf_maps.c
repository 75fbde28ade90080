// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/perf_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/min.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "profiler/files/stall_guard.h"
#include "profiler/naming/kept_maps.h"
#include "profiler/naming/perf_map.h"
#include "profiler/procs/procs.h"
#include "profiler/sampler/sampler.h"
#include "profiler/window/aggregate.h"
#include "symbolizer/opener/opener.h"

/* As many as the kernel half knows. */
#define PROGRAMS_MAX  1024
#define FIRST_WAIT_NS 50000000ull
#define MAX_WAIT_NS   5000000000ull

struct writer {
	pid_t tgid;
	uint64_t image; /* proc_image.id */
	uint64_t due_ns, wait_ns;
};

struct perf_maps {
	struct sampler *sampler;
	struct procs *procs;
	struct files *files;
	struct stall_guard guard;
	struct kept_maps *kept;
	VEC(struct writer) writers;
	uint64_t refused;
};

int perf_maps_new(struct perf_maps **out, struct sampler *sampler, struct procs *procs,
		  struct files *files)
{
	struct perf_maps *m = calloc(1, sizeof(*m));

	if (!m || kept_maps_new(&m->kept)) {
		free(m);
		return -ENOMEM;
	}
	m->sampler = sampler;
	m->procs = procs;
	m->files = files;
	*out = m;
	return 0;
}

void perf_maps_free(struct perf_maps *m)
{
	if (!m)
		return;
	stall_guard_release(&m->guard);
	kept_maps_free(m->kept);
	vec_release(&m->writers);
	free(m);
}

static struct writer *find(struct perf_maps *m, pid_t tgid)
{
	for (size_t i = 0; i < m->writers.len; i++)
		if (m->writers.data[i].tgid == tgid)
			return &m->writers.data[i];
	return NULL;
}

void perf_maps_seen(void *ctx, pid_t tgid)
{
	struct perf_maps *m = ctx;
	const struct proc_image *img = procs_image(m->procs, tgid, boottime_ns());
	struct writer *known = find(m, tgid), new = {.tgid = tgid, .wait_ns = FIRST_WAIT_NS};

	if (!img || (known && known->image == img->id))
		return;
	procs_see_forebears(m->procs, boottime_ns(), tgid);
	new.image = img->id;
	if (known)
		kept_maps_ended(m->kept, known->image);
	if (known)
		*known = new;
	else if (m->writers.len == PROGRAMS_MAX || vec_push(&m->writers, new))
		m->refused++;
}

/* The opener holds the file for a moment. */
static int handle_of(const struct perf_map *map)
{
	return map->held.opener ? opener_handle(&map->held) : map->fd;
}

static void watch(struct perf_maps *m, const struct proc_image *img)
{
	const struct agg_image program = agg_image_of(img);
	struct perf_map map = perf_map_open(m->files, &m->guard, &program);
	int fd = perf_map_is_open(&map) ? handle_of(&map) : -ENOENT;

	if (!perf_map_is_open(&map) && kept_maps_get(m->kept, img->id))
		return; /* it was removed, or the program ends */
	if (fd < 0 || sampler_watch_perf_map(m->sampler, img->tgid, fd))
		sampler_forget_perf_map(m->sampler, img->tgid);
	if (fd >= 0 && fd != map.fd)
		close(fd);
	if (perf_map_is_open(&map))
		kept_maps_put(m->kept, img->id, &map);
}

/* False: the program has ended. */
static bool look(struct perf_maps *m, struct writer *w, uint64_t now_ns)
{
	const struct proc_image *img = procs_image(m->procs, w->tgid, now_ns);

	if (!img || img->id != w->image) {
		sampler_forget_perf_map(m->sampler, w->tgid);
		kept_maps_ended(m->kept, w->image);
		return false;
	}
	if (img->jitdump == FILE_NONE) /* that tells the same, and when */
		watch(m, img);
	w->due_ns = now_ns + w->wait_ns;
	w->wait_ns = min_u64(2 * w->wait_ns, MAX_WAIT_NS);
	return true;
}

void perf_maps_run(struct perf_maps *m)
{
	uint64_t now_ns = m->writers.len ? boottime_ns() : 0;

	for (size_t i = 0; i < m->writers.len;) {
		struct writer *w = &m->writers.data[i];

		if (w->due_ns > now_ns || look(m, w, now_ns))
			i++;
		else
			*w = m->writers.data[--m->writers.len];
	}
}

void perf_maps_window_named(struct perf_maps *m)
{
	kept_maps_window_named(m->kept);
}

const struct kept_maps *perf_maps_kept(const struct perf_maps *m)
{
	return m->kept;
}

void perf_maps_stats(const struct perf_maps *m, struct perf_maps_stats *out)
{
	*out = (struct perf_maps_stats){m->writers.len, m->refused, kept_maps_refused(m->kept)};
}
