/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GNU build id of a file (NT_GNU_BUILD_ID), which the linker derives from the contents. */
#ifndef KILN_BASE_BUILD_ID_H
#define KILN_BASE_BUILD_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BUILD_ID_MAX 32

struct build_id {
	uint8_t data[BUILD_ID_MAX];
	uint8_t len; /* 0: none */
};

/* Two empty ids are equal, too. Check `len` where that matters. */
static inline bool build_id_equal(const struct build_id *a, const struct build_id *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

#endif
