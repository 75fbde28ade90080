// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/text.h"
#include "symbolizer/dwarf/dwarf_sect.h"

/* Names are scattered over .debug_str. Reading more than a page is mostly wasted. */
#define BLOCK_BYTES 4096u
/* 64 * 6 KiB: what one section may hold in blocks. */
#define BLOCK_SLOTS 64u
/* Longest string. Template-heavy C++ has mangled names of some hundred KiB. */
#define STR_BYTES_MAX (1u << 20)

struct sect_block {
	uint64_t number_plus1; /* 0: empty */
	size_t len;
	uint8_t data[BLOCK_BYTES + SECT_VIEW_BYTES];
};

static const struct bytes bad_view = {NULL, NULL, true};

void sect_init_section(struct sect *s, struct elf_obj *elf, const struct elf_section *sec,
		       size_t whole_max)
{
	*s = (struct sect){.elf = elf, .whole_max = whole_max};
	if (sec && sec->type != SHT_NOBITS)
		s->sec = sec;
}

void sect_init(struct sect *s, struct elf_obj *elf, const char *name, size_t whole_max)
{
	sect_init_section(s, elf, elf_obj_section(elf, name), whole_max);
}

void sect_release(struct sect *s)
{
	if (s->whole && s->sec)
		elf_obj_drop(s->elf, s->sec);
	elf_stream_free(s->stream);
	free(s->blocks);
	free(s->big.data);
	*s = (struct sect){0};
}

void sect_trim(struct sect *s, size_t keep_bytes)
{
	if (s->big.cap <= keep_bytes)
		return;
	s->bytes -= s->big.cap;
	free(s->big.data);
	s->big.data = NULL;
	s->big.len = s->big.cap = 0;
}

static bool is_compressed(const struct sect *s)
{
	return (s->sec->flags & SHF_COMPRESSED) || text_has_prefix(s->sec->name, ".zdebug");
}

static int open_stream(struct sect *s)
{
	int err = elf_stream_open(&s->stream, s->elf, s->sec);

	if (err || elf_stream_size(s->stream) > s->whole_max)
		return err;
	elf_stream_free(s->stream);
	s->stream = NULL;
	return -EINVAL;
}

static int open_contents(struct sect *s)
{
	int err = -EINVAL;
	size_t len;

	/* Relocations are only applied to whole sections. */
	if (is_compressed(s) && elf_obj_type(s->elf) != ET_REL)
		err = open_stream(s);
	if (!err) {
		s->size = elf_stream_size(s->stream);
		return 0;
	}
	if (err != -EINVAL)
		return err;
	if (s->sec->size > s->whole_max && !is_compressed(s) && elf_obj_type(s->elf) != ET_REL) {
		s->size = s->sec->size;
		return 0;
	}
	err = elf_obj_data(s->elf, s->sec, &s->whole, &len);
	if (err)
		return err;
	s->size = len;
	return 0;
}

static void get_ready(struct sect *s)
{
	int err;

	s->ready = true;
	if (!s->sec)
		return;
	err = open_contents(s);
	if (!err)
		return;
	s->whole = NULL;
	s->oom = err == -ENOMEM;
	s->limited = err == -EFBIG;
}

uint64_t sect_size(struct sect *s)
{
	if (!s->ready)
		get_ready(s);
	return s->size;
}

bool sect_is_stream(struct sect *s)
{
	if (!s->ready)
		get_ready(s);
	return s->stream;
}

size_t sect_bytes(const struct sect *s)
{
	return s->bytes + (s->stream ? elf_stream_bytes(s->stream) : 0);
}

/* Inflated bytes are counted afterwards, so the last read may exceed the allowance. */
static bool read_stream(struct sect *s, void *to, uint64_t off, size_t len)
{
	uint64_t before = elf_stream_inflated(s->stream);
	int err;

	if (s->inflating && !s->inflating->left) {
		s->inflating->limited = true;
		return false;
	}
	err = elf_stream_read(s->stream, to, len, off);
	s->oom |= err == -ENOMEM;
	s->limited |= err == -EFBIG;
	if (s->inflating)
		work_spend(s->inflating, elf_stream_inflated(s->stream) - before);
	return !err;
}

static bool read_exactly(struct sect *s, void *to, uint64_t off, size_t len)
{
	if (s->stream)
		return read_stream(s, to, off, len);
	return elf_obj_pread(s->elf, to, len, s->sec->file_off + off) == (long)len;
}

static struct bytes block_view(struct sect *s, uint64_t off)
{
	uint64_t number = off / BLOCK_BYTES, start = number * BLOCK_BYTES;
	struct sect_block *b;

	if (!s->blocks) {
		s->blocks = calloc(BLOCK_SLOTS, sizeof(*s->blocks));
		if (!s->blocks) {
			s->oom = true;
			return bad_view;
		}
		s->bytes += BLOCK_SLOTS * sizeof(*s->blocks);
	}
	b = &s->blocks[number % BLOCK_SLOTS];
	if (b->number_plus1 != number + 1) {
		b->len = s->size - start < sizeof(b->data) ? s->size - start : sizeof(b->data);
		b->number_plus1 = 0;
		if (!read_exactly(s, b->data, start, b->len))
			return bad_view;
		b->number_plus1 = number + 1;
	}
	return bytes_of(b->data + (off - start), b->len - (off - start));
}

static struct bytes big_view(struct sect *s, uint64_t off, size_t len)
{
	if (len > SECT_VIEW_BYTES_MAX)
		return bad_view;
	if (len > s->big.cap) {
		s->bytes -= s->big.cap;
		free(s->big.data);
		s->big.len = s->big.cap = 0;
		s->big.data = malloc(len);
		if (!s->big.data) {
			s->oom = true;
			return bad_view;
		}
		s->big.cap = len;
		s->bytes += len;
	}
	s->big.len = 0;
	if (!read_exactly(s, s->big.data, off, len))
		return bad_view;
	s->big.off = off;
	s->big.len = len;
	return bytes_of(s->big.data, len);
}

struct bytes sect_view(struct sect *s, uint64_t off, uint64_t want)
{
	if (!s->ready)
		get_ready(s);
	if (off >= s->size)
		return bad_view;
	if (s->whole)
		return bytes_of(s->whole + off, s->size - off);
	if (want > s->size - off)
		want = s->size - off;
	if (s->big.len && off >= s->big.off && off - s->big.off < s->big.len &&
	    s->big.len - (off - s->big.off) >= want)
		return bytes_of(s->big.data + (off - s->big.off), s->big.len - (off - s->big.off));
	return want <= SECT_VIEW_BYTES ? block_view(s, off) : big_view(s, off, want);
}

const char *sect_str(struct sect *s, uint64_t off)
{
	for (size_t want = SECT_VIEW_BYTES; want <= STR_BYTES_MAX; want *= 8) {
		struct bytes v = sect_view(s, off, want);
		size_t len = bytes_left(&v);

		if (v.bad)
			return NULL;
		if (memchr(v.p, 0, len < STR_BYTES_MAX ? len : STR_BYTES_MAX))
			return (const char *)v.p;
		if (len >= s->size - off)
			return NULL;
	}
	return NULL;
}

bool sect_uint(struct sect *s, uint64_t off, unsigned n, uint64_t *v)
{
	struct bytes b = sect_view(s, off, n);
	uint64_t x = bytes_uint(&b, n);

	if (b.bad)
		return false;
	*v = x;
	return true;
}
