// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/tails.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/one_window.h"
#include "profiler/store/reader.h"
#include "profiler/store/snapshot.h"

static void tail_free(struct tail *t)
{
	one_window_free(t->windows);
	reader_close(t->reader);
	*t = (struct tail){0};
}

void tails_release(struct tails *t)
{
	for (int i = 0; i < TAILS; i++)
		tail_free(&t->v[i]);
}

static struct tail *find(struct tails *t, const char *name)
{
	struct tail *oldest = &t->v[0];

	for (int i = 0; i < TAILS; i++) {
		if (t->v[i].reader && !strcmp(t->v[i].name, name))
			return &t->v[i];
		if (t->v[i].used < oldest->used)
			oldest = &t->v[i];
	}
	tail_free(oldest);
	strcpy(oldest->name, name);
	return oldest;
}

static int connect_reader(struct tail *t, const struct dir *dir)
{
	_cleanup_free_ char *path = NULL;
	int err;

	if (t->is_open)
		return reader_rewind(t->reader);
	err = dir_path(dir, t->name, &path);
	if (err)
		return err;
	return t->reader ? reader_resume(t->reader, path) : reader_open(&t->reader, path);
}

int tails_open(struct tails *t, const struct dir *dir, const struct snapshot_segment *g,
	       struct tail **out)
{
	struct tail *tail = find(t, g->file.name);
	int err = connect_reader(tail, dir);

	tail->used = ++t->uses;
	if (!err && reader_head(tail->reader)->id != g->head.id)
		err = -ESTALE;
	tail->is_open = !err;
	if (!err)
		*out = tail;
	else
		tail_free(tail);
	return err == -ESTALE ? -ENOENT : err;
}

static void pause_tail(struct tail *t)
{
	if (t->is_open)
		reader_pause(t->reader);
	t->is_open = false;
}

void tails_close(struct tails *t, struct tail *tail, bool is_kept)
{
	if (!is_kept)
		tail_free(tail);
	else if (!t->is_held)
		pause_tail(tail);
}

void tails_forget(struct tails *t, bool (*is_there)(void *ctx, const char *name), void *ctx)
{
	for (int i = 0; i < TAILS; i++)
		if (!is_there(ctx, t->v[i].name))
			tail_free(&t->v[i]);
}

void tails_hold(struct tails *t)
{
	t->is_held = true;
}

void tails_rest(struct tails *t)
{
	t->is_held = false;
	for (int i = 0; i < TAILS; i++)
		pause_tail(&t->v[i]);
}
