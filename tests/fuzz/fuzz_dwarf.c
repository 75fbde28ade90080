// SPDX-License-Identifier: GPL-2.0-or-later
/* An ELF file's DWARF: the same bytes serve as the file, its supplement, its package and its split
 * files, so that every way from one to another is open. */
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"

#define ADDRESSES 256

struct input {
	const uint8_t *data;
	size_t len;
	unsigned split_files;
};

static const struct elf_limits limits = {8u << 20, 32u << 20};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct elf_obj *open_again(const struct input *in)
{
	struct elf_obj *obj;

	return elf_obj_open_bytes(&obj, in->data, in->len, &limits) ? NULL : obj;
}

static struct elf_obj *open_dwo(void *ctx, const char *name, const char *comp_dir, uint64_t dwo_id)
{
	struct input *in = ctx;

	(void)dwo_id;
	if (!*name && !comp_dir)
		return NULL;
	return in->split_files++ < 4 ? open_again(in) : NULL;
}

static void count(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
		  enum dwarf_reason reason)
{
	size_t *chars = ctx;

	if (index >= ADDRESSES || n > 256 || (reason == DWARF_NO_UNIT && n))
		abort();
	for (size_t i = 0; i < n; i++)
		*chars += strlen(frames[i].name ?: "") + strlen(frames[i].linkage_name ?: "") +
			  strlen(frames[i].file ?: "");
}

/* Addresses spread over the executable sections; those of relocatable files are near 0. */
static void spread(const struct elf_obj *obj, uint64_t va[ADDRESSES])
{
	const struct elf_section *text = elf_obj_section(obj, ".text");
	uint64_t low = text ? text->va : 0, size = text && text->size ? text->size : 1024;

	for (size_t i = 0; i < ADDRESSES; i++)
		va[i] = low + size * i / (ADDRESSES - 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len, 0};
	/* The last byte says how the sections are read, and how little is cached. */
	uint8_t how = len ? data[len - 1] : 0;
	struct dwarf_opts opts = {.open_dwo = open_dwo,
				  .ctx = &in,
				  .whole_bytes = how & 1,
				  .cache_bytes = how & 2 ? 1 : 0};
	struct elf_obj *obj = open_again(&in), *alt = obj ? open_again(&in) : NULL;
	struct elf_obj *dwp = alt && how & 4 ? open_again(&in) : NULL;
	uint64_t va[ADDRESSES];
	struct dwarf *d = NULL;
	size_t chars = 0;

	if (alt && !dwarf_new(&d, obj, alt, dwp, &opts)) {
		spread(obj, va);
		dwarf_resolve(d, va, ADDRESSES, count, &chars);
		dwarf_resolve(d, va, 16, count, &chars);
	}
	dwarf_free(d);
	elf_obj_free(dwp);
	elf_obj_free(alt);
	elf_obj_free(obj);
	return 0;
}
