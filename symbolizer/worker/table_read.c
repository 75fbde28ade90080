// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/table_read.h"

#include <errno.h>
#include <fcntl.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/unwind/unwind_source.h"
#include "symbolizer/unwind/unwind_table.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)

/* True if half of the code has CFI. What the C runtime adds to a program always has some. */
static bool covers_code(const struct unwind_source *src, const struct elf_obj *obj)
{
	const struct elf_section *text = elf_obj_section(obj, ".text");
	uint64_t described = 0;

	for (size_t i = 0; i < src->cfi.fdes.len; i++)
		described += src->cfi.fdes.data[i].end - src->cfi.fdes.data[i].start;
	return src->go || !text || described >= text->size / 2;
}

static int describes_frames(struct elf_obj *obj)
{
	struct unwind_source src = {0};
	int err = unwind_source_open(&src, obj);

	if (!err && !covers_code(&src, obj))
		err = -ENODATA;
	unwind_source_release(&src);
	return err;
}

void table_read(enum query_kind kind, int fd, struct elf_facts *facts, void **blob, size_t *len)
{
	_cleanup_(elf_obj_freep) struct elf_obj *obj = NULL;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	*facts = (struct elf_facts){0};
	facts->err = own < 0 ? -errno : elf_obj_open(&obj, own, NULL);
	if (facts->err)
		return;
	elf_facts_of(facts, obj);
	if (kind == QUERY_TABLE)
		facts->err = unwind_table_build(blob, len, obj, NULL);
	else if (kind == QUERY_FRAMES)
		facts->err = describes_frames(obj);
}
