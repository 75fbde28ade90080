// SPDX-License-Identifier: GPL-2.0-or-later
/* Arbitrary names: readable ones come out bounded and clean; the fast way says what libiberty says. */
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "symbolizer/symbols/demangle_cpp.h"
#include "symbolizer/symbols/demangle.h"

/* 8 KiB of demangled text, of which cleaning may make three bytes each; or the name itself. */
#define OUTPUT_MAX(len) (3 * (8192 + (len)) + 16)

#define OPTIONS (DMGL_PARAMS | DMGL_ANSI | DMGL_NO_RECURSE_LIMIT)

static void take(const char *data, size_t len, void *ctx)
{
	buf_add(ctx, data, len);
}

static void compare(const char *name)
{
	struct buf want = {0};
	char fast[8192];
	size_t len;

	if (name[0] != '_' || name[1] != 'Z' || strlen(name) > 2048)
		return;
	len = demangle_cpp(name, fast, sizeof(fast));
	if (!len)
		return;
	if (!cplus_demangle_v3_callback(name, OPTIONS, take, &want) || want.len != len ||
	    memcmp(want.data, fast, len) != 0)
		abort();
	buf_release(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = strndup((const char *)data, size);
	struct buf out = {0};

	if (!name)
		return 0;
	compare(name);
	sym_demangle(&out, name);
	if (out.err || out.len > OUTPUT_MAX(strlen(name)) ||
	    !text_is_clean(out.data ?: "", out.len))
		abort();
	buf_release(&out);
	free(name);
	return 0;
}
