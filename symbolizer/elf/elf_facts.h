/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about an ELF file, for code that does not read the file itself. */
#ifndef KILN_SYMBOLIZER_ELF_ELF_FACTS_H
#define KILN_SYMBOLIZER_ELF_ELF_FACTS_H

#include "symbolizer/elf/elf_obj.h"

/* Executables have one or two executable segments. */
#define ELF_FACTS_SEGMENTS_MAX 64

struct elf_facts {
	int err; /* 0 or -errno; -ECONNABORTED: the reader failed on the file */
	struct build_id build_id;
	struct elf_segment segs[ELF_FACTS_SEGMENTS_MAX]; /* executable ones only */
	size_t n_segs;
};

/* Takes the facts from an open object. */
static inline void elf_facts_of(struct elf_facts *f, const struct elf_obj *obj)
{
	size_t n;
	const struct elf_segment *s = elf_obj_segments(obj, &n);

	*f = (struct elf_facts){.build_id = *elf_obj_build_id(obj)};
	for (size_t i = 0; i < n && f->n_segs < ELF_FACTS_SEGMENTS_MAX; i++)
		if (s[i].exec)
			f->segs[f->n_segs++] = s[i];
}

#endif
