/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one profile model, shaped like pprof (github.com/google/pprof, proto/profile.proto):
 * everything is interned, ids are indices from 0 into the arrays below, so equal things have equal
 * ids. Arrays may be read directly; they are added to only through the functions.
 * All strings are clean UTF-8 (profiler/base/text.h), cleaned on the way in, tabs being spaces.
 * Not thread-safe.
 */
#ifndef KILN_PROFILE_PROFILE_H
#define KILN_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"
#include "profiler/profile/spans.h"

#define PROFILE_NONE UINT32_MAX

/* Names of mappings that are not files. */
#define MAPPING_KERNEL	"[kernel.kallsyms]"
#define MAPPING_VDSO	"[vdso]"
#define MAPPING_JIT	"[jit]"	    /* anonymous code, named from a perf map or not at all */
#define MAPPING_UNKNOWN "[unknown]" /* address in no known mapping */
#define MAPPING_KILN	"[kiln]"    /* synthetic frames: losses, truncation */

/* Synthetic function names, all in MAPPING_KILN. */
#define FRAME_LOST	    "[lost samples]"
#define FRAME_TRUNCATED	    "[truncated]"
#define FRAME_MISSED_USER   "[missed user stack]"
#define FRAME_MISSED_KERNEL "[missed kernel stack]"
#define FRAME_FOLDED	    "[folded callers]"

/* Label keys that kiln writes. pid and tid are numbers, the others strings. */
#define LABEL_PID	"pid"
#define LABEL_TID	"thread_id" /* the key other profilers use in pprof */
#define LABEL_COMM	"comm"	    /* of the thread */
#define LABEL_CGROUP	"cgroup"    /* path below the mount */
#define LABEL_UNIT	"unit"	    /* systemd unit, "nginx.service" */
#define LABEL_CONTAINER "container" /* first 12 hex digits of the id */

struct profile_value_type {
	uint32_t type, unit; /* strings */
};

