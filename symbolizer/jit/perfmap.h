/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf maps: lines "START SIZE name", numbers in hex, that JIT compilers write
 * (tools/perf/Documentation/jit-interface.txt in the Linux tree). A later line replaces earlier
 * ones where they overlap.
 */
#ifndef KILN_SYMBOLIZER_JIT_PERFMAP_H
#define KILN_SYMBOLIZER_JIT_PERFMAP_H

#include <stddef.h>
#include <stdint.h>

struct perfmap;

/* Parses hostile text. Skips and counts malformed lines. At most 4 million entries. 0 or -errno. */
int perfmap_parse(struct perfmap **out, const char *text, size_t len);
/* Reads and parses an open file of at most 256 MiB (else -EFBIG), see jit_files.h. 0 or -errno. */
int perfmap_read(struct perfmap **out, int fd);
void perfmap_free(struct perfmap *m);

/* Gives the name of the entry that covers va, as clean text, not demangled. Borrowed from m. 0
 * or -ENOENT. */
int perfmap_find(const struct perfmap *m, uint64_t va, const char **name);
size_t perfmap_count(const struct perfmap *m);
size_t perfmap_skipped(const struct perfmap *m);

#endif
