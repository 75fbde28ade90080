/* SPDX-License-Identifier: GPL-2.0-or-later */
/* perf maps: "START SIZE name" lines in hex that JIT compilers write (tools/perf/Documentation/
 * jit-interface.txt in the Linux tree). Later lines win over earlier ones they overlap. */
#ifndef KILN_SYMBOLIZER_JIT_PERFMAP_H
#define KILN_SYMBOLIZER_JIT_PERFMAP_H

#include <stddef.h>
#include <stdint.h>

struct perfmap;

/* Hostile text; malformed lines are skipped and counted. Cap: 4 million entries. 0 or -errno. */
int perfmap_parse(struct perfmap **out, const char *text, size_t len);
/* All of an open file of at most 256 MiB (-EFBIG), see jit_files.h. 0 or -errno. */
int perfmap_read(struct perfmap **out, int fd);
void perfmap_free(struct perfmap *m);

/* Clean, demangled-as-is name of the entry that covers va. 0 or -ENOENT. Borrowed. */
int perfmap_find(const struct perfmap *m, uint64_t va, const char **name);
size_t perfmap_count(const struct perfmap *m);
size_t perfmap_skipped(const struct perfmap *m);

#endif
