// SPDX-License-Identifier: GPL-2.0-or-later
/* System V gABI, chapters 4 and 5. */
#include "symbolizer/head/elf_head.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "symbolizer/head/elf_class.h"
#include "symbolizer/head/elf_note.h"

/* A build id stands in the first note or the second. */
#define NOTES_MAX      16
#define NOTE_BYTES_MAX (64u << 10)
/* Entries of a table that are read at once. A header counts up to 65,535. */
#define CHUNK 64u

struct source {
	elf_read_fn read;
	void *ctx;
	bool is_32;
	struct elf_head *out;
	size_t n_notes; /* looked at */
};

/* Exactly so many bytes. */
static bool read_all(const struct source *s, void *buf, size_t len, uint64_t off)
{
	return s->read(s->ctx, buf, len, off) == (long)len;
}

/* --- notes ------------------------------------------------------------------------------------- */

static int look_at_notes(struct source *s, uint64_t off, uint64_t len, uint64_t align)
{
	_cleanup_free_ uint8_t *notes = NULL;
	long n;

	if (s->out->build_id.len || !len || s->n_notes++ >= NOTES_MAX)
		return 0;
	if (len > NOTE_BYTES_MAX)
		len = NOTE_BYTES_MAX;
	notes = malloc(len);
	if (!notes)
		return -ENOMEM;
	n = s->read(s->ctx, notes, len, off);
	if (n > 0)
		elf_note_build_id(notes, (size_t)n, align, &s->out->build_id);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------ */

static int take_phdr(struct source *s, const uint8_t *entry)
{
	Elf64_Phdr ph = elf_phdr_at(entry, s->is_32);

	return ph.p_type == PT_NOTE ? look_at_notes(s, ph.p_offset, ph.p_filesz, ph.p_align) : 0;
}

static int take_shdr(struct source *s, const uint8_t *entry)
{
	Elf64_Shdr sh = elf_shdr_at(entry, s->is_32);

	s->out->has_symtab |= sh.sh_type == SHT_SYMTAB && sh.sh_size;
	return sh.sh_type == SHT_NOTE ? look_at_notes(s, sh.sh_offset, sh.sh_size, 4) : 0;
}

struct table {
	uint64_t off;
	size_t n, size; /* of an entry */
	int (*take)(struct source *s, const uint8_t *entry);
};

static int read_table(struct source *s, const struct table *t)
{
	uint8_t chunk[CHUNK * sizeof(Elf64_Shdr)];
	int err = 0;

	s->n_notes = 0;
	for (size_t i = 0; i < t->n && !err; i += CHUNK) {
		size_t n = t->n - i < CHUNK ? t->n - i : CHUNK;

		if (t->off > UINT64_MAX - i * t->size ||
		    !read_all(s, chunk, n * t->size, t->off + i * t->size))
			return 0;
		for (size_t k = 0; k < n && !err; k++)
			err = t->take(s, chunk + k * t->size);
	}
	return err;
}

static int read_tables(struct source *s, const Elf64_Ehdr *eh)
{
	struct table segments = {eh->e_phoff, eh->e_phnum, elf_phdr_size(s->is_32), take_phdr};
	struct table sections = {eh->e_shoff, eh->e_shnum, elf_shdr_size(s->is_32), take_shdr};
	int err = 0;

	if (eh->e_phoff && eh->e_phentsize == segments.size && eh->e_phnum != PN_XNUM)
		err = read_table(s, &segments);
	if (!err && eh->e_shoff && eh->e_shentsize == sections.size)
		err = read_table(s, &sections);
	return err;
}

/* --- the header -------------------------------------------------------------------------------- */

/* The first bytes, which both classes share: identity and type. */
struct start {
	uint8_t ident[EI_NIDENT], type[2];
};

static int read_start(struct start *start, elf_read_fn read, void *ctx)
{
	long n = read(ctx, start, sizeof(*start), 0);

	if (n < 0)
		return (int)n;
	return (size_t)n == sizeof(*start) && !memcmp(start->ident, ELFMAG, SELFMAG) ? 0 : -ENOEXEC;
}

static uint16_t type_of(const struct start *start)
{
	bool is_big = start->ident[EI_DATA] == ELFDATA2MSB;

	return (uint16_t)(start->type[is_big] | start->type[!is_big] << 8);
}

/* False: of a kind whose tables are not read. */
static bool read_header(struct source *s, const struct start *start, Elf64_Ehdr *eh)
{
	Elf32_Ehdr narrow;

	if (start->ident[EI_DATA] != ELFDATA2LSB || start->ident[EI_VERSION] != EV_CURRENT)
		return false;
	s->is_32 = start->ident[EI_CLASS] == ELFCLASS32;
	if (!s->is_32)
		return start->ident[EI_CLASS] == ELFCLASS64 && read_all(s, eh, sizeof(*eh), 0);
	if (!read_all(s, &narrow, sizeof(narrow), 0))
		return false;
	*eh = elf_ehdr_of_32(&narrow);
	return true;
}

int elf_head_read(struct elf_head *out, elf_read_fn read, void *ctx)
{
	struct elf_head head = {.build_id = {.len = 0}};
	struct source s = {.read = read, .ctx = ctx, .out = &head};
	struct start start;
	Elf64_Ehdr eh;
	int err = read_start(&start, read, ctx);

	if (err)
		return err;
	head.type = type_of(&start);
	if (read_header(&s, &start, &eh))
		err = read_tables(&s, &eh);
	if (!err)
		*out = head;
	return err;
}

static long read_fd(void *ctx, void *buf, size_t len, uint64_t off)
{
	return io_pread(*(const int *)ctx, buf, len, off);
}

int elf_head_of(struct elf_head *out, int fd)
{
	return elf_head_read(out, read_fd, &fd);
}

int elf_head_type(int fd)
{
	struct start start;

	return read_start(&start, read_fd, &fd) ?: type_of(&start);
}
