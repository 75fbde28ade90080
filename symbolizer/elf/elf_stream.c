// SPDX-License-Identifier: GPL-2.0-or-later
/* Pieces of compressed sections. */
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_inflate.h"

/*
 * Contents are inflated in blocks of this size, and the last BLOCKS are kept. References between
 * units that were optimized together lead anywhere in the section. So most of a middling section is
 * kept. A large section keeps fewer blocks, because its units are read in order.
 */
#define BLOCK_BYTES	(64u << 10)
#define BLOCKS		128u
#define BLOCKS_OF_LARGE 32u
#define LARGE_BYTES	(16u << 20)
/* Restart points have 40 KiB each. There are at most RESTARTS_MAX, at least SPACING_MIN apart. */
#define RESTARTS_MAX 64u
#define SPACING_MIN  (1u << 20)

struct restart {
	struct inflater *in;
	uint64_t number; /* number of the next block it makes */
};

struct elf_stream {
	struct elf_obj *obj;
	struct stored st;
	struct inflater *live; /* makes block `next`; NULL if none is started */
	uint64_t next, bad;    /* bad: this block and all later ones cannot be made */
	uint64_t spacing;      /* distance of restart points, in blocks */
	unsigned n_blocks;
	VEC(struct restart) restarts;
	struct {
		uint8_t *data;
		uint64_t number_plus1; /* 0: none */
	} blocks[BLOCKS];	       /* by number % n_blocks */
	uint64_t inflated;
	int err; /* error of the bad blocks */
};

DEFINE_CLEANUP(elf_stream, elf_stream_free)

int elf_stream_open(struct elf_stream **out, struct elf_obj *obj, const struct elf_section *sec)
{
	_cleanup_(elf_stream_freep) struct elf_stream *s = calloc(1, sizeof(*s));
	uint64_t spacing;
	int err;

	if (!s)
		return -ENOMEM;
	s->obj = obj;
	err = elf_stored(obj, sec, &s->st);
	if (err)
		return err;
	if (s->st.codec == CODEC_NONE)
		return -EINVAL;
	spacing = s->st.inflated / RESTARTS_MAX;
	s->spacing = ((spacing > SPACING_MIN ? spacing : SPACING_MIN) - 1) / BLOCK_BYTES + 1;
	s->n_blocks = s->st.inflated > LARGE_BYTES ? BLOCKS_OF_LARGE : BLOCKS;
	s->bad = UINT64_MAX;
	*out = steal_ptr(s);
	return 0;
}

void elf_stream_free(struct elf_stream *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->restarts.len; i++)
		inflater_free(s->restarts.data[i].in);
	vec_release(&s->restarts);
	inflater_free(s->live);
	for (size_t i = 0; i < BLOCKS; i++)
		free(s->blocks[i].data);
	free(s);
}

uint64_t elf_stream_size(const struct elf_stream *s)
{
	return s->st.inflated;
}

uint64_t elf_stream_inflated(const struct elf_stream *s)
{
	return s->inflated;
}

size_t elf_stream_bytes(const struct elf_stream *s)
{
	size_t n = sizeof(*s) + s->restarts.cap * sizeof(*s->restarts.data);

	for (size_t i = 0; i < s->restarts.len; i++)
		n += inflater_bytes(s->restarts.data[i].in);
	for (size_t i = 0; i < BLOCKS; i++)
		n += s->blocks[i].data ? BLOCK_BYTES : 0;
	return n + (s->live ? inflater_bytes(s->live) : 0);
}

/* The last restart point before the block, or NULL: the start of the section. */
static const struct restart *restart_before(const struct elf_stream *s, uint64_t number)
{
	size_t i = s->restarts.len;

	while (i && s->restarts.data[i - 1].number > number)
		i--;
	return i ? &s->restarts.data[i - 1] : NULL;
}

/* Sets `live` to the inflater that is nearest before the block. */
static int seek(struct elf_stream *s, uint64_t number)
{
	const struct restart *r = restart_before(s, number);
	uint64_t from = r ? r->number : 0;
	struct inflater *in;
	int err;

	if (s->live && s->next <= number && s->next >= from)
		return 0;
	err = r ? inflater_copy(&in, r->in) : inflater_new(&in, s->obj, &s->st, false);
	if (err)
		return err;
	inflater_free(s->live);
	s->live = in;
	s->next = from;
	return 0;
}

/* Adds a restart point where `live` is, if one is due. Without memory for it, going back costs
 * more. */
static void mark(struct elf_stream *s)
{
	uint64_t last = s->restarts.len ? vec_last(&s->restarts).number : 0;
	struct restart r = {.number = s->next};

	if (s->next < last + s->spacing || inflater_copy(&r.in, s->live))
		return;
	if (vec_push(&s->restarts, r))
		inflater_free(r.in);
}

static size_t block_len(const struct elf_stream *s, uint64_t number)
{
	uint64_t left = s->st.inflated - number * BLOCK_BYTES;

	return left < BLOCK_BYTES ? left : BLOCK_BYTES;
}

/* Inflates the next block. */
static int advance(struct elf_stream *s)
{
	size_t slot = s->next % s->n_blocks, len = block_len(s, s->next);
	int err;

	mark(s);
	s->blocks[slot].number_plus1 = 0;
	if (!s->blocks[slot].data)
		s->blocks[slot].data = malloc(BLOCK_BYTES);
	if (!s->blocks[slot].data)
		return -ENOMEM;
	err = inflater_read(s->live, s->blocks[slot].data, len);
	s->inflated += len;
	if (err) {
		inflater_free(s->live);
		s->live = NULL;
		if (err != -ENOMEM) {
			s->bad = s->next;
			s->err = err;
		}
		return err;
	}
	s->blocks[slot].number_plus1 = ++s->next;
	return 0;
}

static int get_block(struct elf_stream *s, uint64_t number, const uint8_t **data)
{
	size_t slot = number % s->n_blocks;
	int err;

	if (s->blocks[slot].number_plus1 != number + 1) {
		if (number >= s->bad)
			return s->err;
		err = seek(s, number);
		while (!err && s->next <= number)
			err = advance(s);
		if (err)
			return err;
	}
	*data = s->blocks[slot].data;
	return 0;
}

int elf_stream_read(struct elf_stream *s, void *buf, size_t len, uint64_t off)
{
	uint8_t *out = buf;

	if (off > s->st.inflated || len > s->st.inflated - off)
		return -EBADMSG;
	while (len) {
		size_t skip = off % BLOCK_BYTES, n = BLOCK_BYTES - skip;
		const uint8_t *block = NULL;
		int err = get_block(s, off / BLOCK_BYTES, &block);

		if (err)
			return err;
		n = n < len ? n : len;
		memcpy(out, block + skip, n);
		out += n;
		off += n;
		len -= n;
	}
	return 0;
}
