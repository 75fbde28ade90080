// SPDX-License-Identifier: GPL-2.0-or-later
/* Arbitrary text as a perf map. */
#include <stdlib.h>

#include "profiler/base/text.h"
#include "symbolizer/jit/perfmap.h"

#define ASKED 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct perfmap_ask asks[2 * ASKED];
	struct perfmap *m;
	size_t n = 0;

	if (perfmap_parse(&m, (const char *)data, size))
		return 0;
	for (uint64_t i = 0; i < ASKED; i++) {
		asks[n++] = (struct perfmap_ask){.va = i * 0x80};
		asks[n++] = (struct perfmap_ask){.va = i * 0x80, .bytes = i * size / ASKED};
	}
	asks[0].va = UINT64_MAX;
	if (perfmap_find(m, asks, n))
		abort();
	for (size_t i = 0; i < n; i++) {
		const char *name;

		if (asks[i].entry == PERFMAP_NONE)
			continue;
		name = perfmap_name(m, asks[i].entry);
		if (!name || !text_is_clean(name, __builtin_strlen(name)))
			abort();
	}
	perfmap_free(m);
	return 0;
}
