/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf maps: lines "START SIZE name", numbers in hex, that JIT compilers write
 * (tools/perf/Documentation/jit-interface.txt in the Linux tree). A later line replaces earlier
 * ones where they overlap. A line counts when it has its newline. Lines have no times, but the file mostly only
 * grows: its size tells when.
 */
#ifndef KILN_SYMBOLIZER_JIT_PERFMAP_H
#define KILN_SYMBOLIZER_JIT_PERFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perfmap;

/* Parses hostile text, borrowed while the map lives. Skips malformed lines. Takes the first 4 million
 * entries. 0 or -errno. */
int perfmap_parse(struct perfmap **out, const char *text, size_t len);
/* Reads and parses an open file of at most 256 MiB (else -EFBIG), see jit_files.h. 0 or -errno. */
int perfmap_read(struct perfmap **out, int fd);
void perfmap_free(struct perfmap *m);

/* A question: what was at va when the file had so many bytes. 0: when it had all. */
struct perfmap_ask {
	uint64_t va, bytes;
	uint32_t entry; /* the answer: PERFMAP_NONE, or for perfmap_name() */
	uint32_t index; /* the caller's */
};
#define PERFMAP_NONE UINT32_MAX

/*
 * Answers n questions, and orders them by va: the last line until then that covers it, else the first one later.
 * All that the file has now counts if it did not end with a line then, if at most of these sizes it did not (it is
 * written through a buffer), and if it was larger (it was written anew). 0 or -ENOMEM.
 */
int perfmap_find(struct perfmap *m, struct perfmap_ask *asks, size_t n);
/* The name of an entry, as clean text, not demangled. Borrowed until the next call. NULL: out of memory. */
const char *perfmap_name(struct perfmap *m, uint32_t entry);
size_t perfmap_count(const struct perfmap *m);
/* There are more entries than were taken. */
bool perfmap_is_cut(const struct perfmap *m);

#endif
