// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/sampler/drained_window.h"

/* Raw samples that wait for the raw walk. They are taken every few milliseconds, and the rings
 * hold less. */
#define RAW_MAX_BYTES (32u << 20)

struct stack_needle {
	const struct window *w;
	uint64_t word;
	uint32_t side;
};

static bool stack_eq(const void *ctx, uint32_t id)
{
	const struct stack_needle *n = ctx;
	const struct window_stack *s = &n->w->stacks.data[id];

	return s->word == n->word && s->side == n->side;
}

static uint64_t stack_hash(uint32_t side, uint64_t word)
{
	return hash_u64(word ^ side);
}

static uint32_t find_stack(const struct window *w, uint32_t side, uint64_t word)
{
	struct stack_needle n = {w, word, side};

	return htab_find(&w->index, stack_hash(side, word), stack_eq, &n);
}

int window_add_stack(struct window *w, struct window_stack s, const uint64_t *frames)
{
	int err;

	if (find_stack(w, s.side, s.word) != HTAB_NONE)
		return 0;
	s.first = (uint32_t)w->frames.len;
	err = vec_reserve(&w->frames, w->frames.len + s.len) ?:
	      vec_reserve(&w->stacks, w->stacks.len + 1) ?:
	      htab_insert(&w->index, stack_hash(s.side, s.word), (uint32_t)w->stacks.len);
	if (err)
		return err;
	if (s.len)
		memcpy(w->frames.data + w->frames.len, frames, s.len * sizeof(*frames));
	w->frames.len += s.len;
	w->stacks.data[w->stacks.len++] = s;
	return 0;
}

int window_add_user_stack(struct window *w, uint64_t word, const uint64_t *frames, size_t n,
			  enum unwind_end end)
{
	struct window_stack s = {
		.word = word, .len = (uint32_t)n, .side = KILN_SIDE_USER, .end = (uint8_t)end};

	return window_add_stack(w, s, frames);
}

const struct window_stack *window_stack(const struct window *w, uint32_t side, uint64_t word,
					const uint64_t **frames)
{
	uint32_t id = find_stack(w, side, word);

	if (id == HTAB_NONE)
		return NULL;
	*frames = w->frames.data + w->stacks.data[id].first;
	return &w->stacks.data[id];
}

struct window *window_new(void)
{
	struct window *w = calloc(1, sizeof(*w));

	if (w)
		w->begin_ns = boottime_ns();
	return w;
}

void window_free(struct window *w)
{
	if (!w)
		return;
	vec_release(&w->rows);
	vec_release(&w->stacks);
	vec_release(&w->frames);
	htab_release(&w->index);
	free(w);
}

/* --- raw samples ------------------------------------------------------------------------------- */

struct raw_sample *raw_queue_add(struct raw_queue *q, uint32_t stack_len, int *err)
{
	size_t bytes = sizeof(struct raw_sample) + stack_len;
	struct raw_sample *r;

	if (q->bytes + bytes > RAW_MAX_BYTES) {
		q->dropped++;
		return NULL;
	}
	r = malloc(bytes);
	if (!r || vec_push(&q->samples, r)) {
		free(r);
		*err = -ENOMEM;
		return NULL;
	}
	*r = (struct raw_sample){.stack_len = stack_len};
	q->bytes += bytes;
	return r;
}

struct raw_sample *raw_queue_next(struct raw_queue *q)
{
	if (q->next < q->samples.len)
		return q->samples.data[q->next++];
	q->samples.len = q->next = q->bytes = 0;
	return NULL;
}

void raw_queue_release(struct raw_queue *q)
{
	for (struct raw_sample *r; (r = raw_queue_next(q));)
		free(r);
	vec_release(&q->samples);
}
