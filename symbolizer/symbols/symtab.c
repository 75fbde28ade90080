// SPDX-License-Identifier: GPL-2.0-or-later
/* Look-ups in a finished table: ranges by address, and names from their files. */
#include "symbolizer/symbols/symtab.h"

#include <string.h>

#include "profiler/base/buf.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbols/symtab_priv.h"

/* C++ expression templates reach 10 KiB. */
#define NAME_BYTES_MAX (16u << 10)
/* A whole string table may have this many bytes for each name to read. */
#define READ_COST 256

void symtab_free(struct symtab *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->n_sources; i++) {
		free(t->sources[i].blob);
		free(t->sources[i].temp);
	}
	vec_release(&t->symbols);
	free(t);
}

int symtab_find(const struct symtab *t, uint64_t va, uint32_t *index)
{
	const struct symbol *s = t->symbols.data;
	size_t lo = 0, hi = t->symbols.len;

	if (va < t->base)
		return -ENOENT;
	va -= t->base;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s[mid].start <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || va - s[lo - 1].start >= s[lo - 1].len)
		return -ENOENT;
	*index = (uint32_t)(lo - 1);
	return 0;
}

void symtab_range(const struct symtab *t, uint32_t index, uint64_t *start, uint64_t *end)
{
	*start = t->base + t->symbols.data[index].start;
	*end = *start + t->symbols.data[index].len;
}

uint64_t symtab_name_key(const struct symtab *t, uint32_t index)
{
	const struct symbol *s = &t->symbols.data[index];

	return (uint64_t)(s->meta & (SYM_SOURCE | SYM_PLT)) << 32 | s->name;
}

static long read_name(const struct name_source *src, uint32_t off, char *out, size_t cap)
{
	if (cap > src->size - off)
		cap = src->size - off;
	if (!src->blob && !src->loaded)
		return elf_obj_pread(src->obj, out, cap, src->file_off + off);
	memcpy(out, (src->loaded ?: src->blob) + off, cap);
	return (long)cap;
}

void symtab_hold_names(struct symtab *t, size_t n)
{
	const uint8_t *data;
	size_t len;

	for (unsigned i = 0; i < t->n_sources; i++) {
		struct name_source *src = &t->sources[i];

		if (src->blob || !src->obj || !src->section || n < src->size / READ_COST)
			continue;
		if (!elf_obj_data(src->obj, src->section, &data, &len) && len == src->size)
			src->loaded = data;
	}
}

void symtab_release_names(struct symtab *t)
{
	symtab_unload_sources(t);
}

int symtab_name(const struct symtab *t, uint32_t index, struct buf *out)
{
	const struct symbol *s = &t->symbols.data[index];
	const struct name_source *src = &t->sources[s->meta & SYM_SOURCE];
	size_t len = 0;

	/* Nearly all names fit the first size. */
	for (size_t cap = 256; cap <= NAME_BYTES_MAX; cap *= 64) {
		char *p = buf_room(out, cap);
		long n = p ? read_name(src, s->name, p, cap) : -ENOMEM;

		if (n <= 0)
			return -ENOENT;
		len = strnlen(p, (size_t)n);
		if (len < cap)
			break;
	}
	if (!len)
		return -ENOENT;
	out->len += len;
	if (s->meta & SYM_PLT)
		buf_str(out, "@plt");
	return 0;
}

size_t symtab_count(const struct symtab *t)
{
	return t->symbols.len;
}

size_t symtab_bytes(const struct symtab *t)
{
	size_t n = sizeof(*t) + t->symbols.cap * sizeof(*t->symbols.data);

	for (unsigned i = 0; i < t->n_sources; i++)
		if (t->sources[i].blob)
			n += t->sources[i].size + 1;
	return n;
}
