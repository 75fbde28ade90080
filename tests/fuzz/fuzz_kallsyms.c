// SPDX-License-Identifier: GPL-2.0-or-later
/* Arbitrary text as /proc/kallsyms. */
#include <stdlib.h>

#include "profiler/base/text.h"
#include "symbolizer/symbols/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kallsyms *k;
	const char *name, *module;
	uint64_t start;

	if (kallsyms_parse(&k, (const char *)data, size))
		return 0;
	for (uint64_t i = 0; i < 0x400; i++) {
		uint64_t addr = 0xffffffff81000000 + i * 0x40;

		if (kallsyms_find(k, addr, &name, &module, &start))
			continue;
		if (start > addr || !text_is_clean(name, __builtin_strlen(name)) ||
		    !text_is_clean(module, __builtin_strlen(module)))
			abort();
	}
	kallsyms_find(k, UINT64_MAX, &name, &module, &start);
	kallsyms_free(k);
	return 0;
}
