// SPDX-License-Identifier: GPL-2.0-or-later
/* Arbitrary names: readable ones come out bounded and clean. */
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "symbolizer/symbols/demangle.h"

/* 8 KiB of demangled text, of which cleaning may make three bytes each; or the name itself. */
#define OUTPUT_MAX(len) (3 * (8192 + (len)) + 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = strndup((const char *)data, size);
	struct buf out = {0};

	if (!name)
		return 0;
	sym_demangle(&out, name);
	if (out.err || out.len > OUTPUT_MAX(strlen(name)) ||
	    !text_is_clean(out.data ?: "", out.len))
		abort();
	buf_release(&out);
	free(name);
	return 0;
}
