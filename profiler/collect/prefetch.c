// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/prefetch.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/debuginfod/debuginfod.h"
#include "profiler/files/files.h"
#include "profiler/window/aggregate.h"
#include "symbolizer/symbolizer.h"

#define SEEN_MAX 65536

struct prefetch {
	struct debuginfod *d;
	struct files *files;
	struct symbolizer *symbolizer;
	size_t n_frames;  /* frames looked at so far */
	struct htab seen; /* ids of files */
};

int prefetch_new(struct prefetch **out, struct debuginfod *d, struct files *files,
		 struct symbolizer *symbolizer)
{
	struct prefetch *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->d = d;
	p->files = files;
	p->symbolizer = symbolizer;
	*out = p;
	return 0;
}

void prefetch_free(struct prefetch *p)
{
	if (!p)
		return;
	htab_release(&p->seen);
	free(p);
}

static bool is_installed(const struct build_id *id)
{
	char hex[2 * BUILD_ID_MAX + 1], path[2 * BUILD_ID_MAX + 64];

	text_hex(id->data, id->len, hex);
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", hex, hex + 2);
	return !access(path, R_OK);
}

/* By a reader, which looks at it soon anyway. */
static bool has_debug_info(struct prefetch *p, const struct file_view *v)
{
	struct sym_file file = file_view_sym(v);
	bool has = false;

	return !v->err && !symbolizer_has_debug_info(p->symbolizer, &file, &has) && has;
}

static void ask(struct prefetch *p, uint32_t file)
{
	struct file_view v;
	int fd = -1;

	files_get(p->files, file, &v);
	if (v.build_id.len >= 2 && !is_installed(&v.build_id) && !has_debug_info(p, &v))
		fd = debuginfod_find(p->d, &v.build_id);
	files_release_fd(p->files, file);
	if (fd >= 0)
		close(fd);
}

static bool same(const void *ctx, uint32_t id)
{
	return *(const uint32_t *)ctx == id;
}

void prefetch_run(struct prefetch *p, const struct aggregate *a, bool fresh)
{
	if (fresh)
		p->n_frames = 0;
	for (; p->n_frames < a->frames.len; p->n_frames++) {
		const struct agg_frame *f = &a->frames.data[p->n_frames];
		uint64_t hash = hash_u64(f->owner);

		if (f->cls != AT_FILE || htab_find(&p->seen, hash, same, &f->owner) != HTAB_NONE)
			continue;
		if (p->seen.len >= SEEN_MAX)
			htab_clear(&p->seen); /* debuginfod's own table has what was asked for */
		if (htab_insert(&p->seen, hash, f->owner))
			return; /* out of memory: the next call tries again */
		ask(p, f->owner);
	}
}
