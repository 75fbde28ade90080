// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/table_read.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/jit/jitdump.h"
#include "symbolizer/unwind/unwind_jit.h"
#include "symbolizer/unwind/unwind_source.h"
#include "symbolizer/unwind/unwind_table.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)
DEFINE_CLEANUP(jitdump, jitdump_free)

static bool has_section(const struct elf_obj *obj, const char *name)
{
	const struct elf_section *s = elf_obj_section(obj, name);

	return s && s->type != SHT_NOBITS;
}

static void take_facts(struct elf_facts *f, const struct elf_obj *obj)
{
	size_t n;
	const struct elf_segment *s = elf_obj_segments(obj, &n);

	f->build_id = *elf_obj_build_id(obj);
	f->has_debug_info = has_section(obj, ".debug_info");
	f->has_symbols = has_section(obj, ".symtab");
	for (size_t i = 0; i < n && f->n_segs < ELF_FACTS_SEGMENTS_MAX; i++)
		if (s[i].exec)
			f->segs[f->n_segs++] = s[i];
}

static int open_debug(void *ctx, struct elf_obj **out, struct elf_obj *obj)
{
	_cleanup_(elf_obj_freep) struct elf_obj *debug = NULL;
	int err = debug_file_open(&debug, obj, ctx);

	if (err)
		return err;
	if (debug_file_bias(obj, debug)) /* prelinked: its addresses are others */
		return -ENOENT;
	*out = steal_ptr(debug);
	return 0;
}

static int describes_frames(struct elf_obj *obj, const struct unwind_debug *debug)
{
	struct unwind_source src = {0};
	int err = unwind_source_open(&src, obj, debug);

	if (!err && src.is_partial)
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

void table_read(enum query_kind kind, int fd, const struct debug_search *search,
		struct elf_facts *facts, void **blob, size_t *len)
{
	static const char *const dirs[] = {"/usr/lib/debug", NULL};
	struct debug_search where = search ? *search : (struct debug_search){.root_fd = -1};
	const struct unwind_debug debug = {open_debug, &where};
	_cleanup_(elf_obj_freep) struct elf_obj *obj = NULL;
	int own;

	where.dirs = where.dirs ?: dirs;
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
		facts->err = unwind_table_build_with(blob, len, obj, &debug, NULL);
	else if (kind == QUERY_FRAMES)
		facts->err = describes_frames(obj, &debug);
}
