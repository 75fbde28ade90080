// SPDX-License-Identifier: GPL-2.0-or-later
/* An ELF file's Go function table. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/go/gopclntab.h"

#define ADDRESSES 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t look_up(struct gopclntab *t, uint64_t va)
{
	const struct dwarf_frame *f;
	int n = gopclntab_find(t, va, &f);
	size_t chars = 0;

	assert(n >= 0 && n <= 128);
	for (int i = 0; i < n; i++)
		chars += strlen(f[i].name ?: "") + strlen(f[i].file ?: "");
	return chars;
}

static int in_order(void *ctx, uint64_t va, struct unwind_rule rule)
{
	uint64_t *last = ctx;

	assert(va >= *last && rule.cfa < UNWIND_CFA_COUNT);
	*last = va;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct elf_limits limits = {8u << 20, 16u << 20};
	struct gopclntab *t = NULL;
	struct elf_obj *obj;
	uint64_t next = 0, last = 0;
	size_t n, chars = 0;

	if (elf_obj_open_bytes(&obj, data, len, &limits))
		return 0;
	if (!gopclntab_open(&t, obj)) {
		const struct elf_segment *segs = elf_obj_segments(obj, &n);

		for (size_t i = 0; i < n && i < 4; i++)
			for (uint64_t k = 0; k < ADDRESSES; k++)
				chars += look_up(t, segs[i].va + k);
		if (gopclntab_has_depths(t))
			gopclntab_rules(t, &next, UINT64_MAX, in_order, &last);
		if (chars && !gopclntab_functions(t))
			abort();
	}
	gopclntab_free(t);
	elf_obj_free(obj);
	return 0;
}
