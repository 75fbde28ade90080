/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of one debug section. Small and relocated sections are loaded whole. Large ones are read in
 * blocks, inflated on demand if they are compressed. So a debug file of hundreds of megabytes costs
 * little memory.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_SECT_H
#define KILN_SYMBOLIZER_DWARF_DWARF_SECT_H

#include <stdbool.h>

#include "profiler/base/bytes.h"
#include "symbolizer/elf/elf_obj.h"

/* A block also holds the first bytes of the next one. So whatever starts in a block is
 * contiguous up to this length. */
#define SECT_VIEW_BYTES 2048u
/* Longest view. A program optimized at link time may be one unit of some hundred MiB. A sparse
 * file could claim any size. */
#define SECT_VIEW_BYTES_MAX (1u << 30)

/* A work allowance. Hostile data in a small section can demand endless work. */
struct work {
	uint64_t left;
	bool limited; /* it ran out, or another cap was hit */
};

/* False once the allowance is used up. */
static inline bool work_spend(struct work *w, uint64_t n)
{
	if (w->left < n) {
		w->left = 0;
		w->limited = true;
		return false;
	}
	w->left -= n;
	return true;
}

struct sect {
	struct elf_obj *elf;
	const struct elf_section *sec; /* NULL: there is no such section */
	uint64_t size;		       /* of its contents; known once ready */
	const uint8_t *whole;	       /* the whole contents; NULL: read in blocks */
	struct elf_stream *stream;     /* of a large compressed one, else NULL */
	struct work *inflating;	       /* borrowed limit of bytes to inflate; NULL: none */
	struct sect_block *blocks;     /* direct-mapped, allocated at first use */
	struct {
		uint8_t *data;
		size_t len, cap;
		uint64_t off;
	} big;		  /* the last view longer than SECT_VIEW_BYTES */
	size_t bytes;	  /* held by `blocks` and `big` */
	size_t whole_max; /* sections up to this size are loaded whole */
	bool ready, oom;
	bool limited; /* larger than the limit */
};

/* Looks the section up but reads nothing yet. A missing section counts as empty. */
void sect_init(struct sect *s, struct elf_obj *elf, const char *name, size_t whole_max);
/* Does the same for a given section, which may be NULL. */
void sect_init_section(struct sect *s, struct elf_obj *elf, const struct elf_section *sec,
		       size_t whole_max);
void sect_release(struct sect *s);
/* Frees what can be read again: the long view, if it has more than keep_bytes. */
void sect_trim(struct sect *s, size_t keep_bytes);

/* Size of the contents; 0 if missing or unreadable. */
uint64_t sect_size(struct sect *s);
/* True if going back means inflating again. Then read in ascending order. */
bool sect_is_stream(struct sect *s);
/* Bytes held. */
size_t sect_bytes(const struct sect *s);

/*
 * A view of at least min(want, rest of the section) bytes at off, often more. Bad if off is past
 * the end, a read fails or the view would be too long. A view of up to SECT_VIEW_BYTES lives until
 * the next such view of the section, a longer one until the next longer one.
 */
struct bytes sect_view(struct sect *s, uint64_t off, uint64_t want);

/* The string at off, or NULL (also if longer than 1 MiB). Lives as long as a view. */
const char *sect_str(struct sect *s, uint64_t off);

/* Reads a little-endian integer of n <= 8 bytes at off. */
bool sect_uint(struct sect *s, uint64_t off, unsigned n, uint64_t *v);

#endif
