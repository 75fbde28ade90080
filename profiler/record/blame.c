// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/procs/files.h"
#include "profiler/procs/procs.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/record/aggregate.h"
#include "profiler/record/blame.h"
#include "profiler/record/naming.h"

#define BLAME_MAX 10 /* rows worth showing */
/* Below this share of all frames or stacks a binary is not worth a word. */
#define BLAME_MIN_SHARE 0.01

struct suspect {
	enum frame_class cls; /* AT_FILE or AT_ANON */
	uint32_t owner;
	uint64_t frames, unnamed, broken;
};

struct blame {
	VEC(struct suspect) suspects;
	struct htab index;
	uint64_t frames, broken;
};

struct needle {
	const struct blame *b;
	const struct agg_frame *f;
};

static bool suspect_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;
	const struct suspect *s = &n->b->suspects.data[id];

	return s->cls == n->f->cls && s->owner == n->f->owner;
}

struct blame *blame_new(void)
{
	return calloc(1, sizeof(struct blame));
}

void blame_free(struct blame *b)
{
	if (!b)
		return;
	vec_release(&b->suspects);
	htab_release(&b->index);
	free(b);
}

static struct suspect *get(struct blame *b, const struct agg_frame *f)
{
	struct needle n = {b, f};
	uint64_t hash = hash_mix(f->owner, f->cls);
	struct suspect fresh = {.cls = f->cls, .owner = f->owner};
	uint32_t id;

	if (f->cls != AT_FILE && f->cls != AT_ANON)
		return NULL;
	id = htab_find(&b->index, hash, suspect_eq, &n);
	if (id != HTAB_NONE)
		return &b->suspects.data[id];
	if (vec_push(&b->suspects, fresh))
		return NULL;
	if (htab_insert(&b->index, hash, (uint32_t)b->suspects.len - 1)) {
		b->suspects.len--;
		return NULL;
	}
	return &vec_last(&b->suspects);
}

void blame_frame(struct blame *b, const struct agg_frame *f, uint64_t count, bool unnamed)
{
	struct suspect *s = get(b, f);

	b->frames += count;
	if (!s)
		return;
	s->frames += count;
	s->unnamed += unnamed ? count : 0;
}

void blame_broken(struct blame *b, const struct agg_frame *f, uint64_t count)
{
	struct suspect *s = get(b, f);

	b->broken += count;
	if (s)
		s->broken += count;
}

static int order_suspects(const void *x, const void *y)
{
	const struct suspect *s = x, *t = y;
	uint64_t a = s->unnamed + s->broken, b = t->unnamed + t->broken;

	return a > b ? -1 : a < b;
}

/* What to do, or NULL. The caller frees it. */
static char *hint_for_file(const struct suspect *s, const struct file_view *v)
{
	char hex[2 * BUILD_ID_MAX + 1];
	struct buf b = {0};

	if (s->unnamed * 2 < s->frames && s->broken * 2 < s->frames)
		return NULL;
	if (v->fd < 0) {
		buf_printf(&b, "%s could not be opened: %s", v->path, strerror(-v->err));
	} else if (s->unnamed * 2 >= s->frames) {
		text_hex(v->build_id.data, v->build_id.len, hex);
		hex[8] = '\0';
		buf_printf(&b,
			   "stripped (build id %s...): install its debug symbols (-dbg, -dbgsym)",
			   hex);
	} else {
		buf_str(&b, "built without frame pointers: its callers are missing");
	}
	return buf_take(&b);
}

static char *hint_for_anon(const struct naming *n, const struct agg_image *img)
{
	struct buf b = {0};
	struct file_view v = {.path = ""};
	const char *exe = "", *advice = "start it so that it writes /tmp/perf-PID.map or a jitdump";

	if (img->exe != FILE_NONE) {
		files_get(n->files, img->exe, &v);
		exe = strrchr(v.path, '/') ? strrchr(v.path, '/') + 1 : v.path;
	}
	if (text_has_prefix(exe, "node"))
		advice = "start it with --perf-basic-prof";
	else if (text_has_prefix(exe, "java"))
		advice = "start it with -XX:+PreserveFramePointer -XX:+DumpPerfMapAtExit "
			 "(JDK 17 and newer)";
	else if (text_has_prefix(exe, "dotnet"))
		advice = "start it with DOTNET_PerfMapEnabled=1";
	buf_printf(&b, "%s pid %d has no perf map: %s", *exe ? exe : "its program", img->tgid,
		   advice);
	if (img->exe != FILE_NONE)
		files_release_fd(n->files, img->exe);
	return buf_take(&b);
}

static int report_one(const struct suspect *s, const struct naming *n, const struct aggregate *a,
		      struct quality *q)
{
	struct quality_blame row = {
		.frames = s->frames, .unnamed = s->unnamed, .broken = s->broken};
	struct file_view v;
	int err;

	if (s->cls == AT_ANON) {
		row.module = strdup(MAPPING_JIT);
		if (s->unnamed * 2 >= s->frames && s->owner < a->images.len)
			row.hint = hint_for_anon(n, &a->images.data[s->owner]);
	} else {
		files_get(n->files, s->owner, &v);
		row.module = strdup(strrchr(v.path, '/') ? strrchr(v.path, '/') + 1 : v.path);
		row.hint = hint_for_file(s, &v);
		files_release_fd(n->files, s->owner);
	}
	err = row.module ? vec_push(&q->blame, row) : -ENOMEM;
	if (err) {
		free(row.module);
		free(row.hint);
	}
	return err;
}

int blame_report(struct blame *b, const struct naming *n, const struct aggregate *a,
		 struct quality *q)
{
	int err = 0;

	if (b->suspects.len)
		qsort(b->suspects.data, b->suspects.len, sizeof(*b->suspects.data), order_suspects);
	for (size_t i = 0; i < b->suspects.len && i < BLAME_MAX && !err; i++) {
		const struct suspect *s = &b->suspects.data[i];

		if ((double)s->unnamed < BLAME_MIN_SHARE * (double)b->frames &&
		    (double)s->broken < BLAME_MIN_SHARE * (double)a->recorded)
			continue;
		err = report_one(s, n, a, q);
	}
	return err;
}
