/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the windows of a segment have in common, each thing once: strings, mappings, functions, lines,
 * locations, stacks, label sets. Things are numbered from 0 in the order in which they come; numbers
 * refer to earlier numbers only, so that what has been written stays as it is.
 *
 * Inlined calls and stacks are trees: a node is its caller's node and what was called, so that what
 * stacks have in common at the root is there once. A *series* is the part of a label set that people
 * search by: the labels with texts, and the keys of those with numbers.
 */
#ifndef KILN_STORE_DICT_H
#define KILN_STORE_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"

struct profile;
struct quality;
struct quality_blame;

#define DICT_NONE UINT32_MAX

enum section {
	SECTION_STRINGS,
	SECTION_MAPPINGS,
	SECTION_FUNCTIONS,
	SECTION_LINES,
	SECTION_LOCATIONS,
	SECTION_STACKS,
	SECTION_LABELSETS,
	SECTION_COUNT
};

enum dict_mapping_flag {
	DICT_HAS_FUNCTIONS = 1,
	DICT_HAS_FILENAMES = 2,
	DICT_HAS_LINE_NUMBERS = 4,
	DICT_HAS_INLINE_FRAMES = 8,
};

struct dict_mapping {
	uint64_t start, limit, offset;
	uint32_t file, build_id, flags, pad;
};

struct dict_function {
	uint32_t name, system_name, file, pad;
	int64_t start_line;
};

struct dict_line { /* the innermost inlined call of a location; callers are its parents */
	uint32_t parent, function;
	int64_t line;
};

struct dict_location {
	uint64_t address;
	uint32_t mapping, line; /* DICT_NONE: none */
	uint32_t folded, pad;
};

struct dict_stack {
	uint32_t parent, location; /* DICT_NONE: the root's parent; a stack without frames */
};

struct dict_labelset {
	uint32_t series, n_values;
	uint32_t first_value,
		pad; /* in dict.values: one for each key with a number, in their order */
};

struct dict {
	struct strtab *strings, *series; /* series: see series_text() */
	VEC(struct dict_mapping) mappings;
	VEC(struct dict_function) functions;
	VEC(struct dict_line) lines;
	VEC(struct dict_location) locations;
	VEC(struct dict_stack) stacks;
	VEC(struct dict_labelset) labelsets;
	VEC(int64_t) values;
	struct htab index[SECTION_COUNT]; /* private */
	uint64_t seed;			  /* private */
};

struct dict *dict_new(void);
void dict_free(struct dict *d);
/* Bytes held, indexes included. */
size_t dict_bytes(const struct dict *d);
/* Things in a section. */
uint32_t dict_count(const struct dict *d, enum section s);

/* Each finds or adds, and stores the number. 0 or -ENOMEM; numbers in what is given must exist. */
int dict_string(struct dict *d, const char *s, uint32_t *id);
int dict_mapping(struct dict *d, const struct dict_mapping *m, uint32_t *id);
int dict_function(struct dict *d, const struct dict_function *f, uint32_t *id);
int dict_line(struct dict *d, const struct dict_line *l, uint32_t *id);
int dict_location(struct dict *d, const struct dict_location *l, uint32_t *id);
int dict_stack(struct dict *d, const struct dict_stack *s, uint32_t *id);
int dict_labelset(struct dict *d, uint32_t series, const int64_t *values, uint32_t n_values,
		  uint32_t *id);
int dict_series(struct dict *d, const char *text, uint32_t *id);

/*
 * A series as one text: for each label its key, SERIES_TEXT and the value, or SERIES_NUMBER and the
 * unit; then SERIES_END. Neither keys nor values hold control characters. "" is the series without labels.
 */
#define SERIES_TEXT   '\x01'
#define SERIES_NUMBER '\x02'
#define SERIES_END    '\x03'

struct series_label {
	const char *key, *value; /* not terminated; value: the unit of a number */
	size_t key_len, value_len;
	bool is_number;
};

/* The next label of the text at *at, which moves on; false at the end, or where the text is none. */
bool series_next(const char **at, struct series_label *out);
void series_add(struct buf *b, const char *key, const char *value, bool is_number);

/* A window in numbers of the dictionary. */
struct dict_sample {
	uint32_t labelset, stack; /* DICT_NONE: a stack without frames */
	uint32_t first_value;	  /* in the window's values */
};

struct dict_blame {	       /* struct quality_blame */
	uint32_t module, hint; /* strings; DICT_NONE: no hint */
	uint64_t frames, unnamed, broken;
};

struct dict_window {
	VEC(struct dict_sample) samples;
	VEC(int64_t) values; /* n_types for each sample */
	VEC(struct dict_blame) blame;
	uint32_t n_types;
};
void dict_window_release(struct dict_window *w);

/* Adds one binary to the blame of a window. 0 or -ENOMEM. */
int dict_add_blame(struct dict *d, const struct quality_blame *b, struct dict_window *out);

/* The samples of a profile and the blame of its quality. What is new in them comes into the dictionary,
 * also when it fails half way: the next window will find it there. 0 or -ENOMEM. */
int dict_add_window(struct dict *d, const struct profile *p, const struct quality *q,
		    struct dict_window *out);

#endif
