// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf_late.h"

/* A frame has 32 bytes, and 16 for each of two strings while they are read. More frames mean
 * fewer passes over .debug_str. */
#define FRAMES_HELD_MAX (256u << 10)
/* Text given out at a time. Names of C++ programs have 100 to 200 bytes. */
#define TEXT_BYTES_MAX (16u << 20)
/* .debug_str and .debug_line_str of the file, its supplement and its package. */
#define SECTS_MAX 8
/*
 * A string is a number: either an id in `known`, or a place: 1 + index in `sects`, and the offset.
 */
#define PLACE_SHIFT 56
#define PLACE_OFF   ((1ull << PLACE_SHIFT) - 1)

struct late_frame {
	uint64_t linkage_name, name;
	uint32_t file; /* in `known` */
	uint32_t line, start_line;
};

struct answer {
	size_t index, first; /* frame and its index in the list */
	uint32_t n;
	enum dwarf_reason reason;
};

struct wanted { /* a string of a frame that must be read */
	uint64_t place;
	uint32_t frame;
	bool linkage;
};

struct late {
	VEC(struct answer) answers;
	VEC(struct late_frame) frames;
	VEC(struct wanted) wanted;
	struct strtab *known; /* paths, and strings that were read at once */
	struct sect *sects[SECTS_MAX];
	size_t n_sects;
	struct buf text;
	struct dwarf_frame list[DWARF_DEPTH_MAX];
};

DEFINE_CLEANUP(late, late_free)

int late_new(struct late **out)
{
	_cleanup_(late_freep) struct late *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->known = strtab_new();
	if (!l->known)
		return -ENOMEM;
	*out = steal_ptr(l);
	return 0;
}

void late_free(struct late *l)
{
	if (!l)
		return;
	vec_release(&l->answers);
	vec_release(&l->frames);
	vec_release(&l->wanted);
	strtab_free(l->known);
	buf_release(&l->text);
	free(l);
}

size_t late_bytes(const struct late *l)
{
	return sizeof(*l) + l->answers.cap * sizeof(*l->answers.data) +
	       l->frames.cap * sizeof(*l->frames.data) + l->wanted.cap * sizeof(*l->wanted.data) +
	       strtab_bytes(l->known) + l->text.cap;
}

/* --- taking answers ----------------------------------------------------------------------------- */

bool late_wanted(const struct frames *fr)
{
	for (size_t i = 0; i < fr->n; i++)
		if (fr->at[i].linkage_name.sect || fr->at[i].name.sect)
			return true;
	return false;
}

static int know(struct late *l, const char *s, uint32_t *id)
{
	*id = 0;
	return s ? strtab_add(l->known, s, id) : 0;
}

/* Place of a string. With more sections than SECTS_MAX it stays unknown. */
static uint64_t place_of(struct late *l, const struct frame_string *s)
{
	size_t i = 0;

	while (i < l->n_sects && l->sects[i] != s->sect)
		i++;
	if (i == SECTS_MAX || s->off > PLACE_OFF)
		return 0;
	if (i == l->n_sects)
		l->sects[l->n_sects++] = s->sect;
	return (uint64_t)(i + 1) << PLACE_SHIFT | s->off;
}

static int take_string(struct late *l, const struct frames *fr, const struct frame_string *s,
		       uint64_t *out)
{
	uint32_t id;
	int err;

	if (s->sect) {
		*out = place_of(l, s);
		return 0;
	}
	err = know(l, frames_text(fr, s), &id);
	*out = id;
	return err;
}

static int take_frame(struct late *l, const struct frames *fr, size_t i)
{
	const struct dwarf_frame *from = &fr->list[i];
	struct late_frame f = {.line = from->line, .start_line = from->start_line};

	return take_string(l, fr, &fr->at[i].linkage_name, &f.linkage_name)
		       ?: take_string(l, fr, &fr->at[i].name, &f.name)
		       ?: know(l, from->file, &f.file) ?: vec_push(&l->frames, f);
}

int late_add(struct late *l, size_t index, const struct frames *fr, enum dwarf_reason reason)
{
	struct answer a = {index, l->frames.len, (uint32_t)fr->n, reason};
	int err = 0;

	for (size_t i = 0; i < fr->n && !err; i++)
		err = take_frame(l, fr, i);
	return err ?: vec_push(&l->answers, a);
}

bool late_full(const struct late *l)
{
	return l->frames.len >= FRAMES_HELD_MAX || strtab_bytes(l->known) >= TEXT_BYTES_MAX;
}

/* --- reading the strings ------------------------------------------------------------------------ */

