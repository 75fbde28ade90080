// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolve FILE [DEBUG_DIR...] < ADDRESSES: prints what symbolizer/symbolizer.h makes of hexadecimal
 * ELF addresses, names as the file has them, in the form of `llvm-symbolizer --output-style=LLVM`
 * with an address before each answer; what has no name is "??". The rest of the address's line is
 * the reason. RESOLVE_PRETTY=1 prints the names as they are shown; RESOLVE_SANDBOX=1 has the file
 * read in a process without privileges.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/vec.h"
#include "symbolizer/symbolizer.h"

static bool pretty;

static void print_answer(void *ctx, size_t index, const struct sym_result *r)
{
	const uint64_t *va = ctx;

	printf("0x%" PRIx64 " %s\n", va[index], sym_reason_text(r->reason));
	for (size_t i = 0; i < r->n_frames; i++) {
		const struct sym_frame *f = &r->frames[i];
		bool named = r->reason == SYM_OK || i + 1 < r->n_frames;

		printf("%s\n%s:%u\n",
		       !named	? "??"
		       : pretty ? f->name
				: f->raw_name,
		       f->file ?: "??", f->line);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	const char *dirs[16] = {0};
	struct symbolizer_opts opts = {.debug_dirs = dirs, .cache_bytes = 512u << 20};
	struct sym_file file = {.fd = -1, .root_fd = -1, .path = argv[1]};
	struct symbolizer *s;
	VEC(uint64_t) va = {0};
	uint64_t x;
	int err;

	pretty = getenv("RESOLVE_PRETTY");
	opts.sandbox = getenv("RESOLVE_SANDBOX");
	for (int i = 2; i < argc && i < 16; i++)
		dirs[i - 2] = argv[i];
	file.fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	while (scanf("%" SCNx64, &x) == 1)
		if (vec_push(&va, x))
			return 1;
	err = file.fd < 0 || symbolizer_new(&s, &opts);
	if (!err) {
		err = symbolizer_resolve_va(s, &file, va.data, va.len, print_answer, va.data);
		symbolizer_free(s);
	}
	vec_release(&va);
	return err != 0;
}
