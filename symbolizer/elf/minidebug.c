// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/elf/minidebug.h"

#include <lzma.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"

/* Fedora's largest (100,000 symbols) have less than 8 MiB. */
#define MINIDEBUG_BYTES_MAX (64u << 20)
/* xz -9 needs 65 MiB to decode. The tools that make this section use -6: 9 MiB. */
#define XZ_MEMORY_MAX (80u << 20)

static void end_lzma(lzma_stream *z)
{
	lzma_end(z);
}

static int error_of(lzma_ret ret)
{
	switch (ret) {
	case LZMA_STREAM_END:
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	default:
		return -EBADMSG;
	}
}

static int inflate_xz(const uint8_t *data, size_t len, uint8_t **out, size_t *out_len)
{
	_cleanup_(end_lzma) lzma_stream z = LZMA_STREAM_INIT;
	_cleanup_free_ uint8_t *buf = NULL;
	lzma_ret ret = LZMA_OK;
	size_t cap = 0;

	if (lzma_stream_decoder(&z, XZ_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	z.next_in = data;
	z.avail_in = len;
	while (ret == LZMA_OK) {
		if (!z.avail_out) {
			int err = cap >= MINIDEBUG_BYTES_MAX
					  ? -EFBIG
					  : vec_reserve_raw((void **)&buf, &cap, 1,
							    cap ? cap * 2 : 64u << 10);
			if (err)
				return err;
			z.next_out = buf + z.total_out;
			z.avail_out = cap - z.total_out;
		}
		ret = lzma_code(&z, LZMA_FINISH);
	}
	if (error_of(ret))
		return error_of(ret);
	*out_len = z.total_out;
	*out = steal_ptr(buf);
	return 0;
}

int minidebug_open(struct elf_obj **out, uint8_t **bytes, struct elf_obj *main)
{
	const struct elf_section *sec = elf_obj_section(main, ".gnu_debugdata");
	_cleanup_free_ uint8_t *inflated = NULL;
	const uint8_t *data;
	size_t len, inflated_len;
	int err;

	if (!sec)
		return -ENODATA;
	err = elf_obj_data(main, sec, &data, &len);
	if (err)
		return err;
	err = inflate_xz(data, len, &inflated, &inflated_len);
	elf_obj_drop(main, sec);
	if (err)
		return err;
	err = elf_obj_open_bytes(out, inflated, inflated_len, NULL);
	if (err)
		return err == -ENOEXEC ? -EBADMSG : err;
	*bytes = steal_ptr(inflated);
	return 0;
}
