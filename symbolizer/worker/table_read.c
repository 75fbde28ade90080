// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/table_read.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/jit/jitdump.h"
#include "symbolizer/unwind/unwind_jit.h"
#include "symbolizer/unwind/unwind_source.h"
#include "symbolizer/unwind/unwind_table.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)
DEFINE_CLEANUP(jitdump, jitdump_free)

static bool has_debug_info(const struct elf_obj *obj)
{
	const struct elf_section *s = elf_obj_section(obj, ".debug_info");

	return s && s->type != SHT_NOBITS;
}

static void take_facts(struct elf_facts *f, const struct elf_obj *obj)
{
	size_t n;
	const struct elf_segment *s = elf_obj_segments(obj, &n);

	f->build_id = *elf_obj_build_id(obj);
	f->has_debug_info = has_debug_info(obj);
	for (size_t i = 0; i < n && f->n_segs < ELF_FACTS_SEGMENTS_MAX; i++)
		if (s[i].exec)
			f->segs[f->n_segs++] = s[i];
}

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

/* What a JIT compiler writes has neither a build id nor segments. */
static int read_jitdump(enum query_kind kind, int fd, void **blob, size_t *len)
{
	_cleanup_(jitdump_freep) struct jitdump *dump = NULL;
	int err = kind == QUERY_TABLE ? jitdump_open(&dump, fd) : 0;

	return err || !dump ? err : unwind_jit_build(blob, len, dump);
}

void table_read(enum query_kind kind, int fd, struct elf_facts *facts, void **blob, size_t *len)
{
	_cleanup_(elf_obj_freep) struct elf_obj *obj = NULL;
	int own;

	*facts = (struct elf_facts){0};
	if (jitdump_is(fd)) {
		facts->err = read_jitdump(kind, fd, blob, len);
		return;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	facts->err = own < 0 ? -errno : elf_obj_open(&obj, own, NULL);
	if (facts->err)
		return;
	take_facts(facts, obj);
	if (kind == QUERY_TABLE)
		facts->err = unwind_table_build(blob, len, obj, NULL);
	else if (kind == QUERY_FRAMES)
		facts->err = describes_frames(obj);
}
