/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profile model, shaped like pprof (github.com/google/pprof, proto/profile.proto). Everything
 * is interned: ids are indices from 0 into the arrays below, and equal things have equal ids.
 * Arrays may be read directly. Only the functions add to them. All strings are clean UTF-8
 * (profiler/base/text.h); they are cleaned when added, with tabs as spaces. Not thread-safe.
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

/* Names of mappings without a file. */
#define MAPPING_KERNEL "[kernel.kallsyms]"
#define MAPPING_VDSO   "[vdso]"
/* Anonymous code, named from a jitdump or perf map or not at all. */
#define MAPPING_JIT	"[jit]"
#define MAPPING_UNKNOWN "[unknown]" /* address in no known mapping */
#define MAPPING_KILN	"[kiln]"    /* synthetic frames: losses, truncation */

/* Synthetic function names, all in MAPPING_KILN. */
#define FRAME_LOST	    "[lost samples]"
#define FRAME_TRUNCATED	    "[truncated]"
#define FRAME_MISSED_USER   "[missed user stack]"
#define FRAME_MISSED_KERNEL "[missed kernel stack]"
#define FRAME_FOLDED	    "[folded callers]"
/* Of a store that keeps stacks and functions apart from values, and has not (yet) what these stand for. */
#define FRAME_NO_STACK	  "[stack missing]"
#define FRAME_NO_FUNCTION "[function missing]"

/* Label keys that kiln writes. pid and tid are numbers, the others strings. */
#define LABEL_PID	"pid"
#define LABEL_TID	"thread_id" /* the key other profilers use in pprof */
#define LABEL_COMM	"comm"	    /* of the thread */
#define LABEL_CGROUP	"cgroup"    /* path below the mount */
#define LABEL_UNIT	"unit"	    /* systemd unit, "nginx.service" */
#define LABEL_CONTAINER "container" /* first 12 hex digits of the id */
/* Of profiles from several machines; who brings them together writes it. */
#define LABEL_HOST "host"
/* Only the agent writes these. */
#define LABEL_EXECUTABLE     "executable" /* path, as the process has it */
#define LABEL_SERVICE	     "service_name"
#define LABEL_POD_UID	     "pod_uid"
#define LABEL_POD	     "pod"
#define LABEL_NAMESPACE	     "namespace"
#define LABEL_CONTAINER_NAME "container_name"
#define LABEL_IMAGE	     "image"

struct profile_value_type {
	uint32_t type, unit; /* strings */
};

