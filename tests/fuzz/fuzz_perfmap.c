// SPDX-License-Identifier: GPL-2.0-or-later
/* Arbitrary text as a perf map. */
#include <stdlib.h>

#include "profiler/base/text.h"
#include "symbolizer/jit/perfmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct perfmap *m;
	const char *name;

	if (perfmap_parse(&m, (const char *)data, size))
		return 0;
	for (uint64_t va = 0; va < 0x3000; va += 0x80)
		if (!perfmap_find(m, va, &name) && !text_is_clean(name, __builtin_strlen(name)))
			abort();
	perfmap_find(m, UINT64_MAX, &name);
	perfmap_free(m);
	return 0;
}
