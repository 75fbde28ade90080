/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about an ELF file, for code that does not read the file itself. */
#ifndef KILN_SYMBOLIZER_QUERY_ELF_FACTS_H
#define KILN_SYMBOLIZER_QUERY_ELF_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/build_id.h"

/* Executables have one or two executable segments. */
#define ELF_FACTS_SEGMENTS_MAX 64

struct elf_segment { /* a PT_LOAD; sorted by va, as the ABI demands */
	uint64_t va, mem_len;
	uint64_t file_off, file_len;
	bool exec;
};

struct elf_facts {
	/* 0 or -errno; -ECONNABORTED: the reader failed on the file. Of these the file is not to blame: -EMFILE,
	 * -ENFILE; -ENOTCONN: there was no reader; -ETIMEDOUT, -EHOSTDOWN: its file server hangs. */
	int err;
	struct build_id build_id;
	struct elf_segment segs[ELF_FACTS_SEGMENTS_MAX]; /* executable ones only */
	size_t n_segs;
	/* For QUERY_ELF only: DWARF of its own, and a table of all symbols (.symtab). */
	bool has_debug_info, has_symbols;
};

#endif