struct profile_mapping {
	uint64_t start, limit, offset; /* file virtual addresses: start - offset is p_vaddr -
					  p_offset of the segment; start 0 and limit 0 if unknown;
					  start 0 and limit UINT64_MAX: addresses are file offsets */
	uint32_t file, build_id;       /* strings; build id in lowercase hex */
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct profile_function {
	uint32_t name, system_name, file; /* strings */
	int64_t start_line;
};

struct profile_line {
	uint32_t function; /* PROFILE_NONE is not allowed: a line has a function */
	int64_t line;
};

struct profile_location {
	uint32_t mapping; /* or PROFILE_NONE */
	uint64_t address; /* ELF virtual address; 0 for the kernel, JIT and synthetic frames */
	uint32_t first_line,
		n_lines; /* in profile.lines: [0] innermost inlined, last the function */
	bool is_folded;
};

/* A key with a string value, or with a number (then str is PROFILE_NONE). */
struct profile_label {
	uint32_t key, str;
	int64_t num;
	uint32_t num_unit; /* string, "" if none */
};

struct profile_stack {
	uint32_t first, len; /* in profile.frames: location ids, leaf first */
};

struct profile_labelset {
	uint32_t first, len; /* in profile.labels, sorted by (key text, value) */
};

struct profile_sample {
	uint32_t stack, labelset;
	uint32_t first_value; /* in profile.values; one value per sample type */
};

struct profile {
	struct strtab *strings;
	VEC(struct profile_value_type) sample_types;
	struct profile_value_type period_type;
	int64_t period, time_ns /* Unix time of the start */, duration_ns;
	uint32_t default_sample_type; /* string */
	uint32_t drop_frames, keep_frames, doc_url;
	VEC(uint32_t) comments; /* strings */
	VEC(struct profile_mapping) mappings;
	VEC(struct profile_function) functions;
	VEC(struct profile_location) locations;
	VEC(struct profile_line) lines;
	VEC(struct profile_stack) stacks;
	VEC(uint32_t) frames;
	VEC(struct profile_label) labels;
	VEC(struct profile_labelset) labelsets;
	VEC(struct profile_sample) samples;
	VEC(int64_t) values;
	struct profile_index *index; /* private */
	struct spans covered;	     /* private: profile_merge() */
};

/* An empty profile without sample types. NULL when out of memory. */
struct profile *profile_new(void);
void profile_free(struct profile *p);

/* CPU profile of kiln's own: [samples/count, cpu/nanoseconds], period in ns. 0 or -ENOMEM. */
int profile_init_cpu(struct profile *p, uint64_t period_ns);
int profile_add_sample_type(struct profile *p, const char *type, const char *unit);

/*
 * Interning. Each takes the wanted contents, finds or adds it, and stores its id through the last
 * parameter. 0 or -ENOMEM; -EINVAL for an id out of range.
 */
int profile_string(struct profile *p, const char *s, uint32_t *id);
int profile_string_n(struct profile *p, const char *s, size_t len, uint32_t *id);
int profile_mapping(struct profile *p, const struct profile_mapping *m, uint32_t *id);
/* The same, but that a mapping which differs in its flags only is found, and gains those of m: what one
 * window knows of a file another may not. */
int profile_mapping_joined(struct profile *p, const struct profile_mapping *m, uint32_t *id);
int profile_function(struct profile *p, const struct profile_function *f, uint32_t *id);
/* From texts; system_name NULL is name, file NULL is "". */
int profile_named_function(struct profile *p, const char *name, const char *system_name,
			   const char *file, int64_t start_line, uint32_t *id);
int profile_location(struct profile *p, uint32_t mapping, uint64_t address,
		     const struct profile_line *lines, size_t n_lines, uint32_t *id);
/* Gives a location other lines in its place: it keeps its id, and every stack stays what it is.
 * From then on it is not found by its contents: interning is over for it. */
int profile_rename_location(struct profile *p, uint32_t location, const struct profile_line *lines,
			    size_t n_lines);
int profile_stack(struct profile *p, const uint32_t *locations, size_t n, uint32_t *id);
/* A string label without a value is no label (pprof cannot carry it) and is left out. */
int profile_labelset(struct profile *p, const struct profile_label *labels, size_t n, uint32_t *id);

/* A location that is just a function in a mapping without a file behind it, at address 0: a kernel
 * function, a synthetic frame. */
int profile_plain_location(struct profile *p, const char *mapping, const char *name,
			   uint32_t *location);

/* Adds values (one per sample type) to the sample with this stack and label set. All zero is
 * nothing to add, as in google/pprof's merge. */
int profile_add(struct profile *p, uint32_t stack, uint32_t labelset, const int64_t *values);

int profile_comment(struct profile *p, const char *text);
int profile_commentf(struct profile *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text of a string id. */
static inline const char *profile_text(const struct profile *p, uint32_t id)
{
	return strtab_get(p->strings, id);
}

/* The label of this key in a label set, or NULL. */
const struct profile_label *profile_find_label(const struct profile *p, uint32_t labelset,
					       const char *key);

/* Index of the sample type a reader would show: default_sample_type, else the last. */
size_t profile_default_type(const struct profile *p);

/* What a frame is, for colours, suffixes and module names; from its mapping's file name. */
enum frame_kind {
	FRAME_NATIVE,
	FRAME_KERNEL,
	FRAME_JIT,
	FRAME_SYNTHETIC, /* MAPPING_KILN */
	FRAME_UNKNOWN,	 /* no mapping, or MAPPING_UNKNOWN */
};
enum frame_kind profile_frame_kind(const struct profile *p, uint32_t location);
/* "libc.so.6", "[kernel]", "[ext4]", "[jit]", ...: last path component, or the bracket name. */
const char *profile_module(const struct profile *p, uint32_t mapping);
/*
 * What a location without lines is called, into a buffer of at least 32 bytes: "[libfoo.so]+0x1290"
 * (the address is the ELF's), "[kernel]" or "[unknown]" where there is no address to tell.
 */
const char *profile_unresolved(const struct profile *p, uint32_t location, char *out, size_t size);

/*
 * Adds all of src into dst: sample types must agree (-EINVAL with a sentence in *why), time is the
 * earliest, duration what the windows cover together, in whatever order they are merged: gaps do not
 * count, what two of them cover counts once. (A file that was merged before covers its duration from
 * its beginning on: where its gaps were it does not tell.) 0 or -errno.
 */
int profile_merge(struct profile *dst, const struct profile *src, const char **why);

/* Copies what keep() accepts into a new profile (samples only; tables are interned afresh). */
int profile_filter(struct profile **out, const struct profile *src,
		   bool (*keep)(void *ctx, const struct profile *src, size_t sample), void *ctx);

/* A copy without labels of this key: samples that differ in nothing else become one. 0 or -ENOMEM. */
int profile_without_label(struct profile **out, const struct profile *src, const char *key);

/* What is rare weighs less than 1/10,000 of the whole, by the first sample type. */
enum profile_fold {
	FOLD_LINES, /* rare locations lose address and line number, and are one for each function */
	FOLD_CALLERS, /* rare stacks keep `depth` innermost frames, below FRAME_FOLDED */
};
/* A copy with less detail where it is rare. Values stay. *n_folded: samples of rare stacks that lost
 * callers now, or of rare locations that lost their lines. 0 or -ENOMEM. */
int profile_fold(struct profile **out, const struct profile *src, enum profile_fold how,
		 uint32_t depth, uint64_t *n_folded);

/* Bytes held, indexes included. */
size_t profile_bytes(const struct profile *p);

#endif