static int want(struct late *l, uint64_t place, size_t frame, bool linkage)
{
	if (!(place >> PLACE_SHIFT))
		return 0;
	return vec_push(&l->wanted, (struct wanted){place, (uint32_t)frame, linkage});
}

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

/* Collects the strings of the answers [from, to), in the order of the file. */
static int collect(struct late *l, size_t from, size_t to)
{
	size_t first = l->answers.data[from].first;
	size_t end = l->answers.data[to - 1].first + l->answers.data[to - 1].n;
	int err = 0;

	l->wanted.len = 0;
	for (size_t i = first; i < end && !err; i++)
		err = want(l, l->frames.data[i].linkage_name, i, true)
			      ?: want(l, l->frames.data[i].name, i, false);
	if (!err && l->wanted.len)
		qsort(l->wanted.data, l->wanted.len, sizeof(*l->wanted.data), compare_wanted);
	return err;
}

/* Reads the wanted strings into `text`. Replaces each place by 1 + the offset in `text`; 0:
 * unreadable. False if not all of it fits; the rest is then 0. */
static bool read_strings(struct late *l)
{
	uint64_t last = 0, at = 0;
	bool fits = true;

	l->text.len = 0;
	for (size_t i = 0; i < l->wanted.len; i++) {
		struct wanted *w = &l->wanted.data[i];
		struct sect *sect = l->sects[(w->place >> PLACE_SHIFT) - 1];
		const char *s;

		if (w->place != last && fits) {
			s = sect_str(sect, w->place & PLACE_OFF);
			fits = !s || l->text.len + strlen(s) < TEXT_BYTES_MAX;
			at = s && fits ? l->text.len + 1 : 0;
			if (at)
				buf_add(&l->text, s, strlen(s) + 1);
		}
		if (w->place != last && !fits)
			at = 0;
		last = w->place;
		w->place = at;
	}
	return fits;
}

/* --- giving answers ----------------------------------------------------------------------------- */

/* A frame's string. `where` is its place, `read` what read_strings() made of it. */
static const char *text_of(const struct late *l, uint64_t where, uint64_t read)
{
	if (where >> PLACE_SHIFT)
		return read ? l->text.data + read - 1 : NULL;
	return where ? strtab_get(l->known, (uint32_t)where) : NULL;
}

/* Puts strings, which were read in the order of the file, back into the order of the frames. */
static int compare_frames(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	if (x->frame != y->frame)
		return x->frame < y->frame ? -1 : 1;
	return (int)y->linkage - (int)x->linkage;
}

static void give(struct late *l, const struct answer *a, const struct wanted **w, bool cut,
		 dwarf_frames_fn fn, void *ctx)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct late_frame *f = &l->frames.data[a->first + i];
		uint64_t linkage = f->linkage_name >> PLACE_SHIFT ? (*w)++->place : 0;
		uint64_t name = f->name >> PLACE_SHIFT ? (*w)++->place : 0;

		l->list[i] = (struct dwarf_frame){
			.linkage_name = text_of(l, f->linkage_name, linkage),
			.name = text_of(l, f->name, name),
			.file = f->file ? strtab_get(l->known, f->file) : NULL,
			.line = f->line,
			.start_line = f->start_line,
		};
		if (!l->list[i].linkage_name)
			l->list[i].linkage_name = l->list[i].name;
	}
	fn(ctx, a->index, l->list, a->n, cut ? DWARF_LIMIT : a->reason);
}

static int give_range(struct late *l, size_t from, size_t to, dwarf_frames_fn fn, void *ctx)
{
	const struct wanted *w;
	bool fits;
	int err = collect(l, from, to);

	if (err)
		return err;
	fits = read_strings(l);
	if (l->text.err)
		return l->text.err;
	if (!fits && to - from > 1) { /* too much text for one round */
		size_t mid = from + (to - from) / 2;

		return give_range(l, from, mid, fn, ctx) ?: give_range(l, mid, to, fn, ctx);
	}
	if (l->wanted.len)
		qsort(l->wanted.data, l->wanted.len, sizeof(*l->wanted.data), compare_frames);
	w = l->wanted.data;
	for (size_t i = from; i < to; i++)
		give(l, &l->answers.data[i], &w, !fits, fn, ctx);
	return 0;
}

int late_flush(struct late *l, dwarf_frames_fn fn, void *ctx)
{
	int err = l->answers.len ? give_range(l, 0, l->answers.len, fn, ctx) : 0;
	struct strtab *fresh;

	l->answers.len = l->frames.len = 0;
	if (err || strtab_count(l->known) == 1)
		return err;
	fresh = strtab_new();
	if (!fresh)
		return -ENOMEM;
	strtab_free(l->known);
	l->known = fresh;
	return 0;
}
