// SPDX-License-Identifier: GPL-2.0-or-later
/* Arbitrary bytes as an ELF file, for the reader that privileged processes have. It asks for no more than its caps, and
 * says what elf_obj.h says of the same bytes. */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/head/elf_head.h"

/* Two tables of 65,535 entries in pieces of 64, notes of both, and the header twice. */
#define READS_MAX (2 * 1024 + 2 * 16 + 3)
#define BYTES_MAX (64u << 10)

struct input {
	const uint8_t *data;
	size_t size, reads;
};

static long read_input(void *ctx, void *buf, size_t len, uint64_t off)
{
	struct input *in = ctx;

	assert(len && len <= BYTES_MAX && ++in->reads <= READS_MAX);
	if (off >= in->size)
		return 0;
	if (len > in->size - off)
		len = in->size - (size_t)off;
	memcpy(buf, in->data + off, len);
	return (long)len;
}

/* More sections than a header counts are an object file's, in which nobody looks for a build id. */
static bool counts_sections(const uint8_t *data)
{
	const Elf64_Ehdr *wide = (const void *)data;
	const Elf32_Ehdr *narrow = (const void *)data;

	return data[EI_CLASS] == ELFCLASS32 ? narrow->e_shnum : wide->e_shnum;
}

static void compare(const struct elf_head *head, const struct elf_obj *obj, const uint8_t *data)
{
	bool has_symtab = false;

	assert(head->type == elf_obj_type(obj));
	assert(build_id_equal(&head->build_id, elf_obj_build_id(obj)));
	for (size_t i = 0; i < elf_obj_section_count(obj); i++) {
		const struct elf_section *s = elf_obj_section_by_index(obj, i);

		has_symtab |= s->type == SHT_SYMTAB && s->size;
	}
	assert(!has_symtab || head->has_symtab || !counts_sections(data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .size = size};
	struct elf_head head;
	struct elf_obj *obj;
	int err = elf_head_read(&head, read_input, &in);
	bool looks_like_elf = size >= 18 && !memcmp(data, ELFMAG, SELFMAG);

	assert(err == (looks_like_elf ? 0 : -ENOEXEC));
	if (!err)
		assert(head.build_id.len <= BUILD_ID_MAX);
	if (!elf_obj_open_bytes(&obj, data, size, NULL)) {
		assert(!err);
		compare(&head, obj, data);
		elf_obj_free(obj);
	}
	return 0;
}