struct profile_mapping {
	/* ELF virtual addresses; start - offset is p_vaddr - p_offset of the segment. start 0
	 * and limit 0: unknown. start 0 and limit UINT64_MAX: addresses are file offsets. */
	uint64_t start, limit, offset;
	uint32_t file, build_id; /* strings; build id in lowercase hex */
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct profile_function {
	uint32_t name, system_name, file; /* strings */
	int64_t start_line;
};

struct profile_line {
	uint32_t function; /* PROFILE_NONE is not allowed: a line has a function */
	int64_t line;
	/* Of DWARF, tells copies of a line apart; rename_profile() finds it. Not interned by, and in
	 * no file. */
	uint32_t discriminator;
};

struct profile_location {
	uint32_t mapping; /* or PROFILE_NONE */
	uint64_t address; /* ELF virtual address; 0 for the kernel, JIT and synthetic frames */
	uint32_t first_line,
		/* In profile.lines: [0] is the innermost inlined call, the last the function. */
		n_lines;
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

/* Makes it a CPU profile of kiln: [samples/count, cpu/nanoseconds], period in ns. 0 or -ENOMEM. */
int profile_init_cpu(struct profile *p, uint64_t period_ns);
int profile_add_sample_type(struct profile *p, const char *type, const char *unit);

/*
 * Interning. Each function finds or adds the given contents and stores the id through its last
 * parameter. 0, -ENOMEM, or -EINVAL for an id out of range.
 */
int profile_string(struct profile *p, const char *s, uint32_t *id);
int profile_string_n(struct profile *p, const char *s, size_t len, uint32_t *id);
int profile_mapping(struct profile *p, const struct profile_mapping *m, uint32_t *id);
/* Like profile_mapping(), but finds a mapping that differs in its flags only, and adds m's flags
 * to it. Windows may know different things about a file. */
int profile_mapping_joined(struct profile *p, const struct profile_mapping *m, uint32_t *id);
int profile_function(struct profile *p, const struct profile_function *f, uint32_t *id);
/* Interns a function from texts. system_name NULL means name, file NULL means "". */
int profile_named_function(struct profile *p, const char *name, const char *system_name,
			   const char *file, int64_t start_line, uint32_t *id);
int profile_location(struct profile *p, uint32_t mapping, uint64_t address,
		     const struct profile_line *lines, size_t n_lines, uint32_t *id);
/* Gives a location other lines. It keeps its id, and stacks do not change. From then on
 * interning does not find it by its contents. */
int profile_rename_location(struct profile *p, uint32_t location, const struct profile_line *lines,
			    size_t n_lines);
int profile_stack(struct profile *p, const uint32_t *locations, size_t n, uint32_t *id);
/* Interns a label set. A string label without a value is left out: pprof cannot store it. */
int profile_labelset(struct profile *p, const struct profile_label *labels, size_t n, uint32_t *id);

/* Interns a location of one function at address 0 in a mapping without a file: a kernel function
 * or a synthetic frame. */
int profile_plain_location(struct profile *p, const char *mapping, const char *name,
			   uint32_t *location);

/* Adds values, one for each sample type, to the sample with this stack and label set. Values
 * that are all zero are left out, as in google/pprof's merge. */
int profile_add(struct profile *p, uint32_t stack, uint32_t labelset, const int64_t *values);

/* Drops all samples; what they refer to stays. */
void profile_clear_samples(struct profile *p);

int profile_comment(struct profile *p, const char *text);
int profile_commentf(struct profile *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text of a string id. */
static inline const char *profile_text(const struct profile *p, uint32_t id)
{
	return strtab_get(p->strings, id);
}

/* The label with this key in a label set, or NULL. */
const struct profile_label *profile_find_label(const struct profile *p, uint32_t labelset,
					       const char *key);
/* Its text; "" if there is none, or if it is a number. */
const char *profile_text_label(const struct profile *p, uint32_t labelset, const char *key);

/* Whether a stack is no code but the place of lost samples: its outermost function is FRAME_LOST. */
bool profile_stack_is_lost(const struct profile *p, uint32_t stack);

/* Index of the sample type to show: default_sample_type, else the last. */
size_t profile_default_type(const struct profile *p);
/* Index of the one that counts samples, whoever wrote the profile; -1: there is none. */
int profile_count_type(const struct profile *p);

/*
 * Kind of a frame, for colours, suffixes and module names. It follows from its mapping's file name.
 */
enum frame_kind {
	FRAME_NATIVE,
	FRAME_KERNEL,
	FRAME_JIT,
	FRAME_SYNTHETIC, /* MAPPING_KILN */
	FRAME_UNKNOWN,	 /* no mapping, or MAPPING_UNKNOWN */
};
enum frame_kind profile_frame_kind(const struct profile *p, uint32_t location);
/* So of all frames of a mapping, or of PROFILE_NONE. */
enum frame_kind profile_mapping_kind(const struct profile *p, uint32_t mapping);
/* "libc.so.6", "[kernel]", "[ext4]", "[jit]", ...: the last path component, or the name in
 * brackets. Of a file with such a name "/[kernel]". */
const char *profile_module(const struct profile *p, uint32_t mapping);
/* Whether a module is a shared library by its name: "libc.so.6", "libc-2.31.so"; not "my.solver". */
bool profile_module_is_library(const char *module);
/*
 * Display name of a location without lines, into a buffer of at least 32 bytes:
 * "[libfoo.so]+0x1290" (an ELF address), or "[kernel]" or "[unknown]" without an address. Returns
 * out.
 */
const char *profile_unresolved(const struct profile *p, uint32_t location, char *out, size_t size);
/*
 * Whether a function's name is made of its module's, as profile_module() has it, for want of a name:
 * "[libfoo.so]", as kiln writes it, "[jit]", "libfoo.so+0x1290" or "[libfoo.so]+0x1290". All such
 * code of a module is one function.
 */
bool profile_name_is_bare(const char *name, const char *module);

/*
 * Adds all of src to dst. Sample types must agree; else -EINVAL with a sentence in *why. dst gets
 * the earliest time, and the duration that all merged profiles cover together, in any order of
 * merging. Gaps do not count, and overlaps count once. (A merged profile that was stored and read
 * again does not know its gaps. It covers its duration from its start on.) 0 or -errno.
 */
int profile_merge(struct profile *dst, const struct profile *src, const char **why);

/* Copies the samples that keep() accepts into a new profile, with only the tables that they
 * need. 0 or -ENOMEM. */
int profile_filter(struct profile **out, const struct profile *src,
		   bool (*keep)(void *ctx, const struct profile *src, size_t sample), void *ctx);

/* Copies a profile without labels of this key. Samples that then are equal become one. 0 or
 * -ENOMEM. */
int profile_without_label(struct profile **out, const struct profile *src, const char *key);
/* Copies a profile in which each sample without a label of this key has it. 0 or -ENOMEM. */
int profile_with_label(struct profile **out, const struct profile *src, const char *key,
		       const char *value);

/* What to fold. Rare is what weighs less than `rare`, by the first sample type. */
struct profile_fold {
	enum {
		FOLD_LINES,   /* rare locations lose address and line, and become one a function */
		FOLD_CALLERS, /* rare stacks keep their innermost frames, with FRAME_FOLDED above */
	} how;
	uint32_t depth; /* FOLD_CALLERS: how many frames are kept */
	int64_t rare;
};
/* Copies a profile with less detail in its rare parts. Values stay. *n_folded counts samples
 * that lost detail in this call. 0 or -ENOMEM. */
int profile_fold(struct profile **out, const struct profile *src, const struct profile_fold *fold,
		 uint64_t *n_folded);

/* The sum of the first sample type's values. */
int64_t profile_weight(const struct profile *p);

/* Bytes held, including indexes. */
size_t profile_bytes(const struct profile *p);

#endif
