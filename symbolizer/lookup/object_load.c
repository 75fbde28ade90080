// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads the parts of an object when they are first needed, and builds its line table. */
#include <elf.h>
#include <errno.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/lines/line_cache.h"
#include "symbolizer/lookup/object_priv.h"
#include "symbolizer/symbols/symtab.h"

/* Names of one file, before all are forgotten. */
#define NAMES_BYTES_MAX (16u << 20)

static int note_problem(struct object *o, int err)
{
	if (err == -ENOMEM)
		return err;
	if (err == -EFBIG)
		o->limit_hits++;
	if (err && err != -ENODATA && err != -ENOENT)
		o->problem = err == -EFBIG ? -EFBIG : -EBADMSG;
	return 0;
}

static int ask_store(struct object *o, enum line_wish wish)
{
	const struct line_store *store = o->search->lines;

	if (!store || !elf_obj_build_id(o->main)->len)
		return -ENOENT;
	return store->ask(store->ctx, wish, elf_obj_build_id(o->main));
}

static int load_table(struct object *o)
{
	_cleanup_close_ int fd = -1;
	int err;

	if (o->table_asked || o->names_only || o->dwarf || elf_obj_type(o->main) == ET_REL)
		return 0;
	o->table_asked = true;
	fd = ask_store(o, LINE_GET);
	if (fd < 0)
		return 0;
	err = line_table_open(&o->table, fd, elf_obj_build_id(o->main));
	o->table_refused = err == -ENODATA;
	if (err == -EBADMSG || err == -EPROTO)
		ask_store(o, LINE_DROP);
	return err == -ENOMEM ? err : 0;
}

/* DWARF answers what the table cannot. */
void object_drop_table(struct object *o)
{
	ask_store(o, LINE_DROP);
	/* Names have their place in the table as a key. */
	names_free(o->names);
	o->names = NULL;
	line_table_free(o->table);
	o->table = NULL;
	o->debug_loaded = o->debug != NULL;
}

/* True if another debug file of this build id has replaced the one that the table was made of.
 * If that file is gone, the table is still good. */
static bool table_is_stale(const struct object *o)
{
	const struct line_source *source = line_table_source(o->table);
	const struct elf_obj *from = o->debug;

	if (!source->separate)
		from = elf_obj_section(o->main, ".debug_info") ? o->main : NULL;
	if (!from)
		return false;
	return elf_obj_file_size(from) != source->size ||
	       (source->separate && debug_file_bias(o->main, o->debug) != source->bias);
}

static int load_debug_file(struct object *o)
{
	bool has_lines = elf_obj_section(o->main, ".debug_info");
	int err = -ENOENT;

	if (o->debug_loaded)
		return 0;
	if (!symtab_present(o->main) || (!o->names_only && !has_lines && !o->table))
		err = debug_file_open(&o->debug, o->main, o->search);
	if (!err && elf_obj_type(o->main) == ET_REL)
		err = section_map_new(&o->in_debug, o->main, o->debug);
	if (err == -ENOMEM)
		return err;
	o->debug_loaded = true;
	if (!o->table || !table_is_stale(o))
		return 0;
	object_drop_table(o);
	return load_debug_file(o);
}

static int load_symbols(struct object *o)
{
	int err, problem = 0;

	if (o->symbols_loaded)
		return 0;
	if (!o->fdes) {
		err = note_problem(o, eh_ranges_load(&o->fdes, o->main));
		if (err)
			return err;
	}
	if (!o->go) {
		err = note_problem(o, gopclntab_open(&o->go, o->main));
		if (err)
			return err;
	}
	/* An object file has its own symbols, and its debug file has other addresses. */
	err = symtab_load(&o->symtab, o->main, o->in_debug ? NULL : o->debug, o->fdes, &problem);
	if (err)
		return err;
	o->symtab_whole = symtab_present(o->main) || (o->debug && symtab_present(o->debug));
	note_problem(o, problem);
	o->symbols_loaded = true;
	return 0;
}

static struct elf_obj *open_dwo(void *ctx, const char *name, const char *comp_dir, uint64_t dwo_id)
{
	struct object *o = ctx;
	struct elf_obj *dwo = NULL;

	(void)dwo_id; /* the DWARF reader compares it */
	return debug_dwo_open(&dwo, o->search, name, comp_dir) ? NULL : dwo;
}

static int load_lines(struct object *o)
{
	struct elf_obj *debug = elf_obj_section(o->main, ".debug_info") ? o->main : o->debug;
	struct dwarf_opts opts = {.open_dwo = open_dwo,
				  .ctx = o,
				  .cache_bytes = o->dwarf_bytes,
				  .discriminators = o->discriminators};
	int err;

	if (o->lines_loaded || o->names_only || o->table || !debug)
		return 0;
	if (debug_altfile_open(&o->alt, debug, o->search) == -ENOMEM ||
	    debug_dwp_open(&o->dwp, o->search) == -ENOMEM)
		return -ENOMEM;
	err = note_problem(o, dwarf_new(&o->dwarf, debug, o->alt, o->dwp, &opts));
	if (err)
		return err;
	o->lines_loaded = true;
	if (o->dwarf && !o->table_refused && !o->seen_reported) {
		o->seen_reported = true;
		ask_store(o, LINE_SEEN);
	}
	return 0;
}

static int load_names(struct object *o)
{
	if (o->names && names_bytes(o->names) > NAMES_BYTES_MAX) {
		names_free(o->names);
		o->names = NULL;
	}
	if (!o->names)
		o->names = names_new();
	return o->names ? 0 : -ENOMEM;
}

uint64_t object_lines_bias(const struct object *o)
{
	if (o->table)
		return line_table_source(o->table)->bias;
	return elf_obj_section(o->main, ".debug_info") ? 0 : debug_file_bias(o->main, o->debug);
}

int object_load_debug(struct object *o)
{
	return load_table(o) ?: load_debug_file(o);
}

int object_load(struct object *o)
{
	return object_load_debug(o) ?: load_symbols(o) ?: load_lines(o) ?: load_names(o);
}

/* Less than the limit for one query to a worker (worker_talk.c). */
static const struct line_limits table_limits = {.cpu_ns = 45000000000ull};

static int build_table(struct object *o, int fd)
{
	struct elf_obj *debug = elf_obj_section(o->main, ".debug_info") ? o->main : o->debug;
	struct line_source source = {.build_id = *elf_obj_build_id(o->main)};
	int err;

	if (!o->dwarf)
		return -ENODATA;
	/* Without its supplement, the table would lack many names for good. */
	if (elf_obj_section(debug, ".gnu_debugaltlink") && !o->alt)
		return -ENOENT;
	source.bias = object_lines_bias(o);
	source.size = elf_obj_file_size(debug);
	source.separate = debug != o->main;
	err = line_table_build(o->dwarf, &source, fd, &table_limits);
	if (err == -EFBIG || err == -ETIME) /* the next attempt would end the same way */
		err = ftruncate(fd, 0) ? -errno : line_table_refuse(&source, fd, err) ?: err;
	return err;
}

int object_build_table(struct object *o, const struct debug_search *search, int fd)
{
	int err;

	if (o->names_only || o->table || elf_obj_type(o->main) == ET_REL)
		return -ENODATA;
	o->search = search;
	err = load_debug_file(o) ?: load_lines(o) ?: build_table(o, fd);
	o->search = NULL;
	return err;
}
