/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows on their way into a segment: in numbers of its dictionary, with the sums that stand in plain
 * columns. */
#ifndef KILN_STORE_STAGE_H
#define KILN_STORE_STAGE_H

#include "profiler/base/buf.h"
#include "profiler/store/kind.h"
#include "profiler/store/rows.h"

struct profile;
struct quality;

/* Profiles' headers; a row's id is the index. */
struct stage_kind {
	struct buf header, types;
	struct kind_info info;
};

struct stage {
	struct dict *dict;
	VEC(struct stage_kind) kinds;
};

/* 0 or -ENOMEM; to be released either way. */
int stage_init(struct stage *s);
void stage_release(struct stage *s);
/* Finds or adds a header (profiler/store/kind.h), which is foreign: its id. 0, -EBADMSG or -ENOMEM. */
int stage_kind(struct stage *s, const void *header, size_t len, int64_t *id);
/* That of kiln's own profiles. 0 or -ENOMEM. */
int stage_cpu_kind(struct stage *s, int64_t *id);
size_t stage_bytes(const struct stage *s);

struct staged {
	struct window_row row; /* its quality has no blame: that is with the samples */
	struct dict_window window;
	struct usage_list usage;
};

/* Sums that stand in plain columns, of what is in the stage's numbers already. 0 or -ENOMEM. */
int stage_sum(struct stage *s, struct staged *w);
/* All of it; what is new comes into the stage, also if it fails. 0 or -ENOMEM. */
int stage_window(struct stage *s, const struct profile *p, const struct quality *q,
		 int64_t begin_unix_ns, uint64_t duration_ns, struct staged *out);
void staged_release(struct staged *s);

/* Rows of the kinds from an id on. 0 or -errno. */
int stage_store_kinds(struct stage *s, struct rows *rows, size_t first);

#endif
