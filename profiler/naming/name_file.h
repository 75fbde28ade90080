/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names frames in ELF files. */
#ifndef KILN_NAMING_NAME_FILE_H
#define KILN_NAMING_NAME_FILE_H

#include <stddef.h>
#include <stdint.h>

struct namer;
struct sym_file;

/* Names the frames group[0..n), all in one file. file_id is the cache's key. 0 or -errno. */
int name_in_file(struct namer *w, const struct sym_file *file, uint32_t file_id, size_t n);

#endif
