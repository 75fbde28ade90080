/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of a pprof message, for both who write one: export_pprof(), and profiler/upload/series_pprof.h. Ids count
 * from 1, without gaps, because Parca insists.
 */
#ifndef KILN_FORMATS_PPROF_PUT_H
#define KILN_FORMATS_PPROF_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"
#include "proto/pprof.pb-c.h"

/*
 * By the format's rule the main binary's mapping goes first. No mapping is marked as such. So, like
 * google/pprof, kiln takes the first for which this is true: a file that is no shared object.
 */
bool pprof_may_be_main(const struct profile *p, uint32_t mapping);
/* The id of the n-th mapping (from 1 on) where the main one goes first and those before it move up. main_n 0: none. */
uint64_t pprof_mapping_id(uint64_t n, uint64_t main_n);

/* What they refer to are ids of strings in the message. Errors stay in out->err. */
void pprof_put_mapping(struct buf *out, const struct profile_mapping *m, uint64_t id);
void pprof_put_function(struct buf *out, const struct profile_function *f, uint64_t id);

/* Memory for entries, from one to the next; zeros at first. */
struct pprof_scratch {
	VEC(uint64_t) location_ids; /* the caller's */
	VEC(Pprof__Line) lines;
	VEC(Pprof__Line *) line_ptrs;
};
void pprof_scratch_release(struct pprof_scratch *s);

/* msg: all but its lines, whose functions count from 0. 0 or -ENOMEM; other errors stay in out->err. */
int pprof_put_location(struct buf *out, struct pprof_scratch *s, Pprof__Location *msg,
		       const struct profile_line *lines, size_t n);

#endif
