/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies samples of a profile into another, with only what they refer to, changed on the way as rules say: for what
 * merges, filters or folds profiles (merge.c).
 *
 *	copy_init(&c, dst, src, &rules)
 *	copy_header(&c); copy_sample(&c, i); ...
 *	copy_release(&c)
 *
 * All return 0 or -ENOMEM.
 */
#ifndef KILN_PROFILE_COPY_H
#define KILN_PROFILE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"

struct copy;

/* Each may be NULL: then all stays as it is. */
struct copy_rules {
	void *ctx;
	/* How many frames of a stack of src stay, from the leaf on; and the location of dst that then stands for the
	 * others, if there is one. */
	uint32_t (*depth)(void *ctx, const struct copy *c, uint32_t stack);
	int (*mark)(void *ctx, struct copy *c, uint32_t *location);
	/* How many frames of a stack of src go, from the leaf on. */
	uint32_t (*skip)(void *ctx, const struct copy *c, uint32_t stack);
	/* Makes a copy of a location of src: an id of dst. */
	int (*location)(void *ctx, struct copy *c, uint32_t id, uint32_t *out);
	/* Makes the copy of a stack of src as locations of dst, in c->frames, instead of all of the above. */
	int (*stack)(void *ctx, struct copy *c, uint32_t id);
	bool (*keeps_label)(void *ctx, const struct copy *c, const struct profile_label *l);
	/* A label, of dst, that a label set of src gets, too. 1; 0: none; or -errno. */
	int (*more_label)(void *ctx, struct copy *c, uint32_t labelset, struct profile_label *out);
};

struct copy {
	struct profile *dst;
	const struct profile *src;
	struct copy_rules rules;
	/* The rest is private, but for lines and frames. Each table maps an id of src to one of dst and 1, from when it is
	 * needed. */
	uint32_t *strings, *mappings, *functions, *locations, *stacks, *labelsets;
	VEC(struct profile_line) lines;	  /* scratch of copy_lines() */
	VEC(uint32_t) frames;		  /* scratch, also of the rule for stacks */
	VEC(struct profile_label) labels; /* scratch */
};

/* rules: NULL: none. Call copy_release() also after a failure. */
int copy_init(struct copy *c, struct profile *dst, const struct profile *src,
	      const struct copy_rules *rules);
void copy_release(struct copy *c);

/* Times, period and types, into a profile that has no sample types yet. */
int copy_header(struct copy *c);
/* Each text once. */
int copy_comments(struct copy *c);
int copy_sample(struct copy *c, size_t i);
/* All of a profile, as a new one. */
int profile_copy(struct profile **out, const struct profile *src, const struct copy_rules *rules);
/* Of the samples that keep() accepts. */
int profile_copy_some(struct profile **out, const struct profile *src,
		      const struct copy_rules *rules,
		      bool (*keep)(void *ctx, const struct profile *src, size_t sample), void *ctx);

/* For rules. Of an id of src (or PROFILE_NONE, of a mapping) the id of dst. */
int copy_string(struct copy *c, uint32_t id, uint32_t *out);
int copy_mapping(struct copy *c, uint32_t id, uint32_t *out);
/* Puts the lines of a location of src into c->lines, with functions of dst. */
int copy_lines(struct copy *c, uint32_t location);
/* Adds the copy of a location of src, with c->lines, and a mapping of dst. */
int copy_put_location(struct copy *c, uint32_t location, uint32_t mapping, uint64_t address,
		      uint32_t *out);

#endif
