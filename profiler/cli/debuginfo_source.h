/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which file a profile store is given for one that ran. A store keeps the first file of a build id, so a stripped one
 * would keep out the full one: it is never chosen.
 */
#ifndef KILN_CLI_DEBUGINFO_SOURCE_H
#define KILN_CLI_DEBUGINFO_SOURCE_H

#include "profiler/upload/debuginfo.h"
#include "symbolizer/elf/elf_obj.h"

struct debuginfo_source {
	struct debuginfo_file file; /* for debuginfo_push() */
	int fd;
	struct elf_obj *obj;
	char build_id[2 * BUILD_ID_MAX + 1];
	char *name;
};

/*
 * Of the ELF file at path, and the debug file of its build id in debug_dirs (NULL-terminated), the first that there
 * is: the file itself, if it has DWARF; the debug file; the file itself, if it has .symtab. 0; -ENODATA (none has),
 * -ENOENT, -EINVAL, -ENOEXEC, -ENOMEM, ... with a
 * sentence.
 */
int debuginfo_source_open(struct debuginfo_source *out, const char *path,
			  const char *const *debug_dirs, struct why *why);
void debuginfo_source_release(struct debuginfo_source *s);

#endif
