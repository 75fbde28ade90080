// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile frame descriptions and tables. The first byte chooses: a bare .eh_frame or .debug_frame
 * section, a whole ELF file, or a table as from an on-disk cache. Whatever compiles must pass the
 * check, and whatever passes the check can be looked up anywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "symbolizer/unwind/cfi.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/unwind_encode.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"

#define BEGIN 0x1000ull
#define END   0x9000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void look_up_everywhere(const void *blob)
{
	const struct unwind_head *head = blob;
	uint64_t len = (uint64_t)head->n_buckets * UNWIND_BUCKET, step = len / 512 + 1;

	for (uint64_t off = 0; off <= len; off += step)
		unwind_table_rule(blob, head->text_va + off);
	unwind_table_rule(blob, head->text_va - 1);
	unwind_table_rule(blob, UINT64_MAX);
}

struct rows {
	struct unwind_encoder *encoder;
	uint64_t last;
};

static int add_row(void *ctx, uint64_t va, struct unwind_rule rule)
{
	struct rows *r = ctx;

	if (va < r->last)
		abort();
	r->last = va;
	return unwind_encoder_row(r->encoder, va, rule);
}

static void fuzz_section(const uint8_t *data, size_t len, bool debug_frame, bool is_i386)
{
	const struct cfi_section sec = {.data = data,
					.len = len,
					.va = BEGIN,
					.debug_frame = debug_frame,
					.is_32 = is_i386,
					.is_i386 = is_i386};
	struct unwind_stats stats = {0};
	struct rows r = {0};
	size_t blob_len;
	struct cfi cfi;
	void *blob;

	if (cfi_open(&cfi, &sec))
		return;
	if (unwind_encoder_new(&r.encoder, BEGIN, END))
		abort();
	if (is_i386)
		unwind_encoder_set_i386(r.encoder);
	for (size_t i = 0; i < cfi.fdes.len; i++) {
		if (i && cfi.fdes.data[i].start < cfi.fdes.data[i - 1].end)
			abort();
		cfi_run(&cfi, i, add_row, &r);
		add_row(&r, cfi.fdes.data[i].end, (struct unwind_rule){0});
	}
	if (unwind_encoder_finish(r.encoder, &blob, &blob_len, &stats) ||
	    unwind_blob_check(blob, blob_len))
		abort();
	look_up_everywhere(blob);
	free(blob);
	unwind_encoder_free(r.encoder);
	cfi_release(&cfi);
}

static void fuzz_file(const uint8_t *data, size_t len)
{
	struct elf_obj *obj;
	size_t blob_len;
	void *blob;

	if (elf_obj_open_bytes(&obj, data, len, NULL))
		return;
	if (!unwind_table_build(&blob, &blob_len, obj, NULL)) {
		if (unwind_blob_check(blob, blob_len))
			abort();
		look_up_everywhere(blob);
		free(blob);
	}
	elf_obj_free(obj);
}

static void fuzz_table(const uint8_t *data, size_t len)
{
	size_t size = (len + UNWIND_PAGE - 1) / UNWIND_PAGE * UNWIND_PAGE;
	struct unwind_head *head;

	if (len < sizeof(*head))
		return;
	head = calloc(1, size);
	if (!head)
		return;
	memcpy(head, data, len);
	head->magic = UNWIND_MAGIC;
	head->version = UNWIND_VERSION;
	head->machine = 62;
	head->size = (uint32_t)size;
	head->check = unwind_blob_hash(head, size);
	if (!unwind_blob_check(head, size))
		look_up_everywhere(head);
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	if (memchr("edED", data[0], 4)) /* capitals: of i386 */
		fuzz_section(data + 1, len - 1, (data[0] | 32) == 'd', data[0] < 'a');
	else if (data[0] == 0x7f)
		fuzz_file(data, len);
	else
		fuzz_table(data + 1, len - 1);
	return 0;
}
