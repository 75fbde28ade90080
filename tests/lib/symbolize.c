// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbolize FILE [ALT [DWP]] < ADDRESSES: prints what symbolizer/dwarf/dwarf.h makes of hexadecimal
 * addresses, in the form of `llvm-symbolizer --output-style=LLVM` with an address before each
 * answer. ALT and DWP may be "-". SYMBOLIZE_CACHE_BYTES, SYMBOLIZE_WHOLE_BYTES and
 * SYMBOLIZE_QUIET=1 (figures only, on stderr) are for measurements.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"

struct answers {
	const uint64_t *va;
	bool quiet;
	size_t frames, reasons[4], bytes_peak;
	struct dwarf *d;
};

static struct elf_obj *open_elf(const char *path)
{
	struct elf_obj *obj = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return NULL;
	err = elf_obj_open(&obj, fd, NULL);
	if (err)
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
	return err ? NULL : obj;
}

static struct elf_obj *open_dwo(void *ctx, const char *name, const char *comp_dir, uint64_t dwo_id)
{
	char path[4096];

	(void)ctx;
	(void)dwo_id;
	if (*name == '/' || !comp_dir)
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%s/%s", comp_dir, name);
	return open_elf(path);
}

static void print_answer(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
			 enum dwarf_reason reason)
{
	struct answers *a = ctx;

	a->frames += n;
	a->reasons[reason]++;
	if (dwarf_bytes(a->d) > a->bytes_peak)
		a->bytes_peak = dwarf_bytes(a->d);
	if (a->quiet)
		return;
	printf("0x%" PRIx64 "\n", a->va[index]);
	for (size_t i = 0; i < n; i++)
		printf("%s\n%s:%u\n", frames[i].linkage_name ?: "??", frames[i].file ?: "??",
		       frames[i].line);
	if (!n)
		printf("??\n??:0\n");
	printf("\n");
}

int main(int argc, char **argv)
{
	const char *cache = getenv("SYMBOLIZE_CACHE_BYTES"),
		   *whole = getenv("SYMBOLIZE_WHOLE_BYTES");
	struct dwarf_opts opts = {
		.cache_bytes = cache ? strtoull(cache, NULL, 0) : 0,
		.whole_bytes = whole ? strtoull(whole, NULL, 0) : 0,
		.open_dwo = open_dwo,
	};
	struct elf_obj *obj[3] = {0};
	struct answers a = {.quiet = getenv("SYMBOLIZE_QUIET")};
	VEC(uint64_t) va = {0};
	uint64_t x;
	int err;

	for (int i = 1; i < argc && i <= 3; i++)
		obj[i - 1] = strcmp(argv[i], "-") ? open_elf(argv[i]) : NULL;
	while (scanf("%" SCNx64, &x) == 1)
		if (vec_push(&va, x))
			return 1;
	a.va = va.data;
	err = obj[0] ? dwarf_new(&a.d, obj[0], obj[1], obj[2], &opts) : -1;
	if (!err)
		err = dwarf_resolve(a.d, va.data, va.len, print_answer, &a);
	if (err)
		fprintf(stderr, "error %d\n", err);
	if (a.quiet)
		fprintf(stderr,
			"%zu addresses, %zu frames, reasons %zu/%zu/%zu/%zu, %zu bytes at peak\n",
			va.len, a.frames, a.reasons[0], a.reasons[1], a.reasons[2], a.reasons[3],
			a.bytes_peak);
	dwarf_free(a.d);
	for (int i = 0; i < 3; i++)
		elf_obj_free(obj[i]);
	vec_release(&va);
	return err != 0;
}
