// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/elf/elf_dynamic.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"

/* Entries of a dynamic section: real ones have a few dozen. */
#define ENTRIES_MAX 4096
/*
 * Buckets to read of a GNU hash table. It has about one for each symbol; libraries have thousands.
 */
#define BUCKETS_MAX (1u << 22)
/* Longest chain behind the last bucket; real ones have less than ten symbols. */
#define CHAIN_MAX (1u << 16)

int elf_va_to_off(struct elf_obj *obj, uint64_t va, uint64_t *off, uint64_t *left)
{
	const struct elf_segment *seg = elf_obj_segment_at_va(obj, va);
	uint64_t skip = seg ? va - seg->va : 0, size = elf_obj_file_size(obj);

	if (!seg || skip >= seg->file_len || seg->file_off >= size || skip >= size - seg->file_off)
		return -ENODATA;
	*off = seg->file_off + skip;
	*left = seg->file_len - skip;
	if (*left > size - *off)
		*left = size - *off;
	return 0;
}

static uint64_t *field_of(struct elf_dynamic *d, int64_t tag)
{
	switch (tag) {
	case DT_SYMTAB:
		return &d->symtab;
	case DT_STRTAB:
		return &d->strtab;
	case DT_STRSZ:
		return &d->strsz;
	case DT_HASH:
		return &d->hash;
	case DT_GNU_HASH:
		return &d->gnu_hash;
	case DT_RELA:
		return &d->rela;
	case DT_RELASZ:
		return &d->relasz;
	case DT_JMPREL:
		return &d->jmprel;
	case DT_PLTRELSZ:
		return &d->pltrelsz;
	}
	return NULL;
}

int elf_dynamic_read(struct elf_dynamic *out, struct elf_obj *obj)
{
	const struct elf_segment *seg = elf_obj_dynamic(obj);
	struct elf_dynamic d = {0};

	if (!seg || elf_obj_is_32(obj))
		return -ENODATA;
	for (uint64_t i = 0; i < ENTRIES_MAX && (i + 1) * sizeof(Elf64_Dyn) <= seg->file_len; i++) {
		Elf64_Dyn dyn;
		uint64_t *field;
		long n = elf_obj_pread(obj, &dyn, sizeof(dyn), seg->file_off + i * sizeof(dyn));

		if (n < 0)
			return (int)n;
		if (n != sizeof(dyn) || dyn.d_tag == DT_NULL)
			break;
		field = field_of(&d, dyn.d_tag);
		if (field)
			*field = dyn.d_un.d_val;
	}
	*out = d;
	return 0;
}

/* Reads n 32-bit words at an address. */
static bool read_words(struct elf_obj *obj, uint64_t va, uint32_t *out, size_t n)
{
	uint64_t off, left;

	return !elf_va_to_off(obj, va, &off, &left) && left / 4 >= n &&
	       elf_obj_pread(obj, out, n * 4, off) == (long)(n * 4);
}

/*
 * Layout of the table: number of buckets, index of the first hashed symbol, number of 8-byte Bloom
 * words, a shift; then the Bloom words, the buckets and the chains. Hashed symbols come last, in
 * the order of their buckets. So the bucket with the highest index has the last chain. A chain ends
 * with a value whose lowest bit is set.
 */
static uint32_t count_gnu(struct elf_obj *obj, uint64_t va)
{
	uint32_t head[4], last = 0, hash;
	_cleanup_free_ uint32_t *buckets = NULL;
	uint64_t at, chains;

	if (!read_words(obj, va, head, 4) || !head[0] || head[0] > BUCKETS_MAX)
		return 0;
	at = va + 16 + 8ull * head[2];
	buckets = malloc(4ull * head[0]);
	if (!buckets || !read_words(obj, at, buckets, head[0]))
		return 0;
	for (uint32_t i = 0; i < head[0]; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < head[1]) /* no exported symbols; imported ones cannot be counted */
		return head[1];
	chains = at + 4ull * head[0];
	for (uint32_t i = 0; i < CHAIN_MAX && last < UINT32_MAX; i++, last++) {
		if (!read_words(obj, chains + 4ull * (last - head[1]), &hash, 1))
			return 0;
		if (hash & 1)
			return last + 1;
	}
	return 0;
}

uint32_t elf_dynamic_symbols(const struct elf_dynamic *d, struct elf_obj *obj)
{
	/* Of DT_HASH: number of buckets; number of chain entries, one for each symbol. */
	uint32_t head[2];

	if (d->hash && read_words(obj, d->hash, head, 2) && head[1])
		return head[1];
	return d->gnu_hash ? count_gnu(obj, d->gnu_hash) : 0;
}
