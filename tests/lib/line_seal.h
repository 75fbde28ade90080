/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged line tables with all checksums right: what a hostile writer would leave. */
#ifndef KILN_TESTS_LINE_SEAL_H
#define KILN_TESTS_LINE_SEAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "symbolizer/lines/line_format.h"

/* Only where the sections can still be found. */
static inline void line_seal(uint8_t *data, size_t len)
{
	struct line_header h;
	uint64_t sums, chunk = 0;

	if (len < LINE_CHUNK)
		return;
	memcpy(&h, data, sizeof(h));
	sums = h.section[LINE_SUMS].off;
	if (sums >= LINE_CHUNK && sums <= len) {
		for (uint64_t off = LINE_CHUNK; off < sums; off += LINE_CHUNK, chunk++) {
			uint64_t left = sums - off;
			uint32_t sum =
				hash_check(data + off, left < LINE_CHUNK ? left : LINE_CHUNK);

			if (sums + 4 * chunk + 4 <= len)
				memcpy(data + sums + 4 * chunk, &sum, sizeof(sum));
		}
		h.sums_sum = hash_check(data + sums, len - sums);
	}
	h.file_len = len;
	h.sum = hash_check(&h, offsetof(struct line_header, sum));
	memcpy(data, &h, sizeof(h));
}

#endif
